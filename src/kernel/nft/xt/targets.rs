//! The targets of `x_tables` that we model, each from its structure in
//! `linux/netfilter/xt_*.h` and `linux/netfilter/nf_nat.h`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Info;
use crate::kernel::nft::draft::Strange;
use crate::kernel::nft::native::{NAT_ADDRESSES, NAT_PORTS, log_target, nat_flags};
use crate::net::netfilter::{ConnmarkOp, NatFlags, NatRange, NfFamily, Port, Target};

/// `NF_NAT_RANGE_PROTO_OFFSET`: the ports are shifted by a base.
const NAT_OFFSET: u32 = 32;

/// What the target does.
pub(super) fn decode(family: NfFamily, name: &[u8], revision: u32, info: Info<'_>) -> Result<Target, Strange> {
    Ok(match (name, revision) {
        (b"DNAT", 0..=2) => {
            let (to, flags, base) = nat_range(family, revision, info)?;
            match base {
                None => Target::Dnat { to, flags },
                Some(base) => return shifted(to, flags, base),
            }
        }
        (b"SNAT", 0..=2) => match nat_range(family, revision, info)? {
            (to, flags, None) => Target::Snat { to, flags },
            _ => return Err("ports that are shifted".into()),
        },
        (b"REDIRECT" | b"MASQUERADE", 0) => {
            let revision = u32::from(family == NfFamily::Ip6);
            let (NatRange { ports, .. }, flags, _) = nat_range(family, revision, info)?;
            if name == b"REDIRECT" { Target::Redirect { ports, flags } } else { Target::Masquerade { ports, flags } }
        }
        (b"MARK", 2) => Target::Mark { value: info.u32(0)?, mask: info.u32(4)? },
        (b"CONNMARK", 1) => connmark(info, info.u8(12)?)?,
        (b"CONNMARK", 2) if info.u8(13)? == 0 => connmark(info, info.u8(14)?)?,
        (b"CT", 0..=2) => ct(info, revision)?,
        (b"REJECT", 0) => Target::Reject(reject(family, info.u32(0)?)?.to_owned()),
        (b"CHECKSUM", 0) if info.u8(0)? == 1 => Target::Other("CHECKSUM --checksum-fill".to_owned()),
        (b"TCPMSS", 0) => match info.u16(0)? {
            u16::MAX => Target::Other("TCPMSS --clamp-mss-to-pmtu".to_owned()),
            mss => Target::Other(format!("TCPMSS --set-mss {mss}")),
        },
        (b"LOG", 0) => log_target(info.u8(0)?, info.u8(1)?, &info.text(2, 30)?)?,
        _ => return Err(Strange(format!("target {} revision {revision}", String::from_utf8_lossy(name)))),
    })
}

/// Revision 0 is `struct nf_nat_ipv4_multi_range_compat`, 1 `struct nf_nat_range`,
/// 2 `struct nf_nat_range2`; ports are in network order. The third part is the
/// base of shifted ports.
fn nat_range(family: NfFamily, revision: u32, info: Info<'_>) -> Result<(NatRange, NatFlags, Option<u16>), Strange> {
    let (flags_at, first, last, ports_at) = if revision == 0 { (4, 8, 12, 16) } else { (0, 4, 20, 36) };
    let bits = info.u32(flags_at)?;
    let addr = |at: usize| -> Result<IpAddr, Strange> {
        if family == NfFamily::Ip6 && revision > 0 {
            Ok(Ipv6Addr::from(info.array::<16>(at)?).into())
        } else {
            Ok(Ipv4Addr::from(info.array::<4>(at)?).into())
        }
    };
    let addrs = if bits & NAT_ADDRESSES != 0 { Some((addr(first)?, addr(last)?)) } else { None };
    let ports = if bits & NAT_PORTS != 0 {
        Some(Port { from: info.be16(ports_at)?, to: info.be16(ports_at + 2)? })
    } else {
        None
    };
    let base = if bits & NAT_OFFSET != 0 && revision == 2 { Some(info.be16(40)?) } else { None };
    let known = if base.is_some() { bits & !NAT_OFFSET } else { bits };
    Ok((NatRange { addrs, ports }, nat_flags(known)?, base))
}

/// A translation of ports to shifted ports, in words only.
fn shifted(to: NatRange, flags: NatFlags, base: u16) -> Result<Target, Strange> {
    match (to.addrs, to.ports, flags == NatFlags::default()) {
        (Some((first @ IpAddr::V4(_), last)), Some(ports), true) if first == last => {
            let words = format!("DNAT --to-destination {first}:{}-{}/{base}", ports.from, ports.to);
            Ok(Target::Other(words))
        }
        _ => Err("ports that are shifted".into()),
    }
}

/// `struct xt_connmark_tginfo1` and `2`: connection's mark, its mask, the packet's
/// mask; then, in the second, a shift; then the mode.
fn connmark(info: Info<'_>, mode: u8) -> Result<Target, Strange> {
    let (value, ctmask, nfmask) = (info.u32(0)?, info.u32(4)?, info.u32(8)?);
    Ok(Target::Connmark(match mode {
        0 => ConnmarkOp::Set { value, mask: ctmask },
        1 => ConnmarkOp::Save { nfmask, ctmask },
        2 => ConnmarkOp::Restore { nfmask, ctmask },
        _ => return Err("a mode of CONNMARK that is new to us".into()),
    }))
}

/// `struct xt_ct_target_info` and `_v1`: flags, zone, events, expected events,
/// helper, in the second a timeout policy.
fn ct(info: Info<'_>, revision: u32) -> Result<Target, Strange> {
    const NOTRACK: u16 = 1;
    const ALIAS: u16 = 2;
    const ORIGINAL: u16 = 4;
    const REPLY: u16 = 8;
    let (flags, zone) = (info.u16(0)?, info.u16(2)?);
    let named = info.u8(12)? != 0 || (revision > 0 && info.u8(28)? != 0);
    if named || info.u32(4)? != 0 || info.u32(8)? != 0 {
        return Err("a helper, events or a timeout of CT".into());
    }
    Ok(match (flags, zone) {
        (NOTRACK, 0) => Target::Notrack,
        (flags, 0) if flags & (NOTRACK | ALIAS) == NOTRACK | ALIAS => Target::NotrackAlias,
        (0, zone) if zone != 0 => Target::Other(format!("CT --zone {zone}")),
        (ORIGINAL, zone) => Target::Other(format!("CT --zone-orig {zone}")),
        (REPLY, zone) => Target::Other(format!("CT --zone-reply {zone}")),
        _ => return Err("flags of CT that we do not model".into()),
    })
}

/// `enum ipt_reject_with` and `enum ip6t_reject_with`.
fn reject(family: NfFamily, with: u32) -> Result<&'static str, Strange> {
    let word = match (family, with) {
        (NfFamily::Ip, 0) => "icmp-net-unreachable",
        (NfFamily::Ip, 1) => "icmp-host-unreachable",
        (NfFamily::Ip, 2) => "icmp-proto-unreachable",
        (NfFamily::Ip, 3) => "icmp-port-unreachable",
        (NfFamily::Ip, 5) => "icmp-net-prohibited",
        (NfFamily::Ip, 6) => "icmp-host-prohibited",
        (NfFamily::Ip, 7) | (NfFamily::Ip6, 6) => "tcp-reset",
        (NfFamily::Ip, 8) => "icmp-admin-prohibited",
        (NfFamily::Ip6, 0) => "icmp6-no-route",
        (NfFamily::Ip6, 1) => "icmp6-adm-prohibited",
        (NfFamily::Ip6, 3) => "icmp6-addr-unreachable",
        (NfFamily::Ip6, 4) => "icmp6-port-unreachable",
        (NfFamily::Ip6, 7) => "icmp6-policy-fail",
        (NfFamily::Ip6, 8) => "icmp6-reject-route",
        _ => return Err("an answer of REJECT that we do not model".into()),
    };
    Ok(word)
}
