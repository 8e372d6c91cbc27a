//! The addresses of the pair.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::check::view::{End, View, each, each_where};
use crate::check::{Applicability, Findings, Scene, Subject};
use crate::net::{Addr, Change, IfName, NetnsName, Object};
use crate::neutron::{LINK_LOCAL_POOL, LINK_LOCAL_POOL_OLD, Layout, LinkLocalPair};
use crate::topology::{ObjectKind, ObjectRef, Router};

/// A router with a pair: whether the file gives it to another, the index of fpr,
/// the router, the device.
type Holder = (bool, u32, Subject, String);

/// DVR204.
pub(super) fn missing(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        for (end, namespace, at_rfp) in ends(view) {
            if end.link.is_none() || !end.pairs().is_empty() {
                continue;
            }
            let wanted = view.pair().and_then(|pair| super::wanted::address(view, pair, at_rfp));
            let word = wanted.as_ref().map_or_else(|| "169.254.x.y/31".to_owned(), |addr| addr.address.to_string());
            let others = end.addrs.iter().filter(|addr| addr.address.addr().is_ipv4());
            let others: Vec<String> = others.map(|addr| addr.address.to_string()).collect();
            let actual = if others.is_empty() { "no address".to_owned() } else { others.join(", ") };
            let message = format!("{} has no link-local address: {word} is missing", end.name);
            let object = object(&word, end);
            let finding = findings.fire(&view.subject(), Some(namespace), object, message);
            finding.values(format!("{word} dev {}", end.name), actual);
            if let Some(addr) = wanted {
                finding.mend([Change::new(Some(namespace.clone()), None, Some(Object::Addr(addr)))]);
                finding.mend(if at_rfp { super::wanted::on_rfp(view) } else { super::wanted::on_fpr(view) });
            }
        }
    });
}

/// DVR205: both ends have an address, and not of one /31, or each has the other's.
pub(super) fn mismatch(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let Some(pair) = view.pair() else { return };
        if view.rfp.pairs().is_empty() || view.fpr.pairs().is_empty() {
            return;
        }
        for (end, namespace, at_rfp) in ends(view) {
            let Some(wanted) = super::wanted::address(view, pair, at_rfp) else { continue };
            let pairs = end.addrs.iter().filter(|addr| LinkLocalPair::of_net(addr.address).is_some());
            let pairs: Vec<&Addr> = pairs.copied().collect();
            if pairs.iter().any(|addr| addr.address == wanted.address) {
                continue;
            }
            let found: Vec<String> = pairs.iter().map(|addr| addr.address.to_string()).collect();
            let found = found.join(", ");
            let message = format!("{} has {found}, but the pair is {pair}", end.name);
            let object = object(&wanted.address.to_string(), end);
            let finding = findings.fire(&view.subject(), Some(namespace), object, message);
            finding.values(format!("{} dev {}", wanted.address, end.name), found);
            let gone = pairs
                .iter()
                .map(|addr| Change::new(Some(namespace.clone()), Some(Object::Addr((*addr).clone())), None));
            finding.mend(gone.collect::<Vec<_>>());
            finding.mend([Change::new(Some(namespace.clone()), None, Some(Object::Addr(wanted)))]);
            finding.mend(super::wanted::on_end_afresh(view, at_rfp));
        }
    });
}

/// DVR206: of the routers of one fip namespace that share a pair, all but the one
/// that the agent's file gives it to, else all but the first by device index.
pub(super) fn shared(scene: &Scene<'_>, findings: &mut Findings) {
    let mut holders: BTreeMap<(NetnsName, LinkLocalPair), Vec<Holder>> = BTreeMap::new();
    let sharing = sharing(scene);
    let is_sharing = |router: &Router| router.fip_2_rtr.as_ref().is_some_and(|end| sharing.contains(&end.device));
    each_where(scene, findings, is_sharing, |view, _| {
        let (Some(fip), Some(link)) = (&view.fip, view.fpr.link) else { return };
        for pair in view.fpr.pairs() {
            let holder = (view.written != Some(pair), link.index, view.subject(), link.name.to_string());
            holders.entry((fip.name.clone(), pair)).or_default().push(holder);
        }
    });
    for ((namespace, pair), mut routers) in holders {
        routers.sort_by_key(|(foreign, index, ..)| (*foreign, *index));
        let Some(((_, _, _, owner), others)) = routers.split_first() else { continue };
        for (_, _, subject, device) in others {
            let key = format!("{pair} dev {device}");
            let message = format!("{device} has the pair {pair}, which {owner} has too");
            let object = ObjectRef { kind: ObjectKind::Addr, key };
            let finding = findings.fire(subject, Some(&namespace), object, message);
            finding.values("a pair of its own", format!("{pair}, as {owner}"));
            // A free pair is the agent's to give: it has the pool in memory.
            finding.applicability(Applicability::DisplayOnly);
        }
    }
}

/// Devices in fip namespaces that have a pair which another one there has too.
fn sharing<'s>(scene: &Scene<'s>) -> HashSet<&'s IfName> {
    let mut sharing = HashSet::new();
    for (_, _, netns) in scene.fip_places() {
        let mut first: HashMap<LinkLocalPair, &IfName> = HashMap::new();
        for addr in netns.seen().into_iter().flat_map(|netns| netns.addrs()) {
            let Some(pair) = LinkLocalPair::of_net(addr.address) else { continue };
            let holder = *first.entry(pair).or_insert(&addr.dev);
            if holder != &addr.dev {
                sharing.extend([holder, &addr.dev]);
            }
        }
    }
    sharing
}

/// DVR207.
pub(super) fn surplus(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let Some(pair) = view.pair() else { return };
        for (end, namespace, _) in ends(view) {
            if !end.pairs().contains(&pair) {
                continue;
            }
            for addr in &end.addrs {
                let surplus = LinkLocalPair::of_net(addr.address).filter(|other| *other != pair);
                let Some(other) = surplus.filter(|_| is_pool(addr)) else { continue };
                let message = format!("{} has {} beside its own pair {pair}", end.name, addr.address);
                let object = object(&addr.address.to_string(), end);
                let finding = findings.fire(&view.subject(), Some(namespace), object, message);
                finding.values(pair.to_string(), format!("{pair} and {other}"));
                let gone = Some(Object::Addr((*addr).clone()));
                finding.mend([Change::new(Some(namespace.clone()), gone, None)]);
            }
        }
    });
}

/// DVR211: from 8.3.0 the agent puts no floating IP on rfp.
pub(super) fn left_over(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        if view.router.layout == Some(Layout::Juno) {
            return;
        }
        for addr in view.rfp.addrs.iter().filter(|addr| addr.address.prefix_len() == 32 && addr.scope == 0) {
            let held = view.fips.iter().find(|fip| fip.floating_ip == Some(addr.address.addr()));
            let subject = held.map_or_else(|| view.subject(), |fip| Subject::floating_ip(fip));
            let message = format!("{} is an address of {}, where only the pair belongs", addr.address, addr.dev);
            let object = object(&addr.address.to_string(), &view.rfp);
            let finding = findings.fire(&subject, Some(view.qrouter), object, message);
            finding.values(format!("no /32 on {}", addr.dev), addr.address.to_string());
            let gone = Some(Object::Addr((*addr).clone()));
            finding.mend([Change::new(Some(view.qrouter.clone()), gone, None)]);
        }
    });
}

/// Both ends with the namespaces that they stand in.
fn ends<'v, 's>(view: &'v View<'s>) -> impl Iterator<Item = (&'v End<'s>, &'v NetnsName, bool)> {
    let fip = view.fip.as_ref().map(|fip| (view.fpr.as_ref(), &fip.name, false));
    [(view.rfp.as_ref(), view.qrouter, true)].into_iter().chain(fip)
}

fn is_pool(addr: &Addr) -> bool {
    match addr.address.addr() {
        std::net::IpAddr::V4(address) => LINK_LOCAL_POOL.contains(&address) || LINK_LOCAL_POOL_OLD.contains(&address),
        std::net::IpAddr::V6(_) => false,
    }
}

fn object(address: &str, end: &End<'_>) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Addr, key: format!("{address} dev {}", end.name) }
}
