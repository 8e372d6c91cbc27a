//! `fipscope check`: how many root causes there are, then each with what is
//! wrong, what the L3 agent does about it and what mends it; or that this node
//! did its part, and where to look next.

use unicode_width::UnicodeWidthStr;

use super::{about, count, not_read};
use crate::check::{Confidence, Finding, Nameless, Severity, states};
use crate::net::Snapshot;
use crate::report::repair::Repair;
use crate::report::style::{Style, Tone, cut, finding_mark, fip_mark, fip_word};
use crate::report::{Counts, Group, Judged, Narrowed, Shown, nameless, subject};
use crate::topology::{Blind, FipState, FloatingIp, Topology};

/// Columns before the values of a finding.
const VALUE: usize = 14;

/// Consequences of one cause that are named by address at most.
const MOST: usize = 8;

/// What the checks found.
pub fn check(
    snapshot: &Snapshot,
    topology: &Topology,
    judged: Judged<'_>,
    narrowed: &Narrowed<'_>,
    passes: Option<&str>,
    style: Style,
) -> String {
    let shown = judged.shown(topology, narrowed);
    let page = Page { snapshot, findings: judged.findings, style };
    let nameless = if narrowed.pick.is_all() { nameless(topology, judged, narrowed) } else { Vec::new() };
    let mut out = page.head(&shown, &nameless, topology, narrowed);
    let mut after_note = false;
    for group in &shown.groups {
        let is_note = group.root.severity == Severity::Note;
        // Notes stand close together.
        out += if is_note && after_note { "" } else { "\n" };
        after_note = is_note;
        out += &page.group(group);
    }
    if !shown.acknowledged.is_empty() {
        out += &style.heading("Acknowledged on this node");
        for group in &shown.acknowledged {
            out += &page.line(group.root);
            out += &style.block("    ", 4, Tone::Faint, &group.root.id);
        }
    }
    out += &page.nameless(&nameless);
    if !shown.has_faults() && !shown.has_doubts() && narrowed.pick.is_all() && nameless.is_empty() {
        let states = states(topology, judged.findings);
        let standings = topology.fips().zip(&states).filter(|(fip, _)| narrowed.takes(fip));
        let not_whole: Vec<(&FloatingIp, FipState)> = standings
            .map(|(fip, standing)| (fip, standing.state))
            .filter(|(_, state)| *state != FipState::Ok)
            .collect();
        out += &match not_whole.as_slice() {
            [] => page.clean(topology, narrowed, passes),
            some => page.chains(some),
        };
    }
    if narrowed.floating_ip.is_none() {
        out += &not_read(topology.blind.iter().filter(|part: &&Blind| part.hides_floating_ips()), style);
    }
    out
}

struct Page<'a> {
    snapshot: &'a Snapshot,
    findings: &'a [Finding],
    style: Style,
}

impl Page<'_> {
    fn head(
        &self,
        shown: &Shown<'_>,
        nameless: &[Nameless<'_>],
        topology: &Topology,
        narrowed: &Narrowed<'_>,
    ) -> String {
        let style = self.style;
        let node = cut(&style.plain(&self.snapshot.node), 40, style.ascii);
        let lead = format!("{}   ", style.ink(Tone::Strong, &node));
        let mut out = style.block(&lead, node.width() + 3, Tone::Plain, &about(self.snapshot));
        let fips = || count(topology.fips().filter(|fip| narrowed.takes(fip)).count(), "floating IP");
        let looked = match (narrowed.floating_ip, narrowed.router, narrowed.external_network) {
            (Some(fip), ..) => format!("floating IP {}", crate::report::addresses(fip)),
            (None, Some(router), _) => format!("router {}, {}", router.id, fips()),
            (None, None, Some(network)) => format!("external network {}, {}", network.id, fips()),
            (None, None, None) => format!("{}, {}", fips(), count(topology.routers.len(), "router")),
        };
        let mut parts = tally(shown.counts());
        if !nameless.is_empty() {
            parts.push((("✗", Tone::Bad), format!("{} without a code", count(nameless.len(), "broken chain"))));
        }
        let parts: Vec<String> =
            parts.iter().map(|(mark, text)| style.paint(mark.1, &format!("{} {text}", mark.0))).collect();
        let found = if parts.is_empty() { style.paint(Tone::Good, "✓ nothing found") } else { parts.join("   ") };
        out.push_str(&found);
        out.push('\n');
        let asked = match narrowed.asked {
            Some(number) => format!("; {} asked on the wire", count(number, "question")),
            None => String::new(),
        };
        out + &style.block("", 0, Tone::Faint, &format!("in {looked}{asked}"))
    }

    fn group(&self, group: &Group<'_>) -> String {
        let mut out = self.line(group.root);
        out += &self.details(group.root);
        out + &self.consequences(group)
    }

    /// Glyph, code, name, and what it is about.
    fn line(&self, finding: &Finding) -> String {
        let style = self.style;
        let (glyph, tone) = finding_mark(finding);
        let about = subject(finding).map(|subject| style.plain(&format!("   {subject}"))).unwrap_or_default();
        let code = format!("{} {}", finding.code, finding.name);
        let lead = format!("{} {}", style.paint(tone, glyph), style.paint(tone, &code));
        if 2 + code.width() + about.width() <= style.width {
            return format!("{lead}{about}\n");
        }
        format!("{lead}\n{}", style.block("    ", 4, Tone::Plain, about.trim_start()))
    }

    fn details(&self, finding: &Finding) -> String {
        let style = self.style;
        if finding.severity == Severity::Note {
            return style.block("    ", 4, Tone::Plain, &finding.message);
        }
        let mut out = style.block("    ", 4, Tone::Strong, &finding.message);
        let place = finding.namespace.as_ref().map_or_else(|| "this node".to_owned(), ToString::to_string);
        let object = format!("{place}: {} {}", finding.object.kind.title(), finding.object.key);
        out += &self.entry("in", Tone::Plain, &object);
        if let Some(expected) = &finding.expected {
            out += &self.entry("expected", Tone::Plain, expected);
        }
        if let Some(actual) = &finding.actual {
            out += &self.entry("found", Tone::Plain, actual);
        }
        if finding.confidence == Confidence::Inferred {
            out += &self.entry("known", Tone::Faint, "by reckoning; nobody was asked");
            for question in &finding.questions {
                // Not wrapped, so that it can be copied.
                out += &style.paint(Tone::Faint, "    ask       ");
                out += &style.plain(&question.to_string());
                out.push('\n');
            }
        }
        if finding.is_fault() {
            out += &self.entry("agent", Tone::Plain, finding.agent.sentence());
        }
        let repair = Repair::of(finding, self.findings, self.snapshot);
        for (at, command) in repair.commands.iter().enumerate() {
            // Not wrapped, so that it can be copied.
            let title = if at == 0 { "mend" } else { "" };
            let lead = style.paint(Tone::Faint, &format!("    {title:<10}"));
            out.push_str(&lead);
            out.push_str(&style.paint(Tone::Good, command));
            out.push('\n');
        }
        for sentence in &repair.by_hand {
            out += &self.entry("by hand", Tone::Plain, sentence);
        }
        if let Some(cause) = &finding.because_of {
            out += &self.entry("because", Tone::Faint, cause);
        }
        out
    }

    fn entry(&self, title: &str, tone: Tone, text: &str) -> String {
        let lead = self.style.paint(Tone::Faint, &format!("    {title:<10}"));
        self.style.block(&lead, VALUE, tone, text)
    }

    /// `and 3 that follow: …`.
    fn consequences(&self, group: &Group<'_>) -> String {
        let number = group.consequences.len();
        if number == 0 {
            return String::new();
        }
        let named: Vec<String> = group
            .consequences
            .iter()
            .take(MOST)
            .map(|finding| match finding.floating_ip.or(finding.fixed_ip) {
                Some(address) => format!("{} {address}", finding.code),
                None => finding.code.to_string(),
            })
            .collect();
        let verb = if number == 1 { "that follows" } else { "that follow" };
        let more = if number > MOST { format!(" and {} more", number - MOST) } else { String::new() };
        self.style.block("    ", 4, Tone::Faint, &format!("and {number} {verb}: {}{more}", named.join(", ")))
    }

    /// Links that do not hold, and no check says why.
    fn nameless(&self, all: &[Nameless<'_>]) -> String {
        let mut out = String::from(if all.is_empty() { "" } else { "\n" });
        for one in all.iter().take(MOST) {
            out += &self.style.marked(fip_mark(one.state), &one.sentence());
        }
        if all.len() > MOST {
            out += &self.style.block("  ", 2, Tone::Plain, &format!("and {} more", all.len() - MOST));
        }
        out
    }

    /// What these chains depend on could not be judged.
    fn chains(&self, fips: &[(&FloatingIp, FipState)]) -> String {
        let mut out = String::from("\n");
        for (fip, state) in fips.iter().take(MOST) {
            let text = format!(
                "{} is {}, by its chain: fipscope show has the link",
                crate::report::addresses(fip),
                fip_word(*state)
            );
            out += &self.style.marked(fip_mark(*state), &text);
        }
        if fips.len() > MOST {
            out += &self.style.block("  ", 2, Tone::Plain, &format!("and {} more", fips.len() - MOST));
        }
        out
    }

    /// Nothing is wrong here: what that means, and where to look next.
    fn clean(&self, topology: &Topology, narrowed: &Narrowed<'_>, passes: Option<&str>) -> String {
        let style = self.style;
        let Some(fip) = narrowed.floating_ip else {
            if !topology.fips().any(|fip| narrowed.takes(fip)) {
                return String::new();
            }
            let which = if narrowed.is_wide() { "that it has" } else { "there" };
            let text = format!("This node did its part for every floating IP {which}.");
            return style.block("\n", 0, Tone::Plain, &text);
        };
        let mut out = style.heading("This node did its part");
        out +=
            &style.block("", 0, Tone::Plain, "Every link of the chain holds, both ways, and no check finds a fault.");
        if let Some(passes) = passes {
            out += &style.block("", 0, Tone::Plain, passes);
        }
        out += &style.heading("If there is no traffic all the same, look next at");
        let fixed = fip.fixed_ip.map_or_else(|| "the fixed IP".to_owned(), |ip| ip.to_string());
        for text in [
            format!(
                "security groups: is what you send allowed in, and is it IPv4 (openstack port list --fixed-ip ip-address={fixed})"
            ),
            "port security: does the instance send with the address and MAC of its port, or of an allowed address pair"
                .to_owned(),
            format!("the guest: has it {fixed}, its gateway, a program that listens, and no firewall of its own"),
            "outside: does the external gateway know the floating IP's MAC, and does the fabric carry it to this node"
                .to_owned(),
        ] {
            out += &style.marked(("·", Tone::Faint), &text);
        }
        out
    }
}

/// What there is of each kind, for people: only what there is.
fn tally(counts: Counts) -> Vec<((&'static str, Tone), String)> {
    let parts = [
        (("✗", Tone::Bad), counts.errors, "error"),
        (("!", Tone::Warning), counts.warnings, "warning"),
        (("·", Tone::Faint), counts.notes, "note"),
    ];
    let mut out: Vec<_> = parts
        .into_iter()
        .filter(|(_, number, _)| *number > 0)
        .map(|(mark, number, noun)| (mark, count(number, noun)))
        .collect();
    if counts.unknown > 0 {
        out.push((("?", Tone::Unsure), format!("{} not told", counts.unknown)));
    }
    if counts.acknowledged > 0 {
        out.push((("·", Tone::Faint), format!("{} acknowledged", counts.acknowledged)));
    }
    out
}
