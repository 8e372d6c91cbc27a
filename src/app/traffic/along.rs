//! What is done with frames besides counting them: a file is written, a
//! conversation is followed.

use std::sync::Arc;

use super::file::CaptureFile;
use super::listen::is_of;
use super::now;
use crate::net::{Frame, IfName, NetnsName, Snapshot};
use crate::topology::FloatingIp;
use crate::traffic::{Conversation, Filter, Follow, Sighting};

/// What goes along with the counting.
#[derive(Default)]
pub(super) struct Along {
    /// The file that frames are written to.
    pub(super) file: Option<CaptureFile>,
    /// Only of this floating IP is written.
    pub(super) only: Option<FloatingIp>,
    /// Only what holds these words is written.
    pub(super) filter: Filter,
    /// The conversation that is followed.
    pub(super) follow: Option<Follow>,
}

impl Along {
    /// Nothing is done besides.
    pub(super) fn is_idle(&self) -> bool {
        self.file.is_none() && self.follow.is_none()
    }

    /// A frame, with what it was.
    pub(super) fn see(
        &mut self,
        frame: &Frame<'_>,
        sighting: Option<&Sighting<'_>>,
        names: &[Option<NetnsName>],
        snapshot: &Snapshot,
    ) {
        if let (Some(follow), Some(sighting)) = (&mut self.follow, sighting) {
            follow.see(frame, sighting, || place(frame, names, snapshot));
        }
        let Some(file) = &mut self.file else { return };
        let fip = sighting.and_then(|sighting| sighting.floating_ip);
        let of_it = self.only.as_ref().is_none_or(|only| fip.is_some_and(|(id, ..)| is_of(id, only)));
        let wanted = self.filter.is_empty() || sighting.is_some_and(|sighting| self.filter.wants_packet(sighting));
        if of_it && wanted {
            file.frame(frame, sighting, || place(frame, names, snapshot));
        }
    }

    /// The capture's numbers mean others from here on.
    pub(super) fn renumber(&mut self) {
        self.file.iter_mut().for_each(CaptureFile::renumber);
        self.follow.iter_mut().for_each(Follow::renumber);
    }

    /// So many frames were lost before they were seen, until now.
    pub(super) fn lose(&mut self, frames: u64) {
        self.follow.iter_mut().for_each(|follow| follow.lose(frames, now()));
    }

    /// Follows this conversation, from the beginning where it is another one.
    pub(super) fn follow(&mut self, wanted: Option<&Arc<Conversation>>) {
        if self.follow.as_ref().map(Follow::conversation) != wanted {
            self.follow = wanted.map(|conversation| Follow::new(conversation.clone(), now()));
        }
    }
}

/// Where a frame was caught.
pub(in crate::app) fn place(
    frame: &Frame<'_>,
    names: &[Option<NetnsName>],
    snapshot: &Snapshot,
) -> Option<(NetnsName, IfName)> {
    let namespace = names.get(frame.namespace as usize)?.clone()?;
    let link = snapshot.netns(&namespace)?.links().iter().find(|link| link.index == frame.device)?;
    Some((namespace, link.name.clone()))
}
