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
    /// Nothing came back, and how far it came is not known: it may have been among the
    /// frames that were lost before they were seen.
    Unclear,
    /// It could not be sent.
    NotSent(String),
}

impl Fate {
    /// What an answer, and what was seen, come to.
    pub fn of(answer: &ReachAnswer, stations: &Stations) -> Self {
        match (answer, stations.stops()) {
            (ReachAnswer::NotSent(why), _) => Self::NotSent(why.clone()),
            (ReachAnswer::Answered { rtt } | ReachAnswer::Refused { rtt }, [Some(at), _] | [_, Some(at)]) => {
                Self::Astray(at, *rtt)
            }
            (ReachAnswer::Answered { rtt }, _) => Self::Answered(*rtt),
            (ReachAnswer::Refused { rtt }, _) => Self::Refused(*rtt),
            (_, [Some(at), _]) => Self::Stops(at),
            (_, [_, Some(at)]) => Self::AnswerStops(at),
            (ReachAnswer::Unreachable { from }, _) => Self::Unreachable(*from),
            (ReachAnswer::Silent, _) if stations.lost > 0 => Self::Unclear,
            (ReachAnswer::Silent, _) if stations.arrived => Self::Unanswered,
            (ReachAnswer::Silent, _) if stations.is_seen() => Self::Stops(stations.last_seen().unwrap_or(0)),
            (ReachAnswer::Silent, _) => Self::Unseen,
        }
    }

    /// In a sentence without a full stop; `why` says why it goes no further.
    pub fn sentence(&self, stations: &Stations, aim: Aim, why: &str) -> String {
        let name = |at: usize| stations.all.get(at).map_or("?", |station| station.name.as_str());
        match self {
            Self::Answered(rtt) if stations.losses.iter().any(Option::is_some) => format!(
                "Answered after {}: whether by its way cannot be told, packets were lost before they were seen",
                time(*rtt)
            ),
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
            Self::Unclear => "Nothing came back, and how far it came cannot be told: packets were lost before they \
                              were seen; send it again"
                .to_owned(),
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
            Self::Unclear => "unknown",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{Count, Lately, Loss, Station};

    /// Seen at the first station, and not at the other one.
    fn halfway(is_sure: bool, lost: u64) -> Stations {
        let station = |name: &str, packets| Station {
            name: name.to_owned(),
            namespace: None,
            counts: [Some(Count { packets, bytes: 84 }); 2],
            lately: [Lately { packets, frames: packets, ..Lately::default() }; 2],
            heading: None,
            expected: [true; 2],
        };
        let missing = Loss { after: 0, packets: 1, of: 1, is_sure };
        let all = vec![station("rfp", 1), station("fpr", 0)];
        Stations { all, losses: [Some(missing), None], lost, ..Stations::default() }
    }

    #[test]
    fn what_the_capture_lost_is_not_held_against_the_node() {
        let answered = ReachAnswer::Answered { rtt: 412 };
        let (seen, missed) = (halfway(true, 0), halfway(false, 1));
        assert_eq!(Fate::of(&answered, &seen), Fate::Astray(0, 412));
        assert_eq!(Fate::of(&ReachAnswer::Silent, &seen), Fate::Stops(0));
        let fate = Fate::of(&answered, &missed);
        assert!(fate == Fate::Answered(412) && fate.is_good());
        let said = fate.sentence(&missed, Aim::Floating, "");
        assert!(said.contains("whether by its way cannot be told"), "{said}");
        let fate = Fate::of(&ReachAnswer::Silent, &missed);
        assert_eq!((fate.word(), fate.is_good()), ("unknown", false));
        // Nothing was seen of it at all: it may have been lost as well.
        let unseen = Stations { lost: 1, ..Stations::default() };
        assert_eq!(Fate::of(&ReachAnswer::Silent, &unseen), Fate::Unclear);
        assert_eq!(Fate::of(&ReachAnswer::Silent, &Stations::default()), Fate::Unseen);
    }
}
