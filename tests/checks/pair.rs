//! The pair: each fault is found as what it is.

use fipscope::check::Severity;
use fipscope::net::{IFF_UP, NeighState, Observed, Snapshot};

use super::common::{
    FIXTURES, calm, device, drop_addr, drop_link, drop_neigh, drop_route, edit, edit_link, fixture, healthy, only,
};

/// A real node with one router and one floating IP, broken.
fn broken(fault: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut node = fixture("S1");
    fault(&mut node);
    node
}

fn found(code: u16, namespace: &str, device: &str, node: &Snapshot) -> fipscope::check::Finding {
    let finding = only(node, code);
    assert!(finding.namespace.as_ref().unwrap().as_str().starts_with(namespace), "{finding:?}");
    assert!(finding.object.key.contains(device), "{finding:?}");
    assert!(finding.expected.is_some() && finding.actual.is_some() && finding.router.is_some(), "{finding:?}");
    finding
}

#[test]
fn healthy_nodes_are_calm() {
    for (name, node) in healthy() {
        calm(name, &node, 201..=299);
    }
    for name in FIXTURES {
        calm(name, &fixture(name), 201..=299);
    }
}

#[test]
fn devices_missing_and_down() {
    let both = broken(|node| {
        drop_link(node, "qrouter-", "rfp-");
        drop_link(node, "fip-", "fpr-");
    });
    found(201, "qrouter-", "rfp-", &both);
    let inner = broken(|node| drop_link(node, "qrouter-", "rfp-"));
    found(201, "qrouter-", "rfp-", &inner);
    let down = broken(|node| edit_link(node, "qrouter-", "rfp-", |link| link.flags &= !IFF_UP));
    let finding = found(203, "qrouter-", "rfp-", &down);
    assert_eq!(finding.mend.len(), 1, "{finding:?}");
    let down = broken(|node| {
        edit_link(node, "fip-", "fpr-", |link| link.flags &= !IFF_UP);
        drop_route(node, "fip-", "dev fpr-");
        drop_neigh(node, "fip-", "dev fpr-");
    });
    let finding = found(203, "fip-", "fpr-", &down);
    assert_eq!(finding.mend.len(), 3, "link, neighbour, route: {finding:?}");
}

#[test]
fn a_peer_that_is_gone() {
    let node = broken(|node| {
        drop_link(node, "fip-", "fpr-");
        edit_link(node, "qrouter-", "rfp-", |link| link.peer = Some(fipscope::net::Peer::Host(9)));
    });
    let finding = only(&node, 202);
    assert!(finding.object.key.starts_with("fpr-"), "{finding:?}");
}

#[test]
fn addresses_missing_and_wrong() {
    let inner = broken(|node| {
        drop_addr(node, "qrouter-", "169.254.");
        drop_route(node, "qrouter-", "dev rfp-");
    });
    let finding = found(204, "qrouter-", "rfp-", &inner);
    assert!(finding.mend.len() >= 2, "{finding:?}");
    let other = broken(|node| {
        let name = device(node, "fip-", "fpr-");
        edit(node, "fip-", |netns| {
            let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
            let addr = addrs.iter_mut().find(|addr| addr.dev == name && addr.address.addr().is_ipv4()).unwrap();
            addr.address = "169.254.99.1/31".parse().unwrap();
        });
    });
    found(205, "fip-", "fpr-", &other);
    let two = broken(|node| {
        let name = device(node, "qrouter-", "rfp-");
        edit(node, "qrouter-", |netns| {
            let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
            let mut addr = addrs.iter().find(|addr| addr.dev == name && addr.address.addr().is_ipv4()).unwrap().clone();
            addr.address = "169.254.99.0/31".parse().unwrap();
            addrs.push(addr);
        });
    });
    let finding = found(207, "qrouter-", "169.254.99.0/31", &two);
    assert_eq!((finding.severity, finding.mend.len()), (Severity::Warning, 1));
}

#[test]
fn neighbours_missing_and_wrong() {
    let gone = broken(|node| drop_neigh(node, "qrouter-", "dev rfp-"));
    assert_eq!(found(208, "qrouter-", "rfp-", &gone).severity, Severity::Warning);
    let wrong = broken(|node| {
        let name = device(node, "fip-", "fpr-");
        edit(node, "fip-", |netns| {
            let Observed::Seen(neighs) = &mut netns.neighs else { panic!("not read") };
            let is_pair = |neigh: &&mut fipscope::net::Neigh| neigh.dev == name && neigh.state == NeighState::Permanent;
            let neigh = neighs.iter_mut().find(is_pair).unwrap();
            neigh.mac = Some(fipscope::net::Mac([2, 0, 0, 0, 0, 1]));
        });
    });
    let finding = found(208, "fip-", "fpr-", &wrong);
    assert_eq!((finding.severity, finding.mend.len()), (Severity::Error, 1));
}

#[test]
fn mtus() {
    let one = broken(|node| edit_link(node, "qrouter-", "rfp-", |link| link.mtu = 1400));
    found(209, "qrouter-", "rfp-", &one);
    let both = broken(|node| {
        edit_link(node, "qrouter-", "rfp-", |link| link.mtu = 1300);
        edit_link(node, "fip-", "fpr-", |link| link.mtu = 1300);
    });
    found(210, "qrouter-", "rfp-", &both);
}

#[test]
fn a_leftover_of_old() {
    let node = broken(|node| {
        let name = device(node, "qrouter-", "rfp-");
        edit(node, "qrouter-", |netns| {
            let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
            let mut addr = addrs.iter().find(|addr| addr.dev == name && addr.address.addr().is_ipv4()).unwrap().clone();
            addr.address = "192.168.1.3/32".parse().unwrap();
            addrs.push(addr);
        });
    });
    let finding = found(211, "qrouter-", "192.168.1.3/32", &node);
    assert_eq!(finding.floating_ip, Some("192.168.1.3".parse().unwrap()));
}

#[test]
fn a_flap_takes_routes_and_neighbours() {
    let outer = broken(|node| {
        drop_route(node, "fip-", "dev fpr-");
        drop_neigh(node, "fip-", "dev fpr-");
        // The kernel brings its own back.
        let intact = fixture("S1");
        let fip = super::common::namespace(&intact, "fip-");
        let own = intact.netns(&fip).unwrap().routes().iter().filter(|route| route.protocol == 2).cloned();
        edit(node, "fip-", |netns| {
            let Observed::Seen(routes) = &mut netns.routes else { panic!("not read") };
            let missing: Vec<_> = own.filter(|route| !routes.contains(route)).collect();
            routes.extend(missing);
            netns.sort();
        });
    });
    let finding = found(212, "fip-", "fpr-", &outer);
    assert_eq!(finding.mend.len(), 2, "{finding:?}");
}
