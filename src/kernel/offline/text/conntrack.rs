//! `conntrack -L -o extended`.

use std::borrow::Cow;

use super::{Parsed, Words, not_understood, numbered};
use crate::net::{ConntrackEntry, ConntrackTuple};

/// `IPS_*` of `nf_conntrack_common.h`.
const SEEN_REPLY: u32 = 0x2;
const ASSURED: u32 = 0x4;
const CONFIRMED: u32 = 0x8;
const SRC_NAT: u32 = 0x10;
const DST_NAT: u32 = 0x20;
const OFFLOAD: u32 = 0x4000;
const HW_OFFLOAD: u32 = 0x8000;

/// The tracked connections of one namespace.
pub fn entries(text: &str) -> Parsed<Vec<ConntrackEntry>> {
    let text = without_count(text);
    let mut found = Vec::new();
    for (number, line) in numbered(&text) {
        found.push(entry(line).ok_or_else(|| not_understood(number, line))?);
    }
    Ok(found)
}

/// The tool counts the entries on standard error. sos keeps both outputs in one
/// file, so that the count may stand in the middle of a line, newline and all.
fn without_count(text: &str) -> Cow<'_, str> {
    const END: &str = "flow entries have been shown.\n";
    let from = text.find("conntrack v");
    match from.and_then(|from| Some((from, from + text[from..].find(END)? + END.len()))) {
        Some((from, to)) => Cow::Owned([&text[..from], &text[to..]].concat()),
        None => Cow::Borrowed(text),
    }
}

#[derive(Default)]
struct Half {
    src: Option<std::net::IpAddr>,
    dst: Option<std::net::IpAddr>,
    sport: Option<u16>,
    dport: Option<u16>,
    packets: Option<u64>,
    bytes: Option<u64>,
}

fn entry(line: &str) -> Option<ConntrackEntry> {
    let mut words = Words::of(line);
    let family = words.next()?;
    matches!(family, "ipv4" | "ipv6").then_some(())?;
    let (_, _, proto) = (words.next()?, words.next()?, words.value::<u8>()?);
    let mut halves = [Half::default(), Half::default()];
    let mut current = 0;
    let (mut status, mut mark, mut zone, mut timeout, mut id) = (SEEN_REPLY | CONFIRMED, 0, 0, None, None);
    if let Some(seconds) = words.peek().and_then(|word| word.parse().ok()) {
        timeout = Some(seconds);
        words.next();
    }
    while let Some(word) = words.next() {
        let Some((name, value)) = word.split_once('=') else {
            match word {
                "[UNREPLIED]" => status &= !SEEN_REPLY,
                "[ASSURED]" => status |= ASSURED,
                "[OFFLOAD]" => status |= OFFLOAD,
                "[HW_OFFLOAD]" => status |= HW_OFFLOAD,
                state if state.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') => {}
                _ => return None,
            }
            continue;
        };
        // The second source begins the second half.
        current |= usize::from(name == "src" && halves[0].src.is_some());
        let half = &mut halves[current];
        match name {
            "src" => half.src = Some(value.parse().ok()?),
            "dst" => half.dst = Some(value.parse().ok()?),
            "sport" => half.sport = Some(value.parse().ok()?),
            "dport" => half.dport = Some(value.parse().ok()?),
            // Behind ICMP's type and code; the entry's own id stands last.
            "id" if half.src.is_some() && half.sport.is_none() && matches!(proto, 1 | 58) => {
                (half.sport, half.dport) = (Some(value.parse().ok()?), Some(value.parse().ok()?));
            }
            "id" => id = Some(value.parse().ok()?),
            "packets" => half.packets = Some(value.parse().ok()?),
            "bytes" => half.bytes = Some(value.parse().ok()?),
            "mark" => mark = value.parse().ok()?,
            "zone" => zone = value.parse().ok()?,
            // use, type, code, secctx, delta-time, zone-orig, GRE's keys…
            _ => {}
        }
    }
    let [original, reply] = halves;
    let counts = [original.counts(), reply.counts()];
    let (original, reply) = (original.tuple(proto)?, reply.tuple(proto)?);
    status |= translations(&original, &reply);
    let [original_count, reply_count] = counts;
    Some(ConntrackEntry {
        original,
        reply,
        status,
        mark,
        zone,
        timeout,
        id,
        started: None,
        original_count,
        reply_count,
    })
}

/// What the two directions tell of translations.
fn translations(original: &ConntrackTuple, reply: &ConntrackTuple) -> u32 {
    let source = if reply.dst == original.src && reply.dport == original.sport { 0 } else { SRC_NAT };
    let destination = if reply.src == original.dst && reply.sport == original.dport { 0 } else { DST_NAT };
    source | destination
}

impl Half {
    fn counts(&self) -> Option<(u64, u64)> {
        Some((self.packets?, self.bytes?))
    }

    fn tuple(self, proto: u8) -> Option<ConntrackTuple> {
        Some(ConntrackTuple { src: self.src?, dst: self.dst?, proto, sport: self.sport, dport: self.dport })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_translated_connection_is_told_by_its_two_halves() {
        let text = "ipv4     2 tcp      6 431979 ESTABLISHED src=10.0.0.4 dst=192.168.1.9 sport=50264 dport=22 \
            packets=3 bytes=180 src=192.168.1.9 dst=192.168.1.3 sport=22 dport=50264 packets=2 bytes=120 [ASSURED] \
            mark=67108864 zone=3 use=1 id=77\n\
            ipv4     2 icmp     1 29 src=10.0.0.4 dst=192.168.1.3 type=8 code=0 id=9 [UNREPLIED] src=10.0.0.6 \
            dst=10.0.0.4 type=0 code=0 id=9 mark=0 use=1\n\
            ipv4     2 unknown  112 598 src=169.254.194.252 dst=224.0.0.18 [UNREPLIED] src=224.0.0.18 \
            dst=169.254.194.252 mark=0 use=conntrack v1.4.5 (conntrack-tools): 3 flow entries have been shown.\n1\n";
        let entries = entries(text).unwrap();
        assert_eq!(entries[0].status, SEEN_REPLY | ASSURED | CONFIRMED | SRC_NAT);
        assert_eq!((entries[0].mark, entries[0].zone, entries[0].id), (0x400_0000, 3, Some(77)));
        assert_eq!((entries[0].original_count, entries[0].reply_count), (Some((3, 180)), Some((2, 120))));
        assert_eq!(entries[1].status, CONFIRMED | DST_NAT);
        assert_eq!((entries[1].original.sport, entries[1].reply.dport, entries[1].id), (Some(9), Some(9), None));
        assert_eq!((entries[2].original.proto, entries[2].timeout), (112, Some(598)));
    }

    #[test]
    fn what_is_no_entry_is_named_with_its_line() {
        for text in ["conntrack: command not found", "ipv4 2 tcp 6 1 src=1.2.3.4", "ipv4 2 tcp 6 1 src=x"] {
            assert_eq!(entries(text).unwrap_err().line, 1, "{text}");
        }
    }
}
