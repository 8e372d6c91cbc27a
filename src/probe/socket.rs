//! A packet socket on one device, which hears ARP only, and of that the replies
//! that are wanted.
#![allow(unsafe_code, reason = "packet(7) is bound by a raw address, and its filter is a socket option")]

use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, SockaddrLike, bind, recv, send, socket};

use super::Error;
use super::arp::{ETHERTYPE, LENGTH};
use super::filter::{Instruction, replies_of};
use crate::net::{IfName, Mac, NetnsName};

/// `ARPHRD_ETHER`.
const ETHERNET: u16 = 1;

/// A socket on a device. It stays in the namespace in which it was opened.
pub(super) struct LinkSocket {
    fd: OwnedFd,
    mac: Mac,
}

impl LinkSocket {
    /// Opens it in the calling thread's namespace, which is called `namespace`;
    /// it hears what these addresses reply.
    pub(super) fn open(namespace: &NetnsName, device: &IfName, wanted: &[Ipv4Addr]) -> Result<Self, Error> {
        let failed = |operation| {
            let (device, namespace) = (device.clone(), namespace.clone());
            move |source: io::Error| Error::Socket { operation, device, namespace, source }
        };
        let here = || (device.clone(), namespace.clone());
        let index = if_nametoindex(device.as_str()).map_err(|_| {
            let (device, namespace) = here();
            Error::NoDevice { device, namespace }
        })?;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // Protocol 0 hears nothing: what is heard before the filter stands would pass it.
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, None)
            .map_err(|errno| failed("open a packet socket")(errno.into()))?;
        attach(&fd, &replies_of(wanted)).map_err(failed("filter packets"))?;
        let address =
            address(index).ok_or_else(|| failed("bind a packet socket")(io::ErrorKind::InvalidInput.into()))?;
        bind(fd.as_raw_fd(), &address).map_err(|errno| failed("bind a packet socket")(errno.into()))?;
        let mac = hardware_address(&fd).map_err(failed("read the hardware address"))?;
        let (device, namespace) = here();
        mac.map(|mac| Self { fd, mac }).ok_or(Error::NotEthernet { device, namespace })
    }

    /// The device's hardware address.
    pub(super) fn mac(&self) -> Mac {
        self.mac
    }

    /// Sends a frame as it is.
    pub(super) fn send(&self, frame: &[u8; LENGTH]) -> io::Result<()> {
        send(self.fd.as_raw_fd(), frame, MsgFlags::empty()).map(drop).map_err(io::Error::from)
    }

    /// The next frame that lies there, cut to the room; `None` where there is none.
    pub(super) fn receive<'b>(&self, room: &'b mut [u8]) -> Option<&'b [u8]> {
        let length = recv(self.fd.as_raw_fd(), room, MsgFlags::empty()).ok()?;
        room.get(..length)
    }
}

impl AsFd for LinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// `struct sockaddr_ll` (packet(7)) for ARP on a device.
fn address(index: u32) -> Option<LinkAddr> {
    let (sll_family, sll_ifindex) = (u16::try_from(libc::AF_PACKET).ok()?, i32::try_from(index).ok()?);
    let raw = libc::sockaddr_ll { sll_family, sll_protocol: ETHERTYPE.to_be(), sll_ifindex, ..EMPTY };
    let length = libc::socklen_t::try_from(mem::size_of_val(&raw)).ok()?;
    // SAFETY: `raw` is a whole `sockaddr_ll`, its family says so, and `length` is its size; it is copied.
    unsafe { LinkAddr::from_raw(ptr::from_ref(&raw).cast(), Some(length)) }
}

const EMPTY: libc::sockaddr_ll = libc::sockaddr_ll {
    sll_family: 0,
    sll_protocol: 0,
    sll_ifindex: 0,
    sll_hatype: 0,
    sll_pkttype: 0,
    sll_halen: 0,
    sll_addr: [0; 8],
};

/// The device's address, which comes with that of the socket; `None` where it is
/// no Ethernet device. The kernel's answer is as long as the hardware address,
/// which `nix` takes for an error.
fn hardware_address(fd: &OwnedFd) -> io::Result<Option<Mac>> {
    let mut raw = EMPTY;
    let mut length = libc::socklen_t::try_from(mem::size_of_val(&raw)).unwrap_or(0);
    // SAFETY: `raw` has room for `length` bytes, of which the kernel fills in at most so many.
    let result = unsafe { libc::getsockname(fd.as_raw_fd(), ptr::from_mut(&mut raw).cast(), &raw mut length) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let is_ethernet = raw.sll_hatype == ETHERNET && raw.sll_halen == 6;
    Ok(raw.sll_addr.first_chunk().copied().map(Mac).filter(|_| is_ethernet))
}

/// `SO_ATTACH_FILTER` (socket(7)).
fn attach(fd: &OwnedFd, program: &[Instruction]) -> io::Result<()> {
    let instruction =
        |one: &Instruction| libc::sock_filter { code: one.code, jt: one.jump_true, jf: one.jump_false, k: one.value };
    let mut filter: Vec<libc::sock_filter> = program.iter().map(instruction).collect();
    let len = u16::try_from(filter.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
    let length = libc::socklen_t::try_from(mem::size_of_val(&program)).unwrap_or(0);
    // SAFETY: `program` points to `len` instructions, which live until the call returns; the kernel copies them.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            ptr::from_ref(&program).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
