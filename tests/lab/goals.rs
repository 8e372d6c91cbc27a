//! A change that does not bring what it is for is taken back, whatever that is:
//! a note, tracked connections, an answer on the wire.

use fipscope::check::{Code, Pick, judge_with, questions};
use fipscope::exec::{self, Order};
use fipscope::lab::LabOptions;
use fipscope::net::WireAnswers;
use fipscope::neutron::Layout;
use fipscope::plan::journal::{Aim, Outcome};
use fipscope::plan::{Action, Place, Plan};
use fipscope::probe::{self, Manner};
use fipscope::topology::Topology;
use fipscope::topology::scenario::QROUTER;

use crate::case::build;
use crate::change::{codes, site};
use crate::program::{quiet, same};

pub(crate) const GOALS: [&str; 3] = ["goal 406", "goal 511", "goal 702"];

pub(crate) fn missed(goal: &str) {
    let code = Code(goal.trim_start_matches("goal ").parse().unwrap());
    let lab = build(&LabOptions { layout: Layout::Pike, broken: codes(&[code.0]), ..LabOptions::default() });
    let before = quiet(&lab);
    let topology = Topology::of(&before);
    let pick = Pick { select: vec![code.to_string().parse().unwrap()], ignore: Vec::new() };
    let asked = questions(&before, &topology, &pick, None);
    let answers = probe::ask(&lab.netns_dir(), &asked, &Manner::default());
    let answers: WireAnswers = asked.into_iter().zip(answers).collect();
    let found = judge_with(&before, &topology, &answers);
    let gone = vec![found.iter().find(|finding| finding.code == code).unwrap().id.clone()];
    // Steps of no use.
    let mut plan = Plan::new("Mend nothing");
    plan.push(&Place::netns(QROUTER), Action::sysctl("net.ipv4.conf.lo.arp_announce", 1));
    let aim = Aim { gone, deliver: Vec::new() };
    let carried = exec::change(&Order { plan: &plan, seen: &before, aim: &aim }, &site(&lab), &mut |_| {}).unwrap();
    assert_eq!((carried.outcome(), carried.verified), (Outcome::RolledBack, false), "{carried:?}");
    let why = carried.failure.unwrap();
    assert!(why.contains(&format!("{code} is still there")), "{why}");
    same(&before, &quiet(&lab), "taken back");
    println!("missed, and taken back");
}
