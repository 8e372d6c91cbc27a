//! The chain screen's state: which floating IP, which link of it is selected,
//! and the rows that its links are listed in.

use super::overview::FipId;
use super::state::Node;
use super::walk::{Asked, Ends, answer, walks};
use super::words::{Mark, fault};
use crate::net::NetnsName;
use crate::topology::{ChainLink, Direction, FloatingIp, LinkName};

/// One floating IP's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Whose.
    pub fip: FipId,
    /// The selected link; `None` stands for the faulty one, else the first.
    pub selected: Option<LinkId>,
    /// How many lines of the evidence are scrolled away.
    pub scroll: usize,
    /// What becomes of a packet on its way out, and in, where that goes wrong.
    pub ends: [Option<String>; 2],
}

/// Which link: survives readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkId {
    /// In which direction.
    pub direction: Direction,
    /// Its name.
    pub link: LinkName,
    /// How many of that name come before it.
    pub nth: usize,
}

/// Which link, by its place in this reading.
pub(super) type Place = (Direction, usize);

/// One row of a direction's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChainRow<'a> {
    /// Links of a namespace follow.
    Namespace(&'a NetnsName),
    /// A link, and whether it is the last one in its namespace's box.
    Link {
        /// Its place in the direction.
        at: usize,
        /// The link.
        link: &'a ChainLink,
        /// Where it stands in the box around its namespace.
        inside: Inside,
    },
}

/// A row's place in the box of its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    /// Outside of any: the instance, the gateway.
    Nothing,
    /// Others follow.
    Middle,
    /// The last one.
    Last,
}

impl Chain {
    /// The chain of a floating IP; what is broken is selected.
    pub fn of(fip: FipId) -> Self {
        Self { fip, selected: None, scroll: 0, ends: [None, None] }
    }

    /// The place of the selected link; `None` for a chain without links.
    pub fn place(&self, fip: &FloatingIp) -> Option<Place> {
        let named = self.selected.and_then(|id| {
            let mut same =
                fip.links(id.direction).iter().enumerate().filter(|(_, link)| link.link == id.link).map(|(at, _)| at);
            Some((id.direction, same.nth(id.nth)?))
        });
        named.or_else(|| initial(fip))
    }

    /// Finds out what becomes of the packets.
    pub(super) fn walk(&mut self, node: &Node) {
        self.ends = [false, true].map(|inbound| {
            let asked = Asked::new(Ends::Fip { id: self.fip.clone(), inbound });
            let wanted = if inbound { None } else { self.fip.floating };
            let walks = walks(node, &asked).ok()?;
            let (mark, text) = answer(&walks.forth, wanted);
            (mark < Mark::Ok).then_some(text)
        });
    }

    /// What becomes of a direction's packets, where that goes wrong.
    pub fn end(&self, direction: Direction) -> Option<&str> {
        self.ends[usize::from(direction == Direction::Inbound)].as_deref()
    }

    /// Selects the link at a place.
    pub fn select(&mut self, fip: &FloatingIp, (direction, at): Place) {
        let links = fip.links(direction);
        let Some(link) = links.get(at) else { return };
        let nth = links[..at].iter().filter(|before| before.link == link.link).count();
        self.selected = Some(LinkId { direction, link: link.link, nth });
        self.scroll = 0;
    }

    /// Moves through the links in the order of the packets, from outbound on to
    /// inbound.
    pub fn step(&mut self, fip: &FloatingIp, by: isize) {
        let all: Vec<Place> = places(fip).collect();
        let Some(last) = all.len().checked_sub(1) else { return };
        let now = self.place(fip).and_then(|place| all.iter().position(|other| *other == place)).unwrap_or(0);
        self.select(fip, all[now.saturating_add_signed(by).min(last)]);
    }

    /// Turns to the other direction, to the same link where it has it.
    pub fn turn(&mut self, fip: &FloatingIp) {
        let Some((direction, at)) = self.place(fip) else { return };
        let other = opposite(direction);
        let here = &fip.links(direction)[at];
        let there = fip.links(other);
        let same = there.iter().position(|link| link.link == here.link);
        let near = || there.iter().position(|link| link.namespace == here.namespace);
        if let Some(to) = same.or_else(near).or((!there.is_empty()).then_some(0)) {
            self.select(fip, (other, to));
        }
    }
}

/// The other direction.
pub(super) fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Outbound => Direction::Inbound,
        Direction::Inbound => Direction::Outbound,
    }
}

/// All links, outbound first, in the order of the packets.
fn places(fip: &FloatingIp) -> impl Iterator<Item = Place> {
    let of = |direction| (0..fip.links(direction).len()).map(move |at| (direction, at));
    of(Direction::Outbound).chain(of(Direction::Inbound))
}

fn initial(fip: &FloatingIp) -> Option<Place> {
    let faulty = fault(fip).and_then(|(direction, link)| {
        let at = fip.links(direction).iter().position(|other| std::ptr::eq(other, link))?;
        Some((direction, at))
    });
    faulty.or_else(|| places(fip).next())
}

/// The worst mark of a direction.
pub(super) fn worst(links: &[ChainLink]) -> Mark {
    links.iter().map(Mark::from).min().unwrap_or(Mark::None)
}

/// A direction's links as rows, with a row above each namespace's.
pub(super) fn rows(links: &[ChainLink]) -> Vec<ChainRow<'_>> {
    let mut rows = Vec::with_capacity(links.len() + 4);
    let mut open: Option<&NetnsName> = None;
    for (at, link) in links.iter().enumerate() {
        let boxed = (!outside(link.link)).then_some(&link.namespace);
        if let Some(namespace) = boxed.filter(|_| boxed != open) {
            rows.push(ChainRow::Namespace(namespace));
        }
        open = boxed;
        let goes_on = links.get(at + 1).is_some_and(|next| !outside(next.link) && next.namespace == link.namespace);
        let inside = match boxed {
            None => Inside::Nothing,
            Some(_) if goes_on => Inside::Middle,
            Some(_) => Inside::Last,
        };
        rows.push(ChainRow::Link { at, link, inside });
    }
    rows
}

/// The instance and the gateway stand in no namespace of the agent.
pub(super) fn outside(link: LinkName) -> bool {
    matches!(link, LinkName::Vm | LinkName::Gateway)
}

/// The command with which an operator sees the object of a link.
pub(super) fn command(link: &ChainLink) -> String {
    link.object.command(&link.namespace)
}
