//! An address on a device.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{IfName, scope_name};

/// One address of a device, as `ip address` shows it (`struct ifaddrmsg`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Addr {
    /// The device that holds it.
    pub dev: IfName,
    /// The local address, with the prefix length of its subnet (host bits kept).
    pub address: IpNet,
    /// The other end's address of a point-to-point address.
    #[serde(default)]
    pub peer: Option<IpAddr>,
    /// The broadcast address.
    #[serde(default)]
    pub broadcast: Option<IpAddr>,
    /// The scope (`RT_SCOPE_*`): 0 global, 253 link, 254 host.
    pub scope: u8,
    /// What `ip` prints as flags.
    #[serde(default)]
    pub flags: AddrFlags,
}

/// The flags of an address that matter here (`IFA_F_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct AddrFlags {
    /// `IFA_F_SECONDARY`: another address of the same subnet came first.
    pub secondary: bool,
    /// `IFA_F_TENTATIVE`: duplicate address detection is not done yet.
    pub tentative: bool,
    /// `IFA_F_DADFAILED`: another host has this address.
    pub dadfailed: bool,
    /// Not `IFA_F_PERMANENT`: it has a lifetime.
    pub dynamic: bool,
    /// `IFA_F_NOPREFIXROUTE`: the kernel made no connected route for it.
    pub noprefixroute: bool,
}

impl fmt::Display for Addr {
    /// The words of `ip address`, without the device's own line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inet = if self.address.addr().is_ipv4() { "inet" } else { "inet6" };
        match self.peer {
            Some(peer) => write!(f, "{inet} {} peer {peer}/{}", self.address.addr(), self.address.prefix_len())?,
            None => write!(f, "{inet} {}", self.address)?,
        }
        if let Some(broadcast) = self.broadcast {
            write!(f, " brd {broadcast}")?;
        }
        write!(f, " scope {}", scope_name(self.scope))?;
        let flags = [
            (self.flags.secondary, "secondary"),
            (self.flags.dynamic, "dynamic"),
            (self.flags.tentative, "tentative"),
            (self.flags.dadfailed, "dadfailed"),
            (self.flags.noprefixroute, "noprefixroute"),
        ];
        for (_, word) in flags.iter().filter(|(set, _)| *set) {
            write!(f, " {word}")?;
        }
        write!(f, " {}", self.dev)
    }
}
