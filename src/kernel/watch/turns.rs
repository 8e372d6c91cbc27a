//! Whose turn it is in the slow round.

use std::collections::BTreeSet;
use std::time::Instant;

use super::poll::Place;

/// The namespace that was looked at longest ago, and every other time at most one
/// that was asked for: however often that is, everybody's turn comes.
#[derive(Default)]
pub(super) struct Turns {
    asked: BTreeSet<Place>,
    was_asked: bool,
}

impl Turns {
    /// It is to be read soon.
    pub(super) fn ask(&mut self, place: &Place) {
        if !self.asked.contains(place) {
            self.asked.insert(place.clone());
        }
    }

    /// It is there no more.
    pub(super) fn forget(&mut self, place: &Place) {
        self.asked.remove(place);
    }

    /// The next of the places, each with the time at which it was looked at last.
    pub(super) fn next<'a>(&mut self, places: impl Iterator<Item = (&'a Place, Instant)> + Clone) -> Option<&'a Place> {
        let asked = places.clone().filter(|(place, _)| !self.was_asked && self.asked.contains(*place));
        let asked = asked.min_by_key(|(_, at)| *at);
        self.was_asked = asked.is_some();
        let (place, _) = asked.or_else(|| places.min_by_key(|(_, at)| *at))?;
        self.asked.remove(place);
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::net::NetnsName;

    /// So many turns, one a second; before each, these are asked for.
    fn turns(count: u32, asked: &[&str]) -> Vec<String> {
        let start = Instant::now();
        let name = |name: &str| Some(NetnsName::new(name));
        let mut places: BTreeMap<Place, Instant> = ["a", "b", "c"].map(|of| (name(of), start)).into();
        let mut turns = Turns::default();
        let turn = |at: u32| {
            for of in asked {
                turns.ask(&name(of));
            }
            let place = turns.next(places.iter().map(|(place, at)| (place, *at))).cloned().unwrap();
            places.insert(place.clone(), start + Duration::from_secs(at.into()));
            place.unwrap().to_string()
        };
        (1..=count).map(turn).collect()
    }

    #[test]
    fn the_one_that_waited_longest_is_next() {
        assert_eq!(turns(5, &[]), ["a", "b", "c", "a", "b"]);
    }

    #[test]
    fn who_is_asked_for_again_and_again_takes_every_other_turn() {
        assert_eq!(turns(6, &["b"]), ["b", "a", "b", "c", "b", "a"]);
        let all = turns(8, &["b", "c"]);
        assert_eq!(all.iter().filter(|name| *name == "a").count(), 2, "{all:?}");
    }

    #[test]
    fn what_went_is_not_looked_at() {
        let (gone, there) = (Some(NetnsName::new("gone")), None);
        let mut turns = Turns::default();
        turns.ask(&gone);
        assert_eq!(turns.next([(&there, Instant::now())].into_iter()), Some(&there));
        turns.forget(&gone);
        assert!(turns.asked.is_empty());
        assert_eq!(turns.next(std::iter::empty()), None);
    }
}
