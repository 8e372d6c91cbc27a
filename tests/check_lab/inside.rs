//! What happens inside one lab.

use std::collections::BTreeSet;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::check::{Code, DecidedBy, Finding, Severity, check, judge};
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::faults::{Fault, faults};
use fipscope::lab::{Lab, LabOptions};
use fipscope::net::netfilter::Backend;
use fipscope::net::{Observed, Peer, Snapshot};
use fipscope::neutron::Layout;
use fipscope::plan::{Plan, repair, simulate};
use fipscope::topology::{FloatingIp, Topology};

use crate::expected;
use crate::law;
use crate::node::{PATH, quiet};
use crate::private;
use crate::program;
use crate::traffic::{self, Instance};
use crate::wire;

/// What a lab says of itself whose repair was carried out and proved.
pub(crate) const MENDED: &str = "mended";

/// The kernel's link watch tells the other end of a pair once a second.
const LINK_WATCH: Duration = Duration::from_millis(1200);

/// Nothing takes the kernel longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The word that stands for a lab that nobody broke.
pub(crate) const WHOLE: &str = "whole";

/// Notes that a repair may leave behind: of which code, which, and why.
const NOTES: &[(u16, u16, &str)] = &[
    (212, 701, NEIGHBOURS),
    (710, 701, NEIGHBOURS),
    (401, 807, "the floating IP is whole again, and so it is told again that it is centralized by design"),
];
const NEIGHBOURS: &str =
    "which address has which port only the server knows; ARP finds it until the agent writes it anew";

/// A lab that nobody broke: nothing is found, on the wire neither.
pub(crate) fn whole(layout: &str) -> ExitCode {
    let layout = layout_of(layout);
    wire::whole(&private::lab(&LabOptions { layout, more: true, fips: 2, ..LabOptions::default() }))
}

fn layout_of(word: &str) -> Layout {
    [Layout::Juno, Layout::Newton, Layout::Pike].into_iter().find(|known| known.word() == word).unwrap()
}

pub(crate) fn run(layout: &str, backend: &str, number: usize) -> ExitCode {
    let layout = layout_of(layout);
    let backend = [Backend::Nft, Backend::Legacy].into_iter().find(|known| known.word() == backend).unwrap();
    let fault = faults().nth(number).unwrap();
    let options = LabOptions { layout, backend, needs: fault.needs.to_vec(), ..LabOptions::default() };
    let lab = private::lab(&options);
    let told: fn(&Lab, &Snapshot) -> Vec<Finding> = match check(Code(fault.code)).map(|check| check.decided_by) {
        Some(DecidedBy::Wire(_)) => wire::told,
        Some(by) if by.is_read() => |_, node| findings(node),
        _ => panic!("the lab breaks it, but no check says that the node decides it"),
    };
    fault.prepare_lab(&options).unwrap_or_else(|error| panic!("{error}"));
    let title = super::title(fault);
    let node = read(&lab);
    let whole = told(&lab, &node);
    if !fault.commands(&options).is_empty() {
        let sick: Vec<String> = whole.iter().filter(|one| counts(one)).map(said).collect();
        assert!(sick.is_empty(), "something is found before anything is broken: {sick:#?}");
    }
    // What stands beside the article's node works, and so does what is to break.
    traffic::flow(&lab, &if fault.needs.is_empty() { BTreeSet::new() } else { floating(&node, |_| true) });
    traffic::flow(&lab, &traffic::instances(&title, layout));
    traffic::forget(&lab);
    fault.break_lab(&options).unwrap_or_else(|error| panic!("{error}"));
    settle(&lab, &fault.commands(&options), fault.is_prepared());
    let broken = read(&lab);
    let found = told(&lab, &broken);
    let ours = compare(&title, &options, Code(fault.code), &whole, &found);
    traffic::stands(&lab, &title, layout);
    if !program::TRACKED.contains(&fault.code) {
        traffic::forget(&lab);
    }
    repaired(&Broken { lab: &lab, options: &options, fault, number, node: &broken, found: &found, ours: &ours })
}

/// A lab that is broken, and what is found there.
struct Broken<'f> {
    lab: &'f Lab,
    options: &'f LabOptions,
    fault: &'f Fault,
    number: usize,
    node: &'f Snapshot,
    found: &'f [Finding],
    ours: &'f [&'f Finding],
}

/// What mends it does, by the program and by hand; packets flow again each time.
fn repaired(broken: &Broken<'_>) -> ExitCode {
    let Broken { lab, fault, found, ours, .. } = *broken;
    let code = Code(fault.code);
    let wanted: Vec<&Finding> = ours.iter().flat_map(|root| repair::together(root, found)).collect();
    let plan = repair::plan(&wanted, broken.node);
    let flow = || traffic::flow(lab, &concerned(broken));
    if matches!(check(code).map(|check| check.decided_by), Some(DecidedBy::Wire(_))) {
        return wire::mend(lab, ours, &plan, flow);
    }
    if plan.steps.is_empty() {
        program::helpless(lab, ours);
        println!("found; there is no repair by commands: {:?}", repair::by_hand(&wanted, broken.node));
        return ExitCode::SUCCESS;
    }
    let before = quiet(lab);
    let changes = program::repair(lab, ours, broken.number);
    let answers = flow();
    program::undo(lab, changes, &before);
    if program::TRACKED.contains(&fault.code) {
        // What was forgotten is not back: it is made anew.
        fault.break_lab(broken.options).unwrap_or_else(|error| panic!("{error}"));
        let node = read(lab);
        let found = findings(&node);
        let ours: Vec<&Finding> = found.iter().filter(|finding| finding.code == code).collect();
        mend(lab, code, &repair::plan(&ours, &node), &found, &node);
    } else {
        mend(lab, code, &plan, found, broken.node);
    }
    println!("found, {MENDED} in {} steps, {} answers", plan.steps.len(), answers + flow());
    ExitCode::SUCCESS
}

/// The instances whose packets are to flow when it is mended.
fn concerned(broken: &Broken<'_>) -> BTreeSet<Instance> {
    let node = read(broken.lab);
    let mut all = floating(&node, |fip| broken.ours.iter().any(|root| concerns(root, fip)));
    if all.is_empty() {
        // It is about one that is none any more: the others are to go on.
        all = floating(&node, |_| true);
    }
    all.append(&mut traffic::instances(&super::title(broken.fault), broken.options.layout));
    all
}

/// Ours are the roots, and as they are to be; what else is new follows from them.
fn compare<'f>(
    title: &str,
    options: &LabOptions,
    code: Code,
    whole: &[Finding],
    found: &'f [Finding],
) -> Vec<&'f Finding> {
    let roots: Vec<&Finding> = found.iter().filter(|one| counts(one)).collect();
    let ours: Vec<&Finding> = found.iter().filter(|f| f.code == code && f.because_of.is_none()).collect();
    let all: Vec<String> = roots.iter().map(|root| said(root)).collect();
    assert!(!ours.is_empty(), "{code} is not found as a root; roots are {all:#?}");
    assert!(ours.iter().all(|ours| ours.why_unknown.is_none()), "it could not be told: {all:#?}");
    assert!(roots.iter().all(|root| root.code == code), "something else is found, too: {all:#?}");
    let known: BTreeSet<&str> = whole.iter().map(|finding| finding.id.as_str()).collect();
    let leads = |finding: &Finding| ours.iter().any(|root| finding.because_of.as_ref() == Some(&root.id));
    let apart: Vec<String> = found
        .iter()
        .filter(|finding| finding.code != code && !known.contains(finding.id.as_str()) && !leads(finding))
        .map(said)
        .collect();
    assert!(apart.is_empty(), "what stands beside it, and did not before: {apart:#?}");
    let is = expected::told(&ours);
    let to_be = expected::of(title, options);
    assert!(
        to_be.as_ref() == Some(&is),
        "it is to be\n{}\nand is\n{}",
        to_be.as_deref().unwrap_or("told"),
        expected::in_braces(&is, options)
    );
    ours
}

/// The printed steps, simulated and then done, take it away and bring nothing new.
fn mend(lab: &Lab, code: Code, plan: &Plan, found: &[Finding], broken: &Snapshot) {
    let commands: Vec<String> = plan.steps.iter().map(fipscope::plan::Step::command).collect();
    gone(found, &simulate(plan, broken), code, &format!("simulated: {commands:#?}"));
    law::undone(plan, broken).unwrap_or_else(|lasting| panic!("simulated and back: {commands:#?} {lasting:#?}"));
    for command in &commands {
        let status =
            Command::new("sh").args(["-ec", command]).env("PATH", PATH).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{command}");
    }
    settle(lab, &commands, false);
    gone(found, &read(lab), code, &format!("in the lab: {commands:#?}"));
}

/// Waits for what the kernel does later: of devices that were switched or taken
/// away, with a namespace as well, or that may have been just before.
fn settle(lab: &Lab, commands: &[String], were_switched: bool) {
    let deleted = commands.iter().any(|command| command.contains("netns del"));
    if were_switched || deleted || commands.iter().any(|command| command.contains(" link ")) {
        thread::sleep(LINK_WATCH);
    }
    // On a busy machine a namespace's devices outlive its name by seconds; for good, where a
    // mount keeps it.
    let goes = deleted && !commands.iter().any(|command| command.contains("mount "));
    let began = Instant::now();
    while goes && began.elapsed() < PATIENCE && has_loose_end(&read(lab)) {
        thread::sleep(LINK_WATCH / 10);
    }
}

/// The other end of a pair is in a namespace that has no name.
fn has_loose_end(node: &Snapshot) -> bool {
    let mut links = node.namespaces.values().filter_map(Observed::seen).flat_map(|netns| netns.links());
    links.any(|link| link.peer == Some(Peer::Elsewhere))
}

/// Whether a finding is about a floating IP, its router or its network.
fn concerns(root: &Finding, fip: &FloatingIp) -> bool {
    match (&root.floating_ip, &root.router, &root.external_network) {
        (Some(address), ..) => fip.floating_ip == Some(*address),
        (None, Some(router), _) => fip.router == *router,
        (None, None, Some(network)) => fip.external_network.as_ref() == Some(network),
        (None, None, None) => true,
    }
}

/// The instances with floating IPs that are asked for.
fn floating(node: &Snapshot, is_wanted: impl Fn(&FloatingIp) -> bool) -> BTreeSet<Instance> {
    let topology = Topology::of(node);
    let wanted = topology.floating_ips.iter().filter(|fip| is_wanted(fip));
    wanted.filter_map(|fip| Some(Instance { floating: Some(fip.floating_ip?), fixed: fip.fixed_ip? })).collect()
}

/// The finding is gone, and no other came.
fn gone(before: &[Finding], after: &Snapshot, code: Code, how: &str) {
    let known: BTreeSet<&str> = before.iter().map(|finding| finding.id.as_str()).collect();
    let left = findings(after);
    let is_allowed = |note: &Finding| NOTES.iter().any(|(of, other, _)| (*of, *other) == (code.0, note.code.0));
    let left = left.iter().filter(|finding| finding.severity != Severity::Note || !is_allowed(finding));
    let wrong = left.filter(|finding| finding.code == code || !known.contains(finding.id.as_str()));
    let wrong: Vec<String> = wrong.map(said).collect();
    assert!(wrong.is_empty(), "{how}: {wrong:#?}");
}

fn said(finding: &Finding) -> String {
    format!("{} {}", finding.id, finding.message)
}

/// A root cause that is worse than a note.
pub(crate) fn counts(finding: &Finding) -> bool {
    finding.because_of.is_none() && finding.severity != Severity::Note && finding.why_unknown.is_none()
}

fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    judge(snapshot, &Topology::of(snapshot))
}

pub(crate) fn read(lab: &Lab) -> Snapshot {
    let netns_dir = lab.netns_dir().path().to_owned();
    let state_path = lab.given_state_path().map(std::path::Path::to_owned);
    read_node(&ReadOptions { netns_dir, state_path, conntrack: true }).unwrap()
}
