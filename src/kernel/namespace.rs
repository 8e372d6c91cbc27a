//! One network namespace, whole or in parts: the one that the calling thread
//! is in.

use std::ops::BitOr;
use std::os::unix::fs::MetadataExt;

use super::Error;
use super::addr::dump_addrs;
use super::conntrack::dump_conntrack;
use super::link::{Devices, dump_links};
use super::neigh::{dump_neighs, dump_proxies};
use super::netfilter::{read_legacy, read_netfilter};
use super::route::dump_routes;
use super::rule::dump_rules;
use super::socket::Socket;
use super::sysctl::read_sysctls;
use super::tc::dump_tc;
use crate::net::{ConntrackEntry, ConntrackFill, Netns, Observed};

/// Some parts of a namespace, each read by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts(u8);

impl Parts {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const LINKS: Self = Self(1);
    pub(crate) const ADDRS: Self = Self(2);
    pub(crate) const RULES: Self = Self(4);
    pub(crate) const ROUTES: Self = Self(8);
    pub(crate) const NEIGHS: Self = Self(16);
    pub(crate) const NETFILTER: Self = Self(32);
    /// The settings, and the connection table's fill, which lies beside them.
    pub(crate) const SYSCTLS: Self = Self(64);
    /// What names devices, or hangs on them.
    pub(crate) const OF_DEVICES: Self = Self(1 | 2 | 4 | 8 | 16 | 64);
    pub(crate) const ALL: Self = Self(127);
    /// Each by itself.
    pub(crate) const EACH: [Self; 7] =
        [Self::LINKS, Self::ADDRS, Self::RULES, Self::ROUTES, Self::NEIGHS, Self::NETFILTER, Self::SYSCTLS];

    pub(crate) fn has(self, part: Self) -> bool {
        self.0 & part.0 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are not among the others.
    pub(crate) fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// All of them where the devices are not those that are known: the rest names
    /// devices, and with a device go the chains at its ingress, which before Linux
    /// 6.10 nobody announces (`nft_netdev_event`, `net/netfilter/nft_chain_filter.c`).
    fn with_devices(self, known: Option<&Devices>, found: &Devices) -> Self {
        if known.is_some_and(|known| known != found) { Self::ALL } else { self }
    }
}

impl BitOr for Parts {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Reads the calling thread's namespace. Each part answers for itself.
pub(crate) fn read_here(conntrack: bool) -> Netns {
    let (_, mut netns) = read_parts(Parts::ALL, None);
    if conntrack {
        netns.conntrack = Some(connections(&netns.conntrack_fill));
    }
    netns
}

/// Reads some parts of the calling thread's namespace; the others are absent.
/// Where the devices are not those that are `known`, everything is read with them.
/// Answers with the parts that were read.
pub(crate) fn read_parts(parts: Parts, known: Option<&Devices>) -> (Parts, Netns) {
    let mut netns = Netns::default();
    let mut parts = parts;
    if parts.has(Parts::OF_DEVICES) {
        match Socket::route() {
            Ok(mut socket) => read_route(&mut socket, &mut parts, known, &mut netns),
            Err(error) => nothing(parts, &error.to_string(), &mut netns),
        }
    }
    if parts.has(Parts::NETFILTER) {
        netns.netfilter = read_netfilter();
    }
    netns.sort();
    (parts, netns)
}

/// Reads what the kernel does not announce of the calling thread's namespace, and
/// nothing else: the devices' settings (with the devices, without what hangs on
/// them), proxy entries, other settings, legacy tables.
pub(crate) fn read_unannounced() -> Netns {
    let mut netns = Netns { netfilter: Observed::Seen(read_legacy()), ..Netns::default() };
    let links = Socket::route().and_then(|mut socket| {
        let links = dump_links(&mut socket)?;
        netns.neighs = observed(dump_proxies(&mut socket, &Devices::of(&links)));
        Ok(links)
    });
    let names = links.as_deref().unwrap_or(&[]).iter().map(|link| &link.name);
    (netns.sysctls, netns.conntrack_fill) = read_sysctls(names);
    netns.links = observed(links);
    netns.sort();
    netns
}

/// What rtnetlink has, and the settings that go by device.
fn read_route(socket: &mut Socket, parts: &mut Parts, known: Option<&Devices>, netns: &mut Netns) {
    let mut links = dump_links(socket);
    let devices = Devices::of(links.as_deref().unwrap_or(&[]));
    if links.is_ok() {
        *parts = parts.with_devices(known, &devices);
    }
    if parts.has(Parts::SYSCTLS) {
        let names = links.as_deref().unwrap_or(&[]).iter().map(|link| &link.name);
        (netns.sysctls, netns.conntrack_fill) = read_sysctls(names);
    }
    if parts.has(Parts::LINKS) {
        links = links.and_then(|mut links| {
            dump_tc(socket, &mut links)?;
            Ok(links)
        });
        netns.links = observed(links);
    }
    if parts.has(Parts::ADDRS) {
        netns.addrs = observed(dump_addrs(socket, &devices));
    }
    if parts.has(Parts::RULES) {
        netns.rules = observed(dump_rules(socket));
    }
    if parts.has(Parts::ROUTES) {
        netns.routes = observed(dump_routes(socket, &devices));
    }
    if parts.has(Parts::NEIGHS) {
        netns.neighs = observed(dump_neighs(socket, &devices));
    }
}

/// The calling thread's connections, in order. Where the kernel counts none it is
/// not asked: it would go through the table of all namespaces, bucket by bucket.
fn connections(fill: &Observed<ConntrackFill>) -> Observed<Vec<ConntrackEntry>> {
    if matches!(fill, Observed::Seen(ConntrackFill { count: 0, .. })) {
        return Observed::Seen(Vec::new());
    }
    let entries = Socket::netfilter().and_then(|mut socket| dump_conntrack(&mut socket));
    observed(entries.map(|mut entries| {
        entries.sort();
        entries
    }))
}

fn nothing(parts: Parts, why: &str, netns: &mut Netns) {
    fn unreadable<T>(part: &mut Observed<T>, wanted: bool, why: &str) {
        if wanted {
            *part = Observed::Unreadable(why.to_owned());
        }
    }
    unreadable(&mut netns.links, parts.has(Parts::LINKS), why);
    unreadable(&mut netns.addrs, parts.has(Parts::ADDRS), why);
    unreadable(&mut netns.rules, parts.has(Parts::RULES), why);
    unreadable(&mut netns.routes, parts.has(Parts::ROUTES), why);
    unreadable(&mut netns.neighs, parts.has(Parts::NEIGHS), why);
    if parts.has(Parts::SYSCTLS) {
        (netns.sysctls, netns.conntrack_fill) = read_sysctls(std::iter::empty());
    }
}

/// The inode number of the calling thread's namespace: another one under the same
/// name has another.
pub(crate) fn inode_here() -> std::io::Result<u64> {
    Ok(std::fs::metadata("/proc/thread-self/ns/net")?.ino())
}

fn observed<T>(result: Result<T, Error>) -> Observed<T> {
    result.map_or_else(|error| Observed::Unreadable(error.to_string()), Observed::Seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{IfName, Link};

    #[test]
    fn with_another_device_everything_is_read() {
        let devices = |names: &[&str]| {
            let link = |(at, name): (u32, &&str)| Link::new(at, IfName::from(*name));
            Devices::of(&(1..).zip(names).map(link).collect::<Vec<_>>())
        };
        let known = devices(&["lo", "qg-1"]);
        for (found, parts) in [
            (devices(&["lo", "qg-1"]), Parts::LINKS),
            (devices(&["lo"]), Parts::ALL),
            (devices(&["lo", "qg-2"]), Parts::ALL),
        ] {
            assert_eq!(Parts::LINKS.with_devices(Some(&known), &found), parts);
        }
        assert_eq!(Parts::LINKS.with_devices(None, &known), Parts::LINKS);
    }
}
