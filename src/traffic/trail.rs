//! A conversation's way, station by station: those that it should pass, with what
//! was seen there, and the one after which it vanishes.

use std::net::Ipv4Addr;

use super::count::Count;
use super::follow::{Lately, Trail, TrailPoint, Way, Waypoint};
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
    /// Forth and back, since it is followed; `None` where nobody listens.
    pub counts: [Option<Count>; 2],
    /// Forth and back, of late: what is judged.
    pub lately: [Lately; 2],
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
    /// Where packets vanish: forth, back.
    pub losses: [Option<Loss>; 2],
    /// It came to the last station forth.
    pub arrived: bool,
    /// Something came back from beyond the last station.
    pub answered: bool,
    /// An answer to what arrived may be on its way.
    pub too_soon: bool,
    /// What came back may all have been lost before it was seen.
    pub unclear: bool,
    /// Frames of any conversation that were lost before they were seen.
    pub lost: u64,
    /// How long nothing of it was seen (nanoseconds).
    pub quiet: u64,
}

/// Packets that were seen at a station, and not at the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The station that saw them, a place in [`Stations::all`].
    pub after: usize,
    /// How many are missing.
    pub packets: u64,
    /// Of how many.
    pub of: u64,
    /// They vanish there; else they may have been lost before they were seen.
    pub is_sure: bool,
}

impl Expected {
    /// The stations of a floating IP, outbound or inbound.
    pub fn of_fip(floating_ip: Ipv4Addr, kind: FipKind, direction: Direction) -> Vec<Self> {
        Hop::way(kind, direction).into_iter().map(|hop| Self::Hop(floating_ip, hop)).collect()
    }

    /// The stations of a packet from one distributed floating IP of an external network to
    /// another one: it turns around in the fip namespace.
    pub fn between([from, to]: [Ipv4Addr; 2]) -> Vec<Self> {
        let out = Self::of_fip(from, FipKind::Distributed, Direction::Outbound);
        let inward = Self::of_fip(to, FipKind::Distributed, Direction::Inbound);
        out.into_iter().chain(inward).filter(|one| !matches!(one, Self::Hop(_, Hop::Fg))).collect()
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
        let lately = found.filter(|_| visible).map(|point| point.lately).unwrap_or_default();
        Station { name, namespace, counts, lately, heading, expected: [true; 2] }
    }
}

impl Stations {
    /// What a trail comes to. Answers should pass the stations that `back` has, where
    /// that is known to be other ones: from the snat namespace they go straight to the
    /// instance. `visible` says whether the namespace of a station, or that of a
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
        let by_snat = expected.iter().any(|one| matches!(one, Expected::Hop(_, Hop::Sg)));
        for (station, one) in all.iter_mut().zip(expected) {
            match (one, back) {
                (Expected::Hop(_, hop), _) => station.expected[1] = !by_snat || *hop != Hop::Qr,
                (Expected::Point(at), Some(back)) => {
                    let same = |it: &Waypoint| (&it.namespace, &it.device) == (&at.namespace, &at.device);
                    station.expected[1] = back.iter().any(|it| same(it) && it.heading != at.heading);
                }
                (Expected::Point(_), None) => {}
            }
        }
        for point in &trail.points {
            if !expected.iter().any(|one| one.is(point)) {
                let (name, namespace) = (point.at.device.to_string(), Some(point.at.namespace.clone()));
                let (heading, counts, lately) = (Some(point.at.heading), point.counts.map(Some), point.lately);
                all.push(Station { name, namespace, counts, lately, heading, expected: [false; 2] });
            }
        }
        let way: Vec<usize> = (0..should).filter(|at| all[*at].counts[0].is_some()).collect();
        let back: Vec<usize> = way.iter().rev().filter(|at| all[**at].expected[1]).copied().collect();
        let (lost, quiet) = (trail.lost, trail.quiet);
        let lately = |at: usize, way: Way| all[at].lately[way as usize];
        let losses = [vanish(&way, lost, |at| lately(at, Way::Forth)), vanish(&back, lost, |at| lately(at, Way::Back))];
        let [forth, answers] =
            way.last().map(|last| [lately(*last, Way::Forth), lately(*last, Way::Back)]).unwrap_or_default();
        let (arrived, answered) = (forth.packets > 0, answers.packets > 0);
        let too_soon = arrived && !answered && forth.packets == forth.fresh;
        let unclear = arrived && !answered && lost >= forth.frames;
        Self { all, losses, arrived, answered, too_soon, unclear, lost, quiet }
    }

    /// The station after which packets vanish, where that is sure: forth, back.
    pub fn stops(&self) -> [Option<usize>; 2] {
        self.losses.map(|loss| loss.filter(|loss| loss.is_sure).map(|loss| loss.after))
    }

    /// The furthest station that the conversation came to and where packets' life ended.
    pub fn ends(&self) -> Option<&Station> {
        let ended = |station: &&Station| station.expected[0] && station.lately[0].ends > 0;
        self.all.iter().rfind(ended).filter(|_| !self.arrived)
    }

    /// The furthest station on the way forth where anything was seen.
    pub fn last_seen(&self) -> Option<usize> {
        self.all.iter().rposition(|station| station.lately[0].packets > 0)
    }

    /// Anything of it was seen lately, wherever.
    pub fn is_seen(&self) -> bool {
        self.all.iter().flat_map(|station| station.lately).any(|lately| lately.packets > 0)
    }
}

/// The first station of which a tenth or more does not come to the next: a sure one
/// before those that are not. What may be on its way is not missing yet. Each frame
/// that was lost before it was seen may have passed: what came to no station beyond,
/// in more frames than were lost, is missing all the same.
fn vanish(way: &[usize], lost: u64, lately: impl Fn(usize) -> Lately) -> Option<Loss> {
    let gap = |place: usize| {
        let (here, next) = (lately(way[place]), lately(way[place + 1]));
        // What rightly ends here came in as many frames, at most.
        let (of, frames) = (here.packets.saturating_sub(here.ends), here.frames.saturating_sub(here.ends));
        let packets = of.saturating_sub(next.packets).saturating_sub(here.late);
        let gone = || way[place + 1..].iter().all(|at| lately(*at).packets == 0) && frames > lost;
        let found = Loss { after: way[place], packets, of, is_sure: lost == 0 || gone() };
        (packets > 0 && packets.saturating_mul(10) >= of).then_some(found)
    };
    let gaps = (1..way.len()).filter_map(|next| gap(next - 1));
    gaps.min_by_key(|found| !found.is_sure)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const FIP: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);

    const HOPS: [Hop; 4] = [Hop::Qr, Hop::Rfp, Hop::Fpr, Hop::Fg];

    /// A trail with these packets of late, forth and back, at qr, rfp, fpr, fg.
    fn trail(packets: [[u64; 2]; 4]) -> Trail {
        let of = |packets| Lately { packets, frames: packets, ..Lately::default() };
        let at = |word: &str| Waypoint {
            namespace: "a".into(),
            device: format!("{word}-1").as_str().into(),
            heading: Heading::In,
        };
        let points = HOPS.iter().zip(packets).filter(|(_, packets)| packets.iter().any(|packets| *packets > 0));
        let points = points.map(|(hop, packets)| TrailPoint {
            at: at(hop.word()),
            hop: Some((FIP, *hop)),
            counts: [Count { packets: 1_000_000, bytes: 84_000_000 }; 2],
            lately: packets.map(of),
        });
        Trail { points: points.collect(), last: VecDeque::new(), ..Trail::default() }
    }

    fn judged(trail: &Trail, visible: impl Fn(&Expected) -> bool) -> Stations {
        let expected = Expected::of_fip(FIP, FipKind::Distributed, Direction::Outbound);
        Stations::of(trail, &expected, None, visible)
    }

    #[test]
    fn the_station_is_the_last_one_that_saw_it() {
        let of = |packets| {
            let found = judged(&trail(packets), |_| true);
            (found.stops(), found.arrived, found.answered)
        };
        assert_eq!(of([[1, 1]; 4]), ([None, None], true, true));
        assert_eq!(of([[1, 0], [0, 0], [0, 0], [0, 0]]), ([Some(0), None], false, false));
        assert_eq!(of([[1, 0], [1, 0], [1, 0], [0, 0]]), ([Some(2), None], false, false));
        assert_eq!(of([[1, 0]; 4]), ([None, None], true, false));
        // The answer came in, and vanished on its way back.
        assert_eq!(of([[1, 0], [1, 0], [1, 1], [1, 1]]), ([None, Some(2)], true, true));
        // Few of many are no stop.
        assert_eq!(of([[29, 0], [27, 0], [27, 0], [27, 0]]), ([None, None], true, false));
        assert_eq!(of([[0, 0]; 4]), ([None, None], false, false));
    }

    #[test]
    fn one_of_few_is_missing_unless_it_may_be_on_its_way() {
        let mut trail = trail([[9, 0], [8, 0], [8, 0], [8, 0]]);
        let of = |trail: &Trail| judged(trail, |_| true).losses[0];
        assert_eq!(of(&trail), Some(Loss { after: 0, packets: 1, of: 9, is_sure: true }));
        trail.points[0].lately[0].late = 1;
        assert_eq!(of(&trail), None);
        // One may be on its way, the other is not.
        trail.points[0].lately[0].packets = 10;
        assert_eq!(of(&trail), Some(Loss { after: 0, packets: 1, of: 10, is_sure: true }));
    }

    #[test]
    fn what_rightly_ends_at_a_station_is_not_missing_at_the_next() {
        // As `mtr` sends them: of eight, one ends at qr and one at fpr.
        let mut way = trail([[8, 6], [7, 6], [7, 6], [6, 6]]);
        (way.points[0].lately[0].ends, way.points[2].lately[0].ends) = (1, 1);
        let found = judged(&way, |_| true);
        assert_eq!((found.losses, found.arrived, found.ends()), ([None; 2], true, None));
        // One more is missing, of those that should go on.
        way.points[3].lately[0].packets = 5;
        assert_eq!(judged(&way, |_| true).losses[0], Some(Loss { after: 2, packets: 1, of: 6, is_sure: true }));
        // The first ones of `traceroute`: none goes on.
        let mut first = trail([[3, 0], [0, 0], [0, 0], [0, 0]]);
        first.points[0].lately[0].ends = 3;
        let found = judged(&first, |_| true);
        assert_eq!((found.losses, found.ends().map(|it| it.name.as_str())), ([None; 2], Some("qr-1")));
    }

    #[test]
    fn what_may_have_been_lost_before_it_was_seen_is_not_said_to_vanish() {
        let of = |packets, lost| {
            let found = judged(&Trail { lost, ..trail(packets) }, |_| true);
            (found.losses[0].map(|loss| (loss.after, loss.is_sure)), found.stops()[0], found.unclear)
        };
        let overrun = [[100, 70], [100, 70], [70, 70], [70, 70]];
        assert_eq!(of(overrun, 0), (Some((1, true)), Some(1), false));
        assert_eq!(of(overrun, 30), (Some((1, false)), None, false));
        // One frame of a single packet: it was seen beyond, or may have been.
        assert_eq!(of([[1, 1], [1, 1], [0, 1], [1, 1]], 1), (Some((1, false)), None, false));
        assert_eq!(of([[1, 0], [1, 0], [0, 0], [0, 0]], 1), (Some((1, false)), None, false));
        // More are missing than were lost, and none was seen beyond.
        assert_eq!(of([[100, 0], [100, 0], [0, 0], [0, 0]], 30), (Some((1, true)), Some(1), false));
        // A sure one comes before those that are not.
        assert_eq!(of([[100, 0], [70, 0], [0, 0], [0, 0]], 30), (Some((1, true)), Some(1), false));
        // No answer was seen of few, or of many.
        assert_eq!(of([[3, 0]; 4], 3), (None, None, true));
        assert_eq!(of([[100, 0]; 4], 3), (None, None, false));
    }

    #[test]
    fn what_nobody_hears_is_no_loss() {
        let deaf = |one: &Expected| !matches!(one, Expected::Hop(_, Hop::Fpr | Hop::Fg));
        let found = judged(&trail([[5, 5], [5, 5], [0, 0], [0, 0]]), deaf);
        assert_eq!((found.stops(), found.arrived), ([None, None], true));
        assert_eq!(found.all[3].counts, [None, None]);
    }

    #[test]
    fn what_passes_elsewhere_is_told_last() {
        let mut trail = trail([[3, 0], [0, 0], [0, 0], [0, 0]]);
        trail.points.push(TrailPoint { hop: None, ..trail.points[0].clone() });
        trail.points[1].at.device = "sg-1".into();
        let found = judged(&trail, |_| true);
        let names: Vec<&str> = found.all.iter().map(|station| station.name.as_str()).collect();
        assert_eq!(names, ["qr-1", "rfp", "fpr", "fg", "sg-1"]);
        assert_eq!((found.stops(), found.all[4].expected), ([Some(0), None], [false; 2]));
    }
}
