//! Asks the kernel: one socket, one request after the other, one receive buffer.

use std::io;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;

use super::wire::{self, Malformed};

/// A dump's datagrams are at most 32 KiB (`netlink_dump` in the kernel's
/// `af_netlink.c`); twice that leaves no doubt.
const BUFFER: usize = 64 << 10;

/// Why a dump did not come to an end.
#[derive(Debug)]
pub(super) enum DumpError {
    /// The rules changed while they were read: read again.
    Interrupted,
    /// The kernel refused, or the socket failed.
    Os(io::Error),
    /// What came is no answer.
    Malformed,
    /// More objects than we read.
    TooMuch,
}

impl From<Malformed> for DumpError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// A socket of the netfilter family, of the namespace in which it was opened.
pub(super) struct Dumper {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Dumper {
    /// Opens the socket in the current thread's network namespace.
    pub(super) fn open() -> Result<Self, DumpError> {
        let socket = Socket::new(NETLINK_NETFILTER).map_err(DumpError::Os)?;
        Ok(Self { socket, buffer: Vec::with_capacity(BUFFER), sequence: 0 })
    }

    /// Sends one request and gives each answer's family and attributes to `each`.
    pub(super) fn dump(
        &mut self,
        message: u8,
        mut each: impl FnMut(u8, &[u8]) -> Result<(), DumpError>,
    ) -> Result<(), DumpError> {
        self.ask(message, true)?;
        loop {
            for answer in wire::messages(self.receive()?) {
                let answer = answer?;
                if answer.flags & wire::DUMP_INTERRUPTED != 0 {
                    return Err(DumpError::Interrupted);
                }
                match answer.kind {
                    wire::DONE | wire::ERROR if answer.error() != 0 => return Err(os_error(answer.error())),
                    wire::DONE => return Ok(()),
                    wire::ERROR => {}
                    _ => {
                        let (family, attributes) = answer.nfgen()?;
                        each(family, attributes)?;
                    }
                }
            }
        }
    }

    /// Sends a request that has one answer, and reads a number from it.
    pub(super) fn ask_u32(&mut self, message: u8, attribute: u16) -> Result<u32, DumpError> {
        self.ask(message, false)?;
        let datagram = self.receive()?;
        let answer = wire::messages(datagram).next().ok_or(DumpError::Malformed)??;
        if answer.kind == wire::ERROR {
            return Err(os_error(answer.error()));
        }
        for attr in wire::attrs(answer.nfgen()?.1) {
            let attr = attr?;
            if attr.kind == attribute {
                return Ok(wire::be32(attr.data)?);
            }
        }
        Err(DumpError::Malformed)
    }

    fn ask(&mut self, message: u8, dump: bool) -> Result<(), DumpError> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = wire::request(message, dump, self.sequence);
        retry(|| self.socket.send(&request, 0)).map(drop)
    }

    /// The next datagram. The kernel answers within `send`, and fills the next
    /// part of a dump within `recv`: there is nothing to wait for, so that an
    /// empty queue is an error and not a hang.
    fn receive(&mut self) -> Result<&[u8], DumpError> {
        self.buffer.clear();
        let len = retry(|| self.socket.recv(&mut self.buffer, libc::MSG_DONTWAIT | libc::MSG_TRUNC))?;
        let datagram = self.buffer.get(..len).ok_or(DumpError::Malformed)?;
        let stale = wire::messages(datagram).next().is_none_or(|m| m.is_ok_and(|m| m.sequence != self.sequence));
        if stale { Err(DumpError::Malformed) } else { Ok(datagram) }
    }
}

fn os_error(errno: i32) -> DumpError {
    // EINTR: "the dump was interrupted", for those kernels that say it so.
    if errno == libc::EINTR { DumpError::Interrupted } else { DumpError::Os(io::Error::from_raw_os_error(errno)) }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T, DumpError> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map_err(DumpError::Os),
        }
    }
}
