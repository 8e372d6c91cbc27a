//! `trace` and a router at a glance: text and JSON.

use fipscope::path::Glance;
use fipscope::report::style::Style;
use fipscope::report::{Back, json, text};
use fipscope::topology::Topology;
use fipscope::topology::scenario::{ROUTER, Scenario};
use fipscope::{neutron::Layout, path::Walk};
use insta::assert_snapshot;
use serde_json::Value;

use crate::article::{broken, snapshot, unjudged};
use crate::json::valid;
use crate::text::lawful;
use crate::walks;

fn trace(walk: &Walk, back: Back<'_>, style: Style) -> String {
    text::trace(&snapshot(), &broken(), walk, back, unjudged(), style)
}

#[test]
fn out_and_back() {
    assert_snapshot!(trace(&walks::out(), Back::Walk(&walks::back()), Style::default()));
}

#[test]
fn dropped() {
    assert_snapshot!(trace(&walks::dropped(), Back::None, Style::default()));
}

#[test]
fn unknown_in_ascii() {
    assert_snapshot!(trace(&walks::unknown(), Back::NotAsked, Style { ascii: true, ..Style::default() }));
}

#[test]
fn what_the_kernel_says() {
    assert_snapshot!(trace(&walks::witnessed(walks::out()), Back::NotAsked, Style::default()));
}

#[test]
fn every_text_fits_and_keeps_the_terminal_safe() {
    for walk in walks::all() {
        for back in [Back::NotAsked, Back::None, Back::Walk(&walk)] {
            lawful(|style| trace(&walk, back, style));
        }
    }
}

#[test]
fn json_validates_in_every_state() {
    for walk in walks::all() {
        for back in [Back::NotAsked, Back::None, Back::Walk(&walk)] {
            let value = valid("trace", &json::trace(&snapshot(), &broken(), &walk, back, unjudged()));
            assert_eq!(value["hops"].as_array().unwrap().len(), walk.hops.len());
            assert_eq!(value["reply"].is_null(), !matches!(back, Back::Walk(_)));
        }
    }
}

#[test]
fn json_of_out_and_back() {
    let (out, back) = (walks::out(), walks::back());
    assert_snapshot!(json::trace(&snapshot(), &broken(), &out, Back::Walk(&back), unjudged()));
    let value =
        valid("trace", &json::trace(&snapshot(), &broken(), &walks::witnessed(out), Back::NotAsked, unjudged()));
    let kernel: Vec<&Value> = value["hops"].as_array().unwrap().iter().map(|hop| &hop["kernel"]).collect();
    assert_eq!(kernel, ["agrees", "differs"]);
    assert_eq!(value["hops"][1]["kernel_answer"], "via 169.254.31.31 dev rfp-ef25020f-0 table 16");
}

#[test]
fn routers_at_a_glance() {
    let nodes = [
        Scenario::article(Layout::Juno),
        Scenario::article(Layout::Pike).with_centralized().with_second_router(Layout::Pike),
        Scenario::legacy(None),
        Scenario::article(Layout::Newton).unreadable(fipscope::topology::scenario::QROUTER),
        Scenario::scale(Layout::Pike, 2, 60),
    ];
    for node in &nodes {
        let topology = Topology::of(&node.snapshot);
        for router in &topology.routers {
            let glance = Glance::of(&node.snapshot, &topology, router);
            lawful(|style| text::glance(&node.snapshot, &topology, &glance, style));
        }
    }
    for (name, node) in [("juno", &nodes[0]), ("pike", &nodes[1])] {
        let topology = Topology::of(&node.snapshot);
        let glance = Glance::of(&node.snapshot, &topology, topology.router(ROUTER).unwrap());
        assert_snapshot!(name, text::glance(&node.snapshot, &topology, &glance, Style::default()));
    }
}
