//! A distributed router and its fip namespace, object by object.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::tables::{fip_netfilter, router_netfilter};
use super::{FIXED, FLOATING, NETWORK, ROUTER, net, pair};
use crate::net::{
    Addr, AddrFlags, AllocationFile, Family, IfName, Ipv4Conf, Link, Mac, Neigh, NeighState, Netns, NetnsName,
    Observed, OperState, Peer, Route, RouteKind, Rule, Snapshot, TableId,
};
use crate::neutron::{
    DeviceKind, FIP_TABLE, Layout, LinkLocalPair, NamespaceKind, PairEntry, PriorityEntry, RouterPrefix, table_of,
};

/// A distributed router, as asked for.
#[derive(Clone, Debug)]
pub struct RouterSpec {
    /// Its id.
    pub id: String,
    /// The external network's id.
    pub network: String,
    /// Its layout.
    pub layout: Layout,
    /// Its pair.
    pub pair: LinkLocalPair,
    /// Its subnets.
    pub subnets: Vec<Subnet>,
    /// Its floating IPs.
    pub fips: Vec<Fip>,
}

/// A subnet of a router.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// The port's id, or enough of it.
    pub port: String,
    /// Its hardware address.
    pub mac: Mac,
    /// The gateway's address on it.
    pub gateway: IpNet,
    /// The snat namespace's address on it.
    pub snat: IpAddr,
}

/// A floating IP of a router.
#[derive(Clone, Copy, Debug)]
pub struct Fip {
    /// The public address.
    pub floating: Ipv4Addr,
    /// The instance's address.
    pub fixed: Ipv4Addr,
    /// The rule's priority.
    pub priority: u32,
}

impl RouterSpec {
    /// The article's router.
    pub fn article(layout: Layout) -> Self {
        let (pair, priority) = match layout {
            Layout::Juno => (pair(31, 28), 32768),
            Layout::Newton => (pair(106, 114), 57481),
            Layout::Pike => (pair(88, 134), 61068),
        };
        Self {
            id: ROUTER.to_owned(),
            network: NETWORK.to_owned(),
            layout,
            pair,
            subnets: vec![subnet("c2e43983-5c", [0xdf, 0x74, 0x6c], 10), subnet("369f59a5-2c", [0x33, 0x6d, 0xd7], 20)],
            fips: vec![Fip { floating: FLOATING, fixed: FIXED, priority }],
        }
    }

    /// Another router on the article's external network.
    pub fn second(layout: Layout) -> Self {
        Self {
            id: "b047c241-8921-5df0-baca-ff1b77f6fffe".to_owned(),
            pair: if layout == Layout::Juno { pair(31, 238) } else { pair(112, 144) },
            subnets: vec![subnet("cd4ae914-ef", [0x1f, 0xa4, 0x14], 30)],
            fips: vec![Fip {
                floating: Ipv4Addr::new(192, 168, 1, 33),
                fixed: Ipv4Addr::new(30, 0, 0, 4),
                priority: 32769,
            }],
            ..Self::article(layout)
        }
    }

    /// A router on another external network, with the article's addresses again.
    pub fn elsewhere(layout: Layout) -> Self {
        Self {
            id: "44015de0-f772-4af9-a47f-5a057b28fd72".to_owned(),
            network: "0d0c7f40-0000-4000-8000-000000000002".to_owned(),
            ..Self::article(layout)
        }
    }

    /// One of many: no two share an address.
    pub fn numbered(layout: Layout, number: u16, fips: u8) -> Self {
        let [high, low] = number.to_be_bytes();
        let pool = if layout == Layout::Juno { Ipv4Addr::new(169, 254, 30, 0) } else { Ipv4Addr::new(169, 254, 64, 0) };
        let fip = |index: u8| Fip {
            floating: Ipv4Addr::new(172, 16 + high, low, 10 + index),
            fixed: Ipv4Addr::new(10, high, low, 10 + index),
            priority: 32768 + u32::from(number) * 32 % 39_000 + u32::from(index),
        };
        Self {
            id: format!("{number:08x}-0000-4000-8000-{number:012x}"),
            network: NETWORK.to_owned(),
            layout,
            pair: LinkLocalPair::of(Ipv4Addr::from_bits(pool.to_bits() + u32::from(number) * 2)),
            subnets: vec![Subnet {
                port: format!("{number:08x}-00"),
                mac: Mac([0xfa, 0x16, 0x3e, 1, high, low]),
                gateway: net(10, high, low, 1, 24),
                snat: IpAddr::V4(Ipv4Addr::new(10, high, low, 200)),
            }],
            fips: (0..fips).map(fip).collect(),
        }
    }

    fn qrouter(&self) -> NetnsName {
        NamespaceKind::Router.name(&self.id)
    }

    fn fip(&self) -> NetnsName {
        NamespaceKind::Fip.name(&self.network)
    }

    fn seed(&self) -> [u8; 2] {
        let IpAddr::V4(address) = self.pair.rfp() else { return [0; 2] };
        [address.octets()[2], address.octets()[3]]
    }

    fn rfp_mac(&self) -> Mac {
        let [c, d] = self.seed();
        Mac([0x16, 0x91, 0xf5, 0x0b, c, d])
    }

    fn fpr_mac(&self) -> Mac {
        let [c, d] = self.seed();
        Mac([0x3e, 0xd3, 0xe7, 0x34, c, d])
    }
}

/// Adds a router to a node.
pub(super) fn add(snapshot: &mut Snapshot, spec: &RouterSpec) {
    let fip = snapshot.namespaces.entry(spec.fip()).or_insert_with(|| Observed::Seen(fip_namespace(spec).into()));
    let Some(fip) = fip.make_mut() else { return };
    let fpr_index = u32::try_from(fip.links().len()).unwrap_or_default() + 10;
    connect(fip, spec, fpr_index);
    let qrouter = router_namespace(spec, fpr_index);
    snapshot.namespaces.insert(spec.qrouter(), Observed::Seen(qrouter.into()));

    let entry = PairEntry { router: spec.id.clone(), pair: spec.pair };
    write_line(&mut snapshot.host.link_local_file, entry.to_string());
    for fip in spec.fips.iter().filter(|_| spec.layout != Layout::Juno) {
        let entry =
            PriorityEntry { floating_ip: fip.floating.into(), priority: crate::net::RulePriority(fip.priority) };
        write_line(&mut snapshot.host.priority_file, entry.to_string());
    }
}

fn write_line(file: &mut Observed<AllocationFile>, line: String) {
    if file.is_absent() {
        *file = Observed::Seen(AllocationFile::default());
    }
    if let Observed::Seen(file) = file {
        file.lines.push(line);
    }
}

/// An empty namespace as the agent makes it.
pub(super) fn namespace() -> Netns {
    let mut netns = Netns {
        links: Observed::Seen(Vec::new()),
        addrs: Observed::Seen(Vec::new()),
        rules: Observed::Seen(Vec::new()),
        routes: Observed::Seen(Vec::new()),
        neighs: Observed::Seen(Vec::new()),
        ..Netns::default()
    };
    for (priority, table) in [(0, TableId::LOCAL), (32766, TableId::MAIN), (32767, TableId::DEFAULT)] {
        push(&mut netns.rules, Rule::lookup(Family::V4, priority, table));
    }
    for (name, value) in [("ip_forward", 1), ("conf.all.rp_filter", 0), ("conf.all.arp_ignore", 0)] {
        netns.sysctls.insert(format!("net.ipv4.{name}"), Observed::Seen(value));
    }
    netns
}

fn router_namespace(spec: &RouterSpec, fpr_index: u32) -> Netns {
    let prefix = RouterPrefix::of(&spec.id);
    let rfp = prefix.rfp();
    let mut netns = namespace();
    let peer = Peer::In(spec.fip(), fpr_index);
    push(&mut netns.links, Link { peer: Some(peer), ..link(2, &rfp, "veth", spec.rfp_mac()) });
    add_address(&mut netns, &rfp, IpNet::from(spec.pair.rfp()), Some(31));
    for (index, subnet) in (4..).zip(&spec.subnets) {
        let device = DeviceKind::Internal.name(&subnet.port);
        push(&mut netns.links, link(index, &device, "tun", subnet.mac));
        add_address(&mut netns, &device, subnet.gateway, None);
        redirect(&mut netns, &device, subnet);
    }
    for fip in &spec.fips {
        if spec.layout == Layout::Juno {
            add_address(&mut netns, &rfp, IpNet::from(IpAddr::V4(fip.floating)), None);
        }
        let mut rule = Rule::lookup(Family::V4, fip.priority, FIP_TABLE);
        rule.from = Some(IpNet::from(IpAddr::V4(fip.fixed)));
        push(&mut netns.rules, rule);
        let [_, _, c, d] = fip.fixed.octets();
        let holder = spec.subnets.iter().find(|subnet| subnet.gateway.contains(&IpAddr::V4(fip.fixed)));
        if let Some(subnet) = holder {
            let device = DeviceKind::Internal.name(&subnet.port);
            push(&mut netns.neighs, permanent(&device, fip.fixed.into(), Mac([0xfa, 0x16, 0x3e, 7, c, d])));
        }
    }
    push(&mut netns.routes, default(FIP_TABLE, spec.pair.fpr(), &rfp, spec.layout));
    if spec.layout == Layout::Pike {
        push(&mut netns.neighs, permanent(&rfp, spec.pair.fpr(), spec.fpr_mac()));
    }
    netns.netfilter = Observed::Seen(router_netfilter(spec));
    netns.sort();
    netns
}

/// The way of a subnet's packets to the snat namespace.
pub(super) fn redirect(netns: &mut Netns, device: &IfName, subnet: &Subnet) {
    let table = table_of(subnet.gateway);
    let mut rule = Rule::lookup(Family::V4, table.0, table);
    rule.from = Some(subnet.gateway);
    push(&mut netns.rules, rule);
    push(&mut netns.routes, default(table, subnet.snat, device, Layout::Pike));
    let mac = snat_mac(subnet);
    push(&mut netns.neighs, permanent(device, subnet.snat, mac));
}

/// The hardware address of the snat namespace's port on a subnet.
pub(super) fn snat_mac(subnet: &Subnet) -> Mac {
    let [.., d, e, f] = subnet.mac.0;
    Mac([0xfa, 0x16, 0x3e, d ^ 0xff, e, f])
}

fn fip_namespace(spec: &RouterSpec) -> Netns {
    let mut netns = namespace();
    let fg = IfName::from(super::FG);
    let mut port = link(6, &fg, "tun", Mac([0xfa, 0x16, 0x3e, 0xcc, 0x98, 0xc8]));
    port.ipv4 = Some(Ipv4Conf { proxy_arp: true, ..conf() });
    push(&mut netns.links, port);
    add_address(&mut netns, &fg, net(192, 168, 1, 23, 24), None);
    if spec.layout != Layout::Pike {
        push(&mut netns.routes, default(TableId::MAIN, gateway(), &fg, spec.layout));
    }
    netns.netfilter = Observed::Seen(fip_netfilter());
    netns
}

fn connect(fip: &mut Netns, spec: &RouterSpec, index: u32) {
    let fpr = RouterPrefix::of(&spec.id).fpr();
    let peer = Peer::In(spec.qrouter(), 2);
    push(&mut fip.links, Link { peer: Some(peer), ..link(index, &fpr, "veth", spec.fpr_mac()) });
    add_address(fip, &fpr, IpNet::from(spec.pair.fpr()), Some(31));
    for address in &spec.fips {
        let mut route =
            Route::unicast(TableId::MAIN, IpNet::from(IpAddr::V4(address.floating)), Some(spec.pair.rfp()), &fpr);
        route.protocol = protocol(spec.layout);
        push(&mut fip.routes, route);
    }
    if spec.layout == Layout::Pike {
        let table = spec.pair.table();
        let mut rule = Rule::lookup(Family::V4, table.0, table);
        rule.iif = Some(fpr.clone());
        push(&mut fip.rules, rule);
        push(&mut fip.routes, default(table, gateway(), &IfName::from(super::FG), spec.layout));
        push(&mut fip.neighs, permanent(&fpr, spec.pair.rfp(), spec.rfp_mac()));
    }
    fip.sort();
}

fn gateway() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1))
}

fn subnet(port: &str, mac: [u8; 3], first: u8) -> Subnet {
    Subnet {
        port: port.to_owned(),
        mac: Mac([0xfa, 0x16, 0x3e, mac[0], mac[1], mac[2]]),
        gateway: net(first, 0, 0, 1, 24),
        snat: IpAddr::V4(Ipv4Addr::new(first, 0, 0, 200)),
    }
}

/// Routes of the agent's own: `proto static` from 15.0.0, `boot` before.
fn protocol(layout: Layout) -> u8 {
    if layout == Layout::Pike { 4 } else { 3 }
}

/// A default route.
pub(super) fn default(table: TableId, via: IpAddr, device: &IfName, layout: Layout) -> Route {
    Route { protocol: protocol(layout), ..Route::unicast(table, net(0, 0, 0, 0, 0), Some(via), device) }
}

fn conf() -> Ipv4Conf {
    Ipv4Conf { forwarding: true, arp_ignore: 1, arp_announce: 2, ..Ipv4Conf::default() }
}

/// A device that is up.
pub(super) fn link(index: u32, name: &IfName, kind: &str, mac: Mac) -> Link {
    Link {
        kind: Some(kind.to_owned()),
        mac: Some(mac),
        mtu: 1500,
        flags: 0x1_1043,
        state: OperState::Up,
        ipv4: Some(conf()),
        ..Link::new(index, name.clone())
    }
}

fn permanent(device: &IfName, address: IpAddr, mac: Mac) -> Neigh {
    Neigh { dev: device.clone(), address, mac: Some(mac), state: NeighState::Permanent, proxy: false }
}

/// Adds an address, with the routes that the kernel makes for it.
pub(super) fn add_address(netns: &mut Netns, device: &IfName, address: IpNet, length: Option<u8>) {
    let address = length.and_then(|length| IpNet::new(address.addr(), length).ok()).unwrap_or(address);
    push(
        &mut netns.addrs,
        Addr { dev: device.clone(), address, peer: None, broadcast: None, scope: 0, flags: AddrFlags::default() },
    );
    let kernel = |table, dst, kind, scope| Route {
        kind,
        scope,
        protocol: 2,
        pref_src: Some(address.addr()),
        ..Route::unicast(table, dst, None, device)
    };
    if address.prefix_len() < 32 {
        push(&mut netns.routes, kernel(TableId::MAIN, address.trunc(), RouteKind::Unicast, 253));
    }
    push(&mut netns.routes, kernel(TableId::LOCAL, IpNet::from(address.addr()), RouteKind::Local, 254));
}

/// Adds to a list that was read.
pub(super) fn push<T>(list: &mut Observed<Vec<T>>, item: T) {
    if let Observed::Seen(list) = list {
        list.push(item);
    }
}
