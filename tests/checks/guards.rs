//! What looks wrong and is right: no check may accuse it.

use fipscope::net::{Netns, Observed, Snapshot};
use fipscope::topology::scenario::{SNAT, Scenario};
use fipscope::topology::{FipKind, FipState, RouterKind, Topology};

use super::common::{FIXTURES, fixture, healthy, judge, notes, roots, unknowns};

/// `rp_filter` as `net.ipv4.conf.all` and every device of every namespace have it.
fn filtering(node: &Snapshot, level: u8) -> Snapshot {
    let mut node = node.clone();
    for netns in node.namespaces.values_mut().filter_map(Observed::make_mut) {
        netns.sysctls.insert("net.ipv4.conf.all.rp_filter".to_owned(), Observed::Seen(level.into()));
        let Observed::Seen(links) = &mut netns.links else { continue };
        links.iter_mut().filter_map(|link| link.ipv4.as_mut()).for_each(|conf| conf.rp_filter = level);
    }
    node
}

/// In the snat namespace of a standby, keepalived has taken the addresses away and
/// the agent has switched the gateway port off.
#[test]
fn a_standby_of_a_distributed_router_waits() {
    let standby = Scenario::distributed_ha(false).snapshot;
    let snat = standby.netns(&SNAT.into()).unwrap();
    let (on, off): (Vec<_>, Vec<_>) = snat.links().iter().partition(|link| link.is_up());
    assert!(off.len() == 1 && off[0].name.as_str().starts_with("qg-"), "{off:?}");
    assert!(snat.addrs().iter().all(|addr| addr.dev.as_str().starts_with("ha-")) && on.len() == 3, "{on:?}");

    let topology = Topology::of(&standby);
    assert_eq!(topology.routers[0].kind, RouterKind::DistributedHa);
    assert!(topology.floating_ips.iter().any(|fip| fip.kind == FipKind::Distributed), "{topology:#?}");
    let primary = Scenario::distributed_ha(true).snapshot;
    assert_eq!((roots(&standby), unknowns(&standby)), (Vec::new(), unknowns(&primary)));
    // Nor where the agent has made no rules for floating IPs there.
    let bare = Scenario::distributed_ha(false)
        .without_nat(SNAT, "agent-PREROUTING", "Dnat")
        .without_nat(SNAT, "agent-OUTPUT", "Dnat")
        .without_nat(SNAT, "float-snat", "Snat");
    assert_eq!((roots(&bare.snapshot), unknowns(&bare.snapshot)), (Vec::new(), unknowns(&primary)));
}

/// The same without VRRP is a fault.
#[test]
fn the_same_without_vrrp_is_no_standby() {
    let waiting = Scenario::distributed_ha(false).without_link(SNAT, "ha-550dc175-c0").snapshot;
    let codes: Vec<u16> = roots(&waiting).iter().map(|root| root.0).collect();
    assert!(codes.contains(&803) && codes.contains(&805), "{codes:?}");
}

/// The strict and the loose filter let a whole chain's packets pass: the way back
/// is found by the same rules.
#[test]
fn a_reverse_path_filter_on_a_whole_chain_refuses_nobody() {
    let mut nodes: Vec<(&str, Snapshot)> = healthy();
    nodes.extend(FIXTURES.map(|name| (name, fixture(name))));
    for (name, node) in &nodes {
        let found = |node: &Snapshot| (roots(node), notes(node), unknowns(node));
        let (without, states) = (found(&filtering(node, 0)), states(node));
        assert_eq!(without, found(node), "{name}");
        for level in [1, 2] {
            let filtered = filtering(node, level);
            assert_eq!(found(&filtered), without, "{name}, rp_filter {level}");
            assert_eq!(self::states(&filtered), states, "{name}, rp_filter {level}");
        }
    }
}

fn states(node: &Snapshot) -> Vec<FipState> {
    fipscope::check::states(&Topology::of(node), &judge(node)).iter().map(|one| one.state).collect()
}

type Cut = fn(&mut Netns);

fn unread<T>() -> Observed<T> {
    Observed::Unreadable("netlink: Operation not permitted".to_owned())
}

/// What could not be read of a namespace, all of it or a part, is no fault.
#[test]
fn what_cannot_be_read_is_accused_of_nothing() {
    let parts: [(&str, Cut); 6] = [
        ("links", |netns| netns.links = unread()),
        ("addresses", |netns| netns.addrs = unread()),
        ("rules", |netns| netns.rules = unread()),
        ("routes", |netns| netns.routes = unread()),
        ("neighbours", |netns| netns.neighs = unread()),
        ("packet filter", |netns| netns.netfilter = unread()),
    ];
    let mut nodes: Vec<(&str, Snapshot)> = healthy();
    nodes.extend(FIXTURES.map(|name| (name, fixture(name))));
    let mut wrong = Vec::new();
    for (name, node) in &nodes {
        let known = roots(node);
        for place in node.namespaces.keys() {
            let blind = Scenario { snapshot: node.clone() }.unreadable(place.as_str()).snapshot;
            let mut blind = vec![("all", blind)];
            blind.extend(parts.map(|(part, cut)| {
                let mut node = node.clone();
                cut(node.netns_mut(place).unwrap());
                (part, node)
            }));
            for (part, node) in blind {
                let accused = roots(&node).into_iter().filter(|root| !known.contains(root));
                wrong.extend(accused.map(|root| format!("{name}, {part} of {place} not read: {root:?}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
