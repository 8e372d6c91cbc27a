//! What became of a packet that was sent and followed.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::errand::Aim;
use super::trail::Stations;
use crate::net::{ReachAnswer, printable};

/// What became of it. Numbers are places in [`Stations::all`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was answered, after so many microseconds.
    Answered(u64),
    /// It was answered after so many microseconds, but the answer left the way that it
    /// should have gone behind that station.
    Astray(usize, u64),
    /// Its host refused the connection, after so many microseconds: the way is good.
    Refused(u64),
    /// It was last seen there.
    Stops(usize),
    /// It arrived, and its answer was last seen there.
    AnswerStops(usize),
    /// It passed every station, and nothing came back.
    Unanswered,
    /// Somebody on the way said that it goes no further; the kernel itself where
    /// nobody is named.
    Unreachable(Option<Ipv4Addr>),
    /// It was seen nowhere: it never left the namespace that sent it.
    Unseen,
    /// It could not be sent.
    NotSent(String),
}

impl Fate {
    /// What an answer, and what was seen, come to.
    pub fn of(answer: &ReachAnswer, stations: &Stations) -> Self {
        let seen = stations.all.iter().flat_map(|station| station.counts).flatten().any(|count| count.packets > 0);
        match (answer, stations.stops) {
            (ReachAnswer::NotSent(why), _) => Self::NotSent(why.clone()),
            (ReachAnswer::Answered { rtt } | ReachAnswer::Refused { rtt }, [Some(at), _] | [_, Some(at)]) => {
                Self::Astray(at, *rtt)
            }
            (ReachAnswer::Answered { rtt }, _) => Self::Answered(*rtt),
            (ReachAnswer::Refused { rtt }, _) => Self::Refused(*rtt),
            (_, [Some(at), _]) => Self::Stops(at),
            (_, [_, Some(at)]) => Self::AnswerStops(at),
            (ReachAnswer::Unreachable { from }, _) => Self::Unreachable(*from),
            (ReachAnswer::Silent, _) if stations.arrived => Self::Unanswered,
            (ReachAnswer::Silent, _) if seen => Self::Stops(stations.last_seen().unwrap_or(0)),
            (ReachAnswer::Silent, _) => Self::Unseen,
        }
    }

    /// In a sentence without a full stop; `why` says why it goes no further.
    pub fn sentence(&self, stations: &Stations, aim: Aim, why: &str) -> String {
        let name = |at: usize| stations.all.get(at).map_or("?", |station| station.name.as_str());
        match self {
            Self::Answered(rtt) => format!("Answered after {}: the way there and back is good", time(*rtt)),
            Self::Astray(at, rtt) => {
                format!("Answered after {}, but not by its way: that is left after {}: {why}", time(*rtt), name(*at))
            }
            Self::Refused(rtt) => {
                format!("Refused after {}: nobody listens on that port, the way there and back is good", time(*rtt))
            }
            Self::Stops(at) => format!("It stops after {}: {why}", name(*at)),
            Self::AnswerStops(at) => format!("Its answer stops after {}: {why}", name(*at)),
            Self::Unanswered if aim == Aim::Gateway => {
                "It left the node, and the gateway did not answer: look at the network beyond the port".to_owned()
            }
            Self::Unanswered => {
                "The instance does not answer: this node did its part; look at its security groups and \
                                 at itself"
                    .to_owned()
            }
            Self::Unreachable(Some(from)) => format!("{from} says that it goes no further: {why}"),
            Self::Unreachable(None) | Self::Unseen => format!("It never left the namespace: {why}"),
            Self::NotSent(why) => format!("It was not sent: {}", printable(why, 300)),
        }
    }

    /// The word in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::Astray(..) => "astray",
            Self::Refused(_) => "refused",
            Self::Stops(_) => "stops",
            Self::AnswerStops(_) => "answer-stops",
            Self::Unanswered => "unanswered",
            Self::Unreachable(_) => "unreachable",
            Self::Unseen => "unseen",
            Self::NotSent(_) => "not-sent",
        }
    }

    /// The way there and back is good.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Answered(_) | Self::Refused(_))
    }
}

/// A time in microseconds, for people.
fn time(microseconds: u64) -> String {
    match microseconds {
        0..1000 => format!("{microseconds} µs"),
        1000..1_000_000 => format!("{}.{} ms", microseconds / 1000, microseconds % 1000 / 100),
        _ => format!("{}.{} s", microseconds / 1_000_000, microseconds % 1_000_000 / 100_000),
    }
}

impl Serialize for Fate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
