//! A router at a glance: its three classes of traffic, by which device each comes
//! in, what decides, what it becomes, by which device it leaves and to whom; and
//! what the node costs the external network. Read off what stands on the node,
//! nothing is walked.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::net::netfilter::{Match, NatRange, RuleBody, RuleWords, Target};
use crate::net::{IfName, Mac, Netns, NetnsName, Route, RouteKind, Rule, Snapshot, TableId};
use crate::neutron::{FIP_TABLE, Layout};
use crate::topology::{FipKind, FipState, FloatingIp, InternalPort, LinkName, LinkState, Router, RouterKind, Topology};

/// One router's classes of traffic on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// The router's id.
    pub router: String,
    /// How it routes.
    pub kind: RouterKind,
    /// The layout of its floating IPs.
    pub layout: Option<Layout>,
    /// To each of its subnets from the others; empty where it has only one.
    pub east_west: Vec<Way>,
    /// Out of each of its subnets with the router's address.
    pub snat: Vec<Way>,
    /// Out with each of its floating IPs.
    pub fip: Vec<Way>,
    /// What the node costs the router's external network; `None` where no fip
    /// namespace of it stands here.
    pub cost: Option<Cost>,
}

/// The way of one class's packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Whose: the subnet that it leads to (east-west), the subnet (SNAT) or the
    /// fixed IP (floating IP) that it comes from. `None`: nothing tells.
    pub of: Option<IpNet>,
    /// One per namespace, in packet order.
    pub stages: Vec<Stage>,
    /// What its chain comes to; floating IPs only.
    pub state: Option<FipState>,
    /// Where it goes on, if not on this node.
    pub elsewhere: Option<&'static str>,
}

/// What one namespace does on a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The namespace.
    pub namespace: NetnsName,
    /// By which devices it comes in: any of these.
    pub enters: Vec<IfName>,
    /// The rule that decides; `None` where none stands.
    pub rule: Option<Rule>,
    /// The route in that rule's table; `None` where none stands.
    pub route: Option<Route>,
    /// The source before and after translation; `None` where it stays.
    pub translated: Option<(IpNet, IpAddr)>,
}

/// What a node takes of an external network's addresses and hardware addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The external network's id.
    pub external_network: String,
    /// The agent gateway port, whose hardware address answers for everything.
    pub device: IfName,
    /// That hardware address.
    pub mac: Option<Mac>,
    /// The port's own IPv4 addresses.
    pub own: Vec<IpAddr>,
    /// Routers of this node that share it.
    pub routers: usize,
    /// Distributed floating IPs of this node on that network.
    pub floating_ips: usize,
}

impl Glance {
    /// A router of this node at a glance.
    pub fn of(snapshot: &Snapshot, topology: &Topology, router: &Router) -> Self {
        let place = Place { snapshot, topology, router };
        let fips = topology.fips().filter(|fip| fip.router == router.id);
        Self {
            router: router.id.clone(),
            kind: router.kind,
            layout: router.layout,
            east_west: if subnets(&router.internal).count() > 1 { place.east_west() } else { Vec::new() },
            snat: subnets(&router.internal).map(|(port, subnet)| place.snat(port, subnet)).collect(),
            fip: fips.map(|fip| place.fip(fip)).collect(),
            cost: place.cost(),
        }
    }
}

impl Stage {
    /// By which device it leaves.
    pub fn leaves(&self) -> Option<&IfName> {
        self.route.as_ref().and_then(Route::dev)
    }

    /// To whom: the next hop; `None` where the destination is on the link.
    pub fn to(&self) -> Option<IpAddr> {
        self.route.as_ref().and_then(Route::via)
    }
}

impl Cost {
    /// Addresses that the node takes: the port's and the floating IPs.
    pub fn addresses(&self) -> usize {
        self.own.len() + self.floating_ips
    }

    /// Addresses that a gateway port per router and node would take: its own and
    /// the floating IPs.
    pub fn addresses_with_a_port_per_router(&self) -> usize {
        self.routers + self.floating_ips
    }

    /// Hardware addresses that the network's switches learn from the node.
    pub fn macs(&self) -> usize {
        1
    }

    /// Hardware addresses that a gateway port per router and node would show them.
    pub fn macs_with_a_port_per_router(&self) -> usize {
        self.routers
    }
}

/// What a glance is made from.
#[derive(Clone, Copy)]
struct Place<'a> {
    snapshot: &'a Snapshot,
    topology: &'a Topology,
    router: &'a Router,
}

impl<'a> Place<'a> {
    fn netns(self, name: Option<&NetnsName>) -> Option<&'a Netns> {
        name.and_then(|name| self.snapshot.netns(name))
    }

    fn qrouter(self) -> Option<(&'a NetnsName, &'a Netns)> {
        let name = self.router.namespace.as_ref()?;
        Some((name, self.netns(Some(name))?))
    }

    fn is_legacy(self) -> bool {
        matches!(self.router.kind, RouterKind::Legacy | RouterKind::LegacyHa)
    }

    /// One way per subnet that the others reach by the main table.
    fn east_west(self) -> Vec<Way> {
        let Some((name, netns)) = self.qrouter() else { return Vec::new() };
        let ways = subnets(&self.router.internal).map(|(port, subnet)| {
            let others = self.router.internal.iter().filter(|other| other.device != port.device);
            let leads = |route: &&Route| route.dst == subnet.trunc() && route.dev() == Some(&port.device);
            let stage = Stage {
                enters: others.map(|other| other.device.clone()).collect(),
                route: routes(netns, TableId::MAIN).find(leads).cloned(),
                ..stage(name, rule_to_main(netns))
            };
            Way { of: Some(subnet.trunc()), stages: vec![stage], state: None, elsewhere: None }
        });
        ways.collect()
    }

    fn snat(self, port: &InternalPort, subnet: IpNet) -> Way {
        let (first, elsewhere) = self.to_gateway(port, subnet);
        let mut way = Way { of: Some(subnet.trunc()), stages: first, state: None, elsewhere };
        if let (Some(last), Some(own)) = (way.stages.last_mut(), self.own_address(subnet))
            && way.elsewhere.is_none()
        {
            last.translated = Some((subnet.trunc(), own));
        }
        way
    }

    fn fip(self, fip: &FloatingIp) -> Way {
        let fixed = fip.fixed_ip.map(IpNet::from);
        let home =
            fip.fixed_ip.and_then(|fixed| subnets(&self.router.internal).find(|(_, subnet)| subnet.contains(&fixed)));
        let (mut stages, elsewhere) = match (fip.kind, home) {
            (FipKind::Distributed, home) => (self.through_pair(fip, home.map(|(port, _)| port)), None),
            (FipKind::Centralized | FipKind::Legacy, Some((port, subnet))) => self.to_gateway(port, subnet),
            (FipKind::Centralized | FipKind::Legacy, None) => (Vec::new(), None),
        };
        let at = if fip.kind == FipKind::Distributed { stages.first_mut() } else { stages.last_mut() };
        if let (Some(stage), Some(fixed), Some(floating), true) = (at, fixed, fip.floating_ip, translates(fip)) {
            stage.translated = Some((fixed, floating));
        }
        Way { of: fixed, stages, state: Some(fip.state), elsewhere }
    }

    /// Through table 16, the pair and the fip namespace.
    fn through_pair(self, fip: &FloatingIp, port: Option<&InternalPort>) -> Vec<Stage> {
        let mut stages = Vec::new();
        if let Some((name, netns)) = self.qrouter() {
            let from = fip.fixed_ip.map(IpNet::from);
            let rule = netns
                .rules()
                .iter()
                .find(|rule| from.is_some() && rule.from == from && rule.table() == Some(FIP_TABLE));
            stages.push(Stage {
                enters: port.map(|port| port.device.clone()).into_iter().collect(),
                route: rule.and_then(|_| default(netns, FIP_TABLE)),
                ..stage(name, rule)
            });
        }
        let network =
            self.topology.external_networks.iter().find(|network| fip.external_network.as_ref() == Some(&network.id));
        if let (Some(network), Some(fpr)) = (network, &self.router.fip_2_rtr)
            && let Some(netns) = self.netns(Some(&network.namespace))
        {
            let own =
                netns.rules().iter().find(|rule| rule.iif.as_ref() == Some(&fpr.device) && rule.table().is_some());
            let rule = own.or_else(|| rule_to_main(netns));
            let route = rule.and_then(Rule::table).and_then(|table| default(netns, table));
            stages.push(Stage { enters: vec![fpr.device.clone()], route, ..stage(&network.namespace, rule) });
        }
        stages
    }

    /// Through the subnet's own table and the snat namespace; in a legacy router
    /// by the main table.
    fn to_gateway(self, port: &InternalPort, subnet: IpNet) -> (Vec<Stage>, Option<&'static str>) {
        let Some((name, netns)) = self.qrouter() else { return (Vec::new(), None) };
        let of_subnet =
            |rule: &&Rule| rule.from.is_some_and(|from| from.trunc() == subnet.trunc()) && rule.table().is_some();
        let rule = if self.is_legacy() { rule_to_main(netns) } else { netns.rules().iter().find(of_subnet) };
        let route = rule.and_then(Rule::table).and_then(|table| default(netns, table));
        let mut stages = vec![Stage { enters: vec![port.device.clone()], route, ..stage(name, rule) }];
        if self.is_legacy() {
            return (stages, None);
        }
        let Some(snat) = &self.router.snat_namespace else {
            return (stages, Some("the snat namespace stands on another node, and translates there"));
        };
        let sg = subnets(&self.router.snat_ports).find(|(_, net)| net.trunc() == subnet.trunc());
        let netns = self.netns(Some(snat));
        stages.push(Stage {
            enters: sg.map(|(port, _)| port.device.clone()).into_iter().collect(),
            route: netns.and_then(|netns| default(netns, TableId::MAIN)),
            ..stage(snat, netns.and_then(rule_to_main))
        });
        (stages, None)
    }

    /// The address that the router gives to what leaves a subnet without a
    /// floating IP: `-o qg-… -j SNAT --to-source`, in Juno `-s SUBNET -j SNAT`.
    fn own_address(self, subnet: IpNet) -> Option<IpAddr> {
        let place = if self.is_legacy() { &self.router.namespace } else { &self.router.snat_namespace };
        let netfilter = self.netns(place.as_ref())?.netfilter.seen()?;
        let port = &self.router.gateway_port.as_ref()?.device;
        let is_its = |rule: &RuleWords| {
            let source = rule.matches.iter().find_map(|condition| match condition {
                Match::Source { net, invert: false } => Some(*net),
                _ => None,
            });
            let out = |condition: &Match| matches!(condition, Match::OutIface { name, invert: false } if name == port.as_str());
            source.map_or_else(|| rule.matches.iter().any(out), |net| net.trunc() == subnet.trunc())
        };
        let chains = netfilter.tables().filter(|table| table.name == "nat").flat_map(|table| &table.chains);
        chains.flat_map(|chain| &chain.rules).find_map(|rule| match &rule.body {
            RuleBody::Words(words) if is_its(words) => match &words.target {
                Some(Target::Snat { to: NatRange { addrs: Some((first, _)), .. }, .. }) => Some(*first),
                _ => None,
            },
            _ => None,
        })
    }

    fn cost(self) -> Option<Cost> {
        let id = self.router.external_network.as_ref()?;
        let network = self.topology.external_networks.iter().find(|network| network.id == *id)?;
        let port = network.gateway_port.as_ref()?;
        let here = |other: &&Router| other.external_network.as_ref() == Some(id) && other.fip_2_rtr.is_some();
        let through = |fip: &&FloatingIp| {
            fip.kind == FipKind::Distributed && fip.floating_ip.is_some() && fip.external_network.as_ref() == Some(id)
        };
        Some(Cost {
            external_network: id.clone(),
            device: port.device.clone(),
            mac: port.mac,
            own: port.addresses.iter().map(IpNet::addr).filter(IpAddr::is_ipv4).collect(),
            routers: self.topology.routers.iter().filter(here).count(),
            floating_ips: self.topology.fips().filter(through).count(),
        })
    }
}

/// The ports with their IPv4 networks, host bits kept.
fn subnets(ports: &[InternalPort]) -> impl Iterator<Item = (&InternalPort, IpNet)> {
    ports
        .iter()
        .flat_map(|port| port.addresses.iter().map(move |net| (port, *net)))
        .filter(|(_, net)| net.addr().is_ipv4())
}

/// True where the source translation of a floating IP stands.
fn translates(fip: &FloatingIp) -> bool {
    let link = fip.outbound.iter().find(|link| link.link == LinkName::FloatSnat);
    link.is_some_and(|link| link.state == LinkState::Ok)
}

fn stage(namespace: &NetnsName, rule: Option<&Rule>) -> Stage {
    Stage { namespace: namespace.clone(), enters: Vec::new(), rule: rule.cloned(), route: None, translated: None }
}

fn rule_to_main(netns: &Netns) -> Option<&Rule> {
    netns.rules().iter().find(|rule| rule.table() == Some(TableId::MAIN) && rule.from.is_none() && rule.iif.is_none())
}

fn routes(netns: &Netns, table: TableId) -> impl Iterator<Item = &Route> {
    netns.routes().iter().filter(move |route| route.table == table && route.kind == RouteKind::Unicast)
}

fn default(netns: &Netns, table: TableId) -> Option<Route> {
    routes(netns, table).find(|route| route.is_default() && route.dst.addr().is_ipv4()).cloned()
}

#[cfg(test)]
mod tests;
