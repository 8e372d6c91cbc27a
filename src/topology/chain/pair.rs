//! Links of the pair: both ends, and what each knows of the other.

use super::View;
use super::verdict::{Verdict, device_fault, seen};
use crate::net::{IfName, Link, NeighState};
use crate::neutron::LinkLocalPair;
use crate::topology::index::Space;

/// The end in the router namespace.
pub(super) fn rfp(view: &View) -> Verdict {
    let device = view.router.prefix.rfp();
    let pair = &view.router.pair;
    let verdict = end(view.qrouter, &device, pair.addresses.map(|pair| pair.rfp().to_string()));
    if !verdict.is_ok() {
        return verdict;
    }
    let Some(link) = &pair.rfp else { return verdict };
    if let Some(astray) = &pair.astray {
        let expected = format!("{device} with its peer {} in {}", view.router.prefix.fpr(), view.router.fip);
        return Verdict::wrong(expected, astray.clone()).shown(link);
    }
    match &pair.fpr {
        Some(fpr) if fpr.mtu != link.mtu => {
            let actual = format!("mtu {}, but {} has mtu {}", link.mtu, fpr.name, fpr.mtu);
            Verdict::wrong(format!("the same mtu as {}", fpr.name), actual).shown(link).shown(fpr).advisory()
        }
        _ => verdict,
    }
}

/// The end in the fip namespace.
pub(super) fn fpr(view: &View) -> Verdict {
    let device = view.router.prefix.fpr();
    if view.router.pair.fpr.is_none() && view.fip.is_here() && view.fip.link(device.as_str()).is_ok_and(|l| l.is_some())
    {
        // A device of that name stands there, but it is another router's.
        return Verdict::missing(format!("{device}, the peer of {}", view.router.prefix.rfp()));
    }
    end(view.fip, &device, view.router.pair.addresses.map(|pair| pair.fpr().to_string()))
}

/// A device, up, with its address of the /31.
fn end(space: &Space, device: &IfName, address: Option<String>) -> Verdict {
    let address = address.unwrap_or_else(|| "169.254.x.y".to_owned());
    let expected = format!("{device} up with {address}/31");
    let Some(link) = seen!(space.link(device.as_str())) else { return Verdict::missing(expected) };
    if let Some(fault) = device_fault(link, false) {
        return Verdict::wrong(expected, fault).shown(link);
    }
    let addrs: Vec<_> = seen!(space.addrs(device.as_str())).collect();
    let right = format!("{address}/31");
    if let Some(addr) = addrs.iter().find(|addr| addr.address.to_string() == right) {
        return Verdict::ok(link).shown(addr).expecting(expected);
    }
    let others: Vec<String> = addrs.iter().map(|addr| addr.address.to_string()).collect();
    let actual =
        if others.is_empty() { "it has no address".to_owned() } else { format!("it has {}", others.join(", ")) };
    Verdict::wrong(expected, actual).shown(link).shown_all(addrs)
}

/// What rfp knows of fpr.
pub(super) fn rfp_neighbour(view: &View) -> Verdict {
    let pair = &view.router.pair;
    let address = pair.addresses.map(LinkLocalPair::fpr);
    peer(view.qrouter, &view.router.prefix.rfp(), address, pair.fpr.as_ref())
}

/// What fpr knows of rfp.
pub(super) fn fpr_neighbour(view: &View) -> Verdict {
    let pair = &view.router.pair;
    let address = pair.addresses.map(LinkLocalPair::rfp);
    peer(view.fip, &view.router.prefix.fpr(), address, pair.rfp.as_ref())
}

/// An entry is set by the agent from 14.0.0 (also 13.0.2, 12.0.5, 11.0.7);
/// before, ARP does it. So none is fine, and one with another hardware address
/// than the peer's is not: a permanent one black-holes every floating IP of the
/// router, another heals when ARP asks again; that ARP failed is memory, too: the
/// next packet asks anew.
fn peer(space: &Space, device: &IfName, address: Option<std::net::IpAddr>, peer: Option<&Link>) -> Verdict {
    let Some(address) = address else {
        return Verdict::unknown("neither end has its link-local address").advisory();
    };
    let Some(neigh) = (match space.neigh(device.as_str(), address) {
        Ok(found) => found,
        Err(why) => return Verdict::unknown(why).advisory(),
    }) else {
        return Verdict::fine("no entry; ARP asks when a packet comes");
    };
    let mac = peer.and_then(|link| link.mac);
    let expected = mac.map(|mac| format!("{address} dev {device} lladdr {mac}"));
    let words = neigh.to_string();
    match (neigh.state, mac) {
        (NeighState::Failed, _) => Verdict::unknown("asked in vain, when a packet came").shown(neigh).advisory(),
        (NeighState::Incomplete | NeighState::None, _) => {
            Verdict::unknown("asked, not answered yet").shown(neigh).advisory()
        }
        (_, None) => Verdict::unknown("the peer's hardware address is not known").shown(neigh).advisory(),
        (_, Some(mac)) if neigh.mac == Some(mac) => Verdict::ok(neigh),
        (NeighState::Permanent, _) => Verdict::wrong(expected.unwrap_or_default(), words).shown(neigh),
        _ => Verdict::wrong(expected.unwrap_or_default(), words).shown(neigh).advisory(),
    }
}
