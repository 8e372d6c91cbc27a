//! Reads a node built with `ip` in a private sandbox, and compares it, field by
//! field, with what `ip -j` says of the same namespaces.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test starts programs and fails by panicking"
)]

#[path = "kernel_read/sandbox.rs"]
mod sandbox;

use std::collections::BTreeSet;
use std::process::Command;

use fipscope::kernel::{ReadOptions, read_netns, read_node};
use fipscope::net::{IfName, Netns, NetnsName, Observed, Peer, Route, Snapshot, TableId};
use fipscope::netns::{Error as NetnsError, NetnsDir, enter, spawn};
use sandbox::{in_sandbox, ip, out, sh};
use serde_json::Value;

/// Two routers and a fip namespace, each pair with the same indexes, and in
/// `qrouter-1` one of everything that rules, routes and neighbours can be.
const NODE: &str = r"
ip link set lo up
for ns in fip-x qrouter-1 qrouter-2; do
  ip netns add $ns; ip -n $ns link set lo up
  ip netns exec $ns sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
done
for r in 1 2; do
  ip -n qrouter-$r link add rfp-$r type veth peer name fpr-$r netns fip-x
  ip -n qrouter-$r link set rfp-$r up; ip -n fip-x link set fpr-$r up
  ip -n qrouter-$r addr add 169.254.88.13$((r*2+2))/31 dev rfp-$r
  ip -n fip-x addr add 169.254.88.13$((r*2+3))/31 dev fpr-$r
done
ip link add host-fg type veth peer name fg-1 netns fip-x
ip -n fip-x link set fg-1 up; ip link set host-fg up
ip -n fip-x addr add 192.168.1.23/24 brd 192.168.1.255 dev fg-1
ip -n fip-x route add 192.168.1.3/32 via 169.254.88.134 dev fpr-1
ip -n fip-x route add default via 192.168.1.1 dev fg-1 table 2852018311
ip -n fip-x rule add iif fpr-1 table 2852018311 prio 2852018311
ip netns exec fip-x sysctl -qw net.ipv4.conf.fg-1.proxy_arp=1 net.ipv4.conf.fg-1.rp_filter=2 \
  net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 net.ipv4.ip_forward=1 net.ipv4.ip_nonlocal_bind=1
q='ip -n qrouter-1'
$q link add qr-a type veth peer name qr-b
$q link set qr-a up mtu 1400 group 7 addr fa:16:3e:00:00:01; $q link set qr-b up
$q link add br0 type bridge; $q link set qr-b master br0
$q addr add 10.0.0.1/24 brd + dev qr-a
$q addr add 10.0.0.9/24 dev qr-a
$q addr add 10.9.0.1 peer 10.9.0.2/32 dev qr-a
$q addr add 10.8.0.1/24 dev qr-a valid_lft 4000 preferred_lft 4000
$q addr add fd00::1/64 dev qr-a nodad noprefixroute
$q rule add from 10.0.0.4 lookup 16 prio 32768
$q rule add from 10.0.0.0/24 to 10.1.0.0/16 fwmark 0x4000000/0xffff0000 iif qr-a oif gone tos 0x10 lookup 70000 prio 40000
$q rule add not from 10.0.0.0/24 lookup main suppress_prefixlength 0 suppress_ifgroup 5 prio 40001
$q rule add prio 40010 nop
$q rule add prio 40002 goto 40010
$q rule add prio 40003 fwmark 0x7 blackhole
$q rule add prio 40004 to 10.2.0.0/16 prohibit
$q rule add prio 40005 to 10.3.0.0/16 unreachable
$q rule add prio 40006 ipproto tcp dport 80-90 sport 7 uidrange 0-0 lookup 99
$q rule add iif absent lookup 3 prio 40007
$q -6 rule add from fd00::/64 lookup 167772161 prio 167772161
$q route add default via 169.254.88.135 dev rfp-1 table 16
$q route add 10.4.0.0/24 via 10.0.0.2 src 10.0.0.1 mtu 1300 metric 50 proto static
$q route add 10.4.0.0/24 via 10.0.0.3 tos 0x08
$q route add 10.5.0.0/24 nexthop via 10.0.0.2 weight 3 nexthop via 10.0.0.3 weight 1
$q route add 10.6.0.0/24 via 172.16.0.1 dev qr-a onlink
$q -6 route add fd00::/64 dev qr-a
$q route add 10.7.0.0/24 via inet6 fd00::9 dev qr-a
for kind in blackhole unreachable prohibit throw; do $q route add $kind 10.20.0.0/24 table 7$(echo $kind | wc -c); done
$q route add 10.21.0.0/24 dev qr-a scope link table 4000000000
$q -6 route add fd01::/64 via fd00::2 dev qr-a metric 10 mtu 1290
$q -6 route add fd02::/64 nexthop via fd00::2 dev qr-a nexthop via fd00::3 dev qr-a
$q -6 route add blackhole fd03::/64
$q neigh add 10.0.0.4 lladdr fa:16:3e:00:00:04 dev qr-a nud permanent
$q neigh add 10.0.0.5 lladdr fa:16:3e:00:00:05 dev qr-a nud stale
$q neigh add fd00::4 lladdr fa:16:3e:00:00:06 dev qr-a nud permanent
$q neigh add proxy 192.168.1.3 dev qr-a
$q neigh add proxy fd00::77 dev qr-a
tc -n qrouter-1 qdisc add dev rfp-1 root handle 1: htb default 2 || echo NO-HTB
tc -n qrouter-1 qdisc add dev rfp-1 ingress || echo NO-INGRESS
tc -n qrouter-1 filter add dev rfp-1 parent ffff: protocol ip prio 49 u32 match ip src 10.0.0.0/8 flowid 1:1 || echo NO-U32
touch /run/netns/not-a-namespace
";

#[test]
fn the_node_is_read_as_ip_shows_it() {
    if !in_sandbox("the_node_is_read_as_ip_shows_it") {
        return;
    }
    sh(NODE);
    let snapshot = read_node(&ReadOptions::default()).unwrap();
    assert_eq!(snapshot.namespaces_unreadable, None);
    for name in ["fip-x", "qrouter-1", "qrouter-2"] {
        let netns = snapshot.netns(&name.into()).unwrap();
        links_agree(name, netns);
        addrs_agree(name, netns);
        rules_agree(name, netns);
        routes_agree(name, netns);
        neighs_agree(name, netns);
    }
    settings_agree(&snapshot);
    pairs_are_known(&snapshot);
    traffic_control_is_read(snapshot.netns(&"qrouter-1".into()).unwrap());
    let plain = snapshot.namespaces.get(&"not-a-namespace".into()).unwrap();
    assert!(plain.unreadable().unwrap().contains("is not a network namespace"), "{plain:?}");

    let again = read_netns(NetnsDir::default().path(), &"qrouter-2".into());
    assert_eq!(again.seen().unwrap().routes, snapshot.netns(&"qrouter-2".into()).unwrap().routes);
    assert_eq!(read_netns(NetnsDir::default().path(), &"gone".into()), Observed::Absent);
}

#[test]
fn namespaces_are_made_entered_and_deleted() {
    if !in_sandbox("namespaces_are_made_entered_and_deleted") {
        return;
    }
    let (dir, name) = (NetnsDir::default(), NetnsName::from("made"));
    let ns = dir.create(&name).unwrap();
    assert!(matches!(dir.create(&name), Err(NetnsError::Create { .. })), "a second one of the same name");
    sh("ip netns exec made true");
    assert!(dir.list().unwrap().names.contains(&name));
    // What runs inside sees its loopback only, and does not change where we are.
    let devices = |text: String| text.lines().skip(2).count();
    let here = || std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    sh("ip link add outside type veth peer name outside2");
    assert_eq!(devices(enter(&ns, here).unwrap()), 1);
    assert!(devices(here()) >= 3);
    let mut child = spawn(&ns, Command::new("sh").args(["-c", "test $(ip -o link | wc -l) = 1"])).unwrap();
    assert!(child.wait().unwrap().success());
    dir.delete(&name).unwrap();
    assert!(!dir.list().unwrap().names.contains(&name));
    assert!(matches!(dir.delete(&name), Err(NetnsError::Gone(_))));
    assert!(matches!(dir.open(&name), Err(NetnsError::Gone(_))));
}

fn links_agree(name: &str, netns: &Netns) {
    let shown = ip(name, "-d -s link");
    assert_eq!(shown.len(), netns.links().len(), "{name}");
    for (link, json) in netns.links().iter().zip(&shown) {
        assert_eq!(json["ifindex"], link.index);
        assert_eq!(json["ifname"], link.name.as_str());
        assert_eq!(json["mtu"], link.mtu);
        assert_eq!(json["operstate"], link.state.word());
        assert_eq!(json["address"], link.mac.unwrap().to_string());
        assert_eq!(json["linkinfo"]["info_kind"].as_str(), link.kind.as_deref());
        let beside = json["link"].as_str().and_then(|other| netns.link(&IfName::from(other)));
        let peer_index = json["link_index"].as_u64().or(beside.map(|other| other.index.into()));
        assert_eq!(peer_index, link.link.map(u64::from), "{json}");
        let number = json["link_netnsid"].as_i64();
        assert!(number.is_none() || number == link.link_netnsid.map(i64::from), "{json}");
        let master = link.master.map(|index| netns.links().iter().find(|l| l.index == index).unwrap().name.to_string());
        assert_eq!(json["master"].as_str(), master.as_deref());
        let group = if link.group == 0 { "default".to_owned() } else { link.group.to_string() };
        assert_eq!(json["group"], group.as_str());
        let flags: BTreeSet<&str> = json["flags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!((flags.contains("UP"), flags.contains("LOWER_UP")), (link.is_up(), link.has_carrier()));
        assert!(link.ipv4.is_some(), "{link}");
    }
}

fn addrs_agree(name: &str, netns: &Netns) {
    let mut expected = BTreeSet::new();
    for dev in ip(name, "address") {
        for info in dev["addr_info"].as_array().unwrap() {
            let peer = info["address"].as_str().map(|peer| format!(" peer {peer}")).unwrap_or_default();
            let words = ["secondary", "dynamic", "tentative", "dadfailed", "noprefixroute"];
            let flags: Vec<&str> = words.into_iter().filter(|word| info[word] == true).collect();
            let broadcast = info["broadcast"].as_str().map(|brd| format!(" brd {brd}")).unwrap_or_default();
            expected.insert(format!(
                "{} {}{peer}/{}{broadcast} {} {flags:?}",
                dev["ifname"].as_str().unwrap(),
                info["local"].as_str().unwrap(),
                info["prefixlen"],
                info["scope"].as_str().unwrap()
            ));
        }
    }
    let found: BTreeSet<String> = netns
        .addrs()
        .iter()
        .map(|addr| {
            let peer = addr.peer.map(|peer| format!(" peer {peer}")).unwrap_or_default();
            let broadcast = addr.broadcast.map(|brd| format!(" brd {brd}")).unwrap_or_default();
            let flags = [
                (addr.flags.secondary, "secondary"),
                (addr.flags.dynamic, "dynamic"),
                (addr.flags.tentative, "tentative"),
                (addr.flags.dadfailed, "dadfailed"),
                (addr.flags.noprefixroute, "noprefixroute"),
            ];
            let flags: Vec<&str> = flags.into_iter().filter(|(set, _)| *set).map(|(_, word)| word).collect();
            let scope = match addr.scope {
                0 => "global",
                253 => "link",
                254 => "host",
                _ => "?",
            };
            format!(
                "{} {}{peer}/{}{broadcast} {scope} {flags:?}",
                addr.dev,
                addr.address.addr(),
                addr.address.prefix_len()
            )
        })
        .collect();
    assert_same(name, &found, &expected);
}

fn rules_agree(name: &str, netns: &Netns) {
    let lines = |family: &str| -> Vec<String> {
        out(&format!("ip -n {name} {family} rule"))
            .lines()
            .map(|line| line.replace('\t', " ").trim().to_owned())
            .collect()
    };
    let expected = [lines("-4"), lines("-6")].concat();
    let found: Vec<String> = netns.rules().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{name}");
}

fn routes_agree(name: &str, netns: &Netns) {
    let mut expected = BTreeSet::new();
    for (family, any, length) in [("-4", "0.0.0.0/0", 32), ("-6", "::/0", 128)] {
        for json in ip(name, &format!("{family} -d -N route show table all")) {
            let dst = match json["dst"].as_str().unwrap() {
                "default" => any.to_owned(),
                dst if dst.contains('/') => dst.to_owned(),
                dst => format!("{dst}/{length}"),
            };
            expected.insert(format!("{dst} {}", json_route_words(&json)));
        }
    }
    let found: BTreeSet<String> = netns.routes().iter().map(route_words).collect();
    assert_same(name, &found, &expected);
    assert!(netns.routes().iter().any(|route| route.table == TableId::LOCAL));
}

/// `RTN_*`: with `-N`, `ip` prints their numbers.
const KINDS: [&str; 10] = [
    "unspec",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
];

fn json_route_words(json: &Value) -> String {
    let hops = json["nexthops"].as_array().cloned().unwrap_or_else(|| vec![json.clone()]);
    let hops = hops.iter().map(|hop| {
        let via = hop["gateway"].as_str().or(hop["via"]["host"].as_str()).unwrap_or("-");
        let onlink = hop["flags"].as_array().is_some_and(|flags| flags.contains(&"onlink".into()));
        let (dev, weight) = (hop["dev"].as_str().unwrap_or("-"), hop["weight"].as_u64().unwrap_or(1));
        format!("{via} {dev} {onlink} {weight}")
    });
    let text = |key: &str, unless: &str| match &json[key] {
        Value::String(text) => text.clone(),
        Value::Null => unless.to_owned(),
        number => number.to_string(),
    };
    format!(
        "table {} kind {} metric {} src {} mtu {:?} proto {} scope {} tos {} {:?}",
        text("table", "254"),
        KINDS[text("type", "0").parse::<usize>().unwrap()],
        text("metric", "0"),
        text("prefsrc", "-"),
        json["metrics"][0]["mtu"].as_u64(),
        text("protocol", "3"),
        text("scope", "0"),
        text("tos", "-"),
        hops.collect::<Vec<_>>()
    )
}

fn route_words(route: &Route) -> String {
    let hops = route.next_hops.iter().map(|hop| {
        let via = hop.via.map_or("-".to_owned(), |via| via.to_string());
        format!("{via} {} {} {}", hop.dev.as_ref().map_or("-", |dev| dev.as_str()), hop.onlink, hop.weight)
    });
    let mut hops: Vec<String> = hops.collect();
    if hops.is_empty() {
        hops.push("- - false 1".to_owned());
    }
    format!(
        "{} table {} kind {} metric {} src {} mtu {:?} proto {} scope {} tos {} {hops:?}",
        route.dst,
        route.table.0,
        route.kind.word(),
        route.metric,
        route.pref_src.map_or("-".to_owned(), |src| src.to_string()),
        route.mtu,
        route.protocol,
        route.scope,
        if route.tos == 0 { "-".to_owned() } else { format!("{:#04x}", route.tos) },
    )
}

fn neighs_agree(name: &str, netns: &Netns) {
    let mut expected: BTreeSet<String> = ip(name, "neigh show")
        .iter()
        .map(|json| {
            format!(
                "{} {} {:?} {} false",
                json["dev"].as_str().unwrap(),
                json["dst"].as_str().unwrap(),
                json["lladdr"].as_str().unwrap_or("-"),
                json["state"][0].as_str().unwrap()
            )
        })
        .collect();
    expected.extend(
        ip(name, "neigh show proxy")
            .iter()
            .map(|json| format!("{} {} \"-\" NONE true", json["dev"].as_str().unwrap(), json["dst"].as_str().unwrap())),
    );
    let found: BTreeSet<String> = netns
        .neighs()
        .iter()
        .map(|neigh| {
            format!(
                "{} {} {:?} {} {}",
                neigh.dev,
                neigh.address,
                neigh.mac.map_or("-".to_owned(), |mac| mac.to_string()),
                neigh.state.word(),
                neigh.proxy
            )
        })
        .collect();
    assert_same(name, &found, &expected);
}

fn settings_agree(snapshot: &Snapshot) {
    let fip = snapshot.netns(&"fip-x".into()).unwrap();
    for (name, value) in &fip.sysctls {
        let file = name.replace('.', "/");
        let text = out(&format!("ip netns exec fip-x cat /proc/sys/{file} 2>/dev/null || echo missing"));
        assert_eq!(value.seen().map_or("missing".to_owned(), ToString::to_string), text.trim(), "{name}");
    }
    assert_eq!(fip.sysctl("net.ipv4.conf.all.arp_ignore"), Some(1));
    assert_eq!(fip.sysctl("net.ipv4.ip_nonlocal_bind"), Some(1));
    assert!(fip.sysctl("net.ipv4.neigh.fg-1.proxy_delay").is_some());
    let conf = fip.link(&"fg-1".into()).unwrap().ipv4.unwrap();
    assert!(conf.proxy_arp && conf.forwarding);
    assert_eq!((conf.rp_filter, conf.arp_ignore), (2, 0));
    let other = snapshot.netns(&"qrouter-1".into()).unwrap();
    assert_eq!(other.sysctl("net.ipv4.ip_forward"), Some(0), "each namespace has its own");
    assert!(fip.conntrack_fill.seen().is_none_or(|fill| fill.max > 0));
}

fn pairs_are_known(snapshot: &Snapshot) {
    let peer = |netns: &str, dev: &str| snapshot.netns(&netns.into()).unwrap().link(&dev.into()).unwrap().peer.clone();
    let index = |netns: &str, dev: &str| snapshot.netns(&netns.into()).unwrap().link(&dev.into()).unwrap().index;
    for r in ["1", "2"] {
        let (router, rfp, fpr) = (format!("qrouter-{r}"), format!("rfp-{r}"), format!("fpr-{r}"));
        assert_eq!(peer(&router, &rfp), Some(Peer::In("fip-x".into(), index("fip-x", &fpr))));
        assert_eq!(peer("fip-x", &fpr), Some(Peer::In(router.as_str().into(), index(&router, &rfp))));
    }
    assert_eq!(peer("qrouter-1", "qr-a"), Some(Peer::Here(index("qrouter-1", "qr-b"))));
    let own = snapshot.host.netns.seen().unwrap().link(&"host-fg".into()).unwrap();
    assert_eq!(peer("fip-x", "fg-1"), Some(Peer::Host(own.index)));
    assert_eq!(own.peer, Some(Peer::In("fip-x".into(), index("fip-x", "fg-1"))));
}

fn traffic_control_is_read(netns: &Netns) {
    let rfp = netns.link(&"rfp-1".into()).unwrap();
    let mut expected = BTreeSet::new();
    for line in out("tc -n qrouter-1 qdisc show dev rfp-1").lines() {
        expected.insert(line.split_whitespace().nth(1).unwrap().to_owned());
    }
    let found: BTreeSet<String> = rfp.qdiscs.iter().map(|qdisc| qdisc.kind.clone()).collect();
    assert_eq!(found, expected);
    let shown = out("tc -n qrouter-1 filter show dev rfp-1 parent ffff:");
    let handles: Vec<&str> = shown.lines().filter_map(|line| line.split(" fh ").nth(1)?.split(' ').next()).collect();
    let count = handles.iter().filter(|handle| !handle.ends_with(':')).count();
    assert_eq!(rfp.filters.iter().filter(|filter| filter.kind == "u32" && filter.preference == 49).count(), count);
}

fn assert_same(name: &str, found: &BTreeSet<String>, expected: &BTreeSet<String>) {
    let only_found: Vec<&String> = found.difference(expected).collect();
    let only_expected: Vec<&String> = expected.difference(found).collect();
    assert!(only_found.is_empty() && only_expected.is_empty(), "{name}\nours {only_found:#?}\nip's {only_expected:#?}");
}
