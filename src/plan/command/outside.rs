//! Commands of what is not the kernel's routing: connection tracking, Open
//! vSwitch, the agent's files, the neighbourhood.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::super::{AnnounceBy, Place, SwitchPort};
use super::word::quote;
use super::{inside, ip};
use crate::net::netfilter::protocol_word;
use crate::net::{ConntrackTuple, Family, IfName};

/// The four places where an entry can have the address.
pub(super) fn forget(inside: &str, address: IpAddr) -> String {
    let family = if address.is_ipv6() { " -f ipv6" } else { "" };
    let sides = "--orig-src --orig-dst --reply-src --reply-dst";
    format!("for side in {sides}; do {inside}conntrack -D{family} $side {address}; done")
}

/// By the direction in which it began.
pub(super) fn forget_connection(inside: &str, original: &ConntrackTuple, zone: u16) -> String {
    let family = if original.src.is_ipv6() { " -f ipv6" } else { "" };
    let proto = protocol_word(original.proto).map_or_else(|| original.proto.to_string(), str::to_owned);
    let ports = match (original.sport, original.dport) {
        (Some(id), _) if proto.contains("icmp") => format!(" --icmp-id {id}"),
        (Some(sport), Some(dport)) => format!(" --sport {sport} --dport {dport}"),
        _ => String::new(),
    };
    let zone = if zone == 0 { String::new() } else { format!(" --zone {zone}") };
    format!(
        "{inside}conntrack -D{family} -p {proto} --orig-src {} --orig-dst {}{ports}{zone}",
        original.src, original.dst
    )
}

/// With `arping` of iputils, as the agent calls it. Without the address on the
/// device it needs `ip_nonlocal_bind`.
/// It ends with 1 where somebody answers (`arping` of iputils).
pub(super) fn probe(place: &Place, dev: &IfName, address: Ipv4Addr) -> String {
    format!("{}arping -D -I {} -c 3 -w 3 {address}", inside(place), quote(dev.as_str()))
}

pub(super) fn announce(place: &Place, dev: &IfName, address: Ipv4Addr, by: AnnounceBy) -> String {
    let (inside, device) = (inside(place), quote(dev.as_str()));
    let tell = |form, times| format!("{inside}arping {form} -I {device} {times} {address}");
    match by {
        AnnounceBy::Repeat => {
            let (request, reply) = (tell("-U", "-c 1 -w 2"), tell("-A", "-c 1 -w 2"));
            format!("for round in 1 2 3; do {request}; {reply}; sleep 2; done")
        }
        AnnounceBy::Address => {
            let addr = |verb| format!("{} addr {verb} {address}/32 dev {device}", ip(place, Family::V4));
            format!("{} && {}; {}", addr("add"), tell("-A", "-c 3 -w 4.5"), addr("del"))
        }
    }
}

pub(super) fn switch_port(verb: &str, port: &SwitchPort) -> String {
    let (bridge, name) = (quote(port.bridge.as_str()), quote(port.name.as_str()));
    if verb != "add" {
        return format!("ovs-vsctl {verb}-port {bridge} {name}");
    }
    let tag = port.tag.map(|tag| format!(" tag={tag}")).unwrap_or_default();
    let mut command = vec![format!("ovs-vsctl add-port {bridge} {name}{tag}")];
    let mut settings: Vec<String> = Vec::new();
    settings.extend(port.internal.then(|| "type=internal".to_owned()));
    settings.extend(port.external_ids.iter().map(|(key, value)| quote(&format!("external_ids:{key}={value}"))));
    if !settings.is_empty() {
        command.push(format!(" -- set Interface {name} {}", settings.join(" ")));
    }
    if !port.internal {
        return command.concat();
    }
    if let Place::Netns(netns) = &port.netns {
        command.push(format!(" && ip link set {name} netns {}", quote(netns.as_str())));
    }
    let mac = port.mac.map(|mac| format!(" address {mac}"));
    let mtu = port.mtu.map(|mtu| format!(" mtu {mtu}"));
    if mac.is_some() || mtu.is_some() {
        let (mac, mtu) = (mac.unwrap_or_default(), mtu.unwrap_or_default());
        command.push(format!(" && {} link set {name}{mac}{mtu}", ip(&port.netns, Family::V4)));
    }
    command.concat()
}

pub(super) fn file_line(verb: &str, path: &Path, line: &str) -> String {
    let path = quote(&path.display().to_string());
    if verb == "add" {
        return format!("printf '%s\\n' {} >> {path}", quote(line));
    }
    format!("sed -i {} {path}", quote(&format!("/^{}$/d", basic_expression(line))))
}

/// A basic regular expression that matches this text and no other.
fn basic_expression(text: &str) -> String {
    let mut expression = String::new();
    for c in text.chars() {
        match c {
            '.' | '*' | '[' | '$' => expression.extend(['[', c, ']']),
            '^' | '\\' | '/' => expression.extend(['\\', c]),
            _ => expression.push(c),
        }
    }
    expression
}
