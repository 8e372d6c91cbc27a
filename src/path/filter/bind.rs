//! The address and port that a translation gives a new connection
//! (`net/netfilter/nf_nat_core.c: nf_nat_setup_info`).

use std::net::Ipv4Addr;

use super::hash::best_address;
use super::passing::{Binding, DCCP, Manip, Passing, SCTP, UDPLITE};
use super::rule::Range;
use crate::net::netfilter::Port;
use crate::path::packet::{ICMP, TCP, UDP};
use crate::path::track::{Connection, Tuple};

/// Binds one side of a new connection. `known` may hold the tuple already.
pub(super) fn bind(passing: &mut Passing, manip: Manip, range: &Range, binding: Binding, known: &[Connection]) {
    let Some(connection) = &mut passing.connection else { return };
    let before = connection.reply.turned();
    let (after, chosen) = unique(range, manip, before, &Others { known, own: connection.original });
    if after != before || chosen {
        connection.reply = after.turned();
        match manip {
            Manip::Source => connection.src_nat = true,
            Manip::Destination => connection.dst_nat = true,
        }
    }
    passing.bound[manip.index()] = Some(binding);
}

/// Binds one side to what it is: only a clash with another connection changes
/// its port (`nf_nat_alloc_null_binding`).
pub(super) fn bind_null(passing: &mut Passing, manip: Manip, known: &[Connection]) {
    bind(passing, manip, &Range::default(), Binding { rule: None }, known);
}

/// The tuples that other connections hold.
struct Others<'c> {
    known: &'c [Connection],
    own: Tuple,
}

impl Others<'_> {
    /// `nf_nat_used_tuple`: whether replies to this one would be taken for
    /// another's. What has no number yet collides with nothing.
    fn hold(&self, tuple: Tuple) -> bool {
        let reply = tuple.turned();
        let open = has_ports(tuple.proto) && (reply.src.port.is_none() || reply.dst.port.is_none());
        // The kernel keeps the types of ICMP apart: a request is no reply.
        let same = |other: &Connection| other.reply == reply || (tuple.proto != ICMP && other.original == reply);
        !open && self.known.iter().any(|other| other.original != self.own && same(other))
    }
}

/// `get_unique_tuple`: the tuple after the translation, and whether the kernel
/// chose a port that nobody can foretell.
fn unique(range: &Range, manip: Manip, before: Tuple, others: &Others<'_>) -> (Tuple, bool) {
    if manip == Manip::Source && !range.random && range.holds(manip, &before) && !others.hold(before) {
        return (before, false);
    }
    let mut tuple = before;
    if let Some((first, last)) = range.addresses {
        let address = if first == last {
            Ipv4Addr::from_bits(first)
        } else {
            best_address((first, last), before.src.address, before.dst.address, range.persistent)
        };
        match manip {
            Manip::Source => tuple.src.address = address,
            Manip::Destination => tuple.dst.address = address,
        }
    }
    if !range.random {
        let kept = match range.ports {
            Some(ports) => in_ports(ports, manip, &tuple) && (ports.from == ports.to || !others.hold(tuple)),
            None => !others.hold(tuple),
        };
        if kept {
            return (tuple, false);
        }
    }
    let single = range.ports.filter(|ports| ports.from == ports.to).map(|ports| ports.from);
    let fixed = range.ports.is_none() && manip == Manip::Destination;
    match tuple.proto {
        // One identifier stands for both ports.
        ICMP => (tuple.src.port, tuple.dst.port) = (single, single),
        _ if !has_ports(tuple.proto) || fixed => return (tuple, false),
        _ if manip == Manip::Source => tuple.src.port = single,
        _ => tuple.dst.port = single,
    }
    (tuple, single.is_none())
}

impl Range {
    /// `nf_in_range`: whether a tuple may stay as it is.
    fn holds(&self, manip: Manip, tuple: &Tuple) -> bool {
        let source = tuple.src.address.to_bits();
        self.addresses.is_none_or(|(first, last)| (first..=last).contains(&source))
            && self.ports.is_none_or(|ports| in_ports(ports, manip, tuple))
    }
}

/// `l4proto_in_range`.
fn in_ports(ports: Port, manip: Manip, tuple: &Tuple) -> bool {
    if !has_ports(tuple.proto) {
        return true;
    }
    let port = if manip == Manip::Source || tuple.proto == ICMP { tuple.src.port } else { tuple.dst.port };
    port.is_some_and(|port| (ports.from..=ports.to).contains(&port))
}

/// Protocols whose ports, or identifier, a translation may change.
pub(super) fn has_ports(proto: u8) -> bool {
    matches!(proto, ICMP | TCP | UDP | UDPLITE | SCTP | DCCP)
}
