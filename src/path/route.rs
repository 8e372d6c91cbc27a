//! Where a namespace sends a packet: input and output routing, with the checks
//! of its source.
//!
//! After `net/ipv4/route.c` (`ip_route_input_slow`, `__mkroute_input`,
//! `ip_route_output_key_hash_rcu`) and `net/ipv4/fib_frontend.c`
//! (`fib_validate_source`) of Linux 6.

use std::net::{IpAddr, Ipv4Addr};

use super::fib::{Choice, EHOSTUNREACH, EINVAL, ENETUNREACH, Found, Key, LOOPBACK};
use super::packet::Packet;
use super::space::{Device, Space};
use crate::net::{IfName, NeighState, NextHop, Route, RouteKind, Rule};

/// What routing decides.
#[derive(Clone, Copy, Debug)]
pub(super) enum Routed<'s> {
    /// Out of a device.
    Forward(Choice<'s>, &'s NextHop),
    /// To the namespace itself. `None`: the limited broadcast, which asks no table.
    Local(Option<Choice<'s>>, RouteKind),
    /// Not at all.
    Refused(Refusal<'s>),
    /// Cannot be told.
    Riddle(Riddle<'s>),
}

/// Why a packet is not routed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal<'s> {
    /// No rule leads to a route.
    NoRoute,
    /// A rule's action; its errno.
    Rule(&'s Rule, i32),
    /// A route's kind; its errno.
    Route(&'s Route, i32),
    /// The input device does not forward.
    ForwardingOff,
    /// The source can be no source here.
    MartianSource,
    /// The source is one of the namespace's own addresses.
    OwnSource,
    /// The destination cannot be routed.
    MartianDestination,
    /// `rp_filter` refuses the source: its way back leads elsewhere.
    ReversePath(u8),
    /// Sent from an address that the namespace does not have.
    ForeignSource,
    /// The route's device is gone or has no IPv4.
    NoDevice,
}

/// Why routing cannot be foretold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Riddle<'s> {
    /// A rule with a selector that is not modelled.
    Rule(&'s Rule),
    /// One of several next hops, by a hash.
    Multipath(&'s Route),
    /// One of several default routes, by which gateway answers.
    Defaults(&'s Route),
    /// Multicast, or a limited broadcast that the namespace sends: who takes
    /// part in a group is not read.
    Group(Ipv4Addr),
    /// Settings of this device were not read.
    Settings(&'s IfName),
}

/// How the source of a packet fares.
enum Source<'s> {
    Fine,
    Refused(Refusal<'s>),
    Riddle(Riddle<'s>),
}

impl Refusal<'_> {
    /// The errno of the kernel's lookup.
    pub(super) fn errno(self) -> i32 {
        match self {
            Self::NoRoute | Self::ForeignSource => ENETUNREACH,
            Self::Rule(_, errno) | Self::Route(_, errno) => errno,
            Self::ForwardingOff => EHOSTUNREACH,
            Self::MartianSource
            | Self::OwnSource
            | Self::MartianDestination
            | Self::ReversePath(_)
            | Self::NoDevice => EINVAL,
        }
    }
}

impl Riddle<'_> {
    /// Why it cannot be told, as a sentence without a full stop.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Rule(rule) => format!("rule \"{rule}\" has a selector that is not modelled here"),
            Self::Multipath(route) => {
                format!("route \"{route}\" has several next hops, of which the kernel picks one by a hash")
            }
            Self::Defaults(route) => {
                format!(
                    "route \"{route}\" is one of several defaults, of which the kernel takes one whose gateway answers"
                )
            }
            Self::Group(dst) => format!("where packets to {dst} go depends on groups, which are not read"),
            Self::Settings(device) => format!("the IPv4 settings of {device} were not read"),
        }
    }
}

impl<'s> Space<'s> {
    /// Routes a packet that came in by a device.
    pub(super) fn route_in(&self, device: &Device<'s>, packet: &Packet) -> Routed<'s> {
        let Some(conf) = device.conf else { return Routed::Riddle(Riddle::Settings(&device.link.name)) };
        let (src, dst) = (packet.src, packet.dst);
        if dst.is_multicast() {
            return Routed::Riddle(Riddle::Group(dst));
        }
        if src.is_multicast() || src.is_broadcast() {
            return Routed::Refused(Refusal::MartianSource);
        }
        if dst.is_broadcast() || (src.is_unspecified() && dst.is_unspecified()) {
            return self.broadcast(device, packet, None);
        }
        // `route_localnet` is off in the agent's namespaces.
        if src.is_unspecified() || (src.is_loopback() && !dst.is_loopback()) {
            return Routed::Refused(Refusal::MartianSource);
        }
        if dst.is_unspecified() || dst.is_loopback() {
            return Routed::Refused(Refusal::MartianDestination);
        }
        let key = Key { src: bits(src), dst: bits(dst), iif: device.link.index, mark: packet.mark, tos: packet.tos };
        let choice = match self.fib.lookup(&key) {
            Found::Route(choice) => choice,
            Found::Riddle(rule) => return Routed::Riddle(Riddle::Rule(rule)),
            Found::Refused(..) if !conf.forwarding => return Routed::Refused(Refusal::ForwardingOff),
            Found::Refused(errno, rule, route) => return Routed::Refused(refusal(errno, rule, route)),
        };
        match choice.route.kind {
            RouteKind::Broadcast => self.broadcast(device, packet, Some(choice)),
            RouteKind::Local => match self.source(device, packet, bits(dst), 0) {
                Source::Fine => Routed::Local(Some(choice), RouteKind::Local),
                Source::Refused(refusal) => Routed::Refused(refusal),
                Source::Riddle(riddle) => Routed::Riddle(riddle),
            },
            _ if !conf.forwarding => Routed::Refused(Refusal::ForwardingOff),
            RouteKind::Unicast => self.forward(device, packet, choice),
            _ => Routed::Refused(Refusal::MartianDestination),
        }
    }

    /// Routes a packet that the namespace itself sends; an unspecified source
    /// leaves the choice of it to the kernel.
    pub(super) fn route_out(&self, packet: &Packet) -> Routed<'s> {
        let (src, dst) = (packet.src, packet.dst);
        if !src.is_unspecified() {
            if src.is_multicast() || src.is_broadcast() {
                return Routed::Refused(Refusal::MartianSource);
            }
            if !self.owns(bits(src)) && !self.is_local(bits(src)) {
                return Routed::Refused(Refusal::ForeignSource);
            }
        }
        if dst.is_multicast() || dst.is_broadcast() {
            return Routed::Riddle(Riddle::Group(dst));
        }
        if dst.is_unspecified() {
            return Routed::Local(None, RouteKind::Local);
        }
        let key = Key { src: bits(src), dst: bits(dst), iif: LOOPBACK, mark: packet.mark, tos: packet.tos };
        let choice = match self.fib.lookup(&key) {
            Found::Route(choice) => choice,
            Found::Riddle(rule) => return Routed::Riddle(Riddle::Rule(rule)),
            Found::Refused(errno, rule, route) => return Routed::Refused(refusal(errno, rule, route)),
        };
        if choice.route.kind == RouteKind::Local {
            return Routed::Local(Some(choice), RouteKind::Local);
        }
        if self.fib.has_rivals(&choice, &key) && !self.is_gateway_alive(&choice) {
            return Routed::Riddle(Riddle::Defaults(choice.route));
        }
        let routed = self.leave(choice);
        match routed {
            Routed::Forward(choice, hop) if self.leaves_as_loopback(src, choice.route, hop) => {
                Routed::Refused(Refusal::MartianSource)
            }
            _ => routed,
        }
    }

    fn forward(&self, device: &Device<'s>, packet: &Packet, choice: Choice<'s>) -> Routed<'s> {
        let routed = self.leave(choice);
        let Routed::Forward(_, hop) = routed else { return routed };
        let oif = hop.dev.as_ref().and_then(|dev| self.device(dev)).map_or(0, |out| out.link.index);
        match self.source(device, packet, bits(packet.dst), oif) {
            Source::Fine => routed,
            Source::Refused(refusal) => Routed::Refused(refusal),
            Source::Riddle(riddle) => Routed::Riddle(riddle),
        }
    }

    fn leave(&self, choice: Choice<'s>) -> Routed<'s> {
        if choice.is_ambiguous {
            return Routed::Riddle(Riddle::Multipath(choice.route));
        }
        match choice.hop {
            Some(hop) if hop.dev.as_ref().is_some_and(|dev| self.device(dev).is_some()) => Routed::Forward(choice, hop),
            _ => Routed::Refused(Refusal::NoDevice),
        }
    }

    fn broadcast(&self, device: &Device<'s>, packet: &Packet, choice: Option<Choice<'s>>) -> Routed<'s> {
        let delivered = Routed::Local(choice, RouteKind::Broadcast);
        if packet.src.is_unspecified() {
            return delivered;
        }
        match self.source(device, packet, 0, 0) {
            Source::Fine => delivered,
            Source::Refused(refusal) => Routed::Refused(refusal),
            Source::Riddle(riddle) => Routed::Riddle(riddle),
        }
    }

    /// `fib_validate_source`: where an answer to the packet would go. `oif` is
    /// the device it leaves by, 0 for a local delivery.
    fn source(&self, device: &Device<'s>, packet: &Packet, dst: u32, oif: u32) -> Source<'s> {
        let Some(conf) = device.conf else { return Source::Riddle(Riddle::Settings(&device.link.name)) };
        let strictness = conf.rp_filter.unwrap_or(0);
        let turns_around = device.link.index == oif && conf.send_redirects;
        if strictness == 0 && !turns_around {
            if conf.accept_local {
                return Source::Fine;
            }
            if !self.fib.has_custom_rules && !self.fib.has_custom_local_routes {
                let is_own = self.owns(bits(packet.src));
                return if is_own { Source::Refused(Refusal::OwnSource) } else { Source::Fine };
            }
        }
        let key = Key {
            src: dst,
            dst: bits(packet.src),
            iif: if oif == 0 { LOOPBACK } else { oif },
            mark: if conf.src_valid_mark { packet.mark } else { 0 },
            tos: packet.tos,
        };
        match (self.reverse(device, &key, conf.accept_local), conf.rp_filter) {
            (Reverse::Riddle(rule), _) => Source::Riddle(Riddle::Rule(rule)),
            (Reverse::Own, _) => Source::Refused(Refusal::OwnSource),
            (Reverse::NoUnicast, _) => Source::Refused(Refusal::MartianSource),
            (Reverse::SameDevice, _) | (_, Some(0)) | (Reverse::OtherDevice, Some(2..)) => Source::Fine,
            (Reverse::OtherDevice | Reverse::Nowhere, Some(strict)) => Source::Refused(Refusal::ReversePath(strict)),
            (Reverse::OtherDevice | Reverse::Nowhere, None) => Source::Riddle(Riddle::Settings(&device.link.name)),
        }
    }

    fn reverse(&self, device: &Device<'s>, key: &Key, accept_local: bool) -> Reverse<'s> {
        let choice = match self.fib.lookup(key) {
            Found::Route(choice) => choice,
            Found::Riddle(rule) => return Reverse::Riddle(rule),
            Found::Refused(..) => return Reverse::Nowhere,
        };
        let is_own = choice.route.kind == RouteKind::Local;
        match choice.route.kind {
            RouteKind::Unicast => {}
            RouteKind::Local if accept_local => {}
            RouteKind::Local => return Reverse::Own,
            _ => return Reverse::NoUnicast,
        }
        // `fib_info_nh_uses_dev`: any of several next hops will do.
        let uses = |hop: &NextHop| hop.dev.as_ref() == Some(&device.link.name);
        if choice.route.next_hops.iter().any(uses) || (is_own && device.link.index == LOOPBACK) {
            Reverse::SameDevice
        } else if device.addrs.is_empty() {
            Reverse::Nowhere
        } else {
            Reverse::OtherDevice
        }
    }

    /// Whether the kernel takes the route's gateway for alive, whatever it chose
    /// before (`fib_detect_death`): it answers, or was never asked for.
    fn is_gateway_alive(&self, choice: &Choice<'s>) -> bool {
        let hop = choice.hop.and_then(|hop| Some((hop.dev.as_ref()?, hop.via?)));
        match hop {
            Some((dev, IpAddr::V4(via))) if self.blind_to_neighbours().is_none() => {
                self.neighbour(dev, via).is_none_or(|entry| entry.state == NeighState::Reachable)
            }
            _ => false,
        }
    }

    /// Whether a packet would leave with a source of 127.0.0.0/8, given or
    /// chosen: a route of scope host lets the kernel choose one where its own
    /// device has no address (`inet_select_addr`).
    fn leaves_as_loopback(&self, src: Ipv4Addr, route: &Route, hop: &NextHop) -> bool {
        const RT_SCOPE_HOST: u8 = 254;
        let Some(out) = hop.dev.as_ref().and_then(|dev| self.device(dev)) else { return false };
        let may_choose = src.is_unspecified() && route.pref_src.is_none() && route.scope >= RT_SCOPE_HOST;
        let chosen = || self.device(&IfName::from("lo")).and_then(Device::primary).filter(|_| out.addrs.is_empty());
        let src = if may_choose { chosen().unwrap_or(src) } else { src };
        src.is_loopback() && !out.link.is_loopback()
    }

    fn is_local(&self, address: u32) -> bool {
        let key = Key { dst: address, iif: LOOPBACK, ..Key::default() };
        self.fib.in_local(&key).is_some_and(|route| route.kind == RouteKind::Local)
    }
}

/// Where the way back to a packet's source leads.
enum Reverse<'s> {
    SameDevice,
    OtherDevice,
    /// Nowhere, or the input device has no address to tell by.
    Nowhere,
    Own,
    NoUnicast,
    Riddle(&'s Rule),
}

fn refusal<'s>(errno: i32, rule: Option<&'s Rule>, route: Option<&'s Route>) -> Refusal<'s> {
    match (rule, route) {
        (_, Some(route)) => Refusal::Route(route, errno),
        (Some(rule), None) => Refusal::Rule(rule, errno),
        (None, None) => Refusal::NoRoute,
    }
}

fn bits(address: Ipv4Addr) -> u32 {
    address.to_bits()
}
