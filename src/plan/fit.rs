//! Steps fitted to a node: what is so already is marked, what stands in another
//! form is replaced, and what the node would refuse is found before it is tried.

use crate::net::netfilter::{Backend, NfFamily, Table};
use crate::net::{IfName, Ipv4Conf, Link, Neigh, NeighState, Netns, Observed, Peer, Route, Snapshot};

use super::simulate::{Simulation, parsed, same_rule};
use super::{Action, ChainEdit, LinkSetting, Object, Place, Plan, Refused, Step, TableEdit, Veth};

/// The same plan with what is so already marked as such. Fails where a step
/// would come to nothing for another reason.
pub(super) fn fit(plan: Plan, snapshot: &Snapshot) -> Result<Plan, Refused> {
    let mut simulation = Simulation::of(snapshot);
    let mut fitted = Plan { steps: Vec::new(), ..plan };
    for step in plan.steps {
        let (already, to_do) = split(simulation.snapshot(), &step.netns, step.action);
        if let Some(action) = already {
            fitted.push(&step.netns, action);
            if let Some(last) = fitted.steps.last_mut() {
                last.already = true;
            }
        }
        if let Some(action) = to_do {
            let action = instead(simulation.snapshot(), &step.netns, action);
            if !simulation.perform(&step.netns, &action) && must_tell(&action) {
                return Err(Refused::Conflict(action.command(&step.netns)));
            }
            fitted.push(&step.netns, action);
        }
    }
    Ok(fitted)
}

/// True where something is to be done that lasts.
pub(super) fn lasts(step: &Step) -> bool {
    !step.already
        && !matches!(
            step.action,
            Action::Forget { .. } | Action::ForgetConnection { .. } | Action::Probe { .. } | Action::Announce { .. }
        )
}

/// The part of an action that is so already, and the rest.
fn split(snapshot: &Snapshot, place: &Place, action: Action) -> (Option<Action>, Option<Action>) {
    let netns = place.seen(snapshot);
    if let Action::Netfilter(edit) = action {
        let table = netns.and_then(|netns| table(netns, &edit));
        let empty = TableEdit::new(edit.backend, edit.table.clone());
        let (mut so, mut rest) = (empty.clone(), empty);
        for one in edit.edits {
            let part = if edit_is_so(table, &one) { &mut so } else { &mut rest };
            part.edits.push(one);
        }
        let some = |edit: TableEdit| (!edit.edits.is_empty()).then_some(Action::Netfilter(edit));
        return (some(so), some(rest));
    }
    if is_so(snapshot, place, netns, &action) { (Some(action), None) } else { (None, Some(action)) }
}

/// Whether what a step is to bring about is so.
pub(super) fn is_so(snapshot: &Snapshot, place: &Place, netns: Option<&Netns>, action: &Action) -> bool {
    match action {
        Action::Add(object) => stands(snapshot, place, netns, object),
        Action::Delete(object) => !stands(snapshot, place, netns, object),
        Action::SetLink { dev, to, .. } => netns.is_some_and(|netns| link_is(netns, dev, to)),
        Action::Move { dev, from, to } => {
            let has = |place: &Place| place.seen(snapshot).is_some_and(|netns| netns.link(dev).is_some());
            has(to) && !has(from)
        }
        Action::ReplaceRoute { to, .. } => {
            netns.is_some_and(|netns| netns.routes().iter().any(|it| same_route(it, to)))
        }
        Action::Sysctl { key, to, .. } => netns.and_then(|netns| setting(netns, key)) == Some(*to),
        Action::Netfilter(_)
        | Action::Forget { .. }
        | Action::ForgetConnection { .. }
        | Action::Probe { .. }
        | Action::Announce { .. } => false,
    }
}

fn stands(snapshot: &Snapshot, place: &Place, netns: Option<&Netns>, object: &Object) -> bool {
    let within = |is: &dyn Fn(&Netns) -> bool| netns.is_some_and(is);
    match object {
        Object::Netns(name) => snapshot.namespaces.contains_key(name),
        Object::Veth(pair) => within(&|netns| joined(snapshot, place, netns, pair)),
        Object::Bridge(name) => within(&|netns| netns.link(name).is_some()),
        Object::Addr(addr) => {
            within(&|netns| netns.addrs().iter().any(|it| it.dev == addr.dev && it.address == addr.address))
        }
        Object::Rule(rule) => within(&|netns| netns.rules().iter().any(|it| same_rule(it, rule))),
        Object::Route(route) => within(&|netns| netns.routes().iter().any(|it| same_route(it, route))),
        Object::Neigh(neigh) => within(&|netns| {
            let state = if neigh.proxy { NeighState::None } else { NeighState::Permanent };
            let same = |it: &&Neigh| {
                (&it.dev, it.address, it.proxy, it.state) == (&neigh.dev, neigh.address, neigh.proxy, state)
            };
            netns.neighs().iter().filter(same).any(|it| it.mac == neigh.mac)
        }),
        Object::OvsPort(port) => {
            let there = snapshot.host.ovs.seen().and_then(|ovs| ovs.port(port.name.as_str()));
            there.is_some_and(|there| there.bridge == port.bridge.as_str())
        }
        Object::FileLine { file, line, .. } => {
            let file = match file {
                crate::net::FileName::LinkLocal => &snapshot.host.link_local_file,
                crate::net::FileName::Priorities => &snapshot.host.priority_file,
            };
            file.seen().is_some_and(|file| file.lines.contains(line))
        }
    }
}

/// Both ends are there, and nothing says that they are not each other's.
fn joined(snapshot: &Snapshot, place: &Place, netns: &Netns, pair: &Veth) -> bool {
    let other = pair.peer_netns.seen(snapshot).and_then(|netns| netns.link(&pair.peer.name));
    let (Some(end), Some(other)) = (netns.link(&pair.end.name), other) else { return false };
    match &end.peer {
        None => true,
        Some(Peer::In(name, index)) => pair.peer_netns.name() == Some(name) && *index == other.index,
        Some(Peer::Host(index)) => pair.peer_netns == Place::Host && *index == other.index,
        Some(Peer::Here(index)) => pair.peer_netns == *place && *index == other.index,
        Some(Peer::Elsewhere) => false,
    }
}

/// The permanent neighbour that a step writes over: written again, it is back.
pub fn overwritten<'n>(netns: &'n Netns, action: &Action) -> Option<&'n Neigh> {
    let Action::Add(Object::Neigh(new)) = action else { return None };
    netns.neighs().iter().find(|old| {
        (&old.dev, old.address, old.proxy) == (&new.dev, new.address, new.proxy) && old.state == NeighState::Permanent
    })
}

pub(super) fn link_is(netns: &Netns, dev: &IfName, to: &LinkSetting) -> bool {
    let Some(link) = netns.link(dev) else { return false };
    match to {
        LinkSetting::Up(up) => link.is_up() == *up,
        LinkSetting::Mtu(mtu) => link.mtu == *mtu,
        LinkSetting::Mac(mac) => link.mac == Some(*mac),
        LinkSetting::Master(None) => link.master.is_none(),
        LinkSetting::Master(Some(bridge)) => netns.link(bridge).is_some_and(|bridge| link.master == Some(bridge.index)),
    }
}

/// A setting's value, also where only its device tells it.
pub(super) fn setting(netns: &Netns, key: &str) -> Option<i64> {
    let name = key.replace('/', ".");
    netns.sysctl(&name).or_else(|| {
        let (device, setting) = name.strip_prefix("net.ipv4.conf.")?.rsplit_once('.')?;
        let conf = netns.link(&IfName::from(device)).and_then(|link: &Link| link.ipv4)?;
        of_device(conf, setting)
    })
}

fn of_device(conf: Ipv4Conf, setting: &str) -> Option<i64> {
    Some(match setting {
        "proxy_arp" => conf.proxy_arp.into(),
        "forwarding" => conf.forwarding.into(),
        "send_redirects" => conf.send_redirects.into(),
        _ => return None,
    })
}

/// A route that leads the same way, whoever made it.
pub(super) fn same_route(one: &Route, other: &Route) -> bool {
    let ways = |route: &Route| route.next_hops.iter().map(|hop| (hop.dev.clone(), hop.via)).collect::<Vec<_>>();
    same_key(one, other) && one.kind == other.kind && ways(one) == ways(other)
}

pub(super) fn same_key(one: &Route, other: &Route) -> bool {
    (one.table, one.dst, one.tos, one.metric) == (other.table, other.dst.trunc(), other.tos, other.metric)
}

/// The action in the form that fits what stands there.
fn instead(snapshot: &Snapshot, place: &Place, action: Action) -> Action {
    let Some(netns) = place.seen(snapshot) else { return action };
    match action {
        Action::Add(Object::Route(to)) => match netns.routes().iter().find(|there| same_key(there, &to)) {
            Some(from) => Action::ReplaceRoute { from: Some(from.clone()), to },
            None => Action::Add(Object::Route(to)),
        },
        Action::Sysctl { key, to, from: None } => {
            let from = setting(netns, &key);
            Action::Sysctl { key, to, from }
        }
        other => other,
    }
}

/// Whether the simulation follows such a step wherever it takes effect. What is
/// not read (settings, Open vSwitch, the host's own devices) it does not.
pub(super) fn must_tell(action: &Action) -> bool {
    let on_host = matches!(action, Action::Add(Object::OvsPort(_)) | Action::Delete(Object::OvsPort(_)));
    !on_host
        && !matches!(
            action,
            Action::Sysctl { .. }
                | Action::Forget { .. }
                | Action::ForgetConnection { .. }
                | Action::Probe { .. }
                | Action::Announce { .. }
        )
}

pub(super) fn table<'n>(netns: &'n Netns, edit: &TableEdit) -> Option<&'n Table> {
    let netfilter = netns.netfilter.seen()?;
    let part: &Observed<Vec<Table>> = match edit.backend {
        Backend::Nft => &netfilter.nft,
        Backend::Legacy => &netfilter.legacy,
    };
    part.seen()?.iter().find(|table| table.family == NfFamily::Ip && table.name == edit.table)
}

/// Whether one edit finds its end reached.
pub(super) fn edit_is_so(table: Option<&Table>, edit: &ChainEdit) -> bool {
    let chain = |name: &str| table.and_then(|table| table.chain(name));
    let has = |name: &str, rule: &str| {
        let body = parsed(name, rule).map(|rule| rule.body);
        chain(name).is_some_and(|chain| chain.rules.iter().any(|there| Some(&there.body) == body.as_ref()))
    };
    match edit {
        ChainEdit::NewChain(name) => chain(name).is_some(),
        ChainEdit::DropChain(name) => chain(name).is_none(),
        ChainEdit::Add { chain, rule, .. } => has(chain, rule),
        ChainEdit::Delete { chain, rule, .. } => !has(chain, rule),
    }
}
