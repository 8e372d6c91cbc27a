//! The later rounds of a change's announcements: when all is done and verified,
//! outside the change, which need not wait for them.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;

use crate::kernel::ask_routes;
use crate::net::{NetnsName, RouteAnswer, RouteQuestion};
use crate::neutron::DeviceKind;
use crate::plan::journal::{Outcome, Past, Round, StepState};
use crate::plan::{Action, AnnounceBy};
use crate::probe::{Announcement, announce_once};

use super::Site;

/// Why the rest of the rounds was left out.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// It moved away: to announce it further would draw packets to the wrong node.
    #[error("{0} is announced no more: nothing here leads to it any longer")]
    Gone(Ipv4Addr),
    /// A round could not be sent.
    #[error("{address} was announced fewer times than planned: {source}")]
    Send {
        /// The address.
        address: Ipv4Addr,
        /// Why not.
        source: crate::probe::Error,
    },
}

/// Announces again what a change announced by repeating, until all rounds are
/// sent; blocks for their time. `told` hears of each round, at once of the first,
/// which the change sent. A change that is not done, or announced nothing, has
/// none.
pub fn announce_again(past: &Past, site: &Site, told: &mut dyn FnMut(Round)) -> Result<(), AnnounceError> {
    let again: Vec<Announcement> = repeated(past);
    let most = again.iter().map(|what| what.rounds).max().unwrap_or(0);
    for what in &again {
        told(Round { address: what.address, number: 1, of: what.rounds });
    }
    for number in 2..=most {
        let pause = again.iter().map(|what| what.interval).max().unwrap_or_default();
        thread::sleep(pause);
        for what in again.iter().filter(|what| number <= what.rounds) {
            let address = what.address;
            if !leads_here(site, &what.namespace, address) {
                return Err(AnnounceError::Gone(address));
            }
            announce_once(&site.netns_dir, what).map_err(|source| AnnounceError::Send { address, source })?;
            told(Round { address, number, of: what.rounds });
        }
    }
    Ok(())
}

/// The announcements of a change that was done which have later rounds.
fn repeated(past: &Past) -> Vec<Announcement> {
    let is_done = past.outcome == Some(Outcome::Done);
    let done = past.steps.iter().filter(|step| is_done && step.state == StepState::Done);
    let announced = done.filter_map(|step| match &step.planned.action {
        Action::Announce { dev, address, mac, by: AnnounceBy::Repeat } => {
            let namespace = step.planned.place.name()?.clone();
            Some(Announcement { mac: *mac, ..Announcement::of(namespace, dev.clone(), *address) })
        }
        _ => None,
    });
    announced.collect()
}

/// The fip namespace still sends the address to a router of this node.
fn leads_here(site: &Site, namespace: &NetnsName, address: Ipv4Addr) -> bool {
    let question = RouteQuestion {
        namespace: Some(namespace.clone()),
        src: None,
        dst: IpAddr::V4(address),
        iif: None,
        mark: 0,
        tos: 0,
    };
    let answer = ask_routes(&site.netns_dir, &[question]).into_iter().next();
    let Some(Ok(RouteAnswer::Found(found))) = answer else { return false };
    found.dev.is_some_and(|dev| DeviceKind::FipToRouter.is(&dev))
}
