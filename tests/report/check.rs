//! `check`, `explain`, and what findings change in the other answers.

use std::collections::BTreeSet;

use fipscope::check::{
    AgentDoes, Applicability, Check, Code, Confidence, DecidedBy, Finding, Severity, blocked_by, standing, states,
};
use fipscope::net::NetnsName;
use fipscope::report::style::Style;
use fipscope::report::{Back, Judged, Narrowed, json, text};
use fipscope::topology::FipState::{Broken, Degraded, Ok, Unknown};
use fipscope::topology::{FipState, ObjectKind, ObjectRef, Topology};
use insta::assert_snapshot;

use crate::article::{NETWORK, ROUTER, broken, healthy, snapshot, unjudged};
use crate::json::valid;
use crate::text::lawful;
use crate::walks::{dropped, out};

fn qrouter() -> NetnsName {
    NetnsName::new(format!("qrouter-{ROUTER}"))
}

/// A finding about the node as a whole, to be told more about.
fn finding(code: u16, name: &'static str, severity: Severity, kind: ObjectKind, key: &str) -> Finding {
    Finding {
        id: format!("DVR{code}@qrouter-{ROUTER}/{key}"),
        code: Code(code),
        name,
        severity,
        confidence: Confidence::Proved,
        why_unknown: None,
        namespace: Some(qrouter()),
        object: ObjectRef { kind, key: key.to_owned() },
        router: None,
        external_network: None,
        floating_ip: None,
        fixed_ip: None,
        message: format!("{key} is not as it was built"),
        expected: None,
        actual: None,
        because_of: None,
        agent: AgentDoes::Never,
        applicability: Applicability::None,
        mend: Vec::new(),
        questions: Vec::new(),
    }
}

fn rule_missing(floating: &str, fixed: &str) -> Finding {
    let key = format!("from {fixed} lookup 16");
    let mut finding = finding(301, "floating-ip-rule-missing", Severity::Error, ObjectKind::Rule, &key);
    finding.router = Some(ROUTER.to_owned());
    (finding.floating_ip, finding.fixed_ip) = (floating.parse().ok(), fixed.parse().ok());
    finding.message = format!("no rule sends packets from {fixed} to table 16");
    finding.values(key, "nothing");
    finding
}

fn pair_down() -> Finding {
    let mut finding = finding(203, "pair-down", Severity::Error, ObjectKind::Link, "rfp-ef25020f-0");
    finding.router = Some(ROUTER.to_owned());
    finding.agent = AgentDoes::HealsOnUpdate;
    finding
}

fn leftover() -> Finding {
    let mut finding = finding(103, "router-namespace-left", Severity::Note, ObjectKind::Netns, "qrouter-b047c241");
    finding.because_of = None;
    finding
}

fn doubt() -> Finding {
    let mut finding = finding(602, "fg-down", Severity::Error, ObjectKind::OvsPort, "fg-b2b77eed-1b");
    finding.external_network = Some(NETWORK.to_owned());
    finding.confidence = Confidence::Unknown;
    finding.why_unknown = Some("Open vSwitch's database could not be read: permission denied".to_owned());
    finding
}

/// Two causes, three consequences of the first, a note, something not told.
fn findings() -> Vec<Finding> {
    let pair = pair_down();
    let follow = |code: u16, name, address: &str, fixed: &str| {
        let mut finding = rule_missing(address, fixed);
        (finding.code, finding.name) = (Code(code), name);
        finding.id = format!("DVR{code}@fip-{NETWORK}/{address}");
        finding.because_of = Some(pair.id.clone());
        finding
    };
    let consequences = [
        follow(405, "association-half-done", "192.168.1.3", "10.0.0.4"),
        follow(501, "floating-ip-route-missing", "192.168.1.3", "10.0.0.4"),
        follow(501, "floating-ip-route-missing", "192.168.1.33", "10.0.0.5"),
    ];
    let mut list = vec![pair.clone(), rule_missing("192.168.1.7", "10.0.0.9"), leftover(), doubt()];
    list.extend(consequences);
    list
}

fn judged<'a>(findings: &'a [Finding], acknowledged: &'a BTreeSet<String>) -> Judged<'a> {
    Judged { findings, acknowledged }
}

fn page(topology: &Topology, judged: Judged<'_>, narrowed: &Narrowed<'_>, style: Style) -> String {
    text::check(&snapshot(), topology, judged, narrowed, None, style)
}

#[test]
fn text_of_roots_with_what_follows() {
    let (findings, none) = (findings(), BTreeSet::new());
    assert_snapshot!(page(&broken(), judged(&findings, &none), &Narrowed::default(), Style::default()));
    lawful(|style| page(&broken(), judged(&findings, &none), &Narrowed::default(), style));
}

#[test]
fn what_is_acknowledged_stands_apart_with_what_follows() {
    let findings = findings();
    let accepted = BTreeSet::from([findings[0].id.clone()]);
    let judged = judged(&findings, &accepted);
    let shown = judged.shown(&broken(), &Narrowed::default());
    let counts = shown.counts();
    assert_eq!((counts.errors, counts.notes, counts.unknown, counts.acknowledged), (1, 1, 1, 1));
    assert_eq!((shown.acknowledged.len(), shown.acknowledged[0].consequences.len()), (1, 3));
    let value = valid("check", &json::check(&snapshot(), &broken(), judged, &Narrowed::default()));
    let flags: Vec<bool> =
        value["findings"].as_array().unwrap().iter().map(|one| one["acknowledged"].as_bool().unwrap()).collect();
    assert_eq!(flags, [false, false, false, true, true, true, true]);
    lawful(|style| page(&broken(), judged, &Narrowed::default(), style));
}

#[test]
fn json_of_all_and_of_nothing() {
    let (findings, none) = (findings(), BTreeSet::new());
    let all = judged(&findings, &none);
    let value = valid("check", &json::check(&snapshot(), &broken(), all, &Narrowed::default()));
    assert_eq!(value["summary"]["errors"], 2);
    assert_eq!(value["findings"].as_array().unwrap().len(), findings.len());
    assert_eq!(value["findings"][0]["id"], findings[0].id.as_str());
    assert_eq!(value["findings"][6]["because_of"], findings[0].id.as_str());
    let value = valid("check", &json::check(&snapshot(), &healthy(), unjudged(), &Narrowed::default()));
    assert_eq!(value["findings"].as_array().map(Vec::len), Some(0));
}

#[test]
fn one_floating_ip_is_told_its_own_and_its_router_s() {
    let (findings, none, topology) = (findings(), BTreeSet::new(), broken());
    let codes = |address: &str| {
        let fip = topology.floating_ips.iter().find(|fip| fip.floating_ip == address.parse().ok()).unwrap();
        let narrowed = Narrowed { floating_ip: Some(fip), ..Narrowed::default() };
        let shown = judged(&findings, &none).shown(&topology, &narrowed);
        shown.all().map(|finding| finding.code.0).collect::<Vec<_>>()
    };
    assert_eq!(codes("192.168.1.7"), [203, 301, 602]);
    assert_eq!(codes("192.168.1.3"), [203, 602, 405, 501]);
}

#[test]
fn codes_narrow_it() {
    let (findings, none, topology) = (findings(), BTreeSet::new(), broken());
    let shown = |select: &str, ignore: &str| {
        let patterns = |text: &str| text.split_whitespace().map(|word| word.parse().unwrap()).collect();
        let pick = fipscope::check::Pick { select: patterns(select), ignore: patterns(ignore) };
        let narrowed = Narrowed { pick, ..Narrowed::default() };
        let shown = judged(&findings, &none).shown(&topology, &narrowed);
        (shown.all().map(|finding| finding.code.0).collect::<Vec<_>>(), shown.has_faults())
    };
    assert_eq!(shown("DVR3", ""), (vec![301], true));
    assert_eq!(shown("DVR1 DVR6", ""), (vec![103, 602], false));
    // Consequences stand alone where their cause was left out.
    assert_eq!(shown("", "DVR2 DVR6 DVR1 DVR301"), (vec![405, 501, 501], true));
}

#[test]
fn a_clean_floating_ip_is_told_where_to_look_next() {
    let topology = healthy();
    let narrowed = Narrowed { floating_ip: Some(&topology.floating_ips[0]), ..Narrowed::default() };
    let said = text::passes(&out(), &crate::walks::back()).unwrap();
    let page = |style| text::check(&snapshot(), &topology, unjudged(), &narrowed, Some(&said), style);
    assert_snapshot!(page(Style::default()));
    lawful(page);
    assert_eq!(text::passes(&out(), &dropped()), None);
}

#[test]
fn a_broken_chain_without_a_finding_is_not_called_clean() {
    let topology = broken();
    let narrowed = Narrowed { floating_ip: Some(&topology.floating_ips[1]), ..Narrowed::default() };
    let text = page(&topology, unjudged(), &narrowed, Style::default());
    assert!(!text.contains("did its part"), "{text}");
    let text = page(&topology, unjudged(), &Narrowed::default(), Style::default());
    assert!(!text.contains("did its part") && text.contains("broken"), "{text}");
}

#[test]
fn states_follow_from_findings_and_from_the_chain_where_there_is_none() {
    let topology = broken();
    let of = |findings: &[Finding]| -> Vec<FipState> {
        states(&topology, findings).iter().map(|standing| standing.state).collect()
    };
    assert_eq!(of(&[]), [Ok, Broken, Degraded, Unknown, Broken]);
    assert_eq!(of(&[pair_down()]), [Broken; 5]);
    assert_eq!(of(&[leftover()]), [Ok, Broken, Degraded, Unknown, Broken]);
    assert_eq!(of(&[doubt()]), [Unknown, Broken, Degraded, Unknown, Broken]);
    let mut mild = rule_missing("192.168.1.3", "10.0.0.4");
    mild.at_most(Severity::Warning);
    assert_eq!(of(&[mild.clone()]), [Degraded, Broken, Degraded, Unknown, Broken]);
    // The same address of another router is another floating IP.
    mild.router = Some("b047c241".to_owned());
    assert_eq!(of(&[mild])[0], Ok);
    // SNAT carries no distributed floating IP; another subnet's port is not its own.
    let mut snat = pair_down();
    snat.code = Code(803);
    let mut port = pair_down();
    (port.code, port.object.key) = (Code(710), "qr-369f59a5-2c".to_owned());
    assert_eq!(of(&[snat, port.clone()])[0], Ok);
    port.object.key = "qr-c2e43983-5c".to_owned();
    assert_eq!(of(&[port])[0], Broken);
}

#[test]
fn the_worst_finding_is_named_and_every_code_listed() {
    let (findings, topology) = (findings(), broken());
    let standing = standing(&topology, &topology.floating_ips[0], &findings);
    assert_eq!(standing.worst().map(|finding| finding.code), Some(Code(203)));
    assert_eq!(standing.codes(), [203, 405, 501, 602].map(Code));
    let none = BTreeSet::new();
    let judged = judged(&findings, &none);
    let list = valid("list", &json::list(&snapshot(), &topology, judged));
    assert_eq!(list["floating_ips"][0]["codes"][0], "DVR203");
    let show = valid("show", &json::show(&snapshot(), &topology, &topology.floating_ips[0], judged));
    assert_eq!((show["findings"].as_array().unwrap().len(), &show["state"]), (4, &"broken".into()));
    assert_snapshot!("list", text::list(&snapshot(), &topology, judged, Style::default()));
    lawful(|style| text::list(&snapshot(), &topology, judged, style));
    lawful(|style| text::show(&snapshot(), &topology, &topology.floating_ips[1], judged, style));
}

#[test]
fn a_stopped_packet_names_the_finding_about_what_stopped_it() {
    let topology = broken();
    let walk = dropped();
    let code = |findings: &[Finding]| blocked_by(&topology, findings, &walk).map(|finding| finding.code.0);
    let mut exact = finding(302, "table-empty", Severity::Warning, ObjectKind::Route, "default table 16");
    assert_eq!(code(&[]), None);
    assert_eq!(code(&[pair_down(), exact.clone()]), Some(302));
    exact.object.key = "default table 17".to_owned();
    assert_eq!(code(&[exact.clone()]), None);
    exact.severity = Severity::Error;
    exact.router = Some(ROUTER.to_owned());
    assert_eq!(code(&[leftover(), exact]), Some(302));
    // Another floating IP's fault stops no packet of this one.
    assert_eq!(code(&[rule_missing("192.168.1.7", "10.0.0.9")]), None);
    assert_eq!(code(&[pair_down(), rule_missing("192.168.1.3", "10.0.0.4")]), Some(301));
    let findings = [rule_missing("192.168.1.3", "10.0.0.4")];
    let none = BTreeSet::new();
    let judged = judged(&findings, &none);
    let value = valid("trace", &json::trace(&snapshot(), &topology, &walk, Back::NotAsked, judged));
    assert_eq!(value["blocked_by"], "DVR301");
    let text = text::trace(&snapshot(), &topology, &walk, Back::NotAsked, judged, Style::default());
    assert!(text.contains("DVR301 floating-ip-rule-missing"), "{text}");
    assert_eq!(blocked_by(&topology, &findings, &out()), None);
}

static EXAMPLE: Check = Check {
    code: Code(301),
    name: "floating-ip-rule-missing",
    title: "floating-IP rule missing in the router's namespace",
    severity: Severity::Error,
    agent: AgentDoes::HealsOnReassociation,
    decided_by: DecidedBy::Elsewhere,
    page: "# DVR301 floating-ip-rule-missing\n\n## What it checks\n\nThat each floating IP has a rule\n`from FIXED lookup 16` in the router's namespace.\n\n```sh\nip -n qrouter-… rule\n```\n",
};

#[test]
fn a_page_and_the_list_of_codes() {
    assert_snapshot!(text::explain(&EXAMPLE, Style::default()));
    lawful(|style| text::explain(&EXAMPLE, style));
    assert_snapshot!("codes", text::codes([&EXAMPLE].into_iter(), Style::default()));
    lawful(|style| text::codes([&EXAMPLE].into_iter(), style));
    let at = snapshot().taken_at;
    let value = valid("explain", &json::explain("compute-12", at, &[&EXAMPLE]));
    assert_eq!((&value["codes"][0]["code"], &value["codes"][0]["decided_by"]), (&"DVR301".into(), &"elsewhere".into()));
    valid("explain", &json::explain("compute-12", at, &[]));
    valid("acknowledge", &json::acknowledge(&snapshot(), "DVR301@x/y", true));
}
