//! The text that tools print, as sos keeps it, back into nouns.
//!
//! A parser takes a file's text and gives all of it or names the first line that
//! it does not understand. Leaving such a line out would make what it says look
//! absent.

pub mod addr;
pub mod conntrack;
pub mod link;
pub mod neigh;
pub mod ovs;
pub mod route;
pub mod rule;
pub mod sysctl;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::net::{TableId, printable};

/// A line that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}", printable(.text, 120))]
pub struct NotUnderstood {
    /// Its number, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

/// What a parser gives.
pub type Parsed<T> = Result<T, NotUnderstood>;

/// Names of routing tables beyond the kernel's own (`/etc/iproute2/rt_tables`).
#[derive(Clone, Debug, Default)]
pub struct TableNames(BTreeMap<String, u32>);

impl TableNames {
    /// Reads `rt_tables`: a number and a name on each line. What is no such
    /// line names nothing.
    pub fn read(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let number = words.next()?;
            let number = match number.strip_prefix("0x") {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            Some((words.next()?.to_owned(), number))
        });
        Self(lines.collect())
    }

    /// The table of that name or number.
    pub(super) fn table(&self, word: &str) -> Option<TableId> {
        match word {
            "local" => Some(TableId::LOCAL),
            "main" => Some(TableId::MAIN),
            "default" => Some(TableId::DEFAULT),
            _ => word.parse().ok().or_else(|| self.0.get(word).copied()).map(TableId),
        }
    }
}

/// Runs a parser over the lines that are not blank.
fn each_line<T>(text: &str, mut parse: impl FnMut(&str) -> Option<T>) -> Parsed<Vec<T>> {
    let mut found = Vec::new();
    for (number, line) in numbered(text) {
        found.push(parse(line).ok_or_else(|| not_understood(number, line))?);
    }
    Ok(found)
}

/// The lines that are not blank, with their numbers from 1.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line)).filter(|(_, line)| !line.trim().is_empty())
}

fn not_understood(line: usize, text: &str) -> NotUnderstood {
    NotUnderstood { line, text: text.chars().take(200).collect() }
}

/// The words of a line, one after the other.
struct Words<'a>(std::iter::Peekable<std::str::SplitWhitespace<'a>>);

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Self {
        Self(line.split_whitespace().peekable())
    }

    fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    fn peek(&mut self) -> Option<&'a str> {
        self.0.peek().copied()
    }

    /// Takes the word if it is the next one.
    fn take(&mut self, word: &str) -> bool {
        self.0.next_if_eq(&word).is_some()
    }

    /// The next word as a value.
    fn value<T: FromStr>(&mut self) -> Option<T> {
        self.next()?.parse().ok()
    }
}

/// A prefix or a single address.
fn net(word: &str) -> Option<IpNet> {
    match word.parse() {
        Ok(net) => Some(net),
        Err(_) => word.parse::<IpAddr>().ok().map(IpNet::from),
    }
}

/// A number, hexadecimal behind `0x`.
fn number(word: &str) -> Option<u32> {
    match word.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => word.parse().ok(),
    }
}

/// The number of a scope, as `rt_scopes` names them.
fn scope(word: &str) -> Option<u8> {
    match word {
        "global" => Some(0),
        "site" => Some(200),
        "link" => Some(253),
        "host" => Some(254),
        "nowhere" => Some(255),
        number => number.parse().ok(),
    }
}

/// The number of a routing protocol, as `rt_protos` names them.
fn protocol(word: &str) -> Option<u8> {
    Some(match word {
        "unspec" => 0,
        "redirect" => 1,
        "kernel" => 2,
        "boot" => 3,
        "static" => 4,
        "gated" => 8,
        "ra" => 9,
        "mrt" => 10,
        "zebra" => 11,
        "bird" => 12,
        "dnrouted" => 13,
        "xorp" => 14,
        "ntk" => 15,
        "dhcp" => 16,
        "keepalived" => 18,
        "babel" => 42,
        "ovn" => 84,
        "openr" => 99,
        "bgp" => 186,
        "isis" => 187,
        "ospf" => 188,
        "rip" => 189,
        "eigrp" => 192,
        number => return number.parse().ok(),
    })
}
