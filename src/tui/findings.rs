//! The findings screen's state: root causes, what follows folded under them,
//! narrowed by words, and which one is selected.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::judged::{Judged, name};
use super::list::List;
use crate::check::Finding;
use crate::net::printable;

/// The findings of the node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FindingsView {
    /// Only what holds all of these words.
    pub filter: String,
    /// Roots whose consequences are shown.
    pub unfolded: BTreeSet<String>,
    /// Roots that are to be repaired together, by id.
    pub marked: BTreeSet<String>,
    /// The rows, ready to be drawn.
    pub rows: Vec<FindingRow>,
    /// Cursor and scroll offset.
    pub list: List,
    /// The finding under the cursor; it survives readings.
    pub selected: Option<FindingId>,
    /// How many lines of the selected one are scrolled away.
    pub scroll: usize,
}

/// Which finding: survives readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingId {
    /// Its identity.
    pub id: String,
    /// The floating IP that it is about.
    pub floating_ip: Option<std::net::IpAddr>,
}

/// One row; `at` is the finding's place in [`Judged::findings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingRow {
    /// A root cause.
    Root {
        /// Its place.
        at: usize,
        /// How many follow from it.
        follow: usize,
        /// Those are shown below it.
        unfolded: bool,
        /// It is known and accepted: such ones stand at the end.
        accepted: bool,
    },
    /// What follows from the root above.
    Follower {
        /// Its place.
        at: usize,
        /// No other comes after it.
        last: bool,
    },
}

impl FindingRow {
    /// The finding's place.
    pub fn at(self) -> usize {
        match self {
            Self::Root { at, .. } | Self::Follower { at, .. } => at,
        }
    }
}

impl From<&Finding> for FindingId {
    fn from(finding: &Finding) -> Self {
        Self { id: finding.id.clone(), floating_ip: finding.floating_ip }
    }
}

impl FindingId {
    /// Its code and what it is about, for a title.
    pub fn label(&self) -> String {
        let (code, object) = self.id.split_once('@').unwrap_or((&self.id, ""));
        match self.floating_ip {
            Some(address) => format!("{} of {address}", printable(code, 16)),
            None => printable(&format!("{code} {object}"), 40),
        }
    }

    /// Whether that finding is meant.
    pub fn is(&self, finding: &Finding) -> bool {
        self.id == finding.id && self.floating_ip == finding.floating_ip
    }
}

impl FindingsView {
    /// All findings, the cursor on one of them where that is wanted.
    pub fn at(judged: &Judged, wanted: Option<&Finding>, height: usize) -> Self {
        let mut view = Self { selected: wanted.map(FindingId::from), ..Self::default() };
        let place = wanted.and_then(|wanted| judged.findings.iter().position(|it| FindingId::from(wanted).is(it)));
        let root = place.map(|at| (at, judged.root(at))).filter(|(at, root)| at != root);
        view.unfolded.extend(root.map(|(_, root)| judged.findings[root].id.clone()));
        view.rebuild(judged, height);
        view
    }

    /// Makes the rows anew; the cursor stays with its finding.
    pub fn rebuild(&mut self, judged: &Judged, height: usize) {
        self.rows = self.listed(judged);
        let same = self.selected.as_ref().and_then(|id| {
            let is_it = |row: &FindingRow| judged.findings.get(row.at()).is_some_and(|finding| id.is(finding));
            self.rows.iter().position(is_it)
        });
        match same {
            Some(at) => self.list.follow(at, height, self.rows.len()),
            None => self.list.go(self.list.cursor, height, self.rows.len(), |_| true),
        }
        self.remember(judged);
    }

    /// Moves the cursor to a row.
    pub fn go(&mut self, to: usize, judged: &Judged, height: usize) {
        self.list.go(to, height, self.rows.len(), |_| true);
        self.scroll = 0;
        self.remember(judged);
    }

    /// Moves the cursor by rows, negative upward.
    pub fn step(&mut self, by: isize, judged: &Judged, height: usize) {
        self.go(self.list.cursor.saturating_add_signed(by), judged, height);
    }

    /// The row under the cursor.
    pub fn current(&self) -> Option<FindingRow> {
        self.rows.get(self.list.cursor).copied()
    }

    /// Shows what follows from the selected root, or hides it, from a follower
    /// too; false where there was nothing to do.
    pub fn unfold(&mut self, shown: bool, judged: &Judged, height: usize) -> bool {
        let Some(row) = self.current() else { return false };
        let root = judged.root(row.at());
        let Some(finding) = judged.findings.get(root) else { return false };
        let changes = match row {
            FindingRow::Root { follow, unfolded, .. } => follow > 0 && unfolded != shown,
            FindingRow::Follower { .. } => !shown,
        };
        if changes {
            if shown {
                self.unfolded.insert(finding.id.clone());
            } else {
                self.unfolded.remove(&finding.id);
                self.selected = Some(FindingId::from(finding));
            }
            self.rebuild(judged, height);
        }
        changes
    }

    /// Marks the root under the cursor for a repair with others, or no more.
    pub fn toggle_mark(&mut self, judged: &Judged) {
        let root = self.current().and_then(|row| judged.findings.get(judged.root(row.at())));
        if let Some(root) = root
            && !self.marked.remove(&root.id)
        {
            self.marked.insert(root.id.clone());
        }
    }

    /// Marks all faults that are listed and not accepted, or none any more where
    /// they all are marked.
    pub fn toggle_marks(&mut self, judged: &Judged) {
        let roots = self.rows.iter().filter(|row| matches!(row, FindingRow::Root { accepted: false, .. }));
        let faults = roots.filter_map(|row| judged.findings.get(row.at())).filter(|finding| finding.is_fault());
        let ids: BTreeSet<String> = faults.map(|finding| finding.id.clone()).collect();
        if ids.is_subset(&self.marked) {
            self.marked.retain(|id| !ids.contains(id));
        } else {
            self.marked.extend(ids);
        }
    }

    fn remember(&mut self, judged: &Judged) {
        let finding = self.current().and_then(|row| judged.findings.get(row.at()));
        self.selected = finding.map(FindingId::from);
    }

    fn listed(&self, judged: &Judged) -> Vec<FindingRow> {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let fits = |at: usize| holds(&judged.findings[at], &words);
        let mut rows = Vec::with_capacity(judged.findings.len());
        let roots = (0..judged.findings.len()).filter(|at| judged.root(*at) == *at);
        let is_accepted = |at: &usize| judged.is_acknowledged(&judged.findings[*at]);
        let (accepted, open): (Vec<usize>, Vec<usize>) = roots.partition(is_accepted);
        let open_count = open.len();
        for (number, at) in open.into_iter().chain(accepted).enumerate() {
            let all: Vec<usize> = judged.followers(at).collect();
            let own = fits(at);
            let hits: Vec<usize> = all.iter().copied().filter(|at| !words.is_empty() && fits(*at)).collect();
            if !own && hits.is_empty() {
                continue;
            }
            // A filter that only a follower fits shows that follower.
            let unfolded = self.unfolded.contains(&judged.findings[at].id);
            let shown = if unfolded {
                &all
            } else if own {
                &Vec::new()
            } else {
                &hits
            };
            let accepted = number >= open_count;
            rows.push(FindingRow::Root { at, follow: all.len(), unfolded: !shown.is_empty(), accepted });
            let count = shown.len();
            rows.extend(shown.iter().enumerate().map(|(n, at)| FindingRow::Follower { at: *at, last: n + 1 == count }));
        }
        rows
    }
}

fn holds(finding: &Finding, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let mut text = format!("{} {} {} ", name(finding), finding.message, finding.severity.word());
    for address in [finding.floating_ip, finding.fixed_ip].into_iter().flatten() {
        let _ = write!(text, "{address} ");
    }
    let parts = [&finding.router, &finding.external_network, &finding.expected, &finding.actual];
    for part in parts.into_iter().flatten() {
        text.push_str(part);
        text.push(' ');
    }
    let namespace = finding.namespace.as_ref().map_or("host", |name| name.as_str());
    let _ = write!(text, "{namespace} {}", finding.object.key);
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}
