//! A change of an object as the actions that bring it about.

use crate::net::netfilter::{NfFamily, NfRule, RuleBody};
use crate::net::{Change, IFF_UP, Ipv4Conf, Link, Object as Thing, Observed, RuleAt, Snapshot, TableAt, printable};

use super::super::simulate::sysctl_key;
use super::super::{Action, LinkSetting, Object, TableEdit};
use super::veth;

/// What a change comes to.
pub(super) enum Converted {
    /// These, in order.
    Steps(Vec<Action>),
    /// Something that no step does.
    ByHand,
}

/// A change of a repair, in the light of the others.
pub(super) fn convert(change: &Change, mend: &[Change], snapshot: &Snapshot) -> Converted {
    let steps = match (&change.before, &change.after) {
        (None, Some(Thing::Link(link))) => veth::moved(change, mend).or_else(|| veth::new(change, link, mend)),
        // Where it comes to, it is taken from here.
        (Some(Thing::Link(_)), None) if veth::moves(change, mend) => Some(Vec::new()),
        (Some(Thing::Link(link)), None) => veth::old(change, link, snapshot),
        (Some(Thing::Route(before)), Some(Thing::Route(after))) => {
            let same_place = (before.table, before.dst, before.tos, before.metric)
                == (after.table, after.dst, after.tos, after.metric);
            if same_place {
                Some(vec![Action::ReplaceRoute { to: (**after).clone(), from: Some((**before).clone()) }])
            } else {
                Some(vec![
                    Action::Delete(Object::Route((**before).clone())),
                    Action::Add(Object::Route((**after).clone())),
                ])
            }
        }
        // An entry is overwritten in one go.
        (Some(Thing::Neigh(before)), Some(Thing::Neigh(after)))
            if (&before.dev, before.address, before.proxy) == (&after.dev, after.address, after.proxy) =>
        {
            Some(vec![Action::Add(Object::Neigh(after.clone()))])
        }
        (Some(Thing::Connection(entry)), None) => {
            Some(vec![Action::ForgetConnection { original: entry.original.clone(), zone: entry.zone }])
        }
        (Some(Thing::Link(before)), Some(Thing::Link(after))) => link(before, after),
        (before, Some(Thing::Sysctl(name, Observed::Seen(to)))) => {
            let from = match before {
                Some(Thing::Sysctl(_, Observed::Seen(from))) => Some(*from),
                _ => None,
            };
            Some(vec![Action::Sysctl { key: sysctl_key(name), to: *to, from }])
        }
        (before, after) => {
            let gone = before.as_ref().map(|thing| one(thing, false));
            let come = after.as_ref().map(|thing| one(thing, true));
            gone.into_iter().chain(come).collect()
        }
    };
    steps.map_or(Converted::ByHand, Converted::Steps)
}

/// One object that comes or goes.
fn one(thing: &Thing, comes: bool) -> Option<Action> {
    let object = match thing {
        Thing::Addr(addr) => Object::Addr(addr.clone()),
        Thing::Rule(rule) => Object::Rule((**rule).clone()),
        Thing::Route(route) => Object::Route((**route).clone()),
        Thing::Neigh(neigh) => Object::Neigh(neigh.clone()),
        Thing::NfRule(at, rule) => return nf_rule(at, rule, comes),
        Thing::Chain(at, chain) if comes && chain.base.is_none() => {
            let mut edit = table_edit(at)?;
            edit.chain(&chain.name);
            for rule in &chain.rules {
                edit.append(&chain.name, words(rule)?);
            }
            return Some(Action::Netfilter(edit));
        }
        _ => return None,
    };
    Some(if comes { Action::Add(object) } else { Action::Delete(object) })
}

fn nf_rule(at: &RuleAt, rule: &NfRule, comes: bool) -> Option<Action> {
    let mut edit = table_edit(&at.at)?;
    let (chain, rule, place) = (at.chain.clone(), words(rule)?, u32::try_from(at.position).ok()?.checked_add(1));
    edit.edits.push(if comes {
        super::super::ChainEdit::Add { chain, at: place, rule }
    } else {
        super::super::ChainEdit::Delete { chain, at: place, rule }
    });
    Some(Action::Netfilter(edit))
}

/// `iptables-restore` writes the tables of IPv4.
fn table_edit(at: &TableAt) -> Option<TableEdit> {
    (at.family == NfFamily::Ip).then(|| TableEdit::new(at.backend, at.table.clone()))
}

fn words(rule: &NfRule) -> Option<String> {
    match &rule.body {
        RuleBody::Words(words) => Some(words.text(NfFamily::Ip).to_string()),
        RuleBody::NotUnderstood(_) => None,
    }
}

/// What can be set of a device; `None` where something else differs.
fn link(before: &Link, after: &Link) -> Option<Vec<Action>> {
    let set = |to, from| Action::SetLink { dev: after.name.clone(), to, from: Some(from) };
    let mut actions = Vec::new();
    if before.mtu != after.mtu {
        actions.push(set(LinkSetting::Mtu(after.mtu), LinkSetting::Mtu(before.mtu)));
    }
    if let (Some(from), Some(to)) = (before.mac, after.mac)
        && from != to
    {
        actions.push(set(LinkSetting::Mac(to), LinkSetting::Mac(from)));
    }
    let up = |link: &Link| link.flags & IFF_UP != 0;
    if up(before) != up(after) {
        actions.push(set(LinkSetting::Up(up(after)), LinkSetting::Up(up(before))));
    }
    if let (Some(from), Some(to)) = (before.ipv4, after.ipv4) {
        for (name, from, to) in settings(from).into_iter().zip(settings(to)).map(|((n, f), (_, t))| (n, f, t)) {
            if from != to {
                let key = sysctl_key(&format!("net.ipv4.conf.{}.{name}", after.name));
                actions.push(Action::Sysctl { key, to, from: Some(from) });
            }
        }
    }
    (!actions.is_empty()).then_some(actions)
}

/// The settings of a device, by name.
fn settings(conf: Ipv4Conf) -> [(&'static str, i64); 8] {
    [
        ("forwarding", conf.forwarding.into()),
        ("proxy_arp", conf.proxy_arp.into()),
        ("rp_filter", conf.rp_filter.into()),
        ("arp_ignore", conf.arp_ignore.into()),
        ("arp_announce", conf.arp_announce.into()),
        ("accept_local", conf.accept_local.into()),
        ("src_valid_mark", conf.src_valid_mark.into()),
        ("send_redirects", conf.send_redirects.into()),
    ]
}

/// A change that no step does, in words.
pub(super) fn sentence(change: &Change, snapshot: &Snapshot) -> String {
    let file = |name: crate::net::FileName| {
        let file = match name {
            crate::net::FileName::LinkLocal => "fip-linklocal-networks",
            crate::net::FileName::Priorities => "fip-priorities",
        };
        let folder = snapshot.host.state_path.as_deref().map(|path| printable(&path.display().to_string(), 256));
        folder.map_or_else(|| file.to_owned(), |folder| format!("{}/{file}", folder.trim_end_matches('/')))
    };
    let stopped = "while the L3 agent is stopped: it keeps the file in memory and writes it anew";
    match (&change.before, &change.after) {
        (Some(Thing::FileLine(name, _, before)), Some(Thing::FileLine(_, _, after))) => {
            let (before, after) = (printable(before, 256), printable(after, 256));
            format!("In {}, replace the line {before} by {after}, {stopped}", file(*name))
        }
        (Some(Thing::FileLine(name, _, line)), _) => {
            format!("In {}, delete the line {}, {stopped}", file(*name), printable(line, 256))
        }
        (_, Some(Thing::FileLine(name, _, line))) => {
            format!("In {}, add the line {}, {stopped}", file(*name), printable(line, 256))
        }
        _ => format!("By hand, or by the L3 agent: {change}"),
    }
}
