//! DVR414: instances that cannot reach the metadata service.

use super::Place;
use crate::check::{Findings, Scene, Subject};
use crate::net::netfilter::{Match, NfRule, Target};
use crate::net::{Netns, NetnsName};
use crate::neutron::{Layout, METADATA_ADDRESS};
use crate::topology::{ObjectKind, ObjectRef};

/// DVR414: the redirect is gone while other rules for metadata stand in the
/// namespace. Where there are none, metadata comes another way, or not at all.
pub(in crate::check) fn redirect(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers {
        let Some(namespace) = &router.namespace else { continue };
        let Some(netns) = scene.netns(namespace) else { continue };
        let Some(place) = Place::of_agent(namespace, netns, "nat") else { continue };
        let Some(chain) = place.own_chain("PREROUTING") else { continue };
        let is_there = chain.rules.iter().any(is_redirect);
        let Some(trace) = trace(namespace, netns).filter(|_| !is_there) else { continue };
        let device = if router.layout == Some(Layout::Juno) { "" } else { "-i qr-+ " };
        let wanted = format!(
            "-A {} -d {METADATA_ADDRESS}/32 {device}-p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697",
            chain.name
        );
        let object = ObjectRef { kind: ObjectKind::Nat, key: format!("REDIRECT {METADATA_ADDRESS}") };
        let message = format!("instances do not reach {METADATA_ADDRESS}: nothing redirects them to the proxy");
        findings
            .fire(&Subject::router(router), Some(namespace), object, message)
            .values(wanted.clone(), format!("no such rule, while \"{trace}\" stands"))
            .mend(place.insert_line(&wanted, usize::MAX));
    }
}

fn is_redirect(rule: &NfRule) -> bool {
    rule.body.words().is_some_and(|words| {
        matches!(words.target, Some(Target::Redirect { .. })) && words.destination() == Some(METADATA_ADDRESS.into())
    })
}

/// The rule for metadata in another table.
fn trace(namespace: &NetnsName, netns: &Netns) -> Option<String> {
    let marks = |rule: &NfRule| {
        rule.body.words().is_some_and(|words| {
            let to_proxy = words
                .matches
                .iter()
                .any(|one| matches!(one, Match::Ports { dport: Some(port), .. } if port.port.from == 9697));
            to_proxy || words.destination() == Some(METADATA_ADDRESS.into())
        })
    };
    [("mangle", "PREROUTING"), ("filter", "INPUT")].into_iter().find_map(|(table, name)| {
        let place = Place::of_agent(namespace, netns, table)?;
        let chain = place.own_chain(name)?;
        let rule = chain.rules.iter().find(|rule| marks(rule))?;
        Some(super::place::line(&chain.name, rule))
    })
}
