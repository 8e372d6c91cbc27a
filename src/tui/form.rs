//! The form for an association: what is typed, what it could become, and what
//! the plan would say to it.

mod advice;
mod offers;

use std::net::IpAddr;
use std::str::FromStr;

pub use offers::Offer;
pub(super) use offers::can_have;

use super::state::Node;
use super::words::count;
use crate::net::printable;
use crate::neutron::Layout;
use crate::plan::{AnnounceBy, Associate, GatewayPortParts, Neutron, Refused, associate};
use crate::topology::Topology;

/// Characters that a field takes at most.
const LIMIT: usize = 64;

/// The layouts by their words, for those that have a choice.
const LAYOUTS: [Layout; 3] = [Layout::Juno, Layout::Newton, Layout::Pike];

/// A field of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The public address.
    FloatingIp,
    /// The instance's address.
    FixedIp,
    /// The router, by the beginning of its id.
    Router,
    /// On this node's own port, or on the router's gateway port.
    Where,
    /// What Neutron has of it.
    Neutron,
    /// How the floating IP is announced.
    Announce,
    /// The external network, by its id.
    Network,
    /// The layout, where the router has none.
    Layout,
    /// The agent gateway port's id.
    PortId,
    /// Its address, with the length of the subnet.
    PortAddress,
    /// Its hardware address.
    PortMac,
    /// The gateway of its subnet.
    Gateway,
    /// The bridge that it is attached to.
    Bridge,
    /// The VLAN tag there.
    Vlan,
}

/// What is to be associated, as far as it is typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// The texts of the fields, in their order.
    texts: [String; Field::ALL.len()],
    /// It is done on the gateway port, in the snat namespace.
    pub centralized: bool,
    /// What Neutron has of it, where the user knows.
    pub neutron: Option<Neutron>,
    /// How the floating IP is announced.
    pub announce: AnnounceBy,
    /// The field that is typed into.
    pub field: Field,
    /// Which of the offers is chosen, from 0.
    pub chosen: Option<usize>,
    /// What could stand in the field.
    pub offers: Vec<Offer>,
    /// What the plan says: how much it does, or why it is refused.
    pub verdict: Result<String, String>,
    /// Something has to be made that only Neutron can tell of.
    needs: bool,
    /// The router has both: a pair, and a gateway port in a snat namespace here.
    has_choice: bool,
}

impl Field {
    /// All of them, in their order.
    pub const ALL: [Self; 14] = [
        Self::FloatingIp,
        Self::FixedIp,
        Self::Router,
        Self::Where,
        Self::Neutron,
        Self::Announce,
        Self::Network,
        Self::Layout,
        Self::PortId,
        Self::PortAddress,
        Self::PortMac,
        Self::Gateway,
        Self::Bridge,
        Self::Vlan,
    ];

    /// Its label.
    pub fn label(self) -> &'static str {
        match self {
            Self::FloatingIp => "floating IP",
            Self::FixedIp => "fixed IP",
            Self::Router => "router",
            Self::Where => "where",
            Self::Neutron => "Neutron",
            Self::Announce => "announced",
            Self::Network => "network id",
            Self::Layout => "layout",
            Self::PortId => "port id",
            Self::PortAddress => "port address",
            Self::PortMac => "port MAC",
            Self::Gateway => "gateway",
            Self::Bridge => "bridge",
            Self::Vlan => "VLAN tag",
        }
    }

    /// The field that says what an option of the command line says.
    fn of_option(option: &str) -> Option<Self> {
        Some(match option.split(' ').next()? {
            "--router" => Self::Router,
            "--external-network" => Self::Network,
            "--layout" => Self::Layout,
            "--gateway-port-id" => Self::PortId,
            "--gateway-port-address" => Self::PortAddress,
            "--gateway-port-mac" => Self::PortMac,
            "--gateway" => Self::Gateway,
            "--bridge" => Self::Bridge,
            "--vlan" => Self::Vlan,
            _ => return None,
        })
    }

    /// It is chosen and not typed.
    pub fn is_choice(self) -> bool {
        matches!(self, Self::Where | Self::Neutron | Self::Announce)
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl Form {
    /// An empty form, for that router where one is known.
    pub fn new(router: Option<&str>, node: &Node) -> Self {
        let mut texts: [String; Field::ALL.len()] = Default::default();
        router.unwrap_or_default().clone_into(&mut texts[Field::Router.index()]);
        let (field, verdict) = (Field::FloatingIp, Err(String::new()));
        let (neutron, announce, offers) = (None, AnnounceBy::Repeat, Vec::new());
        let (centralized, needs, has_choice) = (false, false, false);
        let mut form =
            Self { texts, centralized, neutron, announce, field, chosen: None, offers, verdict, needs, has_choice };
        form.judge(node);
        form
    }

    /// The fields that are to be filled in: where it is done only where there is a
    /// choice; those about the agent gateway port only where that has to be made,
    /// or something is said of it.
    pub fn fields(&self) -> Vec<Field> {
        let is_said = self.texts[Field::Network.index()..].iter().any(|text| !text.is_empty());
        let is_shown = |field: &Field| match field {
            Field::Where => self.has_choice,
            field => *field < Field::Network || self.needs || is_said,
        };
        Field::ALL.into_iter().filter(is_shown).collect()
    }

    /// How many fields are out of sight above, where so many rows are shown.
    pub fn offset(&self, rows: u16) -> usize {
        let at = self.fields().iter().position(|field| *field == self.field).unwrap_or(0);
        (at + 1).saturating_sub(usize::from(rows))
    }

    /// What stands in a field.
    pub fn text(&self, field: Field) -> &str {
        match field {
            Field::Where if self.centralized => "on the gateway port, in the snat namespace",
            Field::Where => "on this node, as of a distributed router",
            Field::Neutron => match self.neutron {
                None => "not known: the agent's files decide",
                Some(Neutron::Has) => "has this floating IP here",
                Some(Neutron::HasNot) => "does not have it here",
            },
            Field::Announce => match self.announce {
                AnnounceBy::Repeat => "three times, no address left behind",
                AnnounceBy::Address => "as the address is put on the port and off",
            },
            field => &self.texts[field.index()],
        }
    }

    /// Goes to another field, negative backward, round and round.
    pub fn turn(&mut self, by: isize, node: &Node) {
        let fields = self.fields();
        let at = fields.iter().position(|field| *field == self.field).unwrap_or(0);
        let next = (at + fields.len()).saturating_add_signed(by) % fields.len();
        self.go(fields[next], node);
    }

    /// Goes to that field.
    pub fn go(&mut self, field: Field, node: &Node) {
        self.field = field;
        self.judge(node);
    }

    /// Goes to the field in which something has to be said, or to the next one.
    pub fn go_on(&mut self, node: &Node) {
        let wrong = match self.wanted(&node.topology) {
            Err(missing) => missing.field,
            Ok(wanted) => associate(&node.snapshot, &node.topology, &wanted).err().as_ref().and_then(advice::field),
        };
        match wrong {
            Some(field) if field == self.field && !self.text(field).is_empty() => {}
            Some(field) if field != self.field => self.go(field, node),
            _ => self.turn(1, node),
        }
    }

    /// Types into the field.
    pub fn edit(&mut self, node: &Node, change: impl FnOnce(&mut String)) {
        if !self.field.is_choice()
            && let Some(text) = self.texts.get_mut(self.field.index())
        {
            change(text);
            *text = text.chars().filter(|c| !c.is_control() && !c.is_whitespace()).take(LIMIT).collect();
        }
        self.judge(node);
    }

    /// The next of what could stand in the field, negative for the one before.
    pub fn choose(&mut self, by: isize, node: &Node) {
        if self.field == Field::Where {
            self.centralized = !self.centralized;
            self.judge(node);
            return;
        }
        if self.field == Field::Neutron {
            let all = [None, Some(Neutron::Has), Some(Neutron::HasNot)];
            let at = all.iter().position(|it| *it == self.neutron).unwrap_or(0);
            self.neutron = all[(at + all.len()).saturating_add_signed(by) % all.len()];
            self.judge(node);
            return;
        }
        if self.field == Field::Announce {
            self.announce = match self.announce {
                AnnounceBy::Repeat => AnnounceBy::Address,
                AnnounceBy::Address => AnnounceBy::Repeat,
            };
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
        self.texts[self.field.index()].clone_from(&self.offers[at].text);
        self.plan(node);
    }

    /// What is wanted, where both addresses are.
    ///
    /// # Errors
    /// What is to be typed, and where.
    pub fn wanted(&self, topology: &Topology) -> Result<Associate, Missing> {
        let address = |field: Field| self.parsed::<IpAddr>(field)?.ok_or_else(|| Missing::nothing(field));
        let mut wanted = Associate::new(address(Field::FloatingIp)?, address(Field::FixedIp)?);
        let given = |field: Field| Some(self.text(field).to_owned()).filter(|text| !text.is_empty());
        (wanted.router, wanted.external_network) = (given(Field::Router), given(Field::Network));
        (wanted.neutron, wanted.announce) = (self.neutron, self.announce);
        wanted.centralized = self.centralized && self.has_choice;
        wanted.layout = match given(Field::Layout) {
            None => None,
            Some(word) => match LAYOUTS.iter().find(|layout| layout.word() == word) {
                Some(layout) => Some(*layout),
                None => return Err(Missing::wrong(Field::Layout, "is no layout: juno, newton or pike", &word)),
            },
        };
        let parts = GatewayPortParts {
            port_id: given(Field::PortId),
            address: self.parsed(Field::PortAddress)?,
            mac: self.parsed(Field::PortMac)?,
            gateway: self.parsed(Field::Gateway)?,
            bridge: given(Field::Bridge),
            vlan: self.parsed(Field::Vlan)?,
        };
        let port = parts.complete(topology, wanted.external_network.as_deref());
        wanted.gateway_port = port.map_err(|why| Missing::refused(&why))?;
        Ok(wanted)
    }

    /// Another reading: what is being chosen from stays.
    pub fn renew(&mut self, node: &Node) {
        if self.chosen.is_none() {
            self.offers = offers::offers(self, node);
        }
        self.plan(node);
    }

    /// Another field, or another text.
    pub fn judge(&mut self, node: &Node) {
        self.chosen = None;
        self.offers = offers::offers(self, node);
        self.plan(node);
    }

    fn plan(&mut self, node: &Node) {
        self.has_choice = offers::has_choice(self, node);
        let wanted = match self.wanted(&node.topology) {
            Ok(wanted) => wanted,
            Err(missing) => return self.verdict = Err(missing.text),
        };
        let plan = associate(&node.snapshot, &node.topology, &wanted);
        // What has to be said once stays to be said.
        self.needs |= plan.as_ref().err().and_then(advice::field).is_some_and(|field| field >= Field::Network);
        self.verdict = match plan {
            Err(why) => Err(advice::words(&why)),
            Ok(plan) => {
                let already = plan.steps.len() - plan.to_do().count();
                let so_already = if already == 0 { String::new() } else { format!(", {already} are so already") };
                Ok(format!("{}{so_already}; Enter shows the plan", count(plan.to_do().count(), "step", "steps")))
            }
        };
    }

    fn parsed<T: FromStr>(&self, field: Field) -> Result<Option<T>, Missing> {
        let text = self.text(field);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| match field {
            // One is typing it.
            Field::FloatingIp | Field::FixedIp if field == self.field => Missing::begun(field, text),
            Field::FloatingIp | Field::FixedIp | Field::Gateway => Missing::wrong(field, "is no address", text),
            Field::PortAddress => Missing::wrong(field, "is no address with a length, such as 192.168.1.23/24", text),
            Field::PortMac => Missing::wrong(field, "is no hardware address", text),
            _ => Missing::wrong(field, "is no VLAN tag", text),
        })
    }
}

/// What is to be typed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// In which field, where it is one.
    pub field: Option<Field>,
    /// What is missing, or wrong.
    pub text: String,
}

impl Missing {
    fn nothing(field: Field) -> Self {
        Self { field: Some(field), text: format!("type the {}", field.label()) }
    }

    fn begun(field: Field, text: &str) -> Self {
        let is_beginning = text.len() < 15 && text.chars().all(|c| c.is_ascii_digit() || c == '.');
        if !is_beginning {
            return Self::wrong(field, "is no address", text);
        }
        Self { field: Some(field), text: format!("{text}… type the whole {}", field.label()) }
    }

    fn wrong(field: Field, what: &str, text: &str) -> Self {
        Self { field: Some(field), text: format!("{} {what}", printable(text, LIMIT)) }
    }

    fn refused(why: &Refused) -> Self {
        Self { field: advice::field(why), text: advice::words(why) }
    }
}
