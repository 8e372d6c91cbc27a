//! Netlink attributes: the one iterator over them, and their values.
//!
//! We decode by hand: the kernel sends many times more with a link than we
//! keep, and a general decoder builds all of it first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::Family;

/// `AF_INET`, as netlink headers carry it.
pub(crate) const AF_INET: u8 = 2;
/// `AF_INET6`.
pub(crate) const AF_INET6: u8 = 10;

/// A message that does not have the form that the kernel's headers promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One attribute (`struct nlattr`), the flag bits of its kind taken off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attr<'a> {
    pub(crate) kind: u16,
    pub(crate) value: &'a [u8],
}

/// The attributes in `bytes`. Ends early where a length makes no sense, as the
/// kernel's own `nla_ok` does.
pub(crate) fn attrs(mut bytes: &[u8]) -> impl Iterator<Item = Attr<'_>> {
    std::iter::from_fn(move || {
        let [l0, l1, k0, k1] = *bytes.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        // NLA_F_NESTED and NLA_F_NET_BYTEORDER are the two top bits.
        Some(Attr { kind: u16::from_ne_bytes([k0, k1]) & 0x3fff, value })
    })
}

/// Splits a message's fixed header off.
pub(crate) fn header<const N: usize>(message: &[u8]) -> Result<(&[u8; N], &[u8]), Malformed> {
    message.split_first_chunk::<N>().ok_or(Malformed)
}

impl<'a> Attr<'a> {
    pub(crate) fn u8(self) -> Result<u8, Malformed> {
        self.value.first().copied().ok_or(Malformed)
    }

    pub(crate) fn u32(self) -> Result<u32, Malformed> {
        self.array().map(u32::from_ne_bytes)
    }

    pub(crate) fn i32(self) -> Result<i32, Malformed> {
        self.array().map(i32::from_ne_bytes)
    }

    pub(crate) fn be16(self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn be32(self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn be64(self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn array<const N: usize>(self) -> Result<[u8; N], Malformed> {
        self.value.first_chunk().copied().ok_or(Malformed)
    }

    /// Text up to its closing zero; what is not UTF-8 is replaced.
    pub(crate) fn text(self) -> String {
        let end = self.value.iter().position(|byte| *byte == 0).unwrap_or(self.value.len());
        String::from_utf8_lossy(&self.value[..end]).into_owned()
    }

    /// An address, its family told by its length.
    pub(crate) fn ip(self) -> Result<IpAddr, Malformed> {
        ip(self.value)
    }

    /// The attributes inside.
    pub(crate) fn nested(self) -> impl Iterator<Item = Attr<'a>> {
        attrs(self.value)
    }
}

/// An address of 4 or 16 bytes.
pub(crate) fn ip(bytes: &[u8]) -> Result<IpAddr, Malformed> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(Ipv4Addr::from(v4).into());
    }
    <[u8; 16]>::try_from(bytes).map(|v6| Ipv6Addr::from(v6).into()).map_err(|_| Malformed)
}

/// The family, where it is one of ours; multicast routing answers the same
/// dumps with families of its own.
pub(crate) fn family(number: u8) -> Option<Family> {
    match number {
        AF_INET => Some(Family::V4),
        AF_INET6 => Some(Family::V6),
        _ => None,
    }
}

/// The address of a family that means "any".
pub(crate) fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// An attribute as the kernel would send it, for tests.
#[cfg(test)]
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_walked_with_their_padding() {
        let bytes = [&[5, 0, 3, 0, b'x', 0, 0, 0][..], &[8, 0, 4, 0x80, 1, 0, 0, 0]].concat();
        let found: Vec<(u16, &[u8])> = attrs(&bytes).map(|attr| (attr.kind, attr.value)).collect();
        assert_eq!(found, vec![(3, &b"x"[..]), (4, &[1, 0, 0, 0][..])]);
    }

    #[test]
    fn lengths_that_make_no_sense_end_the_walk() {
        for bytes in [&[0, 0, 1, 0][..], &[3, 0, 1, 0], &[9, 0, 1, 0, 1, 2, 3, 4], &[4, 0], &[]] {
            assert_eq!(attrs(bytes).count(), 0, "{bytes:?}");
        }
        // The last attribute may come without its padding.
        assert_eq!(attrs(&[5, 0, 1, 0, 7]).count(), 1);
    }
}
