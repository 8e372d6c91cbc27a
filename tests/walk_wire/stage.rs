//! Sockets in all namespaces: senders, echoes, and a sniffer that sees every
//! device of its namespace.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, IoSliceMut};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::net::{IfName, Mac, NetnsName, Snapshot};
use fipscope::netns::{NetnsDir, enter};
use fipscope::path::Packet;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recvmsg,
    sendto, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

use crate::arp::Heard;
use crate::packet::{self, Seen};

/// The port that echoes UDP wherever there is a host.
pub(crate) const ECHO_PORT: u16 = 7007;
/// So many packets are on their way at once; fewer where a sniffer's memory is
/// that of an ordinary user.
const AT_ONCE: usize = 64;
const AT_ONCE_ORDINARY: usize = 12;
/// After this long without a packet there comes none.
const QUIET: Duration = Duration::from_millis(80);
/// `linux/if_packet.h`.
const PACKET_HOST: u8 = 0;
const PACKET_OUTGOING: u8 = 4;
/// `linux/if_ether.h`.
const ETHERTYPE_ARP: u16 = 0x0806;

/// A test packet that passed a device.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) namespace: NetnsName,
    pub(crate) device: IfName,
    pub(crate) out: bool,
    pub(crate) seen: Seen,
    at: Duration,
}

/// All sockets.
pub(crate) struct Stage {
    sniffers: Vec<(NetnsName, OwnedFd)>,
    senders: BTreeMap<NetnsName, OwnedFd>,
    echoes: Vec<UdpSocket>,
    devices: BTreeMap<(NetnsName, usize), IfName>,
    at_once: usize,
    /// Answers to ARP that the gateway heard.
    arp: RefCell<Vec<(Ipv4Addr, Mac)>>,
}

/// A packet from a sniffer.
struct Caught {
    index: usize,
    out: bool,
    at: Duration,
    /// Where it is one of ours.
    seen: Option<Seen>,
    /// Where it answers an ARP question.
    arp: Option<(Ipv4Addr, Mac)>,
}

impl Stage {
    /// Opens a sniffer in each of the node's namespaces and of `hosts`, and
    /// sender and echo in the latter.
    pub(crate) fn open(dir: &NetnsDir, snapshot: &Snapshot, hosts: &[NetnsName]) -> Self {
        let mut stage = Self {
            sniffers: Vec::new(),
            senders: BTreeMap::new(),
            echoes: Vec::new(),
            devices: BTreeMap::new(),
            at_once: AT_ONCE,
            arp: RefCell::default(),
        };
        for (name, netns) in &snapshot.namespaces {
            let host = hosts.contains(name);
            if !host && !is_of_the_node(name) {
                continue;
            }
            for link in netns.seen().unwrap().links() {
                stage.devices.insert((name.clone(), link.index as usize), link.name.clone());
            }
            let ns = dir.open(name).unwrap();
            let (socket, roomy) = enter(&ns, sniffer).unwrap();
            if !roomy {
                stage.at_once = AT_ONCE_ORDINARY;
            }
            stage.sniffers.push((name.clone(), socket));
            if host {
                stage.senders.insert(name.clone(), enter(&ns, sender).unwrap());
            }
            // The gateway would answer from another of its addresses.
            if host && name.as_str() != "gateway" {
                let echo = enter(&ns, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, ECHO_PORT))).unwrap().unwrap();
                echo.set_nonblocking(true).unwrap();
                stage.echoes.push(echo);
            }
        }
        stage
    }

    /// Sends these packets, each from its namespace under its number, and gives
    /// what was seen of them, in the order of time.
    pub(crate) fn send(&self, packets: &[(u32, &NetnsName, Packet)]) -> Vec<Event> {
        let mut events = Vec::new();
        for chunk in packets.chunks(self.at_once) {
            for (flow, from, packet) in chunk {
                let bytes = packet::encode(packet, *flow);
                let to = SockaddrIn::from(std::net::SocketAddrV4::new(packet.dst, 0));
                match sendto(self.senders[*from].as_raw_fd(), &bytes, &to, MsgFlags::empty()) {
                    Ok(_) | Err(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EMSGSIZE) => {}
                    Err(errno) => panic!("cannot send {packet} from {from}: {errno}"),
                }
            }
            self.listen(&mut events, Duration::from_millis(3));
        }
        self.listen(&mut events, QUIET);
        events.sort_by_key(|event| event.at);
        events
    }

    /// Sends these packets from their namespace, and gives the answers to the
    /// ARP questions that the kernel asks there for them.
    pub(crate) fn ask(&self, packets: &[(u32, &NetnsName, Packet)], patience: Duration) -> Heard {
        let Some((_, from, _)) = packets.first() else { return Heard::new() };
        let _ = self.send(packets);
        let mut heard = Heard::new();
        let (_, sniffer) = self.sniffers.iter().find(|(name, _)| name == *from).unwrap();
        let begin = Instant::now();
        for (target, mac) in self.arp.borrow_mut().drain(..) {
            heard.entry(target).or_default().insert(mac);
        }
        while begin.elapsed() < patience {
            while let Some(caught) = next(sniffer) {
                if let Some((target, mac)) = caught.arp {
                    heard.entry(target).or_default().insert(mac);
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
        heard
    }

    /// Answers and collects until it is quiet for that long.
    fn listen(&self, events: &mut Vec<Event>, quiet: Duration) {
        let mut last = Instant::now();
        while last.elapsed() < quiet {
            let before = events.len();
            let echoed = self.echo();
            for (namespace, socket) in &self.sniffers {
                while let Some(Caught { index, out, at, seen, arp }) = next(socket) {
                    if let (Some(answer), "gateway") = (arp, namespace.as_str()) {
                        self.arp.borrow_mut().push(answer);
                    }
                    let device = self.devices.get(&(namespace.clone(), index)).cloned();
                    let device = device.unwrap_or_else(|| IfName::new(format!("#{index}")));
                    events.extend(seen.map(|seen| Event { namespace: namespace.clone(), device, out, seen, at }));
                }
            }
            if echoed || events.len() > before {
                last = Instant::now();
            } else {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn echo(&self) -> bool {
        let mut any = false;
        let mut buffer = [0; 2048];
        for echo in &self.echoes {
            loop {
                match echo.recv_from(&mut buffer) {
                    Ok((length, from)) => {
                        any = true;
                        if let Some(answer) = packet::answer(&buffer[..length]) {
                            let _ = echo.send_to(&answer, from);
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // An ICMP error about an answer.
                    Err(_) => any = true,
                }
            }
        }
        any
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen { way, src, dst, proto, sport, dport, .. } = self.seen;
        let place: String = self.namespace.as_str().chars().take(14).collect();
        let direction = if self.out { "out" } else { "in " };
        write!(f, "{place} {direction} {} {src}:{sport} → {dst}:{dport} proto {proto} {way:?}", self.device)
    }
}

/// Whether the L3 agent made it.
pub(crate) fn is_of_the_node(name: &NetnsName) -> bool {
    ["qrouter-", "fip-", "snat-"].iter().any(|prefix| name.as_str().starts_with(prefix))
}

/// A sniffer, and whether it has more room than an ordinary user gets.
fn sniffer() -> (OwnedFd, bool) {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Packet, SockType::Datagram, flags, SockProtocol::EthAll).unwrap();
    let roomy = setsockopt(&socket, sockopt::RcvBufForce, &(16 << 20)).is_ok();
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
    (socket, roomy)
}

fn sender() -> OwnedFd {
    socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Raw).unwrap()
}

/// The next packet that waits.
fn next(socket: &OwnedFd) -> Option<Caught> {
    let mut buffer = [0; 2048];
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let (from, at, length) = loop {
        let message = match recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Ok(message) => message,
            Err(Errno::EAGAIN) => return None,
            // A device that went down says so once.
            Err(Errno::ENETDOWN) => continue,
            Err(errno) => panic!("cannot sniff: {errno}"),
        };
        let from = message.address.unwrap();
        let at = message.cmsgs().unwrap().find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        });
        break (from, at.unwrap(), message.bytes);
    };
    let (kind, bytes) = (from.pkttype(), &buffer[..length]);
    let ours = matches!(kind, PACKET_HOST | PACKET_OUTGOING);
    let is_arp = u16::from_be(from.protocol()) == ETHERTYPE_ARP;
    Some(Caught {
        index: from.ifindex(),
        out: kind == PACKET_OUTGOING,
        at,
        seen: (ours && !is_arp).then(|| packet::decode(bytes)).flatten(),
        arp: (kind == PACKET_HOST && is_arp).then(|| arp_answer(bytes)).flatten(),
    })
}

/// Whose address it is, of an ARP reply (RFC 826).
fn arp_answer(bytes: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let is_reply = bytes.get(6..8)? == [0, 2];
    let mac = Mac(bytes.get(8..14)?.try_into().ok()?);
    let address = <[u8; 4]>::try_from(bytes.get(14..18)?).ok()?;
    is_reply.then(|| (address.into(), mac))
}
