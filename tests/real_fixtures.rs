//! Snapshots of nodes that the real L3 agent built, taken by the suite in
//! `tests/real_node`: everything pure is tried on them, everywhere.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test reads files and fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fipscope::check::judge;
use fipscope::kernel::load;
use fipscope::net::{Snapshot, changes};
use fipscope::neutron::Layout;
use fipscope::report::style::Style;
use fipscope::report::{Judged, text};
use fipscope::topology::{FipKind, FipState, LinkState, Topology};

/// Scenario, layout of its router, and its floating IPs: floating, fixed, kind,
/// state. S9: a stray rule diverts the centralized one. S15: the rule stays and
/// does nothing, and nothing on the node tells the floating IP any more.
type Fip = (&'static str, &'static str, FipKind, FipState);
const NODES: [(&str, Option<Layout>, &[Fip]); 12] = [
    ("S1", PIKE, &[THREE]),
    (
        "S2",
        PIKE,
        &[THREE, ("192.168.1.4", "10.0.0.5", DIST, FipState::Ok), ("192.168.1.5", "10.0.0.6", DIST, FipState::Ok)],
    ),
    ("S3", PIKE, &[THREE, ("192.168.1.33", "30.0.0.4", DIST, FipState::Ok)]),
    ("S5", PIKE, &[THREE]),
    ("S6", PIKE, &[("192.168.1.4", "10.0.0.5", DIST, FipState::Ok)]),
    ("S8", PIKE, &[THREE]),
    ("S9", PIKE, &[THREE, ("192.168.1.9", "20.0.0.9", FipKind::Centralized, FipState::Broken)]),
    ("S10", PIKE, &[]),
    ("S11", None, &[]),
    ("S12", PIKE, &[]),
    ("S13", None, &[]),
    ("S15", None, &[("-", "10.0.0.4", DIST, FipState::Degraded)]),
];
const PIKE: Option<Layout> = Some(Layout::Pike);
const DIST: FipKind = FipKind::Distributed;
const THREE: Fip = ("192.168.1.3", "10.0.0.4", DIST, FipState::Ok);

fn snapshots() -> BTreeMap<&'static str, Snapshot> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real-node");
    NODES.iter().map(|(name, ..)| (*name, load(&dir.join(format!("{name}.json"))).unwrap())).collect()
}

#[test]
fn floating_ips_are_those_of_the_node() {
    let snapshots = snapshots();
    for (name, layout, fips) in NODES {
        let topology = Topology::of(&snapshots[name]);
        assert!(topology.routers.iter().all(|router| router.layout == layout), "{name}: {:?}", topology.routers);
        let word = |addr: Option<std::net::IpAddr>| addr.map_or("-".to_owned(), |addr| addr.to_string());
        let found: Vec<_> = topology
            .floating_ips
            .iter()
            .map(|fip| (word(fip.floating_ip), word(fip.fixed_ip), fip.kind, fip.state))
            .collect();
        let wanted: Vec<_> = fips.iter().map(|(g, f, k, s)| ((*g).to_owned(), (*f).to_owned(), *k, *s)).collect();
        assert_eq!(found, wanted, "{name}");
        assert_eq!(topology.blind, [], "{name}");
    }
}

#[test]
fn healthy_floating_ips_have_no_other_link() {
    for (name, snapshot) in snapshots() {
        for fip in Topology::of(&snapshot).floating_ips.iter().filter(|fip| fip.state == FipState::Ok) {
            assert!(fip.outbound.len() >= 13 && fip.inbound.len() >= 12, "{name}");
            for link in fip.outbound.iter().chain(&fip.inbound) {
                assert!(matches!(link.state, LinkState::Ok | LinkState::NotApplicable), "{name}: {link:?}");
            }
        }
    }
}

#[test]
fn changes_lead_from_each_node_to_each_other() {
    let snapshots = snapshots();
    for (from, before) in &snapshots {
        for (to, after) in &snapshots {
            let changes = changes(before, after);
            assert_eq!(from == to, changes.is_empty(), "{from} to {to}");
            let mut moved = before.clone();
            moved.apply(&changes);
            assert!(moved.settled() == after.settled(), "{from} to {to}");
        }
    }
}

#[test]
fn documents_come_back_as_they_went() {
    for (name, snapshot) in snapshots() {
        let text = serde_json::to_string(&snapshot).unwrap();
        assert!(serde_json::from_str::<Snapshot>(&text).unwrap() == snapshot, "{name}");
    }
}

#[test]
fn reports_fit_eighty_columns() {
    let style = Style::default();
    for (name, snapshot) in snapshots() {
        let topology = Topology::of(&snapshot);
        let (findings, acknowledged) = (judge(&snapshot, &topology), BTreeSet::new());
        let judged = Judged { findings: &findings, acknowledged: &acknowledged };
        let mut pages = vec![text::list(&snapshot, &topology, judged, style)];
        pages.extend(topology.floating_ips.iter().map(|fip| text::show(&snapshot, &topology, fip, judged, style)));
        for line in pages.iter().flat_map(|page| page.lines()) {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= 80, "{name}: {line}");
        }
    }
}
