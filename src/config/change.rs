//! What is to be changed on the node, as typed.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::net::Mac;
use crate::neutron::Layout;

/// Whether what changes the node is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// The plan is shown and nothing done.
    pub dry_run: bool,
    /// It is not asked about.
    pub yes: bool,
}

/// What is to be associated, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociateArgs {
    /// The public address.
    pub floating_ip: IpAddr,
    /// The instance's address.
    pub fixed_ip: IpAddr,
    /// The first characters of the router's id.
    pub router: Option<String>,
    /// The first characters of the external network's id; all of it where that
    /// does not stand here yet.
    pub external_network: Option<String>,
    /// The layout, where the router has none yet.
    pub layout: Option<Layout>,
    /// How it is announced.
    pub announce: AnnounceArg,
    /// The later rounds of the announcement are not sent.
    pub no_wait: bool,
    /// The agent gateway port, where it does not stand yet.
    pub gateway_port: GatewayPortArgs,
    /// In the snat namespace.
    pub centralized: bool,
    /// Neutron has this association here; `None` where the user does not say.
    pub neutron_has: Option<bool>,
    /// Whether it is asked about.
    pub consent: Consent,
}

/// What Neutron says of the agent gateway port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayPortArgs {
    /// Its id.
    pub port_id: Option<String>,
    /// Its address, with the length of the subnet.
    pub address: Option<IpNet>,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// The subnet's gateway.
    pub gateway: Option<IpAddr>,
    /// The bridge that it is attached to.
    pub bridge: Option<String>,
    /// The VLAN tag there.
    pub vlan: Option<u16>,
}

/// How a floating IP is announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnnounceArg {
    /// Gratuitous ARP, three times.
    #[default]
    Repeat,
    /// Once, with the address on the device for that long.
    Address,
}

/// What is to be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveArgs {
    /// The public address.
    pub floating_ip: IpAddr,
    /// The first characters of the router's id.
    pub router: Option<String>,
    /// The first characters of the external network's id.
    pub external_network: Option<String>,
    /// The router's pair goes, too.
    pub with_pair: bool,
    /// Neutron still has this association here; `None` where the user does not
    /// say.
    pub neutron_has: Option<bool>,
    /// Whether it is asked about.
    pub consent: Consent,
}

/// What is to be mended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairArgs {
    /// What concerns these floating or fixed IPs.
    pub addresses: Vec<IpAddr>,
    /// The findings of these identities.
    pub findings: Vec<String>,
    /// Everything.
    pub all: bool,
    /// Codes, or beginnings of codes; empty is all.
    pub select: Vec<String>,
    /// The first characters of the router's id.
    pub router: Option<String>,
    /// The first characters of the external network's id.
    pub external_network: Option<String>,
    /// Whether it is asked about.
    pub consent: Consent,
}

/// Which change is taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UndoArgs {
    /// Its number; `None` is the last one.
    pub id: Option<u64>,
    /// Whether it is asked about.
    pub consent: Consent,
}

/// What is done about the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalArgs {
    /// The rest of this change is done.
    pub complete: Option<u64>,
    /// This change is taken for settled.
    pub settle: Option<u64>,
}
