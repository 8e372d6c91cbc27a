//! One operation in one namespace.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};

use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::link::{LinkAttribute, State};

use crate::kernel::netfilter::read_netfilter;
use crate::net::netfilter::{Backend, Netfilter};
use crate::net::{IfName, NetnsName, Observed};
use crate::netns::{NetnsDir, enter};
use crate::plan::{Action, HEARD, LinkSetting, Object, Place, SwitchPort, TableEdit, Undo, Veth};

use super::ahead::{Ahead, inode};
use super::forget::Meant;
use super::restore::Waiting;
use super::rtnl::{Mode, Rtnl};
use super::{Cause, file, forget, message, switch, sysctl};

/// As many namespaces are kept open at a time: well below the usual limit of
/// 1024 descriptors, two of which each takes.
const MOST_OPEN: usize = 200;

/// Carries out actions. It keeps a socket in every namespace that it has been
/// to, so that many steps cost one entering.
pub struct Writer {
    pub(super) dir: NetnsDir,
    open: BTreeMap<Place, Opened>,
    /// Programs that wait for what they are to do.
    ahead: Ahead,
    /// One that has the lock on all legacy tables already.
    holding: Option<(Place, Waiting)>,
}

/// A namespace that we hold open; `ns` is `None` for the host's own.
struct Opened {
    ns: Option<OwnedFd>,
    rtnl: Rtnl,
}

impl Writer {
    /// A writer for the namespaces with names in that folder.
    pub fn new(dir: NetnsDir) -> Self {
        Self::after(Ahead::default(), dir)
    }

    /// One with programs that were started ahead.
    pub(super) fn after(ahead: Ahead, dir: NetnsDir) -> Self {
        Self { dir, open: BTreeMap::new(), ahead, holding: None }
    }

    /// Carries out one action and says what takes it back. That is the action's
    /// inverse; for a setting whose value the plan did not know, it is what
    /// stood there.
    pub fn perform(&mut self, place: &Place, action: &Action) -> Result<Undo, Cause> {
        match action {
            Action::Add(Object::Netns(name)) => self.create(name)?,
            Action::Delete(Object::Netns(name)) => self.delete(name)?,
            Action::Add(object) => self.object(place, object, true)?,
            Action::Delete(object) => self.object(place, object, false)?,
            Action::SetLink { dev, to, .. } => self.set_link(place, dev, to)?,
            Action::Move { dev, from, to } => self.move_link(dev, from, to)?,
            Action::ReplaceRoute { to, .. } => {
                let opened = self.at(place)?;
                let index = to.dev().map(|dev| opened.rtnl.index(dev)).transpose()?;
                opened.rtnl.change(Message::NewRoute(message::route(to, index)?), Mode::Replace)?;
            }
            Action::Sysctl { from: None, .. } => {
                let known = self.known(place, action)?;
                return self.perform(place, &known);
            }
            Action::Sysctl { key, to, .. } => self.inside(place, || sysctl::write(key, *to))??,
            Action::Netfilter(edit) => self.waiting(place, edit)?.restore(edit)?,
            Action::Forget { address } => self.inside(place, || forget::forget(&Meant::Address(*address)))??,
            Action::ForgetConnection { original, zone } => {
                self.inside(place, || forget::forget(&Meant::Connection(original, *zone)))??;
            }
            Action::Probe { dev, address } => self.probe(place, dev, *address)?,
            Action::Announce { dev, address, mac, by } => {
                self.announce(place, dev, *address, (*mac, *by))?;
                return Ok(Undo::Nothing(HEARD));
            }
        }
        Ok(action.inverse())
    }

    /// The action with what stands there now, where the plan did not know: its
    /// inverse then takes it back.
    pub(super) fn known(&mut self, place: &Place, action: &Action) -> Result<Action, Cause> {
        Ok(match action {
            Action::Sysctl { key, to, from: None } => {
                let before = self.inside(place, || sysctl::read(key))??;
                Action::Sysctl { key: key.clone(), to: *to, from: Some(before) }
            }
            Action::SetLink { dev, to, from: None } => {
                let link = self.at(place)?.rtnl.link(dev)?;
                Action::SetLink { dev: dev.clone(), to: to.clone(), from: message::setting(&link, to) }
            }
            other => other.clone(),
        })
    }

    /// Takes the lock on all legacy tables of the node for the change of one of
    /// them that comes next; `nf_tables` has none.
    pub(super) fn hold(&mut self, place: &Place, edit: &TableEdit) -> Result<(), Cause> {
        if edit.backend == Backend::Legacy {
            let mut waiting = self.waiting(place, edit)?;
            waiting.hold(edit)?;
            self.holding = Some((place.clone(), waiting));
        }
        Ok(())
    }

    /// Lets go of that lock.
    pub(super) fn let_go(&mut self) {
        self.holding = None;
    }

    /// A program that waits in a namespace for the edit.
    fn waiting(&mut self, place: &Place, edit: &TableEdit) -> Result<Waiting, Cause> {
        if let Some((_, waiting)) = self.holding.take_if(|(at, _)| at == place) {
            return Ok(waiting);
        }
        let ns = self.at(place)?.ns.as_ref().and_then(inode);
        match ns.and_then(|ns| self.ahead.take(place, edit.backend, ns)) {
            Some(waiting) => Ok(waiting),
            None => self.inside(place, || Waiting::start(edit.backend))?,
        }
    }

    /// The packet filter of a namespace as it is now.
    pub(super) fn netfilter(&mut self, place: &Place) -> Result<Observed<Netfilter>, Cause> {
        self.inside(place, read_netfilter)
    }

    /// True where a device that is switched on carries packets, or does not say.
    pub(super) fn is_running(&mut self, place: &Place, dev: &IfName) -> Result<bool, Cause> {
        let link = self.at(place)?.rtnl.link(dev)?;
        let state = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::OperState(state) => Some(*state),
            _ => None,
        });
        Ok(matches!(state, None | Some(State::Up | State::Unknown)))
    }

    fn create(&mut self, name: &NetnsName) -> Result<(), Cause> {
        self.dir.create(name)?;
        Ok(())
    }

    fn delete(&mut self, name: &NetnsName) -> Result<(), Cause> {
        // Our own descriptors would keep it alive.
        let place = Place::Netns(name.clone());
        self.open.remove(&place);
        self.ahead.leave(&place);
        Ok(self.dir.delete(name)?)
    }

    pub(super) fn object(&mut self, place: &Place, object: &Object, add: bool) -> Result<(), Cause> {
        let mode = if add { Mode::Create } else { Mode::Change };
        match object {
            // Made and taken away by name, not in a namespace: see perform.
            Object::Netns(_) => Ok(()),
            Object::Veth(pair) if add => self.add_veth(place, pair),
            Object::Veth(Veth { end, .. }) => self.delete_link(place, &end.name),
            Object::Bridge(name) if add => {
                self.at(place)?.rtnl.change(Message::NewLink(message::bridge(name)), Mode::Create)
            }
            Object::Bridge(name) => self.delete_link(place, name),
            Object::Addr(addr) => {
                let rtnl = &mut self.at(place)?.rtnl;
                let message = message::address(addr, rtnl.index(&addr.dev)?);
                let kind = if add { Message::NewAddress } else { Message::DelAddress };
                rtnl.change(kind(message), mode)
            }
            Object::Rule(rule) => {
                let kind = if add { Message::NewRule } else { Message::DelRule };
                self.at(place)?.rtnl.change(kind(message::rule(rule)?), mode)
            }
            Object::Route(route) => {
                let rtnl = &mut self.at(place)?.rtnl;
                let index = route.dev().map(|dev| rtnl.index(dev)).transpose()?;
                let kind = if add { Message::NewRoute } else { Message::DelRoute };
                rtnl.change(kind(message::route(route, index)?), mode)
            }
            Object::Neigh(neigh) => {
                let rtnl = &mut self.at(place)?.rtnl;
                let message = message::neighbour(neigh, rtnl.index(&neigh.dev)?);
                let kind = if add { Message::NewNeighbour } else { Message::DelNeighbour };
                // An entry that the kernel learned is no obstacle.
                rtnl.change(kind(message), if add { Mode::Replace } else { Mode::Change })
            }
            Object::OvsPort(port) if add => self.add_port(port),
            Object::OvsPort(port) => {
                switch::delete(port)?;
                self.open.values_mut().for_each(|opened| opened.rtnl.forget());
                Ok(())
            }
            Object::FileLine { path, at, line, .. } if add => file::add(path, *at, line),
            Object::FileLine { path, line, .. } => file::delete(path, line),
        }
    }

    fn add_veth(&mut self, place: &Place, pair: &Veth) -> Result<(), Cause> {
        let peer_netns = if pair.peer_netns == *place { None } else { Some(self.descriptor(&pair.peer_netns)?) };
        let message = message::veth(pair, peer_netns.as_ref().map(AsRawFd::as_raw_fd));
        self.at(place)?.rtnl.change(Message::NewLink(message), Mode::Create)
    }

    /// An internal port's device is made on the host, and moved from there.
    fn add_port(&mut self, port: &SwitchPort) -> Result<(), Cause> {
        switch::add(port)?;
        if !port.internal {
            return Ok(());
        }
        let made = self.fit_out(port);
        if made.is_err() {
            // What made it fail is told; that the port may stay is the lesser news.
            let _ = switch::delete(port);
        }
        made
    }

    /// Puts an internal port's device where it belongs, with its address and MTU.
    fn fit_out(&mut self, port: &SwitchPort) -> Result<(), Cause> {
        if port.netns != Place::Host {
            self.move_link(&port.name, &Place::Host, &port.netns)?;
        }
        let settings = port.mac.map(LinkSetting::Mac).into_iter().chain(port.mtu.map(LinkSetting::Mtu));
        for setting in settings {
            self.set_link(&port.netns, &port.name, &setting)?;
        }
        Ok(())
    }

    fn move_link(&mut self, dev: &IfName, from: &Place, to: &Place) -> Result<(), Cause> {
        let netns = self.descriptor(to)?;
        let rtnl = &mut self.at(from)?.rtnl;
        let mut message = message::link(rtnl.index(dev)?);
        message.attributes.push(LinkAttribute::NetNsFd(netns.as_raw_fd()));
        rtnl.change(Message::SetLink(message), Mode::Change)?;
        for opened in self.open.values_mut() {
            opened.rtnl.forget();
        }
        Ok(())
    }

    fn delete_link(&mut self, place: &Place, name: &IfName) -> Result<(), Cause> {
        let rtnl = &mut self.at(place)?.rtnl;
        let index = rtnl.index(name)?;
        rtnl.change(Message::DelLink(message::link(index)), Mode::Change)?;
        // The other end went with it, wherever that is.
        for opened in self.open.values_mut() {
            opened.rtnl.forget();
        }
        Ok(())
    }

    fn set_link(&mut self, place: &Place, dev: &IfName, to: &LinkSetting) -> Result<(), Cause> {
        let rtnl = &mut self.at(place)?.rtnl;
        let index = rtnl.index(dev)?;
        let mut message = message::link(index);
        match to {
            LinkSetting::Up(up) => message = message::link_up(index, *up),
            LinkSetting::Mtu(mtu) => message.attributes.push(LinkAttribute::Mtu(*mtu)),
            LinkSetting::Mac(mac) => message.attributes.push(LinkAttribute::Address(mac.0.to_vec())),
            LinkSetting::Master(bridge) => {
                let master = bridge.as_ref().map_or(Ok(0), |bridge| rtnl.index(bridge))?;
                message.attributes.push(LinkAttribute::Controller(master));
            }
        }
        rtnl.change(Message::SetLink(message), Mode::Change)
    }

    /// Runs something in the namespace, on a thread of its own.
    fn inside<T: Send>(&mut self, place: &Place, work: impl FnOnce() -> T + Send) -> Result<T, Cause> {
        match &self.at(place)?.ns {
            Some(ns) => Ok(enter(ns, work)?),
            None => Ok(work()),
        }
    }

    /// A descriptor of the namespace, for the kernel to put something there.
    fn descriptor(&self, place: &Place) -> Result<OwnedFd, Cause> {
        Ok(match place {
            Place::Netns(name) => self.dir.open(name)?,
            Place::Host => crate::netns::current()?,
        })
    }

    fn at(&mut self, place: &Place) -> Result<&mut Opened, Cause> {
        let opened = self.open.remove(place).map_or_else(|| self.go_to(place), Ok)?;
        if self.open.len() >= MOST_OPEN {
            self.open.clear();
        }
        Ok(self.open.entry(place.clone()).or_insert(opened))
    }

    fn go_to(&self, place: &Place) -> Result<Opened, Cause> {
        let ns = place.name().map(|name| self.dir.open(name)).transpose()?;
        let rtnl = match &ns {
            Some(ns) => enter(ns, Rtnl::open)?,
            None => Rtnl::open(),
        };
        Ok(Opened { rtnl: rtnl.map_err(Cause::io("netlink"))?, ns })
    }
}
