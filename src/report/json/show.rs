//! `fipscope.show/1`.

use serde::Serialize;

use super::list::FloatingIp;
use super::{Head, document};
use crate::net::{NetnsName, Snapshot};
use crate::topology::{ChainLink, LinkName, LinkState, ObjectRef};

#[derive(Serialize)]
struct Show<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(flatten)]
    floating_ip: FloatingIp<'a>,
    outbound: Vec<Link<'a>>,
    inbound: Vec<Link<'a>>,
    /// The findings about it; none as long as there are no checks.
    findings: [&'static str; 0],
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
pub fn show(snapshot: &Snapshot, fip: &crate::topology::FloatingIp) -> String {
    document(&Show {
        head: Head::new("fipscope.show/1", snapshot),
        floating_ip: FloatingIp::of(fip),
        outbound: fip.outbound.iter().map(Link::of).collect(),
        inbound: fip.inbound.iter().map(Link::of).collect(),
        findings: [],
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
