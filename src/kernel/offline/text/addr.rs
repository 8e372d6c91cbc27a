//! The addresses' lines of `ip address`.

use ipnet::IpNet;

use super::link::index_and_name;
use super::{Parsed, Words, not_understood, numbered, scope};
use crate::net::{Addr, AddrFlags, IfName};

/// The addresses of one namespace.
pub fn addrs(text: &str) -> Parsed<Vec<Addr>> {
    let mut found = Vec::new();
    let mut dev: Option<IfName> = None;
    for (number, line) in numbered(text) {
        let wrong = || not_understood(number, line);
        if line.starts_with([' ', '\t']) {
            let mut words = Words::of(line);
            if words.take("inet") || words.take("inet6") {
                let dev = dev.clone().ok_or_else(wrong)?;
                found.push(addr(dev, words).ok_or_else(wrong)?);
            } else if dev.is_none() {
                return Err(wrong());
            }
        } else {
            let (_, name, _) = index_and_name(line).ok_or_else(wrong)?;
            dev = Some(IfName::from(name));
        }
    }
    Ok(found)
}

fn addr(dev: IfName, mut words: Words<'_>) -> Option<Addr> {
    let local = words.next()?;
    let (address, peer) = if words.take("peer") {
        let peer: IpNet = super::net(words.next()?)?;
        (IpNet::new(local.parse().ok()?, peer.prefix_len()).ok()?, Some(peer.addr()))
    } else {
        (super::net(local)?, None)
    };
    let mut addr = Addr { dev, address, peer, broadcast: None, scope: 0, flags: AddrFlags::default() };
    while let Some(word) = words.next() {
        match word {
            "brd" => addr.broadcast = Some(words.value()?),
            "any" | "metric" | "proto" | "flags" => drop(words.next()?),
            "scope" => addr.scope = scope(words.next()?)?,
            "secondary" => addr.flags.secondary = true,
            "tentative" => addr.flags.tentative = true,
            "dadfailed" => addr.flags.dadfailed = true,
            "dynamic" => addr.flags.dynamic = true,
            "noprefixroute" => addr.flags.noprefixroute = true,
            "temporary" | "deprecated" | "mngtmpaddr" | "nodad" | "optimistic" | "home" | "autojoin"
            | "stable-privacy" => {}
            // The label of an IPv4 address stands last.
            _ if words.peek().is_none() => {}
            _ => return None,
        }
    }
    Some(addr)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
2: rfp-ef25020f-0@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 8e:36:be:5d:34:3b brd ff:ff:ff:ff:ff:ff link-netns fip-cef4f7b4
    inet 169.254.31.28/31 scope global rfp-ef25020f-0
       valid_lft forever preferred_lft forever
    inet 192.168.1.3/32 brd 192.168.1.3 scope global secondary dynamic rfp-ef25020f-0:1
    inet6 fe80::8c36:beff:fe5d:343b/64 scope link tentative dadfailed proto kernel_ll
    inet 10.8.0.1 peer 10.8.0.2/32 scope link tun0
";

    #[test]
    fn addresses_print_as_they_were_read() {
        let printed: Vec<String> = addrs(TEXT).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            printed,
            [
                "inet 169.254.31.28/31 scope global rfp-ef25020f-0",
                "inet 192.168.1.3/32 brd 192.168.1.3 scope global secondary dynamic rfp-ef25020f-0",
                "inet6 fe80::8c36:beff:fe5d:343b/64 scope link tentative dadfailed rfp-ef25020f-0",
                "inet 10.8.0.1 peer 10.8.0.2/32 scope link rfp-ef25020f-0",
            ]
        );
    }

    #[test]
    fn what_is_no_address_is_named_with_its_line() {
        let head = "1: a: <UP> mtu 1\n";
        for line in
            ["    inet", "    inet 10.0.0.1/33", "    inet 10.0.0.1/8 scope near", "    inet 10.0.0.1/8 new thing", "x"]
        {
            assert_eq!(addrs(&format!("{head}{line}")).unwrap_err().line, 2, "{line}");
        }
        assert_eq!(addrs("    inet 10.0.0.1/8").unwrap_err().line, 1);
    }
}
