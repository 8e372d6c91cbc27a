//! What a floating IP's packets of one direction come to, in a sentence.

use serde::Serialize;

use super::interval::FipTraffic;
use super::state::Hop;
use super::stop::{Missing, StopsAt};

/// What they come to, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// A tenth or more vanishes behind a hop.
    Stops,
    /// The instance does not answer.
    VmSilent,
    /// Less than a tenth vanishes.
    Few,
    /// Not every hop is listened at.
    NotVisible,
    /// Packets were lost before they were seen, or not heard from the beginning.
    Lossy,
    /// Nothing of this direction was seen, and something of the other.
    OneWay,
    /// Every hop passes them on.
    Passes,
}

/// What they come to, in a sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// In a word.
    pub health: Health,
    /// In a sentence.
    pub text: String,
}

impl FipTraffic {
    /// What these packets come to: `other` are those of the other direction, `why` is
    /// the reason for what is missing, where one is known. `None` where nothing was seen
    /// at all.
    pub fn told(&self, other: &Self, why: Option<&str>) -> Option<Told> {
        let health = self.health(other)?;
        let because = why.map(|why| format!(": {why}")).unwrap_or_default();
        let text = match (health, self.stops_at) {
            (Health::Stops, Some(stop)) => format!("after {}{because}", stop.word()),
            (Health::Few, _) => format!("{}{because}", self.missing.map(few).unwrap_or_default()),
            (Health::VmSilent, _) if why.is_some() => format!("the instance does not answer{because}"),
            (Health::VmSilent, _) => {
                "the instance does not answer: this node did its part; look at its security groups and at itself"
                    .to_owned()
            }
            (Health::NotVisible, _) => format!("not visible here: {}", self.unseen().join(", ")),
            (Health::Lossy, _) if self.doubt == u64::MAX => {
                "counts are too low: it was not heard from the beginning, or the clock was set".to_owned()
            }
            (Health::Lossy, _) => "counts are too low: packets were lost before they were seen".to_owned(),
            (Health::OneWay, _) => "one-way: nothing of this direction was seen here".to_owned(),
            _ => match self.missing {
                Some(unanswered) => format!("every hop passes it on; {}", few(unanswered)),
                None => "every hop passes it on".to_owned(),
            },
        };
        Some(Told { health, text })
    }

    /// The same in a word.
    pub fn health(&self, other: &Self) -> Option<Health> {
        Some(match (self.stops_at, self.missing.map(|missing| missing.after)) {
            (Some(StopsAt::Hop(_)), _) => Health::Stops,
            (Some(StopsAt::VmSilent), _) => Health::VmSilent,
            (None, Some(StopsAt::Hop(_))) => Health::Few,
            _ if !self.unseen().is_empty() => Health::NotVisible,
            _ if self.most() > 0 && self.doubt > 0 => Health::Lossy,
            _ if self.most() > 0 => Health::Passes,
            _ if other.most() > 0 => Health::OneWay,
            _ => return None,
        })
    }

    /// Where packets are missing that should not be: what there is a reason for.
    pub fn trouble(&self) -> Option<StopsAt> {
        self.stops_at
            .or_else(|| self.missing.map(|missing| missing.after).filter(|after| matches!(after, StopsAt::Hop(_))))
    }

    /// The hops of this direction that nobody listens at, in packet order.
    fn unseen(&self) -> Vec<&'static str> {
        self.way().into_iter().filter(|hop| self.hops[*hop as usize].is_none()).map(Hop::word).collect()
    }
}

/// `4 of 60 were not seen after rfp, 1 flow stops there`.
fn few(missing: Missing) -> String {
    let Missing { packets, of, .. } = missing;
    let (what, there) = match missing.after {
        StopsAt::Hop(hop) => (format!("were not seen after {}", hop.word()), "there"),
        StopsAt::VmSilent => ("went to the instance without an answer".to_owned(), "at it"),
    };
    let flows = match missing.flows {
        0 => String::new(),
        1 => format!(", 1 flow stops {there}"),
        flows => format!(", {flows} flows stop {there}"),
    };
    format!("{packets} of {of} {what}{flows}")
}
