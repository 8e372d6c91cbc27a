//! `fipscope repair`: what the checks found is mended, root cause after root
//! cause, and judged again after each.

use std::collections::BTreeSet;

use super::commands::{acknowledged, find};
use super::consent::{allowed, given, refused};
use super::error::AppError;
use super::exit::Exit;
use super::mend::{End, Reading, Wishes, each, has_steps, root_id};
use super::output::{note, print, style};
use super::{check, source};
use crate::check::{Applicability, Code, Finding, Pick, judge_with, standing};
use crate::config::{CheckArgs, Consent, Format, RepairArgs, Settings};
use crate::exec::Carried;
use crate::net::WireAnswers;
use crate::plan::journal::Entry;
use crate::plan::repair::{Mending, Shown};
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
    let pick = check::pick(&CheckArgs { select: which.select.clone(), ..CheckArgs::default() })?;
    let consent = which.consent;
    let site = allowed(consent, settings)?;
    let mut typed = Typed { which, pick: &pick, settings, wanted: Wanted::default() };
    let node = typed.look()?;
    typed.wanted = typed.wanted_of(&node)?;
    let mut shown = Shown::default();
    let word = {
        let causes = node.causes(|finding| typed.is_meant(finding));
        let whole = whole(&node, &causes);
        typed.show(&node, &causes, &whole)?;
        if whole.plan.steps.is_empty() {
            return Ok(typed.left(&node));
        }
        for cause in &causes {
            shown.add(&cause.plan);
        }
        causes.iter().filter(|cause| has_steps(cause)).find_map(Mending::word)
    };
    if consent.dry_run {
        return Ok(Exit::Done);
    }
    if !given(consent, word.as_deref())? {
        refused();
        return Ok(Exit::Found);
    }
    Ok(match each(&mut typed, node, shown, &site)? {
        End::Over(node) => typed.left(&node),
        End::Declined(causes) => stopped(causes, "nothing more was changed"),
        End::Failed(causes) => stopped(causes, "the others were not tried"),
        End::Half => Exit::Half,
    })
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

/// What was typed, and what it comes to on the node.
struct Typed<'a> {
    which: &'a RepairArgs,
    pick: &'a Pick,
    settings: &'a Settings,
    wanted: Wanted,
}

impl Wishes for Typed<'_> {
    fn read(&mut self) -> Result<Reading, AppError> {
        let node = self.look()?;
        let more = self.wanted_of(&node).unwrap_or_default();
        self.wanted.add(more);
        Ok(node)
    }

    fn is_meant(&self, finding: &Finding) -> bool {
        let Wanted { ids, named, .. } = &self.wanted;
        ids.contains(&finding.id) && (finding.is_fault() || named.contains(&finding.id))
    }

    fn agrees(&mut self, node: &Reading, cause: &Mending<'_>) -> Result<bool, AppError> {
        if self.which.consent.yes {
            return Ok(true);
        }
        note("fipscope: judged again, the node needs other steps than those shown:");
        match self.settings.format {
            Format::Text => print(&self.in_words(node, cause))?,
            Format::Json => show_json(node, cause)?,
        }
        given(self.which.consent, cause.word().as_deref())
    }

    fn begins(&mut self, _: &Finding) {}

    fn told(&mut self, _: &Entry) {}

    fn carried(&mut self, cause: &Mending<'_>, carried: &Carried) -> Result<(), AppError> {
        tell(carried, cause.plan.applicability, &cause.plan.warnings, self.settings)
    }
}

impl Typed<'_> {
    /// The node, judged. Where a code is named that only answers on the wire
    /// decide, the wire is asked for it.
    fn look(&self) -> Result<Reading, AppError> {
        let snapshot = source::snapshot(self.settings, true)?;
        let topology = Topology::of(&snapshot);
        let asked = self.on_the_wire();
        let answers = match self.settings.from {
            None if !asked.select.is_empty() => check::ask(&snapshot, &topology, &asked, None, self.settings),
            _ => WireAnswers::new(),
        };
        let findings = judge_with(&snapshot, &topology, &answers);
        Ok(Reading { snapshot, topology, findings })
    }

    /// The codes to ask the wire for: those of findings that are named, and those
    /// that are selected by their whole name.
    fn on_the_wire(&self) -> Pick {
        let code = |text: &str| text.split('@').next().and_then(|code| code.parse::<Code>().ok());
        let named = self.which.findings.iter().chain(&self.which.select).filter_map(|text| code(text));
        let mut codes: Vec<Code> = named.filter(|code| check::is_wire(*code)).collect();
        codes.dedup();
        Pick { select: codes.iter().filter_map(|code| code.to_string().parse().ok()).collect(), ignore: Vec::new() }
    }

    /// What is meant, of what is found.
    fn wanted_of(&self, node: &Reading) -> Result<Wanted, AppError> {
        let which = self.which;
        let acknowledged = acknowledged(self.settings, &node.snapshot.node);
        let judged = Judged { findings: &node.findings, acknowledged: &acknowledged };
        let mut wanted = Wanted::default();
        let mut add = |found: &mut dyn Iterator<Item = &Finding>| {
            for finding in found.filter(|finding| self.pick.wants(finding.code)) {
                // What hangs on another finding is told by that.
                let is_doubt = finding.is_doubt() && finding.because_of.is_none();
                let list = if is_doubt { &mut wanted.doubts } else { &mut wanted.ids };
                list.insert(finding.id.clone());
            }
        };
        for address in &which.addresses {
            let (router, external_network) = (which.router.clone(), which.external_network.clone());
            let query = Query { address: *address, router, external_network };
            let fip = find(&node.topology, &query, "repair ")?;
            let standing = standing(&node.topology, fip, &node.findings);
            add(&mut standing.findings.iter().copied());
        }
        for id in &which.findings {
            let Some(finding) = node.findings.iter().find(|finding| finding.id == *id) else {
                let hint = "`fipscope check --format json` has the identities of all findings".to_owned();
                let place = format!("is on {}", node.snapshot.node);
                return Err(AppError::NoFinding { id: id.clone(), place, hint });
            };
            add(&mut std::iter::once(finding));
        }
        if which.addresses.is_empty() && which.findings.is_empty() {
            let open =
                |finding: &&Finding| (finding.is_fault() || finding.is_doubt()) && !judged.is_acknowledged(finding);
            add(&mut node.findings.iter().filter(open));
        }
        wanted.named = which.findings.iter().cloned().collect();
        Ok(wanted)
    }

    /// Shows what will be done, and what has to be done elsewhere.
    fn show(&self, node: &Reading, causes: &[Mending<'_>], whole: &Mending<'_>) -> Result<(), AppError> {
        let Consent { dry_run, yes, .. } = self.which.consent;
        if self.settings.format == Format::Json {
            // Where it is not asked about, the results say what was done.
            let is_answer = dry_run || !yes || whole.plan.steps.is_empty();
            return if is_answer { show_json(node, whole) } else { Ok(()) };
        }
        let told: String = causes.iter().map(|cause| self.in_words(node, cause)).collect();
        print(if causes.is_empty() { "Nothing to repair was found.\n" } else { &told })
    }

    fn in_words(&self, node: &Reading, cause: &Mending<'_>) -> String {
        let elsewhere = cause.elsewhere(&node.snapshot);
        let told = |root: &&Finding| report::text::cause(root, &cause.plan, &elsewhere, style(self.settings));
        cause.roots.iter().map(told).collect()
    }

    /// Whether anything is left of what was wanted, and what that is.
    fn left(&self, node: &Reading) -> Exit {
        let causes = node.causes(|finding| self.is_meant(finding));
        for root in causes.iter().flat_map(|cause| &cause.roots) {
            note(&format!("fipscope: {} {} is still there: {}", root.code, root.name, root.message));
        }
        if !causes.is_empty() {
            return Exit::Found;
        }
        let doubts = node.findings.iter().filter(|finding| self.wanted.doubts.contains(&finding.id));
        let doubts: Vec<&Finding> = doubts.filter(|finding| finding.is_doubt()).collect();
        for finding in &doubts {
            note(&format!("fipscope: {} {} could not be told: {}", finding.code, finding.name, finding.message));
        }
        if doubts.is_empty() { Exit::Done } else { Exit::CannotTell }
    }
}

/// All causes in one.
fn whole<'r>(node: &'r Reading, causes: &[Mending<'_>]) -> Mending<'r> {
    let is_root = |finding: &&Finding| causes.iter().any(|cause| root_id(cause) == finding.id);
    let roots: Vec<&Finding> = node.findings.iter().filter(is_root).collect();
    Mending::of(&roots, &node.findings, &node.snapshot)
}

fn show_json(node: &Reading, cause: &Mending<'_>) -> Result<(), AppError> {
    let mut plan = cause.plan.clone();
    plan.warnings.extend(cause.elsewhere(&node.snapshot));
    print(&report::json::plan(&node.snapshot, &plan, plan.applicability))
}

/// Says that it ends here, where more was to be done.
fn stopped(causes: usize, what: &str) -> Exit {
    if causes > 1 {
        note(&format!("fipscope: {what}; `fipscope repair` can be called again"));
    }
    Exit::Found
}
