//! Whether two addresses can be associated at all: nobody has them, and they
//! are where they should be.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::net::{Addr, Netns};
use crate::neutron::NamespaceKind;
use crate::topology::{FipKind, FloatingIp};

use super::super::Refused;
use super::Associate;
use super::seat::Seat;
use super::site::Site;

/// Refuses what cannot be; passes what is so already.
pub(super) fn check(
    site: &Site<'_>,
    wanted: &Associate,
    floating_ip: Ipv4Addr,
    fixed_ip: Ipv4Addr,
) -> Result<(), Refused> {
    fixed(site, fixed_ip)?;
    floating(site, wanted, floating_ip)?;
    nobodys(site, wanted, FipKind::Distributed)
}

/// The same for a floating IP of a gateway port.
pub(super) fn on_gateway(
    seat: &Seat<'_>,
    wanted: &Associate,
    floating_ip: Ipv4Addr,
    fixed_ip: Ipv4Addr,
) -> Result<(), Refused> {
    let address = IpAddr::V4(floating_ip);
    if seat.port.addresses.is_empty() {
        let what = format!("{} has no address on this node: another one acts for the router", seat.port.device);
        return Err(Refused::NotDistributed(what));
    }
    fixed(&seat.site, fixed_ip)?;
    in_subnet(&seat.subnets(), address)?;
    let taken = |what: String| Err(Refused::Taken { address, what });
    if seat.gateways().contains(&address) {
        return taken("the external gateway".to_owned());
    }
    let is_host = |addr: &Addr| addr.dev == seat.port.device && addr.address.prefix_len() == 32;
    if let Some(addr) = seat.netns.addrs().iter().find(|addr| addr.address.addr() == address && !is_host(addr)) {
        return taken(format!("an address of {} in {}", addr.dev, seat.name));
    }
    let legacy = seat.site.qrouter == seat.name;
    nobodys(&seat.site, wanted, if legacy { FipKind::Legacy } else { FipKind::Centralized })
}

/// Nothing on this node has either address, and nobody outside answered.
fn nobodys(site: &Site<'_>, wanted: &Associate, kind: FipKind) -> Result<(), Refused> {
    let (floating_ip, fixed_ip) = (wanted.floating_ip, wanted.fixed_ip);
    let own = |fip: &FloatingIp| fip.router == site.router.id;
    for fip in &site.topology.floating_ips {
        let same_network = fip.external_network.as_ref().is_none_or(|network| *network == site.network);
        // The same floating IP in another external network is another address.
        if fip.floating_ip == Some(floating_ip) && (same_network || site.network.is_empty()) {
            let here = own(fip) && fip.kind == kind;
            let is_it = here && fip.fixed_ip.is_none_or(|fixed| fixed == fixed_ip);
            if !is_it {
                let (fixed_ip, router) = (fip.fixed_ip, fip.router.clone());
                return Err(Refused::FloatingIpInUse { floating_ip, fixed_ip, router });
            }
        } else if own(fip)
            && fip.fixed_ip == Some(fixed_ip)
            && let Some(other) = fip.floating_ip
        {
            return Err(Refused::FixedIpInUse { fixed_ip, floating_ip: other });
        }
    }
    let stands = site.topology.floating_ips.iter().any(|fip| fip.floating_ip == Some(floating_ip));
    // Where it stands already, the answer is our own.
    if stands || wanted.answered_by.is_empty() {
        return Ok(());
    }
    Err(Refused::Answered { floating_ip, by: wanted.answered_by.clone() })
}

/// An address of a host in one of the subnets.
fn in_subnet(subnets: &[IpNet], address: IpAddr) -> Result<(), Refused> {
    let holders = || subnets.iter().filter(|net| net.contains(&address));
    if holders().next().is_none() {
        let subnets = subnets.iter().map(ToString::to_string).collect();
        return Err(Refused::Outside { floating_ip: address, subnets });
    }
    if holders().all(|net| net.prefix_len() < 31 && (address == net.network() || address == net.broadcast())) {
        return Err(Refused::Taken { address, what: "no address of a host in its subnet".to_owned() });
    }
    Ok(())
}

/// In a subnet of the router, and an instance's.
fn fixed(site: &Site<'_>, fixed_ip: Ipv4Addr) -> Result<(), Refused> {
    let fixed_ip = IpAddr::V4(fixed_ip);
    let nets = || site.router.internal.iter().flat_map(|port| &port.addresses);
    let Some(net) = nets().find(|net| net.contains(&fixed_ip)) else {
        let subnets = nets().filter(|net| net.addr().is_ipv4()).map(|net| net.trunc().to_string()).collect();
        return Err(Refused::NoSubnet { fixed_ip, subnets });
    };
    let what = if nets().any(|net| net.addr() == fixed_ip) {
        Some("the router's own")
    } else if net.prefix_len() < 31 && (fixed_ip == net.network() || fixed_ip == net.broadcast()) {
        Some("no address of a host in its subnet")
    } else if site.router.snat_ports.iter().flat_map(|port| &port.addresses).any(|net| net.addr() == fixed_ip) {
        Some("the snat namespace's")
    } else {
        None
    };
    what.map_or(Ok(()), |what| Err(Refused::Taken { address: fixed_ip, what: what.to_owned() }))
}

/// In a subnet of the external network, and nobody's here.
fn floating(site: &Site<'_>, wanted: &Associate, floating_ip: Ipv4Addr) -> Result<(), Refused> {
    let address = IpAddr::V4(floating_ip);
    let taken = |what: String| Err(Refused::Taken { address, what });
    let mut subnets = site.external_subnets();
    if site.external().is_none_or(|network| network.gateway_port.is_none()) {
        subnets.extend(wanted.gateway_port.as_ref().map(|port| port.address.trunc()));
    }
    in_subnet(&subnets, address)?;
    let gateways = site.external().map_or(&[][..], |network| &network.gateways);
    let told = wanted.gateway_port.as_ref();
    if gateways.contains(&address) || told.is_some_and(|port| port.gateway == address) {
        return taken("the external gateway".to_owned());
    }
    if told.is_some_and(|port| port.address.addr() == address) {
        return taken("the agent gateway port's own address".to_owned());
    }
    let fip = NamespaceKind::Fip.name(&site.network);
    let near = [(&fip, site.outer), (site.qrouter, Some(site.inner))];
    for (name, netns) in near {
        let owner = netns.into_iter().flat_map(Netns::addrs).find(|addr| addr.address.addr() == address);
        // In Juno's layout a floating IP is an address of rfp.
        let owner = owner.filter(|addr| Some(&addr.dev) != site.router.rtr_2_fip.as_ref().map(|end| &end.device));
        if let Some(addr) = owner {
            return taken(format!("an address of {} in {name}", addr.dev));
        }
    }
    let other = site.topology.routers.iter().filter_map(|router| Some((router, router.gateway_port.as_ref()?)));
    for (router, port) in other {
        // Centralized floating IPs are addresses of it, too; those are found by name.
        if port.addresses.iter().any(|net| net.addr() == address && net.prefix_len() < 32) {
            return taken(format!("the gateway address of the router {}", router.id));
        }
    }
    Ok(())
}
