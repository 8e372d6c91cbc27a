//! ARP on Ethernet as bytes (RFC 826): 14 bytes of Ethernet header, 28 of ARP.

use std::net::Ipv4Addr;

use crate::net::Mac;

/// `ETH_P_ARP`.
pub(super) const ETHERTYPE: u16 = 0x0806;
/// Bytes of a frame, without the padding that a driver adds.
pub(super) const LENGTH: usize = 42;

const BROADCAST: Mac = Mac([0xff; 6]);
const NOBODY: Mac = Mac([0; 6]);
/// Hardware type Ethernet, protocol IPv4, and the lengths of their addresses.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arp {
    /// Request or reply.
    pub(super) operation: Operation,
    /// Who speaks.
    pub(super) sender: (Mac, Ipv4Addr),
    /// Who is spoken to.
    pub(super) target: (Mac, Ipv4Addr),
}

/// `ARPOP_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Request = 1,
    Reply = 2,
}

impl Arp {
    /// Who has `target`?
    pub(super) fn request(sender: (Mac, Ipv4Addr), target: Ipv4Addr) -> Self {
        Self { operation: Operation::Request, sender, target: (NOBODY, target) }
    }

    /// Says unasked who has an address, in the two forms that caches listen to
    /// (RFC 5227, section 3; `arping -U` and `-A`).
    pub(super) fn announcements(mac: Mac, address: Ipv4Addr) -> [Self; 2] {
        let sender = (mac, address);
        [
            Self { operation: Operation::Request, sender, target: (BROADCAST, address) },
            Self { operation: Operation::Reply, sender, target: (mac, address) },
        ]
    }

    /// The frame, to everybody on the link.
    pub(super) fn broadcast(&self) -> [u8; LENGTH] {
        let operation = (self.operation as u16).to_be_bytes();
        let header = [&BROADCAST.0[..], &self.sender.0.0, &ETHERTYPE.to_be_bytes(), &ETHERNET_IPV4, &operation];
        let body =
            [&self.sender.0.0[..], &self.sender.1.octets(), &self.target.0.0[..], &self.target.1.octets()].concat();
        let mut frame = [0; LENGTH];
        for (byte, value) in frame.iter_mut().zip(header.concat().into_iter().chain(body)) {
            *byte = value;
        }
        frame
    }

    /// What a frame says; `None` for anything but ARP for IPv4 on Ethernet.
    pub(super) fn parse(frame: &[u8]) -> Option<Self> {
        let arp = frame.get(12..LENGTH)?;
        let operation = match arp.get(8..10)? {
            [0, 1] => Operation::Request,
            [0, 2] => Operation::Reply,
            _ => return None,
        };
        let is_ours = arp.get(..2)? == ETHERTYPE.to_be_bytes() && arp.get(2..8)? == ETHERNET_IPV4;
        let mac = |at: usize| Some(Mac(arp.get(at..at + 6)?.try_into().ok()?));
        let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(arp.get(at..at + 4)?).ok()?));
        let said = Self { operation, sender: (mac(10)?, address(16)?), target: (mac(20)?, address(26)?) };
        is_ours.then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Mac = Mac([0xfa, 0x16, 0x3e, 0xcc, 0x98, 0xc8]);

    #[test]
    fn a_request_is_that_of_the_rfc() {
        let asked = Arp::request((US, Ipv4Addr::new(192, 168, 1, 23)), Ipv4Addr::new(192, 168, 1, 3));
        let wanted = [
            &[0xff; 6][..],
            &US.0,
            &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
            &US.0,
            &[192, 168, 1, 23],
            &[0; 6],
            &[192, 168, 1, 3],
        ];
        assert_eq!(asked.broadcast()[..], wanted.concat());
        assert_eq!(Arp::parse(&asked.broadcast()), Some(asked));
    }

    #[test]
    fn an_announcement_comes_in_both_forms() {
        let address = Ipv4Addr::new(192, 168, 1, 3);
        for (told, operation) in Arp::announcements(US, address).iter().zip([Operation::Request, Operation::Reply]) {
            let heard = Arp::parse(&told.broadcast()).unwrap();
            assert_eq!((heard.operation, heard.sender, heard.target.1), (operation, (US, address), address));
        }
    }

    #[test]
    fn what_is_no_arp_is_nothing() {
        let good = Arp::request((US, Ipv4Addr::LOCALHOST), Ipv4Addr::LOCALHOST).broadcast();
        for length in 0..LENGTH {
            assert_eq!(Arp::parse(&good[..length]), None, "{length}");
        }
        for at in 12..22 {
            let mut bad = good;
            bad[at] ^= 0x80;
            assert_eq!(Arp::parse(&bad), None, "{at}");
        }
        // Padding to the shortest Ethernet frame.
        assert!(Arp::parse(&[&good[..], &[0; 18]].concat()).is_some());
    }
}
