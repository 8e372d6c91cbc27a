//! What the agent and the server would choose, chosen here so that the same lab
//! comes out each time: pairs, priorities, ids, hardware addresses.

use std::net::Ipv4Addr;

use crate::net::{Mac, RulePriority};
use crate::neutron::{FIP_PRIORITIES, LINK_LOCAL_POOL, LINK_LOCAL_POOL_OLD, Layout, LinkLocalPair};

/// The pairs in the order in which a fresh node hands them out: the first ones
/// as Python's sets give them (2.7 for Juno and Newton, 3.8 and later for Pike's
/// layout), then the others of the pool in order.
pub(super) fn pairs(layout: Layout) -> impl Iterator<Item = LinkLocalPair> {
    let (pool, first): (_, &[[u8; 2]]) = match layout {
        Layout::Juno => (LINK_LOCAL_POOL_OLD, &[[31, 28], [31, 238], [30, 20], [31, 142], [31, 88]]),
        Layout::Newton => (LINK_LOCAL_POOL, &[[106, 114], [109, 46], [93, 94], [95, 212], [93, 80]]),
        Layout::Pike => (LINK_LOCAL_POOL, &[[88, 134], [112, 144], [127, 192], [120, 2], [77, 246], [93, 38]]),
    };
    let first: Vec<LinkLocalPair> =
        first.iter().map(|[c, d]| LinkLocalPair::of(Ipv4Addr::new(169, 254, *c, *d))).collect();
    let taken = first.clone();
    let others = (u32::from(pool.network())..=u32::from(pool.broadcast()))
        .step_by(2)
        .map(|bits| LinkLocalPair::of(Ipv4Addr::from_bits(bits)))
        .filter(move |pair| !taken.contains(pair));
    first.into_iter().chain(others)
}

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
    fn the_first_pairs_are_those_of_real_nodes() {
        let first = |layout| pairs(layout).next().map(|pair| pair.to_string());
        assert_eq!(first(Layout::Juno).as_deref(), Some("169.254.31.28/31"));
        assert_eq!(first(Layout::Newton).as_deref(), Some("169.254.106.114/31"));
        assert_eq!(first(Layout::Pike).as_deref(), Some("169.254.88.134/31"));
        for (layout, size) in [(Layout::Juno, 256), (Layout::Newton, 8192), (Layout::Pike, 8192)] {
            let all: BTreeSet<_> = pairs(layout).collect();
            assert_eq!((all.len(), pairs(layout).count()), (size, size), "{layout:?}");
        }
    }

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
