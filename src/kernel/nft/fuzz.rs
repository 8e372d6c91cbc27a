//! Answers of a kernel, as captured: read without one, and with damage. No bytes
//! make the reader panic.

use proptest::prelude::*;

use super::draft::Draft;
use super::tables::Collector;
use super::wire::{attrs, messages};
use super::xt;
use crate::net::netfilter::{NfFamily, RuleBody, RuleWords, Table};

/// `iptables-nft-restore` of `wide.txt`, and a native table (the one of
/// `tests/nft_oracle.rs`), dumped on Linux 6.18, x86-64.
const WIDE: &[u8] = include_bytes!("../../../tests/fixtures/nft/wide.bin");
const GUARD: &[u8] = include_bytes!("../../../tests/fixtures/nft/guard.bin");

fn cases() -> ProptestConfig {
    let cases = std::env::var("FIPSCOPE_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Reads the messages as answers to all questions; errors end nothing here.
fn feed(bytes: &[u8]) -> Vec<Table> {
    let mut found = Collector::default();
    for message in messages(bytes).map_while(Result::ok) {
        let Ok((family, body)) = message.nfgen() else { continue };
        let _ = match message.kind & 0xff {
            0 => found.table(family, body),
            3 => found.chain(family, body),
            6 => found.rule(family, body),
            9 => found.set(family, body),
            18 => found.object(family, body),
            _ => found.flowtable(family, body),
        };
    }
    found.finish()
}

#[cfg(target_endian = "little")]
#[test]
fn captured_answers_are_read_as_iptables_prints_them() {
    let text = include_str!("../../../tests/fixtures/iptables/wide.txt");
    let (mut same, mut beyond) = (0, 0);
    for table in feed(WIDE) {
        for chain in &table.chains {
            for rule in &chain.rules {
                let line = rule.line(&chain.name, table.family).counted().to_string();
                match rule.body {
                    RuleBody::Words(_) => {
                        assert!(text.lines().any(|their| their == line), "{line}");
                        same += 1;
                    }
                    RuleBody::NotUnderstood(_) => beyond += 1,
                }
            }
        }
    }
    assert_eq!(same + beyond, text.matches("] -A ").count());
    assert_eq!(beyond, 22, "rules beyond our words");
    assert_eq!(feed(GUARD).len(), 4);
}

/// An attribute as netlink has it.
fn attr(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(data.len() + 4).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// What an extension of that name, revision and structure says in a rule of IPv4.
fn extension(is_target: bool, name: &str, revision: u32, info: &[u8]) -> String {
    let data = [attr(1, name.as_bytes()), attr(2, &revision.to_be_bytes()), attr(3, info)].concat();
    let mut draft = Draft::new(NfFamily::Ip);
    let outcome = if is_target { xt::target(&mut draft, &data) } else { xt::matched(&mut draft, &data) };
    match outcome.and_then(|()| draft.finish(None)) {
        Ok((words, _)) => RuleWords::text(&words, NfFamily::Ip).to_string(),
        Err(why) => format!("? {}", why.0),
    }
}

/// iptables before 1.8.8 wrote ports, marks and limits as extensions, and older
/// kernels have older revisions; the tool of the tests writes neither.
#[cfg(target_endian = "little")]
#[test]
fn extensions_of_older_releases_are_read() {
    let of = |name, revision, info: &[u8]| extension(false, name, revision, info);
    let tcp = [1, 0, 2, 0, 80, 0, 80, 0, 0, 0x06, 0x02, 0x02];
    assert_eq!(of("tcp", 0, &tcp), "-m tcp --sport 1:2 ! --dport 80 --tcp-flags SYN,RST SYN");
    assert_eq!(of("udp", 0, &[0, 0, 255, 255, 53, 0, 53, 0, 0, 0]), "-m udp --dport 53");
    assert_eq!(of("mark", 1, &[1, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0]), "-m mark ! --mark 0x1/0xffff");
    assert_eq!(of("limit", 0, &[0x40, 0x0d, 0x03, 0, 7, 0, 0, 0]), "-m limit --limit 3/min --limit-burst 7");
    assert_eq!(of("state", 0, &[8, 0, 0, 0]), "-m state --state NEW");
    let mut conntrack = [0; 152];
    (conntrack[146], conntrack[148], conntrack[150]) = (1, 1, 128);
    assert_eq!(of("conntrack", 1, &conntrack), "-m conntrack ! --ctstate DNAT");
    assert_eq!(of("conntrack", 9, &conntrack), "? match conntrack revision 9");
    assert_eq!(of("tcp", 0, &tcp[..11]), "? attributes that are cut");
    let dnat = [1, 0, 0, 0, 3, 0, 0, 0, 10, 0, 0, 4, 10, 0, 0, 4, 0, 80, 0, 80];
    assert_eq!(extension(true, "DNAT", 0, &dnat), "-j DNAT --to-destination 10.0.0.4:80");
    let connmark = [0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 255, 255, 2, 0, 0, 0];
    let restore = "-j CONNMARK --restore-mark --nfmask 0xffff0000 --ctmask 0xffff0000";
    assert_eq!(extension(true, "CONNMARK", 1, &connmark), restore);
}

#[test]
fn attributes_that_lie_about_their_length_end_the_reading() {
    for bytes in [&[4u8, 0][..], &[3, 0, 1, 0], &[9, 0, 1, 0, 0, 0, 0, 0], &[0, 0, 0, 0]] {
        assert!(attrs(bytes).last().is_some_and(|last| last.is_err()), "{bytes:?}");
        assert!(attrs(bytes).count() <= 2);
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        feed(&bytes);
        for is_target in [false, true] {
            for name in ["tcp", "udp", "icmp", "multiport", "conntrack", "comment", "addrtype", "physdev", "DNAT", "SNAT", "CT", "LOG", "REDIRECT", "TCPMSS"] {
                for revision in 0..4 {
                    extension(is_target, name, revision, &bytes);
                }
            }
        }
    }

    #[test]
    fn damaged_answers_do_no_harm(which in any::<bool>(), from in any::<prop::sample::Index>(), cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let whole = if which { WIDE } else { GUARD };
        // Tables and chains whole, then a few messages of the rest, damaged.
        let starts: Vec<usize> = boundaries(whole);
        let from = starts[from.index(starts.len())];
        let to = whole.len().min(from + 2_000);
        let mut piece = whole[from..to].to_vec();
        for (at, byte) in cuts {
            let at = at.index(piece.len());
            match byte % 8 {
                0 => { piece.remove(at); }
                1 => piece.insert(at, byte),
                _ => piece[at] = piece[at].wrapping_add(byte),
            }
            if piece.is_empty() { break; }
        }
        let head = &whole[..starts[starts.len().min(30) - 1]];
        feed(&[head, &piece].concat());
    }
}

/// Where the messages begin.
fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut at = 0;
    let step = |message: super::wire::Message<'_>| {
        let start = at;
        at += (message.payload.len() + 16).next_multiple_of(4);
        start
    };
    messages(bytes).map_while(Result::ok).map(step).collect()
}
