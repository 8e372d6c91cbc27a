//! The lines of a raw view, in the words of `ip` and `iptables-save`.

use super::meaning::{rule_meaning, table_meaning};
use super::{NetnsName, Node, Tab};
use crate::net::netfilter::{Chain, Netfilter, RuleBody, Table};
use crate::net::{Family, Link, Netns, Observed, Route, Rule, TableId, printable};
use crate::topology::Topology;

/// Characters that are shown of one line from outside.
const LIMIT: usize = 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What kind of line.
    pub kind: LineKind,
    /// What it says, printable.
    pub text: String,
    /// What it means, where that is not plain from the words; printable.
    pub note: Option<String>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// Above a group.
    Heading,
    /// An object.
    Item,
    /// More about the object above.
    Detail,
    /// Something that could not be read or understood.
    Problem,
    /// There is nothing.
    Empty,
}

impl Line {
    /// The cursor may stand here.
    pub fn selectable(&self) -> bool {
        !matches!(self.kind, LineKind::Heading | LineKind::Empty)
    }

    fn new(kind: LineKind, text: &str) -> Self {
        Self { kind, text: printable(text, LIMIT), note: None }
    }

    fn item(text: &str, note: Option<String>) -> Self {
        Self { note, ..Self::new(LineKind::Item, text) }
    }
}

/// All lines of one kind of object.
pub(super) fn of(node: &Node, name: &NetnsName, tab: Tab) -> Vec<Line> {
    let netns = match node.snapshot.namespaces.get(name) {
        None | Some(Observed::Absent) => return vec![Line::new(LineKind::Empty, "this namespace is not on the node")],
        Some(Observed::Unreadable(why)) => {
            return vec![Line::new(LineKind::Problem, &format!("the namespace could not be entered: {why}"))];
        }
        Some(Observed::Seen(netns)) => netns,
    };
    match tab {
        Tab::Links => part(&netns.links, "links", |links| links.iter().flat_map(link).collect()),
        Tab::Addresses => {
            part(&netns.addrs, "addresses", |addrs| addrs.iter().map(|it| Line::item(&it.to_string(), None)).collect())
        }
        Tab::Rules => part(&netns.rules, "rules", |all| rules(all, name, &node.topology)),
        Tab::Routes => part(&netns.routes, "routes", |all| routes(all, name, &node.topology)),
        Tab::Netfilter => match &netns.netfilter {
            Observed::Seen(netfilter) => packet_filter(netfilter),
            other => part(&other.as_ref().map(|_| Vec::<()>::new()), "netfilter rules", |_| Vec::new()),
        },
        Tab::Neighbours => {
            part(&netns.neighs, "neighbours", |all| all.iter().map(|it| Line::item(&it.to_string(), None)).collect())
        }
        Tab::Sysctls => sysctls(netns),
    }
}

/// The lines that hold all of the words, headings only above something.
pub(super) fn filtered(lines: Vec<Line>, words: &[String]) -> Vec<Line> {
    if words.is_empty() {
        return lines;
    }
    let mut kept: Vec<Line> = Vec::new();
    for line in lines {
        let text = format!("{} {}", line.text, line.note.as_deref().unwrap_or_default()).to_lowercase();
        let keep = line.kind == LineKind::Heading || words.iter().all(|word| text.contains(word.as_str()));
        if keep {
            if line.kind == LineKind::Heading && kept.last().is_some_and(|last| last.kind == LineKind::Heading) {
                kept.pop();
            }
            kept.push(line);
        }
    }
    if kept.last().is_some_and(|last| last.kind == LineKind::Heading) {
        kept.pop();
    }
    kept
}

fn part<T>(observed: &Observed<Vec<T>>, what: &str, lines: impl FnOnce(&[T]) -> Vec<Line>) -> Vec<Line> {
    match observed {
        Observed::Seen(all) if !all.is_empty() => lines(all),
        Observed::Seen(_) | Observed::Absent => vec![Line::new(LineKind::Empty, &format!("no {what}"))],
        Observed::Unreadable(why) => vec![Line::new(LineKind::Problem, &format!("{what} could not be read: {why}"))],
    }
}

fn link(link: &Link) -> Vec<Line> {
    let stats = &link.stats;
    let side = |name, packets, bytes, dropped, errors| {
        format!("    {name}: {packets} packets, {bytes} bytes, {dropped} dropped, {errors} errors")
    };
    let mut lines = vec![
        Line::item(&link.to_string(), None),
        Line::new(LineKind::Detail, &side("RX", stats.rx_packets, stats.rx_bytes, stats.rx_dropped, stats.rx_errors)),
        Line::new(LineKind::Detail, &side("TX", stats.tx_packets, stats.tx_bytes, stats.tx_dropped, stats.tx_errors)),
    ];
    if let Some(conf) = link.ipv4 {
        let text = format!(
            "    forwarding {} proxy_arp {} rp_filter {} arp_ignore {} arp_announce {}",
            u8::from(conf.forwarding),
            u8::from(conf.proxy_arp),
            conf.rp_filter,
            conf.arp_ignore,
            conf.arp_announce
        );
        lines.push(Line::new(LineKind::Detail, &text));
    }
    for qdisc in &link.qdiscs {
        lines.push(Line::new(LineKind::Detail, &format!("    qdisc {} {:x}:", qdisc.kind, qdisc.handle >> 16)));
    }
    for filter in &link.filters {
        lines.push(Line::new(LineKind::Detail, &format!("    filter {} pref {}", filter.kind, filter.preference)));
    }
    lines
}

fn rules(rules: &[Rule], name: &NetnsName, topology: &Topology) -> Vec<Line> {
    let mut lines = Vec::with_capacity(rules.len() + 2);
    for family in [Family::V4, Family::V6] {
        let mut first = true;
        for rule in rules.iter().filter(|rule| rule.family == family) {
            if std::mem::take(&mut first) {
                lines.push(Line::new(LineKind::Heading, if family == Family::V4 { "IPv4" } else { "IPv6" }));
            }
            lines.push(Line::item(&rule.to_string(), rule_meaning(topology, name, rule)));
        }
    }
    lines
}

/// Tables in the order that a packet meets them: local, main, then the others.
fn routes(routes: &[Route], name: &NetnsName, topology: &Topology) -> Vec<Line> {
    let order = |table: TableId| match table {
        TableId::MAIN => (0, 0),
        TableId::LOCAL => (2, 0),
        TableId(number) => (1, number),
    };
    let mut sorted: Vec<&Route> = routes.iter().collect();
    sorted.sort_by_key(|route| order(route.table));
    let mut lines = Vec::with_capacity(routes.len() + 8);
    let mut open = None;
    for route in sorted {
        if open != Some(route.table) {
            open = Some(route.table);
            let meaning = table_meaning(topology, name, route.table).map(|text| format!(" ({text})"));
            let text = format!("table {}{}", route.table, meaning.unwrap_or_default());
            lines.push(Line::new(LineKind::Heading, &text));
        }
        // Below its table's heading a route reads as `ip route show table N` prints it.
        lines.push(Line::item(&Route { table: TableId::MAIN, ..route.clone() }.to_string(), None));
    }
    lines
}

fn packet_filter(netfilter: &Netfilter) -> Vec<Line> {
    let mut lines = Vec::new();
    for (backend, tables) in [("nf_tables", &netfilter.nft), ("legacy", &netfilter.legacy)] {
        match tables {
            Observed::Absent => {}
            Observed::Unreadable(why) => {
                lines.push(Line::new(LineKind::Problem, &format!("{backend} could not be read: {why}")));
            }
            Observed::Seen(tables) => lines.extend(tables.iter().flat_map(|it| table(it, backend))),
        }
    }
    if netfilter.words_only {
        let text = "only what iptables has words for was recorded: native nf_tables rules may stand here unseen";
        lines.push(Line::new(LineKind::Problem, text));
    }
    if lines.is_empty() {
        lines.push(Line::new(LineKind::Empty, "no netfilter rules"));
    }
    lines
}

fn table(table: &Table, backend: &str) -> Vec<Line> {
    let dormant = if table.dormant { ", dormant" } else { "" };
    let heading = format!("table {} {} ({backend}{dormant})", table.family.word(), table.name);
    let mut lines = vec![Line::new(LineKind::Heading, &heading)];
    lines.extend(table.others.iter().map(|other| Line::new(LineKind::Problem, other)));
    lines.extend(table.chains.iter().map(|chain| Line::item(&chain.declaration(), None)));
    for chain in &table.chains {
        lines.extend(chain_rules(table, chain));
    }
    lines
}

fn chain_rules<'a>(table: &'a Table, chain: &'a Chain) -> impl Iterator<Item = Line> + 'a {
    chain.rules.iter().map(move |rule| {
        let text = rule.line(&chain.name, table.family).counted().to_string();
        let kind = if matches!(rule.body, RuleBody::Words(_)) { LineKind::Item } else { LineKind::Problem };
        Line::new(kind, &text)
    })
}

fn sysctls(netns: &Netns) -> Vec<Line> {
    let mut lines: Vec<Line> = netns
        .sysctls
        .iter()
        .map(|(name, value)| match value {
            Observed::Seen(value) => Line::item(&format!("{name} = {value}"), None),
            Observed::Absent => Line::new(LineKind::Detail, &format!("{name} is not there")),
            Observed::Unreadable(why) => Line::new(LineKind::Problem, &format!("{name} could not be read: {why}")),
        })
        .collect();
    match &netns.conntrack_fill {
        Observed::Seen(fill) => {
            lines.push(Line::item(&format!("connection tracking: {} of {} entries", fill.count, fill.max), None));
        }
        Observed::Absent => {}
        Observed::Unreadable(why) => {
            lines.push(Line::new(LineKind::Problem, &format!("connection tracking could not be read: {why}")));
        }
    }
    if lines.is_empty() {
        lines.push(Line::new(LineKind::Empty, "no settings were read"));
    }
    lines
}
