//! A policy routing rule.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Family, IfName, RulePriority, TableId};

/// One rule of the policy routing database (`ip rule`, `struct fib_rule_hdr`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// The family whose packets ask it.
    pub family: Family,
    /// Its place in the order.
    pub priority: RulePriority,
    /// The source selector; `None` is `from all`. Host bits are kept as given;
    /// the kernel masks them when it matches.
    #[serde(default)]
    pub from: Option<IpNet>,
    /// The destination selector.
    #[serde(default)]
    pub to: Option<IpNet>,
    /// The input device selector.
    #[serde(default)]
    pub iif: Option<IfName>,
    /// The input device of that name does not exist: the rule matches nothing.
    #[serde(default)]
    pub iif_detached: bool,
    /// The output device selector.
    #[serde(default)]
    pub oif: Option<IfName>,
    /// The output device of that name does not exist.
    #[serde(default)]
    pub oif_detached: bool,
    /// The firewall mark selector.
    #[serde(default)]
    pub fwmark: Option<FwMark>,
    /// The type-of-service selector; 0 is any.
    #[serde(default)]
    pub tos: u8,
    /// `not`: the rule matches what the selectors do not.
    #[serde(default)]
    pub invert: bool,
    /// What happens to a packet that matches.
    pub action: RuleAction,
    /// `suppress_prefixlength`: a route this short or shorter does not count.
    #[serde(default)]
    pub suppress_prefixlen: Option<u32>,
    /// `suppress_ifgroup`: a route out of a device of this group does not count.
    #[serde(default)]
    pub suppress_ifgroup: Option<u32>,
    /// Who installed it (`RTPROT_*`).
    #[serde(default)]
    pub protocol: u8,
    /// Selectors that we read but do not model, in `ip`'s words (`ipproto tcp`).
    #[serde(default)]
    pub others: Vec<String>,
}

/// A firewall mark and the bits of it that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FwMark {
    /// The value.
    pub value: u32,
    /// The mask.
    pub mask: u32,
}

/// What a rule does (`FR_ACT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleAction {
    /// Ask this table.
    Lookup(TableId),
    /// Go on at this priority.
    Goto(RulePriority),
    /// Do nothing.
    Nop,
    /// Drop silently.
    Blackhole,
    /// Answer "network unreachable".
    Unreachable,
    /// Answer "administratively prohibited".
    Prohibit,
    /// A number that is new to us.
    Other(u8),
}

impl Rule {
    /// A rule `from all lookup TABLE` at a priority, to be refined.
    pub fn lookup(family: Family, priority: u32, table: TableId) -> Self {
        Self {
            family,
            priority: RulePriority(priority),
            from: None,
            to: None,
            iif: None,
            iif_detached: false,
            oif: None,
            oif_detached: false,
            fwmark: None,
            tos: 0,
            invert: false,
            action: RuleAction::Lookup(table),
            suppress_prefixlen: None,
            suppress_ifgroup: None,
            protocol: 0,
            others: Vec::new(),
        }
    }

    /// It asks for nothing of a packet but its source, as the L3 agent's rules do.
    pub fn is_by_source_alone(&self) -> bool {
        self.to.is_none()
            && self.iif.is_none()
            && self.oif.is_none()
            && self.fwmark.is_none()
            && self.tos == 0
            && !self.invert
            && self.others.is_empty()
    }

    /// The table that it asks, where it asks one.
    pub fn table(&self) -> Option<TableId> {
        match self.action {
            RuleAction::Lookup(table) => Some(table),
            _ => None,
        }
    }

    /// The selectors in the words of `ip rule` (`from 10.0.0.4 iif qr-…`), which
    /// `ip rule add` and `ip rule del` take too.
    pub fn selector(&self) -> String {
        let mut words = Vec::new();
        if self.invert {
            words.push("not".to_owned());
        }
        words.push(self.from.map_or("from all".to_owned(), |net| format!("from {}", selector_net(net))));
        words.extend(self.to.map(|net| format!("to {}", selector_net(net))));
        if self.tos != 0 {
            words.push(format!("tos {:#04x}", self.tos));
        }
        words.extend(self.fwmark.map(|mark| mark.to_string()));
        words.extend(self.iif.as_ref().map(|dev| format!("iif {dev}")));
        words.extend(self.iif_detached.then(|| "[detached]".to_owned()));
        words.extend(self.oif.as_ref().map(|dev| format!("oif {dev}")));
        words.extend(self.oif_detached.then(|| "[detached]".to_owned()));
        words.extend(self.others.iter().cloned());
        words.join(" ")
    }
}

/// `ip rule` leaves the length of a host prefix out.
fn selector_net(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

impl fmt::Display for FwMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mask == u32::MAX {
            write!(f, "fwmark {:#x}", self.value)
        } else {
            write!(f, "fwmark {:#x}/{:#x}", self.value, self.mask)
        }
    }
}

impl fmt::Display for RuleAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(table) => write!(f, "lookup {table}"),
            Self::Goto(priority) => write!(f, "goto {priority}"),
            Self::Nop => write!(f, "nop"),
            Self::Blackhole => write!(f, "blackhole"),
            Self::Unreachable => write!(f, "unreachable"),
            Self::Prohibit => write!(f, "prohibit"),
            Self::Other(number) => write!(f, "action {number}"),
        }
    }
}

impl fmt::Display for Rule {
    /// The words of `ip rule`: `32768: from 10.0.0.4 lookup 16`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.priority, self.selector(), self.action)?;
        if let Some(length) = self.suppress_prefixlen {
            write!(f, " suppress_prefixlength {length}")?;
        }
        if let Some(group) = self.suppress_ifgroup {
            write!(f, " suppress_ifgroup {group}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_ip_rule() {
        let mut rule = Rule::lookup(Family::V4, 32768, TableId(16));
        rule.from = Some("10.0.0.4/32".parse().unwrap());
        assert_eq!(rule.to_string(), "32768: from 10.0.0.4 lookup 16");
        rule.from = Some("10.0.0.1/24".parse().unwrap());
        rule.fwmark = Some(FwMark { value: 0x400_0000, mask: 0xffff_0000 });
        rule.suppress_prefixlen = Some(0);
        assert_eq!(
            rule.to_string(),
            "32768: from 10.0.0.1/24 fwmark 0x4000000/0xffff0000 lookup 16 suppress_prefixlength 0"
        );
    }
}
