//! What happens inside one lab.

use std::collections::BTreeSet;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use fipscope::check::{Code, DecidedBy, Finding, Severity, check, judge};
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::{Error, Lab, LabOptions};
use fipscope::net::Snapshot;
use fipscope::netns;
use fipscope::neutron::Layout;
use fipscope::plan::{repair, simulate};
use fipscope::topology::Topology;

use crate::wire;

/// What a lab says of itself whose repair was carried out and proved.
pub(crate) const MENDED: &str = "mended";

pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The kernel's link watch tells the other end of a pair once a second.
const LINK_WATCH: Duration = Duration::from_millis(1200);

/// The code that stands for a lab that nobody broke.
pub(crate) const WHOLE: u16 = 0;

pub(crate) fn run(layout: &str, code: u16) -> ExitCode {
    let layout = [Layout::Juno, Layout::Newton, Layout::Pike].into_iter().find(|known| known.word() == layout).unwrap();
    let code = Code(code);
    let options = if code.0 == WHOLE {
        LabOptions { layout, more: true, fips: 2, ..LabOptions::default() }
    } else {
        LabOptions { layout, broken: vec![code], ..LabOptions::default() }
    };
    let lab = match Lab::enter_and_build(&options) {
        Ok(lab) => lab,
        Err(error @ (Error::Netns(netns::Error::Sandbox { .. }) | Error::NoIptables(_))) => {
            println!("{error}");
            return ExitCode::from(u8::try_from(super::SKIPPED).unwrap());
        }
        Err(error) => panic!("{error}"),
    };
    if code.0 == WHOLE {
        return wire::whole(&lab);
    }
    match check(code).map(|check| check.decided_by) {
        Some(DecidedBy::Snapshot(_)) => {}
        Some(DecidedBy::Wire(_)) => return wire::run(&lab, code),
        Some(DecidedBy::Elsewhere) | None => return ExitCode::from(u8::try_from(super::UNDECIDED).unwrap()),
    }
    thread::sleep(LINK_WATCH);
    let broken = read(&lab);
    let found = findings(&broken);
    let roots: Vec<&Finding> = found.iter().filter(|finding| counts(finding)).collect();
    let said: Vec<String> = roots.iter().map(|root| format!("{} {}", root.id, root.message)).collect();
    let ours: Vec<&Finding> = found.iter().filter(|f| f.code == code && f.because_of.is_none()).collect();
    assert!(!ours.is_empty(), "{code} is not found as a root; roots are {said:#?}");
    assert!(roots.iter().all(|root| root.code == code), "something else is found, too: {said:#?}");
    assert!(ours.iter().all(|ours| ours.why_unknown.is_none()), "it could not be told: {said:#?}");
    let wanted: Vec<&Finding> = ours.iter().flat_map(|root| repair::together(root, &found)).collect();
    let plan = repair::plan(&wanted, &broken);
    if plan.steps.is_empty() {
        println!("found; there is no repair by commands: {:?}", repair::by_hand(&wanted, &broken));
        return ExitCode::SUCCESS;
    }
    let commands: Vec<String> = plan.steps.iter().map(fipscope::plan::Step::command).collect();
    gone(&found, &simulate(&plan, &broken), code, &format!("simulated: {commands:#?}"));
    for command in &commands {
        let status =
            Command::new("sh").args(["-ec", command]).env("PATH", PATH).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{command}");
    }
    thread::sleep(LINK_WATCH);
    gone(&found, &read(&lab), code, &format!("in the lab: {commands:#?}"));
    for (from, to) in [("outside", "192.168.1.3"), ("vm-10.0.0.4", "198.51.100.7")] {
        let ping = ["netns", "exec", from, "ping", "-q", "-c", "1", "-W", "3", to];
        let answer = Command::new("ip").args(ping).env("PATH", PATH).output().unwrap();
        assert!(answer.status.success(), "{from} → {to} is dead after {commands:#?}");
    }
    println!("found, {MENDED} in {} steps, answers", commands.len());
    ExitCode::SUCCESS
}

/// The finding is gone, and no other came.
fn gone(before: &[Finding], after: &Snapshot, code: Code, how: &str) {
    let known: BTreeSet<&str> = before.iter().map(|finding| finding.id.as_str()).collect();
    let left = findings(after);
    let left: Vec<&Finding> = left.iter().filter(|finding| finding.severity != Severity::Note).collect();
    let wrong: Vec<&&Finding> =
        left.iter().filter(|finding| finding.code == code || !known.contains(finding.id.as_str())).collect();
    assert!(
        wrong.is_empty(),
        "{how}: {:#?}",
        wrong.iter().map(|f| format!("{} {}", f.id, f.message)).collect::<Vec<_>>()
    );
}

/// A root cause that is worse than a note.
pub(crate) fn counts(finding: &Finding) -> bool {
    finding.because_of.is_none() && finding.severity != Severity::Note && finding.why_unknown.is_none()
}

fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    judge(snapshot, &Topology::of(snapshot))
}

pub(crate) fn read(lab: &Lab) -> Snapshot {
    let state_path = Some(lab.state_path().to_owned());
    read_node(&ReadOptions { netns_dir: lab.netns_dir().path().to_owned(), state_path, conntrack: false }).unwrap()
}
