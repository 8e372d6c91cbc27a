//! The L3 agent's names, numbers, chains and allocation files: parse and
//! format, with the releases that each holds for.
//!
//! Pure: imports `net` only.

mod allocation;
mod chain;
mod name;
mod number;
mod pool;
mod release;

use serde::{Deserialize, Serialize};

pub use allocation::{AllocationLine, NotAnEntry, PairEntry, PriorityEntry, pair_lines, priority_lines};
pub use chain::{AgentPrefix, FILTER_TOP, POSTROUTING_BOTTOM, plain_jump};
pub use name::{DEVICE_NAME_LENGTH, DeviceKind, NamespaceKind, RouterPrefix, parse_device, parse_namespace};
pub use number::{
    DEAD_VLAN, FAST_EXIT_PRIORITY, FIP_PRIORITIES, FIP_TABLE, HA_NETWORK, HA_PRIMARY_NETWORK, LINK_LOCAL_POOL,
    LINK_LOCAL_POOL_OLD, LinkLocalPair, METADATA_ADDRESS, is_fip_priority, table_of,
};
pub use pool::{pair_pool, priority_pool};
pub use release::{NotARelease, Reason, Release, ReleaseRange};

/// How a router's floating IPs are laid out, told apart by what stands on the
/// node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Juno to Mitaka 8.2: the floating IP is a /32 on rfp.
    Juno,
    /// Mitaka 8.3 to Newton 9.2: no /32 on rfp, default route still in main.
    Newton,
    /// Newton 9.3, Ocata 10 and later: a table per router in the fip namespace.
    Pike,
}

impl Layout {
    /// The word, as the command line and JSON have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Juno => "juno",
            Self::Newton => "newton",
            Self::Pike => "pike",
        }
    }
}
