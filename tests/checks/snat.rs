//! DVR801 to DVR810 on nodes of the real agent, broken one by one.

use fipscope::net::netfilter::parse_rule;
use fipscope::net::{IfName, Observed, Snapshot};

use crate::common::{FIXTURES, calm, edit, fixture, healthy, notes, only};

fn mended(mut node: Snapshot, found: &fipscope::check::Finding) {
    assert!(!found.mend.is_empty(), "{found:#?}");
    node.apply(&found.mend);
    calm("mended", &node, 801..=810);
}

#[test]
fn healthy_nodes_have_nothing_of_it() {
    for (name, snapshot) in healthy() {
        calm(name, &snapshot, 801..=810);
    }
    for name in FIXTURES {
        let snapshot = fixture(name);
        calm(name, &snapshot, 801..=810);
        assert_eq!(notes(&snapshot).contains(&807), name == "S9", "{name}");
    }
}

#[test]
fn snat_ports() {
    let mut node = fixture("S5");
    edit(&mut node, "snat", |netns| {
        let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
        addrs.retain(|addr| addr.address.to_string() != "20.0.0.200/24");
    });
    assert_eq!(only(&node, 803).object.key, "sg-… on 20.0.0.0/24");
    let mut node = fixture("S5");
    edit(&mut node, "snat", |netns| {
        let Observed::Seen(links) = &mut netns.links else { panic!("not read") };
        links.iter_mut().find(|link| link.name.as_str() == "sg-a12ca269-1e").unwrap().flags &= !1;
    });
    let found = only(&node, 803);
    mended(node, &found);
}

#[test]
fn a_centralized_address() {
    let mut node = fixture("S9");
    edit(&mut node, "snat", |netns| {
        let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
        addrs.retain(|addr| addr.address.to_string() != "192.168.1.9/32");
    });
    let all = crate::common::root_findings(&node);
    let found = all.iter().find(|one| one.code.0 == 805).unwrap();
    assert_eq!(found.floating_ip.unwrap().to_string(), "192.168.1.9");
    mended(node, found);
}

#[test]
fn left_behind() {
    let mut node = fixture("S5");
    edit(&mut node, "snat", |netns| {
        let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
        let own = addrs.iter().find(|addr| addr.dev.as_str().starts_with("qg-")).unwrap().clone();
        addrs.push(fipscope::net::Addr { address: "192.168.1.3/32".parse().unwrap(), broadcast: None, ..own });
        let Observed::Seen(netfilter) = &mut netns.netfilter else { panic!("not read") };
        let Observed::Seen(tables) = &mut netfilter.nft else { panic!("not read") };
        for line in [
            "-A neutron-l3-agent-PREROUTING -d 192.168.1.3/32 -j DNAT --to-destination 10.0.0.4",
            "-A neutron-l3-agent-float-snat -s 10.0.0.4/32 -j SNAT --to-source 192.168.1.3",
        ] {
            let (chain, rule) = parse_rule(line).unwrap();
            let nat = tables.iter_mut().find(|table| table.name == "nat").unwrap();
            nat.chains.iter_mut().find(|known| known.name == chain).unwrap().rules.push(rule);
        }
    });
    let found = only(&node, 804);
    mended(node, &found);
}

#[test]
fn two_gateway_ports() {
    let mut node = fixture("S5");
    edit(&mut node, "snat", |netns| {
        let Observed::Seen(links) = &mut netns.links else { panic!("not read") };
        let mut port = links.iter().find(|link| link.name.as_str().starts_with("qg-")).unwrap().clone();
        port.name = IfName::from("qg-00000000-00");
        port.index = 99;
        links.push(port);
    });
    assert_eq!(only(&node, 809).object.key, "qg-00000000-00");
}

#[test]
fn rules_that_did_not_come_along() {
    let mut node = fipscope::topology::scenario::Scenario::legacy(Some(true)).snapshot;
    edit(&mut node, "qrouter", |netns| {
        let Observed::Seen(netfilter) = &mut netns.netfilter else { panic!("not read") };
        let Observed::Seen(tables) = &mut netfilter.nft else { panic!("not read") };
        for chain in tables.iter_mut().flat_map(|table| &mut table.chains) {
            chain.rules.retain(|rule| !format!("{:?}", rule.body).contains("192.168.1.3"));
        }
    });
    assert_eq!(only(&node, 806).floating_ip.unwrap().to_string(), "192.168.1.3");
}
