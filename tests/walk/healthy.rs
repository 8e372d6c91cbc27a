//! Nodes on which everything works.

use fipscope::net::{Family, Observed, Route, Rule, TableId};
use fipscope::neutron::Layout;
use fipscope::topology::scenario::{FIP, FPR, QROUTER, Scenario};

use super::{both, told};

const LAYOUTS: [(Layout, &str, &str); 3] = [
    // Layout, the rule of 10.0.0.4, the rule and table that lead on from fpr.
    (Layout::Juno, "32768", "32766 main"),
    (Layout::Newton, "57481", "32766 main"),
    (Layout::Pike, "61068", "2852018311 2852018311"),
];

fn expect(node: &Scenario, (src, dst): (&str, &str), walk: &str, reply: &str) {
    let (forth, back) = both(&node.snapshot, src, dst);
    assert_eq!(told(&forth), walk, "{src} to {dst}");
    assert_eq!(back.as_ref().map_or("none".to_owned(), told), reply, "answer of {dst} to {src}");
}

#[test]
fn out_with_a_floating_ip_and_the_way_back() {
    for (layout, rule, onward) in LAYOUTS {
        let walk = format!(
            "fip leaves-node\n\
             qrouter qr>rfp forward 192.168.1.3→198.51.100.7 [{rule} 16] snat 10.0.0.4→192.168.1.3\n\
             fip fpr>fg forward 192.168.1.3→198.51.100.7 [{onward}]"
        );
        let reply = "fip delivered\n\
             fip fg>fpr forward 198.51.100.7→192.168.1.3 [32766 main]\n\
             qrouter rfp>qr forward 198.51.100.7→10.0.0.4 [32766 main] undo-snat 192.168.1.3→10.0.0.4";
        expect(&Scenario::article(layout), ("10.0.0.4", "198.51.100.7"), &walk, reply);
    }
}

#[test]
fn in_to_a_floating_ip_and_the_way_back() {
    for (layout, rule, onward) in LAYOUTS {
        let walk = "fip delivered\n\
             fip fg>fpr forward 198.51.100.7→192.168.1.3 [32766 main]\n\
             qrouter rfp>qr forward 198.51.100.7→10.0.0.4 [32766 main] dnat 192.168.1.3→10.0.0.4";
        let reply = format!(
            "fip leaves-node\n\
             qrouter qr>rfp forward 192.168.1.3→198.51.100.7 [{rule} 16] undo-dnat 10.0.0.4→192.168.1.3\n\
             fip fpr>fg forward 192.168.1.3→198.51.100.7 [{onward}]"
        );
        expect(&Scenario::article(layout), ("198.51.100.7", "192.168.1.3"), walk, &reply);
    }
}

#[test]
fn between_subnets_by_the_main_table() {
    for (layout, ..) in LAYOUTS {
        expect(
            &Scenario::article(layout),
            ("10.0.0.4", "20.0.0.9"),
            "east-west delivered\nqrouter qr>qr forward 10.0.0.4→20.0.0.9 [32766 main]",
            "east-west delivered\nqrouter qr>qr forward 20.0.0.9→10.0.0.4 [32766 main]",
        );
    }
}

#[test]
fn without_a_floating_ip_towards_the_snat_node() {
    // The snat namespace is elsewhere, and its answers go straight to the instance.
    expect(
        &Scenario::article(Layout::Pike),
        ("10.0.0.77", "198.51.100.7"),
        "snat leaves-node\nqrouter qr>qr forward 10.0.0.77→198.51.100.7 [167772161 167772161]",
        "none",
    );
}

#[test]
fn a_centralized_floating_ip_through_the_snat_namespace_here() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    expect(
        &node,
        ("20.0.0.9", "198.51.100.7"),
        "fip leaves-node\n\
         qrouter qr>qr forward 20.0.0.9→198.51.100.7 [335544321 335544321]\n\
         snat sg>qg forward 192.168.1.9→198.51.100.7 [32766 main] snat 20.0.0.9→192.168.1.9",
        "fip delivered\n\
         snat qg>sg forward 198.51.100.7→20.0.0.9 [32766 main] undo-snat 192.168.1.9→20.0.0.9",
    );
    expect(
        &node,
        ("198.51.100.7", "192.168.1.9"),
        "fip delivered\n\
         snat qg>sg forward 198.51.100.7→20.0.0.9 [32766 main] dnat 192.168.1.9→20.0.0.9",
        "fip leaves-node\n\
         qrouter qr>qr forward 20.0.0.9→198.51.100.7 [335544321 335544321]\n\
         snat sg>qg forward 192.168.1.9→198.51.100.7 [32766 main] undo-dnat 20.0.0.9→192.168.1.9",
    );
}

#[test]
fn without_a_floating_ip_through_the_snat_namespace_here() {
    expect(
        &Scenario::article(Layout::Pike).with_centralized(),
        ("10.0.0.77", "198.51.100.7"),
        "snat leaves-node\n\
         qrouter qr>qr forward 10.0.0.77→198.51.100.7 [167772161 167772161]\n\
         snat sg>qg forward 192.168.1.22→198.51.100.7 [32766 main] snat 10.0.0.77→192.168.1.22",
        "snat delivered\n\
         snat qg>sg forward 198.51.100.7→10.0.0.77 [32766 main] undo-snat 192.168.1.22→10.0.0.77",
    );
}

#[test]
fn to_its_own_floating_ip_inside_the_router_in_juno() {
    expect(
        &Scenario::article(Layout::Juno),
        ("10.0.0.4", "192.168.1.3"),
        "east-west delivered (hairpin)\n\
         qrouter qr>qr forward 192.168.1.3→10.0.0.4 [32766 main] \
         dnat 192.168.1.3→10.0.0.4 snat 10.0.0.4→192.168.1.3",
        "east-west delivered\n\
         qrouter qr>qr forward 192.168.1.3→10.0.0.4 [32766 main] \
         undo-snat 192.168.1.3→10.0.0.4 undo-dnat 10.0.0.4→192.168.1.3",
    );
}

#[test]
fn to_its_own_floating_ip_turning_at_fpr_since_newton() {
    for (layout, rule, _) in &LAYOUTS[1..] {
        let walk = format!(
            "fip delivered (hairpin)\n\
             qrouter qr>rfp forward 192.168.1.3→192.168.1.3 [{rule} 16] snat 10.0.0.4→192.168.1.3\n\
             fip fpr>fpr forward 192.168.1.3→192.168.1.3 [32766 main]\n\
             qrouter rfp>qr forward 192.168.1.3→10.0.0.4 [32766 main] dnat 192.168.1.3→10.0.0.4"
        );
        let reply = format!(
            "fip delivered\n\
             qrouter qr>rfp forward 192.168.1.3→192.168.1.3 [{rule} 16] undo-dnat 10.0.0.4→192.168.1.3\n\
             fip fpr>fpr forward 192.168.1.3→192.168.1.3 [32766 main]\n\
             qrouter rfp>qr forward 192.168.1.3→10.0.0.4 [32766 main] undo-snat 192.168.1.3→10.0.0.4"
        );
        expect(&Scenario::article(*layout), ("10.0.0.4", "192.168.1.3"), &walk, &reply);
    }
}

#[test]
fn without_a_floating_ip_to_a_floating_ip_over_the_external_network() {
    let node = Scenario::article(Layout::Pike).with_centralized();
    expect(
        &node,
        ("10.0.0.9", "192.168.1.3"),
        "snat delivered (hairpin)\n\
         qrouter qr>qr forward 10.0.0.9→192.168.1.3 [167772161 167772161]\n\
         snat sg>qg forward 192.168.1.22→192.168.1.3 [32766 main] snat 10.0.0.9→192.168.1.22\n\
         fip fg>fpr forward 192.168.1.22→192.168.1.3 [32766 main]\n\
         qrouter rfp>qr forward 192.168.1.22→10.0.0.4 [32766 main] dnat 192.168.1.3→10.0.0.4",
        "fip delivered\n\
         qrouter qr>rfp forward 192.168.1.3→192.168.1.22 [61068 16] undo-dnat 10.0.0.4→192.168.1.3\n\
         fip fpr>fg forward 192.168.1.3→192.168.1.22 [32766 main]\n\
         snat qg>sg forward 192.168.1.3→10.0.0.9 [32766 main] undo-snat 192.168.1.22→10.0.0.9",
    );
}

#[test]
fn to_the_router_itself() {
    expect(
        &Scenario::article(Layout::Pike),
        ("10.0.0.4", "10.0.0.1"),
        "local delivered\nqrouter qr> deliver 10.0.0.4→10.0.0.1 [0 local]",
        "local delivered\nqrouter >qr forward 10.0.0.1→10.0.0.4 [32766 main]",
    );
}

#[test]
fn by_address_scope_straight_out_without_translation() {
    let subnet = "10.0.0.0/24".parse().unwrap();
    let node = Scenario::article(Layout::Pike)
        .edit(QROUTER, |netns| {
            let Observed::Seen(rules) = &mut netns.rules else { return };
            rules.push(Rule { from: Some(subnet), ..Rule::lookup(Family::V4, 80000, TableId(16)) });
            netns.sort();
        })
        .edit(FIP, |netns| {
            let Observed::Seen(routes) = &mut netns.routes else { return };
            let even = routes.iter().find(|route| route.dst.to_string() == "192.168.1.3/32").unwrap().via();
            routes.push(Route::unicast(TableId::MAIN, subnet, even, &FPR.into()));
            netns.sort();
        });
    expect(
        &node,
        ("10.0.0.77", "198.51.100.7"),
        "fip leaves-node (fast-exit)\n\
         qrouter qr>rfp forward 10.0.0.77→198.51.100.7 [80000 16]\n\
         fip fpr>fg forward 10.0.0.77→198.51.100.7 [2852018311 2852018311]",
        "fip delivered\n\
         fip fg>fpr forward 198.51.100.7→10.0.0.77 [32766 main]\n\
         qrouter rfp>qr forward 198.51.100.7→10.0.0.77 [32766 main]",
    );
}

#[test]
fn what_the_namespace_itself_sends() {
    expect(
        &Scenario::article(Layout::Juno),
        ("192.168.1.23", "192.168.1.1"),
        "local leaves-node\nfip >fg forward 192.168.1.23→192.168.1.1 [32766 main]",
        "local delivered\nfip fg> deliver 192.168.1.1→192.168.1.23 [0 local]",
    );
}

#[test]
fn arp_from_outside_is_answered_by_proxy() {
    let (walk, _) = both(&Scenario::article(Layout::Pike).snapshot, "198.51.100.7", "192.168.1.3");
    let arp = walk.arp.unwrap();
    assert_eq!(arp.answers, Some(true));
    assert!(arp.why.contains("by proxy: 192.168.1.3 is routed out of fpr-ef25020f-0"), "{}", arp.why);
    assert!(arp.mac.is_some());
}
