//! Each match of a rule.

use super::*;
use crate::net::netfilter::CtDirection;

/// Whether a packet that goes from `qr-1` to `rfp-1` meets the matches.
fn meets(matches: &str, packet: Packet) -> bool {
    let text = table("filter", &["FORWARD ACCEPT"], &[&format!("FORWARD {matches} -j DROP")]);
    let at = Crossing { iif: "qr-1", oif: "rfp-1", ..Crossing::default() };
    match at_hook(&text, Hook::Forward, &at, packet) {
        Fate::Drop(_) => true,
        Fate::Pass => false,
        other => panic!("{matches}: {other:?}"),
    }
}

#[test]
fn addresses_devices_and_protocols() {
    let packet = tcp("10.0.0.4", "203.0.113.9");
    let cases = [
        ("-s 10.0.0.4/32", true),
        ("-s 10.0.0.0/24", true),
        ("! -s 10.0.0.0/24", false),
        ("-s 0.0.0.0/0", true),
        ("-s 10.0.0.4/32 -d 203.0.113.8/32", false),
        ("! -d 203.0.113.8/32", true),
        ("-i qr-1", true),
        ("-i qr-+", true),
        ("-i +", true),
        ("-i qr-", false),
        ("! -i qr-+", false),
        ("-o qr-+", false),
        ("! -o rfp-2", true),
        ("-p tcp", true),
        ("! -p tcp", false),
        ("-p udp", false),
        ("-f", false),
        ("! -f", true),
        ("-m comment --comment \"any words\"", true),
    ];
    for (matches, expected) in cases {
        assert_eq!(meets(matches, packet), expected, "{matches}");
    }
}

#[test]
fn ports_flags_and_types() {
    let syn = tcp("10.0.0.4", "203.0.113.9");
    let cases = [
        ("-p tcp -m tcp --dport 80", syn, true),
        ("-p tcp -m tcp ! --dport 80", syn, false),
        ("-p tcp -m tcp --sport 1024:65535 --dport 79:81", syn, true),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", syn, true),
        ("-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN", syn, false),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", syn.answer(), false),
        ("-p udp -m udp --dport 80", syn, false),
        ("-p tcp -m multiport --dports 22,80,443", syn, true),
        ("-p tcp -m multiport ! --dports 22,80,443", syn, false),
        ("-p tcp -m multiport --sports 22,80,443", syn, false),
        ("-p tcp -m multiport --ports 22,80,443", syn.answer(), true),
        ("-p tcp -m multiport --dports 8000:9000", syn, false),
        ("-p icmp -m icmp --icmp-type 8", echo("10.0.0.4", "203.0.113.9"), true),
        ("-p icmp -m icmp --icmp-type 8/0", echo("10.0.0.4", "203.0.113.9"), true),
        ("-p icmp -m icmp ! --icmp-type 8", echo("10.0.0.4", "203.0.113.9"), false),
        ("-p icmp -m icmp --icmp-type 0", echo("10.0.0.4", "203.0.113.9").answer(), true),
        ("-p icmp -m icmp --icmp-type any", echo("10.0.0.4", "203.0.113.9"), true),
        ("-p icmp -m icmp --icmp-type any", syn, false),
    ];
    for (matches, packet, expected) in cases {
        assert_eq!(meets(matches, packet), expected, "{matches} {packet}");
    }
}

#[test]
fn marks_and_hardware_addresses() {
    let marked = Packet { mark: 0x0400_0001, ..tcp("10.0.0.4", "203.0.113.9") };
    assert!(meets("-m mark --mark 0x1/0xffff", marked));
    assert!(!meets("-m mark ! --mark 0x4000000/0xffff0000", marked));
    assert!(!meets("-m mark --mark 0x1", marked));
    let known = Packet { src_mac: Some("fa:16:3e:00:00:01".parse().unwrap()), ..marked };
    assert!(meets("-m mac --mac-source fa:16:3e:00:00:01", known));
    assert!(!meets("-m mac ! --mac-source fa:16:3e:00:00:01", known));
}

/// A packet in FORWARD after tracking, with these connections known.
fn in_state(matches: &str, packet: Packet, known: &[Connection]) -> bool {
    let text = table("filter", &["FORWARD ACCEPT"], &[&format!("FORWARD {matches} -j DROP")]);
    let netfilter = tables(&text);
    let (fate, _) = forward(&Filter::of(&netfilter), "qr-1", "rfp-1", packet, known);
    matches!(fate, Fate::Drop(_))
}

#[test]
fn states_and_directions_follow_the_connection() {
    let packet = tcp("10.0.0.4", "203.0.113.9");
    let known = Connection { mark: 5, ..Connection::opened_by(&packet) };
    let answered = Connection { answered: true, ..known.clone() };
    let all: [(&str, Packet, &[Connection], bool); 12] = [
        ("-m conntrack --ctstate NEW", packet, &[], true),
        ("-m conntrack --ctstate NEW", packet, std::slice::from_ref(&known), true),
        ("-m conntrack --ctstate ESTABLISHED", packet, std::slice::from_ref(&answered), true),
        ("-m conntrack --ctstate NEW", packet, std::slice::from_ref(&answered), false),
        ("-m state --state RELATED,ESTABLISHED", packet.answer(), std::slice::from_ref(&known), true),
        ("-m conntrack ! --ctstate NEW,DNAT", packet, &[], false),
        ("-m conntrack --ctdir ORIGINAL", packet, &[], true),
        ("-m conntrack --ctdir REPLY", packet.answer(), std::slice::from_ref(&known), true),
        // An answer to nothing, and what only TCP's middle looks like.
        ("-m conntrack --ctstate INVALID", packet.answer(), &[], true),
        ("-m conntrack --ctstate NEW", Packet { tcp_flags: 0x10, ..packet }, &[], true),
        ("-m connmark --mark 0x5", packet, std::slice::from_ref(&known), true),
        ("-m connmark ! --mark 0x5", packet, std::slice::from_ref(&known), false),
    ];
    for (matches, packet, known, expected) in all {
        assert_eq!(in_state(matches, packet, known), expected, "{matches} {packet}");
    }
}

#[test]
fn an_echo_goes_the_way_of_replies_only_as_a_reply() {
    let request = echo("10.0.0.4", "203.0.113.9");
    let known = [Connection::opened_by(&request)];
    assert!(in_state("-m conntrack --ctstate ESTABLISHED", request.answer(), &known));
    // The other side asks with the same identifier: a connection of its own.
    assert!(in_state("-m conntrack --ctstate NEW", echo("203.0.113.9", "10.0.0.4"), &known));
    assert!(in_state("-m conntrack --ctstate INVALID", echo("203.0.113.9", "10.0.0.4").answer(), &[]));
}

#[test]
fn what_is_not_tracked_has_no_connection() {
    let rule = |matches: &str| {
        let raw = table("raw", &["PREROUTING ACCEPT"], &["PREROUTING -j CT --notrack"]);
        let nat = table("nat", &["PREROUTING ACCEPT"], &["PREROUTING -j DNAT --to-destination 10.0.0.9"]);
        let mangle = table("mangle", &["FORWARD ACCEPT"], &["FORWARD -j CONNMARK --set-xmark 0x5/0xffffffff"]);
        let filter = table("filter", &["FORWARD ACCEPT"], &[&format!("FORWARD {matches} -j DROP")]);
        let netfilter = tables(&[raw, nat, mangle, filter].concat());
        let (fate, passing) = forward(&Filter::of(&netfilter), "a", "b", tcp("10.0.0.4", "203.0.113.9"), &[]);
        assert!(passing.untracked && passing.confirmed().is_none() && passing.events.is_empty());
        matches!(fate, Fate::Drop(_))
    };
    assert!(rule("-m conntrack --ctstate UNTRACKED"));
    assert!(!rule("-m conntrack --ctstate INVALID,NEW"));
    assert!(rule("-m conntrack ! --ctstate NEW"));
    assert!(!rule("-m conntrack --ctdir ORIGINAL"));
    assert!(rule("-m conntrack ! --ctstate DNAT --ctdir ORIGINAL"), "the states decide alone");
    assert!(!rule("-m connmark --mark 0x0"));
    assert!(!rule("-m connmark ! --mark 0x5"));
}

#[test]
fn the_reply_is_the_one_that_answers() {
    let packet = udp("10.0.0.4", "203.0.113.9");
    let known = [Connection::opened_by(&packet)];
    let netfilter = tables("");
    let (_, passing) = forward(&Filter::of(&netfilter), "a", "b", packet.answer(), &known);
    assert_eq!(passing.direction, CtDirection::Reply);
    assert!(passing.confirmed().unwrap().answered && !passing.first);
}
