//! DVR411, too: a rule that is not the agent's and that packets meet before the
//! agent's translation. Decided by walking packets that such a rule asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::filter::walks;
use super::pairs::is_associated;
use super::place::{line, tables};
use crate::check::{AgentDoes, Applicability, Findings, Scene, Subject};
use crate::net::netfilter::{Backend, Chain, Hook, Netfilter, NfFamily, NfRule, RuleBody, Table};
use crate::net::{Change, NetnsName, Object, RuleAt, TableAt};
use crate::neutron::{AgentPrefix, POSTROUTING_BOTTOM, plain_jump};
use crate::path::{Hop, NatKind, Walk};
use crate::topology::{Direction, FloatingIp, LinkName, LinkState, ObjectKind, ObjectRef, Router};

/// At most this many rules are followed in a hook of a namespace.
const MOST: usize = 16;

/// A rule that is asked before the agent's.
#[derive(Clone, Copy)]
struct Stranger<'s> {
    backend: Backend,
    table: &'s Table,
    chain: &'s Chain,
    position: usize,
    rule: &'s NfRule,
}

/// Which floating IPs a rule takes away from the agent's translation.
type Taken<'s> = BTreeMap<String, (Stranger<'s>, Vec<&'s FloatingIp>)>;

/// Looks at the namespaces whose jumps stand, in both directions.
pub(super) fn intercepted(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers.iter().filter(|router| !scene.fips_of(router).is_empty()) {
        let spaces: BTreeSet<&NetnsName> = router.namespace.iter().chain(&router.snat_namespace).collect();
        for namespace in spaces {
            let netfilter = scene.netns(namespace).and_then(|netns| netns.netfilter.seen());
            let Some(netfilter) = netfilter else { continue };
            for direction in [Direction::Outbound, Direction::Inbound] {
                let strangers = strangers(netfilter, direction);
                if !strangers.is_empty() {
                    by_strangers(scene, findings, router, (namespace, direction), &strangers);
                }
            }
        }
    }
}

/// Says of each of these rules which of the router's floating IPs it takes.
fn by_strangers(
    scene: &Scene<'_>,
    findings: &mut Findings,
    router: &Router,
    (namespace, direction): (&NetnsName, Direction),
    strangers: &[Stranger<'_>],
) {
    let is_its = |fip: &&&FloatingIp| is_associated(fip) && translating(fip, direction) == Some(namespace);
    let mut taken = Taken::new();
    for fip in scene.fips_of(router).iter().filter(is_its) {
        let by = strangers.iter().find(|stranger| takes(scene, router, fip, **stranger, (namespace, direction)));
        if let Some(stranger) = by {
            let entry = taken.entry(line(&stranger.chain.name, stranger.rule));
            entry.or_insert_with(|| (*stranger, Vec::new())).1.push(fip);
        }
    }
    for (line, (stranger, fips)) in taken {
        fire(scene, findings, namespace, &line, stranger, &fips);
    }
}

/// The namespace that translates, where jumps and rules of that direction stand.
fn translating(fip: &FloatingIp, direction: Direction) -> Option<&NetnsName> {
    let translation = match direction {
        Direction::Outbound => LinkName::FloatSnat,
        Direction::Inbound => LinkName::Dnat,
    };
    let wanted = [LinkName::NatJumps, LinkName::Guard, translation];
    let mut links = fip.links(direction).iter().filter(|link| wanted.contains(&link.link)).peekable();
    let namespace = &links.peek()?.namespace;
    let holds = |state| matches!(state, LinkState::Ok | LinkState::NotApplicable);
    links.all(|link| holds(link.state)).then_some(namespace)
}

/// The rules that packets can meet before the agent's.
fn strangers(netfilter: &Netfilter, direction: Direction) -> Vec<Stranger<'_>> {
    let (name, hook) = match direction {
        Direction::Inbound => ("PREROUTING", Hook::Prerouting),
        Direction::Outbound => ("POSTROUTING", Hook::Postrouting),
    };
    let mut found = Vec::new();
    for (backend, table) in tables(netfilter).filter(|(_, table)| is_of_ipv4(table)) {
        let is_base = |chain: &&Chain| match &chain.base {
            Some(base) => base.hook == hook && base.kind == "nat",
            None => table.name == "nat" && chain.name == name,
        };
        let mut chains = table.chains.iter().filter(is_base).peekable();
        let prefix = chains.peek().and_then(|_| AgentPrefix::detect(table));
        for chain in chains {
            let own = |rule: &NfRule| plain_jump(rule).is_some_and(|to| is_agents(to, prefix.as_ref()));
            // Behind the last of the agent's jumps nothing comes first.
            let end = chain.rules.iter().rposition(own).unwrap_or(chain.rules.len());
            let before = chain.rules.iter().enumerate().take(end).filter(|(_, rule)| !own(rule));
            found.extend(before.map(|(position, rule)| Stranger { backend, table, chain, position, rule }));
        }
    }
    found.truncate(MOST);
    found
}

fn is_of_ipv4(table: &Table) -> bool {
    matches!(table.family, NfFamily::Ip | NfFamily::Inet)
}

fn is_agents(chain: &str, prefix: Option<&AgentPrefix>) -> bool {
    let own = |prefix: &AgentPrefix| chain.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('-'));
    chain == POSTROUTING_BOTTOM || prefix.is_some_and(own)
}

/// Whether a packet that the rule asks for is not translated as the agent would.
fn takes(
    scene: &Scene<'_>,
    router: &Router,
    fip: &FloatingIp,
    stranger: Stranger<'_>,
    (namespace, direction): (&NetnsName, Direction),
) -> bool {
    let RuleBody::Words(words) = &stranger.rule.body else { return false };
    let (Some(floating), Some(fixed)) = (fip.floating_ip, fip.fixed_ip) else { return false };
    let walks = walks(scene, router, fip, words);
    let hops = walks.iter().filter_map(|walk| {
        let concerned = match direction {
            Direction::Inbound => IpAddr::V4(walk.sent.dst) == floating,
            Direction::Outbound => IpAddr::V4(walk.sent.src) == fixed,
        };
        walk.hops.iter().find(|hop| concerned && hop.namespace == *namespace).map(|hop| (walk, hop))
    });
    let mut hops = hops.filter(|(walk, hop)| is_whole(walk, hop));
    hops.any(|(_, hop)| match direction {
        Direction::Inbound => !has(hop, NatKind::Dnat, fixed),
        Direction::Outbound => {
            let outward = router.rtr_2_fip.as_ref().map(|end| &end.device);
            let outward = outward.into_iter().chain(router.gateway_port.as_ref().map(|port| &port.device));
            outward.into_iter().any(|device| hop.oif.as_ref() == Some(device)) && !has(hop, NatKind::Snat, floating)
        }
    })
}

/// Nothing else stopped the packet there, and no riddle hides what became of it.
fn is_whole(walk: &Walk, hop: &Hop) -> bool {
    let filtered = hop.stop.as_ref().and_then(|stop| stop.object.as_ref());
    hop.verdict != crate::path::Verdict::Unknown
        && walk.outcome != crate::path::Outcome::Unknown
        && filtered.is_none_or(|object| object.kind != ObjectKind::Filter)
}

fn has(hop: &Hop, kind: NatKind, to: IpAddr) -> bool {
    hop.translations.iter().any(|one| one.kind == kind && IpAddr::V4(one.after.address) == to)
}

fn fire(
    scene: &Scene<'_>,
    findings: &mut Findings,
    namespace: &NetnsName,
    line: &str,
    stranger: Stranger<'_>,
    fips: &[&FloatingIp],
) {
    let routers: BTreeSet<&str> = fips.iter().map(|fip| fip.router.as_str()).collect();
    let subject = match (fips, routers.first().and_then(|id| scene.topology.router(id))) {
        ([fip], _) => Subject::floating_ip(fip),
        (_, Some(router)) => Subject::router(router),
        (_, None) => Subject::node(),
    };
    let object = ObjectRef { kind: ObjectKind::Nat, key: line.to_owned() };
    let message = "packets meet a rule that is not the agent's, and do not come to its translation";
    let found = findings.fire(&subject, Some(namespace), object, message);
    let actual = format!("{line} (table {})", stranger.table.name);
    found.values("no such rule before the agent's", actual).inferred().agent(AgentDoes::Never);
    let table =
        TableAt { backend: stranger.backend, family: stranger.table.family, table: stranger.table.name.clone() };
    let at = RuleAt { at: table, chain: stranger.chain.name.clone(), position: stranger.position };
    let gone = Object::NfRule(at, Box::new(stranger.rule.clone()));
    found.mend([Change::new(Some(namespace.clone()), Some(gone), None)]).applicability(Applicability::NeedsConsent);
}
