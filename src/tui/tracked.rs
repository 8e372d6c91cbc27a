//! The tracked connections of a floating IP: as the kernel has them, those first
//! that a new connection would not be like.

use std::cmp::Reverse;
use std::net::IpAddr;

use super::list::List;
use super::overview::FipId;
use super::state::Node;
use crate::check::Today;
use crate::net::{ConntrackEntry, NetnsName};

/// Connections of one namespace, of those that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracked {
    /// The namespace.
    pub namespace: NetnsName,
    /// Its connections with the addresses asked for, or why they could not be
    /// read.
    pub entries: Result<Vec<ConntrackEntry>, String>,
    /// How many more there were than are told of.
    pub left_out: usize,
}

/// The screen of one floating IP's connections.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedView {
    /// Whose.
    pub fip: FipId,
    /// What was read; `None` while it is read.
    pub read: Option<Vec<Tracked>>,
    /// The connections, ready to be drawn.
    pub rows: Vec<TrackedRow>,
    /// Cursor and scroll offset.
    pub list: List,
}

/// A connection.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedRow {
    /// Where it is tracked.
    pub namespace: NetnsName,
    /// As the kernel has it.
    pub entry: ConntrackEntry,
    /// The translation that it has and a new one would not get.
    pub outlived: Option<(IpAddr, IpAddr)>,
}

impl TrackedView {
    /// Nothing is read yet.
    pub fn of(fip: FipId) -> Self {
        Self { fip, read: None, rows: Vec::new(), list: List::default() }
    }

    /// The namespaces in which the floating IP's connections are tracked.
    pub(super) fn places(&self, node: &Node) -> Vec<NetnsName> {
        let router = node.topology.router(&self.fip.router);
        let names = router.into_iter().flat_map(|router| [router.namespace.clone(), router.snat_namespace.clone()]);
        names.flatten().collect()
    }

    /// The addresses of its connections.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        [self.fip.floating, self.fip.fixed].into_iter().flatten().collect()
    }

    /// Compares what was read with a node's translations; the cursor stays with
    /// its connection.
    pub fn rebuild(&mut self, node: &Node, height: usize) {
        let topology = &node.topology;
        let today = topology.router(&self.fip.router).map(|router| Today::of(router, topology.fips()));
        let before = self.current().map(|row| row.entry.original.clone());
        let read = self.read.iter().flatten();
        let all = read.filter_map(|place| Some((&place.namespace, place.entries.as_ref().ok()?)));
        self.rows = all
            .flat_map(|(namespace, entries)| entries.iter().map(move |entry| (namespace, entry)))
            .map(|(namespace, entry)| TrackedRow {
                namespace: namespace.clone(),
                entry: entry.clone(),
                outlived: today.as_ref().and_then(|today| today.outlived(entry).into_iter().flatten().next()),
            })
            .collect();
        self.rows.sort_by_cached_key(|row| {
            (row.outlived.is_none(), Reverse(row.packets()), row.entry.original.clone(), row.entry.zone)
        });
        let same = before.and_then(|original| self.rows.iter().position(|row| row.entry.original == original));
        match same {
            Some(at) => self.list.follow(at, height, self.rows.len()),
            None => self.list.go(self.list.cursor, height, self.rows.len(), |_| true),
        }
    }

    /// Moves the cursor by rows, negative upward.
    pub fn step(&mut self, by: isize, height: usize) {
        self.list.step(by, height, self.rows.len(), |_| true);
    }

    /// The connection under the cursor.
    pub fn current(&self) -> Option<&TrackedRow> {
        self.rows.get(self.list.cursor)
    }
}

impl TrackedRow {
    /// Packets both ways, where the kernel counts them.
    pub fn packets(&self) -> Option<u64> {
        let (original, reply) = (self.entry.original_count?, self.entry.reply_count?);
        Some(original.0.saturating_add(reply.0))
    }
}
