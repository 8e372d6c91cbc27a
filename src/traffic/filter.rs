//! What a filter of traffic lets through: words that all have to hold, each a
//! class, a protocol, a direction, an address, a port or a part of any of them.

use std::net::Ipv4Addr;

use super::count::CLASSES;
use super::interval::{FipTraffic, FlowTraffic};
use super::meter::Sighting;
use super::state::FipId;
use crate::net::netfilter::protocol_word;
use crate::path::{Class, Detail, Endpoint};
use crate::topology::Direction;

/// Words that all have to hold; without one everything is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    words: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Address(Ipv4Addr),
    Port(u16),
    Way(Direction),
    Class(Class),
    /// A protocol, or a part of whatever is told.
    Text(String),
}

/// What is asked whether it is wanted.
struct Asked<'a> {
    /// A floating IP as a whole has every class that its packets have.
    class: Option<Class>,
    detail: Option<Detail>,
    proto: Option<u8>,
    ends: [Option<Endpoint>; 3],
    fip: Option<&'a FipId>,
    /// Whether it goes these ways ([`WAYS`]).
    ways: [bool; 2],
}

const WAYS: [Direction; 2] = [Direction::Outbound, Direction::Inbound];

impl Filter {
    /// The filter that was typed.
    pub fn of(typed: &str) -> Self {
        Self { words: typed.split_whitespace().map(|word| Word::of(&word.to_lowercase())).collect() }
    }

    /// Everything is wanted.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a flow is wanted.
    pub fn wants_flow(&self, flow: &FlowTraffic) -> bool {
        // Between instances a flow leaves the one, and comes to the other.
        let both = flow.class == Class::EastWest;
        self.holds(&Asked {
            class: Some(flow.class),
            detail: flow.detail,
            proto: Some(flow.proto),
            ends: [Some(flow.source), Some(flow.destination), flow.translated],
            fip: flow.floating_ip.as_ref(),
            ways: WAYS.map(|wanted| both || flow.direction == wanted),
        })
    }

    /// Whether a floating IP is wanted; given are its outbound and inbound halves.
    pub fn wants_fip(&self, halves: [&FipTraffic; 2]) -> bool {
        let has = |fip: &FipTraffic| fip.most() > 0;
        self.holds(&Asked {
            class: None,
            detail: None,
            proto: None,
            ends: [None; 3],
            fip: Some(&halves[0].id),
            ways: halves.map(has),
        })
    }

    /// Whether a packet is wanted.
    pub fn wants_packet(&self, seen: &Sighting<'_>) -> bool {
        self.holds(&Asked {
            class: Some(seen.class),
            detail: seen.detail,
            proto: Some(seen.packet.proto),
            ends: [Some(seen.packet.source()), Some(seen.packet.destination()), None],
            fip: seen.floating_ip.map(|(fip, ..)| fip),
            ways: WAYS.map(|wanted| seen.direction == wanted),
        })
    }

    fn holds(&self, asked: &Asked<'_>) -> bool {
        self.words.iter().all(|word| match word {
            Word::Address(address) => asked.addresses().any(|known| known == *address),
            Word::Port(port) => asked.ends.iter().flatten().any(|end| end.port == Some(*port)),
            Word::Way(way) => asked.ways[*way as usize],
            Word::Class(class) => asked.class.map_or(*class == Class::Fip, |known| known == *class),
            Word::Text(text) => {
                asked.proto.and_then(protocol_word) == Some(text.as_str()) || asked.text().contains(text.as_str())
            }
        })
    }
}

impl Word {
    fn of(word: &str) -> Self {
        if let Ok(address) = word.parse() {
            return Self::Address(address);
        }
        if let Some(port) = word.strip_prefix(':').and_then(|port| port.parse().ok()) {
            return Self::Port(port);
        }
        match word {
            "in" => Self::Way(Direction::Inbound),
            "out" => Self::Way(Direction::Outbound),
            word => CLASSES
                .into_iter()
                .find(|class| class.word() == word)
                .map_or_else(|| Self::Text(word.to_owned()), Self::Class),
        }
    }
}

impl Asked<'_> {
    fn addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        let of_fip = self.fip.into_iter().flat_map(|id| [Some(id.floating_ip), id.fixed_ip]).flatten();
        self.ends.iter().flatten().map(|end| end.address).chain(of_fip)
    }

    fn text(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        words.extend(self.class.map(|class| class.word().to_owned()));
        words.extend(self.detail.map(|detail| detail.word().to_owned()));
        words.extend(self.proto.map(|proto| protocol_word(proto).map_or_else(|| proto.to_string(), str::to_owned)));
        words.extend(self.ends.iter().flatten().map(Endpoint::to_string));
        words.extend(self.addresses().map(|address| address.to_string()));
        words.extend(self.fip.map(|id| id.router.to_lowercase()));
        words.extend(self.fip.and_then(|id| id.external_network.as_ref()).map(|network| network.to_lowercase()));
        words.join(" ")
    }
}
