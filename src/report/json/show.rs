//! `fipscope.show/1`.

use serde::Serialize;

use super::check::Finding;
use super::list::FloatingIp;
use super::{Head, document};
use crate::net::{NetnsName, Snapshot};
use crate::report::Judged;
use crate::topology::{ChainLink, LinkName, LinkState, ObjectRef, Topology};

#[derive(Serialize)]
struct Show<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(flatten)]
    floating_ip: FloatingIp<'a>,
    outbound: Vec<Link<'a>>,
    inbound: Vec<Link<'a>>,
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the promised ones")]
struct Link<'a> {
    link: LinkName,
    namespace: &'a NetnsName,
    object: &'a ObjectRef,
    state: LinkState,
    expected: Option<&'a str>,
    actual: Option<&'a str>,
}

/// The whole chain of one floating IP.
pub fn show(snapshot: &Snapshot, topology: &Topology, fip: &crate::topology::FloatingIp, judged: Judged<'_>) -> String {
    let standing = judged.standing(topology, fip);
    document(&Show {
        head: Head::new("fipscope.show/1", snapshot),
        floating_ip: FloatingIp::of(fip, &standing),
        outbound: fip.outbound.iter().map(Link::of).collect(),
        inbound: fip.inbound.iter().map(Link::of).collect(),
        findings: standing.findings.iter().map(|finding| Finding::of(finding, judged, snapshot)).collect(),
    })
}

impl<'a> Link<'a> {
    fn of(link: &'a ChainLink) -> Self {
        Self {
            link: link.link,
            namespace: &link.namespace,
            object: &link.object,
            state: link.state,
            expected: link.expected.as_deref(),
            actual: link.actual.as_deref(),
        }
    }
}
