//! Whole screens as text, at three sizes.

use fipscope::net::{NetnsName, Observed};
use fipscope::topology::NodeKind;
use fipscope::tui::theme::Theme;
use fipscope::tui::{Msg, Node};
use insta::{assert_debug_snapshot, assert_snapshot};
use ratatui::style::Color;

use crate::article;
use crate::desk::Desk;

const SIZES: [(u16, u16); 3] = [(60, 20), (80, 24), (140, 45)];

fn each_size(name: &str, keys: &str) {
    for (width, height) in SIZES {
        let desk = Desk::article(width, height).keys(keys);
        assert_snapshot!(format!("{name}-{width}x{height}"), desk.screen());
    }
}

#[test]
fn overview() {
    each_size("overview", "");
}

#[test]
fn chain_of_a_floating_ip_without_its_rule() {
    each_size("chain-rule-missing", "192.168.1.7<enter>");
}

#[test]
fn chain_inbound() {
    each_size("chain-inbound", "192.168.1.3<enter><tab>");
}

#[test]
fn routes_of_a_router_namespace() {
    each_size("raw-routes", "192.168.1.3<enter>n4");
}

#[test]
fn help_overlay() {
    assert_snapshot!(Desk::article(80, 24).keys("192.168.1.3<enter>?").screen());
}

#[test]
fn the_command_line_offers_what_there_is() {
    assert_snapshot!(Desk::article(80, 24).keys(":ns <down><down>").screen());
}

#[test]
fn rules_and_netfilter_raw() {
    let desk = Desk::article(80, 24).keys("192.168.1.3<esc>n3");
    assert_snapshot!("raw-rules-80x24", desk.screen());
    assert_snapshot!("raw-netfilter-80x24", desk.keys("5<right>").screen());
}

#[test]
fn ascii_says_the_same() {
    let mut desk = Desk::article(140, 30);
    desk.state.theme.ascii = true;
    let desk = desk.keys("192.168.1.7<enter>");
    assert!(desk.screen().is_ascii());
    assert_snapshot!(desk.screen());
}

#[test]
fn colour_carries_state_never_alone() {
    let coloured = Desk::article(60, 16);
    assert_debug_snapshot!("overview-styles", coloured.buffer());
    let mut plain = Desk::article(60, 16);
    plain.state.theme = Theme::plain();
    assert_debug_snapshot!("overview-no-colour", plain.buffer());
    assert_eq!(plain.screen(), coloured.screen());
    let bare = |cell: &ratatui::buffer::Cell| cell.fg == Color::Reset && cell.bg == Color::Reset;
    assert!(plain.buffer().content.iter().all(bare));
}

#[test]
fn empty_screens_say_what_to_do() {
    let screen = |node: Node| Desk::with(80, 20, node).screen();
    let with = |kind: NodeKind| {
        let mut topology = article::topology();
        topology.external_networks.clear();
        topology.routers.clear();
        topology.floating_ips.clear();
        topology.blind.clear();
        topology.kind = kind;
        Node::new(article::snapshot(), topology)
    };
    assert_snapshot!("empty-nothing-of-neutron", screen(with(NodeKind::None)));
    assert_snapshot!("empty-ovn", screen(with(NodeKind::Ovn)));
    let denied = NodeKind::Unknown("/run/netns: permission denied".to_owned());
    assert_snapshot!("empty-no-permission", screen(with(denied)));
    let mut topology = article::topology();
    topology.floating_ips.clear();
    assert_snapshot!("empty-no-floating-ips", screen(Node::new(article::snapshot(), topology)));
    assert_snapshot!("empty-filter", Desk::article(80, 20).keys("/nothing like it<enter>").screen());
    let mut failed = Desk::blank(80, 20);
    failed.send(Msg::Node(Err("/run/netns: permission denied".to_owned())));
    assert_snapshot!("empty-first-reading-failed", failed.screen());
}

#[test]
fn a_small_terminal_keeps_the_list() {
    assert_snapshot!("overview-40x10", Desk::article(40, 10).screen());
    assert_snapshot!("chain-40x10", Desk::article(40, 10).keys("192.168.1.7<enter>").screen());
}

/// Names and comments come from outside: nothing of them may steer the terminal.
#[test]
fn hostile_names_stay_text() {
    let evil = "qrouter-\u{1b}[2J\u{202e}x";
    let mut snapshot = article::snapshot();
    snapshot.namespaces.insert(NetnsName::from(evil), Observed::Unreadable("\u{1b}]0;t\u{7}".to_owned()));
    "\u{1b}[31mnode".clone_into(&mut snapshot.node);
    let mut topology = article::topology();
    topology.blind[0].namespace = Some(NetnsName::from(evil));
    "\u{9b}1m".clone_into(&mut topology.blind[0].why);
    for fip in topology.floating_ips.iter_mut().map(std::sync::Arc::make_mut) {
        "\u{1b}c\u{1b}c\u{1b}c".clone_into(&mut fip.router);
        fip.outbound[2].actual = Some("\u{1b}[2J".repeat(400));
        fip.outbound[2].evidence = vec!["\u{200b}\u{1b}[H".to_owned()];
    }
    let node = Node::new(snapshot, topology);
    for keys in [
        "",
        "192.168.1.7<enter>",
        ":ns qrouter-\\",
        "ggn",
        ":ns qrouter-\\u<enter>",
        "192.168.1.7<enter>t",
        "192.168.1.7<enter>c",
    ] {
        let screen = Desk::with(120, 40, node.clone()).keys(keys).screen();
        assert!(!screen.contains(|c: char| c != '\n' && c.is_control()), "{keys}: {screen}");
        assert!(!screen.contains(['\u{202e}', '\u{200b}']), "{keys}: {screen}");
    }
}

#[test]
fn the_last_place_and_the_age_are_told_on_a_narrow_screen() {
    for (keys, place) in [("192.168.1.3<enter>ef", "findings"), ("192.168.1.3<enter>efx", "DVR"), ("f", "findings")] {
        for width in [60, 80] {
            let desk = Desk::with(width, 20, crate::findings::node()).keys(keys);
            let header = desk.screen().lines().next().unwrap().to_owned();
            assert!(header.contains(place) && header.contains("read 4s ago"), "{header}");
            assert!(header.contains("comp") && header.contains("? 1"), "{header}");
        }
    }
}
