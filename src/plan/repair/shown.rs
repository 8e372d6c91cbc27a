//! What was shown of plans, to tell whether a later one has anything more.

use std::collections::BTreeSet;

use super::super::{Action, ChainEdit, Place, Plan, TableEdit};

/// The steps of plans that were shown and agreed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(BTreeSet<(Place, String)>);

impl Shown {
    /// Takes in what a plan does.
    pub fn add(&mut self, plan: &Plan) {
        self.0.extend(pieces(plan));
    }

    /// Whether all that a plan does was shown. That a rule of the packet filter
    /// stands at another place of its chain by now, behind or before what an
    /// earlier plan put there, is nothing else.
    pub fn has(&self, plan: &Plan) -> bool {
        pieces(plan).all(|piece| self.0.contains(&piece))
    }
}

/// Each change of a plan by itself.
fn pieces(plan: &Plan) -> impl Iterator<Item = Piece> {
    plan.to_do().flat_map(|step| pieces_of(&step.netns, &step.action))
}

/// A change by itself: where, and the command that makes it.
pub type Piece = (Place, String);

/// What an action does, each change by itself: those of the packet filter
/// wherever in its chain.
pub fn pieces_of(place: &Place, action: &Action) -> Vec<Piece> {
    let actions = match action {
        Action::Netfilter(edit) => edit.edits.iter().map(|one| Action::Netfilter(anywhere(edit, one))).collect(),
        other => vec![other.clone()],
    };
    actions.into_iter().map(|action| (place.clone(), action.command(place))).collect()
}

fn anywhere(edit: &TableEdit, one: &ChainEdit) -> TableEdit {
    let mut one = one.clone();
    if let ChainEdit::Add { at, .. } | ChainEdit::Delete { at, .. } = &mut one {
        *at = None;
    }
    TableEdit { edits: vec![one], ..TableEdit::new(edit.backend, edit.table.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::netfilter::Backend;

    fn plan(keys: &[(&str, i64)], rules: &[(u32, &str)]) -> Plan {
        let mut plan = Plan::new("a plan");
        let place = Place::netns("qrouter-1");
        for (key, to) in keys {
            plan.push(&place, Action::sysctl(*key, *to));
        }
        let mut edit = TableEdit::new(Backend::Nft, "nat");
        for (at, rule) in rules {
            edit.edits.push(ChainEdit::Add { chain: "a".to_owned(), at: Some(*at), rule: (*rule).to_owned() });
        }
        plan.push(&place, Action::Netfilter(edit));
        plan
    }

    #[test]
    fn less_is_known_and_more_is_not() {
        let mut shown = Shown::default();
        shown.add(&plan(&[("net.a", 1)], &[(1, "-j one"), (2, "-j two")]));
        shown.add(&plan(&[("net.b", 0)], &[]));
        assert!(shown.has(&plan(&[("net.b", 0), ("net.a", 1)], &[(7, "-j two")])));
        assert!(!shown.has(&plan(&[("net.b", 1)], &[])));
        assert!(!shown.has(&plan(&[], &[(1, "-j three")])));
    }
}
