//! `fipscope trace`: what becomes of the packet, then hop by hop, one decision a
//! line, then the way back.

use super::about;
use super::numbers::Numbers;
use crate::check::blocked_by;
use crate::net::Snapshot;
use crate::path::{ArpAnswer, Class, Hop, Kernel, NatKind, Neighbour, Outcome, Stop, Translation, Verdict, Walk};
use crate::report::style::{Style, Tone, link_word};
use crate::report::{Back, Judged};
use crate::topology::{ChainLink, Direction, FloatingIp, LinkState, Topology};

/// Columns of a line's title, with the blank behind it.
const TITLE: usize = 8;

/// A packet's walk and its answer's.
pub fn trace(
    snapshot: &Snapshot,
    topology: &Topology,
    walk: &Walk,
    back: Back<'_>,
    judged: Judged<'_>,
    style: Style,
) -> String {
    let page = Page { topology, judged, numbers: Numbers::of(topology), style };
    let mut out = page.headline(walk);
    out += &page.answer(walk);
    out += &page.entry("node", Tone::Plain, &format!("{} · {}", snapshot.node, about(snapshot)));
    out += &page.hops(walk);
    let mut advice = advice(topology, walk);
    match back {
        Back::NotAsked => {}
        Back::None => {
            out += &style.heading("The way back");
            let why = match walk.outcome {
                Outcome::LeavesNode => "it does not come back this way: it goes straight to the instance",
                Outcome::Delivered => "there is none to this packet",
                Outcome::Dropped | Outcome::Unknown => "there is none: the packet does not arrive",
            };
            out += &style.marked(("·", Tone::Faint), why);
        }
        Back::Walk(back) => {
            out += &style.heading("The way back");
            out += &page.headline(back);
            out += &page.answer(back);
            out += &page.hops(back);
            advice.extend(self::advice(topology, back));
        }
    }
    advice.dedup();
    if !advice.is_empty() {
        out += &style.heading("To look closer");
        for line in &advice {
            out += &style.block("  ", 2, Tone::Plain, line);
        }
    }
    out
}

/// Who answers ARP for the destination of a packet from outside.
fn answered(walk: &Walk, arp: &ArpAnswer) -> String {
    let device = walk.start.device.as_ref().map_or("", |device| device.as_str());
    match (arp.answers, arp.mac) {
        (None, _) => format!("cannot tell whether {device} answers for {}: {}", walk.sent.dst, arp.why),
        (_, None) => format!("{device} answers for {}; {}", walk.sent.dst, arp.why),
        (_, Some(mac)) => format!("{device} answers for {} with {mac}; {}", walk.sent.dst, arp.why),
    }
}

/// The glyph and tone of what became of a packet.
pub(super) fn outcome_mark(outcome: Outcome) -> (&'static str, Tone) {
    match outcome {
        Outcome::Delivered | Outcome::LeavesNode => ("✓", Tone::Good),
        Outcome::Dropped => ("✗", Tone::Bad),
        Outcome::Unknown => ("?", Tone::Unsure),
    }
}

struct Page<'a> {
    topology: &'a Topology,
    judged: Judged<'a>,
    numbers: Numbers,
    style: Style,
}

impl Page<'_> {
    fn headline(&self, walk: &Walk) -> String {
        let style = self.style;
        let (glyph, tone) = outcome_mark(walk.outcome);
        let word = match walk.outcome {
            Outcome::Delivered => "delivered",
            Outcome::Dropped => "dropped",
            Outcome::LeavesNode => "leaves the node",
            Outcome::Unknown => "cannot tell",
        };
        let packet = style.paint(Tone::Strong, &walk.sent.to_string());
        format!("{} {packet}   {}\n", style.paint(tone, glyph), style.paint(tone, word))
    }

    /// The class, where it ends and why, and what the kernel said.
    fn answer(&self, walk: &Walk) -> String {
        let detail = walk.detail.map(|detail| format!(", {}", detail.word())).unwrap_or_default();
        let tone = if walk.class == Class::None { Tone::Warning } else { Tone::Strong };
        let mut out = self.entry("class", tone, &format!("{}{detail}", walk.class.word()));
        if let Some(stop) = &walk.stop {
            out += &self.entry("at", Tone::Plain, &place(stop));
            out += &self.entry("why", outcome_mark(walk.outcome).1, &stop.reason);
        } else if let Some(last) = walk.hops.last() {
            out += &self.entry("at", Tone::Plain, &end(walk, last));
        }
        if let Some(finding) = blocked_by(self.topology, self.judged.findings, walk) {
            let cause = finding.because_of.as_deref().and_then(|cause| cause.split('@').next());
            let cause = cause.map(|cause| format!(" (follows from {cause})")).unwrap_or_default();
            let text = format!("{} {}: {}{cause}", finding.code, finding.name, finding.message);
            out += &self.entry("finding", Tone::Bad, &text);
        } else if let Some(fault) = fault(self.topology, walk) {
            out += &self.entry("chain", Tone::Warning, &fault);
        }
        if let Some(arp) = walk.arp.as_ref().filter(|arp| arp.answers != Some(false)) {
            let tone = if arp.answers.is_none() { Tone::Unsure } else { Tone::Plain };
            out += &self.entry("arp", tone, &answered(walk, arp));
        }
        let (tone, text) = kernel(walk);
        out + &self.entry("kernel", tone, &text)
    }

    fn hops(&self, walk: &Walk) -> String {
        let mut out = String::new();
        for (hop, number) in walk.hops.iter().zip(1..) {
            out.push('\n');
            let number = self.style.paint(Tone::Faint, &format!("{number} "));
            out += &self.style.block(&number, 2, Tone::Strong, &hop.namespace.to_string());
            out += &self.hop(hop);
        }
        out
    }

    fn hop(&self, hop: &Hop) -> String {
        let iif = hop.iif.as_ref().map_or_else(|| "sent here".to_owned(), ToString::to_string);
        let mut out = self.entry("in", Tone::Plain, &iif);
        for mark in &hop.marks {
            out += &self.entry("mark", Tone::Plain, &format!("{:#x} → {:#x}", mark.before, mark.after));
            out += &self.entry("", Tone::Faint, &mark.rule);
        }
        let (before, after): (Vec<_>, Vec<_>) = hop.translations.iter().partition(|nat| is_before_routing(nat.kind));
        out.extend(before.into_iter().map(|nat| self.translation(nat)));
        if let Some(decided) = &hop.decided {
            let rule = &decided.rule;
            let text = match rule.table() {
                Some(table) => format!("{} {} → table {table}", rule.priority, rule.selector()),
                None => rule.to_string(),
            };
            out += &self.entry("rule", Tone::Plain, &self.numbers.named(&text));
            out += &self.entry("route", Tone::Plain, &decided.route.brief());
        }
        out.extend(after.into_iter().map(|nat| self.translation(nat)));
        if let Some(oif) = &hop.oif {
            let to = hop.neighbour.as_ref().map(|to| format!(" to {}", neighbour(to))).unwrap_or_default();
            out += &self.entry("out", Tone::Plain, &format!("{oif}{to}"));
        }
        out + &self.verdict(hop) + &self.kernel_line(hop)
    }

    fn translation(&self, nat: &Translation) -> String {
        let title = match nat.kind {
            NatKind::Dnat => "DNAT",
            NatKind::Snat => "SNAT",
            NatKind::Redirect => "REDIR",
            NatKind::Masquerade => "MASQ",
            NatKind::UndoSnat | NatKind::UndoDnat => "undo",
        };
        let changed = format!("{} → {}", nat.before, nat.after);
        let why = match (&nat.rule, nat.kind) {
            (Some(rule), _) => rule.clone(),
            (None, NatKind::UndoSnat) => "the connection's source translation, reversed".to_owned(),
            (None, NatKind::UndoDnat) => "the connection's destination translation, reversed".to_owned(),
            (None, _) => "as the connection's first packet".to_owned(),
        };
        self.entry(title, Tone::Strong, &changed) + &self.entry("", Tone::Faint, &why)
    }

    fn verdict(&self, hop: &Hop) -> String {
        let word = match hop.verdict {
            Verdict::Forward => return String::new(),
            Verdict::Deliver => return self.entry("taken", Tone::Good, "by the namespace itself"),
            Verdict::Drop => "dropped",
            Verdict::Reject => "rejected",
            Verdict::Unknown => "cannot tell",
        };
        let tone = if hop.verdict == Verdict::Unknown { Tone::Unsure } else { Tone::Bad };
        let text = match &hop.stop {
            Some(stop) => format!("{word}: {}", self.numbers.named(&stop.reason)),
            None => word.to_owned(),
        };
        self.glyph(if tone == Tone::Unsure { "?" } else { "✗" }, tone, "here", &text)
    }

    fn kernel_line(&self, hop: &Hop) -> String {
        match &hop.kernel {
            Kernel::NotAsked => String::new(),
            Kernel::Agrees => self.glyph("✓", Tone::Good, "kernel", "agrees"),
            Kernel::Differs(answer) => {
                self.glyph("✗", Tone::Bad, "kernel", &self.numbers.named(&format!("says otherwise: {answer}")))
            }
            Kernel::Failed(why) => self.glyph("?", Tone::Unsure, "kernel", &format!("could not be asked: {why}")),
        }
    }

    fn entry(&self, title: &str, tone: Tone, text: &str) -> String {
        let lead = self.style.paint(Tone::Faint, &format!("  {title:<TITLE$}"));
        self.style.block(&lead, 2 + TITLE, tone, text)
    }

    fn glyph(&self, glyph: &str, tone: Tone, title: &str, text: &str) -> String {
        let title = self.style.paint(Tone::Faint, &format!(" {title:<TITLE$}"));
        self.style.block(&format!("{}{title}", self.style.paint(tone, glyph)), 2 + TITLE, tone, text)
    }
}

/// The destination changes before the route is looked up, the source after it.
fn is_before_routing(kind: NatKind) -> bool {
    matches!(kind, NatKind::Dnat | NatKind::Redirect | NatKind::UndoSnat)
}

fn place(stop: &Stop) -> String {
    match &stop.object {
        Some(object) => format!("{}: {} {}", stop.namespace, object.kind.title(), object.key),
        None => stop.namespace.to_string(),
    }
}

/// Where a walk ends that went well.
fn end(walk: &Walk, last: &Hop) -> String {
    let Some(oif) = &last.oif else { return last.namespace.to_string() };
    let to = last.neighbour.as_ref().map(|to| format!(" to {}", to.address));
    let (source, destination) = (walk.arrived.source(), walk.arrived.destination());
    let from = (source != walk.sent.source()).then(|| format!(", from {source}"));
    let aimed = (destination != walk.sent.destination()).then(|| format!(", for {destination}"));
    [Some(oif.to_string()), to, from, aimed].into_iter().flatten().collect()
}

fn neighbour(to: &Neighbour) -> String {
    match (to.mac, to.state) {
        (Some(mac), Some(state)) => format!("{} at {mac}, {}", to.address, state.word()),
        (None, Some(state)) => format!("{}, {}", to.address, state.word()),
        (_, None) => format!("{}, not resolved yet", to.address),
    }
}

/// The first link of the chain that carries the packet which does not hold.
fn fault(topology: &Topology, walk: &Walk) -> Option<String> {
    let broken = |link: &&ChainLink| !link.advisory && matches!(link.state, LinkState::Missing | LinkState::Wrong);
    topology.fips().find_map(|fip| {
        let links = match () {
            () if fip.floating_ip == Some(walk.sent.dst.into()) => fip.links(Direction::Inbound),
            () if fip.fixed_ip == Some(walk.sent.src.into()) => fip.links(Direction::Outbound),
            () => return None,
        };
        let here = links.iter().any(|link| link.namespace == walk.start.namespace);
        let link = links.iter().find(broken).filter(|_| here)?;
        let address = fip.floating_ip.or(fip.fixed_ip)?;
        let (title, state) = (link.link.title(), link_word(link.state));
        Some(format!("of {address}: {title} {state} in {}", link.namespace))
    })
}

/// What the kernel said to all of it.
fn kernel(walk: &Walk) -> (Tone, String) {
    let questions = walk.hops.iter().filter(|hop| hop.question.is_some());
    let asked: Vec<&Kernel> = questions.map(|hop| &hop.kernel).filter(|kernel| **kernel != Kernel::NotAsked).collect();
    let agrees = asked.iter().filter(|kernel| ***kernel == Kernel::Agrees).count();
    let differs = asked.iter().any(|kernel| matches!(kernel, Kernel::Differs(_)));
    match asked.len() {
        0 => (Tone::Faint, "not asked".to_owned()),
        all if agrees == all => (Tone::Good, format!("agrees {agrees}/{all}")),
        all if differs => (Tone::Bad, format!("differs, agrees {agrees}/{all}")),
        all => (Tone::Unsure, format!("could not be asked everywhere, agrees {agrees}/{all}")),
    }
}

/// Commands that show what stopped the packet, or where the kernel differs.
fn advice(topology: &Topology, walk: &Walk) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(stop) = &walk.stop {
        out.extend(stop.object.as_ref().map(|object| object.command(&stop.namespace)));
        let asked = walk.hops.iter().rfind(|hop| hop.namespace == stop.namespace);
        out.extend(asked.and_then(|hop| hop.question.as_ref()).map(ToString::to_string));
    }
    if walk.stop.is_some() || fault(topology, walk).is_some() {
        let about = |fip: &&FloatingIp| {
            let is = |address| fip.floating_ip == Some(address) || fip.fixed_ip == Some(address);
            is(walk.sent.src.into()) || is(walk.sent.dst.into())
        };
        let found = topology.fips().find(about);
        out.extend(found.and_then(|fip| fip.floating_ip.or(fip.fixed_ip)).map(|ip| format!("fipscope show {ip}")));
    }
    let differs = walk.hops.iter().filter(|hop| matches!(hop.kernel, Kernel::Differs(_)));
    out.extend(differs.filter_map(|hop| hop.question.as_ref()).map(ToString::to_string));
    out
}
