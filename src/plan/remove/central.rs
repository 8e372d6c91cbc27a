//! A floating IP of a gateway port taken away: its address first, which is what
//! answers for it, then what translates.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::Applicability;
use crate::net::{Addr, FileName};
use crate::neutron::PriorityEntry;
use crate::topology::FloatingIp;

use super::super::associate::{Seat, is_written};
use super::super::future::foretell;
use super::super::{Action, AgentCase, CaseKind, Neutron, Object, Plan, Refused, Told, fit};
use super::{Gone, Remove, filter, lines};

/// The plan. The rule of its fixed IP that some agents leave in the router's
/// namespace goes, too: it belongs to nothing else.
pub(super) fn remove(gone: &Gone<'_>, seat: &Seat<'_>, fip: &FloatingIp, wanted: &Remove) -> Result<Plan, Refused> {
    let (floating, place) = (wanted.floating_ip, seat.place());
    if wanted.with_pair {
        return Err(Refused::NotDistributed(format!("{floating} is done on {}, without a pair", seat.port.device)));
    }
    let mut plan = Plan::new(format!("Remove {floating} from the gateway port of the router {}", seat.site.router.id));
    let is_its = |addr: &&Addr| addr.dev == seat.port.device && addr.address == IpNet::from(floating);
    for addr in seat.netns.addrs().iter().filter(is_its) {
        plan.push(&place, Action::Delete(Object::Addr(addr.clone())));
    }
    for rule in gone.rules() {
        plan.push(&seat.site.router_place(), Action::Delete(Object::Rule(rule.clone())));
    }
    for edit in filter::on_gateway(seat.netns, floating, fip.fixed_ip) {
        plan.push(&place, Action::Netfilter(edit));
    }
    if !seat.site.agent_may_run() {
        let is_its = |line: &str| line.parse().is_ok_and(|entry: PriorityEntry| entry.floating_ip == floating);
        lines(&mut plan, &seat.site, FileName::Priorities, is_its);
    }
    let mut plan = fit::fit(plan, seat.site.snapshot)?.gathered();
    if plan.steps.iter().any(fit::lasts) {
        plan.push(&place, Action::Forget { address: floating });
    }
    let mut plan = plan.already_last();
    tell(&mut plan, seat, floating, wanted.neutron);
    Ok(plan)
}

/// What to know before it is done.
fn tell(plan: &mut Plan, seat: &Seat<'_>, floating: IpAddr, neutron: Option<Neutron>) {
    let case = match neutron {
        Some(Neutron::Has) => Some((CaseKind::StillThere, Told::Given)),
        Some(Neutron::HasNot) => Some((CaseKind::Dropped, Told::Given)),
        None if is_written(&seat.site, floating) => Some((CaseKind::StillThere, Told::Files)),
        None => None,
    };
    if let Some((kind, told)) = case {
        foretell(plan, AgentCase { kind, told }, seat.site.agent_may_run());
    } else {
        let unknown = "Nothing on this node tells whether Neutron still has this floating IP here; if it has, the L3 \
                       agent makes it again.";
        plan.warnings.push(unknown.to_owned());
    }
    plan.applicability = Applicability::NeedsConsent;
    plan.warnings.push(format!("Traffic of {floating} stops, and its open connections end."));
    plan.warnings.extend(seat.keepalived("it comes back"));
}
