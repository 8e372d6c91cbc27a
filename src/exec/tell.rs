//! What a step has to do with the neighbourhood: it is asked who has an address,
//! and told who has it from now on.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use crate::net::{ArpQuestion, IfName, Mac, NetnsName, WireAnswer, WireQuestion};
use crate::plan::{Action, AnnounceBy, LinkSetting, Object, Place, announced_address};
use crate::probe::{Announcement, Manner, announce_once, ask};

use super::{Cause, Writer, settle};

/// As RFC 5227 does it: three times. A host on the same link answers within
/// milliseconds.
const PROBE: Manner =
    Manner { tries: 3, wait: Duration::from_millis(400), in_flight: 1, spacing: Duration::ZERO, most: 1 };
/// So many of those who answer are told of.
const MOST_ANSWERS: u8 = 4;
/// With the address on the device it is told so often, and this is between two
/// times: what `arping -A -c 3` does, and the agent of Juno with it.
const ROUNDS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

impl Writer {
    /// Asks whether anybody has an address, on a device that may have been made
    /// just before; fails where somebody answers, or nobody can be asked.
    pub(super) fn probe(&mut self, place: &Place, dev: &IfName, address: Ipv4Addr) -> Result<(), Cause> {
        let namespace = named(place)?;
        let on = Action::SetLink { dev: dev.clone(), to: LinkSetting::Up(true), from: None };
        settle(self, [(place, &on)]);
        let (device, sender) = (dev.clone(), Ipv4Addr::UNSPECIFIED);
        let question = ArpQuestion { namespace, device, sender, target: address, replies: MOST_ANSWERS };
        match ask(&self.dir, &[WireQuestion::Arp(question)], &PROBE).pop() {
            Some(WireAnswer::Answered(replies)) => {
                let by: Vec<String> = replies.iter().map(|reply| reply.mac.to_string()).collect();
                Err(Cause::Taken { address, by: by.join(", ") })
            }
            Some(WireAnswer::NotAsked(why)) => {
                Err(Cause::Announce(format!("whether somebody has {address} already could not be asked: {why}")))
            }
            Some(WireAnswer::Silent) | None => Ok(()),
        }
    }

    /// The first round of an announcement, the others are for when all is done;
    /// or all of them, where the address stands on the device for that long.
    pub(super) fn announce(
        &mut self,
        place: &Place,
        dev: &IfName,
        address: Ipv4Addr,
        (mac, by): (Option<Mac>, AnnounceBy),
    ) -> Result<(), Cause> {
        let what = Announcement { mac, ..Announcement::of(named(place)?, dev.clone(), address) };
        let dir = self.dir.clone();
        let told = || announce_once(&dir, &what).map_err(|error| Cause::Announce(error.to_string()));
        if by == AnnounceBy::Repeat {
            return told();
        }
        let on_device = Object::Addr(announced_address(dev, address));
        self.object(place, &on_device, true)?;
        let told = (1..=ROUNDS).try_for_each(|round| {
            told()?;
            if round < ROUNDS {
                thread::sleep(PAUSE);
            }
            Ok(())
        });
        self.object(place, &on_device, false)?;
        told
    }
}

fn named(place: &Place) -> Result<NetnsName, Cause> {
    let host = || Cause::NotSupported("a question or an announcement from the host's own namespace".to_owned());
    place.name().cloned().ok_or_else(host)
}
