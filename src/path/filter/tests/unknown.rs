//! What cannot be told, and what does not matter.

use super::*;
use crate::net::netfilter::{NfRule, RuleBody, Table};

const AT: Crossing<'_> = Crossing { iif: "a", oif: "b", redirect_to: None, masquerade_as: None };

fn fate(rules: &[&str], packet: Packet) -> Fate {
    at_hook(&table("filter", &["FORWARD ACCEPT", "own -"], rules), Hook::Forward, &AT, packet)
}

fn reason(fate: Fate) -> String {
    match fate {
        Fate::CannotTell(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rule_that_is_not_understood_is_named_where_it_could_decide() {
    let packet = tcp("10.0.0.4", "203.0.113.9");
    let set = "FORWARD -m set --match-set blocked src -j DROP";
    let why = "a rule is not understood: -A FORWARD -m set --match-set blocked src -j DROP (table filter)";
    assert_eq!(reason(fate(&[set], packet)), why);
    assert_eq!(reason(fate(&["FORWARD -s 10.0.0.0/8 -j NFQUEUE --queue-num 1"], packet)).matches("NFQUEUE").count(), 1);
    let decided: [&[&str]; 6] = [
        &["FORWARD -j ACCEPT", set],
        &["FORWARD -s 10.0.0.5/32 -m set --match-set blocked src -j DROP"],
        &["FORWARD -m set --match-set blocked src -s 10.0.0.5/32 -j DROP"],
        &["FORWARD -m set --match-set blocked src"],
        &["FORWARD -m limit --limit 1/sec -j LOG"],
        &["FORWARD -m set --match-set blocked src -j own", "own -j LOG"],
    ];
    for rules in decided {
        assert_eq!(fate(rules, packet), Fate::Pass, "{rules:?}");
    }
    let doubtful: [&[&str]; 4] = [
        &["FORWARD -m set --match-set blocked src -j own", "own -j DROP"],
        &["FORWARD -m set --match-set blocked src -g own", "FORWARD -j DROP"],
        &["FORWARD -m set --match-set blocked src -j RETURN"],
        &["FORWARD -m set --match-set blocked src -j MARK --set-xmark 0x1/0xffffffff"],
    ];
    for rules in doubtful {
        assert!(reason(fate(rules, packet)).contains("--match-set blocked src"), "{rules:?}");
    }
}

#[test]
fn a_rule_without_words_is_named_with_its_chain() {
    let mut netfilter = tables(&table("filter", &["FORWARD ACCEPT"], &[]));
    let Observed::Seen(Netfilter { nft: Observed::Seen(tables), .. }) = &mut netfilter else { panic!() };
    let text = format!("ip saddr @blocked \u{1b}[2J drop {}", "x".repeat(2000));
    tables[0].chains[0].rules.push(NfRule { handle: None, counters: None, body: RuleBody::NotUnderstood(text) });
    let why =
        reason(Filter::of(&netfilter).pass(Hook::Forward, &AT, &mut Passing::new(tcp("1.1.1.1", "2.2.2.2")), &[]));
    assert!(
        why.starts_with("a rule is not understood: -A FORWARD, not understood: ip saddr @blocked \\u{1b}[2J"),
        "{why}"
    );
    assert!(why.len() < 1000 && !why.contains('\u{1b}'), "{why}");
}

#[test]
fn what_the_kernel_chose_is_not_guessed() {
    let open = Packet { sport: None, ..tcp("10.0.0.4", "203.0.113.9") };
    assert!(reason(fate(&["FORWARD -p tcp -m tcp --sport 40000 -j DROP"], open)).contains("the kernel chose"));
    assert!(reason(fate(&["FORWARD -p tcp -m tcp ! --sport 40000 -j DROP"], open)).contains("the kernel chose"));
    assert!(reason(fate(&["FORWARD -p tcp -m multiport --ports 1,2 -j DROP"], open)).contains("the kernel chose"));
    assert_eq!(fate(&["FORWARD -p tcp -m tcp --sport 40000 --dport 81 -j DROP"], open), Fate::Pass);
    assert!(matches!(fate(&["FORWARD -p tcp -m multiport --ports 1,80 -j DROP"], open), Fate::Drop(_)));
    assert!(matches!(fate(&["FORWARD -p tcp -m tcp --sport 0:65535 -j DROP"], open), Fate::Drop(_)));
    let mac = "FORWARD -m mac --mac-source fa:16:3e:00:00:01 -j DROP";
    assert!(reason(fate(&[mac], open)).contains("hardware address"));
}

#[test]
fn translations_in_the_wrong_place_are_not_made() {
    let packet = tcp("10.0.0.4", "203.0.113.9");
    for (name, chain, target) in [
        ("filter", "FORWARD", "SNAT --to-source 1.1.1.1"),
        ("nat", "PREROUTING", "SNAT --to-source 1.1.1.1"),
        ("nat", "PREROUTING", "MASQUERADE"),
        ("nat", "POSTROUTING", "DNAT --to-destination 1.1.1.1"),
        ("nat", "POSTROUTING", "REDIRECT"),
        ("mangle", "POSTROUTING", "MASQUERADE"),
    ] {
        let netfilter = tables(&table(name, &[&format!("{chain} ACCEPT")], &[&format!("{chain} -j {target}")]));
        let (fate, passing) = forward(&Filter::of(&netfilter), "a", "b", packet, &[]);
        assert!(reason(fate).contains("the kernel allows no translation"), "{name} {chain} {target}");
        assert_eq!(passing.packet, packet);
    }
}

#[test]
fn silence_is_not_health() {
    let packet = || Passing::new(tcp("10.0.0.4", "203.0.113.9"));
    let every = [Hook::Prerouting, Hook::Input, Hook::Forward, Hook::Output, Hook::Postrouting];
    let unreadable = Observed::Unreadable("setns: \u{1b} Operation not permitted".to_owned());
    let half = Netfilter { legacy: Observed::Unreadable("no permission".to_owned()), ..Netfilter::default() };
    let mut hidden = tables("# Table `filter' is incompatible, use 'nft' tool.\n");
    if let Observed::Seen(netfilter) = &mut hidden {
        netfilter.words_only = true;
    }
    for netfilter in [unreadable, Observed::Seen(half), hidden] {
        let filter = Filter::of(&netfilter);
        for hook in every {
            let why = reason(filter.pass(hook, &AT, &mut packet(), &[]));
            assert!(!why.contains('\u{1b}'), "{why}");
        }
    }
    let (absent, partial) = (Observed::Absent, Observed::Seen(Netfilter { words_only: true, ..Netfilter::default() }));
    for hook in every {
        assert_eq!(Filter::of(&absent).pass(hook, &AT, &mut packet(), &[]), Fate::Pass);
        assert_eq!(Filter::of(&partial).pass(hook, &AT, &mut packet(), &[]), Fate::Pass);
    }
    assert!(matches!(Filter::of(&absent).pass(Hook::Other(9), &AT, &mut packet(), &[]), Fate::CannotTell(_)));
}

#[test]
fn a_set_stands_in_the_way_of_its_own_table_only() {
    let mut netfilter = tables(&table("x", &["FORWARD ACCEPT"], &[]));
    let Observed::Seen(Netfilter { nft: Observed::Seen(tables), .. }) = &mut netfilter else { panic!() };
    tables[0].others.push("set blocked { ipv4_addr }".to_owned());
    tables[0].family = NfFamily::Inet;
    let filter = Filter::of(&netfilter);
    let pass = |hook| filter.pass(hook, &AT, &mut Passing::new(tcp("10.0.0.4", "203.0.113.9")), &[]);
    assert_eq!(reason(pass(Hook::Forward)), "table inet x holds what is not understood: set blocked { ipv4_addr }");
    assert_eq!(pass(Hook::Input), Fate::Pass);
    // A dump shows every chain: without one, a set stands in nobody's way.
    if let Observed::Seen(Netfilter { nft: Observed::Seen(tables), .. }) = &mut netfilter {
        tables[0].chains.clear();
    }
    let filter = Filter::of(&netfilter);
    let fate = filter.pass(Hook::Forward, &AT, &mut Passing::new(tcp("10.0.0.4", "203.0.113.9")), &[]);
    assert_eq!(fate, Fate::Pass);
}

#[test]
fn chains_of_a_device_see_that_device_only() {
    let mut tables: Vec<Table> = parse_save(&table("x", &["INPUT DROP"], &[]), NfFamily::Netdev).unwrap();
    tables[0].family = NfFamily::Netdev;
    let base = tables[0].chains[0].base.as_mut().unwrap();
    (base.hook, base.device) = (Hook::Ingress, Some("fg-1".into()));
    let netfilter = Observed::Seen(Netfilter { nft: Observed::Seen(tables), ..Netfilter::default() });
    let filter = Filter::of(&netfilter);
    let pass =
        |iif| filter.pass(Hook::Ingress, &Crossing { iif, ..AT }, &mut Passing::new(tcp("1.1.1.1", "2.2.2.2")), &[]);
    assert!(matches!(pass("fg-1"), Fate::Drop(_)));
    assert_eq!(pass("fpr-1"), Fate::Pass);
}

#[test]
fn an_error_of_icmp_belongs_to_nobody_knows_whom() {
    let error = Packet { icmp: Some((3, 4)), ..echo("203.0.113.9", "10.0.0.4") };
    let through = |rules: &[&str], known: &[Connection]| {
        let nat = table("nat", &["PREROUTING ACCEPT"], &["PREROUTING -p icmp -j DNAT --to-destination 10.0.0.9"]);
        let netfilter = tables(&[nat, table("filter", &["FORWARD ACCEPT"], rules)].concat());
        let (fate, passing) = forward(&Filter::of(&netfilter), "a", "b", error, known);
        assert_eq!(passing.packet.dst, error.dst);
        fate
    };
    assert_eq!(through(&[], &[]), Fate::Pass);
    assert!(reason(through(&["FORWARD -m conntrack --ctstate RELATED -j DROP"], &[])).contains("ICMP error"));
    let known = Connection { src_nat: true, ..Connection::opened_by(&tcp("10.0.0.4", "203.0.113.9")) };
    assert!(reason(through(&[], &[known])).contains("ICMP error"));
}
