//! Where a floating IP that is not distributed is done: the gateway port of its
//! router, in the snat namespace or in a legacy router's own.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::net::netfilter::Backend;
use crate::net::{Netns, NetnsName, RouteKind, TableId};
use crate::neutron::Layout;
use crate::topology::{GatewayPort, RouterKind};

use super::super::agent::Forms;
use super::super::{Place, Refused};
use super::site::{Site, readable};
use super::told;

/// A gateway port with its namespace.
pub(in super::super) struct Seat<'s> {
    pub(in super::super) site: Site<'s>,
    /// The namespace's name.
    pub(in super::super) name: &'s NetnsName,
    /// What is in it.
    pub(in super::super) netns: &'s Netns,
    /// `qg`.
    pub(in super::super) port: &'s GatewayPort,
}

impl<'s> Seat<'s> {
    /// The router's, where it stands on this node and could be read.
    pub(in super::super) fn of(site: Site<'s>) -> Result<Self, Refused> {
        let router = site.router;
        let is_legacy = matches!(router.kind, RouterKind::Legacy | RouterKind::LegacyHa);
        let name = if is_legacy { Some(site.qrouter) } else { router.snat_namespace.as_ref() };
        let elsewhere = |what: &str| Refused::NotDistributed(format!("the router {} has no {what} here", router.id));
        let name = name.ok_or_else(|| elsewhere("snat namespace"))?;
        let netns = readable(site.snapshot, name)?.ok_or_else(|| elsewhere("snat namespace"))?;
        let port = router.gateway_port.as_ref().ok_or_else(|| elsewhere("gateway port"))?;
        Ok(Self { site, name, netns, port })
    }

    /// The namespace, for steps.
    pub(in super::super) fn place(&self) -> Place {
        Place::Netns(self.name.clone())
    }

    /// The subnets on the link of the gateway port.
    pub(super) fn subnets(&self) -> Vec<IpNet> {
        let own = self.port.addresses.iter().filter(|net| net.prefix_len() < net.max_prefix_len());
        let routes = self.netns.routes().iter().filter(|route| {
            let on_link = route.dev() == Some(&self.port.device) && route.via().is_none();
            on_link && route.table == TableId::MAIN && route.kind == RouteKind::Unicast
        });
        let mut all: Vec<IpNet> = own.map(IpNet::trunc).chain(routes.map(|route| route.dst)).collect();
        all.retain(|net| net.addr().is_ipv4() && net.prefix_len() < 32);
        all.sort();
        all.dedup();
        all
    }

    /// The gateways that default routes lead to.
    pub(super) fn gateways(&self) -> Vec<IpAddr> {
        let defaults = self.netns.routes().iter().filter(|route| route.is_default());
        defaults.filter_map(crate::net::Route::via).collect()
    }

    /// The forms in which the agent writes there.
    pub(super) fn forms(&self) -> Result<Forms, Refused> {
        let Some(netfilter) = self.netns.netfilter.seen() else { return Err(self.without_chains()) };
        let (backend, prefix) = match (told::prefix(&netfilter.nft), told::prefix(&netfilter.legacy)) {
            (Some(_), Some(_)) => return Err(Refused::TwoBackends(self.name.clone())),
            (Some(prefix), None) => (Backend::Nft, prefix),
            (None, Some(prefix)) => (Backend::Legacy, prefix),
            (None, None) => return Err(self.without_chains()),
        };
        let forms = Forms::of(Layout::Pike, backend);
        let random_fully = told::tables(self.netns).find_map(told::random_fully).unwrap_or(forms.random_fully);
        Ok(Forms { prefix, random_fully, ..forms })
    }

    /// keepalived moves the addresses of the gateway port between nodes.
    pub(in super::super) fn is_highly_available(&self) -> bool {
        matches!(self.site.router.kind, RouterKind::LegacyHa | RouterKind::DistributedHa)
    }

    /// What to know where keepalived looks after the port.
    pub(in super::super) fn keepalived(&self, then: &str) -> Option<String> {
        self.is_highly_available().then(|| {
            format!(
                "The router is highly available: keepalived looks after the addresses of {}. What is changed here is \
                 not written to its configuration, so {then} when another node takes over or it is loaded anew.",
                self.port.device
            )
        })
    }

    fn without_chains(&self) -> Refused {
        Refused::NotDistributed(format!("the L3 agent's chains do not stand in {}", self.name))
    }
}
