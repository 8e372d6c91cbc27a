//! A floating IP of a node, and the means to break what it hangs on.

use std::net::IpAddr;

use fipscope::net::netfilter::{Backend, BaseChain, Chain, Hook, NfFamily, NfRule, Policy, Table, parse_rule};
use fipscope::net::{
    Addr, Change, IfName, Link, Netns, NetnsName, Object, Observed, Route, Rule, RuleAt, Snapshot, TableAt, TableId,
    changes,
};
use fipscope::neutron::{AgentPrefix, DeviceKind, FIP_TABLE, Layout};
use fipscope::plan::{Action, LinkSetting, Object as Thing, Place, Plan, simulate};
use fipscope::topology::{FipKind, InternalPort, Topology};
use ipnet::IpNet;

/// A distributed floating IP of a node, with the names of what it hangs on.
pub(crate) struct Site<'n> {
    pub(crate) snapshot: &'n Snapshot,
    pub(crate) layout: Layout,
    pub(crate) router: String,
    pub(crate) floating: IpAddr,
    pub(crate) fixed: IpAddr,
    pub(crate) qrouter: NetnsName,
    pub(crate) fip: NetnsName,
    pub(crate) rfp: IfName,
    pub(crate) fpr: IfName,
    pub(crate) fg: IfName,
    /// The port on the fixed IP's subnet, and its address.
    pub(crate) qr: (IfName, IpNet),
    /// A port of the router on another subnet.
    pub(crate) other_qr: Option<IfName>,
    /// The router's snat namespace, where it is on this node, and its gateway port.
    pub(crate) snat: Option<(NetnsName, IfName)>,
    /// The pair: rfp's address and fpr's.
    pub(crate) pair: (IpNet, IpNet),
}

impl<'n> Site<'n> {
    /// The distributed floating IPs of a node.
    pub(crate) fn all(snapshot: &'n Snapshot) -> Vec<Self> {
        let topology = Topology::of(snapshot);
        let fips = topology.floating_ips.iter().filter(|fip| fip.kind == FipKind::Distributed);
        fips.filter_map(|fip| {
            let router = topology.router(&fip.router)?;
            let network =
                topology.external_networks.iter().find(|one| Some(&one.id) == fip.external_network.as_ref())?;
            let fixed = fip.fixed_ip?;
            let (rfp, fpr) = (router.rtr_2_fip.as_ref()?, router.fip_2_rtr.as_ref()?);
            let holds = |port: &&InternalPort| port.addresses.iter().any(|net| net.contains(&fixed));
            let qr = router.internal.iter().find(holds)?;
            let qg = |name: &NetnsName| {
                let mut ports = snapshot.netns(name)?.links().iter().map(|link| &link.name);
                ports.find(|name| DeviceKind::RouterGateway.is(name)).cloned()
            };
            Some(Self {
                snapshot,
                layout: router.layout?,
                router: router.id.clone(),
                floating: fip.floating_ip?,
                fixed,
                qrouter: router.namespace.clone()?,
                fip: network.namespace.clone(),
                rfp: rfp.device.clone(),
                fpr: fpr.device.clone(),
                fg: network.gateway_port.as_ref()?.device.clone(),
                qr: (qr.device.clone(), *qr.addresses.iter().find(|net| net.contains(&fixed))?),
                other_qr: router.internal.iter().find(|port| !holds(port)).map(|port| port.device.clone()),
                snat: router.snat_namespace.as_ref().and_then(|name| Some((name.clone(), qg(name)?))),
                pair: (rfp.address?, fpr.address?),
            })
        })
        .collect()
    }

    /// The same on a node that was changed since.
    pub(crate) fn on<'m>(&self, snapshot: &'m Snapshot) -> Site<'m> {
        Site {
            snapshot,
            router: self.router.clone(),
            qrouter: self.qrouter.clone(),
            fip: self.fip.clone(),
            rfp: self.rfp.clone(),
            fpr: self.fpr.clone(),
            fg: self.fg.clone(),
            qr: self.qr.clone(),
            other_qr: self.other_qr.clone(),
            snat: self.snat.clone(),
            ..*self
        }
    }

    /// The external network's namespace.
    pub(crate) fn network(&self) -> &NetnsName {
        &self.fip
    }

    pub(crate) fn netns(&self, name: &NetnsName) -> &'n Netns {
        self.snapshot.netns(name).unwrap()
    }

    pub(crate) fn find<T: Clone>(
        &self,
        name: &NetnsName,
        list: fn(&Netns) -> &[T],
        is_it: impl Fn(&T) -> bool,
    ) -> Option<T> {
        list(self.netns(name)).iter().find(|one| is_it(one)).cloned()
    }

    /// A number that no other floating IP of the router has.
    pub(crate) fn number(&self) -> u32 {
        match self.fixed {
            IpAddr::V4(address) => u32::from(address.octets()[3]),
            IpAddr::V6(_) => 0,
        }
    }

    /// An address near another, which nobody has.
    pub(crate) fn near(address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(address) => std::net::Ipv4Addr::from_bits(address.to_bits() ^ 0x60).into(),
            IpAddr::V6(_) => address,
        }
    }

    pub(crate) fn nobody(&self) -> IpAddr {
        Self::near(self.fixed)
    }

    /// A next hop on the fixed IP's subnet.
    pub(crate) fn beside(&self) -> IpAddr {
        Self::near(self.qr.1.addr())
    }

    pub(crate) fn change(name: &NetnsName, before: Option<Object>, after: Option<Object>) -> Change {
        Change::new(Some(name.clone()), before, after)
    }

    pub(crate) fn gone(&self, name: &NetnsName, found: impl Fn(&'n Netns) -> Option<Object>) -> Vec<Change> {
        found(self.netns(name)).map(|object| Self::change(name, Some(object), None)).into_iter().collect()
    }

    pub(crate) fn rule(&self, netns: &Netns) -> Option<Rule> {
        let own = IpNet::from(self.fixed);
        netns.rules().iter().find(|rule| rule.from == Some(own) && rule.table() == Some(FIP_TABLE)).cloned()
    }

    pub(crate) fn route(&self, netns: &Netns) -> Option<Route> {
        let own = IpNet::from(self.floating);
        netns.routes().iter().find(|route| route.dst == own && route.dev() == Some(&self.fpr)).cloned()
    }

    pub(crate) fn without_default(&self, name: &NetnsName, table: TableId) -> Vec<Change> {
        let is_it = |route: &Route| route.is_default() && route.table == table && route.dst.addr().is_ipv4();
        self.gone(name, |netns| one(netns.routes(), is_it, route_object))
    }

    pub(crate) fn set(&self, name: &NetnsName, key: &str, value: i64) -> Vec<Change> {
        let from = self.netns(name).sysctl(key);
        if from.is_none() {
            return vec![Self::change(name, None, Some(Object::Sysctl(key.to_owned(), Observed::Seen(value))))];
        }
        self.done(name, [Action::Sysctl { key: key.to_owned(), to: value, from }])
    }

    /// What the kernel makes of something that is done.
    pub(crate) fn done(&self, name: &NetnsName, actions: impl IntoIterator<Item = Action>) -> Vec<Change> {
        self.done_at(&Place::Netns(name.clone()), actions)
    }

    fn done_at(&self, place: &Place, actions: impl IntoIterator<Item = Action>) -> Vec<Change> {
        let mut plan = Plan::new("a fault");
        for action in actions {
            plan.push(place, action);
        }
        changes(self.snapshot, &simulate(&plan, self.snapshot))
    }

    /// A namespace that is no more, with the other ends of its pairs.
    pub(crate) fn without_netns(&self, name: &NetnsName) -> Vec<Change> {
        self.done_at(&Place::Host, [Action::Delete(Thing::Netns(name.clone()))])
    }

    /// A device that is no more, with the other end of its pair.
    pub(crate) fn without_link(&self, name: &NetnsName, dev: &IfName) -> Vec<Change> {
        self.done(name, [Action::Delete(Thing::Bridge(dev.clone()))])
    }

    /// A device taken out to the host; `None` where the host was not read.
    pub(crate) fn moved_out(&self, name: &NetnsName, dev: &IfName) -> Option<Vec<Change>> {
        let from = Place::Netns(name.clone());
        let all = self.done(name, [Action::Move { dev: dev.clone(), from, to: Place::Host }]);
        (!all.is_empty()).then_some(all)
    }

    /// A device as it is to be otherwise.
    pub(crate) fn relinked(&self, name: &NetnsName, dev: &IfName, change: impl Fn(&mut Link)) -> Option<Change> {
        let old = self.find(name, Netns::links, |link| link.name == *dev)?;
        let mut new = old.clone();
        change(&mut new);
        let link = |link| Some(Object::Link(Box::new(link)));
        Some(Self::change(name, link(old), link(new)))
    }

    /// A device more, like one that is there.
    pub(crate) fn doubled(&self, name: &NetnsName, dev: &IfName, twin: &str) -> Option<Change> {
        let like = self.find(name, Netns::links, |link| link.name == *dev)?;
        let twin = Link { index: 999, name: IfName::from(twin), ..like };
        Some(Self::change(name, None, Some(Object::Link(Box::new(twin)))))
    }

    /// A setting written, where it has the other value now.
    pub(crate) fn turned(&self, name: &NetnsName, key: &str, from: i64, to: i64) -> Option<Vec<Change>> {
        (self.netns(name).sysctl(key) == Some(from)).then(|| self.set(name, key, to))
    }

    /// A device switched off, or off and on, and what the kernel does with it.
    pub(crate) fn switched(&self, name: &NetnsName, dev: &IfName, states: &[bool]) -> Vec<Change> {
        let set = |up: &bool| Action::SetLink { dev: dev.clone(), to: LinkSetting::Up(*up), from: None };
        self.done(name, states.iter().map(set))
    }

    /// The floating IP as an address of a device.
    pub(crate) fn held(&self, name: &NetnsName, dev: &IfName) -> Vec<Change> {
        let address = IpNet::from(self.floating);
        let like = self.netns(name).addrs().first().unwrap().clone();
        let addr = Addr { dev: dev.clone(), address, peer: None, broadcast: None, scope: 0, ..like };
        self.done(name, [Action::Add(Thing::Addr(addr))])
    }

    /// A chain of one of the agent's tables.
    pub(crate) fn chain(
        &self,
        name: &NetnsName,
        table: &str,
        chain: impl Fn(&AgentPrefix) -> String,
    ) -> Option<(TableAt, &'n Chain)> {
        let netfilter = self.netns(name).netfilter.seen()?;
        let tables = netfilter.nft.seen()?.iter().filter(|one| one.family == NfFamily::Ip && one.name == table);
        let mut found = tables.filter_map(|one| Some((one, AgentPrefix::detect(one)?)));
        let (found, prefix) = found.next()?;
        Some((at(table), found.chain(&chain(&prefix))?))
    }

    pub(crate) fn nf(
        name: &NetnsName,
        at: &TableAt,
        chain: &str,
        position: usize,
        rule: &NfRule,
        comes: bool,
    ) -> Change {
        let at = RuleAt { at: at.clone(), chain: chain.to_owned(), position };
        let object = Some(Object::NfRule(at, Box::new(rule.clone())));
        if comes { Self::change(name, None, object) } else { Self::change(name, object, None) }
    }

    /// Without the first rule of an agent's chain whose line has these words.
    pub(crate) fn without_nat(&self, chain: &str, words: &str) -> Option<Vec<Change>> {
        self.without_nat_in(&self.qrouter, chain, words)
    }

    pub(crate) fn without_nat_in(&self, name: &NetnsName, chain: &str, words: &str) -> Option<Vec<Change>> {
        let (at, chain) = self.chain(name, "nat", |prefix| prefix.chain(chain))?;
        let has = |rule: &NfRule| rule.line(&chain.name, NfFamily::Ip).to_string().contains(words);
        let position = chain.rules.iter().position(has)?;
        Some(vec![Self::nf(name, &at, &chain.name, position, &chain.rules[position], false)])
    }

    /// One rule more at the end of an agent's chain.
    pub(crate) fn with_nat(&self, chain: &str, words: &str) -> Option<Vec<Change>> {
        self.with_rule("nat", chain, words)
    }

    pub(crate) fn with_rule(&self, table: &str, chain: &str, words: &str) -> Option<Vec<Change>> {
        let (at, chain) = self.chain(&self.qrouter, table, |prefix| prefix.chain(chain))?;
        let (_, rule) = parse_rule(&format!("-A {} {words}", chain.name)).ok()?;
        Some(vec![Self::nf(&self.qrouter, &at, &chain.name, chain.rules.len(), &rule, true)])
    }

    /// A rule of nobody's that drops the instance's packets, in a table that comes
    /// with it where there is none.
    pub(crate) fn drop_forwarded(&self) -> Change {
        let (_, rule) = parse_rule(&format!("-A FORWARD -d {}/32 -j DROP", self.fixed)).unwrap();
        let netfilter = self.netns(&self.qrouter).netfilter.seen().unwrap();
        let filter =
            netfilter.nft.seen().unwrap().iter().find(|one| one.family == NfFamily::Ip && one.name == "filter");
        if filter.is_some_and(|table| table.chain("FORWARD").is_some()) {
            return Self::nf(&self.qrouter, &at("filter"), "FORWARD", 0, &rule, true);
        }
        let (kind, policy) = ("filter".to_owned(), Policy::Accept);
        let base = Some(BaseChain { hook: Hook::Forward, priority: 0, kind, policy, device: None });
        let chain = Chain { name: "FORWARD".to_owned(), base, counters: None, rules: vec![rule] };
        if filter.is_some() {
            return Self::change(&self.qrouter, None, Some(Object::Chain(at("filter"), Box::new(chain))));
        }
        let (family, name) = (NfFamily::Ip, "filter".to_owned());
        let table = Table { family, name, dormant: false, chains: vec![chain], others: Vec::new() };
        Self::change(&self.qrouter, None, Some(Object::Table(Backend::Nft, Box::new(table))))
    }
}

fn at(table: &str) -> TableAt {
    TableAt { backend: Backend::Nft, family: NfFamily::Ip, table: table.to_owned() }
}

pub(crate) fn one<T: Clone>(list: &[T], is_it: impl Fn(&T) -> bool, object: impl Fn(T) -> Object) -> Option<Object> {
    list.iter().find(|one| is_it(one)).cloned().map(object)
}

pub(crate) fn rule_object(rule: Rule) -> Object {
    Object::Rule(Box::new(rule))
}

pub(crate) fn route_object(route: Route) -> Object {
    Object::Route(Box::new(route))
}

pub(crate) fn everything() -> IpNet {
    "0.0.0.0/0".parse().unwrap()
}
