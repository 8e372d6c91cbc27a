//! What could stand in a field of the form: what the node knows, each with where
//! that comes from.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Field, Form, LAYOUTS, LIMIT};
use crate::net::{NeighState, Netns, Route, printable};
use crate::neutron::{AllocationLine, DeviceKind, NamespaceKind, parse_namespace, priority_lines};
use crate::topology::{ExternalNetwork, Router, RouterKind};
use crate::tui::state::Node;
use crate::tui::words::short;

/// As many are offered at most.
const OFFERED: usize = 256;

/// Something that could stand in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is written there.
    pub text: String,
    /// What that is.
    pub note: String,
}

impl Offer {
    fn new(text: &impl ToString, note: &str) -> Self {
        Self { text: printable(&text.to_string(), LIMIT), note: printable(note, 2 * LIMIT) }
    }

    /// The beginning of a subnet's addresses: what they have in common.
    fn subnet(net: &IpNet, note: &str) -> Self {
        let whole = usize::from(net.prefix_len() / 8).min(3);
        let text = net.network().to_string();
        let common: String = text.split_inclusive('.').take(whole).collect();
        Self::new(&common, note)
    }
}

/// What fits what is typed already.
pub(super) fn offers(form: &Form, node: &Node) -> Vec<Offer> {
    let mut all = match form.field {
        Field::FloatingIp => floating_ips(node),
        Field::FixedIp => fixed_ips(form, node),
        Field::Router => routers(node),
        Field::Network => networks(node),
        Field::Layout => LAYOUTS.iter().map(|layout| Offer::new(&layout.word(), "")).collect(),
        Field::Bridge => bridges(node),
        Field::Gateway => {
            let known = node.topology.external_networks.iter().flat_map(|network| &network.gateways);
            known.filter(|gateway| gateway.is_ipv4()).map(|gateway| Offer::new(gateway, "")).collect()
        }
        Field::Where
        | Field::Neutron
        | Field::Announce
        | Field::PortId
        | Field::PortAddress
        | Field::PortMac
        | Field::Vlan => Vec::new(),
    };
    let typed = form.text(form.field);
    all.retain(|offer| offer.text.starts_with(typed));
    all.truncate(OFFERED);
    all
}

/// Those that the agent knows and this node has not, and the subnets.
fn floating_ips(node: &Node) -> Vec<Offer> {
    let here: BTreeSet<IpAddr> = node.topology.floating_ips.iter().filter_map(|fip| fip.floating_ip).collect();
    let lines = node.snapshot.host.priority_file.seen().into_iter().flat_map(priority_lines);
    let written: BTreeSet<IpAddr> = lines
        .filter_map(AllocationLine::entry)
        .map(|entry| entry.floating_ip)
        .filter(|ip| !here.contains(ip))
        .collect();
    let known = written.iter().map(|address| Offer::new(address, "in fip-priorities, not on this node"));
    let mut all: Vec<Offer> = known.chain(node.topology.external_networks.iter().flat_map(subnets)).collect();
    for router in node.topology.routers.iter().filter(|router| on_gateway(router)) {
        let nets =
            router.gateway_port.iter().flat_map(|port| port.addresses.iter().map(move |net| (net, &port.device)));
        for (net, dev) in nets.filter(|(net, _)| net.addr().is_ipv4() && net.prefix_len() < 32) {
            let offer = Offer::subnet(net, &format!("{} of the gateway port {dev}", net.trunc()));
            if all.iter().all(|known| known.text != offer.text) {
                all.push(offer);
            }
        }
    }
    all
}

fn subnets(network: &ExternalNetwork) -> Vec<Offer> {
    let nets = network.gateway_port.iter().flat_map(|port| &port.addresses).filter(|net| net.addr().is_ipv4());
    let note = |net: &IpNet| format!("{} of the external network {}", net.trunc(), short(&network.id));
    nets.map(|net| Offer::subnet(net, &note(net))).collect()
}

/// Instances that have no floating IP, and the subnets.
fn fixed_ips(form: &Form, node: &Node) -> Vec<Offer> {
    let wanted = form.text(Field::Router);
    let routers = || node.topology.routers.iter().filter(|router| router.id.starts_with(wanted) && can_have(router));
    let inside = routers().filter_map(|router| node.snapshot.netns(router.namespace.as_ref()?));
    // The ports of the agents answer there as well, here or elsewhere, and are no
    // instances; elsewhere only the routes to them tell.
    let of_agents = || node.snapshot.seen().filter(|(name, _)| parse_namespace(name).is_some()).map(|(_, netns)| netns);
    let here = of_agents().flat_map(Netns::addrs).map(|addr| addr.address.addr());
    let own: BTreeSet<IpAddr> = here.chain(of_agents().flat_map(Netns::routes).filter_map(Route::via)).collect();
    let taken: BTreeSet<IpAddr> = node.topology.floating_ips.iter().filter_map(|fip| fip.fixed_ip).collect();
    let neighs = inside.flat_map(Netns::neighs).filter(|neigh| {
        let is_known = matches!(neigh.state, NeighState::Permanent | NeighState::Reachable | NeighState::Stale);
        let is_free = !taken.contains(&neigh.address) && !own.contains(&neigh.address);
        DeviceKind::Internal.is(&neigh.dev) && neigh.address.is_ipv4() && is_known && is_free
    });
    let mut known: Vec<(IpAddr, String)> = neighs.map(|neigh| (neigh.address, neigh.dev.to_string())).collect();
    known.sort_unstable();
    known.dedup();
    let instances = known.iter().map(|(address, dev)| Offer::new(address, &format!("neighbour on {dev}")));
    let ports = routers().flat_map(|router| &router.internal);
    let nets = ports.flat_map(|port| port.addresses.iter().map(move |net| (net, &port.device)));
    let nets = nets.filter(|(net, _)| net.addr().is_ipv4());
    instances.chain(nets.map(|(net, dev)| Offer::subnet(net, &format!("{} on {dev}", net.trunc())))).collect()
}

fn routers(node: &Node) -> Vec<Offer> {
    let all = node.topology.routers.iter().filter(|router| can_have(router));
    let nets = |router: &Router| {
        let nets = router.internal.iter().flat_map(|port| &port.addresses).filter(|net| net.addr().is_ipv4());
        nets.take(4).map(|net| net.trunc().to_string()).collect::<Vec<_>>().join(", ")
    };
    all.map(|router| Offer::new(&router.id, &nets(router))).collect()
}

/// Whether floating IPs of that router can be made on this node.
pub(in crate::tui) fn can_have(router: &Router) -> bool {
    router.namespace.is_some()
}

/// Whether they can be addresses of its gateway port here.
fn on_gateway(router: &Router) -> bool {
    let is_legacy = matches!(router.kind, RouterKind::Legacy | RouterKind::LegacyHa);
    router.gateway_port.is_some() && (is_legacy || router.snat_namespace.is_some())
}

/// Whether a router that is meant has both: of a legacy one they are always on the
/// gateway port.
pub(super) fn has_choice(form: &Form, node: &Node) -> bool {
    let wanted = form.text(Field::Router);
    let meant = node.topology.routers.iter().filter(|router| router.id.starts_with(wanted) && can_have(router));
    meant.filter(|router| !matches!(router.kind, RouterKind::Legacy | RouterKind::LegacyHa)).any(on_gateway)
}

/// The external networks that stand here.
fn networks(node: &Node) -> Vec<Offer> {
    let all = node.topology.external_networks.iter();
    all.map(|network| Offer::new(&network.id, NamespaceKind::Fip.name(&short(&network.id)).as_str())).collect()
}

/// Bridges of the host: Open vSwitch's, and Linux's.
fn bridges(node: &Node) -> Vec<Offer> {
    let host = &node.snapshot.host;
    let ovs = host.ovs.seen().into_iter().flat_map(|ovs| &ovs.ports).map(|port| (port.bridge.clone(), "Open vSwitch"));
    let links = host.netns.seen().into_iter().flat_map(|netns| netns.links());
    let linux = links.filter(|link| link.kind.as_deref() == Some("bridge"));
    let all: BTreeSet<(String, &str)> = ovs.chain(linux.map(|link| (link.name.to_string(), "Linux bridge"))).collect();
    all.into_iter().map(|(name, kind)| Offer::new(&name, kind)).collect()
}
