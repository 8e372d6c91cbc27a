//! The raw view of one namespace: which kind of object is shown, where one is
//! in it, and the lines themselves, made when something changes.

mod lines;
mod meaning;

pub use lines::{Line, LineKind};
pub(super) use meaning::rule_meaning;
pub use meaning::table_meaning;

use super::list::List;
use super::state::Node;
use crate::net::NetnsName;

/// One namespace, raw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Which.
    pub name: NetnsName,
    /// The kind of object in sight.
    pub tab: Tab,
    /// Columns that long lines are moved to the left by.
    pub column: usize,
    /// The view of each kind, in the order of [`Tab::ALL`].
    pub views: [TabView; Tab::ALL.len()],
    /// The lines of the kind in sight, filtered.
    pub lines: Vec<Line>,
}

/// What is kept of a kind of object while another is in sight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TabView {
    /// Only lines that hold all of these words.
    pub filter: String,
    /// Cursor and scroll offset.
    pub list: List,
    /// The line under the cursor.
    pub selected: Option<String>,
}

/// The kinds of objects of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// Devices.
    Links,
    /// Addresses.
    Addresses,
    /// Policy rules.
    Rules,
    /// Routes, table by table.
    Routes,
    /// Packet filter and translation.
    Netfilter,
    /// Neighbours and proxy entries.
    Neighbours,
    /// Settings.
    Sysctls,
}

impl Tab {
    /// Every kind, from left to right.
    pub const ALL: [Self; 7] =
        [Self::Links, Self::Addresses, Self::Rules, Self::Routes, Self::Netfilter, Self::Neighbours, Self::Sysctls];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Links => "links",
            Self::Addresses => "addresses",
            Self::Rules => "rules",
            Self::Routes => "routes",
            Self::Netfilter => "netfilter",
            Self::Neighbours => "neighbours",
            Self::Sysctls => "sysctls",
        }
    }

    /// Its place from the left.
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0)
    }
}

impl Namespace {
    /// A namespace's raw view, opened at a kind of object.
    pub fn at(name: NetnsName, tab: Tab) -> Self {
        Self { name, tab, column: 0, views: Default::default(), lines: Vec::new() }
    }

    /// The view in sight.
    pub fn view(&self) -> &TabView {
        &self.views[self.tab.index()]
    }

    /// The view in sight.
    pub fn view_mut(&mut self) -> &mut TabView {
        &mut self.views[self.tab.index()]
    }

    /// Makes the lines anew; the cursor stays with its line.
    pub fn rebuild(&mut self, node: Option<&Node>, height: usize) {
        let words: Vec<String> = self.view().filter.split_whitespace().map(str::to_lowercase).collect();
        let all = node.map_or_else(Vec::new, |node| lines::of(node, &self.name, self.tab));
        self.lines = lines::filtered(all, &words);
        let count = self.lines.len();
        let near = self.view().list.cursor;
        let at = self.view().selected.as_ref().and_then(|text| {
            let same = (0..count).filter(|row| self.lines[*row].selectable() && self.lines[*row].text == *text);
            same.min_by_key(|row| row.abs_diff(near))
        });
        match at {
            Some(at) => self.view_mut().list.follow(at, height, count),
            None => self.go(self.view().list.cursor, height),
        }
        self.remember();
    }

    /// Moves the cursor to a line.
    pub fn go(&mut self, to: usize, height: usize) {
        let mut list = self.view().list;
        list.go(to, height, self.lines.len(), |row| self.lines[row].selectable());
        self.view_mut().list = list;
        self.remember();
    }

    /// Moves the cursor by lines.
    pub fn step(&mut self, by: isize, height: usize) {
        self.go(self.view().list.cursor.saturating_add_signed(by), height);
    }

    /// Moves the cursor to the first line that holds a text; stays where none does.
    pub fn find(&mut self, text: &str, height: usize) {
        let found = self.lines.iter().position(|line| line.selectable() && line.text.contains(text));
        if let Some(at) = found.filter(|_| !text.is_empty()) {
            self.go(at, height);
        }
    }

    /// Shows another kind of object.
    pub fn turn_to(&mut self, tab: Tab, node: Option<&Node>, height: usize) {
        self.tab = tab;
        self.column = 0;
        self.rebuild(node, height);
    }

    /// How far to the left lines can go before the longest ends in sight.
    pub fn furthest(&self, width: u16) -> usize {
        let longest = self.lines.iter().map(|line| line.text.chars().count()).max().unwrap_or(0);
        longest.saturating_sub(usize::from(width.saturating_sub(6)))
    }

    /// The line under the cursor.
    pub fn current(&self) -> Option<&Line> {
        self.lines.get(self.view().list.cursor).filter(|line| line.selectable())
    }

    fn remember(&mut self) {
        self.view_mut().selected = self.current().map(|line| line.text.clone());
    }
}
