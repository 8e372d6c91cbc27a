//! A walk against what was seen.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::Ipv4Addr;

use fipscope::net::{IfName, NetnsName};
use fipscope::path::{Class, Hop, Node, Outcome, Packet, Stop, Verdict, Walk};
use fipscope::topology::ObjectKind;

use crate::flows::Flow;
use crate::packet::{Seen, Way};
use crate::stage::{Event, is_of_the_node};

/// The namespace that stands for the world outside.
const GATEWAY: &str = "gateway";

/// How a comparison went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Equal,
    /// By the engine the packet would not be sent, as nobody answers ARP.
    NotAsked,
    /// Equal, but for a message to the sender of which the kernel sends only so
    /// many; the reason.
    Silent(String),
    /// The engine says that it cannot tell, and why.
    CannotTell(String),
    /// What differs, and both sides of it.
    Differs(String),
}

/// A packet at a device, as the engine says.
struct Passage<'w> {
    namespace: &'w NetnsName,
    device: &'w IfName,
    out: bool,
    packet: &'w Packet,
}

/// Compares a flow's walk and the answer's with the events of the flow.
pub(crate) fn judge(node: &Node<'_>, flow: &Flow, events: &[Event], floating: &BTreeSet<Ipv4Addr>) -> Judgement {
    let walk = node.walk(&flow.start, flow.packet);
    if walk.hops.is_empty() && walk.outcome == Outcome::Dropped {
        // The gateway would have to ask first, and be answered: see `arp`.
        return Judgement::NotAsked;
    }
    let questions = questions(events);
    let answers = answers(&walk, events);
    if let Some(why) = cannot_tell(&walk) {
        return Judgement::CannotTell(why);
    }
    let reply = node.reply(&walk);
    if let Some(why) = reply.as_ref().and_then(cannot_tell) {
        return Judgement::CannotTell(why);
    }
    let mut wrong = Vec::new();
    wrong.extend(passed(&walk, &questions));
    wrong.extend(class(&walk, &questions, floating));
    let comes_back = reply.as_ref().is_some_and(|reply| reply.outcome != Outcome::Dropped && !asks(reply));
    let (fate, silent) = fate(&walk, &questions, comes_back, events);
    wrong.extend(fate);
    // A long question has a short answer, which other limits hold for.
    if !answers.is_empty() && flow.packet.length < 1000 {
        match &reply {
            // See `NotAsked`.
            Some(reply) if reply.hops.is_empty() => {}
            Some(reply) => wrong.extend(passed(reply, &answers).map(|text| format!("answer: {text}"))),
            // Straight from one machine to the other.
            None if answers.iter().all(|event| !is_of_the_node(&event.namespace)) => {}
            None => wrong.push("an answer came, and there is none by the engine".to_owned()),
        }
    }
    match (wrong.is_empty(), silent) {
        (true, false) => Judgement::Equal,
        (true, true) => Judgement::Silent(walk.stop.map(|stop| stop.reason).unwrap_or_default()),
        (false, _) => Judgement::Differs(describe(flow, &wrong, &walk, reply.as_ref(), events)),
    }
}

/// The question on its way, until it comes to the gateway: what that sends back
/// is another packet to the node.
fn questions(events: &[Event]) -> Vec<&Event> {
    let mut all = of(events, Way::Question);
    let node = all.iter().position(|event| is_of_the_node(&event.namespace)).unwrap_or(0);
    if let Some(end) = all.iter().skip(node).position(|event| event.namespace.as_str() == GATEWAY) {
        all.truncate(node + end + 1);
    }
    all
}

/// The answer on its way, after it last came from the gateway where the
/// question left by that.
fn answers<'e>(walk: &Walk, events: &'e [Event]) -> Vec<&'e Event> {
    let all = of(events, Way::Answer);
    if walk.outcome != Outcome::LeavesNode {
        return all;
    }
    let last = all.iter().rposition(|event| event.out && event.namespace.as_str() == GATEWAY);
    // What somebody else made of it on the way is no answer to this.
    let genuine = last.filter(|last| same(&walk.arrived.answer(), &all[*last].seen));
    genuine.map_or_else(Vec::new, |last| all[last..].to_vec())
}

/// Whether nobody knows yet who will take it: the kernel asks by ARP, and may
/// wait in vain.
fn asks(walk: &Walk) -> bool {
    let neighbour = walk.hops.last().and_then(|hop| hop.neighbour.as_ref());
    walk.outcome != Outcome::Dropped && neighbour.is_some_and(|neighbour| neighbour.mac.is_none())
}

fn of(events: &[Event], way: Way) -> Vec<&Event> {
    events.iter().filter(|event| event.seen.way == way).collect()
}

fn cannot_tell(walk: &Walk) -> Option<String> {
    let unknown = walk.outcome == Outcome::Unknown || walk.hops.iter().any(|hop| hop.verdict == Verdict::Unknown);
    unknown.then(|| walk.stop.as_ref().map_or_else(|| "no reason".to_owned(), |stop| stop.reason.clone()))
}

/// Whether the devices and the addresses there are the same.
fn passed(walk: &Walk, events: &[&Event]) -> Option<String> {
    let seen: Vec<&&Event> = events.iter().filter(|event| is_of_the_node(&event.namespace)).collect();
    let mut said: Vec<Passage<'_>> = walk.hops.iter().flat_map(passages).collect();
    if asks(walk) && seen.len() + 1 == said.len() {
        said.pop();
    }
    for (place, (seen, said)) in seen.iter().zip(&said).enumerate() {
        if !said.is(seen) {
            return Some(format!("passage {}: {} is not {seen}", place + 1, said.words()));
        }
    }
    // As often as its time to live lets it.
    let circle = walk.stop.as_ref().is_some_and(|stop| stop.reason.contains("circle")) && seen.len() > said.len();
    (seen.len() != said.len() && !circle).then(|| format!("{} passages seen, {} said", seen.len(), said.len()))
}

/// The passages of one hop, where the sniffers listen.
fn passages(hop: &Hop) -> Vec<Passage<'_>> {
    let namespace = &hop.namespace;
    // A device that is down shows nothing; what nobody takes has left all the same.
    let down = hop.verdict == Verdict::Drop && hop.question.is_none() && hop.stop.as_ref().is_some_and(of_a_link);
    let known = hop.neighbour.as_ref().is_some_and(|neighbour| neighbour.mac.is_some());
    let visible = hop.verdict == Verdict::Forward || hop.verdict == Verdict::Drop && known;
    let entered = hop.iif.as_ref().filter(|_| !down).map(|device| Passage {
        namespace,
        device,
        out: false,
        packet: &hop.entered,
    });
    let left = hop.oif.as_ref().filter(|_| visible);
    let left = left.map(|device| Passage { namespace, device, out: true, packet: &hop.left });
    if is_of_the_node(namespace) { entered.into_iter().chain(left).collect() } else { Vec::new() }
}

fn of_a_neighbour(walk: &Walk) -> bool {
    let object = walk.stop.as_ref().and_then(|stop| stop.object.as_ref());
    object.is_some_and(|object| object.kind == ObjectKind::Neigh)
}

fn of_a_link(stop: &Stop) -> bool {
    stop.object.as_ref().is_some_and(|object| object.kind == ObjectKind::Link)
}

/// What the devices that were passed make of the class: nothing where the
/// packet came no further than one namespace.
fn class(walk: &Walk, questions: &[&Event], floating: &BTreeSet<Ipv4Addr>) -> Option<String> {
    let inside: Vec<&&Event> = questions.iter().filter(|event| is_of_the_node(&event.namespace)).collect();
    let (first, out) = (inside.first()?, inside.iter().find(|event| event.out)?);
    let by = |event: &Event, prefix: &str| event.device.as_str().starts_with(prefix);
    let passed_only_the_router = inside.iter().all(|event| event.namespace == first.namespace);
    let heard = questions.last().is_some_and(|event| hears(event));
    let translated = inside.iter().find(|event| event.out && by(event, "qg-"));
    let seen = match translated {
        _ if by(out, "rfp-") || by(first, "fg-") => Class::Fip,
        // What stopped it stopped it before it was seen.
        None if walk.outcome == Outcome::Dropped && walk.class == Class::Fip => return None,
        Some(event) if floating.contains(&event.seen.src) => Class::Fip,
        _ if by(first, "qr-") && translated.is_some() => Class::Snat,
        _ if by(first, "qr-") && by(out, "qr-") && passed_only_the_router && heard => Class::EastWest,
        _ => return None,
    };
    (walk.class != seen).then(|| format!("class {} is not {}", walk.class.word(), seen.word()))
}

/// What became of it in the end; and whether the sender should have been told
/// of it and was not, which may be as the kernel limits such messages.
fn fate(walk: &Walk, questions: &[&Event], comes_back: bool, events: &[Event]) -> (Option<String>, bool) {
    let Some(last) = walk.hops.last() else { return (None, false) };
    let arrived = questions.last().filter(|event| !is_of_the_node(&event.namespace) && !event.out);
    let told = events.iter().any(|event| {
        matches!(event.seen.way, Way::Error { about: true } | Way::Answer)
            && event.namespace == last.namespace
            && event.out
    });
    let answered = events.iter().any(|event| event.seen.way == Way::Answer);
    let words = |what: &str| (Some(format!("fate: {} by the engine, {what}", walk.outcome.word())), false);
    match (walk.outcome, last.verdict) {
        (Outcome::Delivered, Verdict::Deliver) if !told && comes_back => words("but nobody answered there"),
        (Outcome::Delivered | Outcome::LeavesNode, Verdict::Forward) => match arrived {
            None if asks(walk) => (None, false),
            None => words("but it arrived nowhere"),
            Some(event) if !same(&walk.arrived, &event.seen) => words(&format!("but arrived as {event}")),
            Some(event) if !answered && hears(event) && event.seen.src != event.seen.dst => {
                words("but was not answered")
            }
            Some(_) => (None, false),
        },
        (Outcome::Dropped, _) if arrived.is_some() => words("but it arrived"),
        // After three seconds without an answer to ARP.
        (Outcome::Dropped, Verdict::Drop) if of_a_neighbour(walk) => (None, false),
        (Outcome::Dropped, Verdict::Drop) if told => words("but the sender was told"),
        (Outcome::Dropped, Verdict::Reject) => (None, !told),
        _ => (None, false),
    }
}

/// Whether somebody would answer: a host that got the packet itself.
fn hears(event: &Event) -> bool {
    event.namespace.as_str() == format!("vm-{}", event.seen.dst)
}

impl Passage<'_> {
    fn is(&self, event: &Event) -> bool {
        *self.namespace == event.namespace
            && *self.device == event.device
            && self.out == event.out
            && same(self.packet, &event.seen)
    }

    fn words(&self) -> String {
        let place: String = self.namespace.as_str().chars().take(14).collect();
        format!("{place} {} {} {}", if self.out { "out" } else { "in" }, self.device, self.packet)
    }
}

/// Whether a packet of the engine's is what was seen; a port that it does not
/// know may be any.
fn same(said: &Packet, seen: &Seen) -> bool {
    let port = |said: Option<u16>, seen| said.is_none_or(|said| said == seen);
    said.src == seen.src
        && said.dst == seen.dst
        && said.proto == seen.proto
        && port(said.sport, seen.sport)
        && port(said.dport, seen.dport)
}

fn describe(flow: &Flow, wrong: &[String], walk: &Walk, reply: Option<&Walk>, events: &[Event]) -> String {
    let device = flow.start.device.as_ref().map_or("none", |device| device.as_str());
    let mut text = format!("{} from {} at {device}, {} bytes\n", flow.packet, flow.from, flow.packet.length);
    for line in wrong {
        let _ = writeln!(text, "    {line}");
    }
    for (name, walk) in [("walk", Some(walk)), ("answer", reply)] {
        let Some(walk) = walk else { continue };
        let _ = writeln!(text, "    {name}: {} {} {:?}", walk.class.word(), walk.outcome.word(), walk.stop);
        for hop in &walk.hops {
            let name = |device: &Option<IfName>| device.as_ref().map_or("-".to_owned(), ToString::to_string);
            let place: String = hop.namespace.as_str().chars().take(14).collect();
            let ways = format!("{} → {}", name(&hop.iif), name(&hop.oif));
            let _ = writeln!(
                text,
                "      {place} {ways} {:?} {} ⇒ {} {:?}",
                hop.verdict, hop.entered, hop.left, hop.neighbour
            );
        }
    }
    for event in events {
        let _ = writeln!(text, "      seen {event}");
    }
    text
}
