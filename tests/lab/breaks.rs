//! Links of a floating IP's chain, broken one by one.

use fipscope::lab::LabOptions;
use fipscope::lab::faults::named;
use fipscope::net::netfilter::Backend;
use fipscope::net::{IfName, NetnsName, Snapshot};
use fipscope::netns::NetnsDir;
use fipscope::neutron::Layout;
use fipscope::topology::Topology;

use crate::known_flows::say;

/// A link that is broken: how, how to mend it, and where packets stop then, out
/// and in.
pub(crate) type Break = (&'static str, &'static str, &'static str, Option<&'static str>, Option<&'static str>);

pub(crate) const BREAKS: &[Break] = &[
    (
        "floating-IP rule missing",
        "ip -n {R} rule del from 10.0.0.4 lookup 16",
        "ip -n {R} rule add from 10.0.0.4 lookup 16 priority {PRIORITY}",
        Some("qr"),
        None,
    ),
    (
        "no way out of table 16",
        "ip -n {R} route del default table 16",
        "ip -n {R} route add default via {ODD} dev {RFP} table 16",
        Some("qr"),
        None,
    ),
    (
        "no forwarding in the router",
        "ip netns exec {R} sysctl -qw net.ipv4.ip_forward=0",
        "ip netns exec {R} sysctl -qw net.ipv4.ip_forward=1",
        Some("qr"),
        Some("rfp"),
    ),
    (
        "no forwarding in the fip namespace",
        "ip netns exec {F} sysctl -qw net.ipv4.ip_forward=0",
        "ip netns exec {F} sysctl -qw net.ipv4.ip_forward=1",
        Some("fpr"),
        Some("fg"),
    ),
    (
        "the router has another hardware address for fpr",
        "ip -n {R} neigh replace {ODD} lladdr 02:00:00:00:00:99 dev {RFP} nud permanent",
        "ip -n {R} neigh replace {ODD} lladdr {FPR_MAC} dev {RFP} nud permanent",
        Some("rfp"),
        None,
    ),
    (
        "the fip namespace has another hardware address for rfp",
        "ip -n {F} neigh replace {EVEN} lladdr 02:00:00:00:00:99 dev {FPR} nud permanent",
        "ip -n {F} neigh replace {EVEN} lladdr {RFP_MAC} dev {FPR} nud permanent",
        None,
        Some("fpr"),
    ),
    (
        "no default route of the router's table",
        "ip -n {F} route del default table {TABLE}",
        "ip -n {F} route add default via 192.168.1.1 dev {FG} table {TABLE}",
        Some("fpr"),
        None,
    ),
    (
        "no route to the floating IP",
        "ip -n {F} route del 192.168.1.3",
        "ip -n {F} route add 192.168.1.3 via {EVEN} dev {FPR}",
        None,
        Some("fg"),
    ),
    (
        "the router's end of the pair is down",
        "ip -n {R} link set {RFP} down",
        "ip -n {R} link set {RFP} up ; ip -n {R} route add default via {ODD} dev {RFP} table 16",
        Some("qr"),
        Some("fg"),
    ),
    (
        "no translation of the instance's address",
        "ip netns exec {R} {IPT} -w 5 -t nat -I {C}-float-snat -s 10.0.0.4/32 -j ACCEPT",
        "ip netns exec {R} {IPT} -w 5 -t nat -D {C}-float-snat -s 10.0.0.4/32 -j ACCEPT",
        Some("qr"),
        None,
    ),
    (
        "DNAT missing",
        "ip netns exec {R} {IPT} -w 5 -t nat -D {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.4",
        "ip netns exec {R} {IPT} -w 5 -t nat -A {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.4",
        None,
        Some("rfp"),
    ),
    (
        "a rule drops what is for the instance",
        "ip netns exec {R} {IPT} -w 5 -I FORWARD -d 10.0.0.4/32 -j DROP",
        "ip netns exec {R} {IPT} -w 5 -D FORWARD -d 10.0.0.4/32 -j DROP",
        None,
        Some("rfp"),
    ),
    (
        "no jump to the agent's chains on the way out",
        "ip netns exec {R} {IPT} -w 5 -t nat -D POSTROUTING -j neutron-postrouting-bottom",
        "ip netns exec {R} {IPT} -w 5 -t nat -A POSTROUTING -j neutron-postrouting-bottom",
        Some("qr"),
        None,
    ),
    (
        "no jump to the agent's chains on the way in",
        "ip netns exec {R} {IPT} -w 5 -t nat -D PREROUTING -j {C}-PREROUTING",
        "ip netns exec {R} {IPT} -w 5 -t nat -A PREROUTING -j {C}-PREROUTING",
        None,
        Some("rfp"),
    ),
    // What the instance sends never comes in.
    (
        "the router's port on the subnet is down",
        "ip -n {R} link set {QR} down",
        "ip -n {R} link set {QR} up ; ip -n {R} neigh replace 10.0.0.4 lladdr {VM_MAC} dev {QR} nud permanent",
        None,
        Some("rfp"),
    ),
    (
        "the fip namespace's end of the pair is down",
        "ip -n {F} link set {FPR} down",
        "ip -n {F} link set {FPR} up ; ip -n {F} neigh replace {EVEN} lladdr {RFP_MAC} dev {FPR} nud permanent ; \
         ip -n {F} route add 192.168.1.3 via {EVEN} dev {FPR}",
        Some("qr"),
        Some("fg"),
    ),
    // What comes from outside never comes in.
    (
        "the agent gateway port is down",
        "ip -n {F} link set {FG} down",
        "ip -n {F} link set {FG} up ; ip -n {F} route add default via 192.168.1.1 dev {FG} table {TABLE}",
        Some("fpr"),
        None,
    ),
    (
        "the instance is off",
        "ip -n vm-10.0.0.4 link set eth0 down",
        "ip -n vm-10.0.0.4 link set eth0 up ; ip -n vm-10.0.0.4 route add default via 10.0.0.1",
        None,
        Some("vm-silent"),
    ),
];

/// What only Pike's layout has.
pub(crate) const PIKE: &[Break] = &[(
    "no rule for the router's table",
    "ip -n {F} rule del iif {FPR}",
    "ip -n {F} rule add iif {FPR} lookup {TABLE} priority {TABLE}",
    Some("fpr"),
    None,
)];

/// A centralized floating IP's, in the snat namespace.
pub(crate) const CENTRALIZED: &[Break] = &[
    (
        "no forwarding in the snat namespace",
        "ip netns exec {S} sysctl -qw net.ipv4.ip_forward=0",
        "ip netns exec {S} sysctl -qw net.ipv4.ip_forward=1",
        Some("sg"),
        Some("qg"),
    ),
    (
        "no default route in the snat namespace",
        "ip -n {S} route del default",
        "ip -n {S} route add default via 192.168.1.1 dev {QG}",
        Some("sg"),
        None,
    ),
    (
        "no translation of the instance's address",
        "ip netns exec {S} {IPT} -w 5 -t nat -I {C}-float-snat -s 20.0.0.4/32 -j ACCEPT",
        "ip netns exec {S} {IPT} -w 5 -t nat -D {C}-float-snat -s 20.0.0.4/32 -j ACCEPT",
        Some("sg"),
        None,
    ),
    (
        "DNAT missing",
        "ip netns exec {S} {IPT} -w 5 -t nat -D {C}-PREROUTING -d 192.168.1.244/32 -j DNAT --to-destination 20.0.0.4",
        "ip netns exec {S} {IPT} -w 5 -t nat -A {C}-PREROUTING -d 192.168.1.244/32 -j DNAT --to-destination 20.0.0.4",
        None,
        Some("qg"),
    ),
    (
        "a rule drops what is for the instance",
        "ip netns exec {S} {IPT} -w 5 -I FORWARD -d 20.0.0.4/32 -j DROP",
        "ip netns exec {S} {IPT} -w 5 -D FORWARD -d 20.0.0.4/32 -j DROP",
        None,
        Some("qg"),
    ),
    (
        "no jump to the agent's chains on the way out",
        "ip netns exec {S} {IPT} -w 5 -t nat -D POSTROUTING -j neutron-postrouting-bottom",
        "ip netns exec {S} {IPT} -w 5 -t nat -A POSTROUTING -j neutron-postrouting-bottom",
        Some("sg"),
        None,
    ),
    (
        "no jump to the agent's chains on the way in",
        "ip netns exec {S} {IPT} -w 5 -t nat -D PREROUTING -j {C}-PREROUTING",
        "ip netns exec {S} {IPT} -w 5 -t nat -A PREROUTING -j {C}-PREROUTING",
        None,
        Some("qg"),
    ),
    (
        "no rule to the snat namespace",
        "ip -n {R} rule del from 20.0.0.1/24 lookup 335544321",
        "ip -n {R} rule add from 20.0.0.1/24 lookup 335544321 priority 335544321",
        Some("qr"),
        None,
    ),
    // What the instance sends never comes in.
    (
        "the snat namespace's port on the subnet is down",
        "ip -n {S} link set {SG20} down",
        "ip -n {S} link set {SG20} up",
        Some("qr"),
        Some("qg"),
    ),
    // What comes from outside never comes in.
    (
        "the router's gateway port is down",
        "ip -n {S} link set {QG} down",
        "ip -n {S} link set {QG} up ; ip -n {S} route add default via 192.168.1.1 dev {QG}",
        Some("sg"),
        None,
    ),
    (
        "the instance is off",
        "ip -n vm-20.0.0.4 link set eth0 down",
        "ip -n vm-20.0.0.4 link set eth0 up ; ip -n vm-20.0.0.4 route add default via 20.0.0.1",
        None,
        Some("vm-silent"),
    ),
];

/// Runs commands of these tables, one after the other: nothing is said by any.
pub(crate) fn carry_out(dir: &NetnsDir, names: &[(&str, String)], commands: &str) {
    let commands = names.iter().fold(commands.to_owned(), |all, (name, value)| all.replace(name, value));
    for command in commands.split(" ; ") {
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(say(dir, "switch", words[0], &words[1..]), "", "{command}");
    }
}

/// What the braces in these commands stand for.
pub(crate) fn names(snapshot: &Snapshot, layout: Layout, backend: Backend) -> Vec<(&'static str, String)> {
    let topology = Topology::of(snapshot);
    let router = topology.routers.iter().find(|router| router.id.starts_with("ef25020f")).unwrap();
    let snat = router.snat_namespace.clone().unwrap();
    let links = snapshot.netns(&snat).unwrap().links();
    let qg = links.iter().find(|link| link.name.as_str().starts_with("qg-")).unwrap().name.to_string();
    let iptables = if backend == Backend::Nft { "iptables-nft" } else { "iptables-legacy" };
    let network =
        topology.external_networks.iter().find(|network| Some(&network.id) == router.external_network.as_ref());
    let network = network.unwrap();
    let (rfp, fpr) = (router.rtr_2_fip.as_ref().unwrap(), router.fip_2_rtr.as_ref().unwrap());
    let qrouter = router.namespace.clone().unwrap();
    let mac = |namespace: &NetnsName, device: &IfName| {
        snapshot.netns(namespace).unwrap().link(device).unwrap().mac.unwrap().to_string()
    };
    let odd = fpr.address.unwrap().addr();
    let table = match (layout, odd) {
        (Layout::Pike, std::net::IpAddr::V4(odd)) => odd.to_bits().to_string(),
        _ => "main".to_owned(),
    };
    let own =
        topology.floating_ips.iter().find(|fip| fip.floating_ip.is_some_and(|ip| ip.to_string() == "192.168.1.3"));
    let priority = own.unwrap().rule_priority.unwrap().0.to_string();
    let iif = if layout == Layout::Juno { String::new() } else { format!("-i {}", rfp.device) };
    let fg = network.gateway_port.as_ref().unwrap().device.to_string();
    let on = |namespace: &NetnsName, address: &str| {
        let addrs = snapshot.netns(namespace).unwrap().addrs();
        addrs.iter().find(|addr| addr.address.to_string() == address).unwrap().dev.to_string()
    };
    let vm = |address: &str| mac(&NetnsName::new(format!("vm-{address}")), &IfName::from("eth0"));
    let guard = named("{GUARD}", &LabOptions { layout, backend, ..LabOptions::default() });
    vec![
        ("{GUARD}", guard),
        ("{QR}", on(&qrouter, "10.0.0.1/24")),
        ("{SG20}", on(&snat, "20.0.0.3/24")),
        ("{VM_MAC}", vm("10.0.0.4")),
        ("{VM20_MAC}", vm("20.0.0.4")),
        ("{FG_MAC}", mac(&network.namespace, &IfName::new(fg.as_str()))),
        ("{QG_MAC}", mac(&snat, &IfName::new(qg.as_str()))),
        ("{RFP_MAC}", mac(&qrouter, &rfp.device)),
        ("{FPR_MAC}", mac(&network.namespace, &fpr.device)),
        ("{IPT}", iptables.to_owned()),
        ("{S}", snat.to_string()),
        ("{QG}", qg),
        ("{R}", qrouter.to_string()),
        ("{F}", network.namespace.to_string()),
        ("{RFP}", rfp.device.to_string()),
        ("{FPR}", fpr.device.to_string()),
        ("{FG}", fg),
        ("{EVEN}", rfp.address.unwrap().addr().to_string()),
        ("{ODD}", odd.to_string()),
        ("{TABLE}", table),
        ("{PRIORITY}", priority),
        ("{IN}", iif),
        ("{C}", "neutron-l3-agent".to_owned()),
    ]
}
