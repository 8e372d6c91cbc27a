//! Everything the console knows, as plain data: what was read, where one is,
//! what is selected. No handles, no clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};
use jiff::Timestamp;
use ratatui::layout::{Rect, Size};

use super::chain::Chain;
use super::findings::FindingsView;
use super::judged::Judged;
use super::keymap::{Context, Keymap};
use super::namespace::Namespace;
use super::overview::{Overview, RowId};
use super::page::Page;
use super::router::RouterView;
use super::theme::Theme;
use super::walk::{Answered, PACE, Walking};
use crate::check::{Finding, judge, judge_with};
use crate::net::{RouteQuestion, Snapshot, WireAnswers};
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

/// The console.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The terminal's size.
    pub size: Size,
    /// The time, as the last tick told.
    pub now: Timestamp,
    /// There is a kernel that can be asked: what was read is this node.
    pub live: bool,
    /// The last reading that worked; kept while a later one fails.
    pub node: Option<Node>,
    /// A reading is under way.
    pub reading: bool,
    /// The wire is being asked.
    pub probing: bool,
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
    /// An address typed in the overview.
    Find {
        /// The row selected before.
        before: Option<RowId>,
    },
}

/// What can happen to the console.
#[derive(Clone, Debug, PartialEq)]
pub enum Msg {
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// Text pasted into the terminal.
    Paste(String),
    /// The terminal has another size.
    Resize(u16, u16),
    /// Time has passed.
    Tick(Timestamp),
    /// The node was read, or could not be.
    Node(Result<Node, String>),
    /// The text went to the clipboard, or why not.
    Copied(Result<String, String>),
    /// What the kernel's own lookups answer.
    Routes(Vec<Answered>),
    /// A reading with what the wire answered to it, or why nobody was asked.
    Probed(Result<Node, String>),
    /// The findings that are acknowledged on the node from now on, or why not.
    Acknowledged(Result<BTreeSet<String>, String>),
}

/// What the console wants done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read the node.
    Reread,
    /// Ask the kernel's own lookups.
    AskRoutes(Vec<RouteQuestion>),
    /// Ask the wire what only that decides.
    Probe,
    /// Remember that a finding is known and accepted, or no longer.
    Acknowledge {
        /// The node's name.
        node: String,
        /// The finding's identity.
        id: String,
        /// No longer.
        revoke: bool,
    },
    /// Put the text into the clipboard.
    Copy(String),
    /// Draw every cell afresh.
    Redraw,
    /// Leave.
    Quit,
}

impl Node {
    /// A reading, understood and judged. Takes its time: for the thread of the
    /// readings, not for [`super::update()`].
    pub fn of(snapshot: Snapshot) -> Self {
        let topology = Topology::of(&snapshot);
        let findings = judge(&snapshot, &topology);
        Self::new(snapshot, topology).with(findings)
    }

    /// A reading and what it comes to, not judged.
    pub fn new(snapshot: Snapshot, topology: Topology) -> Self {
        Self {
            snapshot: Arc::new(snapshot),
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
            node: None,
            reading: true,
            probing: false,
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
        }
    }

    /// How long until the next tick is wanted: a packet that moves has its own pace.
    pub fn beat(&self) -> Duration {
        match self.above.last() {
            Some(Screen::Walk(walking)) if walking.playing => PACE,
            _ => Duration::from_secs(1),
        }
    }

    /// What the node comes to, once read.
    pub fn topology(&self) -> Option<&Topology> {
        self.node.as_ref().map(|node| &*node.topology)
    }
}
