//! A pair and a priority that nobody has: not in the kernel, not in the agent's
//! files. The files are hints, so both are asked.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::net::{FileName, Netns, Observed, RulePriority};
use crate::neutron::{
    AllocationLine, DeviceKind, FIP_TABLE, Layout, LinkLocalPair, PairEntry, PriorityEntry, is_fip_priority,
    pair_lines, pair_pool, priority_lines, priority_pool,
};

use super::super::{Object, Refused};
use super::site::Site;

/// The router's pair: the one that stands, else the one that the agent's file
/// has for it, else the next free one.
pub(super) fn pair(site: &Site<'_>, layout: Layout) -> Result<LinkLocalPair, Refused> {
    let ends = [&site.router.rtr_2_fip, &site.router.fip_2_rtr];
    let stands = ends.into_iter().flatten().find_map(|end| LinkLocalPair::of_net(end.address?));
    if let Some(pair) = stands {
        return Ok(pair);
    }
    let written: Vec<PairEntry> = site
        .snapshot
        .host
        .link_local_file
        .seen()
        .into_iter()
        .flat_map(pair_lines)
        .filter_map(AllocationLine::entry)
        .collect();
    let used: BTreeSet<LinkLocalPair> = site.snapshot.seen().flat_map(|(_, netns)| pairs(netns)).collect();
    let own = written.iter().find(|entry| entry.router == site.router.id).map(|entry| entry.pair);
    if let Some(pair) = own.filter(|pair| !used.contains(pair)) {
        return Ok(pair);
    }
    let is_free = |pair: &LinkLocalPair| !used.contains(pair) && !written.iter().any(|entry| entry.pair == *pair);
    pair_pool(layout).find(is_free).ok_or(Refused::NoneLeft("link-local pair"))
}

/// The priority of the fixed IP's rule: that of the rule that stands, else the
/// one that the agent's file has for the floating IP, else a free one.
pub(super) fn priority(
    site: &Site<'_>,
    layout: Layout,
    floating_ip: Ipv4Addr,
    fixed_ip: Ipv4Addr,
) -> Result<RulePriority, Refused> {
    let rules = site.inner.rules();
    let is_its = |rule: &&crate::net::Rule| {
        let source = rule.from.is_some_and(|net| net.addr() == IpAddr::V4(fixed_ip) && net.prefix_len() == 32);
        let plain = rule.iif.is_none() && rule.fwmark.is_none() && rule.to.is_none() && !rule.invert;
        source && plain && rule.table() == Some(FIP_TABLE) && is_fip_priority(rule.priority)
    };
    if let Some(rule) = rules.iter().find(is_its) {
        return Ok(rule.priority);
    }
    let lines = site.snapshot.host.priority_file.seen().into_iter().flat_map(priority_lines);
    let written: Vec<PriorityEntry> = lines.filter_map(AllocationLine::entry).collect();
    let used = |priority: RulePriority| rules.iter().any(|rule| rule.priority == priority);
    let own = written.iter().find(|entry| entry.floating_ip == IpAddr::V4(floating_ip)).map(|entry| entry.priority);
    if let Some(priority) = own.filter(|priority| is_fip_priority(*priority) && !used(*priority)) {
        return Ok(priority);
    }
    let is_free =
        |priority: &RulePriority| !used(*priority) && !written.iter().any(|entry| entry.priority == *priority);
    priority_pool(layout, floating_ip).find(is_free).ok_or(Refused::NoneLeft("rule priority"))
}

/// The line that records the pair, for a step on the host.
pub(super) fn pair_line(site: &Site<'_>, pair: LinkLocalPair) -> Result<Option<Object>, Refused> {
    line(site, FileName::LinkLocal, PairEntry { router: site.router.id.clone(), pair }.to_string())
}

/// The line that records the priority; Juno and Kilo have no file of them.
pub(super) fn priority_line(
    site: &Site<'_>,
    layout: Layout,
    floating_ip: Ipv4Addr,
    priority: RulePriority,
) -> Result<Option<Object>, Refused> {
    if layout == Layout::Juno && site.snapshot.host.priority_file.is_absent() {
        return Ok(None);
    }
    line(site, FileName::Priorities, PriorityEntry { floating_ip: floating_ip.into(), priority }.to_string())
}

/// A line of a file that could be read, or of one that is not there yet where
/// we know the place.
fn line(site: &Site<'_>, file: FileName, line: String) -> Result<Option<Object>, Refused> {
    let host = &site.snapshot.host;
    let (observed, name) = match file {
        FileName::LinkLocal => (&host.link_local_file, "fip-linklocal-networks"),
        FileName::Priorities => (&host.priority_file, "fip-priorities"),
    };
    let folder = || host.state_path.as_ref().map(|folder| folder.join(name));
    let path = match observed {
        Observed::Seen(found) if found.truncated => {
            let why = "the file is longer than this program reads".to_owned();
            return Err(Refused::Unreadable { namespace: None, what: name.to_owned(), why });
        }
        Observed::Seen(found) if !found.path.as_os_str().is_empty() => Some(found.path.clone()),
        Observed::Seen(_) | Observed::Absent => folder(),
        Observed::Unreadable(why) => {
            return Err(Refused::Unreadable { namespace: None, what: name.to_owned(), why: why.clone() });
        }
    };
    Ok(path.map(|path| Object::FileLine { file, path, at: None, line }))
}

/// The pairs whose addresses a namespace has.
fn pairs(netns: &Netns) -> Vec<LinkLocalPair> {
    let is_end = |dev| DeviceKind::RouterToFip.is(dev) || DeviceKind::FipToRouter.is(dev);
    let addrs = netns.addrs().iter().filter(|addr| is_end(&addr.dev));
    let of = |address| match address {
        IpAddr::V4(address) => Some(LinkLocalPair::of(address)),
        IpAddr::V6(_) => None,
    };
    addrs.filter_map(|addr| of(addr.address.addr())).filter(|pair| pair.is_from_a_pool()).collect()
}
