//! Who has a floating IP already: the question that is put to the external
//! network before it is announced there.

use std::net::Ipv4Addr;

use super::super::{Action, Plan};
use crate::net::{ArpQuestion, Snapshot, WireQuestion};

/// So many of those who answer are waited for.
const MOST_ANSWERS: u8 = 4;

/// The probe (RFC 5227) for the address that a plan announces, on the link on
/// which it does. `None` where nothing is to be announced, or a step of the plan
/// asks; the error says why it cannot be asked.
pub fn who_has(plan: &Plan, snapshot: &Snapshot) -> Option<Result<WireQuestion, String>> {
    let (namespace, device, target) = plan.to_do().find_map(|step| match &step.action {
        Action::Announce { dev, address, .. } => Some((step.netns.name()?, dev, *address)),
        _ => None,
    })?;
    if plan.to_do().any(|step| matches!(step.action, Action::Probe { .. })) {
        return None;
    }
    if snapshot.netns(namespace).and_then(|netns| netns.link(device)).is_none() {
        return Some(Err(format!("{device} does not stand yet")));
    }
    let (namespace, device) = (namespace.clone(), device.clone());
    let (sender, replies) = (Ipv4Addr::UNSPECIFIED, MOST_ANSWERS);
    Some(Ok(WireQuestion::Arp(ArpQuestion { namespace, device, sender, target, replies })))
}
