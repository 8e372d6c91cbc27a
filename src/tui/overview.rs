//! The overview's state: which rows there are, in which order, and which one is
//! selected. Rows are made here, when something changes, never while drawing.

mod rows;

use std::net::IpAddr;

pub use rows::{Heading, Row, Section};

use super::list::List;
use super::state::Node;
use super::words::Tally;
use crate::net::NetnsName;
use crate::topology::{FloatingIp, Topology};

/// The overview.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// The order.
    pub sort: Sort,
    /// Only what holds all of these words.
    pub filter: String,
    /// Cursor and scroll offset.
    pub list: List,
    /// What the cursor stands on; it survives whatever moves the rows.
    pub selected: Option<RowId>,
    /// The rows, ready to be drawn.
    pub rows: Vec<Row>,
    /// How wide the address columns must be.
    pub widths: Widths,
    /// All floating IPs of the node by state, filtered or not.
    pub tally: Tally,
}

/// An order of the floating IPs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sort {
    /// By which column.
    pub key: SortKey,
    /// The other way round.
    pub reverse: bool,
}

/// The columns that can be sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// The floating IP, as a number.
    #[default]
    FloatingIp,
    /// The fixed IP, as a number.
    FixedIp,
    /// The router's id.
    Router,
    /// The rule's priority.
    Rule,
    /// The state, the worst first.
    State,
}

impl SortKey {
    /// Every key, in the order of the columns.
    pub const ALL: [Self; 5] = [Self::FloatingIp, Self::FixedIp, Self::Router, Self::Rule, Self::State];

    /// The column's title.
    pub fn title(self) -> &'static str {
        match self {
            Self::FloatingIp => "floating IP",
            Self::FixedIp => "fixed IP",
            Self::Router => "router",
            Self::Rule => "rule → table",
            Self::State => "state",
        }
    }

    /// The next one, round and round.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|key| *key == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// Columns that are as wide as what stands in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Widths {
    /// Floating IPs.
    pub floating: u16,
    /// Fixed IPs.
    pub fixed: u16,
}

/// Which floating IP: survives readings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FipId {
    /// The external network's id.
    pub network: Option<String>,
    /// The router's id.
    pub router: String,
    /// The floating IP.
    pub floating: Option<IpAddr>,
    /// The fixed IP.
    pub fixed: Option<IpAddr>,
}

/// Which row: survives readings, sorting and filtering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowId {
    /// A floating IP.
    Fip(FipId),
    /// A router without floating IPs.
    Router(String),
    /// Something that could not be read.
    Blind(Option<NetnsName>, String),
}

impl From<&FloatingIp> for FipId {
    fn from(fip: &FloatingIp) -> Self {
        Self {
            network: fip.external_network.clone(),
            router: fip.router.clone(),
            floating: fip.floating_ip,
            fixed: fip.fixed_ip,
        }
    }
}

impl FipId {
    /// The floating IP itself, or the one that it has become: the same floating
    /// IP on the same router with another fixed IP, or the other way round.
    pub fn find<'a>(&self, topology: &'a Topology) -> Option<&'a FloatingIp> {
        topology.fips().find(|fip| self.is(fip)).or_else(|| {
            topology.fips().find(|fip| {
                fip.router == self.router
                    && ((fip.floating_ip.is_some() && fip.floating_ip == self.floating)
                        || (fip.fixed_ip.is_some() && fip.fixed_ip == self.fixed))
            })
        })
    }

    fn is(&self, fip: &FloatingIp) -> bool {
        fip.floating_ip == self.floating
            && fip.fixed_ip == self.fixed
            && fip.router == self.router
            && fip.external_network == self.network
    }

    /// The address that people call it by.
    pub fn label(&self) -> String {
        match (self.floating, self.fixed) {
            (Some(address), _) => address.to_string(),
            (None, Some(address)) => format!("fixed {address}"),
            (None, None) => format!("router {}", super::words::short(&self.router)),
        }
    }
}

impl Overview {
    /// Makes the rows anew; the cursor stays with what it stood on.
    pub fn rebuild(&mut self, node: &Node, height: usize) {
        let topology = &*node.topology;
        rows::build(self, node);
        let at = self.selected.as_ref().and_then(|id| {
            let exact = self.rows.iter().position(|row| row.is(topology, id));
            exact.or_else(|| self.successor(topology, id))
        });
        let count = self.rows.len();
        if let Some(at) = at {
            self.list.follow(at, height, count);
        } else {
            // At first the cursor is on a floating IP, whatever stands above.
            let first = self.rows.iter().position(|row| matches!(row, Row::Fip(_)));
            let to = if self.selected.is_none() { first.unwrap_or(0) } else { self.list.cursor };
            self.list.go(to, height, count, |row| self.rows[row].selectable());
        }
        self.remember(topology);
    }

    /// Moves the cursor to a row, or the nearest that can be selected.
    pub fn go(&mut self, to: usize, topology: &Topology, height: usize) {
        self.list.go(to, height, self.rows.len(), |row| self.rows[row].selectable());
        self.remember(topology);
    }

    /// Moves the cursor by rows.
    pub fn step(&mut self, by: isize, topology: &Topology, height: usize) {
        self.go(self.list.cursor.saturating_add_signed(by), topology, height);
    }

    /// The row under the cursor.
    pub fn current(&self) -> Option<&Row> {
        self.rows.get(self.list.cursor).filter(|row| row.selectable())
    }

    /// The floating IP under the cursor.
    pub fn current_fip<'a>(&self, topology: &'a Topology) -> Option<&'a FloatingIp> {
        match self.current()? {
            Row::Fip(index) => topology.fip(*index),
            _ => None,
        }
    }

    /// Writes down what the cursor stands on.
    pub fn remember(&mut self, topology: &Topology) {
        self.selected = self.current().and_then(|row| row.id(topology));
    }

    /// A floating IP that took the place of the selected one.
    fn successor(&self, topology: &Topology, id: &RowId) -> Option<usize> {
        let RowId::Fip(id) = id else { return None };
        let id = RowId::Fip(FipId::from(id.find(topology)?));
        self.rows.iter().position(|row| row.is(topology, &id))
    }
}
