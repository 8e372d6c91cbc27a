//! Distributed routers with both ends of their pairs, gathered once for all
//! checks that look at them.

use std::collections::HashMap;
use std::rc::Rc;

use super::policy::Rules;
use super::{Findings, Scene, Subject};
use crate::net::{Addr, IfName, Link, Neigh, Netns, NetnsName, Observed, Route, Rule, TableId};
use crate::neutron::{AllocationLine, DeviceKind, LinkLocalPair, NamespaceKind, RouterPrefix, pair_lines};
use crate::topology::{FipKind, FloatingIp, ObjectKind, ObjectRef, Router, RouterKind};

/// A distributed router whose namespace stands here.
pub(super) struct View<'s> {
    /// As the topology has it.
    pub(super) router: &'s Router,
    /// The router namespace's name.
    pub(super) qrouter: &'s NetnsName,
    /// What is in it.
    pub(super) netns: &'s Netns,
    /// The fip namespace, where its pair leads to one that was read.
    pub(super) fip: Option<Fip<'s>>,
    /// The end in the router namespace.
    pub(super) rfp: Rc<End<'s>>,
    /// The end in the fip namespace.
    pub(super) fpr: Rc<End<'s>>,
    /// Its floating IPs, of every kind.
    pub(super) fips: Vec<&'s FloatingIp>,
    /// Its pair in the agent's file.
    pub(super) written: Option<LinkLocalPair>,
    /// Its rules for one source address each.
    pub(super) by_source: Rules<'s>,
}

/// A fip namespace.
#[derive(Clone)]
pub(super) struct Fip<'s> {
    /// Its name.
    pub(super) name: NetnsName,
    /// Its agent gateway ports.
    pub(super) gateways: Vec<&'s Link>,
}

/// One end of a pair: what stands on it.
#[derive(Clone)]
pub(super) struct End<'s> {
    /// The device's name, whether it is there or not.
    pub(super) name: IfName,
    /// The device.
    pub(super) link: Option<&'s Link>,
    /// Its addresses.
    pub(super) addrs: Vec<&'s Addr>,
    /// Routes of any table that lead out of it.
    pub(super) routes: Vec<&'s Route>,
    /// Its neighbours.
    pub(super) neighs: Vec<&'s Neigh>,
}

/// What can be seen of a router.
pub(super) enum Look<'s> {
    /// Everything that the checks need.
    Seen(Box<View<'s>>),
    /// A part of it was not read: namespace and reason.
    Blind(Subject, NetnsName, String),
    /// It is not distributed, or has no namespace here.
    Elsewhere,
}

/// The devices of a namespace with what stands on them.
#[derive(Default)]
pub(super) struct ByDevice<'s> {
    ends: HashMap<&'s IfName, Rc<End<'s>>>,
    gateways: Vec<&'s Link>,
}

/// What all routers have in common: the fip namespaces, where their pairs end,
/// and the agent's file of pairs.
pub(super) struct Outer<'s> {
    fips: HashMap<NetnsName, Result<ByDevice<'s>, String>>,
    written: HashMap<String, LinkLocalPair>,
}

impl<'s> Outer<'s> {
    /// Gathers it.
    pub(super) fn of(scene: &Scene<'s>) -> Self {
        let file = scene.snapshot.host.link_local_file.seen().into_iter().flat_map(pair_lines);
        let entries = file.filter_map(AllocationLine::entry);
        let mut fips = HashMap::new();
        for name in scene.topology.routers.iter().filter_map(fip_namespace) {
            fips.entry(name).or_insert_with_key(|name| readable(scene, name).map(ByDevice::of));
        }
        Self { fips, written: entries.map(|entry| (entry.router, entry.pair)).collect() }
    }
}

/// Where a router's pair should end.
fn fip_namespace(router: &Router) -> Option<NetnsName> {
    router.external_network.as_ref().map(|id| NamespaceKind::Fip.name(id))
}

/// What of a router there is to be seen.
pub(super) enum Sight<'o, 's> {
    /// Its namespace, and where its pair ends, so far as that stands here.
    Clear(&'s NetnsName, &'s Netns, Option<(NetnsName, &'o ByDevice<'s>)>),
    /// A part of it was not read: namespace and reason.
    Blind(NetnsName, String),
    /// It is not distributed, or has no namespace here.
    Elsewhere,
}

impl<'o, 's> Sight<'o, 's> {
    /// Whether all that the checks need was read of a router.
    pub(super) fn of(scene: &'o Scene<'s>, router: &'s Router) -> Self {
        let distributed = matches!(router.kind, RouterKind::Distributed | RouterKind::DistributedHa);
        let Some(qrouter) = router.namespace.as_ref().filter(|_| distributed) else { return Self::Elsewhere };
        let inner = match readable(scene, qrouter) {
            Ok(netns) => netns,
            Err(why) => return Self::Blind(qrouter.clone(), why),
        };
        let name = fip_namespace(router);
        match name.as_ref().and_then(|name| scene.outer().fips.get(name)) {
            Some(Err(why)) => Self::Blind(name.unwrap_or_else(|| qrouter.clone()), why.clone()),
            Some(Ok(index)) => Self::Clear(qrouter, inner, name.map(|name| (name, index))),
            None => Self::Clear(qrouter, inner, None),
        }
    }
}

impl<'s> Look<'s> {
    /// Looks at a router.
    pub(super) fn at(scene: &Scene<'s>, router: &'s Router, sight: Sight<'_, 's>) -> Self {
        match sight {
            Sight::Elsewhere => Self::Elsewhere,
            Sight::Blind(namespace, why) => Self::Blind(Subject::router(router), namespace, why),
            Sight::Clear(qrouter, netns, outer) => {
                let (mine, written) = (scene.fips_of(router).to_vec(), scene.outer().written.get(&router.id).copied());
                Self::Seen(Box::new(View::of(router, qrouter, netns, outer, mine, written)))
            }
        }
    }

    /// Runs a check on it; says that it cannot tell where not all could be read.
    fn show(&self, findings: &mut Findings, run: &mut impl FnMut(&View<'_>, &mut Findings)) {
        match self {
            Self::Seen(view) => run(view, findings),
            Self::Blind(subject, namespace, why) => {
                let object = ObjectRef { kind: ObjectKind::Netns, key: subject.router.clone().unwrap_or_default() };
                findings.cannot_tell(subject, Some(namespace), object, why.clone());
            }
            Self::Elsewhere => {}
        }
    }
}

impl<'s> View<'s> {
    fn of(
        router: &'s Router,
        qrouter: &'s NetnsName,
        netns: &'s Netns,
        outer: Option<(NetnsName, &ByDevice<'s>)>,
        fips: Vec<&'s FloatingIp>,
        written: Option<LinkLocalPair>,
    ) -> Self {
        let prefix = RouterPrefix::of(&router.id);
        let rfp = Rc::new(End::of(netns, prefix.rfp()));
        let mut fpr =
            outer.as_ref().map_or_else(|| End::missing(prefix.fpr()).into(), |(_, index)| index.end(prefix.fpr()));
        if router.fip_2_rtr.is_none() {
            // One of that name may stand there, but it is another router's.
            fpr = End::missing(prefix.fpr()).into();
        }
        let fip = outer.map(|(name, index)| Fip { name, gateways: index.gateways.clone() });
        let by_source = Rules::of(netns.rules(), &fips);
        Self { router, qrouter, netns, fip, rfp, fpr, fips, written, by_source }
    }

    /// What findings about the router are about.
    pub(super) fn subject(&self) -> Subject {
        Subject::router(self.router)
    }

    /// Its distributed floating IPs that are translated or routed here.
    pub(super) fn distributed(&self) -> impl Iterator<Item = &'s FloatingIp> {
        distributed(&self.fips)
    }

    /// The pair that both ends should be of: the one that both are of; where
    /// they disagree, the one in the agent's file, or that table 16 agrees with.
    pub(super) fn pair(&self) -> Option<LinkLocalPair> {
        let (rfp, fpr) = (self.rfp.pairs(), self.fpr.pairs());
        let both = rfp.iter().copied().filter(|pair| fpr.contains(pair)).collect::<Vec<_>>();
        if let Some(pair) = self.written.filter(|pair| both.contains(pair)).or(both.first().copied()) {
            return Some(pair);
        }
        let either = || rfp.iter().chain(&fpr).copied();
        let written = self.written.filter(|pair| either().any(|found| found == *pair));
        let witness = || either().find(|pair| self.default_16().is_some_and(|route| route.via() == Some(pair.fpr())));
        written.or_else(witness).or_else(|| either().next()).or(self.written)
    }

    /// The default route of table 16.
    pub(super) fn default_16(&self) -> Option<&'s Route> {
        self.default_of(crate::neutron::FIP_TABLE)
    }

    /// The default route that the router namespace uses of a table.
    pub(super) fn default_of(&self, table: TableId) -> Option<&'s Route> {
        let routes = self.netns.routes().iter();
        let fits =
            |route: &&Route| route.table == table && route.is_default() && route.dst.addr().is_ipv4() && route.tos == 0;
        routes.filter(fits).min_by_key(|route| route.metric)
    }

    /// The router namespace's IPv4 rules, in the kernel's order.
    pub(super) fn rules(&self) -> impl Iterator<Item = &'s Rule> {
        self.netns.rules().iter().filter(|rule| rule.family == crate::net::Family::V4)
    }

    /// The router's ports on subnets that are up or not, with their IPv4 addresses.
    pub(super) fn subnets(&self) -> impl Iterator<Item = (&'s IfName, &'s Addr)> {
        let is_port = |addr: &&Addr| DeviceKind::Internal.is(&addr.dev) && addr.address.addr().is_ipv4();
        self.netns.addrs().iter().filter(is_port).map(|addr| (&addr.dev, addr))
    }
}

impl<'s> End<'s> {
    /// Of a namespace that is looked into once: no index is worth its while.
    fn of(netns: &'s Netns, name: IfName) -> Self {
        Self {
            link: netns.link(&name),
            addrs: netns.addrs().iter().filter(|addr| addr.dev == name).collect(),
            routes: netns.routes().iter().filter(|route| route.dev() == Some(&name)).collect(),
            neighs: netns.neighs().iter().filter(|neigh| neigh.dev == name).collect(),
            name,
        }
    }
}

impl End<'_> {
    fn missing(name: IfName) -> Self {
        Self { name, link: None, addrs: Vec::new(), routes: Vec::new(), neighs: Vec::new() }
    }

    /// The /31s that it is of.
    pub(super) fn pairs(&self) -> Vec<LinkLocalPair> {
        self.addrs.iter().filter_map(|addr| LinkLocalPair::of_net(addr.address)).collect()
    }

    /// Nothing stands on it but what the kernel puts there.
    pub(super) fn is_bare(&self) -> bool {
        let made = |route: &&&Route| route.protocol != 2 && route.dst.addr().is_ipv4();
        !self.routes.iter().any(|route| made(&route))
    }
}

impl<'s> ByDevice<'s> {
    fn of(netns: &'s Netns) -> Self {
        let mut ends: HashMap<&IfName, End<'s>> = HashMap::with_capacity(netns.links().len());
        for link in netns.links() {
            end(&mut ends, &link.name).link = Some(link);
        }
        // Addresses and neighbours come sorted by device.
        for addrs in netns.addrs().chunk_by(|one, other| one.dev == other.dev) {
            end(&mut ends, &addrs[0].dev).addrs.extend(addrs);
        }
        for neighs in netns.neighs().chunk_by(|one, other| one.dev == other.dev) {
            end(&mut ends, &neighs[0].dev).neighs.extend(neighs);
        }
        for route in netns.routes() {
            if let Some(dev) = route.dev() {
                end(&mut ends, dev).routes.push(route);
            }
        }
        let gateways = netns.links().iter().filter(|link| DeviceKind::AgentGateway.is(&link.name)).collect();
        Self { ends: ends.into_iter().map(|(dev, end)| (dev, Rc::new(end))).collect(), gateways }
    }

    fn end(&self, name: IfName) -> Rc<End<'s>> {
        self.ends.get(&name).cloned().unwrap_or_else(|| End::missing(name).into())
    }
}

/// A device among those of a namespace, standing or not.
fn end<'e, 's>(ends: &'e mut HashMap<&'s IfName, End<'s>>, dev: &'s IfName) -> &'e mut End<'s> {
    ends.entry(dev).or_insert_with(|| End::missing(dev.clone()))
}

/// Runs a check on each router; says of those that could not be read that it
/// cannot tell.
pub(super) fn each(scene: &Scene<'_>, findings: &mut Findings, mut run: impl FnMut(&View<'_>, &mut Findings)) {
    for look in scene.looks() {
        look.show(findings, &mut run);
    }
}

/// The same, which looks closely at those routers only that are concerned.
pub(super) fn each_where(
    scene: &Scene<'_>,
    findings: &mut Findings,
    is_concerned: impl Fn(&Router) -> bool,
    mut run: impl FnMut(&View<'_>, &mut Findings),
) {
    for router in scene.routers {
        match Sight::of(scene, router) {
            Sight::Clear(..) if !is_concerned(router) => {}
            sight => Look::at(scene, router, sight).show(findings, &mut run),
        }
    }
}

/// Those of these floating IPs that are distributed.
pub(super) fn distributed<'s>(fips: &[&'s FloatingIp]) -> impl Iterator<Item = &'s FloatingIp> {
    let here = |fip: &&FloatingIp| fip.kind == FipKind::Distributed && fip.floating_ip.is_some();
    fips.iter().copied().filter(here)
}

/// A namespace of which everything that these checks need was read.
fn readable<'s>(scene: &Scene<'s>, name: &NetnsName) -> Result<&'s Netns, String> {
    let netns = match scene.snapshot.namespaces.get(name) {
        Some(Observed::Seen(netns)) => netns,
        Some(Observed::Unreadable(why)) => return Err(format!("{name} could not be read: {why}")),
        Some(Observed::Absent) | None => return Err(format!("{name} was not read")),
    };
    let parts = [
        ("links", netns.links.unreadable()),
        ("addresses", netns.addrs.unreadable()),
        ("rules", netns.rules.unreadable()),
        ("routes", netns.routes.unreadable()),
        ("neighbours", netns.neighs.unreadable()),
    ];
    match parts.into_iter().find_map(|(part, why)| Some((part, why?))) {
        Some((part, why)) => Err(format!("the {part} of {name} could not be read: {why}")),
        None => Ok(netns),
    }
}
