//! What the agent and the server would choose, chosen here so that the same lab
//! comes out each time: priorities, ids, hardware addresses.

use crate::net::{Mac, RulePriority};
pub(super) use crate::neutron::pair_pool as pairs;
use crate::neutron::{FIP_PRIORITIES, Layout};

/// The priority of the `index`-th floating IP of the node: counted up in Juno,
/// else spread over the range as the agent's choice is, no number twice.
pub(super) fn priority(layout: Layout, index: u32) -> RulePriority {
    let start = *FIP_PRIORITIES.start();
    let size = FIP_PRIORITIES.end() - start + 1;
    // The step shares no factor with the size, so every number comes once.
    let offset = if layout == Layout::Juno { index } else { index.wrapping_mul(15_401).wrapping_add(24_713) };
    RulePriority(start + offset % size)
}

/// An id that looks like Neutron's, always the same for the same name.
pub(super) fn uuid(name: &str) -> String {
    let (a, b) = (hash(name, 1), hash(name, 2));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        (b >> 48) & 0xfff,
        b & 0xffff_ffff_ffff
    )
}

/// A hardware address of a port of Neutron's (`base_mac`), by number.
pub(super) fn port_mac(number: u32) -> Mac {
    let [_, b, c, d] = number.to_be_bytes();
    Mac([0xfa, 0x16, 0x3e, b, c, d])
}

/// A hardware address as the kernel would make one up, by name.
pub(super) fn kernel_mac(name: &str) -> Mac {
    let [_, _, mut mac @ ..] = hash(name, 3).to_be_bytes();
    // Local, and of a single device (IEEE 802).
    mac[0] = mac[0] & 0xfc | 0x02;
    Mac(mac)
}

/// FNV-1a, stirred (splitmix64's finish): enough to look random.
fn hash(name: &str, seed: u64) -> u64 {
    let fnv = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut z = fnv.wrapping_add(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_priority_comes_twice() {
        assert_eq!(priority(Layout::Juno, 0), RulePriority(32768));
        let all: BTreeSet<_> = (0..40_000).map(|index| priority(Layout::Pike, index)).collect();
        assert_eq!(all.len(), 40_000);
        assert!(all.iter().all(|priority| crate::neutron::is_fip_priority(*priority)));
    }

    #[test]
    fn ids_differ_where_device_names_are_cut() {
        let all: BTreeSet<String> =
            (0..1000).map(|n| uuid(&format!("router {n}")).chars().take(10).collect()).collect();
        assert_eq!(all.len(), 1000);
        assert_eq!(uuid("x").len(), 36);
        assert_eq!(kernel_mac("x").0[0] & 3, 2);
    }
}
