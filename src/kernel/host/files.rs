//! The agent's files: configuration, allocation files, the installed version.

use std::io;
use std::path::{Path, PathBuf};

use super::agent::CommandLine;
use super::config::Settings;
use super::root::Root;
use crate::net::{AllocationFile, Observed};
use crate::netns::hint;

/// Where an agent looks that was given no file, and where people put them.
const USUAL: [&str; 3] =
    ["/usr/share/neutron/neutron-dist.conf", "/etc/neutron/neutron.conf", "/etc/neutron/l3_agent.ini"];
const MOST_CONFIG_BYTES: u64 = 1 << 20;
const MOST_CONFIG_FILES: usize = 256;
/// A record has some 60 bytes; the agent has 40 000 priorities to give.
const MOST_ALLOCATION_BYTES: u64 = 4 << 20;
const MOST_LINE_CHARS: usize = 512;

/// Configuration files, read one over the other.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) settings: Settings,
    /// Those that were there.
    pub(crate) files: Vec<PathBuf>,
    /// Those that could not be read, with the reason.
    pub(crate) unreadable: Vec<String>,
}

/// Reads the files that a command line names, or the usual ones.
pub(crate) fn configuration(root: &Root, line: &CommandLine, folder: Option<&Path>) -> Configuration {
    let mut found = Configuration::default();
    if line.config.is_empty() {
        for file in USUAL.map(Path::new) {
            found.add(root, file, true);
        }
    }
    for (path, is_folder) in &line.config {
        let path = folder.map_or_else(|| path.clone(), |folder| folder.join(path));
        if !is_folder {
            found.add(root, &path, false);
            continue;
        }
        match root.list(&path) {
            Ok(names) => {
                for name in names.iter().filter(|name| is_config(name)) {
                    found.add(root, &path.join(name), false);
                }
            }
            Err(error) => found.unreadable.push(why(root, &path, &error)),
        }
    }
    if let Some(state_path) = &line.state_path {
        found.settings.set("DEFAULT", "state_path", state_path);
    }
    found
}

/// What `oslo.config` takes of a folder: `*.conf`, hidden files left out.
fn is_config(name: &str) -> bool {
    name.strip_suffix(".conf").is_some_and(|stem| !stem.starts_with('.') && !stem.is_empty())
}

impl Configuration {
    fn add(&mut self, root: &Root, path: &Path, may_be_missing: bool) {
        if self.files.len() + self.unreadable.len() == MOST_CONFIG_FILES {
            return;
        }
        match root.read(path, MOST_CONFIG_BYTES) {
            Ok((text, more)) => {
                self.settings.add(&text);
                self.files.push(path.to_owned());
                if more {
                    self.unreadable
                        .push(format!("{}: only its first megabyte was read", root.outer_path(path).display()));
                }
            }
            Err(error) if may_be_missing && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.unreadable.push(why(root, path, &error)),
        }
    }

    /// An option of a section that names a path.
    pub(crate) fn path(&self, section: &str, name: &str) -> Option<PathBuf> {
        self.settings.get(section, name).map(PathBuf::from)
    }
}

/// One of the allocation files under the state path.
pub(crate) fn allocation(root: &Root, state_path: &Path, name: &str) -> Observed<AllocationFile> {
    let path = state_path.join(name);
    match root.read_records(&path, MOST_ALLOCATION_BYTES) {
        Ok((text, truncated)) => {
            let lines = text.lines().map(|line| line.chars().take(MOST_LINE_CHARS).collect()).collect();
            Observed::Seen(AllocationFile { path: root.outer_path(&path), lines, truncated })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Observed::Absent,
        Err(error) => Observed::Unreadable(why(root, &path, &error)),
    }
}

/// The version of the Neutron that is installed beside a program, by the name
/// of its package's folder. Absent where there is none.
pub(crate) fn neutron_version(root: &Root, program: &Path) -> Observed<String> {
    let beside = program.parent().and_then(Path::parent).filter(|prefix| prefix.is_absolute());
    let prefixes = beside.map_or_else(|| vec![Path::new("/usr"), Path::new("/usr/local")], |prefix| vec![prefix]);
    for prefix in prefixes {
        for lib in ["lib", "lib64", "local/lib"].map(|lib| prefix.join(lib)) {
            let pythons = root.list(&lib).unwrap_or_default();
            for python in pythons.iter().filter(|name| name.starts_with("python")).map(|name| lib.join(name)) {
                for packages in ["site-packages", "dist-packages"].map(|folder| python.join(folder)) {
                    let names = root.list(&packages).unwrap_or_default();
                    if let Some(version) = names.iter().find_map(|name| version_of(name)) {
                        return Observed::Seen(version);
                    }
                }
            }
        }
    }
    Observed::Absent
}

/// `neutron-19.0.0.dist-info`, `neutron-16.4.2-py3.6.egg-info`.
fn version_of(name: &str) -> Option<String> {
    let rest = name.strip_prefix("neutron-").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))?;
    if let Some(version) = rest.strip_suffix(".dist-info") {
        return Some(version.to_owned());
    }
    let rest = rest.strip_suffix(".egg-info")?;
    Some(rest.split_once("-py").map_or(rest, |(version, _)| version).to_owned())
}

fn why(root: &Root, path: &Path, error: &io::Error) -> String {
    format!("{}: {error}{}", root.outer_path(path).display(), hint(error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn package_folders_tell_the_version() {
        assert_eq!(version_of("neutron-29.0.0.dist-info").as_deref(), Some("29.0.0"));
        assert_eq!(version_of("neutron-16.4.2-py3.6.egg-info").as_deref(), Some("16.4.2"));
        assert_eq!(version_of("neutron-18.0.0.egg-info").as_deref(), Some("18.0.0"));
        for other in ["neutron_lib-3.0.0.dist-info", "neutron", "neutron-lib-2.0.dist-info"] {
            assert_eq!(version_of(other), None);
        }
    }

    #[test]
    fn files_are_found_and_what_is_missing_is_told() {
        let base = std::env::temp_dir().join(format!("fipscope-files-{}", std::process::id()));
        fs::create_dir_all(base.join("l3.d")).unwrap();
        fs::create_dir_all(base.join("lib/python3.11/site-packages/neutron-29.0.0.dist-info")).unwrap();
        fs::write(base.join("neutron.conf"), "[DEFAULT]\nstate_path = /nowhere\nhost = a\n").unwrap();
        fs::write(base.join("l3.d/20.conf"), "[DEFAULT]\nhost = c\n").unwrap();
        fs::write(base.join("l3.d/10.conf"), "[DEFAULT]\nhost = b\n").unwrap();
        fs::write(base.join("l3.d/not-this"), "[DEFAULT]\nhost = d\n").unwrap();
        fs::write(base.join("fip-priorities"), "192.168.1.3,53123\nbroken\n").unwrap();
        let root = Root::host().unwrap();
        let line = CommandLine {
            config: vec![("neutron.conf".into(), false), ("gone.conf".into(), false), (base.join("l3.d"), true)],
            ..CommandLine::default()
        };
        let found = configuration(&root, &line, Some(&base));
        assert_eq!(found.settings.get("DEFAULT", "host").as_deref(), Some("c"));
        assert_eq!((found.files.len(), found.unreadable.len()), (3, 1));
        assert!(found.unreadable[0].contains("gone.conf"), "{:?}", found.unreadable);
        let file = allocation(&root, &base, "fip-priorities");
        assert_eq!(file.seen().unwrap().lines, ["192.168.1.3,53123", "broken"]);
        assert!(allocation(&root, &base, "fip-linklocal-networks").is_absent());
        assert_eq!(neutron_version(&root, &base.join("bin/neutron-l3-agent")), Observed::Seen("29.0.0".to_owned()));
        fs::remove_dir_all(base).unwrap();
    }
}
