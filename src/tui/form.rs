//! The form for an association: what is typed, what it could become, and what
//! the plan would say to it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::state::Node;
use super::words::count;
use crate::net::{NeighState, Netns, Route, printable};
use crate::neutron::DeviceKind;
use crate::plan::{Associate, Neutron, associate};

/// Characters that a field takes at most.
const LIMIT: usize = 64;
/// Addresses and routers that are offered at most.
const OFFERED: usize = 256;

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The public address.
    FloatingIp,
    /// The instance's address.
    FixedIp,
    /// The router, by the beginning of its id.
    Router,
    /// What Neutron has of it.
    Neutron,
}

/// What is to be associated, as far as it is typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// The text of the first three fields.
    texts: [String; 3],
    /// What Neutron has of it, where the user knows.
    pub neutron: Option<Neutron>,
    /// The field that is typed into.
    pub field: Field,
    /// Which of the offers is chosen, from 0.
    pub chosen: Option<usize>,
    /// What could stand in the field.
    pub offers: Vec<String>,
    /// What the plan says: how much it does, or why it is refused.
    pub verdict: Result<String, String>,
}

impl Field {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::FloatingIp, Self::FixedIp, Self::Router, Self::Neutron];

    /// Its label.
    pub fn label(self) -> &'static str {
        match self {
            Self::FloatingIp => "floating IP",
            Self::FixedIp => "fixed IP",
            Self::Router => "router",
            Self::Neutron => "Neutron",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl Form {
    /// An empty form, for that router where one is known.
    pub fn new(router: Option<&str>, node: &Node) -> Self {
        let texts = [String::new(), String::new(), router.unwrap_or_default().to_owned()];
        let field = Field::FloatingIp;
        let mut form =
            Self { texts, neutron: None, field, chosen: None, offers: Vec::new(), verdict: Err(String::new()) };
        form.judge(node);
        form
    }

    /// What stands in a field.
    pub fn text(&self, field: Field) -> &str {
        match field {
            Field::Neutron => match self.neutron {
                None => "not known: the agent's files decide",
                Some(Neutron::Has) => "has this floating IP here",
                Some(Neutron::HasNot) => "does not have it here",
            },
            field => &self.texts[field.index()],
        }
    }

    /// Goes to another field, negative backward, round and round.
    pub fn turn(&mut self, by: isize, node: &Node) {
        let count = Field::ALL.len();
        let next = (self.field.index() + count).saturating_add_signed(by) % count;
        self.go(Field::ALL[next], node);
    }

    /// Goes to that field.
    pub fn go(&mut self, field: Field, node: &Node) {
        self.field = field;
        self.judge(node);
    }

    /// Types into the field.
    pub fn edit(&mut self, node: &Node, change: impl FnOnce(&mut String)) {
        if let Some(text) = self.texts.get_mut(self.field.index()) {
            change(text);
            *text = text.chars().filter(|c| !c.is_control() && !c.is_whitespace()).take(LIMIT).collect();
        }
        self.judge(node);
    }

    /// The next of what could stand in the field, negative for the one before.
    pub fn choose(&mut self, by: isize, node: &Node) {
        if self.field == Field::Neutron {
            let all = [None, Some(Neutron::Has), Some(Neutron::HasNot)];
            let at = all.iter().position(|it| *it == self.neutron).unwrap_or(0);
            self.neutron = all[(at + all.len()).saturating_add_signed(by) % all.len()];
            self.judge(node);
            return;
        }
        let Some(last) = self.offers.len().checked_sub(1) else { return };
        let at = match (self.chosen, by) {
            (None, 1..) => 0,
            (None, _) => last,
            (Some(at), by) => at.saturating_add_signed(by).min(last),
        };
        self.chosen = Some(at);
        self.texts[self.field.index()].clone_from(&self.offers[at]);
        self.verdict = self.planned(node);
    }

    /// What is wanted, where both addresses are.
    pub fn wanted(&self) -> Result<Associate, String> {
        let address = |field: Field| -> Result<IpAddr, String> {
            let text = self.text(field);
            match text.parse() {
                Ok(address) => Ok(address),
                Err(_) if text.is_empty() => Err(format!("type the {}", field.label())),
                Err(_) => Err(format!("{} is no address", printable(text, LIMIT))),
            }
        };
        let mut wanted = Associate::new(address(Field::FloatingIp)?, address(Field::FixedIp)?);
        let router = self.text(Field::Router);
        wanted.router = (!router.is_empty()).then(|| router.to_owned());
        wanted.neutron = self.neutron;
        Ok(wanted)
    }

    /// Another reading: what is being chosen from stays.
    pub fn renew(&mut self, node: &Node) {
        if self.chosen.is_none() {
            self.offers = self.offers(node);
        }
        self.verdict = self.planned(node);
    }

    /// Another field, or another text.
    pub fn judge(&mut self, node: &Node) {
        self.chosen = None;
        self.offers = self.offers(node);
        self.verdict = self.planned(node);
    }

    fn planned(&self, node: &Node) -> Result<String, String> {
        let plan = associate(&node.snapshot, &node.topology, &self.wanted()?).map_err(|why| why.to_string())?;
        let already = plan.steps.len() - plan.to_do().count();
        let so_already = if already == 0 { String::new() } else { format!(", {already} are so already") };
        Ok(format!("{}{so_already}; Enter shows the plan", count(plan.to_do().count(), "step", "steps")))
    }

    /// Addresses of instances that have no floating IP, or routers.
    fn offers(&self, node: &Node) -> Vec<String> {
        let text = self.text(self.field);
        let topology = &node.topology;
        let mut all: Vec<String> = match self.field {
            Field::FloatingIp | Field::Neutron => Vec::new(),
            Field::Router => topology.routers.iter().map(|router| printable(&router.id, LIMIT)).collect(),
            Field::FixedIp => {
                let wanted = self.text(Field::Router);
                let routers = topology.routers.iter().filter(|router| router.id.starts_with(wanted));
                let inside = routers.filter_map(|router| node.snapshot.netns(router.namespace.as_ref()?));
                let neighs = inside.flat_map(Netns::neighs).filter(|neigh| {
                    DeviceKind::Internal.is(&neigh.dev)
                        && neigh.address.is_ipv4()
                        && matches!(neigh.state, NeighState::Permanent | NeighState::Reachable | NeighState::Stale)
                });
                // The snat namespace's ports answer there as well, here or elsewhere, and
                // are no instances; elsewhere only the routes to them tell.
                let all = || node.snapshot.seen().map(|(_, netns)| netns);
                let here = all().flat_map(Netns::addrs).map(|addr| addr.address.addr());
                let hops = all().flat_map(Netns::routes).filter_map(Route::via);
                let own: BTreeSet<IpAddr> = here.chain(hops).collect();
                let taken: BTreeSet<IpAddr> = topology.floating_ips.iter().filter_map(|fip| fip.fixed_ip).collect();
                let has_none = |address: &IpAddr| !taken.contains(address) && !own.contains(address);
                let mut addresses: Vec<IpAddr> = neighs.map(|neigh| neigh.address).filter(has_none).collect();
                addresses.sort_unstable();
                addresses.dedup();
                addresses.iter().map(ToString::to_string).collect()
            }
        };
        all.retain(|offer| offer.starts_with(text));
        all.truncate(OFFERED);
        all
    }
}
