//! Frames that are right, and frames that are anything.

use proptest::prelude::*;

use super::*;
use crate::net::Heading;

fn frame(bytes: &[u8], length: u32, segment: u16) -> Frame<'_> {
    Frame { at: 0, namespace: 0, device: 1, heading: Heading::In, length, segment, bytes }
}

/// An Ethernet frame with these tags, protocol, flags of fragments and body.
fn bytes(tags: &[u16], proto: u8, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2; 12];
    for tag in tags {
        bytes.extend(tag.to_be_bytes());
        bytes.extend([0, 7]);
    }
    bytes.extend([0x08, 0x00, 0x45, 0]);
    bytes.extend(u16::try_from(20 + body.len()).unwrap().to_be_bytes());
    bytes.extend([0x12, 0x34]);
    bytes.extend(flags.to_be_bytes());
    bytes.extend([64, proto, 0, 0, 10, 0, 0, 4, 198, 51, 100, 7]);
    bytes.extend(body);
    bytes
}

fn read(bytes: &[u8]) -> Option<Heard> {
    parse(&frame(bytes, u32::try_from(bytes.len()).unwrap(), 0))
}

#[test]
fn ports_addresses_and_bytes() {
    let udp = [0x9c, 0x40, 0, 53, 0, 9, 0, 0, 1];
    for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100]] {
        let heard = read(&bytes(tags, UDP, 0, &udp)).unwrap();
        assert_eq!(heard.packet.to_string(), "10.0.0.4:40000 → 198.51.100.7:53 udp");
        assert_eq!((heard.ttl, heard.count, heard.fragment), (64, Count { packets: 1, bytes: 29 }, None));
    }
    let mut padded = bytes(&[], UDP, 0, &udp);
    padded.resize(60, 0);
    assert_eq!(read(&padded).unwrap().count.bytes, 29);
}

#[test]
fn an_echo_has_its_identifier_an_error_has_none() {
    let echo = read(&bytes(&[], ICMP, 0, &[8, 0, 0, 0, 0x30, 0x39, 0, 1])).unwrap();
    assert_eq!((echo.packet.sport, echo.packet.dport, echo.packet.icmp), (Some(12345), Some(12345), Some((8, 0))));
    let error = read(&bytes(&[], ICMP, 0, &[3, 1, 0, 0, 0, 0, 0, 0])).unwrap();
    assert_eq!((error.packet.sport, error.packet.icmp), (None, Some((3, 1))));
}

#[test]
fn a_later_fragment_has_no_ports() {
    let first = read(&bytes(&[], UDP, 0x2000, &[0x9c, 0x40, 0, 53])).unwrap();
    assert_eq!((first.packet.sport, first.fragment), (Some(40000), Some(Fragment { id: 0x1234, is_first: true })));
    let later = read(&bytes(&[], UDP, 0x00b9, &[0x9c, 0x40, 0, 53])).unwrap();
    assert_eq!((later.packet.sport, later.fragment), (None, Some(Fragment { id: 0x1234, is_first: false })));
}

#[test]
fn a_merged_frame_counts_as_its_segments() {
    // 12 bytes of options: a TCP header of 32.
    let tcp = [&[0x9c, 0x40, 1, 0xbb][..], &[0; 8], &[0x80, 0x10], &[0; 18]].concat();
    let bytes = bytes(&[], TCP, 0, &tcp);
    let heard = |length, segment| parse(&frame(&bytes, length, segment)).unwrap().count;
    let headers = 14 + 20 + 32;
    assert_eq!(heard(headers + 3000, 1448), Count { packets: 3, bytes: 3000 + 3 * 52 });
    assert_eq!(heard(headers + 2896, 1448), Count { packets: 2, bytes: 2896 + 2 * 52 });
    assert_eq!(heard(headers, 1448), Count { packets: 1, bytes: 52 });
}

#[test]
fn what_is_not_ipv4_is_nothing() {
    let mut arp = bytes(&[], UDP, 0, &[]);
    arp[13] = 6;
    assert_eq!(read(&arp), None);
    let mut six = bytes(&[], UDP, 0, &[]);
    six[14] = 0x65;
    assert_eq!(read(&six), None);
    let whole = bytes(&[], UDP, 0, &[]);
    assert!((0..34).all(|length| read(&whole[..length]).is_none()));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..160), length: u32, segment: u16) {
        let _ = parse(&frame(&bytes, length, segment));
    }

    #[test]
    fn no_bytes_behind_a_good_beginning_make_it_panic(
        tail in proptest::collection::vec(any::<u8>(), 0..120), proto: u8, first: u8, flags: u16, length: u32, segment: u16,
    ) {
        let mut bytes = bytes(&[], proto, flags, &tail);
        bytes[14] = 0x40 | (first & 0xf);
        if let Some(heard) = parse(&frame(&bytes, length, segment)) {
            prop_assert!(heard.count.packets >= 1);
        }
    }
}
