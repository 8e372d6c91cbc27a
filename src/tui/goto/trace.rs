//! `:trace FROM TO [PROTOCOL [PORT]]`: understood and completed.

use std::net::{IpAddr, Ipv4Addr};

use super::OFFERED;
use crate::net::netfilter::protocol_number;
use crate::net::printable;
use crate::tui::state::Node;
use crate::tui::walk::{Asked, Ends, OUTSIDE};

const USAGE: &str = "trace FROM TO [tcp|udp|icmp|NUMBER [PORT]], as in: trace 10.0.0.4 198.51.100.7 tcp 443";

/// Protocols that completion offers.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "icmp"];

/// Understands what follows `trace`; the refusal is for the user.
pub(super) fn resolve(rest: &str) -> Result<Asked, String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (src, dst, more) = match words.as_slice() {
        [src, dst, more @ ..] if more.len() <= 2 => (address(src)?, address(dst)?, more),
        _ => return Err(USAGE.to_owned()),
    };
    let asked = Asked::new(Ends::Addresses { src, dst });
    let Some(word) = more.first() else { return Ok(asked) };
    let proto =
        protocol_number(&word.to_lowercase()).ok_or_else(|| format!("{} is no protocol", printable(word, 32)))?;
    let port = match more.get(1) {
        None => None,
        Some(port) => Some(port.parse().map_err(|_| format!("{} is no port", printable(port, 32)))?),
    };
    Ok(asked.with(proto, port))
}

/// What the last word could become, with all before it.
pub(super) fn candidates(node: &Node, rest: &str) -> Vec<String> {
    let (before, last) = rest.rsplit_once(' ').unwrap_or(("", rest));
    let before: Vec<&str> = before.split_whitespace().collect();
    let offers: Vec<String> = match before.len() {
        0 => addresses(node, false),
        1 => addresses(node, true),
        2 => PROTOCOLS.iter().map(|word| (*word).to_owned()).collect(),
        _ => Vec::new(),
    };
    let fits = offers.into_iter().filter(|offer| offer.starts_with(last)).take(OFFERED);
    fits.map(|offer| before.iter().copied().chain([offer.as_str()]).collect::<Vec<_>>().join(" ")).collect()
}

/// Addresses that this node knows: instances first as sources, what lies
/// outside first as destinations.
fn addresses(node: &Node, destination: bool) -> Vec<String> {
    let all = node.topology.fips();
    let fixed = all.clone().filter_map(|fip| fip.fixed_ip);
    let floating = all.filter_map(|fip| fip.floating_ip);
    let outside = std::iter::once(IpAddr::V4(OUTSIDE));
    let mut found: Vec<IpAddr> = Vec::new();
    let mut offer = |address: IpAddr| {
        if address.is_ipv4() && found.len() < OFFERED && !found.contains(&address) {
            found.push(address);
        }
    };
    if destination {
        outside.chain(floating).chain(fixed).for_each(&mut offer);
    } else {
        fixed.chain(outside).for_each(&mut offer);
    }
    found.iter().map(ToString::to_string).collect()
}

fn address(word: &str) -> Result<Ipv4Addr, String> {
    match word.parse() {
        Ok(IpAddr::V4(address)) => Ok(address),
        Ok(IpAddr::V6(address)) => Err(format!("walks are of IPv4, and {address} is not")),
        Err(_) => Err(format!("{} is no address: {USAGE}", printable(word, 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{ICMP, TCP, UDP};

    #[test]
    fn what_is_left_out_is_https() {
        let ends = Ends::Addresses { src: Ipv4Addr::new(10, 0, 0, 4), dst: Ipv4Addr::new(1, 1, 1, 1) };
        let asked = |proto, port| Ok(Asked { ends: ends.clone(), proto, port, from: None, entrance: 0 });
        assert_eq!(resolve("10.0.0.4 1.1.1.1"), asked(TCP, 443));
        assert_eq!(resolve(" 10.0.0.4  1.1.1.1 UDP"), asked(UDP, 53));
        assert_eq!(resolve("10.0.0.4 1.1.1.1 tcp 22"), asked(TCP, 22));
        assert_eq!(resolve("10.0.0.4 1.1.1.1 1"), asked(ICMP, 1));
        assert_eq!(resolve("10.0.0.4 1.1.1.1 47"), asked(47, 0));
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        for (text, word) in [
            ("", "trace FROM TO"),
            ("10.0.0.4", "trace FROM TO"),
            ("10.0.0.4 x", "x is no address"),
            ("10.0.0.4 fe80::1", "walks are of IPv4"),
            ("10.0.0.4 1.1.1.1 carrier", "carrier is no protocol"),
            ("10.0.0.4 1.1.1.1 tcp 99999", "99999 is no port"),
            ("10.0.0.4 1.1.1.1 tcp 1 2", "trace FROM TO"),
        ] {
            let why = resolve(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }
}
