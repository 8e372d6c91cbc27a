//! One finding in full: what disagrees, where, what follows, what the agent
//! will do.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::{Pen, lines, wrap};
use crate::check::{Confidence, Finding};
use crate::net::{NetnsName, printable};
use crate::tui::judged::{agent, mark, name};
use crate::tui::state::Node;
use crate::tui::theme::Theme;
use crate::tui::words::{count, object_word, short};

/// Characters that are shown of one text from outside.
const LIMIT: usize = 1024;

/// A label, and a line of text behind it.
pub(in crate::tui) type Told = (&'static str, String, Style);

/// The column of what is told.
pub(super) const VALUE: u16 = 14;

/// Draws what there is room for below the head of a pane, from a line on, and says
/// how much more there is.
pub(super) fn scrolled(all: &[Told], from: usize, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let height = usize::from(area.height.saturating_sub(1));
    let from = from.min(all.len().saturating_sub(height));
    for (row, (label, text, style)) in lines(area).skip(1).zip(&all[from..]) {
        Pen::new(buffer, row).to(3).write(label, theme.title).to(VALUE).write(text, *style);
    }
    let below = all.len().saturating_sub(from + height);
    if below > 0 && height > 1 {
        let text = format!(" PgDn: {below} more ");
        let width = u16::try_from(text.len()).unwrap_or(0).min(area.width);
        let at = Rect { x: area.right() - width, y: area.bottom() - 1, width, height: 1 };
        Pen::new(buffer, at).write(&text, theme.dim);
    }
}

/// Lines as they are collected.
pub(super) struct Lines {
    width: usize,
    pub(super) all: Vec<Told>,
}

impl Lines {
    pub(super) fn new(width: usize) -> Self {
        Self { width, all: Vec::new() }
    }

    /// Says something in as many lines as it takes.
    pub(super) fn say(&mut self, label: &'static str, text: &str, style: Style) {
        for (at, line) in wrap(&printable(text, LIMIT), self.width).into_iter().enumerate() {
            self.all.push((if at == 0 { label } else { "" }, line, style));
        }
    }

    /// The two values that disagree.
    pub(super) fn values(&mut self, theme: &Theme, finding: &Finding) {
        if let Some(expected) = &finding.expected {
            self.say("expected", expected, theme.text);
        }
        if let Some(actual) = &finding.actual {
            self.say("found", actual, mark(finding).style(theme));
        }
    }

    /// What will become of it: by the agent, by hand.
    pub(super) fn outlook(&mut self, theme: &Theme, node: &Node, finding: &Finding) {
        if finding.confidence != Confidence::Unknown {
            self.say("agent", agent(finding.agent), theme.text);
        }
        let commands = node.judged.mend(&node.snapshot, finding).iter().flat_map(|command| command.lines());
        for (at, command) in commands.enumerate() {
            self.say(if at == 0 { "mend" } else { "" }, command, theme.key);
        }
    }
}

/// All of a finding, in lines of at most so many columns.
pub(in crate::tui) fn told(theme: &Theme, node: &Node, at: usize, width: usize) -> Vec<Told> {
    let judged = &node.judged;
    let Some(finding) = judged.findings.get(at) else { return Vec::new() };
    let mut out = Lines::new(width);
    out.say("says", &finding.message, mark(finding).style(theme));
    out.values(theme, finding);
    let place = finding.namespace.as_ref().map_or("the host itself", NetnsName::as_str);
    out.say("where", place, theme.text);
    out.say("object", &format!("{} {}", object_word(finding.object.kind), finding.object.key), theme.text);
    out.say("about", &about(finding), theme.text);
    if finding.confidence == Confidence::Inferred {
        out.say("known by", "reckoning, not by an object read", theme.text);
        for (at, question) in finding.questions.iter().enumerate() {
            out.say(if at == 0 { "ask" } else { "" }, &question.to_string(), theme.key);
        }
    }
    if let Some(root) = judged.findings.get(judged.root(at)).filter(|root| root.id != finding.id) {
        out.say("because of", &format!("{}: {}", name(root), root.message), theme.text);
    }
    let follow: Vec<String> = judged.followers(at).filter_map(|at| judged.findings.get(at)).map(name).collect();
    if !follow.is_empty() {
        let text = format!("{}: {}", count(follow.len(), "finding", "findings"), follow.join(", "));
        out.say("follows", &text, theme.text);
    }
    out.outlook(theme, node, finding);
    if let Some(name) = &finding.namespace {
        out.say("look with", &finding.object.command(name), theme.key);
    }
    out.all
}

fn about(finding: &Finding) -> String {
    let address = |address: Option<std::net::IpAddr>| address.map(|address| address.to_string());
    let mut parts = Vec::new();
    match (address(finding.floating_ip), address(finding.fixed_ip)) {
        (Some(floating), Some(fixed)) => parts.push(format!("floating IP {floating} of {fixed}")),
        (Some(floating), None) => parts.push(format!("floating IP {floating}")),
        (None, Some(fixed)) => parts.push(format!("fixed IP {fixed}")),
        (None, None) => {}
    }
    parts.extend(finding.router.as_ref().map(|router| format!("router {}", short(router))));
    parts.extend(finding.external_network.as_ref().map(|network| format!("network {}", short(network))));
    if parts.is_empty() { "this node".to_owned() } else { parts.join(", ") }
}
