//! One step of each kind.

use fipscope::net::netfilter::Backend;
use fipscope::net::{Addr, AddrFlags, Family, IfName, Mac, Neigh, NeighState, Route, RouteKind, Rule, TableId};
use fipscope::plan::{Action, ChainEdit, LinkSetting, Object, Place, TableEdit, Veth, VethEnd};

pub(crate) fn steps() -> Vec<(Place, Action)> {
    let (router, fip) = (Place::netns("qrouter-1"), Place::netns("fip-x"));
    let [rfp, qr, fpr] = ["rfp-1", "qr-1", "fpr-1"].map(IfName::from);
    let mut steps: Vec<(Place, Action)> =
        addresses(&rfp, &qr).into_iter().map(|action| (router.clone(), action)).collect();
    steps.extend(routing(&rfp, &qr).into_iter().map(|action| (router.clone(), action)));
    steps.extend(neighbours(&qr).into_iter().map(|action| (router.clone(), action)));
    let link = |dev: &IfName, to, from| Action::SetLink { dev: dev.clone(), to, from: Some(from) };
    let macs = [Mac([0xfa, 0x16, 0x3e, 0, 1, 1]), Mac([0xfa, 0x16, 0x3e, 0, 1, 2])];
    let on_off = [LinkSetting::Up(false), LinkSetting::Up(true)];
    for (place, dev) in [(&router, &rfp), (&fip, &fpr), (&router, &qr)] {
        steps.push((place.clone(), link(dev, on_off[0].clone(), on_off[1].clone())));
    }
    steps.push((router.clone(), link(&rfp, LinkSetting::Mtu(1400), LinkSetting::Mtu(1500))));
    steps.push((router.clone(), link(&qr, LinkSetting::Mac(macs[0]), LinkSetting::Mac(macs[1]))));
    let settings = [
        (&router, "net.ipv4.ip_forward", 1, 0),
        (&fip, "net.ipv4.conf.all.forwarding", 1, 0),
        (&fip, "net.ipv4.conf.fpr-1.proxy_arp", 1, 0),
        (&router, "net.ipv4.conf.rfp-1.rp_filter", 1, 0),
        (&router, "net.ipv4.conf.all.rp_filter", 2, 0),
        (&router, "net.ipv4.conf.rfp-1.forwarding", 1, 0),
        (&fip, "net.ipv4.ip_nonlocal_bind", 1, 0),
    ];
    for (place, key, to, from) in settings {
        steps.push((place.clone(), Action::Sysctl { key: key.to_owned(), to, from: Some(from) }));
    }
    steps.push((router, Action::Netfilter(filter())));
    steps
}

/// Devices and a namespace that come and go, with what stands on them.
pub(crate) fn story() -> Vec<(Place, Action)> {
    let (router, fip) = (Place::netns("qrouter-1"), Place::netns("fip-x"));
    let [rfp, fpr] = ["rfp-2", "fpr-2"].map(IfName::from);
    let mac = Mac([0xfa, 0x16, 0x3e, 0, 2, 1]);
    let pair = |end: &IfName, other: &IfName, place: &Place| {
        Object::Veth(Veth {
            end: VethEnd::named(end.as_str()).with_mac(mac),
            peer_netns: place.clone(),
            peer: VethEnd::named(other.as_str()).with_mtu(Some(1450)),
        })
    };
    let addr = |dev: &IfName, address: &str| {
        let (dev, address) = (dev.clone(), address.parse().unwrap());
        Action::Add(Object::Addr(Addr {
            dev,
            address,
            peer: None,
            broadcast: None,
            scope: 0,
            flags: AddrFlags::default(),
        }))
    };
    let via = Some("169.254.99.1".parse().unwrap());
    let default = Route { protocol: 4, ..Route::unicast(TableId(17), "0.0.0.0/0".parse().unwrap(), via, &rfp) };
    let rule = Rule { iif: Some(fpr.clone()), ..Rule::lookup(Family::V4, 40003, TableId(17)) };
    let neigh = Neigh {
        dev: fpr.clone(),
        address: "169.254.99.0".parse().unwrap(),
        mac: Some(mac),
        state: NeighState::Permanent,
        proxy: false,
    };
    let before = "192.168.1.9/32".parse().unwrap();
    let mut sent = Route { protocol: 4, ..Route::unicast(TableId::MAIN, before, via, &"fpr-1".into()) };
    sent.next_hops[0].via = Some("169.254.88.134".parse().unwrap());
    sent.pref_src = Some("169.254.99.1".parse().unwrap());
    vec![
        (fip.clone(), Action::Add(Object::Rule(rule))),
        (router.clone(), Action::Add(pair(&rfp, &fpr, &fip))),
        (router.clone(), addr(&rfp, "169.254.99.0/31")),
        (router.clone(), Action::up(&rfp)),
        (fip.clone(), Action::up(&fpr)),
        (fip.clone(), addr(&fpr, "169.254.99.1/31")),
        (router.clone(), Action::Add(Object::Route(default))),
        (fip.clone(), Action::Add(Object::Neigh(neigh))),
        (fip.clone(), Action::Add(Object::Route(sent))),
        // To another namespace, switched on and with all that stands on it; and back.
        (router.clone(), Action::Move { dev: fpr.clone(), from: fip.clone(), to: router.clone() }),
        (router.clone(), Action::up(&fpr)),
        (fip.clone(), Action::Move { dev: fpr.clone(), from: router.clone(), to: fip.clone() }),
        (fip.clone(), Action::up(&fpr)),
        // By its far end.
        (fip.clone(), Action::Delete(pair(&fpr, &rfp, &router))),
        (router.clone(), Action::Add(pair(&rfp, &fpr, &router))),
        (router.clone(), Action::up(&rfp)),
        (router.clone(), Action::up(&fpr)),
        (router.clone(), Action::Delete(pair(&rfp, &fpr, &router))),
        (Place::Host, Action::Delete(Object::Netns("fip-x".into()))),
    ]
}

fn addresses(rfp: &IfName, qr: &IfName) -> Vec<Action> {
    let addr = |dev: &IfName, address: &str, broadcast: Option<&str>| {
        let broadcast = broadcast.map(|address| address.parse().unwrap());
        let (dev, address) = (dev.clone(), address.parse().unwrap());
        Object::Addr(Addr { dev, address, peer: None, broadcast, scope: 0, flags: AddrFlags::default() })
    };
    vec![
        Action::Add(addr(rfp, "192.168.1.3/32", None)),
        Action::Add(addr(qr, "10.9.0.1/24", Some("10.9.0.255"))),
        Action::Add(addr(qr, "10.8.0.1/30", None)),
        Action::Add(addr(qr, "10.0.0.77/24", None)),
        Action::Delete(addr(qr, "10.0.0.1/24", Some("10.0.0.255"))),
        Action::Delete(addr(rfp, "169.254.88.134/31", None)),
    ]
}

fn routing(rfp: &IfName, qr: &IfName) -> Vec<Action> {
    let route = |table: u32, dst: &str, via: Option<&str>, dev: &IfName, scope: u8| {
        let via = via.map(|via| via.parse().unwrap());
        let mut route = Route::unicast(TableId(table), dst.parse().unwrap(), via, dev);
        (route.scope, route.protocol) = (scope, 3);
        route
    };
    let mut blackhole = route(16, "198.51.100.0/24", None, rfp, 0);
    (blackhole.kind, blackhole.next_hops) = (RouteKind::Blackhole, Vec::new());
    let default = route(16, "0.0.0.0/0", Some("169.254.88.135"), rfp, 0);
    let other = route(16, "0.0.0.0/0", Some("10.0.0.3"), qr, 0);
    let mut rule = Rule::lookup(Family::V4, 40001, TableId(16));
    rule.from = Some("10.0.0.5/32".parse().unwrap());
    let mut absent = Rule::lookup(Family::V4, 40002, TableId(17));
    absent.iif = Some(IfName::from("gone"));
    vec![
        Action::Add(Object::Route(route(254, "10.4.0.0/24", Some("10.0.0.2"), qr, 0))),
        Action::Add(Object::Route(route(70000, "10.5.0.0/24", None, qr, 253))),
        Action::Add(Object::Route(blackhole)),
        Action::Delete(Object::Route(default.clone())),
        Action::ReplaceRoute { to: other, from: Some(default) },
        Action::Add(Object::Rule(rule)),
        Action::Add(Object::Rule(absent)),
    ]
}

fn neighbours(qr: &IfName) -> Vec<Action> {
    let neigh = |address: &str, proxy: bool| Neigh {
        dev: qr.clone(),
        address: address.parse().unwrap(),
        mac: (!proxy).then_some(Mac([0xfa, 0x16, 0x3e, 0, 0, 7])),
        state: if proxy { NeighState::None } else { NeighState::Permanent },
        proxy,
    };
    [neigh("10.0.0.7", false), neigh("192.168.1.9", true)].map(|neigh| Action::Add(Object::Neigh(neigh))).to_vec()
}

fn filter() -> TableEdit {
    let mut filter = TableEdit::new(Backend::Nft, "nat");
    filter.chain("more");
    filter.append("more", "-s 10.0.0.4/32 -m comment --comment \"two words\" -j SNAT --to-source 192.168.1.3");
    let gone = "-d 192.168.1.3/32 -i rfp-1 -j DNAT --to-destination 10.0.0.4".to_owned();
    filter.edits.push(ChainEdit::Delete { chain: "agent".to_owned(), at: Some(1), rule: gone });
    let come = "-d 192.168.1.5/32 -j DNAT --to-destination 10.0.0.8".to_owned();
    filter.edits.push(ChainEdit::Add { chain: "agent".to_owned(), at: Some(2), rule: come });
    filter
}
