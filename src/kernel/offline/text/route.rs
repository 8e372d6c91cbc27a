//! `ip route show table all`, which lists both families.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Parsed, TableNames, Words, net, not_understood, number, numbered, protocol, scope};
use crate::net::{IfName, NextHop, Route, RouteKind, TableId};

/// The routes of all tables and of both families.
pub fn routes(text: &str, tables: &TableNames) -> Parsed<Vec<Route>> {
    let mut routes: Vec<Route> = Vec::new();
    for (number, line) in numbered(text) {
        let wrong = || not_understood(number, line);
        // The ways of a multipath route stand indented below it.
        if line.starts_with([' ', '\t']) {
            let route = routes.last_mut().ok_or_else(wrong)?;
            let mut words = Words::of(line);
            let hop = words.take("nexthop").then(|| next_hop(&mut words)).flatten().ok_or_else(wrong)?;
            settle_family(route, hop.via);
            route.next_hops.push(hop);
        } else {
            routes.push(route(line, tables).ok_or_else(wrong)?);
        }
    }
    Ok(routes)
}

/// `ip` prints `default` for both families. IPv6 routes have a preference,
/// IPv4 routes have none.
fn route(line: &str, tables: &TableNames) -> Option<Route> {
    let mut words = Words::of(line);
    let kind = words.peek().and_then(kind);
    if kind.is_some() {
        words.next();
    }
    let (v4, v6) = (IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default()));
    let dst = match words.next()? {
        "default" if line.split_whitespace().any(|word| word == "pref") => v6,
        "default" => v4,
        word => net(word)?,
    };
    let mut route = Route {
        kind: kind.unwrap_or(RouteKind::Unicast),
        next_hops: Vec::new(),
        protocol: 3,
        ..Route::unicast(TableId::MAIN, dst, None, &IfName::from(""))
    };
    let mut hop = NextHop { weight: 1, ..NextHop::default() };
    let (mut tight, mut crossed) = (false, false);
    while let Some(word) = words.next() {
        crossed |= word == "via" && words.peek().is_some_and(|word| word.starts_with("inet"));
        if hop_word(word, &mut words, &mut hop)? {
            tight |= matches!(word, "via" | "dev");
            continue;
        }
        match word {
            "from" => route.src = Some(net(words.next()?)?),
            "table" => route.table = tables.table(words.next()?)?,
            "proto" => route.protocol = protocol(words.next()?)?,
            "scope" => route.scope = scope(words.next()?)?,
            "src" => route.pref_src = Some(words.value()?),
            "metric" => route.metric = words.value()?,
            "tos" | "dsfield" => route.tos = u8::try_from(number(words.next()?)?).ok()?,
            "mtu" => {
                words.take("lock");
                route.mtu = Some(words.value()?);
            }
            "nhid" => route.nexthop_id = Some(words.value()?),
            "pref" | "expires" | "error" | "users" | "age" | "used" | "hoplimit" | "advmss" | "rtt" | "rttvar"
            | "initcwnd" | "initrwnd" | "quickack" | "congctl" | "window" | "ssthresh" | "cwnd" | "reordering"
            | "rto_min" | "features" | "realm" | "realms" | "ttl-propagate" | "fastopen_no_cookie" => {
                words.take("lock");
                words.next()?;
            }
            _ => return None,
        }
    }
    if tight {
        if !crossed {
            settle_family(&mut route, hop.via);
        }
        route.next_hops.push(hop);
    }
    Some(route)
}

/// A gateway's family tells the family of a default route that has no other
/// sign of it.
fn settle_family(route: &mut Route, via: Option<IpAddr>) {
    if route.is_default() && via.is_some_and(|via| via.is_ipv6()) {
        route.dst = IpNet::V6(ipnet::Ipv6Net::default());
    }
}

fn next_hop(words: &mut Words<'_>) -> Option<NextHop> {
    let mut hop = NextHop { weight: 1, ..NextHop::default() };
    while let Some(word) = words.next() {
        hop_word(word, words, &mut hop)?.then_some(())?;
    }
    Some(hop)
}

/// Takes a word that speaks of one way onward. `Some(false)`: it speaks of
/// something else.
fn hop_word(word: &str, words: &mut Words<'_>, hop: &mut NextHop) -> Option<bool> {
    match word {
        "via" => {
            let _ = words.take("inet") || words.take("inet6");
            hop.via = Some(words.value()?);
        }
        "dev" => hop.dev = Some(IfName::from(words.next()?)),
        "weight" => hop.weight = words.value()?,
        "onlink" => hop.onlink = true,
        "dead" => hop.dead = true,
        "linkdown" => hop.linkdown = true,
        "pervasive" | "offload" | "trap" | "unresolved" | "rt_offload" | "rt_trap" | "rt_offload_failed" | "notify" => {
        }
        _ => return Some(false),
    }
    Some(true)
}

fn kind(word: &str) -> Option<RouteKind> {
    Some(match word {
        "unicast" => RouteKind::Unicast,
        "local" => RouteKind::Local,
        "broadcast" => RouteKind::Broadcast,
        "anycast" => RouteKind::Anycast,
        "multicast" => RouteKind::Multicast,
        "blackhole" => RouteKind::Blackhole,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        "throw" => RouteKind::Throw,
        "nat" => RouteKind::Other(10),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Route> {
        routes(text, &TableNames::default()).unwrap()
    }

    #[test]
    fn routes_print_as_they_were_read() {
        let text = "default via 169.254.31.29 dev rfp-ef25020f-0 table 16 proto static\n\
            10.0.0.0/24 dev qr-c2e43983-5c proto kernel scope link src 10.0.0.1\n\
            192.168.1.3 via 169.254.31.28 dev fpr-ef25020f-0 proto static\n\
            broadcast 10.0.0.255 dev qr-c2e43983-5c table local proto kernel scope link src 10.0.0.1\n\
            blackhole 10.9.0.0/16 metric 7";
        let printed: Vec<String> = read(text).iter().map(ToString::to_string).collect();
        assert_eq!(printed, text.lines().collect::<Vec<_>>());
    }

    #[test]
    fn the_family_of_a_default_route_is_told_by_its_words() {
        let text = "default dev tun0 scope link\n\
            default via fe80::1 dev rfp-b047c241-8 proto static metric 1024 pref medium\n\
            unreachable default dev lo metric 4294967295 error -101 pref medium\n\
            default via inet6 fe80::1 dev eth0\n\
            default via fe80::1 dev eth0";
        let families: Vec<bool> = read(text).iter().map(|route| route.dst.addr().is_ipv6()).collect();
        assert_eq!(families, [false, true, true, false, true]);
    }

    #[test]
    fn several_ways_belong_to_one_route() {
        let text = "default proto static metric 1024 \n\
            \tnexthop via 10.0.0.1 dev eth0 weight 1 \n\
            \tnexthop via 10.0.0.2 dev eth1 weight 5 onlink linkdown\n\
            10.2.0.0/16 dev eth0 scope link linkdown\n";
        let routes = read(text);
        assert_eq!(routes.len(), 2);
        assert_eq!(routes[0].next_hops.len(), 2);
        assert_eq!(routes[0].next_hops[1].weight, 5);
        assert!(routes[0].next_hops[1].onlink && routes[0].next_hops[1].linkdown);
        assert!(routes[1].next_hops[0].linkdown);
    }

    #[test]
    fn what_is_no_route_is_named_with_its_line() {
        let tables = TableNames::default();
        for text in ["Dump terminated", "\tnexthop via 10.0.0.1", "10.0.0.0/33 dev a", "default via x", "local"] {
            assert_eq!(routes(text, &tables).unwrap_err().line, 1, "{text}");
        }
    }
}
