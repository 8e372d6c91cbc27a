//! The agent's files and Open vSwitch's ports: what the host has.

use std::path::Path;

use crate::net::{
    AllocationFile, Change, FileName, Host, Object as Thing, Observed, OvsInterface, OvsPort, Part, Snapshot,
};

use super::super::{Action, Object, SwitchPort};
use super::device;

/// What a step changes on the host's side; `None` for a step of another kind.
pub(super) fn change(snapshot: &Snapshot, action: &Action) -> Option<Vec<Change>> {
    let host = &snapshot.host;
    Some(match action {
        Action::Add(Object::FileLine { file, path, at, line }) => add_line(host, *file, path, *at, line),
        Action::Delete(Object::FileLine { file, line, .. }) => {
            let lines = lines(host, *file).map_or(&[][..], |found| &found.lines);
            let at = lines.iter().position(|there| there == line);
            let gone = at.map(|at| Thing::FileLine(*file, at, line.clone()));
            gone.map(|gone| Change::new(None, Some(gone), None)).into_iter().collect()
        }
        Action::Add(Object::OvsPort(port)) => {
            let there = host.ovs.seen().map(|ovs| ovs.port(port.name.as_str()).is_some());
            let come = (there == Some(false)).then(|| Thing::OvsPort(Box::new(row(port))));
            let mut changes: Vec<Change> = come.map(|come| Change::new(None, None, Some(come))).into_iter().collect();
            if !changes.is_empty() {
                changes.extend(device::add_internal(snapshot, port));
            }
            changes
        }
        Action::Delete(Object::OvsPort(port)) => {
            let there = host.ovs.seen().and_then(|ovs| ovs.port(port.name.as_str()));
            let gone = there.map(|there| Thing::OvsPort(Box::new(there.clone())));
            let mut changes: Vec<Change> = gone.map(|gone| Change::new(None, Some(gone), None)).into_iter().collect();
            if port.internal && !changes.is_empty() {
                changes.extend(device::delete(snapshot, port.netns.name(), &port.name));
            }
            changes
        }
        _ => return None,
    })
}

fn add_line(host: &Host, file: FileName, path: &Path, at: Option<u32>, line: &str) -> Vec<Change> {
    let end = match observed(host, file) {
        Observed::Seen(found) if found.lines.iter().any(|there| there == line) => return Vec::new(),
        Observed::Seen(found) => found.lines.len(),
        Observed::Absent => 0,
        Observed::Unreadable(_) => return Vec::new(),
    };
    let at = at.map_or(end, |at| usize::try_from(at).map_or(end, |at| at.min(end)));
    let mut changes = Vec::new();
    if observed(host, file).is_absent() {
        let empty = AllocationFile { path: path.to_owned(), ..AllocationFile::default() };
        let part = |file_now| Thing::Part(Box::new(Part::File(file, file_now)));
        changes.push(Change::new(None, Some(part(Observed::Absent)), Some(part(Observed::Seen(empty)))));
    }
    changes.push(Change::new(None, None, Some(Thing::FileLine(file, at, line.to_owned()))));
    changes
}

fn observed(host: &Host, file: FileName) -> &Observed<AllocationFile> {
    match file {
        FileName::LinkLocal => &host.link_local_file,
        FileName::Priorities => &host.priority_file,
    }
}

fn lines(host: &Host, file: FileName) -> Option<&AllocationFile> {
    observed(host, file).seen()
}

/// The port as Open vSwitch's database has it. Its OpenFlow number is the
/// switch's choice.
fn row(port: &SwitchPort) -> OvsPort {
    let id = |key: &str| port.external_ids.get(key).cloned();
    let interface = OvsInterface {
        name: port.name.as_str().to_owned(),
        kind: if port.internal { "internal".to_owned() } else { String::new() },
        attached_mac: id("attached-mac"),
        iface_id: id("iface-id"),
        ..OvsInterface::default()
    };
    OvsPort {
        name: port.name.as_str().to_owned(),
        bridge: port.bridge.as_str().to_owned(),
        tag: port.tag,
        interfaces: vec![interface],
    }
}
