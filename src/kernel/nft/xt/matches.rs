//! The matches of `x_tables` that we model, each from its structure in
//! `linux/netfilter/xt_*.h`.

use std::fmt::Write;

use super::Info;
use crate::kernel::nft::draft::{Draft, Strange};
use crate::kernel::nft::native::limit_match;
use crate::net::Mac;
use crate::net::netfilter::{CT_STATES, CtDirection, CtState, Match, NfFamily, Port, PortMatch};

/// Adds what the match says.
pub(super) fn decode(draft: &mut Draft, name: &[u8], revision: u32, info: Info<'_>) -> Result<(), Strange> {
    let said = match (name, revision) {
        (b"tcp", 0) => tcp(info)?,
        (b"udp", 0) => udp(info)?,
        (b"icmp", 0) if draft.family == NfFamily::Ip => icmp(info)?,
        (b"icmp6", 0) if draft.family == NfFamily::Ip6 => icmp(info)?,
        (b"multiport", 1) => multiport(info)?,
        (b"mark", 1) => Match::Mark { value: info.u32(0)?, mask: info.u32(4)?, invert: info.u8(8)? != 0 },
        (b"connmark", 1) => Match::Connmark { value: info.u32(0)?, mask: info.u32(4)?, invert: info.u8(8)? != 0 },
        (b"conntrack", 1..=3) => return conntrack(draft, revision, info),
        (b"state", 0) => ctstate("state", u16::try_from(info.u32(0)?).unwrap_or(u16::MAX), false)?,
        (b"comment", 0) => Match::Comment(info.text(0, 256)?),
        (b"mac", 0) => Match::MacSource { mac: Mac(info.array(0)?), invert: info.u32(8)? != 0 },
        (b"limit", 0) => limit_match(info.u32(0)?, info.u32(4)?)?,
        (b"addrtype", 1) => addrtype(info)?,
        (b"physdev", 0) => physdev(info)?,
        _ => return Err(Strange(format!("match {} revision {revision}", String::from_utf8_lossy(name)))),
    };
    draft.matches.push(said);
    Ok(())
}

/// `struct xt_tcp`: source ports, destination ports, option, mask and value of the
/// flags, what is negated.
fn tcp(info: Info<'_>) -> Result<Match, Strange> {
    let (option, mask, comp, inverted) = (info.u8(8)?, info.u8(9)?, info.u8(10)?, info.u8(11)?);
    if option != 0 || inverted & 8 != 0 || (mask | comp) & 0xc0 != 0 {
        return Err("options of TCP".into());
    }
    Ok(Match::Ports {
        module: "tcp".to_owned(),
        sport: ports(info, 0, inverted & 1 != 0)?,
        dport: ports(info, 4, inverted & 2 != 0)?,
        tcp_flags: (mask != 0 || comp != 0).then_some((mask, comp, inverted & 4 != 0)),
    })
}

/// `struct xt_udp`.
fn udp(info: Info<'_>) -> Result<Match, Strange> {
    let inverted = info.u8(8)?;
    let (sport, dport) = (ports(info, 0, inverted & 1 != 0)?, ports(info, 4, inverted & 2 != 0)?);
    Ok(Match::Ports { module: "udp".to_owned(), sport, dport, tcp_flags: None })
}

fn ports(info: Info<'_>, at: usize, invert: bool) -> Result<Option<PortMatch>, Strange> {
    let port = Port { from: info.u16(at)?, to: info.u16(at + 2)? };
    let all = port == Port { from: 0, to: u16::MAX };
    Ok((!all || invert).then_some(PortMatch { port, invert }))
}

/// `struct ipt_icmp`: type, first and last code, what is negated.
fn icmp(info: Info<'_>) -> Result<Match, Strange> {
    let [kind, from, to, inverted] = info.array(0)?;
    if from != to && (from, to) != (0, 255) {
        return Err("a range of ICMP codes".into());
    }
    Ok(Match::Icmp { kind, codes: (from, to), invert: inverted & 1 != 0 })
}

/// `struct xt_multiport_v1`: side, count, 15 ports, 15 marks of a range's begin,
/// negated.
fn multiport(info: Info<'_>) -> Result<Match, Strange> {
    let side = match info.u8(0)? {
        0 => "sports",
        1 => "dports",
        2 => "ports",
        _ => return Err("a side of multiport that is new to us".into()),
    };
    let count = usize::from(info.u8(1)?);
    if count == 0 || count > 15 {
        return Err("a number of ports out of range".into());
    }
    let mut ports = Vec::with_capacity(count);
    let mut index = 0;
    while index < count {
        let from = info.u16(2 + 2 * index)?;
        let range = info.u8(32 + index)? != 0 && index + 1 < count;
        index += usize::from(range);
        ports.push(Port { from, to: info.u16(2 + 2 * index)? });
        index += 1;
    }
    Ok(Match::Multiport { side: side.to_owned(), ports, invert: info.u8(47)? != 0 })
}

/// `XT_CONNTRACK_*` flags.
const STATE: u16 = 1;
const DIRECTION: u16 = 1 << 12;
/// `-m state` in the structure of conntrack.
const STATE_ALIAS: u16 = 1 << 13;

/// `struct xt_conntrack_mtinfo1` to `3`: what we model is the state and the
/// direction. In the first the state has eight bits.
fn conntrack(draft: &mut Draft, revision: u32, info: Info<'_>) -> Result<(), Strange> {
    let (asked, inverted) = (info.u16(146)?, info.u16(148)?);
    let module = if asked & STATE_ALIAS != 0 { "state" } else { "conntrack" };
    if asked & !(STATE | DIRECTION | STATE_ALIAS) != 0 || asked & (STATE | DIRECTION) == 0 {
        return Err("a condition of conntrack that we do not model".into());
    }
    let separate = matches!(draft.matches.last(), Some(Match::Ctstate { module, .. }) if module == "conntrack");
    if asked & DIRECTION != 0 && asked & STATE == 0 && separate {
        return Err("two conditions of conntrack".into());
    }
    if asked & STATE != 0 {
        let mask = if revision == 1 { u16::from(info.u8(150)?) } else { info.u16(150)? };
        draft.matches.push(ctstate(module, mask, inverted & STATE != 0)?);
    }
    if asked & DIRECTION != 0 {
        let direction = if inverted & DIRECTION != 0 { CtDirection::Reply } else { CtDirection::Original };
        draft.matches.push(Match::Ctdir { direction });
    }
    Ok(())
}

fn ctstate(module: &str, mask: u16, invert: bool) -> Result<Match, Strange> {
    let known = CT_STATES.iter().fold(0, |all, (.., bit)| all | bit);
    let states: Vec<CtState> = CT_STATES.iter().filter(|(.., bit)| mask & bit != 0).map(|(state, ..)| *state).collect();
    if states.is_empty() || mask & !known != 0 {
        return Err("states that iptables does not have".into());
    }
    Ok(Match::Ctstate { module: module.to_owned(), states, invert })
}

/// `struct xt_addrtype_info_v1`: source types, destination types, flags.
fn addrtype(info: Info<'_>) -> Result<Match, Strange> {
    const TYPES: [&str; 12] = [
        "UNSPEC",
        "UNICAST",
        "LOCAL",
        "BROADCAST",
        "ANYCAST",
        "MULTICAST",
        "BLACKHOLE",
        "UNREACHABLE",
        "PROHIBIT",
        "THROW",
        "NAT",
        "XRESOLVE",
    ];
    let (source, destination, flags) = (info.u16(0)?, info.u16(2)?, info.u32(4)?);
    if flags & !15 != 0 || (source | destination) >> TYPES.len() != 0 {
        return Err("types of addresses that iptables does not have".into());
    }
    let mut words = "-m addrtype".to_owned();
    for (mask, not, option) in [(source, 1, "--src-type"), (destination, 2, "--dst-type")] {
        if mask != 0 {
            let named = TYPES.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0);
            let list: Vec<&str> = named.map(|(_, name)| *name).collect();
            let not = if flags & not != 0 { "! " } else { "" };
            // Writing into a String cannot fail.
            let _ = write!(words, " {not}{option} {}", list.join(","));
        }
    }
    words.push_str(if flags & 4 != 0 { " --limit-iface-in" } else { "" });
    words.push_str(if flags & 8 != 0 { " --limit-iface-out" } else { "" });
    Ok(Match::Other(words))
}

/// `struct xt_physdev_info`: device in and its mask, device out and its mask, what
/// is negated, what is asked.
fn physdev(info: Info<'_>) -> Result<Match, Strange> {
    let (inverted, asked) = (info.u8(64)?, info.u8(65)?);
    let mut words = "-m physdev".to_owned();
    let options = [
        (8, " --physdev-is-in", None),
        (1, " --physdev-in ", Some(info.text(0, 16)?)),
        (16, " --physdev-is-out", None),
        (2, " --physdev-out ", Some(info.text(32, 16)?)),
        (4, " --physdev-is-bridged", None),
    ];
    for (bit, option, name) in options {
        if asked & bit != 0 {
            let not = if inverted & bit != 0 { " !" } else { "" };
            words.extend([not, option, &name.unwrap_or_default()]);
        }
    }
    Ok(Match::Other(words))
}
