//! `sysctl -a`.

use std::collections::BTreeMap;

use crate::net::{IfName, Ipv4Conf};

/// Settings by full name, those with one whole number only.
#[derive(Clone, Debug, Default)]
pub struct Settings(BTreeMap<String, i64>);

/// The settings of one namespace. Lines that are no setting, such as `sysctl`'s
/// complaints, are left out: a setting that is not there is asked for by name
/// and found missing.
pub fn settings(text: &str) -> Settings {
    let lines = text.lines().filter_map(|line| {
        let (name, value) = line.split_once(" = ")?;
        let wanted = ["net.ipv4.", "net.ipv6.conf.", "net.netfilter."].iter().any(|start| name.starts_with(start));
        Some((name.trim().to_owned(), value.trim().parse().ok().filter(|_| wanted)?))
    });
    Settings(lines.collect())
}

impl Settings {
    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<i64> {
        self.0.get(name).copied()
    }

    /// The names that begin with this, and their values.
    pub fn below<'a>(&'a self, start: &'a str) -> impl Iterator<Item = (&'a str, i64)> {
        let from = self.0.range(start.to_owned()..);
        from.take_while(move |(name, _)| name.starts_with(start)).map(|(name, value)| (name.as_str(), *value))
    }

    /// The IPv4 settings of a device, if those that count are all there.
    pub fn ipv4_conf(&self, dev: &IfName) -> Option<Ipv4Conf> {
        // In names of settings, a dot of the device's name is a slash.
        let dev = dev.as_str().replace('.', "/");
        let get = |name: &str| self.get(&format!("net.ipv4.conf.{dev}.{name}"));
        let on = |name: &str| get(name).map(|value| value != 0);
        let small = |name: &str| get(name).and_then(|value| u8::try_from(value).ok());
        Some(Ipv4Conf {
            forwarding: on("forwarding")?,
            proxy_arp: on("proxy_arp")?,
            rp_filter: small("rp_filter")?,
            arp_ignore: small("arp_ignore")?,
            arp_announce: small("arp_announce")?,
            accept_local: on("accept_local")?,
            src_valid_mark: on("src_valid_mark")?,
            send_redirects: on("send_redirects")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn a_devices_settings_are_all_there_or_not_at_all() {
        let mut text = String::from("sysctl: permission denied on key 'net.ipv4.x'\nnet.ipv4.tcp_rmem = 1\t2\t3\n");
        for (at, name) in
            ["forwarding", "proxy_arp", "rp_filter", "arp_ignore", "arp_announce", "accept_local"].iter().enumerate()
        {
            writeln!(text, "net.ipv4.conf.eth0/7.{name} = {}", at % 3).unwrap();
        }
        let dev = IfName::from("eth0.7");
        assert_eq!(settings(&text).ipv4_conf(&dev), None);
        text.push_str("net.ipv4.conf.eth0/7.src_valid_mark = 0\nnet.ipv4.conf.eth0/7.send_redirects = 1\n");
        let settings = settings(&text);
        let conf = settings.ipv4_conf(&dev).unwrap();
        assert_eq!((conf.forwarding, conf.proxy_arp, conf.rp_filter, conf.send_redirects), (false, true, 2, true));
        assert_eq!(settings.get("net.ipv4.tcp_rmem"), None);
        assert_eq!(settings.below("net.ipv4.conf.eth0").count(), 8);
    }
}
