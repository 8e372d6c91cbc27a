//! What the L3 agent mends by itself: each finding says what was observed with the
//! agent of 29.0.0, one fault at a time, over a router's update and a restart. A row
//! for each of these faults that a reading of the node shows; `rp_filter=1` alone and
//! a metadata proxy that is gone break nothing that is judged here, and that the only
//! router's gateway is another than Neutron's is not to be seen on a node.

use fipscope::check::AgentDoes::{self, HealsOnReassociation, HealsOnRestart, HealsOnUpdate, Never};
use fipscope::net::netfilter::parse_rule;
use fipscope::net::{Family, IFF_UP, Mac, Neigh, Netns, NextHop, Observed, Route, Rule, RuleAction, Snapshot, TableId};

use super::common::{
    device, drop_addr, drop_link, drop_neigh, drop_nf, drop_route, drop_route_of, drop_rule, edit, edit_chain,
    edit_conf, edit_link, fixture, judge, namespace, set_sysctl,
};

const Q: &str = "qrouter-";
const F: &str = "fip-";
const QR: &str = "qr-c2e43983-5c";
const REDIRECT: TableId = TableId(167_772_161);
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 0x99]);

/// What was done, the code that it is found by, what the agent does about it.
type Row = (&'static str, u16, AgentDoes, fn(&mut Snapshot));

static IN_THE_ROUTER: &[Row] = &[
    // That it comes back with a new association was read in the agent's code.
    ("fixed-IP rule deleted", 301, HealsOnReassociation, |node| drop_rule(node, Q, "from 10.0.0.4 lookup 16")),
    ("stale rule for an unknown fixed IP", 303, Never, |node| {
        edit(node, Q, |netns| rules(netns).push(from("10.0.0.77/32", 72_767, 16)));
    }),
    ("fixed-IP rule with wrong table", 302, Never, |node| {
        edit(node, Q, |netns| {
            let own = rules(netns).iter_mut().find(|rule| rule.to_string().contains("from 10.0.0.4 lookup 16"));
            own.unwrap().action = RuleAction::Lookup(TableId(17));
        });
    }),
    ("default of table 16 deleted", 305, HealsOnRestart, |node| drop_route_of(node, Q, TableId(16), "default")),
    ("default of table 16 via wrong next hop", 305, HealsOnRestart, |node| {
        via(node, Q, |route| route.table == TableId(16) && route.is_default(), "169.254.88.139");
    }),
    ("SNAT redirect table flushed", 307, HealsOnRestart, |node| drop_route_of(node, Q, REDIRECT, "default")),
    ("SNAT redirect rule deleted", 307, HealsOnRestart, |node| drop_rule(node, Q, "lookup 167772161")),
    ("rfp down", 203, HealsOnRestart, |node| edit_link(node, Q, "rfp-", |link| link.flags &= !IFF_UP)),
    ("rfp link-local address removed", 204, HealsOnRestart, |node| {
        drop_addr(node, Q, "169.254.");
        drop_route(node, Q, "dev rfp-");
    }),
    ("veth rfp/fpr deleted", 201, HealsOnUpdate, |node| {
        drop_link(node, Q, "rfp-");
        drop_link(node, F, "fpr-");
    }),
    ("DNAT rule deleted", 401, HealsOnUpdate, |node| drop_nf(node, Q, "nat", "agent-PREROUTING", "-d 192.168.1.3/32")),
    ("SNAT rule deleted", 402, HealsOnUpdate, |node| drop_nf(node, Q, "nat", "float-snat", "-s 10.0.0.4/32")),
    ("foreign DROP in builtin FORWARD", 415, Never, |node| add_nf(node, "filter", "FORWARD", "-d 10.0.0.4/32 -j DROP")),
    ("foreign DNAT inside a neutron chain", 412, HealsOnUpdate, |node| {
        add_nf(node, "nat", "neutron-l3-agent-PREROUTING", "-d 192.168.1.3/32 -j DNAT --to-destination 10.0.0.99");
    }),
    ("the same in a built-in chain", 411, Never, |node| {
        add_nf(node, "nat", "PREROUTING", "-d 192.168.1.3/32 -j DNAT --to-destination 10.0.0.99");
    }),
    ("ip_forward=0 in qrouter", 311, HealsOnRestart, |node| set_sysctl(node, Q, "net.ipv4.ip_forward", 0)),
    ("qr down", 710, Never, |node| edit_link(node, Q, QR, |link| link.flags &= !IFF_UP)),
    ("qr address removed", 710, HealsOnRestart, |node| drop_addr(node, Q, "10.0.0.1/24")),
    ("VM neighbour entry deleted", 701, HealsOnRestart, |node| drop_neigh(node, Q, "10.0.0.4")),
    ("peer (fpr) neighbour wrong MAC", 208, HealsOnRestart, |node| {
        edit(node, Q, |netns| {
            let Observed::Seen(neighs) = &mut netns.neighs else { panic!("not read") };
            let peer = |neigh: &&mut Neigh| neigh.dev.as_str().starts_with("rfp-");
            neighs.iter_mut().find(peer).unwrap().mac = Some(OTHER);
        });
    }),
    ("rfp MTU 1400", 209, HealsOnRestart, |node| edit_link(node, Q, "rfp-", |link| link.mtu = 1400)),
    ("nat jump POSTROUTING->neutron-postrouting-bottom deleted", 411, HealsOnUpdate, |node| {
        drop_nf(node, Q, "nat", "POSTROUTING", "-j neutron-postrouting-bottom");
    }),
    ("qrouter namespace deleted", 102, HealsOnRestart, |node| gone(node, Q)),
];

static IN_THE_FIP_NAMESPACE: &[Row] = &[
    ("FIP route deleted", 501, HealsOnUpdate, |node| drop_route(node, F, "192.168.1.3")),
    ("FIP route via wrong next hop", 502, HealsOnUpdate, |node| {
        via(node, F, |route| route.dst.to_string() == "192.168.1.3/32", "192.168.1.1");
    }),
    ("stale FIP route left behind", 503, HealsOnUpdate, |node| {
        edit(node, F, |netns| {
            let own = routes(netns).iter().find(|route| route.dst.to_string() == "192.168.1.3/32").unwrap().clone();
            routes(netns).push(Route { dst: "192.168.1.77/32".parse().unwrap(), ..own });
        });
    }),
    ("proxy_arp=0 on fg", 508, HealsOnRestart, |node| edit_conf(node, F, "fg-", |conf| conf.proxy_arp = false)),
    ("fg down", 602, Never, |node| edit_link(node, F, "fg-", |link| link.flags &= !IFF_UP)),
    ("fg address removed", 616, HealsOnRestart, |node| {
        let fg = device(node, F, "fg-");
        drop_addr(node, F, fg.as_str());
    }),
    ("fg unplugged (ovs del-port)", 602, HealsOnUpdate, |node| {
        let Observed::Seen(ovs) = &mut node.host.ovs else { panic!("not read") };
        ovs.ports.retain(|port| !port.name.starts_with("fg-"));
    }),
    ("per-router default deleted", 505, HealsOnRestart, |node| drop_route(node, F, "default")),
    ("iif fpr rule deleted", 504, HealsOnRestart, |node| drop_rule(node, F, "iif fpr-")),
    ("ip_forward=0 in fip", 311, HealsOnRestart, |node| set_sysctl(node, F, "net.ipv4.ip_forward", 0)),
    ("notrack rule deleted", 410, HealsOnRestart, |node| drop_nf(node, F, "raw", "agent-PREROUTING", "-j CT")),
    ("fpr down", 203, Never, |node| edit_link(node, F, "fpr-", |link| link.flags &= !IFF_UP)),
    ("fpr address removed", 204, HealsOnRestart, |node| {
        drop_addr(node, F, "169.254.");
        drop_route(node, F, "dev fpr-");
    }),
    ("floating IP stuck as an address on fg", 512, HealsOnRestart, |node| {
        edit(node, F, |netns| {
            let Observed::Seen(addrs) = &mut netns.addrs else { panic!("not read") };
            let own = addrs.iter().find(|addr| addr.dev.as_str().starts_with("fg-")).unwrap().clone();
            addrs.push(fipscope::net::Addr { address: "192.168.1.3/32".parse().unwrap(), broadcast: None, ..own });
        });
    }),
    ("fip namespace deleted", 101, HealsOnUpdate, |node| gone(node, F)),
    ("stale fip- namespace of an unknown id", 104, HealsOnRestart, |node| {
        let name = "fip-00000000-0000-4000-8000-000000000000".into();
        let (links, rules, routes) = (Observed::Seen(vec![]), Observed::Seen(vec![]), Observed::Seen(vec![]));
        node.namespaces.insert(name, Observed::Seen(Netns { links, rules, routes, ..Netns::default() }.into()));
    }),
];

static IN_THE_FILES: &[Row] = &[
    ("fip-linklocal-networks deleted", 902, HealsOnRestart, |node| node.host.link_local_file = Observed::Absent),
    ("fip-priorities deleted", 901, Never, |node| node.host.priority_file = Observed::Absent),
    ("both files hold garbage lines", 901, HealsOnRestart, |node| garbage(&mut node.host.priority_file)),
    ("both files hold garbage lines", 902, HealsOnRestart, |node| garbage(&mut node.host.link_local_file)),
    ("priorities file disagrees with the kernel rule", 901, Never, |node| {
        instead(&mut node.host.priority_file, "192.168.1.3,72300");
    }),
    ("link-local file disagrees with the kernel", 902, Never, |node| {
        instead(&mut node.host.link_local_file, "ef25020f-012c-41d6-a36e-f2f09cb8ea62,169.254.99.0/31");
    }),
];

#[test]
fn each_finding_says_what_was_observed() {
    let mut wrong = Vec::new();
    for (what, code, agent, fault) in [IN_THE_ROUTER, IN_THE_FIP_NAMESPACE, IN_THE_FILES].into_iter().flatten() {
        let mut node = fixture("S1");
        fault(&mut node);
        let all = judge(&node);
        let roots: Vec<_> = all.iter().filter(|one| one.because_of.is_none()).collect();
        let found = roots.iter().find(|one| one.code.0 == *code);
        if found.map(|one| one.agent) != Some(*agent) {
            let said: Vec<_> = roots.iter().map(|one| (&one.id, one.agent)).collect();
            wrong.push(format!("{what}: {said:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn rules(netns: &mut Netns) -> &mut Vec<Rule> {
    let Observed::Seen(rules) = &mut netns.rules else { panic!("not read") };
    rules
}

fn routes(netns: &mut Netns) -> &mut Vec<Route> {
    let Observed::Seen(routes) = &mut netns.routes else { panic!("not read") };
    routes
}

fn from(source: &str, priority: u32, table: u32) -> Rule {
    Rule { from: Some(source.parse().unwrap()), ..Rule::lookup(Family::V4, priority, TableId(table)) }
}

/// Another next hop for the first route that is meant.
fn via(node: &mut Snapshot, prefix: &str, is_meant: impl Fn(&Route) -> bool, hop: &str) {
    edit(node, prefix, |netns| {
        let route = routes(netns).iter_mut().find(|route| is_meant(route)).unwrap();
        let dev = route.dev().cloned();
        route.next_hops = vec![NextHop { via: Some(hop.parse().unwrap()), ..NextHop::default() }];
        route.next_hops[0].dev = dev;
    });
}

/// A rule before all others of a chain.
fn add_nf(node: &mut Snapshot, table: &str, chain: &str, words: &str) {
    let (_, rule) = parse_rule(&format!("-A {chain} {words}")).unwrap();
    edit_chain(node, Q, table, chain, |rules| rules.insert(0, rule));
}

fn gone(node: &mut Snapshot, prefix: &str) {
    let name = namespace(node, prefix);
    node.namespaces.remove(&name);
}

fn garbage(file: &mut Observed<fipscope::net::AllocationFile>) {
    let Observed::Seen(file) = file else { panic!("not read") };
    file.lines.push("\u{1}garbage".to_owned());
}

fn instead(file: &mut Observed<fipscope::net::AllocationFile>, line: &str) {
    let Observed::Seen(file) = file else { panic!("not read") };
    file.lines = vec![line.to_owned()];
}
