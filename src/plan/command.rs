//! The command line that does the same as an action, ready to be pasted.

mod outside;
mod word;

use std::net::IpAddr;

use crate::net::{Addr, Family, Neigh, Route, Rule, protocol_name, scope_name};

use super::{Action, LinkSetting, Object, Place, TableEdit, Veth, VethEnd};
use word::{quote, quote_words};

impl Action {
    /// The command line for a POSIX shell with `ip`, `sysctl` and
    /// `iptables-restore`; every word is quoted where a shell would touch it.
    pub fn command(&self, place: &Place) -> String {
        match self {
            Self::Add(object) => object.command(place, "add"),
            Self::Delete(object) => object.command(place, "del"),
            Self::SetLink { dev, to, .. } => {
                let setting = match to {
                    LinkSetting::Up(true) => "up".to_owned(),
                    LinkSetting::Up(false) => "down".to_owned(),
                    LinkSetting::Mtu(mtu) => format!("mtu {mtu}"),
                    LinkSetting::Mac(mac) => format!("address {mac}"),
                    LinkSetting::Master(Some(bridge)) => format!("master {}", quote(bridge.as_str())),
                    LinkSetting::Master(None) => "nomaster".to_owned(),
                };
                format!("{} link set {} {setting}", ip(place, Family::V4), quote(dev.as_str()))
            }
            Self::Move { dev, from, to } => {
                // The first process of the host stands in the host's own namespace.
                let to = to.name().map_or_else(|| "1".to_owned(), |name| quote(name.as_str()));
                format!("{} link set {} netns {to}", ip(from, Family::V4), quote(dev.as_str()))
            }
            Self::ReplaceRoute { to, .. } => route(place, "replace", to),
            Self::Sysctl { key, to, .. } => {
                format!("{}sysctl -w {}", inside(place), quote(&format!("{key}={to}")))
            }
            Self::Netfilter(edit) => restore(place, edit),
            Self::Forget { address } => outside::forget(&inside(place), *address),
            Self::ForgetConnection { original, zone } => outside::forget_connection(&inside(place), original, *zone),
            Self::Probe { dev, address } => outside::probe(place, dev, *address),
            Self::Announce { dev, address, by, .. } => outside::announce(place, dev, *address, *by),
        }
    }
}

impl Object {
    fn command(&self, place: &Place, verb: &str) -> String {
        match self {
            Self::Netns(name) => format!("ip netns {verb} {}", quote(name.as_str())),
            Self::Veth(pair) if verb == "add" => veth(place, pair),
            Self::Veth(Veth { end: VethEnd { name, .. }, .. }) => {
                format!("{} link {verb} {}", ip(place, Family::V4), quote(name.as_str()))
            }
            Self::Bridge(name) => {
                let kind = if verb == "add" { " type bridge" } else { "" };
                format!("{} link {verb} {}{kind}", ip(place, Family::V4), quote(name.as_str()))
            }
            Self::Addr(addr) => address(place, verb, addr),
            Self::Rule(rule) => policy_rule(place, verb, rule),
            Self::Route(to) => route(place, verb, to),
            Self::Neigh(neigh) => neighbour(place, verb, neigh),
            Self::OvsPort(port) => outside::switch_port(verb, port),
            Self::FileLine { path, line, .. } => outside::file_line(verb, path, line),
        }
    }
}

fn veth(place: &Place, pair: &Veth) -> String {
    let (end, peer) = (veth_end(&pair.end), veth_end(&pair.peer));
    let peer_netns = match (place, &pair.peer_netns) {
        (here, there) if here == there => String::new(),
        // The host has no name that would be good everywhere: the pair is made from there.
        (Place::Netns(name), Place::Host) => {
            return format!("ip link add name {peer} type veth peer name {end} netns {}", quote(name.as_str()));
        }
        (_, Place::Host) => String::new(),
        (_, Place::Netns(name)) => format!(" netns {}", quote(name.as_str())),
    };
    format!("{} link add name {end} type veth peer name {peer}{peer_netns}", ip(place, Family::V4))
}

fn veth_end(end: &VethEnd) -> String {
    let mut words = vec![quote(end.name.as_str())];
    words.extend(end.mac.map(|mac| format!("address {mac}")));
    words.extend(end.mtu.map(|mtu| format!("mtu {mtu}")));
    words.join(" ")
}

fn address(place: &Place, verb: &str, addr: &Addr) -> String {
    let mut words = match addr.peer {
        Some(peer) => {
            vec![addr.address.addr().to_string(), format!("peer {peer}/{}", addr.address.prefix_len())]
        }
        None => vec![addr.address.to_string()],
    };
    words.extend(addr.broadcast.map(|broadcast| format!("brd {broadcast}")));
    words.extend((addr.scope != 0).then(|| format!("scope {}", scope_name(addr.scope))));
    words.push(format!("dev {}", quote(addr.dev.as_str())));
    words.extend((verb == "add" && addr.flags.noprefixroute).then(|| "noprefixroute".to_owned()));
    format!("{} addr {verb} {}", ip(place, family(addr.address.addr())), words.join(" "))
}

fn policy_rule(place: &Place, verb: &str, rule: &Rule) -> String {
    let there = Rule { iif_detached: false, oif_detached: false, ..rule.clone() };
    let mut words = vec![there.selector(), rule.action.to_string(), format!("priority {}", rule.priority)];
    words.extend(rule.suppress_prefixlen.map(|length| format!("suppress_prefixlength {length}")));
    words.extend(rule.suppress_ifgroup.map(|group| format!("suppress_ifgroup {group}")));
    // Boot is what `ip` writes where nothing else is asked for.
    words.extend((!matches!(rule.protocol, 0 | 3)).then(|| format!("protocol {}", protocol_name(rule.protocol))));
    format!("{} rule {verb} {}", ip(place, rule.family), quote_words(&words.join(" ")))
}

fn route(place: &Place, verb: &str, route: &Route) -> String {
    let mut there = route.clone();
    for hop in &mut there.next_hops {
        // What the kernel says about a next hop is no word of a command.
        (hop.dead, hop.linkdown) = (false, false);
    }
    format!("{} route {verb} {}", ip(place, route.family()), quote_words(&there.to_string()))
}

fn neighbour(place: &Place, verb: &str, neigh: &Neigh) -> String {
    let dev = quote(neigh.dev.as_str());
    let ip = ip(place, Family::V4);
    match neigh.mac {
        _ if neigh.proxy => format!("{ip} neigh {verb} proxy {} dev {dev}", neigh.address),
        Some(mac) if verb == "add" => {
            format!("{ip} neigh replace {} lladdr {mac} dev {dev} nud permanent", neigh.address)
        }
        _ => format!("{ip} neigh {verb} {} dev {dev}", neigh.address),
    }
}

fn restore(place: &Place, edit: &TableEdit) -> String {
    let program = edit.backend.restore_program();
    format!("{}{program} -n -w 5 <<'EOF'\n{}EOF", inside(place), edit.restore_text())
}

fn ip(place: &Place, family: Family) -> String {
    let six = if family == Family::V6 { " -6" } else { "" };
    match place {
        Place::Host => format!("ip{six}"),
        Place::Netns(name) => format!("ip{six} -n {}", quote(name.as_str())),
    }
}

/// What runs a program in a place; nothing for the host's own.
pub(super) fn inside(place: &Place) -> String {
    place.name().map_or(String::new(), |name| format!("ip netns exec {} ", quote(name.as_str())))
}

fn family(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::V4 } else { Family::V6 }
}

#[cfg(test)]
mod tests;
