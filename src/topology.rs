//! A [`Snapshot`](crate::net::Snapshot) read as a DVR node: external networks,
//! routers, floating IPs, and the ordered chain of links of each floating IP.
//!
//! Pure: imports `net` and `neutron`, cannot fail.

mod model;

pub use model::{
    Blind, ChainLink, Direction, ExternalNetwork, Fact, FactSource, FipKind, FipState, FloatingIp, GatewayPort,
    InternalPort, LinkName, LinkState, NodeKind, ObjectKind, ObjectRef, PairEnd, Router, RouterKind, Topology,
};
