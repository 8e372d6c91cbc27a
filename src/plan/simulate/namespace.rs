//! Namespaces that come and go.

use crate::net::netfilter::Netfilter;
use crate::net::{
    Change, ConntrackFill, Family, IFF_LOOPBACK, IfName, Ipv4Conf, Link, Mac, Netns, NetnsName, Object as Thing,
    Observed, OperState, Peer, Rule, Snapshot, Sysctls, TableId,
};

use super::device;

/// What the kernel begins with, but for what it takes over from the host's own
/// namespace (`net.ipv4.conf`, as `net.core.devconf_inherit_init_net` is 0).
const SETTINGS: [(&str, i64); 15] = [
    ("net.ipv4.ip_forward", 0),
    ("net.ipv4.ip_nonlocal_bind", 0),
    ("net.ipv4.conf.all.rp_filter", 0),
    ("net.ipv4.conf.all.arp_ignore", 0),
    ("net.ipv4.conf.all.arp_announce", 0),
    ("net.ipv4.conf.all.forwarding", 0),
    ("net.ipv4.conf.all.proxy_arp", 0),
    ("net.ipv4.conf.all.send_redirects", 1),
    ("net.ipv4.conf.all.accept_local", 0),
    ("net.ipv4.conf.all.src_valid_mark", 0),
    ("net.ipv4.conf.all.promote_secondaries", 0),
    ("net.ipv6.conf.all.forwarding", 0),
    ("net.netfilter.nf_conntrack_tcp_be_liberal", 0),
    ("net.netfilter.nf_conntrack_tcp_loose", 1),
    ("net.netfilter.nf_conntrack_acct", 0),
];
const LOOPBACK_MTU: u32 = 65536;
/// `RTPROT_KERNEL`.
const KERNEL: u8 = 2;

/// A namespace as the kernel makes it.
pub(super) fn add(snapshot: &Snapshot, name: &NetnsName) -> Vec<Change> {
    if snapshot.namespaces.contains_key(name) {
        return Vec::new();
    }
    let made = Thing::Netns(Observed::Seen(new(snapshot).into()));
    vec![Change::new(Some(name.clone()), None, Some(made))]
}

/// A namespace goes, and with it the other ends of the pairs that end there.
pub(super) fn delete(snapshot: &Snapshot, name: &NetnsName) -> Vec<Change> {
    let Some(netns) = snapshot.namespaces.get(name) else { return Vec::new() };
    let mut changes = Vec::new();
    for link in netns.seen().map_or(&[][..], |netns| netns.links()) {
        if matches!(link.peer, Some(Peer::In(..) | Peer::Host(_))) {
            changes.extend(device::delete(snapshot, Some(name), &link.name));
        }
    }
    changes.push(Change::new(Some(name.clone()), Some(Thing::Netns(netns.clone())), None));
    changes
}

fn new(snapshot: &Snapshot) -> Netns {
    let rule = |family, priority, table| Rule { protocol: KERNEL, ..Rule::lookup(family, priority, table) };
    let (v4, v6) = (Family::V4, Family::V6);
    let sysctls = settings(snapshot);
    let forwards = sysctls.get("net.ipv4.ip_forward") == Some(&Observed::Seen(1));
    Netns {
        links: Observed::Seen(vec![loopback(forwards)]),
        addrs: Observed::Seen(Vec::new()),
        rules: Observed::Seen(vec![
            rule(v4, 0, TableId::LOCAL),
            rule(v4, 32766, TableId::MAIN),
            rule(v4, 32767, TableId::DEFAULT),
            rule(v6, 0, TableId::LOCAL),
            rule(v6, 32766, TableId::MAIN),
        ]),
        routes: Observed::Seen(Vec::new()),
        neighs: Observed::Seen(Vec::new()),
        netfilter: Observed::Seen(Netfilter {
            nft: Observed::Seen(Vec::new()),
            legacy: Observed::Absent,
            words_only: false,
        }),
        sysctls,
        conntrack_fill: host(snapshot).map_or(Observed::Absent, |host| {
            host.conntrack_fill.clone().map(|fill| ConntrackFill { count: 0, ..fill })
        }),
        ..Netns::default()
    }
}

fn host(snapshot: &Snapshot) -> Option<&Netns> {
    snapshot.netns_at(None)
}

fn settings(snapshot: &Snapshot) -> Sysctls {
    let inherited = |name: &str| {
        let inherits = name.starts_with("net.ipv4.conf.") || name == "net.ipv4.ip_forward";
        host(snapshot).filter(|_| inherits).and_then(|host| host.sysctl(name))
    };
    let value = |(name, value): (&str, i64)| (name.to_owned(), Observed::Seen(inherited(name).unwrap_or(value)));
    SETTINGS.into_iter().map(value).collect()
}

fn loopback(forwards: bool) -> Link {
    Link {
        mac: Some(Mac([0; 6])),
        mtu: LOOPBACK_MTU,
        flags: IFF_LOOPBACK,
        state: OperState::Down,
        ipv4: Some(Ipv4Conf { forwarding: forwards, send_redirects: true, ..Ipv4Conf::default() }),
        ..Link::new(1, IfName::from("lo"))
    }
}
