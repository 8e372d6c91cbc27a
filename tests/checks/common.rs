//! What the families' tests share: nodes, edits, and findings in a few words.

#![allow(dead_code, reason = "not every family needs every edit")]

use std::path::Path;

use fipscope::check::{self, Finding, Severity};
use fipscope::kernel::load;
use fipscope::net::netfilter::NfRule;
use fipscope::net::{IfName, Ipv4Conf, Link, Netns, NetnsName, Observed, Snapshot, TableId};
use fipscope::neutron::Layout;
use fipscope::topology::Topology;
use fipscope::topology::scenario::Scenario;

/// The snapshots of nodes that the real agent built.
pub(super) const FIXTURES: [&str; 12] = ["S1", "S2", "S3", "S5", "S6", "S8", "S9", "S10", "S11", "S12", "S13", "S15"];

/// A finding's code, namespace (the host's own is `host`) and object key.
pub(super) type Root = (u16, String, String);

/// A node that the real agent built.
pub(super) fn fixture(name: &str) -> Snapshot {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real-node");
    load(&dir.join(format!("{name}.json"))).unwrap()
}

/// Healthy made-up nodes of every layout and kind, each with a name.
pub(super) fn healthy() -> Vec<(&'static str, Snapshot)> {
    let of = |node: Scenario| node.snapshot;
    let pike = || Scenario::article(Layout::Pike);
    vec![
        ("empty", of(Scenario::empty())),
        ("juno", of(Scenario::article(Layout::Juno))),
        ("newton", of(Scenario::article(Layout::Newton))),
        ("pike", of(pike())),
        ("centralized", of(pike().with_centralized())),
        ("distributed, highly available, primary", of(Scenario::distributed_ha(true))),
        ("distributed, highly available, standby", of(Scenario::distributed_ha(false))),
        ("second router", of(pike().with_second_router(Layout::Pike))),
        ("second network", of(pike().with_second_network(Layout::Pike))),
        ("legacy", of(Scenario::legacy(None))),
        ("legacy primary", of(Scenario::legacy(Some(true)))),
        ("legacy standby", of(Scenario::legacy(Some(false)))),
    ]
}

/// All findings of a node.
pub(super) fn judge(snapshot: &Snapshot) -> Vec<Finding> {
    check::judge(snapshot, &Topology::of(snapshot))
}

/// Errors and warnings that follow from nothing else, in the order of the report.
pub(super) fn root_findings(snapshot: &Snapshot) -> Vec<Finding> {
    let mut all = judge(snapshot);
    all.retain(|one| one.because_of.is_none() && one.severity != Severity::Note && one.why_unknown.is_none());
    all
}

/// The same in three words each.
pub(super) fn roots(snapshot: &Snapshot) -> Vec<Root> {
    root_findings(snapshot).iter().map(words).collect()
}

/// Codes of the notes, sorted.
pub(super) fn notes(snapshot: &Snapshot) -> Vec<u16> {
    let all = judge(snapshot);
    let notes = all.iter().filter(|one| one.severity == Severity::Note && one.why_unknown.is_none());
    notes.map(|one| one.code.0).collect()
}

/// Codes that could not be told, in order.
pub(super) fn unknowns(snapshot: &Snapshot) -> Vec<u16> {
    judge(snapshot).iter().filter(|one| one.why_unknown.is_some()).map(|one| one.code.0).collect()
}

/// The only root of a node; fails where there is none or another.
pub(super) fn only(snapshot: &Snapshot, code: u16) -> Finding {
    let mut found = root_findings(snapshot);
    assert_eq!(found.iter().map(|one| one.code.0).collect::<Vec<_>>(), [code], "{found:#?}");
    found.remove(0)
}

/// Code, namespace and key of a finding.
pub(super) fn words(finding: &Finding) -> Root {
    let place = finding.namespace.as_ref().map_or("host", NetnsName::as_str);
    (finding.code.0, place.to_owned(), finding.object.key.clone())
}

/// No finding of these codes but notes.
pub(super) fn calm(name: &str, snapshot: &Snapshot, codes: std::ops::RangeInclusive<u16>) {
    let loud: Vec<_> = judge(snapshot)
        .into_iter()
        .filter(|one| codes.contains(&one.code.0) && one.severity != Severity::Note && one.why_unknown.is_none())
        .collect();
    assert!(loud.is_empty(), "{name}: {loud:#?}");
}

/// The first namespace whose name begins so.
pub(super) fn namespace(snapshot: &Snapshot, prefix: &str) -> NetnsName {
    let found = snapshot.namespaces.keys().find(|name| name.as_str().starts_with(prefix));
    found.unwrap_or_else(|| panic!("no namespace {prefix}…")).clone()
}

/// Changes the first namespace whose name begins so.
pub(super) fn edit<T>(snapshot: &mut Snapshot, prefix: &str, change: impl FnOnce(&mut Netns) -> T) -> T {
    let name = namespace(snapshot, prefix);
    change(snapshot.netns_mut(&name).unwrap_or_else(|| panic!("{name} was not read")))
}

/// The first device whose name begins so.
pub(super) fn device(snapshot: &Snapshot, prefix: &str, start: &str) -> IfName {
    let netns = snapshot.netns(&namespace(snapshot, prefix)).unwrap();
    let found = netns.links().iter().find(|link| link.name.as_str().starts_with(start));
    found.unwrap_or_else(|| panic!("no device {start}… in {prefix}…")).name.clone()
}

/// Drops what the words in its `ip` text give away; at least one.
fn drop_from<T>(list: &mut Observed<Vec<T>>, gone: impl Fn(&T) -> bool) {
    let Observed::Seen(list) = list else { panic!("not read") };
    let before = list.len();
    list.retain(|one| !gone(one));
    assert!(list.len() < before, "nothing to drop");
}

/// Drops the policy rules whose text has these words.
pub(super) fn drop_rule(snapshot: &mut Snapshot, prefix: &str, words: &str) {
    edit(snapshot, prefix, |netns| drop_from(&mut netns.rules, |rule| rule.to_string().contains(words)));
}

/// Drops the routes whose text has these words.
pub(super) fn drop_route(snapshot: &mut Snapshot, prefix: &str, words: &str) {
    edit(snapshot, prefix, |netns| drop_from(&mut netns.routes, |route| route.to_string().contains(words)));
}

/// Drops the routes of a table whose text has these words.
pub(super) fn drop_route_of(snapshot: &mut Snapshot, prefix: &str, table: TableId, words: &str) {
    edit(snapshot, prefix, |netns| {
        drop_from(&mut netns.routes, |route| route.table == table && route.to_string().contains(words));
    });
}

/// Drops the neighbours whose text has these words.
pub(super) fn drop_neigh(snapshot: &mut Snapshot, prefix: &str, words: &str) {
    edit(snapshot, prefix, |netns| drop_from(&mut netns.neighs, |neigh| neigh.to_string().contains(words)));
}

/// Drops the addresses whose text has these words, and the routes that came with them.
pub(super) fn drop_addr(snapshot: &mut Snapshot, prefix: &str, words: &str) {
    edit(snapshot, prefix, |netns| {
        let Observed::Seen(addrs) = &netns.addrs else { panic!("not read") };
        let gone: Vec<_> = addrs.iter().filter(|addr| addr.to_string().contains(words)).cloned().collect();
        drop_from(&mut netns.addrs, |addr| gone.contains(addr));
        let Observed::Seen(routes) = &mut netns.routes else { return };
        routes.retain(|route| !gone.iter().any(|addr| route.pref_src == Some(addr.address.addr())));
    });
}

/// Drops a device with everything on it.
pub(super) fn drop_link(snapshot: &mut Snapshot, prefix: &str, start: &str) {
    let name = device(snapshot, prefix, start);
    edit(snapshot, prefix, |netns| {
        drop_from(&mut netns.links, |link| link.name == name);
        for_each_list(netns, &name);
    });
}

fn for_each_list(netns: &mut Netns, name: &IfName) {
    if let Observed::Seen(addrs) = &mut netns.addrs {
        addrs.retain(|addr| addr.dev != *name);
    }
    if let Observed::Seen(routes) = &mut netns.routes {
        routes.retain(|route| route.dev() != Some(name));
    }
    if let Observed::Seen(neighs) = &mut netns.neighs {
        neighs.retain(|neigh| neigh.dev != *name);
    }
}

/// Changes the first device whose name begins so.
pub(super) fn edit_link(snapshot: &mut Snapshot, prefix: &str, start: &str, change: impl FnOnce(&mut Link)) {
    let name = device(snapshot, prefix, start);
    edit(snapshot, prefix, |netns| {
        let Observed::Seen(links) = &mut netns.links else { panic!("not read") };
        change(links.iter_mut().find(|link| link.name == name).unwrap());
    });
}

/// Changes a device's IPv4 settings (`net.ipv4.conf.DEV.*`).
pub(super) fn edit_conf(snapshot: &mut Snapshot, prefix: &str, start: &str, change: impl FnOnce(&mut Ipv4Conf)) {
    edit_link(snapshot, prefix, start, |link| change(link.ipv4.as_mut().unwrap()));
}

/// Sets a setting that netlink does not carry.
pub(super) fn set_sysctl(snapshot: &mut Snapshot, prefix: &str, name: &str, value: i64) {
    edit(snapshot, prefix, |netns| netns.sysctls.insert(name.to_owned(), Observed::Seen(value)));
}

/// Changes the rules of the first chain whose name ends so, in a table of that name.
pub(super) fn edit_chain(
    snapshot: &mut Snapshot,
    prefix: &str,
    table: &str,
    chain: &str,
    change: impl FnOnce(&mut Vec<NfRule>),
) {
    edit(snapshot, prefix, |netns| {
        let Observed::Seen(netfilter) = &mut netns.netfilter else { panic!("not read") };
        let mut tables = [&mut netfilter.nft, &mut netfilter.legacy].into_iter().filter_map(|tables| match tables {
            Observed::Seen(tables) => Some(tables),
            _ => None,
        });
        let found = tables.find_map(|tables| {
            let mut chains = tables.iter_mut().filter(|one| one.name == table).flat_map(|one| &mut one.chains);
            chains.find(|one| one.name.ends_with(chain))
        });
        change(&mut found.unwrap_or_else(|| panic!("no chain …{chain} in {table}")).rules);
    });
}

/// Drops the rules of a chain whose `iptables-save` line has these words.
pub(super) fn drop_nf(snapshot: &mut Snapshot, prefix: &str, table: &str, chain: &str, words: &str) {
    edit_chain(snapshot, prefix, table, chain, |rules| {
        let before = rules.len();
        let family = fipscope::net::netfilter::NfFamily::Ip;
        rules.retain(|rule| !rule.line(chain, family).to_string().contains(words));
        assert!(rules.len() < before, "nothing to drop");
    });
}
