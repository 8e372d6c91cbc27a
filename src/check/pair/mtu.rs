//! MTUs along the pair.

use crate::check::view::{View, each};
use crate::check::{Findings, Scene};
use crate::net::{Change, Link, NetnsName, Object};
use crate::topology::{ObjectKind, ObjectRef};

/// DVR209: a veth drops what its peer cannot take, and tells nobody.
pub(super) fn mismatch(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let (Some(rfp), Some(fpr), Some(fip)) = (view.rfp.link, view.fpr.link, &view.fip) else { return };
        if rfp.mtu == fpr.mtu {
            return;
        }
        // The agent gives both the external port's.
        let right = outer(view).map_or_else(|| rfp.mtu.max(fpr.mtu), |fg| fg.mtu);
        let wrong_one = if rfp.mtu == right { (fpr, &fip.name) } else { (rfp, view.qrouter) };
        let message = format!("{} has mtu {} and {} has mtu {}", rfp.name, rfp.mtu, fpr.name, fpr.mtu);
        let finding = findings.fire(&view.subject(), Some(wrong_one.1), object(wrong_one.0), message);
        finding.values(format!("mtu {right} at both ends"), format!("mtu {}", wrong_one.0.mtu));
        for (link, namespace) in [(rfp, view.qrouter), (fpr, &fip.name)] {
            finding.mend(set(link, namespace, right));
        }
    });
}

/// DVR210: both ends of the pair are narrower than the instance's side and the
/// external side, so that full-sized packets need a signal to get smaller.
pub(super) fn shrinks(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let (Some(rfp), Some(fpr), Some(fip)) = (view.rfp.link, view.fpr.link, &view.fip) else { return };
        let Some(fg) = outer(view).filter(|fg| rfp.mtu == fpr.mtu && rfp.mtu < fg.mtu) else { return };
        let ports = view.subnets().filter_map(|(device, _)| view.netns.link(device));
        let Some(port) = ports.max_by_key(|port| port.mtu).filter(|port| port.mtu > rfp.mtu) else { return };
        let message = format!(
            "{} and {} have mtu {}, but {} has {} and {} has {}",
            rfp.name, fpr.name, rfp.mtu, port.name, port.mtu, fg.name, fg.mtu
        );
        let finding = findings.fire(&view.subject(), Some(view.qrouter), object(rfp), message);
        finding.values(format!("mtu {}, that of {}", fg.mtu, fg.name), format!("mtu {}", rfp.mtu));
        finding.mend(set(rfp, view.qrouter, fg.mtu)).mend(set(fpr, &fip.name, fg.mtu));
    });
}

/// The external port, where there is one alone.
fn outer<'s>(view: &View<'s>) -> Option<&'s Link> {
    match view.fip.as_ref()?.gateways[..] {
        [only] => Some(only),
        _ => None,
    }
}

fn set(link: &Link, namespace: &NetnsName, mtu: u32) -> Option<Change> {
    let object = |link: Link| Object::Link(Box::new(link));
    let after = Link { mtu, ..link.clone() };
    (link.mtu != mtu).then(|| Change::new(Some(namespace.clone()), Some(object(link.clone())), Some(object(after))))
}

fn object(link: &Link) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Link, key: link.name.to_string() }
}
