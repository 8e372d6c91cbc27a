//! A private sandbox for the lab and for tests: namespaces of its own, in which
//! an ordinary user may build a node and of which nothing stays.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

use super::{Error, NetnsDir};

/// Being inside the sandbox. It ends with the process.
#[derive(Debug)]
pub struct Sandbox {
    rootless: bool,
}

impl Sandbox {
    /// Moves the whole process into fresh network and mount namespaces (and a
    /// user namespace, unless it is root's already), with a `/run` of its own
    /// and an empty `/run/netns`.
    ///
    /// Call it before any other thread exists: the kernel refuses a user
    /// namespace to a process with threads. After an error the process is
    /// halfway in, and should end.
    pub fn enter() -> Result<Self, Error> {
        let (uid, gid) = (getuid(), getgid());
        let rootless = !uid.is_root();
        let leave = |flags| unshare(flags).map_err(|errno| failed("unshare", errno.into(), rootless));
        if rootless {
            // First the user namespace and its root, then the others: files of a network namespace that is made while
            // its user is mapped to nobody belong to nobody for good (`/proc/net/ip_tables_names`).
            leave(CloneFlags::CLONE_NEWUSER)?;
            // user_namespaces(7): an ordinary user may map its group only after giving up setgroups.
            for (file, text) in [
                ("/proc/self/setgroups", "deny".to_owned()),
                ("/proc/self/uid_map", format!("0 {uid} 1")),
                ("/proc/self/gid_map", format!("0 {gid} 1")),
            ] {
                fs::write(file, text).map_err(|source| failed("map the user", source, rootless))?;
            }
        }
        leave(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
        let mounted =
            |operation, result: nix::Result<()>| result.map_err(|errno| failed(operation, errno.into(), rootless));
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mounted("make mounts private", mount(None::<&str>, "/", None::<&str>, private, None::<&str>))?;
        let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let run = mount(Some("tmpfs"), "/run", Some("tmpfs"), quiet, Some("size=64m,mode=755"));
        mounted("mount a private /run", run)?;
        fs::create_dir("/run/netns").map_err(|source| failed("make /run/netns", source, rootless))?;
        // The old sysfs goes on showing the devices of the namespace we left. Containers forbid a new one: that is
        // no loss, as we never ask sysfs; it would only confuse people who look there.
        let _ = mount(Some("sysfs"), "/sys", Some("sysfs"), quiet | MsFlags::MS_NOEXEC, None::<&str>);
        Ok(Self { rootless })
    }

    /// It was made by an ordinary user, so only one user and group id exists in it.
    pub fn is_rootless(&self) -> bool {
        self.rootless
    }

    /// Puts a folder of the sandbox's own in place of one of the host's: what is
    /// in that is linked to, but for the entry `without`. `kept` is where the
    /// host's stays to be found.
    pub fn overlay(&self, folder: &Path, kept: &Path, without: &str) -> Result<(), Error> {
        let lay = |operation| move |source| failed(operation, source, self.rootless);
        fs::create_dir_all(kept).map_err(lay("make a folder for the host's"))?;
        let all = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(folder), kept, None::<&str>, all, None::<&str>)
            .map_err(|errno| lay("keep a folder of the host's")(errno.into()))?;
        let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), folder, Some("tmpfs"), quiet, Some("size=4m,mode=755"))
            .map_err(|errno| lay("mount a private folder")(errno.into()))?;
        for entry in fs::read_dir(kept).map_err(lay("list a folder of the host's"))? {
            let name = entry.map_err(lay("list a folder of the host's"))?.file_name();
            if name != without {
                symlink(kept.join(&name), folder.join(&name)).map_err(lay("link to a folder of the host's"))?;
            }
        }
        Ok(())
    }

    /// The sandbox's own, empty folder of namespaces.
    pub fn netns_dir(&self) -> NetnsDir {
        NetnsDir::default()
    }
}

fn failed(operation: &'static str, source: io::Error, rootless: bool) -> Error {
    let setting = |file: &str| fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<i64>().ok());
    let way_out = if rootless { way_out(source.raw_os_error(), setting) } else { as_root(source.raw_os_error()) };
    Error::Sandbox { operation, source, way_out }
}

fn as_root(errno: Option<i32>) -> String {
    match errno {
        Some(libc::EPERM | libc::EACCES) => {
            "The process is root but lacks CAP_SYS_ADMIN, as in most containers: run it outside, or start the \
             container with --privileged."
        }
        _ => "Check the limits in /proc/sys/user/.",
    }
    .to_owned()
}

/// Which of the switches against user namespaces is on, and how to go on.
fn way_out(errno: Option<i32>, setting: impl Fn(&str) -> Option<i64>) -> String {
    let switches = [
        ("kernel.unprivileged_userns_clone", 0, "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", 1, "0"),
        ("user.max_user_namespaces", 0, "15000"),
    ];
    let off = switches
        .iter()
        .find(|(name, forbids, _)| setting(&format!("/proc/sys/{}", name.replace('.', "/"))) == Some(*forbids));
    match (off, errno) {
        (Some((name, forbids, allows)), _) => format!(
            "This system forbids ordinary users a user namespace ({name} = {forbids}). \
             Run it as root (sudo), or allow it: sudo sysctl -w {name}={allows}"
        ),
        (None, Some(libc::EINVAL)) => {
            "The kernel has no user namespaces, or the process has threads already. Run it as root (sudo).".to_owned()
        }
        (None, Some(libc::ENOSPC | libc::EUSERS)) => "The limit of user namespaces is reached. Run it as root (sudo), \
             or raise it: sudo sysctl -w user.max_user_namespaces=15000"
            .to_owned(),
        (None, _) => "This system forbids ordinary users a user namespace (a container's or security module's rule). \
             Run it as root (sudo)."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_names_the_switch_that_is_on() {
        let debian = way_out(Some(libc::EPERM), |file| file.ends_with("unprivileged_userns_clone").then_some(0));
        assert!(debian.contains("sysctl -w kernel.unprivileged_userns_clone=1"), "{debian}");
        let ubuntu = way_out(Some(libc::EACCES), |file| Some(i64::from(file.contains("apparmor"))).filter(|v| *v == 1));
        assert!(ubuntu.contains("kernel.apparmor_restrict_unprivileged_userns=0"), "{ubuntu}");
        let limit = way_out(Some(libc::ENOSPC), |_| None);
        assert!(limit.contains("user.max_user_namespaces=15000"), "{limit}");
        assert!(way_out(Some(libc::EPERM), |_| None).contains("sudo"));
    }
}
