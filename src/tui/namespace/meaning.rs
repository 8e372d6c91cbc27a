//! What numbers of a namespace mean: tables and rules that the agent numbers by
//! addresses.

use std::net::IpAddr;

use crate::net::{NetnsName, Rule, TableId};
use crate::topology::{InternalPort, Router, Topology};
use crate::tui::words::short;

/// `FIP_RT_TBL` of `neutron/agent/l3/dvr_fip_ns.py`.
const FIP_TABLE: TableId = TableId(16);

/// What a table is for, where its number has a meaning here.
///
/// Tables of the agent carry an IPv4 address as their number
/// (`neutron/agent/l3/dvr_local_router.py`, `_get_snat_idx`): that of `qr-` in
/// the router namespace, that of `fpr-` in the fip namespace.
pub fn table_meaning(topology: &Topology, namespace: &NetnsName, table: TableId) -> Option<String> {
    if let Some(router) = router_of(topology, namespace) {
        if table == FIP_TABLE {
            return Some(format!("floating IPs of router {}", short(&router.id)));
        }
        let port = router.internal.iter().find(|port| addresses(port).any(|address| number(address) == Some(table)))?;
        let subnet = addresses(port).find(|address| number(*address) == Some(table))?;
        return Some(format!("SNAT for the subnet of {} {subnet}", port.device));
    }
    topology.routers.iter().find_map(|router| {
        let pair = router.fip_2_rtr.as_ref()?;
        let address = pair.address?.addr();
        (leads_to(topology, router, namespace) && number(address) == Some(table))
            .then(|| format!("router {}, fpr {address}", short(&router.id)))
    })
}

/// What a rule is for: the floating IP, or the meaning of its table.
pub(in crate::tui) fn rule_meaning(topology: &Topology, namespace: &NetnsName, rule: &Rule) -> Option<String> {
    let table = rule.table()?;
    if table == FIP_TABLE
        && let Some(router) = router_of(topology, namespace)
        && let Some(from) = rule.from.filter(|net| net.prefix_len() == net.max_prefix_len())
    {
        let mut fips = topology.floating_ips.iter().filter(|fip| fip.router == router.id);
        let fip = fips.find(|fip| fip.fixed_ip == Some(from.addr()))?;
        return fip.floating_ip.map(|address| format!("floating IP {address}"));
    }
    table_meaning(topology, namespace, table)
}

fn router_of<'a>(topology: &'a Topology, namespace: &NetnsName) -> Option<&'a Router> {
    topology.routers.iter().find(|router| router.namespace.as_ref() == Some(namespace))
}

fn leads_to(topology: &Topology, router: &Router, namespace: &NetnsName) -> bool {
    let mut networks = topology.external_networks.iter();
    networks.any(|network| network.namespace == *namespace && Some(&network.id) == router.external_network.as_ref())
}

fn addresses(port: &InternalPort) -> impl Iterator<Item = IpAddr> {
    port.addresses.iter().map(ipnet::IpNet::addr)
}

/// IPv6 numbers are a checksum of the prefix's text; a table of one keeps its
/// bare number here.
fn number(address: IpAddr) -> Option<TableId> {
    match address {
        IpAddr::V4(address) => Some(TableId(u32::from(address))),
        IpAddr::V6(_) => None,
    }
}
