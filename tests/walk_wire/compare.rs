//! A walk against what was seen.

use std::fmt::Write;

use fipscope::net::{IfName, NetnsName};
use fipscope::path::{Class, Hop, Node, Outcome, Packet, UDP, Verdict, Walk};

use crate::flows::Flow;
use crate::packet::{Seen, Way};
use crate::stage::{Event, is_of_the_node};

/// How a comparison went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Equal,
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
pub(crate) fn judge(node: &Node<'_>, flow: &Flow, events: &[Event]) -> Judgement {
    let walk = node.walk(&flow.start, flow.packet);
    let questions: Vec<&Event> = of(events, Way::Question);
    let answers: Vec<&Event> = of(events, Way::Answer);
    if let Some(why) = cannot_tell(&walk) {
        return Judgement::CannotTell(why);
    }
    let mut wrong = Vec::new();
    wrong.extend(passed(&walk, &questions));
    wrong.extend(class(&walk, &questions));
    wrong.extend(fate(&walk, &questions, &answers, events));
    let reply = node.reply(&walk);
    if let Some(why) = reply.as_ref().and_then(cannot_tell) {
        return Judgement::CannotTell(why);
    }
    if !answers.is_empty() {
        match &reply {
            Some(reply) => wrong.extend(passed(reply, &answers).map(|text| format!("answer: {text}"))),
            None => wrong.push("an answer came, and there is none by the engine".to_owned()),
        }
    }
    if wrong.is_empty() {
        return Judgement::Equal;
    }
    Judgement::Differs(describe(flow, &wrong, &walk, reply.as_ref(), events))
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
    let said: Vec<Passage<'_>> = walk.hops.iter().flat_map(passages).collect();
    for (place, (seen, said)) in seen.iter().zip(&said).enumerate() {
        if !said.is(seen) {
            return Some(format!("passage {}: {} is not {seen}", place + 1, said.words()));
        }
    }
    (seen.len() != said.len()).then(|| format!("{} passages seen, {} said", seen.len(), said.len()))
}

/// The passages of one hop, where the sniffers listen.
fn passages(hop: &Hop) -> Vec<Passage<'_>> {
    let namespace = &hop.namespace;
    let entered = hop.iif.as_ref().map(|device| Passage { namespace, device, out: false, packet: &hop.entered });
    let left = hop.oif.as_ref().filter(|_| hop.verdict == Verdict::Forward);
    let left = left.map(|device| Passage { namespace, device, out: true, packet: &hop.left });
    if is_of_the_node(namespace) { entered.into_iter().chain(left).collect() } else { Vec::new() }
}

/// What the devices that were passed make of the class.
fn class(walk: &Walk, questions: &[&Event]) -> Option<String> {
    let inside: Vec<&&Event> = questions.iter().filter(|event| is_of_the_node(&event.namespace)).collect();
    let first_out = inside.iter().find(|event| event.out);
    let through = |prefix: &str| inside.iter().any(|event| event.device.as_str().starts_with(prefix));
    let seen: &[Class] = match (inside.first(), first_out) {
        (None, _) => return None,
        // Taken in or stopped: the class says what it would have been.
        (Some(_), None) => return None,
        (Some(_), Some(out)) if out.device.as_str().starts_with("rfp-") => &[Class::Fip],
        (Some(first), Some(_)) if first.device.as_str().starts_with("fg-") => &[Class::Fip],
        (Some(first), Some(_)) if first.device.as_str().starts_with("qr-") && through("sg-") => &[Class::Snat],
        (Some(first), Some(_)) if first.device.as_str().starts_with("qr-") => &[Class::EastWest],
        (Some(_), Some(_)) => return None,
    };
    (!seen.contains(&walk.class)).then(|| format!("class {} is not {}", walk.class.word(), seen[0].word()))
}

/// What became of it in the end.
fn fate(walk: &Walk, questions: &[&Event], answers: &[&Event], events: &[Event]) -> Option<String> {
    let last = walk.hops.last()?;
    let arrived = questions.iter().find(|event| !is_of_the_node(&event.namespace) && !event.out && event.follows(questions));
    let told = || {
        let errors = events.iter().filter(|event| matches!(event.seen.way, Way::Error { about: true } | Way::Answer));
        errors.clone().any(|event| event.namespace == last.namespace && event.out)
    };
    let words = |what: &str| Some(format!("fate: {} by the engine, {what}", walk.outcome.word()));
    match (walk.outcome, last.verdict) {
        (Outcome::Delivered, Verdict::Deliver) if !told() => words("but nobody answered there"),
        (Outcome::Delivered | Outcome::LeavesNode, Verdict::Forward) => match arrived {
            None => words("but it arrived nowhere"),
            Some(event) if !same(&walk.arrived, &event.seen) => words(&format!("but arrived as {event}")),
            Some(event) if answers.is_empty() && hears(event) => words("but was not answered"),
            Some(_) => None,
        },
        (Outcome::Dropped, _) if arrived.is_some() => words("but it arrived"),
        (Outcome::Dropped, Verdict::Drop) if told() => words("but the sender was told"),
        (Outcome::Dropped, Verdict::Reject) if !told() => words("but the sender was not told"),
        _ => None,
    }
}

/// Whether somebody would answer: a host that got the packet itself.
fn hears(event: &Event) -> bool {
    event.namespace.as_str().starts_with("vm-")
}

impl Event {
    /// A host got it after it was in the node.
    fn follows(&self, questions: &[&Event]) -> bool {
        questions
            .iter()
            .take_while(|other| !std::ptr::eq(**other, self))
            .any(|other| is_of_the_node(&other.namespace) && other.out)
    }
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
            let _ = writeln!(text, "      {place} {ways} {:?} {} ⇒ {} {:?}", hop.verdict, hop.entered, hop.left, hop.neighbour);
        }
    }
    for event in events {
        let _ = writeln!(text, "      seen {event}");
    }
    let _ = UDP;
    text
}
