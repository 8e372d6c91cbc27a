//! What can happen to the console, and what it wants done outside, as plain data.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent};
use jiff::Timestamp;

use super::errand::Followed;
use super::findings::FindingId;
use super::live::{Live, Watching};
use super::proposal::{Order, RootState};
use super::recording::{Replay, Turned};
use super::state::Node;
use super::timeline::Still;
use super::tracked::Tracked;
use super::traffic::{Attention, Heard};
use super::walk::Answered;
use crate::net::{Ages, NetnsName, RouteQuestion, WireAnswer, WireAnswers, WireQuestion};
use crate::plan::journal::{Entry, Past, Round};
use crate::traffic::Errand;

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
    /// The node changed.
    Live(Box<Live>),
    /// A recording was read, or could not be.
    Replay(Result<Box<Replay>, String>),
    /// What its moments did to the findings is known further.
    Turned(Turned),
    /// A moment of the past was judged.
    Then(Box<Then>),
    /// It is still watched, nothing changed.
    Watching(Watching),
    /// How old what is read in turn is.
    Ages(Arc<Ages>),
    /// It can be watched no more, and why.
    Unwatched(String),
    /// The text went to the clipboard, or why not.
    Copied(Result<String, String>),
    /// What the kernel's own lookups answer.
    Routes(Vec<Answered>),
    /// What flowed in an interval, or why nothing can be heard.
    Heard(Result<Box<Heard>, String>),
    /// A packet of our own was seen once more, or its time is over; or why it was not
    /// sent.
    Followed(Result<Box<Followed>, String>),
    /// Tracked connections were read.
    Tracked(Vec<Tracked>),
    /// A line was written to the journal of changes.
    Told(Entry),
    /// Of several root causes that are mended one after the other, this one came so
    /// far.
    Root(FindingId, RootState),
    /// A change is over, or was refused before anything was done.
    Over(Result<Over, String>),
    /// A round of a change's announcement was sent, or why no more will be.
    Announced(Result<Round, String>),
    /// The wire said who has an address that is to be announced.
    Taken(WireQuestion, WireAnswer),
    /// The journal was read.
    Journal(Result<Vec<Past>, String>),
    /// Who changes the node at the moment, if anybody does.
    Busy(Option<String>),
    /// A file was written, or why not.
    Saved(Result<String, String>),
    /// A reading with what the wire answered to it, or why nobody was asked.
    Probed(Result<Node, String>),
    /// The findings that are acknowledged on the node from now on, or why not.
    Acknowledged(Result<BTreeSet<String>, String>),
}

/// What the console wants done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read the node.
    Reread,
    /// Judge a moment of the past; one that was wanted before is not any more.
    Judge(Box<Still>),
    /// Ask the kernel's own lookups.
    AskRoutes(Vec<RouteQuestion>),
    /// Ask the wire what only that decides.
    Probe,
    /// Judge the newest node by what the wire answered, and for a while what comes
    /// after it.
    Hold(Arc<WireAnswers>),
    /// Ask the wire who has an address that is to be announced.
    AskTaken(WireQuestion),
    /// Remember that a finding is known and accepted, or no longer.
    Acknowledge {
        /// The node's name.
        node: String,
        /// The finding's identity.
        id: String,
        /// No longer.
        revoke: bool,
    },
    /// Listen to what flows.
    Listen,
    /// Do this besides counting, from now on.
    Attend(Attention),
    /// Send one packet and follow it.
    SendPacket(Box<Errand>),
    /// Listen no more.
    StopListening,
    /// Read the tracked connections of some namespaces that have one of these
    /// addresses.
    ReadTracked {
        /// Where.
        namespaces: Vec<NetnsName>,
        /// Which.
        addresses: Vec<IpAddr>,
    },
    /// Put the text into the clipboard.
    Copy(String),
    /// Write a new file into the current folder.
    Save {
        /// Its name.
        name: String,
        /// What is to be in it.
        text: String,
    },
    /// Carry out a plan.
    Apply(Arc<Order>),
    /// Take back a change of the past.
    Undo(u64),
    /// Do the rest of a change that has no end.
    Complete(u64),
    /// Read the journal.
    ReadJournal,
    /// Draw every cell afresh.
    Redraw,
    /// Leave.
    Quit,
}

/// A moment of the past.
#[derive(Clone, Debug, PartialEq)]
pub struct Then {
    /// Which one.
    pub still: Still,
    /// The node as it was, judged; or why it could not be.
    pub node: Result<Node, String>,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    /// The change, with what became of each step.
    pub past: Past,
    /// What it is for was seen to be so.
    pub verified: bool,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}
