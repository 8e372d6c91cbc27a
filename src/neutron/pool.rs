//! What the agent allocates from, in the order in which it does.

use std::net::Ipv4Addr;

use crate::net::RulePriority;

use super::{FIP_PRIORITIES, LINK_LOCAL_POOL, LINK_LOCAL_POOL_OLD, Layout, LinkLocalPair};

/// The pairs in the order in which a fresh node hands them out: the first ones
/// as Python's sets give them (2.7 for Juno and Newton, 3.8 and later for Pike's
/// layout), then the others of the pool in order.
pub fn pair_pool(layout: Layout) -> impl Iterator<Item = LinkLocalPair> {
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

/// The priorities in the order in which to try them for a floating IP: counted
/// up in Juno and Kilo, as Python 2.7 gave them in Newton's time; since then the
/// agent's choice is random, and ours follows from the address.
pub fn priority_pool(layout: Layout, floating_ip: Ipv4Addr) -> impl Iterator<Item = RulePriority> {
    let (start, end) = (*FIP_PRIORITIES.start(), *FIP_PRIORITIES.end());
    let first: &[u32] = if layout == Layout::Newton { &[57481, 57480, 57483, 57482] } else { &[] };
    let offset = match layout {
        Layout::Pike => floating_ip.to_bits().wrapping_mul(15_401) % (end - start + 1),
        Layout::Juno | Layout::Newton => 0,
    };
    let all = (start + offset..=end).chain(start..start + offset);
    first.iter().copied().chain(all.filter(|priority| !first.contains(priority))).map(RulePriority)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_first_pairs_are_those_of_real_nodes() {
        let first = |layout| pair_pool(layout).next().map(|pair| pair.to_string());
        assert_eq!(first(Layout::Juno).as_deref(), Some("169.254.31.28/31"));
        assert_eq!(first(Layout::Newton).as_deref(), Some("169.254.106.114/31"));
        assert_eq!(first(Layout::Pike).as_deref(), Some("169.254.88.134/31"));
        for (layout, size) in [(Layout::Juno, 256), (Layout::Newton, 8192), (Layout::Pike, 8192)] {
            let all: BTreeSet<_> = pair_pool(layout).collect();
            assert_eq!((all.len(), pair_pool(layout).count()), (size, size), "{layout:?}");
        }
    }

    #[test]
    fn every_priority_comes_once() {
        let address = Ipv4Addr::new(192, 168, 1, 3);
        for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
            let all: BTreeSet<_> = priority_pool(layout, address).collect();
            assert_eq!((all.len(), priority_pool(layout, address).count()), (40_000, 40_000), "{layout:?}");
        }
        assert_eq!(priority_pool(Layout::Juno, address).next(), Some(RulePriority(32768)));
        assert_eq!(priority_pool(Layout::Newton, address).next(), Some(RulePriority(57481)));
    }
}
