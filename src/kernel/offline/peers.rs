//! The other ends of veth pairs, as far as text tells them.
//!
//! `ip` prints the other end's index, and the other namespace's name or its
//! number. The number means something on the living node only; without a name,
//! two ends belong together if each has the other's index and no third end fits.

use std::collections::BTreeMap;

use crate::net::{Link, Netns, NetnsName, Observed, Peer, Snapshot};

/// A namespace: a named one, or the host's own.
pub(super) type Place = Option<NetnsName>;

/// What the text says of namespaces behind devices, by place and index.
pub(super) type ToldNames = BTreeMap<(Place, u32), NetnsName>;

/// The end of a pair that leads out of its namespace.
struct End {
    place: Place,
    index: u32,
    peer_index: u32,
    stem: String,
}

/// Sets [`Link::peer`] where it can be told.
pub(super) fn resolve(snapshot: &mut Snapshot, told: &ToldNames) {
    let ends = ends(snapshot);
    let mut by_index: BTreeMap<(u32, u32), Vec<&End>> = BTreeMap::new();
    for end in &ends {
        by_index.entry((end.index, end.peer_index)).or_default().push(end);
    }
    let found: BTreeMap<(Place, u32), Peer> = ends
        .iter()
        .filter_map(|end| {
            let candidates = by_index.get(&(end.peer_index, end.index)).map_or(&[][..], Vec::as_slice);
            let peer = match told.get(&(end.place.clone(), end.index)) {
                Some(name) => confirmed(snapshot, end, name, candidates)?,
                None => mutual(end, candidates)?,
            };
            Some(((end.place.clone(), end.index), peer))
        })
        .collect();
    let named = snapshot.namespaces.iter_mut().map(|(name, netns)| (Some(name.clone()), netns));
    for (place, netns) in named.chain([(None, &mut snapshot.host.netns)]) {
        let Some(Netns { links: Observed::Seen(links), .. }) = netns.make_mut() else { continue };
        let here: Vec<(u32, Option<u32>)> = links.iter().map(|link| (link.index, link.link)).collect();
        for link in links {
            link.peer = match found.get(&(place.clone(), link.index)) {
                Some(peer) => Some(peer.clone()),
                None => beside(link, &here),
            };
        }
    }
}

fn ends(snapshot: &Snapshot) -> Vec<End> {
    snapshot
        .places()
        .flat_map(|(place, netns)| {
            netns.links().iter().filter_map(move |link| {
                let name = link.name.as_str();
                let stem = name.split_once('-').map_or(name, |(_, stem)| stem).to_owned();
                link.link_netnsid?;
                Some(End { place: place.cloned(), index: link.index, peer_index: link.link?, stem })
            })
        })
        .collect()
}

/// The text names the namespace. If that namespace was read, it must agree.
fn confirmed(snapshot: &Snapshot, end: &End, name: &NetnsName, candidates: &[&End]) -> Option<Peer> {
    let read = snapshot.netns(name).is_some_and(|netns| netns.links.seen().is_some());
    let agrees = candidates.iter().any(|other| other.place.as_ref() == Some(name));
    (agrees || !read).then(|| Peer::In(name.clone(), end.peer_index))
}

/// The only end that has our index as its other one; several are told apart by
/// what the two names of a DVR pair have in common.
fn mutual(end: &End, candidates: &[&End]) -> Option<Peer> {
    let others: Vec<&&End> = candidates.iter().filter(|other| other.place != end.place).collect();
    let alike: Vec<&&End> = others.iter().filter(|other| other.stem == end.stem).copied().collect();
    let [other] = (if others.len() == 1 { others } else { alike })[..] else { return None };
    Some(match &other.place {
        Some(name) => Peer::In(name.clone(), other.index),
        None => Peer::Host(other.index),
    })
}

/// A pair with both ends in one namespace.
fn beside(link: &Link, here: &[(u32, Option<u32>)]) -> Option<Peer> {
    let index = link.link.filter(|_| link.link_netnsid.is_none())?;
    let mutual = index != link.index && here.contains(&(index, Some(link.index)));
    mutual.then_some(Peer::Here(index))
}
