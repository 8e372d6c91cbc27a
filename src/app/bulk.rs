//! Several root causes of the console's findings, mended one after the other.

use tokio::sync::mpsc::UnboundedSender;

use super::changer::carried_over;
use super::error::AppError;
use super::mend::{End, Reading, Wishes, each};
use crate::check::{DecidedBy, Finding, Pick, check, judge_with, questions};
use crate::exec::{Carried, Site};
use crate::kernel::{ReadOptions, read_node};
use crate::net::{Snapshot, WireAnswers};
use crate::plan::journal::{Entry, Outcome};
use crate::plan::repair::Mending;
use crate::probe::{self, Manner};
use crate::topology::Topology;
use crate::tui::{Each, FindingId, Msg, Over, RootState};

/// What was confirmed, and what became of it so far.
struct Confirmed<'a> {
    each: &'a Each,
    site: &'a Site,
    sender: &'a UnboundedSender<Msg>,
    last: Option<Carried>,
    is_verified: bool,
    /// Those of which it is told how they ended.
    told: Vec<&'a FindingId>,
}

/// Mends them. The last change tells how all of it ended. An error says why nothing was done at all.
pub(super) fn mend(wanted: &Each, site: &Site, sender: &UnboundedSender<Msg>) -> Result<Over, String> {
    let mut confirmed = Confirmed { each: wanted, site, sender, last: None, is_verified: true, told: Vec::new() };
    let ended = confirmed.read().and_then(|first| each(&mut confirmed, first, wanted.shown.clone(), site));
    let failure = match &ended {
        Ok(End::Over(node)) => {
            confirmed.left(node);
            None
        }
        Ok(End::Declined(_)) => {
            Some("judged again, the node needs other steps than those shown; look at the findings anew".to_owned())
        }
        Ok(End::Failed(_) | End::Half) => None,
        Err(error) => Some(error.to_string()),
    };
    let is_verified = confirmed.is_verified;
    match confirmed.last {
        Some(last) => {
            let over = carried_over(last);
            let failure = over.failure.or(failure);
            Ok(Over { past: over.past, verified: is_verified && failure.is_none(), failure })
        }
        None => Err(failure.unwrap_or_else(|| "what was to be mended is right by now".to_owned())),
    }
}

impl<'a> Confirmed<'a> {
    fn tell(&mut self, finding: &Finding, state: RootState) {
        let found = self.each.roots.iter().find(|root| root.is(finding));
        if let Some(root) = found {
            self.tell_of(root, state);
        }
    }

    fn tell_of(&mut self, root: &'a FindingId, state: RootState) {
        if state != RootState::UnderWay {
            self.told.push(root);
        }
        // Nobody may listen any more: it goes on all the same.
        let _ = self.sender.send(Msg::Root(root.clone(), state));
    }

    /// Those of which nothing was told yet.
    fn open(&self) -> Vec<&'a FindingId> {
        self.each.roots.iter().filter(|root| !self.told.contains(root)).collect()
    }

    /// What is still there in the end.
    fn left(&mut self, node: &Reading) {
        for root in &self.each.roots {
            if node.findings.iter().any(|finding| root.is(finding)) {
                self.is_verified = false;
                self.tell_of(root, RootState::Left);
            }
        }
    }

    /// What the wire says, where that decides any of them.
    fn answers(&self, snapshot: &Snapshot, topology: &Topology) -> WireAnswers {
        let codes = self.each.roots.iter().filter_map(|root| root.id.split('@').next());
        let wire = codes.filter(|code| {
            let known = code.parse().ok().and_then(check);
            known.is_some_and(|check| matches!(check.decided_by, DecidedBy::Wire(_)))
        });
        let pick = Pick { select: wire.filter_map(|code| code.parse().ok()).collect(), ignore: Vec::new() };
        if pick.is_all() {
            return WireAnswers::new();
        }
        let questions = questions(snapshot, topology, &pick, None);
        let answers = probe::ask(&self.site.netns_dir, &questions, &Manner::default());
        questions.into_iter().zip(answers).collect()
    }
}

impl Wishes for Confirmed<'_> {
    fn read(&mut self) -> Result<Reading, AppError> {
        let options = ReadOptions {
            netns_dir: self.site.netns_dir.path().to_owned(),
            state_path: self.site.state_path.clone(),
            conntrack: true,
        };
        let snapshot = read_node(&options).map_err(|error| AppError::Read(Box::new(error)))?;
        let topology = Topology::of(&snapshot);
        let findings = judge_with(&snapshot, &topology, &self.answers(&snapshot, &topology));
        for root in self.open() {
            if !findings.iter().any(|finding| root.is(finding)) {
                self.tell_of(root, RootState::Gone);
            }
        }
        Ok(Reading { snapshot, topology, findings })
    }

    fn is_meant(&self, finding: &Finding) -> bool {
        self.each.roots.iter().any(|root| root.is(finding))
    }

    fn agrees(&mut self, _: &Reading, _: &Mending<'_>) -> Result<bool, AppError> {
        Ok(false)
    }

    fn begins(&mut self, root: &Finding) {
        self.tell(root, RootState::UnderWay);
    }

    fn told(&mut self, entry: &Entry) {
        let _ = self.sender.send(Msg::Told(entry.clone()));
    }

    fn carried(&mut self, cause: &Mending<'_>, carried: &Carried) -> Result<(), AppError> {
        let state = match carried.outcome() {
            Outcome::Done => RootState::Done(carried.past.id),
            _ => RootState::Failed,
        };
        if let Some(root) = cause.roots.first() {
            self.tell(root, state);
        }
        self.is_verified &= carried.verified;
        self.last = Some(carried.clone());
        Ok(())
    }
}
