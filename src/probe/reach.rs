//! One ICMP echo or TCP SYN from a namespace, and its answer: a packet whose way
//! can be watched. The connection tracking of the namespaces that it passes will
//! know it for a while; nothing else of it stays.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, bind, connect, getsockopt, recv, sendto,
    setsockopt, socket, sockopt,
};

use crate::net::{ReachAnswer, ReachBy, ReachQuestion};
use crate::netns::{NetnsDir, enter};

const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const ECHO: u8 = 8;
const TIME_EXCEEDED: u8 = 11;

/// Sends one packet and waits for its answer, at most so long.
pub fn reach(dir: &NetnsDir, question: &ReachQuestion, wait: Duration) -> ReachAnswer {
    let asked = dir.open(&question.namespace).and_then(|ns| {
        // The socket stays in the namespace; what follows needs no thread there.
        enter(&ns, || open(question))
    });
    let sent = match asked {
        Err(error) => return ReachAnswer::NotSent(error.to_string()),
        Ok(Err(errno)) => return ReachAnswer::NotSent(refusal(errno, question)),
        Ok(Ok(socket)) => socket,
    };
    let answer = match question.by {
        ReachBy::Echo => echo(&sent, question, wait),
        ReachBy::Syn(port) => syn(&sent, question, port, wait),
    };
    match answer {
        Ok(answer) => answer,
        Err(Errno::ENETUNREACH | Errno::EHOSTUNREACH) => ReachAnswer::Unreachable { from: None },
        Err(errno) => ReachAnswer::NotSent(refusal(errno, question)),
    }
}

/// A socket that sends from the question's address.
fn open(question: &ReachQuestion) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (fd, port) = match question.by {
        ReachBy::Echo => (socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Icmp)?, 0),
        ReachBy::Syn(_) => {
            let fd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
            // Closed with a reset: nothing lingers, here or there.
            setsockopt(&fd, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
            (fd, question.ident)
        }
    };
    let source = question.source.unwrap_or(Ipv4Addr::UNSPECIFIED);
    bind(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(source, port)))?;
    Ok(fd)
}

fn syn(fd: &OwnedFd, question: &ReachQuestion, port: u16, wait: Duration) -> nix::Result<ReachAnswer> {
    let begin = Instant::now();
    match connect(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(question.destination, port))) {
        Err(Errno::EINPROGRESS) => {}
        Err(Errno::ECONNREFUSED) => return Ok(ReachAnswer::Refused { rtt: since(begin) }),
        other => return other.map(|()| ReachAnswer::Answered { rtt: since(begin) }),
    }
    if !ready(fd, PollFlags::POLLOUT, begin + wait) {
        return Ok(ReachAnswer::Silent);
    }
    match Errno::from_raw(getsockopt(fd, sockopt::SocketError)?) {
        Errno::UnknownErrno => Ok(ReachAnswer::Answered { rtt: since(begin) }),
        Errno::ECONNREFUSED => Ok(ReachAnswer::Refused { rtt: since(begin) }),
        Errno::ETIMEDOUT => Ok(ReachAnswer::Silent),
        errno => Err(errno),
    }
}

fn echo(fd: &OwnedFd, question: &ReachQuestion, wait: Duration) -> nix::Result<ReachAnswer> {
    let to = SockaddrIn::from(SocketAddrV4::new(question.destination, 0));
    let begin = Instant::now();
    sendto(fd.as_raw_fd(), &request(question.ident), &to, MsgFlags::empty())?;
    let mut room = [0; 256];
    while ready(fd, PollFlags::POLLIN, begin + wait) {
        let length = match recv(fd.as_raw_fd(), &mut room, MsgFlags::empty()) {
            Err(Errno::EAGAIN | Errno::EINTR) => continue,
            other => other?,
        };
        match heard(room.get(..length).unwrap_or_default(), question) {
            Some(Heard::Echo) => return Ok(ReachAnswer::Answered { rtt: since(begin) }),
            Some(Heard::Error(from)) => return Ok(ReachAnswer::Unreachable { from: Some(from) }),
            None => {}
        }
    }
    Ok(ReachAnswer::Silent)
}

/// What an ICMP packet says of our question.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Echo,
    Error(Ipv4Addr),
}

/// Reads a packet from its IPv4 header on; `None` where it is about another one.
fn heard(packet: &[u8], question: &ReachQuestion) -> Option<Heard> {
    let (from, _, icmp) = ipv4(packet)?;
    match *icmp.first()? {
        ECHO_REPLY => (from == question.destination && ident(icmp)? == question.ident).then_some(Heard::Echo),
        UNREACHABLE | TIME_EXCEEDED => {
            // The packet that it is about follows after eight bytes.
            let (_, to, about) = ipv4(icmp.get(8..)?)?;
            let is_ours = to == question.destination && *about.first()? == ECHO && ident(about)? == question.ident;
            is_ours.then_some(Heard::Error(from))
        }
        _ => None,
    }
}

/// Source, destination and content of an ICMP packet.
fn ipv4(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr, &[u8])> {
    let (version, length) = (packet.first()? >> 4, usize::from(packet.first()? & 0xf) * 4);
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let is_icmp = version == 4 && *packet.get(9)? == 1;
    let content = packet.get(length..)?;
    is_icmp.then_some((address(12)?, address(16)?, content))
}

fn ident(icmp: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(icmp.get(4..6)?.try_into().ok()?))
}

/// An echo request without data.
fn request(ident: u16) -> [u8; 8] {
    let [high, low] = ident.to_be_bytes();
    // RFC 1071 over type and identifier; the rest is zero.
    let sum = (u32::from(ECHO) << 8) + u32::from(ident);
    let folded = (sum & 0xffff) + (sum >> 16);
    let [sum_high, sum_low] = (!u16::try_from(folded).unwrap_or(u16::MAX)).to_be_bytes();
    [ECHO, 0, sum_high, sum_low, high, low, 0, 0]
}

/// Waits until the socket is ready; false where the time is over.
fn ready(fd: &OwnedFd, what: PollFlags, until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(fd.as_fd(), what)], timeout) {
            Ok(1..) => return true,
            Err(Errno::EINTR) if !left.is_zero() => {}
            _ if left.is_zero() => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

fn since(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn refusal(errno: Errno, question: &ReachQuestion) -> String {
    let hint = match errno {
        Errno::EPERM | Errno::EACCES => "; it needs CAP_NET_RAW, try: sudo",
        Errno::EADDRNOTAVAIL => "; the source has to be an address of that namespace",
        _ => "",
    };
    format!("cannot send to {} from {}: {}{hint}", question.destination, question.namespace, io::Error::from(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> ReachQuestion {
        ReachQuestion {
            namespace: "vm".into(),
            source: None,
            destination: Ipv4Addr::new(198, 51, 100, 7),
            by: ReachBy::Echo,
            ident: 0xf1b5,
        }
    }

    fn packet(from: [u8; 4], to: [u8; 4], icmp: &[u8]) -> Vec<u8> {
        let header = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0];
        [&header[..], &from, &to, icmp].concat()
    }

    #[test]
    fn a_request_adds_up() {
        for ident in [0, 1, 0xf1b5, u16::MAX] {
            let sum: u32 = request(ident).chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "{ident}");
        }
    }

    #[test]
    fn answers_are_known_by_address_and_identifier() {
        let mut reply = request(0xf1b5);
        reply[0] = ECHO_REPLY;
        let (far, us, gateway) = ([198, 51, 100, 7], [10, 0, 0, 4], [10, 0, 0, 1]);
        assert_eq!(heard(&packet(far, us, &reply), &question()), Some(Heard::Echo));
        assert_eq!(heard(&packet(gateway, us, &reply), &question()), None);
        assert_eq!(heard(&packet(far, us, &request(0xf1b5)), &question()), None, "a question is no answer");
        reply[5] ^= 1;
        assert_eq!(heard(&packet(far, us, &reply), &question()), None);
        let error = |about: &[u8]| [&[UNREACHABLE, 1, 0, 0, 0, 0, 0, 0][..], about].concat();
        let ours = packet(us, far, &request(0xf1b5));
        assert_eq!(heard(&packet(gateway, us, &error(&ours)), &question()), Some(Heard::Error(gateway.into())));
        let other = packet(us, gateway, &request(0xf1b5));
        assert_eq!(heard(&packet(gateway, us, &error(&other)), &question()), None);
        let whole = packet(gateway, us, &error(&ours));
        for length in 0..whole.len() - 2 {
            assert_eq!(heard(&whole[..length], &question()), None, "{length}");
        }
    }
}
