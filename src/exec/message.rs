//! Actions as netlink messages. Whoever calls gives the devices' indexes.

use std::net::IpAddr;
use std::os::fd::RawFd;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteType};
use netlink_packet_route::rule::{RuleAttribute, RuleFlags, RuleMessage};

use crate::net::{Addr, Family, IfName, Mac, Neigh, Route, RouteKind, Rule, RuleAction, TableId};
use crate::plan::{LinkSetting, Veth, VethEnd};

use super::Cause;

/// `RT_TABLE_COMPAT`: the table's number is in an attribute.
const TABLE_COMPAT: u8 = 252;
/// `RTPROT_BOOT`, what `ip` writes where nothing else is asked for.
const PROTOCOL_BOOT: u8 = 3;

/// A device by index, nothing changed.
pub(super) fn link(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

/// A device by index, switched on or off.
pub(super) fn link_up(index: u32, up: bool) -> LinkMessage {
    let mut message = link(index);
    message.header.change_mask = LinkFlags::Up;
    if up {
        message.header.flags = LinkFlags::Up;
    }
    message
}

/// What a device has of the kind that a step sets; `None` where it does not say.
pub(super) fn setting(link: &LinkMessage, kind: &LinkSetting) -> Option<LinkSetting> {
    match kind {
        LinkSetting::Up(_) => Some(LinkSetting::Up(link.header.flags.contains(LinkFlags::Up))),
        LinkSetting::Mtu(_) => link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Mtu(mtu) => Some(LinkSetting::Mtu(*mtu)),
            _ => None,
        }),
        LinkSetting::Mac(_) => link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Address(bytes) => Some(LinkSetting::Mac(Mac(*bytes.first_chunk()?))),
            _ => None,
        }),
        LinkSetting::Master(_) => None,
    }
}

pub(super) fn bridge(name: &IfName) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.as_str().to_owned()));
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
    message
}

/// A veth pair; `peer_netns` is where the other end is born, if not here.
pub(super) fn veth(pair: &Veth, peer_netns: Option<RawFd>) -> LinkMessage {
    let mut peer = veth_end(&pair.peer);
    peer.attributes.extend(peer_netns.map(LinkAttribute::NetNsFd));
    let mut message = veth_end(&pair.end);
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    message
}

fn veth_end(end: &VethEnd) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(end.name.as_str().to_owned()));
    message.attributes.extend(end.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    message.attributes.extend(end.mtu.map(LinkAttribute::Mtu));
    message
}

pub(super) fn address(addr: &Addr, index: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(addr.address.addr());
    message.header.prefix_len = addr.address.prefix_len();
    message.header.scope = addr.scope.into();
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(addr.address.addr()));
    message.attributes.push(AddressAttribute::Address(addr.peer.unwrap_or(addr.address.addr())));
    if let Some(IpAddr::V4(broadcast)) = addr.broadcast {
        message.attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    if addr.flags.noprefixroute {
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Noprefixroute));
    }
    message
}

pub(super) fn rule(rule: &Rule) -> Result<RuleMessage, Cause> {
    if let Some(other) = rule.others.first() {
        return Err(Cause::NotSupported(format!("a rule with '{}'", crate::net::printable(other, 64))));
    }
    let mut message = RuleMessage::default();
    message.header.family = match rule.family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    };
    message.header.src_len = rule.from.map_or(0, |net| net.prefix_len());
    message.header.dst_len = rule.to.map_or(0, |net| net.prefix_len());
    message.header.tos = rule.tos;
    message.header.action = rule_action(rule.action).into();
    if rule.invert {
        message.header.flags = RuleFlags::Invert;
    }
    let attributes = &mut message.attributes;
    attributes.push(RuleAttribute::Priority(rule.priority.0));
    attributes.extend(rule.from.map(|net| RuleAttribute::Source(net.addr())));
    attributes.extend(rule.to.map(|net| RuleAttribute::Destination(net.addr())));
    attributes.extend(rule.iif.as_ref().map(|dev| RuleAttribute::Iifname(dev.as_str().to_owned())));
    attributes.extend(rule.oif.as_ref().map(|dev| RuleAttribute::Oifname(dev.as_str().to_owned())));
    if let Some(mark) = rule.fwmark {
        attributes.extend([RuleAttribute::FwMark(mark.value), RuleAttribute::FwMask(mark.mask)]);
    }
    attributes.extend(rule.suppress_prefixlen.map(RuleAttribute::SuppressPrefixLen));
    attributes.extend(rule.suppress_ifgroup.map(RuleAttribute::SuppressIfGroup));
    attributes.extend((rule.protocol != 0).then(|| RuleAttribute::Protocol(rule.protocol.into())));
    match rule.action {
        RuleAction::Lookup(table) => {
            message.header.table = short(table);
            attributes.push(RuleAttribute::Table(table.0));
        }
        RuleAction::Goto(priority) => attributes.push(RuleAttribute::Goto(priority.0)),
        _ => {}
    }
    Ok(message)
}

/// `FR_ACT_*` of `include/uapi/linux/fib_rules.h`.
fn rule_action(action: RuleAction) -> u8 {
    match action {
        RuleAction::Lookup(_) => 1,
        RuleAction::Goto(_) => 2,
        RuleAction::Nop => 3,
        RuleAction::Blackhole => 6,
        RuleAction::Unreachable => 7,
        RuleAction::Prohibit => 8,
        RuleAction::Other(number) => number,
    }
}

/// A route; `index` is that of its device.
pub(super) fn route(route: &Route, index: Option<u32>) -> Result<RouteMessage, Cause> {
    let hop = match route.next_hops.as_slice() {
        [] => None,
        [hop] => Some(hop),
        _ => return Err(Cause::NotSupported("a route with several next hops".to_owned())),
    };
    if route.nexthop_id.is_some() || route.src.is_some() {
        return Err(Cause::NotSupported("a route with a next-hop object or a source prefix".to_owned()));
    }
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.dst.addr());
    message.header.destination_prefix_length = route.dst.prefix_len();
    message.header.tos = route.tos;
    message.header.table = short(route.table);
    message.header.protocol = if route.protocol == 0 { PROTOCOL_BOOT } else { route.protocol }.into();
    message.header.scope = route.scope.into();
    message.header.kind = route_type(route.kind);
    if hop.is_some_and(|hop| hop.onlink) {
        message.header.flags = RouteFlags::Onlink;
    }
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Table(route.table.0));
    if route.dst.prefix_len() > 0 {
        attributes.push(RouteAttribute::Destination(prefix(route.dst).into()));
    }
    attributes.extend(hop.and_then(|hop| hop.via).map(|via| RouteAttribute::Gateway(via.into())));
    attributes.extend(index.map(RouteAttribute::Oif));
    attributes.extend(route.pref_src.map(|src| RouteAttribute::PrefSource(src.into())));
    attributes.extend((route.metric != 0).then_some(RouteAttribute::Priority(route.metric)));
    attributes.extend(route.mtu.map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])));
    Ok(message)
}

/// `RTN_*` of `include/uapi/linux/rtnetlink.h`.
fn route_type(kind: RouteKind) -> RouteType {
    match kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Local => RouteType::Local,
        RouteKind::Broadcast => RouteType::Broadcast,
        RouteKind::Anycast => RouteType::Anycast,
        RouteKind::Multicast => RouteType::Multicast,
        RouteKind::Blackhole => RouteType::BlackHole,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Prohibit => RouteType::Prohibit,
        RouteKind::Throw => RouteType::Throw,
        RouteKind::Other(number) => RouteType::Other(number),
    }
}

pub(super) fn neighbour(neigh: &Neigh, index: u32) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(neigh.address);
    message.header.ifindex = index;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(NeighbourAttribute::Destination(neigh.address.into()));
    if neigh.proxy {
        message.header.flags = NeighbourFlags::Proxy;
    } else {
        message.header.state = NeighbourState::Permanent;
        message.attributes.extend(neigh.mac.map(|mac| NeighbourAttribute::LinkLayerAddress(mac.0.to_vec())));
    }
    message
}

/// The kernel refuses a route whose destination has host bits.
fn prefix(net: IpNet) -> IpAddr {
    net.network()
}

fn short(table: TableId) -> u8 {
    u8::try_from(table.0).unwrap_or(TABLE_COMPAT)
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}
