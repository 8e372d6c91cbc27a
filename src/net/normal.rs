//! When two readings count as the same.
//!
//! Two strengths. [`Snapshot::settled`] leaves out what moves on an idle node:
//! counters, handles, ages, tracked connections (but not that they are too many),
//! the time. What is left is what [`changes`](super::changes) compares. [`Snapshot::normalised`] leaves out
//! what the kernel chooses by itself as well: interface indexes, namespace
//! numbers, hardware addresses of virtual devices with all that follows from
//! them, learned neighbours. What is left must be equal after a change was made
//! and undone.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::netfilter::{NfRule, Table};
use super::{Agent, ConntrackFill, IfName, Link, LinkStats, Mac, Netns, NetnsName, Observed, Peer, Snapshot};

impl Snapshot {
    /// The snapshot without counters, netfilter handles, ages, tracked
    /// connections and the time, every list in its order.
    #[must_use]
    pub fn settled(&self) -> Self {
        let mut settled = self.clone();
        settled.taken_at = jiff::Timestamp::UNIX_EPOCH;
        settled.source = String::new();
        if let Observed::Seen(agent) = &mut settled.host.agent {
            agent.uptime = None;
        }
        settled.each_netns_mut().for_each(settle);
        settled
    }

    /// The [`settled`](Self::settled) snapshot without what the kernel chose:
    /// indexes and hardware addresses of virtual devices are replaced by values
    /// that follow from the names, wherever they appear (peers, link-local
    /// addresses, routes, neighbours); namespace numbers, learned neighbours and
    /// how full connection tracking is are left out.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let mut normal = self.settled();
        let names = DeviceNames::of(&normal);
        let chosen = Chosen::of(&normal);
        for (name, netns) in &mut normal.namespaces {
            if let Some(netns) = netns.make_mut() {
                normalise(netns, Some(name), &names, &chosen);
            }
        }
        if let Some(netns) = normal.host.netns.make_mut() {
            normalise(netns, None, &names, &chosen);
        }
        normal
    }

    /// True where two readings differ in nothing but what
    /// [`normalised`](Self::normalised) leaves out.
    pub fn same_as(&self, other: &Self) -> bool {
        self.normalised() == other.normalised()
    }
}

impl Table {
    /// The table without counters and handles, its chains by name: their order
    /// means nothing.
    #[must_use]
    pub fn settled(&self) -> Self {
        let mut table = self.clone();
        for chain in &mut table.chains {
            chain.counters = None;
            for rule in &mut chain.rules {
                (rule.counters, rule.handle) = (None, None);
            }
        }
        table.chains.sort_by(|one, other| one.name.cmp(&other.name));
        table
    }
}

impl Link {
    /// The same but for its counters.
    pub fn same_as(&self, other: &Self) -> bool {
        self == other || self.stats != other.stats && Self { stats: other.stats, ..self.clone() } == *other
    }
}

pub(super) fn same_nf_rule(one: &NfRule, other: &NfRule) -> bool {
    one.body == other.body
}

pub(super) fn same_fill(one: &Observed<ConntrackFill>, other: &Observed<ConntrackFill>) -> bool {
    one.as_ref().map(ConntrackFill::settled) == other.as_ref().map(ConntrackFill::settled)
}

pub(super) fn same_agent(one: &Observed<Agent>, other: &Observed<Agent>) -> bool {
    let ageless = |agent: &Agent| Agent { uptime: None, ..agent.clone() };
    one.as_ref().map(ageless) == other.as_ref().map(ageless)
}

/// Tables without counters and handles, sorted by family and name, their chains
/// by name: neither order means anything.
pub(super) fn settled_tables(tables: &[Table]) -> Vec<Table> {
    let mut tables: Vec<Table> = tables.iter().map(Table::settled).collect();
    tables.sort_by(|one, other| (one.family, &one.name).cmp(&(other.family, &other.name)));
    tables
}

fn settle(netns: &mut Netns) {
    if let Observed::Seen(links) = &mut netns.links {
        for link in links {
            link.stats = LinkStats::default();
        }
    }
    if let Observed::Seen(netfilter) = &mut netns.netfilter {
        for part in [&mut netfilter.nft, &mut netfilter.legacy] {
            if let Observed::Seen(tables) = part {
                *tables = settled_tables(tables);
            }
        }
    }
    netns.conntrack = None;
    if let Observed::Seen(fill) = &mut netns.conntrack_fill {
        *fill = fill.settled();
    }
    netns.sort();
}

type Place = Option<NetnsName>;

/// Which device has which index, namespace by namespace.
struct DeviceNames(BTreeMap<(Place, u32), IfName>);

impl DeviceNames {
    fn of(snapshot: &Snapshot) -> Self {
        let all = snapshot
            .places()
            .flat_map(|(place, netns)| netns.links().iter().map(move |link| ((place.cloned(), link.index), &link.name)))
            .map(|(key, name)| (key, name.clone()));
        Self(all.collect())
    }

    /// An index that follows from the device's name; 0 where no device has it.
    fn index(&self, place: &Place, index: u32) -> u32 {
        self.0.get(&(place.clone(), index)).map_or(0, name_index)
    }
}

/// What the kernel chose, and what stands for it.
#[derive(Default)]
struct Chosen {
    macs: BTreeMap<Mac, Mac>,
    addrs: BTreeMap<IpAddr, IpAddr>,
}

impl Chosen {
    fn of(snapshot: &Snapshot) -> Self {
        let mut chosen = Self::default();
        for (place, netns) in snapshot.places() {
            for link in netns.links().iter().filter(|link| kernel_chooses_mac(link)) {
                let Some(mac) = link.mac else { continue };
                let name = format!("{}/{}", place.map_or("", NetnsName::as_str), link.name.as_str());
                let hash = fnv(&name).to_be_bytes();
                let stand_in = Mac([0x02, hash[3], hash[4], hash[5], hash[6], hash[7]]);
                chosen.macs.insert(mac, stand_in);
                chosen.addrs.insert(link_local(mac), link_local(stand_in));
            }
        }
        chosen
    }

    fn mac(&self, mac: &mut Option<Mac>) {
        if let Some(stand_in) = mac.and_then(|mac| self.macs.get(&mac)) {
            *mac = Some(*stand_in);
        }
    }

    fn addr(&self, addr: &mut IpAddr) {
        if let Some(stand_in) = self.addrs.get(addr) {
            *addr = *stand_in;
        }
    }

    fn net(&self, net: &mut IpNet) {
        let stand_in = self.addrs.get(&net.addr()).and_then(|addr| IpNet::new(*addr, net.prefix_len()).ok());
        *net = stand_in.unwrap_or(*net);
    }
}

/// Drivers whose devices come with a random address. Neutron gives an address
/// to the ports that it plugs, but not to the pair between router and fip
/// namespace.
fn kernel_chooses_mac(link: &Link) -> bool {
    matches!(link.kind.as_deref(), Some("veth" | "bridge" | "dummy" | "vxlan" | "openvswitch"))
}

fn normalise(netns: &mut Netns, place: Option<&NetnsName>, names: &DeviceNames, chosen: &Chosen) {
    let here = place.cloned();
    if let Observed::Seen(links) = &mut netns.links {
        for link in links {
            normalise_link(link, &here, names, chosen);
        }
    }
    if let Observed::Seen(addrs) = &mut netns.addrs {
        for addr in addrs {
            chosen.net(&mut addr.address);
        }
    }
    if let Observed::Seen(routes) = &mut netns.routes {
        for route in routes {
            chosen.net(&mut route.dst);
            route.pref_src.iter_mut().for_each(|addr| chosen.addr(addr));
            route.next_hops.iter_mut().filter_map(|hop| hop.via.as_mut()).for_each(|via| chosen.addr(via));
        }
    }
    if let Observed::Seen(neighs) = &mut netns.neighs {
        neighs.retain(|neigh| !neigh.is_learned());
        for neigh in neighs {
            chosen.mac(&mut neigh.mac);
            chosen.addr(&mut neigh.address);
        }
    }
    if let Observed::Seen(fill) = &mut netns.conntrack_fill {
        fill.count = 0;
    }
    netns.sort();
}

fn normalise_link(link: &mut Link, here: &Place, names: &DeviceNames, chosen: &Chosen) {
    match &mut link.peer {
        Some(Peer::Here(index)) => *index = names.index(here, *index),
        Some(Peer::In(netns, index)) => *index = names.index(&Some(netns.clone()), *index),
        Some(Peer::Host(index)) => *index = names.index(&None, *index),
        Some(Peer::Elsewhere) | None => {}
    }
    // The index of a device below counts in this namespace only where no
    // namespace number stands beside it; a peer says the rest.
    link.link = link.link.map(|index| if link.link_netnsid.is_none() { names.index(here, index) } else { 0 });
    link.link_netnsid = link.link_netnsid.map(|_| 0);
    link.master = link.master.map(|index| names.index(here, index));
    if kernel_chooses_mac(link) {
        chosen.mac(&mut link.mac);
    }
    link.index = name_index(&link.name);
}

/// The interface identifier of RFC 4291, appendix A, behind `fe80::/64`.
fn link_local(mac: Mac) -> IpAddr {
    let Mac(bytes) = mac;
    let word = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    let front = [word(bytes[0] ^ 2, bytes[1]), word(bytes[2], 0xff)];
    let back = [word(0xfe, bytes[3]), word(bytes[4], bytes[5])];
    Ipv6Addr::new(0xfe80, 0, 0, 0, front[0], front[1], back[0], back[1]).into()
}

fn name_index(name: &IfName) -> u32 {
    let hash = fnv(name.as_str());
    u32::try_from(hash >> 33).unwrap_or_default() + 1
}

/// FNV-1a, 64 bits: stable from run to run, which the hashes of the standard
/// library do not promise.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::OperState;

    fn veth(index: u32, mac: &str, peer: u32) -> Link {
        Link {
            kind: Some("veth".to_owned()),
            mac: Some(mac.parse().unwrap()),
            mtu: 1500,
            flags: 0x1_1043,
            state: OperState::Up,
            stats: LinkStats { rx_packets: u64::from(index), ..LinkStats::default() },
            link: Some(peer),
            link_netnsid: Some(i32::try_from(peer).unwrap()),
            ..Link::new(index, IfName::from("rfp-ef25020f-0"))
        }
    }

    fn node(index: u32, mac: &str, address: &str) -> Snapshot {
        let mut snapshot = Snapshot::empty("node", jiff::Timestamp::UNIX_EPOCH);
        let mut netns = Netns { links: Observed::Seen(vec![veth(index, mac, index + 1)]), ..Netns::default() };
        let dev = IfName::from("rfp-ef25020f-0");
        let route = super::super::Route::unicast(super::super::TableId::LOCAL, address.parse().unwrap(), None, &dev);
        netns.routes = Observed::Seen(vec![route]);
        snapshot.namespaces.insert(NetnsName::from("qrouter-x"), Observed::Seen(netns.into()));
        snapshot
    }

    #[test]
    fn a_pair_made_anew_counts_as_the_same() {
        let one = node(2, "8e:36:be:5d:34:3b", "fe80::8c36:beff:fe5d:343b/128");
        let other = node(9, "be:18:38:f7:b6:52", "fe80::bc18:38ff:fef7:b652/128");
        assert!(one.same_as(&other));
        assert_ne!(one.settled(), other.settled());
        let foreign = node(9, "be:18:38:f7:b6:52", "fe80::1/128");
        assert!(!one.same_as(&foreign), "an address that does not follow from the device stays a difference");
    }
}
