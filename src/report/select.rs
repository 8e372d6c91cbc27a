//! Which floating IP an operator means by an address.

use std::net::IpAddr;

use super::text::short_ids;
use crate::topology::{FloatingIp, Topology};

/// What was asked for: an address, and what decides where it is ambiguous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// A floating or a fixed IP.
    pub address: IpAddr,
    /// The router's id, or its first characters.
    pub router: Option<String>,
    /// The external network's id, or its first characters.
    pub external_network: Option<String>,
}

/// What a query comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection<'a> {
    /// It means this one.
    One(&'a FloatingIp),
    /// It could mean any of these.
    Many(Vec<Candidate<'a>>),
    /// It means none.
    Nothing {
        /// The text says what there is instead, for a person.
        hint: String,
    },
}

/// One of several floating IPs that a query could mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The floating IP.
    pub floating_ip: &'a FloatingIp,
    /// The arguments that mean this one and no other; `None` where nothing
    /// tells it from another one.
    pub arguments: Option<String>,
}

/// Finds the floating IP that a query means.
pub fn select<'a>(topology: &'a Topology, query: &Query) -> Selection<'a> {
    let same_address: Vec<&FloatingIp> = topology.fips().filter(|fip| has_address(fip, query.address)).collect();
    let found: Vec<&FloatingIp> = same_address.iter().copied().filter(|fip| is_where(fip, query)).collect();
    match found.as_slice() {
        [] => Selection::Nothing { hint: hint(topology, query, &same_address) },
        [one] => Selection::One(one),
        many => Selection::Many(
            many.iter()
                .map(|&fip| Candidate { floating_ip: fip, arguments: arguments(topology, query, fip) })
                .collect(),
        ),
    }
}

fn has_address(fip: &FloatingIp, address: IpAddr) -> bool {
    fip.floating_ip == Some(address) || fip.fixed_ip == Some(address)
}

fn is_where(fip: &FloatingIp, query: &Query) -> bool {
    let network = fip.external_network.as_deref().unwrap_or_default();
    query.router.as_deref().is_none_or(|prefix| fip.router.starts_with(prefix))
        && query.external_network.as_deref().is_none_or(|prefix| network.starts_with(prefix))
}

/// The first arguments that mean `fip` and no other: the address that was asked
/// for with the router or the network or both, else its other address.
fn arguments(topology: &Topology, query: &Query, fip: &FloatingIp) -> Option<String> {
    let short = |id: &str, length: usize| id.chars().take(length).collect::<String>();
    let routers = short_ids(topology.routers.iter().map(|router| router.id.as_str()));
    let networks = short_ids(topology.external_networks.iter().map(|network| network.id.as_str()));
    let router = Some(short(&fip.router, routers));
    let network = fip.external_network.as_deref().map(|id| short(id, networks));
    let places = [
        (query.router.clone(), query.external_network.clone()),
        (router.clone(), query.external_network.clone()),
        (query.router.clone(), network.clone()),
        (router, network),
    ];
    let addresses = [Some(query.address), fip.floating_ip, fip.fixed_ip].into_iter().flatten();
    let ways = addresses.flat_map(|address| {
        places.iter().cloned().map(move |(router, external_network)| Query { address, router, external_network })
    });
    let means_one = |way: &Query| {
        topology.fips().filter(|other| has_address(other, way.address) && is_where(other, way)).count() == 1
    };
    let Query { address, router, external_network } = ways.into_iter().find(means_one)?;
    let option = |name: &str, value: Option<String>| value.map(|value| format!(" {name} {value}")).unwrap_or_default();
    Some(format!("{address}{}{}", option("--router", router), option("--external-network", external_network)))
}

fn hint(topology: &Topology, query: &Query, same_address: &[&FloatingIp]) -> String {
    if let Some(fip) = same_address.first() {
        let network = fip.external_network.as_ref().map(|id| format!(", external network {id}")).unwrap_or_default();
        return format!("the address is here, but not there: it belongs to router {}{network}", fip.router);
    }
    let mut near: Vec<&FloatingIp> = topology.fips().collect();
    near.sort_by_key(|fip| {
        let ends = [fip.floating_ip, fip.fixed_ip];
        ends.into_iter().flatten().map(|address| distance(address, query.address)).min().unwrap_or(u128::MAX)
    });
    let listed: Vec<String> = near.iter().take(3).map(|fip| addresses(fip)).collect();
    match (listed.len(), near.len()) {
        (0, _) => "there is no floating IP on this node".to_owned(),
        (_, all) if all <= 3 => format!("there are {}", listed.join(", ")),
        (_, all) => format!("the nearest of {all} are {}; `fipscope list` shows all", listed.join(", ")),
    }
}

/// Both ends, in words.
pub fn addresses(fip: &FloatingIp) -> String {
    let word = |address: Option<IpAddr>| address.map_or_else(|| "unknown".to_owned(), |address| address.to_string());
    format!("{} (fixed {})", word(fip.floating_ip), word(fip.fixed_ip))
}

/// How far apart two addresses are; another family is farthest.
fn distance(a: IpAddr, b: IpAddr) -> u128 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits().abs_diff(b.to_bits())),
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits().abs_diff(b.to_bits()),
        _ => u128::MAX,
    }
}
