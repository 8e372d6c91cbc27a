//! Snapshots from reports: the project's own excerpts of both folder styles,
//! and, where they are there, whole reports of real nodes.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reads files and fails by panicking"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fipscope::check::{Finding, Severity, judge};
use fipscope::kernel::offline::load;
use fipscope::kernel::offline::text::{TableNames, addr, conntrack, link, neigh, ovs, route, rule};
use fipscope::net::netfilter::NfFamily;
use fipscope::net::{Family, IfName, NetnsName, Observed, PathOrigin, Peer, Snapshot};
use fipscope::topology::{FipKind, RouterKind, Topology};
use serde_json::Value;

const ROUTER: &str = "qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62";
const FIP: &str = "fip-cef4f7b4-c344-4904-a847-a9960f58fb20";

fn fixture(style: &str) -> Snapshot {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sosreport").join(style)).unwrap()
}

/// The folder of real nodes, or `None` after saying so.
fn real_node(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/real-node");
    let folder = std::env::var_os("FIPSCOPE_REAL_NODE").map_or(beside, PathBuf::from).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("REQUIRE_REAL_NODE").is_none(), "{} is not there", folder.display());
    println!("SKIPPED: {} is not there; set FIPSCOPE_REAL_NODE", folder.display());
    None
}

fn rules(snapshot: &Snapshot, netns: &str) -> Vec<String> {
    snapshot.netns(&netns.into()).unwrap().rules().iter().map(ToString::to_string).collect()
}

fn routes(snapshot: &Snapshot, netns: &str) -> Vec<String> {
    snapshot.netns(&netns.into()).unwrap().routes().iter().map(ToString::to_string).collect()
}

fn nat(snapshot: &Snapshot, netns: &str) -> Vec<String> {
    let netfilter = snapshot.netns(&netns.into()).unwrap().netfilter.seen().unwrap();
    let chains = netfilter.named(NfFamily::Ip, "nat").flat_map(|table| &table.chains);
    chains.flat_map(|chain| chain.rules.iter().map(|rule| rule.line(&chain.name, NfFamily::Ip).to_string())).collect()
}

fn peer(snapshot: &Snapshot, netns: &str, dev: &str) -> Option<Peer> {
    snapshot.netns(&netns.into()).unwrap().link(&IfName::from(dev)).unwrap().peer.clone()
}

/// Every part of every namespace is there or says why it is not.
fn nothing_is_silently_absent(snapshot: &Snapshot) {
    let host = snapshot.host.netns.seen().unwrap();
    let all = snapshot.namespaces.values().map(|netns| netns.seen().unwrap()).chain([host]);
    for netns in all {
        let absent = [
            netns.links.is_absent(),
            netns.addrs.is_absent(),
            netns.rules.is_absent(),
            netns.routes.is_absent(),
            netns.neighs.is_absent(),
            netns.netfilter.is_absent(),
            netns.conntrack_fill.is_absent(),
            netns.conntrack.is_none(),
        ];
        assert_eq!(absent, [false; 8]);
        assert_eq!(netns.sysctls.len() - netns.links().iter().filter(|link| is_gateway(&link.name)).count(), 15);
    }
    assert!(!snapshot.host.ovs.is_absent() && !snapshot.host.priority_file.is_absent());
}

fn is_gateway(name: &IfName) -> bool {
    name.as_str().starts_with("fg-") || name.as_str().starts_with("qg-")
}

#[test]
fn the_flat_style_is_read() {
    let node = fixture("flat");
    nothing_is_silently_absent(&node);
    assert_eq!((node.node.as_str(), node.taken_at.to_string().as_str()), ("compute-1", "2026-11-22T18:22:23Z"));
    assert_eq!(node.host.kernel.as_deref(), Some("6.1.0-30-amd64"));
    assert!(rules(&node, ROUTER).contains(&"61068: from 10.0.0.4 lookup 16".to_owned()));
    let via = "192.168.1.3 via 169.254.88.134 dev fpr-ef25020f-0 proto static".to_owned();
    assert!(routes(&node, FIP).contains(&via));
    let dnat = "-A neutron-l3-agent-PREROUTING -d 192.168.1.3/32 -i rfp-ef25020f-0 -j DNAT --to-destination 10.0.0.4";
    assert!(nat(&node, ROUTER).contains(&dnat.to_owned()));
    assert_eq!(peer(&node, ROUTER, "rfp-ef25020f-0"), Some(Peer::In(NetnsName::from(FIP), 2)));
    assert_eq!(peer(&node, FIP, "fpr-ef25020f-0"), Some(Peer::In(NetnsName::from(ROUTER), 2)));
    let agent = node.host.agent.seen().unwrap();
    assert_eq!((agent.pid, agent.mode.as_deref(), agent.unreadable.len()), (1234, Some("dvr"), 0));
    assert_eq!(node.host.path_origin, PathOrigin::Agent);
    assert_eq!(node.host.lock_path.as_deref(), Some(Path::new("/var/lib/neutron/lock")));
    assert_eq!(node.host.priority_file.seen().unwrap().lines, ["192.168.1.3,61068"]);
    assert_eq!(node.host.ovs.seen().unwrap().port("fg-b2b77eed-1b").unwrap().tag, Some(3));
    let router = node.netns(&ROUTER.into()).unwrap();
    assert!(router.gaps.iter().any(|gap| gap.part == "IPv6 rules"));
    assert!(router.sysctls.values().all(|value| value.unreadable().is_some()));
    assert!(router.link(&"rfp-ef25020f-0".into()).unwrap().ipv4.is_none());
}

#[test]
fn the_style_of_a_folder_per_namespace_is_read() {
    let node = fixture("folders");
    nothing_is_silently_absent(&node);
    assert_eq!(node.namespaces.len(), 3);
    let fip = node.netns(&FIP.into()).unwrap();
    assert!(fip.rules().iter().any(|rule| rule.family == Family::V6));
    assert!(fip.gaps.iter().all(|gap| gap.part != "IPv6 rules"));
    let fg = fip.link(&"fg-b2b77eed-1b".into()).unwrap();
    assert!(fg.ipv4.unwrap().proxy_arp && fg.ipv4.unwrap().forwarding);
    assert_eq!(fg.kind.as_deref(), Some("tun"));
    assert_eq!(fip.sysctl("net.ipv4.ip_nonlocal_bind"), Some(1));
    assert!(fip.sysctl("net.ipv4.neigh.fg-b2b77eed-1b.proxy_delay").is_some());
    assert!(fip.netfilter.unreadable().unwrap().contains("not in this report"));
    let router = "qrouter-b047c241-8921-5df0-baca-ff1b77f6fffe";
    assert_eq!(peer(&node, FIP, "fpr-b047c241-8"), Some(Peer::In(router.into(), 2)));
    assert_eq!(peer(&node, router, "rfp-b047c241-8"), Some(Peer::In(FIP.into(), 3)));
    assert!(rules(&node, router).contains(&"34290: from 30.0.0.4 lookup 16".to_owned()));
    assert!(matches!(&node.host.agent, Observed::Unreadable(why) if why.contains("ps_auxwwwm")));
}

#[test]
fn a_report_survives_being_saved() {
    for style in ["flat", "folders"] {
        let node = fixture(style);
        let bytes = serde_json::to_vec(&node).unwrap();
        assert_eq!(fipscope::kernel::offline::snapshot(&bytes, Path::new(style)).unwrap(), node);
        assert!(node.same_as(&node.clone()));
    }
}

#[test]
fn what_is_no_node_is_refused_with_a_way_on() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, words) in [("src", "sos_commands"), ("no-such-file", "check the path"), ("Cargo.toml", "no snapshot")] {
        let error = load(&root.join(path)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let error = load(Path::new("/dev/null")).unwrap_err().to_string();
    assert!(error.contains("neither a file nor a folder"), "{error}");
}

#[test]
fn a_report_of_2022_is_read() {
    let Some(folder) = real_node("sosreport-2022") else { return };
    let node = load(&folder).unwrap();
    nothing_is_silently_absent(&node);
    assert_eq!(node.node, "compute4");
    assert_eq!(node.host.kernel.as_deref(), Some("5.4.0-97-generic"));
    let (router, fip, snat) = (
        "qrouter-984c22fd-64b3-4fa1-8ddd-87090f401ce5",
        "fip-32981f34-497a-4fae-914a-8576055c8d0d",
        "snat-984c22fd-64b3-4fa1-8ddd-87090f401ce5",
    );
    let names: Vec<&str> = node.namespaces.keys().map(NetnsName::as_str).collect();
    assert_eq!(names, [fip, router, snat]);
    for netns in [router, fip, snat] {
        let netns = node.netns(&netns.into()).unwrap();
        for why in
            [netns.links.unreadable(), netns.addrs.unreadable(), netns.rules.unreadable(), netns.routes.unreadable()]
        {
            assert_eq!(why, None);
        }
        assert_eq!(netns.netfilter.unreadable(), None);
        assert!(netns.netfilter.seen().unwrap().words_only);
        assert_eq!(netns.neighs.unreadable(), None);
        assert_eq!(netns.conntrack.as_ref().unwrap().unreadable(), None);
    }
    assert!(rules(&node, router).contains(&"71743: from 192.168.21.18 lookup 16".to_owned()));
    assert!(routes(&node, fip).contains(&"10.100.0.203 via 169.254.88.134 dev fpr-984c22fd-6 proto static".to_owned()));
    let dnat =
        "-A neutron-l3-agent-PREROUTING -d 10.100.0.203/32 -i rfp-984c22fd-6 -j DNAT --to-destination 192.168.21.18";
    assert!(nat(&node, router).contains(&dnat.to_owned()));
    assert_eq!(peer(&node, router, "rfp-984c22fd-6"), Some(Peer::In(fip.into(), 2)));
    assert_eq!(node.host.priority_file.seen().unwrap().lines, ["10.100.0.203,71743"]);
    let agent = node.host.agent.unreadable().unwrap();
    assert!(agent.contains("dvr_snat"), "{agent}");
    let ovs = node.host.ovs.seen().unwrap();
    assert_eq!((ovs.port("fg-c8dcce74-c4").unwrap().tag, ovs.port("qg-14f81a43-69").unwrap().tag), (Some(2), Some(2)));
    assert_eq!(ovs.external_ids["hostname"], "compute4.mylab.home");
    let own = node.host.netns.seen().unwrap();
    assert_eq!(own.conntrack_fill.seen().map(|fill| (fill.count, fill.max)), Some((1498, 1_000_000)));
    assert_eq!(own.conntrack.as_ref().unwrap().seen().unwrap().len(), 1438);
    assert_eq!((own.links.unreadable(), own.routes.unreadable(), own.neighs.unreadable()), (None, None, None));
}

#[test]
fn a_report_of_today_is_read() {
    let Some(folder) = real_node("sosreport-today") else { return };
    let node = load(&folder).unwrap();
    nothing_is_silently_absent(&node);
    assert_eq!(node.namespaces.len(), 3);
    for netns in node.namespaces.values().map(|netns| netns.seen().unwrap()).chain([node.host.netns.seen().unwrap()]) {
        for why in
            [netns.links.unreadable(), netns.addrs.unreadable(), netns.rules.unreadable(), netns.routes.unreadable()]
        {
            assert_eq!(why, None);
        }
        assert_eq!(netns.neighs.unreadable(), None);
    }
}

/// What could not be told of a node on which nothing was found: codes, and the
/// kinds of namespaces that they are about.
fn doubts(node: &Snapshot) -> BTreeSet<(u16, String)> {
    let all = judge(node, &Topology::of(node));
    let found: Vec<&Finding> = all.iter().filter(|one| one.why_unknown.is_none()).collect();
    assert!(found.is_empty(), "{found:#?}");
    let why = |one: &Finding| one.why_unknown.clone().unwrap_or_default();
    let reasoned = |one: &&Finding| ["not in this report", "not read"].iter().any(|word| why(one).contains(word));
    assert_eq!(all.iter().filter(reasoned).count(), all.len(), "{all:#?}");
    let kind = |one: &Finding| {
        let name = one.namespace.as_ref().map_or("host", NetnsName::as_str);
        name.split_once('-').map_or(name, |(kind, _)| kind).to_owned()
    };
    all.iter().map(|one| (one.code.0, kind(one))).collect()
}

fn listed(all: &[(u16, &str)]) -> BTreeSet<(u16, String)> {
    all.iter().map(|(code, kind)| (*code, (*kind).to_owned())).collect()
}

/// A healthy node of production: a standby of a distributed router, and a
/// distributed floating IP. The report has no settings (`sysctl -a`) of namespaces
/// and no list of processes: what these decide cannot be told, and nothing else.
#[test]
fn a_report_of_2022_is_judged_as_far_as_it_tells() {
    let Some(folder) = real_node("sosreport-2022") else { return };
    let node = load(&folder).unwrap();
    let topology = Topology::of(&node);
    assert_eq!(topology.routers.iter().map(|router| router.kind).collect::<Vec<_>>(), [RouterKind::DistributedHa]);
    assert_eq!(topology.floating_ips.iter().map(|fip| fip.kind).collect::<Vec<_>>(), [FipKind::Distributed]);
    // Standing by: its ports are bare, and the one outside is off.
    let snat = node.netns(topology.routers[0].snat_namespace.as_ref().unwrap()).unwrap();
    let off: Vec<&str> = snat.links().iter().filter(|link| !link.is_up()).map(|link| link.name.as_str()).collect();
    assert_eq!(off, ["qg-14f81a43-69"]);
    assert!(snat.addrs().iter().all(|addr| !["qg-", "sg-"].iter().any(|kind| addr.dev.as_str().starts_with(kind))));
    let wanted = [
        // No list of processes.
        (108, "host"),
        // Whether the reverse path filter is on decides whether a packet gets as far.
        (304, "qrouter"),
        (311, "fip"),
        (311, "qrouter"),
        (311, "snat"),
        (407, "snat"),
        (408, "qrouter"),
        (408, "snat"),
        (409, "fip"),
        (409, "qrouter"),
        (409, "snat"),
        (508, "fip"),
        (509, "fip"),
        (510, "fip"),
        (511, "fip"),
    ];
    assert_eq!(doubts(&node), listed(&wanted));
}

/// Two healthy routers. The report has the settings, and neither the packet filter
/// (`iptables-save`) of namespaces nor a list of processes.
#[test]
fn a_report_of_today_is_judged_as_far_as_it_tells() {
    let Some(folder) = real_node("sosreport-today") else { return };
    let node = load(&folder).unwrap();
    let kinds: Vec<RouterKind> = Topology::of(&node).routers.iter().map(|router| router.kind).collect();
    assert_eq!(kinds, [RouterKind::Distributed; 2]);
    let filter = [(401, "qrouter"), (402, "qrouter"), (404, "qrouter"), (410, "fip"), (411, "qrouter")];
    assert_eq!(doubts(&node), listed(&[&[(108, "host")], &filter[..]].concat()));
    let all = judge(&node, &Topology::of(&node));
    let worse = all.iter().filter(|one| one.severity != Severity::Note);
    let translated: Vec<String> =
        worse.filter(|one| one.code.0 == 401).filter_map(|one| one.floating_ip).map(|ip| ip.to_string()).collect();
    assert_eq!(translated, ["192.168.1.33", "192.168.1.3"]);
}

/// The text and the JSON of `ip` on nodes that the real agent built: each object
/// of the one is in the other.
#[test]
fn text_and_json_of_ip_agree_on_real_nodes() {
    let Some(folder) = real_node("state") else { return };
    let tables = TableNames::default();
    let mut compared = 0;
    for scenario in subfolders(&folder) {
        for netns in subfolders(&scenario).into_iter().filter(|netns| netns.join("addr.json").is_file()) {
            let text = |file: &str| std::fs::read_to_string(netns.join(file)).unwrap();
            let json = |file: &str| -> Vec<Value> { serde_json::from_str(&text(file)).unwrap_or_default() };
            let place = netns.display();
            let links = link::links(&text("link.txt")).unwrap();
            let names = |list: Vec<Value>, key: &str| list.iter().map(|item| word(&item[key])).collect::<Vec<_>>();
            assert_eq!(
                links.iter().map(|link| link.link.name.as_str().to_owned()).collect::<Vec<_>>(),
                names(json("link.json"), "ifname"),
                "{place}"
            );
            let addrs = addr::addrs(&text("addr.txt")).unwrap();
            let info = json("addr.json").into_iter().flat_map(|link| link["addr_info"].as_array().cloned().unwrap());
            assert_eq!(
                addrs.iter().map(|addr| addr.address.addr().to_string()).collect::<Vec<_>>(),
                names(info.collect(), "local"),
                "{place}"
            );
            for (family, number) in [(Family::V4, 4), (Family::V6, 6)] {
                let rules = rule::rules(&text(&format!("rule{number}.txt")), family, &tables).unwrap();
                let wanted = names(json(&format!("rule{number}.json")), "priority");
                assert_eq!(rules.iter().map(|rule| rule.priority.to_string()).collect::<Vec<_>>(), wanted, "{place}");
                let routes = route::routes(&text(&format!("route{number}.txt")), &tables).unwrap();
                let wanted = json(&format!("route{number}.json"));
                assert_eq!(routes.len(), wanted.len(), "{place}");
                for (route, json) in routes.iter().zip(&wanted) {
                    assert_eq!(route.family(), family, "{place}");
                    let dev = route.dev().map_or(String::from("null"), |dev| dev.as_str().to_owned());
                    assert_eq!(dev, word(&json["dev"]), "{place}");
                    let via = route.via().map_or(String::from("null"), |via| via.to_string());
                    assert_eq!(via, word(&json["gateway"]), "{place}");
                }
                compared += rules.len() + routes.len();
            }
            let neighs = neigh::neighs(&text("neigh.txt")).unwrap();
            let wanted = names(json("neigh.json"), "dst");
            assert_eq!(neighs.iter().map(|neigh| neigh.address.to_string()).collect::<Vec<_>>(), wanted, "{place}");
            conntrack::entries(&text("conntrack.txt")).unwrap();
        }
        ovs::show(&std::fs::read_to_string(scenario.join("ovs-vsctl-show.txt")).unwrap()).unwrap();
    }
    assert!(compared > 500, "{compared}");
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
