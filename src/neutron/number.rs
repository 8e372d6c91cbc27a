//! Fixed numbers, and numbers derived from addresses (`dvr_fip_ns.py`,
//! `dvr_local_router.py`, `link_local_allocator.py`, neutron-lib's constants).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net};

use crate::net::{RulePriority, TableId};

/// The router namespace's table for floating IPs (`FIP_RT_TBL`).
pub const FIP_TABLE: TableId = TableId(16);

/// Priorities of `from FIXED lookup 16` (`FIP_PR_START`, `FIP_PR_END` exclusive).
pub const FIP_PRIORITIES: RangeInclusive<u32> = 32768..=72767;

/// The priority of "fast exit" rules, for subnets in the external network's own
/// address scope (`FAST_PATH_EXIT_PR`, from Pike).
pub const FAST_EXIT_PRIORITY: RulePriority = RulePriority(80000);

/// Link-local pairs come from here since 9.0.0 (also 8.1.0, 7.1.0).
pub const LINK_LOCAL_POOL: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 64, 0), 18);

/// Link-local pairs came from here before.
pub const LINK_LOCAL_POOL_OLD: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 30, 0), 23);

/// The network that `ha-` ports are on.
pub const HA_NETWORK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 192, 0), 18);

/// The address of `ha-` that only the primary has, `169.254.0.<vr_id>`.
pub const HA_PRIMARY_NETWORK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 24);

/// The metadata service's address.
pub const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The VLAN of Open vSwitch ports that the L2 agent has not wired yet.
pub const DEAD_VLAN: u16 = 4095;

/// True for a priority that the agent gives to `from FIXED lookup 16`.
pub fn is_fip_priority(priority: RulePriority) -> bool {
    FIP_PRIORITIES.contains(&priority.0)
}

/// The number of the table, and of the rule that leads to it, which the agent
/// derives from an address with its prefix length (`_get_snat_idx`): for IPv4
/// the address itself, host bits kept; for IPv6 a folded CRC-32 of its text.
///
/// ```
/// use fipscope::net::TableId;
/// use fipscope::neutron::table_of;
///
/// assert_eq!(table_of("10.0.0.1/24".parse()?), TableId(167_772_161));
/// assert_eq!(table_of("2001:db8:a::1/64".parse()?), TableId(501_678_224));
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
pub fn table_of(net: IpNet) -> TableId {
    match net {
        IpNet::V4(net) => TableId(net.addr().to_bits()),
        IpNet::V6(net) => {
            let crc = crc32(net.to_string().as_bytes());
            let folded = (crc >> 30) ^ (crc & 0x3fff_ffff);
            TableId(if folded < *FIP_PRIORITIES.start() { folded + 0x3fff_ffff } else { folded })
        }
    }
}

/// A router's link-local pair: the even address is rfp's, the odd one fpr's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkLocalPair(Ipv4Addr);

impl LinkLocalPair {
    /// The pair that an address belongs to.
    pub fn of(address: Ipv4Addr) -> Self {
        Self(Ipv4Addr::from_bits(address.to_bits() & !1))
    }

    /// The pair of a /31; `None` for anything else.
    pub fn of_net(net: IpNet) -> Option<Self> {
        match net {
            IpNet::V4(net) if net.prefix_len() == 31 => Some(Self::of(net.addr())),
            _ => None,
        }
    }

    /// The address of `rfp-`, in the router namespace.
    pub fn rfp(self) -> IpAddr {
        self.0.into()
    }

    /// The address of `fpr-`, in the fip namespace.
    pub fn fpr(self) -> IpAddr {
        Ipv4Addr::from_bits(self.0.to_bits() | 1).into()
    }

    /// The router's own table in the fip namespace (from 9.3.0).
    pub fn table(self) -> TableId {
        TableId(self.0.to_bits() | 1)
    }

    /// True where it comes from one of the pools that the agent ever had.
    pub fn is_from_a_pool(self) -> bool {
        LINK_LOCAL_POOL.contains(&self.0) || LINK_LOCAL_POOL_OLD.contains(&self.0)
    }

    /// True where it comes from the pool of old.
    pub fn is_from_old_pool(self) -> bool {
        LINK_LOCAL_POOL_OLD.contains(&self.0)
    }
}

impl fmt::Display for LinkLocalPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/31", self.0)
    }
}

/// CRC-32 as zlib has it; a table would be faster, and nobody would notice.
fn crc32(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_numbered_by_address() {
        for (net, table) in [
            ("10.0.0.1/24", 167_772_161),
            ("20.0.0.1/24", 335_544_321),
            ("192.168.10.1/24", 3_232_238_081),
            ("169.254.31.29/31", 2_852_003_613),
            ("169.254.106.115/31", 2_852_022_899),
            ("169.254.88.135/31", 2_852_018_311),
            ("2001:db8:a::1/64", 501_678_224),
            ("fd00:192:0:2::1/64", 238_628_222),
        ] {
            assert_eq!(table_of(net.parse().unwrap()), TableId(table), "{net}");
        }
    }

    #[test]
    fn the_even_address_is_the_router_side() {
        let pair = LinkLocalPair::of_net("169.254.88.135/31".parse().unwrap()).unwrap();
        assert_eq!(pair.to_string(), "169.254.88.134/31");
        assert_eq!(pair.rfp().to_string(), "169.254.88.134");
        assert_eq!(pair.fpr().to_string(), "169.254.88.135");
        assert_eq!(pair.table(), TableId(2_852_018_311));
        assert!(pair.is_from_a_pool() && !pair.is_from_old_pool());
        assert!(LinkLocalPair::of(Ipv4Addr::new(169, 254, 31, 28)).is_from_old_pool());
        assert!(!LinkLocalPair::of(Ipv4Addr::new(169, 254, 169, 254)).is_from_a_pool());
        assert_eq!(LinkLocalPair::of_net("169.254.88.134/30".parse().unwrap()), None);
    }

    #[test]
    fn priorities_end_before_72768() {
        for (priority, within) in [(32767, false), (32768, true), (72767, true), (72768, false), (80000, false)] {
            assert_eq!(is_fip_priority(RulePriority(priority)), within, "{priority}");
        }
    }
}
