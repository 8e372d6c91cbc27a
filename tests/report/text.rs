//! Text: snapshots of each state, and laws that hold of all of them.

use fipscope::net::{IfName, NetnsName, Snapshot};
use fipscope::report::style::Style;
use fipscope::report::text::{diff, list, show, written};
use fipscope::topology::{NodeKind, Topology};
use insta::assert_snapshot;
use unicode_width::UnicodeWidthStr;

use crate::article::{broken, empty, healthy, router, snapshot, unjudged};

/// Every text of a topology.
fn texts(topology: &Topology, style: Style) -> Vec<String> {
    let snapshot = snapshot();
    let mut texts =
        vec![list(&snapshot, topology, unjudged(), style), written(&snapshot, topology, "node.json", style)];
    texts.extend(topology.floating_ips.iter().map(|fip| show(&snapshot, topology, fip, unjudged(), style)));
    texts
}

fn topologies() -> Vec<Topology> {
    let mut many = broken();
    many.routers.push(router("ef25020f-012d-41d6-a36e-f2f09cb8ea62"));
    many.external_networks[0].gateway_port = None;
    let mut hostile = broken();
    hostile.node = "evil\u{1b}[2J".repeat(20);
    hostile.external_networks[0].id = format!("\u{202e}{}", "長".repeat(100));
    let first = std::sync::Arc::make_mut(&mut hostile.floating_ips[0]);
    first.router = "x".repeat(300);
    first.outbound[0].namespace = NetnsName::new("長".repeat(80));
    first.outbound[1].actual = Some(format!("\u{9b}{}", "y".repeat(500)));
    hostile.routers[0].internal[0].device = IfName::new("\u{7}bell");
    let unknown = Topology { kind: NodeKind::Unknown("permission denied".to_owned()), ..empty() };
    vec![empty(), healthy(), broken(), many, hostile, unknown, Topology { kind: NodeKind::Ovn, ..empty() }]
}

#[test]
fn healthy_list() {
    assert_snapshot!(list(&snapshot(), &healthy(), unjudged(), Style::default()));
}

#[test]
fn broken_list() {
    assert_snapshot!(list(&snapshot(), &broken(), unjudged(), Style::default()));
}

#[test]
fn broken_list_in_a_wide_terminal() {
    assert_snapshot!(list(&snapshot(), &broken(), unjudged(), Style { width: 160, ..Style::default() }));
}

#[test]
fn broken_list_in_ascii() {
    assert_snapshot!(list(&snapshot(), &broken(), unjudged(), Style { ascii: true, ..Style::default() }));
}

#[test]
fn empty_list() {
    assert_snapshot!(list(&snapshot(), &empty(), unjudged(), Style::default()));
}

#[test]
fn healthy_show() {
    let topology = healthy();
    assert_snapshot!(show(&snapshot(), &topology, &topology.floating_ips[0], unjudged(), Style::default()));
}

#[test]
fn broken_show() {
    let topology = broken();
    assert_snapshot!(show(&snapshot(), &topology, &topology.floating_ips[1], unjudged(), Style::default()));
}

#[test]
fn unknown_show_in_ascii() {
    let topology = broken();
    assert_snapshot!(show(
        &snapshot(),
        &topology,
        &topology.floating_ips[3],
        unjudged(),
        Style { ascii: true, ..Style::default() }
    ));
}

#[test]
fn tables_that_are_named_by_an_address_say_so() {
    let mut topology = healthy();
    let default = std::sync::Arc::make_mut(&mut topology.floating_ips[0]).outbound.last_mut().unwrap();
    default.actual = Some("default via 192.168.1.1 dev fg-b2b77eed-1b table 2852003613".to_owned());
    let text =
        show(&snapshot(), &topology, &topology.floating_ips[0], unjudged(), Style { width: 160, ..Style::default() });
    assert!(text.contains("table 2852003613 (router ef25020f, fpr 169.254.31.29)"), "{text}");
}

#[test]
fn no_difference() {
    let text = diff(&snapshot(), &snapshot(), &[], 0, Style::default());
    assert!(text.ends_with("no difference\n"), "{text}");
    let text = diff(&snapshot(), &snapshot(), &[], 2, Style::default());
    assert!(text.ends_with("no difference; 2 learned neighbours came, went or were confirmed\n"), "{text}");
}

#[test]
fn everything_fits_eighty_columns() {
    for topology in topologies() {
        for style in [Style::default(), Style { ascii: true, ..Style::default() }] {
            for text in texts(&topology, style) {
                let long = text.lines().find(|line| line.width() > 80);
                assert_eq!(long, None, "in\n{text}");
                assert!(text.lines().all(|line| !line.ends_with(' ')), "blanks at the end in\n{text}");
            }
        }
    }
}

#[test]
fn without_colour_it_says_the_same() {
    for topology in topologies() {
        let plain = texts(&topology, Style::default());
        for (plain, coloured) in plain.iter().zip(texts(&topology, Style { colour: true, ..Style::default() })) {
            assert!(coloured.contains("\u{1b}["), "no colour in\n{coloured}");
            assert_eq!(without_colour(&coloured), *plain);
        }
    }
}

#[test]
fn nothing_but_our_colours_reaches_the_terminal() {
    for topology in topologies() {
        for text in texts(&topology, Style { colour: true, ..Style::default() }) {
            let text = without_colour(&text);
            let acts = text.chars().find(|c| *c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}')));
            assert_eq!(acts, None, "in\n{text}");
        }
        for text in texts(&topology, Style { ascii: true, ..Style::default() }) {
            assert!(text.is_ascii(), "{text}");
        }
    }
}

#[test]
fn a_node_of_another_kind_says_what_to_look_at() {
    let said = |kind| {
        list(&Snapshot::empty("n", snapshot().taken_at), &Topology { kind, ..empty() }, unjudged(), Style::default())
    };
    assert!(said(NodeKind::Ovn).contains("ovn-nbctl lr-nat-list"));
    assert!(said(NodeKind::None).contains("fipscope lab"));
    assert!(said(NodeKind::Unknown("permission denied".to_owned())).contains("permission denied"));
}

/// The laws above for one text.
pub(crate) fn lawful(text: impl Fn(Style) -> String) {
    let (plain, coloured) = (text(Style::default()), text(Style { colour: true, ..Style::default() }));
    let ascii = text(Style { ascii: true, ..Style::default() });
    assert_eq!(without_colour(&coloured), plain);
    assert!(coloured.contains("\u{1b}[") && ascii.is_ascii(), "{coloured}\n{ascii}");
    for text in [&plain, &ascii] {
        assert_eq!(text.lines().find(|line| line.width() > 80 || line.ends_with(' ')), None, "in\n{text}");
        let acts = text.chars().find(|c| *c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}')));
        assert_eq!(acts, None, "in\n{text}");
    }
}

/// Takes away the sequences that we write ourselves: `ESC [ digits ; digits m`.
fn without_colour(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut out, part| {
        let (code, rest) = part.split_once('m').unwrap_or_else(|| panic!("not ours: {part:?}"));
        assert!(code.chars().all(|c| c.is_ascii_digit() || c == ';'), "not ours: {code:?}");
        out.push_str(rest);
        out
    })
}
