//! The events screen's state: the changes and what they did to the findings, a
//! line each, the newest at the bottom, narrowed by words or to one floating IP.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::{Moment, Timeline};
use crate::check::{Focus, Turn};
use crate::net::{Change, NetnsName, printable};
use crate::tui::judged::{mark, name};
use crate::tui::list::List;
use crate::tui::words::Mark;

/// Characters of an event's words.
const LIMIT: usize = 2_000;

/// The events of the node, or of one floating IP.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventsView {
    /// Only what concerns this floating IP; with its name.
    pub focus: Option<(Focus, String)>,
    /// Only what holds all of these words.
    pub filter: String,
    /// The rows, the oldest first.
    pub rows: Vec<EventRow>,
    /// Cursor and scroll offset.
    pub list: List,
    /// The first moment that was not taken in yet.
    next: u64,
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Its moment.
    pub moment: Arc<Moment>,
    /// Which one of it: the changes count first, then what became of findings.
    pub at: usize,
}

/// What a row tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'m> {
    /// Something on the node changed.
    Change(&'m Change),
    /// A finding was raised, or cleared.
    Turn(&'m Turn),
}

impl EventRow {
    /// What it tells.
    pub fn event(&self) -> Option<Event<'_>> {
        let changes = &self.moment.changes;
        match self.at.checked_sub(changes.len()) {
            None => changes.get(self.at).map(Event::Change),
            Some(at) => self.moment.turns.get(at).map(Event::Turn),
        }
    }

    /// The row as `fipscope watch` prints it, without colours.
    pub fn line(&self) -> String {
        let time = self.moment.at.strftime("%H:%M:%S%.3f");
        match self.event() {
            None => time.to_string(),
            Some(Event::Change(change)) => {
                let words = printable(&change.words(), LIMIT);
                format!("{time} {} {}: {words}", change.sign(), printable(&change.place(), LIMIT))
            }
            Some(event @ Event::Turn(_)) => format!("{time} {} {}", event.glyph(), event.words()),
        }
    }

    fn place(&self) -> (u64, usize) {
        (self.moment.number, self.at)
    }
}

impl<'m> Event<'m> {
    /// Its mark: green for what came, red for what went, as `fipscope watch` has it.
    pub fn mark(self) -> Mark {
        match self {
            Self::Change(Change { before: None, .. }) => Mark::Ok,
            Self::Change(Change { after: None, .. }) => Mark::Broken,
            Self::Change(_) => Mark::Degraded,
            Self::Turn(turn) if turn.raised => mark(&turn.finding),
            Self::Turn(_) => Mark::Ok,
        }
    }

    /// The glyph before it: `+`, `-` and `~` for changes, the finding's mark.
    pub fn glyph(self) -> &'static str {
        match self {
            Self::Change(change) => change.sign(),
            Self::Turn(_) => self.mark().glyph(),
        }
    }

    /// The namespace; `None` is the host's own side.
    pub fn namespace(self) -> Option<&'m NetnsName> {
        match self {
            Self::Change(change) => change.netns.as_ref(),
            Self::Turn(turn) => turn.finding.namespace.as_ref(),
        }
    }

    /// What happened, printable.
    pub fn words(self) -> String {
        match self {
            Self::Change(change) => printable(&change.words(), LIMIT),
            Self::Turn(turn) => {
                let (head, rest) = turn.words();
                printable(&format!("{head}{rest}"), LIMIT)
            }
        }
    }
}

impl EventsView {
    /// All events, or those of one floating IP; the cursor stands on the newest.
    pub fn of(timeline: &Timeline, focus: Option<(Focus, String)>, height: usize) -> Self {
        let mut view = Self { focus, ..Self::default() };
        view.take(timeline, height);
        view
    }

    /// Takes in what is new, and lets go of what is forgotten. A cursor on the
    /// last row follows; any other row stays where it is.
    pub fn take(&mut self, timeline: &Timeline, height: usize) {
        let follows = self.list.cursor + 1 >= self.rows.len();
        let begin = timeline.begin_position();
        let gone = self.rows.partition_point(|row| row.moment.number < begin);
        self.rows.drain(..gone);
        self.list.cursor = self.list.cursor.saturating_sub(gone);
        self.list.offset = self.list.offset.saturating_sub(gone);
        let fresh = self.listed(timeline.moments_from(self.next));
        self.rows.extend(fresh);
        self.next = timeline.end_position();
        let to = if follows { usize::MAX } else { self.list.cursor };
        self.go(to, height);
    }

    /// Narrows it by words; the cursor stays with its row, or with the one before.
    pub fn narrow(&mut self, filter: &str, timeline: &Timeline, height: usize) {
        let stood = self.stood();
        filter.clone_into(&mut self.filter);
        self.rows.clear();
        self.next = 0;
        self.take(timeline, height);
        self.stand(stood, height);
    }

    /// Lists some moments again, from the first to the last of them: what they did
    /// to the findings became known. All other rows stay, which a recording may
    /// have very many of; the cursor stays as in [`Self::narrow`].
    pub fn turned(&mut self, timeline: &Timeline, moments: RangeInclusive<u64>, height: usize) {
        let stood = self.stood();
        let (first, last) = moments.into_inner();
        let begin = self.rows.partition_point(|row| row.moment.number < first);
        let end = self.rows.partition_point(|row| row.moment.number <= last).max(begin);
        // What is not listed yet is taken in by and by, as it is then.
        let known = last.min(self.next.saturating_sub(1));
        let again = self.listed(timeline.moments_from(first).take_while(|moment| moment.number <= known));
        self.rows.splice(begin..end, again);
        self.stand(stood, height);
    }

    /// Moves the cursor to a row.
    pub fn go(&mut self, to: usize, height: usize) {
        self.list.go(to, height, self.rows.len(), |_| true);
    }

    /// Moves the cursor by rows, negative upward.
    pub fn step(&mut self, by: isize, height: usize) {
        self.go(self.list.cursor.saturating_add_signed(by), height);
    }

    /// Moves the cursor to the last event before a position of the timeline.
    pub fn reach(&mut self, position: u64, height: usize) {
        self.go(self.rows.partition_point(|row| row.moment.number < position).saturating_sub(1), height);
    }

    /// The row under the cursor.
    pub fn current(&self) -> Option<&EventRow> {
        self.rows.get(self.list.cursor)
    }

    /// What is listed, a line each, as `fipscope watch` prints it.
    pub fn text(&self) -> String {
        self.rows.iter().map(|row| row.line() + "\n").collect()
    }

    /// Where the cursor stands, but on the last row, where it follows.
    fn stood(&self) -> Option<(u64, usize)> {
        self.current().filter(|_| self.list.cursor + 1 < self.rows.len()).map(EventRow::place)
    }

    fn stand(&mut self, stood: Option<(u64, usize)>, height: usize) {
        let at = |stood| self.rows.partition_point(|row| row.place() <= stood).saturating_sub(1);
        self.go(stood.map_or(usize::MAX, at), height);
    }

    /// The rows of some moments.
    fn listed<'t>(&self, moments: impl Iterator<Item = &'t Arc<Moment>>) -> Vec<EventRow> {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let rows = moments.flat_map(|moment| {
            (0..moment.changes.len() + moment.turns.len()).map(|at| EventRow { moment: moment.clone(), at })
        });
        rows.filter(|row| self.lists(row, &words)).collect()
    }

    fn lists(&self, row: &EventRow, words: &[String]) -> bool {
        let Some(event) = row.event() else { return false };
        let about = |(focus, _): &(Focus, String)| match event {
            Event::Change(change) => focus.takes(change),
            Event::Turn(turn) => focus.concerns(&turn.finding),
        };
        if matches!(event, Event::Change(change) if change.is_flapping()) || !self.focus.as_ref().is_none_or(about) {
            return false;
        }
        if words.is_empty() {
            return true;
        }
        let more = match event {
            Event::Change(_) => String::new(),
            Event::Turn(turn) => format!(" {} {}", name(&turn.finding), turn.finding.id),
        };
        let text = (row.line() + &more).to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    }
}
