//! The chains of the article's floating IPs, link by link.

use fipscope::net::NetnsName;
use fipscope::topology::{ChainLink, FipState, LinkName, LinkState, ObjectKind, ObjectRef};

/// What is wrong with a floating IP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    RuleMissing,
    NeighbourStale,
    TranslationUnread,
}

impl Fault {
    pub fn state(self) -> FipState {
        match self {
            Self::None => FipState::Ok,
            Self::RuleMissing => FipState::Broken,
            Self::NeighbourStale => FipState::Degraded,
            Self::TranslationUnread => FipState::Unknown,
        }
    }
}

struct Builder<'a> {
    floating: &'a str,
    fixed: &'a str,
    qrouter: NetnsName,
    fip: NetnsName,
    suffix: &'a str,
    fault: Fault,
}

/// Outbound and inbound, in packet order.
pub fn both(
    floating: &str,
    fixed: &str,
    router: &str,
    network: &str,
    priority: Option<u32>,
    fault: Fault,
) -> (Vec<ChainLink>, Vec<ChainLink>) {
    let qrouter = NetnsName::new(format!("qrouter-{router}"));
    let fip = NetnsName::new(format!("fip-{network}"));
    let all = Builder { floating, fixed, qrouter, fip, suffix: &router[..10], fault };
    (all.outbound(priority), all.inbound())
}

impl Builder<'_> {
    fn outbound(&self, priority: Option<u32>) -> Vec<ChainLink> {
        use LinkName as L;
        use ObjectKind as K;
        let Self { fixed, floating, suffix, .. } = self;
        let priority = priority.unwrap_or(0);
        vec![
            self.link(L::Vm, K::Neigh, fixed, &format!("{fixed} in 10.0.0.0/24 of qr-c2e43983-5c")),
            self.link(L::Qr, K::Link, "qr-c2e43983-5c", "qr-c2e43983-5c up, 10.0.0.1/24"),
            self.link(L::FipRule, K::Rule, fixed, &format!("{priority}: from {fixed} lookup 16")),
            self.link(L::Table16, K::Route, "16", &format!("default via 169.254.31.29 dev rfp-{suffix} table 16")),
            self.link(L::NatJumps, K::Nat, "POSTROUTING", "-A neutron-l3-agent-snat -j neutron-l3-agent-float-snat"),
            self.link(
                L::FloatSnat,
                K::Nat,
                floating,
                &format!("-A neutron-l3-agent-float-snat -s {fixed}/32 -j SNAT --to-source {floating}"),
            ),
            self.link(L::Rfp, K::Link, "rfp", &format!("rfp-{suffix} up, 169.254.31.28/31")),
            self.link(L::RfpNeighbour, K::Neigh, "169.254.31.29", "169.254.31.29 lladdr 3e:d3:e7:34:f6:f3 REACHABLE"),
            self.inside(L::Fpr, K::Link, &format!("fpr-{suffix}"), &format!("fpr-{suffix} up, 169.254.31.29/31")),
            self.inside(L::FipDefault, K::Route, "default", "default via 192.168.1.1 dev fg-b2b77eed-1b"),
            self.inside(L::GatewayPort, K::Link, "fg-b2b77eed-1b", "fg-b2b77eed-1b up, 192.168.1.23/24"),
            self.inside(L::Gateway, K::Neigh, "192.168.1.1", "192.168.1.1 lladdr 52:54:00:12:34:56 REACHABLE"),
        ]
    }

    fn inbound(&self) -> Vec<ChainLink> {
        use LinkName as L;
        use ObjectKind as K;
        let Self { fixed, floating, suffix, .. } = self;
        vec![
            self.inside(L::GatewayPort, K::Link, "fg-b2b77eed-1b", "fg-b2b77eed-1b up, 192.168.1.23/24"),
            self.inside(L::ProxyArp, K::Sysctl, "net.ipv4.conf.fg-b2b77eed-1b.proxy_arp", "proxy_arp = 1"),
            self.inside(L::FipRoute, K::Route, floating, &format!("{floating} via 169.254.31.28 dev fpr-{suffix}")),
            self.inside(L::Fpr, K::Link, &format!("fpr-{suffix}"), &format!("fpr-{suffix} up, 169.254.31.29/31")),
            self.link(L::Rfp, K::Link, "rfp", &format!("rfp-{suffix} up, 169.254.31.28/31")),
            self.link(L::RfpAddress, K::Addr, floating, &format!("inet {floating}/32 scope global rfp-{suffix}")),
            self.link(
                L::Dnat,
                K::Nat,
                floating,
                &format!("-A neutron-l3-agent-PREROUTING -d {floating}/32 -j DNAT --to-destination {fixed}"),
            ),
            self.link(L::Qr, K::Link, "qr-c2e43983-5c", "qr-c2e43983-5c up, 10.0.0.1/24"),
            self.link(L::Neighbour, K::Neigh, fixed, &format!("{fixed} lladdr fa:16:3e:11:22:33 PERMANENT")),
            self.link(L::Vm, K::Neigh, fixed, &format!("{fixed} in 10.0.0.0/24 of qr-c2e43983-5c")),
        ]
    }

    fn inside(&self, link: LinkName, kind: ObjectKind, key: &str, text: &str) -> ChainLink {
        ChainLink { namespace: self.fip.clone(), ..self.link(link, kind, key, text) }
    }

    fn link(&self, link: LinkName, kind: ObjectKind, key: &str, text: &str) -> ChainLink {
        let mut made = ChainLink {
            link,
            namespace: self.qrouter.clone(),
            object: ObjectRef { kind, key: key.to_owned() },
            state: LinkState::Ok,
            expected: None,
            actual: Some(text.to_owned()),
            advisory: false,
            evidence: vec![text.to_owned()],
        };
        match (self.fault, link) {
            (Fault::RuleMissing, LinkName::FipRule) => {
                made.state = LinkState::Missing;
                made.expected = Some(format!("from {} lookup 16, priority 32768 to 72767", self.fixed));
                made.actual = Some(format!("nothing for {}", self.fixed));
                made.evidence = [
                    "0: from all lookup local",
                    "32766: from all lookup main",
                    "32767: from all lookup default",
                    "32768: from 10.0.0.4 lookup 16",
                    "167772161: from 10.0.0.1/24 lookup 167772161",
                    "335544321: from 20.0.0.1/24 lookup 335544321",
                ]
                .map(str::to_owned)
                .to_vec();
            }
            (Fault::NeighbourStale, LinkName::RfpNeighbour) => {
                made.state = LinkState::Wrong;
                made.advisory = true;
                made.expected = Some("169.254.31.239 lladdr 3e:d3:e7:34:f6:f4".to_owned());
                made.actual = Some("169.254.31.239 lladdr 3e:d3:e7:34:f6:f3 STALE".to_owned());
            }
            (Fault::TranslationUnread, LinkName::NatJumps | LinkName::FloatSnat | LinkName::Dnat) => {
                made.state = LinkState::Unknown;
                made.actual = Some("netfilter could not be read: permission denied".to_owned());
                made.evidence = Vec::new();
            }
            _ => {}
        }
        made
    }
}
