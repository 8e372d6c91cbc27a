//! What the host's side says of floating IPs and ports, and what it was asked.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use crate::net::{RulePriority, Snapshot};
use crate::neutron::{AllocationLine, DEAD_VLAN, priority_lines};

/// The lines of `fip-priorities`, and the ports that Open vSwitch keeps on the
/// dead VLAN. What it answers is remembered, as other readings answer otherwise.
#[derive(Default)]
pub(super) struct HostFacts {
    by_address: HashMap<IpAddr, Vec<RulePriority>>,
    by_priority: HashMap<RulePriority, Vec<IpAddr>>,
    dead_ports: HashSet<String>,
    answers: RefCell<Answers>,
}

/// Questions with the answers to them.
#[derive(Debug, Default)]
pub(super) struct Answers {
    priorities: BTreeMap<IpAddr, Vec<RulePriority>>,
    addresses: BTreeMap<RulePriority, Vec<IpAddr>>,
    dead_ports: BTreeMap<String, bool>,
}

impl HostFacts {
    /// Reads them.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut facts = Self::default();
        let lines = snapshot.host.priority_file.seen().into_iter().flat_map(priority_lines);
        for entry in lines.filter_map(AllocationLine::entry) {
            facts.by_address.entry(entry.floating_ip).or_default().push(entry.priority);
            facts.by_priority.entry(entry.priority).or_default().push(entry.floating_ip);
        }
        let ports = snapshot.host.ovs.seen().into_iter().flat_map(|ovs| &ovs.ports);
        let dead = ports.filter(|port| port.tag == Some(DEAD_VLAN));
        facts.dead_ports.extend(dead.map(|port| port.name.clone()));
        facts
    }

    /// The priorities that the file has for a floating IP.
    pub(super) fn priorities(&self, floating_ip: IpAddr) -> &[RulePriority] {
        let found = self.by_address.get(&floating_ip).map_or(&[][..], Vec::as_slice);
        self.answers.borrow_mut().priorities.entry(floating_ip).or_insert_with(|| found.to_vec());
        found
    }

    /// The floating IPs that the file has for a priority.
    pub(super) fn addresses(&self, priority: RulePriority) -> &[IpAddr] {
        let found = self.by_priority.get(&priority).map_or(&[][..], Vec::as_slice);
        self.answers.borrow_mut().addresses.entry(priority).or_insert_with(|| found.to_vec());
        found
    }

    /// True for a port that Open vSwitch keeps on the dead VLAN.
    pub(super) fn is_dead_port(&self, device: &str) -> bool {
        let is_dead = self.dead_ports.contains(device);
        self.answers.borrow_mut().dead_ports.entry(device.to_owned()).or_insert(is_dead);
        is_dead
    }

    /// What was answered since the last time that this was asked.
    pub(super) fn take_answers(&self) -> Answers {
        self.answers.take()
    }

    /// Whether it would answer all of that the same.
    pub(super) fn agrees(&self, answers: &Answers) -> bool {
        answers.priorities.iter().all(|(address, answer)| self.priorities(*address) == answer)
            && answers.addresses.iter().all(|(priority, answer)| self.addresses(*priority) == answer)
            && answers.dead_ports.iter().all(|(port, answer)| self.is_dead_port(port) == *answer)
    }
}
