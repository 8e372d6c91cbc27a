//! Everything the console knows, as plain data: what was read, where one is,
//! what is selected. No handles, no clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ratatui::layout::{Rect, Size};

use super::chain::Chain;
use super::errand::ErrandView;
use super::findings::FindingsView;
use super::flow::FlowView;
use super::form::Form;
use super::journal::JournalView;
use super::judged::Judged;
use super::keymap::{Context, Keymap};
use super::live::Watching;
use super::namespace::Namespace;
use super::overview::{Overview, RowId};
use super::page::Page;
use super::proposal::Proposal;
use super::recording::Recording;
use super::router::RouterView;
use super::theme::Theme;
use super::timeline::{EventsView, Still, Timeline};
use super::tracked::TrackedView;
use super::traffic::{Attention, Hearing, TrafficView, Writing};
use super::walk::{PACE, Walking};
use crate::check::{Finding, judge, judge_with};
use crate::net::{Ages, Snapshot, WireAnswers};
use crate::plan::journal::Round;
use crate::topology::Topology;

/// One reading of the node, and what it comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What was read.
    pub snapshot: Arc<Snapshot>,
    /// What it comes to.
    pub topology: Arc<Topology>,
    /// What the checks say of it.
    pub judged: Arc<Judged>,
    /// What the wire answered, where it was asked since the reading.
    pub answers: Arc<WireAnswers>,
}

/// The picture stands still, at a moment of the past.
#[derive(Clone, Debug, PartialEq)]
pub struct Frozen {
    /// Which one, as a position of the timeline.
    pub position: u64,
    /// When the node came to be as it is shown.
    pub at: Timestamp,
    /// Screens that were open when it was frozen: back from there leads out of the past.
    pub depth: usize,
    /// The node as it is now; it goes on changing.
    pub live: Node,
}

/// A moment of the past that is to be shown, and is judged elsewhere meanwhile.
#[derive(Clone, Debug, PartialEq)]
pub struct Coming {
    /// Which one.
    pub still: Still,
    /// When the node came to be as it was then.
    pub at: Timestamp,
    /// Screens that were open when the picture left the present.
    pub depth: usize,
}

/// The console.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The terminal's size.
    pub size: Size,
    /// The time, as the last tick told.
    pub now: Timestamp,
    /// There is a kernel that can be asked: what was read is this node.
    pub live: bool,
    /// Nothing may be changed.
    pub read_only: bool,
    /// What the process would need to change anything, and has not.
    pub lacking: Vec<String>,
    /// A change is under way.
    pub changing: bool,
    /// The user wants to leave, and was told what is under way.
    pub leaving: bool,
    /// The announcement of a change that is not over yet.
    pub announcing: Option<Round>,
    /// A change of the past that has no end: its number, and what it was for.
    pub unfinished: Option<(u64, String)>,
    /// Who else changes the node, as far as was looked.
    pub busy: Option<String>,
    /// The journal is read to take the last change back.
    pub undo_wanted: bool,
    /// The last reading that worked; kept while a later one fails.
    pub node: Option<Node>,
    /// What changed on it, as far back as that is remembered.
    pub timeline: Timeline,
    /// The screens show the node as it was: then `node` is that one.
    pub frozen: Option<Frozen>,
    /// The screens will show another moment as soon as that is judged.
    pub coming: Option<Coming>,
    /// What is shown is a recording; its end stands for the node as it is now.
    pub recording: Option<Recording>,
    /// A reading is under way.
    pub reading: bool,
    /// The node is watched: what is shown is what stands there.
    pub watching: Option<Watching>,
    /// How old what is read in turn is, while the node is watched.
    pub ages: Arc<Ages>,
    /// Why it is not watched any more.
    pub unwatched: Option<String>,
    /// The wire is being asked.
    pub probing: bool,
    /// What flows, while somebody listens.
    pub hearing: Option<Hearing>,
    /// What is wanted of the listening besides counts, as it was told last.
    pub attention: Attention,
    /// The file that packets are written to.
    pub writing: Option<Writing>,
    /// Why the last reading failed.
    pub error: Option<String>,
    /// The overview: always there, below all else.
    pub overview: Overview,
    /// The screens opened above it, the one in sight last.
    pub above: Vec<Screen>,
    /// The input line, while something is being typed.
    pub prompt: Option<Prompt>,
    /// The help overlay's scroll offset, while it is open.
    pub help: Option<usize>,
    /// A short message, until the next key.
    pub notice: Option<String>,
    /// Colours and glyphs.
    pub theme: Theme,
    /// Keys.
    pub keymap: Keymap,
    /// Read the node again when the last reading is so many seconds old.
    pub refresh: Option<u64>,
    /// When the last reading arrived, or failed.
    pub read_at: Option<Timestamp>,
}

/// A screen above the overview.
#[derive(Clone, Debug, PartialEq)]
pub enum Screen {
    /// One floating IP's chain.
    Chain(Chain),
    /// One namespace, raw.
    Namespace(Box<Namespace>),
    /// One packet on its way.
    Walk(Box<Walking>),
    /// One router's classes of traffic.
    Router(Box<RouterView>),
    /// What the checks found.
    Findings(Box<FindingsView>),
    /// The page of a code.
    Page(Page),
    /// The form for an association.
    Form(Box<Form>),
    /// A change: its plan, and what becomes of it.
    Proposal(Box<Proposal>),
    /// The changes of the past.
    Journal(Box<JournalView>),
    /// What flows.
    Traffic(Box<TrafficView>),
    /// One flow.
    Flow(Box<FlowView>),
    /// One packet of our own, followed.
    Errand(Box<ErrandView>),
    /// What changed on the node, and what that did to the findings.
    Events(Box<EventsView>),
    /// The tracked connections of a floating IP.
    Tracked(Box<TrackedView>),
}

/// The input line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What is typed for.
    pub purpose: Purpose,
    /// What was typed, bounded.
    pub input: String,
    /// Which of the matches is chosen, from 0; none until one moves to it.
    pub chosen: Option<usize>,
}

/// What the input line is for, with what cancelling brings back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `/`: narrow the list.
    Filter {
        /// The filter before.
        before: String,
    },
    /// `:`: go somewhere by name.
    Goto,
    /// A word that says that one means it.
    Consent {
        /// The word.
        word: String,
    },
    /// An address typed in the overview.
    Find {
        /// The row selected before.
        before: Option<RowId>,
    },
}

impl Node {
    /// A reading, understood and judged. Takes its time: for the thread of the
    /// readings, not for [`super::update()`].
    pub fn of(snapshot: impl Into<Arc<Snapshot>>) -> Self {
        let snapshot = snapshot.into();
        let topology = Topology::of(&snapshot);
        let findings = judge(&snapshot, &topology);
        Self::new(snapshot, topology).with(findings)
    }

    /// A reading and what it comes to, not judged.
    pub fn new(snapshot: impl Into<Arc<Snapshot>>, topology: Topology) -> Self {
        Self {
            snapshot: snapshot.into(),
            topology: Arc::new(topology),
            judged: Arc::default(),
            answers: Arc::default(),
        }
    }

    /// The same with these findings; the floating IPs' states follow from them.
    #[must_use]
    pub fn with(self, findings: Vec<Finding>) -> Self {
        let mut topology = Arc::unwrap_or_clone(self.topology);
        let judged = Arc::new(Judged::of(findings, &mut topology));
        Self { topology: Arc::new(topology), judged, ..self }
    }

    /// The same, judged by what the wire answered, too.
    #[must_use]
    pub fn probed(self, answers: Arc<WireAnswers>) -> Self {
        // Afresh: the floating IPs' states follow from the findings that there were.
        let topology = Topology::of(&self.snapshot);
        let findings = judge_with(&self.snapshot, &topology, &answers);
        let accepted = self.judged.acknowledged().clone();
        Self { topology: Arc::new(topology), answers, ..self }.with(findings).accepting(accepted)
    }

    /// The same with these findings known and accepted.
    #[must_use]
    pub fn accepting(mut self, ids: BTreeSet<String>) -> Self {
        if *self.judged.acknowledged() != ids {
            Arc::make_mut(&mut self.judged).accept(ids);
        }
        self
    }
}

impl State {
    /// A console that has read nothing yet; the first reading is under way.
    pub fn new(size: Size, now: Timestamp) -> Self {
        Self {
            size,
            now,
            live: false,
            read_only: false,
            lacking: Vec::new(),
            changing: false,
            leaving: false,
            announcing: None,
            unfinished: None,
            busy: None,
            undo_wanted: false,
            node: None,
            timeline: Timeline::default(),
            frozen: None,
            coming: None,
            recording: None,
            reading: true,
            watching: None,
            ages: Arc::default(),
            unwatched: None,
            probing: false,
            hearing: None,
            attention: Attention::default(),
            writing: None,
            error: None,
            overview: Overview::default(),
            above: Vec::new(),
            prompt: None,
            help: None,
            notice: None,
            theme: Theme::default(),
            keymap: Keymap::default(),
            refresh: None,
            read_at: None,
        }
    }

    /// The whole terminal.
    pub fn area(&self) -> Rect {
        Rect::new(0, 0, self.size.width, self.size.height)
    }

    /// Where keys have their meaning now.
    pub fn context(&self) -> Context {
        match (&self.prompt, self.above.last()) {
            (Some(_), _) => Context::Prompt,
            (None, None) => Context::Overview,
            (None, Some(Screen::Chain(_))) => Context::Chain,
            (None, Some(Screen::Namespace(_))) => Context::Namespace,
            (None, Some(Screen::Walk(_))) => Context::Walk,
            (None, Some(Screen::Router(_))) => Context::Router,
            (None, Some(Screen::Findings(_))) => Context::Findings,
            (None, Some(Screen::Page(_))) => Context::Page,
            (None, Some(Screen::Form(_))) => Context::Form,
            (None, Some(Screen::Proposal(shown))) if shown.has_begun() => Context::Change,
            (None, Some(Screen::Proposal(_))) => Context::Proposal,
            (None, Some(Screen::Journal(_))) => Context::Journal,
            (None, Some(Screen::Traffic(_))) => Context::Traffic,
            (None, Some(Screen::Flow(_))) => Context::Flow,
            (None, Some(Screen::Errand(_))) => Context::Errand,
            (None, Some(Screen::Events(_))) => Context::Events,
            (None, Some(Screen::Tracked(_))) => Context::Tracked,
        }
    }

    /// How long until the next tick is wanted: a packet that moves has its own pace.
    pub fn beat(&self) -> Duration {
        match self.above.last() {
            Some(Screen::Walk(walking)) if walking.playing => PACE,
            _ => Duration::from_secs(1),
        }
    }

    /// The node as it is now, whatever is shown.
    pub fn newest(&self) -> Option<&Node> {
        self.frozen.as_ref().map(|frozen| &frozen.live).or(self.node.as_ref())
    }

    /// What is shown can be asked: the kernel, the wire.
    pub fn is_now(&self) -> bool {
        self.live && self.frozen.is_none()
    }

    /// Why nothing may be changed, where that is so.
    pub fn unchangeable(&self) -> Option<String> {
        let why = if !self.live {
            "this is a saved reading: nothing can be changed; y copies the plan as a script"
        } else if self.frozen.is_some() {
            "this plan is for the node as it was: nothing is changed; L goes back to live"
        } else if self.read_only {
            "read-only was asked for: nothing is changed; y copies the plan as a script"
        } else if !self.lacking.is_empty() {
            return Some(format!("run it as root, this process has no {}", self.lacking.join(", no ")));
        } else if self.changing {
            "another change is under way"
        } else {
            return None;
        };
        Some(why.to_owned())
    }

    /// What the node comes to, once read.
    pub fn topology(&self) -> Option<&Topology> {
        self.node.as_ref().map(|node| &*node.topology)
    }
}
