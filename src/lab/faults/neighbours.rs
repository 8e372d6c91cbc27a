//! Neighbours and the router's ports.

use super::{Fault, Need, fault, stranger};

pub(super) static FAULTS: &[Fault] = &[
    fault(701, &["ip -n {R} neigh del 10.0.0.4 dev {QR}"]),
    fault(702, stranger::ADDRESS_MOVES),
    fault(703, &["ip -n {R} neigh add 20.0.0.9 lladdr fa:16:3e:00:00:99 dev {QR} nud permanent"]),
    // Another router joins the network, with the gateway's address.
    fault(
        707,
        &[
            "ip -n {X} link add qr-00000000-07 type veth peer name tap00000000-07 netns switch",
            "ip -n switch link set tap00000000-07 master {OBRIDGE} up",
            "ip -n {X} link set qr-00000000-07 up",
            "ip -n {X} addr add 60.0.0.1/24 dev qr-00000000-07",
            "{ovs-vsctl} add-port br-int qr-00000000-07 tag={OTAG}",
        ],
    )
    .needs(&[Need::OpenVswitch]),
    fault(710, &["ip -n {R} link set {QR} down"]),
    fault(710, &["ip -n {L} link set {LQR} down"]).needs(&[Need::Legacy]),
    fault(710, &["ip -n {H} link set {HQR} down"]).needs(&[Need::HighlyAvailable]),
];
