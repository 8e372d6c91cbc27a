//! The laws of printing and parsing, on dumps of real nodes and on damage.

use proptest::prelude::*;

use super::*;
use crate::net::netfilter::{ConnmarkOp, CtState, Hook, Match, NatFlags, NatRange, RuleBody, RuleWords, Target};

const TEXTS: [&str; 5] = [
    include_str!("../../../../tests/fixtures/iptables/qrouter.txt"),
    include_str!("../../../../tests/fixtures/iptables/qrouter-ip6.txt"),
    include_str!("../../../../tests/fixtures/iptables/snat.txt"),
    include_str!("../../../../tests/fixtures/iptables/fip.txt"),
    include_str!("../../../../tests/fixtures/iptables/wide.txt"),
];

fn cases() -> ProptestConfig {
    #[allow(clippy::disallowed_methods, reason = "a test may be told how long to run")]
    let cases = std::env::var("FIPSCOPE_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect()
}

fn print(tables: &[Table]) -> String {
    tables.iter().map(Table::save_text).collect()
}

fn words(line: &str) -> RuleWords {
    match parse_rule(line).unwrap().1.body {
        RuleBody::Words(words) => words,
        RuleBody::NotUnderstood(seen) => panic!("{seen}"),
    }
}

#[test]
fn printing_gives_back_what_was_parsed() {
    for text in TEXTS {
        let tables = parse_save(text, NfFamily::Ip).unwrap();
        assert_eq!(print(&tables), without_comments(text));
        // Without counters in front of the rules, as plain `iptables-save` prints.
        let plain: String = text
            .lines()
            .map(|line| line.split_once("] -A").map_or(line.to_owned(), |(_, rule)| format!("-A{rule}")) + "\n")
            .collect();
        assert_eq!(print(&parse_save(&plain, NfFamily::Ip).unwrap()), without_comments(&plain));
    }
}

#[test]
fn headers_tell_the_family() {
    let both = format!("{}{}", TEXTS[0], TEXTS[1]);
    let tables = parse_save(&both, NfFamily::Ip).unwrap();
    let of = |family| tables.iter().filter(|table| table.family == family).map(|t| t.name.as_str()).collect::<Vec<_>>();
    assert_eq!(of(NfFamily::Ip), ["mangle", "raw", "filter", "nat"]);
    assert_eq!(of(NfFamily::Ip6), ["mangle", "raw", "filter", "nat"]);
}

#[test]
fn what_the_agent_writes_is_typed_throughout() {
    for text in &TEXTS[..4] {
        for table in parse_save(text, NfFamily::Ip).unwrap() {
            for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
                let words = rule.body.words().unwrap();
                let other = words.matches.iter().any(|m| matches!(m, Match::Other(_)));
                assert!(!other && !matches!(words.target, Some(Target::Other(_))), "{words:?}");
            }
        }
    }
}

#[test]
fn rules_of_the_agent_mean_what_they_say() {
    let addr = |text: &str| NatRange::single(text.parse().unwrap());
    let dnat = words("[1:60] -A x -d 192.168.1.3/32 -i rfp-ef25020f-0 -j DNAT --to-destination 10.0.0.4");
    assert_eq!(dnat.destination(), Some("192.168.1.3".parse().unwrap()));
    assert_eq!(dnat.in_iface(), Some("rfp-ef25020f-0"));
    assert_eq!(dnat.target, Some(Target::Dnat { to: addr("10.0.0.4"), flags: NatFlags::default() }));
    let snat = words(
        "-A x -m mark ! --mark 0x2/0xffff -m conntrack --ctstate DNAT -j SNAT --to-source 1.2.3.4 --random-fully",
    );
    assert_eq!(
        snat.matches,
        [
            Match::Mark { value: 2, mask: 0xffff, invert: true },
            Match::Ctstate { module: "conntrack".into(), states: vec![CtState::Dnat], invert: false },
        ]
    );
    let fully = NatFlags { random_fully: true, ..NatFlags::default() };
    assert_eq!(snat.target, Some(Target::Snat { to: addr("1.2.3.4"), flags: fully }));
    let restore = words("-A x -j CONNMARK --restore-mark --nfmask 0xffff0000 --ctmask 0xffff0000");
    let mask = 0xffff_0000;
    assert_eq!(restore.target, Some(Target::Connmark(ConnmarkOp::Restore { nfmask: mask, ctmask: mask })));
}

#[test]
fn spellings_that_differ_are_still_understood() {
    let gre = words("-A x -p 47 -s 10.0.0.4 -m mac --mac-source FA:16:3E:00:00:01 -j foo");
    assert_eq!(
        gre.text(NfFamily::Ip).to_string(),
        "-p gre -s 10.0.0.4/32 -m mac --mac-source fa:16:3e:00:00:01 -j foo"
    );
}

#[test]
fn a_comment_cannot_forge_a_rule() {
    let text = "*filter\n:INPUT DROP [0:0]\n-A INPUT -m comment --comment \"a\n-A INPUT -j ACCEPT\" -j DROP\nCOMMIT\n";
    let tables = parse_save(text, NfFamily::Ip).unwrap();
    let rules = &tables[0].chains[0].rules;
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].body.words().unwrap().target, Some(Target::Drop));
    assert_eq!(print(&tables), text);
    assert_eq!(
        words("-A x -m comment --comment -j -j DROP").matches,
        [Match::Comment("-j".to_owned())],
        "a comment that looks like an option"
    );
}

#[test]
fn builtin_chains_get_their_hooks() {
    let tables = parse_save(TEXTS[0], NfFamily::Ip).unwrap();
    let base = |table: &str, chain: &str| {
        let table = tables.iter().find(|t| t.name == table).unwrap();
        let base = table.chain(chain).unwrap().base.clone().unwrap();
        (base.hook, base.priority, base.kind)
    };
    assert_eq!(base("nat", "PREROUTING"), (Hook::Prerouting, -100, "nat".to_owned()));
    assert_eq!(base("nat", "POSTROUTING"), (Hook::Postrouting, 100, "nat".to_owned()));
    assert_eq!(base("mangle", "OUTPUT"), (Hook::Output, -150, "route".to_owned()));
    assert_eq!(base("raw", "PREROUTING"), (Hook::Prerouting, -300, "filter".to_owned()));
    assert!(tables[0].chain("neutron-l3-agent-scope").unwrap().base.is_none());
}

#[test]
fn an_incompatible_table_is_not_silence() {
    let text =
        "# Generated by iptables-save v1.8.9 (nf_tables) on x\n# Table `filter' is incompatible, use 'nft' tool.\n";
    let tables = parse_save(text, NfFamily::Ip).unwrap();
    assert_eq!((tables[0].name.as_str(), tables[0].others.len()), ("filter", 1));
}

#[test]
fn errors_name_the_line() {
    let cases = [
        ("*filter\n:INPUT ACCEPT [0:0]\n-A FORWARD -j DROP\nCOMMIT\n", 3, SaveTextFault::UnknownChain),
        ("*filter\n:INPUT ACCEPT [0]\n", 2, SaveTextFault::Counters),
        ("*filter\n:INPUT\n", 2, SaveTextFault::Chain),
        ("*filter\n:INPUT ACCEPT [0:0]\n", 3, SaveTextFault::NoCommit),
        ("-A INPUT -j DROP\n", 1, SaveTextFault::OutsideTable),
        ("ip6tables-save: command not found\n", 1, SaveTextFault::NotASaveLine),
        ("*filter\n:a - [0:0]\n-A a -m comment --comment \"x\n", 3, SaveTextFault::OpenQuote),
    ];
    for (text, line, fault) in cases {
        assert_eq!(parse_save(text, NfFamily::Ip), Err(SaveTextError { line, fault }), "{text}");
    }
}

#[test]
fn a_line_without_end_is_refused() {
    let text = format!("*filter\n:a - [0:0]\n-A a -m comment --comment \"{}\" -j a\nCOMMIT\n", "x".repeat(MAX_LINE));
    assert_eq!(parse_save(&text, NfFamily::Ip), Err(SaveTextError { line: 3, fault: SaveTextFault::TooMuch }));
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = parse_save(&text, NfFamily::Ip);
        let _ = parse_rule(&text);
    }

    #[test]
    fn damaged_texts_do_no_harm(which in 0..TEXTS.len(), from in any::<prop::sample::Index>(), cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = excerpt(TEXTS[which], from).into_bytes();
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            match byte % 4 {
                0 => { bytes.remove(at); }
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at.max(40)),
                _ => bytes[at] = b" !\"\\-\n:[]#*/,"[usize::from(byte) % 13],
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(tables) = parse_save(&text, NfFamily::Ip) {
            let printed = print(&tables);
            let again = parse_save(&printed, NfFamily::Ip).unwrap();
            prop_assert_eq!(print(&again), printed);
        }
    }

    #[test]
    fn unknown_words_are_kept(words in "(-[a-z] |--[a-z]{1,4} |! |-j |-m |[a-z0-9]{1,4} |\"[a-z ]{0,3}\" ){0,8}[a-z]{1,3}") {
        let line = format!("-A x {words}");
        let (chain, rule) = parse_rule(&line).unwrap();
        prop_assert_eq!(rule.line(&chain, NfFamily::Ip).to_string().split_whitespace().count() >= 2, true);
        prop_assert_eq!(parse_rule(&rule.line(&chain, NfFamily::Ip).to_string()).unwrap().1, rule);
    }
}

/// A table of the text with a few of its rules, to be damaged.
fn excerpt(text: &str, from: prop::sample::Index) -> String {
    let tables: Vec<&str> = text.split_inclusive("COMMIT\n").filter(|table| table.contains("] -A ")).collect();
    let table = tables[from.index(tables.len())];
    let rules = table.matches("] -A ").count();
    let (first, mut seen) = (from.index(rules), 0);
    let kept = table.lines().filter(|line| {
        let rule = line.contains("] -A ");
        seen += usize::from(rule);
        !rule || (seen > first && seen <= first + 4)
    });
    kept.flat_map(|line| [line, "\n"]).collect()
}
