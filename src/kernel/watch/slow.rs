//! What the slow round read of a namespace, put beside what is known of the rest.

use crate::kernel::namespace::Parts;
use crate::net::netfilter::Netfilter;
use crate::net::{Link, Neigh, Netns, Observed};

/// Whether a namespace has to be read as a whole: of what could not be read
/// before, nothing is announced either.
pub(super) fn is_incomplete(live: &Netns) -> bool {
    let lists = [
        live.links.unreadable(),
        live.addrs.unreadable(),
        live.rules.unreadable(),
        live.routes.unreadable(),
        live.neighs.unreadable(),
        live.netfilter.unreadable(),
    ];
    let nft = live.netfilter.seen().and_then(|netfilter| netfilter.nft.unreadable());
    lists.into_iter().chain([nft]).any(|why| why.is_some())
}

/// A reading of what is not announced, made whole in the parts that it touches.
/// Answers with these; a part that is as it was is not among them.
pub(super) fn complete(live: &Netns, found: Netns) -> (Parts, Netns) {
    let mut whole = Netns::default();
    let mut parts = Parts::SYSCTLS;
    (whole.sysctls, whole.conntrack_fill) = (found.sysctls, found.conntrack_fill);
    if let (Observed::Seen(live), Observed::Seen(found)) = (&live.links, &found.links)
        && let Some(links) = settings(live, found)
    {
        whole.links = Observed::Seen(links);
        parts = parts | Parts::LINKS;
    }
    if let (Observed::Seen(live), Observed::Seen(found)) = (&live.neighs, found.neighs)
        && let Some(neighs) = proxies(live, found)
    {
        whole.neighs = Observed::Seen(neighs);
        parts = parts | Parts::NEIGHS;
    }
    if let (Observed::Seen(live), Observed::Seen(found)) = (&live.netfilter, found.netfilter)
        && live.legacy != found.legacy
    {
        let netfilter = Netfilter { nft: live.nft.clone(), legacy: found.legacy, words_only: live.words_only };
        whole.netfilter = Observed::Seen(netfilter);
        parts = parts | Parts::NETFILTER;
    }
    whole.sort();
    (parts, whole)
}

/// The devices with the settings that they were found with, where these differ.
/// Devices that came or went are announced.
fn settings(live: &[Link], found: &[Link]) -> Option<Vec<Link>> {
    let of = |link: &Link| found.iter().find(|found| (found.index, &found.name) == (link.index, &link.name));
    let differs = |link: &Link| of(link).is_some_and(|found| found.ipv4 != link.ipv4);
    live.iter().any(differs).then(|| {
        let with = |link: &Link| Link { ipv4: of(link).map_or(link.ipv4, |found| found.ipv4), ..link.clone() };
        live.iter().map(with).collect()
    })
}

/// The neighbours with the proxy entries that were found, where these differ.
fn proxies(live: &[Neigh], found: Vec<Neigh>) -> Option<Vec<Neigh>> {
    let is_same = live.iter().filter(|neigh| neigh.proxy).eq(&found);
    (!is_same).then(|| live.iter().filter(|neigh| !neigh.proxy).cloned().chain(found).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{IfName, Ipv4Conf, NeighState};

    fn link(index: u32, name: &str, forwarding: bool) -> Link {
        let ipv4 = Some(Ipv4Conf { forwarding, ..Ipv4Conf::default() });
        Link { ipv4, mtu: 1500, ..Link::new(index, IfName::from(name)) }
    }

    fn neigh(last: u8, proxy: bool) -> Neigh {
        let (dev, state) = (IfName::from("a"), NeighState::Permanent);
        Neigh { dev, address: [10, 0, 0, last].into(), mac: None, state, proxy }
    }

    fn live() -> Netns {
        let mut netns = Netns {
            links: Observed::Seen(vec![link(1, "a", false), link(2, "b", false)]),
            neighs: Observed::Seen(vec![neigh(1, false), neigh(2, true)]),
            netfilter: Observed::Seen(Netfilter { nft: Observed::Seen(Vec::new()), ..Netfilter::default() }),
            ..Netns::default()
        };
        netns.sort();
        netns
    }

    #[test]
    fn what_is_as_it_was_is_no_part() {
        let found = Netns {
            links: Observed::Seen(vec![link(1, "a", false)]),
            neighs: Observed::Seen(vec![neigh(2, true)]),
            netfilter: Observed::Seen(Netfilter::default()),
            ..Netns::default()
        };
        assert_eq!(complete(&live(), found), (Parts::SYSCTLS, Netns::default()));
    }

    #[test]
    fn what_is_announced_stays_as_it_is_known() {
        let mut other = link(1, "a", true);
        other.mtu = 9000;
        let found = Netns {
            links: Observed::Seen(vec![other, link(2, "another", true)]),
            neighs: Observed::Seen(vec![neigh(3, true)]),
            netfilter: Observed::Seen(Netfilter { legacy: Observed::Seen(Vec::new()), ..Netfilter::default() }),
            ..Netns::default()
        };
        let (parts, whole) = complete(&live(), found);
        assert_eq!(parts, Parts::SYSCTLS | Parts::LINKS | Parts::NEIGHS | Parts::NETFILTER);
        assert_eq!(whole.links(), [link(1, "a", true), link(2, "b", false)]);
        assert_eq!(whole.neighs(), [neigh(1, false), neigh(3, true)]);
        let netfilter = whole.netfilter.seen().unwrap();
        assert_eq!((netfilter.nft.seen().is_some(), netfilter.legacy.seen().is_some()), (true, true));
    }

    #[test]
    fn what_could_not_be_read_is_read_as_a_whole() {
        assert!(!is_incomplete(&live()));
        assert!(is_incomplete(&Netns { rules: Observed::Unreadable("no".to_owned()), ..live() }));
        let netfilter = Netfilter { nft: Observed::Unreadable("no".to_owned()), ..Netfilter::default() };
        assert!(is_incomplete(&Netns { netfilter: Observed::Seen(netfilter), ..live() }));
    }
}
