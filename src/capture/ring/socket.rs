//! The packet socket itself: its options, its mapping, waiting for it. Every
//! system call that nix has no safe form for.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

use crate::capture::filter;

/// `PACKET_VNET_HDR` of `linux/if_packet.h`.
const PACKET_VNET_HDR: c_int = 15;
/// `AF_PACKET` and `ETH_P_ALL`, in the width that an address has for them.
const FAMILY: u16 = 17;
const ALL: u16 = 3;
/// The kernel checks that frames would fit, in the older versions' way.
const FRAME: usize = 2048;

/// A socket with a ring, bound to nothing yet. The order counts: without a
/// protocol nothing is heard before the filter stands.
pub(super) fn open(
    block: usize,
    blocks: usize,
    delay: Duration,
    snap: u32,
) -> Result<OwnedFd, (&'static str, io::Error)> {
    // SAFETY: socket(2) takes no pointer; what it returns is checked and owned by
    // nobody else.
    #[allow(unsafe_code, reason = "socket(2)")]
    let socket = unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(("open a packet socket", io::Error::last_os_error()));
        }
        OwnedFd::from_raw_fd(fd)
    };
    let mut program = filter::ipv4(snap);
    let length = u16::try_from(program.len()).unwrap_or(u16::MAX);
    let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    set(&socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program).map_err(|source| ("set the filter", source))?;
    let version: c_int = libc::tpacket_versions::TPACKET_V3 as c_int;
    set(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version).map_err(|source| ("ask for TPACKET_V3", source))?;
    let yes: c_int = 1;
    set(&socket, libc::SOL_PACKET, PACKET_VNET_HDR, &yes).map_err(|source| ("ask for segment sizes", source))?;
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let request = libc::tpacket_req3 {
        tp_block_size: number(block),
        tp_block_nr: number(blocks),
        tp_frame_size: number(FRAME),
        tp_frame_nr: number(block / FRAME * blocks),
        tp_retire_blk_tov: u32::try_from(delay.as_millis()).unwrap_or(u32::MAX),
        tp_sizeof_priv: 0,
        tp_feature_req_word: 0,
    };
    set(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request).map_err(|source| ("make the ring", source))?;
    Ok(socket)
}

/// Hears all devices of the namespace from here on.
pub(super) fn bind(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: sockaddr_ll is numbers only, for which zero is a value.
    #[allow(unsafe_code, reason = "an address of the kernel's form")]
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = FAMILY;
    address.sll_protocol = ALL.to_be();
    // SAFETY: the address lives through the call, and the length is its own.
    #[allow(unsafe_code, reason = "bind(2)")]
    let done = unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), size(&address)) };
    checked(done)
}

/// The ring's memory.
pub(super) fn map(socket: &OwnedFd, length: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new mapping at an address of the kernel's choice touches no other memory.
    #[allow(unsafe_code, reason = "mmap(2)")]
    let map = unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        libc::mmap(ptr::null_mut(), length, access, libc::MAP_SHARED, socket.as_raw_fd(), 0)
    };
    if map == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(map.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Gives the ring's memory back.
pub(super) fn unmap(map: NonNull<u8>, length: usize) {
    // SAFETY: the mapping was made by `map` with this length, and nothing refers
    // to it any more: its owner is being dropped.
    #[allow(unsafe_code, reason = "munmap(2)")]
    unsafe {
        libc::munmap(map.as_ptr().cast(), length);
    }
}

/// Bytes of a page of memory.
pub(super) fn page() -> usize {
    // SAFETY: sysconf(3) takes no pointer, and touches no memory of ours.
    #[allow(unsafe_code, reason = "sysconf(3)")]
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).ok().filter(|page| page.is_power_of_two()).unwrap_or(4096)
}

/// Frames put into the ring, and frames dropped, since this was asked last: reading
/// sets the counters to zero.
pub(super) fn counted_since(socket: &OwnedFd) -> (u64, u64) {
    let mut counters = [0_u32; 3];
    let mut length = size(&counters);
    // SAFETY: the buffer lives through the call and has the length that is told.
    #[allow(unsafe_code, reason = "getsockopt(2)")]
    let done = unsafe {
        let buffer: *mut c_void = counters.as_mut_ptr().cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS, buffer, &raw mut length)
    };
    // `struct tpacket_stats_v3`: the first one counts what was dropped as well.
    let [all, dropped, _] = counters;
    if done == 0 { (all.saturating_sub(dropped).into(), dropped.into()) } else { (0, 0) }
}

/// Waits until one of them has something, or the time is over. A signal ends it
/// early.
pub(in crate::capture) fn wait(sockets: &[BorrowedFd<'_>], patience: Duration) -> io::Result<()> {
    let mut polled: Vec<libc::pollfd> = sockets
        .iter()
        .map(|socket| libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 })
        .collect();
    let milliseconds = c_int::try_from(patience.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: the array lives through the call and has the length that is told.
    #[allow(unsafe_code, reason = "poll(2)")]
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, milliseconds) };
    match io::Error::last_os_error() {
        error if ready < 0 && error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

fn set<T>(socket: &OwnedFd, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    // SAFETY: the value lives through the call, and the length is its own.
    #[allow(unsafe_code, reason = "setsockopt(2)")]
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, ptr::from_ref(value).cast(), size(value)) };
    checked(done)
}

fn size<T>(value: &T) -> socklen_t {
    // Nothing here is longer than a few dozen bytes.
    socklen_t::try_from(mem::size_of_val(value)).unwrap_or_default()
}

fn checked(done: c_int) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
