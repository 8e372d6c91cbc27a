//! The agent itself, names that lead nowhere, and routers that it left half built.

use super::super::{Findings, Scene, Severity, Subject};
use super::is_distributed;
use crate::net::{Observed, PathOrigin, Route, TableId};
use crate::neutron::{FIP_TABLE, LinkLocalPair, NamespaceKind, RouterPrefix, parse_namespace};
use crate::topology::{NodeKind, ObjectKind, ObjectRef, Router};

/// How a reading says that nothing is mounted on a namespace's name.
const DANGLING: &str = "is not a network namespace";

/// DVR107: a name of the L3 agent's with nothing mounted on it. Where it could
/// not be entered for another reason, nobody knows what is inside.
pub(super) fn dangling(scene: &Scene<'_>, findings: &mut Findings) {
    for (name, netns) in &scene.snapshot.namespaces {
        let (Observed::Unreadable(why), Some((kind, id))) = (netns, parse_namespace(name)) else { continue };
        let subject = match kind {
            NamespaceKind::Router | NamespaceKind::Snat => {
                Subject { router: Some(id.to_owned()), ..Subject::default() }
            }
            NamespaceKind::Fip => Subject { external_network: Some(id.to_owned()), ..Subject::default() },
            NamespaceKind::Dhcp | NamespaceKind::OvnMetadata => continue,
        };
        let object = ObjectRef { kind: ObjectKind::Netns, key: name.as_str().to_owned() };
        if why.contains(DANGLING) {
            let message = format!("the name {name} stands, and no namespace is behind it");
            findings
                .fire(&subject, Some(name), object, message)
                .values("a namespace mounted on the name", "a plain file");
        } else {
            findings.cannot_tell(&subject, Some(name), object, format!("{name} could not be entered: {why}"));
        }
    }
}

/// DVR108: namespaces of the L3 agent and no agent. A warning only where its
/// configuration was found: else the agent may be one that we cannot see.
pub(super) fn agent(scene: &Scene<'_>, findings: &mut Findings) {
    let host = &scene.snapshot.host;
    if scene.topology.kind != NodeKind::L3 {
        return;
    }
    let object = ObjectRef { kind: ObjectKind::File, key: "neutron-l3-agent".to_owned() };
    match &host.agent {
        Observed::Seen(_) => {}
        Observed::Unreadable(why) => {
            findings.cannot_tell(&Subject::node(), None, object, format!("processes could not be read: {why}"));
        }
        Observed::Absent => {
            let message = "namespaces of the L3 agent stand here, and no L3 agent runs: nothing new arrives";
            let finding = findings.fire(&Subject::node(), None, object, message);
            finding.values("a process neutron-l3-agent", "none");
            if host.path_origin != PathOrigin::Configuration {
                finding.at_most(Severity::Note);
            }
        }
    }
}

/// DVR109: both ends of the pair stand, and of what the agent makes next (the
/// rule for fpr, its table, table 16) nothing does. No single fault does that.
pub(super) fn half_built(scene: &Scene<'_>, findings: &mut Findings) {
    for router in scene.routers.iter().filter(|router| is_distributed(router)) {
        let Some(namespace) = &router.namespace else { continue };
        let Some(missing) = unbuilt(scene, router) else { continue };
        let object = ObjectRef { kind: ObjectKind::Netns, key: namespace.as_str().to_owned() };
        let message = format!("router {} is half built: its pair stands, and there is no {}", router.id, missing);
        findings
            .fire(&Subject::router(router), Some(namespace), object, message)
            .values("the pair, its addresses, the rule for fpr, its table, table 16", format!("no {missing}"));
    }
}

/// What is missing behind a standing pair, where that is all of it.
fn unbuilt(scene: &Scene<'_>, router: &Router) -> Option<String> {
    let (rfp, fpr) = (router.rtr_2_fip.as_ref()?, router.fip_2_rtr.as_ref()?);
    let network = scene.network(router.external_network.as_ref()?)?;
    network.gateway_port.as_ref()?;
    let qrouter = scene.netns(router.namespace.as_ref()?)?;
    let fip = scene.netns(&network.namespace)?;
    let (near, far) = (qrouter.routes.seen()?, fip.routes.seen()?);
    fip.rules.seen()?;
    let ruled = || fip.rules().iter().any(|rule| rule.iif.as_ref() == Some(&RouterPrefix::of(&router.id).fpr()));
    // A device that is down took its routes along: that is another finding.
    let up = [(router.namespace.as_ref()?, rfp), (&network.namespace, fpr)]
        .iter()
        .all(|(name, end)| scene.link(name, &end.device).is_some_and(|link| link.is_up() && link.has_carrier()));
    let address = rfp.address.or(fpr.address).and_then(LinkLocalPair::of_net);
    let default = |routes: &[Route], table: TableId| {
        // Sorted by table.
        let first = routes.partition_point(|route| route.table < table);
        let of_table = routes.iter().skip(first).take_while(|route| route.table == table);
        of_table.into_iter().any(|route| route.is_default() && route.dst.addr().is_ipv4())
    };
    // The router's own namespace is the small one: it is asked first.
    let own = || address.is_some_and(|pair| default(far, pair.table()));
    let any = default(near, FIP_TABLE) || own() || default(far, TableId::MAIN) || ruled();
    let nothing = "rule for fpr, no default in its table, no default in table 16";
    match (any || !up, rfp.address.is_none() && fpr.address.is_none()) {
        (true, _) => None,
        (false, true) => Some(format!("address on it, no {nothing}")),
        (false, false) => Some(nothing.to_owned()),
    }
}
