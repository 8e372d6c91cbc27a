//! The last link out: the external gateway.

use super::verdict::{Verdict, seen};
use crate::net::{IfName, NeighState, Route};
use crate::topology::index::Space;

/// The gateway is on the link of the gateway port and has not failed to answer.
/// Whether it answers right now only a packet tells.
pub(super) fn gateway(space: &Space, device: Option<&IfName>, route: Option<&Route>) -> Verdict {
    let Some(route) = route else { return Verdict::unknown("no default route names a gateway") };
    let (Some(device), Some(via)) = (device, route.via()) else {
        return Verdict::unknown("the default route names no gateway on a gateway port");
    };
    let expected = format!("{via} on the link of {device}");
    let onlink = seen!(space.onlink(device.as_str(), via));
    let forced = route.next_hops.iter().any(|hop| hop.onlink);
    if onlink.is_none() && !forced {
        return Verdict::wrong(expected, format!("no route has {via} on the link of {device}")).shown(route);
    }
    let Some(neigh) = (match space.neigh(device.as_str(), via) {
        Ok(found) => found,
        Err(why) => return Verdict::unknown(why).advisory(),
    }) else {
        return Verdict::fine("no neighbour entry yet; ARP asks when a packet comes")
            .expecting(expected)
            .shown_all(onlink);
    };
    match neigh.state {
        NeighState::Failed | NeighState::Incomplete => {
            Verdict::wrong(expected, neigh.to_string()).shown(neigh).shown_all(onlink).advisory()
        }
        _ => Verdict::ok(neigh).shown_all(onlink),
    }
}
