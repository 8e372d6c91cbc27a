//! The agent's allocation files (`neutron/agent/l3/item_allocator.py`): one
//! `key,value` a line. They are hints: with two external networks the last
//! writer wins, so absence from a file proves nothing.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::LinkLocalPair;
use crate::net::{AllocationFile, RulePriority};

/// A line of `fip-linklocal-networks`: which router has which pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairEntry {
    /// The router's full id.
    pub router: String,
    /// Its pair.
    pub pair: LinkLocalPair,
}

/// A line of `fip-priorities` (from Liberty): which floating IP has which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorityEntry {
    /// The floating IP.
    pub floating_ip: IpAddr,
    /// The priority of its `lookup 16` rule.
    pub priority: RulePriority,
}

/// A line, understood or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllocationLine<T> {
    /// An entry.
    Entry(T),
    /// Something else, as it stands there. The agent skips and forgets such
    /// lines from 9.0.0, and stumbled over them before.
    NotUnderstood(String),
}

/// Text that is no line of an allocation file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a line of an allocation file")]
pub struct NotAnEntry;

/// The lines of `fip-linklocal-networks`.
pub fn pair_lines(file: &AllocationFile) -> impl Iterator<Item = AllocationLine<PairEntry>> {
    lines(file)
}

/// The lines of `fip-priorities`.
pub fn priority_lines(file: &AllocationFile) -> impl Iterator<Item = AllocationLine<PriorityEntry>> {
    lines(file)
}

impl<T> AllocationLine<T> {
    /// The entry, where it is one.
    pub fn entry(self) -> Option<T> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::NotUnderstood(_) => None,
        }
    }
}

impl FromStr for PairEntry {
    type Err = NotAnEntry;

    fn from_str(line: &str) -> Result<Self, NotAnEntry> {
        let (router, net) = fields(line)?;
        let net: IpNet = net.parse().map_err(|_| NotAnEntry)?;
        Ok(Self { router: router.to_owned(), pair: LinkLocalPair::of_net(net).ok_or(NotAnEntry)? })
    }
}

impl FromStr for PriorityEntry {
    type Err = NotAnEntry;

    fn from_str(line: &str) -> Result<Self, NotAnEntry> {
        let (address, priority) = fields(line)?;
        Ok(Self {
            floating_ip: address.parse().map_err(|_| NotAnEntry)?,
            priority: RulePriority(priority.parse().map_err(|_| NotAnEntry)?),
        })
    }
}

impl fmt::Display for PairEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", crate::net::printable(&self.router, 64), self.pair)
    }
}

impl fmt::Display for PriorityEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.floating_ip, self.priority)
    }
}

fn lines<T: FromStr>(file: &AllocationFile) -> impl Iterator<Item = AllocationLine<T>> {
    file.lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.parse().map_or_else(|_| AllocationLine::NotUnderstood(line.clone()), AllocationLine::Entry))
}

/// Exactly two fields, neither of them empty.
fn fields(line: &str) -> Result<(&str, &str), NotAnEntry> {
    let (key, value) = line.trim().split_once(',').ok_or(NotAnEntry)?;
    if key.is_empty() || value.is_empty() || value.contains(',') { Err(NotAnEntry) } else { Ok((key, value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: &[&str]) -> AllocationFile {
        AllocationFile { lines: lines.iter().map(|line| (*line).to_owned()).collect(), ..AllocationFile::default() }
    }

    #[test]
    fn lines_go_both_ways() {
        let line = "ef25020f-012c-41d6-a36e-f2f09cb8ea62,169.254.88.134/31";
        assert_eq!(line.parse::<PairEntry>().unwrap().to_string(), line);
        let line = "192.168.1.3,61068";
        assert_eq!(line.parse::<PriorityEntry>().unwrap().to_string(), line);
    }

    #[test]
    fn what_is_not_understood_is_kept() {
        let bad = ["garbage", "a,b,c", "192.168.1.3", "192.168.1.3,", ",1", "192.168.1.3,many", "300.1.1.1,5"];
        for line in bad {
            let read: Vec<_> = priority_lines(&file(&[line])).collect();
            assert_eq!(read, [AllocationLine::NotUnderstood(line.to_owned())], "{line}");
        }
        let bad = ["x,169.254.88.134/30", "x,169.254.88.134", "x,fe80::/31", "x,y"];
        for line in bad {
            assert_eq!(line.parse::<PairEntry>(), Err(NotAnEntry), "{line}");
        }
        assert_eq!(pair_lines(&file(&["", "  "])).count(), 0, "an empty line is no entry and no riddle");
    }
}
