//! The order of hooks, tables and chains, and how rules lead through them.

use super::*;
use crate::net::netfilter::{Policy, Table};

const EMPTY: Crossing<'_> = Crossing { iif: "eth0", oif: "", redirect_to: None, masquerade_as: None };

fn input(chains: &[&str], rules: &[&str]) -> Fate {
    let text = table("filter", chains, rules);
    at_hook(&text, Hook::Input, &EMPTY, tcp("10.0.0.4", "10.0.0.1"))
}

fn passes(fate: &Fate) -> bool {
    *fate == Fate::Pass
}

#[test]
fn jumps_gotos_and_returns_end_where_the_kernel_ends_them() {
    let chains = ["INPUT DROP", "a -", "b -"];
    // (rules, whether the packet passes)
    let cases: [(&[&str], bool); 14] = [
        (&[], false),
        (&["INPUT -j ACCEPT"], true),
        (&["INPUT -j RETURN", "INPUT -j ACCEPT"], false),
        (&["INPUT -j a", "INPUT -j ACCEPT", "a -j RETURN", "a -j DROP"], true),
        (&["INPUT -j a", "INPUT -j ACCEPT", "a -j DROP"], false),
        (&["INPUT -j a", "a -j ACCEPT"], true),
        (&["INPUT -j a", "INPUT -j ACCEPT", "a -j b", "a -j DROP", "b -j RETURN"], false),
        // A goto does not come back: its end returns to the caller of the chain.
        (&["INPUT -j a", "INPUT -j ACCEPT", "a -g b", "a -j DROP"], true),
        (&["INPUT -j a", "INPUT -j ACCEPT", "a -g b", "a -j DROP", "b -j RETURN"], true),
        (&["INPUT -g a", "INPUT -j ACCEPT"], false),
        (&["INPUT -g a", "INPUT -j DROP", "a -j ACCEPT"], true),
        (&["INPUT -g a", "INPUT -j ACCEPT", "a -j b", "a -j ACCEPT", "b -s 10.9.9.9/32 -j DROP"], true),
        (&["INPUT -s 10.0.0.5/32 -j ACCEPT"], false),
        (&["INPUT -j LOG --log-prefix x", "INPUT -j NFLOG", "INPUT", "INPUT -j ACCEPT"], true),
    ];
    for (rules, accepted) in cases {
        assert_eq!(passes(&input(&chains, rules)), accepted, "{rules:?}");
    }
}

#[test]
fn the_cause_is_named() {
    let text = table(
        "filter",
        &["INPUT DROP", "a -"],
        &["INPUT -s 10.0.0.0/8 -j a", "a -p tcp -j REJECT --reject-with tcp-reset"],
    );
    let netfilter = tables(&text);
    let filter = Filter::of(&netfilter);
    let fate = filter.pass(Hook::Input, &EMPTY, &mut Passing::new(tcp("10.0.0.4", "10.0.0.1")), &[]);
    assert!(matches!(fate, Fate::Reject(_)));
    assert_eq!(dropped_by(&filter, &fate), "-A a -p tcp -j REJECT --reject-with tcp-reset (table filter)");
    let fate = filter.pass(Hook::Input, &EMPTY, &mut Passing::new(udp("10.0.0.4", "10.0.0.1")), &[]);
    assert_eq!(dropped_by(&filter, &fate), "the policy of chain INPUT (table filter) is DROP");
}

#[test]
fn loops_neither_hang_nor_panic() {
    let two = ["INPUT ACCEPT", "a -", "b -"];
    for rules in [
        &["INPUT -j a", "a -j b", "b -j a"][..],
        &["INPUT -j a", "a -g b", "b -g a"],
        &["INPUT -j a", "a -j a", "a -j a"],
        &["INPUT -j gone"],
        &["INPUT -g gone"],
    ] {
        assert!(matches!(input(&two, rules), Fate::CannotTell(_)), "{rules:?}");
    }
    // Each chain calls the next one twice: 2^60 ways, none of them walked to its end.
    let names: Vec<String> = (0..60).map(|n| format!("c{n} -")).collect();
    let chains: Vec<&str> = ["INPUT ACCEPT"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut rules = vec!["INPUT -j c0".to_owned(), "c59 -s 1.1.1.1/32 -j DROP".to_owned()];
    rules.extend((0..59).flat_map(|n| vec![format!("c{n} -j c{}", n + 1); 2]));
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    assert!(matches!(input(&chains, &rules), Fate::CannotTell(_)));
}

#[test]
fn hooks_ask_their_tables_in_the_order_of_priority() {
    let rule = |name: &str, chain: &str, seen: &str, set: &str| {
        let policy = format!("{chain} ACCEPT");
        let rule = format!("{chain} -m mark --mark {seen} -j MARK --set-xmark {set}/0xffffffff");
        table(name, &[&policy], &[&rule])
    };
    // Told in the wrong order on purpose.
    let text = [
        rule("nat", "PREROUTING", "0x2", "0x3"),
        rule("mangle", "PREROUTING", "0x1", "0x2"),
        rule("raw", "PREROUTING", "0x0", "0x1"),
        rule("security", "FORWARD", "0x5", "0x6"),
        rule("filter", "FORWARD", "0x4", "0x5"),
        rule("mangle", "FORWARD", "0x3", "0x4"),
        rule("nat", "POSTROUTING", "0x7", "0x8"),
        rule("mangle", "POSTROUTING", "0x6", "0x7"),
    ]
    .concat();
    let netfilter = tables(&text);
    let (fate, passing) = forward(&Filter::of(&netfilter), "a", "b", udp("10.0.0.4", "10.9.0.1"), &[]);
    assert_eq!((fate, passing.packet.mark), (Fate::Pass, 8));
    assert_eq!(marks(&passing), (0..8).map(|n| (n, n + 1)).collect::<Vec<_>>());
}

#[test]
fn both_backends_act_and_dormant_tables_do_not() {
    let drop = parse_save(&table("filter", &["INPUT DROP"], &[]), NfFamily::Ip).unwrap();
    let accept = parse_save(&table("filter", &["INPUT ACCEPT"], &["INPUT -j ACCEPT"]), NfFamily::Ip).unwrap();
    let both = |nft: &[Table], legacy: &[Table]| {
        let (nft, legacy) = (Observed::Seen(nft.to_vec()), Observed::Seen(legacy.to_vec()));
        let netfilter = Observed::Seen(Netfilter { nft, legacy, words_only: false });
        Filter::of(&netfilter).pass(Hook::Input, &EMPTY, &mut Passing::new(tcp("10.0.0.4", "10.0.0.1")), &[])
    };
    assert!(matches!(both(&drop, &accept), Fate::Drop(_)), "an ACCEPT ends its own table only");
    assert!(matches!(both(&accept, &drop), Fate::Drop(_)));
    assert!(passes(&both(&accept, &accept)));
    let mut dormant = drop.clone();
    dormant[0].dormant = true;
    assert!(passes(&both(&dormant, &accept)));
    let mut inet = drop.clone();
    inet[0].family = NfFamily::Inet;
    assert!(matches!(both(&inet, &accept), Fate::Drop(_)));
    inet[0].family = NfFamily::Ip6;
    assert!(passes(&both(&inet, &accept)));
}

#[test]
fn native_chains_stand_by_their_priority() {
    let mut tables = parse_save(
        &[
            table("filter", &["INPUT ACCEPT"], &["INPUT -j MARK --set-xmark 0x1/0xffffffff"]),
            table("x", &["INPUT ACCEPT"], &["INPUT -m mark --mark 0x1 -j DROP"]),
        ]
        .concat(),
        NfFamily::Ip,
    )
    .unwrap();
    let mut fate = |priority: i32, policy: Policy| {
        let base = tables[1].chains[0].base.as_mut().unwrap();
        (base.priority, base.policy) = (priority, policy);
        let netfilter = Observed::Seen(Netfilter { nft: Observed::Seen(tables.clone()), ..Netfilter::default() });
        Filter::of(&netfilter).pass(Hook::Input, &EMPTY, &mut Passing::new(tcp("10.0.0.4", "10.0.0.1")), &[])
    };
    assert!(matches!(fate(1, Policy::Accept), Fate::Drop(_)));
    assert!(passes(&fate(-1, Policy::Accept)));
    assert!(matches!(fate(-1, Policy::Drop), Fate::Drop(_)));
}

#[test]
fn a_thousand_addresses_keep_the_order_of_their_rules() {
    let mut rules: Vec<String> =
        (0..1000).map(|n| format!("INPUT -s 10.1.{}.{}/32 -j ACCEPT", n / 250, n % 250)).collect();
    rules.insert(400, "INPUT -s 10.0.0.4/32 -p udp -j ACCEPT".to_owned());
    rules.insert(500, "INPUT -s 10.0.0.4/32 -j DROP".to_owned());
    rules.insert(600, "INPUT -s 10.0.0.4/32 -j ACCEPT".to_owned());
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let netfilter = tables(&table("filter", &["INPUT ACCEPT"], &rules));
    let filter = Filter::of(&netfilter);
    assert_eq!(filter.chains[0].steps.len(), 1);
    let fate = |packet| filter.pass(Hook::Input, &EMPTY, &mut Passing::new(packet), &[]);
    assert!(passes(&fate(udp("10.0.0.4", "10.0.0.1"))));
    let dropped = fate(tcp("10.0.0.4", "10.0.0.1"));
    assert_eq!(dropped_by(&filter, &dropped), "-A INPUT -s 10.0.0.4/32 -j DROP (table filter)");
    assert!(passes(&fate(tcp("10.1.3.7", "10.0.0.1"))));
}
