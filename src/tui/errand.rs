//! One packet of our own: which ones this node can send about a floating IP, and
//! how far the one came that was sent.

use super::list::List;
use super::overview::FipId;
use super::state::Node;
use super::walk::answer as told;
use super::words::Mark;
use crate::net::{NetnsName, ReachAnswer, ReachBy};
use crate::path::{Node as Engine, Outcome};
use crate::traffic::{Aim, Errand, Expected, Fate, Stations, Trail};

/// What can be sent to a floating IP or an instance; the gateway is asked for an
/// echo alone.
const KINDS: [ReachBy; 4] = [ReachBy::Echo, ReachBy::Syn(22), ReachBy::Syn(80), ReachBy::Syn(443)];

/// A packet that was sent, and how far it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// Which one.
    pub errand: Errand,
    /// What it should pass.
    pub expected: Vec<Expected>,
    /// What was seen of it.
    pub trail: Trail,
    /// What came back; `None` while that is waited for.
    pub answer: Option<ReachAnswer>,
    /// Packets that the kernel dropped before they were seen.
    pub lost: u64,
    /// Namespaces that are not listened in.
    pub deaf: Vec<NetnsName>,
}

/// The screen of a packet of our own.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrandView {
    /// About which floating IP.
    pub fip: FipId,
    /// What can be sent.
    pub offers: Vec<Errand>,
    /// The one that is chosen.
    pub list: List,
    /// It is on its way.
    pub under_way: bool,
    /// The one that was sent, or why none was.
    pub sent: Option<Result<Box<Followed>, String>>,
    /// Its way, as far as that is known.
    pub stations: Stations,
    /// What is to be said of it.
    pub said: (Mark, String),
}

impl Followed {
    /// Its way, as far as it was seen.
    pub fn stations(&self) -> Stations {
        let trail = Trail { lost: self.lost, ..self.trail.clone() };
        let mut stations = Stations::of(&trail, &self.expected, None, |one| match one {
            Expected::Point(at) => !self.deaf.contains(&at.namespace),
            Expected::Hop(..) => self.deaf.is_empty(),
        });
        if self.answer.is_none() {
            // It is on its way.
            stations.losses = [None; 2];
        }
        stations
    }
}

impl ErrandView {
    /// What can be sent about a floating IP.
    pub fn of(fip: FipId, node: &Node) -> Self {
        let mut view = Self {
            fip,
            offers: Vec::new(),
            list: List::default(),
            under_way: false,
            sent: None,
            stations: Stations::default(),
            said: (Mark::None, String::new()),
        };
        view.renew(node);
        view
    }

    /// Another reading: what can be sent may be different.
    pub fn renew(&mut self, node: &Node) {
        let before = self.current().map(|errand| (errand.aim, errand.question.by));
        let topology = &node.topology;
        self.offers = match self.fip.find(topology) {
            Some(fip) => {
                let of = |aim| move |by| Errand::of(topology, fip, aim, by);
                let floating = KINDS.into_iter().filter_map(of(Aim::Floating));
                let fixed = KINDS[..2].iter().copied().filter_map(of(Aim::Fixed));
                floating.chain(fixed).chain(Errand::of(topology, fip, Aim::Gateway, ReachBy::Echo)).collect()
            }
            None => Vec::new(),
        };
        let same = |errand: &Errand| Some((errand.aim, errand.question.by)) == before;
        let at = self.offers.iter().position(same).unwrap_or(self.list.cursor);
        self.list.go(at, List::UNKNOWN, self.offers.len(), |_| true);
    }

    /// The packet that is chosen.
    pub fn current(&self) -> Option<&Errand> {
        self.offers.get(self.list.cursor)
    }

    /// Moves the choice.
    pub fn step(&mut self, by: isize) {
        self.list.step(by, List::UNKNOWN, self.offers.len(), |_| true);
    }

    /// It was seen once more, or its time is over; or it was not sent.
    pub fn follow(&mut self, followed: Result<Box<Followed>, String>, node: &Node) {
        self.under_way = followed.as_ref().is_ok_and(|followed| followed.answer.is_none());
        if let Ok(followed) = &followed {
            self.stations = followed.stations();
            self.said = self.say(followed, node);
        }
        self.sent = Some(followed);
    }

    fn say(&self, followed: &Followed, node: &Node) -> (Mark, String) {
        let Some(answer) = &followed.answer else { return (Mark::None, "on its way…".to_owned()) };
        let fate = Fate::of(answer, &self.stations);
        let why = match fate {
            Fate::Stops(_) | Fate::Unreachable(_) | Fate::Unseen => reason(followed, node, true),
            Fate::AnswerStops(_) | Fate::Astray(..) => reason(followed, node, false),
            _ => String::new(),
        };
        let mark = match fate {
            Fate::Answered(_) | Fate::Refused(_) => Mark::Ok,
            Fate::Unanswered | Fate::Astray(..) => Mark::Degraded,
            Fate::NotSent(_) | Fate::Unclear => Mark::Unknown,
            Fate::Stops(_) | Fate::AnswerStops(_) | Fate::Unreachable(_) | Fate::Unseen => Mark::Broken,
        };
        (mark, fate.sentence(&self.stations, followed.errand.aim, &why))
    }
}

/// Why it stops: what the walk says of such a packet, with what is found about the
/// floating IP.
fn reason(followed: &Followed, node: &Node, forth: bool) -> String {
    let engine = Engine::of(&node.snapshot, &node.topology);
    let walk = followed.errand.walk(&engine);
    let back = if forth { None } else { engine.reply(&walk) };
    let walk = back.unwrap_or(walk);
    let stops = !matches!(walk.outcome, Outcome::Delivered | Outcome::LeavesNode);
    let walked = stops.then(|| told(&walk, None).1);
    let about = node.topology.floating_ips.iter().find(|fip| {
        let destination = std::net::IpAddr::V4(followed.errand.question.destination);
        [fip.floating_ip, fip.fixed_ip].contains(&Some(destination))
    });
    let found = about.and_then(|fip| node.judged.worst_of(&node.topology, fip)).map(super::judged::name);
    match (found, walked) {
        (Some(found), Some(walked)) => format!("{found}; {walked}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "nothing is found to be wrong, and such a packet goes on where it is walked".to_owned(),
    }
}
