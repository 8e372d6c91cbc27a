//! What a walk comes to: the values that later rooms and screens work on.

use std::net::Ipv4Addr;

use super::packet::{Endpoint, Packet};
use super::track::Connections;
use crate::net::{IfName, Mac, NeighState, NetnsName, Route, RouteAnswer, RouteQuestion, Rule, TableId, words};
use crate::topology::ObjectRef;

/// Where a packet begins its walk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Start {
    /// The namespace.
    pub namespace: NetnsName,
    /// The device it comes in by; `None`: the namespace itself sends it.
    pub device: Option<IfName>,
}

/// A packet's way over the node.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// Where it began.
    pub start: Start,
    /// The packet as it came in.
    pub sent: Packet,
    /// The packet as it was at the end.
    pub arrived: Packet,
    /// Who answers ARP for its destination, where it comes in from an external
    /// network: nobody sends it before that is answered.
    pub arp: Option<ArpAnswer>,
    /// One per namespace that it passed, in order. Empty where no namespace
    /// ever sees the packet ([`Walk::stop`] says why).
    pub hops: Vec<Hop>,
    /// East-west, SNAT, floating IP and so on.
    pub class: Class,
    /// A finer point of the class.
    pub detail: Option<Detail>,
    /// What became of it.
    pub outcome: Outcome,
    /// What stopped it, or why it cannot be told; `None` for a walk that went well.
    pub stop: Option<Stop>,
    /// The connections that it opened, which its reply will belong to.
    pub connections: Connections,
}

/// What one namespace did with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop {
    /// The namespace.
    pub namespace: NetnsName,
    /// Input device; `None` where the namespace itself sent the packet.
    pub iif: Option<IfName>,
    /// Output device; `None` where it was delivered or stopped before routing.
    pub oif: Option<IfName>,
    /// The packet as it came in.
    pub entered: Packet,
    /// The packet as it left, was delivered or was stopped.
    pub left: Packet,
    /// Changes of the packet's mark, in order.
    pub marks: Vec<MarkChange>,
    /// Rule, table and route that decided. `None` where nothing routed it.
    pub decided: Option<Decided>,
    /// Translations, in order.
    pub translations: Vec<Translation>,
    /// The neighbour that it was handed to.
    pub neighbour: Option<Neighbour>,
    /// What the namespace did.
    pub verdict: Verdict,
    /// What stopped it here, or why that cannot be told.
    pub stop: Option<Stop>,
    /// The route lookup that proves this hop; `None` where it never came to one.
    pub question: Option<RouteQuestion>,
    /// What the engine answers to [`Hop::question`].
    pub answer: Option<RouteAnswer>,
    /// What the kernel answered to it.
    pub kernel: Kernel,
}

/// The decision of policy routing.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The rule whose table had the route.
    pub rule: Rule,
    /// That table.
    pub table: TableId,
    /// The route.
    pub route: Route,
}

/// A change of the packet's netfilter mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkChange {
    /// Before.
    pub before: u32,
    /// After.
    pub after: u32,
    /// The rule, as `iptables-save` prints it.
    pub rule: String,
}

/// A change of address or port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// How.
    pub kind: NatKind,
    /// Before.
    pub before: Endpoint,
    /// After.
    pub after: Endpoint,
    /// The rule, as `iptables-save` prints it; `None` where the connection was
    /// translated by an earlier packet.
    pub rule: Option<String>,
}

/// The kinds of translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatKind {
    /// Destination.
    Dnat,
    /// Source.
    Snat,
    /// Destination, to the namespace itself.
    Redirect,
    /// Source, to the output device's address.
    Masquerade,
    /// The destination of a reply: the forward packet's source translation, reversed.
    UndoSnat,
    /// The source of a reply: the forward packet's destination translation, reversed.
    UndoDnat,
}

/// Who the packet was handed to on the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Next hop, or the destination where it is on the link.
    pub address: Ipv4Addr,
    /// Hardware address, where one is known.
    pub mac: Option<Mac>,
    /// State of the entry; `None` where there is none and the kernel would ask.
    pub state: Option<NeighState>,
}

/// What a namespace did with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Sent on.
    Forward,
    /// Taken in.
    Deliver,
    /// Silently dropped.
    Drop,
    /// Dropped, and the sender is told by ICMP or RST.
    Reject,
    /// Cannot be told from here.
    Unknown,
}

/// The class of traffic, by the founding article's definition: the device it
/// came in by, and the rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Between subnets of one router, by its main table.
    EastWest,
    /// Out through the snat namespace, with the router's address.
    Snat,
    /// With a floating IP.
    Fip,
    /// To or from the namespace itself: metadata, the router's own addresses.
    Local,
    /// Nothing routes it.
    None,
}

/// A finer point of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detail {
    /// Through the floating IP's way without translation, by address scope.
    FastExit,
    /// To the metadata proxy.
    Metadata,
    /// Turned around on this node, to a local floating IP.
    Hairpin,
    /// Leaves with its private source address.
    Leak,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Handed to an instance's subnet, or taken in by the node.
    Delivered,
    /// Stopped.
    Dropped,
    /// Left the node towards another.
    LeavesNode,
    /// Cannot be told from here.
    Unknown,
}

/// Why a packet went no further, with the object that is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Where.
    pub namespace: NetnsName,
    /// The object: a rule, a route, a sysctl, a neighbour, a link.
    pub object: Option<ObjectRef>,
    /// A sentence without a full stop.
    pub reason: String,
}

/// What the kernel's own lookup said to a hop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kernel {
    /// The same.
    Agrees,
    /// Something else.
    Differs(RouteAnswer),
    /// Nobody asked.
    #[default]
    NotAsked,
    /// It could not be asked, with the reason.
    Failed(String),
}

/// Who answers an ARP request, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArpAnswer {
    /// Whether an answer is sent.
    pub answers: Option<bool>,
    /// How, or why not: a sentence without a full stop.
    pub why: String,
    /// The object that decided.
    pub object: Option<ObjectRef>,
    /// The hardware address in the answer.
    pub mac: Option<Mac>,
}

words! { Class { EastWest "east-west" Snat "snat" Fip "fip" Local "local" None "none" } }
words! { Detail { FastExit "fast-exit" Metadata "metadata" Hairpin "hairpin" Leak "leak" } }
words! { Outcome { Delivered "delivered" Dropped "dropped" LeavesNode "leaves-node" Unknown "unknown" } }
words! { Verdict { Forward "forward" Deliver "deliver" Drop "drop" Reject "reject" Unknown "unknown" } }
words! {
    NatKind {
        Dnat "dnat" Snat "snat" Redirect "redirect" Masquerade "masquerade"
        UndoSnat "undo-snat" UndoDnat "undo-dnat"
    }
}
