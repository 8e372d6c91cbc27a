//! What our reader of `nf_tables` says equals `iptables-nft-save`, rule by rule;
//! what that tool hides or misstates, we say that we do not understand.
//!
//! Each test runs itself again in network and mount namespaces of its own, and
//! each rule set stands in a further one.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test reads files, starts programs and fails by panicking"
)]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use fipscope::kernel::netfilter::read_netfilter;
use fipscope::net::Observed;
use fipscope::net::netfilter::{Hook, Netfilter, NfFamily, Policy, RuleBody, Table, parse_save};

const INSIDE: &str = "FIPSCOPE_NFT_ORACLE";

/// Runs the test body in a private sandbox: this binary again, under `unshare`.
fn sandboxed(test: &str, body: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    for tool in ["iptables-nft-restore", "iptables-nft-save", "iptables-legacy-restore", "nft", "unshare"] {
        if Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return skip(test, &format!("{tool} is not installed"));
        }
    }
    let root = nix::unistd::geteuid().is_root();
    let user: &[&str] = if root { &[] } else { &["--user", "--map-root-user"] };
    let probe = Command::new("unshare").args(user).args(["--net", "--mount", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        return skip(test, "this kernel does not let us make namespaces");
    }
    let status = Command::new("unshare")
        .args(user)
        .args(["--net", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed in the sandbox");
}

fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
    assert!(std::env::var_os("REQUIRE_NETNS").is_none_or(|v| v != "1"), "REQUIRE_NETNS=1, but {test}: {why}");
}

/// Runs it on a thread in a network namespace of its own.
fn in_new_namespace<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        body()
    });
    thread.join().unwrap()
}

/// Runs a program in this thread's namespace with that input; its output.
fn run(program: &str, args: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn read() -> Netfilter {
    match read_netfilter() {
        Observed::Seen(netfilter) => netfilter,
        other => panic!("{other:?}"),
    }
}

fn nft_tables() -> Vec<Table> {
    match read().nft {
        Observed::Seen(tables) => tables,
        other => panic!("{other:?}"),
    }
}

/// A text of `iptables-save -c` as lines by table.
fn by_table(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && *line != "COMMIT") {
        match line.strip_prefix('*') {
            Some(table) => name = table.to_owned(),
            None => tables.entry(name.clone()).or_default().push(line.to_owned()),
        }
    }
    tables
}

/// Our tables of that family in the same form; with them the rules that we do not
/// understand, by their place in `table chain`.
fn ours(tables: &[Table], family: NfFamily) -> BTreeMap<String, Vec<String>> {
    let of_family = tables.iter().filter(|table| table.family == family);
    of_family
        .map(|table| {
            let mut lines: Vec<String> = table.chains.iter().map(|chain| chain.declaration()).collect();
            for chain in &table.chains {
                for rule in &chain.rules {
                    lines.push(rule.line(&chain.name, family).counted().to_string());
                }
            }
            (table.name.clone(), lines)
        })
        .collect()
}

/// The tools of a family.
fn tools(family: NfFamily) -> (&'static str, &'static str) {
    match family {
        NfFamily::Ip6 => ("ip6tables-nft-restore", "ip6tables-nft-save"),
        _ => ("iptables-nft-restore", "iptables-nft-save"),
    }
}

/// Loads the text, reads it, and compares line by line. Where we do not understand
/// a rule, the tool's line must be one of `beyond`, and each of `beyond` must have
/// been met.
fn compare(text: &str, family: NfFamily, beyond: &'static [&'static str]) {
    let text = text.to_owned();
    in_new_namespace(move || {
        let (restore, save) = tools(family);
        run(restore, &["-c"], &text);
        let theirs = by_table(&run(save, &["-c"], ""));
        let tables = nft_tables();
        let ours = ours(&tables, family);
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        let mut met = 0;
        for (table, lines) in &ours {
            assert_eq!(lines.len(), theirs[table].len(), "{table}: {lines:#?}");
            for (our, their) in lines.iter().zip(&theirs[table]) {
                if our.starts_with('#') {
                    assert!(beyond.iter().any(|word| their.contains(word)), "not understood: {their}\n{our}");
                    met += 1;
                } else {
                    assert_eq!(our, their, "{table}");
                }
            }
        }
        assert_eq!(met, beyond.len(), "rules that we do not understand");
        // The whole table's text is what the tool takes, and gives back.
        if beyond.is_empty() {
            let printed: String = tables.iter().map(Table::save_text).collect();
            let again = parse_save(&printed, family).unwrap();
            let (base, body) = (|t: &Table| t.chains.iter().map(|c| c.base.clone()).collect::<Vec<_>>(), tables);
            for (one, two) in body.iter().zip(&again) {
                assert_eq!(base(one), base(two), "hooks that the text implies");
            }
        }
    });
}

#[test]
fn dumps_of_real_nodes_are_read_as_iptables_nft_save_prints_them() {
    sandboxed("dumps_of_real_nodes_are_read_as_iptables_nft_save_prints_them", || {
        compare(include_str!("fixtures/iptables/qrouter.txt"), NfFamily::Ip, &[]);
        compare(include_str!("fixtures/iptables/snat.txt"), NfFamily::Ip, &[]);
        compare(include_str!("fixtures/iptables/fip.txt"), NfFamily::Ip, &[]);
        compare(include_str!("fixtures/iptables/qrouter-ip6.txt"), NfFamily::Ip6, &[]);
    });
}

#[test]
fn every_match_and_target_is_read_as_iptables_nft_save_prints_it() {
    sandboxed("every_match_and_target_is_read_as_iptables_nft_save_prints_it", || {
        // Each word stands for one rule that iptables can say and we do not model.
        let beyond = &[
            "-m sctp",
            "--ctorigdst",
            "--ctstatus",
            "-m iprange",
            "-m length",
            "-m owner",
            "-m pkttype",
            "-m ttl",
            "-m dscp",
            "-m statistic",
            "-m recent",
            "-m string",
            "-m u32",
            "-j NFQUEUE",
            "-j NETMAP",
            "-m rpfilter",
            "--left-shift-mark",
            "-j DSCP",
            "-j TOS",
            "-j TTL",
            "-j CLASSIFY",
            "-j TEE",
        ];
        compare(include_str!("fixtures/iptables/wide.txt"), NfFamily::Ip, beyond);
        compare(include_str!("fixtures/iptables/wide-ip6.txt"), NfFamily::Ip6, &[]);
    });
}

/// A guard that `iptables-nft-save` does not mention at all.
const GUARD: &str = r#"
table inet guard {
    set blocked { type ipv4_addr; flags interval; }
    map wanted { type ipv4_addr : verdict; }
    counter seen { }
    chain forward {
        type filter hook forward priority -1; policy drop;
        ip saddr 10.0.0.0/24 ip daddr != 20.0.0.4 iifname "qr-*" tcp dport 80-90 counter accept
        ct state established,related accept comment "what we began"
        ct state invalid,untracked drop
        ct status dnat accept
        meta mark & 0xff == 0x1 accept
        tcp dport >= 1024 drop
        ip6 saddr fe80::/10 return
        meta nfproto ipv4 accept
        ip saddr @blocked drop
        ip daddr vmap @wanted
        tcp dport { 22, 80 } accept
        meta mark set 0x5
        meta mark set mark and 0xffff0000 xor 0x2
        limit rate 3/minute accept
        log prefix "gone " drop
        iif lo accept
        ip ttl 1 drop
        counter name seen
        jump other
    }
    chain other { goto last; }
    chain last { }
}
table ip own {
    chain pre {
        type nat hook prerouting priority dstnat; policy accept;
        iifname "rfp-x" ip daddr 192.168.1.3 dnat to 10.0.0.4
        tcp dport 80 redirect to :9697
    }
    chain post {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr 10.0.0.4 snat to 192.168.1.3 fully-random
        oifname != "rfp-x" ct status dnat accept
        masquerade random
    }
    chain raw { type filter hook prerouting priority raw; notrack; }
    chain no { reject; reject with icmp type host-prohibited; ip protocol icmp drop; }
}
table ip off { flags dormant; chain c { }; }
table netdev edge { chain in { type filter hook ingress device "lo" priority 0; drop; }; }
"#;

/// The words of each rule of a chain, or `?` and what was seen.
fn words(tables: &[Table], family: NfFamily, table: &str, chain: &str) -> Vec<String> {
    let table = tables.iter().find(|t| t.family == family && t.name == table).unwrap();
    let rules = &table.chain(chain).unwrap().rules;
    let text = |body: &RuleBody| match body {
        RuleBody::Words(words) => words.text(family).to_string(),
        RuleBody::NotUnderstood(seen) => format!("? {seen}"),
    };
    rules.iter().map(|rule| text(&rule.body)).collect()
}

#[test]
fn native_tables_are_seen_with_their_hooks() {
    sandboxed("native_tables_are_seen_with_their_hooks", || {
        in_new_namespace(|| {
            run("nft", &["-f", "-"], GUARD);
            assert_eq!(by_table(&run("iptables-nft-save", &["-c"], "")), BTreeMap::new(), "the tool is silent");
            let tables = nft_tables();
            let guard = tables.iter().find(|t| t.name == "guard").unwrap();
            let base = guard.chain("forward").unwrap().base.clone().unwrap();
            assert_eq!((base.hook, base.priority, base.policy), (Hook::Forward, -1, Policy::Drop));
            assert_eq!(guard.others, ["set blocked { ipv4_addr }", "map wanted { ipv4_addr }", "counter seen"]);
            assert!(tables.iter().any(|t| t.name == "off" && t.dormant));
            let edge = tables.iter().find(|t| t.name == "edge").unwrap().chain("in").unwrap().base.clone().unwrap();
            assert_eq!((edge.hook, edge.device.unwrap().as_str()), (Hook::Ingress, "lo"));
            let said = words(&tables, NfFamily::Inet, "guard", "forward");
            let expected = [
                "-s 10.0.0.0/24 ! -d 20.0.0.4/32 -i qr-+ -p tcp -m tcp --dport 80:90 -j ACCEPT",
                "-m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment \"what we began\" -j ACCEPT",
                "-m conntrack --ctstate INVALID,UNTRACKED -j DROP",
                "-m conntrack --ctstate DNAT -j ACCEPT",
                "-m mark --mark 0x1/0xff -j ACCEPT",
                "-p tcp -m tcp --dport 1024:65535 -j DROP",
                "-s fe80::/10 -j RETURN",
                "? a condition on the family alone (meta, cmp, immediate accept)",
                "? a look-up in set blocked (meta, cmp, payload, lookup, immediate drop)",
                "? a look-up in set wanted (meta, cmp, payload, lookup)",
                "? a look-up in set __set0 (meta, cmp, payload, lookup, immediate accept)",
                "-j MARK --set-xmark 0x5/0xffffffff",
                "-j MARK --set-xmark 0x2/0xffff",
                "-m limit --limit 3/min -j ACCEPT",
                "? something after the action (log, immediate drop)",
                "? meta key 4 (meta, cmp, immediate accept)",
                "? a field of the IP header that iptables does not compare so (meta, cmp, payload, cmp, immediate drop)",
                "? an expression that iptables does not have (objref)",
                "-j other",
            ];
            assert_eq!(said, expected);
        });
    });
}

#[test]
fn native_translations_have_words() {
    sandboxed("native_translations_have_words", || {
        in_new_namespace(|| {
            run("nft", &["-f", "-"], GUARD);
            let tables = nft_tables();
            let said = |chain| words(&tables, NfFamily::Ip, "own", chain);
            assert_eq!(
                said("pre"),
                [
                    "-d 192.168.1.3/32 -i rfp-x -j DNAT --to-destination 10.0.0.4",
                    "-p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697"
                ]
            );
            assert_eq!(
                said("post"),
                [
                    "-s 10.0.0.4/32 -j SNAT --to-source 192.168.1.3 --random-fully",
                    "! -o rfp-x -m conntrack --ctstate DNAT -j ACCEPT",
                    "-j MASQUERADE --random",
                ]
            );
            assert_eq!(said("raw"), ["-j CT --notrack"]);
            assert_eq!(
                said("no"),
                [
                    "-j REJECT --reject-with icmp-port-unreachable",
                    "-j REJECT --reject-with icmp-host-prohibited",
                    "-p icmp -j DROP"
                ]
            );
        });
    });
}

#[test]
fn a_set_in_a_table_of_iptables_is_not_taken_for_a_drop() {
    sandboxed("a_set_in_a_table_of_iptables_is_not_taken_for_a_drop", || {
        in_new_namespace(|| {
            run("iptables-nft-restore", &[], "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -i eth0 -j ACCEPT\nCOMMIT\n");
            run(
                "nft",
                &["-f", "-"],
                "add set ip filter blocked { type ipv4_addr; }\nadd rule ip filter FORWARD ip saddr @blocked drop\n",
            );
            let told = run("iptables-nft-save", &[], "");
            assert!(told.contains("\n-A FORWARD -j DROP\n"), "the tool has learned: {told}");
            let tables = nft_tables();
            let said = words(&tables, NfFamily::Ip, "filter", "FORWARD");
            assert_eq!(said, ["-i eth0 -j ACCEPT", "? a look-up in set blocked (payload, lookup, immediate drop)"]);
            assert_eq!(tables[0].others, ["set blocked { ipv4_addr }"]);
        });
    });
}

#[test]
fn legacy_tables_are_read_and_none_is_made() {
    sandboxed("legacy_tables_are_read_and_none_is_made", || {
        const TEXT: &str = include_str!("fixtures/iptables/snat.txt");
        in_new_namespace(|| {
            assert!(read().legacy.is_absent(), "nothing there");
            assert_eq!(read().nft, Observed::Seen(Vec::new()));
            assert!(read().legacy.is_absent(), "and reading made nothing");
        });
        in_new_namespace(|| {
            run("iptables-legacy-restore", &["-c"], TEXT);
            let netfilter = read();
            assert_eq!(netfilter.nft, Observed::Seen(Vec::new()));
            let tables = netfilter.legacy.seen().unwrap();
            assert_eq!(ours(tables, NfFamily::Ip), by_table(&run("iptables-legacy-save", &["-c"], "")));
            let nat = netfilter.named(NfFamily::Ip, "nat").next().unwrap();
            assert_eq!(nat.chain("POSTROUTING").unwrap().base.clone().unwrap().priority, 100);
        });
        in_new_namespace(|| {
            run("iptables-legacy-restore", &[], TEXT);
            run("iptables-nft-restore", &[], TEXT);
            let netfilter = read();
            assert_eq!(netfilter.named(NfFamily::Ip, "nat").count(), 2, "both backends");
        });
    });
}

/// A namespace with that many floating IPs, two rules each, among other rules.
fn floating_ips(count: u32) -> String {
    let mut text = include_str!("fixtures/iptables/qrouter.txt").to_owned();
    let at = text.rfind("COMMIT").unwrap();
    let rules: String = (0..count)
        .map(|n| {
            let (public, fixed) =
                (format!("203.0.{}.{}", n / 250, n % 250 + 1), format!("10.0.{}.{}", n / 250, n % 250 + 1));
            format!(
                "-A neutron-l3-agent-PREROUTING -d {public}/32 -i rfp-ef25020f-0 -j DNAT --to-destination {fixed}\n\
                 -A neutron-l3-agent-float-snat -s {fixed}/32 -j SNAT --to-source {public} --random-fully\n"
            )
        })
        .collect();
    text.insert_str(at, &rules);
    text
}

#[test]
fn a_thousand_rules_are_read_faster_than_the_tool_starts() {
    sandboxed("a_thousand_rules_are_read_faster_than_the_tool_starts", || {
        in_new_namespace(|| {
            run("iptables-nft-restore", &[], &floating_ips(500));
            let median = |mut times: Vec<std::time::Duration>| {
                times.sort();
                times[times.len() / 2]
            };
            let time = |body: &dyn Fn()| {
                let start = Instant::now();
                body();
                start.elapsed()
            };
            let reader = median((0..15).map(|_| time(&|| drop(nft_tables()))).collect());
            let tool = median((0..15).map(|_| time(&|| drop(run("iptables-nft-save", &["-c"], "")))).collect());
            let tables = nft_tables();
            let rules: usize = tables.iter().flat_map(|t| &t.chains).map(|c| c.rules.len()).sum();
            println!("{rules} rules: reader {reader:?}, iptables-nft-save -c {tool:?}");
            assert!(rules > 1000);
            assert!(reader < tool, "reader {reader:?}, tool {tool:?}");
        });
    });
}
