//! Where a followed flow should pass, forth and back, when it is no floating IP's
//! that this node alone passes on.

use std::sync::Arc;

use fipscope::net::Heading;
use fipscope::neutron::Layout;
use fipscope::path::{Class, Endpoint, TCP};
use fipscope::topology::scenario::{QROUTER, ROUTER, SNAT, Scenario};
use fipscope::topology::{Direction, FipKind};
use fipscope::traffic::{Conversation, FipId, FipTraffic, Hop, Interval};
use fipscope::tui::{Heard, Msg, Node, Screen};

use crate::desk::Desk;
use crate::flow::{Pass, entry, trail, wanted};
use crate::traffic::{count, end, flow, id, live};

/// The flow's screen is open, and is told what passes.
struct Opened {
    desk: Desk,
    it: Arc<Conversation>,
    interval: Interval,
    entries: Vec<(fipscope::net::NetnsName, fipscope::net::ConntrackEntry)>,
}

impl Opened {
    /// As it is tracked there.
    fn of(node: Node, fip: &FipId, hops: &[Hop], ends: [Endpoint; 2], (place, reply): (&str, [Endpoint; 2])) -> Self {
        let mut desk = live(140, 45, node).keys("T");
        let half = |direction| {
            let mut seen = [None; 6];
            for hop in hops {
                seen[*hop as usize] = Some(count(3));
            }
            FipTraffic { id: fip.clone(), direction, hops: seen, stops_at: None, missing: None, reason: None, doubt: 0 }
        };
        let interval = Interval {
            seconds: 1.0,
            floating_ips: [Direction::Outbound, Direction::Inbound].map(half).to_vec(),
            flows: vec![flow(Class::Fip, TCP, ends, Some(fip), 5)],
            ..crate::traffic::interval(5)
        };
        desk.send(crate::traffic::heard(interval.clone()));
        let mut desk = desk.keys("<tab><enter>");
        let entries = vec![(place.into(), entry(ends, reply))];
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
        let mut opened = Opened::of(node, &fip, &hops, [inside, far], (SNAT, [far, outside]));
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
