//! The pair between router and fip namespace.

use super::{Fault, Layout, Need, fault};

pub(super) static FAULTS: &[Fault] = &[
    fault(201, &["ip -n {R} link del {RFP}"]),
    fault(202, &["ip -n {F} link set {FPR} netns switch"]),
    fault(203, &["ip -n {R} link set {RFP} down"]),
    fault(204, &["ip -n {F} addr del {ODD}/31 dev {FPR}"]),
    fault(205, &["ip -n {F} addr del {ODD}/31 dev {FPR}", "ip -n {F} addr add 169.254.64.1/31 dev {FPR}"]),
    // The second router as an allocator builds it that gives a pair out twice.
    fault(
        206,
        &[
            "ip -n {R2} addr del {EVEN2}/31 dev {RFP2}",
            "ip -n {R2} addr add {EVEN}/31 dev {RFP2}",
            "ip -n {R2} route replace default via {ODD} dev {RFP2} table 16",
            "ip -n {F} addr del {ODD2}/31 dev {FPR2}",
            "ip -n {F} addr add {ODD}/31 dev {FPR2}",
            "ip -n {F} route add 192.168.1.242 via {EVEN} dev {FPR2}",
            "ip -n {F} route add 192.168.1.243 via {EVEN} dev {FPR2}",
            "pike:ip -n {F} rule del iif {FPR2} lookup {TABLE2}",
            "pike:ip -n {F} rule add iif {FPR2} lookup {TABLE} priority {TABLE}",
            "sed -i s/{EVEN2}/{EVEN}/ {STATE}/fip-linklocal-networks",
        ],
    )
    .needs(&[Need::More]),
    fault(207, &["ip -n {R} addr add 169.254.31.2/31 dev {RFP}"]),
    fault(208, &["ip -n {R} neigh replace {ODD} lladdr 02:00:00:00:00:99 dev {RFP} nud permanent"]),
    fault(209, &["ip -n {R} link set {RFP} mtu 1400"]),
    fault(210, &["ip -n {R} link set {RFP} mtu 1400", "ip -n {F} link set {FPR} mtu 1400"]),
    fault(211, &["ip -n {R} addr add 192.168.1.3/32 dev {RFP}"]).since(Layout::Newton),
    // Before, a pair has no permanent neighbours: it looks like a lost route.
    fault(212, &["ip -n {R} link set {RFP} down", "ip -n {R} link set {RFP} up"]).since(Layout::Pike),
    fault(212, &["ip -n {F} link set {FPR} down", "ip -n {F} link set {FPR} up"]).since(Layout::Pike),
    fault(212, &["ip -n {R} link set {QR} down", "ip -n {R} link set {QR} up"]).since(Layout::Pike),
    // Of a single router it looks as if somebody had deleted its default route.
    fault(212, &["ip -n {F} link set {FG} down", "ip -n {F} link set {FG} up"])
        .since(Layout::Pike)
        .needs(&[Need::More]),
];
