//! Who answers ARP: an own address, a proxy, or nobody
//! (`net/ipv4/arp.c: arp_process`).

use std::net::{IpAddr, Ipv4Addr};

use super::model::{ArpAnswer, Start};
use super::node::Node;
use super::packet::Packet;
use super::route::{Refusal, Routed};
use super::space::{Conf, Device, Space};
use crate::net::{Addr, IfName, RouteKind};
use crate::topology::{ObjectKind, ObjectRef};

impl Node<'_> {
    /// Whether a namespace answers a request for `target` that `asker` sends on
    /// the link of `at.device`, and why.
    pub fn arp(&self, at: &Start, asker: Ipv4Addr, target: Ipv4Addr) -> ArpAnswer {
        let space = match self.space(&at.namespace) {
            Ok(space) => space,
            Err(why) => return unknown(why),
        };
        match at.device.as_ref().and_then(|name| space.device(name)) {
            Some(device) => space.arp(device, asker, target),
            None => unknown("there is no such device".to_owned()),
        }
    }
}

impl<'s> Space<'s> {
    /// See [`Node::arp`].
    pub(super) fn arp(&self, device: &Device<'s>, asker: Ipv4Addr, target: Ipv4Addr) -> ArpAnswer {
        let name = &device.link.name;
        let Some(conf) = device.conf else { return unknown(format!("the IPv4 settings of {name} were not read")) };
        if !device.link.is_up() {
            return no(format!("{name} is down"), ObjectKind::Link, name.to_string());
        }
        // The kernel asks its routes where a packet from the asker to the target would go.
        match self.route_in(device, &Packet::first(asker, target, 0)) {
            Routed::Local(_, RouteKind::Local) => own(device, conf, asker, target),
            Routed::Forward(choice, hop) => match &hop.dev {
                Some(out) if out != name => self.proxy(device, conf, target, out, &choice.route.to_string()),
                _ => no(
                    format!("{target} is reached through {name} itself: no route leads to it by another device"),
                    ObjectKind::Route,
                    target.to_string(),
                ),
            },
            Routed::Refused(Refusal::ForwardingOff) => no(
                format!("forwarding is off on {name}"),
                ObjectKind::Sysctl,
                format!("net.ipv4.conf.{name}.forwarding"),
            ),
            Routed::Refused(refusal) => {
                let stop = self.refusal_stop(device.link, &refusal);
                ArpAnswer { answers: Some(false), why: stop.reason, object: stop.object, mac: None }
            }
            Routed::Riddle(riddle) => unknown(riddle.reason()),
            Routed::Local(..) => no(format!("{target} is a broadcast address"), ObjectKind::Addr, target.to_string()),
        }
    }

    fn proxy(&self, device: &Device<'s>, conf: Conf, target: Ipv4Addr, out: &IfName, route: &str) -> ArpAnswer {
        let name = &device.link.name;
        if conf.proxy_arp {
            let delay = self.netns.sysctl(&format!("net.ipv4.neigh.{name}.proxy_delay"));
            let delay =
                delay.filter(|ticks| *ticks > 1).map(|ticks| format!(", after up to {ticks} hundredths of a second"));
            let why = format!("by proxy: {target} is routed out of {out} ({route}){}", delay.unwrap_or_default());
            return yes(why, ObjectKind::Route, route, device);
        }
        if self.proxy_neighbour(name, target).is_some() {
            return yes(
                format!("{target} is a proxy neighbour on {name}"),
                ObjectKind::Neigh,
                target.to_string(),
                device,
            );
        }
        let key = format!("net.ipv4.conf.{name}.proxy_arp");
        no(format!("proxy_arp is off on {name}"), ObjectKind::Sysctl, key)
    }
}

/// An own address; `arp_ignore` may want it to be on this device.
fn own(device: &Device<'_>, conf: Conf, asker: Ipv4Addr, target: Ipv4Addr) -> ArpAnswer {
    let name = &device.link.name;
    let here = |addr: &&&Addr| addr.address.addr() == target;
    let is_here = device.addrs.iter().find(here);
    let key = format!("net.ipv4.conf.{name}.arp_ignore");
    match (conf.arp_ignore, is_here) {
        (0, _) | (1, Some(_)) => {
            yes(format!("{target} is its own address"), ObjectKind::Addr, target.to_string(), device)
        }
        // `inet_confirm_addr`: any of the device's subnets may hold both.
        (2, Some(_)) if device.addrs.iter().any(|addr| holds(addr, asker) && holds(addr, target)) => {
            yes(format!("{target} is its own address"), ObjectKind::Addr, target.to_string(), device)
        }
        (level @ (1 | 2), _) => no(
            format!("{target} is an own address, but not one that {name} may answer for (arp_ignore {level})"),
            ObjectKind::Sysctl,
            key,
        ),
        (level, _) => no(format!("arp_ignore is {level} on {name}"), ObjectKind::Sysctl, key),
    }
}

fn holds(subnet: &Addr, address: Ipv4Addr) -> bool {
    subnet.address.contains(&IpAddr::V4(address))
}

fn yes(why: String, kind: ObjectKind, key: impl Into<String>, device: &Device<'_>) -> ArpAnswer {
    ArpAnswer { answers: Some(true), why, object: Some(ObjectRef { kind, key: key.into() }), mac: device.link.mac }
}

fn no(why: String, kind: ObjectKind, key: impl Into<String>) -> ArpAnswer {
    ArpAnswer { answers: Some(false), why, object: Some(ObjectRef { kind, key: key.into() }), mac: None }
}

fn unknown(why: String) -> ArpAnswer {
    ArpAnswer { answers: None, why, object: None, mac: None }
}
