//! Repairs as plans: simulated, they clear what they mend and bring nothing new.

use std::collections::BTreeSet;

use fipscope::check::{Applicability, Finding, Severity};
use fipscope::net::netfilter::{NfFamily, parse_rule};
use fipscope::net::{NetnsName, Peer, Snapshot};
use fipscope::plan::{Action, Object, Place, Plan, Veth, VethEnd, repair, simulate};
use fipscope::topology::{FipKind, Topology};

use super::common::{FIXTURES, device, drop_link, edit_chain, edit_link, fixture, healthy, judge, only, roots};

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
    // A note can come back with what tells the agent's release.
    let left = judge(&after).into_iter().filter(|one| one.severity != Severity::Note);
    let new: Vec<String> = left.map(|one| one.id).filter(|id| !known.contains(id)).collect();
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

/// Both ends go, as the kernel does it.
fn without_pair(node: &Snapshot) -> Snapshot {
    let router = super::common::namespace(node, "qrouter-");
    let rfp = device(node, "qrouter-", "rfp-");
    let mut plan = Plan::new("delete the pair");
    let end = |name: &str| VethEnd::named(name);
    let veth = Veth { end: end(rfp.as_str()), peer_netns: Place::Host, peer: end("fpr") };
    plan.push(&Place::Netns(router), Action::Delete(Object::Veth(veth)));
    simulate(&plan, node)
}

#[test]
fn a_pair_comes_back_whole() {
    let nodes = FIXTURES.into_iter().filter(|name| *name != "S9").map(|name| (name, fixture(name)));
    let nodes: Vec<(&str, Snapshot)> = nodes.chain(healthy()).collect();
    let mut seen = 0;
    for (name, node) in nodes {
        let has_pair = |node: &Snapshot| {
            let netns = node.namespaces.iter().find(|(name, _)| name.as_str().starts_with("qrouter-"));
            netns
                .and_then(|(_, netns)| netns.seen())
                .is_some_and(|netns| netns.links().iter().any(|link| link.name.as_str().starts_with("rfp-")))
        };
        let carries = Topology::of(&node).floating_ips.iter().any(|fip| fip.kind == FipKind::Distributed);
        if !has_pair(&node) || !carries {
            continue;
        }
        seen += 1;
        let broken = without_pair(&node);
        let found = only(&broken, 201);
        assert_eq!(found.applicability, Applicability::Safe, "{name}");
        let after = clears(&broken);
        let words = |node: &Snapshot| {
            let normal = node.normalised();
            let of = |name: &NetnsName| normal.netns(name).unwrap().clone();
            let names = node.namespaces.keys().filter(|name| name.as_str().starts_with("fip-"));
            let names = names.chain(node.namespaces.keys().filter(|name| name.as_str().starts_with("qrouter-")));
            let mut words = BTreeSet::new();
            for name in names {
                let netns = of(name);
                words.extend(netns.addrs().iter().map(|addr| format!("{name} {addr}")));
                words.extend(netns.routes().iter().map(|route| format!("{name} {route}")));
                words.extend(netns.rules().iter().map(|rule| format!("{name} {rule}")));
            }
            words.retain(|words| !words.contains("fe80:") && !words.contains("ff00::"));
            // The made-up Juno node leaves the broadcast address out, which the agent sets.
            words.retain(|words| !words.contains("broadcast 192.168.1.3 "));
            words.into_iter().map(|words| words.replace(" brd 192.168.1.3 ", " ")).collect::<BTreeSet<String>>()
        };
        let (before, after) = (words(&node), words(&after));
        let lost: Vec<_> = before.difference(&after).collect();
        let new: Vec<_> = after.difference(&before).collect();
        assert!(lost.is_empty() && new.is_empty(), "{name}: lost {lost:#?}, new {new:#?}");
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn a_pair_that_nothing_tells_of_is_left_to_the_agent() {
    let mut node = fixture("S1");
    drop_link(&mut node, "fip-", "fpr-");
    edit_link(&mut node, "qrouter-", "rfp-", |link| link.peer = Some(Peer::Host(9)));
    let found = only(&node, 202);
    assert_eq!(found.applicability, Applicability::NeedsConsent);
    assert!(repair::plan(&[&found], &node).steps.iter().all(|step| !step.command().contains("link delete")));
}
