//! Changes in the words of the node: what a person reads in a diff or a watch.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::{Backend, Change, Fact, FileName, Object, Part, TableAt};
use crate::net::{Gap, Link, Observed, printable};

/// Longest text from outside that a change quotes.
const LIMIT: usize = 300;

impl Object {
    /// The kind, in the words of findings and of `watch`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Netns(_) => "netns",
            Self::Link(_) => "link",
            Self::Addr(_) => "addr",
            Self::Rule(_) => "rule",
            Self::Route(_) => "route",
            Self::Neigh(_) => "neigh",
            Self::Table(_, table) if table.name == "nat" => "nat",
            Self::Chain(at, _) if at.table == "nat" => "nat",
            Self::NfRule(at, _) if at.at.table == "nat" => "nat",
            Self::Table(..) | Self::Chain(..) | Self::NfRule(..) => "filter",
            Self::Connection(_) => "conntrack",
            Self::Sysctl(..) => "sysctl",
            Self::OvsPort(_) => "ovs-port",
            Self::FileLine(..) => "file",
            Self::Part(part) => part.kind(),
            Self::Fact(_) => "host",
        }
    }
}

impl Part {
    fn kind(&self) -> &'static str {
        match self {
            Self::Links(_) => "link",
            Self::Addrs(_) => "addr",
            Self::Rules(_) => "rule",
            Self::Routes(_) => "route",
            Self::Neighs(_) => "neigh",
            Self::Netfilter(_) | Self::Tables(..) => "filter",
            Self::ConntrackFill(_) => "conntrack",
            Self::Gaps(_) | Self::HostGaps(_) => "gap",
            Self::Ovs(_) => "ovs-port",
            Self::Agent(_) => "agent",
            Self::File(..) => "file",
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Links(_) => "links",
            Self::Addrs(_) => "addresses",
            Self::Rules(_) => "rules",
            Self::Routes(_) => "routes",
            Self::Neighs(_) => "neighbours",
            Self::Netfilter(_) => "netfilter",
            Self::Tables(Backend::Nft, _) => "nf_tables",
            Self::Tables(Backend::Legacy, _) => "legacy tables",
            Self::ConntrackFill(_) => "conntrack",
            Self::Gaps(_) | Self::HostGaps(_) => "not told",
            Self::Ovs(_) => "Open vSwitch",
            Self::Agent(_) => "L3 agent",
            Self::File(name, _) => name.file(),
        }
    }

    fn outcome(&self) -> String {
        match self {
            Self::Links(part) => outcome(part, |list| count(list.len(), "link")),
            Self::Addrs(part) => outcome(part, |list| count(list.len(), "address")),
            Self::Rules(part) => outcome(part, |list| count(list.len(), "rule")),
            Self::Routes(part) => outcome(part, |list| count(list.len(), "route")),
            Self::Neighs(part) => outcome(part, |list| count(list.len(), "neighbour")),
            Self::Netfilter(part) => outcome(part, |filter| count(filter.tables().count(), "table")),
            Self::Tables(_, part) => outcome(part, |list| count(list.len(), "table")),
            Self::ConntrackFill(part) => {
                outcome(part, |fill| format!("{} of at most {}", fill.count, count_of(fill.max, "entry")))
            }
            Self::Gaps(gaps) | Self::HostGaps(gaps) => gap_words(gaps),
            Self::Ovs(part) => outcome(part, |ovs| count(ovs.ports.len(), "port")),
            Self::Agent(part) => outcome(part, |agent| {
                let mode = agent.mode.as_deref().map_or(String::new(), |mode| format!(", {}", printable(mode, LIMIT)));
                format!("process {}{mode}", agent.pid)
            }),
            Self::File(_, part) => outcome(part, |file| count(file.lines.len(), "line")),
        }
    }
}

impl FileName {
    /// The file's name.
    pub fn file(self) -> &'static str {
        match self {
            Self::LinkLocal => "fip-linklocal-networks",
            Self::Priorities => "fip-priorities",
        }
    }
}

impl fmt::Display for TableAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let legacy = if self.backend == Backend::Legacy { "legacy " } else { "" };
        write!(f, "{legacy}{} {}", self.family.word(), printable(&self.table, LIMIT))
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, words) = self.words();
        if words.is_empty() { write!(f, "{subject}") } else { write!(f, "{subject} {words}") }
    }
}

impl Object {
    /// What it is, and what it says.
    fn words(&self) -> (String, String) {
        let (subject, words) = match self {
            Self::Netns(netns) => {
                let seen = outcome(netns, |netns| count(netns.links().len(), "link"));
                ("namespace", format!("({seen})"))
            }
            Self::Part(part) => return (format!("{}:", part.name()), part.outcome()),
            Self::Link(link) => ("link", link.to_string()),
            Self::Addr(addr) => ("address", addr.to_string()),
            Self::Rule(rule) => ("rule", rule.to_string()),
            Self::Route(route) => ("route", route.to_string()),
            Self::Neigh(neigh) => ("neighbour", neigh.to_string()),
            Self::Table(backend, table) => {
                let at = TableAt { backend: *backend, family: table.family, table: table.name.clone() };
                ("table", at.to_string())
            }
            Self::Chain(at, chain) => ("chain", format!("{at} {}", printable(&chain.name, LIMIT))),
            Self::NfRule(at, rule) => {
                let line = rule.line(&at.chain, at.at.family).to_string();
                return (format!("{}:", at.at), printable(&line, LIMIT));
            }
            Self::Connection(entry) => ("connection", entry.original.to_string()),
            Self::Sysctl(name, value) => {
                ("sysctl", format!("{} = {}", printable(name, LIMIT), outcome(value, ToString::to_string)))
            }
            Self::OvsPort(port) => {
                let tag = port.tag.map_or(String::new(), |tag| format!(" tag {tag}"));
                ("port", format!("{} of {}{tag}", printable(&port.name, LIMIT), printable(&port.bridge, LIMIT)))
            }
            Self::FileLine(name, _, line) => return (format!("{}:", name.file()), printable(line, LIMIT)),
            Self::Fact(fact) => return fact.words(),
        };
        (subject.to_owned(), words)
    }
}

impl Fact {
    fn words(&self) -> (String, String) {
        let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let (subject, words) = match self {
            Self::Node(node) => ("node", Some(node.clone())),
            Self::NetnsDir(dir) => ("namespace folder", Some(dir.clone())),
            Self::NamespacesUnreadable(why) => ("namespaces unreadable:", why.clone()),
            Self::Kernel(kernel) => ("kernel", kernel.clone()),
            Self::StatePath(state) => ("state path", path(state)),
            Self::PathOrigin(origin) => ("paths known from", Some(json_word(origin))),
            Self::LockPath(lock) => ("lock path", path(lock)),
            Self::HaConfsPath(folder) => ("keepalived's folder", path(folder)),
            Self::NeutronVersion(version) => ("Neutron", Some(outcome(version, Clone::clone))),
            Self::OvnController(runs) => ("ovn-controller", Some(if *runs { "runs" } else { "not seen" }.to_owned())),
            Self::OvsVersion(version) => ("Open vSwitch", version.clone()),
            Self::OvsExternalId(key, value) => {
                return (
                    format!("Open vSwitch external_ids:{}", printable(key, LIMIT)),
                    value.as_deref().map_or("none".to_owned(), |value| printable(value, LIMIT)),
                );
            }
        };
        (subject.to_owned(), words.map_or("none".to_owned(), |words| printable(&words, LIMIT)))
    }
}

impl Change {
    /// `+` for what came, `-` for what went, `~` for what became another.
    pub fn sign(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, None) => "",
            (None, Some(_)) => "+",
            (Some(_), None) => "-",
            (Some(_), Some(_)) => "~",
        }
    }

    /// The namespace, or `host`.
    pub fn place(&self) -> String {
        self.netns.as_ref().map_or_else(|| "host".to_owned(), ToString::to_string)
    }

    /// The object; of what became another, what differs.
    pub fn words(&self) -> String {
        match (&self.before, &self.after) {
            (None, None) => "nothing".to_owned(),
            (None, Some(object)) | (Some(object), None) => object.to_string(),
            (Some(before), Some(after)) => became(before, after),
        }
    }
}

impl fmt::Display for Change {
    /// One line: the namespace, `+`, `-` or `~`, and the object. What became
    /// another is told by what differs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(netns) = &self.netns {
            write!(f, "{netns}: ")?;
        }
        match self.sign() {
            "" => f.write_str(&self.words()),
            sign => write!(f, "{sign} {}", self.words()),
        }
    }
}

fn became(before: &Object, after: &Object) -> String {
    match (before, after) {
        (Object::Link(before), Object::Link(after)) => {
            format!("link {}: {}", after.name, link_differences(before, after).join(", "))
        }
        (Object::Table(_, old), Object::Table(_, new)) => format!("{after}: {}", differences(old, new).join(", ")),
        (Object::Chain(_, old), Object::Chain(_, new)) => format!("{after}: {}", differences(old, new).join(", ")),
        (Object::OvsPort(old), Object::OvsPort(new)) => {
            format!("port {}: {}", printable(&new.name, LIMIT), differences(old, new).join(", "))
        }
        _ => {
            let ((subject, old), (_, new)) = (before.words(), after.words());
            let more = if old == new { differences(before, after) } else { Vec::new() };
            let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
            format!("{subject} {old} → {new}{more}")
        }
    }
}

fn link_differences(before: &Link, after: &Link) -> Vec<String> {
    let mut words = Vec::new();
    if before.flags != after.flags {
        words.push(format!("<{}> → <{}>", before.flag_words(), after.flag_words()));
    }
    let same = Link { flags: after.flags, stats: after.stats, ..before.clone() };
    words.extend(differences(&same, after));
    words
}

/// What differs between two values, field by field.
fn differences<T: Serialize>(before: &T, after: &T) -> Vec<String> {
    let mut words = Vec::new();
    let (Ok(before), Ok(after)) = (serde_json::to_value(before), serde_json::to_value(after)) else { return words };
    walk("", &before, &after, &mut words);
    words
}

fn walk(path: &str, before: &Value, after: &Value, words: &mut Vec<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (before, after) {
        _ if before == after => {}
        (Value::Object(old), Value::Object(new)) => {
            let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let (old, new) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
                walk(&below(key), old, new, words);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                walk(&below(&at.to_string()), old, new, words);
            }
        }
        _ => words.push(format!("{} {} → {}", printable(path, LIMIT), leaf(before), leaf(after))),
    }
}

fn leaf(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => printable(text, LIMIT),
        other => printable(&other.to_string(), LIMIT),
    }
}

fn json_word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).map(|value| leaf(&value)).unwrap_or_default()
}

fn outcome<T>(part: &Observed<T>, seen: impl FnOnce(&T) -> String) -> String {
    match part {
        Observed::Seen(value) => seen(value),
        Observed::Absent => "absent".to_owned(),
        Observed::Unreadable(why) => format!("unreadable: {}", printable(why, LIMIT)),
    }
}

fn gap_words(gaps: &[Gap]) -> String {
    let words: Vec<String> = gaps.iter().map(|gap| printable(&gap.part, LIMIT)).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn count(number: usize, noun: &str) -> String {
    count_of(number as u64, noun)
}

fn count_of(number: u64, noun: &str) -> String {
    let plural = match (number, noun.strip_suffix('y'), noun.ends_with('s')) {
        (1, ..) => noun.to_owned(),
        (_, Some(stem), _) => format!("{stem}ies"),
        (_, None, true) => format!("{noun}es"),
        _ => format!("{noun}s"),
    };
    format!("{number} {plural}")
}
