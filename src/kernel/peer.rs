//! The other ends of veth pairs. The kernel tells a peer's index and its
//! namespace by a number that only the asking namespace understands; which
//! named namespace that is, the kernel says when shown it (`RTM_GETNSID`).

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use super::Error;
use super::attr::{attrs, header};
use super::socket::Socket;
use crate::net::{Link, Netns, NetnsName, Observed, Peer, Snapshot};
use crate::netns::{NetnsDir, current, enter};

const RTM_GETNSID: u16 = 90;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;

/// As many questions as one snapshot may cost; two namespaces whose devices
/// all have the same indexes need one, a thousand such need half a million.
const MOST_QUESTIONS: usize = 20_000;

/// A namespace of the snapshot: a named one, or the host's own.
pub(crate) type Place = Option<NetnsName>;

/// One veth end that leads to another namespace.
#[derive(Clone)]
struct End {
    index: u32,
    peer_index: u32,
    netnsid: i32,
    /// The part of a DVR device's name that both ends share.
    stem: String,
}

/// Namespaces as they were.
pub(crate) type Former = BTreeMap<Place, Arc<Netns>>;

/// Sets [`Link::peer`] of every veth of the snapshot. Two ends that lead to each
/// other already are taken at their word; a device that was read anew says
/// nothing. Answers with the namespaces that it changed, as they were.
pub(crate) fn resolve(snapshot: &mut Snapshot, dir: &NetnsDir) -> Former {
    let complete = snapshot.namespaces_unreadable.is_none()
        && snapshot.namespaces.values().all(|netns| netns.seen().is_some_and(|netns| netns.links.seen().is_some()));
    let ends: BTreeMap<Place, Vec<End>> = snapshot
        .places()
        .map(|(place, netns)| (place.cloned(), netns.links().iter().filter_map(End::of).collect()))
        .collect();
    let found = match_up(&ends, known(snapshot), |place| questioner(dir, place));
    let mut former = Former::new();
    for (place, netns) in all_mut(snapshot) {
        let peer = |link: &Link| {
            let peer_index = link.link.unwrap_or(0);
            match found.get(&(place.clone(), link.index)) {
                Some(Some(name)) => Some(Peer::In(name.clone(), peer_index)),
                Some(None) => Some(Peer::Host(peer_index)),
                None if link.link_netnsid.is_none() => Some(Peer::Here(peer_index)),
                // A namespace that we could not read may be the one.
                None => complete.then_some(Peer::Elsewhere),
            }
        };
        if netns.links().iter().any(|link| is_pair(link) && link.peer != peer(link)) {
            former.insert(place.clone(), netns.clone());
            if let Observed::Seen(links) = &mut Arc::make_mut(netns).links {
                for link in links.iter_mut().filter(|link| is_pair(link)) {
                    link.peer = peer(link);
                }
            }
        }
    }
    former
}

/// The namespace that a device's other end is in, where that is another one.
pub(crate) fn partner(link: &Link) -> Option<Place> {
    match &link.peer {
        Some(Peer::In(name, _)) => Some(Some(name.clone())),
        Some(Peer::Host(_)) => Some(None),
        Some(Peer::Here(_) | Peer::Elsewhere) | None => None,
    }
}

/// True where two readings of a device lead to the same other end.
pub(crate) fn same_end(one: &Link, other: &Link) -> bool {
    let end = |link: &Link| (link.index, is_pair(link), link.link, link.link_netnsid);
    end(one) == end(other) && one.name == other.name
}

type Found = BTreeMap<(Place, u32), Place>;

/// The ends that lead to each other as they stand.
fn known(snapshot: &Snapshot) -> Found {
    let mut claims = BTreeMap::new();
    for (place, netns) in snapshot.places() {
        for link in netns.links().iter().filter(|link| is_pair(link)) {
            if let (Some(other), Some(index)) = (partner(link), link.link) {
                claims.insert((place.cloned(), link.index), (other, index));
            }
        }
    }
    let mutual = claims.iter().filter(|(own, other)| claims.get(*other) == Some(*own));
    mutual.map(|(own, (other, _))| (own.clone(), other.clone())).collect()
}

/// Finds each end's namespace, as far as it is not known. A candidate has the right index and leads back
/// to ours; `enter` gives, for a namespace, a way to learn the number that it
/// has for each candidate.
fn match_up<Q>(ends: &BTreeMap<Place, Vec<End>>, known: Found, enter: impl Fn(&Place) -> Option<Q>) -> Found
where
    Q: FnMut(&Place) -> Option<i32>,
{
    let mut by_index: BTreeMap<(u32, u32), Vec<(&Place, &End)>> = BTreeMap::new();
    for (place, list) in ends {
        for end in list {
            by_index.entry((end.index, end.peer_index)).or_default().push((place, end));
        }
    }
    let (mut found, mut questions) = (known, 0);
    // The namespace with the most pairs first: its answers settle the others' ends too.
    let mut places: Vec<(&Place, &Vec<End>)> = ends.iter().collect();
    places.sort_by_key(|(_, list)| std::cmp::Reverse(list.len()));
    for (place, list) in places {
        let open: Vec<&End> = list.iter().filter(|end| !found.contains_key(&(place.clone(), end.index))).collect();
        let Some(mut number_of) = (!open.is_empty()).then(|| enter(place)).flatten() else { continue };
        let (mut known, mut asked) = (BTreeMap::<i32, &Place>::new(), BTreeSet::new());
        for end in open {
            let mut candidates = by_index.get(&(end.peer_index, end.index)).cloned().unwrap_or_default();
            candidates.retain(|(other, _)| *other != place && !found.contains_key(&((*other).clone(), end.peer_index)));
            candidates.sort_by_key(|(_, other)| other.stem != end.stem);
            for (other, _) in candidates {
                if known.contains_key(&end.netnsid) || questions == MOST_QUESTIONS {
                    break;
                }
                if asked.insert(other) {
                    questions += 1;
                    known.extend(number_of(other).map(|number| (number, other)));
                }
            }
            if let Some(other) = known.get(&end.netnsid) {
                found.insert((place.clone(), end.index), (*other).clone());
                found.insert(((*other).clone(), end.peer_index), place.clone());
            }
        }
    }
    found
}

/// Asks in `place` what number it has for others. Those are opened by name, one
/// at a time: a node may have more namespaces than we may have open files.
fn questioner<'a>(dir: &'a NetnsDir, place: &Place) -> Option<impl FnMut(&Place) -> Option<i32> + use<'a>> {
    let own = current().ok()?;
    let mut socket = match place {
        None => Socket::route().ok()?,
        Some(name) => enter(&dir.open(name).ok()?, Socket::route).ok()?.ok()?,
    };
    Some(move |other: &Place| match other {
        None => number(&mut socket, &own).ok()?,
        Some(name) => number(&mut socket, &dir.open(name).ok()?).ok()?,
    })
}

/// The number that the socket's namespace has for another; it may have none.
fn number(socket: &mut Socket, other: &OwnedFd) -> Result<Option<i32>, Error> {
    // struct rtgenmsg, padded; then one attribute
    let mut body = vec![0, 0, 0, 0, 8, 0];
    body.extend(NETNSA_FD.to_ne_bytes());
    body.extend(other.as_raw_fd().to_ne_bytes());
    socket.ask("namespace numbers", RTM_GETNSID, &body, |message| {
        let (_, rest) = header::<4>(message)?;
        let number = attrs(rest).find(|attr| attr.kind == NETNSA_NSID).map(super::attr::Attr::i32).transpose()?;
        Ok(number.filter(|number| *number >= 0))
    })
}

impl End {
    fn of(link: &Link) -> Option<Self> {
        let name = link.name.as_str();
        Some(Self {
            index: link.index,
            peer_index: link.link.filter(|_| is_pair(link))?,
            netnsid: link.link_netnsid?,
            stem: name.split_once('-').map_or(name, |(_, stem)| stem).to_owned(),
        })
    }
}

fn is_pair(link: &Link) -> bool {
    link.kind.as_deref() == Some("veth") && link.link.is_some()
}

fn all_mut(snapshot: &mut Snapshot) -> impl Iterator<Item = (Place, &mut Arc<Netns>)> {
    let named = snapshot.namespaces.iter_mut().filter_map(|(name, netns)| match netns {
        Observed::Seen(netns) => Some((Some(name.clone()), netns)),
        _ => None,
    });
    let own = match &mut snapshot.host.netns {
        Observed::Seen(netns) => Some((None, netns)),
        _ => None,
    };
    named.chain(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(index: u32, peer_index: u32, netnsid: i32, name: &str) -> End {
        End { index, peer_index, netnsid, stem: name.to_owned() }
    }

    /// Three namespaces whose devices all have index 2 and peer index 2 lead
    /// pairwise to each other and to one that has no name.
    #[test]
    fn equal_indexes_are_told_apart_by_the_numbers() {
        let place = |name: &str| Some(NetnsName::from(name));
        let ends = BTreeMap::from([
            (place("a"), vec![end(2, 2, 0, "x")]),
            (place("b"), vec![end(2, 2, 5, "x")]),
            (place("c"), vec![end(2, 2, 1, "x")]),
            (None, vec![end(7, 3, 0, "y")]),
        ]);
        // a and b are the two ends of one pair; c leads elsewhere.
        let numbers = BTreeMap::from([((place("a"), place("b")), 0), ((place("a"), place("c")), 3)]);
        let found = match_up(&ends, Found::new(), |from| {
            let (from, numbers) = (from.clone(), &numbers);
            Some(move |other: &Place| numbers.get(&(from.clone(), other.clone())).copied())
        });
        let expected = [((place("a"), 2), place("b")), ((place("b"), 2), place("a"))];
        assert_eq!(found, BTreeMap::from(expected));
    }
}
