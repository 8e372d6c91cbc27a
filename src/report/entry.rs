//! Where a traced packet comes in: what an operator means, and what else to say
//! where that is ambiguous or nowhere.

use super::text::short_ids;
use crate::net::{IfName, NetnsName, Snapshot};
use crate::path::Start;
use crate::topology::{ExternalNetwork, Router, Topology};

/// How many places or devices a hint names.
const MOST: usize = 8;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryQuery {
    /// The device that it comes in by.
    pub iif: Option<IfName>,
    /// The router's id, or its first characters.
    pub router: Option<String>,
    /// The external network's id, or its first characters.
    pub external_network: Option<String>,
}

/// What that comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It comes in here.
    One(Start),
    /// It could come in at any of these; the text is the arguments that mean
    /// this one and no other, where there are such.
    Many(Vec<(Start, Option<String>)>),
    /// It comes in nowhere.
    Nowhere {
        /// What there is instead, for a person.
        hint: String,
    },
}

/// Chooses among the places where the engine lets a packet come in; a device
/// that was named counts even where such a packet would not be expected.
pub fn entry(snapshot: &Snapshot, topology: &Topology, starts: Vec<Start>, query: &EntryQuery) -> Entry {
    let place = Place { topology };
    let everywhere = match &query.iif {
        Some(device) if !starts.iter().any(|start| start.device.as_ref() == Some(device)) => having(snapshot, device),
        _ => starts,
    };
    let found: Vec<&Start> = everywhere.iter().filter(|start| place.means(query, start)).collect();
    match found.as_slice() {
        [] => Entry::Nowhere { hint: hint(snapshot, topology, &everywhere, query) },
        [one] => Entry::One((*one).clone()),
        many => {
            let arguments = |start: &Start| place.arguments(query, many, start);
            Entry::Many(many.iter().map(|start| ((*start).clone(), arguments(start))).collect())
        }
    }
}

/// A place in words.
pub fn entry_words(start: &Start) -> String {
    match &start.device {
        Some(device) => format!("by {device} in {}", start.namespace),
        None => format!("sent by {} itself", start.namespace),
    }
}

/// The namespaces that have a device of that name.
fn having(snapshot: &Snapshot, device: &IfName) -> Vec<Start> {
    let spaces = snapshot.seen();
    let here = spaces.filter(|(_, netns)| netns.link(device).is_some());
    here.map(|(name, _)| Start { namespace: name.clone(), device: Some(device.clone()) }).collect()
}

struct Place<'a> {
    topology: &'a Topology,
}

impl Place<'_> {
    fn means(&self, query: &EntryQuery, start: &Start) -> bool {
        let names = |wanted: &Option<String>, id: &str| wanted.as_deref().is_none_or(|prefix| id.starts_with(prefix));
        let device = query.iif.is_none() || query.iif == start.device;
        let routers: Vec<&Router> = self.routers(&start.namespace).collect();
        let networks: Vec<&ExternalNetwork> = self.networks(&start.namespace).collect();
        let router = query.router.is_none() || routers.iter().any(|router| names(&query.router, &router.id));
        let network = query.external_network.is_none()
            || networks.iter().any(|network| names(&query.external_network, &network.id));
        device && router && network
    }

    /// The routers that a namespace belongs to: a fip namespace to all with a
    /// pair into it.
    fn routers(&self, namespace: &NetnsName) -> impl Iterator<Item = &Router> {
        let network = self.topology.external_networks.iter().find(|network| network.namespace == *namespace);
        self.topology.routers.iter().filter(move |router| {
            [&router.namespace, &router.snat_namespace].into_iter().flatten().any(|own| own == namespace)
                || network.is_some_and(|network| router.external_network.as_ref() == Some(&network.id))
        })
    }

    /// The external networks that a namespace leads to.
    fn networks(&self, namespace: &NetnsName) -> impl Iterator<Item = &ExternalNetwork> {
        let routers: Vec<&Router> = self.routers(namespace).collect();
        self.topology.external_networks.iter().filter(move |network| {
            network.namespace == *namespace
                || routers.iter().any(|router| router.external_network.as_ref() == Some(&network.id))
        })
    }

    /// The first arguments that mean this place and no other.
    fn arguments(&self, query: &EntryQuery, among: &[&Start], start: &Start) -> Option<String> {
        let short = |id: &str, length: usize| id.chars().take(length).collect::<String>();
        let lengths = (
            short_ids(self.topology.routers.iter().map(|router| router.id.as_str())),
            short_ids(self.topology.external_networks.iter().map(|network| network.id.as_str())),
        );
        let router = self.routers(&start.namespace).next().map(|router| short(&router.id, lengths.0));
        let network = self.networks(&start.namespace).next().map(|network| short(&network.id, lengths.1));
        let iif = start.device.clone();
        let ways = [
            EntryQuery { iif: iif.clone(), ..query.clone() },
            EntryQuery { router: router.clone(), ..query.clone() },
            EntryQuery { external_network: network.clone(), ..query.clone() },
            EntryQuery { router: router.clone(), iif: iif.clone(), ..query.clone() },
            EntryQuery { external_network: network, iif, router },
        ];
        let one = |way: &EntryQuery| among.iter().filter(|other| self.means(way, other)).count() == 1;
        let way = ways.into_iter().filter(|way| self.means(way, start)).find(one)?;
        let option =
            |name: &str, value: Option<String>| value.map(|value| format!(" {name} {value}")).unwrap_or_default();
        let device = way.iif.map(|device| device.to_string());
        let words = option("--iif", device)
            + &option("--router", way.router)
            + &option("--external-network", way.external_network);
        Some(words.trim_start().to_owned())
    }
}

fn hint(snapshot: &Snapshot, topology: &Topology, elsewhere: &[Start], query: &EntryQuery) -> String {
    if !elsewhere.is_empty() {
        let places: Vec<String> = elsewhere.iter().take(MOST).map(entry_words).collect();
        return format!("it would come in {}, but not there", places.join(", or "));
    }
    if let Some(device) = &query.iif {
        let kind = device.as_str().split('-').next().unwrap_or_default();
        let all = snapshot.seen().flat_map(|(_, netns)| netns.links());
        let names: Vec<&str> = all.map(|link| link.name.as_str()).filter(|name| *name != "lo").collect();
        let alike: Vec<&str> = names.iter().copied().filter(|name| name.split('-').next() == Some(kind)).collect();
        return listed(
            &format!("no namespace has a device {device}; there are"),
            if alike.is_empty() { names } else { alike },
        );
    }
    let subnets = topology.routers.iter().flat_map(|router| &router.internal).flat_map(|port| &port.addresses);
    let subnets: Vec<String> =
        subnets.map(ipnet::IpNet::trunc).filter(|net| net.addr().is_ipv4()).map(|net| net.to_string()).collect();
    let fips: Vec<String> =
        topology.floating_ips.iter().filter_map(|fip| fip.floating_ip).map(|ip| ip.to_string()).collect();
    let subnets = listed("subnets here are", subnets.iter().map(String::as_str).collect());
    let fips = listed("floating IPs are", fips.iter().map(String::as_str).collect());
    format!("{subnets}; {fips}; --iif DEVICE says where it comes in")
}

fn listed(lead: &str, mut names: Vec<&str>) -> String {
    names.sort_unstable();
    names.dedup();
    match names.len() {
        0 => format!("{lead} none"),
        all if all > MOST => format!("{lead} {} and {} more", names[..MOST].join(", "), all - MOST),
        _ => format!("{lead} {}", names.join(", ")),
    }
}
