//! The stations of a walk: where the packet stops for a look on its way, in the
//! order in which it passes them.

use crate::net::{TableId, printable};
use crate::path::{Endpoint, Hop, NatKind, Neighbour, Outcome, Packet, Translation, Verdict, Walk};
use crate::tui::words::Mark;

/// Characters that are shown of one text from outside.
const LIMIT: usize = 300;

/// One station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tui) struct Station {
    /// Which hop's; `None` before the first and after the last.
    pub hop: Option<usize>,
    /// What happens there.
    pub stage: Stage,
    /// Its label in the picture.
    pub label: String,
    /// A shorter one, for narrow terminals.
    pub short: String,
    /// What happens, in words.
    pub told: String,
    /// The packet as it goes on from there.
    pub packet: Packet,
    /// Whether it goes on.
    pub mark: Mark,
}

/// What happens at a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Stage {
    /// The packet is sent.
    Sent,
    /// It comes in by a device.
    In,
    /// It is translated, by the hop's translation of that number.
    Translate(usize),
    /// A rule decides.
    Rule,
    /// A route of the rule's table is taken.
    Route,
    /// It goes out by a device.
    Out,
    /// The namespace takes it in.
    Deliver,
    /// It is stopped, or nobody can tell.
    Stop,
    /// It is where it was to go.
    Arrived,
}

impl Stage {
    /// The word in front of a station in the list.
    pub(in crate::tui) fn word(self, walk: &Walk, hop: Option<usize>) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::In => "in",
            Self::Translate(at) => hop
                .and_then(|hop| walk.hops.get(hop)?.translations.get(at))
                .map_or("translated", |translation| nat_word(translation.kind)),
            Self::Rule => "rule",
            Self::Route => "route",
            Self::Out => "out",
            Self::Deliver => "taken in",
            Self::Stop if walk.outcome == Outcome::Unknown => "unknown",
            Self::Stop => "stops",
            Self::Arrived => "arrived",
        }
    }
}

impl Station {
    /// What it is known by when the walk is made anew.
    pub(in crate::tui) fn id(&self) -> (Option<usize>, Stage) {
        (self.hop, self.stage)
    }

    fn new(hop: Option<usize>, stage: Stage, label: &str, told: &str, packet: Packet) -> Self {
        let label = printable(label, 24);
        Self { hop, stage, short: label.clone(), label, told: printable(told, LIMIT), packet, mark: Mark::Ok }
    }

    fn shorter(self, short: &str) -> Self {
        Self { short: printable(short, 12), ..self }
    }
}

/// One row of the list of stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tui) enum Row {
    /// Stations of this hop's namespace follow.
    Namespace(usize),
    /// A station, and its part of the box around its namespace.
    Station {
        /// Its place in the walk.
        at: usize,
        /// The piece of the box.
        side: &'static str,
    },
}

/// The stations as rows, with a row above each namespace's.
pub(in crate::tui) fn rows(stations: &[Station]) -> Vec<Row> {
    let mut rows = Vec::with_capacity(stations.len() + 4);
    let mut open = None;
    for (at, station) in stations.iter().enumerate() {
        if let Some(hop) = station.hop.filter(|_| station.hop != open) {
            rows.push(Row::Namespace(hop));
        }
        open = station.hop;
        let goes_on = stations.get(at + 1).is_some_and(|next| next.hop == station.hop);
        let side = match (station.hop, goes_on) {
            (None, _) => " ",
            (Some(_), true) => "│",
            (Some(_), false) => "╰",
        };
        rows.push(Row::Station { at, side });
    }
    rows
}

/// All stations of a walk.
pub(in crate::tui) fn stations(walk: &Walk) -> Vec<Station> {
    let mut all = Vec::with_capacity(2 + walk.hops.len() * 6);
    if walk.start.device.is_some() || walk.hops.is_empty() {
        let asked = walk.arp.as_ref().filter(|arp| arp.answers == Some(true));
        let asked = asked.map(|arp| format!("; ARP is answered: {}", arp.why)).unwrap_or_default();
        let told = format!("{} sends {}{asked}", walk.sent.src, walk.sent);
        all.push(Station::new(None, Stage::Sent, &walk.sent.src.to_string(), &told, walk.sent));
    }
    for (at, hop) in walk.hops.iter().enumerate() {
        of_hop(walk, at, hop, &mut all);
    }
    if walk.hops.is_empty() && walk.stop.is_some() {
        all.push(stop(walk, None, walk.arrived));
    }
    all.extend(arrival(walk));
    all
}

fn of_hop(walk: &Walk, at: usize, hop: &Hop, all: &mut Vec<Station>) {
    let here = Some(at);
    let mut packet = hop.entered;
    all.push(match &hop.iif {
        Some(device) => {
            let told = format!("by {device}{}", marked(hop));
            Station::new(here, Stage::In, device.as_str(), &told, packet).shorter(stem(device.as_str()))
        }
        None => {
            Station::new(here, Stage::In, "itself", &format!("the namespace sends {packet}{}", marked(hop)), packet)
        }
    });
    let translate = |early: bool, packet: &mut Packet, all: &mut Vec<Station>| {
        let each = hop.translations.iter().enumerate().filter(|(_, one)| is_early(one.kind) == early);
        for (number, translation) in each {
            *packet = translated(*packet, translation);
            all.push(translation_station(here, number, translation, *packet));
        }
    };
    translate(true, &mut packet, all);
    if let Some(decided) = &hop.decided {
        all.push(Station::new(here, Stage::Rule, "rule", &decided.rule.to_string(), packet));
        let label = match decided.table {
            table @ (TableId::MAIN | TableId::LOCAL | TableId::DEFAULT) => table.to_string(),
            table => format!("table {table}"),
        };
        let short = if label.len() > 8 { "table" } else { label.as_str() }.to_owned();
        all.push(Station::new(here, Stage::Route, &label, &decided.route.to_string(), packet).shorter(&short));
    }
    translate(false, &mut packet, all);
    packet = hop.left;
    match hop.verdict {
        Verdict::Drop | Verdict::Reject | Verdict::Unknown => all.push(stop(walk, here, packet)),
        Verdict::Deliver => {
            all.push(Station::new(here, Stage::Deliver, "taken in", "the namespace takes it in", packet));
        }
        Verdict::Forward => {
            let device = hop.oif.as_ref().map_or("", |device| device.as_str());
            let told = format!("by {device}{}", hop.neighbour.as_ref().map(neighbour).unwrap_or_default());
            all.push(Station::new(here, Stage::Out, device, &told, packet).shorter(stem(device)));
        }
    }
}

fn translation_station(hop: Option<usize>, number: usize, translation: &Translation, packet: Packet) -> Station {
    let port = match (translation.before.port, translation.after.port) {
        (Some(_), None) => ", on a port of the kernel's choice",
        _ => "",
    };
    let told = format!("{} → {}{port}", translation.before, translation.after);
    Station::new(hop, Stage::Translate(number), nat_word(translation.kind), &told, packet)
}

fn stop(walk: &Walk, hop: Option<usize>, packet: Packet) -> Station {
    let why = hop.and_then(|at| walk.hops[at].stop.as_ref()).or(walk.stop.as_ref());
    let told = why.map_or("for a reason unknown", |stop| stop.reason.as_str());
    let unknown = walk.outcome == Outcome::Unknown;
    let label = if unknown { "cannot tell" } else { "stops" };
    let mark = if unknown { Mark::Unknown } else { Mark::Broken };
    Station { mark, ..Station::new(hop, Stage::Stop, label, told, packet) }.shorter(if unknown { "?" } else { "stops" })
}

/// The end of a way beyond the last namespace.
fn arrival(walk: &Walk) -> Option<Station> {
    let last = walk.hops.last().filter(|hop| hop.verdict == Verdict::Forward)?;
    let to = last.neighbour.as_ref().map_or(walk.arrived.dst, |neighbour| neighbour.address);
    let told = match walk.outcome {
        Outcome::Delivered => format!("{to} gets {}", walk.arrived),
        Outcome::LeavesNode if to == walk.arrived.dst => format!("{to}, outside of this node, gets {}", walk.arrived),
        Outcome::LeavesNode => format!("the next hop {to} gets {}", walk.arrived),
        Outcome::Dropped | Outcome::Unknown => return Some(stop(walk, None, walk.arrived)),
    };
    Some(Station::new(None, Stage::Arrived, &to.to_string(), &told, walk.arrived))
}

/// Translations before the route is looked up; the others come after it
/// (`enum nf_ip_hook_priorities`: `NF_IP_PRI_NAT_DST`, `NF_IP_PRI_NAT_SRC`).
fn is_early(kind: NatKind) -> bool {
    matches!(kind, NatKind::Dnat | NatKind::Redirect | NatKind::UndoSnat)
}

fn translated(packet: Packet, translation: &Translation) -> Packet {
    let Endpoint { address, port } = translation.after;
    if is_early(translation.kind) {
        Packet { dst: address, dport: port, ..packet }
    } else {
        Packet { src: address, sport: port, ..packet }
    }
}

fn nat_word(kind: NatKind) -> &'static str {
    match kind {
        NatKind::Dnat => "DNAT",
        NatKind::Snat => "SNAT",
        NatKind::Redirect => "redirect",
        NatKind::Masquerade => "masquerade",
        NatKind::UndoSnat => "un-SNAT",
        NatKind::UndoDnat => "un-DNAT",
    }
}

fn marked(hop: &Hop) -> String {
    match hop.marks.last() {
        Some(change) if change.after != hop.entered.mark => format!(", gets mark {:#x}", change.after),
        _ => String::new(),
    }
}

fn neighbour(neighbour: &Neighbour) -> String {
    let address = neighbour.address;
    match (neighbour.mac, neighbour.state) {
        (Some(mac), Some(state)) => format!(" to {address} lladdr {mac} {}", state.word()),
        (Some(mac), None) => format!(" to {address} lladdr {mac}"),
        (None, Some(state)) => format!(" to {address} {}", state.word()),
        (None, None) => format!(" to {address}, which the kernel asks for first"),
    }
}

/// `qr` of `qr-c2e43983-5c`.
fn stem(device: &str) -> &str {
    device.split('-').next().unwrap_or(device)
}
