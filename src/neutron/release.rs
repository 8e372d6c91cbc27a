//! Which Neutron may have built a node, told by what its agent leaves behind.
//!
//! Each mark gives a lower or an upper end. Lower ends are taken with their
//! backports, so they are what any release with that change can be. Marks of
//! old can stay behind on an upgraded node; where the two ends contradict each
//! other, the newer marks win and the upper end is dropped.

mod marks;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::net::Snapshot;

/// A release of Neutron: `2014.2`, `2015.1` (Juno and Kilo), then `7.0.0` and on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Release {
    /// Major number, or the year.
    pub major: u16,
    /// Minor number.
    pub minor: u16,
    /// Patch number.
    pub patch: u16,
}

/// The releases that a node's marks allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReleaseRange {
    /// The earliest that it can be.
    pub from: Option<Release>,
    /// The first that it cannot be.
    pub to: Option<Release>,
    /// What tells so.
    pub reasons: Vec<Reason>,
}

/// One mark, and what it tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The mark, in words.
    pub text: String,
    /// The earliest release that leaves it.
    pub from: Option<Release>,
    /// The first release that no longer does.
    pub to: Option<Release>,
}

impl ReleaseRange {
    /// Reads the marks of a node.
    pub fn of(snapshot: &Snapshot) -> Self {
        let reasons = marks::of(snapshot);
        let from = reasons.iter().filter_map(|reason| reason.from).max();
        let to = reasons.iter().filter_map(|reason| reason.to).min();
        let to = to.filter(|to| from.is_none_or(|from| from < *to));
        Self { from, to, reasons }
    }

    /// True where a node of these marks may come from a release at least that
    /// new: an object that only such a release makes may be expected here.
    pub fn can_be_at_least(&self, release: Release) -> bool {
        self.to.is_none_or(|to| to > release)
    }

    /// True where the node's agent is surely at least that new.
    pub fn is_at_least(&self, release: Release) -> bool {
        self.from.is_some_and(|from| from >= release)
    }
}

impl Release {
    /// A release by its numbers.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// The name of the series, where it had one.
    pub fn series(self) -> Option<&'static str> {
        let names = [
            "Liberty", "Mitaka", "Newton", "Ocata", "Pike", "Queens", "Rocky", "Stein", "Train", "Ussuri", "Victoria",
            "Wallaby", "Xena", "Yoga", "Zed", "2023.1", "2023.2", "2024.1", "2024.2", "2025.1", "2025.2", "2026.1",
            "2026.2",
        ];
        match (self.major, self.minor) {
            (2014, 2) => Some("Juno"),
            (2015, 1) => Some("Kilo"),
            (major, _) => names.get(usize::from(major.checked_sub(7)?)).copied(),
        }
    }
}

impl Ord for Release {
    /// Years came before numbers.
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |release: &Self| (release.major < 2000, release.major, release.minor, release.patch);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Release {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.major < 2000 || self.patch > 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}

impl Serialize for Release {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Text that is no version number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a version of Neutron (like 29.0.0)")]
pub struct NotARelease;

impl FromStr for Release {
    type Err = NotARelease;

    /// Takes what packages make of it too: an epoch before (`2:20.3.0`), and
    /// anything after the numbers (`20.3.0-0ubuntu1`, `29.0.0.0rc1`).
    fn from_str(text: &str) -> Result<Self, NotARelease> {
        let text = text.trim().split_once(':').map_or(text.trim(), |(_, rest)| rest);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text[..end].split('.').map(str::parse::<u16>);
        let mut next = || numbers.next().and_then(Result::ok);
        match (next(), next()) {
            (Some(major), Some(minor)) => Ok(Self::new(major, minor, next().unwrap_or(0))),
            _ => Err(NotARelease),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_came_before_numbers() {
        let mut releases: Vec<Release> =
            ["29.0.0", "7.0.1", "2015.1", "8.3.0", "2014.2"].iter().map(|text| text.parse().unwrap()).collect();
        releases.sort();
        let words: Vec<String> = releases.iter().map(ToString::to_string).collect();
        assert_eq!(words, ["2014.2", "2015.1", "7.0.1", "8.3.0", "29.0.0"]);
        let names: Vec<_> = releases.iter().map(|release| release.series()).collect();
        assert_eq!(names, [Some("Juno"), Some("Kilo"), Some("Liberty"), Some("Mitaka"), Some("2026.2")]);
    }

    #[test]
    fn packages_versions_are_understood() {
        for (text, release) in [
            ("2:20.3.0-0ubuntu1~cloud0", Release::new(20, 3, 0)),
            ("29.0.0.0rc1", Release::new(29, 0, 0)),
            (" 15.1\n", Release::new(15, 1, 0)),
        ] {
            assert_eq!(text.parse(), Ok(release), "{text}");
        }
        for text in ["", "neutron", "29", "a.b.c", "99999999.0.0"] {
            assert_eq!(text.parse::<Release>(), Err(NotARelease), "{text}");
        }
    }
}
