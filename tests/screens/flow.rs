//! One flow in detail, and one packet of our own, followed: by fake ears and a
//! fake wire.

use std::sync::Arc;

use fipscope::net::{ConntrackEntry, ConntrackTuple, Frame, Heading, NetnsName, ReachAnswer, ReachBy};
use fipscope::neutron::Layout;
use fipscope::path::{Class, Endpoint, Packet, TCP};
use fipscope::topology::Direction;
use fipscope::topology::scenario::Scenario;
use fipscope::traffic::{Aim, Conversation, Errand, FipId, Follow, Hop, Sighting, Trail};
use fipscope::tui::{Effect, Followed, Heard, Msg, Node, Screen};
use insta::assert_snapshot;

use crate::article::{PUBLIC, ROUTER};
use crate::desk::Desk;
use crate::traffic::{count, end, flow, id, interval, live};

/// The founding article's node, read from a made-up one: nothing is wrong with it.
fn well() -> Node {
    Node::of(Scenario::article(Layout::Pike).snapshot)
}

/// What passed: device, heading, source, destination, and the floating IP's hop.
pub type Pass<'a> = (&'a str, &'a str, Heading, [Endpoint; 2], Option<(&'a FipId, Direction, Hop)>);

/// When the first packet passes, and when the interval is over (nanoseconds since 1970).
pub const BEGUN: u64 = 1_795_401_000_500_000_000;
const OVER: u64 = BEGUN + 1_000_000_000;

/// What is seen of a conversation that passes these places.
pub fn trail(conversation: &Arc<Conversation>, passes: &[Pass<'_>]) -> Trail {
    let mut follow = Follow::new(conversation.clone(), 0);
    see(&mut follow, BEGUN, passes);
    follow.trail(OVER)
}

/// A packet passes these places, one after another, from that time on.
pub fn see(follow: &mut Follow, begun: u64, passes: &[Pass<'_>]) {
    for (number, (namespace, device, heading, ends, floating_ip)) in (0_u32..).zip(passes) {
        let [source, destination] = *ends;
        let packet = Packet {
            sport: source.port,
            dport: destination.port,
            ..Packet::first(source.address, destination.address, follow.conversation().proto)
        };
        let at = begun + u64::from(number) * 1_234_000;
        let frame = Frame { at, namespace: number, device: 1, heading: *heading, length: 98, segment: 0, bytes: &[] };
        let direction = floating_ip.map_or(Direction::Outbound, |(_, direction, _)| direction);
        let (class, floating_ip) = (Class::Fip, *floating_ip);
        let seen = Sighting { packet, class, detail: None, direction, floating_ip, count: count(1), ends: false };
        follow.see(&frame, &seen, || Some((NetnsName::from(*namespace), (*device).into())));
    }
}

/// The conversation that the console wants to have followed.
pub fn wanted(desk: &Desk) -> Arc<Conversation> {
    let attention = desk.effects.iter().rev().find_map(|effect| match effect {
        Effect::Attend(attention) => Some(attention.clone()),
        _ => None,
    });
    attention.unwrap().follow.unwrap()
}

pub fn entry(original: [Endpoint; 2], reply: [Endpoint; 2]) -> ConntrackEntry {
    let tuple = |[source, destination]: [Endpoint; 2]| ConntrackTuple {
        src: source.address.into(),
        dst: destination.address.into(),
        proto: TCP,
        sport: source.port,
        dport: destination.port,
    };
    ConntrackEntry {
        original: tuple(original),
        reply: tuple(reply),
        status: 0x1e,
        mark: 0,
        zone: 0,
        timeout: Some(431_000),
        id: None,
        started: None,
        original_count: None,
        reply_count: None,
    }
}

pub fn names(desk: &Desk) -> [NetnsName; 2] {
    let topology = &desk.state.node.as_ref().unwrap().topology;
    let router = topology.router(ROUTER).unwrap();
    let network = topology.external_networks.iter().find(|network| network.id == PUBLIC).unwrap();
    [router.namespace.clone().unwrap(), network.namespace.clone()]
}

/// A flow of the floating IP 192.168.1.3, from inside, at all its stations.
pub struct Ways {
    inside: Endpoint,
    outside: Endpoint,
    far: Endpoint,
    fip: FipId,
    /// qr, rfp, fpr, fg.
    stations: [(NetnsName, String, Hop); 4],
}

impl Ways {
    fn of(desk: &Desk) -> Self {
        let [qrouter, fip] = names(desk);
        let topology = &desk.state.node.as_ref().unwrap().topology;
        let router = topology.router(ROUTER).unwrap();
        let (rfp, fpr) = (router.rtr_2_fip.clone().unwrap().device, router.fip_2_rtr.clone().unwrap().device);
        let inside = end([10, 0, 0, 4], 51022);
        let has = |net: &ipnet::IpNet| net.contains(&std::net::IpAddr::V4(inside.address));
        let qr = &router.internal.iter().find(|port| has(&port.addresses[0])).unwrap().device;
        let fg = &topology.external_networks[0].gateway_port.as_ref().unwrap().device;
        let station =
            |namespace: &NetnsName, device: &dyn std::fmt::Display, hop| (namespace.clone(), device.to_string(), hop);
        Self {
            inside,
            outside: end([192, 168, 1, 3], 51022),
            far: end([198, 51, 100, 7], 443),
            fip: id([192, 168, 1, 3], [10, 0, 0, 4], ROUTER),
            stations: [
                station(&qrouter, qr, Hop::Qr),
                station(&qrouter, &rfp, Hop::Rfp),
                station(&fip, &fpr, Hop::Fpr),
                station(&fip, fg, Hop::Fg),
            ],
        }
    }

    /// A packet out, and its answer back: eight places.
    pub fn passes(&self) -> Vec<Pass<'_>> {
        let at = |number: usize, out: bool| {
            let (namespace, device, hop) = &self.stations[number];
            let own = if number == 0 { self.inside } else { self.outside };
            let (direction, ends) =
                if out { (Direction::Outbound, [own, self.far]) } else { (Direction::Inbound, [self.far, own]) };
            // It comes in by qr and fpr, and leaves by rfp and fg; answers do the reverse.
            let heading = if out == number.is_multiple_of(2) { Heading::In } else { Heading::Out };
            (namespace.as_str(), device.as_str(), heading, ends, Some((&self.fip, direction, *hop)))
        };
        (0..4).map(|number| at(number, true)).chain((0..4).rev().map(|number| at(number, false))).collect()
    }

    /// What is heard of it.
    pub fn told(&self, trail: Trail) -> Msg {
        let (inside, outside, far) = (self.inside, self.outside, self.far);
        let mut interval = interval(5);
        interval.flows.push(flow(Class::Fip, TCP, [far, outside], Some(&self.fip), 4));
        let entries = vec![(self.stations[0].0.clone(), entry([inside, far], [far, outside]))];
        Msg::Heard(Ok(Box::new(Heard { interval, namespaces: 2, trail: Some(trail), entries, ..Heard::default() })))
    }
}

/// The flow's screen is open, and its translation is known.
pub fn followed_flow() -> (Desk, Ways, Arc<Conversation>) {
    let mut desk = live(140, 45, well()).keys("T");
    desk.send(crate::traffic::heard(interval(5)));
    let mut desk = desk.keys("/51022<enter><enter>");
    let Some(Screen::Flow(_)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    let it = wanted(&desk);
    let ways = Ways::of(&desk);
    // The walk tells already what the floating IP makes of it, but not under which port.
    assert!(it.pairs.contains(&[ways.inside, ways.far]) && it.is_vague(), "{:?}", it.pairs);
    assert!(names(&desk).iter().all(|name| it.namespaces.contains(name)));
    desk.send(ways.told(trail(&it, &[])));
    assert!(desk.screen().contains("It is looked for from now on"), "{}", desk.screen());
    let it = wanted(&desk);
    assert!(it.pairs.contains(&[ways.outside, ways.far]) && !it.is_vague(), "{:?}", it.pairs);
    (desk, ways, it)
}

#[test]
fn a_flow_in_detail_has_both_ways_its_translation_and_its_stations() {
    let (mut desk, ways, it) = followed_flow();
    let passes = ways.passes();
    let tell = |passes: &[Pass<'_>]| ways.told(trail(&it, passes));
    desk.send(tell(&passes));
    let screen = desk.screen();
    assert!(screen.contains("✓ Every station passes it on, both ways"), "{screen}");
    assert_snapshot!("flow-140x45", screen);

    // The answer comes in, and is lost between fpr and rfp.
    desk.send(tell(&passes[..6]));
    assert!(desk.screen().contains("Its answers vanish after fpr-"), "{}", desk.screen());
    // Nothing came back at all: that is no loss here.
    desk.send(tell(&passes[..4]));
    assert!(desk.screen().contains("It leaves the node; nothing came back from outside"), "{}", desk.screen());
    desk.send(tell(&passes[..1]));
    assert!(desk.screen().contains("✗ It vanishes after qr-"), "{}", desk.screen());
}

#[test]
fn its_first_packet_is_walked_and_nothing_is_asked_for_that_is_not_shown() {
    let mut desk = live(140, 45, well()).keys("T");
    desk.send(crate::traffic::heard(interval(5)));
    let mut desk = desk.keys("/51022<enter><enter>");
    let (inside, far) = (end([10, 0, 0, 4], 51022), end([198, 51, 100, 7], 443));
    let entries = vec![(names(&desk)[0].clone(), entry([inside, far], [far, end([192, 168, 1, 3], 51022)]))];
    desk.send(Msg::Heard(Ok(Box::new(Heard { interval: interval(5), entries, ..Heard::default() }))));
    // t walks its first packet, y copies what lists its connection; going back ends the following.
    let walk = desk.keys("t");
    assert!(matches!(walk.state.above.last(), Some(Screen::Walk(_))));
    let copied = walk.keys("<esc>y");
    let Some(Effect::Copy(line)) = copied.effects.last() else { panic!("{:?}", copied.effects) };
    assert!(line.contains("conntrack -L -p tcp --orig-src 10.0.0.4 --orig-dst 198.51.100.7"), "{line}");
    let left = copied.keys("<esc>");
    assert_eq!(left.state.attention.follow, None);
    assert!(left.state.attention.translations);
    // Nobody looks up translations for a screen that is not in sight.
    assert!(!left.keys("<esc><esc>").state.attention.translations);
}

#[test]
fn answers_are_turned_around_once_it_is_known_who_began() {
    let mut desk = live(140, 45, well()).keys("T");
    let (inside, far) = (end([10, 0, 0, 5], 51000), end([198, 51, 100, 7], 443));
    let router = end([192, 168, 1, 21], 1024);
    let mut answers = interval(5);
    answers.flows = vec![flow(Class::Snat, TCP, [far, router], None, 40)];
    desk.send(crate::traffic::heard(answers.clone()));
    let mut desk = desk.keys("<tab><enter>");
    assert_eq!(wanted(&desk).pairs, [[far, router]]);
    let entries = vec![(names(&desk)[0].clone(), entry([inside, far], [far, router]))];
    desk.send(Msg::Heard(Ok(Box::new(Heard { interval: answers.clone(), entries, ..Heard::default() }))));
    let it = wanted(&desk);
    assert_eq!(it.pairs[0], [inside, far]);
    assert_eq!(it.way_of([router, far]), Some(fipscope::traffic::Way::Forth));
    let Some(Screen::Flow(view)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    assert!(view.flows[0].is_none() && view.flows[1].is_some(), "{:?}", view.flows);
    assert!(desk.screen().contains("tcp 10.0.0.5:51000 → 198.51.100.7:443 as 192.168.1.21:1024"), "{}", desk.screen());
    // Tracked both ways, as two connections, it is not turned again and again.
    let entries = vec![
        (names(&desk)[0].clone(), entry([far, router], [inside, far])),
        (names(&desk)[0].clone(), entry([inside, far], [far, router])),
    ];
    for _ in 0..2 {
        let heard = Heard { interval: answers.clone(), entries: entries.clone(), ..Heard::default() };
        desk.send(Msg::Heard(Ok(Box::new(heard))));
        assert_eq!(wanted(&desk).pairs[0], [inside, far]);
    }
}

#[test]
fn what_never_passes_here_is_one_way_and_no_loss() {
    let mut without_snat = Scenario::article(Layout::Pike).snapshot;
    without_snat.namespaces.retain(|name, _| !name.as_str().starts_with("snat-"));
    let (inside, far) = (end([10, 0, 0, 5], 51000), end([198, 51, 100, 7], 443));
    let neighbour = end([20, 0, 0, 6], 53);
    let east_west = [inside, neighbour];
    for (node, class, ends, said) in [
        (
            well(),
            Class::EastWest,
            east_west,
            "One-way here: answers of an instance on another node enter its subnet there",
        ),
        (
            Node::of(without_snat),
            Class::Snat,
            [inside, far],
            "One-way here: answers go from the snat namespace straight",
        ),
    ] {
        let mut desk = live(140, 45, node).keys("T");
        let mut one = interval(5);
        one.flows = vec![flow(class, TCP, ends, None, 40)];
        desk.send(crate::traffic::heard(one.clone()));
        let mut desk = desk.keys("<tab><enter>");
        let reply = if class == Class::Snat { [far, end([192, 168, 1, 21], 1024)] } else { [neighbour, inside] };
        let entries = vec![(names(&desk)[0].clone(), entry(ends, reply))];
        let tell = |trail| {
            let heard = Heard { interval: one.clone(), trail, entries: entries.clone(), ..Heard::default() };
            Msg::Heard(Ok(Box::new(heard)))
        };
        desk.send(tell(None));
        let it = wanted(&desk);
        let Some(Screen::Flow(view)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
        // It passes where its walk says, and nothing comes back.
        let stations = view.stations.all.clone();
        assert!(stations.len() >= 2, "{stations:?}");
        let passes: Vec<Pass<'_>> = stations
            .iter()
            .map(|station| {
                let place = station.namespace.as_ref().unwrap().as_str();
                (place, station.name.as_str(), station.heading.unwrap(), ends, None)
            })
            .collect();
        desk.send(tell(Some(trail(&it, &passes))));
        let screen = desk.screen();
        assert!(screen.contains(said), "{said}: {screen}");
        assert!(!screen.contains("vanish"), "{said}: {screen}");
    }
}

fn followed(errand: &Errand, ident: u16, passes: &[Pass<'_>], answer: Option<ReachAnswer>) -> Msg {
    let errand = errand.clone().known_by(ident);
    let fixed = Some([10, 0, 0, 4].into());
    let conversation = Arc::new(errand.conversation(None, fixed));
    let expected = errand.should.clone();
    let trail = trail(&conversation, passes);
    Msg::Followed(Ok(Box::new(Followed { errand, expected, trail, answer, lost: 0, deaf: Vec::new() })))
}

#[test]
fn a_packet_is_sent_after_enter_and_followed_to_where_it_stops() {
    let desk = live(120, 34, well()).keys("192.168.1.3<enter>p");
    assert!(!desk.effects.iter().any(|effect| matches!(effect, Effect::SendPacket(_))), "nothing is sent by itself");
    assert_snapshot!("probe-offers-120x34", desk.screen());
    let Some(Screen::Errand(view)) = desk.state.above.last() else { panic!("{:?}", desk.state.above) };
    let aims: Vec<Aim> = view.offers.iter().map(|errand| errand.aim).collect();
    assert_eq!((aims.first(), aims.last()), (Some(&Aim::Floating), Some(&Aim::Gateway)));
    let mut desk = desk.keys("<enter>");
    let Some(Effect::SendPacket(errand)) = desk.effects.last().cloned() else { panic!("{:?}", desk.effects) };
    assert_eq!((errand.question.by, errand.question.destination.to_string().as_str()), (ReachBy::Echo, "192.168.1.3"));
    // One at a time.
    desk = desk.keys("<enter>");
    assert!(desk.screen().contains("still on its way"), "{}", desk.screen());

    let [qrouter, fip] = names(&desk);
    let fip_id = id([192, 168, 1, 3], [10, 0, 0, 4], ROUTER);
    let source = Endpoint { address: errand.question.source.unwrap(), port: Some(7) };
    let [floating, fixed] = [end([192, 168, 1, 3], 7), end([10, 0, 0, 4], 7)];
    let inward = Direction::Inbound;
    let passes: Vec<Pass<'_>> = vec![
        (fip.as_str(), "fpr-1", Heading::Out, [source, floating], Some((&fip_id, inward, Hop::Fpr))),
        (qrouter.as_str(), "rfp-1", Heading::In, [source, floating], Some((&fip_id, inward, Hop::Rfp))),
        (qrouter.as_str(), "qr-1", Heading::Out, [source, fixed], Some((&fip_id, inward, Hop::Qr))),
    ];
    // It is told as it passes.
    desk.send(followed(&errand, 7, &passes[..1], None));
    assert!(desk.screen().contains("on its way…") && desk.screen().contains("fpr-1"), "{}", desk.screen());
    desk.send(followed(&errand, 7, &passes[..2], Some(ReachAnswer::Silent)));
    assert!(desk.screen().contains("✗ It stops after rfp-1: nothing is found to be wrong"), "{}", desk.screen());
    assert_snapshot!("probe-stops-120x34", desk.screen());

    let ends = [
        (3, ReachAnswer::Silent, "! The instance does not answer: this node did its part"),
        (3, ReachAnswer::Answered { rtt: 412 }, "✓ Answered after 412 µs: the way there and back is good"),
        (3, ReachAnswer::Refused { rtt: 1412 }, "✓ Refused after 1.4 ms: nobody listens on that port"),
        (0, ReachAnswer::Unreachable { from: None }, "✗ It never left the namespace: nothing is found"),
        (0, ReachAnswer::NotSent("no\u{1b}[2J way".to_owned()), "? It was not sent: no"),
    ];
    for (passed, answer, said) in ends {
        desk = desk.keys("<enter>");
        desk.send(followed(&errand, 7, &passes[..passed], Some(answer)));
        let screen = desk.screen();
        assert!(screen.contains(said) && !screen.contains('\u{1b}'), "{said}: {screen}");
    }
    // The capture lost as much as the packet is.
    desk = desk.keys("<enter>");
    let Msg::Followed(Ok(mut overrun)) = followed(&errand, 7, &passes[..2], Some(ReachAnswer::Silent)) else {
        unreachable!()
    };
    overrun.lost = 1;
    desk.send(Msg::Followed(Ok(overrun)));
    assert!(desk.screen().contains("? Nothing came back, and how far it came cannot be told"), "{}", desk.screen());
    // What comes when nothing was sent is not taken for news.
    let before = desk.screen();
    desk.send(followed(&errand, 7, &[], Some(ReachAnswer::Silent)));
    assert_eq!(desk.screen(), before);
}

#[test]
fn the_finding_stands_beside_the_hop() {
    let desk = live(120, 34, crate::findings::node()).keys("192.168.1.7<enter>p<enter>");
    let Some(Effect::SendPacket(errand)) = desk.effects.last().cloned() else { panic!("{:?}", desk.effects) };
    let mut desk = desk;
    let fip_id = id([192, 168, 1, 7], [10, 0, 0, 9], ROUTER);
    let source = Endpoint { address: errand.question.source.unwrap(), port: Some(7) };
    let [_, fip] = names(&desk);
    let pass: Pass<'_> = (
        fip.as_str(),
        "fpr-1",
        Heading::Out,
        [source, end([192, 168, 1, 7], 7)],
        Some((&fip_id, Direction::Inbound, Hop::Fpr)),
    );
    desk.send(followed(&errand, 7, &[pass], Some(ReachAnswer::Silent)));
    assert!(desk.screen().contains("It stops after fpr-1: DVR"), "{}", desk.screen());
}

#[test]
fn a_file_sends_nothing() {
    let desk = Desk::article(80, 24).keys("192.168.1.3<enter>p");
    assert!(desk.effects.is_empty() && desk.screen().contains("nothing can be sent"), "{}", desk.screen());
}
