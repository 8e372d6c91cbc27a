//! What stands on a device, taken away before the device is, so that taking
//! the steps back brings all of it back.

use crate::net::{IfName, Link, NeighState, Netns};

use super::{Action, LinkSetting, Object};

/// `RTPROT_KERNEL`: goes and comes by itself.
const KERNEL: u8 = 2;
/// `RT_SCOPE_LINK`: an address that the kernel makes up for itself (IPv6).
const SCOPE_LINK: u8 = 253;

/// Routes out of a device and neighbours that were set on it, taken away.
pub(super) fn routes_and_neighbours(netns: &Netns, dev: &IfName) -> Vec<Action> {
    let own = netns.routes().iter().filter(|route| route.dev() == Some(dev) && route.protocol != KERNEL);
    let routes = own.map(|route| Object::Route(route.clone()));
    let set = netns.neighs().iter().filter(|neigh| neigh.dev == *dev);
    let set = set.filter(|neigh| neigh.state == NeighState::Permanent && !neigh.proxy);
    routes.chain(set.map(|neigh| Object::Neigh(neigh.clone()))).map(Action::Delete).collect()
}

/// Addresses of a device taken away, and the device switched off.
pub(super) fn addresses(netns: &Netns, dev: &IfName) -> Vec<Action> {
    let own = netns.addrs().iter().filter(|addr| addr.dev == *dev && addr.scope != SCOPE_LINK);
    let mut actions: Vec<Action> = own.map(|addr| Action::Delete(Object::Addr(addr.clone()))).collect();
    if netns.link(dev).is_some_and(Link::is_up) {
        let (to, from) = (LinkSetting::Up(false), Some(LinkSetting::Up(true)));
        actions.push(Action::SetLink { dev: dev.clone(), to, from });
    }
    actions
}
