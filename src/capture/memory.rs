//! How much memory each ring takes, so that all of them together stay below a bound.

use super::MOST;

/// Memory of all rings together, in bytes, and of each at most.
const ALL: usize = 64 << 20;
const EACH: usize = 16 << 20;
/// The smallest ring. As much is set aside for each namespace that may still come.
const LEAST: usize = 64 << 10;

/// Bytes of a block: some 60 to 2,000 frames. Under a flood we are woken once a
/// block.
const SMALLEST: usize = 16 << 10;
const LARGEST: usize = 512 << 10;
/// So many blocks, where they are not the smallest: with few the kernel waits for
/// us while it could write.
const BLOCKS: usize = 32;

/// Bytes for each of so many new rings at most, where others are open and take so
/// much. Two thirds of what is spare, the rest is for those that come later.
pub(super) fn share(new: usize, open: usize, taken: usize) -> usize {
    let places = MOST.saturating_sub(open);
    let spare = ALL.saturating_sub(taken + places * LEAST);
    let given = if new < places { spare / 3 * 2 } else { spare };
    (LEAST + given / new.clamp(1, places.max(1))).min(EACH)
}

/// Bytes of a block, and the number of blocks, of a ring that takes so many bytes
/// at most. The kernel wants whole pages, and takes a power of two of them
/// whatever it is asked for (`get_order`).
pub(super) fn blocks(memory: usize, page: usize) -> (usize, usize) {
    let wanted = (memory / BLOCKS).clamp(SMALLEST, LARGEST);
    let block = (1_usize << wanted.ilog2()).max(page);
    (block, (memory / block).max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However namespaces come and go, all rings stay below the bound, and no place is without one.
        #[test]
        fn all_rings_stay_below_the_bound(
            steps in proptest::collection::vec((any::<bool>(), 1..40_usize), 1..60),
            large in any::<bool>(),
        ) {
            let page = if large { 64 << 10 } else { 4 << 10 };
            let mut rings: Vec<usize> = Vec::new();
            for (grow, number) in steps {
                if !grow {
                    rings.drain(..number.min(rings.len()));
                    continue;
                }
                let memory = share(number, rings.len(), rings.iter().sum());
                let (block, blocks) = blocks(memory, page);
                prop_assert!(block.is_power_of_two() && block % page == 0 && block * blocks <= memory);
                prop_assert!((LEAST..=EACH).contains(&memory));
                let room = number.min(MOST - rings.len());
                rings.extend(vec![block * blocks; room]);
                prop_assert!(rings.iter().sum::<usize>() <= ALL, "{} rings", rings.len());
            }
        }
    }

    #[test]
    fn one_by_one_and_at_once() {
        let mut taken = 0;
        for open in 0..MOST {
            let (block, blocks) = blocks(share(1, open, taken), 4 << 10);
            assert!(blocks >= 4, "{open}: {blocks} of {block}");
            taken += block * blocks;
        }
        assert!(taken <= ALL, "{taken}");
        assert_eq!(blocks(share(1, 0, 0), 4 << 10), (512 << 10, 32), "one alone has the largest ring");
        let each = share(MOST, 0, 0);
        assert_eq!(each * MOST, ALL, "where no more can come nothing is set aside");
        assert_eq!(share(1000, 0, 0), each, "no more than may come count");
    }
}
