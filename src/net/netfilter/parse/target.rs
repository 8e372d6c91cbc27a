//! The targets of `-j` and `-g`.

use std::net::IpAddr;

use super::matches::{hex, mark};
use super::word::Word;
use crate::net::netfilter::words::EXTENSIONS;
use crate::net::netfilter::{ConnmarkOp, NatFlags, NatRange, Port, Target};

/// What `-j TARGET OPTIONS…` or `-g CHAIN` says, where we model all of it.
pub(super) fn parse_target(words: &[Word<'_>]) -> Option<Target> {
    let [jump, name, options @ ..] = words else { return None };
    let options: Vec<&str> = options.iter().map(|word| word.text.as_ref()).collect();
    let name = name.text.as_ref();
    if jump.is("-g") || jump.is("--goto") {
        return options.is_empty().then(|| Target::Goto(name.to_owned()));
    }
    Some(match (name, options.as_slice()) {
        ("ACCEPT", []) => Target::Accept,
        ("DROP", []) => Target::Drop,
        ("RETURN", []) => Target::Return,
        ("NOTRACK", []) => Target::NotrackAlias,
        ("CT", ["--notrack"]) => Target::Notrack,
        ("REJECT", ["--reject-with", with]) => Target::Reject((*with).to_owned()),
        ("MARK", ["--set-xmark", value]) => {
            let (value, mask) = mark(value)?;
            Target::Mark { value, mask }
        }
        ("CONNMARK", options) => Target::Connmark(connmark(options)?),
        ("DNAT", ["--to-destination", to, flags @ ..]) => Target::Dnat { to: nat_range(to)?, flags: nat_flags(flags)? },
        ("SNAT", ["--to-source", to, flags @ ..]) => Target::Snat { to: nat_range(to)?, flags: nat_flags(flags)? },
        ("REDIRECT", options) => {
            let (ports, flags) = nat_ports(options)?;
            Target::Redirect { ports, flags }
        }
        ("MASQUERADE", options) => {
            let (ports, flags) = nat_ports(options)?;
            Target::Masquerade { ports, flags }
        }
        (chain, []) if !EXTENSIONS.contains(&chain) => Target::Jump(chain.to_owned()),
        _ => return None,
    })
}

fn connmark(options: &[&str]) -> Option<ConnmarkOp> {
    match options {
        ["--set-xmark", value] => mark(value).map(|(value, mask)| ConnmarkOp::Set { value, mask }),
        ["--save-mark", "--nfmask", nfmask, "--ctmask", ctmask] => {
            Some(ConnmarkOp::Save { nfmask: hex(nfmask)?, ctmask: hex(ctmask)? })
        }
        ["--restore-mark", "--nfmask", nfmask, "--ctmask", ctmask] => {
            Some(ConnmarkOp::Restore { nfmask: hex(nfmask)?, ctmask: hex(ctmask)? })
        }
        _ => None,
    }
}

fn nat_ports(options: &[&str]) -> Option<(Option<Port>, NatFlags)> {
    match options {
        ["--to-ports", ports, flags @ ..] => Some((Some(dashed(ports)?), nat_flags(flags)?)),
        flags => Some((None, nat_flags(flags)?)),
    }
}

fn nat_flags(words: &[&str]) -> Option<NatFlags> {
    words.iter().try_fold(NatFlags::default(), |flags, word| match *word {
        "--random" => Some(NatFlags { random: true, ..flags }),
        "--random-fully" => Some(NatFlags { random_fully: true, ..flags }),
        "--persistent" => Some(NatFlags { persistent: true, ..flags }),
        _ => None,
    })
}

/// `ADDR[-ADDR][:PORT[-PORT]]`, IPv6 addresses in brackets where ports follow.
fn nat_range(text: &str) -> Option<NatRange> {
    let (addrs, ports) = if let Some(inner) = text.strip_prefix('[') {
        let (addrs, ports) = inner.split_once(']')?;
        (addrs, Some(ports.strip_prefix(':')?))
    } else if text.matches(':').count() > 1 {
        (text, None)
    } else {
        text.split_once(':').map_or((text, None), |(addrs, ports)| (addrs, Some(ports)))
    };
    let addr = |text: &str| text.parse::<IpAddr>().ok();
    let addrs = match addrs.split_once('-') {
        _ if addrs.is_empty() => None,
        Some((first, last)) => Some((addr(first)?, addr(last)?)),
        None => Some((addr(addrs)?, addr(addrs)?)),
    };
    let ports = match ports {
        Some(ports) => Some(dashed(ports)?),
        None => None,
    };
    Some(NatRange { addrs, ports })
}

fn dashed(text: &str) -> Option<Port> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    Some(Port { from: from.parse().ok()?, to: to.parse().ok()? })
}
