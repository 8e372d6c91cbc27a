//! A neighbour entry, and a proxy entry.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{IfName, Mac};

/// One entry of the neighbour table (`ip neighbour`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Neigh {
    /// The device that the neighbour is reached through.
    pub dev: IfName,
    /// The neighbour's address.
    pub address: IpAddr,
    /// Its hardware address, where known.
    #[serde(default)]
    pub mac: Option<Mac>,
    /// How far the entry can be trusted.
    pub state: NeighState,
    /// `NTF_PROXY`: not a neighbour but an address that this node answers for.
    #[serde(default)]
    pub proxy: bool,
}

/// `NUD_*` of `include/uapi/linux/neighbour.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NeighState {
    /// Asked, not answered yet.
    Incomplete,
    /// Confirmed lately.
    Reachable,
    /// Known, not confirmed lately.
    Stale,
    /// About to be confirmed.
    Delay,
    /// Being confirmed.
    Probe,
    /// Asked and not answered.
    Failed,
    /// The device needs no resolution.
    Noarp,
    /// Set by hand or by the agent; never asked about.
    Permanent,
    /// No state (proxy entries, or a number that is new to us).
    None,
}

impl Neigh {
    /// The kernel learned it by itself and can use it: such entries come and go
    /// with the traffic.
    pub fn is_learned(&self) -> bool {
        use NeighState::{Delay, Probe, Reachable, Stale};
        !self.proxy && matches!(self.state, Reachable | Stale | Delay | Probe)
    }
}

impl NeighState {
    /// True where somebody wrote it and the kernel never asks: it changes only
    /// where somebody changes it.
    pub fn is_given(self) -> bool {
        matches!(self, Self::Permanent | Self::Noarp)
    }

    /// True where the kernel would use the hardware address right away.
    pub fn is_usable(self) -> bool {
        !matches!(self, Self::Incomplete | Self::Failed | Self::None)
    }

    /// The word that `ip neighbour` prints.
    pub fn word(self) -> &'static str {
        match self {
            Self::Incomplete => "INCOMPLETE",
            Self::Reachable => "REACHABLE",
            Self::Stale => "STALE",
            Self::Delay => "DELAY",
            Self::Probe => "PROBE",
            Self::Failed => "FAILED",
            Self::Noarp => "NOARP",
            Self::Permanent => "PERMANENT",
            Self::None => "NONE",
        }
    }
}

impl fmt::Display for Neigh {
    /// The words of `ip neighbour`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dev {}", self.address, self.dev)?;
        if let Some(mac) = self.mac {
            write!(f, " lladdr {mac}")?;
        }
        if self.proxy { write!(f, " proxy") } else { write!(f, " {}", self.state.word()) }
    }
}
