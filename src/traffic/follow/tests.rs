//! One conversation among others, under all its addresses.

use super::*;
use crate::net::ConntrackTuple;
use crate::path::{Class, TCP, UDP};
use crate::topology::Direction;

fn end(address: [u8; 4], port: u16) -> Endpoint {
    Endpoint { address: address.into(), port: Some(port) }
}

const VM: [u8; 4] = [10, 0, 0, 5];
const FAR: [u8; 4] = [198, 51, 100, 7];
const ROUTER: [u8; 4] = [192, 168, 1, 21];

/// As the snat namespace tracks it, under another port.
fn entry() -> ConntrackEntry {
    let tuple = |source: Endpoint, destination: Endpoint| ConntrackTuple {
        src: source.address.into(),
        dst: destination.address.into(),
        proto: TCP,
        sport: source.port,
        dport: destination.port,
    };
    ConntrackEntry {
        original: tuple(end(VM, 5), end(FAR, 443)),
        reply: tuple(end(FAR, 443), end(ROUTER, 1024)),
        status: 0,
        mark: 0,
        zone: 0,
        timeout: None,
        id: None,
        started: None,
        original_count: None,
        reply_count: None,
    }
}

fn see(follow: &mut Follow, number: u32, heading: Heading, ends: [Endpoint; 2]) -> bool {
    see_at(follow, (7, number), heading, ends)
}

fn see_at(
    follow: &mut Follow,
    (at, number): (u64, u32),
    heading: Heading,
    [source, destination]: [Endpoint; 2],
) -> bool {
    let packet = Packet::first(source.address, destination.address, TCP);
    let packet = Packet { sport: source.port, dport: destination.port, ..packet };
    let frame = Frame { at, namespace: number, device: 1, heading, length: 74, segment: 0, bytes: &[] };
    let count = Count { packets: 1, bytes: 60 };
    let direction = if heading == Heading::In { Direction::Outbound } else { Direction::Inbound };
    let seen = Sighting { packet, class: Class::Snat, detail: None, direction, floating_ip: None, count, ends: false };
    follow.see(&frame, &seen, || Some((NetnsName::new(format!("n{number}")), "d".into())))
}

#[test]
fn connection_tracking_tells_the_other_names_of_either_way() {
    let forth = Conversation::of(TCP, [end(VM, 5), end(FAR, 443)], None, &[entry()]);
    assert_eq!(forth.way_of([end(ROUTER, 1024), end(FAR, 443)]), Some(Way::Forth));
    assert_eq!(forth.way_of([end(FAR, 443), end(VM, 5)]), Some(Way::Back));
    // The same connection, followed from its answers.
    let back = Conversation::of(TCP, [end(FAR, 443), end(ROUTER, 1024)], None, &[entry()]);
    assert_eq!(back.way_of([end(FAR, 443), end(VM, 5)]), Some(Way::Forth));
    assert_eq!(back.way_of([end(VM, 5), end(FAR, 443)]), Some(Way::Back));
    // Another one's entry tells nothing, nor does one of another protocol.
    let other = Conversation::of(TCP, [end(VM, 6), end(FAR, 443)], None, &[entry()]);
    assert_eq!(other.pairs.len(), 1);
    assert_eq!(Conversation::of(UDP, [end(VM, 5), end(FAR, 443)], None, &[entry()]).pairs.len(), 1);
}

#[test]
fn places_are_told_apart_by_the_way_forth() {
    let mut follow = Follow::new(Arc::new(Conversation::of(TCP, [end(VM, 5), end(FAR, 443)], None, &[])), 0);
    assert!(see(&mut follow, 0, Heading::In, [end(VM, 5), end(FAR, 443)]));
    assert!(see(&mut follow, 0, Heading::Out, [end(FAR, 443), end(VM, 5)]));
    // On its way to the snat namespace it leaves by the port through which it came.
    assert!(see(&mut follow, 0, Heading::Out, [end(VM, 5), end(FAR, 443)]));
    assert!(!see(&mut follow, 0, Heading::In, [end(VM, 6), end(FAR, 443)]), "another conversation");
    let told = |follow: &Follow| -> Vec<(Heading, u64, u64)> {
        let of = |point: &TrailPoint| (point.at.heading, point.counts[0].packets, point.counts[1].packets);
        follow.trail(u64::MAX).points.iter().map(of).collect()
    };
    assert_eq!(told(&follow), [(Heading::In, 1, 1), (Heading::Out, 1, 0)]);
    // The capture's numbers change, the places stay.
    follow.renumber();
    assert!(see(&mut follow, 0, Heading::In, [end(VM, 5), end(FAR, 443)]));
    assert_eq!(told(&follow), [(Heading::In, 2, 1), (Heading::Out, 1, 0)]);
}

#[test]
fn a_port_is_any_until_connection_tracking_tells_it() {
    let vague = [Endpoint { address: ROUTER.into(), port: None }, end(FAR, 443)];
    let mut it = Conversation::of(TCP, [end(VM, 5), end(FAR, 443)], None, &[]);
    it.pairs.push(vague);
    assert!(it.is_vague());
    assert_eq!(it.way_of([end(ROUTER, 77), end(FAR, 443)]), Some(Way::Forth), "it may be ours");
    let it = Conversation::of(TCP, vague, None, &[]);
    assert!(it.is_vague());
    // As found by the walk, and then by the entry.
    let it = Conversation::of(TCP, [end(VM, 5), end(FAR, 443)], None, &[entry()]);
    assert!(!it.is_vague());
    assert_eq!(it.way_of([end(ROUTER, 77), end(FAR, 443)]), None);
}

#[test]
fn the_last_packets_are_the_last_ones_by_their_time() {
    let ends = [end(VM, 5), end(FAR, 443)];
    let mut follow = Follow::new(Arc::new(Conversation::of(TCP, ends, None, &[])), 0);
    // One namespace's frames are read after the other's.
    let begun = 3_600_000_000_000;
    for number in [0, 1] {
        for packet in 0..100 {
            see_at(&mut follow, (begun + packet * 1_000_000 + u64::from(number) * 20_000, number), Heading::In, ends);
        }
    }
    let kept = |follow: &Follow, wanted: &str| {
        let last = follow.trail(u64::MAX).last;
        assert!(last.len() == MOST_GLIMPSES && last.iter().is_sorted_by_key(|glimpse| glimpse.time));
        last.iter().filter(|glimpse| glimpse.at.namespace.as_str() == wanted).count()
    };
    assert_eq!([kept(&follow, "n0"), kept(&follow, "n1")], [MOST_GLIMPSES / 2; 2]);
    // The clock is set back: what comes then is the last that was seen.
    for packet in 0..100 {
        see_at(&mut follow, (begun - 5_000_000_000 + packet * 1_000_000, 2), Heading::In, ends);
    }
    assert_eq!(kept(&follow, "n2"), MOST_GLIMPSES);
}

#[test]
fn it_stays_bounded_and_in_its_namespaces() {
    let mut it = Conversation::of(TCP, [end(VM, 5), end(FAR, 443)], None, &[]);
    let mut follow = Follow::new(Arc::new(it.clone()), 0);
    for number in 0..1000 {
        see(&mut follow, number, Heading::In, [end(VM, 5), end(FAR, 443)]);
    }
    assert_eq!((follow.trail(u64::MAX).points.len(), follow.trail(u64::MAX).last.len()), (MOST_POINTS, MOST_GLIMPSES));
    it.look_in(&"n7".into());
    let mut follow = Follow::new(Arc::new(it), 0);
    for number in 0..10 {
        see(&mut follow, number, Heading::In, [end(VM, 5), end(FAR, 443)]);
    }
    assert_eq!(follow.trail(u64::MAX).points.len(), 1, "another tenant may have the same addresses");
}

#[test]
fn what_was_read_before_it_is_followed_is_left_out() {
    let ends = [end(VM, 5), end(FAR, 443)];
    let it = Arc::new(Conversation::of(TCP, ends, None, &[]));
    // Its frames have a time of 7.
    let mut follow = Follow::new(it.clone(), 8);
    assert!(!see(&mut follow, 0, Heading::In, ends) && follow.trail(u64::MAX).points.is_empty());
    assert!(see(&mut Follow::new(it.clone(), 7), 0, Heading::In, ends));
    assert!(see(&mut Follow::new(it, 3_600_000_000_000), 0, Heading::In, ends), "the clock was set back");
}
