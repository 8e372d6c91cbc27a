//! Nodes made up in memory, healthy until told otherwise: for tests and benches
//! of every room that works on a [`Snapshot`].
//!
//! The first router is that of the article *Distributed Virtual Routing –
//! Floating IPs*, with its names and addresses; what the article does not show
//! is as the L3 agent leaves it in that layout.

mod build;
mod centralized;
mod tables;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

pub use build::{Fip, RouterSpec, Subnet};

use crate::net::netfilter::{Chain, NfRule, RuleBody};
use crate::net::{Netns, NetnsName, Observed, Snapshot, TableId};
use crate::neutron::{Layout, LinkLocalPair};

/// The article's router.
pub const ROUTER: &str = "ef25020f-012c-41d6-a36e-f2f09cb8ea62";
/// Its namespace.
pub const QROUTER: &str = "qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62";
/// Its snat namespace.
pub const SNAT: &str = "snat-ef25020f-012c-41d6-a36e-f2f09cb8ea62";
/// The article's external network.
pub const NETWORK: &str = "cef4f7b4-c344-4904-a847-a9960f58fb20";
/// Its namespace.
pub const FIP: &str = "fip-cef4f7b4-c344-4904-a847-a9960f58fb20";
/// The router's end of the pair.
pub const RFP: &str = "rfp-ef25020f-0";
/// The other end.
pub const FPR: &str = "fpr-ef25020f-0";
/// The agent gateway port.
pub const FG: &str = "fg-b2b77eed-1b";
/// The port on 10.0.0.0/24.
pub const QR: &str = "qr-c2e43983-5c";
/// The instance's address.
pub const FIXED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
/// Its floating IP.
pub const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);

/// A node under construction.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What a reading of it would give.
    pub snapshot: Snapshot,
}

impl Scenario {
    /// A node with nothing of Neutron on it.
    pub fn empty() -> Self {
        Self { snapshot: Snapshot::empty("compute-1", jiff::Timestamp::UNIX_EPOCH) }
    }

    /// The article's node in one of the layouts: one router, two subnets,
    /// 10.0.0.4 as 192.168.1.3.
    pub fn article(layout: Layout) -> Self {
        Self::empty().with_router(&RouterSpec::article(layout))
    }

    /// Any number of routers on one external network, each with its floating IPs.
    pub fn scale(layout: Layout, routers: u16, fips: u8) -> Self {
        (0..routers).fold(Self::empty(), |node, number| node.with_router(&RouterSpec::numbered(layout, number, fips)))
    }

    /// Adds a distributed router, and its fip namespace where it is the first.
    #[must_use]
    pub fn with_router(mut self, spec: &RouterSpec) -> Self {
        build::add(&mut self.snapshot, spec);
        self
    }

    /// Adds the snat namespace of the article's router, with a centralized
    /// floating IP: 20.0.0.9 as 192.168.1.9.
    #[must_use]
    pub fn with_centralized(mut self) -> Self {
        centralized::add_snat(&mut self.snapshot, None);
        self
    }

    /// The article's node in the layout of Pike with a highly available router:
    /// its snat namespace runs VRRP, and is the primary or a standby.
    pub fn distributed_ha(primary: bool) -> Self {
        let mut node = Self::article(Layout::Pike);
        centralized::add_snat(&mut node.snapshot, Some(primary));
        node
    }

    /// A legacy router with 10.0.0.4 as 192.168.1.3; with VRRP, primary or not.
    pub fn legacy(ha: Option<bool>) -> Self {
        let mut node = Self::empty();
        centralized::add_legacy(&mut node.snapshot, ha);
        node
    }

    /// A second router on the same external network, with 30.0.0.4 as
    /// 192.168.1.33.
    #[must_use]
    pub fn with_second_router(self, layout: Layout) -> Self {
        self.with_router(&RouterSpec::second(layout))
    }

    /// A second external network with a router of its own; floating and fixed IP
    /// are those of the first.
    #[must_use]
    pub fn with_second_network(self, layout: Layout) -> Self {
        self.with_router(&RouterSpec::elsewhere(layout))
    }

    /// Changes a namespace.
    #[must_use]
    pub fn edit(mut self, namespace: &str, change: impl FnOnce(&mut Netns)) -> Self {
        if let Some(netns) = self.snapshot.netns_mut(&NetnsName::from(namespace)) {
            change(netns);
        }
        self
    }

    /// Drops the policy rules that a word in their text gives away.
    #[must_use]
    pub fn without_rule(self, namespace: &str, words: &str) -> Self {
        self.edit(namespace, |netns| keep(&mut netns.rules, |rule| !rule.to_string().contains(words)))
    }

    /// Drops a route.
    #[must_use]
    pub fn without_route(self, namespace: &str, table: TableId, dst: &str) -> Self {
        self.edit(namespace, |netns| {
            keep(&mut netns.routes, |route| {
                let words = if route.is_default() { "default".to_owned() } else { route.dst.to_string() };
                route.table != table || words != dst
            });
        })
    }

    /// Drops the neighbour entries of an address.
    #[must_use]
    pub fn without_neighbour(self, namespace: &str, address: &str) -> Self {
        self.edit(namespace, |netns| keep(&mut netns.neighs, |neigh| neigh.address.to_string() != address))
    }

    /// Drops an address, and the routes that the kernel made for it.
    #[must_use]
    pub fn without_address(self, namespace: &str, address: &str) -> Self {
        self.edit(namespace, |netns| {
            keep(&mut netns.addrs, |addr| addr.address.to_string() != address);
            keep(&mut netns.routes, |route| {
                route.pref_src.is_none_or(|source| !address.starts_with(&format!("{source}/")))
            });
        })
    }

    /// Drops a device, with its addresses, routes and neighbours.
    #[must_use]
    pub fn without_link(self, namespace: &str, device: &str) -> Self {
        self.edit(namespace, |netns| {
            keep(&mut netns.links, |link| link.name.as_str() != device);
            keep(&mut netns.addrs, |addr| addr.dev.as_str() != device);
            keep(&mut netns.routes, |route| route.dev().is_none_or(|dev| dev.as_str() != device));
            keep(&mut netns.neighs, |neigh| neigh.dev.as_str() != device);
        })
    }

    /// Switches a device off.
    #[must_use]
    pub fn link_down(self, namespace: &str, device: &str) -> Self {
        self.edit(namespace, |netns| {
            if let Observed::Seen(links) = &mut netns.links {
                links.iter_mut().filter(|link| link.name.as_str() == device).for_each(|link| link.flags &= !1);
            }
        })
    }

    /// Drops the translation rules that a word in their target or matches gives
    /// away, as Rust's debug text has them.
    #[must_use]
    pub fn without_nat(self, namespace: &str, chain: &str, word: &str) -> Self {
        self.edit_chain(namespace, chain, |rules| rules.retain(|rule| !format!("{:?}", rule.body).contains(word)))
    }

    /// Puts a rule that nobody understands first in a chain of the nat table.
    #[must_use]
    pub fn with_riddle(self, namespace: &str, chain: &str) -> Self {
        let riddle =
            NfRule { handle: None, counters: None, body: RuleBody::NotUnderstood("ip saddr @blocked drop".to_owned()) };
        self.edit_chain(namespace, chain, |rules| rules.insert(0, riddle))
    }

    /// Makes a whole namespace unreadable.
    #[must_use]
    pub fn unreadable(mut self, namespace: &str) -> Self {
        let why = Observed::Unreadable("setns: Operation not permitted".to_owned());
        self.snapshot.namespaces.insert(NetnsName::from(namespace), why);
        self
    }

    /// Takes a namespace away.
    #[must_use]
    pub fn without_namespace(mut self, namespace: &str) -> Self {
        self.snapshot.namespaces.remove(&NetnsName::from(namespace));
        self
    }

    fn edit_chain(self, namespace: &str, chain: &str, change: impl FnOnce(&mut Vec<NfRule>)) -> Self {
        self.edit(namespace, |netns| {
            let Observed::Seen(netfilter) = &mut netns.netfilter else { return };
            let Observed::Seen(tables) = &mut netfilter.nft else { return };
            let nat = tables.iter_mut().filter(|table| table.name == "nat").flat_map(|table| &mut table.chains);
            let found: Option<&mut Chain> = nat.into_iter().find(|found| found.name.ends_with(chain));
            if let Some(found) = found {
                change(&mut found.rules);
            }
        })
    }
}

fn keep<T>(list: &mut Observed<Vec<T>>, wanted: impl FnMut(&T) -> bool) {
    if let Observed::Seen(list) = list {
        list.retain(wanted);
    }
}

/// An address with its prefix length.
fn net(a: u8, b: u8, c: u8, d: u8, length: u8) -> IpNet {
    // The lengths here are written out above and below, none over 32.
    Ipv4Net::new(Ipv4Addr::new(a, b, c, d), length).map_or_else(|_| IpAddr::V4(Ipv4Addr::UNSPECIFIED).into(), IpNet::V4)
}

fn pair(c: u8, d: u8) -> LinkLocalPair {
    LinkLocalPair::of(Ipv4Addr::new(169, 254, c, d))
}
