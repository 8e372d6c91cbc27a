//! What only an answer on the wire decides: the questions, and the ports from
//! which they are asked.
//!
//! A check asks and judges in one go: where the answer is not there yet, the
//! question is noted and nothing is found. So the questions are those that the
//! judgement needs, and no others.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::{Findings, Scene, Subject};
use crate::net::{ArpQuestion, IfName, Mac, NetnsName, Observed, WireAnswer, WireAnswers, WireQuestion, WireReply};
use crate::topology::{FloatingIp, ObjectRef};

/// Answers, and the questions that have none yet.
#[derive(Debug)]
pub struct Wire<'a> {
    answers: &'a WireAnswers,
    about: Option<&'a FloatingIp>,
    open: BTreeSet<WireQuestion>,
}

/// A device in a namespace from which the wire can be asked.
pub(super) struct Port<'s> {
    pub(super) namespace: &'s NetnsName,
    pub(super) device: &'s IfName,
    pub(super) mac: Option<Mac>,
    /// Its IPv4 addresses, each in its subnet.
    pub(super) subnets: Vec<Ipv4Net>,
}

impl<'a> Wire<'a> {
    /// With these answers; asks only what is about the floating IP, where there
    /// is one.
    pub(super) fn new(answers: &'a WireAnswers, about: Option<&'a FloatingIp>) -> Self {
        Self { answers, about, open: BTreeSet::new() }
    }

    /// The answer to a question. `None` where there is none yet, or where nobody
    /// wants to know.
    pub fn ask(&mut self, subject: &Subject, question: WireQuestion) -> Option<&'a WireAnswer> {
        if self.about.is_some_and(|fip| !concerns(subject, fip)) {
            return None;
        }
        let answer = self.answers.get(&question);
        if answer.is_none() {
            self.open.insert(question);
        }
        answer
    }

    /// The questions without an answer, sorted, each once.
    pub(super) fn open(self) -> Vec<WireQuestion> {
        self.open.into_iter().collect()
    }
}

impl<'s> Port<'s> {
    /// A device, or why nobody can be asked from it.
    pub(super) fn of(scene: &Scene<'s>, namespace: &'s NetnsName, device: &'s IfName) -> Result<Self, String> {
        let netns = scene.netns(namespace).ok_or_else(|| format!("{namespace} was not read"))?;
        if let Observed::Unreadable(why) = &netns.addrs {
            return Err(format!("the addresses of {namespace} could not be read: {why}"));
        }
        let link = netns.link(device).ok_or_else(|| format!("there is no {device} to ask from"))?;
        if !link.is_up() || !link.has_carrier() {
            let why = if link.is_up() { "has no carrier" } else { "is down" };
            return Err(format!("{device} {why}, so nobody can be asked"));
        }
        let own = netns.addrs().iter().filter(|addr| addr.dev == *device);
        let subnets = own.filter_map(|addr| match addr.address {
            IpNet::V4(net) => Some(net),
            IpNet::V6(_) => None,
        });
        Ok(Self { namespace, device, mac: link.mac, subnets: subnets.collect() })
    }

    /// Its own addresses; floating IPs on it are not among them.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.subnets.iter().filter(|net| net.prefix_len() < 32).map(Ipv4Net::addr)
    }

    /// Its address in the subnet of another.
    pub(super) fn address_beside(&self, other: Ipv4Addr) -> Option<Ipv4Addr> {
        self.subnets.iter().find(|net| net.prefix_len() < 32 && net.contains(&other)).map(Ipv4Net::addr)
    }

    /// Who has an address, asked from here.
    pub(super) fn who_has(&self, sender: Ipv4Addr, target: Ipv4Addr, replies: u8) -> WireQuestion {
        let (namespace, device) = (self.namespace.clone(), self.device.clone());
        WireQuestion::Arp(ArpQuestion { namespace, device, sender, target, replies })
    }

    /// Who else answers a question: nobody, too, where the answer is not there
    /// yet. That it could not be asked is told.
    pub(super) fn others<'a>(
        &self,
        question: WireQuestion,
        (subject, object): (&Subject, &ObjectRef),
        wire: &mut Wire<'a>,
        findings: &mut Findings,
    ) -> Vec<&'a WireReply> {
        match wire.ask(subject, question) {
            None | Some(WireAnswer::Silent) => Vec::new(),
            Some(WireAnswer::Answered(replies)) => replies.iter().filter(|reply| Some(reply.mac) != self.mac).collect(),
            Some(WireAnswer::NotAsked(why)) => {
                findings.cannot_tell(subject, Some(self.namespace), object.clone(), why);
                Vec::new()
            }
        }
    }
}

/// Hardware addresses for people, with the device where one is this node's.
pub(super) fn who(scene: &Scene<'_>, replies: &[&WireReply]) -> String {
    let named = |reply: &&WireReply| match owner(scene, reply.mac) {
        Some((namespace, device)) => format!("{} ({device} in {namespace} on this node)", reply.mac),
        None => reply.mac.to_string(),
    };
    replies.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn owner<'s>(scene: &Scene<'s>, mac: Mac) -> Option<(&'s NetnsName, &'s IfName)> {
    scene.snapshot.namespaces.iter().find_map(|(name, netns)| {
        let link = netns.seen()?.links().iter().find(|link| link.mac == Some(mac))?;
        Some((name, &link.name))
    })
}

/// Whether what is asked is about a floating IP, its instance, its router or its
/// network.
fn concerns(subject: &Subject, fip: &FloatingIp) -> bool {
    let is_address = match (subject.floating_ip, subject.fixed_ip) {
        (Some(floating), _) => Some(floating) == fip.floating_ip,
        (None, Some(fixed)) => Some(fixed) == fip.fixed_ip,
        (None, None) => true,
    };
    let is_router = subject.router.as_ref().is_none_or(|router| *router == fip.router);
    // Which network a router without a pair leads to is not known.
    let is_network = match (&subject.external_network, &fip.external_network) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    is_address && is_router && is_network
}

/// An address, where it is IPv4: ARP knows no other.
pub(super) fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}
