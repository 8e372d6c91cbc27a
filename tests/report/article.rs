//! The founding article's node as a topology, and ways to break it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use fipscope::net::{Agent, IfName, NetnsName, Observed, RulePriority, Snapshot};
use fipscope::neutron::Layout;
use fipscope::report::Judged;
use fipscope::topology::{
    Blind, ChainLink, Direction, ExternalNetwork, FipKind, FipState, FloatingIp, GatewayPort, InternalPort, LinkName,
    LinkState, NodeKind, ObjectKind, ObjectRef, PairEnd, Router, RouterKind, Topology,
};

pub(crate) const ROUTER: &str = "ef25020f-012c-41d6-a36e-f2f09cb8ea62";
pub(crate) const NETWORK: &str = "cef4f7b4-c344-4904-a847-a9960f58fb20";

/// Nothing was found.
pub(crate) fn unjudged() -> Judged<'static> {
    static NOTHING: BTreeSet<String> = BTreeSet::new();
    Judged { findings: &[], acknowledged: &NOTHING }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn qrouter() -> NetnsName {
    NetnsName::new(format!("qrouter-{ROUTER}"))
}

fn fip_netns() -> NetnsName {
    NetnsName::new(format!("fip-{NETWORK}"))
}

pub(crate) fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::empty("compute-12", "2026-11-22T20:30:00Z".parse().unwrap());
    "kernel".clone_into(&mut snapshot.source);
    snapshot.host.agent = Observed::Seen(Agent {
        pid: 4711,
        uptime: Some(3 * 86400 + 7),
        mode: Some("dvr".to_owned()),
        ..Agent::default()
    });
    snapshot
}

pub(crate) fn empty() -> Topology {
    Topology {
        node: "compute-12".to_owned(),
        kind: NodeKind::None,
        external_networks: Vec::new(),
        routers: Vec::new(),
        floating_ips: Vec::new(),
        blind: Vec::new(),
    }
}

fn port(device: &str, mac: &str, address: &str) -> InternalPort {
    InternalPort { device: device.into(), mac: mac.parse().ok(), addresses: vec![address.parse().unwrap()] }
}

pub(crate) fn router(id: &str) -> Router {
    let prefix: String = id.chars().take(10).collect();
    let end = |kind: &str, address: &str, peer: NetnsName| PairEnd {
        device: IfName::new(format!("{kind}-{prefix}")),
        address: address.parse().ok(),
        peer_namespace: Some(peer),
    };
    Router {
        id: id.to_owned(),
        namespace: Some(NetnsName::new(format!("qrouter-{id}"))),
        snat_namespace: None,
        kind: RouterKind::Distributed,
        external_network: Some(NETWORK.to_owned()),
        layout: Some(Layout::Juno),
        told_layout: Some(Layout::Juno),
        rtr_2_fip: Some(end("rfp", "169.254.31.28/31", fip_netns())),
        fip_2_rtr: Some(end("fpr", "169.254.31.29/31", NetnsName::new(format!("qrouter-{id}")))),
        internal: vec![
            port("qr-369f59a5-2c", "fa:16:3e:a9:e8:b3", "20.0.0.1/24"),
            port("qr-c2e43983-5c", "fa:16:3e:65:be:53", "10.0.0.1/24"),
        ],
        snat_ports: Vec::new(),
        gateway_port: None,
    }
}

fn link(name: LinkName, kind: ObjectKind, key: &str, actual: &str) -> ChainLink {
    let in_fip = matches!(
        name,
        LinkName::Fpr
            | LinkName::IifRule
            | LinkName::FipDefault
            | LinkName::GatewayPort
            | LinkName::ProxyArp
            | LinkName::FipRoute
    );
    ChainLink {
        link: name,
        namespace: if in_fip { fip_netns() } else { qrouter() },
        object: ObjectRef { kind, key: key.to_owned() },
        state: LinkState::Ok,
        expected: Some(actual.to_owned()),
        actual: Some(actual.to_owned()),
        advisory: matches!(name, LinkName::Guard),
        evidence: vec![actual.to_owned()],
    }
}

pub(crate) fn floating_ip(floating: &str, fixed: &str, router: &str) -> FloatingIp {
    use LinkName as L;
    use ObjectKind as O;
    let pair = "rfp-ef25020f-0 UP, 169.254.31.28/31";
    let outbound = vec![
        link(L::Vm, O::Addr, fixed, &format!("{fixed} in 10.0.0.0/24 of qr-c2e43983-5c")),
        link(L::FipRule, O::Rule, fixed, &format!("32768: from {fixed} lookup 16")),
        link(L::Table16, O::Route, "default table 16", "default via 169.254.31.29 dev rfp-ef25020f-0 table 16"),
        link(L::Guard, O::Nat, "POSTROUTING", "! -i rfp-ef25020f-0 ! -o rfp-ef25020f-0 -j ACCEPT"),
        link(
            L::FloatSnat,
            O::Nat,
            floating,
            &format!("-A neutron-l3-agent-float-snat -s {fixed}/32 -j SNAT --to-source {floating}"),
        ),
        link(L::Rfp, O::Link, "rfp-ef25020f-0", pair),
        link(L::Fpr, O::Link, "fpr-ef25020f-0", "fpr-ef25020f-0 UP, 169.254.31.29/31"),
        ChainLink {
            state: LinkState::NotApplicable,
            expected: None,
            actual: None,
            ..link(L::IifRule, O::Rule, "iif fpr-ef25020f-0", "")
        },
        link(L::FipDefault, O::Route, "default", "default via 192.168.1.1 dev fg-b2b77eed-1b"),
    ];
    let inbound = vec![
        link(L::GatewayPort, O::Link, "fg-b2b77eed-1b", "fg-b2b77eed-1b UP, 192.168.1.23/24"),
        link(L::ProxyArp, O::Sysctl, "net.ipv4.conf.fg-b2b77eed-1b.proxy_arp", "1"),
        link(L::FipRoute, O::Route, floating, &format!("{floating} via 169.254.31.28 dev fpr-ef25020f-0")),
        link(
            L::Dnat,
            O::Nat,
            floating,
            &format!("-A neutron-l3-agent-PREROUTING -d {floating}/32 -j DNAT --to-destination {fixed}"),
        ),
    ];
    FloatingIp {
        floating_ip: Some(ip(floating)),
        fixed_ip: Some(ip(fixed)),
        router: router.to_owned(),
        external_network: Some(NETWORK.to_owned()),
        kind: FipKind::Distributed,
        rule_priority: Some(RulePriority(32768)),
        state: FipState::Ok,
        facts: Vec::new(),
        outbound,
        inbound,
    }
}

pub(crate) fn healthy() -> Topology {
    Topology {
        kind: NodeKind::L3,
        external_networks: vec![ExternalNetwork {
            id: NETWORK.to_owned(),
            namespace: fip_netns(),
            gateway_port: Some(GatewayPort {
                device: "fg-b2b77eed-1b".into(),
                mac: "fa:16:3e:df:74:6c".parse().ok(),
                addresses: vec!["192.168.1.23/24".parse().unwrap()],
                state: "up",
            }),
            gateways: vec![ip("192.168.1.1")],
        }],
        routers: vec![router(ROUTER)],
        floating_ips: vec![floating_ip("192.168.1.3", "10.0.0.4", ROUTER).into()],
        ..empty()
    }
}

fn set(fip: &mut FloatingIp, direction: Direction, name: LinkName, state: LinkState, actual: Option<&str>) {
    let links = match direction {
        Direction::Outbound => &mut fip.outbound,
        Direction::Inbound => &mut fip.inbound,
    };
    let link = links.iter_mut().find(|link| link.link == name).unwrap();
    link.state = state;
    link.actual = actual.map(str::to_owned);
}

/// One floating IP in each state, and a namespace that kept us out.
pub(crate) fn broken() -> Topology {
    let mut topology = healthy();
    let mut gone = floating_ip("192.168.1.7", "10.0.0.9", ROUTER);
    gone.state = FipState::Broken;
    gone.rule_priority = None;
    set(&mut gone, Direction::Outbound, LinkName::FipRule, LinkState::Missing, None);
    let other = Some("192.168.1.7 via 169.254.31.30 dev fpr-b047c241-0");
    set(&mut gone, Direction::Inbound, LinkName::FipRoute, LinkState::Wrong, other);

    let mut leaky = floating_ip("192.168.1.33", "10.0.0.5", ROUTER);
    leaky.state = FipState::Degraded;
    set(&mut leaky, Direction::Outbound, LinkName::Guard, LinkState::Missing, None);

    let mut dark = floating_ip("192.168.1.34", "10.0.0.6", ROUTER);
    dark.state = FipState::Unknown;
    let why = Some("netfilter could not be read: operation not permitted");
    set(&mut dark, Direction::Outbound, LinkName::FloatSnat, LinkState::Unknown, why);

    let mut rule_only = floating_ip("192.168.1.35", "10.0.0.8", ROUTER);
    rule_only.state = FipState::Broken;
    rule_only.floating_ip = None;
    rule_only.external_network = None;
    set(&mut rule_only, Direction::Outbound, LinkName::FloatSnat, LinkState::Missing, None);

    topology.floating_ips.extend([gone, leaky, dark, rule_only].map(Into::into));
    topology.blind.push(Blind {
        namespace: Some("qrouter-b047c241-1111-2222-3333-444455556666".into()),
        part: "namespace".to_owned(),
        why: "entering it: operation not permitted".to_owned(),
    });
    topology
}
