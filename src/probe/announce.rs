//! Announcements: gratuitous ARP, which tells the neighbours on a link who has
//! an address, without having it.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use super::Error;
use super::arp::Arp;
use super::socket::LinkSocket;
use crate::net::{IfName, Mac, NetnsName};
use crate::netns::{NetnsDir, enter};

/// What is announced, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Where.
    pub namespace: NetnsName,
    /// On which link.
    pub device: IfName,
    /// Whose address.
    pub address: Ipv4Addr,
    /// The hardware address that has it; `None` is the device's own.
    pub mac: Option<Mac>,
    /// How often.
    pub rounds: u32,
    /// How long between two rounds.
    pub interval: Duration,
}

impl Announcement {
    /// An address behind a device, announced as the L3 agent does it since Pike
    /// (`neutron/agent/linux/ip_lib.py: send_ip_addr_adv_notif`): three times.
    /// The rounds are more than two seconds apart, as a switch that learns at
    /// most one change in that time drops nearer ones (LP1690165).
    pub fn of(namespace: NetnsName, device: IfName, address: Ipv4Addr) -> Self {
        Self { namespace, device, address, mac: None, rounds: 3, interval: Duration::from_millis(2200) }
    }
}

/// Sends one round at once: the request form and the reply form.
pub fn announce_once(dir: &NetnsDir, what: &Announcement) -> Result<(), Error> {
    let ns = dir.open(&what.namespace)?;
    let socket = enter(&ns, || {
        let socket = LinkSocket::open(&what.namespace, &what.device, &[])?;
        for told in Arp::announcements(what.mac.unwrap_or(socket.mac()), what.address) {
            socket.send(&told.broadcast()).map_err(|source| Error::Socket {
                operation: "announce",
                device: what.device.clone(),
                namespace: what.namespace.clone(),
                source,
            })?;
        }
        Ok::<_, Error>(socket)
    })??;
    // The kernel lets a packet socket go when it is sure that no processor uses it any more
    // (`net/packet/af_packet.c: packet_release`), which takes many milliseconds that nobody has to wait for. Where no
    // thread can be started the socket goes here.
    let _ = thread::Builder::new().name("announced".to_owned()).spawn(move || drop(socket));
    Ok(())
}

/// Sends all rounds, the first at once; blocks for their time. `go_on` is told
/// how many were sent, and ends it with `false`: an address that moved away
/// must not be announced any more. The namespace is not held between rounds.
/// Gives how many were sent.
pub fn announce(dir: &NetnsDir, what: &Announcement, mut go_on: impl FnMut(u32) -> bool) -> Result<u32, Error> {
    for round in 1..=what.rounds {
        announce_once(dir, what)?;
        if !go_on(round) || round == what.rounds {
            return Ok(round);
        }
        thread::sleep(what.interval);
        // Asked again: much can happen in that time.
        if !go_on(round) {
            return Ok(round);
        }
    }
    Ok(0)
}
