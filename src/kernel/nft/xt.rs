//! Matches and targets of `x_tables` inside `nf_tables` (`nft_compat.c`): a name,
//! a revision, and the structure as the kernel's headers have it, numbers in the
//! order of the host unless said otherwise.

mod matches;
mod targets;

use super::draft::{Draft, Strange};
use super::wire::{Malformed, be32, fields, until_nul};
use crate::net::netfilter::NfFamily;

/// `NFTA_MATCH_*`: 1 name, 2 revision, 3 structure.
pub(super) fn matched(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let (name, revision, info) = parts(draft, data)?;
    let before = draft.matches.len();
    matches::decode(draft, name, revision, info)?;
    // One module may say several things, but it must say something.
    if draft.matches.len() > before { Ok(()) } else { Err("an empty match".into()) }
}

/// `NFTA_TARGET_*`: the same three.
pub(super) fn target(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let (name, revision, info) = parts(draft, data)?;
    let target = targets::decode(draft.family, name, revision, info)?;
    draft.aim(target)
}

fn parts<'a>(draft: &Draft, data: &'a [u8]) -> Result<(&'a [u8], u32, Info<'a>), Strange> {
    if !matches!(draft.family, NfFamily::Ip | NfFamily::Ip6) {
        return Err("an extension of ebtables or arptables".into());
    }
    let found = fields::<4>(data)?;
    let name = until_nul(found[1].ok_or(Malformed)?);
    Ok((name, found[2].map_or(Ok(0), be32)?, Info(found[3].unwrap_or_default())))
}

/// The bytes of a structure.
#[derive(Clone, Copy, Debug)]
struct Info<'a>(&'a [u8]);

impl<'a> Info<'a> {
    fn bytes(self, from: usize, len: usize) -> Result<&'a [u8], Strange> {
        Ok(self.0.get(from..from + len).ok_or(Malformed)?)
    }

    fn array<const N: usize>(self, from: usize) -> Result<[u8; N], Strange> {
        Ok(self.bytes(from, N)?.try_into().map_err(|_| Malformed)?)
    }

    fn u8(self, at: usize) -> Result<u8, Strange> {
        Ok(self.array::<1>(at)?[0])
    }

    fn u16(self, at: usize) -> Result<u16, Strange> {
        Ok(u16::from_ne_bytes(self.array(at)?))
    }

    /// In network order.
    fn be16(self, at: usize) -> Result<u16, Strange> {
        Ok(u16::from_be_bytes(self.array(at)?))
    }

    fn u32(self, at: usize) -> Result<u32, Strange> {
        Ok(u32::from_ne_bytes(self.array(at)?))
    }

    /// A string in a field of that many bytes.
    fn text(self, from: usize, len: usize) -> Result<String, Strange> {
        Ok(String::from_utf8_lossy(until_nul(self.bytes(from, len)?)).into_owned())
    }
}
