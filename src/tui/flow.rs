//! One flow: both its directions, what translates it, where it passes, and where
//! it stops.

mod way;

use std::net::IpAddr;
use std::sync::Arc;

use super::overview::FipId as Shown;
use super::state::Node;
use super::traffic::{Heard, Hearing, known};
use super::walk::{Asked, Ends, Walks, walks};
use super::words::Mark;
use crate::net::{ConntrackEntry, NetnsName};
use crate::path::{Class, Endpoint};
use crate::traffic::{Conversation, Expected, FipId, FlowTraffic, LATELY, Loss, Stations, Way};

/// What names a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowId {
    /// Protocol number (IANA).
    pub proto: u8,
    /// Source and destination, as it came in.
    pub ends: [Endpoint; 2],
    /// The router whose port it came in by.
    pub router: Option<String>,
    /// The floating IP that it belongs to.
    pub floating_ip: Option<FipId>,
}

/// The screen of one flow.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowView {
    /// Which one.
    pub id: FlowId,
    /// It and its answers as they were counted last.
    pub flows: [Option<FlowTraffic>; 2],
    /// They were counted in the last interval.
    pub now: bool,
    /// Under which addresses it is looked for.
    pub conversation: Arc<Conversation>,
    /// The walk of its first packet.
    pub walks: Result<Walks, String>,
    /// The floating IPs of this node that it goes from and to, where it goes between two.
    pub between: Option<[FipId; 2]>,
    /// What was heard last.
    pub heard: Option<Arc<Heard>>,
    /// Its way.
    pub stations: Stations,
    /// What is to be said of it.
    pub said: (Mark, String),
    /// Lines that are scrolled away.
    pub scroll: usize,
}

impl FlowView {
    /// A flow of an interval.
    pub fn of(flow: &FlowTraffic, hearing: &Hearing, node: &Node) -> Self {
        let id = FlowId {
            proto: flow.proto,
            ends: [flow.source, flow.destination],
            router: flow.router.clone(),
            floating_ip: flow.floating_ip.clone(),
        };
        let walks = walks(node, &id.asked());
        let mut view = Self {
            flows: [Some(flow.clone()), None],
            now: true,
            conversation: Arc::default(),
            walks,
            between: None,
            heard: None,
            stations: Stations::default(),
            said: (Mark::None, String::new()),
            scroll: 0,
            id,
        };
        view.look_for(node, &[]);
        view.rebuild(hearing, node);
        view
    }

    /// What is shown anew, by what was heard; the walk stays that of the reading.
    pub fn rebuild(&mut self, hearing: &Hearing, node: &Node) {
        let Some(heard) = hearing.last.clone() else { return };
        let entries: Vec<ConntrackEntry> = heard.entries.iter().map(|(_, entry)| entry.clone()).collect();
        if !entries.is_empty() {
            self.look_for(node, &entries);
            self.turn(node, &entries);
        }
        self.count(&heard);
        let expected = self.expected();
        let trail = heard.trail.clone().filter(|trail| trail.conversation == self.conversation).unwrap_or_default();
        let visible = |one: &Expected| self.is_heard(&heard, one);
        let answers = self.answers();
        self.stations = Stations::of(&trail, &expected, answers.as_deref(), visible);
        self.heard = Some(heard);
        self.said = self.say(node);
    }

    /// Another reading: its first packet is walked again.
    pub fn renew(&mut self, hearing: Option<&Hearing>, node: &Node) {
        self.walks = walks(node, &self.id.asked());
        self.look_for(node, &[]);
        if let Some(hearing) = hearing {
            self.rebuild(hearing, node);
        }
    }

    /// The connection that it belongs to, and where that is tracked; the one that
    /// translates it first.
    pub fn entries(&self) -> impl Iterator<Item = &(NetnsName, ConntrackEntry)> {
        self.heard.iter().flat_map(|heard| &heard.entries)
    }

    /// What is followed, of which class it is, as it was counted last.
    pub fn class(&self) -> Option<Class> {
        self.flow().map(|flow| flow.class)
    }

    /// The flow, or its answers where only they were counted.
    pub fn flow(&self) -> Option<&FlowTraffic> {
        self.flows.iter().flatten().next()
    }

    /// Under which addresses, and where, it is looked for.
    fn look_for(&mut self, node: &Node, entries: &[ConntrackEntry]) {
        let walks = self.walks.as_ref().ok();
        let mut wanted = Conversation::of(self.id.proto, self.id.ends, walks.map(|walks| &walks.forth), entries);
        self.between = way::between(node, &self.id, wanted.pairs.iter().chain(&self.conversation.pairs));
        let far = self.between.iter().flatten().map(|fip| fip.router.as_str());
        for router in self.id.router.as_deref().into_iter().chain(far).filter_map(|id| node.topology.router(id)) {
            router.namespace.iter().chain(&router.snat_namespace).for_each(|name| wanted.look_in(name));
            let network =
                node.topology.external_networks.iter().find(|it| Some(&it.id) == router.external_network.as_ref());
            if let Some(network) = network {
                wanted.look_in(&network.namespace);
            }
        }
        // What connection tracking told once stays known, though it may not tell it again.
        let known = &self.conversation;
        let worth = |it: &Conversation| (!it.is_vague(), it.pairs.len());
        if known.pairs.first() != wanted.pairs.first() || worth(&wanted) > worth(known) {
            self.conversation = Arc::new(wanted);
        }
    }

    /// Goes back to what began the connection, where connection tracking tells it: turns
    /// around where these are the answers, and takes the packet as its sender sent it where
    /// they are what a translation made of it. It may be tracked both ways, as two, where
    /// its answers left by another way for a time: then it stays as it is.
    fn turn(&mut self, node: &Node, entries: &[ConntrackEntry]) {
        let ours = entries.iter().filter(|entry| entry.original.proto == self.id.proto).filter_map(ends);
        let ours: Vec<_> = ours.filter_map(|ends| Some((self.conversation.way_of(ends[0])?, ends))).collect();
        let first = ours.iter().min_by_key(|(way, _)| *way).copied();
        let turned = first.filter(|(way, _)| *way == Way::Back);
        let mut begun = turned.map_or(self.id.ends, |(_, [original, _])| original);
        for _ in 0..ours.len() {
            let before = ours.iter().find(|(_, [original, after])| *after == begun && *original != begun);
            begun = before.map_or(begun, |(_, [original, _])| *original);
        }
        if begun == self.id.ends {
            return;
        }
        if turned.is_some() {
            self.flows.swap(0, 1);
        }
        self.id.ends = begun;
        if self.id.floating_ip.is_none() {
            self.id.floating_ip = way::floating_ip(node, &self.id);
        }
        self.walks = walks(node, &self.id.asked());
        self.conversation = Arc::default();
        self.look_for(node, entries);
    }

    /// The flow and its answers in an interval.
    fn count(&mut self, heard: &Heard) {
        let of = |flow: &&FlowTraffic| flow.proto == self.id.proto && flow.router == self.id.router;
        let mut known = (*self.conversation).clone();
        if known.is_vague() {
            // Where a port is not known yet, other flows pass as well.
            known.pairs.retain(|pair| *pair == self.id.ends || pair.iter().all(|end| end.port.is_some()));
        }
        let find = |way| {
            let flows = heard.interval.flows.iter().filter(of);
            let mut flows = flows.filter(|flow| known.way_of([flow.source, flow.destination]) == Some(way));
            // Of its stages, the one that is followed.
            let first = flows.clone().find(|flow| [flow.source, flow.destination] == self.id.ends);
            first.or_else(|| flows.next()).cloned()
        };
        let [forth, back] = [Way::Forth, Way::Back].map(find);
        self.now = forth.is_some() || back.is_some();
        if self.now {
            let before = std::mem::take(&mut self.flows);
            let none = |flow: FlowTraffic| FlowTraffic { count: crate::traffic::Count::default(), ..flow };
            let [first, second] = before;
            self.flows = [forth.or(first.map(none)), back.or(second.map(none))];
        }
    }

    fn say(&self, node: &Node) -> (Mark, String) {
        if self.conversation.is_vague() {
            let text = "Its translation is not known yet: what is counted behind it may be other flows', too";
            return (Mark::None, text.to_owned());
        }
        let (mark, text) = self.judge(node);
        if self.stations.quiet <= LATELY || !self.stations.is_seen() {
            return (mark, text);
        }
        // Since then the node may be another.
        let quiet = self.stations.quiet / 1_000_000_000;
        (Mark::None, format!("Nothing of it was seen for {quiet} s. Before that: {text}"))
    }

    /// What the last that was seen of it comes to.
    fn judge(&self, node: &Node) -> (Mark, String) {
        let stations = &self.stations;
        match (stations.losses, self.class()) {
            ([Some(loss), _], _) => {
                self.vanishes(loss, ["It", "vanishes", "packets"], || self.why(node, Way::Forth, loss.after))
            }
            ([_, Some(loss)], _) => {
                self.vanishes(loss, ["Its answers", "vanish", "answers"], || self.why(node, Way::Back, loss.after))
            }
            _ if stations.answered && stations.arrived => {
                (Mark::Ok, "Every station passes it on, both ways".to_owned())
            }
            _ if stations.answered => {
                (Mark::None, "Every station passes its answers on; the other way nothing came".to_owned())
            }
            _ if stations.too_soon => {
                (Mark::None, "Every station passes it on; an answer may be on its way".to_owned())
            }
            _ if stations.unclear => {
                let text = format!("It arrives; whether an answer came back cannot be told: {}", self.lost());
                (Mark::Unknown, text)
            }
            (_, class) if stations.arrived => {
                let seen_here = stations.all.iter().any(|station| station.expected[1]);
                one_way(class, self.ends_here(), seen_here, self.was_answered())
            }
            _ if !self.is_followed() => (Mark::None, "It is looked for from now on: too early to tell".to_owned()),
            _ if stations.ends().is_some() => {
                let place = stations.ends().map_or("?", |station| station.name.as_str());
                (Mark::None, format!("It rightly goes no further than {place}: its time to live ends there"))
            }
            _ if stations.all.iter().any(|station| station.expected[0] && station.lately[0].packets > 0) => {
                (Mark::None, "It is on its way: too early to tell".to_owned())
            }
            _ if stations.is_seen() => {
                (Mark::None, "It passes, but was not seen where it should: its way is another one".to_owned())
            }
            _ if stations.all.iter().flat_map(|station| station.counts).flatten().any(|count| count.packets > 0) => {
                (Mark::None, "It came just now: too early to tell".to_owned())
            }
            _ => (Mark::None, "Nothing of it was seen since it is looked for".to_owned()),
        }
    }

    /// Who vanishes, in the singular or plural, and the word for its packets.
    fn vanishes(&self, loss: Loss, [who, vanish, what]: [&str; 3], why: impl Fn() -> String) -> (Mark, String) {
        let Loss { after, packets, of, is_sure } = loss;
        let name = self.stations.all.get(after).map_or("?", |station| station.name.as_str());
        if !is_sure {
            let text = format!("Whether {packets} of {of} {what} vanish after {name} cannot be told: {}", self.lost());
            return (Mark::Unknown, text);
        }
        let who = if packets < of { format!("{packets} of {of} {what} vanish") } else { format!("{who} {vanish}") };
        (Mark::Broken, format!("{who} after {name}: {}", why()))
    }

    fn lost(&self) -> String {
        let lost = self.stations.lost;
        let were = if lost == 1 { "packet was" } else { "packets were" };
        format!("{lost} {were} lost before they were seen")
    }

    /// It was looked for, under the addresses that are known by now.
    fn is_followed(&self) -> bool {
        let trail = self.heard.as_ref().and_then(|heard| heard.trail.as_ref());
        trail.is_some_and(|trail| trail.conversation == self.conversation)
    }

    /// Answers were seen since it is followed.
    fn was_answered(&self) -> bool {
        let mut way = self.stations.all.iter().filter(|station| station.expected[1]);
        way.any(|station| station.counts[1].is_some_and(|count| count.packets > 0))
    }
}

impl FlowId {
    /// The walk of its first packet.
    pub(super) fn asked(&self) -> Asked {
        let [source, destination] = self.ends;
        let ends = Ends::Addresses { src: source.address, dst: destination.address };
        Asked::new(ends).with(self.proto, destination.port).from_port(source.port)
    }

    /// The floating IP on a node, where it is there.
    pub(super) fn fip(&self, node: &Node) -> Option<Shown> {
        self.floating_ip.as_ref().and_then(|id| known(&node.topology, id)).map(Shown::from)
    }
}

/// The ends of the packet that began a connection, and what its translation makes of them.
fn ends(entry: &ConntrackEntry) -> Option<[[Endpoint; 2]; 2]> {
    let end = |address, port| match address {
        IpAddr::V4(address) => Some(Endpoint { address, port }),
        IpAddr::V6(_) => None,
    };
    let (original, reply) = (&entry.original, &entry.reply);
    Some([
        [end(original.src, original.sport)?, end(original.dst, original.dport)?],
        [end(reply.dst, reply.dport)?, end(reply.src, reply.sport)?],
    ])
}

/// What it means that nothing came back; `ends_here`: from an instance of this node; `before`:
/// it did, but not of late. What never passes here is no loss.
fn one_way(class: Option<Class>, ends_here: bool, seen_here: bool, before: bool) -> (Mark, String) {
    let (mark, text) = match class {
        Some(Class::Fip) if ends_here && before => (
            Mark::Degraded,
            "The instance does not answer any more: this node did its part; look at its security groups and at itself",
        ),
        Some(Class::Fip) if ends_here => (
            Mark::Degraded,
            "The instance does not answer: this node did its part; look at its security groups and at itself",
        ),
        Some(Class::Snat) if !seen_here => (
            Mark::None,
            "One-way here: answers go from the snat namespace straight to the instance, not through this router",
        ),
        Some(Class::Fip | Class::Snat) if before => {
            (Mark::None, "It leaves the node; of late nothing came back from outside")
        }
        Some(Class::Fip | Class::Snat) => (Mark::None, "It leaves the node; nothing came back from outside"),
        Some(Class::EastWest) => {
            (Mark::None, "One-way here: answers of an instance on another node enter its subnet there")
        }
        _ => (Mark::None, "One-way: nothing came back"),
    };
    (mark, text.to_owned())
}
