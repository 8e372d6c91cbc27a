//! A question on the wire, and who answered.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{IfName, Mac, NetnsName};

/// What the wire is asked. Nothing on the node changes for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireQuestion {
    /// Who has an IPv4 address on a link.
    Arp(ArpQuestion),
}

/// An ARP request (RFC 826), broadcast on one link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ArpQuestion {
    /// Where it is asked.
    pub namespace: NetnsName,
    /// The link.
    pub device: IfName,
    /// The sender's address. `0.0.0.0` makes it a probe (RFC 5227), which a host
    /// that has the address answers and a proxy does not.
    pub sender: Ipv4Addr,
    /// The address that is looked for.
    pub target: Ipv4Addr,
    /// After so many hosts have answered nobody is waited for any more.
    pub replies: u8,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WireAnswer {
    /// Who answered, each host once, in the order of arrival; never empty.
    Answered(Vec<WireReply>),
    /// Nobody, in the time that there was.
    Silent,
    /// It could not be asked, with the reason; its last line says what to try.
    NotAsked(String),
}

/// One host's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WireReply {
    /// The hardware address that it gives as the target's.
    pub mac: Mac,
    /// Microseconds since the question was sent last.
    pub rtt: u64,
}

/// Answers by question.
pub type WireAnswers = BTreeMap<WireQuestion, WireAnswer>;

impl WireQuestion {
    /// Where it is asked.
    pub fn namespace(&self) -> &NetnsName {
        match self {
            Self::Arp(question) => &question.namespace,
        }
    }
}

impl fmt::Display for WireQuestion {
    /// The words of `arping` that ask it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Arp(ArpQuestion { namespace, device, sender, target, .. }) = self;
        write!(f, "ip netns exec {namespace} arping -c 3 -I {device} ")?;
        if sender.is_unspecified() { write!(f, "-D {target}") } else { write!(f, "-s {sender} {target}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_told_as_arping_asks_it() {
        let mut question = ArpQuestion {
            namespace: NetnsName::from("fip-1"),
            device: IfName::from("fg-1"),
            sender: Ipv4Addr::new(192, 168, 1, 23),
            target: Ipv4Addr::new(192, 168, 1, 3),
            replies: 1,
        };
        let words = |question: &ArpQuestion| WireQuestion::Arp(question.clone()).to_string();
        assert_eq!(words(&question), "ip netns exec fip-1 arping -c 3 -I fg-1 -s 192.168.1.23 192.168.1.3");
        question.sender = Ipv4Addr::UNSPECIFIED;
        assert_eq!(words(&question), "ip netns exec fip-1 arping -c 3 -I fg-1 -D 192.168.1.3");
    }
}
