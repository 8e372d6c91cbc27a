//! The console's ears: the same listening as `fipscope traffic`, told to a
//! screen, on a node that somebody else reads.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::listen::{Clock, Ear, Ended};
use super::{agents, now};
use crate::app::error::AppError;
use crate::app::listener::{Desk, Ears};
use crate::capture::Capture;
use crate::netns::NetnsDir;
use crate::path::Node;
use crate::traffic::{Interval, Memory, Meter, Traffic};
use crate::tui::{Heard, Node as Shown};

/// The screen is told so often.
const PACE: Duration = Duration::from_secs(1);

/// Flows that a screen is told of, those with the most packets.
const FLOWS: usize = 1000;

/// Ears in the namespaces of that folder.
pub(in crate::app) fn ears(dir: NetnsDir) -> Ears {
    Arc::new(move |desk, tell| hear(&dir, desk, tell).map_err(|error| error.to_string()))
}

fn hear(dir: &NetnsDir, desk: &Desk, tell: &mut dyn FnMut(Heard) -> bool) -> Result<(), AppError> {
    let mut shown = desk.node();
    let names = agents(&shown.snapshot);
    if names.is_empty() {
        return Err(AppError::Silent { node: shown.topology.node.clone() });
    }
    let capture = Capture::open(dir, &names)?;
    let mut ear = Ear::open(capture, Clock::start(PACE, None, now()), desk.over().clone());
    let mut traffic = Traffic::until(ear.clock.next_end(now()));
    let mut memory = Memory::default();
    loop {
        let node = Node::of(&shown.snapshot, &shown.topology);
        let names = ear.capture.names();
        let mut meter = Meter::new(&node, &shown.snapshot, &shown.topology, &names, &mut traffic, memory);
        let deaf = ear.capture.deaf().to_vec();
        let namespaces = names.iter().flatten().count();
        let ended = loop {
            let is_old = Cell::new(false);
            let mut told = |interval| {
                let goes_on = tell(heard(interval, namespaces, deaf.clone()));
                is_old.set(!is_same(&desk.node(), &shown));
                Ok(match (goes_on, is_old.get()) {
                    (false, _) => ControlFlow::Break(Ended::Done),
                    (true, true) => ControlFlow::Break(Ended::NodeChanged),
                    (true, false) => ControlFlow::Continue(()),
                })
            };
            let ended = ear.listen(&mut meter, &mut traffic, &mut None, (&shown.snapshot, None), &mut told)?;
            // Nobody has read the node since: what is known of it stays as it is.
            if matches!(ended, Ended::NodeChanged) && !is_old.get() && !desk.over().load(Ordering::Relaxed) {
                ear.follow(&agents(&shown.snapshot));
                if ear.capture.names() == names {
                    continue;
                }
            }
            break ended;
        };
        memory = meter.into_memory();
        if !matches!(ended, Ended::NodeChanged) {
            return Ok(());
        }
        drop(node);
        shown = desk.node();
        ear.follow(&agents(&shown.snapshot));
        if ear.capture.names() != names {
            memory = Memory::default();
        }
    }
}

fn heard(mut interval: Interval, namespaces: usize, deaf: Vec<(crate::net::NetnsName, String)>) -> Heard {
    let flows = interval.flows.len();
    interval.flows.truncate(FLOWS);
    interval.flows.shrink_to_fit();
    Heard { interval, flows, namespaces, deaf }
}

fn is_same(one: &Shown, other: &Shown) -> bool {
    Arc::ptr_eq(&one.snapshot, &other.snapshot)
}
