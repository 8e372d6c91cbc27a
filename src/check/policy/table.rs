//! Table 16: one default route, into the pair.

use crate::check::pair::{default_16, default_16_change};
use crate::check::view::each;
use crate::check::{Findings, Scene, Severity};
use crate::net::RouteKind;
use crate::topology::{ObjectKind, ObjectRef};

/// DVR305.
pub(super) fn default_wrong(scene: &Scene<'_>, findings: &mut Findings) {
    each(scene, findings, |view, findings| {
        // Without a pair there is nowhere to lead: DVR201.
        let (Some(_), Some(wanted)) = (view.rfp.link, default_16(view)) else { return };
        let found = view.default_16();
        let right = found.is_some_and(|route| {
            route.kind == RouteKind::Unicast && {
                let hops = (route.dev(), route.via());
                hops == (wanted.dev(), wanted.via())
            }
        });
        if right {
            return;
        }
        let message = match found {
            Some(route) => format!("the default route of table 16 is {}, not {}", route.brief(), wanted.brief()),
            None => format!("table 16 has no default route to {}", view.fpr.name),
        };
        let key = format!("default table {}", crate::neutron::FIP_TABLE);
        let object = ObjectRef { kind: ObjectKind::Route, key };
        let finding = findings.fire(&view.subject(), Some(view.qrouter), object, message);
        finding.values(wanted.to_string(), found.map_or_else(|| "no default route".to_owned(), ToString::to_string));
        finding.mend(default_16_change(view));
        match view.distributed().next() {
            Some(fip) => {
                (finding.floating_ip, finding.fixed_ip) = (fip.floating_ip, fip.fixed_ip);
                if let Some(fixed) = fip.fixed_ip {
                    finding.question(super::rule::question(scene, view, fixed));
                }
            }
            // Nothing asks the table yet; the next floating IP will.
            None => {
                finding.at_most(Severity::Warning);
            }
        }
    });
}
