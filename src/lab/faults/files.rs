//! The agent's files, port forwarding, traffic control.

use super::{Fault, Layout, Need, fault};

pub(super) static FAULTS: &[Fault] = &[
    fault(901, &["sed -i 1d {STATE}/fip-priorities"]).since(Layout::Newton),
    fault(902, &["sed -i 1d {STATE}/fip-linklocal-networks"]),
    fault(903, &["sed -i /{ID}/d {STATE}/fip-linklocal-networks"]).needs(&[Need::More]),
    fault(
        904,
        &[
            "awk BEGIN{for(i=0;i<33000;i++)printf\"10.%d.%d.9,%d\\n\",100+i/256,i%256,32768+i>>\"{STATE}/fip-priorities\"}",
        ],
    )
    .since(Layout::Newton),
    fault(
        910,
        &["{s-iptables} -t nat -A {C}-pf-00000000 -d 192.168.1.245/32 -p tcp -m tcp --dport 2223 -j DNAT --to-destination 10.0.0.4:22"],
    )
    .since(Layout::Pike)
    .prepare(&[
        "{s-iptables} -t nat -N {C}-fip-pf",
        "{s-iptables} -t nat -N {C}-pf-00000000",
        "{s-iptables} -t nat -A {C}-PREROUTING -j {C}-fip-pf",
        "{s-iptables} -t nat -A {C}-fip-pf -j {C}-pf-00000000",
        "{s-iptables} -t nat -A {C}-pf-00000000 -d 192.168.1.245/32 -p tcp -m tcp --dport 2222 -j DNAT --to-destination 10.0.0.5:22",
        "ip -n {S} addr add 192.168.1.245/32 dev {QG}",
    ]),
    // As the agent's, but for the police action, which not every kernel has.
    fault(
        911,
        &["tc -n {R} filter add dev {RFP} parent ffff: protocol ip prio 1 u32 match ip dst 192.168.1.99/32 flowid :1"],
    )
    .prepare(&[
        "tc -n {R} qdisc add dev {RFP} ingress",
        "tc -n {R} filter add dev {RFP} parent ffff: protocol ip prio 1 u32 match ip dst 192.168.1.3/32 flowid :1",
    ]),
];
