//! Where each link of a chain stands when the way is drawn from left to right:
//! one box a namespace, outbound above, inbound below. Pure geometry: drawing
//! and the mouse both ask it.

use unicode_width::UnicodeWidthStr;

use super::chain::{Place, outside};
use crate::net::NetnsName;
use crate::topology::{ChainLink, Direction, FloatingIp, LinkName, LinkState};

/// Rows that a diagram takes.
pub(super) const HEIGHT: u16 = 7;

/// Columns in front of the ways, for their labels.
const LABEL: u16 = 7;

/// What stands beyond the boxes where no link does.
pub(super) const OUTSIDE: &str = "outside";

/// A chain, laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diagram<'a> {
    /// The namespaces' boxes, left to right.
    pub boxes: Vec<NetnsBox<'a>>,
    /// The links, each way from left to right.
    pub cells: Vec<Cell>,
    /// The column where the world outside begins.
    pub outside: u16,
}

/// A namespace's box: its columns, borders included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NetnsBox<'a> {
    /// The namespace.
    pub namespace: &'a NetnsName,
    /// The column of the left border.
    pub left: u16,
    /// The column of the right border.
    pub right: u16,
}

/// A link's place in the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// Which link.
    pub place: Place,
    /// Its label.
    pub label: &'static str,
    /// The label's first column.
    pub x: u16,
    /// The label's width.
    pub width: u16,
}

/// What is drawn between two borders: nothing but the way's own ends outside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zone<'a> {
    Instance,
    Inside(&'a NetnsName),
    Outside,
}

/// The row of a direction's labels in the diagram; its marks are a row below.
pub(super) fn row(direction: Direction) -> u16 {
    match direction {
        Direction::Outbound => 1,
        Direction::Inbound => 4,
    }
}

/// The label of a link: its box tells the rest.
pub(super) fn label(link: LinkName) -> &'static str {
    match link {
        LinkName::Neighbour | LinkName::RfpNeighbour | LinkName::FprNeighbour => "neigh",
        LinkName::RfpAddress | LinkName::QgAddress => "addr",
        LinkName::FipRoute => "/32",
        LinkName::ProxyArp => "proxy",
        LinkName::SubnetRule => "rule",
        other => other.title(),
    }
}

/// Lays a chain out over so many columns; `None` where it does not fit.
pub(super) fn lay_out(fip: &FloatingIp, columns: u16) -> Option<Diagram<'_>> {
    let zones = zones(fip);
    let lanes = [lane(fip, Direction::Outbound), lane(fip, Direction::Inbound)];
    let least: Vec<u16> = zones
        .iter()
        .map(|zone| {
            let word = if *zone == Zone::Outside { OUTSIDE.len() } else { 0 };
            let word = u16::try_from(word).unwrap_or(0);
            lanes.iter().map(|lane| least(&here(*zone, lane))).fold(word, u16::max)
        })
        .collect();
    let gaps: Vec<u16> = zones
        .iter()
        .map(|zone| lanes.iter().map(|lane| here(*zone, lane).len().saturating_sub(1)).max().unwrap_or(0))
        .map(|gaps| u16::try_from(gaps).unwrap_or(u16::MAX))
        .collect();
    let boxes = zones.iter().filter(|zone| matches!(zone, Zone::Inside(_))).count();
    let between = u16::try_from(2 * zones.len().saturating_sub(1) + 4 * boxes).ok()?;
    let spare = columns.checked_sub(LABEL + 1 + between + least.iter().sum::<u16>())?;
    let mut diagram = Diagram { boxes: Vec::new(), cells: Vec::new(), outside: 0 };
    let mut x = LABEL;
    // More air between links is welcome, up to where it no longer reads as one way.
    let air = (spare / gaps.iter().sum::<u16>().max(1)).min(6);
    for (at, zone) in zones.iter().enumerate() {
        let width = least[at] + gaps[at] * air;
        let inner = match zone {
            Zone::Inside(namespace) => {
                diagram.boxes.push(NetnsBox { namespace, left: x, right: x + width + 3 });
                x + 2
            }
            Zone::Outside => {
                diagram.outside = x;
                x
            }
            Zone::Instance => x,
        };
        for lane in &lanes {
            spread(&here(*zone, lane), inner, width, &mut diagram.cells);
        }
        x = inner + width + if matches!(zone, Zone::Inside(_)) { 4 } else { 2 };
    }
    Some(diagram)
}

/// What of a lane stands in a zone.
fn here<'a>(zone: Zone, lane: &[Placed<'a>]) -> Vec<Placed<'a>> {
    lane.iter().copied().filter(|placed| zone_of(placed.link) == zone).collect()
}

#[derive(Clone, Copy)]
struct Placed<'a> {
    place: Place,
    link: &'a ChainLink,
}

/// A direction's links from left to right, whichever way the packets go.
fn lane(fip: &FloatingIp, direction: Direction) -> Vec<Placed<'_>> {
    let links = fip.links(direction).iter().enumerate();
    let mut lane: Vec<Placed> = links
        .filter(|(_, link)| link.state != LinkState::NotApplicable)
        .map(|(at, link)| Placed { place: (direction, at), link })
        .collect();
    if direction == Direction::Inbound {
        lane.reverse();
    }
    lane
}

fn zone_of(link: &ChainLink) -> Zone<'_> {
    match link.link {
        LinkName::Vm => Zone::Instance,
        LinkName::Gateway => Zone::Outside,
        _ => Zone::Inside(&link.namespace),
    }
}

fn zones(fip: &FloatingIp) -> Vec<Zone<'_>> {
    let mut inside: Vec<&NetnsName> = Vec::new();
    for lane in [lane(fip, Direction::Outbound), lane(fip, Direction::Inbound)] {
        for placed in lane.iter().filter(|placed| !outside(placed.link.link)) {
            if !inside.contains(&&placed.link.namespace) {
                inside.push(&placed.link.namespace);
            }
        }
    }
    let mut zones = vec![Zone::Instance];
    zones.extend(inside.into_iter().map(Zone::Inside));
    zones.push(Zone::Outside);
    zones
}

fn cell_width(link: &ChainLink) -> u16 {
    u16::try_from(label(link.link).width()).unwrap_or(u16::MAX)
}

/// The least columns for links with one column between each two.
fn least(links: &[Placed]) -> u16 {
    let widths: u16 = links.iter().map(|placed| cell_width(placed.link)).sum();
    widths + u16::try_from(links.len().saturating_sub(1)).unwrap_or(0)
}

/// Sets links from border to border, the space between them even.
fn spread(links: &[Placed], left: u16, width: u16, cells: &mut Vec<Cell>) {
    let labels: u16 = links.iter().map(|placed| cell_width(placed.link)).sum();
    let space = width.saturating_sub(labels);
    let gaps = u16::try_from(links.len().saturating_sub(1)).unwrap_or(0).max(1);
    let mut x = left;
    for (at, placed) in links.iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        let width = cell_width(placed.link);
        cells.push(Cell { place: placed.place, label: label(placed.link.link), x, width });
        x += width + space / gaps + u16::from(at < space % gaps);
    }
}
