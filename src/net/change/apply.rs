//! Carrying changes out on a snapshot.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::list::remove_first;
use super::{Backend, Change, Fact, FileName, Object, Part, TableAt};
use crate::net::netfilter::{Chain, Netfilter, NfRule, Table};
use crate::net::normal::same_nf_rule;
use crate::net::snapshot::List;
use crate::net::{AllocationFile, Host, IfName, Link, Neigh, Netns, NetnsName, Observed, Ovs, Route, Rule, Snapshot};

impl Snapshot {
    /// Carries changes out, one after the other, then puts the lists that they
    /// touched into their order; others are left as they are. A change inside a
    /// namespace or part that is not there to be seen has no effect; inside a part
    /// that is absent it makes the part.
    pub fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            self.apply_one(change);
        }
        let touched = changes.iter().flat_map(|change| {
            let lists = change.object().map_or(&[][..], lists_of);
            lists.iter().map(|list| (change.netns.as_ref(), *list))
        });
        for (place, list) in touched.collect::<BTreeSet<_>>() {
            if let Some(netns) = self.seen_mut(place) {
                netns.sort_list(list);
            }
        }
    }

    fn apply_one(&mut self, change: &Change) {
        match change.object() {
            Some(Object::Netns(_)) => self.set_netns(change.netns.as_ref(), change.after.as_ref()),
            Some(Object::Fact(_)) => {
                if let Some(Object::Fact(fact)) = &change.after {
                    self.set_fact(fact);
                }
            }
            Some(Object::OvsPort(_) | Object::FileLine(..)) => host_object(&mut self.host, change),
            Some(Object::Part(part)) => match &change.netns {
                None if set_host_part(&mut self.host, part) => {}
                netns => {
                    if let Some(netns) = self.seen_mut(netns.as_ref()) {
                        set_part(netns, part);
                    }
                }
            },
            Some(_) => {
                if let Some(netns) = self.seen_mut(change.netns.as_ref()) {
                    netns_object(netns, change);
                }
            }
            None => {}
        }
    }

    fn seen_mut(&mut self, name: Option<&NetnsName>) -> Option<&mut Netns> {
        match name {
            Some(name) => self.netns_mut(name),
            None => self.host.netns.make_mut(),
        }
    }

    fn set_netns(&mut self, name: Option<&NetnsName>, after: Option<&Object>) {
        let after = match after {
            Some(Object::Netns(netns)) => Some(netns.clone()),
            _ => None,
        };
        match (name, after) {
            (None, after) => self.host.netns = after.unwrap_or_default(),
            (Some(name), Some(after)) => drop(self.namespaces.insert(name.clone(), after)),
            (Some(name), None) => drop(self.namespaces.remove(name)),
        }
    }

    fn set_fact(&mut self, fact: &Fact) {
        match fact.clone() {
            Fact::Node(node) => self.node = node,
            Fact::NetnsDir(dir) => self.netns_dir = dir,
            Fact::NamespacesUnreadable(why) => self.namespaces_unreadable = why,
            Fact::Kernel(kernel) => self.host.kernel = kernel,
            Fact::StatePath(path) => self.host.state_path = path,
            Fact::PathOrigin(origin) => self.host.path_origin = origin,
            Fact::LockPath(path) => self.host.lock_path = path,
            Fact::HaConfsPath(path) => self.host.ha_confs_path = path,
            Fact::NeutronVersion(version) => self.host.neutron_version = version,
            Fact::OvnController(runs) => self.host.ovn_controller = runs,
            Fact::OvsVersion(version) => {
                if let Some(ovs) = part_mut(&mut self.host.ovs) {
                    ovs.version = version;
                }
            }
            Fact::OvsExternalId(key, value) => {
                if let Some(ovs) = part_mut(&mut self.host.ovs) {
                    match value {
                        Some(value) => drop(ovs.external_ids.insert(key, value)),
                        None => drop(ovs.external_ids.remove(&key)),
                    }
                }
            }
        }
    }
}

/// The lists with an order that a change of an object touches.
fn lists_of(object: &Object) -> &'static [List] {
    match object {
        Object::Netns(_) => &List::ALL,
        Object::Link(_) => &[List::Links],
        Object::Addr(_) => &[List::Addrs],
        Object::Rule(_) => &[List::Rules],
        Object::Route(_) => &[List::Routes],
        Object::Neigh(_) => &[List::Neighs],
        Object::Part(part) => match **part {
            Part::Links(_) => &[List::Links],
            Part::Addrs(_) => &[List::Addrs],
            Part::Rules(_) => &[List::Rules],
            Part::Routes(_) => &[List::Routes],
            Part::Neighs(_) => &[List::Neighs],
            _ => &[],
        },
        _ => &[],
    }
}

pub(super) fn neigh_key(neigh: &Neigh) -> (IfName, IpAddr, bool) {
    (neigh.dev.clone(), neigh.address, neigh.proxy)
}

/// The part, where one can write into it; an absent one comes to be.
fn part_mut<T: Default>(part: &mut Observed<T>) -> Option<&mut T> {
    if part.is_absent() {
        *part = Observed::Seen(T::default());
    }
    match part {
        Observed::Seen(value) => Some(value),
        Observed::Absent | Observed::Unreadable(_) => None,
    }
}

/// Takes the old element out (the equal one, else the one of the same key) and
/// puts the new one in.
fn replace<T: Clone, K: PartialEq>(
    part: &mut Observed<Vec<T>>,
    before: Option<&T>,
    after: Option<&T>,
    key: impl Fn(&T) -> K,
    same: impl Fn(&T, &T) -> bool,
) {
    let Some(list) = part_mut(part) else { return };
    if let Some(before) = before {
        let equal = list.iter().position(|item| same(item, before));
        let at = equal.or_else(|| list.iter().position(|item| key(item) == key(before)));
        at.map(|at| list.remove(at));
    }
    list.extend(after.cloned());
}

macro_rules! sides {
    ($change:expr, $pattern:pat => $value:expr) => {{
        let pick = |object: &Option<Object>| match object {
            Some($pattern) => Some($value.clone()),
            _ => None,
        };
        (pick(&$change.before), pick(&$change.after))
    }};
}

fn netns_object(netns: &mut Netns, change: &Change) {
    match change.object() {
        Some(Object::Link(_)) => {
            let (b, a) = sides!(change, Object::Link(link) => **link);
            replace(&mut netns.links, b.as_ref(), a.as_ref(), |link| link.name.clone(), Link::same_as);
        }
        Some(Object::Addr(_)) => {
            let (b, a) = sides!(change, Object::Addr(addr) => addr);
            let key = |addr: &crate::net::Addr| (addr.dev.clone(), addr.address);
            replace(&mut netns.addrs, b.as_ref(), a.as_ref(), key, PartialEq::eq);
        }
        Some(Object::Route(_)) => {
            let (b, a) = sides!(change, Object::Route(route) => **route);
            replace(&mut netns.routes, b.as_ref(), a.as_ref(), Route::key, PartialEq::eq);
        }
        Some(Object::Neigh(_)) => {
            let (b, a) = sides!(change, Object::Neigh(neigh) => neigh);
            replace(&mut netns.neighs, b.as_ref(), a.as_ref(), neigh_key, PartialEq::eq);
        }
        Some(Object::Rule(_)) => {
            let (b, a) = sides!(change, Object::Rule(rule) => **rule);
            rule(netns, b.as_ref(), a);
        }
        Some(Object::Connection(_)) => {
            let (b, _) = sides!(change, Object::Connection(entry) => **entry);
            if let (Some(gone), Some(Observed::Seen(entries))) = (b, &mut netns.conntrack) {
                entries.retain(|entry| (&entry.original, entry.zone) != (&gone.original, gone.zone));
            }
        }
        Some(Object::Sysctl(name, _)) => match &change.after {
            Some(Object::Sysctl(_, value)) => drop(netns.sysctls.insert(name.clone(), value.clone())),
            _ => drop(netns.sysctls.remove(name)),
        },
        _ => {
            if let Some(netfilter) = part_mut(&mut netns.netfilter) {
                netfilter_object(netfilter, change);
            }
        }
    }
}

fn rule(netns: &mut Netns, before: Option<&Rule>, after: Option<Rule>) {
    let Some(rules) = part_mut(&mut netns.rules) else { return };
    if let Some(before) = before {
        remove_first(rules, |rule| rule == before);
    }
    if let Some(after) = after {
        let place = |rule: &Rule| (rule.family, rule.priority);
        let at = rules.iter().rposition(|rule| place(rule) <= place(&after)).map_or(0, |at| at + 1);
        rules.insert(at, after);
    }
}

fn netfilter_object(netfilter: &mut Netfilter, change: &Change) {
    match change.object() {
        Some(Object::Table(backend, _)) => {
            let Some(tables) = tables_mut(netfilter, *backend) else { return };
            let (b, a) = sides!(change, Object::Table(_, table) => **table);
            let is = |wanted: &Table| {
                let (family, name) = (wanted.family, wanted.name.clone());
                move |table: &Table| table.family == family && table.name == name
            };
            match (b, a) {
                (Some(_), Some(a)) => {
                    if let Some(table) = tables.iter_mut().find(|table| is(&a)(table)) {
                        (table.dormant, table.others) = (a.dormant, a.others);
                    }
                }
                (Some(b), None) => remove_first(tables, is(&b)),
                (None, a) => tables.extend(a),
            }
        }
        Some(Object::Chain(at, _)) => {
            let Some(table) = table_mut(netfilter, at) else { return };
            let (b, a) = sides!(change, Object::Chain(_, chain) => **chain);
            match (b, a) {
                (Some(_), Some(a)) => {
                    if let Some(chain) = table.chains.iter_mut().find(|chain| chain.name == a.name) {
                        chain.base = a.base;
                    }
                }
                (Some(b), None) => remove_first(&mut table.chains, |chain| chain.name == b.name),
                (None, a) => table.chains.extend(a),
            }
        }
        Some(Object::NfRule(at, _)) => {
            let Some(table) = table_mut(netfilter, &at.at) else { return };
            if let Some(chain) = table.chains.iter_mut().find(|chain| chain.name == at.chain) {
                nf_rule(chain, change);
            }
        }
        _ => {}
    }
}

/// Removing takes the rule at its place, or, where the chain has changed
/// meanwhile, the first one that says the same.
fn nf_rule(chain: &mut Chain, change: &Change) {
    if let Some(Object::NfRule(at, rule)) = &change.before {
        let is = |candidate: &NfRule| same_nf_rule(candidate, rule);
        if chain.rules.get(at.position).is_some_and(is) {
            chain.rules.remove(at.position);
        } else {
            remove_first(&mut chain.rules, is);
        }
    }
    if let Some(Object::NfRule(at, rule)) = &change.after {
        chain.rules.insert(at.position.min(chain.rules.len()), (**rule).clone());
    }
}

fn tables_mut(netfilter: &mut Netfilter, backend: Backend) -> Option<&mut Vec<Table>> {
    part_mut(match backend {
        Backend::Nft => &mut netfilter.nft,
        Backend::Legacy => &mut netfilter.legacy,
    })
}

fn table_mut<'a>(netfilter: &'a mut Netfilter, at: &TableAt) -> Option<&'a mut Table> {
    let tables = tables_mut(netfilter, at.backend)?;
    tables.iter_mut().find(|table| table.family == at.family && table.name == at.table)
}

fn set_part(netns: &mut Netns, part: &Part) {
    match part.clone() {
        Part::Links(links) => netns.links = links,
        Part::Addrs(addrs) => netns.addrs = addrs,
        Part::Rules(rules) => netns.rules = rules,
        Part::Routes(routes) => netns.routes = routes,
        Part::Neighs(neighs) => netns.neighs = neighs,
        Part::Netfilter(netfilter) => netns.netfilter = netfilter,
        Part::Tables(backend, tables) => {
            if let Some(netfilter) = part_mut(&mut netns.netfilter) {
                match backend {
                    Backend::Nft => netfilter.nft = tables,
                    Backend::Legacy => netfilter.legacy = tables,
                }
            }
        }
        Part::ConntrackFill(fill) => netns.conntrack_fill = fill,
        Part::Gaps(gaps) => netns.gaps = gaps,
        Part::Ovs(_) | Part::Agent(_) | Part::File(..) | Part::HostGaps(_) => {}
    }
}

/// Sets a part that only the host has; false for any other.
fn set_host_part(host: &mut Host, part: &Part) -> bool {
    match part.clone() {
        Part::Ovs(ovs) => host.ovs = ovs,
        Part::Agent(agent) => host.agent = agent,
        Part::File(name, file) => *file_mut(host, name) = file,
        Part::HostGaps(gaps) => host.gaps = gaps,
        _ => return false,
    }
    true
}

fn file_mut(host: &mut Host, name: FileName) -> &mut Observed<AllocationFile> {
    match name {
        FileName::LinkLocal => &mut host.link_local_file,
        FileName::Priorities => &mut host.priority_file,
    }
}

fn host_object(host: &mut Host, change: &Change) {
    if let Some(Object::OvsPort(_)) = change.object() {
        let (b, a) = sides!(change, Object::OvsPort(port) => **port);
        if let Some(ovs) = part_mut::<Ovs>(&mut host.ovs) {
            let mut ports = Observed::Seen(std::mem::take(&mut ovs.ports));
            replace(&mut ports, b.as_ref(), a.as_ref(), |port| port.name.clone(), PartialEq::eq);
            ovs.ports = ports.seen().cloned().unwrap_or_default();
            ovs.ports.sort();
        }
    }
    if let Some(Object::FileLine(name, at, line)) = &change.before
        && let Some(file) = part_mut(file_mut(host, *name))
    {
        if file.lines.get(*at) == Some(line) {
            file.lines.remove(*at);
        } else {
            remove_first(&mut file.lines, |candidate| candidate == line);
        }
    }
    if let Some(Object::FileLine(name, at, line)) = &change.after
        && let Some(file) = part_mut(file_mut(host, *name))
    {
        file.lines.insert((*at).min(file.lines.len()), line.clone());
    }
}
