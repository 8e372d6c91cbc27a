//! Flows: who talks to whom, how much, and as whom the other side sees it.

use std::collections::HashMap;

use super::count::Count;
use crate::path::{Class, Detail, Endpoint};

/// Flows that are told apart in an interval. Beyond, those with the fewest
/// packets are forgotten; how many packets they had is not.
const MOST: usize = 8192;

/// Flows of an interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FlowTable {
    flows: HashMap<FlowKey, Flow>,
    /// Packets of flows that were forgotten.
    pub(super) forgotten: u64,
}

/// One direction of a conversation, as it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    /// The router's number; by it, equal addresses of tenants differ.
    pub(super) router: usize,
    pub(super) proto: u8,
    pub(super) source: Endpoint,
    pub(super) destination: Endpoint,
}

/// What is known of a flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flow {
    pub(super) class: Class,
    pub(super) detail: Option<Detail>,
    /// The floating IP's number.
    pub(super) fip: Option<usize>,
    pub(super) translated: Option<Endpoint>,
    /// Where it was counted, as classes are.
    pub(super) lanes: [Count; 3],
}

impl FlowTable {
    /// Adds to a flow; `new` describes one that is not known yet.
    pub(super) fn add(&mut self, key: FlowKey, lane: usize, count: Count, new: impl FnOnce() -> Flow) {
        if self.flows.len() >= MOST && !self.flows.contains_key(&key) {
            self.thin();
        }
        self.flows.entry(key).or_insert_with(new).lanes[lane] += count;
    }

    /// All of them, those with the most packets first.
    pub(super) fn sorted(&self) -> Vec<(FlowKey, Flow)> {
        let mut all: Vec<(FlowKey, Flow)> = self.flows.iter().map(|(key, flow)| (*key, *flow)).collect();
        let order = |(key, flow): &(FlowKey, Flow)| {
            let ends = [key.source, key.destination].map(|end| (end.address, end.port));
            (std::cmp::Reverse(flow.count()), key.proto, ends, key.router)
        };
        all.sort_by_key(order);
        all
    }

    /// Forgets the smaller half.
    fn thin(&mut self) {
        let all = self.sorted();
        let (keep, drop) = all.split_at(all.len() / 2);
        self.forgotten += drop.iter().map(|(_, flow)| flow.count().packets).sum::<u64>();
        self.flows = keep.iter().copied().collect();
    }
}

impl Flow {
    /// Its packets, each once.
    pub(super) fn count(&self) -> Count {
        let [only, near, far] = self.lanes;
        only + near.max(far)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_bounded_and_keeps_the_large_ones() {
        let mut table = FlowTable::default();
        let flow =
            || Flow { class: Class::Fip, detail: None, fip: None, translated: None, lanes: [Count::default(); 3] };
        let end = |number: u32| Endpoint { address: number.into(), port: Some(1) };
        let one = Count { packets: 1, bytes: 60 };
        for number in 0..100_000_u32 {
            let key = FlowKey { router: 0, proto: 17, source: end(number), destination: end(1) };
            table.add(key, 0, one, flow);
            let large = FlowKey { source: end(number % 3), ..key };
            table.add(large, 0, one, flow);
        }
        assert!(table.flows.len() <= MOST);
        let sorted = table.sorted();
        assert!(
            sorted[..3].iter().all(|(key, flow)| key.source.address.to_bits() < 3 && flow.count().packets > 33_000)
        );
        let kept: u64 = sorted.iter().map(|(_, flow)| flow.count().packets).sum();
        assert_eq!(kept + table.forgotten, 200_000);
    }
}
