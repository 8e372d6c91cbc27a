//! Repairs as plans: simulated, they clear what they mend and bring nothing new.

use std::collections::BTreeSet;

use fipscope::check::{Finding, Severity};
use fipscope::net::Snapshot;
use fipscope::net::netfilter::{NfFamily, parse_rule};
use fipscope::plan::{Plan, repair, simulate};

use super::common::{edit_chain, fixture, judge, roots};

/// The plan for all roots, with what follows from them.
pub(super) fn plan(node: &Snapshot) -> Plan {
    let found = judge(node);
    let roots = found.iter().filter(|one| one.because_of.is_none() && one.severity != Severity::Note);
    let wanted: Vec<&Finding> = roots.flat_map(|root| repair::together(root, &found)).collect();
    repair::plan(&wanted, node)
}

/// The plan for everything clears everything, and adds nothing.
pub(super) fn clears(node: &Snapshot) -> Snapshot {
    let plan = plan(node);
    let after = simulate(&plan, node);
    let known: BTreeSet<String> = judge(node).into_iter().map(|one| one.id).collect();
    let new: Vec<String> = judge(&after).into_iter().map(|one| one.id).filter(|id| !known.contains(id)).collect();
    let commands: Vec<String> = plan.steps.iter().map(fipscope::plan::Step::command).collect();
    assert!(roots(&after).is_empty() && new.is_empty(), "{:?} {new:?}\n{commands:#?}", roots(&after));
    after
}

fn lines(node: &Snapshot, chain: &str) -> Vec<String> {
    let mut lines = Vec::new();
    edit_chain(&mut node.clone(), "qrouter-", "filter", chain, |rules| {
        lines = rules.iter().map(|rule| rule.line(chain, NfFamily::Ip).to_string()).collect();
    });
    lines
}

#[test]
fn places_hold_when_two_repairs_meet_in_one_chain() {
    let healthy = fixture("S2");
    let mut node = healthy.clone();
    edit_chain(&mut node, "qrouter-", "filter", "-agent-scope", |rules| {
        let odd = "-A x -o qr-c2e43983-5c -m mark ! --mark 0x4010000/0xffff0000 -j DROP";
        let right = rules.iter().position(|rule| rule.line("x", NfFamily::Ip).to_string().contains("qr-c2e43983-5c"));
        rules.remove(right.unwrap());
        rules.push(parse_rule(odd).unwrap().1);
        rules.insert(0, parse_rule("-A x -s 10.0.0.6/32 -j DROP").unwrap().1);
    });
    let codes: Vec<u16> = roots(&node).into_iter().map(|(code, ..)| code).collect();
    assert_eq!(codes, [413, 415]);
    let after = clears(&node);
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!(sorted(lines(&after, "-agent-scope")), sorted(lines(&healthy, "-agent-scope")));
}

#[test]
fn both_jumps_of_an_empty_chain_come_back_in_their_order() {
    let mut node = fixture("S2");
    edit_chain(&mut node, "qrouter-", "nat", "POSTROUTING", Vec::clear);
    let jumps = |node: &Snapshot| {
        let mut all = Vec::new();
        edit_chain(&mut node.clone(), "qrouter-", "nat", "POSTROUTING", |rules| {
            all = rules.iter().map(|rule| rule.line("x", NfFamily::Ip).to_string()).collect();
        });
        all
    };
    assert_eq!(jumps(&clears(&node)), jumps(&fixture("S2")));
}
