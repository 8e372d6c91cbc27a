//! The two devices of the pair: there, in the right namespaces, switched on.

use super::rebuild::rebuild;
use crate::check::view::{End, View, each};
use crate::check::{AgentDoes, Applicability, Findings, Scene};
use crate::net::{Change, IFF_LOWER_UP, IFF_UP, IfName, Link, NetnsName, Object, OperState, Peer};
use crate::topology::{FipKind, ObjectKind, ObjectRef};

/// DVR201.
pub(super) fn rfp_missing(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let reason = if view.rfp.link.is_some() {
            return;
        } else if view.fpr.link.is_some() {
            format!("{} stands in the fip namespace", view.fpr.name)
        } else if view.distributed().any(|fip| fip.kind == FipKind::Distributed) {
            "floating IPs are translated".to_owned()
        } else {
            return;
        };
        let message = format!("{reason}, but {} has no {}", view.qrouter, view.rfp.name);
        let finding = findings.fire(&view.subject(), Some(view.qrouter), link(&view.rfp), message);
        finding.values(format!("{} up with {}", view.rfp.name, address(view, true)), "no such device");
        finding.mend(rebuild(scene, view));
        if finding.mend.is_empty() {
            finding.applicability(Applicability::DisplayOnly);
        }
    });
}

/// DVR202: with the other end there; where both are gone it is DVR201.
pub(super) fn fpr_missing(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let Some(rfp) = view.rfp.link.filter(|_| view.fpr.link.is_none()) else { return };
        let actual = match &rfp.peer {
            Some(Peer::In(name, _)) => format!("its peer is in {name}"),
            Some(Peer::Host(_)) => "its peer is in the host's namespace".to_owned(),
            Some(Peer::Here(_)) => "its peer is in the router namespace itself".to_owned(),
            Some(Peer::Elsewhere) => "its peer is in a namespace without a name".to_owned(),
            None => "no fip namespace here has its peer".to_owned(),
        };
        let namespace = view.fip.as_ref().map(|fip| &fip.name).or_else(|| expecting(scene, &view.fpr.name));
        let message = format!("{} has no {} behind it: {actual}", view.rfp.name, view.fpr.name);
        let finding = findings.fire(&view.subject(), namespace, link(&view.fpr), message);
        finding.values(format!("{} up with {}, the peer of {}", view.fpr.name, address(view, false), rfp.name), actual);
        finding.mend(rebuild(scene, view));
        // The other end is taken from where somebody put it, or the half that is left
        // is deleted, and its peer with it, wherever that is.
        let may = if finding.mend.is_empty() { Applicability::DisplayOnly } else { Applicability::NeedsConsent };
        finding.applicability(may);
    });
}

/// The fip namespace that has a rule for the device, else the only one here.
fn expecting<'s>(scene: &Scene<'s>, device: &IfName) -> Option<&'s NetnsName> {
    let networks = &scene.topology.external_networks;
    let ruled = |namespace: &NetnsName| {
        let rules = scene.netns(namespace).map_or(&[][..], |netns| netns.rules());
        rules.iter().any(|rule| rule.iif.as_ref() == Some(device))
    };
    let only = || networks.first().filter(|_| networks.len() == 1);
    let found = networks.iter().find(|network| ruled(&network.namespace)).or_else(only);
    found.map(|network| &network.namespace)
}

/// DVR203.
pub(super) fn down(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let fip = view.fip.as_ref().map(|fip| &fip.name);
        for (end, peer, namespace, at_rfp) in
            [(&view.rfp, &view.fpr, Some(view.qrouter), true), (&view.fpr, &view.rfp, fip, false)]
        {
            let (Some(device), Some(namespace)) = (end.link.filter(|device| !device.is_up()), namespace) else {
                continue;
            };
            let message = format!("{} is switched off, which takes {} the carrier", end.name, peer.name);
            let finding = findings.fire(&view.subject(), Some(namespace), link(end), message);
            finding.values("UP", device.flag_words());
            // At a restart it sets the router's end up and leaves the other (observed).
            finding.agent(if at_rfp { AgentDoes::HealsOnRestart } else { AgentDoes::Never });
            let peer_up = peer.link.is_some_and(Link::is_up);
            finding.mend([switched_on(namespace, device, peer_up)]);
            finding.mend(if at_rfp { super::wanted::on_rfp(view) } else { super::wanted::on_fpr(view) });
        }
    });
}

/// The device switched on; it has a carrier where its peer is on.
fn switched_on(namespace: &NetnsName, device: &Link, carrier: bool) -> Change {
    let mut after = device.clone();
    after.flags |= IFF_UP;
    if carrier {
        after.flags |= IFF_LOWER_UP;
        after.state = OperState::Up;
    }
    let object = |link: Link| Object::Link(Box::new(link));
    Change::new(Some(namespace.clone()), Some(object(device.clone())), Some(object(after)))
}

fn link(end: &End<'_>) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Link, key: end.name.to_string() }
}

fn address(view: &View<'_>, at_rfp: bool) -> String {
    let pair = view.pair().map(|pair| if at_rfp { pair.rfp() } else { pair.fpr() });
    pair.map_or_else(|| "its link-local address".to_owned(), |address| format!("{address}/31"))
}
