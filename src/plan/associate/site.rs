//! Where an association takes place: the router, its namespace, the external
//! network, and what the node tells of its agent.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::net::netfilter::{NfFamily, RuleBody};
use crate::net::{Netns, NetnsName, Observed, Route, RouteKind, Snapshot, TableId};
use crate::neutron::{DeviceKind, Layout, NamespaceKind};
use crate::topology::{ExternalNetwork, Router, Topology};

use super::super::{Place, Refused, agent};

/// A router and an external network of a node that was read.
pub(in super::super) struct Site<'s> {
    pub(in super::super) snapshot: &'s Snapshot,
    pub(in super::super) topology: &'s Topology,
    pub(in super::super) router: &'s Router,
    /// The router namespace's name.
    pub(in super::super) qrouter: &'s NetnsName,
    /// What is in it.
    pub(in super::super) inner: &'s Netns,
    /// The external network's id.
    pub(in super::super) network: String,
    /// What is in its fip namespace, where that stands.
    pub(in super::super) outer: Option<&'s Netns>,
}

impl<'s> Site<'s> {
    /// The router: by id or beginning, else by the fixed IP's subnet.
    pub(super) fn router(
        snapshot: &Snapshot,
        topology: &'s Topology,
        router: Option<&str>,
        fixed_ip: Ipv4Addr,
    ) -> Result<&'s Router, Refused> {
        if let Some(why) = &snapshot.namespaces_unreadable {
            let what = "list of namespaces".to_owned();
            return Err(Refused::Unreadable { namespace: None, what, why: why.clone() });
        }
        match router {
            Some(id) => by_id(topology, id),
            None => by_subnet(topology, fixed_ip),
        }
    }

    /// That router, and the network by id or beginning, else where the router's
    /// pair leads, else by the floating IP's subnet.
    pub(super) fn find(
        snapshot: &'s Snapshot,
        topology: &'s Topology,
        router: &'s Router,
        network: Option<&str>,
        floating_ip: Ipv4Addr,
    ) -> Result<Self, Refused> {
        let network = match network {
            Some(id) => network_by_id(topology, id)?,
            None => network_of(snapshot, topology, router, floating_ip)?,
        };
        Self::of(snapshot, topology, router, network)
    }

    /// That router and that network, where all of both could be read.
    pub(in super::super) fn of(
        snapshot: &'s Snapshot,
        topology: &'s Topology,
        router: &'s Router,
        network: String,
    ) -> Result<Self, Refused> {
        let Some(qrouter) = &router.namespace else {
            return Err(Refused::NotDistributed(format!("the router {} has no namespace here", router.id)));
        };
        let inner = readable(snapshot, qrouter)?
            .ok_or_else(|| Refused::NotDistributed(format!("the router {} has no namespace here", router.id)))?;
        let outer = readable(snapshot, &NamespaceKind::Fip.name(&network))?;
        Ok(Self { snapshot, topology, router, qrouter, inner, network, outer })
    }

    /// The router namespace.
    pub(in super::super) fn router_place(&self) -> Place {
        Place::Netns(self.qrouter.clone())
    }

    /// The fip namespace.
    pub(in super::super) fn fip_place(&self) -> Place {
        agent::fip_netns(&self.network)
    }

    /// The external network, where it stands here.
    pub(in super::super) fn external(&self) -> Option<&'s ExternalNetwork> {
        self.topology.external_networks.iter().find(|network| network.id == self.network)
    }

    /// The subnets of the external network: what is on the link of fg.
    pub(in super::super) fn external_subnets(&self) -> Vec<IpNet> {
        self.outer.map_or_else(Vec::new, external_subnets)
    }

    /// True where the L3 agent runs, or may run.
    pub(in super::super) fn agent_may_run(&self) -> bool {
        !self.snapshot.host.agent.is_absent()
    }
}

/// A namespace whose every part could be read; `None` where it is not there.
pub(super) fn readable<'s>(snapshot: &'s Snapshot, name: &NetnsName) -> Result<Option<&'s Netns>, Refused> {
    let unreadable = |what: &str, why: &str| {
        let (what, why) = (what.to_owned(), why.to_owned());
        Refused::Unreadable { namespace: Some(name.clone()), what, why }
    };
    let netns = match snapshot.namespaces.get(name) {
        None | Some(Observed::Absent) => return Ok(None),
        Some(Observed::Unreadable(why)) => return Err(unreadable("namespace", why)),
        Some(Observed::Seen(netns)) => netns,
    };
    let netfilter = netns.netfilter.seen();
    let parts = [
        ("devices", netns.links.unreadable()),
        ("addresses", netns.addrs.unreadable()),
        ("rules", netns.rules.unreadable()),
        ("routes", netns.routes.unreadable()),
        ("neighbours", netns.neighs.unreadable()),
        ("packet filter", netns.netfilter.unreadable()),
        ("nft tables", netfilter.and_then(|netfilter| netfilter.nft.unreadable())),
        ("iptables tables", netfilter.and_then(|netfilter| netfilter.legacy.unreadable())),
    ];
    if let Some((what, why)) = parts.into_iter().find_map(|(what, why)| Some((what, why?))) {
        return Err(unreadable(what, why));
    }
    for table in netfilter.iter().flat_map(|netfilter| netfilter.named(NfFamily::Ip, "nat")) {
        for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
            if let RuleBody::NotUnderstood(words) = &rule.body {
                return Err(unreadable("nat table", &format!("a rule is not in iptables' words: {words}")));
            }
        }
    }
    Ok(Some(netns))
}

fn by_id<'s>(topology: &'s Topology, id: &str) -> Result<&'s Router, Refused> {
    let here = || topology.routers.iter().filter(|router| router.namespace.is_some());
    if let Some(router) = here().find(|router| router.id == id) {
        return Ok(router);
    }
    let fitting: Vec<&Router> = here().filter(|router| router.id.starts_with(id)).collect();
    one_of(&fitting, || Refused::NoRouter(format!("has the id {id}")))
}

fn by_subnet(topology: &Topology, fixed_ip: Ipv4Addr) -> Result<&Router, Refused> {
    let fixed_ip = IpAddr::V4(fixed_ip);
    let has = |router: &&Router| {
        let mut nets = router.internal.iter().flat_map(|port| &port.addresses);
        router.namespace.is_some() && nets.any(|net| net.contains(&fixed_ip))
    };
    let fitting: Vec<&Router> = topology.routers.iter().filter(has).collect();
    one_of(&fitting, || Refused::NoRouter(format!("has a subnet with {fixed_ip}")))
}

fn one_of<'s>(fitting: &[&'s Router], none: impl FnOnce() -> Refused) -> Result<&'s Router, Refused> {
    match *fitting {
        [] => Err(none()),
        [router] => Ok(router),
        _ => Err(Refused::Ambiguous {
            what: "several routers fit".to_owned(),
            candidates: fitting.iter().map(|router| router.id.clone()).collect(),
            option: "--router ID",
        }),
    }
}

/// A network that stands here, or the whole id of one that does not.
fn network_by_id(topology: &Topology, id: &str) -> Result<String, Refused> {
    let all = || topology.external_networks.iter().map(|network| network.id.as_str());
    let fitting: Vec<&str> = all().filter(|known| known.starts_with(id)).collect();
    match fitting[..] {
        [known] => Ok(known.to_owned()),
        _ if all().any(|known| known == id) => Ok(id.to_owned()),
        [] if is_id(id) => Ok(id.to_owned()),
        [] => Err(Refused::Needs {
            what: "no fip namespace of that external network stands here, and this is not a whole id".to_owned(),
            options: vec!["--external-network ID"],
        }),
        _ => Err(several_networks(fitting)),
    }
}

fn network_of(
    snapshot: &Snapshot,
    topology: &Topology,
    router: &Router,
    floating_ip: Ipv4Addr,
) -> Result<String, Refused> {
    if let Some(id) = &router.external_network {
        return Ok(id.clone());
    }
    let all = &topology.external_networks;
    let subnets =
        |network: &ExternalNetwork| snapshot.netns(&network.namespace).map_or_else(Vec::new, external_subnets);
    let has = |network: &&ExternalNetwork| subnets(network).iter().any(|net| net.contains(&IpAddr::V4(floating_ip)));
    let fitting: Vec<&str> = all.iter().filter(has).map(|network| network.id.as_str()).collect();
    match (&fitting[..], &all[..]) {
        ([id], _) => Ok((*id).to_owned()),
        ([], [only]) => Ok(only.id.clone()),
        ([], []) => Err(Refused::Needs {
            what: "no fip namespace stands here yet".to_owned(),
            options: vec!["--external-network ID"],
        }),
        ([], _) => Err(several_networks(all.iter().map(|network| network.id.as_str()).collect())),
        _ => Err(several_networks(fitting)),
    }
}

fn several_networks(ids: Vec<&str>) -> Refused {
    Refused::Ambiguous {
        what: "several external networks fit".to_owned(),
        candidates: ids.into_iter().map(str::to_owned).collect(),
        option: "--external-network ID",
    }
}

/// An id as Neutron gives them: it becomes the name of a file.
fn is_id(id: &str) -> bool {
    id.len() == 36 && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

fn external_subnets(netns: &Netns) -> Vec<IpNet> {
    let on_link = |route: &&Route| {
        let of_fg = route.dev().is_some_and(|dev| DeviceKind::AgentGateway.is(dev));
        of_fg && route.table == TableId::MAIN && route.kind == RouteKind::Unicast && route.via().is_none()
    };
    let v4 = |net: &IpNet| net.addr().is_ipv4();
    let mut subnets: Vec<IpNet> = netns.routes().iter().filter(on_link).map(|route| route.dst).filter(v4).collect();
    // A device that is off has its addresses and no routes.
    let own = netns.addrs().iter().filter(|addr| DeviceKind::AgentGateway.is(&addr.dev));
    subnets.extend(own.map(|addr| addr.address.trunc()).filter(v4));
    subnets.sort();
    subnets.dedup();
    subnets
}

/// The layout of a router that has none yet: that of the others of its fip
/// namespace, then of the node; `None` where there are none.
pub(super) fn siblings_layout(site: &Site<'_>) -> Option<Layout> {
    let others = || site.topology.routers.iter().filter(|router| router.layout.is_some());
    let near = others().find(|router| router.external_network.as_ref() == Some(&site.network));
    near.or_else(|| others().next()).and_then(|router| router.layout)
}
