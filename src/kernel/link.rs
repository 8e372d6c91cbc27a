//! Devices (`RTM_GETLINK`; `include/uapi/linux/if_link.h`).

use std::collections::BTreeMap;

use super::Error;
use super::attr::{Attr, Malformed, attrs, header};
use super::socket::Socket;
use crate::net::{IfName, Ipv4Conf, Link, LinkStats, Mac, OperState};

const RTM_GETLINK: u16 = 18;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_STATS64: u16 = 23;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET_CONF: u16 = 1;
const IFLA_GROUP: u16 = 27;
const IFLA_LINK_NETNSID: u16 = 37;
const AF_INET: u16 = 2;

/// Names by index, of one namespace.
#[derive(PartialEq, Eq)]
pub(crate) struct Devices(BTreeMap<u32, IfName>);

impl Devices {
    pub(crate) fn of(links: &[Link]) -> Self {
        Self(links.iter().map(|link| (link.index, link.name.clone())).collect())
    }

    /// The name; a device that came or went during the reading has none, and
    /// is called by its index as `ip` would.
    pub(crate) fn name(&self, index: u32) -> IfName {
        self.0.get(&index).cloned().unwrap_or_else(|| IfName::new(format!("if{index}")))
    }
}

/// All devices of the socket's namespace.
pub(crate) fn dump_links(socket: &mut Socket) -> Result<Vec<Link>, Error> {
    // struct ifinfomsg, all zero: every family, every device
    socket.dump("links", RTM_GETLINK, &[0; 16], |message| decode(message).map(Some))
}

fn decode(message: &[u8]) -> Result<Link, Malformed> {
    let (head, rest) = header::<16>(message)?;
    let [_, _, _, _, i0, i1, i2, i3, f0, f1, f2, f3, ..] = *head;
    let index = u32::from_ne_bytes([i0, i1, i2, i3]);
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let mut link = Link { flags, ..Link::new(index, IfName::from("")) };
    for attr in attrs(rest) {
        match attr.kind {
            IFLA_ADDRESS => link.mac = <[u8; 6]>::try_from(attr.value).ok().map(Mac),
            IFLA_IFNAME => link.name = IfName::new(attr.text()),
            IFLA_MTU => link.mtu = attr.u32()?,
            // A tunnel that is bound to no device says 0.
            IFLA_LINK => link.link = Some(attr.u32()?).filter(|index| *index != 0),
            IFLA_LINK_NETNSID => link.link_netnsid = Some(attr.i32()?),
            IFLA_MASTER => link.master = Some(attr.u32()?),
            IFLA_OPERSTATE => link.state = state(attr.u8()?),
            IFLA_LINKINFO => {
                link.kind = attr.nested().find(|inner| inner.kind == IFLA_INFO_KIND).map(Attr::text);
            }
            IFLA_STATS64 => link.stats = stats(attr.value)?,
            IFLA_GROUP => link.group = attr.u32()?,
            IFLA_AF_SPEC => {
                let inet = attr.nested().find(|family| family.kind == AF_INET);
                let conf = inet.and_then(|inet| inet.nested().find(|inner| inner.kind == IFLA_INET_CONF));
                link.ipv4 = conf.map(|conf| ipv4_conf(conf.value));
            }
            _ => {}
        }
    }
    if link.name.as_str().is_empty() { Err(Malformed) } else { Ok(link) }
}

/// `IF_OPER_*`.
fn state(number: u8) -> OperState {
    match number {
        1 => OperState::Notpresent,
        2 => OperState::Down,
        3 => OperState::Lowerlayerdown,
        4 => OperState::Testing,
        5 => OperState::Dormant,
        6 => OperState::Up,
        _ => OperState::Unknown,
    }
}

/// `struct rtnl_link_stats64`: 64-bit counters one after another.
fn stats(bytes: &[u8]) -> Result<LinkStats, Malformed> {
    let counters: [u64; 8] = {
        let (raw, _) = header::<64>(bytes)?;
        let mut counters = [0; 8];
        for (counter, chunk) in counters.iter_mut().zip(raw.as_chunks::<8>().0) {
            *counter = u64::from_ne_bytes(*chunk);
        }
        counters
    };
    let [rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped] = counters;
    Ok(LinkStats { rx_packets, rx_bytes, rx_dropped, rx_errors, tx_packets, tx_bytes, tx_dropped, tx_errors })
}

/// `IPV4_DEVCONF_*` of `include/uapi/linux/ip.h`: 32-bit numbers by place, the
/// first one numbered 1. A kernel that has fewer leaves the rest out.
fn ipv4_conf(bytes: &[u8]) -> Ipv4Conf {
    let (numbers, _) = bytes.as_chunks::<4>();
    let number = |place: usize| numbers.get(place - 1).map_or(0, |raw| i32::from_ne_bytes(*raw));
    let small = |place| u8::try_from(number(place)).unwrap_or(u8::MAX);
    Ipv4Conf {
        forwarding: number(1) != 0,
        proxy_arp: number(3) != 0,
        rp_filter: small(8),
        arp_ignore: small(19),
        arp_announce: small(18),
        accept_local: number(23) != 0,
        src_valid_mark: number(24) != 0,
        send_redirects: number(6) != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_taken_by_their_place() {
        let mut numbers = [0_i32; 33];
        for (place, value) in [(1, 1), (3, 1), (8, 2), (18, 2), (19, 1), (23, 1), (24, 1), (6, 1)] {
            numbers[place - 1] = value;
        }
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        let conf = ipv4_conf(&bytes);
        assert_eq!((conf.rp_filter, conf.arp_ignore, conf.arp_announce), (2, 1, 2));
        assert!(conf.forwarding && conf.proxy_arp && conf.accept_local && conf.src_valid_mark && conf.send_redirects);
        assert_eq!(ipv4_conf(&[]), Ipv4Conf::default());
    }

    #[test]
    fn a_device_without_a_name_is_malformed() {
        assert_eq!(decode(&[0; 16]), Err(Malformed));
        assert_eq!(decode(&[0; 3]), Err(Malformed));
    }
}
