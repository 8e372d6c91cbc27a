//! Translation: bindings, ranges, ports, replies. The addresses of ranges were
//! read off a kernel (6.18, `conntrack -L`).

use super::*;

fn chains(name: &str, policies: &[&str], rules: &[&str]) -> Observed<Netfilter> {
    tables(&table(name, policies, rules))
}

/// SNAT by this target: address, port and `IPS_SRC_NAT`.
fn snat(target: &str, packet: Packet, known: &[Connection]) -> (Endpoint, bool) {
    let netfilter = chains("nat", &["POSTROUTING ACCEPT"], &[&format!("POSTROUTING -j {target}")]);
    let (fate, passing) = forward(&Filter::of(&netfilter), "a", "b", packet, known);
    assert_eq!(fate, Fate::Pass);
    (passing.packet.source(), passing.connection.unwrap().src_nat)
}

/// DNAT by this target.
fn dnat(target: &str, packet: Packet) -> (Endpoint, bool) {
    let netfilter = chains("nat", &["PREROUTING ACCEPT"], &[&format!("PREROUTING -j {target}")]);
    let (fate, passing) = forward(&Filter::of(&netfilter), "a", "b", packet, &[]);
    assert_eq!(fate, Fate::Pass);
    (passing.packet.destination(), passing.connection.unwrap().dst_nat)
}

#[test]
fn ports_are_kept_given_or_unknown() {
    let packet = tcp("10.0.0.4", "203.0.113.9");
    let to = "SNAT --to-source 198.51.100.7";
    let cases = [
        (to.to_owned(), Some(40000)),
        (format!("{to} --random-fully"), None),
        (format!("{to} --random"), None),
        (format!("{to}:1000-2000"), None),
        (format!("{to}:1000"), Some(1000)),
        (format!("{to}:1000 --random-fully"), Some(1000)),
        (format!("{to}:30000-50000"), Some(40000)),
        (format!("{to}:30000-50000 --random"), None),
    ];
    for (target, port) in cases {
        assert_eq!(snat(&target, packet, &[]), (end("198.51.100.7", port), true), "{target}");
    }
    let to = "DNAT --to-destination 198.51.100.7";
    let cases = [
        (to.to_owned(), Some(80)),
        (format!("{to} --random"), Some(80)),
        (format!("{to}:8080"), Some(8080)),
        (format!("{to}:8080-8090"), None),
        (format!("{to}:70-90"), Some(80)),
    ];
    for (target, port) in cases {
        let rule = format!("-p tcp -j {target}");
        let netfilter = chains("nat", &["PREROUTING ACCEPT"], &[&format!("PREROUTING {rule}")]);
        let (_, passing) = forward(&Filter::of(&netfilter), "a", "b", packet, &[]);
        assert_eq!(passing.packet.destination(), end("198.51.100.7", port), "{target}");
    }
}

#[test]
fn an_identifier_behaves_as_a_port() {
    let packet = echo("10.0.0.4", "203.0.113.9");
    assert_eq!(snat("SNAT --to-source 198.51.100.7", packet, &[]), (end("198.51.100.7", 7), true));
    assert_eq!(snat("SNAT --to-source 198.51.100.7 --random-fully", packet, &[]), (end("198.51.100.7", None), true));
    assert_eq!(dnat("DNAT --to-destination 198.51.100.7", packet), (end("198.51.100.7", 7), true));
    let netfilter = chains("nat", &["POSTROUTING ACCEPT"], &["POSTROUTING -j SNAT --to-source 198.51.100.7 --random"]);
    let filter = Filter::of(&netfilter);
    let (_, passing) = forward(&filter, "a", "b", packet, &[]);
    assert_eq!((passing.packet.sport, passing.packet.dport), (None, None), "one identifier, both fields");
    let known = [passing.confirmed().unwrap().clone()];
    let (_, reply) = forward(&filter, "b", "a", passing.packet.answer(), &known);
    assert_eq!(reply.packet.destination(), end("10.0.0.4", 7));
    assert_eq!(reply.packet.sport, Some(7));
}

#[test]
fn a_protocol_without_ports_changes_its_address_only() {
    let gre = Packet::first(ip("10.0.0.4"), ip("203.0.113.9"), 47);
    assert_eq!(snat("SNAT --to-source 198.51.100.7 --random-fully", gre, &[]), (end("198.51.100.7", None), true));
    // The same address, and nothing else to change: no translation.
    assert_eq!(snat("SNAT --to-source 10.0.0.4 --random-fully", gre, &[]), (end("10.0.0.4", None), false));
    let packet = tcp("10.0.0.4", "203.0.113.9");
    assert_eq!(snat("SNAT --to-source 10.0.0.4", packet, &[]), (end("10.0.0.4", 40000), false));
    assert_eq!(snat("SNAT --to-source 10.0.0.4 --random-fully", packet, &[]), (end("10.0.0.4", None), true));
}

#[test]
fn ranges_of_addresses_are_hashed_as_the_kernel_does() {
    let range = "198.51.100.10-198.51.100.250";
    let cases = [
        ("10.0.0.4", "203.0.113.9", 88, 63),
        ("10.0.0.4", "203.0.113.77", 204, 63),
        ("10.0.0.5", "203.0.113.9", 13, 223),
        ("10.0.0.5", "203.0.113.77", 20, 223),
        ("10.7.1.200", "203.0.113.9", 166, 68),
        ("10.7.1.200", "203.0.113.77", 151, 68),
    ];
    for (src, dst, plain, persistent) in cases {
        let address = |last: u8| Ipv4Addr::new(198, 51, 100, last);
        let packet = udp(src, dst);
        assert_eq!(snat(&format!("SNAT --to-source {range}"), packet, &[]).0.address, address(plain));
        assert_eq!(snat(&format!("SNAT --to-source {range} --persistent"), packet, &[]).0.address, address(persistent));
        assert_eq!(dnat(&format!("DNAT --to-destination {range}"), packet).0.address, address(plain));
        assert_eq!(dnat(&format!("DNAT --to-destination {range} --persistent"), packet).0.address, address(persistent));
    }
    // Who stands in the range already stays.
    let inside = udp("198.51.100.20", "203.0.113.9");
    assert_eq!(snat(&format!("SNAT --to-source {range}"), inside, &[]), (end("198.51.100.20", 40000), false));
    let whole = snat("SNAT --to-source 0.0.0.0-255.255.255.255 --random-fully", inside, &[]);
    assert_eq!(whole.0.port, None, "the whole range wraps around without harm");
}

#[test]
fn a_tuple_in_use_takes_another_port() {
    let packet = udp("10.0.0.4", "203.0.113.9");
    let other = udp("10.0.0.5", "203.0.113.9");
    let target = "SNAT --to-source 198.51.100.7";
    let netfilter = chains("nat", &["POSTROUTING ACCEPT"], &[&format!("POSTROUTING -j {target}")]);
    let (_, passing) = forward(&Filter::of(&netfilter), "a", "b", other, &[]);
    let known = [passing.confirmed().unwrap().clone()];
    assert_eq!(snat(target, packet, &known), (end("198.51.100.7", None), true));
    // Even where no rule translates: the reply could not be told apart.
    let clash = udp("198.51.100.7", "203.0.113.9");
    let netfilter = chains("nat", &["POSTROUTING ACCEPT"], &[]);
    let (_, passing) = forward(&Filter::of(&netfilter), "a", "b", clash, &known);
    assert_eq!(passing.packet.source(), end("198.51.100.7", None));
}

#[test]
fn redirect_and_masquerade_take_addresses_of_devices() {
    let rules = [
        "PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697",
        "OUTPUT -p tcp -j REDIRECT",
        "POSTROUTING -o b -j MASQUERADE",
    ];
    let netfilter = chains("nat", &["PREROUTING ACCEPT", "OUTPUT ACCEPT", "POSTROUTING ACCEPT"], &rules);
    let filter = Filter::of(&netfilter);
    let (_, passing) = deliver(&filter, "a", tcp("10.0.0.4", "169.254.169.254"), &[]);
    assert_eq!(passing.packet.destination(), end("10.0.0.1", 9697));
    let rule = Some("-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697".to_owned());
    assert_eq!(
        translations(&filter, &passing),
        [(NatKind::Redirect, end("169.254.169.254", 80), end("10.0.0.1", 9697), rule)]
    );
    let (_, passing) = send(&filter, "lo", tcp("10.0.0.1", "10.0.0.9"), &[]);
    assert_eq!(passing.packet.destination(), end("127.0.0.1", 80));
    let (_, passing) = forward(&filter, "a", "b", udp("10.0.0.4", "203.0.113.9"), &[]);
    assert_eq!(passing.packet.source(), end("203.0.113.1", 40000));
    // No address to take: dropped.
    let mut passing = Passing::new(tcp("10.0.0.4", "169.254.169.254"));
    let nowhere = Crossing { iif: "a", oif: "b", ..Crossing::default() };
    let fate = filter.pass(Hook::Prerouting, &nowhere, &mut passing, &[]);
    assert!(dropped_by(&filter, &fate).starts_with("the device has no address to translate to: -A PREROUTING"));
    let mut passing = Passing::new(udp("10.0.0.4", "203.0.113.9"));
    assert_eq!(filter.pass(Hook::Prerouting, &nowhere, &mut passing, &[]), Fate::Pass);
    assert!(matches!(filter.pass(Hook::Postrouting, &nowhere, &mut passing, &[]), Fate::Drop(_)));
}

#[test]
fn later_packets_and_replies_ask_no_rule() {
    let rules = [
        "PREROUTING -d 192.168.1.3/32 -j DNAT --to-destination 10.0.0.4",
        "POSTROUTING -s 203.0.113.9/32 -j SNAT --to-source 10.0.0.1",
    ];
    let netfilter = chains("nat", &["PREROUTING ACCEPT", "POSTROUTING ACCEPT"], &rules);
    let filter = Filter::of(&netfilter);
    let packet = tcp("203.0.113.9", "192.168.1.3");
    let (_, first) = forward(&filter, "a", "b", packet, &[]);
    let rule = |text: &str| Some(format!("-A {text}"));
    let dnat = (end("192.168.1.3", 80), end("10.0.0.4", 80));
    let snat = (end("203.0.113.9", 40000), end("10.0.0.1", 40000));
    let expected = [(NatKind::Dnat, dnat.0, dnat.1, rule(rules[0])), (NatKind::Snat, snat.0, snat.1, rule(rules[1]))];
    assert_eq!(translations(&filter, &first), expected);
    let known = [first.confirmed().unwrap().clone()];
    assert!(known[0].src_nat && known[0].dst_nat && !known[0].answered);
    // The rules are gone, the connection is not.
    let netfilter = chains("nat", &["PREROUTING ACCEPT", "POSTROUTING ACCEPT"], &[]);
    let filter = Filter::of(&netfilter);
    let (_, second) = forward(&filter, "a", "b", packet, &known);
    assert_eq!(second.packet, first.packet);
    assert_eq!(
        translations(&filter, &second),
        [(NatKind::Dnat, dnat.0, dnat.1, None), (NatKind::Snat, snat.0, snat.1, None)]
    );
    let (_, reply) = forward(&filter, "b", "a", first.packet.answer(), &known);
    assert_eq!(reply.packet, packet.answer());
    assert_eq!(
        translations(&filter, &reply),
        [(NatKind::UndoSnat, snat.1, snat.0, None), (NatKind::UndoDnat, dnat.1, dnat.0, None)]
    );
}

#[test]
fn accept_ends_one_nat_chain_and_a_binding_ends_them_all() {
    let nat = |rule: &str| parse_save(&table("nat", &["POSTROUTING ACCEPT"], &[rule]), NfFamily::Ip).unwrap();
    let after = |nft: &str, legacy: &str| {
        let (nft, legacy) = (Observed::Seen(nat(nft)), Observed::Seen(nat(legacy)));
        let netfilter = Observed::Seen(Netfilter { nft, legacy, words_only: false });
        forward(&Filter::of(&netfilter), "a", "b", tcp("10.0.0.4", "203.0.113.9"), &[]).1.packet.src
    };
    let (seven, eight) =
        ("POSTROUTING -j SNAT --to-source 198.51.100.7", "POSTROUTING -j SNAT --to-source 198.51.100.8");
    assert_eq!(after("POSTROUTING -j ACCEPT", eight), ip("198.51.100.8"));
    assert_eq!(after(seven, eight), ip("198.51.100.7"));
    assert_eq!(after("POSTROUTING -j ACCEPT", "POSTROUTING -j ACCEPT"), ip("10.0.0.4"));
}

#[test]
fn translated_states_need_a_change() {
    let drop = |to: &str| {
        let nat = table("nat", &["PREROUTING ACCEPT"], &[&format!("PREROUTING -j DNAT --to-destination {to}")]);
        let filter = table("filter", &["FORWARD ACCEPT"], &["FORWARD -m conntrack --ctstate DNAT -j DROP"]);
        let netfilter = tables(&[nat, filter].concat());
        forward(&Filter::of(&netfilter), "a", "b", tcp("10.0.0.4", "203.0.113.9"), &[]).0 != Fate::Pass
    };
    assert!(drop("10.0.0.9"));
    assert!(!drop("203.0.113.9"), "the address that it had");
}

#[test]
fn translations_on_the_way_in_and_out_of_the_namespace() {
    let rules =
        ["INPUT -p udp -j SNAT --to-source 127.0.0.2", "OUTPUT -d 192.168.1.3/32 -j DNAT --to-destination 10.0.0.4"];
    let netfilter = chains("nat", &["INPUT ACCEPT", "OUTPUT ACCEPT"], &rules);
    let filter = Filter::of(&netfilter);
    let (_, passing) = deliver(&filter, "a", udp("10.0.0.4", "10.0.0.1"), &[]);
    assert_eq!(passing.packet.src, ip("127.0.0.2"));
    let known = [passing.confirmed().unwrap().clone()];
    let (_, reply) = send(&filter, "a", passing.packet.answer(), &known);
    assert_eq!(reply.packet, udp("10.0.0.4", "10.0.0.1").answer());
    let (_, passing) = send(&filter, "a", tcp("10.0.0.1", "192.168.1.3"), &[]);
    assert_eq!(passing.packet.dst, ip("10.0.0.4"));
}
