//! The later rounds of a change's announcements: when all is done and verified,
//! outside the change, which need not wait for them.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrIn;

use crate::kernel::ask_routes;
use crate::net::{IfName, NetnsName, RouteAnswer, RouteQuestion};
use crate::netns::{NetnsDir, enter};
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
            if !leads_here(site, what) {
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

/// The namespace still sends the address to a router of this node, or has it
/// itself on the device that it is announced on (`qg`), as keepalived and the
/// agent move such addresses between nodes.
fn leads_here(site: &Site, what: &Announcement) -> bool {
    let question = RouteQuestion {
        namespace: Some(what.namespace.clone()),
        src: None,
        dst: IpAddr::V4(what.address),
        iif: None,
        mark: 0,
        tos: 0,
    };
    let answer = ask_routes(&site.netns_dir, &[question]).into_iter().next();
    let to_router = match answer {
        Some(Ok(RouteAnswer::Found(found))) => found.dev.is_some_and(|dev| DeviceKind::FipToRouter.is(&dev)),
        _ => false,
    };
    to_router || stands_on(&site.netns_dir, &what.namespace, &what.device, what.address)
}

/// Whether an address stands on a device; not where that cannot be read.
pub(super) fn stands_on(dir: &NetnsDir, namespace: &NetnsName, device: &IfName, address: Ipv4Addr) -> bool {
    let has = || {
        let all = getifaddrs().into_iter().flatten().filter(|one| one.interface_name == device.as_str());
        let mut addresses = all.filter_map(|one| one.address?.as_sockaddr_in().map(SockaddrIn::ip));
        addresses.any(|found| found == address)
    };
    dir.open(namespace).and_then(|ns| enter(&ns, has)).unwrap_or_default()
}
