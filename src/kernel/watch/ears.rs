//! The sockets that hear what changes in one namespace.
//!
//! Nothing is taken from a message but which part of the namespace it is about:
//! that part is read again, so that what is shown is what the kernel has, also
//! where messages were lost.

use std::io;

use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use netlink_sys::{Socket, SocketAddr};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::socket::{setsockopt, sockopt};

use crate::kernel::namespace::{Parts, inode_here};
use crate::kernel::socket::messages;

/// `enum rtnetlink_groups` (`include/uapi/linux/rtnetlink.h`): links, neighbours,
/// traffic control, addresses, routes, rules and settings of both families,
/// namespace numbers, next hops.
const ROUTE_GROUPS: [u32; 13] = [1, 3, 4, 5, 7, 8, 9, 11, 19, 24, 25, 28, 32];
/// `NFNLGRP_NFTABLES`.
const NFTABLES: u32 = 7;

/// Bytes of messages that a socket may keep for us (the kernel doubles it). A
/// burst that does not fit costs one reading of the whole namespace.
const BUFFER: usize = 128 << 10;
/// The kernel's messages are at most 32 KiB (`netlink_dump`), these far less.
pub(super) const LARGEST: usize = 32 << 10;
/// Datagrams that are taken in at a time; the rest waits for the next turn. More than a socket keeps.
const MOST: usize = 4096;

/// The sockets, in the namespace in which they were opened. They keep it alive:
/// let go of them as soon as its name is gone.
pub(super) struct Ears {
    route: Socket,
    /// None where the kernel tells us nothing of nftables.
    netfilter: Option<Socket>,
    /// The namespace's inode number: another one under the same name differs.
    pub(super) inode: u64,
}

/// What was heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// What has to be read again at once.
    pub(super) parts: Parts,
    /// Neighbours are looked for, were given up, or went.
    pub(super) sought: bool,
    /// Neighbours were confirmed or grew old, as they do by themselves.
    pub(super) calm: bool,
    /// Messages were lost.
    pub(super) overrun: bool,
}

impl Ears {
    /// Opens them in the calling thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        let route = hear(NETLINK_ROUTE, &ROUTE_GROUPS)?;
        let netfilter = hear(NETLINK_NETFILTER, &[NFTABLES]).ok();
        let inode = inode_here()?;
        Ok(Self { route, netfilter, inode })
    }

    /// The kernel tells us of nftables.
    pub(super) fn hears_netfilter(&self) -> bool {
        self.netfilter.is_some()
    }

    /// Has the sockets waited for, under a number.
    pub(super) fn join(&self, epoll: &Epoll, number: u64) -> nix::Result<()> {
        let event = || EpollEvent::new(EpollFlags::EPOLLIN, number);
        epoll.add(&self.route, event())?;
        self.netfilter.as_ref().map_or(Ok(()), |socket| epoll.add(socket, event()))
    }

    /// Takes in what lies there.
    pub(super) fn listen(&self, buffer: &mut [u8]) -> Heard {
        let mut heard = Heard::default();
        drain(&self.route, buffer, &mut heard, |kind, payload, heard| match about(kind, payload) {
            News::Of(parts) => heard.parts = heard.parts | parts,
            News::Sought => heard.sought = true,
            News::Calm => heard.calm = true,
        });
        if let Some(socket) = &self.netfilter {
            drain(socket, buffer, &mut heard, |_, _, heard| heard.parts = heard.parts | Parts::NETFILTER);
        }
        heard
    }
}

/// A socket that is told what the groups are told.
fn hear(protocol: isize, groups: &[u32]) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    // Beyond the system's limit only where we may; else as much as there is.
    if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
        let _ = setsockopt(&socket, sockopt::RcvBuf, &BUFFER);
    }
    socket.bind(&SocketAddr::new(0, 0))?;
    for group in groups {
        match socket.add_membership(*group) {
            // A group that is newer than the kernel: next hops came with Linux 5.3.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && *group > 25 => {}
            other => other?,
        }
    }
    Ok(socket)
}

fn drain(socket: &Socket, buffer: &mut [u8], heard: &mut Heard, mut each: impl FnMut(u16, &[u8], &mut Heard)) {
    let mut left = MOST;
    while left > 0 {
        left -= 1;
        match socket.recv(&mut &mut buffer[..], libc::MSG_DONTWAIT) {
            Ok(0) => return,
            Ok(length) => {
                for message in messages(buffer.get(..length).unwrap_or(buffer)) {
                    match message {
                        Ok(message) => each(message.kind, message.payload, heard),
                        Err(_) => heard.parts = Parts::ALL,
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // ENOBUFS: what did not fit is lost; so is what comes from here on until all that lies there is taken in,
            // of which nobody says anything (`NETLINK_S_CONGESTED`, net/netlink/af_netlink.c): who stopped here would
            // read too early. Any other error is taken the same way, and is the last.
            Err(error) => {
                heard.overrun = true;
                heard.parts = Parts::ALL;
                if error.raw_os_error() != Some(libc::ENOBUFS) {
                    return;
                }
                left = MOST;
            }
        }
    }
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Of(Parts),
    /// A neighbour is looked for, was given up, or went.
    Sought,
    /// A neighbour was only confirmed or grew old.
    Calm,
}

/// What a message makes us read again (`RTM_*`).
fn about(kind: u16, payload: &[u8]) -> News {
    News::Of(match kind {
        // With an address or a device routes go that nobody announces (`fib_flush`).
        20 | 21 => Parts::ADDRS | Parts::ROUTES,
        24 | 25 | 104 | 105 => Parts::ROUTES,
        28 | 29 => return about_neighbour(kind, payload),
        32 | 33 => Parts::RULES,
        36 | 37 | 40 | 41 | 44 | 45 | 88 | 89 => Parts::LINKS,
        80 | 81 => Parts::LINKS | Parts::SYSCTLS,
        _ => Parts::OF_DEVICES,
    })
}

/// `struct ndmsg`: a learned entry that can be used (`NUD_REACHABLE`,
/// `NUD_STALE`, `NUD_DELAY`, `NUD_PROBE`) can wait, one that cannot
/// (`NUD_INCOMPLETE`, `NUD_FAILED`) not long. One that somebody takes away goes
/// as failed, too (`neigh_delete`).
fn about_neighbour(kind: u16, payload: &[u8]) -> News {
    let state = payload.get(8..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u16::from_ne_bytes(*bytes));
    match state {
        0x02 | 0x04 | 0x08 | 0x10 if kind == 28 => News::Calm,
        0x01 | 0x02 | 0x04 | 0x08 | 0x10 | 0x20 => News::Sought,
        _ => News::Of(Parts::NEIGHS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmed_neighbour_is_no_haste_and_any_other_is() {
        let neighbour = |state: u16| {
            let mut payload = vec![2, 0, 0, 0, 1, 0, 0, 0];
            payload.extend(state.to_ne_bytes());
            payload.extend([0, 0]);
            payload
        };
        for state in [0x02, 0x04, 0x08, 0x10] {
            assert_eq!(about(28, &neighbour(state)), News::Calm);
        }
        for state in [0x01, 0x20] {
            assert_eq!(about(28, &neighbour(state)), News::Sought, "{state:#x}");
        }
        for state in [0x40, 0x80] {
            assert_eq!(about(28, &neighbour(state)), News::Of(Parts::NEIGHS), "{state:#x}");
        }
        assert_eq!(about(29, &neighbour(0x02)), News::Sought, "one that went");
        assert_eq!(about(28, &[]), News::Of(Parts::NEIGHS));
    }

    #[test]
    fn a_device_makes_everything_on_it_read_again() {
        let about = |kind| match about(kind, &[]) {
            News::Of(parts) => parts,
            other => panic!("{other:?}"),
        };
        for part in [Parts::LINKS, Parts::ADDRS, Parts::RULES, Parts::ROUTES, Parts::NEIGHS, Parts::SYSCTLS] {
            assert!(about(16).has(part));
        }
        assert!(about(21).has(Parts::ROUTES) && !about(21).has(Parts::LINKS));
    }
}
