//! The snapshot against the kernel's own tools, object by object.

use std::collections::BTreeSet;
use std::process::Command;

use fipscope::net::netfilter::{NfFamily, Table};
use fipscope::net::{Family, Link, Neigh, Netns, NetnsName, Observed, Route, Rule, RuleAction, Snapshot};
use serde_json::Value;

/// Compares every namespace of a snapshot with what `ip` shows of it now. The
/// kernel changes things by itself (a link-local address passes its check for
/// duplicates and gets a route), so a snapshot that differs is taken again.
pub(crate) fn agrees(snapshot: impl Fn() -> Value) -> Vec<String> {
    for _ in 0..10 {
        if differences(&snapshot()).is_empty() {
            return Vec::new();
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    differences(&snapshot())
}

fn differences(snapshot: &Value) -> Vec<String> {
    let snapshot: Snapshot = serde_json::from_value(snapshot.clone()).unwrap();
    let mut wrong = Vec::new();
    let listed: BTreeSet<String> =
        std::fs::read_dir("/run/netns").unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let ours: BTreeSet<String> = snapshot.namespaces.keys().map(|name| name.as_str().to_owned()).collect();
    differ(&mut wrong, "namespaces", &ours, &listed);
    for (name, netns) in &snapshot.namespaces {
        match netns.seen() {
            Some(netns) => one(&mut wrong, name, netns),
            None => wrong.push(format!("{name}: {netns:?}")),
        }
    }
    wrong
}

/// `ip -n NETNS -j …`, parsed; an empty answer is an empty list.
pub(crate) fn ip(netns: &str, args: &[&str]) -> Vec<Value> {
    let output = Command::new("ip").args(["-n", netns, "-N", "-j", "-d"]).args(args).output().unwrap();
    assert!(output.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    if output.stdout.iter().all(u8::is_ascii_whitespace) {
        return Vec::new();
    }
    serde_json::from_slice::<Vec<Value>>(&output.stdout)
        .unwrap()
        .into_iter()
        .filter(|v| v != &serde_json::json!({}))
        .collect()
}

fn one(wrong: &mut Vec<String>, name: &NetnsName, netns: &Netns) {
    let ns = name.as_str();
    let links = ip(ns, &["link"]);
    differ(wrong, &format!("{ns} links"), &netns.links().iter().map(ours_link).collect(), &set(&links, their_link));
    let addrs = ip(ns, &["addr"]).iter().flat_map(their_addrs).collect();
    let ours = netns.addrs().iter().map(|a| format!("{} {} scope {}", a.dev, a.address, a.scope)).collect();
    differ(wrong, &format!("{ns} addrs"), &ours, &addrs);
    for (flag, family) in [("-4", Family::V4), ("-6", Family::V6)] {
        let rules = ip(ns, &[flag, "rule"]);
        let ours = netns.rules().iter().filter(|r| r.family == family).map(ours_rule).collect();
        differ(wrong, &format!("{ns} rules {flag}"), &ours, &set(&rules, their_rule));
        let routes = ip(ns, &[flag, "route", "show", "table", "all"]);
        let ours = netns.routes().iter().filter(|r| r.family() == family).map(ours_route).collect();
        differ(wrong, &format!("{ns} routes {flag}"), &ours, &set(&routes, |r| their_route(r, family)));
    }
    let neighs: BTreeSet<String> =
        ip(ns, &["neigh", "show", "nud", "all"]).iter().filter(|n| n["state"][0] != "NOARP").map(their_neigh).collect();
    let ours = netns.neighs().iter().filter(|n| !n.proxy).map(ours_neigh).collect();
    differ(wrong, &format!("{ns} neighbours"), &ours, &neighs);
    let netfilter = netns.netfilter.seen().expect("netfilter was read");
    for (program, family, tables) in [
        ("iptables-nft-save", NfFamily::Ip, &netfilter.nft),
        ("ip6tables-nft-save", NfFamily::Ip6, &netfilter.nft),
        ("iptables-legacy-save", NfFamily::Ip, &netfilter.legacy),
        ("ip6tables-legacy-save", NfFamily::Ip6, &netfilter.legacy),
    ] {
        let (ours, mut theirs) = (ours_save(tables, family), their_save(ns, program));
        // The tool shows built-in chains that the kernel does not have (seen with 1.8.9: INPUT of nat).
        theirs.retain(|line| !(line.contains(" :") && line.ends_with(" ACCEPT")) || ours.contains(line));
        if ours != theirs {
            let at = ours.iter().zip(&theirs).position(|(o, t)| o != t).unwrap_or(ours.len().min(theirs.len()));
            wrong.push(format!("{ns} {program}, line {at}: we {:?}, it {:?}", ours.get(at), theirs.get(at)));
        }
    }
}

/// Every table, chain and rule, in order, without counters: packets still flow.
fn ours_save(tables: &Observed<Vec<Table>>, family: NfFamily) -> Vec<String> {
    assert!(tables.unreadable().is_none(), "{tables:?}");
    let mut tables: Vec<_> = tables.seen().into_iter().flatten().filter(|table| table.family == family).collect();
    tables.sort_by_key(|table| table.name.clone());
    let mut lines = Vec::new();
    for table in tables {
        lines.push(format!("*{}", table.name));
        lines.extend(table.chains.iter().map(|chain| without_counters(&table.name, &chain.declaration())));
        let rules = table.chains.iter().flat_map(|chain| chain.rules.iter().map(|rule| (&chain.name, rule)));
        lines.extend(rules.map(|(chain, rule)| rule.line(chain, family).to_string()));
    }
    lines
}

pub(crate) fn their_save(netns: &str, program: &str) -> Vec<String> {
    let output = Command::new("ip").args(["netns", "exec", netns, program]).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut tables: Vec<Vec<String>> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && *line != "COMMIT") {
        if line.starts_with('*') {
            tables.push(Vec::new());
        }
        let table = tables.last_mut().unwrap();
        let name = table.first().map_or("", |head| head.trim_start_matches('*')).to_owned();
        table.push(without_counters(&name, line));
    }
    tables.sort_by_key(|table| table[0].clone());
    tables.concat()
}

/// `nat :INPUT ACCEPT` for a declaration; anything else as it is.
fn without_counters(table: &str, line: &str) -> String {
    if line.starts_with(':') { format!("{table} {}", line.split(" [").next().unwrap()) } else { line.to_owned() }
}

fn differ(wrong: &mut Vec<String>, what: &str, ours: &BTreeSet<String>, theirs: &BTreeSet<String>) {
    wrong.extend(ours.difference(theirs).map(|x| format!("{what}: only in our snapshot: {x}")));
    wrong.extend(theirs.difference(ours).map(|x| format!("{what}: only in the kernel's answer: {x}")));
}

fn set(values: &[Value], text: impl Fn(&Value) -> String) -> BTreeSet<String> {
    values.iter().map(text).collect()
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { "-".to_owned() } else { value.to_string() }, str::to_owned)
}

fn ours_link(link: &Link) -> String {
    let option = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    format!(
        "{} {} mtu {} {} {} kind {} link {} nsid {}",
        link.index,
        link.name,
        link.mtu,
        link.state.word(),
        option(link.mac.map(|mac| mac.to_string())),
        option(link.kind.clone()),
        option(link.link.filter(|_| link.link_netnsid.is_some()).map(|i| i.to_string())),
        option(link.link_netnsid.map(|i| i.to_string())),
    )
}

fn their_link(link: &Value) -> String {
    format!(
        "{} {} mtu {} {} {} kind {} link {} nsid {}",
        link["ifindex"],
        word(&link["ifname"]),
        link["mtu"],
        word(&link["operstate"]),
        word(&link["address"]),
        word(&link["linkinfo"]["info_kind"]),
        word(&link["link_index"]),
        word(&link["link_netnsid"]),
    )
}

fn their_addrs(link: &Value) -> Vec<String> {
    let dev = word(&link["ifname"]);
    let scope = |a: &Value| match a["scope"].as_str().unwrap_or("") {
        "global" | "0" => 0,
        "link" | "253" => 253,
        "host" | "254" => 254,
        _ => 1,
    };
    let infos = link["addr_info"].as_array().cloned().unwrap_or_default();
    infos.iter().map(|a| format!("{dev} {}/{} scope {}", word(&a["local"]), a["prefixlen"], scope(a))).collect()
}

fn ours_rule(rule: &Rule) -> String {
    let from = rule.from.map_or("all".to_owned(), |net| net.to_string());
    let to = rule.to.map_or("-".to_owned(), |net| net.to_string());
    let table = match rule.action {
        RuleAction::Lookup(table) => table.0.to_string(),
        other => format!("{other}"),
    };
    let iif = rule.iif.as_ref().map_or("-".to_owned(), ToString::to_string);
    format!("{} from {from} to {to} iif {iif} table {table}", rule.priority)
}

fn their_rule(rule: &Value) -> String {
    let net = |ip: &str, len: &str| {
        let addr = rule[ip].as_str()?;
        let host = if addr.contains(':') { 128 } else { 32 };
        Some(if addr == "all" { addr.to_owned() } else { format!("{addr}/{}", rule[len].as_u64().unwrap_or(host)) })
    };
    let from = net("src", "srclen").unwrap_or("all".to_owned());
    let to = net("dst", "dstlen").unwrap_or("-".to_owned());
    let table = match word(&rule["table"]).as_str() {
        "local" => "255".to_owned(),
        "main" => "254".to_owned(),
        "default" => "253".to_owned(),
        other => other.to_owned(),
    };
    format!("{} from {from} to {to} iif {} table {table}", rule["priority"], word(&rule["iif"]))
}

fn ours_route(route: &Route) -> String {
    let option = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    format!(
        "{} {} via {} dev {} table {} proto {} src {} metric {}",
        route.kind.word(),
        route.dst,
        option(route.via().map(|ip| ip.to_string())),
        option(route.dev().map(ToString::to_string)),
        route.table.0,
        route.protocol,
        option(route.pref_src.map(|ip| ip.to_string())),
        route.metric,
    )
}

fn their_route(route: &Value, family: Family) -> String {
    let (any, host) = if family == Family::V4 { ("0.0.0.0/0", 32) } else { ("::/0", 128) };
    let dst = match word(&route["dst"]).as_str() {
        "default" => any.to_owned(),
        net if net.contains('/') => net.to_owned(),
        addr => format!("{addr}/{host}"),
    };
    let table = match word(&route["table"]).as_str() {
        "-" | "main" => "254".to_owned(),
        "local" => "255".to_owned(),
        "default" => "253".to_owned(),
        other => other.to_owned(),
    };
    let kind = match word(&route["type"]).as_str() {
        "-" | "1" => "unicast".to_owned(),
        "2" => "local".to_owned(),
        "3" => "broadcast".to_owned(),
        "4" => "anycast".to_owned(),
        "5" => "multicast".to_owned(),
        other => other.to_owned(),
    };
    let proto = match word(&route["protocol"]).as_str() {
        "kernel" => "2".to_owned(),
        "boot" | "-" => "3".to_owned(),
        "static" => "4".to_owned(),
        "ra" => "9".to_owned(),
        "unspec" => "0".to_owned(),
        other => other.to_owned(),
    };
    format!(
        "{} {dst} via {} dev {} table {table} proto {proto} src {} metric {}",
        kind,
        word(&route["gateway"]),
        word(&route["dev"]),
        word(&route["prefsrc"]),
        route["metric"].as_u64().unwrap_or(0),
    )
}

fn ours_neigh(neigh: &Neigh) -> String {
    let mac = neigh.mac.map_or("-".to_owned(), |mac| mac.to_string());
    format!("{} dev {} {mac} {}", neigh.address, neigh.dev, settled(neigh.state.word()))
}

fn their_neigh(neigh: &Value) -> String {
    let state = neigh["state"][0].as_str().unwrap_or("NONE");
    format!("{} dev {} {} {}", word(&neigh["dst"]), word(&neigh["dev"]), word(&neigh["lladdr"]), settled(state))
}

/// States that come and go by themselves between two readings count as one.
fn settled(state: &str) -> &str {
    if ["REACHABLE", "STALE", "DELAY", "PROBE"].contains(&state) { "DYNAMIC" } else { state }
}
