//! A conversation's way, station by station: those that it should pass, with what
//! was seen there, and the one after which it vanishes.

use std::net::Ipv4Addr;

use super::count::Count;
use super::follow::{Trail, TrailPoint, Way, Waypoint};
use super::state::Hop;
use crate::net::{Heading, NetnsName};
use crate::path::{Outcome, Walk};
use crate::topology::{Direction, FipKind};

/// A station that a conversation should pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A hop of a floating IP.
    Hop(Ipv4Addr, Hop),
    /// A device.
    Point(Waypoint),
}

/// A station, with what was seen there.
#[derive(Clone, Debug, PartialEq)]
pub struct Station {
    /// The hop's word, or the device's name.
    pub name: String,
    /// The namespace, where it is known.
    pub namespace: Option<NetnsName>,
    /// Forth and back; `None` where nobody listens.
    pub counts: [Option<Count>; 2],
    /// The way in which packets pass the device on the way forth, where it is known.
    pub heading: Option<Heading>,
    /// The conversation should pass here: forth, back.
    pub expected: [bool; 2],
}

/// A conversation's way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stations {
    /// In the order of the way forth; what is not expected comes last.
    pub all: Vec<Station>,
    /// The station after which packets vanish: forth, back.
    pub stops: [Option<usize>; 2],
    /// It came to the last station forth.
    pub arrived: bool,
    /// Something came back from beyond the last station.
    pub answered: bool,
}

impl Expected {
    /// The stations of a floating IP, outbound or inbound.
    pub fn of_fip(floating_ip: Ipv4Addr, kind: FipKind, direction: Direction) -> Vec<Self> {
        let mut hops: Vec<Self> = Hop::chain(kind).iter().map(|hop| Self::Hop(floating_ip, *hop)).collect();
        if direction == Direction::Inbound {
            hops.reverse();
        }
        hops
    }

    /// The stations of a walk.
    pub fn of_walk(walk: &Walk) -> Vec<Self> {
        Waypoint::of_walk(walk).into_iter().map(Self::Point).collect()
    }

    /// The stations of a floating IP's packet: those of its walk where that goes
    /// well, so that what turns around on this node is known to; else those that it
    /// should pass.
    pub fn of(walk: Option<&Walk>, fip: Option<(Ipv4Addr, FipKind, Direction)>) -> Vec<Self> {
        use crate::path::Class;
        let good = |walk: &&Walk| matches!(walk.outcome, Outcome::Delivered | Outcome::LeavesNode);
        match (walk, fip) {
            (Some(walk), Some(_)) if good(&walk) && walk.class == Class::Fip => Self::of_walk(walk),
            (_, Some((floating, kind, direction))) => Self::of_fip(floating, kind, direction),
            (Some(walk), None) => Self::of_walk(walk),
            (None, None) => Vec::new(),
        }
    }

    fn is(&self, point: &TrailPoint) -> bool {
        match self {
            Self::Hop(floating, hop) => point.hop == Some((*floating, *hop)),
            Self::Point(at) => point.at == *at,
        }
    }

    fn station(&self, found: Option<&TrailPoint>, visible: bool) -> Station {
        let (name, namespace) = match (self, found) {
            (_, Some(point)) => (point.at.device.to_string(), Some(point.at.namespace.clone())),
            (Self::Hop(_, hop), None) => (hop.word().to_owned(), None),
            (Self::Point(at), None) => (at.device.to_string(), Some(at.namespace.clone())),
        };
        let counts = found.map_or([Count::default(); 2], |point| point.counts);
        let heading = match (self, found) {
            (Self::Point(at), _) | (_, Some(TrailPoint { at, .. })) => Some(at.heading),
            (Self::Hop(..), None) => None,
        };
        let counts = counts.map(|count| visible.then_some(count));
        Station { name, namespace, counts, heading, expected: [true; 2] }
    }
}

impl Stations {
    /// What a trail comes to. Answers should pass the stations that `back` has, where
    /// that is known to be other ones: those to SNAT go from the snat namespace straight
    /// to the instance. `visible` says whether the namespace of a station, or that of a
    /// hop, is listened in.
    pub fn of(
        trail: &Trail,
        expected: &[Expected],
        back: Option<&[Waypoint]>,
        visible: impl Fn(&Expected) -> bool,
    ) -> Self {
        let find = |wanted: &Expected| trail.points.iter().find(|point| wanted.is(point));
        let mut all: Vec<Station> = expected.iter().map(|one| one.station(find(one), visible(one))).collect();
        let should = all.len();
        for (station, one) in all.iter_mut().zip(expected) {
            if let (Some(back), Expected::Point(at)) = (back, one) {
                let same = |it: &Waypoint| (&it.namespace, &it.device) == (&at.namespace, &at.device);
                station.expected[1] = back.iter().any(|it| same(it) && it.heading != at.heading);
            }
        }
        for point in &trail.points {
            if !expected.iter().any(|one| one.is(point)) {
                let (name, namespace) = (point.at.device.to_string(), Some(point.at.namespace.clone()));
                let (heading, counts) = (Some(point.at.heading), point.counts.map(Some));
                all.push(Station { name, namespace, counts, heading, expected: [false; 2] });
            }
        }
        let way: Vec<usize> = (0..should).filter(|at| all[*at].counts[0].is_some()).collect();
        let back: Vec<usize> = way.iter().rev().filter(|at| all[**at].expected[1]).copied().collect();
        let packets = |at: usize, way: Way| all[at].counts[way as usize].map_or(0, |count| count.packets);
        let stops = [vanish(&way, |at| packets(at, Way::Forth)), vanish(&back, |at| packets(at, Way::Back))];
        let arrived = way.last().is_some_and(|last| packets(*last, Way::Forth) > 0);
        let answered = way.last().is_some_and(|last| packets(*last, Way::Back) > 0);
        Self { all, stops, arrived, answered }
    }

    /// The furthest station on the way forth where anything was seen.
    pub fn last_seen(&self) -> Option<usize> {
        self.all.iter().rposition(|station| station.counts[0].is_some_and(|count| count.packets > 0))
    }
}

/// The first station of which a tenth or more does not come to the next; a single
/// packet may be on its way, so long as others came there.
fn vanish(way: &[usize], packets: impl Fn(usize) -> u64) -> Option<usize> {
    let lost = |pair: &&[usize]| {
        let (here, next) = (packets(pair[0]), packets(pair[1]));
        let missing = here.saturating_sub(next);
        missing > 0 && missing * 10 >= here && !(missing == 1 && next > 0)
    };
    way.windows(2).find(lost).map(|pair| pair[0])
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const FIP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);

    /// A trail with these counts, forth and back, at qr, rfp, fpr, fg.
    fn trail(counts: [[u64; 2]; 4]) -> Trail {
        let of = |packets| Count { packets, bytes: packets * 84 };
        let at = |word: &str| Waypoint {
            namespace: "a".into(),
            device: format!("{word}-1").as_str().into(),
            heading: Heading::In,
        };
        let hops = [Hop::Qr, Hop::Rfp, Hop::Fpr, Hop::Fg];
        let points = hops.iter().zip(counts).filter(|(_, counts)| counts.iter().any(|packets| *packets > 0));
        let points = points.map(|(hop, counts)| TrailPoint {
            at: at(hop.word()),
            hop: Some((FIP, *hop)),
            counts: counts.map(of),
        });
        Trail { points: points.collect(), last: VecDeque::new(), ..Trail::default() }
    }

    fn stations(counts: [[u64; 2]; 4], visible: impl Fn(&Expected) -> bool) -> Stations {
        let expected = Expected::of_fip(FIP, FipKind::Distributed, Direction::Outbound);
        Stations::of(&trail(counts), &expected, None, visible)
    }

    #[test]
    fn the_station_is_the_last_one_that_saw_it() {
        let of = |counts| {
            let found = stations(counts, |_| true);
            (found.stops, found.arrived, found.answered)
        };
        assert_eq!(of([[1, 1]; 4]), ([None, None], true, true));
        assert_eq!(of([[1, 0], [0, 0], [0, 0], [0, 0]]), ([Some(0), None], false, false));
        assert_eq!(of([[1, 0], [1, 0], [1, 0], [0, 0]]), ([Some(2), None], false, false));
        assert_eq!(of([[1, 0]; 4]), ([None, None], true, false));
        // The answer came in, and vanished on its way back.
        assert_eq!(of([[1, 0], [1, 0], [1, 1], [1, 1]]), ([None, Some(2)], true, true));
        // One of many is on its way.
        assert_eq!(of([[9, 0], [8, 0], [8, 0], [8, 0]]), ([None, None], true, false));
        assert_eq!(of([[0, 0]; 4]), ([None, None], false, false));
    }

    #[test]
    fn what_nobody_hears_is_no_loss() {
        let deaf = |one: &Expected| !matches!(one, Expected::Hop(_, Hop::Fpr | Hop::Fg));
        let found = stations([[5, 5], [5, 5], [0, 0], [0, 0]], deaf);
        assert_eq!((found.stops, found.arrived), ([None, None], true));
        assert_eq!(found.all[3].counts, [None, None]);
    }

    #[test]
    fn what_passes_elsewhere_is_told_last() {
        let mut trail = trail([[3, 0], [0, 0], [0, 0], [0, 0]]);
        trail.points.push(TrailPoint { hop: None, ..trail.points[0].clone() });
        trail.points[1].at.device = "sg-1".into();
        let expected = Expected::of_fip(FIP, FipKind::Distributed, Direction::Outbound);
        let found = Stations::of(&trail, &expected, None, |_| true);
        let names: Vec<&str> = found.all.iter().map(|station| station.name.as_str()).collect();
        assert_eq!(names, ["qr-1", "rfp", "fpr", "fg", "sg-1"]);
        assert_eq!((found.stops, found.all[4].expected), ([Some(0), None], [false; 2]));
    }
}
