//! Why a floating IP's packets stop, and its tracked connections: what is told
//! beside the counts.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::Today;
use crate::kernel;
use crate::net::{ConntrackEntry, Observed, Snapshot};
use crate::netns::NetnsDir;
use crate::topology::{Direction, FloatingIp};
use crate::traffic::{Connection, Connections, FipId, Interval, StopsAt};
use crate::tui::{Node as Shown, why};

/// Reasons that are looked for in an interval: each is a walk.
const MOST: usize = 64;
/// Connections that are told of.
const CONNECTIONS: usize = 200;
/// After its connections were read they rest so many times as long as that took.
const REST: u32 = 20;

/// Reasons that were found, while the node stays as it is.
#[derive(Default)]
pub(super) struct Reasons {
    of: Option<Arc<Snapshot>>,
    known: BTreeMap<(FipId, Direction), (StopsAt, Option<String>)>,
}

impl Reasons {
    /// Tells of every floating IP whose packets are missing somewhere why they are.
    pub(super) fn tell(&mut self, interval: &mut Interval, node: &Shown) {
        if self.of.as_ref().is_none_or(|of| !Arc::ptr_eq(of, &node.snapshot)) {
            (self.of, self.known) = (Some(node.snapshot.clone()), BTreeMap::new());
        }
        let mut left = MOST;
        for fip in &mut interval.floating_ips {
            let Some(trouble) = fip.trouble() else { continue };
            let key = (fip.id.clone(), fip.direction);
            let known = self.known.get(&key).filter(|(place, _)| *place == trouble).map(|(_, reason)| reason.clone());
            fip.reason = match known {
                Some(reason) => reason,
                None if left == 0 => None,
                None => {
                    left -= 1;
                    let reason = why(node, fip);
                    self.known.insert(key, (trouble, reason.clone()));
                    reason
                }
            };
        }
    }
}

/// When a floating IP's connections may be read again.
#[derive(Default)]
pub(super) struct Tracking {
    rests_until: Option<Instant>,
}

impl Tracking {
    /// A floating IP's connections; none while they rest.
    pub(super) fn read(&mut self, dir: &NetnsDir, node: &Shown, fip: &FloatingIp) -> Option<Connections> {
        let begun = Instant::now();
        if self.rests_until.is_some_and(|until| begun < until) {
            return None;
        }
        let router = node.topology.router(&fip.router)?;
        let today = Today::of(router, node.topology.fips());
        let addresses = [fip.floating_ip, fip.fixed_ip];
        let is_of = |entry: &ConntrackEntry| {
            let ends = [entry.original.src, entry.original.dst, entry.reply.src, entry.reply.dst];
            ends.iter().any(|end| addresses.contains(&Some(*end)))
        };
        let mut found = Connections::default();
        for name in [&router.namespace, &router.snat_namespace].into_iter().flatten() {
            match kernel::read_conntrack(dir, name) {
                Observed::Seen(entries) => found.all.extend(entries.into_iter().filter(is_of).map(|entry| {
                    let outlived = today.outlived(&entry).into_iter().flatten().next();
                    Connection { namespace: name.clone(), entry, outlived }
                })),
                Observed::Absent => {}
                Observed::Unreadable(why) => found.unreadable.push((name.clone(), why)),
            }
        }
        found.all.sort_by_cached_key(|one| {
            (one.outlived.is_none(), Reverse(one.packets()), one.entry.original.clone(), one.namespace.clone())
        });
        found.left_out = found.all.len().saturating_sub(CONNECTIONS);
        found.all.truncate(CONNECTIONS);
        let took: Duration = begun.elapsed();
        self.rests_until = Some(Instant::now() + took * REST);
        Some(found)
    }
}
