//! An association taken away: nothing of it stays, and nothing else is touched.
//!
//! The route goes first: without it the node no longer answers ARP for the
//! address. Then rule, translation, and what connection tracking remembers. The
//! router's pair goes only where that is asked for and nothing needs it; the fip
//! namespace and its port stay, as they are the whole node's.

mod central;
mod filter;
mod pair;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::check::Applicability;
use crate::net::{FileName, Observed, Route, Rule, Snapshot, TableId};
use crate::neutron::{FIP_TABLE, PriorityEntry, RouterPrefix, is_fip_priority};
use crate::topology::{FipKind, FloatingIp, Topology};

use super::associate::{Seat, Site, is_written};
use super::future::foretell;
use super::{Action, AgentCase, CaseKind, Neutron, Object, Place, Plan, Refused, Step, Told, fit};

/// A floating IP to be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remove {
    /// The public address.
    pub floating_ip: IpAddr,
    /// The router, by id or its beginning, where the address alone is ambiguous.
    pub router: Option<String>,
    /// The external network, by id or its beginning, likewise.
    pub external_network: Option<String>,
    /// The router's pair goes, too, where this is its last floating IP.
    pub with_pair: bool,
    /// What Neutron has of it, where the user knows.
    pub neutron: Option<Neutron>,
}

impl Remove {
    /// The association alone.
    pub fn new(floating_ip: IpAddr) -> Self {
        Self { floating_ip, router: None, external_network: None, with_pair: false, neutron: None }
    }
}

/// The plan that takes an association away.
pub fn remove(snapshot: &Snapshot, topology: &Topology, wanted: &Remove) -> Result<Plan, Refused> {
    let IpAddr::V4(floating_ip) = wanted.floating_ip else { return Err(Refused::Ipv6(wanted.floating_ip)) };
    let fip = select(topology, wanted)?;
    let gone = Gone::of(site(snapshot, topology, fip)?, fip, floating_ip);
    if fip.kind != FipKind::Distributed {
        return central::remove(&gone, &Seat::of(site(snapshot, topology, fip)?)?, fip, wanted);
    }
    let others = gone.others();
    if wanted.with_pair && !others.is_empty() {
        return Err(Refused::PairInUse { router: fip.router.clone(), others });
    }
    let mut plan = Plan::new(match gone.fixed_ip {
        Some(fixed_ip) => format!("Remove {floating_ip} from {fixed_ip} on the router {}", fip.router),
        None => format!("Remove {floating_ip} on the router {}", fip.router),
    });
    gone.steps(&mut plan, others.is_empty());
    let own = plan.steps.len();
    if wanted.with_pair {
        pair::steps(&mut plan, &gone.site);
    }
    let of_pair: Vec<Step> = plan.steps.iter().skip(own).cloned().collect();
    let mut plan = fit::fit(plan, snapshot)?.gathered();
    if plan.steps.iter().any(fit::lasts) {
        plan.push(&gone.site.router_place(), Action::Forget { address: wanted.floating_ip });
    }
    let mut plan = plan.already_last();
    let (kind, told) = match wanted.neutron {
        Some(Neutron::Has) => (CaseKind::StillThere, Told::Given),
        Some(Neutron::HasNot) => (CaseKind::Dropped, Told::Given),
        None if is_written(&gone.site, wanted.floating_ip) => (CaseKind::StillThere, Told::Files),
        None => (CaseKind::Dropped, Told::Files),
    };
    foretell(&mut plan, AgentCase { kind, told }, gone.site.agent_may_run());
    if kind == CaseKind::Dropped {
        pair::foretell(&mut plan, &of_pair, &gone.site);
    }
    plan.applicability = Applicability::NeedsConsent;
    plan.warnings.push(format!("Traffic of {floating_ip} stops, and its open connections end."));
    if gone.site.agent_may_run() && is_written(&gone.site, wanted.floating_ip) {
        plan.warnings.push("The L3 agent may run: its files are left to it.".to_owned());
    }
    if wanted.with_pair {
        plan.warnings.extend(pair::warnings(&gone.site));
    }
    Ok(plan)
}

/// Everything that speaks of an association on this node.
pub(super) struct Gone<'s> {
    site: Site<'s>,
    floating_ip: Ipv4Addr,
    fixed_ip: Option<IpAddr>,
}

impl<'s> Gone<'s> {
    fn of(site: Site<'s>, fip: &FloatingIp, floating_ip: Ipv4Addr) -> Self {
        Self { site, floating_ip, fixed_ip: fip.fixed_ip }
    }

    /// The router's other floating IPs that are done here.
    fn others(&self) -> Vec<IpAddr> {
        let all = self.site.topology.fips();
        let own = all.filter(|fip| fip.router == self.site.router.id && fip.kind == FipKind::Distributed);
        own.filter_map(|fip| fip.floating_ip).filter(|other| *other != IpAddr::V4(self.floating_ip)).collect()
    }

    fn steps(&self, plan: &mut Plan, is_last: bool) {
        let Self { site, floating_ip, .. } = self;
        let floating = IpAddr::V4(*floating_ip);
        for route in self.routes() {
            plan.push(&site.fip_place(), Action::Delete(Object::Route(route.clone())));
        }
        for rule in self.rules() {
            plan.push(&site.router_place(), Action::Delete(Object::Rule(rule.clone())));
        }
        let prefix = RouterPrefix::of(&site.router.id);
        let of_it = filter::Association { floating, fixed: self.fixed_ip, rfp: &prefix.rfp(), is_last };
        for edit in filter::deletions(site, &of_it) {
            plan.push(&site.router_place(), Action::Netfilter(edit));
        }
        let its = site.inner.addrs().iter().filter(|addr| addr.dev == prefix.rfp());
        for addr in its.filter(|addr| addr.address == IpNet::from(floating)) {
            plan.push(&site.router_place(), Action::Delete(Object::Addr(addr.clone())));
        }
        if !site.agent_may_run() {
            let is_its = |line: &str| line.parse().is_ok_and(|entry: PriorityEntry| entry.floating_ip == floating);
            lines(plan, site, FileName::Priorities, is_its);
        }
    }

    /// Routes of the fip namespace that deliver it to this router.
    fn routes(&self) -> impl Iterator<Item = &'s Route> {
        let (dst, fpr) = (IpNet::from(IpAddr::V4(self.floating_ip)), RouterPrefix::of(&self.site.router.id).fpr());
        let all = self.site.outer.map_or(&[][..], |netns| netns.routes());
        all.iter().filter(move |route| route.table == TableId::MAIN && route.dst == dst && route.dev() == Some(&fpr))
    }

    /// Rules of its fixed IP, where no other floating IP needs them.
    fn rules(&self) -> impl Iterator<Item = &'s Rule> {
        let topology = self.site.topology;
        let shared = |fixed: &IpAddr| {
            let own = |fip: &&FloatingIp| fip.router == self.site.router.id && fip.fixed_ip == Some(*fixed);
            let other = Some(IpAddr::V4(self.floating_ip));
            topology.fips().filter(own).any(|fip| fip.floating_ip.is_some() && fip.floating_ip != other)
        };
        let source = self.fixed_ip.filter(|fixed| !shared(fixed)).map(IpNet::from);
        self.site.inner.rules().iter().filter(move |rule| {
            source.is_some() && rule.from == source && rule.table() == Some(FIP_TABLE) && is_fip_priority(rule.priority)
        })
    }
}

/// The association that is meant.
fn select<'s>(topology: &'s Topology, wanted: &Remove) -> Result<&'s FloatingIp, Refused> {
    let begins =
        |id: &str, wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| id.starts_with(wanted.as_str()));
    let fits = |fip: &&FloatingIp| {
        let network = fip.external_network.as_deref().unwrap_or_default();
        fip.floating_ip == Some(wanted.floating_ip)
            && begins(&fip.router, &wanted.router)
            && begins(network, &wanted.external_network)
    };
    let fitting: Vec<&FloatingIp> = topology.fips().filter(fits).collect();
    match fitting[..] {
        [] => Err(Refused::NotFound(wanted.floating_ip)),
        [fip] => Ok(fip),
        _ => Err(Refused::Ambiguous {
            what: format!("several associations have the floating IP {}", wanted.floating_ip),
            candidates: fitting.iter().map(|fip| fip.router.clone()).collect(),
            option: "--router ID or --external-network ID",
        }),
    }
}

fn site<'s>(snapshot: &'s Snapshot, topology: &'s Topology, fip: &FloatingIp) -> Result<Site<'s>, Refused> {
    let Some(router) = topology.router(&fip.router) else {
        return Err(Refused::NoRouter(format!("has the id {}", fip.router)));
    };
    // Without a pair nothing tells the network; then nothing there leads here either.
    let network = fip.external_network.clone().or_else(|| router.external_network.clone()).unwrap_or_default();
    Site::of(snapshot, topology, router, network)
}

/// Deletes lines of one of the agent's files, the last one first, so that each
/// can go back to its place.
pub(super) fn lines(plan: &mut Plan, site: &Site<'_>, name: FileName, is_its: impl Fn(&str) -> bool) {
    let file = match name {
        FileName::LinkLocal => &site.snapshot.host.link_local_file,
        FileName::Priorities => &site.snapshot.host.priority_file,
    };
    let Observed::Seen(file) = file else { return };
    for (at, line) in file.lines.iter().enumerate().rev().filter(|(_, line)| is_its(line)) {
        let object =
            Object::FileLine { file: name, path: file.path.clone(), at: u32::try_from(at).ok(), line: line.clone() };
        plan.push(&Place::Host, Action::Delete(object));
    }
}
