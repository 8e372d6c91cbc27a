//! Glances at nodes of each layout, whole and broken.

use super::*;
use crate::topology::scenario::{FG, FIP, FPR, QR, QROUTER, RFP, ROUTER, SNAT, Scenario};

fn glance(node: &Scenario) -> Glance {
    let topology = Topology::of(&node.snapshot);
    Glance::of(&node.snapshot, &topology, topology.router(ROUTER).unwrap())
}

fn words(way: &Way) -> Vec<String> {
    let stage = |stage: &Stage| {
        let rule = stage.rule.as_ref().map_or("no rule".to_owned(), ToString::to_string);
        let enters: Vec<&str> = stage.enters.iter().map(IfName::as_str).collect();
        let translated = stage.translated.map(|(before, after)| format!(" {before} as {after}")).unwrap_or_default();
        let route = stage.route.as_ref().map_or("no route".to_owned(), Route::brief);
        format!("{} {}: {rule}: {route}{translated}", stage.namespace, enters.join(" "))
    };
    way.stages.iter().map(stage).collect()
}

#[test]
fn the_article_s_three_classes() {
    let glance = glance(&Scenario::article(Layout::Juno));
    let main = "32766: from all lookup main";
    let east_west: Vec<String> = glance.east_west.iter().flat_map(words).collect();
    assert_eq!(
        east_west,
        [
            format!("{QROUTER} {QR}: {main}: 20.0.0.0/24 dev qr-369f59a5-2c"),
            format!("{QROUTER} qr-369f59a5-2c: {main}: 10.0.0.0/24 dev {QR}"),
        ]
    );
    let snat = glance.snat.iter().find(|way| way.of == "10.0.0.0/24".parse().ok()).unwrap();
    let rule = "167772161: from 10.0.0.1/24 lookup 167772161";
    assert_eq!(words(snat), [format!("{QROUTER} {QR}: {rule}: default via 10.0.0.200 dev {QR}")]);
    assert!(snat.elsewhere.is_some());
    assert_eq!(
        words(&glance.fip[0]),
        [
            format!(
                "{QROUTER} {QR}: 32768: from 10.0.0.4 lookup 16: default via 169.254.31.29 dev {RFP} \
                 10.0.0.4/32 as 192.168.1.3"
            ),
            format!("{FIP} {FPR}: {main}: default via 192.168.1.1 dev {FG}"),
        ]
    );
}

#[test]
fn the_snat_namespace_of_this_node_translates_here() {
    let glance = glance(&Scenario::article(Layout::Pike).with_centralized());
    for (way, before, after) in [
        (&glance.snat[0], glance.snat[0].of, "192.168.1.22"),
        (
            glance.fip.iter().find(|way| way.stages[1].namespace.as_str() == SNAT).unwrap(),
            "20.0.0.9/32".parse().ok(),
            "192.168.1.9",
        ),
    ] {
        let last = way.stages.last().unwrap();
        assert_eq!((way.stages.len(), way.elsewhere, last.namespace.as_str()), (2, None, SNAT));
        assert_eq!(
            last.translated.map(|(before, after)| (Some(before), after.to_string())),
            Some((before, after.to_owned()))
        );
        assert_eq!((last.leaves().unwrap().as_str(), last.to()), ("qg-8b15f111-eb", "192.168.1.1".parse().ok()));
    }
    let own = glance.fip.iter().find(|way| way.of == "10.0.0.4/32".parse().ok()).unwrap();
    assert!(own.stages[1].rule.as_ref().unwrap().to_string().contains("iif fpr-ef25020f-0"), "{own:?}");
}

#[test]
fn a_legacy_router_does_all_in_one_namespace() {
    let glance = glance(&Scenario::legacy(None));
    let places: Vec<&str> =
        glance.snat.iter().chain(&glance.fip).flat_map(|way| &way.stages).map(|s| s.namespace.as_str()).collect();
    assert_eq!(places, [QROUTER; 3]);
    assert_eq!(glance.fip[0].stages[0].translated.unwrap().1.to_string(), "192.168.1.3");
    assert_eq!(glance.snat[0].stages[0].translated.unwrap().1.to_string(), "192.168.1.22");
    assert_eq!(glance.cost, None);
}

#[test]
fn what_is_missing_is_not_made_up() {
    let node = Scenario::article(Layout::Juno).without_rule(QROUTER, "lookup 16").without_nat(
        QROUTER,
        "float-snat",
        "10.0.0.4",
    );
    let way = &glance(&node).fip[0];
    assert_eq!(
        (way.stages[0].rule.as_ref(), way.stages[0].route.as_ref(), way.stages[0].translated),
        (None, None, None)
    );
    let dark = glance(&Scenario::article(Layout::Juno).unreadable(QROUTER));
    assert!(dark.east_west.is_empty() && dark.snat.iter().all(|way| way.stages.is_empty()), "{dark:?}");
}

#[test]
fn one_port_for_all_routers() {
    let node = Scenario::article(Layout::Pike).with_second_router(Layout::Pike);
    let cost = glance(&node).cost.unwrap();
    assert_eq!((cost.routers, cost.floating_ips, cost.device.as_str()), (2, 2, FG));
    assert_eq!((cost.addresses(), cost.macs()), (3, 1));
    assert_eq!((cost.addresses_with_a_port_per_router(), cost.macs_with_a_port_per_router()), (4, 2));
}

#[test]
fn juno_translates_each_subnet_by_a_rule_of_its_own() {
    use crate::net::Observed;
    use crate::net::netfilter::{NatFlags, NfRule};
    let node = Scenario::article(Layout::Juno).with_centralized().edit(SNAT, |netns| {
        let Observed::Seen(netfilter) = &mut netns.netfilter else { panic!() };
        let Observed::Seen(tables) = &mut netfilter.nft else { panic!() };
        let chains = tables.iter_mut().flat_map(|table| &mut table.chains);
        let chain = chains.into_iter().find(|chain| chain.name == "neutron-l3-agent-snat").unwrap();
        let rule = |net: &str, to: &str| {
            let matches = vec![Match::Source { net: net.parse().unwrap(), invert: false }];
            let to = NatRange::single(to.parse().unwrap());
            let target = Some(Target::Snat { to, flags: NatFlags::default() });
            NfRule { handle: None, counters: None, body: RuleBody::Words(RuleWords { matches, target }) }
        };
        chain.rules = vec![rule("20.0.0.0/24", "192.168.1.20"), rule("10.0.0.0/24", "192.168.1.21")];
    });
    let glance = glance(&node);
    let way = glance.snat.iter().find(|way| way.of == "10.0.0.0/24".parse().ok()).unwrap();
    assert_eq!(way.stages[1].translated.unwrap().1.to_string(), "192.168.1.21");
}
