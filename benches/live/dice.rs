//! Changes at random, of the kinds that the kernel announces, each with what
//! takes it back.

use std::time::Duration;

use fipscope::net::netfilter::Backend;
use fipscope::net::{
    Addr, AddrFlags, IfName, Mac, Neigh, NeighState, NetnsName, Route, Rule, RuleAction, Snapshot, TableId,
};
use fipscope::plan::{Action, LinkSetting, Object, Place, TableEdit};

pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A pause that makes the changes come at any moment of the watcher's pace.
    pub fn pause(&mut self) -> Duration {
        Duration::from_millis(self.below(60) as u64)
    }

    /// A change of some router's namespace, sometimes of the fip namespace that all
    /// of them share, and what takes it back.
    pub fn change(&mut self, snapshot: &Snapshot) -> (Place, Action, Action) {
        if self.below(8) == 0 {
            return self.shared(snapshot);
        }
        let routers: Vec<&NetnsName> =
            snapshot.namespaces.keys().filter(|name| name.as_str().starts_with("qrouter-")).collect();
        let name = routers[self.below(routers.len())];
        let netns = snapshot.netns(name).unwrap();
        let rfp = netns.links().iter().find(|link| link.name.as_str().starts_with("rfp-")).unwrap();
        let rules: Vec<&Rule> = netns.rules().iter().filter(|rule| is_of_a_floating_ip(rule)).collect();
        let place = Place::Netns(name.clone());
        let object = match self.below(12) {
            0 => Object::Route(Route::unicast(TableId::MAIN, "10.253.0.0/16".parse().unwrap(), None, &rfp.name)),
            1 => Object::Neigh(neighbour(&rfp.name)),
            2 => {
                let mtu = |mtu| Action::SetLink { dev: rfp.name.clone(), to: LinkSetting::Mtu(mtu), from: None };
                return (place, mtu(rfp.mtu - 10), mtu(rfp.mtu));
            }
            3 => Object::Addr(address(&rfp.name)),
            4 => {
                let key = format!("net.ipv4.conf.{}.proxy_arp", rfp.name);
                let now = i64::from(rfp.ipv4.is_some_and(|conf| conf.proxy_arp));
                let set = |to| Action::Sysctl { key: key.clone(), to, from: None };
                return (place, set(1 - now), set(now));
            }
            5 | 6 => {
                let edit = translation(self.below(250));
                let back = edit.inverse();
                return (place, Action::Netfilter(edit), Action::Netfilter(back));
            }
            _ => {
                let rule = Object::Rule(rules[self.below(rules.len())].clone());
                return (place, Action::Delete(rule.clone()), Action::Add(rule));
            }
        };
        (place, Action::Add(object.clone()), Action::Delete(object))
    }

    /// The route of a floating IP.
    fn shared(&mut self, snapshot: &Snapshot) -> (Place, Action, Action) {
        let (name, netns) = snapshot.seen().find(|(name, _)| name.as_str().starts_with("fip-")).unwrap();
        let leads_on = |route: &&Route| route.dst.prefix_len() == 32 && route.via().is_some();
        let routes: Vec<&Route> = netns.routes().iter().filter(leads_on).collect();
        let route = Object::Route(routes[self.below(routes.len())].clone());
        (Place::Netns(name.clone()), Action::Delete(route.clone()), Action::Add(route))
    }

    /// Knuth's linear congruence (MMIX).
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

fn is_of_a_floating_ip(rule: &Rule) -> bool {
    rule.from.is_some() && rule.action == RuleAction::Lookup(TableId(16))
}

fn address(dev: &IfName) -> Addr {
    let (address, flags) = ("10.254.0.1/32".parse().unwrap(), AddrFlags::default());
    Addr { dev: dev.clone(), address, peer: None, broadcast: None, scope: 0, flags }
}

/// A rule of one more address.
fn translation(number: usize) -> TableEdit {
    let mut edit = TableEdit::new(Backend::Nft, "nat");
    edit.append("neutron-l3-agent-float-snat", format!("-s 10.253.0.{number}/32 -j ACCEPT"));
    edit
}

fn neighbour(dev: &IfName) -> Neigh {
    Neigh {
        dev: dev.clone(),
        address: "169.254.200.200".parse().unwrap(),
        mac: Some(Mac([2, 0, 0, 0, 0, 1])),
        state: NeighState::Permanent,
        proxy: false,
    }
}
