//! Policy routing in the router namespace.

use super::{Fault, Layout, Need, fault};

pub(super) static FAULTS: &[Fault] = &[
    fault(301, &["ip -n {R} rule del from 10.0.0.4 lookup 16"]),
    fault(
        302,
        &[
            "ip -n {R} rule del from 10.0.0.4 lookup 16",
            "ip -n {R} rule add from 10.0.0.4 lookup 17 priority {PRIORITY}",
        ],
    ),
    fault(303, &["ip -n {R} rule add from 10.0.0.5 lookup 16 priority 40000"]),
    fault(
        304,
        &[
            "ip -n {R} route add default via 10.0.0.3 dev {QR} table 4242",
            "ip -n {R} rule add from 10.0.0.0/24 lookup 4242 priority 1000",
        ],
    ),
    fault(305, &["ip -n {R} route del default table 16"]),
    fault(306, &["ip -n {R} route add default via 10.0.0.3 dev {QR}"]),
    fault(307, &["ip -n {R} route del default table 167772161"]),
    fault(
        308,
        &[
            "ip -n {R} route add default via 10.0.0.3 dev {QR} table 1291845633",
            "ip -n {R} rule add from 77.0.0.1/24 lookup 1291845633 priority 1291845633",
        ],
    ),
    // A subnet in the external network's address scope leaves untranslated.
    fault(309, &["ip -n {R} rule del from 20.0.0.0/24 lookup 16 priority 80000"]).since(Layout::Pike).prepare(&[
        "ip -n {R} rule add from 20.0.0.0/24 lookup 16 priority 80000",
        "ip -n {R} rule del from 20.0.0.1/24 lookup 335544321 priority 335544321",
        "ip -n {R} route del default table 335544321",
        "ip -n {F} route add 20.0.0.0/24 via {EVEN} dev {FPR}",
    ]),
    fault(
        310,
        &[
            "{r-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.4",
            "{r-iptables} -t nat -A {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.5",
        ],
    ),
    fault(311, &["ip netns exec {R} sysctl -qw net.ipv4.ip_forward=0"]),
    fault(311, &["ip netns exec {L} sysctl -qw net.ipv4.ip_forward=0"]).needs(&[Need::Legacy]),
    fault(311, &["ip netns exec {H} sysctl -qw net.ipv4.ip_forward=0"]).needs(&[Need::HighlyAvailable]),
    fault(311, &["ip netns exec {S} sysctl -qw net.ipv4.ip_forward=0"]).since(Layout::Pike).needs(&[Need::More]),
    // An extra route of a tenant's takes the answers another way.
    fault(312, &["ip netns exec {R} sysctl -qw net.ipv4.conf.{RFP}.rp_filter=1"])
        .prepare(&["ip -n {R} route add 198.51.100.0/24 via 10.0.0.5 dev {QR}"]),
    fault(313, &["ip -n {R} addr add 2001:db8::1/64 dev {QR} nodad"]),
];
