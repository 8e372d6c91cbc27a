//! Where each station of a walk stands when the way is drawn: one box a
//! namespace, instances to the left, the world outside to the right. Pure
//! geometry: drawing and the mouse both ask it.

use unicode_width::UnicodeWidthStr;

use super::station::Station;
use crate::net::NetnsName;
use crate::path::Walk;
use crate::tui::diagram::NetnsBox;

/// Rows that a picture takes: the boxes, and the packet below them.
pub(in crate::tui) const HEIGHT: u16 = 5;

/// Columns between two boxes.
const BETWEEN: u16 = 2;

/// Columns that a border and the space beside it take.
const BORDER: u16 = 2;

/// Columns between two stations at most: more no longer reads as one way.
const AIR: u16 = 6;

/// A walk, laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) struct Picture<'a> {
    /// The namespaces' boxes, left to right.
    pub boxes: Vec<NetnsBox<'a>>,
    /// The stations, in the order of the walk.
    pub cells: Vec<Cell>,
}

/// A station's place in the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) struct Cell {
    /// The label's first column.
    pub x: u16,
    /// The label's width.
    pub width: u16,
    /// Its label.
    pub label: String,
}

/// Stations between two borders, or beyond all boxes.
struct Zone<'a> {
    namespace: Option<&'a NetnsName>,
    /// Places of the stations, from left to right.
    stations: Vec<usize>,
}

/// Lays a walk out over so many columns; `None` where it does not fit.
pub(in crate::tui) fn lay_out<'a>(
    walk: &'a Walk,
    stations: &[Station],
    leftward: bool,
    columns: u16,
) -> Option<Picture<'a>> {
    let zones = zones(walk, stations, leftward);
    let long = |station: &Station| station.label.clone();
    let short = |station: &Station| station.short.clone();
    arrange(&zones, stations, columns, 3, long).or_else(|| arrange(&zones, stations, columns, 1, short))
}

fn zones<'a>(walk: &'a Walk, stations: &[Station], leftward: bool) -> Vec<Zone<'a>> {
    let mut zones: Vec<Zone<'a>> = Vec::new();
    let mut open = None;
    for (at, station) in stations.iter().enumerate() {
        if at == 0 || open != station.hop {
            open = station.hop;
            let namespace = station.hop.and_then(|hop| Some(&walk.hops.get(hop)?.namespace));
            zones.push(Zone { namespace, stations: Vec::new() });
        }
        if let Some(zone) = zones.last_mut() {
            zone.stations.push(at);
        }
    }
    if leftward {
        zones.reverse();
        for zone in &mut zones {
            zone.stations.reverse();
        }
    }
    zones
}

/// With `least` columns or more between two stations of a box.
fn arrange<'a>(
    zones: &[Zone<'a>],
    stations: &[Station],
    columns: u16,
    least: u16,
    label: impl Fn(&Station) -> String,
) -> Option<Picture<'a>> {
    let labels: Vec<String> = stations.iter().map(label).collect();
    let width = |at: usize| u16::try_from(labels[at].width()).unwrap_or(u16::MAX);
    let texts = (0..labels.len()).map(width).fold(0, u16::saturating_add);
    let boxes = u16::try_from(zones.iter().filter(|zone| zone.namespace.is_some()).count()).ok()?;
    let gaps = u16::try_from(zones.iter().map(|zone| zone.stations.len().saturating_sub(1)).sum::<usize>()).ok()?;
    let between = BETWEEN.saturating_mul(u16::try_from(zones.len().saturating_sub(1)).ok()?);
    let fixed = texts.saturating_add(boxes.saturating_mul(2 * BORDER)).saturating_add(between).saturating_add(2);
    let spare = columns.checked_sub(fixed)?;
    let gap = spare.checked_div(gaps).map_or(AIR, |gap| gap.min(AIR));
    if gap < least {
        return None;
    }
    let empty = Cell { x: 0, width: 0, label: String::new() };
    let mut picture = Picture { boxes: Vec::new(), cells: vec![empty; stations.len()] };
    let mut x = 1;
    for zone in zones {
        let left = x;
        if zone.namespace.is_some() {
            x += BORDER;
        }
        for (nth, at) in zone.stations.iter().enumerate() {
            x += if nth > 0 { gap } else { 0 };
            picture.cells[*at] = Cell { x, width: width(*at), label: labels[*at].clone() };
            x += width(*at);
        }
        if let Some(namespace) = zone.namespace {
            x += BORDER;
            picture.boxes.push(NetnsBox { namespace, left, right: x - 1 });
        }
        x += BETWEEN;
    }
    Some(picture)
}
