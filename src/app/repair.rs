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
use crate::plan::journal::{Aim, Outcome};
use crate::plan::repair::{by_hand, plan, together};
use crate::plan::{Plan, simulate};
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
        let Some(cause) = causes.iter().find(|cause| !cause.plan.steps.is_empty() && !tried.contains(&cause.root.id))
        else {
            return Ok(left(&causes));
        };
        tried.insert(cause.root.id.clone());
        let aim = Aim { gone: cause.mended(node.snapshot), deliver: Vec::new() };
        let order = Order { plan: &cause.plan, seen: node.snapshot, aim: &aim };
        let carried = exec::change(&order, &site, &mut |_| {})?;
        tell(&carried, cause.applicability(), &cause.plan.warnings, settings)?;
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

/// A root cause with what follows from it, and what mends both.
struct Cause {
    root: &'static Finding,
    findings: Vec<&'static Finding>,
    plan: Plan,
}

/// What an operator has seen and said yes to.
struct Shown {
    /// The findings that it is about.
    ids: BTreeSet<String>,
    /// What is to be typed, where more is at stake.
    word: Option<String>,
}

impl Node {
    fn read(settings: &Settings) -> Result<Self, AppError> {
        let snapshot = lasting(source::snapshot(settings, false)?);
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
        let root_of = |finding: &'static Finding| {
            let mut root = finding;
            // No chain of causes is longer than all findings.
            for _ in 0..all.len() {
                let cause = root.because_of.as_ref().and_then(|id| all.iter().find(|other| other.id == *id));
                match cause {
                    Some(cause) => root = cause,
                    None => break,
                }
            }
            root
        };
        let mut causes: Vec<Cause> = Vec::new();
        for finding in all.iter().filter(|finding| wanted.contains(&finding.id) && finding.is_fault()) {
            let root = root_of(finding);
            if causes.iter().any(|cause| cause.root.id == root.id) {
                continue;
            }
            let findings = together(root, all);
            let plan = match root.applicability {
                Applicability::DisplayOnly => Plan::new("To be done elsewhere"),
                _ => plan(&findings, self.snapshot),
            };
            causes.push(Cause { root, findings, plan });
        }
        causes
    }

    /// Shows what will be done; `None` where there is nothing to do.
    fn show(&self, causes: &[Cause], settings: &Settings, dry_run: bool) -> Result<Option<Shown>, AppError> {
        let with_steps: Vec<&Cause> = causes.iter().filter(|cause| !cause.plan.steps.is_empty()).collect();
        let every: Vec<&Finding> = with_steps.iter().flat_map(|cause| cause.findings.iter().copied()).collect();
        let whole = plan(&every, self.snapshot);
        let most = with_steps.iter().map(|cause| cause.applicability()).max().unwrap_or(Applicability::Safe);
        if settings.format == Format::Json {
            if dry_run || with_steps.is_empty() {
                print(&report::json::plan(self.snapshot, &whole, most))?;
            }
        } else {
            let mut text = String::new();
            for cause in causes {
                text += &report::text::cause(
                    cause.root,
                    &cause.plan,
                    &by_hand(&cause.findings, self.snapshot),
                    style(settings),
                );
            }
            if causes.is_empty() {
                "Nothing to repair was found.\n".clone_into(&mut text);
            }
            print(&text)?;
        }
        if with_steps.is_empty() {
            return Ok(None);
        }
        let typed = with_steps.iter().find(|cause| cause.applicability() == Applicability::NeedsConsent);
        let word = typed.map(|cause| match cause.root.floating_ip.or(cause.root.fixed_ip) {
            Some(address) => address.to_string(),
            None => cause.root.code.to_string(),
        });
        Ok(Some(Shown { ids: every.iter().map(|finding| finding.id.clone()).collect(), word }))
    }
}

impl Cause {
    /// The worst of its findings' repairs.
    fn applicability(&self) -> Applicability {
        let own = self.findings.iter().filter(|finding| !finding.mend.is_empty());
        own.map(|finding| finding.applicability).max().unwrap_or(Applicability::Safe)
    }

    /// The identities that the plan takes away, as the simulation has it; the
    /// root's at the least.
    fn mended(&self, snapshot: &Snapshot) -> Vec<String> {
        let after = simulate(&self.plan, snapshot);
        let left = crate::check::judge(&after, &Topology::of(&after));
        let goes = |finding: &&&Finding| !left.iter().any(|left| left.id == finding.id);
        let mut gone: Vec<String> = self.findings.iter().filter(goes).map(|finding| finding.id.clone()).collect();
        if !gone.contains(&self.root.id) {
            gone.push(self.root.id.clone());
        }
        gone
    }
}

/// Whether anything of it is left, and what that is.
fn left(causes: &[Cause]) -> Exit {
    for cause in causes {
        note(&format!("fipscope: {} {} is still there: {}", cause.root.code, cause.root.name, cause.root.message));
    }
    if causes.is_empty() { Exit::Done } else { Exit::Found }
}
