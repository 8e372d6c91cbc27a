//! The lab as a plan: the article's router, more routers for scale, and what
//! stands around them. Nothing here touches the system.

mod beside;
mod gateway_router;
mod more;

use std::net::{IpAddr, Ipv4Addr};

use crate::net::{Mac, NetnsName};
use crate::neutron::{DeviceKind, Layout, LinkLocalPair, PairEntry, PriorityEntry};
use crate::plan::Plan;
use crate::plan::agent::{
    Association, External, Forms, Pair, Port, associate, fip_namespace, gateway_port, internal_port, neighbour, pair,
    redirect, router_namespace, router_netns, snat_namespace,
};

use super::article::{self, EXTERNAL_BRIDGE, wire};
use super::numbers::{kernel_mac, pairs, port_mac, priority, uuid};
use super::surroundings::{gateway, gateway_leg, switch, v4};
use super::{Error, LabOptions, Need};

pub(super) use gateway_router::GatewayRouter;
pub(super) use more::More;

/// As many routers and floating IPs as the address plan is good for.
const MOST_ROUTERS: u32 = 1000;
const MOST_FIPS: u32 = 200;
const MOST_FIPS_IN_ALL: u32 = 40_000;
/// The external network of the routers that are there for scale.
const SECOND_BRIDGE: &str = "br-ex2";
const SECOND_GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 24, 0, 1);
const SECOND_FG: Ipv4Addr = Ipv4Addr::new(172, 24, 0, 2);
const SECOND_FIRST_FIP: Ipv4Addr = Ipv4Addr::new(172, 24, 1, 0);

/// The lab, ready to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The steps.
    pub plan: Plan,
    /// What the agent's file of pairs holds.
    pub pairs: Vec<PairEntry>,
    /// What its file of priorities holds; Juno has none.
    pub priorities: Option<Vec<PriorityEntry>>,
    /// The instances that have a namespace.
    pub vms: Vec<Vm>,
}

/// An instance of the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vm {
    /// Its namespace.
    pub namespace: NetnsName,
    /// Its address.
    pub fixed_ip: Ipv4Addr,
    /// Its floating IP, where it has one.
    pub floating_ip: Option<Ipv4Addr>,
}

impl Vm {
    /// An instance in the namespace that is named after its address.
    fn of(fixed_ip: Ipv4Addr, floating_ip: Option<Ipv4Addr>) -> Self {
        Self { namespace: NetnsName::new(format!("vm-{fixed_ip}")), fixed_ip, floating_ip }
    }
}

/// Describes the lab that the options ask for.
pub fn node(options: &LabOptions) -> Result<Node, Error> {
    check(options)?;
    let mut builder = Builder {
        plan: Plan::new(format!("the lab, layout {}", options.layout.word())),
        forms: Forms::of(options.layout, options.backend),
        free_pairs: Box::new(pairs(options.layout)),
        pairs: Vec::new(),
        priorities: Vec::new(),
        macs: 0,
    };
    let second = options.routers > 1 || options.has(Need::More);
    switch(&mut builder.plan, &bridges(options, second));
    gateway(&mut builder.plan, EXTERNAL_BRIDGE);
    let mut vms = builder.article(options)?;
    if second {
        gateway_leg(&mut builder.plan, "eth1", SECOND_GATEWAY, 16, SECOND_BRIDGE);
        let external = builder.second_external();
        builder.scale(options, &external)?;
        if options.has(Need::More) {
            vms.extend(builder.more(&external)?);
        }
    }
    vms.extend(builder.needed(options)?);
    let priorities = (options.layout != Layout::Juno).then_some(builder.priorities);
    Ok(Node { plan: builder.plan.gathered(), pairs: builder.pairs, priorities, vms })
}

/// The id of the external network of the routers that are there for scale.
pub(super) fn second_network() -> String {
    uuid("second external network")
}

/// The segments of external networks.
pub(super) fn external_bridges(options: &LabOptions) -> Vec<&'static str> {
    let second = options.routers > 1 || options.has(Need::More);
    bridges(options, second).into_iter().filter(|bridge| bridge.starts_with(EXTERNAL_BRIDGE)).collect()
}

/// The segments of the switch.
fn bridges(options: &LabOptions, second: bool) -> Vec<&'static str> {
    let mut bridges = vec!["br-10.0.0.0", "br-20.0.0.0", EXTERNAL_BRIDGE];
    bridges.extend(second.then_some(SECOND_BRIDGE));
    for (need, wanted) in [
        (Need::More, &[More::beside().bridge, More::other().bridge][..]),
        (Need::OpenVswitch, &[More::odd().bridge, More::bare().bridge]),
        (Need::Legacy, &[GatewayRouter::legacy().bridge]),
        (Need::HighlyAvailable, &[GatewayRouter::highly_available().bridge, gateway_router::HA_BRIDGE]),
    ] {
        bridges.extend(wanted.iter().filter(|_| options.has(need)));
    }
    bridges
}

struct Builder {
    plan: Plan,
    forms: Forms,
    free_pairs: Box<dyn Iterator<Item = LinkLocalPair>>,
    pairs: Vec<PairEntry>,
    priorities: Vec<PriorityEntry>,
    /// How many hardware addresses were given out.
    macs: u32,
}

impl Builder {
    /// The article's router with its instances.
    fn article(&mut self, options: &LabOptions) -> Result<Vec<Vm>, Error> {
        let is_unplugged = options.has(Need::Unplugged);
        let vms = article_vms(if is_unplugged { 0 } else { options.fips });
        let (subnets, external) = (article::subnets(), article::external());
        let router = article::ROUTER;
        router_namespace(&mut self.plan, &self.forms, router);
        for subnet in &subnets {
            internal_port(&mut self.plan, &self.forms, router, &subnet.qr);
        }
        for vm in &vms {
            let Some(subnet) = subnets.iter().find(|subnet| subnet.qr.address.contains(&IpAddr::V4(vm.fixed_ip)))
            else {
                continue;
            };
            self.instance(router, &subnet.qr, vm);
        }
        let sg = subnets.each_ref().map(|subnet| subnet.sg.clone());
        snat_namespace(&mut self.plan, &self.forms, router, &sg, &article::qg(), external.gateway);
        for subnet in &subnets {
            let sg = (subnet.sg.address.addr(), subnet.sg.mac);
            redirect(&mut self.plan, &self.forms, router, &subnet.qr, sg);
        }
        if is_unplugged {
            if !options.has(Need::Switch) {
                self.uplink(EXTERNAL_BRIDGE);
            }
            return Ok(vms);
        }
        fip_namespace(&mut self.plan, &self.forms, &external);
        gateway_port(&mut self.plan, &self.forms, &external);
        let pair = self.pair(router, &external, article::PAIR_MACS)?;
        let wanted = vms.iter().filter_map(|vm| Some((vm.floating_ip?, vm.fixed_ip)));
        self.associate(&external, &pair, wanted);
        Ok(vms)
    }

    /// A second external network.
    fn second_external(&mut self) -> External {
        let external = External {
            id: second_network(),
            port: self.port(DeviceKind::AgentGateway, "second fg", SECOND_FG, 16, Some(SECOND_BRIDGE)),
            gateway: SECOND_GATEWAY.into(),
        };
        fip_namespace(&mut self.plan, &self.forms, &external);
        gateway_port(&mut self.plan, &self.forms, &external);
        external
    }

    /// Routers on the second external network, one subnet each, no instances.
    fn scale(&mut self, options: &LabOptions, external: &External) -> Result<(), Error> {
        for number in 1..options.routers {
            let router = uuid(&format!("router {number}"));
            let place = router_netns(&router);
            let subnet = Ipv4Addr::from((10 << 24) + (1 << 16) + (number << 8));
            let host = |last| Ipv4Addr::from(subnet.to_bits() + last);
            router_namespace(&mut self.plan, &self.forms, &router);
            let qr = self.port(DeviceKind::Internal, &format!("qr {number}"), host(1), 24, None);
            internal_port(&mut self.plan, &self.forms, &router, &qr);
            for index in 0..options.fips {
                let mac = self.next_mac();
                neighbour(&mut self.plan, &place, &qr.device, host(10 + index).into(), mac);
            }
            let macs = (kernel_mac(&format!("rfp {number}")), kernel_mac(&format!("fpr {number}")));
            let pair = self.pair(&router, external, macs)?;
            let sg = (IpAddr::V4(host(3)), self.next_mac());
            redirect(&mut self.plan, &self.forms, &router, &qr, sg);
            let first = SECOND_FIRST_FIP.to_bits() + (number - 1) * options.fips;
            let wanted = (0..options.fips).map(|index| (Ipv4Addr::from_bits(first + index), host(10 + index)));
            self.associate(external, &pair, wanted);
        }
        Ok(())
    }

    fn associate(&mut self, external: &External, pair: &Pair, wanted: impl Iterator<Item = (Ipv4Addr, Ipv4Addr)>) {
        self.associate_more(external, pair, wanted, false);
    }

    /// The same; `others` says that the router has floating IPs already.
    fn associate_more(
        &mut self,
        external: &External,
        pair: &Pair,
        wanted: impl Iterator<Item = (Ipv4Addr, Ipv4Addr)>,
        others: bool,
    ) {
        for (index, (floating_ip, fixed_ip)) in wanted.enumerate() {
            let count = u32::try_from(self.priorities.len()).unwrap_or(u32::MAX);
            let priority = priority(self.forms.layout, count);
            self.priorities.push(PriorityEntry { floating_ip: floating_ip.into(), priority });
            let association = Association { floating_ip, fixed_ip, priority };
            associate(&mut self.plan, &self.forms, external, pair, association, index == 0 && !others);
        }
    }

    fn pair(&mut self, router: &str, external: &External, macs: (Mac, Mac)) -> Result<Pair, Error> {
        let none_left = || Error::TooMany("there are no link-local pairs left for so many routers".to_owned());
        let addresses = self.free_pairs.next().ok_or_else(none_left)?;
        self.pairs.push(PairEntry { router: router.to_owned(), pair: addresses });
        let made = Pair { router: router.to_owned(), addresses, macs: Some(macs), mtu: None };
        pair(&mut self.plan, &self.forms, external, &made);
        Ok(made)
    }

    fn port(&mut self, kind: DeviceKind, name: &str, address: Ipv4Addr, length: u8, bridge: Option<&str>) -> Port {
        let id = uuid(name);
        let tap: String = id.chars().take(11).collect();
        let wire = wire(format!("tap{tap}"), bridge);
        Port { device: kind.name(&id), mac: self.next_mac(), address: v4(address, length), mtu: None, wire }
    }

    fn next_mac(&mut self) -> Mac {
        self.macs += 1;
        port_mac(self.macs)
    }
}

/// The instances: those that there always are, and one for each floating IP. The
/// first floating IP is the article's, the second goes to the other subnet.
fn article_vms(fips: u32) -> Vec<Vm> {
    let mut fixed = vec![article::FIXED_IP, article::INSTANCES[3]];
    fixed.extend((6..=254).map(|last| Ipv4Addr::new(10, 0, 0, last)));
    // .21 and .23 are qg and fg.
    let floating = (article::FLOATING_IP.octets()[3]..=254).filter(|last| ![21, 23].contains(last));
    let wired: Vec<(Ipv4Addr, Ipv4Addr)> =
        fixed.into_iter().zip(floating.map(|last| Ipv4Addr::new(192, 168, 1, last))).take(fips as usize).collect();
    let mut all: Vec<Ipv4Addr> = article::INSTANCES.to_vec();
    all.extend(wired.iter().map(|(fixed, _)| *fixed).filter(|fixed| !article::INSTANCES.contains(fixed)));
    let floating_ip = |fixed: Ipv4Addr| wired.iter().find(|(other, _)| *other == fixed).map(|(_, floating)| *floating);
    all.into_iter().map(|fixed_ip| Vm::of(fixed_ip, floating_ip(fixed_ip))).collect()
}

fn check(options: &LabOptions) -> Result<(), Error> {
    let most_routers = if options.layout == Layout::Juno { 256 } else { MOST_ROUTERS };
    if options.routers == 0 || options.routers > most_routers {
        return Err(Error::TooMany(format!("the lab has 1 to {most_routers} routers in this layout")));
    }
    if options.fips > MOST_FIPS {
        return Err(Error::TooMany(format!("the lab has at most {MOST_FIPS} floating IPs for each router")));
    }
    if options.routers * options.fips > MOST_FIPS_IN_ALL {
        return Err(Error::TooMany(format!("the lab has at most {MOST_FIPS_IN_ALL} floating IPs in all")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::plan::{Action, Object, Place};

    use super::*;

    fn options(layout: Layout, routers: u32, fips: u32) -> LabOptions {
        LabOptions { layout, routers, fips, ..LabOptions::default() }
    }

    #[test]
    fn all_that_is_needed_stands_beside_one_another() {
        use Need::{HighlyAvailable, Legacy, More, OpenVswitch, SecondSubnet};
        let needs = vec![More, Legacy, HighlyAvailable, SecondSubnet, OpenVswitch];
        for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
            let made = node(&LabOptions { needs: needs.clone(), ..options(layout, 3, 2) }).unwrap();
            let mut addresses = BTreeSet::new();
            for step in &made.plan.steps {
                if let Action::Add(Object::Addr(addr)) = &step.action {
                    let is_shared = step.netns.name().is_some_and(|name| name.as_str().starts_with("qrouter-"));
                    assert!(is_shared || addresses.insert(addr.address.addr()), "{} twice", addr.address);
                }
            }
            let floating: Vec<_> = made.vms.iter().filter_map(|vm| vm.floating_ip).collect();
            assert_eq!(floating.iter().collect::<BTreeSet<_>>().len(), floating.len());
            assert_eq!(made.vms.iter().map(|vm| &vm.namespace).collect::<BTreeSet<_>>().len(), made.vms.len());
        }
    }

    #[test]
    fn no_name_is_too_long_or_comes_twice() {
        let made = node(&options(Layout::Pike, 300, 5)).unwrap();
        let mut seen = BTreeSet::new();
        let mut addresses = BTreeSet::new();
        for step in &made.plan.steps {
            match &step.action {
                Action::Add(Object::Veth(pair)) => {
                    for (place, end) in [(&step.netns, &pair.end), (&pair.peer_netns, &pair.peer)] {
                        assert!(end.name.as_str().len() <= 15, "{}", end.name);
                        assert!(seen.insert((place.clone(), end.name.clone())), "{} in {place}", end.name);
                    }
                }
                Action::Add(Object::Netns(name)) => {
                    assert!(seen.insert((Place::Netns(name.clone()), "".into())), "{name}");
                }
                Action::Add(Object::Addr(addr)) if addr.dev.as_str().starts_with("qr-") => {
                    assert!(addresses.insert(addr.address), "{}", addr.address);
                }
                _ => {}
            }
        }
        assert_eq!((made.pairs.len(), addresses.len()), (300, 301));
        let floating: BTreeSet<_> = made.priorities.iter().flatten().map(|entry| entry.floating_ip).collect();
        assert_eq!(floating.len(), 1500);
    }

    #[test]
    fn the_first_floating_ips_go_to_both_subnets() {
        let of = |fips| {
            let made = node(&options(Layout::Juno, 1, fips)).unwrap();
            assert_eq!(made.priorities, None);
            made.vms.iter().filter_map(|vm| Some(format!("{} {}", vm.fixed_ip, vm.floating_ip?))).collect::<Vec<_>>()
        };
        assert_eq!(of(1), ["10.0.0.4 192.168.1.3"]);
        assert_eq!(of(3), ["10.0.0.4 192.168.1.3", "20.0.0.6 192.168.1.4", "10.0.0.6 192.168.1.5"]);
        assert_eq!(of(MOST_FIPS).len(), MOST_FIPS as usize);
        assert!(of(0).is_empty());
    }

    #[test]
    fn limits_are_told() {
        for (layout, routers, fips) in [(Layout::Pike, 0, 1), (Layout::Juno, 257, 1), (Layout::Pike, 1001, 1)] {
            assert!(matches!(node(&options(layout, routers, fips)), Err(Error::TooMany(_))), "{routers}");
        }
        assert!(node(&options(Layout::Pike, 1, 201)).is_err());
        assert!(node(&options(Layout::Pike, 1000, 100)).is_err());
        assert!(node(&options(Layout::Juno, 256, 1)).is_ok());
    }
}
