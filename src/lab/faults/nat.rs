//! Translation, tracked connections, marks and filters.

use super::{Fault, Layout, fault};

pub(super) static FAULTS: &[Fault] = &[
    fault(401, &["{r-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.4"]),
    fault(402, &["{r-iptables} -t nat -D {C}-float-snat -s 10.0.0.4/32 {SNAT}"]),
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
];
