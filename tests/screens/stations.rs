//! Where a followed flow should pass, forth and back, when it is no floating IP's
//! that this node alone passes on.

use std::sync::Arc;

use fipscope::net::{ConntrackEntry, Heading, NetnsName};
use fipscope::neutron::Layout;
use fipscope::path::{Class, Endpoint, TCP};
use fipscope::topology::scenario::{FIP, FPR, QR, QROUTER, RFP, ROUTER, SNAT, Scenario};
use fipscope::topology::{Direction, FipKind};
use fipscope::traffic::{Conversation, FipId, FipTraffic, Hop, Interval};
use fipscope::tui::{Heard, Msg, Node, Screen};

use crate::desk::Desk;
use crate::flow::{Pass, entry, trail, wanted};
use crate::traffic::{count, end, flow, id, live};

/// Connections, with where they are tracked.
type Tracked = Vec<(NetnsName, ConntrackEntry)>;

/// The flow's screen is open, and is told what passes.
struct Opened {
    desk: Desk,
    it: Arc<Conversation>,
    interval: Interval,
    entries: Tracked,
}

/// A flow with these ends is told to be the floating IP's.
fn is_its(fip: &FipId, [source, destination]: [Endpoint; 2]) -> bool {
    fip.fixed_ip == Some(source.address) || fip.floating_ip == destination.address
}

impl Opened {
    /// A flow of the first of these floating IPs, as it is tracked.
    fn of(node: Node, fips: &[&FipId], hops: &[Hop], ends: [Endpoint; 2], entries: Tracked) -> Self {
        let mut desk = live(140, 45, node).keys("T");
        let half = |fip: &FipId, direction| {
            let mut seen = [None; 6];
            for hop in hops {
                seen[*hop as usize] = Some(count(3));
            }
            FipTraffic { id: fip.clone(), direction, hops: seen, stops_at: None, missing: None, reason: None, doubt: 0 }
        };
        let interval = Interval {
            seconds: 1.0,
            floating_ips: fips
                .iter()
                .flat_map(|fip| [Direction::Outbound, Direction::Inbound].map(|direction| half(fip, direction)))
                .collect(),
            flows: vec![flow(Class::Fip, TCP, ends, Some(fips[0]).filter(|fip| is_its(fip, ends)), 5)],
            ..crate::traffic::interval(5)
        };
        desk.send(crate::traffic::heard(interval.clone()));
        let mut desk = desk.keys("<tab><enter>");
        let heard = Heard { interval: interval.clone(), entries: entries.clone(), ..Heard::default() };
        desk.send(Msg::Heard(Ok(Box::new(heard))));
        let it = wanted(&desk);
        Self { desk, it, interval, entries }
    }

    fn says(&mut self, passes: &[Pass<'_>], said: &str) {
        let (interval, entries) = (self.interval.clone(), self.entries.clone());
        let heard = Heard { interval, entries, trail: Some(trail(&self.it, passes)), ..Heard::default() };
        self.desk.send(Msg::Heard(Ok(Box::new(heard))));
        assert!(self.desk.screen().contains(said), "{said}: {}", self.desk.screen());
    }

    fn names(&self) -> Vec<&str> {
        let Some(Screen::Flow(view)) = self.desk.state.above.last() else { panic!("{:?}", self.desk.state.above) };
        view.stations.all.iter().map(|station| station.name.as_str()).collect()
    }
}

#[test]
fn answers_of_a_centralized_floating_ip_go_past_the_routers_own_port() {
    let scenario = || Scenario::article(Layout::Pike).with_centralized();
    let well = Node::of(scenario().snapshot);
    let router = well.topology.router(ROUTER).unwrap();
    let inside = end([20, 0, 0, 9], 51022);
    let device = |ports: &[fipscope::topology::InternalPort]| {
        let has = |net: &ipnet::IpNet| net.contains(&std::net::IpAddr::V4(inside.address));
        ports.iter().find(|port| port.addresses.iter().any(has)).unwrap().device.to_string()
    };
    let (qr, sg) = (device(&router.internal), device(&router.snat_ports));
    let qg = router.gateway_port.as_ref().unwrap().device.to_string();
    let (outside, far) = (end([192, 168, 1, 9], 51022), end([198, 51, 100, 7], 443));
    let fip = FipId { kind: FipKind::Centralized, ..id([192, 168, 1, 9], [20, 0, 0, 9], ROUTER) };
    let (out, inward) = (Direction::Outbound, Direction::Inbound);
    let passes: [Pass<'_>; 6] = [
        (QROUTER, &qr, Heading::In, [inside, far], Some((&fip, out, Hop::Qr))),
        (QROUTER, &qr, Heading::Out, [inside, far], None),
        (SNAT, &sg, Heading::In, [inside, far], Some((&fip, out, Hop::Sg))),
        (SNAT, &qg, Heading::Out, [outside, far], Some((&fip, out, Hop::Qg))),
        (SNAT, &qg, Heading::In, [far, outside], Some((&fip, inward, Hop::Qg))),
        (SNAT, &sg, Heading::Out, [far, inside], Some((&fip, inward, Hop::Sg))),
    ];
    // Its walk goes well; and the node is read in a moment in which it does not.
    for (node, stations) in [(well, 4), (Node::of(scenario().link_down(SNAT, &qg).snapshot), 3)] {
        let hops = [Hop::Qr, Hop::Sg, Hop::Qg];
        let tracked = vec![(SNAT.into(), entry([inside, far], [far, outside]))];
        let mut opened = Opened::of(node, &[&fip], &hops, [inside, far], tracked);
        assert_eq!(opened.names().len(), stations, "{:?}", opened.names());
        opened.says(&passes, "✓ Every station passes it on, both ways");
        // The instance may be on another node.
        opened.says(&passes[2..], "✓ Every station passes it on, both ways");
        opened.says(&passes[..5], &format!("✗ Its answers vanish after {qg}"));
        opened.says(&passes[..4], "It leaves the node; nothing came back from outside");
        opened.says(&passes[..3], &format!("✗ It vanishes after {sg}"));
        // Another reading knows it by other words.
        for one in &mut opened.interval.floating_ips {
            one.id = FipId { fixed_ip: None, external_network: None, ..one.id.clone() };
        }
        opened.says(&passes[..3], &format!("✗ It vanishes after {sg}"));
    }
}

#[test]
fn between_two_floating_ips_of_the_node_it_passes_the_hops_of_both() {
    const OTHER: &str = "b047c241-8921-5df0-baca-ff1b77f6fffe";
    const OTHER_QROUTER: &str = "qrouter-b047c241-8921-5df0-baca-ff1b77f6fffe";
    let [rfp, fpr, qr] = ["rfp-b047c241-8", "fpr-b047c241-8", "qr-cd4ae914-ef"];
    let scenario = || Scenario::article(Layout::Pike).with_second_router(Layout::Pike);
    let (inside, outside) = (end([10, 0, 0, 4], 51022), end([192, 168, 1, 3], 51022));
    let (there, public) = (end([30, 0, 0, 4], 443), end([192, 168, 1, 33], 443));
    let first = id([192, 168, 1, 3], [10, 0, 0, 4], ROUTER);
    let second = id([192, 168, 1, 33], [30, 0, 0, 4], OTHER);
    let (out, inward) = (Direction::Outbound, Direction::Inbound);
    let passes: [Pass<'_>; 12] = [
        (QROUTER, QR, Heading::In, [inside, public], Some((&first, out, Hop::Qr))),
        (QROUTER, RFP, Heading::Out, [outside, public], Some((&first, out, Hop::Rfp))),
        (FIP, FPR, Heading::In, [outside, public], Some((&first, out, Hop::Fpr))),
        (FIP, fpr, Heading::Out, [outside, public], Some((&second, inward, Hop::Fpr))),
        (OTHER_QROUTER, rfp, Heading::In, [outside, public], Some((&second, inward, Hop::Rfp))),
        (OTHER_QROUTER, qr, Heading::Out, [outside, there], Some((&second, inward, Hop::Qr))),
        (OTHER_QROUTER, qr, Heading::In, [there, outside], Some((&second, out, Hop::Qr))),
        (OTHER_QROUTER, rfp, Heading::Out, [public, outside], Some((&second, out, Hop::Rfp))),
        (FIP, fpr, Heading::In, [public, outside], Some((&second, out, Hop::Fpr))),
        (FIP, FPR, Heading::Out, [public, outside], Some((&first, inward, Hop::Fpr))),
        (QROUTER, RFP, Heading::In, [public, outside], Some((&first, inward, Hop::Rfp))),
        (QROUTER, QR, Heading::Out, [public, inside], Some((&first, inward, Hop::Qr))),
    ];
    let tracked = || {
        vec![
            (OTHER_QROUTER.into(), entry([outside, public], [there, outside])),
            (QROUTER.into(), entry([inside, public], [public, outside])),
        ]
    };
    let hops = [Hop::Qr, Hop::Rfp, Hop::Fpr, Hop::Fg];
    let broken = || Node::of(scenario().link_down(OTHER_QROUTER, qr).snapshot);
    for node in [broken(), Node::of(scenario().snapshot)] {
        // Opened as it begins, and from its answers.
        let mut begun = Opened::of(node.clone(), &[&first, &second], &hops, [inside, public], tracked());
        let turned = Opened::of(node, &[&second, &first], &hops, [there, outside], tracked());
        assert_eq!(turned.names().len(), 6, "{:?}", turned.names());
        for opened in [&mut begun, &mut { turned }] {
            opened.says(&passes[..5], &format!("✗ It vanishes after {rfp}"));
            opened.says(&passes[..3], &format!("✗ It vanishes after {FPR}"));
            opened.says(&passes[..6], "The instance does not answer");
            opened.says(&passes[..8], &format!("✗ Its answers vanish after {rfp}"));
            opened.says(&passes, "✓ Every station passes it on, both ways");
        }
    }
    // What is found about the far one is told.
    let mut opened = Opened::of(broken(), &[&first, &second], &hops, [inside, public], tracked());
    opened.says(&passes[..5], &format!("✗ It vanishes after {rfp}: DVR"));
}

#[test]
fn whichever_stage_of_its_packets_it_is_opened_from_it_gets_one_verdict() {
    // Its rule is gone: what is tracked leaves through the snat namespace, translated twice.
    let node =
        || Node::of(Scenario::article(Layout::Pike).with_centralized().without_rule(QROUTER, "from 10.0.0.4").snapshot);
    let topology = node().topology;
    let router = topology.router(ROUTER).unwrap();
    let (inside, far) = (end([10, 0, 0, 4], 41029), end([198, 51, 100, 7], 50007));
    let (outside, gateway) = (end([192, 168, 1, 3], 20891), end([192, 168, 1, 22], 34243));
    let has = |port: &&fipscope::topology::InternalPort| {
        port.addresses.iter().any(|net| net.contains(&std::net::IpAddr::V4(inside.address)))
    };
    let sg = router.snat_ports.iter().find(has).unwrap().device.to_string();
    let qg = router.gateway_port.as_ref().unwrap().device.to_string();
    let fip = id([192, 168, 1, 3], [10, 0, 0, 4], ROUTER);
    let passes: [Pass<'_>; 8] = [
        (QROUTER, QR, Heading::In, [inside, far], Some((&fip, Direction::Outbound, Hop::Qr))),
        (QROUTER, QR, Heading::Out, [outside, far], None),
        (SNAT, &sg, Heading::In, [outside, far], None),
        (SNAT, &qg, Heading::Out, [gateway, far], None),
        (SNAT, &qg, Heading::In, [far, gateway], None),
        (SNAT, &sg, Heading::Out, [far, outside], None),
        (QROUTER, QR, Heading::In, [far, outside], None),
        (QROUTER, QR, Heading::Out, [far, inside], None),
    ];
    let tracked = || {
        vec![
            (SNAT.into(), entry([outside, far], [far, gateway])),
            (QROUTER.into(), entry([inside, far], [far, outside])),
        ]
    };
    let hops = [Hop::Qr, Hop::Rfp, Hop::Fpr, Hop::Fg];
    for (ends, floating_ip) in [([inside, far], Some(&fip)), ([outside, far], None), ([far, gateway], None)] {
        let mut opened = Opened::of(node(), &[&fip], &hops, ends, tracked());
        opened.interval.flows =
            vec![flow(Class::Snat, TCP, [inside, far], Some(&fip), 5), flow(Class::Snat, TCP, ends, floating_ip, 9)];
        opened.says(&passes, &format!("✗ It vanishes after {QR}: DVR301"));
    }
}

#[test]
fn no_other_flow_is_shown_as_its_answers_before_its_translation_is_known() {
    let node = Node::of(Scenario::article(Layout::Pike).with_centralized().snapshot);
    let (inside, far) = (end([10, 0, 0, 5], 51000), end([198, 51, 100, 7], 443));
    let fip = id([192, 168, 1, 3], [10, 0, 0, 4], ROUTER);
    let mut opened = Opened::of(node, &[&fip], &[], [inside, far], Vec::new());
    let others = [far, end([192, 168, 1, 22], 22624)];
    opened.interval.flows =
        vec![flow(Class::Snat, TCP, [inside, far], None, 5), flow(Class::Snat, TCP, others, None, 9)];
    opened.says(&[], "Its translation is not known yet");
    assert!(opened.it.way_of(others).is_some(), "{:?}", opened.it.pairs);
    let Some(Screen::Flow(view)) = opened.desk.state.above.last() else { panic!("{:?}", opened.desk.state.above) };
    assert!(view.flows[0].is_some() && view.flows[1].is_none(), "{:?}", view.flows);
}
