//! The forms in which this node's agent writes, as far as the node tells them.

use crate::net::netfilter::{Backend, Match, Netfilter, NfFamily, RuleBody, Table, Target};
use crate::net::{NeighState, Netns, Observed, TableId};
use crate::neutron::{AgentPrefix, DeviceKind, FIP_TABLE, Layout, NamespaceKind, parse_namespace};

use super::super::Refused;
use super::super::agent::Forms;
use super::site::{Site, siblings_layout};

/// The layout that the router has or shall have, and whether that is a guess.
pub(super) fn layout(site: &Site<'_>, wanted: Option<Layout>) -> Result<(Layout, bool), Refused> {
    match (site.router.layout, wanted) {
        (Some(found), Some(wanted)) if found != wanted => Err(Refused::Layout { wanted, found }),
        (Some(found), _) => Ok((found, false)),
        (None, Some(wanted)) => Ok((wanted, false)),
        (None, None) => {
            Ok(siblings_layout(site).map_or_else(|| (by_marks(site.inner), true), |layout| (layout, false)))
        }
    }
}

/// The forms of that layout, corrected by what stands on the node.
pub(super) fn forms(site: &Site<'_>, layout: Layout) -> Result<Forms, Refused> {
    let (backend, prefix) = agent_chains(site)?;
    let mut forms = Forms::of(layout, backend);
    let own = site.inner.netfilter.seen();
    let prefixed = own.is_some_and(|own| self::prefix(&own.nft).or(self::prefix(&own.legacy)).is_some());
    forms.prefix = prefix.unwrap_or(forms.prefix);
    let tables = || agents_namespaces(site).flat_map(tables);
    forms.random_fully = tables().find_map(random_fully).unwrap_or(forms.random_fully);
    forms.guard_input = tables().find_map(guard_input).unwrap_or(forms.guard_input);
    if prefixed {
        let mut own = site.inner.netfilter.seen().into_iter().flat_map(|all| all.named(NfFamily::Ip, "mangle"));
        forms.scopes = own.any(|table| table.chain(&forms.prefix.chain("scope")).is_some());
    }
    forms.pair_neighbours = agents_namespaces(site).find_map(pair_neighbours).unwrap_or(forms.pair_neighbours);
    let sysctl = |name| site.inner.sysctl(name);
    if let (Some(ignore), Some(announce)) =
        (sysctl("net.ipv4.conf.all.arp_ignore"), sysctl("net.ipv4.conf.all.arp_announce"))
    {
        forms.arp_settings = (ignore, announce) == (1, 2);
    }
    let liberal = sysctl("net.netfilter.nf_conntrack_tcp_be_liberal");
    forms.recent_settings = liberal.map_or(forms.recent_settings, |value| value == 1);
    forms.route_protocol = agents_namespaces(site).find_map(route_protocol).unwrap_or(forms.route_protocol);
    Ok(forms)
}

/// What the router's own namespace tells where nothing else does.
fn by_marks(router: &Netns) -> Layout {
    let sysctl = |name| router.sysctl(name);
    let mut mangle = router.netfilter.seen().into_iter().flat_map(|all| all.named(NfFamily::Ip, "mangle"));
    if sysctl("net.ipv4.conf.all.arp_ignore") == Some(1) && sysctl("net.ipv4.conf.all.arp_announce") == Some(2) {
        Layout::Pike
    } else if mangle.any(|table| table.chains.iter().any(|chain| chain.name.ends_with("-scope"))) {
        Layout::Newton
    } else {
        Layout::Juno
    }
}

/// Where the agent's chains stand, and what their names begin with: in the
/// router's namespace, else in any of the agent's.
fn agent_chains(site: &Site<'_>) -> Result<(Backend, Option<AgentPrefix>), Refused> {
    if let Some(netfilter) = site.inner.netfilter.seen() {
        match (prefix(&netfilter.nft), prefix(&netfilter.legacy)) {
            (Some(_), Some(_)) => return Err(Refused::TwoBackends(site.qrouter.clone())),
            (Some(prefix), None) => return Ok((Backend::Nft, Some(prefix))),
            (None, Some(prefix)) => return Ok((Backend::Legacy, Some(prefix))),
            (None, None) => {}
        }
    }
    let mut others = agents_namespaces(site).filter_map(|netns| netns.netfilter.seen());
    Ok(others.find_map(by_others).unwrap_or_else(|| (by_tables(site), None)))
}

/// No chain of the agent's tells in which tables it writes: that is a guess.
pub(super) fn backend_is_guessed(site: &Site<'_>) -> bool {
    agent_chains(site).is_ok_and(|(_, prefix)| prefix.is_none())
}

/// The tables that stand there, empty of the agent's chains; those of `nf_tables`
/// where there are none, or both: the later ones.
fn by_tables(site: &Site<'_>) -> Backend {
    let any = |of: fn(&Netfilter) -> &Observed<Vec<Table>>| {
        let all = agents_namespaces(site).filter_map(|netns| netns.netfilter.seen());
        all.filter_map(|netfilter| of(netfilter).seen()).any(|tables| !tables.is_empty())
    };
    if any(|all| &all.legacy) && !any(|all| &all.nft) { Backend::Legacy } else { Backend::Nft }
}

fn by_others(netfilter: &Netfilter) -> Option<(Backend, Option<AgentPrefix>)> {
    let nft = prefix(&netfilter.nft).map(|prefix| (Backend::Nft, Some(prefix)));
    nft.or_else(|| prefix(&netfilter.legacy).map(|prefix| (Backend::Legacy, Some(prefix))))
}

pub(super) fn prefix(tables: &Observed<Vec<Table>>) -> Option<AgentPrefix> {
    let nat = tables.seen()?.iter().find(|table| table.family == NfFamily::Ip && table.name == "nat")?;
    AgentPrefix::detect(nat)
}

/// The namespaces that the L3 agent made, the router's own first.
fn agents_namespaces<'s>(site: &Site<'s>) -> impl Iterator<Item = &'s Netns> {
    let all = site.snapshot.seen().filter(|(name, _)| {
        let kind = parse_namespace(name).map(|(kind, _)| kind);
        matches!(kind, Some(NamespaceKind::Router | NamespaceKind::Fip | NamespaceKind::Snat))
    });
    [site.inner].into_iter().chain(all.map(|(_, netns)| netns))
}

pub(super) fn tables(netns: &Netns) -> impl Iterator<Item = &Table> {
    netns.netfilter.seen().into_iter().flat_map(|netfilter| netfilter.named(NfFamily::Ip, "nat"))
}

pub(super) fn random_fully(table: &Table) -> Option<bool> {
    let chains = table.chains.iter().filter(|chain| chain.name.ends_with("snat"));
    chains.flat_map(|chain| &chain.rules).find_map(|rule| match &rule.body {
        RuleBody::Words(words) => match &words.target {
            Some(Target::Snat { flags, .. }) => Some(flags.random_fully),
            _ => None,
        },
        RuleBody::NotUnderstood(_) => None,
    })
}

fn guard_input(table: &Table) -> Option<bool> {
    let chains = table.chains.iter().filter(|chain| chain.name.ends_with("-POSTROUTING"));
    chains.flat_map(|chain| &chain.rules).find_map(|rule| {
        let words = rule.body.words().filter(|words| words.target == Some(Target::Accept))?;
        let is_guard = words.matches.iter().any(|m| matches!(m, Match::OutIface { invert: true, .. }));
        is_guard.then(|| words.matches.iter().any(|m| matches!(m, Match::InIface { invert: true, .. })))
    })
}

/// Whether the pairs here have permanent neighbours; `None` without a pair.
fn pair_neighbours(netns: &Netns) -> Option<bool> {
    let is_end = |dev| DeviceKind::RouterToFip.is(dev) || DeviceKind::FipToRouter.is(dev);
    netns
        .links()
        .iter()
        .any(|link| is_end(&link.name))
        .then(|| netns.neighs().iter().any(|neigh| is_end(&neigh.dev) && neigh.state == NeighState::Permanent))
}

/// The protocol of a route that only the agent makes.
fn route_protocol(netns: &Netns) -> Option<u8> {
    let own = |table: TableId| ![TableId::MAIN, TableId::LOCAL, TableId::DEFAULT].contains(&table);
    let routes = netns.routes().iter().filter(|route| route.is_default() && route.dst.addr().is_ipv4());
    let first = routes.clone().find(|route| route.table == FIP_TABLE);
    let found = first.or_else(|| routes.clone().find(|route| own(route.table)))?;
    matches!(found.protocol, 3 | 4).then_some(found.protocol)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Plan, agent, simulate};
    use super::*;
    use crate::topology::scenario::Scenario;

    /// The agent's own namespace of a router without a pair, by each of its
    /// releases and in both packet filters.
    #[test]
    fn the_layout_by_the_routers_own_marks() {
        let router = "ef25020f-012c-41d6-a36e-f2f09cb8ea62";
        for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
            for backend in [Backend::Nft, Backend::Legacy] {
                let mut plan = Plan::new("a router");
                agent::router_namespace(&mut plan, &Forms::of(layout, backend), router);
                let mut node = Scenario::article(layout).snapshot;
                node.namespaces.clear();
                let node = simulate(&plan, &node);
                let (_, netns) = node.seen().next().unwrap();
                assert_eq!(by_marks(netns), layout, "{backend:?}");
            }
        }
    }
}
