//! Settings under `/proc/sys/net`, which follows the calling thread's
//! namespace, and the connection table's fill.

use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use crate::net::{ConntrackFill, IfName, Observed, Sysctls};
use crate::netns::hint;

/// What netlink does not carry, one file each. `all` counts beside a device's
/// own setting.
const IPV4: [&str; 11] = [
    "ip_forward",
    "ip_nonlocal_bind",
    "conf.all.rp_filter",
    "conf.all.arp_ignore",
    "conf.all.arp_announce",
    "conf.all.forwarding",
    "conf.all.proxy_arp",
    "conf.all.send_redirects",
    "conf.all.accept_local",
    "conf.all.src_valid_mark",
    "conf.all.promote_secondaries",
];
const IPV6: [&str; 1] = ["conf.all.forwarding"];
const NETFILTER: [&str; 3] = ["nf_conntrack_tcp_be_liberal", "nf_conntrack_tcp_loose", "nf_conntrack_acct"];

/// The full names of the settings that every namespace has.
pub(super) fn names() -> impl Iterator<Item = String> {
    let folders: [(&str, &[&str]); 3] = [("ipv4", &IPV4), ("ipv6", &IPV6), ("netfilter", &NETFILTER)];
    folders.into_iter().flat_map(|(folder, names)| names.iter().map(move |name| format!("net.{folder}.{name}")))
}

/// The settings of the calling thread's namespace, and how full its connection
/// table is.
pub(crate) fn read_sysctls<'a>(devices: impl Iterator<Item = &'a IfName>) -> (Sysctls, Observed<ConntrackFill>) {
    let mut sysctls = Sysctls::new();
    let ipv4 = Folder::open("ipv4");
    ipv4.read_all(&IPV4, &mut sysctls);
    // How long a gateway port waits before it answers ARP for a floating IP.
    for device in devices.map(IfName::as_str).filter(|name| name.starts_with("fg-") || name.starts_with("qg-")) {
        // A device's name may have dots in it, but no slash.
        let value = ipv4.read(&format!("neigh/{device}/proxy_delay"));
        sysctls.insert(format!("net.ipv4.neigh.{device}.proxy_delay"), value);
    }
    Folder::open("ipv6").read_all(&IPV6, &mut sysctls);
    let netfilter = Folder::open("netfilter");
    netfilter.read_all(&NETFILTER, &mut sysctls);
    (sysctls, conntrack_fill(&netfilter))
}

fn conntrack_fill(netfilter: &Folder) -> Observed<ConntrackFill> {
    let number = |name| netfilter.read(name).map(i64::unsigned_abs);
    match (number("nf_conntrack_count"), number("nf_conntrack_max")) {
        (Observed::Seen(count), Observed::Seen(max)) => Observed::Seen(ConntrackFill { count, max }),
        (Observed::Unreadable(why), _) | (_, Observed::Unreadable(why)) => Observed::Unreadable(why),
        _ => Observed::Absent,
    }
}

/// A folder below `/proc/sys/net`. It is opened once a namespace: the folders
/// of all namespaces have the same name and parent, so the kernel's search for
/// the right one takes longer the more there are.
struct Folder {
    name: &'static str,
    fd: nix::Result<OwnedFd>,
}

impl Folder {
    fn open(name: &'static str) -> Self {
        let path = format!("/proc/sys/net/{name}");
        let fd = open(path.as_str(), OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
        Self { name, fd }
    }

    fn read_all(&self, names: &[&str], into: &mut Sysctls) {
        into.extend(names.iter().map(|name| (format!("net.{}.{name}", self.name), self.read(&name.replace('.', "/")))));
    }

    fn read(&self, file: &str) -> Observed<i64> {
        let mut text = [0; 64];
        let length = self.fd.as_ref().map_err(|errno| *errno).and_then(|folder| {
            let file = openat(folder, file, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
            nix::unistd::read(&file, &mut text)
        });
        let word = match length {
            Ok(length) => String::from_utf8_lossy(&text[..length]),
            Err(nix::Error::ENOENT) => return Observed::Absent,
            Err(errno) => {
                let error = std::io::Error::from(errno);
                return Observed::Unreadable(format!("{error}{}", hint(&error)));
            }
        };
        word.trim()
            .parse()
            .map_or_else(|_| Observed::Unreadable(format!("not a number: {}", word.trim())), Observed::Seen)
    }
}
