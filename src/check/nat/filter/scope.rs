//! Whether it was the address scopes that stopped a packet, and what of them is wrong.

use std::collections::BTreeMap;

use super::super::Place;
use super::Blamed;
use super::suspect::scope_mark;
use crate::check::Scene;
use crate::net::netfilter::{Match, NfRule, Target, parse_rule};
use crate::net::{Change, NetnsName};

/// Bits of a mark that tell the address scope.
const MASK: u32 = 0xffff_0000;

/// What is wrong with the scopes.
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) words: String,
    pub(super) expected: String,
    pub(super) actual: String,
    pub(super) mend: Vec<Change>,
}

/// The fault, where a drop rule of the agent's scope chain stopped the packet and
/// no rule of another's had marked it.
pub(super) fn fault(scene: &Scene<'_>, namespace: &NetnsName, blamed: &Blamed<'_>) -> Option<Fault> {
    let netns = scene.netns(namespace)?;
    let filter = Place::of_agent(namespace, netns, "filter")?;
    let drops = filter.own_chain("scope").filter(|_| blamed.table == "filter")?;
    let (name, drop) = parse_rule(&blamed.line).ok()?;
    let wanted = scope_mark(drop.body.words()?).filter(|_| name == drops.name)?;
    let hop = blamed.walk.hops.last()?;
    let mark = hop.marks.last().map_or(hop.entered.mark, |change| change.after);
    let mangle = Place::of_agent(namespace, netns, "mangle")?;
    let prefix = mangle.prefix()?;
    let foreign = hop.marks.iter().any(|change| !change.rule.contains(&format!("-A {}-", prefix.as_str())));
    if foreign {
        return None;
    }
    let device = hop.iif.as_ref()?;
    let expected = format!("-A {} -i {device} -j MARK --set-xmark {wanted:#x}/{MASK:#x}", prefix.chain("scope"));
    let mut fault = Fault {
        key: format!("scope mark of {device}"),
        words: format!("they come in on {device} with mark {:#x}, and {:#x} is asked for", mark & MASK, wanted),
        expected,
        actual: format!("mark {:#x}, and {}", mark & MASK, blamed.line),
        mend: Vec::new(),
    };
    fault.mend = mend(&mangle, &filter, device.as_str(), wanted, &fault.expected);
    Some(fault)
}

/// Where all marks are the same but one, that one is the fault.
fn mend(mangle: &Place<'_>, filter: &Place<'_>, device: &str, wanted: u32, expected: &str) -> Vec<Change> {
    let (Some(marks), Some(drops)) = (mangle.own_chain("scope"), filter.own_chain("scope")) else { return Vec::new() };
    let mark = |rule: &NfRule| match rule.body.words().map(|words| (&words.target, words.in_iface())) {
        Some((Some(Target::Mark { value, .. }), Some(device))) => Some((*value, device.to_owned())),
        _ => None,
    };
    let mut count: BTreeMap<u32, usize> = BTreeMap::new();
    let drop_marks = drops.rules.iter().filter_map(|rule| rule.body.words().and_then(scope_mark));
    for value in marks.rules.iter().filter_map(mark).map(|(value, _)| value).chain(drop_marks) {
        *count.entry(value).or_default() += 1;
    }
    let usual = count.iter().max_by_key(|(_, times)| **times).map_or(wanted, |(value, _)| *value);
    if count.iter().any(|(value, times)| *value != usual && *times > 1) {
        return Vec::new();
    }
    if wanted == usual {
        let old = |rule: &NfRule| mark(rule).is_some_and(|(_, name)| name == device);
        let mut changes = mangle.delete_all(marks, old);
        changes.extend(jump(mangle));
        changes.extend(mangle.insert_line(expected, 0));
        return changes;
    }
    let odd = drops.rules.iter().position(|rule| rule.body.words().and_then(scope_mark) == Some(wanted));
    let Some(position) = odd else { return Vec::new() };
    let mut right = drops.rules[position].clone();
    if let crate::net::netfilter::RuleBody::Words(words) = &mut right.body {
        for one in &mut words.matches {
            if let Match::Mark { value, .. } = one {
                *value = usual;
            }
        }
    }
    vec![filter.delete(&drops.name, position, &drops.rules[position]), filter.insert(&drops.name, position, &right)]
}

/// The jump to the marking chain, where it is gone.
fn jump(mangle: &Place<'_>) -> Option<Change> {
    let prefix = mangle.prefix()?;
    let chain = mangle.own_chain("PREROUTING")?;
    let to = prefix.chain("scope");
    let is_there = chain.rules.iter().any(|rule| crate::neutron::plain_jump(rule) == Some(to.as_str()));
    if is_there { None } else { mangle.insert_line(&format!("-A {} -j {to}", chain.name), 1) }
}
