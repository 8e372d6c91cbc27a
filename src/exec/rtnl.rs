//! One netlink socket in one namespace: a request, and the kernel's answer.

use std::collections::HashMap;
use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::net::{IfName, printable};

use super::Cause;

/// `NLMSGERR_ATTR_MSG` of `include/uapi/linux/netlink.h`.
const ATTR_MSG: u16 = 1;
/// The length of a netlink message's header.
const HEADER: usize = 16;

/// What to do where the object is there, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It must not be there.
    Create,
    /// It may be there, and is replaced.
    Replace,
    /// It must be there.
    Change,
}

/// A socket that stays in the namespace where it was opened.
pub(super) struct Rtnl {
    socket: Socket,
    sequence: u32,
    /// Devices' indexes, as far as they were asked for.
    indexes: HashMap<IfName, u32>,
}

impl Rtnl {
    /// Opens a socket in the calling thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // Answers without a copy of the question, and with the kernel's words.
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        Ok(Self { socket, sequence: 0, indexes: HashMap::new() })
    }

    /// Asks for one change and waits until the kernel has made it.
    pub(super) fn change(&mut self, message: RouteNetlinkMessage, mode: Mode) -> Result<(), Cause> {
        let flags = match mode {
            Mode::Create => NLM_F_CREATE | NLM_F_EXCL,
            Mode::Replace => NLM_F_CREATE | NLM_F_REPLACE,
            Mode::Change => 0,
        };
        self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags).map(drop)
    }

    /// The index of a device.
    pub(super) fn index(&mut self, name: &IfName) -> Result<u32, Cause> {
        if let Some(index) = self.indexes.get(name) {
            return Ok(*index);
        }
        let index = self.link(name)?.header.index;
        self.indexes.insert(name.clone(), index);
        Ok(index)
    }

    /// A device as it is now.
    pub(super) fn link(&mut self, name: &IfName) -> Result<LinkMessage, Cause> {
        let mut question = LinkMessage::default();
        question.attributes.push(LinkAttribute::IfName(name.as_str().to_owned()));
        // Longer names are an error of another kind to the kernel.
        let absent = || Cause::NoDevice(name.clone());
        if name.as_str().is_empty() || name.as_str().len() > 15 {
            return Err(absent());
        }
        match self.exchange(RouteNetlinkMessage::GetLink(question), NLM_F_REQUEST) {
            Ok(Some(RouteNetlinkMessage::NewLink(link))) => Ok(link),
            Ok(_) | Err(Cause::Kernel { errno: libc::ENODEV, .. }) => Err(absent()),
            Err(other) => Err(other),
        }
    }

    /// Forgets all indexes: a device is made or gone.
    pub(super) fn forget(&mut self) {
        self.indexes.clear();
    }

    fn exchange(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<Option<RouteNetlinkMessage>, Cause> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        request.header.sequence_number = self.sequence;
        request.finalize();
        let mut buffer = vec![0; request.buffer_len()];
        request.serialize(&mut buffer);
        self.socket.send(&buffer, 0).map_err(Cause::io("netlink"))?;
        loop {
            let (answer, _) = self.socket.recv_from_full().map_err(Cause::io("netlink"))?;
            if let Some(outcome) = read(&answer, self.sequence) {
                return outcome;
            }
        }
    }
}

/// The outcome that a datagram tells; `None` where it answers another question.
fn read(datagram: &[u8], sequence: u32) -> Option<Result<Option<RouteNetlinkMessage>, Cause>> {
    let message = match NetlinkMessage::<RouteNetlinkMessage>::deserialize(datagram) {
        Ok(message) => message,
        Err(error) => {
            return Some(Err(Cause::Io { what: "netlink".to_owned(), source: io::Error::other(error.to_string()) }));
        }
    };
    if message.header.sequence_number != sequence {
        return None;
    }
    Some(match message.payload {
        NetlinkPayload::InnerMessage(inner) => Ok(Some(inner)),
        NetlinkPayload::Error(error) => match error.code {
            None => Ok(None),
            Some(code) => Err(Cause::Kernel { errno: code.get().saturating_abs(), text: words(&error.header) }),
        },
        _ => Ok(None),
    })
}

/// The kernel's own words among the attributes behind an error's header.
fn words(after_code: &[u8]) -> Option<String> {
    let mut rest = after_code.get(HEADER..)?;
    while let Some([a, b, c, d]) = rest.first_chunk::<4>() {
        let (length, kind) = (usize::from(u16::from_ne_bytes([*a, *b])), u16::from_ne_bytes([*c, *d]));
        let value = rest.get(4..length)?;
        if kind & 0x3fff == ATTR_MSG {
            return Some(printable(String::from_utf8_lossy(value).trim_end_matches('\0'), 200));
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_found_behind_the_header() {
        let mut bytes = vec![0; HEADER];
        bytes.extend(8u16.to_ne_bytes());
        bytes.extend(2u16.to_ne_bytes());
        bytes.extend(7u32.to_ne_bytes());
        bytes.extend(9u16.to_ne_bytes());
        bytes.extend(1u16.to_ne_bytes());
        bytes.extend(b"bad\x1b\0\0\0\0");
        assert_eq!(words(&bytes).as_deref(), Some("bad\\u{1b}"));
        for cut in 0..bytes.len() {
            let _ = words(&bytes[..cut]);
        }
        assert_eq!(words(&[0; HEADER + 4]), None, "a length of zero ends it");
    }
}
