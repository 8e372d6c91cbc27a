//! What this node would do with a packet: policy rules, tables, translation,
//! filter, neighbours and proxy ARP, across its namespaces. Pure.
//!
//! A [`Walk`] is a packet's whole way, with its class and what stops it. Every
//! routing decision in it comes with the question to the kernel that would
//! prove it ([`Hop::question`]).

mod arp;
mod class;
mod fib;
mod filter;
mod flows;
mod glance;
mod handover;
mod model;
mod node;
mod packet;
mod pass;
mod passage;
mod route;
mod space;
mod start;
mod stop;
mod track;
mod walk;

pub use flows::{Flows, Point};
pub use glance::{Cost, Glance, Stage, Way};
pub use model::{
    ArpAnswer, Class, Decided, Detail, Hop, Kernel, MarkChange, NatKind, Neighbour, Outcome, Start, Stop, Translation,
    Verdict, Walk,
};
pub use node::Node;
pub use packet::{Endpoint, ICMP, Packet, TCP, UDP};
pub use track::{Connection, Connections, Tuple};
