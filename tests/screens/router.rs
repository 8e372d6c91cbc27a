//! The router screen: its three classes of traffic, drawn and listed.

use fipscope::tui::{Band, Msg, RouterView, Screen};
use insta::assert_snapshot;

use crate::article;
use crate::desk::Desk;

fn shown(desk: &Desk) -> &RouterView {
    match desk.state.above.last() {
        Some(Screen::Router(view)) => view,
        other => panic!("no router but {other:?}"),
    }
}

#[test]
fn a_router_at_a_glance() {
    for (width, height) in [(40, 10), (60, 20), (80, 24), (110, 34), (160, 45)] {
        let desk = Desk::article(width, height).keys("192.168.1.3<enter>R");
        assert_snapshot!(format!("router-{width}x{height}"), desk.screen());
    }
    assert_snapshot!("router-fip", Desk::article(140, 45).keys("192.168.1.3<enter>RG").screen());
}

#[test]
fn ascii_says_the_same() {
    let mut desk = Desk::article(110, 34);
    desk.state.theme.ascii = true;
    let desk = desk.keys("192.168.1.3<enter>R");
    assert!(desk.screen().is_ascii());
    assert_snapshot!("router-ascii", desk.screen());
}

#[test]
fn keys_go_through_ways_and_classes() {
    let desk = Desk::article(140, 45).keys("192.168.1.3<enter><esc>R");
    assert_eq!(shown(&desk).id, article::ROUTER);
    assert_eq!(shown(&desk).current(), Some((Band::EastWest, 0)));
    let desk = desk.keys("<right>");
    assert_eq!(shown(&desk).current(), Some((Band::Snat, 0)));
    let desk = desk.keys("j<right>");
    assert_eq!(shown(&desk).current(), Some((Band::Fip, 0)));
    let desk = desk.keys("<left>j");
    assert_eq!(shown(&desk).current(), Some((Band::Snat, 1)));
    // A floating IP's way opens its chain, or its walk; another its namespace.
    let desk = desk.keys("<enter>");
    assert!(matches!(desk.state.above.last(), Some(Screen::Namespace(_))), "{:?}", desk.state.above);
    let desk = desk.keys("<esc>G<enter>");
    assert!(matches!(desk.state.above.last(), Some(Screen::Chain(_))), "{:?}", desk.state.above);
    let desk = desk.keys("<esc>t");
    assert!(matches!(desk.state.above.last(), Some(Screen::Walk(_))), "{:?}", desk.state.above);
    assert!(matches!(desk.keys("<esc><esc>").state.above.last(), None | Some(Screen::Chain(_))));
}

#[test]
fn the_way_stays_selected_when_the_node_is_read_again() {
    let mut desk = Desk::article(140, 45).keys("192.168.1.7<enter>RG");
    let fip = |desk: &Desk| {
        let fip = shown(desk).current_fip(&desk.state.node.as_ref().unwrap().topology).unwrap();
        fip.fixed_ip.unwrap().to_string()
    };
    assert_eq!(fip(&desk), "10.0.0.9");
    let mut topology = article::topology();
    topology.floating_ips.retain(|fip| fip.fixed_ip.unwrap().to_string() != "10.0.0.4");
    desk.send(Msg::Node(Ok(fipscope::tui::Node::new(article::snapshot(), topology))));
    assert_eq!(fip(&desk), "10.0.0.9");
    desk.send(Msg::Node(Ok(fipscope::tui::Node::new(article::snapshot(), {
        let mut topology = article::topology();
        topology.routers.clear();
        topology
    }))));
    assert!(desk.screen().contains("is not on this node any more"), "{}", desk.screen());
}
