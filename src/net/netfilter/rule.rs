//! What a rule matches and what it does, in the words of iptables.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::net::Mac;

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleBody {
    /// Something that iptables can say.
    Words(RuleWords),
    /// Something else; the text says what we saw of it.
    NotUnderstood(String),
}

/// A rule that iptables can say: matches in the order of `iptables-save`, then
/// the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleWords {
    /// What must hold, all of it.
    pub matches: Vec<Match>,
    /// What happens; `None` for a rule that only counts.
    #[serde(default)]
    pub target: Option<Target>,
}

/// One condition. `invert` is the exclamation mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Match {
    /// `-s`. Masks that are no prefix go to [`Match::Other`].
    Source {
        /// The prefix.
        net: IpNet,
        /// Negated.
        invert: bool,
    },
    /// `-d`.
    Destination {
        /// The prefix.
        net: IpNet,
        /// Negated.
        invert: bool,
    },
    /// `-i`; a trailing `+` in the name matches any ending.
    InIface {
        /// The device's name, as iptables writes it.
        name: String,
        /// Negated.
        invert: bool,
    },
    /// `-o`.
    OutIface {
        /// The device's name, as iptables writes it.
        name: String,
        /// Negated.
        invert: bool,
    },
    /// `-p`, by number.
    Protocol {
        /// The IP protocol number.
        number: u8,
        /// Negated.
        invert: bool,
    },
    /// `-f`: second and further fragments.
    Fragment {
        /// Negated.
        invert: bool,
    },
    /// `-m tcp`, `-m udp`, `-m sctp`… `--sport`, `--dport`.
    Ports {
        /// The protocol module, `tcp` or `udp`.
        module: String,
        /// Source ports.
        sport: Option<PortMatch>,
        /// Destination ports.
        dport: Option<PortMatch>,
        /// `--tcp-flags MASK COMP`, negated or not.
        tcp_flags: Option<(u8, u8, bool)>,
    },
    /// `-m multiport`.
    Multiport {
        /// `--sports`, `--dports` or `--ports`, without the dashes.
        side: String,
        /// The ports and ranges.
        ports: Vec<Port>,
        /// Negated.
        invert: bool,
    },
    /// `-m icmp --icmp-type`.
    Icmp {
        /// The type; 255 is any.
        kind: u8,
        /// The codes, from and to.
        codes: (u8, u8),
        /// Negated.
        invert: bool,
    },
    /// `-m mark`.
    Mark {
        /// The value.
        value: u32,
        /// The bits that count.
        mask: u32,
        /// Negated.
        invert: bool,
    },
    /// `-m connmark`.
    Connmark {
        /// The value.
        value: u32,
        /// The bits that count.
        mask: u32,
        /// Negated.
        invert: bool,
    },
    /// `-m conntrack --ctstate` (or `-m state --state`, see `module`).
    Ctstate {
        /// `conntrack` or `state`: two modules, the same meaning.
        module: String,
        /// Any of these.
        states: Vec<CtState>,
        /// Negated.
        invert: bool,
    },
    /// `-m conntrack --ctdir`.
    Ctdir {
        /// The direction.
        direction: CtDirection,
    },
    /// `-m mac --mac-source`.
    MacSource {
        /// The address.
        mac: Mac,
        /// Negated.
        invert: bool,
    },
    /// `-m comment`: says nothing about the packet.
    Comment(
        /// The text, unquoted.
        String,
    ),
    /// Anything else, in iptables' words, kept but not modelled.
    Other(
        /// The words.
        String,
    ),
}

/// A port or a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

/// A range of ports, negated or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortMatch {
    /// The range.
    pub port: Port,
    /// Negated.
    pub invert: bool,
}

/// A state of connection tracking, as `--ctstate` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CtState {
    /// Not trackable, or broken.
    Invalid,
    /// The first packet of a connection.
    New,
    /// Belongs to a known connection.
    Established,
    /// Belongs to something a known connection asked for.
    Related,
    /// Exempted from tracking.
    Untracked,
    /// The source was translated.
    Snat,
    /// The destination was translated.
    Dnat,
}

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CtDirection {
    /// That of the first packet.
    Original,
    /// The other.
    Reply,
}

/// What happens to a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// `-j ACCEPT`.
    Accept,
    /// `-j DROP`.
    Drop,
    /// `-j RETURN`.
    Return,
    /// `-j CHAIN`.
    Jump(
        /// The chain.
        String,
    ),
    /// `-g CHAIN`.
    Goto(
        /// The chain.
        String,
    ),
    /// `-j DNAT`.
    Dnat {
        /// Where to.
        to: NatRange,
        /// How.
        flags: NatFlags,
    },
    /// `-j SNAT`.
    Snat {
        /// Which source.
        to: NatRange,
        /// How.
        flags: NatFlags,
    },
    /// `-j REDIRECT`.
    Redirect {
        /// `--to-ports`.
        ports: Option<Port>,
        /// How.
        flags: NatFlags,
    },
    /// `-j MASQUERADE`.
    Masquerade {
        /// `--to-ports`.
        ports: Option<Port>,
        /// How.
        flags: NatFlags,
    },
    /// `-j MARK --set-xmark VALUE/MASK`: `mark = (mark & !mask) ^ value`.
    Mark {
        /// The value.
        value: u32,
        /// The bits that are cleared first.
        mask: u32,
    },
    /// `-j CONNMARK`.
    Connmark(
        /// What it does.
        ConnmarkOp,
    ),
    /// `-j CT --notrack`.
    Notrack,
    /// `-j NOTRACK`: the old name of the same.
    NotrackAlias,
    /// `-j REJECT --reject-with`.
    Reject(
        /// The answer's name (`icmp-port-unreachable`).
        String,
    ),
    /// A target that lets the packet go on unchanged for our purposes (`LOG`,
    /// `NFLOG`, `CHECKSUM`), or that we do not model, in iptables' words after
    /// `-j`.
    Other(
        /// The words.
        String,
    ),
}

/// What `-j CONNMARK` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnmarkOp {
    /// `--set-xmark VALUE/MASK` on the connection's mark.
    Set {
        /// The value.
        value: u32,
        /// The mask.
        mask: u32,
    },
    /// `--save-mark`: the packet's mark to the connection.
    Save {
        /// Bits of the packet's mark.
        nfmask: u32,
        /// Bits of the connection's mark.
        ctmask: u32,
    },
    /// `--restore-mark`: the connection's mark to the packet.
    Restore {
        /// Bits of the packet's mark.
        nfmask: u32,
        /// Bits of the connection's mark.
        ctmask: u32,
    },
}

/// The addresses and ports that a translation may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatRange {
    /// The addresses, first and last; `None` keeps the address.
    pub addrs: Option<(IpAddr, IpAddr)>,
    /// The ports, first and last; `None` keeps the port where possible.
    pub ports: Option<Port>,
}

/// `NF_NAT_RANGE_*` flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NatFlags {
    /// `--random`.
    pub random: bool,
    /// `--random-fully`.
    pub random_fully: bool,
    /// `--persistent`.
    pub persistent: bool,
}

impl NatRange {
    /// A single address, the port kept.
    pub fn single(addr: IpAddr) -> Self {
        Self { addrs: Some((addr, addr)), ports: None }
    }

    /// The address, where it is exactly one.
    pub fn addr(&self) -> Option<IpAddr> {
        self.addrs.filter(|(first, last)| first == last).map(|(first, _)| first)
    }
}

impl RuleBody {
    /// The words, where iptables has them.
    pub fn words(&self) -> Option<&RuleWords> {
        match self {
            Self::Words(words) => Some(words),
            Self::NotUnderstood(_) => None,
        }
    }
}

impl RuleWords {
    /// The single source address that it asks for (`-s A/32`, not negated).
    pub fn source(&self) -> Option<IpAddr> {
        self.matches.iter().find_map(|m| match m {
            Match::Source { net, invert: false } => host(*net),
            _ => None,
        })
    }

    /// The single destination address that it asks for.
    pub fn destination(&self) -> Option<IpAddr> {
        self.matches.iter().find_map(|m| match m {
            Match::Destination { net, invert: false } => host(*net),
            _ => None,
        })
    }

    /// The input device that it asks for, not negated.
    pub fn in_iface(&self) -> Option<&str> {
        self.matches.iter().find_map(|m| match m {
            Match::InIface { name, invert: false } => Some(name.as_str()),
            _ => None,
        })
    }
}

fn host(net: IpNet) -> Option<IpAddr> {
    (net.prefix_len() == net.max_prefix_len()).then(|| net.addr())
}
