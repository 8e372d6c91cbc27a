//! The attachment to the outside.

use super::{Fault, Need, fault, stranger};

pub(super) static FAULTS: &[Fault] = &[
    fault(601, &["ip -n {F} link del {FG}"]),
    fault(602, &["ip -n {F} link set {FG} down"]),
    fault(
        603,
        &[
            "ip -n {F} link add fg-00000000-00 type veth peer name tap00000000-00 netns switch",
            "ip -n switch link set tap00000000-00 master br-ex up",
            "ip -n {F} link set fg-00000000-00 up",
        ],
    ),
    fault(604, &["{ovs-vsctl} set port {FG} tag=4095"]).needs(&[Need::OpenVswitch]),
    fault(606, stranger::WITH_FG),
    fault(607, stranger::WITH_FLOATING_IP),
    fault(610, &["ip -n gateway link set eth0 down"]),
    // Nor does the router's own gateway port know the subnet.
    fault(613, &["ip -n {F} route del 203.0.113.0/24 dev {FG}", "ip -n {S} route del 203.0.113.0/24 dev {QG}"])
        .needs(&[Need::SecondSubnet]),
    fault(616, &["ip -n {F} addr del 192.168.1.23/24 dev {FG}"]),
];
