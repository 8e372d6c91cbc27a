//! What kind of node it is, what could not be read of it, and where to look
//! when floating IPs are not here.

use super::model::{Blind, NodeKind};
use crate::net::{Netns, NetnsName, Observed, Snapshot};
use crate::neutron::{NamespaceKind, parse_namespace};

/// What the snapshot shows.
pub(super) fn kind_of(snapshot: &Snapshot) -> NodeKind {
    let kinds: Vec<NamespaceKind> =
        snapshot.namespaces.keys().filter_map(|name| parse_namespace(name).map(|(kind, _)| kind)).collect();
    let routing =
        |kind: &NamespaceKind| matches!(kind, NamespaceKind::Router | NamespaceKind::Fip | NamespaceKind::Snat);
    if kinds.iter().any(routing) {
        return NodeKind::L3;
    }
    let by_ovs = snapshot.host.ovs.seen().is_some_and(|ovs| ovs.external_ids.contains_key("ovn-remote"));
    if snapshot.host.ovn_controller || by_ovs || kinds.contains(&NamespaceKind::OvnMetadata) {
        return NodeKind::Ovn;
    }
    match &snapshot.namespaces_unreadable {
        Some(why) => NodeKind::Unknown(why.clone()),
        None => NodeKind::None,
    }
}

/// The parts of a namespace that speak of floating IPs. A gap within one of
/// them (`IPv6 rules` of a report) has another name, and hides none.
const TELLING: [&str; 8] =
    ["namespace", "links", "addresses", "rules", "routes", "netfilter", "nf_tables", "iptables-legacy"];

fn parts(netns: &Netns) -> impl Iterator<Item = (String, &str)> {
    let netfilter = netns.netfilter.seen();
    let parts = [
        ("links", netns.links.unreadable()),
        ("addresses", netns.addrs.unreadable()),
        ("rules", netns.rules.unreadable()),
        ("routes", netns.routes.unreadable()),
        ("neighbours", netns.neighs.unreadable()),
        ("netfilter", netns.netfilter.unreadable()),
        ("nf_tables", netfilter.and_then(|netfilter| netfilter.nft.unreadable())),
        ("iptables-legacy", netfilter.and_then(|netfilter| netfilter.legacy.unreadable())),
        ("connection tracking", netns.conntrack.as_ref().and_then(Observed::unreadable)),
        ("connection tracking fill", netns.conntrack_fill.unreadable()),
    ];
    let parts = parts.into_iter().filter_map(|(part, why)| Some((part.to_owned(), why?)));
    parts.chain(netns.sysctls.iter().filter_map(|(name, value)| Some((name.clone(), value.unreadable()?))))
}

impl Blind {
    /// Everything that could not be read.
    pub fn of(snapshot: &Snapshot) -> Vec<Self> {
        let mut blind = Vec::new();
        let mut add = |namespace: Option<&NetnsName>, part: &str, why: Option<&str>| {
            blind.extend(why.map(|why| Blind {
                namespace: namespace.cloned(),
                part: part.to_owned(),
                why: why.to_owned(),
            }));
        };
        add(None, "namespaces", snapshot.namespaces_unreadable.as_deref());
        for (name, netns) in &snapshot.namespaces {
            match netns {
                Observed::Seen(netns) => {
                    parts(netns).for_each(|(part, why)| add(Some(name), &part, Some(why)));
                    netns.gaps.iter().for_each(|gap| add(Some(name), &gap.part, Some(&gap.why)));
                }
                Observed::Unreadable(why) => add(Some(name), "namespace", Some(why)),
                Observed::Absent => {}
            }
        }
        let host = &snapshot.host;
        add(None, "host namespace", host.netns.unreadable());
        add(None, "L3 agent", host.agent.unreadable());
        add(None, "fip-linklocal-networks", host.link_local_file.unreadable());
        add(None, "fip-priorities", host.priority_file.unreadable());
        add(None, "Neutron version", host.neutron_version.unreadable());
        add(None, "Open vSwitch", host.ovs.unreadable());
        host.gaps.iter().for_each(|gap| add(None, &gap.part, Some(&gap.why)));
        blind
    }

    /// True where a floating IP could stand behind what was not read, and so be
    /// missing from the list.
    pub fn hides_floating_ips(&self) -> bool {
        let Some(name) = &self.namespace else { return self.part == "namespaces" };
        let routing = matches!(
            parse_namespace(name),
            Some((NamespaceKind::Router | NamespaceKind::Fip | NamespaceKind::Snat, _))
        );
        routing && TELLING.contains(&self.part.as_str())
    }
}

impl NodeKind {
    /// What to look at instead, where floating IPs are not in namespaces here.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::L3 => None,
            Self::Ovn => Some(
                "This node runs ML2/OVN: floating IPs are rows of the OVN northbound database and OpenFlow rules, not \
                 namespaces. Look at `ovn-nbctl lr-nat-list neutron-ROUTER_ID` for the rows, at `ovn-trace` for a \
                 packet's way, and at `ovs-vsctl get Open_vSwitch . external_ids` for this chassis.",
            ),
            Self::None => Some(
                "Neither router nor fip namespaces stand here. On a compute or network node with a running L3 agent, \
                 check the namespace folder (`--netns-dir`); `ip netns` lists what there is. To try the console without \
                 OpenStack: `fipscope lab`.",
            ),
            Self::Unknown(_) => Some(
                "The namespaces could not be listed. Try `sudo fipscope`, another folder with `--netns-dir`, or a file \
                 with `--from`.",
            ),
        }
    }
}
