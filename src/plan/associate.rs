//! A floating IP wired by hand: what the L3 agent does when one is associated.
//!
//! The steps are the agent's own, in its forms as far as the node tells them,
//! inside out: namespace, gateway port, pair, translation, rule, route, and the
//! announcement last, so that nothing is announced before it works. What stands
//! already is listed as such.

mod allocate;
mod central;
mod gateway;
mod in_use;
mod parts;
mod seat;
mod site;
mod told;
mod who_has;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::check::Applicability;
use crate::net::{IfName, Mac, NeighState, Observed, Snapshot};
use crate::neutron::{AllocationLine, Layout, RouterPrefix, priority_lines};
use crate::topology::{RouterKind, Topology};

use super::agent::{self, Association, External, Forms, Pair};
use super::future::foretell;
use super::{Action, AgentCase, AnnounceBy, CaseKind, Neutron, Object, Place, Plan, Refused, TableEdit, Told, fit};
use gateway::Attached;
pub use parts::GatewayPortParts;
pub(super) use seat::Seat;
pub(super) use site::Site;
pub use who_has::who_has;

/// A floating IP to be wired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Associate {
    /// The public address.
    pub floating_ip: IpAddr,
    /// The instance's address.
    pub fixed_ip: IpAddr,
    /// The router, by id or its beginning; else the one that has the fixed IP's subnet.
    pub router: Option<String>,
    /// The external network, by id or its beginning; else the one that the
    /// router's pair leads to, or that has the floating IP's subnet.
    pub external_network: Option<String>,
    /// The layout, where the router has none yet.
    pub layout: Option<Layout>,
    /// How it is announced.
    pub announce: AnnounceBy,
    /// The agent gateway port, where it does not stand yet.
    pub gateway_port: Option<GatewayPort>,
    /// It is done in the snat namespace, as Neutron does it where no distributed
    /// node has the instance. On a legacy router it is done on the gateway port
    /// in any case.
    pub centralized: bool,
    /// What Neutron has of it, where the user knows.
    pub neutron: Option<Neutron>,
    /// Who answered for the floating IP on the external network, when asked.
    pub answered_by: Vec<Mac>,
}

/// An agent gateway port as Neutron describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayPort {
    /// The port's id.
    pub port_id: String,
    /// Its address, with the length of the subnet.
    pub address: IpNet,
    /// Its hardware address.
    pub mac: Mac,
    /// The gateway of the subnet.
    pub gateway: IpAddr,
    /// The bridge that it is attached to: Open vSwitch's, or Linux's.
    pub bridge: IfName,
    /// The VLAN tag within an Open vSwitch bridge.
    pub vlan: Option<u16>,
    /// The network's MTU in bytes; 1500 where none is given.
    pub mtu: Option<u32>,
}

impl Associate {
    /// Two addresses; everything else as the node tells it.
    pub fn new(floating_ip: IpAddr, fixed_ip: IpAddr) -> Self {
        Self {
            floating_ip,
            fixed_ip,
            router: None,
            external_network: None,
            layout: None,
            announce: AnnounceBy::Repeat,
            gateway_port: None,
            centralized: false,
            neutron: None,
            answered_by: Vec::new(),
        }
    }
}

/// The plan that wires a floating IP.
pub fn associate(snapshot: &Snapshot, topology: &Topology, wanted: &Associate) -> Result<Plan, Refused> {
    let (floating_ip, fixed_ip) = (v4(wanted.floating_ip)?, v4(wanted.fixed_ip)?);
    let router = Site::router(snapshot, topology, wanted.router.as_deref(), fixed_ip)?;
    if wanted.centralized || matches!(router.kind, RouterKind::Legacy | RouterKind::LegacyHa) {
        let site = Site::of(snapshot, topology, router, router.external_network.clone().unwrap_or_default())?;
        return central::associate(&Seat::of(site)?, wanted, floating_ip, fixed_ip);
    }
    let site = Site::find(snapshot, topology, router, wanted.external_network.as_deref(), floating_ip)?;
    no_external(&site)?;
    let (layout, guessed) = told::layout(&site, wanted.layout)?;
    let (external, attached) = gateway::external(&site, wanted.gateway_port.as_ref())?;
    in_use::check(&site, wanted, floating_ip, fixed_ip)?;
    let forms = told::forms(&site, layout)?;
    let priority = allocate::priority(&site, layout, floating_ip, fixed_ip)?;
    let association = Association { floating_ip, fixed_ip, priority };
    let work = Work { pair: pair(&site, &forms, &external, layout)?, site, forms, external, attached, association };
    let mut plan = fit::fit(work.steps()?, snapshot)?.gathered();
    if plan.steps.iter().any(fit::lasts) {
        let purged = Action::Forget { address: wanted.fixed_ip };
        plan.push(&work.site.router_place(), purged);
        let dev = work.external.port.device.clone();
        let announced = Action::Announce { dev, address: floating_ip, mac: None, by: wanted.announce };
        plan.push(&work.site.fip_place(), announced);
    }
    let mut plan = plan.already_last();
    let case = case(&work.site, wanted);
    foretell(&mut plan, case, work.site.agent_may_run());
    warn(&mut plan, &work, wanted, guessed);
    Ok(plan)
}

/// Everything that the steps follow from.
struct Work<'s> {
    site: Site<'s>,
    forms: Forms,
    external: External,
    attached: Attached,
    pair: Pair,
    association: Association,
}

impl Work<'_> {
    /// All steps, whether they are needed or not.
    fn steps(&self) -> Result<Plan, Refused> {
        let Self { site, forms, external, pair, association, .. } = self;
        let Association { floating_ip, fixed_ip, priority } = *association;
        let mut plan = Plan::new(format!("Associate {floating_ip} with {fixed_ip} on the router {}", site.router.id));
        if site.outer.is_none() {
            agent::fip_namespace(&mut plan, forms, external);
        }
        gateway::steps(&mut plan, forms, external, &self.attached);
        let port = &external.port.device;
        // Before it stands nobody can be asked, and nothing of the address is there yet.
        if site.outer.is_none_or(|netns| netns.link(port).is_none()) {
            plan.push(&site.fip_place(), Action::Probe { dev: port.clone(), address: floating_ip });
        }
        let records = !site.agent_may_run();
        if records && let Some(line) = allocate::pair_line(site, pair.addresses)? {
            plan.push(&Place::Host, Action::Add(line));
        }
        plan.push(&site.router_place(), Action::sysctl("net.ipv4.ip_forward", 1));
        // The pair is written into chains of the skeleton.
        let is_bare = !has_chains(site, forms);
        if is_bare {
            let ports = site.router.internal.iter().map(|port| &port.device);
            agent::router_chains(&mut plan, forms, &site.router.id, true);
            agent::router_marks(&mut plan, forms, &site.router.id, ports);
        }
        agent::pair(&mut plan, forms, external, pair);
        if !is_bare {
            agent::router_chains(&mut plan, forms, &site.router.id, false);
        }
        if records && let Some(line) = allocate::priority_line(site, forms.layout, floating_ip, priority)? {
            plan.push(&Place::Host, Action::Add(line));
        }
        if forms.layout == Layout::Juno {
            let mut nat = TableEdit::new(forms.backend, "nat");
            nat.append(forms.prefix.chain("snat"), format!("-j {}", forms.prefix.chain("float-snat")));
            plan.push(&site.router_place(), Action::Netfilter(nat));
        }
        agent::associate(&mut plan, forms, external, pair, *association, true);
        Ok(plan)
    }
}

fn v4(address: IpAddr) -> Result<Ipv4Addr, Refused> {
    match address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => Err(Refused::Ipv6(address)),
    }
}

/// On such nodes floating IPs are done elsewhere.
fn no_external(site: &Site<'_>) -> Result<(), Refused> {
    let mode = site.snapshot.host.agent.seen().and_then(|agent| agent.mode.as_deref());
    match mode {
        Some("dvr_no_external") => {
            let what = "the L3 agent of this node runs in the mode dvr_no_external: its floating IPs are done in the \
                        snat namespace of another node (there: --centralized)";
            Err(Refused::NotDistributed(what.to_owned()))
        }
        _ => Ok(()),
    }
}

/// The router's pair as it stands, or as it shall be. Its hardware addresses are
/// chosen here where permanent neighbours have to name them.
fn pair(site: &Site<'_>, forms: &Forms, external: &External, layout: Layout) -> Result<Pair, Refused> {
    let addresses = allocate::pair(site, layout)?;
    let prefix = RouterPrefix::of(&site.router.id);
    let (rfp, fpr) = (prefix.rfp(), prefix.fpr());
    let rfp_link = site.inner.link(&rfp);
    let fpr_link = site.outer.and_then(|netns| netns.link(&fpr));
    let standing = rfp_link.and_then(|link| link.mac).zip(fpr_link.and_then(|link| link.mac));
    let node = &site.snapshot.node;
    let chosen = || (mac(&[node, &site.router.id, rfp.as_str()]), mac(&[node, &site.router.id, fpr.as_str()]));
    let macs = standing.or_else(|| forms.pair_neighbours.then(chosen));
    let mtu = rfp_link.map(|link| link.mtu).or(external.port.mtu);
    Ok(Pair { router: site.router.id.clone(), addresses, macs, mtu })
}

/// A hardware address that follows from names: local, of one device (IEEE 802).
fn mac(names: &[&str]) -> Mac {
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0]));
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let [_, _, mut mac @ ..] = hash.to_be_bytes();
    mac[0] = mac[0] & 0xfc | 0x02;
    Mac(mac)
}

/// The agent's chains stand in the router's namespace.
fn has_chains(site: &Site<'_>, forms: &Forms) -> bool {
    let own = forms.prefix.chain("float-snat");
    let netfilter = site.inner.netfilter.seen();
    netfilter.is_some_and(|netfilter| netfilter.tables().any(|table| table.chain(&own).is_some()))
}

/// What Neutron has, as the user says, else as the agent's file does.
fn case(site: &Site<'_>, wanted: &Associate) -> AgentCase {
    let kind = |has: bool| if has { CaseKind::Missed } else { CaseKind::Foreign };
    match wanted.neutron {
        Some(neutron) => AgentCase { kind: kind(neutron == Neutron::Has), told: Told::Given },
        None => AgentCase { kind: kind(is_written(site, wanted.floating_ip)), told: Told::Files },
    }
}

/// The agent's file has a priority for the floating IP: it was told of it.
pub(super) fn is_written(site: &Site<'_>, floating_ip: IpAddr) -> bool {
    let lines = site.snapshot.host.priority_file.seen().into_iter().flat_map(priority_lines);
    lines.filter_map(AllocationLine::entry).any(|entry| entry.floating_ip == floating_ip)
}

/// What nothing on the node tells, and how it was guessed.
fn guesses(work: &Work<'_>, is_layout_guessed: bool) -> Vec<String> {
    let Work { site, forms, .. } = work;
    let mut guesses = Vec::new();
    if is_layout_guessed {
        guesses.push(format!(
            "No pair on this node tells its layout; its marks tell {}. --layout says otherwise.",
            forms.layout.word()
        ));
    }
    if told::backend_is_guessed(site) {
        let program = forms.backend.restore_program();
        guesses.push(format!(
            "No chain of the L3 agent on this node tells in which tables it writes: they are laid with {program}."
        ));
    }
    guesses
}

/// What to know before it is done.
fn warn(plan: &mut Plan, work: &Work<'_>, wanted: &Associate, guessed: bool) {
    let Work { site, attached, .. } = work;
    let fixed = wanted.fixed_ip;
    plan.warnings.extend(guesses(work, guessed));
    let does = |wanted: fn(&Action) -> bool| plan.to_do().any(|step| wanted(&step.action));
    let allocates = does(|action| matches!(action, Action::Add(Object::Rule(_) | Object::Veth(_))));
    let adds_rule = does(|action| matches!(action, Action::Add(Object::Rule(rule)) if rule.from.is_some()));
    let mut more = Vec::new();
    if site.agent_may_run() {
        let running = match &site.snapshot.host.agent {
            Observed::Unreadable(_) => "Whether the L3 agent runs could not be read. If it does, it",
            _ => "The L3 agent runs: it",
        };
        if allocates {
            more.push(format!(
                "{running} keeps pairs and priorities in memory, so what is allocated here is not written to its \
                 files, and it may give the same out again."
            ));
        }
        if plan.agent.is_some_and(|case| case.kind == CaseKind::Missed) && adds_rule {
            more.push(format!(
                "When the L3 agent is started anew, {fixed} gets a second rule, with a priority of the agent's; the \
                 one made here is then left where the floating IP is dropped, and has to be taken away by hand."
            ));
        }
    }
    let plugs = || does(|action| matches!(action, Action::Add(Object::OvsPort(_))));
    if let Attached::Switch { port, is_integration: true } = attached
        && plugs()
    {
        more.push(format!(
            "An L2 agent that runs puts a port that Neutron did not bind to this host into VLAN 4095: {} is dead then.",
            port.name
        ));
    }
    if does(|action| matches!(action, Action::Announce { by: AnnounceBy::Address, .. })) {
        more.push(format!(
            "For some two seconds, while it is announced, the fip namespace has {} itself: packets to it do not come \
             to the instance then.",
            wanted.floating_ip
        ));
    }
    if does(|action| matches!(action, Action::Forget { .. })) {
        more.push(format!("Open connections of {fixed} to the outside are forgotten: they have to be made anew."));
    }
    let known = |neigh: &crate::net::Neigh| neigh.address == fixed && neigh.state != NeighState::Failed;
    if !site.inner.neighs().iter().any(known) {
        more.push(format!("The router knows no instance with the address {fixed}: is it on this node?"));
    }
    plan.warnings.extend(more);
    if site.agent_may_run() {
        plan.applicability = Applicability::NeedsConsent;
    }
}
