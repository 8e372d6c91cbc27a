//! Classes of packets as they come by, remembered per flow: what a live view
//! asks for every frame.

use std::collections::HashMap;

use super::model::{Class, Detail, Start};
use super::node::Node;
use super::packet::{ICMP, Packet, TCP};

/// Flows that are remembered before all are forgotten: bounded, whatever a
/// scanner sends. About 60 bytes each.
const MOST: usize = 1 << 17;

/// Classes of flows, at the points where packets are seen.
///
/// It holds for one snapshot: where the node changes, make a new one.
pub struct Flows<'n, 's> {
    node: &'n Node<'s>,
    points: Vec<Start>,
    known: HashMap<(Point, Packet), (Class, Option<Detail>)>,
}

/// A place where packets are seen coming in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point(u32);

impl<'n, 's> Flows<'n, 's> {
    /// Nothing known yet.
    pub fn of(node: &'n Node<'s>) -> Self {
        Self { node, points: Vec::new(), known: HashMap::new() }
    }

    /// The point for a device of a namespace.
    pub fn point(&mut self, start: &Start) -> Point {
        let at = self.points.iter().position(|known| known == start).unwrap_or_else(|| {
            self.points.push(start.clone());
            self.points.len() - 1
        });
        Point(u32::try_from(at).unwrap_or(u32::MAX))
    }

    /// The class of a packet that comes in at a point, with its finer detail.
    pub fn classify(&mut self, point: Point, packet: &Packet) -> (Class, Option<Detail>) {
        let key = (point, flow(packet));
        if let Some(found) = self.known.get(&key) {
            return *found;
        }
        let found = match self.points.get(point.0 as usize) {
            Some(start) => self.node.classify(start, key.1),
            None => (Class::None, None),
        };
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(key, found);
        found
    }
}

/// The packet without what does not decide its class: any packet of a flow
/// stands for its first one, whose translation the later ones share.
fn flow(packet: &Packet) -> Packet {
    Packet {
        tcp_flags: if packet.proto == TCP { 0x02 } else { 0 },
        icmp: packet.icmp.map(|(kind, code)| if packet.proto == ICMP && kind == 0 { (8, code) } else { (kind, code) }),
        length: 0,
        dont_fragment: false,
        src_mac: None,
        ..*packet
    }
}
