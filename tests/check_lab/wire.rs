//! What is decided on the wire, in a lab: the probe finds it where it is, and
//! nothing where all is well; asking changes nothing.

use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use fipscope::check::{Confidence, Finding, Pick, judge_with, questions};
use fipscope::lab::Lab;
use fipscope::net::{Change, ReachAnswer, ReachBy, ReachQuestion, Snapshot, WireAnswer, WireAnswers, changes};
use fipscope::plan::{Plan, Step};
use fipscope::probe::{self, Announcement, Manner, announce};
use fipscope::topology::Topology;
use fipscope::topology::scenario::FIP;

use crate::inside::{MENDED, counts, read};
use crate::node::{PATH, fipscope, quiet, said as program_said};
use crate::program;

/// In a lab an answer comes at once.
const MANNER: Manner =
    Manner { tries: 2, wait: Duration::from_millis(300), in_flight: 64, spacing: Duration::from_millis(1), most: 1000 };

/// What was found goes by the program, comes back when that is taken back, and
/// goes by the printed commands; packets flow each time.
pub(crate) fn mend(lab: &Lab, roots: &[&Finding], plan: &Plan, flow: impl Fn() -> usize) -> ExitCode {
    assert!(roots.iter().all(|root| root.confidence == Confidence::Proved), "{roots:#?}");
    if plan.steps.is_empty() {
        println!("found on the wire; there is no repair by commands");
        return ExitCode::SUCCESS;
    }
    let answers = by_program(lab, roots, &flow);
    for command in plan.steps.iter().map(Step::command) {
        let status = Command::new("sh").args(["-ec", &command]).env("PATH", PATH).status().unwrap();
        assert!(status.success(), "{command}");
    }
    let left = told(lab, &read(lab));
    let left: Vec<&Finding> = left.iter().filter(|finding| counts(finding)).collect();
    assert!(left.is_empty(), "after the repair: {left:#?}");
    println!("found on the wire, {MENDED} in {} steps, {} answers", plan.steps.len(), answers + flow());
    ExitCode::SUCCESS
}

/// The program finds it by asking the wire, mends it, and takes that back.
fn by_program(lab: &Lab, roots: &[&Finding], flow: impl Fn() -> usize) -> usize {
    let before = quiet(lab);
    let ids = |found: &[Finding]| {
        let roots = found.iter().filter(|finding| counts(finding));
        roots.map(|finding| finding.id.clone()).collect::<Vec<_>>()
    };
    let mut words = vec!["repair", "--yes"];
    words.extend(roots.iter().flat_map(|root| ["--finding", root.id.as_str()]));
    let mended = fipscope(lab, &words);
    let text = program_said(&mended);
    assert_eq!(mended.status.code(), Some(0), "{text}");
    assert_eq!(text.matches("done and verified").count(), roots.len(), "{text}");
    let left = ids(&told(lab, &read(lab)));
    assert!(left.is_empty(), "after the program's repair: {left:?}");
    let check = fipscope(lab, &["check", "--probe"]);
    assert_eq!(check.status.code(), Some(0), "after the repair: {}", program_said(&check));
    let answers = flow();
    program::undo(lab, roots.len(), &before);
    let mut named: Vec<String> = roots.iter().map(|root| root.id.clone()).collect();
    let mut again = ids(&told(lab, &read(lab)));
    named.sort();
    again.sort();
    assert_eq!(again, named, "taken back");
    answers
}

/// A lab that nobody broke: instances and gateways answer, nobody else does.
pub(crate) fn whole(lab: &Lab) -> ExitCode {
    let before = read(lab);
    let answers = asked(lab, &before);
    let topology = Topology::of(&before);
    let found = judge_with(&before, &topology, &answers);
    let loud: Vec<&Finding> = found.iter().filter(|one| one.is_fault() || one.is_doubt()).collect();
    let loud: Vec<&str> = loud.iter().map(|one| one.message.as_str()).collect();
    assert!(loud.is_empty(), "{loud:#?}");
    let count = |is: fn(&WireAnswer) -> bool| answers.values().filter(|answer| is(answer)).count();
    let heard = count(|answer| matches!(answer, WireAnswer::Answered(replies) if replies.len() == 1));
    let silent = count(|answer| *answer == WireAnswer::Silent);
    assert!(heard >= 5 && silent >= 4 && heard + silent == answers.len(), "{answers:#?}");
    let after = read(lab);
    let changed = changes(&before, &after);
    // The kernel is still at its own probes for IPv6 addresses.
    let is_six = |change: &&Change| change.to_string().contains("::");
    let changed: Vec<_> = changed.iter().filter(|change| !change.is_flapping() && !is_six(change)).collect();
    assert!(changed.is_empty(), "asking changed the node: {changed:#?}");
    announced(lab, &before);
    reached(lab);
    println!("{heard} answered, {silent} silent, nothing found");
    ExitCode::SUCCESS
}

/// The gateway learns from an announcement that the floating IP moved here.
fn announced(lab: &Lab, node: &Snapshot) {
    let ip = |words: &str| {
        let output = Command::new("ip").args(words.split(' ')).env("PATH", PATH).output().unwrap();
        assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let network =
        Topology::of(node).external_networks.iter().find(|one| one.namespace.as_str() == FIP).unwrap().clone();
    let port = network.gateway_port.unwrap();
    ip("-n gateway neigh replace 192.168.1.3 lladdr 02:00:00:00:00:99 dev eth0 nud stale");
    // `net.ipv4.neigh.*.locktime`: a younger entry is not replaced.
    thread::sleep(Duration::from_millis(1100));
    let what = Announcement {
        interval: Duration::from_millis(10),
        ..Announcement::of(network.namespace, port.device.clone(), [192, 168, 1, 3].into())
    };
    let mut rounds = Vec::new();
    let sent = announce(&lab.netns_dir(), &what, |round| {
        rounds.push(round);
        round < 2
    });
    assert_eq!((sent.unwrap(), rounds), (2, vec![1, 1, 2]), "ended when told, asked after each pause");
    let entry = ip("-n gateway neigh show 192.168.1.3");
    assert!(entry.contains(&port.mac.unwrap().to_string()), "{entry}");
    let gone = Announcement { device: "fg-none".into(), ..what };
    let error = announce(&lab.netns_dir(), &gone, |_| true).unwrap_err().to_string();
    assert!(error.contains("fg-none") && error.contains(FIP), "{error}");
}

/// One packet, from a namespace of choice, and what came back.
fn reached(lab: &Lab) {
    let reach = |namespace: &str, source: Option<[u8; 4]>, destination: [u8; 4], by| {
        let (namespace, source, destination) = (namespace.into(), source.map(Into::into), destination.into());
        let question = ReachQuestion { namespace, source, destination, by, ident: 0x4f1b };
        probe::reach(&lab.netns_dir(), &question, Duration::from_millis(700))
    };
    let (outside, floating) = ([198, 51, 100, 7], [192, 168, 1, 3]);
    for by in [ReachBy::Echo, ReachBy::Syn(9)] {
        for (namespace, source, destination) in
            [("vm-10.0.0.4", None, outside), ("vm-10.0.0.4", Some([10, 0, 0, 4]), outside), ("outside", None, floating)]
        {
            let answer = reach(namespace, source, destination, by);
            let is_right = match by {
                ReachBy::Echo => matches!(answer, ReachAnswer::Answered { .. }),
                ReachBy::Syn(_) => matches!(answer, ReachAnswer::Refused { .. }),
            };
            assert!(is_right, "{namespace} to {destination:?} by {by:?}: {answer:?}");
        }
    }
    // No such host, no such way, no such source.
    assert_eq!(reach("vm-10.0.0.4", None, [10, 0, 0, 99], ReachBy::Syn(9)), ReachAnswer::Silent);
    let nowhere = reach("switch", None, outside, ReachBy::Echo);
    assert_eq!(nowhere, ReachAnswer::Unreachable { from: None });
    let stranger = reach("vm-10.0.0.4", Some([10, 0, 0, 5]), outside, ReachBy::Echo);
    assert!(
        matches!(&stranger, ReachAnswer::NotSent(why) if why.contains("address of that namespace")),
        "{stranger:?}"
    );
}

fn asked(lab: &Lab, node: &Snapshot) -> WireAnswers {
    let questions = questions(node, &Topology::of(node), &Pick::default(), None);
    let answers = probe::ask(&lab.netns_dir(), &questions, &MANNER);
    questions.into_iter().zip(answers).collect()
}

/// What is found with the answers on the wire.
pub(crate) fn told(lab: &Lab, node: &Snapshot) -> Vec<Finding> {
    judge_with(node, &Topology::of(node), &asked(lab, node))
}
