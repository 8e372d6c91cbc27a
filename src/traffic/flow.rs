//! Flows: who talks to whom, how much, and as whom the other side sees it.

use std::collections::HashMap;

use super::count::Count;
use crate::path::{Class, Detail, Endpoint};
use crate::topology::Direction;

/// Flows that are told apart in an interval. Beyond, those with the fewest
/// packets are forgotten; how many packets they had is not.
const MOST: usize = 8192;

/// Flows of an interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FlowTable {
    flows: Vec<(FlowKey, Flow)>,
    /// Where they stand.
    places: HashMap<FlowKey, u32>,
    /// Packets of flows that were forgotten.
    pub(super) forgotten: u64,
}

/// One direction of a conversation, as it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    /// The router's number; by it, equal addresses of tenants differ.
    pub(super) router: usize,
    /// Another one where the node has changed meanwhile: then it is another flow.
    pub(super) class: Class,
    pub(super) proto: u8,
    pub(super) source: Endpoint,
    pub(super) destination: Endpoint,
}

/// What is known of a flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flow {
    pub(super) class: Class,
    pub(super) detail: Option<Detail>,
    /// Which way it goes.
    pub(super) direction: Direction,
    /// The floating IP's number.
    pub(super) fip: Option<usize>,
    pub(super) translated: Option<Endpoint>,
    /// Where it was counted, as classes are.
    pub(super) lanes: [Count; 3],
}

impl FlowTable {
    /// A flow; `new` describes one that is not known yet.
    pub(super) fn flow(&mut self, key: FlowKey, new: impl FnOnce() -> Flow) -> &mut Flow {
        let place = self.find(key, new);
        &mut self.flows[place as usize].1
    }

    /// All of them, those with the most packets first.
    pub(super) fn sorted(&self) -> Vec<(FlowKey, Flow)> {
        let mut all = self.flows.clone();
        let order = |(key, flow): &(FlowKey, Flow)| {
            let ends = [key.source, key.destination].map(|end| (end.address, end.port));
            (std::cmp::Reverse(flow.count()), key.proto, ends, key.router)
        };
        all.sort_by_key(order);
        all
    }

    /// Where a flow stands, a new one too.
    fn find(&mut self, key: FlowKey, new: impl FnOnce() -> Flow) -> u32 {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        if self.flows.len() >= MOST {
            self.thin();
        }
        self.flows.push((key, new()));
        self.stand(self.flows.len() - 1)
    }

    /// Remembers where a flow stands.
    fn stand(&mut self, at: usize) -> u32 {
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        self.places.insert(self.flows[at].0, place);
        place
    }

    /// Forgets the smaller half.
    fn thin(&mut self) {
        let mut all = self.sorted();
        let dropped = all.split_off(all.len() / 2);
        self.forgotten += dropped.iter().map(|(_, flow)| flow.count().packets).sum::<u64>();
        self.flows = all;
        self.places.clear();
        for at in 0..self.flows.len() {
            self.stand(at);
        }
    }
}

impl Flow {
    /// What another device tells of it: the port on the subnet does not know of each
    /// translation that the gateway port does.
    pub(super) fn learn(&mut self, other: &Self) {
        self.fip = self.fip.or(other.fip);
        self.translated = self.translated.or(other.translated);
        self.detail = self.detail.or(other.detail);
    }

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
        let flow = || Flow {
            class: Class::Fip,
            detail: None,
            direction: Direction::Outbound,
            fip: None,
            translated: None,
            lanes: [Count::default(); 3],
        };
        let end = |number: u32| Endpoint { address: number.into(), port: Some(1) };
        let one = Count { packets: 1, bytes: 60 };
        for number in 0..100_000_u32 {
            let key = FlowKey { router: 0, class: Class::Fip, proto: 17, source: end(number), destination: end(1) };
            table.flow(key, flow).lanes[0] += one;
            let large = FlowKey { source: end(number % 3), ..key };
            table.flow(large, flow).lanes[0] += one;
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
