//! The fip namespace: routes, ARP, settings.

use super::{Fault, Layout, Need, fault};

pub(super) static FAULTS: &[Fault] = &[
    fault(501, &["ip -n {F} route del 192.168.1.3"]),
    fault(502, &["ip -n {F} route replace 192.168.1.3 via 192.168.1.99 dev {FG}"]),
    fault(503, &["ip -n {F} route add 192.168.1.250 via {EVEN} dev {FPR}"]),
    fault(504, &["ip -n {F} rule del iif {FPR} lookup {TABLE}"]).since(Layout::Pike),
    fault(505, &["ip -n {F} route del default table {TABLE}"]),
    // A gateway outside of the subnet, as some providers have it.
    fault(506, &["ip -n {F} route del 203.0.113.1 dev {FG}"]).prepare(&[
        "ip -n gateway addr add 203.0.113.1/32 dev eth0",
        "ip -n {F} route add 203.0.113.1 dev {FG} scope link",
        "ip -n {F} route replace default via 203.0.113.1 dev {FG} table {TABLE}",
        "ip -n {S} route add 203.0.113.1 dev {QG} scope link",
        "ip -n {S} route replace default via 203.0.113.1 dev {QG}",
    ]),
    // Before, the agent knows fg's own subnets only.
    fault(507, &["ip -n {F} route del 203.0.113.0/24 dev {FG}"]).since(Layout::Pike).needs(&[Need::SecondSubnet]),
    fault(508, &["ip netns exec {F} sysctl -qw net.ipv4.conf.{FG}.proxy_arp=0"]),
    fault(509, &["ip netns exec {F} sysctl -qw net.ipv4.neigh.{FG}.proxy_delay=80"]).since(Layout::Pike),
    fault(510, &["ip netns exec {F} sysctl -qw net.ipv4.ip_nonlocal_bind=0"]).since(Layout::Newton),
    fault(511, &["ip netns exec {F} sysctl -qw net.ipv4.conf.all.arp_ignore=0"]).since(Layout::Pike),
    fault(512, &["ip -n {F} addr add 192.168.1.3/32 dev {FG}"]),
    fault(513, &["ip -n {F} route add 77.0.0.0/24 via {EVEN} dev {FPR}"]),
];
