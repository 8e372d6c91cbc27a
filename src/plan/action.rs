//! What a step does to the kernel, and what takes it back.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::net::{Addr, AddrFlags, ConntrackTuple, FileName, IfName, Mac, Neigh, NetnsName, Route, Rule};

use super::{Place, TableEdit};

/// One operation of the kernel.
///
/// Whatever is added can be deleted by the same description and the other way
/// round, so both carry the whole object. A deletion takes along what hangs on
/// the object (a device's addresses, a namespace's everything); a plan that is
/// to be undone takes that away first, in steps of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Make an object that is not there.
    Add(Object),
    /// Take away an object that is there.
    Delete(Object),
    /// Change a device.
    SetLink {
        /// The device.
        dev: IfName,
        /// What it shall be.
        to: LinkSetting,
        /// What it is now, where the plan knows.
        from: Option<LinkSetting>,
    },
    /// Put a device into another namespace, whichever the step's place is. It
    /// arrives switched off and bare: what stood on it is taken away before in
    /// steps of its own.
    Move {
        /// The device.
        dev: IfName,
        /// Where it stands.
        from: Place,
        /// Where it shall stand.
        to: Place,
    },
    /// Put a route in place of the one with the same table, prefix and metric.
    ReplaceRoute {
        /// The new one.
        to: Route,
        /// The old one; `None` where there is none.
        from: Option<Route>,
    },
    /// Write a setting below `/proc/sys`.
    Sysctl {
        /// Its name as `sysctl` takes it: dots between the parts, a slash for
        /// a dot within one (`net.ipv4.conf.eth0/5.proxy_arp`).
        key: String,
        /// What it shall be.
        to: i64,
        /// What it is now, where the plan knows.
        from: Option<i64>,
    },
    /// Change one table of the packet filter, all of it or nothing.
    Netfilter(TableEdit),
    /// Let connection tracking forget what has to do with an address: every
    /// entry of the namespace that has it as a source or destination, in either
    /// direction.
    Forget {
        /// The address.
        address: IpAddr,
    },
    /// Let connection tracking forget one connection.
    ForgetConnection {
        /// The direction in which it began, by which it is known.
        original: ConntrackTuple,
        /// Its zone.
        zone: u16,
    },
    /// Ask the neighbourhood whether anybody has an address (ARP probe, RFC 5227):
    /// it fails where somebody answers.
    Probe {
        /// The device that it is asked on.
        dev: IfName,
        /// The address.
        address: Ipv4Addr,
    },
    /// Tell the neighbourhood who answers for an address (gratuitous ARP,
    /// request and reply form).
    Announce {
        /// The device that it is told on.
        dev: IfName,
        /// The address.
        address: Ipv4Addr,
        /// The hardware address that is told; the device's own where none is given.
        mac: Option<Mac>,
        /// How.
        by: AnnounceBy,
    },
}

/// How an address is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnnounceBy {
    /// Three times, two seconds apart, no address added (the agent from Pike).
    Repeat,
    /// Three times, one second apart, with the address on the device for that
    /// long (the agent of Juno).
    Address,
}

/// What can be added and deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// A named namespace; the step's place is the host.
    Netns(NetnsName),
    /// A veth pair, in two namespaces at once.
    Veth(Veth),
    /// A bridge.
    Bridge(IfName),
    /// An address of a device.
    Addr(Addr),
    /// A policy rule.
    Rule(Rule),
    /// A route.
    Route(Route),
    /// A permanent neighbour or a proxy entry.
    Neigh(Neigh),
    /// A port of an Open vSwitch bridge; the step's place is the host.
    OvsPort(SwitchPort),
    /// A line of one of the agent's allocation files; the step's place is the
    /// host. Its last line gone, a file stays, empty.
    FileLine {
        /// Which file.
        file: FileName,
        /// Where it lies.
        path: PathBuf,
        /// The line's place from 0; at the end where none is given.
        at: Option<u32>,
        /// The line, without its end.
        line: String,
    },
}

/// A port of an Open vSwitch bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchPort {
    /// The bridge.
    pub bridge: IfName,
    /// The port's name, its interface's, and its device's.
    pub name: IfName,
    /// The VLAN tag that the port has within the bridge.
    pub tag: Option<u16>,
    /// Open vSwitch makes the device (type `internal`); else it is there already.
    pub internal: bool,
    /// `external_ids` of the interface.
    pub external_ids: BTreeMap<String, String>,
    /// Where an internal port's device is put.
    pub netns: Place,
    /// The hardware address that an internal port's device then gets.
    pub mac: Option<Mac>,
    /// The MTU that it gets, in bytes.
    pub mtu: Option<u32>,
}

/// A veth pair: this end stands where the step happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Veth {
    /// This end.
    pub end: VethEnd,
    /// Where the other end stands.
    pub peer_netns: Place,
    /// The other end.
    pub peer: VethEnd,
}

/// One end of a veth pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VethEnd {
    /// Its name.
    pub name: IfName,
    /// Its hardware address; the kernel chooses one where none is given.
    pub mac: Option<Mac>,
    /// Its MTU in bytes; 1500 where none is given.
    pub mtu: Option<u32>,
}

/// A property of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkSetting {
    /// Switched on, or off.
    Up(bool),
    /// The MTU, in bytes.
    Mtu(u32),
    /// The hardware address.
    Mac(Mac),
    /// The bridge that it belongs to, or none.
    Master(Option<IfName>),
}

/// What takes a step back.
#[expect(clippy::large_enum_variant, reason = "nearly every undo is an action")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// This, in the same place.
    Action(Action),
    /// Nothing, and why.
    Nothing(&'static str),
}

impl Action {
    /// A device switched on that was off.
    pub fn up(dev: &IfName) -> Self {
        Self::SetLink { dev: dev.clone(), to: LinkSetting::Up(true), from: Some(LinkSetting::Up(false)) }
    }

    /// A setting written whose value before is not known.
    pub fn sysctl(key: impl Into<String>, to: i64) -> Self {
        Self::Sysctl { key: key.into(), to, from: None }
    }

    /// What takes this action back.
    pub fn inverse(&self) -> Undo {
        let action = match self {
            Self::Add(object) => Self::Delete(object.clone()),
            Self::Delete(object) => Self::Add(object.clone()),
            Self::SetLink { dev, to, from: Some(from) } => {
                Self::SetLink { dev: dev.clone(), to: from.clone(), from: Some(to.clone()) }
            }
            Self::Move { dev, from, to } => Self::Move { dev: dev.clone(), from: to.clone(), to: from.clone() },
            Self::ReplaceRoute { to, from: Some(from) } => {
                Self::ReplaceRoute { to: from.clone(), from: Some(to.clone()) }
            }
            Self::ReplaceRoute { to, from: None } => Self::Delete(Object::Route(to.clone())),
            Self::Sysctl { key, to, from: Some(from) } => Self::Sysctl { key: key.clone(), to: *from, from: Some(*to) },
            Self::Netfilter(edit) => Self::Netfilter(edit.inverse()),
            Self::SetLink { from: None, .. } | Self::Sysctl { from: None, .. } => {
                return Undo::Nothing("the plan did not know the value before");
            }
            Self::Forget { .. } | Self::ForgetConnection { .. } => {
                return Undo::Nothing("forgotten connections are found anew with their next packet");
            }
            Self::Probe { .. } => return Undo::Nothing("a question changes nothing"),
            Self::Announce { by: AnnounceBy::Repeat, .. } => return Undo::Nothing(HEARD),
            // Where it was cut short; of one that was sent to its end nothing is left here.
            Self::Announce { dev, address, by: AnnounceBy::Address, .. } => {
                Self::Delete(Object::Addr(announced_address(dev, *address)))
            }
        };
        Undo::Action(action)
    }
}

/// Why nothing takes an announcement back that was sent.
pub(crate) const HEARD: &str = "what the neighbourhood has heard it keeps until it asks again or hears another";

/// The address that stands on a device while it is announced from there.
pub(crate) fn announced_address(dev: &IfName, address: Ipv4Addr) -> Addr {
    let address = IpNet::from(IpAddr::from(address));
    Addr { dev: dev.clone(), address, peer: None, broadcast: None, scope: 0, flags: AddrFlags::default() }
}

impl VethEnd {
    /// An end with that name; the rest is the kernel's choice.
    pub fn named(name: impl AsRef<str>) -> Self {
        Self { name: IfName::new(name), mac: None, mtu: None }
    }

    /// The same end with that hardware address.
    #[must_use]
    pub fn with_mac(mut self, mac: Mac) -> Self {
        self.mac = Some(mac);
        self
    }

    /// The same end with that MTU.
    #[must_use]
    pub fn with_mtu(mut self, mtu: Option<u32>) -> Self {
        self.mtu = mtu;
        self
    }
}
