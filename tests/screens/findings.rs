//! The findings: listed, folded, explained; in the overview, the chain and the
//! walk. They are made by hand, for the article's node.

use fipscope::check::{AgentDoes, Applicability, Code, Confidence, Finding, Severity};
use fipscope::net::{Family, NetnsName, Observed, Rule, TableId};
use fipscope::neutron::Layout;
use fipscope::topology::scenario::{FG, FIP, QROUTER, Scenario};
use fipscope::topology::{Direction, LinkName, ObjectKind, ObjectRef};
use fipscope::tui::{Effect, FindingRow, FindingsView, Msg, Node, Page, Screen};
use insta::assert_snapshot;

use crate::article::{self, PUBLIC, ROUTER, SECOND, THIRD};
use crate::desk::Desk;

fn finding(code: u16, name: &'static str, severity: Severity, namespace: &str, object: (ObjectKind, &str)) -> Finding {
    let namespace = NetnsName::new(namespace);
    Finding {
        id: format!("DVR{code}@{namespace}/{}", object.1),
        code: Code(code),
        name,
        severity,
        confidence: Confidence::Proved,
        why_unknown: None,
        namespace: Some(namespace),
        object: ObjectRef { kind: object.0, key: object.1.to_owned() },
        router: None,
        external_network: None,
        floating_ip: None,
        fixed_ip: None,
        message: String::new(),
        expected: None,
        actual: None,
        because_of: None,
        agent: AgentDoes::Never,
        applicability: Applicability::None,
        mend: Vec::new(),
        questions: Vec::new(),
    }
}

fn about(finding: Finding, router: &str, floating: &str, fixed: &str, message: &str) -> Finding {
    Finding {
        router: Some(router.to_owned()),
        floating_ip: Some(floating.parse().unwrap()),
        fixed_ip: Some(fixed.parse().unwrap()),
        message: message.to_owned(),
        ..finding
    }
}

/// An error with two that follow, a warning, and one that could not be judged.
pub fn all() -> Vec<Finding> {
    let qrouter = |id: &str| format!("qrouter-{id}");
    let rule =
        finding(301, "floating-ip-rule-missing", Severity::Error, &qrouter(ROUTER), (ObjectKind::Rule, "10.0.0.9"));
    let mut rule = about(rule, ROUTER, "192.168.1.7", "10.0.0.9", "no rule sends 10.0.0.9 to table 16");
    rule.values("from 10.0.0.9 lookup 16, priority 32768..65535", "nothing for 10.0.0.9");
    let old = finding(405, "flows-left-by-snat", Severity::Warning, &qrouter(ROUTER), (ObjectKind::Nat, "10.0.0.9"));
    let mut old = about(old, ROUTER, "192.168.1.7", "10.0.0.9", "3 connections of 10.0.0.9 left as 192.168.1.5");
    old.because_of = Some(rule.id.clone());
    let back =
        finding(312, "reverse-path-refused", Severity::Error, &qrouter(ROUTER), (ObjectKind::Sysctl, "rp_filter"));
    let mut back = about(back, ROUTER, "192.168.1.7", "10.0.0.9", "rp_filter is 1 on rfp-ef25020f-0, not 2");
    back.because_of = Some(rule.id.clone());
    let neighbour = finding(
        701,
        "neighbour-failed",
        Severity::Warning,
        &format!("fip-{PUBLIC}"),
        (ObjectKind::Neigh, "169.254.31.238"),
    );
    let mut neighbour =
        about(neighbour, SECOND, "192.168.1.33", "30.0.0.4", "169.254.31.238 did not answer on fpr-b047c241-5");
    neighbour.agent(AgentDoes::NotApplicable);
    let blind = finding(401, "dnat-missing", Severity::Error, &qrouter(THIRD), (ObjectKind::Nat, "203.0.113.9"));
    let mut blind = about(blind, THIRD, "203.0.113.9", "10.8.0.5", "cannot tell: permission denied");
    blind.confidence = Confidence::Unknown;
    blind.why_unknown = Some("permission denied".to_owned());
    vec![rule, neighbour, blind, back, old]
}

pub fn node() -> Node {
    article::node().with(all())
}

fn desk(width: u16, height: u16) -> Desk {
    Desk::with(width, height, node())
}

fn shown(desk: &Desk) -> &FindingsView {
    match desk.state.above.last() {
        Some(Screen::Findings(view)) => view,
        other => panic!("no findings but {other:?}"),
    }
}

/// The code under the cursor, and how many rows there are.
fn at(desk: &Desk) -> (u16, usize) {
    let view = shown(desk);
    let findings = &desk.state.node.as_ref().unwrap().judged.findings;
    (findings[view.current().unwrap().at()].code.0, view.rows.len())
}

#[test]
fn findings_at_every_size() {
    for (width, height) in [(40, 10), (60, 20), (80, 24), (140, 40)] {
        assert_snapshot!(format!("findings-{width}x{height}"), desk(width, height).keys("fg<right>").screen());
    }
}

#[test]
fn ascii_and_no_colour_say_the_same() {
    let mut plain = desk(110, 30);
    plain.state.theme = fipscope::tui::theme::Theme::plain();
    assert_eq!(plain.keys("fg<right>").screen(), desk(110, 30).keys("fg<right>").screen());
    let mut ascii = desk(110, 30);
    ascii.state.theme.ascii = true;
    let ascii = ascii.keys("fg<right>");
    assert!(ascii.screen().is_ascii());
    assert_snapshot!("findings-ascii", ascii.screen());
}

#[test]
fn the_worst_stands_in_the_overview_the_chain_and_the_walk() {
    for (width, height) in [(60, 20), (80, 24), (140, 30)] {
        assert_snapshot!(format!("findings-overview-{width}x{height}"), desk(width, height).screen());
    }
    assert_snapshot!("findings-chain-80x24", desk(80, 24).keys("192.168.1.7<enter>").screen());
    assert_snapshot!("findings-chain-140x40", desk(140, 40).keys("192.168.1.7<enter>").screen());
    let walk = desk(140, 30).keys("192.168.1.7<enter>t<end>").screen();
    assert!(walk.contains("DVR301 floating-ip-rule-missing"), "{walk}");
}

#[test]
fn what_follows_is_folded_under_its_cause() {
    let desk = desk(100, 30).keys("fg");
    assert_eq!(at(&desk), (301, 3));
    let desk = desk.keys("<enter>");
    assert_eq!(at(&desk), (301, 5));
    let desk = desk.keys("j");
    assert_eq!(at(&desk), (312, 5));
    assert!(matches!(shown(&desk).current(), Some(FindingRow::Follower { last: false, .. })));
    // Folding a follower leads back to its cause.
    let desk = desk.keys("<left>");
    assert_eq!(at(&desk), (301, 3));
    // What has no followers opens its page at once.
    let desk = desk.keys("j<enter>");
    assert_eq!(desk.state.above.last(), Some(&Screen::Page(Page::of(Code(701)))));
    assert_eq!(at(&desk.keys("<esc>")), (701, 3));
}

#[test]
fn a_filter_finds_text_codes_routers_and_addresses() {
    for (filter, code, rows) in [
        ("floating-ip-rule", 301, 1),
        ("DVR701", 701, 1),
        ("7d1f00aa", 401, 1),
        ("192.168.1.33", 701, 1),
        ("permission", 401, 1),
        // A follower alone: shown under its cause.
        ("rp_filter", 312, 2),
    ] {
        let desk = desk(100, 30).keys(&format!("f/{filter}<enter>"));
        assert_eq!(at(&desk), (code, rows), "{filter}");
        assert_eq!(at(&desk.keys("<esc>")).1, 3, "Esc takes the filter away first");
    }
    let none = desk(100, 30).keys("f/nothing like it<enter>");
    assert!(none.screen().contains("No finding holds"), "{}", none.screen());
}

#[test]
fn ways_from_a_finding_lead_back_with_one_escape() {
    let desk = desk(140, 40).keys("fgc");
    let Some(Screen::Chain(chain)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    assert_eq!(chain.fip.floating.unwrap().to_string(), "192.168.1.7");
    assert!(desk.screen().contains("DVR301 floating-ip-rule-missing"), "{}", desk.screen());
    let desk = desk.keys("<esc>n");
    let Some(Screen::Namespace(raw)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    assert_eq!((raw.name.to_string(), raw.tab), (format!("qrouter-{ROUTER}"), fipscope::tui::Tab::Rules));
    let desk = desk.keys("<esc>x");
    assert_eq!(desk.state.above.last(), Some(&Screen::Page(Page::of(Code(301)))));
    let desk = desk.keys("<esc>Y");
    assert_eq!(at(&desk), (301, 3));
    assert_eq!(desk.effects, [Effect::Copy(format!("DVR301@qrouter-{ROUTER}/10.0.0.9"))]);
    assert!(desk.keys("<esc>").state.above.is_empty());
}

#[test]
fn the_cursor_stands_on_the_link_and_on_the_object() {
    // The first link that does not hold is another one: table 16, on the way out.
    let mut node = Scenario::article(Layout::Pike).without_route(QROUTER, TableId(16), "default").snapshot;
    let stray = Rule { from: Some("10.0.0.77/32".parse().unwrap()), ..Rule::lookup(Family::V4, 72_767, TableId(16)) };
    let Observed::Seen(rules) = &mut node.netns_mut(&QROUTER.into()).unwrap().rules else { panic!("not read") };
    rules.push(stray.clone());
    rules.sort();
    let Observed::Seen(links) = &mut node.netns_mut(&FIP.into()).unwrap().links else { panic!("not read") };
    for link in links.iter_mut().filter(|link| link.name.as_str() == FG) {
        link.ipv4.as_mut().unwrap().proxy_arp = false;
    }
    let desk = Desk::with(140, 40, Node::of(node)).keys("f/DVR508<enter>c");
    let Some(Screen::Chain(chain)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    let fip = chain.fip.find(&desk.state.node.as_ref().unwrap().topology).unwrap();
    let (direction, at) = chain.place(fip).unwrap();
    assert_eq!((direction, fip.links(direction)[at].link), (Direction::Inbound, LinkName::ProxyArp));
    let desk = desk.keys("<esc>");
    assert_eq!(self::at(&desk), (508, 1));
    let desk = desk.keys("<esc>/DVR303<enter>n");
    let Some(Screen::Namespace(raw)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    let line = &raw.lines[raw.view().list.cursor].text;
    assert!(raw.name.as_str() == QROUTER && line.contains("from 10.0.0.77 lookup 16"), "{line}");
    assert_eq!(self::at(&desk.keys("<esc>")), (303, 1));
}

#[test]
fn a_chain_that_no_check_names_is_told() {
    let node = Scenario::legacy(None).without_route(QROUTER, TableId::MAIN, "default").snapshot;
    let screen = Desk::with(100, 30, Node::of(node)).keys("f").screen();
    assert!(screen.contains("1 broken chain without a code"), "{screen}");
    assert!(!screen.contains("Nothing is wrong") && !screen.contains("did its part"), "{screen}");
}

#[test]
fn findings_open_at_what_is_in_sight() {
    assert_eq!(at(&desk(100, 30).keys("192.168.1.33<enter>f")), (701, 3));
    assert_eq!(at(&desk(100, 30).keys("203.0.113.9<esc>f")).0, 401);
    assert_eq!(at(&desk(100, 30).keys(":findings<enter>")).1, 3);
    // Opened again it is the same screen.
    assert_eq!(desk(100, 30).keys("fff").state.above.len(), 1);
}

#[test]
fn the_selection_survives_readings() {
    let mut desk = desk(100, 30).keys("fg<enter>jj");
    assert_eq!(at(&desk), (405, 5));
    desk.send(Msg::Node(Ok(node())));
    assert_eq!(at(&desk), (405, 5));
    // What is gone is gone; the cursor stays on something.
    let rest: Vec<Finding> = all().into_iter().filter(|finding| finding.code != Code(405)).collect();
    desk.send(Msg::Node(Ok(article::node().with(rest))));
    assert_eq!(at(&desk).1, 4);
    desk.send(Msg::Node(Ok(article::healthy().with(Vec::new()))));
    assert!(desk.screen().contains("this node did its part"), "{}", desk.screen());
}

#[test]
fn a_state_follows_from_a_finding_that_no_link_shows() {
    let mut found = all().swap_remove(0);
    found.floating_ip = Some("192.168.1.3".parse().unwrap());
    found.fixed_ip = Some("10.0.0.4".parse().unwrap());
    let desk = Desk::with(100, 30, article::healthy().with(vec![found]));
    assert!(desk.screen().contains("✗ 192.168.1.3"), "{}", desk.screen());
    let chain = desk.keys("192.168.1.3<enter>").screen();
    assert!(chain.contains("DVR301 floating-ip-rule-missing  no rule sends"), "{chain}");
}

#[test]
fn words_of_a_finding_cannot_steer_the_terminal() {
    let mut found = all();
    for finding in &mut found {
        "\u{1b}[2J\u{202e}".clone_into(&mut finding.message);
        finding.expected = Some("\u{9b}1m".to_owned());
        finding.object.key = "\u{1b}]0;t\u{7}".to_owned();
        finding.router = Some("\u{1b}c".to_owned());
    }
    let node = article::node().with(found);
    for keys in ["", "f", "f<right>j", "fx", "fn", "192.168.1.7<enter>", "192.168.1.7<enter>t<end>"] {
        let screen = Desk::with(120, 40, node.clone()).keys(keys).screen();
        assert!(!screen.contains(|c: char| c != '\n' && c.is_control()), "{keys}: {screen}");
        assert!(!screen.contains('\u{202e}'), "{keys}: {screen}");
    }
}

#[test]
fn a_page_is_read_and_scrolled() {
    let desk = desk(80, 24).keys(":explain dvr301<enter>");
    assert_eq!(desk.state.above.last(), Some(&Screen::Page(Page::of(Code(301)))));
    assert_snapshot!("findings-page-80x24", desk.screen());
    let scrolled = desk.keys("jj");
    assert_eq!(scrolled.state.above.last(), Some(&Screen::Page(Page { code: Code(301), scroll: 2 })));
    // Never past the end, and back at once.
    let end = scrolled.keys("G");
    assert!(end.screen().contains("Where this comes from"), "{}", end.screen());
    assert_eq!(end.keys("g").state.above.last(), Some(&Screen::Page(Page::of(Code(301)))));
}

#[test]
fn a_note_that_could_not_be_told_is_no_note() {
    let mut blind = all().swap_remove(2);
    (blind.severity, blind.floating_ip, blind.fixed_ip) = (Severity::Note, None, None);
    let desk = Desk::with(100, 24, article::healthy().with(vec![blind])).keys("f");
    let screen = desk.screen();
    assert!(screen.contains("? 1") && screen.contains(" ? 1 could not be judged"), "{screen}");
    assert!(!screen.contains("note") && !screen.contains("Nothing is wrong"), "{screen}");
    let counts = desk.state.node.as_ref().unwrap().judged.counts;
    assert_eq!((counts.unknown, counts.notes), (1, 0));
}

#[test]
fn the_overview_is_filtered_by_what_its_state_column_says() {
    for (words, listed) in
        [("DVR301", "192.168.1.7"), ("rule-missing", "192.168.1.7"), ("broken dvr301", "192.168.1.7")]
    {
        let desk = desk(100, 24).keys(&format!("/{words}<enter>"));
        assert_eq!(desk.selected(), listed, "{words}");
        assert!(!desk.screen().contains("192.168.1.33 "), "{words}: {}", desk.screen());
    }
}

#[test]
fn by_state_the_network_with_the_worst_comes_first() {
    let place = |desk: &Desk, id: &str| {
        let word = format!("network {}", &id[..8]);
        desk.screen().lines().position(|line| line.contains(&word)).unwrap_or_else(|| panic!("{}", desk.screen()))
    };
    let by_address = desk(140, 30);
    let first_is_public2 = place(&by_address, article::PUBLIC2) < place(&by_address, PUBLIC);
    assert!(first_is_public2, "{}", by_address.screen());
    let by_state = by_address.keys("ssss");
    assert!(place(&by_state, PUBLIC) < place(&by_state, article::PUBLIC2), "{}", by_state.screen());
    let turned = by_state.keys("S");
    assert!(place(&turned, article::PUBLIC2) < place(&turned, PUBLIC), "{}", turned.screen());
}
