//! From a frame to its class, floating IP, hop and flow.

use super::answers::Answers;
use super::count::Count;
use super::fragment::Fragments;
use super::known::{Key, Known};
use super::parse::{Heard, parse};
use super::site::{Site, Sites};
use super::state::{FipId, Hop, Traffic};
use super::verdict::{Fips, Verdict};
use crate::net::{Frame, Heading, NetnsName, Snapshot};
use crate::path::{Class, Detail, Flows, Node, Packet};
use crate::topology::{Direction, Topology};

/// Understands frames by what is known of the node. What was found out about a
/// flow at a device is remembered; it holds for the one snapshot that the node
/// was made of.
pub struct Meter<'n, 's> {
    ground: Ground<'n, 's>,
    known: Known,
    memory: Memory,
}

/// What there is to know of the node.
struct Ground<'n, 's> {
    flows: Flows<'n, 's>,
    sites: Vec<Option<Site>>,
    fips: Fips,
}

/// What frames left behind that later ones need: it outlives a meter. It holds
/// for one numbering of namespaces.
#[derive(Debug, Default)]
pub struct Memory {
    fragments: Fragments,
    answers: Answers,
    /// Another meter counted before, and numbers meant the same.
    goes_on: bool,
}

/// What a frame was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// The packet as it was seen here.
    pub packet: Packet,
    /// Its class.
    pub class: Class,
    /// A finer point of the class.
    pub detail: Option<Detail>,
    /// Which way it goes here: out comes from an instance, in goes to one.
    pub direction: Direction,
    /// The floating IP that it belongs to, with its direction and this hop.
    pub floating_ip: Option<(&'a FipId, Direction, Hop)>,
    /// How much it is: segments, where the kernel merged several.
    pub count: Count,
    /// Its life ends here, as that of what finds out routes does: it rightly goes no further.
    pub ends: bool,
}

impl<'n, 's> Meter<'n, 's> {
    /// For a node, and the capture's namespaces by number. Routers and floating
    /// IPs get their numbers in `traffic`: count into no other.
    pub fn new(
        node: &'n Node<'s>,
        snapshot: &'s Snapshot,
        topology: &'s Topology,
        names: &[Option<NetnsName>],
        traffic: &mut Traffic,
        memory: Memory,
    ) -> Self {
        let mut flows = Flows::of(node);
        let sites = Sites::new(snapshot, topology).build(names, &mut flows, traffic);
        if !memory.goes_on {
            // Not all namespaces were heard all the time.
            (0..traffic.fips.len()).for_each(|at| traffic.doubt(at));
        }
        let ids: Vec<FipId> = traffic.fips.iter().map(|seat| seat.id.clone()).collect();
        let routers = ids.iter().map(|fip| traffic.router(Some(&fip.router))).collect();
        Self { ground: Ground { flows, sites, fips: Fips { ids, routers } }, known: Known::default(), memory }
    }

    /// What the next meter should know.
    pub fn into_memory(self) -> Memory {
        Memory { goes_on: true, ..self.memory }
    }

    /// Counts a frame. `None` where it is not IPv4, or its device is not known
    /// ([`Traffic::unplaced`]).
    pub fn count(&mut self, traffic: &mut Traffic, frame: &Frame<'_>) -> Option<Sighting<'_>> {
        let mut heard = parse(frame)?;
        if heard.fragment.is_some() {
            self.memory.fragments.complete(frame.namespace, &mut heard);
        }
        let Self { ground, known, memory } = self;
        let key = Key::of(frame, &heard);
        let Some(mut found) = known.get(key, || ground.verdict(frame, &heard, false)) else {
            traffic.bank(frame.at).misplace(frame.namespace, heard.count.packets);
            return None;
        };
        match found.0.own {
            Some(Heading::Out) => memory.answers.leaves(frame.namespace, &heard.packet),
            Some(Heading::In) if memory.answers.is_one(frame.namespace, &heard.packet) => {
                found = known.get(key.answering(), || ground.verdict(frame, &heard, true))?;
            }
            _ => {}
        }
        let (verdict, place) = found;
        traffic.count(frame.at, heard.count, &heard.packet, verdict, place);
        let floating_ip = verdict.passing.map(|(fip, direction, hop)| (&ground.fips.ids[fip], direction, hop));
        Some(Sighting {
            packet: heard.packet,
            class: verdict.class,
            detail: verdict.detail,
            direction: verdict.direction,
            floating_ip,
            count: heard.count,
            ends: heard.ends(frame.heading),
        })
    }
}

impl Ground<'_, '_> {
    /// `None` where the device is not known.
    fn verdict(&mut self, frame: &Frame<'_>, heard: &Heard, answers: bool) -> Option<Verdict> {
        let site = self.sites.get(frame.namespace as usize)?.as_ref()?;
        let Some(spot) = site.spots.get(&frame.device)? else { return Some(Verdict::NONE) };
        Some(Verdict::of((site, spot), frame.heading, heard, answers, &mut self.flows, &self.fips))
    }
}

#[cfg(test)]
mod tests;
