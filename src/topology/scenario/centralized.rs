//! Floating IPs on a gateway port: the snat namespace, and legacy routers.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::build::{RouterSpec, add_address, default, link, namespace, push, snat_mac};
use super::tables::gateway_netfilter;
use super::{FIXED, FLOATING, QROUTER, SNAT, net};
use crate::net::{IfName, Mac, Netns, NetnsName, Observed, Snapshot, TableId};
use crate::neutron::{DeviceKind, Layout};

/// The router's own address on the external network.
const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 22);

/// Adds the snat namespace of the article's router; `ha` says whether VRRP runs
/// and whether this is the primary. A standby has its ports without their
/// addresses, the gateway port switched off, and still translates in its rules.
pub(super) fn add_snat(snapshot: &mut Snapshot, ha: Option<bool>) {
    let mut netns = namespace();
    let acts = ha != Some(false);
    add_vrrp(&mut netns, ha);
    for (index, subnet) in (5..).step_by(2).zip(&RouterSpec::article(Layout::Pike).subnets) {
        let device = DeviceKind::Snat.name(&subnet.port);
        push(&mut netns.links, link(index, &device, "tun", snat_mac(subnet)));
        if let Ok(address) = IpNet::new(subnet.snat, subnet.gateway.prefix_len())
            && acts
        {
            add_address(&mut netns, &device, address, None);
        }
    }
    let fips = [(Ipv4Addr::new(192, 168, 1, 9), Ipv4Addr::new(20, 0, 0, 9))];
    add_gateway(&mut netns, &fips, acts);
    snapshot.namespaces.insert(NetnsName::from(SNAT), Observed::Seen(netns.into()));
}

/// A legacy router; `ha` says whether VRRP runs and whether this is the primary.
pub(super) fn add_legacy(snapshot: &mut Snapshot, ha: Option<bool>) {
    let mut netns = namespace();
    let acts = ha != Some(false);
    add_vrrp(&mut netns, ha);
    for (index, subnet) in (4..).zip(&RouterSpec::article(Layout::Pike).subnets) {
        let device = DeviceKind::Internal.name(&subnet.port);
        push(&mut netns.links, link(index, &device, "tun", subnet.mac));
        if acts {
            add_address(&mut netns, &device, subnet.gateway, None);
        }
    }
    add_gateway(&mut netns, &[(FLOATING, FIXED)], acts);
    snapshot.namespaces.insert(NetnsName::from(QROUTER), Observed::Seen(netns.into()));
}

/// The port that VRRP speaks on; the primary has VRRP's own address there.
fn add_vrrp(netns: &mut Netns, ha: Option<bool>) {
    let Some(primary) = ha else { return };
    let device = IfName::from("ha-550dc175-c0");
    push(&mut netns.links, link(2, &device, "tun", Mac([0xfa, 0x16, 0x3e, 0xad, 0x25, 0x90])));
    add_address(netns, &device, net(169, 254, 194, 79, 18), None);
    if primary {
        add_address(netns, &device, net(169, 254, 0, 1, 24), None);
    }
}

fn add_gateway(netns: &mut Netns, fips: &[(Ipv4Addr, Ipv4Addr)], acts: bool) {
    let qg = IfName::from("qg-8b15f111-eb");
    let mut port = link(9, &qg, "tun", Mac([0xfa, 0x16, 0x3e, 0xa0, 0xc0, 0x83]));
    if acts {
        push(&mut netns.links, port);
        add_address(netns, &qg, net(192, 168, 1, 22, 24), None);
        for (floating, _) in fips {
            add_address(netns, &qg, IpNet::from(IpAddr::V4(*floating)), None);
        }
        let gateway = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1));
        push(&mut netns.routes, default(TableId::MAIN, gateway, &qg, Layout::Pike));
    } else {
        port.flags = 0x1002;
        push(&mut netns.links, port);
    }
    netns.netfilter = Observed::Seen(gateway_netfilter(qg.as_str(), OWN, fips));
    netns.sort();
}
