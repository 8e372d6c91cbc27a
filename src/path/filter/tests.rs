//! Netfilter's meaning, rule by rule: texts of `iptables-save` and what becomes
//! of packets.

mod agent;
mod chains;
mod matches;
mod naive;
mod nat;
mod unknown;

use std::net::Ipv4Addr;

use super::{Crossing, Event, Fate, Filter, Passing};
use crate::net::Observed;
use crate::net::netfilter::{Hook, Netfilter, NfFamily, parse_save};
use crate::path::model::NatKind;
use crate::path::packet::{Endpoint, ICMP, Packet, TCP, UDP};
use crate::path::track::Connection;

/// Tables of one text, in `nf_tables`.
fn tables(text: &str) -> Observed<Netfilter> {
    let nft = Observed::Seen(parse_save(text, NfFamily::Ip).unwrap());
    Observed::Seen(Netfilter { nft, legacy: Observed::Absent, words_only: false })
}

/// One table with these chains (`INPUT ACCEPT`, `own -`) and rules.
fn table(name: &str, chains: &[&str], rules: &[&str]) -> String {
    let chains: Vec<String> = chains.iter().map(|chain| format!(":{chain} [0:0]\n")).collect();
    let rules: Vec<String> = rules.iter().map(|rule| format!("-A {rule}\n")).collect();
    format!("*{name}\n{}{}COMMIT\n", chains.concat(), rules.concat())
}

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn tcp(src: &str, dst: &str) -> Packet {
    Packet::first(ip(src), ip(dst), TCP).ports(40000, 80)
}

fn udp(src: &str, dst: &str) -> Packet {
    Packet::first(ip(src), ip(dst), UDP).ports(40000, 53)
}

fn echo(src: &str, dst: &str) -> Packet {
    Packet::first(ip(src), ip(dst), ICMP).ports(7, 7)
}

fn end(text: &str, port: impl Into<Option<u16>>) -> Endpoint {
    Endpoint { address: ip(text), port: port.into() }
}

/// From one device to another, all three hooks.
fn forward(filter: &Filter<'_>, iif: &str, oif: &str, packet: Packet, known: &[Connection]) -> (Fate, Passing) {
    let mut passing = Passing::new(packet);
    let before = Crossing { iif, ..Crossing::default() };
    let after = Crossing { iif, oif, masquerade_as: Some(ip("203.0.113.1")), ..Crossing::default() };
    for (hook, at) in [(Hook::Prerouting, &before), (Hook::Forward, &after), (Hook::Postrouting, &after)] {
        let fate = filter.pass(hook, at, &mut passing, known);
        if fate != Fate::Pass {
            return (fate, passing);
        }
    }
    (Fate::Pass, passing)
}

/// Into the namespace: two hooks.
fn deliver(filter: &Filter<'_>, iif: &str, packet: Packet, known: &[Connection]) -> (Fate, Passing) {
    let mut passing = Passing::new(packet);
    let at = Crossing { iif, redirect_to: Some(ip("10.0.0.1")), ..Crossing::default() };
    for hook in [Hook::Prerouting, Hook::Input] {
        let fate = filter.pass(hook, &at, &mut passing, known);
        if fate != Fate::Pass {
            return (fate, passing);
        }
    }
    (Fate::Pass, passing)
}

/// Out of the namespace: two hooks.
fn send(filter: &Filter<'_>, oif: &str, packet: Packet, known: &[Connection]) -> (Fate, Passing) {
    let mut passing = Passing::new(packet);
    let at = Crossing { oif, masquerade_as: Some(ip("203.0.113.1")), ..Crossing::default() };
    for hook in [Hook::Output, Hook::Postrouting] {
        let fate = filter.pass(hook, &at, &mut passing, known);
        if fate != Fate::Pass {
            return (fate, passing);
        }
    }
    (Fate::Pass, passing)
}

/// A hook by itself, for a table of filter rules.
fn at_hook(text: &str, hook: Hook, at: &Crossing<'_>, packet: Packet) -> Fate {
    let netfilter = tables(text);
    Filter::of(&netfilter).pass(hook, at, &mut Passing::new(packet), &[])
}

/// The translations of a packet: how, before, after, and by which rule.
fn translations(filter: &Filter<'_>, passing: &Passing) -> Vec<(NatKind, Endpoint, Endpoint, Option<String>)> {
    let (_, translations) = filter.told(&passing.events);
    translations.into_iter().map(|each| (each.kind, each.before, each.after, each.rule)).collect()
}

fn dropped_by(filter: &Filter<'_>, fate: &Fate) -> String {
    match fate {
        Fate::Drop(cause) | Fate::Reject(cause) => filter.reason(*cause),
        other => panic!("{other:?}"),
    }
}

fn marks(passing: &Passing) -> Vec<(u32, u32)> {
    let mark = |event: &Event| match event {
        Event::Mark { before, after, .. } => Some((*before, *after)),
        Event::Translation { .. } => None,
    };
    passing.events.iter().filter_map(mark).collect()
}

#[test]
fn a_filter_may_be_asked_from_several_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let netfilter = tables("");
    shared(&Filter::of(&netfilter));
}
