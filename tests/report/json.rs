//! JSON: every document validates against its schema, in every state.

use std::fs;
use std::path::Path;

use fipscope::net::{Addr, AddrFlags, Agent, Change, Fact, Link, Netns, Object, Observed, Part, Rule, TableId};
use fipscope::report::style::Style;
use fipscope::report::{json, text};
use fipscope::topology::Topology;
use serde_json::Value;

use crate::article::{NETWORK, broken, empty, healthy, snapshot, unjudged};

pub(crate) fn valid(name: &str, document: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/schema/fipscope.{name}.1.json"));
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    let value: Value = serde_json::from_str(document).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path)).collect();
    assert!(errors.is_empty(), "{}\n{document}", errors.join("\n"));
    for (at, key) in ["schema", "node", "taken_at"].iter().enumerate() {
        assert!(document.lines().nth(at + 1).is_none_or(|line| line.contains(key)) || name == "snapshot", "{document}");
    }
    value
}

fn states() -> [Topology; 3] {
    [healthy(), broken(), empty()]
}

#[test]
fn list_validates_in_every_state() {
    for topology in states() {
        let value = valid("list", &json::list(&snapshot(), &topology, unjudged()));
        assert_eq!(value["schema"], "fipscope.list/1");
        assert_eq!(value["floating_ips"].as_array().unwrap().len(), topology.floating_ips.len());
    }
}

#[test]
fn list_of_the_article() {
    insta::assert_snapshot!(json::list(&snapshot(), &healthy(), unjudged()));
}

#[test]
fn list_keeps_what_is_not_known_as_null() {
    let mut topology = broken();
    let router = &mut topology.routers[0];
    (router.namespace, router.layout, router.rtr_2_fip, router.fip_2_rtr) = (None, None, None, None);
    topology.external_networks[0].gateway_port = None;
    let value = valid("list", &json::list(&snapshot(), &topology, unjudged()));
    assert_eq!(value["routers"][0]["layout"], Value::Null);
    assert_eq!(value["external_networks"][0]["gateway_port"], Value::Null);
    assert_eq!(value["floating_ips"][4]["floating_ip"], Value::Null);
}

#[test]
fn show_validates_for_every_floating_ip() {
    for topology in states() {
        for fip in &topology.floating_ips {
            let value = valid("show", &json::show(&snapshot(), &topology, fip, unjudged()));
            assert_eq!(value["outbound"].as_array().unwrap().len(), fip.outbound.len());
        }
    }
}

#[test]
fn show_of_a_broken_one() {
    insta::assert_snapshot!(json::show(&snapshot(), &broken(), &broken().floating_ips[1], unjudged()));
}

#[test]
fn a_wrong_document_does_not_validate() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/schema/fipscope.list.1.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let good: Value = serde_json::from_str(&json::list(&snapshot(), &healthy(), unjudged())).unwrap();
    assert!(validator.is_valid(&good));
    for (pointer, wrong) in [
        ("/routers/0/layout", Value::from("kilo")),
        ("/floating_ips/0/rule_priority", Value::from("32768")),
        ("/external_networks/0/gateway_port/mac", Value::from("00-11")),
        ("/taken_at", Value::from("yesterday")),
        ("/node", Value::Null),
    ] {
        let mut value = good.clone();
        *value.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&value), "{pointer}");
    }
    let mut more = good.clone();
    more["routers"][0]["colour"] = Value::from("red");
    assert!(!validator.is_valid(&more));
}

#[test]
fn diff_validates_and_keeps_both_sides() {
    let netns = fipscope::net::NetnsName::new(format!("fip-{NETWORK}"));
    let addr = |address: &str| {
        Object::Addr(Addr {
            dev: "fg-b2b77eed-1b".into(),
            address: address.parse().unwrap(),
            peer: None,
            broadcast: None,
            scope: 0,
            flags: AddrFlags::default(),
        })
    };
    let rule = Object::Rule(Box::new(Rule::lookup(fipscope::net::Family::V4, 32768, TableId(16))));
    let netns = Some(netns);
    let kernel = |release: &str| Object::Fact(Fact::Kernel(Some(release.to_owned())));
    let agent = |pid| Object::Part(Box::new(Part::Agent(Observed::Seen(Agent { pid, ..Agent::default() }))));
    let changes = [
        Change::new(netns.clone(), None, Some(addr("192.168.1.23/24"))),
        Change::new(netns.clone(), Some(addr("192.168.1.23/24")), Some(addr("192.168.1.23/25"))),
        Change::new(netns, Some(rule), None),
        Change::new(None, Some(kernel("6.1.0")), Some(kernel("6.12.0"))),
        Change::new(None, Some(agent(1)), Some(agent(2))),
    ];
    insta::assert_snapshot!(text::diff(&snapshot(), &snapshot(), &changes, 0, Style::default()));
    let value = valid("diff", &json::diff(&snapshot(), &snapshot(), &changes));
    assert_eq!(value["changes"][0]["before"], Value::Null);
    assert_eq!(value["changes"][2]["after"], Value::Null);
    assert_eq!(value["changes"][2]["object"]["kind"], "rule");
    assert_eq!(value["changes"][3]["object"]["key"], "kernel");
    assert_eq!(value["changes"][4]["object"]["key"], "L3 agent");
    valid("diff", &json::diff(&snapshot(), &snapshot(), &[]));
}

#[test]
fn snapshot_validates_and_loads_again() {
    let mut snapshot = snapshot();
    let netns = Netns {
        links: Observed::Seen(Vec::<Link>::new()),
        routes: Observed::Unreadable("no".to_owned()),
        sysctls: [("net.ipv4.ip_forward".to_owned(), Observed::Seen(1))].into(),
        conntrack: Some(Observed::Seen(Vec::new())),
        ..Netns::default()
    };
    snapshot.namespaces.insert("qrouter-x".into(), Observed::Seen(netns.into()));
    snapshot.namespaces.insert("fip-y".into(), Observed::Unreadable("operation not permitted".to_owned()));
    let document = json::snapshot(&snapshot);
    valid("snapshot", &document);
    assert_eq!(serde_json::from_str::<fipscope::net::Snapshot>(&document).unwrap(), snapshot);
}
