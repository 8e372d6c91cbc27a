//! What a command does on the screen of a change.

use super::open;
use super::screens::{copy, distance, tab_of};
use crate::check::Finding;
use crate::plan::journal::{Past, State as PastState};
use crate::plan::{Neutron, Plan, Remove};
use crate::topology::ObjectKind;
use crate::tui::chain::Chain;
use crate::tui::findings::FindingId;
use crate::tui::keymap::Command;
use crate::tui::layout;
use crate::tui::message::Effect;
use crate::tui::overview::FipId;
use crate::tui::proposal::{Chained, Proposal, Stage, Wanted};
use crate::tui::state::{Node, Prompt, Purpose, Screen, State};

/// Shows the plan for what is wanted. Meanwhile the wire is asked what it has to
/// say.
pub(super) fn propose(state: &mut State, node: &Node, wanted: Wanted) -> Vec<Effect> {
    open(state, Screen::Proposal(Box::new(Proposal::of(wanted, node))));
    ask(state)
}

/// Asks the wire about the plan in sight, where it was not yet.
fn ask(state: &mut State) -> Vec<Effect> {
    let can_ask = state.is_now();
    let Some(Screen::Proposal(shown)) = state.above.last_mut() else { return Vec::new() };
    let question = if can_ask { shown.asks() } else { None };
    question.map(Effect::AskTaken).into_iter().collect()
}

/// Proposes to mend what the screen in sight is about.
pub(super) fn repair(state: &mut State, node: &Node) -> Vec<Effect> {
    let wanted = match state.above.last() {
        None => state.overview.current_fip(&node.topology).map(|fip| Wanted::Working(FipId::from(fip))),
        Some(Screen::Router(view)) => view.current_fip(&node.topology).map(|fip| Wanted::Working(FipId::from(fip))),
        Some(Screen::Chain(chain)) => Some(of_link(chain, node).unwrap_or(Wanted::Working(chain.fip.clone()))),
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
    let Some(wanted) = wanted else {
        state.notice = Some("nothing to repair is selected".to_owned());
        return Vec::new();
    };
    propose(state, node, wanted)
}

/// To mend the selected link of a chain, where that is not all that is wrong.
fn of_link(chain: &Chain, node: &Node) -> Option<Wanted> {
    let (judged, fip) = (&node.judged, chain.fip.find(&node.topology)?);
    let (direction, at) = chain.place(fip)?;
    let finding = judged.of_link(fip, &fip.links(direction)[at])?;
    let at = judged.findings.iter().position(|other| std::ptr::eq(other, finding))?;
    let root = judged.findings.get(judged.root(at))?;
    let roots: Vec<&Finding> = judged.roots_of(fip).collect();
    let is_one_of_many = roots.len() > 1 && roots.iter().any(|other| std::ptr::eq(*other, root));
    is_one_of_many.then(|| Wanted::Link(chain.fip.clone(), FindingId::from(root)))
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
        neutron: None,
    };
    propose(state, node, Wanted::Removed(Box::new(wanted)))
}

/// Proposes to take back a change of the past, or to do the rest of it.
pub(super) fn take_back(state: &mut State, node: &Node, past: &Past, complete: bool) -> Vec<Effect> {
    let past = Box::new(past.clone());
    propose(state, node, if complete { Wanted::Completed(past) } else { Wanted::Undone(past) })
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
    let (body, bar) = (layout::outer(state, state.area()).body, state.unchangeable());
    let Some(Screen::Proposal(shown)) = state.above.last_mut() else { return Vec::new() };
    let count = shown.steps().len();
    let height = usize::from(layout::proposal(shown, bar.as_deref(), body).list.height);
    if let Some(by) = distance(command, height) {
        shown.list.step(by, height, count, |_| true);
        return Vec::new();
    }
    match command {
        Command::Apply if matches!(shown.stage, Stage::Over(..)) => {
            let chain = shown.chain();
            open_result(state, node, chain);
            Vec::new()
        }
        Command::Apply => apply(state, node),
        Command::MendAll => {
            match (&shown.wanted, shown.has_begun()) {
                (Wanted::Link(fip, _), false) => **shown = Proposal::of(Wanted::Working(fip.clone()), node),
                _ if !shown.is_repair() => state.notice = Some("this is no repair: A has nothing to add".to_owned()),
                _ => state.notice = Some("this plan mends all that it is about already".to_owned()),
            }
            Vec::new()
        }
        Command::WithPair => {
            let is_removal = removed_otherwise(shown, node, |wanted| wanted.with_pair = !wanted.with_pair);
            let only = "only a removal can take the router's pair along";
            state.notice = (!is_removal).then(|| only.to_owned()).or(state.notice.take());
            Vec::new()
        }
        Command::SayNeutron => {
            let is_removal = removed_otherwise(shown, node, |wanted| wanted.neutron = Neutron::next(wanted.neutron));
            let only = "this is said of a removal; of an association its form asks";
            state.notice = (!is_removal).then(|| only.to_owned()).or(state.notice.take());
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

/// The plan of a removal made anew with something else wanted; false where it is
/// another plan, or has begun.
fn removed_otherwise(shown: &mut Proposal, node: &Node, change: impl FnOnce(&mut Remove)) -> bool {
    let (Wanted::Removed(wanted), Stage::Shown(_)) = (&mut shown.wanted, &shown.stage) else { return false };
    change(wanted);
    *shown = Proposal::of(shown.wanted.clone(), node);
    true
}

/// The floating IP that a change was about, where it stands on the node.
pub(super) fn chained(chain: Option<Chained>, node: &Node) -> Option<FipId> {
    match chain? {
        Chained::Fip(fip) => fip.find(&node.topology).map(FipId::from),
        Chained::Address(address) => node.topology.fips().find(|fip| fip.floating_ip == Some(address)).map(FipId::from),
    }
}

/// Opens the chain of the floating IP that a change was about.
fn open_result(state: &mut State, node: &Node, chain: Option<Chained>) {
    match chained(chain, node) {
        Some(fip) => super::open_chain(state, fip),
        None => state.notice = Some("it is over; Esc goes back".to_owned()),
    }
}

/// Asks for the word where one has to be typed, else carries it out. A plan that
/// became another one since it was looked at is looked at first.
fn apply(state: &mut State, node: &Node) -> Vec<Effect> {
    if let Some(why) = state.unchangeable() {
        state.notice = Some(why);
        return Vec::new();
    }
    let Some(Screen::Proposal(shown)) = state.above.last_mut() else { return Vec::new() };
    match (&shown.order, &mut shown.stage) {
        (_, Stage::Refused(_)) | (Err(_), _) => {
            // Whoever had the address may have it no more.
            if let Some(by) = shown.wanted.answered_by() {
                by.clear();
            }
            **shown = Proposal::of(shown.wanted.clone(), node);
            return ask(state);
        }
        (Ok(_), Stage::Shown(renewed @ true)) => {
            *renewed = false;
            shown.differs.clear();
            return ask(state);
        }
        (Ok(_), Stage::Running | Stage::Over(..)) => {
            state.notice = Some("it is under way: its chain comes when it is over".to_owned());
            return Vec::new();
        }
        (Ok(_), Stage::Shown(false)) => {}
    }
    if shown.is_nothing() {
        state.notice = Some("all of it is so already: there is nothing to do".to_owned());
        return Vec::new();
    }
    match shown.order.as_ref().ok().and_then(|order| order.consent()) {
        Some(word) => {
            let purpose = Purpose::Consent { word };
            state.prompt = Some(Prompt { purpose, input: String::new(), chosen: None });
            ask(state)
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
    let asking = ask(state);
    let Some(Screen::Proposal(shown)) = state.above.last_mut() else { return Vec::new() };
    if shown.is_asking() {
        state.notice = Some("the external network is still being asked: a moment, then Enter again".to_owned());
        return asking;
    }
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

/// Another reading. A word that is being typed was meant for the plan before.
pub(super) fn rebuild(state: &mut State) {
    let Some(node) = state.node.clone() else { return };
    let (body, bar) = (layout::outer(state, state.area()).body, state.unchangeable());
    let mut in_sight = false;
    for screen in &mut state.above {
        in_sight = false;
        if let Screen::Proposal(shown) = screen {
            in_sight = shown.rebuild(&node);
            let height = usize::from(layout::proposal(shown, bar.as_deref(), body).list.height);
            let count = shown.steps().len();
            shown.list.go(shown.list.cursor, height, count, |_| true);
        }
    }
    if in_sight {
        ask_no_word(state, "the node changed and the plan was made anew: nothing was done");
    }
}

/// Another plan is in sight: no word for the one before is taken any more.
pub(super) fn ask_no_word(state: &mut State, why: &str) {
    if matches!(&state.prompt, Some(Prompt { purpose: Purpose::Consent { .. }, .. })) {
        state.prompt = None;
        state.notice = Some(why.to_owned());
    }
}

/// Brings scroll offsets in line with the size.
pub(super) fn settle(state: &mut State) {
    let (body, bar) = (layout::outer(state, state.area()).body, state.unchangeable());
    for screen in &mut state.above {
        match screen {
            Screen::Proposal(shown) => {
                let (height, count) = (layout::proposal(shown, bar.as_deref(), body).list.height, shown.steps().len());
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
