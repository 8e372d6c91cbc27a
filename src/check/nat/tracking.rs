//! Connection tracking: entries that outlived their translation, settings, and
//! how full the table is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Place, Today};
use crate::check::{Applicability, Findings, Scene, Severity, Subject};
use crate::net::netfilter::{Hook, Match, NfRule, Target};
use crate::net::{Change, ConntrackEntry, ConntrackLevel, Netns, NetnsName, Object, Observed};
use crate::neutron::{Release, plain_jump};
use crate::topology::{ObjectKind, ObjectRef, Router};

const LOOSE: &str = "net.netfilter.nf_conntrack_tcp_loose";
const LIBERAL: &str = "net.netfilter.nf_conntrack_tcp_be_liberal";
/// The first releases that set them (backports are older, and do no harm here).
const LOOSE_SINCE: Release = Release::new(11, 0, 0);
const LIBERAL_SINCE: Release = Release::new(26, 0, 0);

/// Of more than these, `conntrack -D` is told, which forgets them at once.
const MOST_FORGOTTEN: usize = 500;

/// DVR406: connections in the router namespace that are translated otherwise
/// than a new one would be. The agent looks for them in the fip namespace, where
/// nothing is tracked.
pub(in crate::check) fn stale(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers.iter().filter(|router| router.rtr_2_fip.is_some()) {
        let Some(namespace) = &router.namespace else { continue };
        let Some(netns) = scene.netns(namespace) else { continue };
        let object = |key: String| ObjectRef { kind: ObjectKind::Nat, key };
        match &netns.conntrack {
            Some(Observed::Seen(entries)) => old_entries(scene, findings, router, namespace, entries),
            Some(Observed::Unreadable(why)) => {
                let subject = Subject::router(router);
                findings.cannot_tell(&subject, Some(namespace), object("connections".to_owned()), why.clone());
            }
            // Nobody asked for them: that is no doubt about the node.
            Some(Observed::Absent) | None => {}
        }
    }
}

fn old_entries(
    scene: &Scene<'_>,
    findings: &mut Findings,
    router: &Router,
    namespace: &NetnsName,
    entries: &[ConntrackEntry],
) {
    let today = Today::of(router, scene.fips_of(router).iter().copied());
    // What half of is missing is no less an association: its connections are those
    // that should be, and what is missing is told by other codes.
    let stands = |floating, fixed| {
        scene.fips_of(router).iter().any(|fip| fip.floating_ip == Some(floating) && fip.fixed_ip == Some(fixed))
    };
    let mut old: BTreeMap<(IpAddr, IpAddr), Vec<&ConntrackEntry>> = BTreeMap::new();
    for entry in entries {
        let pairs = today.outlived(entry).into_iter().flatten();
        for pair in pairs.filter(|(floating, fixed)| !stands(*floating, *fixed)) {
            old.entry(pair).or_default().push(entry);
        }
    }
    for ((floating, fixed), entries) in old {
        let count = entries.len();
        let now: Vec<String> = today.of_floating(floating).iter().map(ToString::to_string).collect();
        let now = if now.is_empty() { "nothing".to_owned() } else { now.join(", ") };
        let subject = Subject { floating_ip: Some(floating), fixed_ip: Some(fixed), ..Subject::router(router) };
        let object = ObjectRef { kind: ObjectKind::Nat, key: format!("connections {floating} {fixed}") };
        let message = format!("{count} tracked connections still translate {floating} to {fixed}");
        let found = findings.fire(&subject, Some(namespace), object, message);
        found.values(format!("{floating} belongs to {now}"), format!("{count} connections with {fixed}"));
        if count > MOST_FORGOTTEN {
            found.applicability(Applicability::DisplayOnly);
            continue;
        }
        found.applicability(Applicability::NeedsConsent);
        let gone = |entry: &ConntrackEntry| Some(Object::Connection(Box::new(entry.clone())));
        found.mend(entries.into_iter().map(|entry| Change::new(Some(namespace.clone()), gone(entry), None)));
    }
}

/// DVR407: what strays into the snat namespace midstream is tracked and translated.
pub(in crate::check) fn loose(scene: &Scene<'_>, findings: &mut Findings) {
    let setting = Setting { name: LOOSE, wanted: 0, since: LOOSE_SINCE };
    let own = read(scene.places()).filter(|(router, name, _)| router.snat_namespace.as_ref() == Some(*name));
    setting.judge(scene, findings, own, "takes up connections whose start it never saw");
}

/// DVR408: segments outside the window that was reckoned count as invalid, and
/// are not translated.
pub(in crate::check) fn strict(scene: &Scene<'_>, findings: &mut Findings) {
    let setting = Setting { name: LIBERAL, wanted: 1, since: LIBERAL_SINCE };
    setting.judge(scene, findings, read(scene.places()), "leaves TCP segments outside its window untranslated");
}

/// A setting of the agent's, by the releases that set it.
struct Setting {
    name: &'static str,
    wanted: i64,
    since: Release,
}

impl Setting {
    fn judge<'s>(
        &self,
        scene: &Scene<'s>,
        findings: &mut Findings,
        places: impl Iterator<Item = (&'s Router, &'s NetnsName, &'s Netns)>,
        harm: &str,
    ) {
        let Self { name, wanted, since } = *self;
        let is_done_here = || scene.release().is_at_least(since);
        for (router, namespace, netns) in places {
            let subject = || Subject::router(router);
            let object = || ObjectRef { kind: ObjectKind::Sysctl, key: name.to_owned() };
            match netns.sysctls.get(name) {
                Some(Observed::Seen(value)) if *value != wanted => {
                    let message = format!("{name} is {value}: it {harm}");
                    let found = findings.fire(&subject(), Some(namespace), object(), message);
                    found.values(wanted.to_string(), value.to_string());
                    let state = |value| Some(Object::Sysctl(name.to_owned(), Observed::Seen(value)));
                    found.mend([Change::new(Some(namespace.clone()), state(*value), state(wanted))]);
                    if !is_done_here() {
                        found.at_most(Severity::Note);
                    }
                }
                Some(Observed::Unreadable(why)) => {
                    findings.cannot_tell(&subject(), Some(namespace), object(), why.clone());
                }
                Some(Observed::Seen(_) | Observed::Absent) | None => {}
            }
        }
    }
}

/// DVR409, in the routers' namespaces: nine entries of ten are taken, or all.
pub(in crate::check) fn full(scene: &Scene<'_>, findings: &mut Findings) {
    for (router, namespace, netns) in read(scene.places()) {
        fill(findings, || Subject::router(router), namespace, netns);
    }
}

/// The same in the fip namespaces.
pub(in crate::check) fn full_outside(scene: &Scene<'_>, findings: &mut Findings) {
    for (network, namespace, netns) in read(scene.fip_places()) {
        fill(findings, || Subject::network(network), namespace, netns);
    }
}

fn fill(findings: &mut Findings, subject: impl Fn() -> Subject, namespace: &NetnsName, netns: &Netns) {
    let object = || ObjectRef { kind: ObjectKind::Sysctl, key: "net.netfilter.nf_conntrack_count".to_owned() };
    match &netns.conntrack_fill {
        Observed::Seen(fill) if fill.level() >= ConntrackLevel::Scarce => {
            let message = format!("{} of {} entries for tracked connections are taken", fill.count, fill.max);
            let found = findings.fire(&subject(), Some(namespace), object(), message);
            found.values(format!("less than {}", fill.scarce()), fill.count.to_string());
            found.applicability(Applicability::DisplayOnly);
            if fill.level() < ConntrackLevel::Full {
                found.at_most(Severity::Warning);
            }
        }
        Observed::Unreadable(why) => {
            findings.cannot_tell(&subject(), Some(namespace), object(), why.clone());
        }
        Observed::Seen(_) | Observed::Absent => {}
    }
}

/// DVR410: no rule exempts what passes the fip namespace from tracking.
pub(in crate::check) fn notrack(scene: &Scene<'_>, findings: &mut Findings) {
    for (network, namespace, netns) in read(scene.fip_places()) {
        let subject = Subject::network(network);
        let object = ObjectRef { kind: ObjectKind::Filter, key: "raw PREROUTING --notrack".to_owned() };
        if let Some(why) = blind(netns) {
            findings.cannot_tell(&subject, Some(namespace), object, why);
            continue;
        }
        let places = Place::all(namespace, netns, "raw");
        if places.iter().any(is_exempting) {
            continue;
        }
        let own = places.iter().find_map(|place| Some((place, place.own_chain("PREROUTING")?)));
        let chain = own.map_or("neutron-l3-agent-PREROUTING", |(_, chain)| chain.name.as_str());
        let wanted = format!("-A {chain} -j CT --notrack");
        let found =
            findings.fire(&subject, Some(namespace), object, "connections are tracked in the fip namespace too");
        found.values(wanted.clone(), "no such rule that every packet meets");
        if let Some((place, chain)) = own {
            found.mend(reach(place, &chain.name));
            if !chain.rules.iter().any(is_notrack) {
                found.mend(place.insert_line(&wanted, 0));
            }
        }
    }
}

/// The jump from the built-in chain, where it is missing.
fn reach(place: &Place<'_>, chain: &str) -> Option<Change> {
    let base = place.table.chain("PREROUTING")?;
    let jumps = base.rules.iter().any(|rule| plain_jump(rule) == Some(chain));
    if jumps { None } else { place.insert_line(&format!("-A PREROUTING -j {chain}"), 0) }
}

fn is_exempting(place: &Place<'_>) -> bool {
    let bases = place.table.chains.iter().filter(|chain| {
        chain.base.as_ref().is_some_and(|base| base.hook == Hook::Prerouting) || chain.name == "PREROUTING"
    });
    bases.flat_map(|chain| &chain.rules).any(|rule| {
        is_notrack(rule)
            || plain_jump(rule)
                .and_then(|name| place.table.chain(name))
                .is_some_and(|chain| chain.rules.iter().any(is_notrack))
    })
}

fn is_notrack(rule: &NfRule) -> bool {
    rule.body.words().is_some_and(|words| {
        matches!(words.target, Some(Target::Notrack | Target::NotrackAlias))
            && words.matches.iter().all(|one| matches!(one, Match::Comment(_)))
    })
}

/// Why something could stand in a namespace's packet filter unseen.
pub(super) fn blind(netns: &Netns) -> Option<String> {
    let part = match &netns.netfilter {
        Observed::Seen(netfilter) => netfilter.nft.unreadable().or(netfilter.legacy.unreadable()),
        Observed::Absent => None,
        Observed::Unreadable(why) => Some(why.as_str()),
    };
    part.map(|why| format!("the packet filter could not be read: {why}"))
}

/// Those of the namespaces that were read.
fn read<'s, T>(
    places: impl Iterator<Item = (T, &'s NetnsName, &'s Observed<Arc<Netns>>)>,
) -> impl Iterator<Item = (T, &'s NetnsName, &'s Netns)> {
    places.filter_map(|(whose, name, netns)| Some((whose, name, netns.seen()?.as_ref())))
}
