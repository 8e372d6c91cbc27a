//! `fipscope repair`: what the checks found is mended, root cause after root
//! cause, and judged again after each.

use std::collections::BTreeSet;

use super::commands::{acknowledged, find};
use super::consent::{allowed, given, refused};
use super::error::AppError;
use super::exit::Exit;
use super::output::{note, print, style};
use super::source;
use crate::check::{Applicability, Finding, Pick, judge, standing};
use crate::config::{CheckArgs, Consent, Format, RepairArgs, Settings};
use crate::exec::{self, Carried, Order};
use crate::net::Snapshot;
use crate::plan::journal::Outcome;
use crate::plan::repair::{Mending, Shown, roots};
use crate::report::{self, Judged, Query};
use crate::topology::Topology;

/// `fipscope repair`. All plans are shown, and asked about once. Then one root
/// cause is mended after the other, and the node read and judged again after
/// each: what is to be done then and was not shown is shown and asked about by
/// itself. The first that fails ends it.
pub(super) fn repair(which: &RepairArgs, settings: &Settings) -> Result<Exit, AppError> {
    let any = which.all || !which.addresses.is_empty() || !which.findings.is_empty() || !which.select.is_empty();
    if !any {
        return Err(AppError::Usage("say what to repair: an address, --finding ID, --select CODES, or --all"));
    }
    let pick = super::check::pick(&CheckArgs { select: which.select.clone(), ..CheckArgs::default() })?;
    let consent = which.consent;
    let site = allowed(consent, settings)?;
    let mut node = Reading::of(settings)?;
    let mut wanted = node.wanted(which, &pick)?;
    let (mut shown, word) = {
        let causes = node.causes(&wanted);
        let whole = node.whole(&causes);
        node.show(&causes, &whole, settings, consent)?;
        if whole.plan.steps.is_empty() {
            return Ok(node.left(&causes, &wanted));
        }
        let word = causes.iter().filter(|cause| has_steps(cause)).find_map(Mending::word);
        let mut shown = Shown::default();
        for cause in &causes {
            shown.add(&cause.plan);
        }
        (shown, word)
    };
    if consent.dry_run {
        return Ok(Exit::Done);
    }
    if !given(consent, word.as_deref())? {
        refused();
        return Ok(Exit::Found);
    }
    let mut tried: BTreeSet<String> = BTreeSet::new();
    loop {
        let causes = node.causes(&wanted);
        let Some(cause) = causes.iter().find(|cause| has_steps(cause) && !tried.contains(root_id(cause))) else {
            return Ok(node.left(&causes, &wanted));
        };
        tried.insert(root_id(cause).to_owned());
        if !shown.has(&cause.plan) && !node.given_anew(cause, settings, consent)? {
            return Ok(stopped(&causes, "nothing more was changed"));
        }
        shown.add(&cause.plan);
        let aim = cause.aim(&node.snapshot);
        let order = Order { plan: &cause.plan, seen: &node.snapshot, aim: &aim };
        let carried = exec::change(&order, &site, &mut |_| {})?;
        tell(&carried, cause.plan.applicability, &cause.plan.warnings, settings)?;
        match carried.outcome() {
            Outcome::Done => {}
            Outcome::RolledBack | Outcome::Undone | Outcome::Settled => {
                return Ok(stopped(&causes, "the others were not tried"));
            }
            Outcome::Half => return Ok(Exit::Half),
        }
        node = Reading::of(settings)?;
        wanted.add(node.wanted(which, &pick).unwrap_or_default());
    }
}

/// What became of a change.
pub(super) fn tell(
    carried: &Carried,
    applicability: Applicability,
    warnings: &[String],
    settings: &Settings,
) -> Result<(), AppError> {
    let result = report::json::Result {
        past: &carried.past,
        applicability,
        warnings,
        verified: carried.verified,
        failure: carried.failure.as_deref(),
    };
    print(&match settings.format {
        Format::Text => report::text::result(result, style(settings)),
        Format::Json => report::json::result(jiff::Timestamp::now(), result),
    })
}

/// The node as it was read last, and what the checks find on it.
struct Reading {
    snapshot: Snapshot,
    topology: Topology,
    findings: Vec<Finding>,
    acknowledged: BTreeSet<String>,
}

/// One root cause with what follows from it, and what mends both.
type Cause<'r> = Mending<'r>;

/// What is to be repaired, by the identities of findings.
#[derive(Default)]
struct Wanted {
    /// These, and the root causes behind them.
    ids: BTreeSet<String>,
    /// What was named by itself counts as a note, too.
    named: BTreeSet<String>,
    /// What is wanted and could not be judged.
    doubts: BTreeSet<String>,
}

impl Wanted {
    fn add(&mut self, more: Self) {
        self.ids.extend(more.ids);
        self.named.extend(more.named);
        self.doubts.extend(more.doubts);
    }
}

impl Reading {
    fn of(settings: &Settings) -> Result<Self, AppError> {
        let snapshot = source::snapshot(settings, true)?;
        let topology = Topology::of(&snapshot);
        let findings = judge(&snapshot, &topology);
        let acknowledged = acknowledged(settings, &snapshot.node);
        Ok(Self { snapshot, topology, findings, acknowledged })
    }

    /// What is meant, of what is found.
    fn wanted(&self, which: &RepairArgs, pick: &Pick) -> Result<Wanted, AppError> {
        let judged = Judged { findings: &self.findings, acknowledged: &self.acknowledged };
        let mut wanted = Wanted::default();
        let mut add = |found: &mut dyn Iterator<Item = &Finding>| {
            for finding in found.filter(|finding| pick.wants(finding.code)) {
                // What hangs on another finding is told by that.
                let is_doubt = finding.is_doubt() && finding.because_of.is_none();
                let list = if is_doubt { &mut wanted.doubts } else { &mut wanted.ids };
                list.insert(finding.id.clone());
            }
        };
        for address in &which.addresses {
            let (router, external_network) = (which.router.clone(), which.external_network.clone());
            let query = Query { address: *address, router, external_network };
            let fip = find(&self.topology, &query, "repair ")?;
            let standing = standing(&self.topology, fip, &self.findings);
            add(&mut standing.findings.iter().copied());
        }
        for id in &which.findings {
            let Some(finding) = self.findings.iter().find(|finding| finding.id == *id) else {
                let hint = "`fipscope check --format json` has the identities of all findings".to_owned();
                let place = format!("is on {}", self.snapshot.node);
                return Err(AppError::NoFinding { id: id.clone(), place, hint });
            };
            add(&mut std::iter::once(finding));
        }
        if which.addresses.is_empty() && which.findings.is_empty() {
            let open =
                |finding: &&Finding| (finding.is_fault() || finding.is_doubt()) && !judged.is_acknowledged(finding);
            add(&mut self.findings.iter().filter(open));
        }
        wanted.named = which.findings.iter().cloned().collect();
        Ok(wanted)
    }

    /// The root causes behind what is wanted, each once, the worst first.
    fn causes(&self, wanted: &Wanted) -> Vec<Cause<'_>> {
        let is_meant = |finding: &Finding| {
            wanted.ids.contains(&finding.id) && (finding.is_fault() || wanted.named.contains(&finding.id))
        };
        let roots = roots(&self.findings, is_meant);
        roots.into_iter().map(|root| Mending::of(&[root], &self.findings, &self.snapshot)).collect()
    }

    /// All of them in one.
    fn whole(&self, causes: &[Cause<'_>]) -> Cause<'_> {
        let is_root = |finding: &&Finding| causes.iter().any(|cause| root_id(cause) == finding.id);
        let roots: Vec<&Finding> = self.findings.iter().filter(is_root).collect();
        Mending::of(&roots, &self.findings, &self.snapshot)
    }

    /// Shows what will be done, and what has to be done elsewhere.
    fn show(
        &self,
        causes: &[Cause<'_>],
        whole: &Cause<'_>,
        settings: &Settings,
        consent: Consent,
    ) -> Result<(), AppError> {
        if settings.format == Format::Json {
            // Where it is not asked about, the results say what was done.
            let is_answer = consent.dry_run || !consent.yes || whole.plan.steps.is_empty();
            return if is_answer { self.show_json(whole) } else { Ok(()) };
        }
        let told: String = causes.iter().map(|cause| self.in_words(cause, settings)).collect();
        print(if causes.is_empty() { "Nothing to repair was found.\n" } else { &told })
    }

    fn show_json(&self, cause: &Cause<'_>) -> Result<(), AppError> {
        let mut plan = cause.plan.clone();
        plan.warnings.extend(cause.elsewhere(&self.snapshot));
        print(&report::json::plan(&self.snapshot, &plan, plan.applicability))
    }

    fn in_words(&self, cause: &Cause<'_>, settings: &Settings) -> String {
        let elsewhere = cause.elsewhere(&self.snapshot);
        let told = |root: &&Finding| report::text::cause(root, &cause.plan, &elsewhere, style(settings));
        cause.roots.iter().map(told).collect()
    }

    /// Asks about a plan that was not shown with the others.
    fn given_anew(&self, cause: &Cause<'_>, settings: &Settings, consent: Consent) -> Result<bool, AppError> {
        if consent.yes {
            return Ok(true);
        }
        note("fipscope: judged again, the node needs other steps than those shown:");
        match settings.format {
            Format::Text => print(&self.in_words(cause, settings))?,
            Format::Json => self.show_json(cause)?,
        }
        given(consent, cause.word().as_deref())
    }

    /// Whether anything is left of what was wanted, and what that is.
    fn left(&self, causes: &[Cause<'_>], wanted: &Wanted) -> Exit {
        for root in causes.iter().flat_map(|cause| &cause.roots) {
            note(&format!("fipscope: {} {} is still there: {}", root.code, root.name, root.message));
        }
        if !causes.is_empty() {
            return Exit::Found;
        }
        let doubts = self.findings.iter().filter(|finding| wanted.doubts.contains(&finding.id));
        let doubts: Vec<&Finding> = doubts.filter(|finding| finding.is_doubt()).collect();
        for finding in &doubts {
            note(&format!("fipscope: {} {} could not be told: {}", finding.code, finding.name, finding.message));
        }
        if doubts.is_empty() { Exit::Done } else { Exit::CannotTell }
    }
}

fn has_steps(cause: &Cause<'_>) -> bool {
    !cause.plan.steps.is_empty()
}

/// The identity of its root.
fn root_id<'c>(cause: &'c Cause<'_>) -> &'c str {
    cause.roots.first().map_or("", |root| root.id.as_str())
}

/// Says that it ends here, where more was to be done.
fn stopped(causes: &[Cause<'_>], what: &str) -> Exit {
    if causes.len() > 1 {
        note(&format!("fipscope: {what}; `fipscope repair` can be called again"));
    }
    Exit::Found
}
