//! `fipscope associate` and `remove`: a floating IP wired by hand, and taken
//! away.

use std::net::IpAddr;

use clap::{Args, ValueEnum};
use ipnet::IpNet;

use super::Layout;
use super::change::Ask;
use crate::config::{AnnounceArg, AssociateArgs, GatewayPortArgs, Mac, RemoveArgs};

pub(super) const ASSOCIATE: &str = "\
Examples:
  fipscope associate 192.168.1.4 10.0.0.5 --dry-run   what would be done
  fipscope associate 192.168.1.4 10.0.0.5             the plan, then it asks
  fipscope associate 192.168.1.4 10.0.0.5 --no-wait --yes --format json

Before the plan, the external network is asked whether somebody has the floating
IP. Afterwards the node is read and judged again, packets are walked, and the
kernel is asked: where the floating IP does not work then, all of it is taken
back. What was done is in the journal; `fipscope undo` takes it back.

Exit codes: 0 associated, or so already, 1 refused, or taken back, 2 wrong usage
or something is missing, 3 could not read, 4 could not be taken back completely.";

pub(super) const REMOVE: &str = "\
Examples:
  fipscope remove 192.168.1.4 --dry-run     what would be done
  fipscope remove 192.168.1.4               the plan, then it asks
  fipscope remove 192.168.1.4 --with-pair   the router's last one, pair and all

Exit codes: 0 removed, 1 no such floating IP, refused, or taken back, 2 wrong
usage, 3 could not read, 4 could not be taken back completely.";

/// Characters of a device's name, the ending zero apart (`IFNAMSIZ`).
const LONGEST_NAME: usize = 15;
/// Characters of an id as Neutron gives them.
const ID: usize = 36;

/// What is to be associated.
#[derive(Debug, Args)]
pub(in crate::cli) struct Associate {
    /// The public address
    floating_ip: IpAddr,
    /// The instance's address
    fixed_ip: IpAddr,
    /// The layout, where the router has none yet [default: what the node's marks tell]
    #[arg(long, value_enum)]
    layout: Option<Layout>,
    /// How it is announced
    #[arg(long, value_enum, default_value_t = Announce::Repeat)]
    announce: Announce,
    /// Announce it once, and do not stay for the second and third time
    #[arg(long)]
    no_wait: bool,
    /// In the snat namespace, as Neutron does it for an instance that no distributed node has
    #[arg(long, conflicts_with = "layout")]
    centralized: bool,
    /// The router, where several fit (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    router: Option<String>,
    /// The external network, where several fit (its id, or the first characters) or none stands here yet (its id)
    #[arg(long, value_name = "ID")]
    external_network: Option<String>,
    /// Whether Neutron has this association here [default: as the agent's files tell]
    #[arg(long, value_enum)]
    neutron: Option<Neutron>,
    #[command(flatten)]
    ask: Ask,
    #[command(flatten)]
    gateway_port: GatewayPort,
}

/// What Neutron says of the agent gateway port (fg).
#[derive(Debug, Args)]
#[command(next_help_heading = "Where the external network does not stand on this node yet")]
struct GatewayPort {
    /// The agent gateway port's id
    #[arg(long = "gateway-port-id", value_name = "ID", value_parser = id)]
    port_id: Option<String>,
    /// Its address, with the length of its subnet
    #[arg(long = "gateway-port-address", value_name = "CIDR")]
    address: Option<IpNet>,
    /// Its hardware address
    #[arg(long = "gateway-port-mac", value_name = "MAC")]
    mac: Option<Mac>,
    /// The gateway of its subnet
    #[arg(long, value_name = "ADDRESS")]
    gateway: Option<IpAddr>,
    /// The bridge that it is attached to, Open vSwitch's or Linux's
    #[arg(long, value_name = "NAME", value_parser = device)]
    bridge: Option<String>,
    /// The VLAN tag of the external network in an Open vSwitch bridge [default: that of another port of it]
    #[arg(long, value_name = "TAG", value_parser = clap::value_parser!(u16).range(1..=4094))]
    vlan: Option<u16>,
}

/// What is to be taken away.
#[derive(Debug, Args)]
pub(in crate::cli) struct Remove {
    /// The public address
    floating_ip: IpAddr,
    /// Also the router's pair (rfp and fpr), where this is its last floating IP
    #[arg(long)]
    with_pair: bool,
    /// The router, where the address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    router: Option<String>,
    /// The external network, where the address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    external_network: Option<String>,
    /// Whether Neutron still has this association here [default: as the agent's files tell]
    #[arg(long, value_enum)]
    neutron: Option<Neutron>,
    #[command(flatten)]
    ask: Ask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Announce {
    /// Gratuitous ARP, three times
    Repeat,
    /// Once, with the address on fg for that long
    Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Neutron {
    /// Neutron has it: what is made here stays
    Has,
    /// Neutron has it not: the L3 agent takes back what is made here
    HasNot,
}

impl From<Associate> for AssociateArgs {
    fn from(typed: Associate) -> Self {
        let Associate { floating_ip, fixed_ip, layout, announce, no_wait, router, external_network, .. } = typed;
        Self {
            floating_ip,
            fixed_ip,
            router,
            external_network,
            layout: layout.map(Into::into),
            announce: match announce {
                Announce::Repeat => AnnounceArg::Repeat,
                Announce::Address => AnnounceArg::Address,
            },
            no_wait,
            gateway_port: typed.gateway_port.into(),
            centralized: typed.centralized,
            neutron_has: typed.neutron.map(|neutron| neutron == Neutron::Has),
            consent: typed.ask.into(),
        }
    }
}

impl From<GatewayPort> for GatewayPortArgs {
    fn from(typed: GatewayPort) -> Self {
        Self {
            port_id: typed.port_id,
            address: typed.address,
            mac: typed.mac,
            gateway: typed.gateway,
            bridge: typed.bridge,
            vlan: typed.vlan,
        }
    }
}

impl From<Remove> for RemoveArgs {
    fn from(typed: Remove) -> Self {
        let Remove { floating_ip, with_pair, router, external_network, neutron, ask } = typed;
        let neutron_has = neutron.map(|neutron| neutron == Neutron::Has);
        Self { floating_ip, router, external_network, with_pair, neutron_has, consent: ask.into() }
    }
}

/// An id as Neutron gives them: it becomes part of a device's name.
fn id(text: &str) -> Result<String, &'static str> {
    let fits = text.len() == ID && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if fits { Ok(text.to_owned()) } else { Err("not the whole id of a port") }
}

/// A name that the kernel takes for a device (`net/core/dev.c: dev_valid_name`).
fn device(text: &str) -> Result<String, &'static str> {
    let odd = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    let fits = (1..=LONGEST_NAME).contains(&text.len()) && ![".", ".."].contains(&text) && !text.contains(odd);
    if fits { Ok(text.to_owned()) } else { Err("not a name that a bridge can have") }
}
