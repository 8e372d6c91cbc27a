//! DVR701 to DVR710 on nodes of the real agent, broken one by one.

use fipscope::check::Confidence;
use fipscope::net::{NeighState, Observed, OvsInterface, OvsPort, Snapshot};

use crate::common::{
    FIXTURES, calm, drop_addr, drop_link, edit, fixture, healthy, judge, namespace, only, root_findings,
};

#[test]
fn healthy_nodes_have_nothing_of_it() {
    for (name, snapshot) in healthy() {
        calm(name, &snapshot, 701..=710);
    }
    for name in FIXTURES {
        calm(name, &fixture(name), 701..=710);
    }
}

#[test]
fn entries_that_are_gone() {
    let mut node = fixture("S1");
    edit(&mut node, "qrouter", |netns| {
        let Observed::Seen(neighs) = &mut netns.neighs else { panic!("not read") };
        neighs.retain(|neigh| neigh.address.to_string() != "10.0.0.200");
    });
    let found = only(&node, 701);
    assert_eq!(found.object.key, "10.0.0.200 dev qr-c2e43983-5c");

    let mut node = fixture("S1");
    edit(&mut node, "qrouter", |netns| {
        let Observed::Seen(neighs) = &mut netns.neighs else { panic!("not read") };
        let one = neighs.iter().find(|neigh| neigh.address.to_string() == "10.0.0.4").unwrap().clone();
        let address = "10.0.0.77".parse().unwrap();
        neighs.push(fipscope::net::Neigh { address, mac: None, state: NeighState::Failed, ..one });
    });
    assert_eq!(only(&node, 701).fixed_ip.unwrap().to_string(), "10.0.0.77");
}

#[test]
fn an_entry_on_the_wrong_port() {
    let mut node = fixture("S1");
    edit(&mut node, "qrouter", |netns| {
        let Observed::Seen(neighs) = &mut netns.neighs else { panic!("not read") };
        let one = neighs.iter().find(|neigh| neigh.address.to_string() == "10.0.0.4").unwrap().clone();
        neighs.push(fipscope::net::Neigh { dev: "qr-369f59a5-2c".into(), ..one });
    });
    let found = only(&node, 703);
    assert_eq!(found.object.key, "10.0.0.4 dev qr-369f59a5-2c");
    node.apply(&found.mend);
    calm("mended", &node, 701..=710);
}

#[test]
fn a_port_that_is_down_or_bare() {
    let mut node = fixture("S1");
    edit(&mut node, "qrouter", |netns| {
        let Observed::Seen(links) = &mut netns.links else { panic!("not read") };
        let port = links.iter_mut().find(|link| link.name.as_str() == "qr-369f59a5-2c").unwrap();
        port.flags &= !1;
    });
    let found = only(&node, 710);
    assert_eq!(found.object.key, "qr-369f59a5-2c");
    node.apply(&found.mend);
    calm("mended", &node, 701..=710);

    let mut node = fixture("S1");
    edit(&mut node, "qrouter", |netns| {
        let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
        addrs.retain(|addr| addr.dev.as_str() != "qr-369f59a5-2c");
    });
    let found = only(&node, 710);
    assert_eq!(found.expected.as_deref(), Some("inet 20.0.0.1/24 on a qr- port"));
    node.apply(&found.mend);
    calm("mended", &node, 701..=710);
}

#[test]
fn a_snat_port_is_not_blamed_for_the_subnet_that_lost_its_gateway() {
    let address: fn(&mut Snapshot) = |node| drop_addr(node, "qrouter-", "10.0.0.1/24");
    for gone in [address, |node| drop_link(node, "qrouter-", "qr-c2e43983-5c")] {
        let whole = fixture("S5");
        let (mut node, name) = (whole.clone(), namespace(&whole, "qrouter-"));
        gone(&mut node);
        let cause = only(&node, 710);
        assert_eq!(cause.object.key, "10.0.0.1/24 on qr-…");
        let all = judge(&node);
        let follows = all.iter().find(|one| one.code.0 == 803).unwrap();
        assert_eq!(follows.because_of.as_ref(), Some(&cause.id), "{follows:#?}");
        if cause.actual.as_deref() != Some("no such port") {
            // The redirect that was left alone serves again.
            let after = super::repairs::clears(&node);
            assert_eq!(after.netns(&name).unwrap().rules(), whole.netns(&name).unwrap().rules());
        }
        // The snat port of another subnet is a fault of its own.
        drop_addr(&mut node, "snat-", "20.0.0.200/24");
        let roots: Vec<_> = root_findings(&node).iter().map(|one| one.code.0).collect();
        assert_eq!(roots, [710, 803]);
    }
}

/// An instance's port in Open vSwitch.
fn plugged(node: &mut Snapshot, name: &str, tag: u16, mac: &str) {
    let Observed::Seen(ovs) = &mut node.host.ovs else { panic!("not read") };
    let (name, attached_mac) = (name.to_owned(), Some(mac.to_owned()));
    let own = OvsInterface { name: name.clone(), attached_mac, ..OvsInterface::default() };
    ovs.ports.push(OvsPort { name, bridge: "br-int".to_owned(), tag: Some(tag), interfaces: vec![own] });
    ovs.ports.sort();
}

#[test]
fn an_entry_for_no_port_where_one_port_has_no_entry() {
    const OWN: &str = "fa:16:3e:07:48:07";
    const OTHER: &str = "fa:16:3e:00:00:66";
    let node = |ports: &[(&str, u16, &str)]| {
        let mut node = fixture("S1");
        for (name, tag, mac) in ports {
            plugged(&mut node, name, *tag, mac);
        }
        node
    };
    let frozen = node(&[("tap11111111-11", 2, OTHER)]);
    let found = only(&frozen, 702);
    assert_eq!((found.object.key.as_str(), found.confidence), ("10.0.0.4 dev qr-c2e43983-5c", Confidence::Inferred));
    assert_eq!(found.actual.as_deref(), Some("10.0.0.4 dev qr-c2e43983-5c lladdr fa:16:3e:07:48:07 PERMANENT"));
    assert_eq!(found.expected.as_deref(), Some("10.0.0.4 dev qr-c2e43983-5c lladdr fa:16:3e:00:00:66 PERMANENT"));
    let mut mended = frozen.clone();
    mended.apply(&found.mend);
    calm("mended", &mended, 701..=710);
    // Its port is here; on another network; several could be it; the other one has its own entry.
    let led_to = "fa:16:3e:ac:4f:39";
    for (name, ports) in [
        ("right", &[("tap11111111-11", 2, OWN), ("tap22222222-22", 2, OTHER)][..]),
        ("elsewhere", &[("tap11111111-11", 3, OTHER)]),
        ("dead", &[("tap11111111-11", 4095, OTHER)]),
        ("two", &[("tap11111111-11", 2, OTHER), ("tap22222222-22", 2, "fa:16:3e:00:00:67")]),
        ("led to", &[("tap11111111-11", 2, led_to)]),
        ("not wired yet", &[("tap11111111-11", 4095, OWN), ("tap22222222-22", 2, OTHER)]),
    ] {
        calm(name, &node(ports), 701..=710);
    }
    // An instance of another node has an entry, too, and no floating IP here.
    let mut remote = frozen;
    edit(&mut remote, "qrouter", |netns| {
        let Observed::Seen(neighs) = &mut netns.neighs else { panic!("not read") };
        let entry = neighs.iter_mut().find(|neigh| neigh.address.to_string() == "10.0.0.4").unwrap();
        entry.mac = Some(OTHER.parse().unwrap());
        let far = fipscope::net::Neigh { address: "10.0.0.9".parse().unwrap(), mac: OWN.parse().ok(), ..entry.clone() };
        neighs.push(far);
    });
    calm("remote", &remote, 701..=710);
}

#[test]
fn two_routers_on_one_network() {
    let mut node = fixture("S3");
    let tag = node.host.ovs.seen().unwrap().port("qr-c2e43983-5c").unwrap().tag;
    let Observed::Seen(ovs) = &mut node.host.ovs else { panic!("not read") };
    for port in ovs.ports.iter_mut().filter(|port| port.name.starts_with("qr-")) {
        port.tag = tag;
    }
    edit(&mut node, "qrouter-b047c", |netns| {
        let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
        for addr in addrs.iter_mut().filter(|addr| addr.address.to_string() == "30.0.0.1/24") {
            addr.address = "10.0.0.1/24".parse().unwrap();
        }
    });
    edit(&mut node, "qrouter-ef25", |netns| {
        let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
        for addr in addrs.iter_mut().filter(|addr| addr.address.to_string() == "10.0.0.1/24") {
            addr.address = "10.0.0.9/24".parse().unwrap();
        }
    });
    let found: Vec<_> = crate::common::judge(&node).into_iter().filter(|one| one.code.0 == 707).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].object.key.starts_with("10.0.0.9/24"));
}
