//! A floating IP that is not distributed: an address of the gateway port with
//! its translations (`dvr_edge_router.py`, `add_centralized_floatingip`;
//! `router_info.py`, `add_floating_ip`).

use std::net::{IpAddr, Ipv4Addr};

use crate::check::Applicability;

use super::super::future::foretell;
use super::super::{Action, AgentCase, AnnounceBy, CaseKind, Neutron, Plan, Refused, Told, agent, fit};
use super::seat::Seat;
use super::{Associate, in_use, is_written};

/// The plan: translations first, then the address, which is answered for as soon
/// as it stands.
pub(super) fn associate(
    seat: &Seat<'_>,
    wanted: &Associate,
    floating_ip: Ipv4Addr,
    fixed_ip: Ipv4Addr,
) -> Result<Plan, Refused> {
    in_use::on_gateway(seat, wanted, floating_ip, fixed_ip)?;
    let (place, device) = (seat.place(), &seat.port.device);
    let mut plan = Plan::new(format!(
        "Associate {floating_ip} with {fixed_ip} on the gateway port of the router {}",
        seat.site.router.id
    ));
    agent::floating_on_gateway(&mut plan, &seat.forms()?, &place, device, floating_ip, fixed_ip);
    let mut plan = fit::fit(plan, seat.site.snapshot)?.gathered();
    let is_done = plan.steps.iter().any(fit::lasts);
    if is_done {
        plan.push(&place, Action::Forget { address: fixed_ip.into() });
        plan.push(
            &place,
            Action::Announce { dev: device.clone(), address: floating_ip, mac: None, by: AnnounceBy::Repeat },
        );
    }
    let mut plan = plan.already_last();
    let case = match wanted.neutron {
        Some(Neutron::Has) => Some((CaseKind::Missed, Told::Given)),
        Some(Neutron::HasNot) => Some((CaseKind::Foreign, Told::Given)),
        None => is_written(&seat.site, floating_ip.into()).then_some((CaseKind::Missed, Told::Files)),
    };
    if let Some((kind, told)) = case {
        foretell(&mut plan, AgentCase { kind, told }, seat.site.agent_may_run());
    } else {
        let unknown = "Nothing on this node tells whether Neutron has this floating IP here; if it has not, the L3 \
                       agent takes all of it away again.";
        plan.warnings.push(unknown.to_owned());
    }
    if is_done && wanted.announce == AnnounceBy::Address {
        plan.warnings
            .push(format!("{floating_ip} stands on {device} by itself: it is announced from there, and stays."));
    }
    if is_done {
        plan.warnings.extend(seat.keepalived("it is gone"));
        plan.warnings.push(format!(
            "Open connections of {} to the outside are forgotten: they have to be made anew.",
            IpAddr::V4(fixed_ip)
        ));
    }
    if seat.site.agent_may_run() {
        plan.applicability = Applicability::NeedsConsent;
    }
    Ok(plan)
}
