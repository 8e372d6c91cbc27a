//! `fipscope repair`: what the checks found is mended, root cause after root
//! cause, and judged again after each.

use std::collections::BTreeSet;

use super::commands::{find, judged, lasting};
use super::consent::{allowed, given, refused};
use super::error::AppError;
use super::exit::Exit;
use super::output::{note, print, style};
use super::source;
use crate::check::{Applicability, Finding, Pick, standing};
use crate::config::{CheckArgs, Format, RepairArgs, Settings};
use crate::exec::{self, Carried, Order};
use crate::net::Snapshot;
use crate::plan::journal::Outcome;
use crate::plan::repair::{Mending, roots};
use crate::report::{self, Judged, Query};
use crate::topology::Topology;

/// `fipscope repair`.
pub(super) fn repair(which: &RepairArgs, settings: &Settings) -> Result<Exit, AppError> {
    let any = which.all || !which.addresses.is_empty() || !which.findings.is_empty() || !which.select.is_empty();
    if !any {
        return Err(AppError::Usage("say what to repair: an address, --finding ID, --select CODES, or --all"));
    }
    let pick = super::check::pick(&CheckArgs { select: which.select.clone(), ..CheckArgs::default() })?;
    let site = allowed(which.consent, settings)?;
    let mut node = Node::read(settings)?;
    let wanted = node.wanted(which, &pick)?;
    let causes = node.causes(&wanted);
    let Some(shown) = node.show(&causes, settings, which.consent.dry_run)? else { return Ok(left(&causes)) };
    if which.consent.dry_run {
        return Ok(Exit::Done);
    }
    if !given(which.consent, shown.word.as_deref())? {
        refused();
        return Ok(Exit::Found);
    }
    let mut tried: BTreeSet<String> = BTreeSet::new();
    loop {
        let causes = node.causes(&shown.ids);
        let Some(cause) = causes.iter().find(|cause| !cause.plan.steps.is_empty() && !tried.contains(root_id(cause)))
        else {
            return Ok(left(&causes));
        };
        tried.insert(root_id(cause).to_owned());
        let aim = cause.aim(node.snapshot);
        let order = Order { plan: &cause.plan, seen: node.snapshot, aim: &aim };
        let carried = exec::change(&order, &site, &mut |_| {})?;
        tell(&carried, cause.plan.applicability, &cause.plan.warnings, settings)?;
        match carried.outcome() {
            Outcome::Done => node = Node::read(settings)?,
            Outcome::RolledBack | Outcome::Undone | Outcome::Settled => return Ok(Exit::Found),
            Outcome::Half => return Ok(Exit::Half),
        }
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

/// The node as it was read last.
struct Node {
    snapshot: &'static Snapshot,
    topology: &'static Topology,
    judged: Judged<'static>,
}

/// One root cause with what follows from it, and what mends both.
type Cause = Mending<'static>;

/// What an operator has seen and said yes to.
struct Shown {
    /// The findings that it is about.
    ids: BTreeSet<String>,
    /// What is to be typed, where more is at stake.
    word: Option<String>,
}

impl Node {
    fn read(settings: &Settings) -> Result<Self, AppError> {
        let snapshot = lasting(source::snapshot(settings, true)?);
        let topology = lasting(Topology::of(snapshot));
        Ok(Self { snapshot, topology, judged: judged(snapshot, topology, settings) })
    }

    /// The identities of the findings that are meant.
    fn wanted(&self, which: &RepairArgs, pick: &Pick) -> Result<BTreeSet<String>, AppError> {
        let findings = self.judged.findings;
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for address in &which.addresses {
            let (router, external_network) = (which.router.clone(), which.external_network.clone());
            let query = Query { address: *address, router, external_network };
            let fip = find(self.topology, &query, "repair ")?;
            wanted.extend(standing(self.topology, fip, findings).findings.iter().map(|finding| finding.id.clone()));
        }
        for id in &which.findings {
            if !findings.iter().any(|finding| finding.id == *id) {
                let hint = "`fipscope check --format json` has the identities of all findings".to_owned();
                let place = format!("is on {}", self.snapshot.node);
                return Err(AppError::NoFinding { id: id.clone(), place, hint });
            }
            wanted.insert(id.clone());
        }
        if which.addresses.is_empty() && which.findings.is_empty() {
            let open = findings.iter().filter(|finding| finding.is_fault() && !self.judged.is_acknowledged(finding));
            wanted.extend(open.map(|finding| finding.id.clone()));
        }
        let chosen = |id: &String| findings.iter().any(|finding| finding.id == *id && pick.wants(finding.code));
        wanted.retain(chosen);
        Ok(wanted)
    }

    /// The root causes behind these findings, each once, the worst first.
    fn causes(&self, wanted: &BTreeSet<String>) -> Vec<Cause> {
        let all = self.judged.findings;
        let roots = roots(all, |finding| wanted.contains(&finding.id) && finding.is_fault());
        roots.into_iter().map(|root| Mending::of(&[root], all, self.snapshot)).collect()
    }

    /// Shows what will be done; `None` where there is nothing to do.
    fn show(&self, causes: &[Cause], settings: &Settings, dry_run: bool) -> Result<Option<Shown>, AppError> {
        let with_steps: Vec<&Cause> = causes.iter().filter(|cause| !cause.plan.steps.is_empty()).collect();
        let roots: Vec<&Finding> = with_steps.iter().flat_map(|cause| cause.roots.iter().copied()).collect();
        let whole = Mending::of(&roots, self.judged.findings, self.snapshot);
        if settings.format == Format::Json {
            if dry_run || with_steps.is_empty() {
                print(&report::json::plan(self.snapshot, &whole.plan, whole.plan.applicability))?;
            }
        } else {
            let mut text = String::new();
            for (cause, root) in causes.iter().flat_map(|cause| cause.roots.iter().map(move |root| (cause, root))) {
                text += &report::text::cause(root, &cause.plan, &cause.by_hand(self.snapshot), style(settings));
            }
            if causes.is_empty() {
                "Nothing to repair was found.\n".clone_into(&mut text);
            }
            print(&text)?;
        }
        if with_steps.is_empty() {
            return Ok(None);
        }
        let word = with_steps.iter().find_map(|cause| cause.word());
        Ok(Some(Shown { ids: whole.findings.iter().map(|finding| finding.id.clone()).collect(), word }))
    }
}

/// The identity of its root.
fn root_id(cause: &Cause) -> &str {
    cause.roots.first().map_or("", |root| root.id.as_str())
}

/// Whether anything of it is left, and what that is.
fn left(causes: &[Cause]) -> Exit {
    for root in causes.iter().flat_map(|cause| &cause.roots) {
        note(&format!("fipscope: {} {} is still there: {}", root.code, root.name, root.message));
    }
    if causes.is_empty() { Exit::Done } else { Exit::Found }
}
