//! Changes of a node: repaired and taken back by the program; refused where they
//! must be.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fipscope::check::{Code, judge};
use fipscope::exec::{self, Error as ExecError, Order, Site};
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::lab::{Lab, LabOptions, Need};
use fipscope::net::{NetnsName, Snapshot};
use fipscope::neutron::Layout;
use fipscope::plan::journal::{Aim, Entry, Event, Outcome, State};
use fipscope::plan::{Action, Associate, Object, Place, Plan, Remove, associate, remove, repair};
use fipscope::topology::Topology;
use serde_json::Value;

use crate::case::{build, works};
use crate::killed::child;
use crate::program::{STATE, fipscope, quiet, run, said, same};
use crate::script;

/// Faults of a layout that are mended together: what they are, and in which
/// kinds of objects.
pub(crate) const MENDED: [(&str, Layout, &[u16]); 4] = [
    ("mend rule and translation", Layout::Pike, &[301, 401]),
    ("mend devices and settings", Layout::Pike, &[203, 508]),
    ("mend routes", Layout::Newton, &[305, 501]),
    ("mend addresses and neighbours", Layout::Juno, &[204, 208]),
];

pub(crate) fn codes(codes: &[u16]) -> Vec<Code> {
    codes.iter().copied().map(Code).collect()
}

/// Mended by the program, whole, and by the program broken again as it was.
pub(crate) fn mend(layout: Layout, faults: &[u16]) {
    let lab = build(&LabOptions { layout, broken: codes(faults), ..LabOptions::default() });
    let before = quiet(&lab);
    assert_eq!(fipscope(&lab, &["check"]).status.code(), Some(1), "it is not broken");
    let mended = fipscope(&lab, &["repair", "--all", "--yes", "--format", "json"]);
    assert_eq!(mended.status.code(), Some(0), "{}", said(&mended));
    let results: Vec<Value> =
        String::from_utf8(mended.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!results.is_empty() && results.iter().all(|one| one["applied"] == true && one["verified"] == true));
    for one in &results {
        valid("result", one);
    }
    let check = fipscope(&lab, &["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", said(&check));
    works(&lab, "192.168.1.3", "10.0.0.4");
    // Somebody comes between, and it cannot be taken back: it stays as it is.
    let mended = quiet(&lab);
    interrupted(&lab);
    same(&mended, &quiet(&lab), "not taken back");
    for _ in &results {
        let undone = fipscope(&lab, &["undo", "--yes"]);
        assert_eq!(undone.status.code(), Some(0), "{}", said(&undone));
    }
    same(&before, &quiet(&lab), "taken back");
    let again = fipscope(&lab, &["undo", "--yes"]);
    assert_eq!(again.status.code(), Some(1), "there is nothing left to take back");
    let journal: Value = serde_json::from_slice(&fipscope(&lab, &["journal", "--format", "json"]).stdout).unwrap();
    valid("journal", &journal);
    assert_eq!(journal["changes"].as_array().unwrap().len(), 2 * results.len() + 1);
    println!("{} changes made and taken back", results.len());
}

/// A taking back that somebody else undoes step by step: it fails, and is taken
/// back itself.
fn interrupted(lab: &Lab) {
    let site = site(lab);
    let last = exec::history(&site).unwrap().pop().unwrap();
    let steps: Vec<_> = last.steps.iter().rev().map(|step| step.planned.command()).collect();
    let mut told = |entry: &Entry| {
        if let Entry::Step { step, event: Event::Done, .. } = entry {
            let again = &steps[*step as usize - 1];
            assert!(run(lab, "sh", &["-ec", again]).status.success(), "{again}");
        }
    };
    let carried = exec::undo(last.id, &site, &mut told).unwrap();
    assert_eq!((carried.outcome(), carried.verified), (Outcome::RolledBack, false), "{carried:?}");
    assert!(carried.failure.unwrap().contains("still so: "));
    assert_eq!(exec::history(&site).unwrap()[0].state, State::Done, "it is still there to be taken back");
}

/// Several faults at once, of different floating IPs and of the node: one
/// address, all that can be, and what no step mends.
pub(crate) fn several() {
    let lab = build(&LabOptions { broken: codes(&[301]), needs: vec![Need::More], ..LabOptions::default() });
    let topology = Topology::of(&quiet(&lab));
    let other = "192.168.1.242".parse().unwrap();
    let fip = topology.floating_ips.iter().find(|fip| fip.floating_ip == Some(other)).unwrap();
    let (netns, fixed) = (format!("qrouter-{}", fip.router), fip.fixed_ip.unwrap().to_string());
    let broken = run(&lab, "ip", &["-n", &netns, "rule", "del", "from", &fixed, "lookup", "16"]);
    assert!(broken.status.success(), "{}", said(&broken));
    let before = quiet(&lab);
    let code = |words: &[&str]| fipscope(&lab, words).status.code();
    assert_eq!(code(&["repair", "--yes"]), Some(2), "it does not say what");
    assert_eq!(code(&["repair", "--finding", "DVR301@nowhere", "--yes"]), Some(1), "there is none");
    assert_eq!(code(&["repair", "192.0.2.1", "--yes"]), Some(1), "there is none");
    let nothing = fipscope(&lab, &["repair", "--select", "DVR5", "--yes"]);
    assert_eq!(nothing.status.code(), code(&["check", "--select", "DVR5"]), "{}", said(&nothing));
    same(&before, &quiet(&lab), "nothing was to be done");
    // One of them.
    assert_eq!(code(&["repair", "192.168.1.3", "--yes"]), Some(0));
    assert_eq!(code(&["check", "--floating-ip", "192.168.1.3"]), Some(0));
    assert_eq!(code(&["check", "--floating-ip", "192.168.1.242"]), Some(1));
    assert_eq!(code(&["undo", "--yes"]), Some(0));
    // Both, and a third that no step mends.
    let dangling = lab.netns_dir().path().join("qrouter-255b0228-baf7-4ebd-8cf4-b0b99342f3ae");
    std::fs::write(&dangling, "").unwrap();
    let all = fipscope(&lab, &["repair", "--all", "--yes"]);
    let text = said(&all);
    assert_eq!(all.status.code(), Some(1), "{text}");
    assert_eq!(text.matches("done and verified").count(), 2, "{text}");
    assert!(text.contains("ip netns delete NAME") && text.contains("DVR107 namespace-name-dangling is still there"));
    std::fs::remove_file(&dangling).unwrap();
    assert_eq!(code(&["check"]), Some(0));
    for floating in ["192.168.1.3", "192.168.1.242"] {
        let ping = ["netns", "exec", "outside", "ping", "-q", "-c", "1", "-W", "3", floating];
        assert!(run(&lab, "ip", &ping).status.success(), "{floating}");
    }
    assert_eq!((code(&["undo", "--yes"]), code(&["undo", "--yes"])), (Some(0), Some(0)));
    same(&before, &quiet(&lab), "taken back");
}

/// A second one is told who is first; what the first leaves unfinished has to be
/// settled.
pub(crate) fn busy() {
    let lab = build(&LabOptions { layout: Layout::Pike, broken: codes(&[301]), ..LabOptions::default() });
    let site = site(&lab);
    let mut first = child(&["busy", "2"]);
    let begin = Instant::now();
    while exec::history(&site).unwrap().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    let second = fipscope(&lab, &["repair", "--all", "--yes"]);
    assert_eq!(second.status.code(), Some(1));
    let pid = format!("process {} (", first.id());
    assert!(said(&second).contains(&pid) && said(&second).contains("is being changed by"), "{}", said(&second));
    first.kill().unwrap();
    first.wait().unwrap();
    let third = fipscope(&lab, &["repair", "--all", "--yes"]);
    assert_eq!(third.status.code(), Some(1));
    assert!(said(&third).contains("fipscope undo 1") && said(&third).contains("--complete 1"), "{}", said(&third));
    let settled = fipscope(&lab, &["journal", "--settle", "1"]);
    assert_eq!(settled.status.code(), Some(0), "{}", said(&settled));
    assert_eq!(fipscope(&lab, &["repair", "--all", "--yes"]).status.code(), Some(0));
}

/// What must not be done is not done.
pub(crate) fn refused() {
    let lab = build(&LabOptions { layout: Layout::Pike, broken: codes(&[301, 401]), ..LabOptions::default() });
    let (site, before) = (site(&lab), quiet(&lab));
    let (plan, aim) = plan_of("killed repair", &before);
    let order = Order { plan: &plan, seen: &before, aim: &aim };
    let read_only = Site { read_only: true, ..site.clone() };
    assert!(matches!(exec::change(&order, &read_only, &mut |_| {}), Err(ExecError::ReadOnly)));
    assert_eq!(fipscope(&lab, &["repair", "--all", "--yes", "--read-only"]).status.code(), Some(2));
    assert_eq!(fipscope(&lab, &["repair", "--all"]).status.code(), Some(2), "nobody can be asked");
    assert_eq!(fipscope(&lab, &["repair", "--all", "--dry-run"]).status.code(), Some(0));
    // Steps that do not bring what they are for are taken back.
    let mut harmless = Plan::new("of no use");
    let router = before.namespaces.keys().find(|name| name.as_str().starts_with("qrouter-")).unwrap();
    let route = before.netns(router).unwrap().routes().iter().find(|route| route.dst.prefix_len() == 24).unwrap();
    let mut useless = route.clone();
    (useless.dst, useless.protocol) = ("203.0.113.0/24".parse().unwrap(), 3);
    useless.pref_src = None;
    harmless.push(&Place::Netns(router.clone()), Action::Add(Object::Route(useless)));
    let vain = Order { plan: &harmless, seen: &before, aim: &aim };
    let carried = exec::change(&vain, &site, &mut |_| {}).unwrap();
    assert_eq!((carried.outcome(), carried.verified), (Outcome::RolledBack, false), "{carried:?}");
    assert!(carried.failure.unwrap().contains("is still there"));
    same(&before, &quiet(&lab), "taken back");
    // Somebody else was at the table.
    let chain = ["netns", "exec", router.as_str(), "iptables-nft", "-t", "nat", "-N", "somebody"];
    assert!(run(&lab, "ip", &chain).status.success());
    let now = quiet(&lab);
    let refused = exec::change(&order, &site, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, ExecError::Changed { .. }), "{refused}");
    same(&now, &quiet(&lab), "refused");
    let away = ["netns", "exec", router.as_str(), "iptables-nft", "-t", "nat", "-X", "somebody"];
    assert!(run(&lab, "ip", &away).status.success());
    left_otherwise(&lab, &order, router);
    same(&before, &quiet(&lab), "taken back at last");
}

/// Somebody changed what a change made: it is not taken back, and it is said in
/// what the node differs. When it is as it was left, it is.
fn left_otherwise(lab: &Lab, order: &Order<'_>, router: &NetnsName) {
    let site = site(lab);
    let carried = exec::change(order, &site, &mut |_| {}).unwrap();
    assert_eq!(carried.outcome(), Outcome::Done, "{carried:?}");
    let made = quiet(lab);
    let fixed = "10.0.0.4/32".parse().ok();
    let rule = made.netns(router).unwrap().rules().iter().find(|rule| rule.from == fixed).unwrap();
    let priority = rule.priority.0.to_string();
    let by_hand = |what| {
        let words = ["-n", router.as_str(), "rule", what, "from", "10.0.0.4", "lookup", "16", "priority", &priority];
        assert!(run(lab, "ip", &words).status.success(), "{what}");
    };
    by_hand("del");
    let other = quiet(lab);
    let id = carried.past.id;
    let refused = exec::undo(id, &site, &mut |_| {}).unwrap_err();
    let why = refused.to_string();
    assert!(matches!(&refused, ExecError::NoSuchChange { .. }), "{why}");
    assert!(why.contains("left the node otherwise than it is now") && why.contains("so already: "), "{why}");
    let by_program = fipscope(lab, &["undo", "--yes", &id.to_string()]);
    assert_eq!(by_program.status.code(), Some(1), "{}", said(&by_program));
    assert!(said(&by_program).contains("left the node otherwise"), "{}", said(&by_program));
    same(&other, &quiet(lab), "not taken back");
    by_hand("add");
    assert_eq!(exec::undo(id, &site, &mut |_| {}).unwrap().outcome(), Outcome::Done);
}

pub(crate) fn plan_of(what: &str, snapshot: &Snapshot) -> (Plan, Aim) {
    let topology = Topology::of(snapshot);
    let address = |text: &str| text.parse().unwrap();
    match what {
        "killed remove" | "killed remove pair" => {
            let with_pair = what.ends_with("pair");
            let wanted = Remove { with_pair, ..Remove::new(address("192.168.1.3")) };
            (remove(snapshot, &topology, &wanted).unwrap(), Aim::default())
        }
        "killed from nothing" => script::from_nothing(snapshot, Layout::Pike, "br-ex"),
        "killed switch" => script::from_nothing(snapshot, Layout::Pike, "br-int"),
        "killed associate" => associated(snapshot, "192.168.1.4", "10.0.0.5"),
        "associate anew" => associated(snapshot, "192.168.1.3", "10.0.0.4"),
        _ => {
            let findings = judge(snapshot, &topology);
            let faults: Vec<_> = findings.iter().filter(|finding| finding.is_fault()).collect();
            let gone = faults.iter().map(|finding| finding.id.clone()).collect();
            (repair::plan(&faults, snapshot), Aim { gone, deliver: Vec::new() })
        }
    }
}

fn associated(snapshot: &Snapshot, floating_ip: &str, fixed_ip: &str) -> (Plan, Aim) {
    let wanted = Associate::new(floating_ip.parse().unwrap(), fixed_ip.parse().unwrap());
    let plan = associate(snapshot, &Topology::of(snapshot), &wanted).unwrap();
    (plan, Aim { gone: Vec::new(), deliver: vec![wanted.floating_ip] })
}

pub(crate) fn site(lab: &Lab) -> Site {
    Site {
        netns_dir: lab.netns_dir(),
        state_path: Some(lab.state_path().to_owned()),
        folder: PathBuf::from(STATE),
        read_only: false,
    }
}

pub(crate) fn read(site: &Site) -> Snapshot {
    let netns_dir = site.netns_dir.path().to_owned();
    read_node(&ReadOptions { netns_dir, state_path: site.state_path.clone(), conntrack: false }).unwrap()
}

pub(crate) fn valid(name: &str, document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/schema/fipscope.{name}.1.json"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
}
