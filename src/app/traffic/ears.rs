//! The console's ears: the same listening as `fipscope traffic`, told to a
//! screen, on a node that somebody else reads.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::along::Along;
use super::file::CaptureFile;
use super::listen::{Clock, Ear, Ended};
use super::{agents, now, translate};
use crate::app::error::AppError;
use crate::app::listener::{Desk, Ears};
use crate::capture::Capture;
use crate::netns::NetnsDir;
use crate::path::Node;
use crate::traffic::{Filter, Interval, Memory, Meter, Traffic};
use crate::tui::{Attention, Heard, Node as Shown, Written};

/// The screen is told so often.
const PACE: Duration = Duration::from_secs(1);

/// Flows that a screen is told of, those with the most packets.
const FLOWS: usize = 1000;

/// A file that the console writes takes so many bytes: nobody may be looking.
const MOST_WRITTEN: u64 = 256 << 20;

/// Ears in the namespaces of that folder.
pub(in crate::app) fn ears(dir: NetnsDir) -> Ears {
    Arc::new(move |desk, tell| hear(&dir, desk, tell).map_err(|error| error.to_string()))
}

/// What is told of a file, and the name that it was wanted by.
#[derive(Default)]
struct Pen {
    name: Option<String>,
    failed: Option<String>,
}

fn hear(dir: &NetnsDir, desk: &Desk, tell: &mut dyn FnMut(Heard) -> bool) -> Result<(), AppError> {
    let mut shown = desk.node();
    let names = agents(&shown.snapshot);
    if names.is_empty() {
        return Err(AppError::Silent { node: shown.topology.node.clone() });
    }
    let capture = Capture::open(dir, &names)?;
    let mut ear = Ear::open(capture, Clock::start(PACE, None, now()), desk.over().clone());
    let mut traffic = Traffic::until(ear.clock.begin());
    let (mut memory, mut along, mut pen) = (Memory::default(), Along::default(), Pen::default());
    attend(&desk.attention(), &mut along, &mut pen);
    loop {
        let node = Node::of(&shown.snapshot, &shown.topology);
        let (names, numbering) = (ear.capture.names(), ear.capture.numbering());
        let mut meter = Meter::new(&node, &shown.snapshot, &shown.topology, &names, &mut traffic, memory);
        let deaf = ear.capture.deaf().to_vec();
        let namespaces = names.iter().flatten().count();
        let is_other = || !is_same(&desk.node(), &shown);
        let ended = loop {
            let mut told = |interval: Interval, along: &mut Along| {
                let attention = desk.attention();
                along.lose(interval.lost);
                if let Some(Err(error)) = along.file.as_mut().map(CaptureFile::flush) {
                    pen.failed = Some(error.to_string());
                    along.file = None;
                }
                let heard =
                    Heard { namespaces, deaf: deaf.clone(), ..heard(interval, &attention, along, &pen, (dir, &shown)) };
                attend(&attention, along, &mut pen);
                Ok(if tell(heard) { ControlFlow::Continue(()) } else { ControlFlow::Break(Ended::Done) })
            };
            let ended = ear.listen(&mut meter, &mut traffic, &mut along, (&shown.snapshot, &is_other), &mut told)?;
            // Nobody has read the node since: what is known of it stays as it is.
            if matches!(ended, Ended::NodeChanged) && !is_other() && !desk.over().load(Ordering::Relaxed) {
                ear.follow(&agents(&shown.snapshot));
                if ear.capture.numbering() == numbering {
                    continue;
                }
            }
            break ended;
        };
        memory = meter.into_memory();
        if !matches!(ended, Ended::NodeChanged) {
            return along.file.map_or(Ok(()), CaptureFile::finish);
        }
        drop(node);
        shown = desk.node();
        ear.follow(&agents(&shown.snapshot));
        if ear.capture.numbering() != numbering {
            memory = Memory::default();
            along.renumber();
        }
    }
}

/// Does what the screens want from here on.
fn attend(attention: &Attention, along: &mut Along, pen: &mut Pen) {
    along.follow(attention.follow.as_ref());
    along.filter = Filter::of(attention.write.as_ref().map_or("", |wanted| wanted.filter.as_str()));
    let name = attention.write.as_ref().map(|wanted| wanted.name.clone());
    if name != pen.name {
        along.file = None;
        *pen = Pen { name, failed: None };
        let path = pen.name.as_ref().map(|name| std::env::current_dir().unwrap_or_default().join(name));
        match path.as_deref().map(CaptureFile::create_new).transpose() {
            Ok(file) => along.file = file.map(|file| file.at_most(MOST_WRITTEN)),
            Err(error) => pen.failed = Some(error.to_string()),
        }
    }
}

/// What the screens are told of an interval.
fn heard(
    mut interval: Interval,
    attention: &Attention,
    along: &Along,
    pen: &Pen,
    (dir, shown): (&NetnsDir, &Shown),
) -> Heard {
    let flows = interval.flows.len();
    interval.flows.truncate(FLOWS);
    interval.flows.shrink_to_fit();
    if attention.translations {
        translate::translate(&mut interval, dir, &shown.topology);
    }
    let trail = along.follow.as_ref().map(|follow| follow.trail(interval.end));
    let entries = trail.as_ref().map(|trail| {
        let wanted = &trail.conversation;
        translate::entries_of(dir, &wanted.namespaces, wanted.proto, &wanted.pairs)
    });
    Heard {
        interval,
        flows,
        trail,
        entries: entries.unwrap_or_default(),
        written: written(along, pen),
        ..Heard::default()
    }
}

fn written(along: &Along, pen: &Pen) -> Option<Result<Written, String>> {
    if let Some(why) = &pen.failed {
        return Some(Err(why.clone()));
    }
    let file = along.file.as_ref()?;
    let (packets, bytes) = file.written();
    let path: PathBuf = file.path().to_owned();
    Some(Ok(Written { path: path.display().to_string(), packets, bytes, full: file.is_full() }))
}

fn is_same(one: &Shown, other: &Shown) -> bool {
    Arc::ptr_eq(&one.snapshot, &other.snapshot)
}
