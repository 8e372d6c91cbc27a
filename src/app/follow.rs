//! Sends one packet and follows it: listens where it should pass, sends, counts
//! it at every station until it is answered or its time is over.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::error::AppError;
use super::traffic::place;
use crate::capture::{Capture, DELAY};
use crate::net::{NetnsName, ReachAnswer, Snapshot};
use crate::netns::NetnsDir;
use crate::path::Node;
use crate::probe;
use crate::topology::Topology;
use crate::traffic::{Errand, Follow, Memory, Meter, Traffic};
use crate::tui::Followed;

/// An answer is waited for so long.
const WAIT: Duration = Duration::from_millis(1500);
/// Between looks at what was caught.
const LOOK: Duration = Duration::from_millis(40);
/// Beyond the capture's own delay, until all has surfaced.
const SLACK: Duration = Duration::from_millis(60);

/// Source ports and identifiers: above those that the kernel gives out by itself
/// (`net.ipv4.ip_local_port_range`), so that nobody's connection has one.
const FIRST: u16 = 61_000;

/// Sends the packet that an errand describes, one and no other, and tells each time
/// that it was seen once more. False from `tell` ends the telling, not the packet.
pub(super) fn follow(
    dir: &NetnsDir,
    (snapshot, topology): (&Snapshot, &Topology),
    errand: &Errand,
    tell: &mut dyn FnMut(Followed) -> bool,
) -> Result<Followed, AppError> {
    let errand = errand.clone().known_by(ident());
    let node = Node::of(snapshot, topology);
    let walk = errand.walk(&node);
    let conversation = errand.conversation(Some(&walk), fixed(topology, &errand));
    let names: Vec<NetnsName> =
        conversation.namespaces.iter().filter(|name| snapshot.namespaces.contains_key(name)).cloned().collect();
    let mut capture = Capture::open(dir, &names)?;
    let numbers = capture.names();
    let mut traffic = Traffic::until(u64::MAX);
    let mut meter = Meter::new(&node, snapshot, topology, &numbers, &mut traffic, Memory::default());
    let mut follow = Follow::new(conversation.into(), 0);
    let deaf: Vec<NetnsName> = capture.deaf().iter().map(|(name, _)| name.clone()).collect();
    let expected = errand.expected(&walk);
    let answer = send(dir, &errand)?;
    let (mut said, mut end, mut goes_on) = (None, Instant::now() + WAIT + DELAY + SLACK, true);
    while Instant::now() < end {
        let mut news = false;
        capture.read(LOOK, &mut |frame| {
            if let Some(seen) = meter.count(&mut traffic, frame) {
                news |= follow.see(frame, &seen, || place(frame, &numbers, snapshot));
            }
        })?;
        if said.is_none()
            && let Ok(answer) = answer.try_recv()
        {
            said = Some(answer);
            end = Instant::now() + DELAY + SLACK;
        }
        if news && goes_on {
            let trail = follow.trail(u64::MAX);
            goes_on = tell(Followed {
                errand: errand.clone(),
                expected: expected.clone(),
                trail,
                answer: None,
                lost: 0,
                deaf: deaf.clone(),
            });
        }
    }
    let answer = Some(said.or_else(|| answer.recv_timeout(LOOK).ok()).unwrap_or(ReachAnswer::Silent));
    Ok(Followed { errand, expected, trail: follow.trail(u64::MAX), answer, lost: capture.lost(), deaf })
}

/// Sends it on a thread of its own: whoever waits for the answer cannot listen.
fn send(dir: &NetnsDir, errand: &Errand) -> Result<Receiver<ReachAnswer>, AppError> {
    let (sender, answer) = channel();
    let (dir, question) = (dir.clone(), errand.question.clone());
    let work = move || drop(sender.send(probe::reach(&dir, &question, WAIT)));
    let spawned = thread::Builder::new().name("probe".to_owned()).spawn(work);
    spawned.map_err(|source| AppError::Thread { source })?;
    Ok(answer)
}

fn fixed(topology: &Topology, errand: &Errand) -> Option<std::net::Ipv4Addr> {
    let wanted = errand.question.destination;
    let fip = topology.floating_ips.iter().find(|fip| fip.floating_ip == Some(wanted.into()))?;
    match fip.fixed_ip? {
        std::net::IpAddr::V4(address) => Some(address),
        std::net::IpAddr::V6(_) => None,
    }
}

/// A number that tells this packet from others, another one each time.
fn ident() -> u16 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let room = u32::from(u16::MAX - FIRST);
    FIRST + u16::try_from(since.subsec_micros() % room).unwrap_or(0)
}
