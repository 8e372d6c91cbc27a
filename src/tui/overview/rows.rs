//! The rows of the overview: grouped, filtered, sorted.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::{FipId, Overview, RowId, Sort, SortKey, Widths};
use crate::check::Finding;
use crate::topology::{Blind, FipKind, FipState, FloatingIp, Router, Topology};
use crate::tui::state::Node;
use crate::tui::words::{Mark, Tally, fault, kind_word, push_address, router_word, state_text};

/// One row; numbers are places in the [`Topology`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// The line above a group.
    Heading(Heading),
    /// A floating IP.
    Fip(usize),
    /// A router without floating IPs.
    Router(usize),
    /// Something that could not be read.
    Blind(usize),
}

/// The line above a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Which group.
    pub section: Section,
    /// What is listed below it, by state.
    pub tally: Tally,
}

/// The groups, in their order on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What could not be read: first, so that nobody misses it.
    Blind,
    /// An external network with a fip namespace here.
    Network(usize),
    /// Distributed floating IPs without a fip namespace to go through.
    NoNetwork,
    /// Floating IPs in snat namespaces.
    Centralized,
    /// Floating IPs of legacy routers.
    Legacy,
    /// Routers that lead to no external network that stands here.
    Routers,
}

impl Row {
    /// The cursor may stand here.
    pub fn selectable(&self) -> bool {
        !matches!(self, Self::Heading(_))
    }

    /// What it is, for the next reading.
    pub fn id(&self, topology: &Topology) -> Option<RowId> {
        match *self {
            Self::Heading(_) => None,
            Self::Fip(at) => topology.fip(at).map(|fip| RowId::Fip(FipId::from(fip))),
            Self::Router(at) => topology.routers.get(at).map(|router| RowId::Router(router.id.clone())),
            Self::Blind(at) => {
                topology.blind.get(at).map(|blind| RowId::Blind(blind.namespace.clone(), blind.part.clone()))
            }
        }
    }

    /// True where it is that thing.
    pub fn is(&self, topology: &Topology, id: &RowId) -> bool {
        match (*self, id) {
            (Self::Fip(at), RowId::Fip(id)) => topology.floating_ips.get(at).is_some_and(|fip| id.is(fip)),
            (Self::Router(at), RowId::Router(id)) => topology.routers.get(at).is_some_and(|router| router.id == *id),
            (Self::Blind(at), RowId::Blind(namespace, part)) => {
                topology.blind.get(at).is_some_and(|blind| blind.namespace == *namespace && blind.part == *part)
            }
            _ => false,
        }
    }
}

/// Makes the rows, the tally and the widths of an overview.
pub(super) fn build(overview: &mut Overview, node: &Node) {
    let topology = &*node.topology;
    let needles: Vec<String> = overview.filter.split_whitespace().map(str::to_lowercase).collect();
    let mut filter = Filter { needles, buffer: String::new() };
    let mut groups = Groups::new(topology);
    overview.tally = Tally::default();
    overview.widths = Widths { floating: 11, fixed: 8 };
    let mut has_fip = vec![false; topology.routers.len()];
    for (at, fip) in topology.floating_ips.iter().enumerate() {
        overview.tally.add(fip.state);
        overview.widths.floating = overview.widths.floating.max(width(fip.floating_ip));
        overview.widths.fixed = overview.widths.fixed.max(width(fip.fixed_ip));
        if let Some(router) = groups.router(&fip.router) {
            has_fip[router] = true;
        }
        if filter.matches(|text| fip_text(fip, node.judged.worst(at), text)) {
            let section = groups.section(fip);
            groups.fips[section].push(at);
        }
    }
    for (at, router) in topology.routers.iter().enumerate() {
        if !has_fip[at] && filter.matches(|text| router_text(router, text)) {
            let section = groups.home(router);
            groups.routers[section].push(at);
        }
    }
    for fips in &mut groups.fips {
        sort(fips, topology, overview.sort);
    }
    if overview.sort.key == SortKey::State {
        groups.worst_first(overview.sort.reverse);
    }
    let blind = (0..topology.blind.len()).filter(|at| filter.matches(|text| blind_text(&topology.blind[*at], text)));
    overview.rows = rows(topology, &groups, blind.collect(), overview.filter.trim().is_empty());
}

/// What goes under which heading: one group a section, networks first.
struct Groups<'a> {
    topology: &'a Topology,
    sections: Vec<Section>,
    fips: Vec<Vec<usize>>,
    routers: Vec<Vec<usize>>,
}

impl<'a> Groups<'a> {
    fn new(topology: &'a Topology) -> Self {
        let mut sections: Vec<Section> = (0..topology.external_networks.len()).map(Section::Network).collect();
        sections.extend([Section::NoNetwork, Section::Centralized, Section::Legacy, Section::Routers]);
        let empty = vec![Vec::new(); sections.len()];
        Self { topology, sections, fips: empty.clone(), routers: empty }
    }

    fn network(&self, id: Option<&String>) -> Option<usize> {
        self.topology.external_networks.iter().position(|network| Some(&network.id) == id)
    }

    /// The topology promises routers sorted by id.
    fn router(&self, id: &str) -> Option<usize> {
        self.topology.routers.binary_search_by(|router| router.id.as_str().cmp(id)).ok()
    }

    fn section(&self, fip: &FloatingIp) -> usize {
        let networks = self.topology.external_networks.len();
        match fip.kind {
            FipKind::Distributed => self.network(fip.external_network.as_ref()).unwrap_or(networks),
            FipKind::Centralized => networks + 1,
            FipKind::Legacy => networks + 2,
        }
    }

    /// The networks by the worst of what is listed of them, or the other way round.
    fn worst_first(&mut self, reverse: bool) {
        let worst = |fips: &Vec<usize>| {
            let marks = fips.iter().map(|at| Mark::from(self.topology.floating_ips[*at].state));
            marks.min().unwrap_or(Mark::None)
        };
        let mut order: Vec<(Mark, usize)> = self.fips.iter().map(worst).zip(0..).collect();
        let networks = &mut order[..self.topology.external_networks.len()];
        networks.sort_by(|one, other| if reverse { other.0.cmp(&one.0) } else { one.0.cmp(&other.0) });
        self.sections = order.iter().map(|(_, at)| self.sections[*at]).collect();
        self.fips = order.iter().map(|(_, at)| std::mem::take(&mut self.fips[*at])).collect();
        self.routers = order.iter().map(|(_, at)| std::mem::take(&mut self.routers[*at])).collect();
    }

    fn home(&self, router: &Router) -> usize {
        self.network(router.external_network.as_ref()).unwrap_or(self.sections.len() - 1)
    }
}

fn rows(topology: &Topology, groups: &Groups, blind: Vec<usize>, unfiltered: bool) -> Vec<Row> {
    let mut rows = Vec::with_capacity(topology.floating_ips.len() + topology.routers.len() + 8);
    if !blind.is_empty() {
        let tally = Tally { unknown: blind.len(), ..Tally::default() };
        rows.push(Row::Heading(Heading { section: Section::Blind, tally }));
        rows.extend(blind.into_iter().map(Row::Blind));
    }
    for (at, section) in groups.sections.iter().enumerate() {
        let (fips, routers) = (&groups.fips[at], &groups.routers[at]);
        let wanted = unfiltered && matches!(section, Section::Network(_));
        if fips.is_empty() && routers.is_empty() && !wanted {
            continue;
        }
        let mut tally = Tally::default();
        for fip in fips {
            tally.add(topology.floating_ips[*fip].state);
        }
        rows.push(Row::Heading(Heading { section: *section, tally }));
        rows.extend(fips.iter().copied().map(Row::Fip));
        rows.extend(routers.iter().copied().map(Row::Router));
    }
    rows
}

/// What a floating IP is sorted by: numbers, made once for each, so that
/// 10,000 of them are sorted within a key press.
type Place = (u8, u128);

fn sort(fips: &mut [usize], topology: &Topology, order: Sort) {
    let mut keyed: Vec<(Place, Place, Place, usize)> = fips
        .iter()
        .map(|at| {
            let fip = &topology.floating_ips[*at];
            let first = match order.key {
                SortKey::FloatingIp => number(fip.floating_ip),
                SortKey::FixedIp => number(fip.fixed_ip),
                SortKey::Router => {
                    let place = topology.routers.binary_search_by(|router| router.id.cmp(&fip.router));
                    (u8::from(place.is_err()), place.unwrap_or_else(|place| place) as u128)
                }
                SortKey::Rule => fip.rule_priority.map_or((0, 0), |priority| (1, u128::from(priority.0))),
                SortKey::State => (Mark::from(fip.state) as u8, fault(fip).map_or(0, |(_, link)| link.link as u128)),
            };
            (first, number(fip.floating_ip), number(fip.fixed_ip), *at)
        })
        .collect();
    keyed.sort_unstable_by(|a, b| {
        let first = a.0.cmp(&b.0);
        (if order.reverse { first.reverse() } else { first }).then_with(|| (a.1, a.2, a.3).cmp(&(b.1, b.2, b.3)))
    });
    for (place, (.., at)) in fips.iter_mut().zip(keyed) {
        *place = at;
    }
}

/// None first, then IPv4, then IPv6, each by its bits.
fn number(address: Option<IpAddr>) -> Place {
    match address {
        None => (0, 0),
        Some(IpAddr::V4(address)) => (1, u128::from(u32::from(address))),
        Some(IpAddr::V6(address)) => (2, u128::from(address)),
    }
}

/// One buffer for all that is looked through: 10,000 rows at every key press.
struct Filter {
    needles: Vec<String>,
    buffer: String,
}

impl Filter {
    fn matches(&mut self, write: impl FnOnce(&mut String)) -> bool {
        if self.needles.is_empty() {
            return true;
        }
        self.buffer.clear();
        write(&mut self.buffer);
        self.buffer.make_ascii_lowercase();
        self.needles.iter().all(|needle| self.buffer.contains(needle.as_str()))
    }
}

/// All that stands in the row, and the state in a word.
fn fip_text(fip: &FloatingIp, found: Option<&Finding>, text: &mut String) {
    for address in [fip.floating_ip, fip.fixed_ip].into_iter().flatten() {
        push_address(text, address);
        text.push(' ');
    }
    let (link, word) = state_text(fip);
    let network = fip.external_network.as_deref().unwrap_or_default();
    for part in [fip.router.as_str(), network, kind_word(fip.kind), link, word] {
        text.push_str(part);
        text.push(' ');
    }
    text.push_str(match fip.state {
        FipState::Ok => "ok",
        FipState::Degraded => "degraded",
        FipState::Broken => "broken",
        FipState::Unknown => "unknown",
    });
    if let Some(finding) = found {
        let _ = write!(text, " {} {}", finding.code, finding.name);
    }
}

fn router_text(router: &Router, text: &mut String) {
    let network = router.external_network.as_deref().unwrap_or_default();
    for part in [router.id.as_str(), network, router_word(router.kind)] {
        text.push_str(part);
        text.push(' ');
    }
    for port in &router.internal {
        let _ = write!(text, "{} ", port.device);
    }
}

fn blind_text(blind: &Blind, text: &mut String) {
    let _ = write!(text, "{} {} ", blind.part, blind.why);
    if let Some(namespace) = &blind.namespace {
        let _ = write!(text, "{namespace}");
    }
}

fn width(address: Option<IpAddr>) -> u16 {
    match address {
        None => 1,
        Some(IpAddr::V4(_)) => 15,
        Some(IpAddr::V6(address)) => u16::try_from(address.to_string().len()).unwrap_or(39),
    }
}
