//! Settings under `/proc/sys/net`, which follows the calling thread's
//! namespace, and the connection table's fill.

use std::fs::File;
use std::io::{self, Read};

use crate::net::{ConntrackFill, IfName, Observed, Sysctls};
use crate::netns::hint;

/// What netlink does not carry, one file each. `all` counts beside a device's
/// own setting, `default` is what a new device starts with.
const NAMES: [&str; 24] = [
    "net.ipv4.ip_forward",
    "net.ipv4.ip_nonlocal_bind",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.all.arp_ignore",
    "net.ipv4.conf.all.arp_announce",
    "net.ipv4.conf.all.forwarding",
    "net.ipv4.conf.all.proxy_arp",
    "net.ipv4.conf.all.send_redirects",
    "net.ipv4.conf.all.accept_local",
    "net.ipv4.conf.all.src_valid_mark",
    "net.ipv4.conf.all.promote_secondaries",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.conf.default.arp_ignore",
    "net.ipv4.conf.default.arp_announce",
    "net.ipv4.conf.default.forwarding",
    "net.ipv4.conf.default.proxy_arp",
    "net.ipv4.conf.default.send_redirects",
    "net.ipv4.conf.default.accept_local",
    "net.ipv4.conf.default.src_valid_mark",
    "net.ipv4.conf.default.promote_secondaries",
    "net.ipv6.conf.all.forwarding",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
    "net.netfilter.nf_conntrack_tcp_loose",
    "net.netfilter.nf_conntrack_acct",
];

/// The settings of the calling thread's namespace.
pub(crate) fn read_sysctls<'a>(devices: impl Iterator<Item = &'a IfName>) -> Sysctls {
    let mut sysctls: Sysctls = NAMES.iter().map(|name| ((*name).to_owned(), read(&name.replace('.', "/")))).collect();
    // How long a gateway port waits before it answers ARP for a floating IP.
    for device in devices.map(IfName::as_str).filter(|name| name.starts_with("fg-") || name.starts_with("qg-")) {
        // A device's name may have dots in it, but no slash.
        let file = format!("net/ipv4/neigh/{device}/proxy_delay");
        sysctls.insert(format!("net.ipv4.neigh.{device}.proxy_delay"), read(&file));
    }
    sysctls
}

/// How full the connection table of the calling thread's namespace is.
pub(crate) fn read_conntrack_fill() -> Observed<ConntrackFill> {
    let number = |name: &str| read(&format!("net/netfilter/nf_conntrack_{name}")).map(i64::unsigned_abs);
    match (number("count"), number("max")) {
        (Observed::Seen(count), Observed::Seen(max)) => Observed::Seen(ConntrackFill { count, max }),
        (Observed::Unreadable(why), _) | (_, Observed::Unreadable(why)) => Observed::Unreadable(why),
        _ => Observed::Absent,
    }
}

fn read(file: &str) -> Observed<i64> {
    let mut text = [0; 64];
    let length = match File::open(format!("/proc/sys/{file}")).and_then(|mut file| file.read(&mut text)) {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Observed::Absent,
        Err(error) => return Observed::Unreadable(format!("{error}{}", hint(&error))),
    };
    let word = String::from_utf8_lossy(&text[..length]);
    word.trim().parse().map_or_else(|_| Observed::Unreadable(format!("not a number: {}", word.trim())), Observed::Seen)
}
