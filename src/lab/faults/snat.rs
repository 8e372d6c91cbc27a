//! Gateway ports: the snat namespace, legacy and highly available routers.

use super::{Fault, Layout, Need, fault, stranger};

pub(super) static FAULTS: &[Fault] = &[
    fault(801, stranger::WITH_QG),
    fault(803, &["ip -n {S} link del {SG}"]),
    fault(804, &["ip -n {S} addr add 192.168.1.3/32 dev {QG}"]),
    fault(805, &["ip -n {S} addr del 192.168.1.244/32 dev {QG}"]).since(Layout::Pike).needs(&[Need::More]),
    fault(805, &["ip -n {L} addr del 192.168.1.251/32 dev {LQG}"]).needs(&[Need::Legacy]),
    fault(
        806,
        &[
            "{h-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.253/32 -j DNAT --to-destination 90.0.0.4",
            "{h-iptables} -t nat -D {C}-OUTPUT -d 192.168.1.253/32 -j DNAT --to-destination 90.0.0.4",
            "{h-iptables} -t nat -D {C}-float-snat -s 90.0.0.4/32 {HSNAT}",
        ],
    )
    .needs(&[Need::HighlyAvailable]),
    // It is so by design; there is nothing to break.
    fault(807, &[]).since(Layout::Pike).needs(&[Need::More]),
    fault(
        809,
        &[
            "ip -n {S} link add qg-00000000-00 type veth peer name tap00000000-09 netns switch",
            "ip -n switch link set tap00000000-09 master br-ex up",
            "ip -n {S} link set qg-00000000-00 up",
        ],
    ),
    fault(
        809,
        &[
            "ip -n {L} link add qg-00000000-00 type veth peer name tap00000000-09 netns switch",
            "ip -n switch link set tap00000000-09 master br-ex up",
            "ip -n {L} link set qg-00000000-00 up",
        ],
    )
    .needs(&[Need::Legacy]),
    fault(
        809,
        &[
            "ip -n {H} link add qg-00000000-00 type veth peer name tap00000000-09 netns switch",
            "ip -n switch link set tap00000000-09 master br-ex up",
            "ip -n {H} link set qg-00000000-00 up",
        ],
    )
    .needs(&[Need::HighlyAvailable]),
];
