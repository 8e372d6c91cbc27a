//! One change at a time, each of a kind that the kernel announces, with nothing
//! beside it that would have the same part read again.

use std::thread;
use std::time::{Duration, Instant};

use fipscope::net::Change;
use jiff::Timestamp;

use crate::live::{Law, sh, works};

/// Of addresses, routes, rules, neighbours, devices and settings; in `s0`.
const PLAIN: [&str; 12] = [
    "ip -n s0 rule add from 10.8.8.8 lookup 77",
    "ip -n s0 -6 rule add from fd00:8::ffff lookup 77",
    "ip -n s0 -6 rule del from fd00:8::ffff",
    "ip -n s0 rule del from 10.8.8.8",
    "ip -n s0 addr add 10.9.99.1/32 dev lo",
    "ip -n s0 -6 addr add fd00:9::ffff/128 dev lo nodad",
    "ip -n s0 route add 10.7.0.0/16 dev lo table 77",
    "ip -n s0 -6 route add fd00:7::/64 dev lo table 77",
    "ip -n s0 neigh add 10.0.99.9 lladdr 02:00:00:00:00:99 dev lo nud permanent",
    "ip -n s0 link set lo mtu 60000",
    "ip netns exec s0 sysctl -qw net.ipv4.conf.lo.rp_filter=2",
    "ip rule add from 10.8.8.9 lookup 77",
];

/// Announced as something else: queueing as such (`RTM_NEWQDISC`), routes by their
/// next hop only (`RTM_NEWNEXTHOP`), the setting of all devices as that of none
/// (`RTM_NEWNETCONF`), and a chain by the device that it goes with (`RTM_DELLINK`;
/// by itself since Linux 6.10).
const ROUNDABOUT: [&str; 6] = [
    "tc -n s0 qdisc add dev lo root pfifo limit 77",
    "ip -n s0 nexthop add id 7 dev lo; ip -n s0 route add 10.6.0.0/16 nhid 7 table 77",
    "ip -n s0 nexthop replace id 7 dev va",
    "ip netns exec s0 sysctl -qw net.ipv6.conf.all.forwarding=1",
    "ip -n s0 link add nd0 type veth peer name nd1; ip netns exec s0 nft \
     'add table netdev alone; add chain netdev alone c { type filter hook ingress device nd0 priority 0; }'",
    "ip -n s0 link del nd0",
];

/// Of a table: `T` is its family and name, `S` the words for a source.
const TABLE: [&str; 7] = [
    "add table T; add chain T c { type filter hook forward priority 0; }",
    "add rule T c S counter accept",
    "add rule T c S drop",
    "add set T s { type KIND; }",
    "delete set T s",
    "delete table T",
    "add table T; add chain T d",
];

/// Two rules, as iptables makes them and takes them away.
const IPTABLES: [&str; 3] =
    ["-A FORWARD -s 10.0.0.77/32 -j DROP", "-A FORWARD -s 10.0.0.78/32 -j DROP", "-D FORWARD 1"];

/// Each is told before the next one comes.
pub fn one_by_one(law: &mut Law) {
    for script in PLAIN.into_iter().chain(ROUNDABOUT) {
        law.one(script);
    }
    sh("ip netns exec s0 nft delete table netdev alone; tc -n s0 qdisc del dev lo root");
    a_change_has_its_own_time(law);
    for (family, kind, address) in
        [("ip", "ipv4_addr", "10.0.0.7"), ("ip6", "ipv6_addr", "fd00::7"), ("inet", "ipv4_addr", "10.0.0.8")]
    {
        let source = format!("{} saddr {address}", if family == "ip6" { "ip6" } else { "ip" });
        let of =
            |words: &str| words.replace('T', &format!("{family} alone")).replace("KIND", kind).replace('S', &source);
        for (at, words) in TABLE.into_iter().enumerate() {
            law.one(&format!("ip netns exec s0 nft '{}'", of(words)));
            if at == 2 {
                let number = format!("nft -a list chain {family} alone c | sed -n \"s/.*drop # handle //p\"");
                law.one(&format!("ip netns exec s0 sh -c 'nft delete rule {family} alone c handle $({number})'"));
            }
        }
    }
    if works("iptables-nft -V") {
        for words in IPTABLES {
            law.one(&format!("ip netns exec s0 iptables-nft -w 5 {words}"));
        }
    } else {
        println!("SKIPPED rules of iptables: no iptables-nft here");
    }
}

/// What was announced before and led to no change gives it none, also where a
/// learned neighbour lies there that can wait.
fn a_change_has_its_own_time(law: &mut Law) {
    let begin = Instant::now();
    let mut neighbours = 20..;
    // With anything else that is told the time would be over.
    while {
        law.settle("before a change that is undone at once");
        let neighbour = neighbours.next().unwrap();
        sh(&format!("ip -n s0 neigh add 10.0.0.{neighbour} lladdr 02:00:00:00:00:98 dev va nud stale"));
        let is_told = law.take(Duration::from_millis(1500));
        sh("ip -n s0 rule add from 10.8.8.7 lookup 77; ip -n s0 rule del from 10.8.8.7");
        law.take(Duration::from_millis(200)) || is_told
    } {
        assert!(begin.elapsed() < Duration::from_secs(40), "it is never quiet");
    }
    thread::sleep(Duration::from_millis(20));
    let before = Timestamp::now();
    sh("ip -n s0 rule add from 10.8.8.7 lookup 77");
    while !law.last.changes.iter().any(|change| change.to_string().contains("10.8.8.7")) {
        law.take(Duration::from_millis(50));
        assert!(begin.elapsed() < Duration::from_secs(60), "it is not told");
    }
    assert!(law.last.changes.iter().any(Change::is_flapping), "the neighbour did not wait: {:?}", law.last.changes);
    assert!(law.last.at >= before, "{} {before}", law.last.at);
}
