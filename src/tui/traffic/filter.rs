//! What a filter of the traffic screen lets through: words that all have to
//! hold, each a class, a protocol, a direction, an address, a port or a part of
//! any of them.

use std::net::Ipv4Addr;

use super::way;
use crate::net::netfilter::protocol_word;
use crate::path::Endpoint;
use crate::topology::Direction;
use crate::traffic::{CLASSES, FipId, FipTraffic, FlowTraffic};

/// What may be listed.
pub(in crate::tui) enum Candidate<'a> {
    /// A floating IP, outbound and inbound.
    Fip([&'a FipTraffic; 2]),
    /// A flow.
    Flow(&'a FlowTraffic),
}

/// Whether all words of the filter hold.
pub(in crate::tui) fn is_wanted(filter: &str, candidate: &Candidate<'_>) -> bool {
    filter.split_whitespace().all(|word| holds(&word.to_lowercase(), candidate))
}

fn holds(word: &str, candidate: &Candidate<'_>) -> bool {
    if let Ok(address) = word.parse::<Ipv4Addr>() {
        return addresses(candidate).any(|known| known == address);
    }
    if let Some(port) = word.strip_prefix(':').and_then(|port| port.parse::<u16>().ok()) {
        return endpoints(candidate).any(|end| end.port == Some(port));
    }
    let direction = match word {
        "in" => Some(Direction::Inbound),
        "out" => Some(Direction::Outbound),
        _ => None,
    };
    match (candidate, direction) {
        (Candidate::Fip(pair), Some(wanted)) => pair.iter().any(|fip| fip.direction == wanted && super::most(fip) > 0),
        (Candidate::Flow(flow), Some(wanted)) => way(flow) == Some(wanted),
        (Candidate::Fip(_), None) if is_class(word) => word == "fip",
        (Candidate::Flow(flow), None) if is_class(word) => flow.class.word() == word,
        (Candidate::Flow(flow), None) if protocol_word(flow.proto) == Some(word) => true,
        (_, None) => text(candidate).contains(word),
    }
}

fn is_class(word: &str) -> bool {
    CLASSES.iter().any(|class| class.word() == word)
}

fn endpoints(candidate: &Candidate<'_>) -> impl Iterator<Item = Endpoint> {
    let flow = match candidate {
        Candidate::Flow(flow) => Some(*flow),
        Candidate::Fip(_) => None,
    };
    flow.into_iter().flat_map(|flow| [Some(flow.source), Some(flow.destination), flow.translated]).flatten()
}

fn addresses(candidate: &Candidate<'_>) -> impl Iterator<Item = Ipv4Addr> {
    let of_fip = id(candidate).into_iter().flat_map(|id| [Some(id.floating_ip), id.fixed_ip]).flatten();
    endpoints(candidate).map(|end| end.address).chain(of_fip)
}

fn id<'a>(candidate: &Candidate<'a>) -> Option<&'a FipId> {
    match candidate {
        Candidate::Fip(pair) => Some(&pair[0].id),
        Candidate::Flow(flow) => flow.floating_ip.as_ref(),
    }
}

fn text(candidate: &Candidate<'_>) -> String {
    let mut words: Vec<String> = Vec::new();
    if let Candidate::Flow(flow) = candidate {
        words.extend([flow.class.word().to_owned(), flow.detail.map_or("", crate::path::Detail::word).to_owned()]);
        words.push(protocol_word(flow.proto).map_or_else(|| flow.proto.to_string(), str::to_owned));
        words.extend(endpoints(candidate).map(|end| end.to_string()));
    }
    if let Some(id) = id(candidate) {
        words.push(id.floating_ip.to_string());
        words.extend(id.fixed_ip.map(|address| address.to_string()));
        words.push(id.router.to_lowercase());
        words.extend(id.external_network.as_ref().map(|network| network.to_lowercase()));
    }
    words.join(" ")
}
