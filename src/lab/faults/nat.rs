//! Translation, tracked connections, marks and filters.

use super::{Fault, Layout, Need, fault};

/// Of a code with several, those after the first are of floating IPs on gateway
/// ports: a legacy router, a highly available one, a centralized floating IP.
pub(super) static FAULTS: &[Fault] = &[
    fault(401, &["{r-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.4"]),
    fault(
        401,
        &[
            "{l-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.251/32 -j DNAT --to-destination 80.0.0.4",
            "{l-iptables} -t nat -D {C}-OUTPUT -d 192.168.1.251/32 -j DNAT --to-destination 80.0.0.4",
        ],
    )
    .needs(&[Need::Legacy]),
    fault(
        401,
        &[
            "{h-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.253/32 -j DNAT --to-destination 90.0.0.4",
            "{h-iptables} -t nat -D {C}-OUTPUT -d 192.168.1.253/32 -j DNAT --to-destination 90.0.0.4",
        ],
    )
    .needs(&[Need::HighlyAvailable]),
    fault(
        401,
        &[
            "{s-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.244/32 -j DNAT --to-destination 20.0.0.4",
            "{s-iptables} -t nat -D {C}-OUTPUT -d 192.168.1.244/32 -j DNAT --to-destination 20.0.0.4",
        ],
    )
    .since(Layout::Pike)
    .needs(&[Need::More]),
    fault(402, &["{r-iptables} -t nat -D {C}-float-snat -s 10.0.0.4/32 {SNAT}"]),
    fault(402, &["{l-iptables} -t nat -D {C}-float-snat -s 80.0.0.4/32 {LSNAT}"]).needs(&[Need::Legacy]),
    fault(402, &["{h-iptables} -t nat -D {C}-float-snat -s 90.0.0.4/32 {HSNAT}"]).needs(&[Need::HighlyAvailable]),
    fault(402, &["{s-iptables} -t nat -D {C}-float-snat -s 20.0.0.4/32 {CSNAT}"])
        .since(Layout::Pike)
        .needs(&[Need::More]),
    fault(403, &["{r-iptables} -t nat -A {C}-OUTPUT -d 192.168.1.3/32 -j DNAT --to-destination 10.0.0.4"])
        .since(Layout::Newton),
    fault(404, &["{r-iptables} -t nat -D {C}-POSTROUTING {GUARD}"]),
    fault(
        405,
        &[
            "{r-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.4",
            "ip -n {R} rule del from 10.0.0.4 lookup 16",
        ],
    ),
    // The floating IP was another instance's for a moment, and is remembered so.
    fault(
        406,
        &[
            "ip netns exec {R} sysctl -qw net.netfilter.nf_conntrack_icmp_timeout=3600",
            "{r-iptables} -t nat -I {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.5",
            "ip -n {R} rule add from 10.0.0.5 lookup 16 priority 40000",
            "ip netns exec outside ping -q -c 1 -W 3 192.168.1.3",
            "ip -n {R} rule del from 10.0.0.5 lookup 16",
            "{r-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.5",
        ],
    ),
    fault(407, &["ip netns exec {S} sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1"]).since(Layout::Pike),
    fault(408, &["ip netns exec {R} sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=0"]).since(Layout::Pike),
    fault(410, &["{f-iptables} -t raw -D {C}-PREROUTING -j CT --notrack"]),
    fault(411, &["{r-iptables} -t nat -D PREROUTING -j {C}-PREROUTING"]),
    fault(411, &["{l-iptables} -t nat -D PREROUTING -j {C}-PREROUTING"]).needs(&[Need::Legacy]),
    fault(411, &["{h-iptables} -t nat -D PREROUTING -j {C}-PREROUTING"]).needs(&[Need::HighlyAvailable]),
    fault(411, &["{s-iptables} -t nat -D PREROUTING -j {C}-PREROUTING"]).since(Layout::Pike).needs(&[Need::More]),
    fault(412, &["{r-iptables} -t nat -A {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.5"]),
    fault(413, &["{r-iptables} -t mangle -A {C}-scope -i {QR} -j MARK --set-xmark 0x4010000/0xffff0000"])
        .since(Layout::Newton),
    fault(
        414,
        &[
            "{r-iptables} -t nat -D {C}-PREROUTING -d 169.254.169.254/32 {METADATA} -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697",
        ],
    ),
    fault(415, &["{r-iptables} -I FORWARD -d 10.0.0.4/32 -j DROP"]),
    fault(415, &["{l-iptables} -I FORWARD -d 80.0.0.4/32 -j DROP"]).needs(&[Need::Legacy]),
    fault(415, &["{h-iptables} -I FORWARD -d 90.0.0.4/32 -j DROP"]).needs(&[Need::HighlyAvailable]),
    fault(415, &["{s-iptables} -I FORWARD -d 20.0.0.4/32 -j DROP"]).since(Layout::Pike).needs(&[Need::More]),
];
