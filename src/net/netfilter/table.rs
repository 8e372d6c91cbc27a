//! Tables and chains.

use serde::{Deserialize, Serialize};

use super::RuleBody;
use crate::net::{IfName, Observed};

/// A namespace's packet filter: both backends, each with its own outcome. Where
/// both hold rules, both act, and that is a fault of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Netfilter {
    /// Tables of `nf_tables`, iptables-nft's and native ones alike.
    pub nft: Observed<Vec<Table>>,
    /// Tables of `ip_tables` (iptables-legacy). Absent where there are none.
    pub legacy: Observed<Vec<Table>>,
    /// True where the source speaks iptables' words only, so that native
    /// `nf_tables` tables and sets may stand there unseen (a text report).
    #[serde(default)]
    pub words_only: bool,
}

/// Which of the kernel's two packet filters. Both act, so the agent's rules
/// belong in the one that the agent uses, and in no other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// `nf_tables`.
    #[default]
    Nft,
    /// `ip_tables`.
    Legacy,
}

/// The family of a table (`NFPROTO_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NfFamily {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
    /// ARP.
    Arp,
    /// Frames of a bridge.
    Bridge,
    /// Frames of a device, before anything else.
    Netdev,
}

/// A table with its chains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Whose packets it sees.
    pub family: NfFamily,
    /// `nat`, `filter`, `mangle`, `raw`, or any name for a native table.
    pub name: String,
    /// `NFT_TABLE_F_DORMANT`: it is switched off.
    #[serde(default)]
    pub dormant: bool,
    /// The chains: built-in ones first, in the order of the kernel.
    pub chains: Vec<Chain>,
    /// What else stands in it, in `nft`'s words (`set blocked { ipv4_addr }`).
    #[serde(default)]
    pub others: Vec<String>,
}

/// A chain with its rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The name.
    pub name: String,
    /// Where it hooks into the kernel; `None` for a chain that is jumped to.
    #[serde(default)]
    pub base: Option<BaseChain>,
    /// The policy's counters, where it has some.
    #[serde(default)]
    pub counters: Option<Counters>,
    /// The rules, in order.
    pub rules: Vec<NfRule>,
}

/// How a base chain hooks into the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseChain {
    /// The hook.
    pub hook: Hook,
    /// Its place among the chains of that hook: the lower number first.
    pub priority: i32,
    /// `filter`, `nat` or `route`.
    pub kind: String,
    /// What happens to a packet that no rule decides.
    pub policy: Policy,
    /// The device, for chains of the netdev family.
    #[serde(default)]
    pub device: Option<IfName>,
}

/// A place in the packet's way (`NF_INET_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Before a frame is looked at (netdev family, or inet ingress).
    Ingress,
    /// Before routing.
    Prerouting,
    /// To the node itself.
    Input,
    /// Through the node.
    Forward,
    /// From the node itself.
    Output,
    /// After routing.
    Postrouting,
    /// As a frame leaves a device.
    Egress,
    /// A number that is new to us.
    Other(u32),
}

/// What a base chain does in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Let the packet go on.
    Accept,
    /// Drop it.
    Drop,
}

/// Packets and bytes that matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// One rule of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NfRule {
    /// The kernel's handle (`nf_tables` only).
    #[serde(default)]
    pub handle: Option<u64>,
    /// Its counters, where it has some.
    #[serde(default)]
    pub counters: Option<Counters>,
    /// What it says.
    pub body: RuleBody,
}

impl Netfilter {
    /// All tables of both backends, `nf_tables` first.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        [&self.nft, &self.legacy].into_iter().filter_map(Observed::seen).flatten()
    }

    /// The tables of that family and name: one, or two where both backends have it.
    pub fn named<'a>(&'a self, family: NfFamily, name: &'a str) -> impl Iterator<Item = &'a Table> {
        self.tables().filter(move |table| table.family == family && table.name == name)
    }
}

impl Table {
    /// The chain of that name.
    pub fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.name == name)
    }
}

impl NfFamily {
    /// The word that `nft` prints.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Arp => "arp",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        }
    }
}

impl Backend {
    /// The word in `iptables-nft-save` and `iptables-legacy-save`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nft => "nft",
            Self::Legacy => "legacy",
        }
    }

    /// The program that changes a table of it as a whole.
    pub fn restore_program(self) -> &'static str {
        match self {
            Self::Nft => "iptables-nft-restore",
            Self::Legacy => "iptables-legacy-restore",
        }
    }
}
