//! Objects for people: what they are called, and the commands with which an
//! operator sees one with their own eyes.

use std::net::IpAddr;

use super::model::{ObjectKind, ObjectRef};
use crate::net::NetnsName;

impl ObjectRef {
    /// A command line for a POSIX shell that shows the object in its namespace;
    /// every word is quoted where a shell would touch it.
    pub fn command(&self, namespace: &NetnsName) -> String {
        let ns = quoted(namespace.as_str());
        let key = quoted(&self.key);
        let six = if self.key.parse::<IpAddr>().is_ok_and(|key| key.is_ipv6()) { "-6 " } else { "" };
        match self.kind {
            ObjectKind::Netns => "ip netns list".to_owned(),
            ObjectKind::Link => format!("ip -n {ns} -d -s link show dev {key}"),
            ObjectKind::Addr => format!("ip -n {ns} address"),
            ObjectKind::Rule => format!("ip {six}-n {ns} rule"),
            ObjectKind::Route => format!("ip {six}-n {ns} route show table all"),
            ObjectKind::Neigh => format!("ip -n {ns} neighbour"),
            ObjectKind::Nat | ObjectKind::Filter => format!("ip netns exec {ns} iptables-save -c"),
            ObjectKind::Sysctl => format!("ip netns exec {ns} sysctl {key}"),
            ObjectKind::File => format!("cat {key}"),
            ObjectKind::OvsPort => format!("ovs-vsctl list interface {key}"),
        }
    }
}

impl ObjectKind {
    /// What a person calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Netns => "namespace",
            Self::Link => "device",
            Self::Addr => "address",
            Self::Rule => "rule",
            Self::Route => "route",
            Self::Neigh => "neighbour",
            Self::Nat => "translation",
            Self::Filter => "filter",
            Self::Sysctl => "setting",
            Self::File => "file",
            Self::OvsPort => "Open vSwitch port",
        }
    }
}

/// A word for a shell, whatever stands in it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_word_of_a_shell() {
        assert_eq!(quoted("qrouter-ef25020f"), "qrouter-ef25020f");
        assert_eq!(quoted("a;reboot"), "'a;reboot'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("-h"), "'-h'");
    }
}
