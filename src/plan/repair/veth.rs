//! Devices of a pair that come, go, or come from elsewhere, as steps: two changes
//! make one pair, or one move.

use crate::net::{Change, IFF_UP, Link, Netns, NetnsName, Object as Thing, Peer, Snapshot};

use super::super::{Action, Object, Place, Veth, VethEnd};

/// An end that comes. The first of the two makes the pair, and each is switched
/// on in its own place. `None` where the other end does not come along.
pub(super) fn new(change: &Change, link: &Link, mend: &[Change]) -> Option<Vec<Action>> {
    let (other_place, other_index) = far(link, change.netns.as_ref())?;
    let ends = mend.iter().enumerate().filter_map(|(at, change)| match (&change.before, &change.after) {
        (None, Some(Thing::Link(link))) => Some((at, change.netns.as_ref(), link)),
        _ => None,
    });
    let own = mend.iter().position(|other| other == change)?;
    let (twin, place, peer) =
        ends.into_iter().find(|(at, place, link)| *at != own && *place == other_place && link.index == other_index)?;
    let mut actions = Vec::new();
    if own < twin {
        let pair =
            Veth { end: end(link), peer_netns: place.cloned().map_or(Place::Host, Place::Netns), peer: end(peer) };
        actions.push(Action::Add(Object::Veth(pair)));
    }
    if link.flags & IFF_UP != 0 {
        actions.push(Action::up(&link.name));
    }
    Some(actions)
}

/// A device that comes from another namespace: it goes there, in another of these
/// changes. `None` for one that is made.
pub(super) fn moved(change: &Change, mend: &[Change]) -> Option<Vec<Action>> {
    let Some(Thing::Link(link)) = &change.after else { return None };
    let place = |change: &Change| change.netns.clone().map_or(Place::Host, Place::Netns);
    let from = mend.iter().find(|other| is_move(other, change))?;
    let mut actions = vec![Action::Move { dev: link.name.clone(), from: place(from), to: place(change) }];
    if link.flags & IFF_UP != 0 {
        actions.push(Action::up(&link.name));
    }
    Some(actions)
}

/// Whether a device that goes comes to another namespace.
pub(super) fn moves(change: &Change, mend: &[Change]) -> bool {
    mend.iter().any(|other| is_move(change, other))
}

/// The same device, by its name and hardware address.
fn is_move(goes: &Change, comes: &Change) -> bool {
    match (&goes.before, &goes.after, &comes.before, &comes.after) {
        (Some(Thing::Link(one)), None, None, Some(Thing::Link(other))) => {
            goes.netns != comes.netns && (&one.name, one.mac) == (&other.name, other.mac)
        }
        _ => false,
    }
}

/// An end that goes, and the other one with it. `None` where the other one was
/// not read: nothing could bring it back.
pub(super) fn old(change: &Change, link: &Link, snapshot: &Snapshot) -> Option<Vec<Action>> {
    let (place, index) = far(link, change.netns.as_ref())?;
    let peer = snapshot.netns_at(place).map_or(&[][..], Netns::links).iter().find(|peer| peer.index == index)?;
    let peer_netns = place.cloned().map_or(Place::Host, Place::Netns);
    Some(vec![Action::Delete(Object::Veth(Veth { end: end(link), peer_netns, peer: end(peer) }))])
}

/// Where the other end stands, and its index.
fn far<'l>(link: &'l Link, here: Option<&'l NetnsName>) -> Option<(Option<&'l NetnsName>, u32)> {
    match link.peer.as_ref()? {
        Peer::In(name, index) => Some((Some(name), *index)),
        Peer::Host(index) => Some((None, *index)),
        Peer::Here(index) => Some((here, *index)),
        Peer::Elsewhere => None,
    }
}

fn end(link: &Link) -> VethEnd {
    VethEnd { name: link.name.clone(), mac: link.mac, mtu: Some(link.mtu) }
}
