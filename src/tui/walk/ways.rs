//! The engine's part: the ways of a packet and its answer on a reading.

use super::{Asked, Ends, Walks};
use crate::path::{Node as Engine, Start};
use crate::topology::Topology;
use crate::tui::overview::FipId;
use crate::tui::state::Node;

/// The ways of a packet and its answer on this node.
pub(in crate::tui) fn walks(node: &Node, asked: &Asked) -> Result<Walks, String> {
    let (src, dst) = asked.addresses(&node.topology)?;
    let engine = Engine::of(&node.snapshot, &node.topology);
    let is_own = |address, other| engine.starts(address, other).iter().any(|start| start.device.is_none());
    if let Some(subnet) = engine.subnet_of_both(src, dst)
        && !is_own(src, dst)
        && !is_own(dst, src)
    {
        return Err(format!("{src} and {dst} both lie in {subnet}: they reach each other without a router"));
    }
    let mut entrances = engine.starts(src, dst);
    if let Ends::Fip { id, .. } = &asked.ends {
        // Another router may have the same addresses: the floating IP's own comes first.
        entrances.sort_by_key(|start| !is_of(&node.topology, id, start));
    }
    let start = entrances.get(asked.entrance).or(entrances.first());
    let start = start.ok_or_else(|| format!("nothing on this node takes in a packet from {src} to {dst}"))?;
    let forth = engine.walk(start, asked.packet(src, dst));
    let back = engine.reply(&forth);
    Ok(Walks { forth, back, entrances })
}

/// The place belongs to the floating IP's router or external network.
fn is_of(topology: &Topology, id: &FipId, start: &Start) -> bool {
    let router = topology.router(&id.router);
    let own = router.into_iter().flat_map(|router| [router.namespace.as_ref(), router.snat_namespace.as_ref()]);
    let mut networks = topology.external_networks.iter().filter(|network| Some(&network.id) == id.network.as_ref());
    own.flatten().any(|name| *name == start.namespace) || networks.any(|network| network.namespace == start.namespace)
}
