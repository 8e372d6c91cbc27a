//! Namespaces and the agent.

use super::{Fault, Layout, Need, fault};

pub(super) static FAULTS: &[Fault] = &[
    fault(101, &["ip netns del {F}"]),
    // Before, nothing but a line of a file speaks of a router that is gone.
    fault(102, &["ip netns del {R}"]).since(Layout::Pike),
    fault(103, &["{ovs-vsctl} del-port br-int {XTAP}"]).needs(&[Need::OpenVswitch]),
    fault(104, &["ip netns del {R3}", "ip netns del {S3}", "pike:ip -n {F3} rule del iif {FPR3} lookup {TABLE3}"])
        .needs(&[Need::More]),
    // A second mount keeps it alive, as a process in it would.
    fault(
        106,
        &[
            "touch {STATE}/ghost",
            "mount --bind /run/netns/{F} {STATE}/ghost",
            "ip netns del {F}",
            "ip netns add {F}",
            "ip -n {F} link set lo up",
        ],
    ),
    fault(107, &["touch /run/netns/qrouter-{GONE}"]),
    fault(108, &[]).needs(&[Need::Configuration]),
    // Before, the way out of the fip namespace is not the router's own.
    fault(
        109,
        &[
            "ip -n {F} rule del iif {FPR} lookup {TABLE}",
            "ip -n {F} route del default table {TABLE}",
            "ip -n {R} route del default table 16",
        ],
    )
    .since(Layout::Pike),
];
