//! The last line: the keys that work here, a short message, or what is being
//! typed; and above it what the input could become.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

use super::pen::Pen;
use crate::tui::goto::{WORDS, candidates as completions, find};
use crate::tui::keymap::{Command, Context, keys_text};
use crate::tui::proposal::Stage;
use crate::tui::state::{Prompt, Purpose, Screen, State};
use crate::tui::traffic::TrafficRow;

/// Matches that are listed at most.
const LISTED: usize = 8;

pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    if let Some(prompt) = &state.prompt {
        typing(state, prompt, area, buffer);
    } else if let Some(notice) = &state.notice {
        Pen::new(buffer, area).write(" ", theme.text).fit(notice, theme.prompt);
    } else {
        let place = place(state);
        let width = u16::try_from(place.len()).unwrap_or(0) + 1;
        let room = if area.width > 60 { area.width.saturating_sub(width) } else { area.width };
        let mut pen = Pen::new(buffer, Rect { width: room, ..area });
        pen.write(" ", theme.text);
        for (keys, word) in hints(state, usize::from(room)) {
            pen.write(&keys, theme.key).write(" ", theme.text).write(word, theme.dim).write("  ", theme.text);
        }
        if room < area.width {
            Pen::new(buffer, Rect { x: area.x + room, width, ..area }).write(&place, theme.dim);
        }
    }
}

/// What the input could become, listed above it.
pub(super) fn candidates(state: &State, body: Rect, buffer: &mut Buffer) {
    let Some(Prompt { purpose: Purpose::Goto, input, chosen }) = &state.prompt else { return };
    let all = completions(state.node.as_ref(), input);
    let shown = all.len().min(LISTED).min(usize::from(body.height));
    let first = chosen.unwrap_or(0).saturating_sub(shown.saturating_sub(1));
    let theme = &state.theme;
    let Ok(height) = u16::try_from(shown) else { return };
    let area = Rect { y: body.bottom() - height, height, ..body };
    Clear.render(area, buffer);
    for (row, (at, line)) in super::pen::lines(area).zip(all.iter().enumerate().skip(first)) {
        let style = if *chosen == Some(at) { theme.selected } else { theme.text };
        let mut pen = Pen::new(buffer, row);
        pen.write("  ", theme.text).fit(line, style);
        if let Some((_, help)) = WORDS.iter().find(|(word, _)| word == line) {
            pen.to(14).fit(help, theme.dim);
        }
    }
}

fn typing(state: &State, prompt: &Prompt, area: Rect, buffer: &mut Buffer) {
    let theme = &state.theme;
    let asked;
    let (sign, hint) = match &prompt.purpose {
        Purpose::Filter { .. } => ("/", format!("{}  Esc takes the filter away", listed(state))),
        Purpose::Goto => (":", "Tab completes  Enter goes".to_owned()),
        Purpose::Find { .. } => ("address ", hits(state, prompt)),
        Purpose::Consent { word } => {
            asked = format!("traffic may drop: type {word} to go on: ");
            (asked.as_str(), "Esc leaves all as it is".to_owned())
        }
    };
    let mut pen = Pen::new(buffer, area);
    // The end of a long input is what one is typing.
    let room = usize::from(area.width).saturating_sub(sign.len() + 4);
    let from = prompt.input.chars().count().saturating_sub(room);
    let tail: String = prompt.input.chars().skip(from).collect();
    pen.write(" ", theme.text).write(sign, theme.dim).write(&tail, theme.prompt).write("▏", theme.prompt);
    if usize::from(pen.room()) > hint.chars().count() + 3 {
        pen.write("  ", theme.text).write(&hint, theme.dim);
    }
}

fn listed(state: &State) -> String {
    let count = match state.above.last() {
        Some(Screen::Findings(view)) => view.rows.len(),
        Some(Screen::Traffic(view)) => {
            let is_heading = |row: &&TrafficRow| matches!(row, TrafficRow::Fips(..) | TrafficRow::Flows(_));
            view.rows.len() - view.rows.iter().filter(is_heading).count()
        }
        Some(Screen::Events(view)) => view.rows.len(),
        Some(Screen::Namespace(namespace)) => namespace.lines.iter().filter(|line| line.selectable()).count(),
        _ => state.overview.rows.iter().filter(|row| row.selectable()).count(),
    };
    format!("{count} listed")
}

fn hits(state: &State, prompt: &Prompt) -> String {
    let Some(topology) = state.topology() else { return String::new() };
    let (rows, best) = find(&state.overview, topology, &prompt.input);
    match rows.len() {
        0 => "no address like it".to_owned(),
        1 => "Enter opens it".to_owned(),
        many => format!("{} of {many}  ↓ next  Enter opens", prompt.chosen.unwrap_or(best) + 1),
    }
}

/// Which row of how many, where there are more than fit.
fn place(state: &State) -> String {
    let (cursor, count) = match state.above.last() {
        None => (state.overview.list.cursor, state.overview.rows.len()),
        Some(Screen::Namespace(namespace)) => (namespace.view().list.cursor, namespace.lines.len()),
        Some(Screen::Router(view)) => (view.list.cursor, view.rows.len()),
        Some(Screen::Findings(view)) => (view.list.cursor, view.rows.len()),
        Some(Screen::Proposal(shown)) => (shown.list.cursor, shown.steps().len()),
        Some(Screen::Journal(view)) => (view.list.cursor, view.rows().len()),
        Some(Screen::Traffic(view)) => (view.list.cursor, view.rows.len()),
        Some(Screen::Events(view)) => (view.list.cursor, view.rows.len()),
        Some(Screen::Tracked(view)) => (view.list.cursor, view.rows.len()),
        Some(_) => return String::new(),
    };
    if count > crate::tui::layout::page(state) { format!("{} of {count}", cursor + 1) } else { String::new() }
}

/// Whether a command can do something here, as far as the state tells at once.
fn works(state: &State, command: Command) -> bool {
    if state.node.is_none() {
        return matches!(command, Command::Refresh | Command::Help | Command::Quit);
    }
    let Some(Screen::Proposal(shown)) = state.above.last() else { return true };
    match command {
        Command::Apply if shown.has_begun() => matches!(shown.stage, Stage::Over(..)) && shown.chain().is_some(),
        Command::Apply => shown.is_ready() && state.unchangeable().is_none(),
        Command::OpenNamespace => !shown.steps().is_empty(),
        Command::CopyCommand | Command::Save => shown.plan().is_some(),
        _ => true,
    }
}

/// The footer's keys, as many as fit; help and the way out always do.
fn hints(state: &State, room: usize) -> Vec<(String, &'static str)> {
    let context = state.context();
    let last = |command| matches!(command, Command::Help | Command::Quit);
    let mut fixed = Vec::new();
    let mut others: Vec<(String, &str)> = Vec::new();
    for (binding, keys) in state.keymap.bindings(context).filter(|(binding, _)| works(state, binding.command)) {
        let Some(word) = binding.footer else { continue };
        if binding.command == Command::Back && context == Context::Overview {
            continue;
        }
        let shown = if keys.len() > 2 { keys } else { &keys[..keys.len().min(1)] };
        let hint = (keys_text(shown, "/", ""), word);
        // Two ways of one kind are one hint: `←/→ link`.
        if let Some((keys, _)) = others.last_mut().filter(|(_, before)| *before == word) {
            keys.push('/');
            keys.push_str(&hint.0);
            continue;
        }
        if last(binding.command) { fixed.push(hint) } else { others.push(hint) }
    }
    let width = |(keys, word): &(String, &str)| keys.chars().count() + word.len() + 3;
    let mut left = room.saturating_sub(1 + fixed.iter().map(width).sum::<usize>());
    others.retain(|hint| {
        let fits = width(hint) <= left;
        left = if fits { left - width(hint) } else { 0 };
        fits
    });
    others.extend(fixed);
    others
}
