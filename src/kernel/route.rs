//! Routes of all tables (`RTM_GETROUTE`; `include/uapi/linux/rtnetlink.h`).

use std::net::IpAddr;

use ipnet::IpNet;

use super::Error;
use super::attr::{Attr, Malformed, attrs, family, header, ip, unspecified};
use super::link::Devices;
use super::socket::Socket;
use crate::net::{NextHop, Route, RouteKind, TableId};

const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTAX_MTU: u16 = 2;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;

const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_DEAD: u32 = 1;
const RTNH_F_ONLINK: u32 = 4;
const RTNH_F_LINKDOWN: u32 = 16;

/// All routes of the socket's namespace, all tables, both families.
pub(crate) fn dump_routes(socket: &mut Socket, devices: &Devices) -> Result<Vec<Route>, Error> {
    // struct rtmsg, all zero: every family, every table
    socket.dump("routes", RTM_GETROUTE, &[0; 12], |message| decode(message, devices))
}

fn decode(message: &[u8], devices: &Devices) -> Result<Option<Route>, Malformed> {
    let (&[number, dst_len, src_len, tos, table, protocol, scope, kind, f0, f1, f2, f3], rest) = header::<12>(message)?;
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let Some(family) = family(number).filter(|_| flags & RTM_F_CLONED == 0) else { return Ok(None) };
    let mut hop = next_hop(flags);
    let (mut dst, mut src, mut several) = (unspecified(family), None, Vec::new());
    // The header has room for 8 bits of the table only, and says 252 for any larger one.
    let (mut full_table, mut metric, mut pref_src, mut mtu, mut nexthop_id) = (u32::from(table), 0, None, None, None);
    for attr in attrs(rest) {
        match attr.kind {
            RTA_DST => dst = attr.ip()?,
            RTA_SRC => src = Some(attr.ip()?),
            RTA_OIF => hop.dev = Some(devices.name(attr.u32()?)),
            RTA_GATEWAY | RTA_VIA => hop.via = Some(gateway(attr)?),
            RTA_PRIORITY => metric = attr.u32()?,
            RTA_PREFSRC => pref_src = Some(attr.ip()?),
            RTA_METRICS => {
                mtu = attr.nested().find(|inner| inner.kind == RTAX_MTU).map(Attr::u32).transpose()?;
            }
            RTA_MULTIPATH => several = multipath(attr.value, devices)?,
            RTA_TABLE => full_table = attr.u32()?,
            RTA_NH_ID => nexthop_id = Some(attr.u32()?),
            _ => {}
        }
    }
    if several.is_empty() && (hop.dev.is_some() || hop.via.is_some()) {
        several.push(hop);
    }
    let src = match (src, src_len) {
        (None, 0) => None,
        (address, length) => Some(IpNet::new(address.unwrap_or(unspecified(family)), length).map_err(|_| Malformed)?),
    };
    Ok(Some(Route {
        table: TableId(full_table),
        dst: IpNet::new(dst, dst_len).map_err(|_| Malformed)?,
        tos,
        metric,
        kind: route_kind(kind),
        next_hops: several,
        pref_src,
        src,
        scope,
        protocol,
        mtu,
        nexthop_id,
    }))
}

fn next_hop(flags: u32) -> NextHop {
    NextHop {
        via: None,
        dev: None,
        onlink: flags & RTNH_F_ONLINK != 0,
        dead: flags & RTNH_F_DEAD != 0,
        linkdown: flags & RTNH_F_LINKDOWN != 0,
        weight: 1,
    }
}

/// `RTA_GATEWAY` is an address; `RTA_VIA` has its family before it (IPv4
/// through an IPv6 gateway, RFC 5549).
pub(super) fn gateway(attr: Attr<'_>) -> Result<IpAddr, Malformed> {
    if attr.kind == RTA_VIA { ip(attr.value.get(2..).ok_or(Malformed)?) } else { attr.ip() }
}

/// A row of `struct rtnexthop`, each with attributes of its own.
fn multipath(mut bytes: &[u8], devices: &Devices) -> Result<Vec<NextHop>, Malformed> {
    let mut hops = Vec::new();
    while !bytes.is_empty() {
        let (&[l0, l1, flags, weight, i0, i1, i2, i3], _) = header::<8>(bytes)?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let mut hop = next_hop(u32::from(flags));
        hop.weight = u16::from(weight) + 1;
        hop.dev = Some(u32::from_ne_bytes([i0, i1, i2, i3])).filter(|index| *index != 0).map(|i| devices.name(i));
        for attr in attrs(bytes.get(8..length).ok_or(Malformed)?) {
            if attr.kind == RTA_GATEWAY || attr.kind == RTA_VIA {
                hop.via = Some(gateway(attr)?);
            }
        }
        hops.push(hop);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(hops)
}

/// `RTN_*`.
pub(super) fn route_kind(number: u8) -> RouteKind {
    match number {
        1 => RouteKind::Unicast,
        2 => RouteKind::Local,
        3 => RouteKind::Broadcast,
        4 => RouteKind::Anycast,
        5 => RouteKind::Multicast,
        6 => RouteKind::Blackhole,
        7 => RouteKind::Unreachable,
        8 => RouteKind::Prohibit,
        9 => RouteKind::Throw,
        other => RouteKind::Other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_gateway_of_an_ipv4_route() {
        let mut bytes = vec![2, 24, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0];
        bytes.extend([8, 0, 1, 0, 10, 1, 0, 0]);
        bytes.extend([22, 0, 18, 0, 10, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
        bytes.extend([8, 0, 4, 0, 3, 0, 0, 0]);
        let route = decode(&bytes, &Devices::of(&[])).unwrap().unwrap();
        assert_eq!(route.to_string(), "10.1.0.0/24 via fe80::1 dev if3 proto static");
    }

    #[test]
    fn cut_next_hops_are_malformed() {
        assert_eq!(multipath(&[16, 0, 0, 0, 1, 0, 0, 0], &Devices::of(&[])), Err(Malformed));
        assert_eq!(multipath(&[0, 0, 0, 0, 1, 0, 0, 0], &Devices::of(&[])), Err(Malformed));
        assert_eq!(multipath(&[8, 0], &Devices::of(&[])), Err(Malformed));
    }
}
