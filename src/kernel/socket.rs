//! A netlink socket in the calling thread's namespace, and dumps through it.

use std::io;

use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use netlink_sys::{Socket as RawSocket, SocketAddr};

use super::Error;
use super::attr::Malformed;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
/// The table changed while it was dumped: what came is no consistent reading.
const NLM_F_DUMP_INTR: u16 = 0x10;

/// The kernel fills messages of at most 32 KiB unless one object is larger.
const BUFFER: usize = 64 * 1024;
/// As often is an interrupted dump asked for again.
const ATTEMPTS: usize = 8;

/// A socket to one of the kernel's netlink families. It stays in the namespace
/// in which it was opened.
pub(crate) struct Socket {
    raw: RawSocket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// For links, addresses, rules, routes, neighbours, traffic control.
    pub(crate) fn route() -> Result<Self, Error> {
        let socket = Self::open(NETLINK_ROUTE)?;
        // Kernels from 4.20 on then honour what the request's header asks for; older ones do not know the option
        // and answer with a little more, which the decoders leave out.
        let _ = socket.raw.set_netlink_get_strict_chk(true);
        Ok(socket)
    }

    /// For connection tracking and packet filters.
    pub(crate) fn netfilter() -> Result<Self, Error> {
        Self::open(NETLINK_NETFILTER)
    }

    fn open(protocol: isize) -> Result<Self, Error> {
        let raw = RawSocket::new(protocol).map_err(|source| Error::Socket { source })?;
        Ok(Self { raw, sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// Asks for all objects of a kind; `body` is the request's header and
    /// attributes. `decode` gets each message without its netlink header, and
    /// answers `None` for what does not belong.
    pub(crate) fn dump<T>(
        &mut self,
        what: &'static str,
        kind: u16,
        body: &[u8],
        mut decode: impl FnMut(&[u8]) -> Result<Option<T>, Malformed>,
    ) -> Result<Vec<T>, Error> {
        for _ in 0..ATTEMPTS {
            self.send(what, kind, NLM_F_DUMP, body)?;
            let mut found = Vec::new();
            if self.receive(what, &mut |message| {
                found.extend(decode(message)?);
                Ok(())
            })? {
                return Ok(found);
            }
        }
        Err(Error::Restless { what, attempts: ATTEMPTS })
    }

    /// Asks one question that has one answer.
    pub(crate) fn ask<T>(
        &mut self,
        what: &'static str,
        kind: u16,
        body: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, Error> {
        self.answer(what, kind, body, decode)?.map_err(|source| Error::Refused { what, source })
    }

    /// Asks one question to which the kernel's error is an answer as well: the
    /// inner error is what the kernel says, the outer one that it says nothing.
    pub(crate) fn answer<T>(
        &mut self,
        what: &'static str,
        kind: u16,
        body: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<io::Result<T>, Error> {
        self.send(what, kind, 0, body)?;
        loop {
            let length = self.next(what)?;
            for message in messages(&self.buffer[..length]) {
                let message = message.map_err(|Malformed| Error::Malformed { what })?;
                if message.sequence == self.sequence {
                    return match message.check() {
                        Ok(()) => decode(message.payload).map(Ok).map_err(|Malformed| Error::Malformed { what }),
                        Err(error) => Ok(Err(error)),
                    };
                }
            }
        }
    }

    fn send(&mut self, what: &'static str, kind: u16, flags: u16, body: &[u8]) -> Result<(), Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = u32::try_from(16 + body.len()).map_err(|_| Error::Malformed { what })?;
        let mut request = Vec::with_capacity(16 + body.len());
        request.extend(length.to_ne_bytes());
        request.extend(kind.to_ne_bytes());
        request.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        request.extend(self.sequence.to_ne_bytes());
        request.extend(0_u32.to_ne_bytes());
        request.extend(body);
        self.raw.send_to(&request, &SocketAddr::new(0, 0), 0).map_err(|source| Error::Refused { what, source })?;
        Ok(())
    }

    /// Takes a whole dump; false where it was interrupted.
    fn receive(
        &mut self,
        what: &'static str,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<bool, Error> {
        let (mut consistent, mut understood) = (true, Ok(()));
        loop {
            let length = self.next(what)?;
            for message in messages(&self.buffer[..length]) {
                let message = message.map_err(|Malformed| Error::Malformed { what })?;
                if message.sequence != self.sequence {
                    continue; // the rest of a dump that was given up
                }
                consistent &= message.flags & NLM_F_DUMP_INTR == 0;
                message.check().map_err(|source| Error::Refused { what, source })?;
                if message.kind == NLMSG_DONE {
                    return understood.map(|()| consistent).map_err(|Malformed| Error::Malformed { what });
                }
                // The dump is taken to its end all the same: the socket answers no other while one runs.
                understood = understood.and_then(|()| each(message.payload));
            }
        }
    }

    /// The next datagram from the kernel, its length.
    fn next(&mut self, what: &'static str) -> Result<usize, Error> {
        loop {
            let (length, from) = match self.raw.recv_from(&mut &mut self.buffer[..], libc::MSG_TRUNC) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(|source| Error::Refused { what, source })?,
            };
            if length > self.buffer.len() {
                return Err(Error::Malformed { what });
            }
            if from.port_number() == 0 {
                return Ok(length);
            }
        }
    }
}

pub(super) struct Message<'a> {
    pub(super) kind: u16,
    flags: u16,
    sequence: u32,
    pub(super) payload: &'a [u8],
}

impl Message<'_> {
    /// The error that it carries: a refusal, or a dump's late failure.
    fn check(&self) -> io::Result<()> {
        if self.kind != NLMSG_ERROR && self.kind != NLMSG_DONE {
            return Ok(());
        }
        match self.payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code)) {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        }
    }
}

/// The messages of a datagram; what is cut or damaged ends them.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let message = first(bytes);
        let length = message.as_ref().map_or(bytes.len(), |message| 16 + message.payload.len());
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(message)
    })
}

fn first(bytes: &[u8]) -> Result<Message<'_>, Malformed> {
    let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *bytes.first_chunk::<16>().ok_or(Malformed)?;
    let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).map_err(|_| Malformed)?;
    Ok(Message {
        kind: u16::from_ne_bytes([k0, k1]),
        flags: u16::from_ne_bytes([f0, f1]),
        sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
        payload: bytes.get(16..length).ok_or(Malformed)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(16 + payload.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn messages_are_split_and_errors_told() {
        let bytes = [message(24, b"abc"), message(NLMSG_ERROR, &(-1_i32).to_ne_bytes())].concat();
        let found: Vec<Message<'_>> = messages(&bytes).map(Result::unwrap).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].kind, found[0].payload), (24, &b"abc"[..]));
        assert!(found[0].check().is_ok());
        assert_eq!(found[1].check().unwrap_err().raw_os_error(), Some(libc::EPERM));
    }

    #[test]
    fn a_dump_that_failed_late_is_an_error() {
        let bytes = message(NLMSG_DONE, &(-libc::EOPNOTSUPP).to_ne_bytes());
        assert!(messages(&bytes).next().unwrap().unwrap().check().is_err());
    }

    #[test]
    fn a_cut_message_is_malformed_and_ends_the_walk() {
        let mut bytes = message(24, b"abcd");
        bytes.truncate(18);
        assert!(messages(&bytes).next().unwrap().is_err());
        assert_eq!(messages(&bytes).count(), 1);
        assert_eq!(messages(&[1, 2, 3]).count(), 1);
    }
}
