//! One namespace, compiled: devices with their settings, addresses, rules,
//! tables, neighbours, netfilter.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use super::fib::Fib;
use super::filter::Filter;
use crate::net::{Addr, IfName, Ipv4Conf, Link, Neigh, Netns, NetnsName, Observed};

/// A namespace that could be read well enough to route in.
pub(super) struct Space<'s> {
    pub(super) name: &'s NetnsName,
    pub(super) netns: &'s Netns,
    pub(super) fib: Fib<'s>,
    devices: HashMap<&'s str, Device<'s>>,
    names: HashMap<u32, &'s IfName>,
    /// Every IPv4 address, sorted.
    addresses: Vec<u32>,
    neighbours: HashMap<(&'s str, u32), &'s Neigh>,
    proxied: HashMap<(&'s str, u32), &'s Neigh>,
    filter: OnceLock<Filter<'s>>,
}

/// A device, with what counts for packets on it.
pub(super) struct Device<'s> {
    pub(super) link: &'s Link,
    /// Its own settings joined with those of `all`; `None` where not read.
    pub(super) conf: Option<Conf>,
    /// Its IPv4 addresses, the primary one first.
    pub(super) addrs: Vec<&'s Addr>,
}

/// IPv4 settings of a device, as the kernel joins them with `all`
/// (`include/linux/inetdevice.h`: `IN_DEV_ORCONF`, `IN_DEV_MAXCONF`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Conf {
    /// The device's alone: `all` is only a switch that sets every device.
    pub(super) forwarding: bool,
    /// `None` where the node's part of it was not read.
    pub(super) rp_filter: Option<u8>,
    pub(super) proxy_arp: bool,
    pub(super) accept_local: bool,
    pub(super) src_valid_mark: bool,
    pub(super) send_redirects: bool,
    pub(super) arp_ignore: u8,
}

impl<'s> Space<'s> {
    /// Compiles a namespace; the error says what of it could not be read.
    pub(super) fn of(name: &'s NetnsName, netns: &'s Netns) -> Result<Self, String> {
        let links = part("links", &netns.links)?;
        let addrs = part("addresses", &netns.addrs)?;
        let fib = Fib::of(part("rules", &netns.rules)?, part("routes", &netns.routes)?, links);
        let mut devices: HashMap<&str, Device<'s>> =
            links.iter().map(|link| (link.name.as_str(), Device::of(link, netns))).collect();
        let mut addresses = Vec::new();
        let (secondary, primary): (Vec<_>, Vec<_>) = addrs.iter().partition(|addr| addr.flags.secondary);
        for addr in primary.into_iter().chain(secondary) {
            if let (IpAddr::V4(address), Some(device)) = (addr.address.addr(), devices.get_mut(addr.dev.as_str())) {
                device.addrs.push(addr);
                addresses.push(address.to_bits());
            }
        }
        addresses.sort_unstable();
        let entries = |proxy: bool| {
            let wanted = netns.neighs().iter().filter(move |neigh| neigh.proxy == proxy);
            wanted.filter_map(|neigh| Some(((neigh.dev.as_str(), bits(neigh.address)?), neigh))).collect()
        };
        Ok(Self {
            name,
            netns,
            fib,
            devices,
            names: links.iter().map(|link| (link.index, &link.name)).collect(),
            addresses,
            neighbours: entries(false),
            proxied: entries(true),
            filter: OnceLock::new(),
        })
    }

    /// The packet filter, compiled when it is first asked for.
    pub(super) fn filter(&self) -> &Filter<'s> {
        self.filter.get_or_init(|| Filter::of(&self.netns.netfilter))
    }

    pub(super) fn device(&self, name: &IfName) -> Option<&Device<'s>> {
        self.devices.get(name.as_str())
    }

    /// The device's own name, which lives as long as the snapshot.
    pub(super) fn name_of(&self, index: u32) -> Option<&'s IfName> {
        self.names.get(&index).copied()
    }

    /// Whether an address is one of the namespace's own.
    pub(super) fn owns(&self, address: u32) -> bool {
        self.addresses.binary_search(&address).is_ok()
    }

    pub(super) fn neighbour(&self, dev: &IfName, address: Ipv4Addr) -> Option<&'s Neigh> {
        self.neighbours.get(&(dev.as_str(), address.to_bits())).copied()
    }

    pub(super) fn proxy_neighbour(&self, dev: &IfName, address: Ipv4Addr) -> Option<&'s Neigh> {
        self.proxied.get(&(dev.as_str(), address.to_bits())).copied()
    }

    /// The neighbours that could not be read, with the reason.
    pub(super) fn blind_to_neighbours(&self) -> Option<String> {
        part("neighbours", &self.netns.neighs).err()
    }
}

impl<'s> Device<'s> {
    fn of(link: &'s Link, netns: &Netns) -> Self {
        Self { link, conf: link.ipv4.map(|own| Conf::of(own, netns)), addrs: Vec::new() }
    }

    /// The address that it sends from towards a next hop: one in the next hop's
    /// subnet, else the first (`inet_select_addr`).
    pub(super) fn address_towards(&self, next: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let near = next.and_then(|next| {
            let subnet = |addr: &&&Addr| !addr.flags.secondary && addr.address.contains(&IpAddr::V4(next));
            self.addrs.iter().find(subnet)
        });
        match near.map(|addr| addr.address.addr()) {
            Some(IpAddr::V4(address)) => Some(address),
            _ => self.primary(),
        }
    }

    /// The device's own IPv4 address: the first that lies in a network. Floating
    /// IPs stand beside it as single addresses, and a snapshot's addresses are
    /// sorted, not in the kernel's order.
    pub(super) fn primary(&self) -> Option<Ipv4Addr> {
        let own = |addr: &&&Addr| addr.address.addr().is_ipv4() && addr.address.prefix_len() < 32;
        let single = || self.addrs.iter().find(|addr| addr.address.addr().is_ipv4());
        match self.addrs.iter().find(own).or_else(single)?.address.addr() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }
}

impl Conf {
    fn of(own: Ipv4Conf, netns: &Netns) -> Self {
        let all = |name: &str| netns.sysctl(&format!("net.ipv4.conf.all.{name}"));
        let either = |own: bool, name: &str| own || all(name).is_some_and(|value| value != 0);
        let larger = |own: u8, value: i64| own.max(u8::try_from(value).unwrap_or(u8::MAX));
        Self {
            forwarding: own.forwarding,
            rp_filter: match (own.rp_filter, all("rp_filter")) {
                (own, Some(value)) => Some(larger(own, value)),
                // Nothing is larger.
                (own @ 2.., None) => Some(own),
                _ => None,
            },
            proxy_arp: either(own.proxy_arp, "proxy_arp"),
            accept_local: either(own.accept_local, "accept_local"),
            src_valid_mark: either(own.src_valid_mark, "src_valid_mark"),
            send_redirects: either(own.send_redirects, "send_redirects"),
            arp_ignore: larger(own.arp_ignore, all("arp_ignore").unwrap_or(0)),
        }
    }
}

fn part<'s, T>(what: &str, list: &'s Observed<Vec<T>>) -> Result<&'s [T], String> {
    match list {
        Observed::Seen(list) => Ok(list),
        Observed::Absent => Err(format!("its {what} were not read")),
        Observed::Unreadable(why) => Err(format!("its {what} could not be read: {why}")),
    }
}

fn bits(address: IpAddr) -> Option<u32> {
    match address {
        IpAddr::V4(address) => Some(address.to_bits()),
        IpAddr::V6(_) => None,
    }
}
