//! A network device.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{IfName, Mac, NetnsName};

/// `IFF_UP`: the device is switched on.
pub const IFF_UP: u32 = 0x1;
/// `IFF_LOOPBACK`.
pub const IFF_LOOPBACK: u32 = 0x8;
/// `IFF_LOWER_UP`: the layer below has a signal.
pub const IFF_LOWER_UP: u32 = 0x1_0000;

/// One device of a namespace (`ip -d -s link`, `struct ifinfomsg`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The index: unique within its namespace only, and repeated across them.
    pub index: u32,
    /// The name.
    pub name: IfName,
    /// The driver kind (`veth`, `bridge`, `openvswitch`, `tun`), if it tells one.
    #[serde(default)]
    pub kind: Option<String>,
    /// The hardware address.
    #[serde(default)]
    pub mac: Option<Mac>,
    /// The largest frame payload, in bytes.
    pub mtu: u32,
    /// `IFF_*`.
    pub flags: u32,
    /// The operational state.
    pub state: OperState,
    /// Counters since the device was made.
    #[serde(default)]
    pub stats: LinkStats,
    /// `IFLA_LINK`: the index of the veth peer, or of the device below.
    #[serde(default)]
    pub link: Option<u32>,
    /// `IFLA_LINK_NETNSID`: the namespace of [`Link::link`], by the number that
    /// this namespace has for it. Absent where it is this namespace.
    #[serde(default)]
    pub link_netnsid: Option<i32>,
    /// Which namespace that is, where we could tell.
    #[serde(default)]
    pub peer: Option<Peer>,
    /// The index of the bridge or bond that it belongs to.
    #[serde(default)]
    pub master: Option<u32>,
    /// The interface group.
    #[serde(default)]
    pub group: u32,
    /// Its IPv4 settings, as the kernel sends them along (`IFLA_AF_SPEC`).
    #[serde(default)]
    pub ipv4: Option<Ipv4Conf>,
    /// Queueing disciplines other than the kernel's default (`noqueue`, `mq`,
    /// `pfifo_fast`, `fq_codel` at the root are kept too: `tc qdisc show`).
    #[serde(default)]
    pub qdiscs: Vec<Qdisc>,
    /// Traffic control filters.
    #[serde(default)]
    pub filters: Vec<TcFilter>,
}

/// The other end of a veth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// In the same namespace, with this index.
    Here(u32),
    /// In the named namespace, with this index.
    In(NetnsName, u32),
    /// In the host's own namespace, with this index.
    Host(u32),
    /// In a namespace that we have no name for.
    Elsewhere,
}

/// Counters of a device (`struct rtnl_link_stats64`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkStats {
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Received and dropped.
    pub rx_dropped: u64,
    /// Received with an error.
    pub rx_errors: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Dropped before sending.
    pub tx_dropped: u64,
    /// Failed in sending.
    pub tx_errors: u64,
}

/// The IPv4 settings of one device (`net.ipv4.conf.DEVICE.*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ipv4Conf {
    /// Packets that come in here may be forwarded.
    pub forwarding: bool,
    /// Answers ARP for addresses that are routed out of another device.
    pub proxy_arp: bool,
    /// Reverse path filter: 0 off, 1 strict, 2 loose. The kernel uses the
    /// larger of this and `all`.
    pub rp_filter: u8,
    /// Which ARP requests are answered (`ip-sysctl.rst`).
    pub arp_ignore: u8,
    /// Which source address ARP requests carry.
    pub arp_announce: u8,
    /// `accept_local`: packets with a source that is ours may come in.
    #[serde(default)]
    pub accept_local: bool,
    /// `src_valid_mark`: the mark counts in the reverse path check.
    #[serde(default)]
    pub src_valid_mark: bool,
    /// `send_redirects`: tell a sender of a better next hop.
    #[serde(default)]
    pub send_redirects: bool,
}

/// `IF_OPER_*` (RFC 2863).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperState {
    /// The driver does not say; normal for loopback and tap-like devices.
    Unknown,
    /// Hardware is missing.
    Notpresent,
    /// Down.
    Down,
    /// A device below is down.
    Lowerlayerdown,
    /// Under test.
    Testing,
    /// Waiting for an external event.
    Dormant,
    /// Up.
    Up,
}

/// A queueing discipline on a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Qdisc {
    /// Its kind (`htb`, `ingress`, `noqueue`).
    pub kind: String,
    /// Its handle, `major:minor` packed.
    pub handle: u32,
    /// Its parent: `0xffff_ffff` is the root.
    pub parent: u32,
}

/// A traffic control filter on a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TcFilter {
    /// Its kind (`u32`, `matchall`, `flower`).
    pub kind: String,
    /// The qdisc or class it hangs on.
    pub parent: u32,
    /// Its preference.
    pub preference: u16,
    /// Its handle.
    pub handle: u32,
}

impl Link {
    /// A device of which no more is known: without flags, address and settings.
    pub fn new(index: u32, name: IfName) -> Self {
        Self {
            index,
            name,
            kind: None,
            mac: None,
            mtu: 0,
            flags: 0,
            state: OperState::Unknown,
            stats: LinkStats::default(),
            link: None,
            link_netnsid: None,
            peer: None,
            master: None,
            group: 0,
            ipv4: None,
            qdiscs: Vec::new(),
            filters: Vec::new(),
        }
    }

    /// Switched on.
    pub fn is_up(&self) -> bool {
        self.flags & IFF_UP != 0
    }

    /// The layer below has a signal; for a veth, the peer is up.
    pub fn has_carrier(&self) -> bool {
        self.flags & IFF_LOWER_UP != 0
    }

    /// The flags in the words of `ip link` (`NO-CARRIER,BROADCAST,UP`).
    pub fn flag_words(&self) -> String {
        let mut words = Vec::new();
        if self.is_up() && !self.has_carrier() {
            words.push("NO-CARRIER");
        }
        words.extend(FLAG_WORDS.iter().filter(|(bit, _)| self.flags & bit != 0).map(|(_, word)| *word));
        words.join(",")
    }

    /// The loopback device.
    pub fn is_loopback(&self) -> bool {
        self.flags & IFF_LOOPBACK != 0
    }
}

impl OperState {
    /// The word that `ip link` prints.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Notpresent => "NOTPRESENT",
            Self::Down => "DOWN",
            Self::Lowerlayerdown => "LOWERLAYERDOWN",
            Self::Testing => "TESTING",
            Self::Dormant => "DORMANT",
            Self::Up => "UP",
        }
    }
}

/// The flags that `ip link` prints between angle brackets, in its order.
const FLAG_WORDS: [(u32, &str); 9] = [
    (0x8, "LOOPBACK"),
    (0x2, "BROADCAST"),
    (0x10, "POINTOPOINT"),
    (0x1000, "MULTICAST"),
    (0x80, "NOARP"),
    (0x100, "PROMISC"),
    (0x200, "ALLMULTI"),
    (IFF_UP, "UP"),
    (IFF_LOWER_UP, "LOWER_UP"),
];

impl fmt::Display for Link {
    /// The words of `ip link`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.index, self.name)?;
        if let Some(link) = self.link {
            write!(f, "@if{link}")?;
        }
        write!(f, ": <{}> mtu {} state {}", self.flag_words(), self.mtu, self.state.word())?;
        if let Some(mac) = self.mac {
            write!(f, " link/{} {mac}", if self.is_loopback() { "loopback" } else { "ether" })?;
        }
        if let Some(kind) = &self.kind {
            write!(f, " {}", super::printable(kind, 32))?;
        }
        match &self.peer {
            Some(Peer::In(netns, _)) => write!(f, " link-netns {netns}"),
            _ => match self.link_netnsid {
                Some(id) => write!(f, " link-netnsid {id}"),
                None => Ok(()),
            },
        }
    }
}
