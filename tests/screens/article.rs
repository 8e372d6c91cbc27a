//! The node of the founding article, by hand, with more floating IPs than the
//! article has: one whose rule is missing, one with a stale neighbour, one on a
//! second external network whose translation could not be read.

use fipscope::net::{
    Addr, AddrFlags, Agent, Family, Host, IfName, Ipv4Conf, Link, LinkStats, Mac, Neigh, NeighState, Netns, NetnsName,
    Observed, OperState, Peer, Route, Rule, RulePriority, Snapshot, TableId,
};
use fipscope::neutron::Layout;
use fipscope::topology::{
    Blind, ExternalNetwork, FipKind, FipState, FloatingIp, GatewayPort, InternalPort, NodeKind, PairEnd, Router,
    RouterKind, Topology,
};
use fipscope::tui::Node;

use crate::chains::{self, Fault};

pub const ROUTER: &str = "ef25020f-012c-41d6-a36e-f2f09cb8ea62";
pub const SECOND: &str = "b047c241-5b1d-4f0e-9c7a-0c2f6f1d7e11";
pub const THIRD: &str = "7d1f00aa-8f3c-4d55-9a1b-1f0c5a7be2c4";
pub const IDLE: &str = "d1c0a9b8-4e22-4a0f-8d3e-5b6c7d8e9f00";
pub const PUBLIC: &str = "cef4f7b4-c344-4904-a847-a9960f58fb20";
pub const PUBLIC2: &str = "5a609b7d-1f2e-4b6d-8c3a-9d0e1f2a3b4c";

pub fn taken_at() -> jiff::Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// The article's node with its troubles.
pub fn node() -> Node {
    Node::new(snapshot(), topology())
}

/// The article's node as the article has it: one floating IP, all well.
pub fn healthy() -> Node {
    let mut topology = topology();
    topology.floating_ips.retain(|fip| fip.state == FipState::Ok);
    topology.external_networks.retain(|network| network.id == PUBLIC);
    topology.routers.retain(|router| router.id == ROUTER);
    topology.blind.clear();
    Node::new(snapshot(), topology)
}

/// A node of many floating IPs, for scale.
pub fn large(count: u32) -> Node {
    let mut topology = topology();
    topology.floating_ips = (0..count)
        .map(|n| {
            let floating = std::net::Ipv4Addr::from(0xc0a8_0000 + n);
            let fixed = std::net::Ipv4Addr::from(0x0a00_0000 + n);
            let fault = if n % 97 == 0 { Fault::RuleMissing } else { Fault::None };
            let router = if n % 3 == 0 { SECOND } else { ROUTER };
            fip(&floating.to_string(), &fixed.to_string(), router, PUBLIC, Some(32768 + n), fault).into()
        })
        .collect();
    Node::new(snapshot(), topology)
}

pub fn topology() -> Topology {
    Topology {
        node: "compute-12".to_owned(),
        kind: NodeKind::L3,
        external_networks: vec![
            network(PUBLIC2, "fg-7c1e2a90-4f", "203.0.113.23/24", "203.0.113.1"),
            network(PUBLIC, "fg-b2b77eed-1b", "192.168.1.23/24", "192.168.1.1"),
        ],
        routers: vec![
            router(THIRD, Some(PUBLIC2), Some("169.254.88.134"), &["10.8.0.1/24"]),
            router(SECOND, Some(PUBLIC), Some("169.254.31.238"), &["30.0.0.1/24"]),
            router(IDLE, None, None, &["172.16.0.1/24"]),
            router(ROUTER, Some(PUBLIC), Some("169.254.31.28"), &["10.0.0.1/24", "20.0.0.1/24"]),
        ],
        floating_ips: vec![
            fip("203.0.113.9", "10.8.0.5", THIRD, PUBLIC2, Some(57481), Fault::TranslationUnread).into(),
            fip("192.168.1.3", "10.0.0.4", ROUTER, PUBLIC, Some(32768), Fault::None).into(),
            fip("192.168.1.7", "10.0.0.9", ROUTER, PUBLIC, None, Fault::RuleMissing).into(),
            fip("192.168.1.33", "30.0.0.4", SECOND, PUBLIC, Some(32770), Fault::NeighbourStale).into(),
        ],
        blind: vec![Blind {
            namespace: Some(NetnsName::new(format!("qrouter-{THIRD}"))),
            part: "netfilter".to_owned(),
            why: "permission denied".to_owned(),
        }],
    }
}

fn network(id: &str, device: &str, address: &str, gateway: &str) -> ExternalNetwork {
    ExternalNetwork {
        id: id.to_owned(),
        namespace: NetnsName::new(format!("fip-{id}")),
        gateway_port: Some(GatewayPort {
            device: IfName::from(device),
            mac: Some("fa:16:3e:cc:98:c8".parse().unwrap()),
            addresses: vec![address.parse().unwrap()],
            state: "up",
        }),
        gateways: vec![gateway.parse().unwrap()],
    }
}

fn router(id: &str, network: Option<&str>, pair: Option<&str>, internal: &[&str]) -> Router {
    let end = |prefix: &str, odd: u32, there: String| {
        let even: std::net::Ipv4Addr = pair?.parse().unwrap();
        let address = std::net::Ipv4Addr::from(u32::from(even) + odd);
        Some(PairEnd {
            device: IfName::new(format!("{prefix}-{}", &id[..10])),
            address: Some(format!("{address}/31").parse().unwrap()),
            peer_namespace: Some(NetnsName::new(there)),
        })
    };
    Router {
        id: id.to_owned(),
        namespace: Some(NetnsName::new(format!("qrouter-{id}"))),
        snat_namespace: None,
        kind: RouterKind::Distributed,
        external_network: network.map(str::to_owned),
        layout: pair.map(|_| Layout::Juno),
        told_layout: pair.map(|_| Layout::Juno),
        rtr_2_fip: end("rfp", 0, format!("fip-{}", network.unwrap_or_default())),
        fip_2_rtr: end("fpr", 1, format!("qrouter-{id}")),
        internal: internal
            .iter()
            .zip(["qr-c2e43983-5c", "qr-369f59a5-2c"])
            .map(|(address, device)| InternalPort {
                device: IfName::from(device),
                mac: Some("fa:16:3e:df:74:6c".parse().unwrap()),
                addresses: vec![address.parse().unwrap()],
            })
            .collect(),
        snat_ports: Vec::new(),
        gateway_port: None,
    }
}

fn fip(floating: &str, fixed: &str, router: &str, network: &str, priority: Option<u32>, fault: Fault) -> FloatingIp {
    let (outbound, inbound) = chains::both(floating, fixed, router, network, priority, fault);
    FloatingIp {
        floating_ip: Some(floating.parse().unwrap()),
        fixed_ip: Some(fixed.parse().unwrap()),
        router: router.to_owned(),
        external_network: Some(network.to_owned()),
        kind: FipKind::Distributed,
        rule_priority: priority.map(RulePriority),
        state: fault.state(),
        facts: Vec::new(),
        outbound,
        inbound,
    }
}

pub fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::empty("compute-12", taken_at());
    "kernel".clone_into(&mut snapshot.source);
    "/run/netns".clone_into(&mut snapshot.netns_dir);
    snapshot.host = Host {
        agent: Observed::Seen(Agent {
            pid: 1712,
            uptime: Some(3 * 86_400 + 7000),
            mode: Some("dvr".to_owned()),
            ..Agent::default()
        }),
        ..Host::default()
    };
    let mut third = Netns { netfilter: Observed::Unreadable("permission denied".to_owned()), ..qrouter() };
    third.rules = Observed::Seen(Vec::new());
    snapshot.namespaces.insert(NetnsName::new(format!("qrouter-{ROUTER}")), Observed::Seen(qrouter().into()));
    snapshot.namespaces.insert(NetnsName::new(format!("qrouter-{THIRD}")), Observed::Seen(third.into()));
    snapshot.namespaces.insert(NetnsName::new(format!("qrouter-{SECOND}")), Observed::Seen(Netns::default().into()));
    snapshot
        .namespaces
        .insert(NetnsName::new(format!("qrouter-{IDLE}")), Observed::Unreadable("permission denied".to_owned()));
    snapshot.namespaces.insert(NetnsName::new(format!("fip-{PUBLIC}")), Observed::Seen(fip_namespace().into()));
    snapshot.namespaces.insert(NetnsName::new(format!("fip-{PUBLIC2}")), Observed::Seen(Netns::default().into()));
    snapshot
}

fn qrouter() -> Netns {
    let rule = |from: Option<&str>, priority: u32, table: u32| {
        let mut rule = Rule::lookup(Family::V4, priority, TableId(table));
        rule.from = from.map(|net| net.parse().unwrap());
        rule
    };
    let route = |table: u32, dst: &str, via: Option<&str>, dev: &str| {
        Route::unicast(TableId(table), dst.parse().unwrap(), via.map(|via| via.parse().unwrap()), &IfName::from(dev))
    };
    let save = include_str!("qrouter.iptables-save");
    let mut netns = Netns {
        links: Observed::Seen(vec![
            link(3, "rfp-ef25020f-0", "veth", "16:91:f5:0b:34:50", Some(format!("fip-{PUBLIC}"))),
            link(53, "qr-c2e43983-5c", "openvswitch", "fa:16:3e:df:74:6c", None),
            link(52, "qr-369f59a5-2c", "openvswitch", "fa:16:3e:33:6d:d7", None),
        ]),
        addrs: Observed::Seen(vec![
            addr("rfp-ef25020f-0", "169.254.31.28/31"),
            addr("rfp-ef25020f-0", "192.168.1.3/32"),
            addr("qr-c2e43983-5c", "10.0.0.1/24"),
            addr("qr-369f59a5-2c", "20.0.0.1/24"),
        ]),
        rules: Observed::Seen(vec![
            rule(None, 0, 255),
            rule(None, 32766, 254),
            rule(None, 32767, 253),
            rule(Some("10.0.0.4/32"), 32768, 16),
            rule(Some("10.0.0.1/24"), 167_772_161, 167_772_161),
            rule(Some("20.0.0.1/24"), 335_544_321, 335_544_321),
        ]),
        routes: Observed::Seen(vec![
            route(16, "0.0.0.0/0", Some("169.254.31.29"), "rfp-ef25020f-0"),
            route(254, "10.0.0.0/24", None, "qr-c2e43983-5c"),
            route(254, "169.254.31.28/31", None, "rfp-ef25020f-0"),
            route(167_772_161, "0.0.0.0/0", Some("10.0.0.5"), "qr-c2e43983-5c"),
        ]),
        neighs: Observed::Seen(vec![Neigh {
            dev: IfName::from("qr-c2e43983-5c"),
            address: "10.0.0.4".parse().unwrap(),
            mac: Some("fa:16:3e:11:22:33".parse().unwrap()),
            state: NeighState::Permanent,
            proxy: false,
        }]),
        netfilter: Observed::Seen(fipscope::net::netfilter::Netfilter {
            nft: Observed::Seen(
                fipscope::net::netfilter::parse_save(save, fipscope::net::netfilter::NfFamily::Ip).unwrap(),
            ),
            ..fipscope::net::netfilter::Netfilter::default()
        }),
        ..Netns::default()
    };
    netns.sysctls.insert("net.ipv4.ip_forward".to_owned(), Observed::Seen(1));
    netns.sysctls.insert("net.ipv4.ip_nonlocal_bind".to_owned(), Observed::Unreadable("permission denied".to_owned()));
    netns.sort();
    netns
}

fn fip_namespace() -> Netns {
    let mut iif = Rule::lookup(Family::V4, 2_852_003_613, TableId(2_852_003_613));
    iif.iif = Some(IfName::from("fpr-ef25020f-0"));
    let gateway = Some("192.168.1.1".parse().unwrap());
    let default =
        Route::unicast(TableId(2_852_003_613), "0.0.0.0/0".parse().unwrap(), gateway, &IfName::from("fg-b2b77eed-1b"));
    Netns {
        links: Observed::Seen(vec![
            link(3, "fpr-ef25020f-0", "veth", "3e:d3:e7:34:f6:f3", Some(format!("qrouter-{ROUTER}"))),
            link(59, "fg-b2b77eed-1b", "openvswitch", "fa:16:3e:cc:98:c8", None),
        ]),
        addrs: Observed::Seen(vec![addr("fg-b2b77eed-1b", "192.168.1.23/24")]),
        rules: Observed::Seen(vec![iif]),
        routes: Observed::Seen(vec![default]),
        ..Netns::default()
    }
}

fn link(index: u32, name: &str, kind: &str, mac: &str, peer: Option<String>) -> Link {
    Link {
        index,
        name: IfName::from(name),
        kind: Some(kind.to_owned()),
        mac: Some(mac.parse::<Mac>().unwrap()),
        mtu: 1500,
        flags: 0x1_1043,
        state: OperState::Up,
        stats: LinkStats {
            rx_packets: 5120,
            rx_bytes: 491_520,
            tx_packets: 4096,
            tx_bytes: 393_216,
            ..LinkStats::default()
        },
        link: peer.as_ref().map(|_| 3),
        link_netnsid: peer.as_ref().map(|_| 0),
        peer: peer.map(|name| Peer::In(NetnsName::new(name), 3)),
        master: None,
        group: 0,
        ipv4: Some(Ipv4Conf { forwarding: true, ..Ipv4Conf::default() }),
        qdiscs: Vec::new(),
        filters: Vec::new(),
    }
}

fn addr(dev: &str, address: &str) -> Addr {
    Addr {
        dev: IfName::from(dev),
        address: address.parse().unwrap(),
        peer: None,
        broadcast: None,
        scope: 0,
        flags: AddrFlags::default(),
    }
}
