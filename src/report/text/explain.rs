//! `fipscope explain`: a code's page, or all codes by family.

use crate::check::Check;
use crate::report::style::{Style, Tone};

/// What the families are about, by the first digit of their codes.
const FAMILIES: [(u16, &str); 9] = [
    (1, "Namespaces and the agent"),
    (2, "The pair between router and fip namespace"),
    (3, "Policy routing in the router"),
    (4, "Translation, connections, marks"),
    (5, "Routing and ARP in the fip namespace"),
    (6, "The external side"),
    (7, "East-west and neighbours"),
    (8, "SNAT, HA, centralized floating IPs"),
    (9, "Files and agreement"),
];

/// The page of a code, in Markdown, for a terminal: paragraphs are wrapped,
/// commands are left as they are.
pub fn explain(check: &Check, style: Style) -> String {
    let mut page = page(check.page, style);
    page.push('\n');
    let facts = [
        ("severity", check.severity.word().to_owned()),
        ("agent", check.agent.sentence().to_owned()),
        ("decided", check.decided_by.sentence().to_owned()),
    ];
    for (title, text) in facts {
        let lead = style.paint(Tone::Faint, &format!("{title:<10}"));
        page += &style.block(&lead, 10, Tone::Plain, &text);
    }
    page
}

/// All codes, family by family.
pub fn codes<'a>(checks: impl Iterator<Item = &'a Check>, style: Style) -> String {
    let checks: Vec<&Check> = checks.collect();
    let mut out = String::new();
    for (family, title) in FAMILIES {
        let own: Vec<&&Check> = checks.iter().filter(|check| check.code.family() == family).collect();
        if own.is_empty() {
            continue;
        }
        out += &style.heading(title);
        for check in own {
            let tone = severity_tone(check);
            let lead = format!("  {} {:<8}", style.paint(tone, &check.code.to_string()), check.severity.word());
            out += &style.block(&lead, 17, Tone::Plain, check.title);
        }
    }
    out.trim_start_matches('\n').to_owned()
        + &style.block("\n", 0, Tone::Faint, "fipscope explain CODE shows its page.")
}

fn severity_tone(check: &Check) -> Tone {
    match check.severity {
        crate::check::Severity::Error => Tone::Bad,
        crate::check::Severity::Warning => Tone::Warning,
        crate::check::Severity::Note => Tone::Faint,
    }
}

/// Markdown as far as the pages use it: headings, paragraphs, lists, blocks of code.
fn page(markdown: &str, style: Style) -> String {
    let mut out = String::new();
    let mut paragraph: Option<Paragraph> = None;
    let mut in_code = false;
    for line in markdown.lines() {
        let mark = Mark::of(line, in_code);
        let goes_on = mark == Mark::Text && paragraph.is_some();
        if !goes_on && let Some(paragraph) = paragraph.take() {
            out += &paragraph.lines(style);
        }
        match mark {
            Mark::Fence => in_code = !in_code,
            Mark::Code if line.trim().is_empty() => out.push('\n'),
            Mark::Code => {
                out.push_str("    ");
                out.push_str(&style.paint(Tone::Good, line.trim_end()));
                out.push('\n');
            }
            Mark::Blank => out.push('\n'),
            Mark::Heading(text) => out += &style.block("", 0, Tone::Strong, text),
            Mark::Item(text) => paragraph = Some(Paragraph { is_item: true, text: text.to_owned() }),
            Mark::Text => match &mut paragraph {
                Some(paragraph) => {
                    paragraph.text.push(' ');
                    paragraph.text.push_str(line.trim());
                }
                None => paragraph = Some(Paragraph { is_item: false, text: line.trim().to_owned() }),
            },
        }
    }
    out + &paragraph.map(|paragraph| paragraph.lines(style)).unwrap_or_default()
}

struct Paragraph {
    is_item: bool,
    text: String,
}

impl Paragraph {
    fn lines(&self, style: Style) -> String {
        let text = self.text.replace("**", "");
        if self.is_item { style.block("- ", 2, Tone::Plain, &text) } else { style.block("", 0, Tone::Plain, &text) }
    }
}

/// What a line of Markdown is.
#[derive(PartialEq, Eq)]
enum Mark<'a> {
    Fence,
    Code,
    Blank,
    Heading(&'a str),
    Item(&'a str),
    Text,
}

impl<'a> Mark<'a> {
    fn of(line: &'a str, in_code: bool) -> Self {
        if line.trim_start().starts_with("```") {
            return Self::Fence;
        }
        if in_code {
            return Self::Code;
        }
        let heading = line.trim_start_matches('#');
        match line.trim() {
            "" => Self::Blank,
            _ if heading.len() < line.len() && heading.starts_with(' ') => Self::Heading(heading.trim()),
            text => match text.strip_prefix("- ").or_else(|| text.strip_prefix("* ")) {
                Some(item) => Self::Item(item),
                None => Self::Text,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_wrapped_but_commands_are_not() {
        let long = "word ".repeat(20);
        let code = format!("ip -n qrouter-{} rule add", "e".repeat(80));
        let text = format!("# DVR301 x\n\n## What\n\n{long}\n{long}\n\n- one\n  more\n- two\n\n```sh\n{code}\n```\n");
        let page = page(&text, Style::default());
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines[..3], ["DVR301 x", "", "What"]);
        assert!(page.contains("\n- one more\n- two\n") && page.contains(&format!("\n    {code}\n")), "{page}");
        assert!(lines.iter().all(|line| line.len() <= 80 || line.contains(&code)), "{page}");
        assert!(!page.contains('`') && !page.contains('#'), "{page}");
    }
}
