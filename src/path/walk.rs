//! A packet's whole way: namespace after namespace until it leaves the node, is
//! delivered or is stopped; and the way back of its answer.

use std::net::{IpAddr, Ipv4Addr};

use super::class;
use super::handover::{Handover, To};
use super::model::{ArpAnswer, Class, Decided, Detail, Hop, Kernel, NatKind, Outcome, Start, Stop, Verdict, Walk};
use super::node::{Node, answer};
use super::packet::Packet;
use super::pass::{End, Passage, Passed};
use super::route::Routed;
use super::space::Space;
use super::track::Connections;
use crate::net::{IfName, RouteAnswer, RouteQuestion};
use crate::neutron::{DeviceKind, parse_device};

/// More namespaces than any way on a node passes: a packet that comes to so
/// many goes round in a circle.
const LONGEST: usize = 24;

/// What comes after a hop.
enum Next {
    Across(Start, Packet),
    End(Outcome, Option<Stop>),
}

impl<'s> Node<'s> {
    /// The way of a new flow's first packet.
    pub fn walk(&self, start: &Start, packet: Packet) -> Walk {
        self.run(start, packet, Connections::default())
    }

    /// The way back of the answer to a packet that arrived. `None` where the
    /// packet did not arrive, and where the answer does not come back this way:
    /// what leaves through the snat namespace of another node is answered
    /// straight to the instance.
    pub fn reply(&self, walk: &Walk) -> Option<Walk> {
        let last = walk.hops.last()?;
        let is_internal = last.oif.as_ref().is_some_and(|device| DeviceKind::Internal.is(device));
        let device = match (walk.outcome, last.verdict) {
            (Outcome::LeavesNode, Verdict::Forward) if is_internal => return None,
            (Outcome::Delivered, Verdict::Deliver) => None,
            (Outcome::Delivered | Outcome::LeavesNode, Verdict::Forward) => last.oif.clone(),
            _ => return None,
        };
        // Machines of one subnet answer each other without a router.
        // None takes what comes from its own address.
        let (src, dst) = (walk.arrived.src, walk.arrived.dst);
        if device.is_some() && (src == dst || self.subnet_of_both(src, dst).is_some()) {
            return None;
        }
        let start = match &device {
            // What came by the snat namespace is answered by way of the instance's gateway.
            Some(name) if DeviceKind::Snat.is(name) => self.gateway_port(&last.namespace, walk.arrived.dst)?,
            _ => Start { namespace: last.namespace.clone(), device },
        };
        Some(self.run(&start, walk.arrived.answer(), walk.connections.clone()))
    }

    /// The class of a packet where it comes in, without the rest of its way.
    pub fn classify(&self, start: &Start, packet: Packet) -> (Class, Option<Detail>) {
        let Ok(space) = self.space(&start.namespace) else { return (Class::None, None) };
        let device = start.device.as_ref().and_then(|name| space.device(name));
        let passed = Passage { space, device, known: &[] }.run(packet);
        class::class(space, start.device.as_ref(), &passed)
    }

    fn run(&self, start: &Start, packet: Packet, connections: Connections) -> Walk {
        let mut walk = Walk {
            start: start.clone(),
            sent: packet,
            arrived: packet,
            arp: None,
            hops: Vec::new(),
            class: Class::None,
            detail: None,
            outcome: Outcome::Unknown,
            stop: None,
            connections,
        };
        walk.arp = self.asked_for(start, &packet);
        if let Some(answer) = walk.arp.clone().filter(|answer| answer.answers == Some(false)) {
            walk.class = if self.is_floating(packet.dst) { Class::Fip } else { Class::None };
            let reason = format!("nobody on this node answers ARP for {}: {}", packet.dst, answer.why);
            (walk.outcome, walk.stop) =
                (Outcome::Dropped, Some(Stop { object: answer.object, ..Stop::new(&start.namespace, reason) }));
            return walk;
        }
        let mut classes = Vec::new();
        let mut next = Next::Across(start.clone(), packet);
        while let Next::Across(at, packet) = next {
            next = match walk.hops.len() {
                LONGEST => Next::End(Outcome::Dropped, Some(Stop::new(&at.namespace, "it goes round in a circle"))),
                _ => self.hop(&at, packet, &mut walk, &mut classes),
            };
            if let Next::End(outcome, stop) = &mut next {
                (walk.outcome, walk.stop) = (*outcome, stop.take());
            }
        }
        if let Some(first) = walk.hops.first() {
            walk.sent = first.entered;
        }
        walk.arrived = walk.hops.last().map_or(packet, |hop| hop.left);
        (walk.class, walk.detail) = overall(&walk, &classes);
        walk
    }

    fn hop(&self, at: &Start, packet: Packet, walk: &mut Walk, classes: &mut Vec<(Class, Option<Detail>)>) -> Next {
        let blind = |why: String| Next::End(Outcome::Unknown, Some(Stop::new(&at.namespace, why)));
        let space = match self.space(&at.namespace) {
            Ok(space) => space,
            Err(why) => return blind(why),
        };
        let device = match at.device.as_ref().map(|name| (name, space.device(name))) {
            Some((name, None)) => return blind(format!("there is no device {name}")),
            Some((_, device)) => device,
            None => None,
        };
        let passed = Passage { space, device, known: walk.connections.of(space.name) }.run(packet);
        classes.push(class::class(space, at.device.as_ref(), &passed));
        let (mut hop, next) = self.close(space, at, &passed);
        if !matches!(passed.end, End::Stopped(_))
            && let Some(connection) = passed.passing.confirmed()
        {
            walk.connections.confirm(space.name, connection.clone());
        }
        if let Next::End(_, stop) = &next {
            hop.stop.clone_from(stop);
        }
        walk.hops.push(hop);
        next
    }

    /// The hop as it is told, and what comes after it.
    fn close(&self, space: &Space<'s>, at: &Start, passed: &Passed<'s>) -> (Hop, Next) {
        let mut hop = told(space, at, passed);
        let next = match &passed.end {
            End::Delivered => {
                hop.verdict = Verdict::Deliver;
                Next::End(Outcome::Delivered, None)
            }
            End::Stopped(cause) => {
                let iif = at.device.as_ref().and_then(|name| space.device(name)).map(|device| device.link);
                hop.verdict = cause.verdict();
                let outcome = if hop.verdict == Verdict::Unknown { Outcome::Unknown } else { Outcome::Dropped };
                Next::End(outcome, Some(space.stop(iif, cause)))
            }
            End::Leaves(oif, next) => self.leave(space, at, oif, *next, &mut hop),
        };
        (hop, next)
    }

    fn leave(&self, space: &Space<'s>, at: &Start, oif: &IfName, next: Ipv4Addr, hop: &mut Hop) -> Next {
        hop.oif = Some(oif.clone());
        let Some(device) = space.device(oif) else {
            return Next::End(Outcome::Unknown, Some(Stop::new(space.name, format!("there is no device {oif}"))));
        };
        let handover = Handover { node: self, space, iif: at.device.as_ref(), oif: device, next, packet: &hop.left };
        let handed = handover.run();
        hop.neighbour = handed.neighbour;
        let (verdict, next) = match handed.to {
            To::Across(start) => {
                // Marks do not cross namespaces (`skb_scrub_packet`).
                let packet = Packet { mark: 0, src_mac: device.link.mac, ..hop.left };
                (Verdict::Forward, Next::Across(start, packet))
            }
            To::Subnet => (Verdict::Forward, Next::End(Outcome::Delivered, None)),
            To::Outside => (Verdict::Forward, Next::End(Outcome::LeavesNode, None)),
            To::Lost(stop) => (Verdict::Drop, Next::End(Outcome::Dropped, Some(stop))),
            To::Unknown(stop) => (Verdict::Unknown, Next::End(Outcome::Unknown, Some(stop))),
        };
        hop.verdict = verdict;
        next
    }

    /// What the sender of a packet from outside asks first, by ARP, for an address
    /// on the external link.
    fn asked_for(&self, start: &Start, packet: &Packet) -> Option<ArpAnswer> {
        let name = start.device.as_ref()?;
        let kind = parse_device(name).map(|(kind, _)| kind)?;
        if !matches!(kind, DeviceKind::AgentGateway | DeviceKind::RouterGateway) || self.is_internal(packet.dst) {
            return None;
        }
        let space = self.space(&start.namespace).ok()?;
        let device = space.device(name)?;
        let is_near = device.addrs.iter().any(|addr| addr.address.contains(&IpAddr::V4(packet.src)));
        let asker = if is_near { packet.src } else { self.gateway_of(space.name).unwrap_or(packet.src) };
        Some(space.arp(device, asker, packet.dst))
    }
}

impl Walk {
    /// The kernel's lookups that would prove the walk, in order.
    pub fn questions(&self) -> Vec<RouteQuestion> {
        self.hops.iter().filter_map(|hop| hop.question.clone()).collect()
    }

    /// Sets beside each hop what the kernel answered; what is not among the
    /// answers stays as it is.
    pub fn witnessed(&mut self, answers: &[(RouteQuestion, Result<RouteAnswer, String>)]) {
        for hop in &mut self.hops {
            let asked = hop.question.as_ref().and_then(|question| answers.iter().find(|(asked, _)| asked == question));
            hop.kernel = match asked {
                None => continue,
                Some((_, Err(why))) => Kernel::Failed(why.clone()),
                Some((_, Ok(said))) if hop.answer.as_ref().is_some_and(|answer| answer.agrees(said)) => Kernel::Agrees,
                Some((_, Ok(said))) => Kernel::Differs(said.clone()),
            };
        }
    }
}

fn told(space: &Space<'_>, at: &Start, passed: &Passed<'_>) -> Hop {
    let choice = passed.routed.as_ref().and_then(|(_, routed)| match routed {
        Routed::Forward(choice, _) | Routed::Local(Some(choice), _) => Some(*choice),
        _ => None,
    });
    let (marks, translations) = space.filter().told(&passed.passing.events);
    Hop {
        namespace: space.name.clone(),
        iif: at.device.clone(),
        oif: None,
        entered: passed.entered,
        left: passed.passing.packet,
        marks,
        decided: choice.map(|choice| Decided {
            rule: choice.rule.clone(),
            table: choice.table,
            route: choice.route.clone(),
        }),
        translations,
        neighbour: None,
        verdict: Verdict::Unknown,
        stop: None,
        question: passed.routed.as_ref().map(|(packet, _)| question(at, packet)),
        answer: passed.routed.as_ref().and_then(|(_, routed)| answer(routed).ok()),
        kernel: Kernel::NotAsked,
    }
}

fn question(at: &Start, packet: &Packet) -> RouteQuestion {
    RouteQuestion {
        namespace: Some(at.namespace.clone()),
        src: (!packet.src.is_unspecified()).then_some(IpAddr::V4(packet.src)),
        dst: IpAddr::V4(packet.dst),
        iif: at.device.clone(),
        mark: packet.mark,
        tos: packet.tos,
    }
}

/// The class of the whole way: that of its first hop, unless the snat namespace
/// gives it a floating IP.
fn overall(walk: &Walk, classes: &[(Class, Option<Detail>)]) -> (Class, Option<Detail>) {
    let Some((first, detail)) = classes.first().copied() else { return (walk.class, walk.detail) };
    // On its way out by the snat namespace; by main's routes, where those lead there.
    let is_outbound = |hop: &Hop| hop.iif.as_ref().is_some_and(|device| DeviceKind::Snat.is(device));
    let mut outbound = walk.hops.iter().zip(classes).filter(|(hop, _)| is_outbound(hop)).map(|(_, (class, _))| *class);
    let class = match (first, outbound.find(|class| matches!(class, Class::Snat | Class::Fip))) {
        (Class::Snat | Class::EastWest, Some(class)) => class,
        _ => first,
    };
    let from_instance = walk.start.device.as_ref().is_some_and(|device| DeviceKind::Internal.is(device));
    let turned = walk.hops.iter().flat_map(|hop| &hop.translations).any(|nat| nat.kind == NatKind::Dnat);
    let leaks = classes.iter().any(|(_, detail)| *detail == Some(Detail::Leak)) && walk.outcome == Outcome::LeavesNode;
    let detail = match detail {
        _ if from_instance && turned => Some(Detail::Hairpin),
        _ if leaks => Some(Detail::Leak),
        Some(Detail::Leak) => None,
        other => other,
    };
    (class, detail)
}
