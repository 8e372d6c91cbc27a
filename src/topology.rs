//! A [`Snapshot`](crate::net::Snapshot) read as a DVR node: external networks,
//! routers, floating IPs, and the ordered chain of links of each floating IP.
//!
//! Pure: imports `net` and `neutron`, cannot fail. The way through: every
//! namespace of the L3 agent is indexed once ([`index`], [`nat`]); routers are
//! found with their pairs and layouts ([`discover`], [`pair`], [`layout`]); what
//! rules, translation, routes and addresses speak of becomes floating IPs
//! ([`facts`]); each of them is judged link by link ([`chain`]). What a change
//! does not touch is kept from one reading to the next ([`keeper`]).

mod chain;
mod discover;
mod facts;
mod host;
mod index;
mod keeper;
mod layout;
mod link_name;
mod look;
mod model;
mod nat;
mod node_kind;
mod obstacle;
mod pair;
mod read;
#[doc(hidden)]
pub mod scenario;
mod words;

pub use keeper::Keeper;
pub use link_name::LinkName;
pub use model::{
    Blind, ChainLink, Direction, ExternalNetwork, Fact, FactSource, FipKind, FipState, FloatingIp, GatewayPort,
    InternalPort, LinkState, NodeKind, ObjectKind, ObjectRef, PairEnd, Router, RouterKind, Topology,
};
