//! The picture of a router's three classes: a lane each, through the boxes of
//! the namespaces. Pure geometry and words.

use unicode_width::UnicodeWidthStr;

use super::{Band, RouterView};
use crate::net::{IfName, NetnsName, TableId, printable};
use crate::path::{Stage, Way};

/// Rows that a picture takes.
pub(in crate::tui) const HEIGHT: u16 = 7;

/// Columns of the classes' names.
const TITLE: u16 = 13;

/// A picture, laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) struct Picture {
    /// The lanes, one a class.
    pub lanes: [Lane; 3],
    /// The column where the words in front of the boxes begin.
    pub left: u16,
    /// The router namespace's box: its two borders.
    pub first: (u16, u16),
    /// The boxes behind it: their two borders.
    pub second: (u16, u16),
    /// The router namespace.
    pub inside: Option<NetnsName>,
}

/// One class's way, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::tui) struct Lane {
    /// Where it comes from.
    pub from: String,
    /// What happens in the router namespace, in order.
    pub first: Vec<String>,
    /// The namespace behind it, and what happens there.
    pub second: Option<(NetnsName, Vec<String>)>,
    /// To whom it goes.
    pub to: String,
    /// That is on another node.
    pub elsewhere: bool,
    /// Something in place of a way.
    pub note: Option<String>,
}

/// How much a lane says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Devices and priorities in full.
    Full,
    /// Kinds of devices.
    Kinds,
    /// Kinds of devices and short numbers.
    Short,
}

/// Lays the picture out over so many columns; `None` where it does not fit.
pub(in crate::tui) fn picture(view: &RouterView, columns: u16) -> Option<Picture> {
    view.glance.as_ref()?;
    [Detail::Full, Detail::Kinds, Detail::Short].into_iter().find_map(|detail| arrange(view, detail, columns))
}

fn arrange(view: &RouterView, detail: Detail, columns: u16) -> Option<Picture> {
    let lanes = Band::ALL.map(|band| lane(band, view.shown(band), detail));
    let widest = |width: &dyn Fn(&Lane) -> usize| u16::try_from(lanes.iter().map(width).max().unwrap_or(0)).ok();
    let from = widest(&|lane| lane.from.width())?;
    let first = widest(&|lane| joined(&lane.first))?.max(20);
    let second = widest(&|lane| lane.second.as_ref().map_or(0, |(_, words)| joined(words)))?;
    let to = widest(&|lane| lane.to.width())?;
    let left = 1 + TITLE;
    let first = (left + from + 2, left + from + 2 + first + 3);
    let second = if second == 0 { (first.1, first.1) } else { (first.1 + 3, first.1 + 3 + second.max(18) + 3) };
    (second.1 + 3 + to < columns).then(|| {
        let inside = Band::ALL.iter().find_map(|band| Some(view.shown(*band)?.stages.first()?.namespace.clone()));
        Picture { lanes, left, first, second, inside }
    })
}

/// Columns of words with a rail between each two.
fn joined(words: &[String]) -> usize {
    words.iter().map(|word| word.width()).sum::<usize>() + 3 * words.len().saturating_sub(1)
}

fn lane(band: Band, way: Option<&Way>, detail: Detail) -> Lane {
    let Some(way) = way else { return Lane { note: Some(band.none().to_owned()), ..Lane::default() } };
    let of = way.of.map_or_else(|| "?".to_owned(), network);
    let last = way.stages.last();
    let next = last.and_then(Stage::to).map_or_else(|| "?".to_owned(), |address| address.to_string());
    let (from, to) = match band {
        Band::EastWest => ("a subnet".to_owned(), of),
        Band::Snat | Band::Fip => (of, next),
    };
    let mut stages = way.stages.iter();
    let first = stages.next().map(|stage| words(stage, detail)).unwrap_or_default();
    let second = stages.next().map(|stage| (stage.namespace.clone(), words(stage, detail)));
    Lane { from, first, second, to, elsewhere: way.elsewhere.is_some(), note: None }
}

/// What one namespace does, a word a station.
fn words(stage: &Stage, detail: Detail) -> Vec<String> {
    let device = |name: &IfName| match detail {
        Detail::Full => printable(name.as_str(), 16),
        Detail::Kinds | Detail::Short => printable(name.as_str().split('-').next().unwrap_or_default(), 16),
    };
    let mut enters: Vec<String> = stage.enters.iter().map(device).collect();
    enters.dedup();
    let enters = match enters.len() {
        0 => "no device".to_owned(),
        1 | 2 => enters.join("|"),
        many => format!("{many} devices"),
    };
    let mut words = vec![enters, decided(stage, detail)];
    words.extend(stage.translated.map(|(_, after)| match detail {
        Detail::Short => "SNAT".to_owned(),
        Detail::Full | Detail::Kinds => format!("SNAT {after}"),
    }));
    words.push(stage.leaves().map_or_else(|| "no route".to_owned(), device));
    words
}

fn decided(stage: &Stage, detail: Detail) -> String {
    let Some(rule) = &stage.rule else { return "no rule".to_owned() };
    match (rule.table(), detail) {
        (None, _) => format!("rule {}", rule.priority),
        (Some(table), Detail::Short) if table.0 > 999 => "own table".to_owned(),
        (Some(table), Detail::Short) => table_word(table),
        (Some(table), _) => format!("{} → {}", rule.priority, table_word(table)),
    }
}

/// `main`, `table 16`.
pub(super) fn table_word(table: TableId) -> String {
    match table {
        TableId::MAIN | TableId::LOCAL | TableId::DEFAULT => table.to_string(),
        other => format!("table {other}"),
    }
}

/// A network, or one host's address.
fn network(net: ipnet::IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}
