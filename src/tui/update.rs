//! What happens: one message in, the state changed, effects out.

mod carried;
mod findings;
mod flow;
mod form;
mod help;
mod journal;
mod mouse;
mod prompt;
mod proposal;
mod rewind;
mod router;
mod screens;
mod timeline;
mod tracked;
mod traffic;
mod walk;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use ratatui::layout::Size;

use super::goto::Target;
use super::keymap::{Command, Context, Key};
use super::layout;
use super::message::{Effect, Msg};
use super::overview::FipId;
use super::page::Page;
use super::state::{Node, Prompt, Purpose, Screen, State};
use super::words::count;
use super::{chain::Chain, namespace::Namespace, namespace::Tab};
use crate::net::{NetnsName, printable};

/// Screens that may lie above one another: enough to find one's way back,
/// bounded all the same.
const DEPTH: usize = 32;

/// One step of the console.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    let mut effects = take(state, msg);
    effects.extend(traffic::attend(state));
    effects
}

fn take(state: &mut State, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Key(event) if event.kind == KeyEventKind::Release => Vec::new(),
        Msg::Key(event) => key(state, event),
        Msg::Mouse(event) => mouse::update(state, event),
        Msg::Paste(text) => prompt::paste(state, &text),
        Msg::Resize(width, height) => {
            state.size = Size::new(width, height);
            settle(state);
            Vec::new()
        }
        Msg::Tick(now) => tick(state, now),
        Msg::Node(result) => {
            timeline::read(state, &result);
            node(state, result)
        }
        Msg::Then(then) => rewind::judged(state, *then),
        Msg::Live(_) | Msg::Replay(_) | Msg::Turned(_) | Msg::Watching(_) | Msg::Ages(_) | Msg::Unwatched(_) => {
            changed(state, msg)
        }
        Msg::Routes(answers) => {
            walk::routes(state, &answers);
            Vec::new()
        }
        Msg::Tracked(read) => tracked::read(state, &read),
        Msg::Heard(result) => traffic::heard(state, result),
        Msg::Followed(result) => flow::followed(state, result),
        Msg::Told(entry) => {
            carried::told(state, entry);
            Vec::new()
        }
        Msg::Root(root, came) => {
            carried::came(state, &root, came);
            Vec::new()
        }
        Msg::Over(result) => carried::over(state, result),
        Msg::Announced(result) => {
            carried::announced(state, result);
            Vec::new()
        }
        Msg::Taken(question, answer) => {
            carried::taken(state, &question, &answer);
            Vec::new()
        }
        Msg::Journal(result) => journal::read(state, &result),
        Msg::Busy(who) => {
            state.busy = who;
            Vec::new()
        }
        Msg::Saved(result) => notice(state, result.map(|path| format!("saved: {}", printable(&path, 200)))),
        Msg::Probed(result) => findings::probed(state, result),
        Msg::Acknowledged(result) => {
            findings::acknowledged(state, result);
            Vec::new()
        }
        Msg::Copied(result) => notice(state, result.map(|text| copied(&text))),
    }
}

/// What is told of the node as it changes, or changed.
fn changed(state: &mut State, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Live(live) => {
            let live = timeline::heard(state, *live);
            node(state, Ok(findings::carried_over(state, live)))
        }
        Msg::Replay(result) => match result.map(|replay| timeline::replay(state, *replay)) {
            Ok(effects) => effects,
            Err(why) => node(state, Err(why)),
        },
        Msg::Turned(turned) => {
            timeline::turned(state, turned);
            Vec::new()
        }
        Msg::Watching(watching) => {
            state.watching = Some(watching);
            Vec::new()
        }
        Msg::Ages(ages) => {
            state.ages = ages;
            Vec::new()
        }
        Msg::Unwatched(why) => unwatched(state, &why),
        _ => Vec::new(),
    }
}

/// What was copied, by its first line: a notice has one.
fn copied(text: &str) -> String {
    let (first, more) = (text.lines().next().unwrap_or_default(), text.lines().count().saturating_sub(1));
    let more = if more == 0 { String::new() } else { format!(" and {}", count(more, "more line", "more lines")) };
    format!("copied: {}{more}", printable(first, 120))
}

/// Tells what became of something, until the next key.
fn notice(state: &mut State, result: Result<String, String>) -> Vec<Effect> {
    state.notice = Some(result.unwrap_or_else(|why| printable(&why, 200)));
    Vec::new()
}

/// Time has passed: the packet moves, and what is too old is read again.
fn tick(state: &mut State, now: jiff::Timestamp) -> Vec<Effect> {
    state.now = now;
    let age = state.read_at.map(|then| now.duration_since(then).as_secs());
    let due = state.refresh.zip(age).is_some_and(|(every, age)| age >= i64::try_from(every).unwrap_or(i64::MAX));
    let mut effects = walk::tick(state);
    if due && state.watching.is_none() {
        effects.extend(refresh(state));
    }
    effects
}

/// A terminal sends Alt-q and a quick Esc, q alike: what is not bound as the
/// one is taken as the other.
fn key(state: &mut State, event: KeyEvent) -> Vec<Effect> {
    let key = Key::from(event);
    if key.alt && state.keymap.lookup(state.context(), key).is_none() {
        let mut effects = press(state, Key { code: KeyCode::Esc, ctrl: false, alt: false });
        effects.extend(press(state, Key { alt: false, ..key }));
        return effects;
    }
    press(state, key)
}

fn press(state: &mut State, key: Key) -> Vec<Effect> {
    state.notice = None;
    // The form takes keys for itself, but not those of the help above it.
    let context =
        if state.help.is_some() && state.context() == Context::Form { Context::Global } else { state.context() };
    let command = state.keymap.lookup(context, key);
    state.leaving &= command == Some(Command::Quit);
    if state.prompt.is_some() {
        return prompt::key(state, key, command);
    }
    if let (Context::Form, Some(node)) = (context, state.node.clone()) {
        return form::key(state, &node, key, command);
    }
    let Some(command) = command else { return Vec::new() };
    if state.help.is_some() {
        return help::press(state, command);
    }
    match command {
        Command::Quit => carried::quit(state),
        Command::Redraw => vec![Effect::Redraw],
        Command::Refresh => refresh(state),
        Command::Help => {
            state.help = Some(0);
            Vec::new()
        }
        Command::Back if rewind::leads_out(state) => rewind::thaw(state),
        Command::Back => {
            back(state);
            Vec::new()
        }
        Command::Goto => {
            state.prompt = Some(Prompt { purpose: Purpose::Goto, input: String::new(), chosen: None });
            Vec::new()
        }
        other => screens::command(state, other, key),
    }
}

/// A reading came in, or failed: then what was read before stays.
fn node(state: &mut State, result: Result<Node, String>) -> Vec<Effect> {
    state.reading = false;
    state.read_at = Some(state.now);
    match result {
        Err(why) => {
            let lines: Vec<String> = why.lines().take(8).map(|line| printable(line, 300)).collect();
            state.error = Some(lines.join("\n"));
            settle(state);
            Vec::new()
        }
        Ok(node) => {
            state.error = None;
            let is_first = state.live && state.node.is_none();
            let mut effects = timeline::shown(state, node);
            // What an earlier one was killed in the middle of is offered.
            effects.extend(is_first.then_some(Effect::ReadJournal));
            effects
        }
    }
}

/// From here on the picture ages: it is taken anew, as where nothing can be watched.
fn unwatched(state: &mut State, why: &str) -> Vec<Effect> {
    (state.watching, state.ages) = (None, Arc::default());
    state.unwatched = Some(printable(why.lines().next().unwrap_or_default(), 300));
    state.reading = false;
    settle(state);
    refresh(state)
}

/// Shows a node in place of the one before, on every screen.
fn renew(state: &mut State, node: Node) -> Vec<Effect> {
    state.node = Some(node);
    settle(state);
    router::rebuild(state);
    findings::rebuild(state);
    rebuild_chains(state);
    proposal::rebuild(state);
    form::rebuild(state);
    traffic::renew(state);
    flow::renew(state);
    tracked::rebuild(state);
    carried::open_chain(state);
    walk::rebuild(state)
}

/// Makes rows and lines anew, and brings scroll offsets in line with the size.
fn settle(state: &mut State) {
    let body = layout::outer(state, state.area()).body;
    if let Some(node) = &state.node {
        state.overview.rebuild(node, usize::from(layout::overview(body).list.height));
    }
    router::settle(state);
    findings::settle(state);
    proposal::settle(state);
    traffic::rebuild(state);
    timeline::settle(state);
    let height = usize::from(layout::namespace(body).list.height);
    for screen in &mut state.above {
        if let Screen::Namespace(namespace) = screen {
            namespace.rebuild(state.node.as_ref(), height);
        }
    }
}

fn refresh(state: &mut State) -> Vec<Effect> {
    if state.reading {
        return Vec::new();
    }
    state.reading = true;
    vec![Effect::Reread]
}

/// Exactly one step: a filter, then a screen.
fn back(state: &mut State) {
    let page = layout::page(state);
    let node = state.node.clone();
    match state.above.last_mut() {
        Some(Screen::Events(view)) if !view.filter.is_empty() => view.narrow("", &state.timeline, page),
        Some(Screen::Namespace(namespace)) if !namespace.view().filter.is_empty() => {
            namespace.view_mut().filter.clear();
            namespace.rebuild(node.as_ref(), page);
        }
        Some(Screen::Traffic(view)) if !view.filter.is_empty() => traffic::set_filter(state, ""),
        Some(Screen::Findings(view)) if !view.filter.is_empty() => {
            view.filter.clear();
            if let Some(node) = node {
                view.rebuild(&node.judged, page);
            }
        }
        Some(_) => {
            state.above.pop();
        }
        None if !state.overview.filter.is_empty() => {
            state.overview.filter.clear();
            if let Some(node) = node {
                state.overview.rebuild(&node, page);
            }
        }
        None => state.notice = Some("this is the first screen; q leaves".to_owned()),
    }
}

fn open(state: &mut State, screen: Screen) {
    if state.above.len() == DEPTH {
        state.above.remove(0);
    }
    state.above.push(screen);
}

fn open_chain(state: &mut State, fip: FipId) {
    let mut chain = Chain::of(fip);
    if let Some(node) = &state.node {
        chain.walk(node);
    }
    open(state, Screen::Chain(chain));
}

/// Where the packets of every chain go, by another reading.
fn rebuild_chains(state: &mut State) {
    let Some(node) = &state.node else { return };
    for screen in &mut state.above {
        if let Screen::Chain(chain) = screen {
            chain.walk(node);
        }
    }
}

fn open_namespace(state: &mut State, name: NetnsName, tab: Tab) {
    open_namespace_at(state, name, tab, "");
}

/// Opens a raw view at the first line that holds a text.
fn open_namespace_at(state: &mut State, name: NetnsName, tab: Tab, text: &str) {
    let mut namespace = Namespace::at(name, tab);
    let body = layout::outer(state, state.area()).body;
    let height = usize::from(layout::namespace(body).list.height);
    namespace.rebuild(state.node.as_ref(), height);
    namespace.find(text, height);
    open(state, Screen::Namespace(Box::new(namespace)));
}

/// Goes where a command or a name leads.
fn go(state: &mut State, target: Target) -> Vec<Effect> {
    match target {
        Target::Chain(fip) => open_chain(state, fip),
        Target::Namespace(name) => open_namespace(state, name, Tab::Links),
        Target::Router(id) => router::open_router(state, id),
        Target::Walk(asked) => return walk::open_walk(state, asked),
        Target::Findings => {
            if let Some(node) = state.node.clone() {
                findings::open_findings(state, &node);
            }
        }
        Target::Journal => return journal::open_journal(state),
        Target::Traffic => return traffic::open_traffic(state),
        Target::Events => {
            if let Some(node) = state.node.clone() {
                timeline::open_events(state, &node);
            }
        }
        Target::Page(code) => open(state, Screen::Page(Page::of(code))),
        Target::Overview => state.above.clear(),
        Target::Help => state.help = Some(0),
        Target::Refresh => return refresh(state),
        Target::Quit => return carried::quit(state),
    }
    Vec::new()
}
