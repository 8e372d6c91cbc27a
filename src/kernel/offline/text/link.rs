//! `ip -s -d link`, and the devices' lines of `ip -d address`.

use std::collections::BTreeMap;

use super::{Parsed, Words, not_understood, numbered};
use crate::net::{IfName, Link, LinkStats, NetnsName, OperState, Qdisc};

/// A device as the text has it, with what only the text tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextLink {
    /// The device.
    pub link: Link,
    /// `link-netns`: the name of the namespace that the other end is in.
    pub link_netns: Option<NetnsName>,
}

/// `IFF_RUNNING`: `ip` does not print it, but prints `NO-CARRIER` where a device
/// that is up lacks it.
const IFF_RUNNING: u32 = 0x40;

/// What the kernel answers for a namespace without a number.
const NETNSA_NSID_NOT_ASSIGNED: i32 = -1;

/// The words that `ip` has for `IFF_*`.
const FLAGS: [(&str, u32); 17] = [
    ("UP", 0x1),
    ("BROADCAST", 0x2),
    ("DEBUG", 0x4),
    ("LOOPBACK", 0x8),
    ("POINTOPOINT", 0x10),
    ("NOTRAILERS", 0x20),
    ("NOARP", 0x80),
    ("PROMISC", 0x100),
    ("ALLMULTI", 0x200),
    ("MASTER", 0x400),
    ("SLAVE", 0x800),
    ("MULTICAST", 0x1000),
    ("DYNAMIC", 0x8000),
    ("LOWER_UP", 0x1_0000),
    ("DORMANT", 0x2_0000),
    ("ECHO", 0x4_0000),
    // Said of the other end; says nothing about this one.
    ("M-DOWN", 0),
];

/// The devices of one namespace. Lines about a device that we have no use for
/// are left out: they say more about a device, never that there is another.
pub fn links(text: &str) -> Parsed<Vec<TextLink>> {
    let mut found: Vec<(TextLink, Refs)> = Vec::new();
    let mut counting = None;
    let mut last = 0;
    for (number, line) in numbered(text) {
        let wrong = || not_understood(number, line);
        if line.starts_with([' ', '\t']) {
            let (link, _) = found.last_mut().ok_or_else(wrong)?;
            match std::mem::take(&mut counting) {
                Some(side) => count(&mut link.link.stats, side, line).ok_or_else(wrong)?,
                None => counting = detail(link, line, number == last + 1),
            }
        } else {
            found.push(header(number, line).ok_or_else(wrong)?);
            last = number + 1;
        }
    }
    resolve(found)
}

/// Devices that a header speaks of by name.
#[derive(Default)]
struct Refs {
    line: usize,
    below: Option<String>,
    master: Option<String>,
}

#[derive(Clone, Copy)]
enum Side {
    Received,
    Sent,
}

/// The index and the name at the beginning of a device's line.
pub(super) fn index_and_name(line: &str) -> Option<(u32, &str, Option<&str>)> {
    let (index, rest) = line.split_once(": ")?;
    let (name, _) = rest.split_once(": <")?;
    let (name, below) = match name.rsplit_once('@') {
        Some((name, below)) => (name, Some(below)),
        None => (name, None),
    };
    let fine = !name.is_empty() && !name.contains(char::is_whitespace);
    fine.then_some((index.parse().ok()?, name, below))
}

fn header(number: usize, line: &str) -> Option<(TextLink, Refs)> {
    let (index, name, below) = index_and_name(line)?;
    let (_, rest) = line.split_once(": <")?;
    let (words, rest) = rest.split_once('>')?;
    let mut device = Link { flags: flags(words)?, ..Link::new(index, IfName::from(name)) };
    let mut refs = Refs { line: number, ..Refs::default() };
    match below {
        Some("NONE") | None => {}
        Some(other) => match other.strip_prefix("if").and_then(|index| index.parse().ok()) {
            Some(index) => device.link = Some(index),
            None => refs.below = Some(other.to_owned()),
        },
    }
    let mut words = Words::of(rest);
    while let Some(word) = words.next() {
        match word {
            "mtu" => device.mtu = words.value()?,
            "qdisc" => device.qdiscs.extend(qdisc(words.next()?)),
            "master" => refs.master = Some(words.next()?.to_owned()),
            "state" => device.state = state(words.next()?)?,
            "group" => device.group = group(words.next()?)?,
            "mode" | "qlen" => drop(words.next()?),
            _ => return None,
        }
    }
    Some((TextLink { link: device, link_netns: None }, refs))
}

fn flags(words: &str) -> Option<u32> {
    let mut flags = 0;
    let mut carrier = true;
    for word in words.split(',').filter(|word| !word.is_empty()) {
        if word == "NO-CARRIER" {
            carrier = false;
        } else if let Some((_, bit)) = FLAGS.iter().find(|(name, _)| *name == word) {
            flags |= bit;
        } else {
            flags |= u32::from_str_radix(word, 16).ok()?;
        }
    }
    Some(if flags & 1 != 0 && carrier { flags | IFF_RUNNING } else { flags })
}

fn qdisc(kind: &str) -> Option<Qdisc> {
    (kind != "noop").then(|| Qdisc { kind: kind.to_owned(), handle: 0, parent: u32::MAX })
}

fn state(word: &str) -> Option<OperState> {
    use OperState::{Dormant, Down, Lowerlayerdown, Notpresent, Testing, Unknown, Up};
    [Unknown, Notpresent, Down, Lowerlayerdown, Testing, Dormant, Up].into_iter().find(|state| state.word() == word)
}

fn group(word: &str) -> Option<u32> {
    if word == "default" { Some(0) } else { word.parse().ok() }
}

/// A line below a device's header. `first` is the line right behind `link/…`
/// where `-d` puts the driver's kind.
fn detail(device: &mut TextLink, line: &str, first: bool) -> Option<Side> {
    let mut words = Words::of(line);
    let word = words.next()?;
    match word {
        "RX:" => return Some(Side::Received),
        "TX:" => return Some(Side::Sent),
        _ => {}
    }
    if word.starts_with("link/") {
        device.link.mac = words.next().and_then(|mac| mac.parse().ok());
        while let Some(word) = words.next() {
            match word {
                "link-netns" => {
                    device.link_netns = words.next().map(NetnsName::from);
                    // Another namespace, whose number is not printed then.
                    device.link.link_netnsid = Some(NETNSA_NSID_NOT_ASSIGNED);
                }
                "link-netnsid" => device.link.link_netnsid = words.value(),
                _ => {}
            }
        }
    } else if first && !word.ends_with("_slave") && !NO_KIND.contains(&word) && word.chars().all(is_kind) {
        device.link.kind = Some(word.to_owned());
    }
    None
}

/// Words that can stand where the kind stands, and are none.
const NO_KIND: [&str; 7] = ["inet", "inet6", "altname", "alias", "vf", "prog", "numtxqueues"];

fn is_kind(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
}

fn count(stats: &mut LinkStats, side: Side, line: &str) -> Option<()> {
    let mut words = Words::of(line);
    let (bytes, packets, errors, dropped) = (words.value()?, words.value()?, words.value()?, words.value()?);
    match side {
        Side::Received => {
            (stats.rx_bytes, stats.rx_packets, stats.rx_errors, stats.rx_dropped) = (bytes, packets, errors, dropped);
        }
        Side::Sent => {
            (stats.tx_bytes, stats.tx_packets, stats.tx_errors, stats.tx_dropped) = (bytes, packets, errors, dropped);
        }
    }
    Some(())
}

/// Names of other devices become their indexes.
fn resolve(found: Vec<(TextLink, Refs)>) -> Parsed<Vec<TextLink>> {
    let indexes: BTreeMap<String, u32> =
        found.iter().map(|(device, _)| (device.link.name.as_str().to_owned(), device.link.index)).collect();
    let index = |name: Option<String>, line| match name.map(|name| indexes.get(&name).copied().ok_or(name)) {
        Some(Err(name)) => Err(not_understood(line, &format!("no device is called {name}"))),
        Some(Ok(index)) => Ok(Some(index)),
        None => Ok(None),
    };
    let resolved = found.into_iter().map(|(mut device, refs)| {
        device.link.link = index(refs.below, refs.line)?.or(device.link.link);
        device.link.master = index(refs.master, refs.line)?;
        Ok(device)
    });
    resolved.collect()
}

impl From<TextLink> for Link {
    fn from(link: TextLink) -> Self {
        link.link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0 numtxqueues 1
2: rfp-ef25020f-0@if3: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue master br0 state LOWERLAYERDOWN group 7 qlen 1000
    link/ether 8e:36:be:5d:34:3b brd ff:ff:ff:ff:ff:ff link-netns fip-cef4f7b4 promiscuity 0
    veth numtxqueues 2 numrxqueues 2
    bridge_slave state forwarding
    RX:  bytes packets errors dropped  missed   mcast
          1746      35      1       2       0       0
    TX:  bytes packets errors dropped carrier collsns
           726       9      0       0       0       0
    altname enp0s3
4: br0: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default qlen 1000
    link/ether 96:6d:63:cf:5a:42 brd ff:ff:ff:ff:ff:ff
5: eth0.7@br0: <BROADCAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default
    link/ether 96:6d:63:cf:5a:43 brd ff:ff:ff:ff:ff:ff link-netnsid 4
";

    #[test]
    fn devices_are_read_with_what_hangs_on_them() {
        let links = links(TEXT).unwrap();
        let pair = &links[1];
        assert_eq!(pair.link_netns, Some(NetnsName::from("fip-cef4f7b4")));
        assert_eq!((pair.link.link, pair.link.master, pair.link.group), (Some(3), Some(4), 7));
        assert_eq!(pair.link.kind.as_deref(), Some("veth"));
        assert_eq!((pair.link.flags, pair.link.state), (0x1003, OperState::Lowerlayerdown));
        assert_eq!((pair.link.stats.rx_packets, pair.link.stats.rx_dropped, pair.link.stats.tx_bytes), (35, 2, 726));
        assert_eq!((links[0].link.flags, links[0].link.kind.as_deref()), (0x1_0049, None));
        assert!(links[2].link.qdiscs.is_empty());
        assert_eq!((links[3].link.link, links[3].link.link_netnsid), (Some(4), Some(4)));
        assert_eq!(links[3].link.name, IfName::from("eth0.7"));
    }

    #[test]
    fn what_is_no_device_is_named_with_its_line() {
        for text in
            ["Device does not exist", "    link/ether", "1: a: <NEW> mtu 1", "1: a: <UP> mtu x", "1: a: <UP> shiny"]
        {
            assert_eq!(links(text).unwrap_err().line, 1, "{text}");
        }
        assert_eq!(links("1: a@gone: <UP> mtu 1").unwrap_err().to_string(), "line 1: no device is called gone");
    }
}
