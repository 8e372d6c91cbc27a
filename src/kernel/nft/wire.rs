//! Netlink as bytes: messages of a datagram, attributes of a message
//! (`linux/netlink.h`, `linux/netfilter/nfnetlink.h`).
//!
//! Nothing here allocates, and no byte can make it panic or loop.

/// Bytes that are no netlink message or attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// `NLM_F_REQUEST`, `NLM_F_DUMP` and `NLM_F_DUMP_INTR`.
const REQUEST: u16 = 0x1;
const DUMP: u16 = 0x300;
pub(super) const DUMP_INTERRUPTED: u16 = 0x10;

/// `NLMSG_ERROR` and `NLMSG_DONE`.
pub(super) const ERROR: u16 = 2;
pub(super) const DONE: u16 = 3;

/// The type of a message of `nf_tables`: `NFNL_SUBSYS_NFTABLES` in the high byte.
pub(super) const fn nft_kind(message: u8) -> u16 {
    (10 << 8) | message as u16
}

/// Header of netlink (16 bytes) and of nfnetlink (4).
const HEADER: usize = 16;
const NFGEN: usize = 4;
const REQUEST_LEN: u32 = 20;

/// A request without attributes, for all families.
pub(super) fn request(message: u8, dump: bool, sequence: u32) -> [u8; HEADER + NFGEN] {
    let mut bytes = [0; HEADER + NFGEN];
    let flags = if dump { REQUEST | DUMP } else { REQUEST };
    bytes[..4].copy_from_slice(&REQUEST_LEN.to_ne_bytes());
    bytes[4..6].copy_from_slice(&nft_kind(message).to_ne_bytes());
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
    bytes
}

/// A message of a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// What follows the netlink header.
    pub(super) payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The family (`NFPROTO_*`) and the attributes of an nfnetlink message.
    pub(super) fn nfgen(&self) -> Result<(u8, &'a [u8]), Malformed> {
        let (header, attributes) = self.payload.split_at_checked(NFGEN).ok_or(Malformed)?;
        Ok((header[0], attributes))
    }

    /// The error number of `NLMSG_ERROR` and `NLMSG_DONE`, positive; 0 is none.
    pub(super) fn error(&self) -> i32 {
        let code = self.payload.first_chunk::<4>().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
        code.checked_neg().unwrap_or(i32::MAX).max(0)
    }
}

/// The messages of a datagram.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let message = take_message(&mut rest);
        if message.is_none() {
            rest = &[];
        }
        Some(message.ok_or(Malformed))
    })
}

fn take_message<'a>(rest: &mut &'a [u8]) -> Option<Message<'a>> {
    let bytes = *rest;
    let len = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let payload = bytes.get(HEADER..len)?;
    let message = Message {
        kind: u16::from_ne_bytes([bytes[4], bytes[5]]),
        flags: u16::from_ne_bytes([bytes[6], bytes[7]]),
        sequence: u32::from_ne_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
        payload,
    };
    *rest = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    Some(message)
}

/// An attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attr<'a> {
    /// The type, without the flags for nested and byte order.
    pub(super) kind: u16,
    /// The value.
    pub(super) data: &'a [u8],
}

/// The attributes that stand one after the other in these bytes.
pub(super) fn attrs(data: &[u8]) -> impl Iterator<Item = Result<Attr<'_>, Malformed>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let attr = take_attr(&mut rest);
        if attr.is_none() {
            rest = &[];
        }
        Some(attr.ok_or(Malformed))
    })
}

fn take_attr<'a>(rest: &mut &'a [u8]) -> Option<Attr<'a>> {
    let bytes = *rest;
    let header: [u8; 4] = *bytes.first_chunk()?;
    let len = usize::from(u16::from_ne_bytes([header[0], header[1]]));
    let attr = Attr { kind: u16::from_ne_bytes([header[2], header[3]]) & 0x3fff, data: bytes.get(4..len)? };
    *rest = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    Some(attr)
}

/// Attributes by number, for messages with a few attributes that we know:
/// `fields::<4>(data)` has those numbered 0 to 3, the last of each.
pub(super) fn fields<const N: usize>(data: &[u8]) -> Result<[Option<&[u8]>; N], Malformed> {
    let mut found = [None; N];
    for attr in attrs(data) {
        let attr = attr?;
        if let Some(slot) = found.get_mut(usize::from(attr.kind)) {
            *slot = Some(attr.data);
        }
    }
    Ok(found)
}

/// A number in network byte order.
pub(super) fn be16(data: &[u8]) -> Result<u16, Malformed> {
    data.try_into().map(u16::from_be_bytes).map_err(|_| Malformed)
}

/// A number in network byte order.
pub(super) fn be32(data: &[u8]) -> Result<u32, Malformed> {
    data.try_into().map(u32::from_be_bytes).map_err(|_| Malformed)
}

/// A number in network byte order.
pub(super) fn be64(data: &[u8]) -> Result<u64, Malformed> {
    data.try_into().map(u64::from_be_bytes).map_err(|_| Malformed)
}

/// A string up to its NUL.
pub(super) fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(until_nul(data))
}

/// The bytes before the first NUL.
pub(super) fn until_nul(data: &[u8]) -> &[u8] {
    let end = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    &data[..end]
}
