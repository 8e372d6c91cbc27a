//! Native tables and sets: what `iptables-nft-save` hides or misstates.

use std::collections::BTreeMap;

use fipscope::net::netfilter::{Hook, NfFamily, Policy, RuleBody, Table};

use crate::by_table;
use crate::sandbox::{in_new_namespace, nft_tables, run, sandboxed};

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
    sandboxed("native::native_tables_are_seen_with_their_hooks", || {
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
    sandboxed("native::native_translations_have_words", || {
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
    sandboxed("native::a_set_in_a_table_of_iptables_is_not_taken_for_a_drop", || {
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
