//! The host's side of a report: its own namespace, Open vSwitch, the agent's
//! files.

use std::path::{Path, PathBuf};

use super::super::folder::Folder;
use super::super::peers::ToldNames;
use super::super::text::ovs;
use super::netns::Reader;
use super::{agent, names, parsed};
use crate::net::{AllocationFile, Gap, Host, Observed, Ovs, PathOrigin, printable};

/// Bounds of what is kept of an allocation file.
const MOST_LINES: usize = 100_000;
const LONGEST_LINE: usize = 1_000;

/// The host's name; empty where the report does not tell.
pub(super) fn name(folder: &Folder) -> String {
    let files = ["sos_commands/host/hostname", "hostname", "sos_commands/general/hostname", "etc/hostname"];
    let found = files.iter().filter_map(|file| folder.find(&names(&[file])).ok());
    let mut lines = found.filter_map(|found| Some(found.text.lines().next()?.trim().to_owned()));
    // A link that was unpacked as a file holds a path.
    lines.find(|name| !name.is_empty() && !name.contains('/')).unwrap_or_default()
}

/// The host's side.
pub(super) fn read(reader: &Reader<'_>, told: &mut ToldNames) -> Host {
    let folder = reader.folder;
    let netns = Observed::Seen(reader.place(&None, told).into());
    let mut host = Host { kernel: kernel(folder), netns, ..Host::default() };
    agent::read(folder, &mut host);
    let state = host.state_path.clone().unwrap_or_else(|| PathBuf::from("/var/lib/neutron"));
    host.link_local_file = collected(folder, &state.join("fip-linklocal-networks"));
    host.priority_file = collected(folder, &state.join("fip-priorities"));
    if host.path_origin == PathOrigin::Usual {
        host.state_path = Some(state);
    }
    host.neutron_version = neutron_version(folder);
    host.ovs = open_vswitch(folder, &mut host.gaps);
    host
}

/// `Linux NAME RELEASE …`.
fn kernel(folder: &Folder) -> Option<String> {
    let files = ["sos_commands/kernel/uname_-a", "uname"];
    let found = files.iter().filter_map(|file| folder.find(&names(&[file])).ok());
    let mut releases = found.filter_map(|found| {
        let mut words = found.text.split_whitespace();
        (words.next()? == "Linux").then(|| words.nth(1).map(str::to_owned)).flatten()
    });
    releases.next()
}

/// A file at this path of the host. sos collects the folder only where its
/// plugin for Neutron ran, so a file that is not there is not known to be absent.
fn collected(folder: &Folder, path: &Path) -> Observed<AllocationFile> {
    let inside = path.strip_prefix("/").unwrap_or(path).to_string_lossy().into_owned();
    parsed(folder.find(&[inside]), |text| Ok(allocation_file(text, path)))
}

/// An allocation file's text as its lines, bounded in number and length.
pub fn allocation_file(text: &str, path: &Path) -> AllocationFile {
    let mut truncated = text.lines().nth(MOST_LINES).is_some();
    let lines = text.lines().take(MOST_LINES).map(|line| {
        truncated |= line.chars().nth(LONGEST_LINE).is_some();
        line.chars().take(LONGEST_LINE).collect()
    });
    let lines = lines.collect();
    AllocationFile { path: path.to_owned(), lines, truncated }
}

/// From the list of installed packages.
fn neutron_version(folder: &Folder) -> Observed<String> {
    let files = ["installed-debs", "sos_commands/dpkg/dpkg_-l", "installed-rpms", "sos_commands/rpm/installed-rpms"];
    let mut why = None;
    for file in files {
        match folder.find(&names(&[file])) {
            Ok(found) => {
                if let Some(version) = found.text.lines().find_map(package_version) {
                    return Observed::Seen(version);
                }
                why = Some(format!("no package of Neutron's in {file}: it may run in a container"));
            }
            Err(missing) => why = why.or(Some(missing)),
        }
    }
    Observed::Unreadable(why.unwrap_or_default())
}

/// `ii  neutron-common  2:16.4.1-0ubuntu2  all …`, or
/// `python3-neutron-18.6.1-1.el8.noarch  Thu …`.
fn package_version(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    if matches!(first, "ii" | "hi") {
        let name = words.next()?.split(':').next()?;
        let version =
            matches!(name, "neutron-common" | "python3-neutron" | "neutron-l3-agent").then(|| words.next())??;
        return Some(printable(version, 80));
    }
    let version = ["python3-neutron-", "openstack-neutron-common-", "python-neutron-"]
        .iter()
        .find_map(|start| first.strip_prefix(start).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())))?;
    Some(printable(version, 80))
}

fn open_vswitch(folder: &Folder, gaps: &mut Vec<Gap>) -> Observed<Ovs> {
    let find = |command: &str| {
        let names = ["_-t_5", ""].map(|limit| format!("sos_commands/openvswitch/ovs-vsctl{limit}_{command}"));
        folder.find(&names)
    };
    let shown = parsed(find("show"), ovs::show);
    if shown.seen().is_none() {
        return shown;
    }
    let mut told = |part: &str, rows: Observed<Vec<ovs::Row>>| match rows {
        Observed::Seen(rows) => rows,
        Observed::Absent => Vec::new(),
        Observed::Unreadable(why) => {
            gaps.push(Gap::new(part, why));
            Vec::new()
        }
    };
    let interfaces = told("Open vSwitch interfaces", parsed(find("list_interface"), ovs::list));
    let root = told("Open vSwitch external_ids", parsed(find("list_Open_vSwitch"), ovs::list));
    shown.map(|mut shown| {
        ovs::describe(&mut shown, &interfaces);
        if let Some(ids) = root.first().and_then(|row| row.get("external_ids")) {
            shown.external_ids = ovs::map(ids);
        }
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packages_version_is_found_in_either_list() {
        let deb = "ii  neutron-common                2:16.4.1-0ubuntu2   all   Neutron is a virtual network service";
        assert_eq!(package_version(deb).as_deref(), Some("2:16.4.1-0ubuntu2"));
        let rpm = "python3-neutron-18.6.1-1.el8.noarch     Thu Feb 10 16:19:18 2022";
        assert_eq!(package_version(rpm).as_deref(), Some("18.6.1-1.el8.noarch"));
        assert_eq!(package_version("python3-neutron-lib-2.10.noarch"), None);
        assert_eq!(package_version("rc  neutron-common 1"), None);
    }

    #[test]
    fn an_allocation_file_is_bounded() {
        let file = allocation_file(&format!("a,b\n{}\n", "x".repeat(2_000)), Path::new("/f"));
        assert!(file.truncated && file.lines[1].len() == LONGEST_LINE);
        assert!(!allocation_file("a,b\n", Path::new("/f")).truncated);
    }
}
