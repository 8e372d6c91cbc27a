//! What one namespace does with a packet: netfilter and routing in the order in
//! which they see it (`net/ipv4/ip_input.c`, `ip_forward.c`, `ip_output.c`).

use std::net::{IpAddr, Ipv4Addr};

use super::filter::{Cause as Blame, Crossing, Fate, Passing};
use super::packet::Packet;
use super::route::{Refusal, Riddle, Routed};
use super::space::{Device, Space};
use super::track::Connection;
use crate::net::netfilter::Hook;
use crate::net::{IfName, NextHop, Route};

/// A packet's passage through one namespace.
pub(super) struct Passed<'s> {
    /// The packet as it came in.
    pub(super) entered: Packet,
    /// The packet at the end, its connection, and what was changed on the way.
    pub(super) passing: Passing,
    /// The packet as routing saw it, with the decision.
    pub(super) routed: Option<(Packet, Routed<'s>)>,
    /// How it ended.
    pub(super) end: End<'s>,
}

/// How a passage ends.
pub(super) enum End<'s> {
    /// Out of this device, to this next hop on its link.
    Leaves(&'s IfName, Ipv4Addr),
    /// Taken in.
    Delivered,
    /// Stopped, or not to be told.
    Stopped(Cause<'s>),
}

/// What stops a packet inside a namespace.
pub(super) enum Cause<'s> {
    /// A rule or policy of the packet filter drops it.
    Dropped(Blame),
    /// A rule rejects it: the sender is told.
    Rejected(Blame),
    /// Routing refuses it.
    Refused(Refusal<'s>),
    /// The input device is down.
    InputDown(&'s IfName),
    /// The output device is down or has no carrier.
    OutputDown(&'s IfName),
    /// Too long for the output device's MTU, and not to be fragmented.
    TooLong(&'s IfName, u32),
    /// It cannot be told what happens: a reason.
    Filter(String),
    /// It cannot be told where it goes.
    Routing(Riddle<'s>),
}

/// One namespace, seen by one packet.
pub(super) struct Passage<'a, 's> {
    pub(super) space: &'a Space<'s>,
    /// Input device; `None` where the namespace itself sends the packet.
    pub(super) device: Option<&'a Device<'s>>,
    /// Connections of this namespace.
    pub(super) known: &'a [Connection],
}

impl<'s> Passage<'_, 's> {
    /// The whole passage.
    pub(super) fn run(&self, packet: Packet) -> Passed<'s> {
        let mut passed = Passed { entered: packet, passing: Passing::new(packet), routed: None, end: End::Delivered };
        let end = match self.device {
            Some(device) => self.receive(device, &mut passed),
            None => self.send(&mut passed),
        };
        passed.end = end.unwrap_or_else(End::Stopped);
        passed
    }

    fn receive(&self, device: &Device<'s>, passed: &mut Passed<'s>) -> Result<End<'s>, Cause<'s>> {
        if !device.link.is_up() {
            return Err(Cause::InputDown(&device.link.name));
        }
        self.hook(Hook::Prerouting, None, &mut passed.passing)?;
        let packet = passed.passing.packet;
        let routed = self.space.route_in(device, &packet);
        passed.routed = Some((packet, routed));
        match routed {
            Routed::Local(..) => {
                self.hook(Hook::Input, None, &mut passed.passing)?;
                Ok(End::Delivered)
            }
            Routed::Forward(choice, hop) => {
                let (out, next) = self.target(hop, &packet)?;
                too_long(choice.route, out, &packet)?;
                self.hook(Hook::Forward, Some((out, next)), &mut passed.passing)?;
                self.leave(out, next, &mut passed.passing)
            }
            Routed::Refused(refusal) => Err(Cause::Refused(refusal)),
            Routed::Riddle(riddle) => Err(Cause::Routing(riddle)),
        }
    }

    fn send(&self, passed: &mut Passed<'s>) -> Result<End<'s>, Cause<'s>> {
        let mut packet = passed.passing.packet;
        let mut routed = self.space.route_out(&packet);
        if packet.src.is_unspecified()
            && let Some(source) = self.source_for(&routed)
        {
            packet.src = source;
            passed.entered.src = source;
            passed.passing = Passing::new(packet);
        }
        passed.routed = Some((packet, routed));
        if let Routed::Refused(refusal) = routed {
            return Err(Cause::Refused(refusal));
        }
        let out = match routed {
            Routed::Forward(_, hop) => Some(self.target(hop, &packet)?),
            _ => None,
        };
        self.hook(Hook::Output, out, &mut passed.passing)?;
        // `ip_route_me_harder`: what netfilter changed is routed again.
        let now = passed.passing.packet;
        if (now.dst, now.src, now.mark, now.tos) != (packet.dst, packet.src, packet.mark, packet.tos) {
            routed = self.space.route_out(&now);
            passed.routed = Some((now, routed));
        }
        match routed {
            Routed::Local(..) => Ok(End::Delivered),
            Routed::Forward(choice, hop) => {
                let (out, next) = self.target(hop, &now)?;
                too_long(choice.route, out, &now)?;
                self.leave(out, next, &mut passed.passing)
            }
            Routed::Refused(refusal) => Err(Cause::Refused(refusal)),
            Routed::Riddle(riddle) => Err(Cause::Routing(riddle)),
        }
    }

    fn leave(&self, out: &Device<'s>, next: Ipv4Addr, passing: &mut Passing) -> Result<End<'s>, Cause<'s>> {
        self.hook(Hook::Postrouting, Some((out, next)), passing)?;
        if !out.link.is_up() || !out.link.has_carrier() {
            return Err(Cause::OutputDown(&out.link.name));
        }
        Ok(End::Leaves(&out.link.name, next))
    }

    /// The output device of a next hop, and whom to hand the packet to.
    fn target(&self, hop: &NextHop, packet: &Packet) -> Result<(&Device<'s>, Ipv4Addr), Cause<'s>> {
        let out = hop.dev.as_ref().and_then(|dev| self.space.device(dev));
        let out = out.ok_or(Cause::Refused(Refusal::NoDevice))?;
        match hop.via {
            Some(IpAddr::V4(via)) => Ok((out, via)),
            Some(IpAddr::V6(_)) => Err(Cause::Filter("the next hop is an IPv6 address".to_owned())),
            None => Ok((out, packet.dst)),
        }
    }

    fn source_for(&self, routed: &Routed<'s>) -> Option<Ipv4Addr> {
        let v4 = |address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        };
        let (choice, hop) = match routed {
            Routed::Forward(choice, hop) => (choice, hop),
            Routed::Local(Some(choice), _) => return choice.route.pref_src.and_then(v4),
            _ => return None,
        };
        let preferred = choice.route.pref_src.and_then(v4);
        preferred.or_else(|| self.space.device(hop.dev.as_ref()?)?.address_towards(hop.via.and_then(v4)))
    }

    fn hook(&self, hook: Hook, out: Option<(&Device<'s>, Ipv4Addr)>, passing: &mut Passing) -> Result<(), Cause<'s>> {
        let name = |device: Option<&Device<'s>>| device.map_or("", |device| device.link.name.as_str());
        let at = Crossing {
            iif: name(self.device),
            oif: name(out.map(|(device, _)| device)),
            redirect_to: self.device.and_then(Device::primary),
            masquerade_as: out.and_then(|(device, next)| device.address_towards(Some(next))),
        };
        match self.space.filter().pass(hook, &at, passing, self.known) {
            Fate::Pass => Ok(()),
            Fate::Drop(blame) => Err(Cause::Dropped(blame)),
            Fate::Reject(blame) => Err(Cause::Rejected(blame)),
            Fate::CannotTell(why) => Err(Cause::Filter(why)),
        }
    }
}

/// `ip_exceeds_mtu`: a route's own MTU counts before the device's.
fn too_long<'s>(route: &Route, out: &Device<'s>, packet: &Packet) -> Result<(), Cause<'s>> {
    let mtu = route.mtu.unwrap_or(out.link.mtu);
    if packet.dont_fragment && packet.length > mtu { Err(Cause::TooLong(&out.link.name, mtu)) } else { Ok(()) }
}
