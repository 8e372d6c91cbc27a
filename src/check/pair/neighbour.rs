//! What each end of the pair knows of the other.

use super::wanted;
use crate::check::view::each;
use crate::check::{Findings, Scene, Severity};
use crate::net::{NeighState, Object};
use crate::topology::{ObjectKind, ObjectRef};

/// DVR208: a permanent entry with another hardware address than the peer's loses
/// everything; a missing one only costs ARP, and is worth a warning where this
/// node's agent sets such entries.
pub(super) fn wrong(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        let Some(pair) = view.pair() else { return };
        for (at_rfp, end, peer, address) in
            [(true, &view.rfp, &view.fpr, pair.fpr()), (false, &view.fpr, &view.rfp, pair.rfp())]
        {
            let ready = |addrs: &[&crate::net::Addr]| !addrs.is_empty();
            let (Some(_), Some(other)) = (end.link, peer.link) else { continue };
            let Some(change) = wanted::neighbour(view, at_rfp).filter(|_| ready(&end.addrs)) else { continue };
            let Some(Object::Neigh(after)) = &change.after else { continue };
            let before = end.neighs.iter().find(|neigh| neigh.address == address && !neigh.proxy);
            let (message, severity) = match before {
                Some(neigh) if neigh.state == NeighState::Permanent => (
                    format!("{} sends to {}, but {} has {}", end.name, mac(neigh.mac), peer.name, mac(other.mac)),
                    Severity::Error,
                ),
                Some(neigh) if neigh.mac.is_some() => (
                    format!(
                        "{} learned {} for {address}, but {} has {}",
                        end.name,
                        mac(neigh.mac),
                        peer.name,
                        mac(other.mac)
                    ),
                    Severity::Warning,
                ),
                // Asked and not answered: the fault is elsewhere.
                Some(_) => continue,
                None => (
                    format!(
                        "{} has no entry for {address} and has to ask by ARP, which this agent spares it",
                        end.name
                    ),
                    Severity::Warning,
                ),
            };
            let namespace = change.netns.clone();
            let object = ObjectRef { kind: ObjectKind::Neigh, key: format!("{address} dev {}", end.name) };
            let finding = findings.fire(&view.subject(), namespace.as_ref(), object, message);
            let actual = before.map_or_else(|| "no entry".to_owned(), ToString::to_string);
            finding.values(after.to_string(), actual).at_most(severity).mend([change]);
        }
    });
}

fn mac(mac: Option<crate::net::Mac>) -> String {
    mac.map_or_else(|| "no hardware address".to_owned(), |mac| mac.to_string())
}
