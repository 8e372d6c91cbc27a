//! The first line: where one is, how old the picture is, how many are broken;
//! and the line about a reading that failed.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::pen::{Pen, cut};
use crate::net::{Agent, Observed, printable};
use crate::tui::recording;
use crate::tui::state::{Node, Screen, State};
use crate::tui::words::{Mark, Tally, ago, short, short_netns, span};

/// Characters of a node's name at most, and those that are left of it at least
/// before something else is told in fewer words.
const NAME: usize = 40;
const NAME_CUT: usize = 8;
/// What stands around the last place and the age at least: ` › … › `, blanks.
const CRUMB: usize = 10;
/// Stands for the places in the middle that there is no room for.
const CUT: &str = "…";

pub(super) fn header(state: &State, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let counts = state.node.as_ref().map_or_else(Vec::new, |node| counted(node, area.width));
    let width = counts.iter().map(|(_, text)| text.len()).sum::<usize>() + 2 * counts.len() + 1;
    let width = u16::try_from(width).unwrap_or(u16::MAX);
    let room = if area.width >= width + 24 { area.width - width } else { area.width };
    let mut pen = Pen::new(buffer, Rect { width: room.saturating_sub(1), ..area });
    pen.write(" ", theme.text).write("fipscope", theme.name);
    if let Some(node) = &state.node {
        let mut places: Vec<String> = state.above.iter().map(place).collect();
        let (name, age) = fitted(state, node, &mut places, usize::from(pen.room()));
        if places.is_empty() {
            pen.write("  ", theme.text).fit(&name, theme.text);
            for part in facts(state, node, age) {
                if usize::from(pen.room()) > part.chars().count() + 2 {
                    pen.write("  ", theme.text).write(&part, theme.dim);
                }
            }
        } else {
            for place in std::iter::once(&name).chain(&places).filter(|place| !place.is_empty()) {
                pen.write(" › ", theme.dim).fit(place, theme.text);
            }
            if usize::from(pen.room()) > age.chars().count() + 2 {
                pen.write("  ", theme.text).write(&age, theme.dim);
            }
        }
    }
    if room < area.width {
        let mut pen = Pen::new(buffer, Rect { x: area.x + room, width: area.width - room, ..area });
        for (mark, text) in counts {
            let style = if text.starts_with(" 0") { theme.dim } else { mark.style(theme) };
            pen.write(mark.glyph(), style).write(&text, style).write(" ", theme.text);
        }
    }
}

/// The node's name, and how old the picture is. Of a recording the moment is told
/// in any case: the name gives way first, then the moment's own words, then the
/// places that led here, and the end of the last one.
fn fitted(state: &State, node: &Node, places: &mut Vec<String>, room: usize) -> (String, String) {
    let name = |most| printable(&node.snapshot.node, most);
    let moments = match told_age(state, node) {
        Age::Told(age) => return (crumbs(places, &name(NAME), &age, room), age),
        Age::Moment(at) => recording::moment(state, at),
    };
    let [.., shortest] = &moments;
    let left = |places: &[String], moment: &String| {
        // Two blanks before the age, and one behind it.
        let crumbs = if places.is_empty() { 2 } else { 3 + places.iter().map(|it| it.width() + 3).sum::<usize>() };
        room.saturating_sub(crumbs + moment.width() + 3)
    };
    while places.len() > 1 && left(places, shortest) == 0 {
        places.remove(0);
    }
    let is_full = left(places, shortest) == 0;
    if let ([last], true) = (&mut places[..], is_full) {
        *last = cut(last, room.saturating_sub(CRUMB + shortest.width())).into_owned();
    }
    let whole = name(NAME).width();
    let fits = |moment: &&String| left(places, moment) >= whole.min(NAME_CUT);
    let moment = moments.iter().find(fits).unwrap_or(shortest);
    (cut(&name(NAME), left(places, moment).max(1)).into_owned(), moment.clone())
}

/// What is left of the node's name beside an age that is told in one way only: the
/// places in the middle give way first, one mark for all of them, then the name,
/// and the end of the last place.
fn crumbs(places: &mut Vec<String>, name: &str, age: &str, room: usize) -> String {
    let Some(last) = places.last().map(|last| last.width()) else { return name.to_owned() };
    // Where one is comes before how old that is.
    let tail = if room < last.min(NAME_CUT) + age.width() + 6 { 1 } else { age.width() + 3 };
    let left =
        |places: &[String]| room.saturating_sub(3 + places.iter().map(|it| it.width() + 3).sum::<usize>() + tail);
    let wanted = name.width().min(2 * NAME_CUT);
    if places.len() > 1 && left(places) < wanted {
        CUT.clone_into(&mut places[0]);
        while places.len() > 2 && left(places) < wanted {
            places.remove(1);
        }
        if left(places) < name.width().min(NAME_CUT) {
            places.remove(0);
        }
    }
    let left = left(places);
    if let ([last], 0) = (&mut places[..], left) {
        *last = cut(last, room.saturating_sub(3 + tail)).into_owned();
    }
    if left == 0 { String::new() } else { cut(name, left).into_owned() }
}

/// Where a screen is, for the breadcrumb.
fn place(screen: &Screen) -> String {
    match screen {
        Screen::Chain(chain) => chain.fip.label(),
        Screen::Namespace(namespace) => short_netns(namespace.name.as_str()),
        Screen::Router(view) => format!("router {}", short(&view.id)),
        Screen::Walk(walking) => super::walk::place(walking),
        Screen::Findings(_) => "findings".to_owned(),
        Screen::Page(page) => page.code.to_string(),
        Screen::Form(_) => "associate".to_owned(),
        Screen::Proposal(_) => "plan".to_owned(),
        Screen::Journal(_) => "journal".to_owned(),
        Screen::Traffic(_) => "traffic".to_owned(),
        Screen::Flow(_) => "flow".to_owned(),
        Screen::Errand(_) => "probe".to_owned(),
        Screen::Events(_) => "events".to_owned(),
        Screen::Tracked(_) => "connections".to_owned(),
    }
}

/// Root causes by kind; those that there are none of only where there is room.
fn counted(node: &Node, width: u16) -> Vec<(Mark, String)> {
    let counts = node.judged.counts;
    let all = [(Mark::Broken, counts.errors), (Mark::Degraded, counts.warnings), (Mark::Unknown, counts.unknown)];
    let shown = all.into_iter().filter(|(_, number)| width >= 60 || *number > 0);
    shown.map(|(mark, number)| (mark, format!(" {number} "))).collect()
}

pub(super) fn error(state: &State, area: Rect, buffer: &mut Buffer) {
    if let Some(coming) = state.coming.as_ref().filter(|_| state.error.is_none()) {
        return super::timeline::coming(state, coming, area, buffer);
    }
    match (&state.frozen, &state.recording) {
        (_, Some(recording)) if state.error.is_none() => {
            return super::timeline::recording(state, recording, area, buffer);
        }
        (Some(frozen), None) => return super::timeline::banner(state, frozen, area, buffer),
        _ => {}
    }
    let (mark, text) = match (&state.error, &state.unwatched) {
        (Some(why), _) => {
            let old = if state.node.is_some() { "; what is shown is older" } else { "" };
            let first = why.lines().next().unwrap_or_default();
            (Mark::Broken, format!("the node could not be read: {first}{old}"))
        }
        (None, Some(why)) => (Mark::Degraded, format!("not live: {why}; R reads again")),
        (None, None) => match &state.unfinished {
            Some(unfinished) => left(state, unfinished),
            None => return,
        },
    };
    let theme = &state.theme;
    let mut pen = Pen::new(buffer, area);
    pen.write(" ", theme.text).mark(mark, theme).write(" ", theme.text);
    pen.fit(&text, theme.banner);
}

/// A change that has no end, and what can be done about it.
fn left(state: &State, (id, intent): &(u64, String)) -> (Mark, String) {
    let intent = printable(intent, 200);
    let text = match &state.busy {
        Some(who) => format!("change {id} is being made by {}: {intent}", printable(who, 200)),
        None => format!("change {id} was left unfinished: J takes it back or completes it ({intent})"),
    };
    (Mark::Unknown, text)
}

/// Counts that are not zero, the worst first; all fine counts too.
pub(super) fn tally(state: &State, counts: Tally, pen: &mut Pen) {
    for (mark, count) in counts.counts().into_iter().filter(|(_, count)| *count > 0) {
        pen.mark(mark, &state.theme).write(&format!(" {count}  "), mark.style(&state.theme));
    }
}

/// Columns that [`tally`] takes.
pub(super) fn tally_width(counts: Tally) -> u16 {
    let shown = counts.counts().into_iter().filter(|(_, count)| *count > 0);
    let width: usize = shown.map(|(_, count)| count.to_string().len() + 4).sum();
    u16::try_from(width).unwrap_or(u16::MAX / 2)
}

fn facts(state: &State, node: &Node, age: String) -> Vec<String> {
    let mut facts = Vec::new();
    let agent = &node.snapshot.host.agent;
    let is_recording = state.recording.is_some();
    facts.extend(is_recording.then(|| age.clone()));
    facts.extend(agent.seen().and_then(|agent| agent.mode.as_ref()).map(|mode| printable(mode, 20)));
    facts.push(match agent {
        Observed::Seen(Agent { uptime: Some(seconds), .. }) => format!("agent up {}", span(*seconds)),
        Observed::Seen(_) => "agent runs".to_owned(),
        Observed::Absent => "no agent runs".to_owned(),
        Observed::Unreadable(_) => "agent unknown".to_owned(),
    });
    facts.extend((!is_recording).then_some(age));
    facts.extend(super::traffic::header(state));
    let source = &node.snapshot.source;
    if !source.is_empty() && source != "kernel" {
        facts.push(format!("from {}", printable(source, 40)));
    }
    facts
}

/// How old the picture is.
enum Age {
    Told(String),
    /// The moment of a recording.
    Moment(Timestamp),
}

fn told_age(state: &State, node: &Node) -> Age {
    let frozen = state.frozen.as_ref();
    if state.recording.is_some() && !state.reading && state.coming.is_none() {
        return Age::Moment(frozen.map_or(node.snapshot.taken_at, |frozen| frozen.at));
    }
    Age::Told(reading_age(state, node))
}

fn reading_age(state: &State, node: &Node) -> String {
    if state.coming.is_some() {
        return "judging…".to_owned();
    }
    if let Some(frozen) = &state.frozen {
        return format!("frozen, as of {}", ago(frozen.at, state.now));
    }
    if state.reading {
        return "reading…".to_owned();
    }
    if state.probing {
        return "asking the wire…".to_owned();
    }
    if let Some(round) = &state.announcing {
        return format!("announced {}/{}", round.number, round.of);
    }
    match &state.watching {
        Some(watching) => watching.words(state.now),
        None => format!("read {}", ago(node.snapshot.taken_at, state.now)),
    }
}
