//! Finding the changes between two snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::list::{Edit, edits, in_order, keyed};
use super::{Backend, Change, Fact, FileName, Object, Part, RuleAt, TableAt};
use crate::net::netfilter::{Chain, Table};
use crate::net::normal::{same_agent, same_fill, same_nf_rule, settled_tables};
use crate::net::{AllocationFile, Family, Host, Link, Netns, NetnsName, Observed, Ovs, Route, Rule, Snapshot};

/// The changes that lead from one snapshot to another, namespace by namespace.
/// Flapping ([`Change::is_flapping`]) is among them: who tells people what
/// happened leaves it out, who applies them needs it.
pub fn changes(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let mut out = Out { netns: None, list: Vec::new() };
    out.fact(&before.node, &after.node, Fact::Node);
    out.fact(&before.netns_dir, &after.netns_dir, Fact::NetnsDir);
    out.fact(&before.namespaces_unreadable, &after.namespaces_unreadable, Fact::NamespacesUnreadable);
    host(&mut out, &before.host, &after.host);
    let names: std::collections::BTreeSet<&NetnsName> =
        before.namespaces.keys().chain(after.namespaces.keys()).collect();
    for name in names {
        out.netns = Some(name.clone());
        namespace(&mut out, before.namespaces.get(name), after.namespaces.get(name));
    }
    out.list
}

/// The changes of one namespace alone; `None` is the host's own side.
pub fn netns_changes(
    name: Option<&NetnsName>,
    before: Option<&Observed<Arc<Netns>>>,
    after: Option<&Observed<Arc<Netns>>>,
) -> Vec<Change> {
    let mut out = Out { netns: name.cloned(), list: Vec::new() };
    namespace(&mut out, before, after);
    out.list
}

/// The changes of the host's side alone, its namespace among them.
pub fn host_changes(before: &Host, after: &Host) -> Vec<Change> {
    let mut out = Out { netns: None, list: Vec::new() };
    host(&mut out, before, after);
    out.list
}

/// The changes as they are found, all of one namespace at a time.
struct Out {
    netns: Option<NetnsName>,
    list: Vec<Change>,
}

impl Out {
    fn push(&mut self, before: Option<Object>, after: Option<Object>) {
        self.list.push(Change::new(self.netns.clone(), before, after));
    }

    fn pairs<T>(&mut self, pairs: Vec<(Option<T>, Option<T>)>, object: impl Fn(T) -> Object) {
        for (before, after) in pairs {
            self.push(before.map(&object), after.map(&object));
        }
    }

    fn fact<T: Clone + PartialEq>(&mut self, before: &T, after: &T, fact: impl Fn(T) -> Fact) {
        if before != after {
            self.push(Some(Object::Fact(fact(before.clone()))), Some(Object::Fact(fact(after.clone()))));
        }
    }

    fn whole<T: Clone>(&mut self, before: &T, after: &T, part: impl Fn(T) -> Part) {
        let object = |value: &T| Some(Object::Part(Box::new(part(value.clone()))));
        self.push(object(before), object(after));
    }

    /// A part seen on both sides is compared inside; any other difference is a
    /// change of the part as a whole.
    fn part<T: Clone + PartialEq>(
        &mut self,
        before: &Observed<T>,
        after: &Observed<T>,
        part: impl Fn(Observed<T>) -> Part,
        inside: impl FnOnce(&mut Self, &T, &T),
    ) {
        match (before, after) {
            // Most parts of a namespace that changed did not, and comparing is cheaper than listing.
            _ if before == after => {}
            (Observed::Seen(before), Observed::Seen(after)) => inside(self, before, after),
            _ => self.whole(before, after, part),
        }
    }
}

fn namespace(out: &mut Out, before: Option<&Observed<Arc<Netns>>>, after: Option<&Observed<Arc<Netns>>>) {
    match (before, after) {
        (Some(Observed::Seen(before)), Some(Observed::Seen(after))) => {
            if !Arc::ptr_eq(before, after) {
                parts(out, before, after);
            }
        }
        _ if before == after => {}
        _ => {
            let object = |netns: &Observed<Arc<Netns>>| Object::Netns(netns.clone());
            out.push(before.map(object), after.map(object));
        }
    }
}

fn parts(out: &mut Out, before: &Netns, after: &Netns) {
    out.part(&before.links, &after.links, Part::Links, |out, b, a| {
        out.pairs(keyed(b, a, |link| link.name.clone(), Link::same_as), |link| Object::Link(Box::new(link)));
    });
    out.part(&before.addrs, &after.addrs, Part::Addrs, |out, b, a| {
        out.pairs(keyed(b, a, |addr| (addr.dev.clone(), addr.address), PartialEq::eq), Object::Addr);
    });
    out.part(&before.rules, &after.rules, Part::Rules, |out, b, a| rules(out, b, a));
    out.part(&before.routes, &after.routes, Part::Routes, |out, b, a| routes(out, b, a));
    out.part(&before.neighs, &after.neighs, Part::Neighs, |out, b, a| {
        out.pairs(keyed(b, a, super::apply::neigh_key, PartialEq::eq), Object::Neigh);
    });
    out.part(&before.netfilter, &after.netfilter, Part::Netfilter, |out, b, a| {
        if b.words_only != a.words_only {
            return out.whole(&before.netfilter, &after.netfilter, Part::Netfilter);
        }
        for (backend, b, a) in [(Backend::Nft, &b.nft, &a.nft), (Backend::Legacy, &b.legacy, &a.legacy)] {
            let part = |tables| Part::Tables(backend, tables);
            out.part(b, a, part, |out, b, a| tables(out, backend, b, a));
        }
    });
    let sysctl = |(name, value)| Object::Sysctl(name, value);
    let (b, a) = (pairs_of(&before.sysctls), pairs_of(&after.sysctls));
    out.pairs(keyed(&b, &a, |(name, _)| name.clone(), PartialEq::eq), sysctl);
    if !same_fill(&before.conntrack_fill, &after.conntrack_fill) {
        out.whole(&before.conntrack_fill, &after.conntrack_fill, Part::ConntrackFill);
    }
    if before.gaps != after.gaps {
        out.whole(&before.gaps, &after.gaps, Part::Gaps);
    }
}

/// Of rules of one family and priority the one that came first is asked first.
fn rules(out: &mut Out, before: &[Rule], after: &[Rule]) {
    for (gone, came) in in_order(before, after, |rule| (rule.family, rule.priority)) {
        out.pairs(gone.into_iter().map(|rule| (Some(rule), None)).collect(), |rule| Object::Rule(Box::new(rule)));
        out.pairs(came.into_iter().map(|rule| (None, Some(rule))).collect(), |rule| Object::Rule(Box::new(rule)));
    }
}

/// Of IPv4 routes of one key the one that came first is used.
fn routes(out: &mut Out, before: &[Route], after: &[Route]) {
    let object = |route| Object::Route(Box::new(route));
    let (before, before6): (Vec<Route>, Vec<Route>) = before.iter().cloned().partition(|r| r.family() == Family::V4);
    let (after, after6): (Vec<Route>, Vec<Route>) = after.iter().cloned().partition(|r| r.family() == Family::V4);
    for (mut gone, mut came) in in_order(&before, &after, Route::key) {
        // The same one on both sides moved behind its equals: that is no change of the route itself.
        if gone.len() == 1 && came.len() == 1 && gone != came {
            out.pairs(vec![(gone.pop(), came.pop())], object);
        }
        out.pairs(gone.into_iter().map(|route| (Some(route), None)).collect(), object);
        out.pairs(came.into_iter().map(|route| (None, Some(route))).collect(), object);
    }
    out.pairs(keyed(&before6, &after6, Route::key, PartialEq::eq), object);
}

fn tables(out: &mut Out, backend: Backend, before: &Vec<Table>, after: &Vec<Table>) {
    if !unique_names(before) || !unique_names(after) {
        if settled_tables(before) != settled_tables(after) {
            let seen = |tables: &Vec<Table>| Observed::Seen(tables.clone());
            out.whole(&seen(before), &seen(after), |tables| Part::Tables(backend, tables));
        }
        return;
    }
    let head = |table: &Table| Table { chains: Vec::new(), ..table.clone() };
    let object = |table| Object::Table(backend, Box::new(table));
    let never = |_: &Table, _: &Table| false;
    for (before, after) in keyed(before, after, |table| (table.family, table.name.clone()), never) {
        let (Some(before), Some(after)) = (&before, &after) else {
            out.push(before.map(object), after.map(object));
            continue;
        };
        if head(before) != head(after) {
            out.push(Some(object(head(before))), Some(object(head(after))));
        }
        let at = TableAt { backend, family: after.family, table: after.name.clone() };
        chains(out, &at, &before.chains, &after.chains);
    }
}

fn chains(out: &mut Out, at: &TableAt, before: &[Chain], after: &[Chain]) {
    let head = |chain: &Chain| Chain { rules: Vec::new(), counters: None, ..chain.clone() };
    let object = |chain| Object::Chain(at.clone(), Box::new(chain));
    for (before, after) in keyed(before, after, |chain| chain.name.clone(), |_, _| false) {
        let (Some(before), Some(after)) = (&before, &after) else {
            out.push(before.map(object), after.map(object));
            continue;
        };
        if head(before) != head(after) {
            out.push(Some(object(head(before))), Some(object(head(after))));
        }
        for edit in edits(&before.rules, &after.rules, same_nf_rule) {
            let place = |position| RuleAt { at: at.clone(), chain: after.name.clone(), position };
            match edit {
                Edit::Remove(at, rule) => out.push(Some(Object::NfRule(place(at), Box::new(rule))), None),
                Edit::Insert(at, rule) => out.push(None, Some(Object::NfRule(place(at), Box::new(rule)))),
            }
        }
    }
}

fn unique_names(tables: &[Table]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    tables.iter().all(|table| {
        let mut names = std::collections::BTreeSet::new();
        seen.insert((table.family, &table.name)) && table.chains.iter().all(|chain| names.insert(&chain.name))
    })
}

fn host(out: &mut Out, before: &Host, after: &Host) {
    // Named one by one: a field that is new has to be compared as well.
    let Host {
        kernel,
        netns,
        agent,
        state_path,
        path_origin,
        lock_path,
        ha_confs_path,
        link_local_file,
        priority_file,
        neutron_version,
        ovs: switch,
        ovn_controller,
        gaps,
    } = before;
    namespace(out, Some(netns), Some(&after.netns));
    out.fact(kernel, &after.kernel, Fact::Kernel);
    if !same_agent(agent, &after.agent) {
        out.whole(agent, &after.agent, Part::Agent);
    }
    out.fact(state_path, &after.state_path, Fact::StatePath);
    out.fact(path_origin, &after.path_origin, Fact::PathOrigin);
    out.fact(lock_path, &after.lock_path, Fact::LockPath);
    out.fact(ha_confs_path, &after.ha_confs_path, Fact::HaConfsPath);
    file(out, FileName::LinkLocal, link_local_file, &after.link_local_file);
    file(out, FileName::Priorities, priority_file, &after.priority_file);
    out.fact(neutron_version, &after.neutron_version, Fact::NeutronVersion);
    out.part(switch, &after.ovs, Part::Ovs, ovs);
    out.fact(ovn_controller, &after.ovn_controller, Fact::OvnController);
    if *gaps != after.gaps {
        out.whole(gaps, &after.gaps, Part::HostGaps);
    }
}

fn file(out: &mut Out, name: FileName, before: &Observed<AllocationFile>, after: &Observed<AllocationFile>) {
    let part = |file| Part::File(name, file);
    out.part(before, after, part, |out, b, a| {
        if (&b.path, b.truncated) != (&a.path, a.truncated) {
            return out.whole(before, after, part);
        }
        for edit in edits(&b.lines, &a.lines, PartialEq::eq) {
            match edit {
                Edit::Remove(at, line) => out.push(Some(Object::FileLine(name, at, line)), None),
                Edit::Insert(at, line) => out.push(None, Some(Object::FileLine(name, at, line))),
            }
        }
    });
}

fn ovs(out: &mut Out, before: &Ovs, after: &Ovs) {
    let ports = keyed(&before.ports, &after.ports, |port| port.name.clone(), PartialEq::eq);
    out.pairs(ports, |port| Object::OvsPort(Box::new(port)));
    out.fact(&before.version, &after.version, Fact::OvsVersion);
    let (b, a) = (pairs_of(&before.external_ids), pairs_of(&after.external_ids));
    for (before, after) in keyed(&b, &a, |(key, _)| key.clone(), PartialEq::eq) {
        let key = before.as_ref().or(after.as_ref()).map(|(key, _)| key.clone()).unwrap_or_default();
        let (b, a) = (before.map(|(_, value)| value), after.map(|(_, value)| value));
        out.fact(&b, &a, |value| Fact::OvsExternalId(key.clone(), value));
    }
}

fn pairs_of<K: Clone, V: Clone>(map: &BTreeMap<K, V>) -> Vec<(K, V)> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
