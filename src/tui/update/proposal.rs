//! What a command does on the screen of a change, and what comes from carrying
//! one out.

use super::open;
use super::screens::{copy, distance, tab_of};
use crate::net::printable;
use crate::plan::journal::{Entry, Past, State as PastState};
use crate::plan::{Neutron, Plan, Remove};
use crate::topology::ObjectKind;
use crate::tui::findings::FindingId;
use crate::tui::keymap::Command;
use crate::tui::layout;
use crate::tui::message::{Effect, Over};
use crate::tui::overview::FipId;
use crate::tui::proposal::{Chained, Proposal, Stage, Wanted};
use crate::tui::state::{Node, Prompt, Purpose, Screen, State};
use crate::tui::words::one_line;

/// Shows the plan for what is wanted.
pub(super) fn propose(state: &mut State, node: &Node, wanted: Wanted) {
    open(state, Screen::Proposal(Box::new(Proposal::of(wanted, node))));
}

/// Proposes to mend what the screen in sight is about.
pub(super) fn repair(state: &mut State, node: &Node) -> Vec<Effect> {
    let wanted = match state.above.last() {
        None => state.overview.current_fip(&node.topology).map(|fip| Wanted::Working(FipId::from(fip))),
        Some(Screen::Chain(chain)) => Some(Wanted::Working(chain.fip.clone())),
        Some(Screen::Findings(view)) => {
            let judged = &node.judged;
            let marked = judged.findings.iter().filter(|finding| view.marked.contains(&finding.id));
            let mut ids: Vec<FindingId> = marked.map(FindingId::from).collect();
            if ids.is_empty() {
                let root = view.current().and_then(|row| judged.findings.get(judged.root(row.at())));
                ids.extend(root.map(FindingId::from));
            }
            (!ids.is_empty()).then_some(Wanted::Mended(ids))
        }
        Some(_) => None,
    };
    match wanted {
        Some(wanted) => propose(state, node, wanted),
        None => state.notice = Some("nothing to repair is selected".to_owned()),
    }
    Vec::new()
}

/// Proposes to take the selected floating IP away.
pub(super) fn remove(state: &mut State, node: &Node) -> Vec<Effect> {
    let fip = match state.above.last() {
        None => state.overview.current_fip(&node.topology),
        Some(Screen::Chain(chain)) => chain.fip.find(&node.topology),
        Some(_) => None,
    };
    let Some((fip, address)) = fip.and_then(|fip| Some((fip, fip.floating_ip?))) else {
        state.notice = Some("no floating IP is selected".to_owned());
        return Vec::new();
    };
    let wanted = Remove {
        floating_ip: address,
        router: Some(fip.router.clone()),
        external_network: fip.external_network.clone(),
        with_pair: false,
        neutron: None::<Neutron>,
    };
    propose(state, node, Wanted::Removed(Box::new(wanted)));
    Vec::new()
}

/// Proposes to take back a change of the past, or to do the rest of it.
pub(super) fn take_back(state: &mut State, node: &Node, past: &Past, complete: bool) {
    let past = Box::new(past.clone());
    propose(state, node, if complete { Wanted::Completed(past) } else { Wanted::Undone(past) });
}

/// The last change that can be taken back.
pub(super) fn last(all: &[Past]) -> Option<&Past> {
    all.iter().rev().find(|past| match past.state {
        PastState::Done => past.undoes.is_none(),
        PastState::Unfinished => true,
        PastState::Undone | PastState::Failed => false,
    })
}

pub(super) fn command(state: &mut State, node: &Node, command: Command) -> Vec<Effect> {
    let body = layout::outer(state, state.area()).body;
    let Some(Screen::Proposal(shown)) = state.above.last_mut() else { return Vec::new() };
    let count = shown.steps().len();
    let height = usize::from(layout::proposal(shown, body).list.height);
    if let Some(by) = distance(command, height) {
        shown.list.step(by, height, count, |_| true);
        return Vec::new();
    }
    match command {
        Command::Apply if matches!(shown.stage, Stage::Over(_, None)) => {
            let chain = shown.chain();
            open_result(state, node, chain);
            Vec::new()
        }
        Command::Apply => apply(state),
        Command::WithPair => {
            match (&mut shown.wanted, &shown.stage) {
                (Wanted::Removed(wanted), Stage::Shown(_)) => {
                    wanted.with_pair = !wanted.with_pair;
                    let wanted = shown.wanted.clone();
                    **shown = Proposal::of(wanted, node);
                }
                _ => state.notice = Some("only a removal can take the router's pair along".to_owned()),
            }
            Vec::new()
        }
        Command::CopyCommand => {
            let script = shown.plan().map(Plan::script);
            copy(state, script)
        }
        Command::Save => {
            let name = file_name(&shown.wanted.title());
            let Some(plan) = shown.plan() else {
                state.notice = Some("there is no plan to save".to_owned());
                return Vec::new();
            };
            vec![Effect::Save { name, text: plan.script() }]
        }
        Command::OpenNamespace => {
            let name = shown.steps().get(shown.list.cursor).and_then(|step| step.netns.name().cloned());
            match name.filter(|name| node.snapshot.namespaces.contains_key(name)) {
                Some(name) => super::open_namespace(state, name, tab_of(ObjectKind::Link)),
                None => state.notice = Some("it stands in no namespace that is there".to_owned()),
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Opens the chain of the floating IP that a change was about.
fn open_result(state: &mut State, node: &Node, chain: Option<Chained>) {
    let all = &node.topology.floating_ips;
    let fip = match chain {
        Some(Chained::Fip(fip)) => Some(fip),
        Some(Chained::Address(address)) => all.iter().find(|fip| fip.floating_ip == Some(address)).map(FipId::from),
        None => None,
    };
    match fip {
        Some(fip) => super::open_chain(state, fip),
        None => state.notice = Some("it is over; Esc goes back".to_owned()),
    }
}

/// Asks for the word where one has to be typed, else carries it out.
fn apply(state: &mut State) -> Vec<Effect> {
    let refusal = if !state.live {
        Some("this is a saved reading: nothing can be changed; y copies the plan as a script")
    } else if state.frozen.is_some() {
        Some("this plan is for the node as it was: nothing is changed; L goes back to live")
    } else if state.read_only {
        Some("read-only was asked for: nothing is changed; y copies the plan as a script")
    } else if state.changing {
        Some("another change is under way")
    } else {
        None
    };
    if let Some(why) = refusal {
        state.notice = Some(why.to_owned());
        return Vec::new();
    }
    let Some(Screen::Proposal(shown)) = state.above.last() else { return Vec::new() };
    let (Ok(order), Stage::Shown(_)) = (&shown.order, &shown.stage) else { return Vec::new() };
    match order.consent() {
        Some(word) => {
            let purpose = Purpose::Consent { word };
            state.prompt = Some(Prompt { purpose, input: String::new(), chosen: None });
            Vec::new()
        }
        None => carry_out(state),
    }
}

/// The word was typed, or something else.
pub(super) fn consented(state: &mut State, word: &str, typed: &str) -> Vec<Effect> {
    if typed.trim() == word {
        return carry_out(state);
    }
    state.notice = Some(format!("nothing was done: that was not {word}"));
    Vec::new()
}

fn carry_out(state: &mut State) -> Vec<Effect> {
    let Some(Screen::Proposal(shown)) = state.above.last_mut() else { return Vec::new() };
    let Ok(order) = &shown.order else { return Vec::new() };
    let effect = match &shown.wanted {
        Wanted::Undone(past) => Effect::Undo(past.id),
        Wanted::Completed(past) => Effect::Complete(past.id),
        _ => Effect::Apply(order.clone()),
    };
    shown.stage = Stage::Running;
    state.changing = true;
    vec![effect]
}

/// The change under way, wherever its screen lies.
fn running(state: &mut State) -> Option<&mut Proposal> {
    state.above.iter_mut().find_map(|screen| match screen {
        Screen::Proposal(shown) if shown.stage == Stage::Running => Some(&mut **shown),
        _ => None,
    })
}

/// Something happened to a step.
pub(super) fn told(state: &mut State, entry: Entry) {
    if let Some(shown) = running(state) {
        shown.told(entry);
    }
}

/// The change is over: the node is read again.
pub(super) fn over(state: &mut State, result: Result<Over, String>) -> Vec<Effect> {
    state.changing = false;
    let text = match &result {
        Ok(over) if over.failure.is_none() => format!("change {} is done", over.past.id),
        Ok(over) => format!("change {} failed; J shows it", over.past.id),
        Err(why) => format!("nothing was done: {}", printable(&one_line(why), 300)),
    };
    match running(state) {
        Some(shown) => {
            shown.stage = match result {
                Ok(Over { past, verified, failure }) => {
                    shown.past = Some(past);
                    Stage::Over(verified, failure)
                }
                Err(why) => Stage::Refused(why),
            };
        }
        None => state.notice = Some(text),
    }
    let mut effects = super::refresh(state);
    if state.above.iter().any(|screen| matches!(screen, Screen::Journal(_))) {
        effects.push(Effect::ReadJournal);
    }
    effects.extend(super::tracked::reread(state));
    effects
}

/// Another reading. A word that is being typed was meant for the plan before.
pub(super) fn rebuild(state: &mut State) {
    let Some(node) = state.node.clone() else { return };
    let body = layout::outer(state, state.area()).body;
    let mut in_sight = None;
    for screen in &mut state.above {
        in_sight = None;
        if let Screen::Proposal(shown) = screen {
            let before = shown.order.clone();
            shown.rebuild(&node);
            let height = usize::from(layout::proposal(shown, body).list.height);
            let count = shown.steps().len();
            shown.list.go(shown.list.cursor, height, count, |_| true);
            in_sight = Some(before.ok().map(|order| order.plan.clone()) != shown.plan().cloned());
        }
    }
    let asks = matches!(&state.prompt, Some(Prompt { purpose: Purpose::Consent { .. }, .. }));
    if asks && in_sight == Some(true) {
        state.prompt = None;
        state.notice = Some("the node changed and the plan was made anew: nothing was done".to_owned());
    }
}

/// Brings scroll offsets in line with the size.
pub(super) fn settle(state: &mut State) {
    let body = layout::outer(state, state.area()).body;
    for screen in &mut state.above {
        match screen {
            Screen::Proposal(shown) => {
                let (height, count) = (layout::proposal(shown, body).list.height, shown.steps().len());
                shown.list.reveal(usize::from(height), count);
            }
            Screen::Journal(view) => {
                let count = view.rows().len();
                view.list.reveal(usize::from(layout::journal(count, body).list.height), count);
            }
            _ => {}
        }
    }
}

/// A file's name from words: letters, digits, dots and dashes.
fn file_name(title: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let words: String = title.chars().take(80).map(plain).collect();
    format!("fipscope-{words}.sh")
}
