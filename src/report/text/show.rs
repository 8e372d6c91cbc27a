//! `fipscope show`: where it stops, then link by link both ways.

use super::numbers::Numbers;
use super::{about, not_read, or_dash};
use crate::check::Standing;
use crate::net::{NetnsName, Snapshot};
use crate::report::Judged;
use crate::report::style::{Style, Tone, finding_mark, fip_mark, fip_word, link_mark, link_word};
use crate::topology::{Blind, ChainLink, Direction, FipKind, FloatingIp, LinkState, Topology};

/// Columns for a link's title.
const TITLE: usize = 14;

/// Columns before what a link comes to: indent, glyph, title.
const VALUE: usize = 4 + TITLE + 1;

/// The whole chain of one floating IP.
pub fn show(snapshot: &Snapshot, topology: &Topology, fip: &FloatingIp, judged: Judged<'_>, style: Style) -> String {
    let numbers = Numbers::of(topology);
    let standing = judged.standing(topology, fip);
    let mut out = headline(fip, &standing, style);
    for direction in [Direction::Outbound, Direction::Inbound] {
        out += &answer(fip, direction, style);
    }
    out.push('\n');
    out += &place(snapshot, topology, fip, style);
    out += &findings(&standing, style);
    for direction in [Direction::Outbound, Direction::Inbound] {
        out += &chain(fip, direction, &numbers, style);
    }
    let passes = |name: &NetnsName| fip.outbound.iter().chain(&fip.inbound).any(|link| link.namespace == *name);
    let on_the_way = |part: &&Blind| part.namespace.as_ref().is_none_or(passes);
    out + &not_read(topology.blind.iter().filter(on_the_way), style)
}

fn headline(fip: &FloatingIp, standing: &Standing<'_>, style: Style) -> String {
    let (glyph, tone) = fip_mark(standing.state);
    let addresses = format!("{} ⇄ {}", or_dash(fip.floating_ip), or_dash(fip.fixed_ip));
    format!(
        "{} {}   {}\n",
        style.paint(tone, glyph),
        style.paint(Tone::Strong, &addresses),
        style.paint(tone, fip_word(standing.state))
    )
}

/// One line that answers for a direction.
fn answer(fip: &FloatingIp, direction: Direction, style: Style) -> String {
    let links = fip.links(direction);
    let faulty = |link: &&ChainLink| matches!(link.state, LinkState::Missing | LinkState::Wrong);
    let stops = links.iter().find(|link| faulty(link) && !link.advisory);
    let suffers = links.iter().find(faulty);
    let unsure = links.iter().find(|link| link.state == LinkState::Unknown);
    let (glyph, tone, text) = match (stops, suffers, unsure) {
        (Some(link), ..) => {
            ("✗", Tone::Bad, format!("stops at {} in {}: {}", link.link.title(), link.namespace, link_word(link.state)))
        }
        (None, Some(link), _) => {
            let text = format!("passes, but {} in {} is {}", link.link.title(), link.namespace, link_word(link.state));
            ("!", Tone::Warning, text)
        }
        (None, None, Some(link)) => {
            ("?", Tone::Unsure, format!("cannot tell: {} in {} could not be judged", link.link.title(), link.namespace))
        }
        (None, None, None) if links.is_empty() => ("·", Tone::Faint, "no link to judge".to_owned()),
        (None, None, None) => {
            let judged = links.iter().filter(|link| link.state == LinkState::Ok).count();
            ("✓", Tone::Good, format!("all {judged} links hold"))
        }
    };
    let name = match direction {
        Direction::Outbound => "out",
        Direction::Inbound => "in ",
    };
    style.block(&format!("  {} {name} ", style.paint(tone, glyph)), 8, Tone::Plain, &text)
}

fn place(snapshot: &Snapshot, topology: &Topology, fip: &FloatingIp, style: Style) -> String {
    let kind = match fip.kind {
        FipKind::Distributed => "distributed",
        FipKind::Centralized => "centralized",
        FipKind::Legacy => "legacy",
    };
    let layout = topology.router(&fip.router).and_then(|router| router.layout);
    let layout = layout.map(|layout| format!(", layout {}", layout.word())).unwrap_or_default();
    let network = fip.external_network.as_deref().unwrap_or("not known here");
    let node = format!("{} · {}", snapshot.node, about(snapshot));
    let kind = format!("{kind}{layout}");
    let mut out = String::new();
    for (name, value) in
        [("router ", fip.router.as_str()), ("network", network), ("kind   ", &kind), ("node   ", &node)]
    {
        out += &style.block(&format!("{} ", style.paint(Tone::Faint, name)), 8, Tone::Plain, value);
    }
    out
}

/// What was found about it: `fipscope check` has the details.
fn findings(standing: &Standing<'_>, style: Style) -> String {
    if standing.findings.is_empty() {
        return String::new();
    }
    let mut out = style.heading("Findings");
    for finding in &standing.findings {
        let cause = finding.because_of.as_deref().and_then(|cause| cause.split('@').next());
        let cause = cause.map(|cause| format!(" (follows from {cause})")).unwrap_or_default();
        let (glyph, tone) = finding_mark(finding);
        let text = format!("{} {}: {}{cause}", finding.code, finding.name, finding.message);
        out += &style.marked((glyph, tone), &text);
    }
    out
}

fn chain(fip: &FloatingIp, direction: Direction, numbers: &Numbers, style: Style) -> String {
    let (floating, fixed) = (or_dash(fip.floating_ip), or_dash(fip.fixed_ip));
    let title = match direction {
        Direction::Outbound => format!("Outbound: {fixed} leaves as {floating}"),
        Direction::Inbound => format!("Inbound: {floating} arrives at {fixed}"),
    };
    let mut out = style.heading(&title);
    let mut place = None;
    for link in fip.links(direction) {
        if place != Some(&link.namespace) {
            out += &style.block("  ", 2, Tone::Faint, &link.namespace.to_string());
            place = Some(&link.namespace);
        }
        out += &link_lines(link, numbers, style);
    }
    out
}

fn link_lines(link: &ChainLink, numbers: &Numbers, style: Style) -> String {
    let (glyph, tone) = link_mark(link);
    let said = |text: &Option<String>| text.as_deref().map(|text| numbers.named(text));
    let broken = matches!(link.state, LinkState::Missing | LinkState::Wrong);
    let value = match link.state {
        LinkState::Missing | LinkState::Wrong => link_word(link.state).to_owned(),
        LinkState::NotApplicable => said(&link.actual).unwrap_or_else(|| "this layout has none".to_owned()),
        LinkState::Ok => said(&link.actual).unwrap_or_else(|| link.object.key.clone()),
        LinkState::Unknown => {
            let why = said(&link.actual).map(|why| format!(": {why}")).unwrap_or_default();
            format!("{}{why}", link_word(link.state))
        }
    };
    let title_tone = if broken { tone } else { Tone::Plain };
    let title = format!("{:<TITLE$}", link.link.title());
    let lead = format!("  {} {} ", style.paint(tone, glyph), style.paint(title_tone, &title));
    if link.state == LinkState::Ok {
        return style.brief(&lead, VALUE, &value);
    }
    let mut out = style.block(&lead, VALUE, tone, &value);
    if broken {
        let indent = " ".repeat(VALUE);
        let found = said(&link.actual).unwrap_or_else(|| "nothing".to_owned());
        out += &style.block(&indent, VALUE, Tone::Faint, link.link.about());
        if let Some(expected) = said(&link.expected) {
            out += &style.block(&format!("{indent}expected  "), VALUE + 10, Tone::Strong, &expected);
        }
        out += &style.block(&format!("{indent}found     "), VALUE + 10, Tone::Strong, &found);
    }
    out
}
