//! Policy rules and tables, compiled for lookups: what `fib_lookup` does.
//!
//! After `net/core/fib_rules.c` (`fib_rules_lookup`), `net/ipv4/fib_rules.c`
//! and `net/ipv4/fib_trie.c` (`fib_table_lookup`) of Linux 6.

mod table;

use std::collections::HashMap;

use ipnet::IpNet;

use crate::net::{Family, IfName, Link, NextHop, Route, RouteKind, Rule, RuleAction, TableId};

use table::Table;

/// `EACCES`.
pub(super) const EACCES: i32 = 13;
/// `EINVAL`.
pub(super) const EINVAL: i32 = 22;
/// `ENETUNREACH`.
pub(super) const ENETUNREACH: i32 = 101;
/// `EHOSTUNREACH`.
pub(super) const EHOSTUNREACH: i32 = 113;

/// The index of the loopback device, in every namespace (`LOOPBACK_IFINDEX`).
pub(super) const LOOPBACK: u32 = 1;

/// The rules and tables of one namespace (IPv4).
pub(super) struct Fib<'s> {
    rules: Vec<Selector<'s>>,
    tables: HashMap<TableId, Table<'s>>,
    /// Device groups, for rules that suppress by them.
    groups: HashMap<&'s IfName, u32>,
    /// More than the three rules that every namespace begins with. The kernel
    /// remembers that there once were some, which cannot be read.
    pub(super) has_custom_rules: bool,
    /// Somebody added routes of the kind local.
    pub(super) has_custom_local_routes: bool,
}

/// What a lookup is made with (`struct flowi4`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Key {
    pub(super) src: u32,
    pub(super) dst: u32,
    /// Input device; [`LOOPBACK`] for what the namespace itself sends.
    pub(super) iif: u32,
    pub(super) mark: u32,
    pub(super) tos: u8,
}

/// What a lookup came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'s> {
    /// A route whose kind is unicast, local, broadcast or multicast.
    Route(Choice<'s>),
    /// An errno: by a rule's action, by a route's kind, or by nothing at all.
    Refused(i32, Option<&'s Rule>, Option<&'s Route>),
    /// This rule has a selector that is not modelled.
    Riddle(&'s Rule),
}

/// The route that was found, and by which rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<'s> {
    pub(super) rule: &'s Rule,
    pub(super) table: TableId,
    pub(super) route: &'s Route,
    /// The first next hop that can be used.
    pub(super) hop: Option<&'s NextHop>,
    /// Several can: the kernel picks one by a hash that is not foretold.
    pub(super) is_ambiguous: bool,
}

/// One rule, its devices resolved to indexes.
struct Selector<'s> {
    rule: &'s Rule,
    from: Prefix,
    to: Prefix,
    iif: Device,
    /// Where a `goto` leads: the position of its target, which lies behind it.
    target: Option<usize>,
}

#[derive(Clone, Copy)]
struct Prefix {
    address: u32,
    mask: u32,
}

/// A rule's device.
#[derive(Clone, Copy)]
enum Device {
    Any,
    Index(u32),
    /// The device is gone: nothing matches (`ifindex` is -1 then).
    Gone,
}

/// What one rule leads to.
enum Step<'s> {
    Answer(Found<'s>),
    Next,
    Goto(usize),
}

impl<'s> Fib<'s> {
    /// Compiles the IPv4 rules and routes.
    pub(super) fn of(rules: &'s [Rule], routes: &'s [Route], links: &'s [Link]) -> Self {
        let indexes: HashMap<&IfName, u32> = links.iter().map(|link| (&link.name, link.index)).collect();
        let mut tables: HashMap<TableId, Vec<&'s Route>> = HashMap::new();
        for route in routes.iter().filter(|route| route.family() == Family::V4) {
            tables.entry(route.table).or_default().push(route);
        }
        let mut rules: Vec<_> = rules.iter().filter(|rule| rule.family == Family::V4).collect();
        rules.sort_by_key(|rule| rule.priority);
        let default = [(0, TableId::LOCAL), (32766, TableId::MAIN), (32767, TableId::DEFAULT)];
        let is_default = |(rule, (priority, table)): (&&Rule, &(u32, TableId))| {
            **rule == Rule { protocol: rule.protocol, ..Rule::lookup(Family::V4, *priority, *table) }
        };
        let has_custom_rules = rules.len() != default.len() || !rules.iter().zip(&default).all(is_default);
        if !has_custom_rules {
            let both = [TableId::LOCAL, TableId::MAIN].into_iter().filter_map(|id| tables.get(&id)).flatten();
            let both = both.copied().collect();
            tables.insert(TableId::MAIN, both);
        }
        Self {
            has_custom_rules,
            has_custom_local_routes: routes.iter().any(is_custom_local),
            rules: (0..rules.len()).map(|at| Selector::of(at, &rules, &indexes)).collect(),
            groups: links.iter().map(|link| (&link.name, link.group)).collect(),
            tables: tables.into_iter().map(|(id, routes)| (id, Table::of(routes))).collect(),
        }
    }

    /// The whole lookup: rules in their order, until one has an answer.
    pub(super) fn lookup(&self, key: &Key) -> Found<'s> {
        if !self.has_custom_rules {
            return self.without_rules(key);
        }
        let mut at = 0;
        while let Some(selector) = self.rules.get(at) {
            match self.step(selector, key) {
                Step::Answer(found) => return found,
                Step::Next => at += 1,
                // Targets lie behind their rules, so this ends.
                Step::Goto(target) => at = target,
            }
        }
        Found::Refused(ENETUNREACH, None, None)
    }

    /// The route of the table `local` alone, rules aside.
    pub(super) fn in_local(&self, key: &Key) -> Option<&'s Route> {
        let table = if self.has_custom_rules { TableId::LOCAL } else { TableId::MAIN };
        self.tables.get(&table)?.lookup(key).map(|hit| hit.route)
    }

    /// Whether the kernel weighs other default routes against the one found, by
    /// which gateway answers.
    pub(super) fn has_rivals(&self, choice: &Choice<'s>, key: &Key) -> bool {
        self.tables.get(&choice.table).is_some_and(|table| table.has_rivals(choice.route, key))
    }

    /// As long as a namespace has no rules of its own, nothing asks them
    /// (`fib_lookup` in `include/net/ip_fib.h`): `local` and `main` are one
    /// trie, and behind it comes `default`.
    fn without_rules(&self, key: &Key) -> Found<'s> {
        for (at, table) in [(1, TableId::MAIN), (2, TableId::DEFAULT)] {
            let Some(selector) = self.rules.get(at) else { break };
            let Step::Answer(found) = self.in_rule(selector.rule, table, key) else { continue };
            return match found {
                // The first rule is the one that would have found it.
                Found::Route(choice) if choice.table == TableId::LOCAL => {
                    Found::Route(Choice { rule: self.rules[0].rule, ..choice })
                }
                found => found,
            };
        }
        Found::Refused(ENETUNREACH, None, None)
    }

    fn step(&self, selector: &Selector<'s>, key: &Key) -> Step<'s> {
        let rule = selector.rule;
        if selector.matches(key) == rule.invert {
            // What is not modelled can only make a rule match less; where the
            // rule is inverted, more.
            let is_certain = rule.others.is_empty() || !rule.invert;
            return if is_certain { Step::Next } else { Step::Answer(Found::Riddle(rule)) };
        }
        if !rule.others.is_empty() && !rule.invert {
            return Step::Answer(Found::Riddle(rule));
        }
        let refused = |errno| Step::Answer(Found::Refused(errno, Some(rule), None));
        match rule.action {
            RuleAction::Lookup(table) => self.in_rule(rule, table, key),
            RuleAction::Goto(_) => selector.target.map_or(Step::Next, Step::Goto),
            RuleAction::Nop => Step::Next,
            RuleAction::Blackhole => refused(EINVAL),
            RuleAction::Unreachable => refused(ENETUNREACH),
            RuleAction::Prohibit => refused(EACCES),
            RuleAction::Other(_) => Step::Answer(Found::Riddle(rule)),
        }
    }

    fn in_rule(&self, rule: &'s Rule, table: TableId, key: &Key) -> Step<'s> {
        let Some(hit) = self.tables.get(&table).and_then(|table| table.lookup(key)) else { return Step::Next };
        let refused = |errno| Step::Answer(Found::Refused(errno, Some(rule), Some(hit.route)));
        match hit.route.kind {
            RouteKind::Throw => return Step::Next,
            RouteKind::Blackhole => return refused(EINVAL),
            RouteKind::Unreachable => return refused(EHOSTUNREACH),
            RouteKind::Prohibit => return refused(EACCES),
            RouteKind::Other(_) => return Step::Answer(Found::Riddle(rule)),
            RouteKind::Unicast
            | RouteKind::Local
            | RouteKind::Broadcast
            | RouteKind::Anycast
            | RouteKind::Multicast => {}
        }
        let length = u32::from(hit.route.dst.prefix_len());
        if rule.suppress_prefixlen.is_some_and(|most| most != u32::MAX && length <= most) {
            return Step::Next;
        }
        let first = hit.route.next_hops.first().and_then(|hop| hop.dev.as_ref());
        let group = first.and_then(|dev| self.groups.get(dev).copied());
        if group.is_some() && rule.suppress_ifgroup.filter(|group| *group != u32::MAX) == group {
            return Step::Next;
        }
        let choice =
            Choice { rule, table: hit.route.table, route: hit.route, hop: hit.hop, is_ambiguous: hit.is_ambiguous };
        Step::Answer(Found::Route(choice))
    }
}

impl<'s> Selector<'s> {
    fn of(at: usize, rules: &[&'s Rule], indexes: &HashMap<&IfName, u32>) -> Self {
        let rule = rules[at];
        let device = |name: &Option<IfName>, detached: bool| match name {
            None => Device::Any,
            Some(_) if detached => Device::Gone,
            Some(name) => indexes.get(name).map_or(Device::Gone, |index| Device::Index(*index)),
        };
        let target = match rule.action {
            RuleAction::Goto(priority) => (at + 1..rules.len()).find(|behind| rules[*behind].priority == priority),
            _ => None,
        };
        Self {
            rule,
            from: Prefix::of(rule.from),
            to: Prefix::of(rule.to),
            iif: device(&rule.iif, rule.iif_detached),
            target,
        }
    }

    fn matches(&self, key: &Key) -> bool {
        self.from.holds(key.src)
            && self.to.holds(key.dst)
            && self.iif.is(key.iif)
            // Nothing here is bound to an output device, and such a rule wants one.
            && self.rule.oif.is_none()
            && self.rule.fwmark.is_none_or(|mark| (mark.value ^ key.mark) & mark.mask == 0)
            && (self.rule.tos == 0 || self.rule.tos == key.class())
    }
}

impl Key {
    /// The bits of the type of service that rules and routes are compared with
    /// (`IPTOS_RT_MASK`, `fib_dscp_masked_match`): neither the congestion marks
    /// nor the old precedence.
    fn class(&self) -> u8 {
        self.tos & 0x1c
    }
}

/// A route of kind local that the kernel did not make itself
/// (`fib_has_custom_local_routes`).
fn is_custom_local(route: &Route) -> bool {
    const RTPROT_KERNEL: u8 = 2;
    route.family() == Family::V4 && route.kind == RouteKind::Local && route.protocol != RTPROT_KERNEL
}

impl Device {
    fn is(self, index: u32) -> bool {
        match self {
            Self::Any => true,
            Self::Index(own) => own == index,
            Self::Gone => false,
        }
    }
}

impl Prefix {
    fn of(net: Option<IpNet>) -> Self {
        match net {
            // Rules may keep host bits; only the prefix counts.
            Some(IpNet::V4(net)) => Self { address: net.network().to_bits(), mask: net.netmask().to_bits() },
            Some(IpNet::V6(_)) | None => Self { address: 0, mask: 0 },
        }
    }

    fn holds(self, address: u32) -> bool {
        (address ^ self.address) & self.mask == 0
    }
}
