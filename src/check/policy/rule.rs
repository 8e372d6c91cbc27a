//! The rule of each floating IP: `from FIXED lookup 16`.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::view::{View, distributed, each};
use crate::check::{Findings, Scene, Subject};
use crate::net::{Change, Family, IfName, Object, RouteQuestion, Rule, RulePriority, Snapshot};
use crate::neutron::{FIP_PRIORITIES, FIP_TABLE, PriorityEntry, is_fip_priority};
use crate::path::{ICMP, Packet, Start};
use crate::topology::{FipState, FloatingIp, LinkName, LinkState, ObjectKind, ObjectRef};

/// What stands of a floating IP's rule.
enum Found<'s> {
    /// A rule that works, or nothing that these checks speak of.
    Fine,
    /// No rule.
    Missing,
    /// One in the agent's range that leads elsewhere or asks for more.
    WrongTable(&'s Rule),
    /// A rule for another fixed IP, which nothing translates, has its priority.
    Elsewhere(&'s Rule),
    /// The same, reckoned without the agent's file: it is the only candidate.
    PerhapsElsewhere(&'s Rule),
}

/// DVR301.
pub(super) fn missing(scene: &Scene<'_>, findings: &mut Findings) {
    let file = scene.priorities();
    each(scene, findings, |view, findings| {
        let rules = &view.by_source;
        let mut used = HashSet::new();
        for (fip, fixed) in fips(view) {
            if !matches!(find(rules, file, fip, fixed), Found::Missing) {
                continue;
            }
            let namespace = Some(view.qrouter);
            let Some(priority) = file.priority(fip).or_else(|| rules.free(&used)) else { continue };
            // The next one without a rule gets another.
            used.insert(priority);
            let wanted = wanted(fixed, priority);
            let message = format!("no rule sends {fixed} to table 16: its packets do not leave as {}", word(fip));
            let finding = findings.fire(&Subject::floating_ip(fip), namespace, object(fixed), message);
            finding.values(wanted.to_string(), "no rule for it").question(question(scene, view, fixed));
            finding.mend([Change::new(namespace.cloned(), None, Some(Object::Rule(Box::new(wanted))))]);
        }
    });
}

/// DVR302.
pub(super) fn wrong_table(scene: &Scene<'_>, findings: &mut Findings) {
    let file = scene.priorities();
    each(scene, findings, |view, findings| {
        let rules = &view.by_source;
        for (fip, fixed) in fips(view) {
            let Found::WrongTable(rule) = find(rules, file, fip, fixed) else { continue };
            // The agent's file knows which priority it is to have.
            let wanted = wanted(fixed, file.priority(fip).unwrap_or(rule.priority));
            let message = match rule.table() {
                Some(table) if table != FIP_TABLE => format!("the rule of {fixed} asks table {table}, not table 16"),
                _ => format!("the rule of {fixed} is not the agent's: {rule}"),
            };
            let finding = findings.fire(&Subject::floating_ip(fip), Some(view.qrouter), object(fixed), message);
            finding.values(wanted.to_string(), rule.to_string()).question(question(scene, view, fixed));
            let namespace = || Some(view.qrouter.clone());
            finding.mend([
                Change::new(namespace(), Some(Object::Rule(Box::new(rule.clone()))), None),
                Change::new(namespace(), None, Some(Object::Rule(Box::new(wanted)))),
            ]);
        }
    });
}

/// DVR310: a rule for another fixed IP than the translation's, or a DNAT to
/// another than rule and SNAT.
pub(super) fn disagrees(scene: &Scene<'_>, findings: &mut Findings) {
    let file = scene.priorities();
    each(scene, findings, |view, findings| {
        let rules = &view.by_source;
        for (fip, fixed) in fips(view) {
            let found = find(rules, file, fip, fixed);
            let is_reckoned = matches!(found, Found::PerhapsElsewhere(_));
            if let Found::Elsewhere(rule) | Found::PerhapsElsewhere(rule) = found {
                let wanted = wanted(fixed, rule.priority);
                let message = format!("{} is translated to {fixed}, but its rule is {}", word(fip), rule.selector());
                let finding = findings.fire(&Subject::floating_ip(fip), Some(view.qrouter), object(fixed), message);
                finding.values(wanted.to_string(), rule.to_string());
                if is_reckoned {
                    // No lookup tells whose rule it was.
                    finding.inferred();
                } else {
                    finding.question(question(scene, view, fixed));
                }
                let namespace = || Some(view.qrouter.clone());
                finding.mend([
                    Change::new(namespace(), Some(Object::Rule(Box::new(rule.clone()))), None),
                    Change::new(namespace(), None, Some(Object::Rule(Box::new(wanted)))),
                ]);
                continue;
            }
            // Nothing is wrong in a chain that is whole.
            let mut inbound = fip.inbound.iter().filter(|_| fip.state != FipState::Ok);
            let Some(dnat) = inbound.find(|link| link.link == LinkName::Dnat) else { continue };
            let snat_holds =
                fip.outbound.iter().any(|link| link.link == LinkName::FloatSnat && matches!(link.state, LinkState::Ok));
            // Both ways of the rule agree with the SNAT, and the DNAT alone does not.
            let other = dnat.actual.as_ref().filter(|_| {
                dnat.state == LinkState::Wrong && !dnat.advisory && snat_holds && rules.good(fixed).is_some()
            });
            let Some(other) = other.filter(|other| names_another(other, fixed)) else { continue };
            let message = format!("rule and SNAT of {} name {fixed}, but its DNAT does not", word(fip));
            let key = ObjectRef { kind: ObjectKind::Nat, key: dnat.object.key.clone() };
            let finding = findings.fire(&Subject::floating_ip(fip), Some(view.qrouter), key, message);
            finding.values(dnat.expected.clone().unwrap_or_default(), other.clone());
        }
    });
}

/// The rule that the agent makes.
pub(super) fn wanted(fixed: IpAddr, priority: RulePriority) -> Rule {
    Rule { from: Some(IpNet::from(fixed)), ..Rule::lookup(Family::V4, priority.0, FIP_TABLE) }
}

/// What would prove it: where the instance's packets to the outside go.
pub(super) fn question(scene: &Scene<'_>, view: &View<'_>, fixed: IpAddr) -> RouteQuestion {
    let port = view.subnets().find(|(_, addr)| addr.address.contains(&fixed)).map(|(device, _)| device.clone());
    RouteQuestion {
        namespace: Some(view.qrouter.clone()),
        src: Some(fixed),
        dst: super::shadow::OUTSIDE.into(),
        mark: mark(scene, view, fixed, port.as_ref()),
        iif: port,
        tos: 0,
    }
}

/// The mark with which the instance's packets come to the lookup: what the
/// namespace's mangle table sets, where any rule asks for a mark at all.
fn mark(scene: &Scene<'_>, view: &View<'_>, fixed: IpAddr, port: Option<&IfName>) -> u32 {
    let (IpAddr::V4(fixed), Some(port)) = (fixed, port) else { return 0 };
    if !view.rules().any(|rule| rule.fwmark.is_some()) {
        return 0;
    }
    let start = Start { namespace: view.qrouter.clone(), device: Some(port.clone()) };
    let walk = scene.walk(&start, Packet::first(fixed, super::shadow::OUTSIDE, ICMP));
    let asked = walk.hops.first().and_then(|hop| hop.question.as_ref());
    asked.map_or(0, |question| question.mark)
}

/// Rules that a floating IP was moved away from.
pub(super) fn moved<'s>(view: &View<'s>, file: &Priorities) -> Vec<&'s Rule> {
    let rules = &view.by_source;
    let found = fips(view).filter_map(|(fip, fixed)| match find(rules, file, fip, fixed) {
        Found::Elsewhere(rule) | Found::PerhapsElsewhere(rule) => Some(rule),
        _ => None,
    });
    found.collect()
}

/// The object that findings about a floating IP's rule are about.
pub(super) fn object(fixed: IpAddr) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Rule, key: format!("from {fixed} lookup {FIP_TABLE}") }
}

/// Distributed floating IPs with both addresses.
fn fips<'s>(view: &View<'s>) -> impl Iterator<Item = (&'s FloatingIp, IpAddr)> {
    view.distributed().filter_map(|fip| Some((fip, fip.fixed_ip?)))
}

fn word(fip: &FloatingIp) -> String {
    fip.floating_ip.map_or_else(|| "its floating IP".to_owned(), |address| address.to_string())
}

/// Whether a rule's words name another address as target than this one.
fn names_another(words: &str, fixed: IpAddr) -> bool {
    let target = words.split("--to-destination ").nth(1).and_then(|rest| rest.split_whitespace().next());
    target.and_then(|target| target.parse::<IpAddr>().ok()).is_some_and(|target| target != fixed)
}

fn find<'s>(rules: &Rules<'s>, file: &Priorities, fip: &FloatingIp, fixed: IpAddr) -> Found<'s> {
    if rules.good(fixed).is_some() {
        return Found::Fine;
    }
    if let Some(rule) = rules.of_fixed(fixed).find(|rule| is_fip_priority(rule.priority)) {
        return Found::WrongTable(rule);
    }
    if let Some(rule) = file.priority(fip).and_then(|priority| rules.orphan(priority)) {
        return Found::Elsewhere(rule);
    }
    // Without a file (Juno) the only rule that is nobody's is the only candidate.
    let only = || match rules.orphans[..] {
        [only] if file.is_empty() && rules.lonely == 1 => Some(only),
        _ => None,
    };
    only().map_or(Found::Missing, Found::PerhapsElsewhere)
}

/// The rules of a router namespace whose source is one address.
pub(in crate::check) struct Rules<'s> {
    all: &'s [Rule],
    /// By their source, in the kernel's order.
    by_fixed: Vec<(IpAddr, &'s Rule)>,
    /// Good rules for fixed IPs that nothing translates.
    orphans: Vec<&'s Rule>,
    /// How many floating IPs have no good rule.
    lonely: usize,
}

impl<'s> Rules<'s> {
    /// Gathers them.
    pub(in crate::check) fn of(all: &'s [Rule], fips: &[&'s FloatingIp]) -> Self {
        let known = fips.iter().filter(|fip| fip.floating_ip.is_some());
        let mut translated: Vec<IpAddr> = known.filter_map(|fip| fip.fixed_ip).collect();
        translated.sort_unstable();
        let lone = all.iter().filter(|rule| rule.family == Family::V4).filter_map(|rule| {
            let source = rule.from.filter(|net| net.prefix_len() == net.max_prefix_len())?;
            Some((source.addr(), rule))
        });
        let mut by_fixed: Vec<(IpAddr, &Rule)> = lone.collect();
        let is_orphan = |(fixed, rule): &&(IpAddr, &Rule)| is_good(rule) && translated.binary_search(fixed).is_err();
        let orphans = by_fixed.iter().filter(is_orphan).map(|(_, rule)| *rule).collect();
        by_fixed.sort_by_key(|(fixed, _)| *fixed);
        let mut rules = Self { all, by_fixed, orphans, lonely: 0 };
        let fixed = distributed(fips).filter_map(|fip| fip.fixed_ip);
        rules.lonely = fixed.filter(|fixed| rules.good(*fixed).is_none()).count();
        rules
    }

    fn of_fixed(&self, fixed: IpAddr) -> impl Iterator<Item = &'s Rule> {
        let first = self.by_fixed.partition_point(|(other, _)| *other < fixed);
        self.by_fixed.iter().skip(first).take_while(move |(other, _)| *other == fixed).map(|(_, rule)| *rule)
    }

    /// The first rule that works.
    fn good(&self, fixed: IpAddr) -> Option<&'s Rule> {
        self.of_fixed(fixed).find(|rule| is_good(rule))
    }

    /// The last orphan of a priority.
    fn orphan(&self, priority: RulePriority) -> Option<&'s Rule> {
        self.orphans.iter().rfind(|rule| rule.priority == priority).copied()
    }

    /// A priority that no rule here has, and that was not given out.
    fn free(&self, given: &HashSet<RulePriority>) -> Option<RulePriority> {
        let v4 = self.all.iter().filter(|rule| rule.family == Family::V4);
        let used: HashSet<RulePriority> = v4.map(|rule| rule.priority).collect();
        FIP_PRIORITIES.map(RulePriority).find(|priority| !used.contains(priority) && !given.contains(priority))
    }
}

fn is_good(rule: &Rule) -> bool {
    rule.table() == Some(FIP_TABLE) && rule.is_by_source_alone() && is_fip_priority(rule.priority)
}

/// The agent's file of priorities, by floating IPs.
pub(in crate::check) struct Priorities {
    /// The first line of each, by its number in the file.
    first: HashMap<IpAddr, (usize, RulePriority)>,
    /// Lines of those that have one before: there should be none.
    further: Vec<(IpAddr, (usize, RulePriority))>,
}

impl Priorities {
    /// Reads it; empty where there is none.
    pub(in crate::check) fn of(snapshot: &Snapshot) -> Self {
        let mut file = Self { first: HashMap::new(), further: Vec::new() };
        let lines = snapshot.host.priority_file.seen().into_iter().flat_map(|file| &file.lines);
        for (at, line) in lines.enumerate() {
            let Ok(entry) = line.parse::<PriorityEntry>() else { continue };
            let said = (at, entry.priority);
            match file.first.entry(entry.floating_ip) {
                Entry::Vacant(place) => drop(place.insert(said)),
                Entry::Occupied(_) => file.further.push((entry.floating_ip, said)),
            }
        }
        file
    }

    /// What it says of a floating IP, with the number of the line.
    pub(in crate::check) fn said(&self, floating: IpAddr) -> impl Iterator<Item = (usize, RulePriority)> {
        let further = self.further.iter().filter(move |(address, _)| *address == floating).map(|(_, said)| *said);
        self.first.get(&floating).copied().into_iter().chain(further)
    }

    fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    fn priority(&self, fip: &FloatingIp) -> Option<RulePriority> {
        let (_, priority) = self.said(fip.floating_ip?).last()?;
        Some(priority).filter(|priority| is_fip_priority(*priority))
    }
}
