//! Where in its chain a repair's rule goes, when other repairs have changed the
//! chain by then: before the same rules that its finding puts it before.

use crate::net::netfilter::{NfFamily, RuleBody, parse_rule};
use crate::net::{Change, Netns, NetnsName, Object as Thing, Snapshot, TableAt};

use super::super::simulate::chain;
use super::super::{Action, ChainEdit};

/// The chains that one finding's repair changes, as it leaves them by itself.
pub(super) struct Chains<'s> {
    snapshot: &'s Snapshot,
    known: Vec<(Place, Vec<RuleBody>)>,
}

/// A chain of a namespace.
type Place = (Option<NetnsName>, TableAt, String);

impl<'s> Chains<'s> {
    /// Before its first change.
    pub(super) fn of(snapshot: &'s Snapshot) -> Self {
        Self { snapshot, known: Vec::new() }
    }

    /// Carries a change out; the rules that come behind the one that it puts in.
    pub(super) fn follow(&mut self, change: &Change) -> Vec<RuleBody> {
        let Some(Thing::NfRule(at, rule)) = change.object() else { return Vec::new() };
        let rules = self.rules((change.netns.clone(), at.at.clone(), at.chain.clone()));
        if change.after.is_none() {
            let is_there = rules.get(at.position).is_some_and(|body| *body == rule.body);
            let found = is_there.then_some(at.position);
            let found = found.or_else(|| rules.iter().position(|body| *body == rule.body));
            found.map(|position| rules.remove(position));
            return Vec::new();
        }
        let position = at.position.min(rules.len());
        let behind = rules.get(position..).unwrap_or_default().to_vec();
        rules.insert(position, rule.body.clone());
        behind
    }

    fn rules(&mut self, place: Place) -> &mut Vec<RuleBody> {
        let at = self.known.iter().position(|(known, _)| *known == place).unwrap_or_else(|| {
            let found = self.snapshot.netns_at(place.0.as_ref()).and_then(|netns| chain(netns, &place.1, &place.2));
            let rules = found.map_or_else(Vec::new, |chain| chain.rules.iter().map(|rule| rule.body.clone()).collect());
            self.known.push((place, rules));
            self.known.len() - 1
        });
        &mut self.known[at].1
    }
}

/// Sets the places of an edit of the packet filter to those that hold in this
/// namespace: a new rule comes before the first of `behind` that is there, else
/// at the end. False where an earlier step put the same rule in already.
pub(super) fn place(action: &mut Action, behind: &[RuleBody], first: Option<&Netns>, now: Option<&Netns>) -> bool {
    let (Action::Netfilter(edits), Some(now)) = (action, now) else { return true };
    let at = TableAt { backend: edits.backend, family: NfFamily::Ip, table: edits.table.clone() };
    for edit in &mut edits.edits {
        match edit {
            ChainEdit::Add { chain: name, at: position @ Some(_), rule } => {
                let Some(rules) = chain(now, &at, name).map(|chain| &chain.rules) else { continue };
                let body = parse_rule(&format!("-A {name} {rule}")).ok().map(|(_, rule)| rule.body);
                let count = |netns: &Netns| {
                    let rules = chain(netns, &at, name).map_or(&[][..], |chain| &chain.rules);
                    rules.iter().filter(|rule| Some(&rule.body) == body.as_ref()).count()
                };
                if count(now) > first.map_or(0, count) {
                    return false;
                }
                let before = behind.iter().find_map(|body| rules.iter().position(|rule| rule.body == *body));
                *position = u32::try_from(before.unwrap_or(rules.len())).ok().and_then(|place| place.checked_add(1));
            }
            ChainEdit::Delete { chain: name, at: position, rule } => {
                let rules = chain(now, &at, name).map_or(&[][..], |chain| &chain.rules);
                let body = parse_rule(&format!("-A {name} {rule}")).ok().map(|(_, rule)| rule.body);
                let found = rules.iter().position(|rule| Some(&rule.body) == body.as_ref());
                let place = found.and_then(|place| u32::try_from(place).ok()?.checked_add(1));
                *position = place.or(*position);
            }
            ChainEdit::Add { at: None, .. } | ChainEdit::NewChain(_) | ChainEdit::DropChain(_) => {}
        }
    }
    true
}
