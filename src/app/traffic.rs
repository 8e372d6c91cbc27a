//! `fipscope traffic`: listen, count, tell every interval, until the time is over
//! or somebody interrupts.

mod along;
mod current;
mod ears;
mod file;
mod listen;
mod probe;
mod reasons;
mod translate;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use nix::sys::signal::{SigSet, Signal};

use super::commands::find;
use super::error::AppError;
use super::exit::Exit;
use super::output::{note, stream, style};
use super::source;
use crate::capture::{Capture, DELAY};
use crate::config::{Format, Settings, TrafficArgs};
use crate::net::{NetnsName, Snapshot};
use crate::netns::NetnsDir;
use crate::neutron::{NamespaceKind, parse_namespace};
use crate::path::Node;
use crate::report::{self, Query, Selection};
use crate::topology::FloatingIp;
use crate::traffic::{Filter, Interval, Memory, Meter, Traffic};
use crate::tui::Node as Shown;

use along::Along;
pub(super) use along::place;
use current::Current;
pub(super) use ears::ears;
use file::CaptureFile;
use listen::{Clock, Ear, Ended};
use reasons::{Reasons, Tracking};

/// Where nobody watches the node it is read again at least so often, in whole intervals.
const FRESH: Duration = Duration::from_secs(10);
/// Beyond the capture's own delay, before an interval counts as complete.
const SLACK: Duration = Duration::from_millis(50);

/// The kernel's own signal number for an interrupted program, as shells have it.
const INTERRUPTED: i32 = 130;

/// What was read of the node, and the one floating IP that is wanted.
struct Reading {
    node: Shown,
    only: Option<FloatingIp>,
}

/// `fipscope traffic`.
pub(super) fn traffic(asked: &TrafficArgs, settings: &Settings) -> Result<Exit, AppError> {
    if settings.from.is_some() {
        return Err(AppError::Usage("traffic listens on this node: it does not go with --from or FIPSCOPE_FROM"));
    }
    if let Some(by) = asked.probe {
        return probe::probe(asked, by, settings);
    }
    let over = interrupted()?;
    let mut reading = Reading::first(asked, settings)?;
    let names = reading.namespaces();
    if names.is_empty() {
        return Err(AppError::Silent { node: reading.node.topology.node.clone() });
    }
    let capture = Capture::open(&NetnsDir::new(&settings.netns_dir), &names)?;
    for (name, why) in capture.deaf() {
        note(&format!("fipscope: not listened in {name}: {why}"));
    }
    let file = asked.write.as_deref().map(CaptureFile::create).transpose()?;
    let filter = Filter::of(asked.filter.as_deref().unwrap_or_default());
    let mut along = Along { file, filter, only: reading.only.clone(), follow: None };
    let mut ear = Ear::open(capture, Clock::start(asked.interval, asked.duration, now()), over);
    let current = Current::watch(settings)?;
    let mut traffic = Traffic::until(ear.clock.begin());
    let mut memory = Memory::default();
    let (mut reasons, mut tracking) = (Reasons::default(), Tracking::default());
    loop {
        let (snapshot, topology) = (&reading.node.snapshot, &reading.node.topology);
        let node = Node::of(snapshot, topology);
        let (names, numbering) = (ear.capture.names(), ear.capture.numbering());
        let mut meter = Meter::new(&node, snapshot, topology, &names, &mut traffic, memory);
        let is_other = || current.is_other(&reading.node);
        let mut tell = |interval: Interval, along: &mut Along| {
            along.file.as_mut().map_or(Ok(()), CaptureFile::flush)?;
            let read = tell(interval, &reading, &along.filter, (&mut reasons, &mut tracking), settings)?;
            Ok(if read { ControlFlow::Continue(()) } else { ControlFlow::Break(Ended::Done) })
        };
        let ended = ear.listen(&mut meter, &mut traffic, &mut along, (snapshot, &is_other), &mut tell)?;
        memory = meter.into_memory();
        if let Ended::NodeChanged = ended {
            drop(node);
            reading = reading.again(&current, asked, settings)?;
            ear.follow(&reading.namespaces());
            if ear.capture.numbering() != numbering {
                memory = Memory::default();
                along.renumber();
            }
            along.only.clone_from(&reading.only);
            continue;
        }
        if let Some(file) = along.file {
            file.finish()?;
        }
        return Ok(if let Ended::Interrupted = ended { Exit::Other(INTERRUPTED) } else { Exit::Done });
    }
}

impl Reading {
    fn first(asked: &TrafficArgs, settings: &Settings) -> Result<Self, AppError> {
        let node = Shown::of(source::snapshot(settings, false)?);
        let only = match query(asked) {
            Some(query) => Some(find(&node.topology, &query, "traffic --floating-ip ")?.clone()),
            None => None,
        };
        Ok(Self { node, only })
    }

    /// The node as it is now. A floating IP that is gone is waited for.
    fn again(self, current: &Current, asked: &TrafficArgs, settings: &Settings) -> Result<Self, AppError> {
        let node = match current.node() {
            Some(node) => node,
            None => Shown::of(source::snapshot(settings, false)?),
        };
        let found = query(asked).and_then(|query| match report::select(&node.topology, &query) {
            Selection::One(fip) => Some(fip.clone()),
            _ => None,
        });
        Ok(Self { only: found.or(self.only), node })
    }

    /// The namespaces to listen in: those of routers and external networks, or of
    /// one floating IP alone.
    fn namespaces(&self) -> Vec<NetnsName> {
        use NamespaceKind::{Fip, Router, Snat};
        let agents = agents(&self.node.snapshot);
        let Some(fip) = &self.only else { return agents };
        let router = self.node.topology.router(&fip.router);
        let network = fip.external_network.as_deref().or_else(|| router?.external_network.as_deref());
        let of_fip = |name: &NetnsName| match parse_namespace(name) {
            Some((Router | Snat, id)) => id == fip.router,
            Some((Fip, id)) => Some(id) == network,
            _ => false,
        };
        agents.into_iter().filter(of_fip).collect()
    }
}

/// The namespaces of routers and external networks.
fn agents(snapshot: &Snapshot) -> Vec<NetnsName> {
    use NamespaceKind::{Fip, Router, Snat};
    let of_agent = |name: &&NetnsName| matches!(parse_namespace(name), Some((Router | Fip | Snat, _)));
    snapshot.namespaces.keys().filter(of_agent).cloned().collect()
}

fn query(asked: &TrafficArgs) -> Option<Query> {
    let (router, external_network) = (asked.router.clone(), asked.external_network.clone());
    Some(Query { address: asked.floating_ip?, router, external_network })
}

/// Prints an interval. False where nobody reads any more.
fn tell(
    mut interval: Interval,
    reading: &Reading,
    filter: &Filter,
    (reasons, tracking): (&mut Reasons, &mut Tracking),
    settings: &Settings,
) -> Result<bool, AppError> {
    let dir = NetnsDir::new(&settings.netns_dir);
    if let Some(only) = &reading.only {
        interval.floating_ips.retain(|fip| listen::is_of(&fip.id, only));
        interval.flows.retain(|flow| flow.floating_ip.as_ref().is_some_and(|fip| listen::is_of(fip, only)));
        interval.connections = tracking.read(&dir, &reading.node, only);
    }
    translate::translate(&mut interval, &dir, &reading.node.topology);
    interval.narrow(filter);
    reasons.tell(&mut interval, &reading.node);
    stream(&match settings.format {
        Format::Text => {
            let is_all_out = !filter.is_empty() && interval.floating_ips.is_empty() && interval.flows.is_empty();
            let nothing = if is_all_out { report::text::nothing_wanted(style(settings)) } else { String::new() };
            report::text::traffic(&interval, style(settings)) + &nothing
        }
        Format::Json => report::json::traffic(&reading.node.snapshot.node, &interval),
    })
}

/// Becomes true when somebody wants an end. To be called before other threads
/// are: they, too, leave the signals to the one that waits for them.
fn interrupted() -> Result<Arc<AtomicBool>, AppError> {
    let over = Arc::new(AtomicBool::new(false));
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    let failed = |source: std::io::Error| AppError::Signals { source };
    signals.thread_block().map_err(|errno| failed(errno.into()))?;
    let seen = Arc::clone(&over);
    let wait = move || {
        if signals.wait().is_ok() {
            seen.store(true, Ordering::Relaxed);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait).map_err(failed)?;
    Ok(over)
}

/// Nanoseconds since 1970, by the clock that stamps frames.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// How long an interval's frames may take to surface, in nanoseconds.
fn settling() -> u64 {
    u64::try_from((DELAY + SLACK).as_nanos()).unwrap_or(u64::MAX)
}
