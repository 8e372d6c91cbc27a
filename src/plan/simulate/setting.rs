//! Settings below `/proc/sys`, and the devices that follow them.

use crate::net::{IfName, Link, Netns, Object as Thing, Observed};

use super::Effect;

/// Settings whose parts are devices' names, which may have dots in them.
const BY_DEVICE: [&str; 4] = ["net.ipv4.conf.", "net.ipv4.neigh.", "net.ipv6.conf.", "net.ipv6.neigh."];
/// Writing one of them writes the other, and every device's forwarding
/// (`inet_forward_change` of `net/ipv4/devinet.c`).
const FORWARDING: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"];

/// A setting's name as `sysctl` takes it: a slash for a dot within a device's name.
pub(in super::super) fn sysctl_key(name: &str) -> String {
    for prefix in BY_DEVICE {
        if let Some((device, setting)) = name.strip_prefix(prefix).and_then(|rest| rest.rsplit_once('.')) {
            return format!("{prefix}{}.{setting}", device.replace('.', "/"));
        }
    }
    name.to_owned()
}

pub(super) fn write(netns: &Netns, key: &str, to: i64) -> Vec<Effect> {
    let name = key.replace('/', ".");
    let mut effects: Vec<Effect> = Vec::new();
    let forwards = FORWARDING.contains(&name.as_str());
    let names: &[&str] = if forwards { &FORWARDING } else { &[name.as_str()] };
    for name in names {
        let before = netns.sysctls.get(*name);
        // What is not read is not followed, a setting of all or of the kernel excepted.
        if before.is_some_and(|before| *before != Observed::Seen(to)) {
            let thing = |value: Observed<i64>| Thing::Sysctl((*name).to_owned(), value);
            effects.push((before.cloned().map(thing), Some(thing(Observed::Seen(to)))));
        }
    }
    let of_device = name.strip_prefix("net.ipv4.conf.").and_then(|rest| rest.rsplit_once('.'));
    for link in netns.links() {
        let after = match of_device {
            _ if forwards => with(link, "forwarding", to),
            Some((device, setting)) if link.name == IfName::from(device) => with(link, setting, to),
            _ => None,
        };
        if let Some(after) = after.filter(|after| after != link) {
            effects.push((Some(Thing::Link(Box::new(link.clone()))), Some(Thing::Link(Box::new(after)))));
        }
    }
    effects
}

fn with(link: &Link, setting: &str, to: i64) -> Option<Link> {
    let mut after = link.clone();
    let conf = after.ipv4.as_mut()?;
    let (on, number) = (to != 0, u8::try_from(to).unwrap_or(u8::MAX));
    match setting {
        "forwarding" => conf.forwarding = on,
        "proxy_arp" => conf.proxy_arp = on,
        "rp_filter" => conf.rp_filter = number,
        "arp_ignore" => conf.arp_ignore = number,
        "arp_announce" => conf.arp_announce = number,
        "accept_local" => conf.accept_local = on,
        "src_valid_mark" => conf.src_valid_mark = on,
        "send_redirects" => conf.send_redirects = on,
        _ => return None,
    }
    Some(after)
}
