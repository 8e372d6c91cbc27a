//! The hooks of iptables' built-in chains, which its text does not print.

use crate::net::netfilter::{BaseChain, Hook, Policy};

/// The hook, priority and kind of a built-in chain (`NF_IP_PRI_*` in
/// `linux/netfilter_ipv4.h`; `xtables_ipv4` in iptables' `nft.c`).
pub(super) fn builtin(table: &str, chain: &str, policy: Policy) -> BaseChain {
    let hook = match chain {
        "PREROUTING" => Hook::Prerouting,
        "INPUT" => Hook::Input,
        "FORWARD" => Hook::Forward,
        "OUTPUT" => Hook::Output,
        "POSTROUTING" => Hook::Postrouting,
        _ => Hook::Other(u32::MAX),
    };
    let priority = match (table, hook) {
        ("raw", _) => -300,
        ("mangle", _) => -150,
        ("nat", Hook::Prerouting | Hook::Output) => -100,
        ("nat", _) => 100,
        ("security", _) => 50,
        _ => 0,
    };
    let kind = match (table, hook) {
        ("nat", _) => "nat",
        ("mangle", Hook::Output) => "route",
        _ => "filter",
    };
    BaseChain { hook, priority, kind: kind.to_owned(), policy, device: None }
}
