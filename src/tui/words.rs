//! What things come to in words and marks: a state's glyph, a floating IP's
//! first fault, an age, a short id.

use std::fmt::Write as _;
use std::net::IpAddr;

use ratatui::style::Style;

use super::theme::{Theme, glyph};
use crate::net::printable;
use crate::topology::{ChainLink, Direction, FipKind, FipState, FloatingIp, LinkState, ObjectKind, RouterKind};

/// A state as the screen shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Missing or wrong; traffic stops.
    Broken,
    /// Works, but not as it should be.
    Degraded,
    /// Could not be judged.
    Unknown,
    /// As it should be.
    Ok,
    /// Nothing there, rightly.
    None,
}

impl Mark {
    /// The glyph, one column wide.
    pub fn glyph(self) -> &'static str {
        match self {
            Self::Broken => glyph::BROKEN,
            Self::Degraded => glyph::DEGRADED,
            Self::Unknown => glyph::UNKNOWN,
            Self::Ok => glyph::OK,
            Self::None => glyph::NONE,
        }
    }

    /// Its style.
    pub fn style(self, theme: &Theme) -> Style {
        match self {
            Self::Broken => theme.broken,
            Self::Degraded => theme.degraded,
            Self::Unknown => theme.unknown,
            Self::Ok => theme.ok,
            Self::None => theme.none,
        }
    }
}

impl From<FipState> for Mark {
    fn from(state: FipState) -> Self {
        match state {
            FipState::Ok => Self::Ok,
            FipState::Degraded => Self::Degraded,
            FipState::Broken => Self::Broken,
            FipState::Unknown => Self::Unknown,
        }
    }
}

impl From<&ChainLink> for Mark {
    fn from(link: &ChainLink) -> Self {
        match link.state {
            LinkState::Ok => Self::Ok,
            LinkState::Missing | LinkState::Wrong if link.advisory => Self::Degraded,
            LinkState::Missing | LinkState::Wrong => Self::Broken,
            LinkState::Unknown => Self::Unknown,
            LinkState::NotApplicable => Self::None,
        }
    }
}

/// How many of each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Broken.
    pub broken: usize,
    /// Degraded.
    pub degraded: usize,
    /// Could not be judged.
    pub unknown: usize,
    /// As they should be.
    pub ok: usize,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, state: FipState) {
        match state {
            FipState::Ok => self.ok += 1,
            FipState::Degraded => self.degraded += 1,
            FipState::Broken => self.broken += 1,
            FipState::Unknown => self.unknown += 1,
        }
    }

    /// All together.
    pub fn total(self) -> usize {
        self.broken + self.degraded + self.unknown + self.ok
    }

    /// Each count with its mark, the worst first.
    pub fn counts(self) -> [(Mark, usize); 4] {
        [
            (Mark::Broken, self.broken),
            (Mark::Degraded, self.degraded),
            (Mark::Unknown, self.unknown),
            (Mark::Ok, self.ok),
        ]
    }
}

/// The link that a floating IP's state comes from: the first of the worst
/// kind, outbound before inbound.
pub(super) fn fault(fip: &FloatingIp) -> Option<(Direction, &ChainLink)> {
    let worst = Mark::from(fip.state);
    if worst == Mark::Ok {
        return None;
    }
    let all = [Direction::Outbound, Direction::Inbound]
        .into_iter()
        .flat_map(|direction| fip.links(direction).iter().map(move |link| (direction, link)));
    all.into_iter().find(|(_, link)| Mark::from(*link) == worst)
}

/// A floating IP's state in a few words: `ok`, `rule missing`.
pub(super) fn state_text(fip: &FloatingIp) -> (&'static str, &'static str) {
    match (fault(fip), fip.state) {
        (Some((_, link)), _) => (link.link.title(), link_word(link)),
        (None, FipState::Ok) => ("", "ok"),
        (None, FipState::Degraded) => ("", "degraded"),
        (None, FipState::Broken) => ("", "broken"),
        (None, FipState::Unknown) => ("", "could not be judged"),
    }
}

/// A link's state in a word.
pub(super) fn link_word(link: &ChainLink) -> &'static str {
    match link.state {
        LinkState::Ok => "ok",
        LinkState::Missing => "missing",
        LinkState::Wrong => "wrong",
        LinkState::Unknown => "unknown",
        LinkState::NotApplicable => "not here",
    }
}

/// A direction in a word.
pub(super) fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
    }
}

/// How a floating IP is implemented, in a word.
pub(super) fn kind_word(kind: FipKind) -> &'static str {
    match kind {
        FipKind::Distributed => "distributed",
        FipKind::Centralized => "centralized",
        FipKind::Legacy => "legacy",
    }
}

/// How a router routes, in a word.
pub(super) fn router_word(kind: RouterKind) -> &'static str {
    match kind {
        RouterKind::Distributed => "distributed",
        RouterKind::DistributedHa => "distributed-ha",
        RouterKind::Legacy => "legacy",
        RouterKind::LegacyHa => "legacy-ha",
    }
}

/// The kind of an object, in a word.
pub(super) fn object_word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Netns => "namespace",
        ObjectKind::Link => "link",
        ObjectKind::Addr => "address",
        ObjectKind::Rule => "rule",
        ObjectKind::Route => "route",
        ObjectKind::Neigh => "neighbour",
        ObjectKind::Nat => "translation",
        ObjectKind::Filter => "filter",
        ObjectKind::Sysctl => "sysctl",
        ObjectKind::File => "file",
        ObjectKind::OvsPort => "port",
    }
}

/// The first eight characters of an id: what people say to each other.
pub fn short(id: &str) -> String {
    let head: String = id.chars().take(8).collect();
    printable(&head, 8)
}

/// A namespace's name with its id cut to eight characters.
pub fn short_netns(name: &str) -> String {
    match name.split_once('-') {
        Some((prefix, id)) if id.chars().count() > 8 => {
            format!("{}-{}", printable(prefix, 16), short(id))
        }
        _ => printable(name, 24),
    }
}

/// Writes an address. Without the formatting machinery, for 10,000 of them at
/// every key press count.
pub(super) fn push_address(text: &mut String, address: IpAddr) {
    match address {
        IpAddr::V6(address) => {
            let _ = write!(text, "{address}");
        }
        IpAddr::V4(address) => {
            for (at, octet) in address.octets().into_iter().enumerate() {
                if at > 0 {
                    text.push('.');
                }
                for unit in [100, 10, 1] {
                    if octet >= unit || unit == 1 {
                        text.push(char::from(b'0' + octet / unit % 10));
                    }
                }
            }
        }
    }
}

/// Seconds, in the largest unit that fits: `4s`, `12min`, `3h`, `2d`.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}min", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago, for people.
pub fn ago(then: jiff::Timestamp, now: jiff::Timestamp) -> String {
    match u64::try_from(now.duration_since(then).as_secs()) {
        Ok(0) | Err(_) => "just now".to_owned(),
        Ok(seconds) => format!("{} ago", span(seconds)),
    }
}

/// `1 floating IP`, `2 floating IPs`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// Several lines as one.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for more in text.lines().map(str::trim).filter(|more| !more.is_empty()) {
        line.push_str(match line.chars().last() {
            None => "",
            Some(':' | '.') => " ",
            Some(_) if more.starts_with(char::is_uppercase) => ". ",
            Some(_) => "; ",
        });
        line.push_str(more);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_take_the_largest_unit() {
        for (seconds, shown) in [(0, "0s"), (59, "59s"), (61, "1min"), (7199, "1h"), (300_000, "3d")] {
            assert_eq!(span(seconds), shown);
        }
    }

    #[test]
    fn addresses_read_as_everywhere() {
        for octets in [[0, 9, 10, 99], [100, 101, 109, 255], [192, 168, 1, 3]] {
            let address = IpAddr::from(octets);
            let mut text = String::new();
            push_address(&mut text, address);
            assert_eq!(text, address.to_string());
        }
    }

    #[test]
    fn a_clock_that_went_back_is_not_an_age() {
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        assert_eq!(ago(at(10), at(5)), "just now");
        assert_eq!(ago(at(10), at(14)), "4s ago");
    }

    #[test]
    fn short_names_keep_what_tells_them_apart() {
        assert_eq!(short_netns("qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62"), "qrouter-ef25020f");
        assert_eq!(short_netns("blue"), "blue");
        assert_eq!(short("\u{1b}[31mx"), "\\u{1b}[31mx");
    }
}
