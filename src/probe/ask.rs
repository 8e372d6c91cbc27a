//! Asking many questions at once, each for a bounded time.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Error;
use super::arp::{Arp, Operation};
use super::socket::LinkSocket;
use crate::net::{ArpQuestion, IfName, Mac, NetnsName, WireAnswer, WireQuestion, WireReply};
use crate::netns::{NetnsDir, enter_each};

/// Frames that are taken from one device before the others have their turn.
const TURN: usize = 64;

/// How insistently is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// A question that nobody answers is sent so often.
    pub tries: u32,
    /// So long is waited after each.
    pub wait: Duration,
    /// So many questions wait for answers at once, at most 2000.
    pub in_flight: usize,
    /// So long between two questions: no link sees a burst.
    pub spacing: Duration,
    /// So many are asked at most; the others are told that they were not.
    pub most: usize,
}

impl Default for Manner {
    /// Three times a second's patience: 256 silent questions take four seconds.
    fn default() -> Self {
        Self { tries: 3, wait: Duration::from_secs(1), in_flight: 256, spacing: Duration::from_millis(2), most: 4096 }
    }
}

/// Asks the wire. The answers come in the order of the questions. Blocks for as
/// long as it takes: the time of [`Manner::tries`] for each
/// [`Manner::in_flight`] questions.
pub fn ask(dir: &NetnsDir, questions: &[WireQuestion], manner: &Manner) -> Vec<WireAnswer> {
    let (asked, left) = questions.split_at(questions.len().min(manner.most));
    let at_once = manner.in_flight.clamp(1, super::filter::MOST);
    let mut answers: Vec<WireAnswer> = asked.chunks(at_once).flat_map(|chunk| round(dir, chunk, manner)).collect();
    let why = format!("more than {} questions at once: narrow them to one floating IP", manner.most);
    answers.extend(left.iter().map(|_| WireAnswer::NotAsked(why.clone())));
    answers
}

/// A link, and the places of the questions on it.
struct Link {
    socket: LinkSocket,
    /// By target; two questions may look for one address.
    places: BTreeMap<Ipv4Addr, Vec<usize>>,
}

/// A question under way.
struct Pending<'q> {
    question: &'q ArpQuestion,
    link: usize,
    tries: u32,
    sent: Instant,
    /// When it is sent again, or given up.
    due: Instant,
    replies: Vec<WireReply>,
    over: Option<WireAnswer>,
}

/// Asks as many as may be under way at once.
fn round(dir: &NetnsDir, questions: &[WireQuestion], manner: &Manner) -> Vec<WireAnswer> {
    let arp: Vec<&ArpQuestion> = questions.iter().map(|WireQuestion::Arp(question)| question).collect();
    let (links, of) = open(dir, &arp);
    let begin = Instant::now();
    let mut pending = Vec::with_capacity(arp.len());
    for ((question, link), turn) in arp.iter().zip(of).zip(0..) {
        let due = begin + manner.spacing * turn;
        let (link, over) = match link {
            Ok(link) => (link, None),
            Err(why) => (0, Some(WireAnswer::NotAsked(why))),
        };
        pending.push(Pending { question, link, tries: 0, sent: due, due, replies: Vec::new(), over });
    }
    while let Some(next) = send_due(&links, &mut pending, manner) {
        listen(&links, &mut pending, next);
    }
    pending.into_iter().map(|one| one.over.unwrap_or(WireAnswer::Silent)).collect()
}

/// Opens a socket for each link; tells each question its link, or why there is none.
fn open(dir: &NetnsDir, questions: &[&ArpQuestion]) -> (Vec<Link>, Vec<Result<usize, String>>) {
    let mut places: BTreeMap<&NetnsName, BTreeMap<&IfName, BTreeMap<Ipv4Addr, Vec<usize>>>> = BTreeMap::new();
    for (place, question) in questions.iter().enumerate() {
        let devices = places.entry(&question.namespace).or_default();
        devices.entry(&question.device).or_default().entry(question.target).or_default().push(place);
    }
    let names: Vec<NetnsName> = places.keys().copied().cloned().collect();
    let sockets = |name: &NetnsName| {
        let devices = places[name].iter();
        let wanted = |targets: &BTreeMap<Ipv4Addr, _>| targets.keys().copied().collect::<Vec<_>>();
        let open = |(device, targets): (&&IfName, _)| {
            LinkSocket::open(name, device, &wanted(targets)).map_err(|error| error.to_string())
        };
        devices.map(open).collect::<Vec<Result<LinkSocket, String>>>()
    };
    let (opened, ()) = enter_each(dir, &names, sockets, || ());
    let mut links = Vec::new();
    let mut of = vec![Err(String::new()); questions.len()];
    for (devices, sockets) in places.into_values().zip(opened) {
        let count = devices.len();
        let sockets = sockets.unwrap_or_else(|error| (0..count).map(|_| Err(error.to_string())).collect());
        for (targets, socket) in devices.into_values().zip(sockets) {
            let link = match socket {
                Ok(socket) => {
                    links.push(Link { socket, places: targets.clone() });
                    Ok(links.len() - 1)
                }
                Err(why) => Err(why),
            };
            for place in targets.values().flatten() {
                of[*place].clone_from(&link);
            }
        }
    }
    (links, of)
}

/// Sends what is due and ends what is over. Gives the time at which something is
/// due next; `None` where all is over.
fn send_due(links: &[Link], pending: &mut [Pending<'_>], manner: &Manner) -> Option<Instant> {
    let now = Instant::now();
    for one in pending.iter_mut().filter(|one| one.over.is_none() && one.due <= now) {
        if !one.replies.is_empty() {
            one.over = Some(WireAnswer::Answered(std::mem::take(&mut one.replies)));
        } else if one.tries >= manner.tries {
            one.over = Some(WireAnswer::Silent);
        } else if let Some(link) = links.get(one.link) {
            let ArpQuestion { namespace, device, sender, target, .. } = one.question;
            let frame = Arp::request((link.socket.mac(), *sender), *target).broadcast();
            if let Err(source) = link.socket.send(&frame) {
                let (device, namespace) = (device.clone(), namespace.clone());
                let error = Error::Socket { operation: "send an ARP request", device, namespace, source };
                one.over = Some(WireAnswer::NotAsked(error.to_string()));
            }
            one.tries += 1;
            one.sent = Instant::now();
            one.due = one.sent + manner.wait;
        }
    }
    pending.iter().filter(|one| one.over.is_none()).map(|one| one.due).min()
}

/// Takes in answers until something is due, or some came.
fn listen(links: &[Link], pending: &mut [Pending<'_>], until: Instant) {
    let mut fds: Vec<PollFd<'_>> =
        links.iter().map(|link| PollFd::new(std::os::fd::AsFd::as_fd(&link.socket), PollFlags::POLLIN)).collect();
    // Rounded up: a timeout that is too short would spin.
    let patience = until.saturating_duration_since(Instant::now()).as_millis().saturating_add(1);
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::from(u16::MAX));
    // Interrupted or failed, it is as if nothing had come; what is due ends it.
    let _ = poll(&mut fds, timeout);
    let mut room = [0; 64];
    for (link, fd) in links.iter().zip(&fds) {
        if !fd.any().unwrap_or(false) {
            continue;
        }
        for _ in 0..TURN {
            let Some(frame) = link.socket.receive(&mut room) else { break };
            let Some(Arp { operation: Operation::Reply, sender: (mac, address), .. }) = Arp::parse(frame) else {
                continue;
            };
            // A frame of our own that came back tells of a loop, not of a host.
            if mac != link.socket.mac() {
                for place in link.places.get(&address).into_iter().flatten() {
                    pending[*place].heard(mac);
                }
            }
        }
    }
}

impl Pending<'_> {
    fn heard(&mut self, mac: Mac) {
        if self.over.is_some() || self.tries == 0 || self.replies.iter().any(|reply| reply.mac == mac) {
            return;
        }
        let rtt = u64::try_from(self.sent.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.replies.push(WireReply { mac, rtt });
        if self.replies.len() >= usize::from(self.question.replies) {
            self.over = Some(WireAnswer::Answered(std::mem::take(&mut self.replies)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_not_there_answers_for_its_questions_only() {
        let question = |namespace: &str| {
            WireQuestion::Arp(ArpQuestion {
                namespace: NetnsName::from(namespace),
                device: IfName::from("fg-1"),
                sender: Ipv4Addr::UNSPECIFIED,
                target: Ipv4Addr::new(192, 168, 1, 3),
                replies: 1,
            })
        };
        let dir = NetnsDir::new("/nonexistent");
        let manner = Manner { most: 2, ..Manner::default() };
        let answers = ask(&dir, &[question("one"), question("two"), question("three")], &manner);
        let words: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
        assert!(words[0].contains("there is no network namespace 'one'"), "{words:?}");
        assert!(words[1].contains("'two'"), "{words:?}");
        assert!(words[2].contains("more than 2 questions"), "{words:?}");
    }
}
