//! Expressions that act, or limit, in `nf_tables`' own form, where iptables has
//! words for them.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::draft::{Draft, Register, Source, Strange};
use super::field::META_MARK;
use super::wire::{Malformed, be16, be32, be64, fields, text};
use crate::net::netfilter::{Match, NatFlags, NatRange, NfFamily, Port, Target, quoted};

/// `NFT_META_NFTRACE`.
const META_NFTRACE: u32 = 12;

/// `NF_NAT_RANGE_*` (`linux/netfilter/nf_nat.h`).
pub(super) const NAT_ADDRESSES: u32 = 1;
pub(super) const NAT_PORTS: u32 = 2;
const NAT_RANDOM: u32 = 4;
const NAT_PERSISTENT: u32 = 8;
const NAT_RANDOM_FULLY: u32 = 16;

/// Flags of a translation; those for addresses and ports are the caller's.
pub(super) fn nat_flags(bits: u32) -> Result<NatFlags, Strange> {
    if bits & !(NAT_ADDRESSES | NAT_PORTS | NAT_RANDOM | NAT_PERSISTENT | NAT_RANDOM_FULLY) != 0 {
        return Err("flags of a translation that iptables does not have".into());
    }
    Ok(NatFlags {
        random: bits & NAT_RANDOM != 0,
        random_fully: bits & NAT_RANDOM_FULLY != 0,
        persistent: bits & NAT_PERSISTENT != 0,
    })
}

/// Sets metadata: the mark, or tracing. A mark is set to a constant, or changed
/// as `mark = (mark & mask) ^ xor`.
pub(super) fn set_meta(draft: &mut Draft, key: u32, value: Register) -> Result<(), Strange> {
    match (key, value.constant()) {
        (META_NFTRACE, Some([1] | [1, 0, 0, 0])) => draft.aim(Target::Other("TRACE".to_owned())),
        (META_MARK, Some(constant)) => {
            let value = u32::from_ne_bytes(constant.try_into().map_err(|_| Malformed)?);
            draft.aim(Target::Mark { value, mask: u32::MAX })
        }
        (META_MARK, None) if value.source == Source::Meta(META_MARK) && value.masked => {
            let kept = u32::from_ne_bytes(first4(&value.mask));
            draft.aim(Target::Mark { value: u32::from_ne_bytes(first4(&value.xor)), mask: !kept })
        }
        _ => Err(Strange(format!("setting meta key {key}"))),
    }
}

/// `NFTA_LIMIT_*`: 1 rate, 2 unit in seconds, 3 burst, 4 type, 5 flags.
pub(super) fn limit(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<6>(data)?;
    let [_, Some(rate), Some(unit), burst, kind, flags] = found else { return Err(Malformed.into()) };
    if kind.map_or(Ok(0), be32)? != 0 || flags.map_or(Ok(0), be32)? != 0 {
        return Err("a limit that iptables does not have".into());
    }
    // Rates are kept as the time between two packets, in units of 100 µs.
    let period = be64(unit)?.checked_mul(10_000).and_then(|unit| unit.checked_div(be64(rate).ok()?));
    let period = period.and_then(|period| u32::try_from(period).ok()).ok_or("a limit out of range")?;
    draft.matches.push(limit_match(period, burst.map_or(Ok(0), be32)?)?);
    Ok(())
}

/// `-m limit`, the rate in the unit that says it best (`print_rate` of
/// `libxt_limit.c`).
pub(super) fn limit_match(period: u32, burst: u32) -> Result<Match, Strange> {
    const UNITS: [(u32, &str); 4] = [(864_000_000, "day"), (36_000_000, "hour"), (600_000, "min"), (10_000, "sec")];
    if period == 0 {
        return Err("a limit without end".into());
    }
    let finer = UNITS.iter().skip(1).take_while(|(unit, _)| period <= *unit && unit / period >= unit % period).count();
    let (unit, name) = UNITS[finer];
    let mut words = format!("-m limit --limit {}/{name}", unit / period);
    if burst != 5 {
        // Writing into a String cannot fail.
        let _ = write!(words, " --limit-burst {burst}");
    }
    Ok(Match::Other(words))
}

/// `NFTA_LOG_*`: 1 group, 2 prefix, 3 length, 4 threshold, 5 level, 6 flags. With a
/// group it is `NFLOG`, else `LOG`.
pub(super) fn log(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<7>(data)?;
    let prefix = text(found[2].unwrap_or_default()).into_owned();
    let Some(group) = found[1] else {
        let level = found[5].map_or(Ok(4), be32)?;
        let flags = found[6].map_or(Ok(0), be32)?;
        let (Ok(level), Ok(flags)) = (u8::try_from(level), u8::try_from(flags)) else { return Err(Malformed.into()) };
        return draft.aim(log_target(level, flags, &prefix)?);
    };
    let mut words = "NFLOG".to_owned();
    if !prefix.is_empty() {
        words.extend([" --nflog-prefix ", &quoted(&prefix)]);
    }
    let numbers = [
        (" --nflog-group ", u32::from(be16(group)?)),
        (" --nflog-size ", found[3].map_or(Ok(0), be32)?),
        (" --nflog-threshold ", u32::from(found[4].map_or(Ok(0), be16)?)),
    ];
    for (option, number) in numbers.iter().filter(|(_, number)| *number != 0) {
        words.extend([*option, &number.to_string()]);
    }
    draft.aim(Target::Other(words))
}

/// `LOG`, with the level (4 is not printed) and `XT_LOG_*` flags, which are those
/// of `NF_LOG_*` too.
pub(super) fn log_target(level: u8, flags: u8, prefix: &str) -> Result<Target, Strange> {
    const FLAGS: [(u8, &str); 5] = [
        (1, " --log-tcp-sequence"),
        (2, " --log-tcp-options"),
        (4, " --log-ip-options"),
        (8, " --log-uid"),
        (32, " --log-macdecode"),
    ];
    if flags & !0x2f != 0 || level > 7 {
        return Err("a log that iptables does not have".into());
    }
    let mut words = "LOG".to_owned();
    if !prefix.is_empty() {
        words.extend([" --log-prefix ", &quoted(prefix)]);
    }
    if level != 4 {
        words.extend([" --log-level ", &level.to_string()]);
    }
    words.extend(FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, option)| *option));
    Ok(Target::Other(words))
}

/// `NFTA_NAT_*`: 1 type, 2 family, 3 and 4 registers of the first and last address,
/// 5 and 6 of the first and last port, 7 flags.
pub(super) fn nat(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<8>(data)?;
    let family = be32(found[2].ok_or(Malformed)?)?;
    let flags = nat_flags(found[7].map_or(Ok(0), be32)?)?;
    let addrs = match (found[3], found[4].or(found[3])) {
        (Some(first), Some(last)) => Some((address(draft, first, family)?, address(draft, last, family)?)),
        _ => None,
    };
    let to = NatRange { addrs, ports: ports(draft, found[5], found[6])? };
    match be32(found[1].ok_or(Malformed)?)? {
        0 => draft.aim(Target::Snat { to, flags }),
        1 => draft.aim(Target::Dnat { to, flags }),
        _ => Err("a translation that is new to us".into()),
    }
}

/// `NFTA_MASQ_*`: 1 flags, 2 and 3 registers of the first and last port.
pub(super) fn masquerade(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<4>(data)?;
    let flags = nat_flags(found[1].map_or(Ok(0), be32)?)?;
    let ports = ports(draft, found[2], found[3])?;
    draft.aim(Target::Masquerade { ports, flags })
}

/// `NFTA_REDIR_*`: 1 and 2 registers of the first and last port, 3 flags.
pub(super) fn redirect(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<4>(data)?;
    let flags = nat_flags(found[3].map_or(Ok(0), be32)?)?;
    let ports = ports(draft, found[1], found[2])?;
    draft.aim(Target::Redirect { ports, flags })
}

/// `NFTA_REJECT_*`: 1 type (`NFT_REJECT_*`), 2 code of ICMP.
pub(super) fn reject(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<3>(data)?;
    let code = found[2].and_then(|code| code.first()).copied().unwrap_or_default();
    let with = match (be32(found[1].ok_or(Malformed)?)?, draft.layer3, code) {
        (1, ..) => "tcp-reset",
        (0 | 2, Some(NfFamily::Ip), 0) => "icmp-net-unreachable",
        (0, Some(NfFamily::Ip), 1) | (2, Some(NfFamily::Ip), 2) => "icmp-host-unreachable",
        (0, Some(NfFamily::Ip), 2) => "icmp-proto-unreachable",
        (0, Some(NfFamily::Ip), 3) | (2, Some(NfFamily::Ip), 1) => "icmp-port-unreachable",
        (0, Some(NfFamily::Ip), 9) => "icmp-net-prohibited",
        (0, Some(NfFamily::Ip), 10) => "icmp-host-prohibited",
        (0, Some(NfFamily::Ip), 13) | (2, Some(NfFamily::Ip), 3) => "icmp-admin-prohibited",
        (0 | 2, Some(NfFamily::Ip6), 0) => "icmp6-no-route",
        (0, Some(NfFamily::Ip6), 1) | (2, Some(NfFamily::Ip6), 3) => "icmp6-adm-prohibited",
        (0, Some(NfFamily::Ip6), 3) | (2, Some(NfFamily::Ip6), 2) => "icmp6-addr-unreachable",
        (0, Some(NfFamily::Ip6), 4) | (2, Some(NfFamily::Ip6), 1) => "icmp6-port-unreachable",
        (0, Some(NfFamily::Ip6), 5) => "icmp6-policy-fail",
        (0, Some(NfFamily::Ip6), 6) => "icmp6-reject-route",
        _ => return Err("an answer that iptables does not have".into()),
    };
    draft.aim(Target::Reject(with.to_owned()))
}

fn address(draft: &Draft, register: &[u8], family: u32) -> Result<IpAddr, Strange> {
    let register = draft.load(be32(register)?)?;
    match (family, register.constant()) {
        (2, Some([a, b, c, d])) => Ok(Ipv4Addr::new(*a, *b, *c, *d).into()),
        (10, Some(bytes)) => {
            let bytes: [u8; 16] = bytes.try_into().map_err(|_| Malformed)?;
            Ok(Ipv6Addr::from(bytes).into())
        }
        _ => Err("an address that is not constant".into()),
    }
}

fn ports(draft: &Draft, first: Option<&[u8]>, last: Option<&[u8]>) -> Result<Option<Port>, Strange> {
    let Some(first) = first else { return Ok(None) };
    let port = |register: &[u8]| match draft.load(be32(register)?)?.constant() {
        Some(&[high, low]) => Ok(u16::from_be_bytes([high, low])),
        _ => Err(Strange::from("a port that is not constant")),
    };
    Ok(Some(Port { from: port(first)?, to: port(last.unwrap_or(first))? }))
}

fn first4(bytes: &[u8; 16]) -> [u8; 4] {
    let [a, b, c, d, ..] = *bytes;
    [a, b, c, d]
}
