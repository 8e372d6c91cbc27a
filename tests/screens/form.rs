//! The form for an association: typed, offered, judged as one types.

use fipscope::net::{IfName, Neigh, NeighState, Observed, WireAnswer, WireQuestion, WireReply};
use fipscope::neutron::Layout;
use fipscope::plan::{Action, AnnounceBy};
use fipscope::topology::scenario::{QR, QROUTER, ROUTER, Scenario};
use fipscope::tui::theme::Theme;
use fipscope::tui::{Effect, Field, Form, Msg, Node, Screen, Wanted};
use insta::assert_snapshot;

use crate::desk::Desk;
use crate::proposal::{live, shown as plan};

/// The article's node with three instances, one of which has a floating IP.
fn node() -> Node {
    let neigh = |address: &str, state| Neigh {
        dev: IfName::from(QR),
        address: address.parse().unwrap(),
        mac: Some("fa:16:3e:11:22:33".parse().unwrap()),
        state,
        proxy: false,
    };
    let scenario = Scenario::article(Layout::Pike).with_second_router(Layout::Pike).edit(QROUTER, |netns| {
        if let Observed::Seen(neighs) = &mut netns.neighs {
            neighs.push(neigh("10.0.0.77", NeighState::Permanent));
            neighs.push(neigh("10.0.0.78", NeighState::Reachable));
            neighs.push(neigh("10.0.0.79", NeighState::Failed));
        }
    });
    Node::of(scenario.snapshot)
}

fn desk(width: u16, height: u16) -> Desk {
    live(width, height, node()).keys("192.168.1.3<enter><esc>a")
}

fn form(desk: &Desk) -> &Form {
    match desk.state.above.last() {
        Some(Screen::Form(form)) => form,
        other => panic!("no form but {other:?}"),
    }
}

#[test]
fn the_form_at_every_size() {
    for (width, height) in [(40, 10), (60, 20), (80, 24), (140, 40)] {
        let desk = desk(width, height).keys("192.168.1.77<tab>10.0.0.7<down>");
        assert_snapshot!(format!("form-{width}x{height}"), desk.screen());
    }
    assert_snapshot!("form-refused-80x24", desk(80, 24).keys("192.168.1.3<tab>10.0.0.77").screen());
    assert_snapshot!("form-neutron-80x24", desk(80, 24).keys("192.168.1.77<tab>10.0.0.77<tab><tab><down>").screen());
}

#[test]
fn ascii_and_no_colour_say_the_same() {
    let keys = "192.168.1.77<tab>10.0.0.7<down>";
    let mut plain = desk(80, 24);
    plain.state.theme = Theme::plain();
    assert_eq!(plain.keys(keys).screen(), desk(80, 24).keys(keys).screen());
    let mut ascii = desk(80, 24);
    ascii.state.theme.ascii = true;
    assert!(ascii.keys(keys).screen().is_ascii());
}

#[test]
fn it_opens_with_the_router_in_sight() {
    assert_eq!(form(&desk(80, 24)).text(Field::Router), ROUTER);
    let chain = live(80, 24, node()).keys("192.168.1.33<enter>:router b047<enter>a");
    assert!(form(&chain).text(Field::Router).starts_with("b047c241"), "{:?}", form(&chain));
}

#[test]
fn instances_without_a_floating_ip_are_offered() {
    let desk = desk(80, 24).keys("192.168.1.77<tab>");
    let texts = |desk: &Desk| form(desk).offers.iter().map(|offer| offer.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&desk)[..2], ["10.0.0.77", "10.0.0.78"]);
    let desk = desk.keys("<down><down>");
    assert_eq!(form(&desk).text(Field::FixedIp), "10.0.0.78");
    assert_eq!(form(&desk).chosen, Some(1));
    // What is chosen stays where the node is read again.
    let mut desk = desk;
    desk.send(Msg::Node(Ok(node())));
    assert_eq!((form(&desk).chosen, form(&desk).offers.len()), (Some(1), 4));
    // Typed, it narrows them.
    let desk = desk.keys("<ctrl-u>10.0.0.77");
    assert_eq!(texts(&desk), ["10.0.0.77"]);
    let desk = desk.keys("<tab><ctrl-u><up>");
    assert_eq!(form(&desk).offers.len(), 2, "routers");
}

#[test]
fn enter_shows_the_plan_once_there_is_one() {
    // Nothing is typed: Enter goes on to the next field.
    let desk = desk(100, 30).keys("<enter>");
    assert_eq!(form(&desk).field, Field::FixedIp);
    let desk = desk.keys("<shift-tab>192.168.1.77<enter>10.0.0.77");
    assert!(form(&desk).verdict.is_ok(), "{:?}", form(&desk).verdict);
    let desk = desk.keys("<enter>");
    let Wanted::Associated(wanted) = &plan(&desk).wanted else { panic!("{:?}", plan(&desk).wanted) };
    assert_eq!(
        (wanted.floating_ip.to_string(), wanted.fixed_ip.to_string()),
        ("192.168.1.77".into(), "10.0.0.77".into())
    );
    assert_snapshot!("plan-associate-100x30", desk.screen());
    // Esc goes back to the form as it was left, and from there to the screen before.
    let desk = desk.keys("<esc>");
    assert_eq!(form(&desk).text(Field::FixedIp), "10.0.0.77");
    assert!(desk.keys("<esc>").state.above.is_empty());
}

#[test]
fn an_association_is_carried_out_when_its_word_is_typed() {
    let desk = desk(100, 30).keys("192.168.1.77<tab>10.0.0.77<tab><tab><down><enter>");
    let order = plan(&desk).order.clone().unwrap();
    assert_eq!(order.consent().as_deref(), Some("192.168.1.77"));
    assert_eq!(order.aim.deliver, ["192.168.1.77".parse::<std::net::IpAddr>().unwrap()]);
    let question = asked(&desk);
    // The word is typed while the wire is asked; nothing is done before it answers.
    let mut desk = desk.keys("<enter>192.168.1.77<enter>");
    assert_eq!(desk.effects.len(), 1, "{:?}", desk.effects);
    assert!(desk.screen().contains("is still being asked"), "{}", desk.screen());
    desk.send(Msg::Taken(question, WireAnswer::Silent));
    assert!(desk.screen().contains("✓ Nobody on the external network answers for 192.168.1.77."), "{}", desk.screen());
    let desk = desk.keys("<enter>192.168.1.77<enter>");
    assert_eq!(desk.effects[1..], [Effect::Apply(order)]);
}

#[test]
fn the_article_announces_by_the_address_itself() {
    for (width, height) in [(60, 20), (80, 24)] {
        let desk = desk(width, height).keys("192.168.1.77<tab>10.0.0.77<tab><tab><tab><down>");
        assert_eq!(form(&desk).field, Field::Announce);
        assert_snapshot!(format!("form-announce-{width}x{height}"), desk.screen());
        // Typed is nothing there; the other way goes back.
        let desk = desk.keys("x");
        assert_eq!(form(&desk).announce, AnnounceBy::Address);
        assert_eq!(form(&desk.keys("<up>")).announce, AnnounceBy::Repeat);
    }
    let desk = desk(100, 30).keys("192.168.1.77<tab>10.0.0.77<tab><tab><tab><down><enter>");
    let order = plan(&desk).order.clone().unwrap();
    let last = order.plan.to_do().last().unwrap();
    assert!(matches!(last.action, Action::Announce { by: AnnounceBy::Address, .. }), "{last:?}");
    let command = last.command();
    let at = |words: &str| command.find(words).unwrap_or_else(|| panic!("{words}: {command}"));
    assert!(at("addr add 192.168.1.77/32") < at("arping") && at("arping") < at("addr del 192.168.1.77/32"));
}

/// What the wire was asked last.
fn asked(desk: &Desk) -> WireQuestion {
    match desk.effects.last() {
        Some(Effect::AskTaken(question)) => question.clone(),
        other => panic!("nothing is asked but {other:?}"),
    }
}

#[test]
fn an_address_that_somebody_has_is_not_associated() {
    let desk = desk(100, 30).keys("192.168.1.77<tab>10.0.0.77<enter>");
    assert!(
        desk.screen().contains("? Asking the external network whether somebody has 192.168.1.77"),
        "{}",
        desk.screen()
    );
    let question = asked(&desk);
    let reply = WireReply { mac: "d2:ba:1e:28:7f:37".parse().unwrap(), rtt: 300 };
    // The answer comes while the word is typed: that ends it.
    let mut desk = desk.keys("<enter>192.168.1.7");
    desk.send(Msg::Taken(question.clone(), WireAnswer::Answered(vec![reply])));
    assert!(desk.state.prompt.is_none());
    assert!(desk.screen().contains("d2:ba:1e:28:7f:37 answers for it"), "{}", desk.screen());
    assert_snapshot!("plan-taken-100x30", desk.screen());
    assert!(plan(&desk).order.is_err());
    // Another reading does not forget it; Enter asks again.
    desk.send(Msg::Node(Ok(node())));
    assert!(plan(&desk).order.is_err());
    let asked_again = desk.keys("<enter>");
    assert!(plan(&asked_again).order.is_ok() && plan(&asked_again).is_asking());
    assert_eq!(asked(&asked_again), question);
    // What could not be asked is said, and does not stop it.
    let mut unasked = self::desk(100, 30).keys("192.168.1.77<tab>10.0.0.77<enter>");
    unasked.send(Msg::Taken(question, WireAnswer::NotAsked("Operation not permitted\u{1b}[2J".to_owned())));
    assert!(unasked.screen().contains("already could not be asked: Operation not permitted"), "{}", unasked.screen());
    assert!(plan(&unasked).order.is_ok() && !unasked.screen().contains('\u{1b}'));
}

#[test]
fn the_subnets_are_offered_too() {
    let floating = desk(80, 24);
    let texts = |desk: &Desk| form(desk).offers.iter().map(|offer| offer.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&floating), ["192.168.1."]);
    let fixed = floating.keys("<down>77<tab>");
    assert_eq!(form(&fixed).text(Field::FloatingIp), "192.168.1.77");
    assert_eq!(texts(&fixed), ["10.0.0.77", "10.0.0.78", "20.0.0.", "10.0.0."]);
    assert!(fixed.screen().contains("10.0.0.0/24 on qr-c2e43983-5c"), "{}", fixed.screen());
}

/// Nothing of the external network stands here.
fn bare() -> Node {
    let mut snapshot = Scenario::article(Layout::Pike).snapshot;
    snapshot.namespaces.retain(|name, _| !name.as_str().starts_with("fip-"));
    Node::of(snapshot)
}

#[test]
fn what_only_neutron_can_tell_is_asked_for() {
    let desk = live(100, 40, bare()).keys("a192.168.1.77<tab>10.0.0.4");
    assert!(form(&desk).fields().contains(&Field::PortMac), "{}", desk.screen());
    assert!(desk.screen().contains("fill in: port id, port address, port MAC, gateway, bridge"), "{}", desk.screen());
    let desk = desk.keys("<enter>b2b77eed-1b2c-4d5e-8f90-123456789abc<enter>192.168.1.23/24<enter>fa:16:3e:cc:98:c8");
    assert_eq!(form(&desk).field, Field::PortMac, "{}", desk.screen());
    let desk = desk.keys("<enter>192.168.1.1<enter>br-ex");
    assert_eq!(form(&desk).field, Field::Bridge, "{}", desk.screen());
    assert!(desk.screen().contains("there is no bridge br-ex on this node"), "{}", desk.screen());
    assert_snapshot!("form-from-nothing-100x40", desk.screen());
    let small = live(60, 12, bare()).keys("a192.168.1.77<tab>10.0.0.4<enter><tab><tab><tab>");
    assert_snapshot!("form-from-nothing-60x12", small.screen());
    for (tabs, said) in [
        ("<shift-tab>", "x is no layout"),
        ("<tab>", "x is no address with a length"),
        ("<tab><tab>", "x is no hardware address"),
        ("<tab><tab><tab>", "x is no address"),
        ("<tab><tab><tab><tab><tab>", "x is no VLAN tag"),
    ] {
        let wrong = live(100, 40, bare()).keys("a192.168.1.77<tab>10.0.0.4<enter>").keys(tabs).keys("x");
        let verdict = form(&wrong).verdict.as_ref().unwrap_err();
        assert!(verdict.starts_with(said), "{tabs}: {verdict}");
    }
}

#[test]
fn without_a_router_there_is_no_form() {
    let mut snapshot = Scenario::article(Layout::Pike).snapshot;
    snapshot.namespaces.retain(|name, _| !name.as_str().starts_with("qrouter-"));
    let desk = live(80, 24, Node::of(snapshot)).keys("a");
    assert!(desk.state.above.is_empty());
    assert!(desk.screen().contains("no router stands on this node"), "{}", desk.screen());
}

#[test]
fn it_is_done_here_or_on_the_gateway_port() {
    let node = || Node::of(Scenario::article(Layout::Pike).with_centralized().snapshot);
    // Without a snat namespace here there is no choice.
    assert!(!form(&desk(80, 24)).fields().contains(&Field::Where));
    let desk = live(100, 30, node()).keys("a192.168.1.77<tab>20.0.0.77<tab><tab>");
    assert_eq!(form(&desk).field, Field::Where, "{}", desk.screen());
    assert!(desk.screen().contains("on this node, as of a distributed router"), "{}", desk.screen());
    let desk = desk.keys("<down>");
    assert_snapshot!("form-gateway-port-100x30", desk.screen());
    assert!(!form(&desk.keys("<down>")).centralized, "and back");
    let desk = live(100, 30, node()).keys("a192.168.1.77<tab>20.0.0.77<tab><tab><down><enter>");
    let Wanted::Associated(wanted) = &plan(&desk).wanted else { panic!("{:?}", plan(&desk).wanted) };
    assert!(wanted.centralized);
    let order = plan(&desk).order.clone().unwrap();
    assert!(order.plan.intent.contains("on the gateway port"), "{}", order.plan.intent);
}

#[test]
fn a_legacy_router_is_offered() {
    let node = Node::of(Scenario::legacy(None).snapshot);
    let router = node.topology.routers[0].id.clone();
    let desk = live(100, 30, node).keys("a");
    let texts = |desk: &Desk| form(desk).offers.iter().map(|offer| offer.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&desk), ["192.168.1."]);
    let desk = desk.keys("192.168.1.77<tab>20.0.0.77<tab><ctrl-u>");
    assert_eq!(texts(&desk), [router]);
    assert!(!form(&desk).fields().contains(&Field::Where), "there is no choice");
    let desk = desk.keys("<enter>");
    let order = plan(&desk).order.clone().unwrap();
    assert!(order.plan.intent.contains("on the gateway port"), "{}", order.plan.intent);
}

#[test]
fn what_cannot_be_is_said_as_one_types() {
    for (keys, said) in [
        ("", "type the floating IP"),
        ("192.168.1.x", "192.168.1.x is no address"),
        ("192.168.1.3<tab>10.0.0.77", "associated with 10.0.0.4 already"),
        ("192.168.1.77<tab>10.0.0.4", "has the floating IP 192.168.1.3 already"),
        ("8.8.8.8<tab>10.0.0.77", "in no subnet of the external network"),
        ("192.168.1.77<tab>10.9.9.9", "is in no subnet of the router"),
        ("192.168.1.77<tab>10.0.0.77<tab><ctrl-u>nobody", "has the id nobody"),
    ] {
        let desk = desk(140, 30).keys(keys);
        assert!(desk.screen().contains(said), "{keys}: {}", desk.screen());
        let after = desk.keys("<enter>");
        assert!(matches!(after.state.above.last(), Some(Screen::Form(_))), "{keys}");
    }
}

#[test]
fn every_key_is_text_here_and_pastes_go_into_the_field() {
    let mut desk = desk(80, 24).keys("q?:/rdf");
    assert_eq!(form(&desk).text(Field::FloatingIp), "q?:/rdf");
    assert!(desk.effects.is_empty() && desk.state.help.is_none() && desk.state.prompt.is_none());
    desk = desk.keys("<ctrl-u>");
    desk.send(Msg::Paste(" 192.168.1.77\u{1b}[2J\n".to_owned()));
    assert_eq!(form(&desk).text(Field::FloatingIp), "192.168.1.77[2J");
    assert!(!desk.screen().contains('\u{1b}'));
    desk.send(Msg::Paste("9".repeat(10_000)));
    assert!(form(&desk).text(Field::FloatingIp).chars().count() <= 64);
    // A click goes to a field.
    let desk = desk.click(20, 5);
    assert_eq!(form(&desk).field, Field::Router);
}

#[test]
fn offers_of_a_node_cannot_steer_the_terminal() {
    let mut node = node();
    let mut topology = (*node.topology).clone();
    "\u{1b}c\u{202e}".clone_into(&mut topology.routers[0].id);
    node.topology = std::sync::Arc::new(topology);
    let desk = live(80, 24, node).keys("a<tab><tab><ctrl-u><down>");
    let screen = desk.screen();
    assert!(!screen.contains(|c: char| c != '\n' && c.is_control()) && !screen.contains('\u{202e}'), "{screen}");
}

#[test]
fn f1_shows_the_keys_of_the_form() {
    let open = desk(80, 24).keys("192<f1>");
    assert!(open.screen().contains("the next of what could stand there"), "{}", open.screen());
    let moved = open.keys("<down>");
    assert_eq!(moved.state.help, Some(1));
    let back = moved.keys("<esc>");
    assert_eq!((back.state.help, form(&back).text(Field::FloatingIp)), (None, "192"));
}
