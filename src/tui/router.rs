//! The router screen's state: one router's three classes of traffic at a
//! glance, and which way of them is selected.

mod lanes;

use std::net::IpAddr;

use ipnet::IpNet;

pub(super) use lanes::{HEIGHT, Lane, Picture, picture};

use super::list::List;
use super::state::Node;
use crate::path::{Class, Glance, Way};
use crate::topology::{FloatingIp, Topology};

/// One router at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterView {
    /// Its id.
    pub id: String,
    /// Its classes; `None` where it is not on the node any more.
    pub glance: Option<Glance>,
    /// The rows of its ways.
    pub rows: Vec<WayRow>,
    /// Cursor and scroll offset.
    pub list: List,
    /// The way under the cursor; it survives readings.
    pub selected: Option<WayId>,
}

/// The three classes that the founding article tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// Between the router's subnets.
    EastWest,
    /// Out with the router's address.
    Snat,
    /// Out with a floating IP.
    Fip,
}

/// One row of the list of ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayRow {
    /// The ways of a class follow.
    Heading(Band),
    /// A way, by its place in its class.
    Way(Band, usize),
    /// The class has none.
    Empty(Band),
}

/// Which way: its class, whose, and what its source becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayId(Band, Option<IpNet>, Option<IpAddr>);

impl Band {
    /// Every class, from the top.
    pub const ALL: [Self; 3] = [Self::EastWest, Self::Snat, Self::Fip];

    /// The same in the words of the engine.
    pub fn class(self) -> Class {
        match self {
            Self::EastWest => Class::EastWest,
            Self::Snat => Class::Snat,
            Self::Fip => Class::Fip,
        }
    }

    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Self::EastWest => "east-west",
            Self::Snat => "SNAT",
            Self::Fip => "floating IP",
        }
    }

    /// What it is, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::EastWest => "to another subnet of the router, addresses stay",
            Self::Snat => "out with the router's address",
            Self::Fip => "out with the instance's own public address",
        }
    }

    /// Why there may be none.
    pub fn none(self) -> &'static str {
        match self {
            Self::EastWest => "none: the router has one subnet here",
            Self::Snat => "none: the router has no subnet here",
            Self::Fip => "none on this node",
        }
    }

    /// Its ways.
    pub fn ways(self, glance: &Glance) -> &[Way] {
        match self {
            Self::EastWest => &glance.east_west,
            Self::Snat => &glance.snat,
            Self::Fip => &glance.fip,
        }
    }
}

impl RouterView {
    /// A router, its first way selected.
    pub fn of(id: String, node: &Node) -> Self {
        let mut view = Self { id, glance: None, rows: Vec::new(), list: List::default(), selected: None };
        view.rebuild(node, usize::MAX);
        view
    }

    /// Makes the rows anew; the cursor stays with its way.
    pub fn rebuild(&mut self, node: &Node, height: usize) {
        let router = node.topology.router(&self.id);
        self.glance = router.map(|router| Glance::of(&node.snapshot, &node.topology, router));
        self.rows = self.glance.as_ref().map(rows).unwrap_or_default();
        let at = self.selected.and_then(|id| self.rows.iter().position(|row| self.way_id(*row) == Some(id)));
        match at {
            Some(at) => self.list.follow(at, height, self.rows.len()),
            None => self.go(self.list.cursor, height),
        }
        self.remember();
    }

    /// Moves the cursor to a row, or the nearest that can be selected.
    pub fn go(&mut self, to: usize, height: usize) {
        self.list.go(to, height, self.rows.len(), |row| matches!(self.rows[row], WayRow::Way(..)));
        self.remember();
    }

    /// Moves the cursor to the first way of the next class that has any,
    /// negative to the one before.
    pub fn turn(&mut self, by: isize, height: usize) {
        let Some((now, _)) = self.current() else { return };
        let at = Band::ALL.iter().position(|band| *band == now).unwrap_or(0);
        let mut others: Vec<Band> = if by > 0 { Band::ALL[at + 1..].to_vec() } else { Band::ALL[..at].to_vec() };
        if by < 0 {
            others.reverse();
        }
        let first = |band: Band| self.rows.iter().position(|row| *row == WayRow::Way(band, 0));
        if let Some(to) = others.into_iter().find_map(first) {
            self.go(to, height);
        }
    }

    /// The way under the cursor, by its place in its class.
    pub fn current(&self) -> Option<(Band, usize)> {
        match self.rows.get(self.list.cursor)? {
            WayRow::Way(band, at) => Some((*band, *at)),
            WayRow::Heading(_) | WayRow::Empty(_) => None,
        }
    }

    /// The way of a class that the picture shows: the selected one, else the first.
    pub fn shown(&self, band: Band) -> Option<&Way> {
        let ways = band.ways(self.glance.as_ref()?);
        let at = self.current().filter(|(now, _)| *now == band).map_or(0, |(_, at)| at);
        ways.get(at)
    }

    /// The floating IP of the way under the cursor.
    pub fn current_fip<'a>(&self, topology: &'a Topology) -> Option<&'a FloatingIp> {
        let (Band::Fip, at) = self.current()? else { return None };
        topology.fips().filter(|fip| fip.router == self.id).nth(at)
    }

    fn way_id(&self, row: WayRow) -> Option<WayId> {
        let WayRow::Way(band, at) = row else { return None };
        let way = band.ways(self.glance.as_ref()?).get(at)?;
        let becomes = way.stages.iter().find_map(|stage| stage.translated).map(|(_, after)| after);
        Some(WayId(band, way.of, becomes))
    }

    fn remember(&mut self) {
        self.selected = self.rows.get(self.list.cursor).and_then(|row| self.way_id(*row));
    }
}

fn rows(glance: &Glance) -> Vec<WayRow> {
    let of = |band: Band| {
        let count = band.ways(glance).len();
        let empty = (count == 0).then_some(WayRow::Empty(band));
        let ways = (0..count).map(move |at| WayRow::Way(band, at));
        std::iter::once(WayRow::Heading(band)).chain(empty).chain(ways)
    };
    Band::ALL.into_iter().flat_map(of).collect()
}
