//! Comparing two lists: by key where the objects have one, by place where the
//! order counts.

use std::collections::BTreeMap;

/// What became of one element of a keyed list.
pub(super) type Pair<T> = (Option<T>, Option<T>);

/// Elements of the same key are the same object. What is equal on both sides is
/// left out; what is left over under one key counts as changed, pair by pair.
pub(super) fn keyed<T: Clone, K: Ord>(
    before: &[T],
    after: &[T],
    key: impl Fn(&T) -> K,
    same: impl Fn(&T, &T) -> bool,
) -> Vec<Pair<T>> {
    let mut groups: BTreeMap<K, (Vec<&T>, Vec<&T>)> = BTreeMap::new();
    for item in before {
        groups.entry(key(item)).or_default().0.push(item);
    }
    for item in after {
        let (old, new) = groups.entry(key(item)).or_default();
        match old.iter().position(|candidate| same(candidate, item)) {
            Some(at) => drop(old.remove(at)),
            None => new.push(item),
        }
    }
    let mut pairs = Vec::new();
    for (old, new) in groups.into_values() {
        let count = old.len().max(new.len());
        let (mut old, mut new) = (old.into_iter().cloned(), new.into_iter().cloned());
        pairs.extend((0..count).map(|_| (old.next(), new.next())));
    }
    pairs
}

/// For lists in which elements of one key count in the order in which they
/// came, as new ones always come last: what goes and what comes, key by key.
/// What stays is the longest beginning of the new order that the old one has;
/// the rest goes and comes again, as one would have to do it on the node.
pub(super) fn in_order<T: Clone + PartialEq, K: Ord>(
    before: &[T],
    after: &[T],
    key: impl Fn(&T) -> K,
) -> impl Iterator<Item = (Vec<T>, Vec<T>)> {
    let mut groups: BTreeMap<K, (Vec<T>, Vec<T>)> = BTreeMap::new();
    for item in before {
        groups.entry(key(item)).or_default().0.push(item.clone());
    }
    for item in after {
        groups.entry(key(item)).or_default().1.push(item.clone());
    }
    groups.into_values().map(|(old, new)| {
        let mut wanted = new.iter().peekable();
        let gone: Vec<T> = old.iter().filter(|item| wanted.next_if_eq(item).is_none()).cloned().collect();
        let came: Vec<T> = wanted.cloned().collect();
        // Removing takes the first of equal elements, which may be the wrong one.
        let mut rest = old.clone();
        for item in &gone {
            remove_first(&mut rest, |candidate| candidate == item);
        }
        rest.extend(came.iter().cloned());
        if rest == new { (gone, came) } else { (old, new) }
    })
}

/// Takes the first element out that is it.
pub(super) fn remove_first<T>(list: &mut Vec<T>, is_it: impl Fn(&T) -> bool) {
    if let Some(at) = list.iter().position(is_it) {
        list.remove(at);
    }
}

/// One step that leads from one ordered list to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit<T> {
    /// The element at this place goes.
    Remove(usize, T),
    /// This element comes, and has this place then.
    Insert(usize, T),
}

/// The shortest way from one ordered list to another: removals from the end,
/// then insertions from the beginning. Beyond a size nobody has, the middle is
/// replaced as a whole, so that time and memory stay bounded.
pub(super) fn edits<T: Clone>(before: &[T], after: &[T], same: impl Fn(&T, &T) -> bool) -> Vec<Edit<T>> {
    const CELLS: usize = 4_000_000;
    let head = before.iter().zip(after).take_while(|(b, a)| same(b, a)).count();
    let (old, new) = (&before[head..], &after[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(b, a)| same(b, a)).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    let kept = if old.len().saturating_mul(new.len()) > CELLS { Vec::new() } else { common(old, new, &same) };
    let mut steps = Vec::new();
    for at in (0..old.len()).rev().filter(|at| !kept.iter().any(|(b, _)| b == at)) {
        steps.push(Edit::Remove(head + at, old[at].clone()));
    }
    for at in (0..new.len()).filter(|at| !kept.iter().any(|(_, a)| a == at)) {
        steps.push(Edit::Insert(head + at, new[at].clone()));
    }
    steps
}

/// The places of a longest common subsequence.
fn common<T>(old: &[T], new: &[T], same: impl Fn(&T, &T) -> bool) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    let mut length = vec![0_u32; (old.len() + 1) * width];
    for b in (0..old.len()).rev() {
        for a in (0..new.len()).rev() {
            length[b * width + a] = if same(&old[b], &new[a]) {
                length[(b + 1) * width + a + 1] + 1
            } else {
                length[(b + 1) * width + a].max(length[b * width + a + 1])
            };
        }
    }
    let (mut b, mut a, mut kept) = (0, 0, Vec::new());
    while b < old.len() && a < new.len() {
        if same(&old[b], &new[a]) {
            kept.push((b, a));
            (b, a) = (b + 1, a + 1);
        } else if length[(b + 1) * width + a] >= length[b * width + a + 1] {
            b += 1;
        } else {
            a += 1;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_inserted_element_is_one_edit() {
        assert_eq!(edits(&[1, 2, 3], &[1, 9, 2, 3], PartialEq::eq), [Edit::Insert(1, 9)]);
        assert_eq!(edits(&[1, 2, 3], &[1, 3], PartialEq::eq), [Edit::Remove(1, 2)]);
    }

    proptest! {
        #[test]
        fn edits_lead_there(before in prop::collection::vec(0..5_u8, 0..12), after in prop::collection::vec(0..5_u8, 0..12)) {
            let mut list = before.clone();
            for edit in edits(&before, &after, PartialEq::eq) {
                match edit {
                    Edit::Remove(at, item) => prop_assert_eq!(list.remove(at), item),
                    Edit::Insert(at, item) => list.insert(at, item),
                }
            }
            prop_assert_eq!(list, after);
        }
    }
}
