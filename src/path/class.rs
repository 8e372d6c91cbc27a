//! The class of a packet at one namespace: the device it came in by, and the
//! rule that decided.

use std::net::Ipv4Addr;

use super::filter::Event;
use super::model::{Class, Detail, NatKind};
use super::pass::{End, Passed};
use super::route::Routed;
use super::space::Space;
use crate::net::{IfName, TableId};
use crate::neutron::{DeviceKind, FAST_EXIT_PRIORITY, METADATA_ADDRESS, NamespaceKind, parse_device, parse_namespace};

/// Class and finer point of what a namespace did.
pub(super) fn class(space: &Space<'_>, iif: Option<&IfName>, passed: &Passed<'_>) -> (Class, Option<Detail>) {
    let Some(iif) = iif else { return (Class::Local, None) };
    let Some((_, routed)) = &passed.routed else { return (Class::None, None) };
    if matches!(routed, Routed::Local(..)) {
        let metadata = passed.entered.dst == METADATA_ADDRESS;
        return (Class::Local, metadata.then_some(Detail::Metadata));
    }
    let kind = |device| parse_device(device).map(|(kind, _)| kind);
    let out = out(routed);
    match (parse_namespace(space.name).map(|(kind, _)| kind), kind(iif), out.and_then(kind)) {
        (_, Some(DeviceKind::RouterToFip | DeviceKind::FipToRouter), _)
        | (Some(NamespaceKind::Fip), Some(DeviceKind::AgentGateway), Some(DeviceKind::FipToRouter)) => {
            (Class::Fip, None)
        }
        (Some(NamespaceKind::Router), Some(DeviceKind::Internal), Some(out)) => from_instance(space, out, passed),
        (_, Some(DeviceKind::Snat), Some(DeviceKind::RouterGateway)) => gateway(space, passed),
        (_, Some(DeviceKind::Snat), Some(_)) => (Class::Snat, None),
        (_, Some(DeviceKind::RouterGateway), Some(DeviceKind::Snat | DeviceKind::Internal)) => {
            inbound(space, iif, passed)
        }
        _ => (Class::None, None),
    }
}

/// A packet of an instance, in its router's namespace.
fn from_instance(space: &Space<'_>, out: DeviceKind, passed: &Passed<'_>) -> (Class, Option<Detail>) {
    let Some((_, Routed::Forward(choice, _))) = &passed.routed else { return (Class::None, None) };
    match out {
        DeviceKind::RouterToFip if choice.rule.priority == FAST_EXIT_PRIORITY => (Class::Fip, Some(Detail::FastExit)),
        DeviceKind::RouterToFip => (Class::Fip, leak(passed)),
        DeviceKind::RouterGateway => gateway(space, passed),
        // By one of its own tables, the packet goes to the snat namespace.
        DeviceKind::Internal if !is_ordinary(choice.table) => (Class::Snat, None),
        DeviceKind::Internal if has(passed, NatKind::Dnat) => (Class::EastWest, Some(Detail::Hairpin)),
        DeviceKind::Internal => (Class::EastWest, None),
        _ => (Class::None, None),
    }
}

/// Out through the router's own gateway port: with the port's own address, or
/// with a floating IP.
fn gateway(space: &Space<'_>, passed: &Passed<'_>) -> (Class, Option<Detail>) {
    let leak = leak(passed);
    let out = passed.routed.as_ref().and_then(|(_, routed)| out(routed));
    let is_own = out.is_some_and(|out| is_own(space, out, passed.passing.packet.src));
    if leak.is_some() || is_own { (Class::Snat, leak) } else { (Class::Fip, None) }
}

/// In through the router's own gateway port.
fn inbound(space: &Space<'_>, iif: &IfName, passed: &Passed<'_>) -> (Class, Option<Detail>) {
    let is_answer_to_snat = !has(passed, NatKind::Dnat) && is_own(space, iif, passed.entered.dst);
    (if is_answer_to_snat { Class::Snat } else { Class::Fip }, None)
}

/// Whether an address is the gateway port's own: floating IPs stand beside it
/// with a mask of 32 bits.
fn is_own(space: &Space<'_>, port: &IfName, address: Ipv4Addr) -> bool {
    let addrs = space.device(port).map_or(&[][..], |device| &device.addrs);
    addrs.iter().any(|addr| addr.address.addr() == address && addr.address.prefix_len() < 32)
}

/// A packet that leaves as it came, with no translation of its source.
fn leak(passed: &Passed<'_>) -> Option<Detail> {
    let is_bare = matches!(passed.end, End::Leaves(..)) && passed.passing.packet.src == passed.entered.src;
    is_bare.then_some(Detail::Leak)
}

fn has(passed: &Passed<'_>, kind: NatKind) -> bool {
    passed.passing.events.iter().any(|event| matches!(event, Event::Translation { kind: found, .. } if *found == kind))
}

fn out<'s>(routed: &Routed<'s>) -> Option<&'s IfName> {
    match routed {
        Routed::Forward(_, hop) => hop.dev.as_ref(),
        _ => None,
    }
}

fn is_ordinary(table: TableId) -> bool {
    [TableId::LOCAL, TableId::MAIN, TableId::DEFAULT].contains(&table)
}
