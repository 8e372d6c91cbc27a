//! What an action is, in one sentence for a person.

use crate::net::netfilter::protocol_word;
use crate::net::{FileName, printable};

use super::{Action, AnnounceBy, ChainEdit, LinkSetting, Object, Place, SwitchPort, TableEdit};

impl Action {
    /// One sentence without a full stop; names are made printable.
    pub fn sentence(&self) -> String {
        match self {
            Self::Add(object) => format!("Add {}", object.noun()),
            Self::Delete(object) => format!("Delete {}", object.noun()),
            Self::SetLink { dev, to, .. } => match to {
                LinkSetting::Up(true) => format!("Switch {dev} on"),
                LinkSetting::Up(false) => format!("Switch {dev} off"),
                LinkSetting::Mtu(mtu) => format!("Set the MTU of {dev} to {mtu}"),
                LinkSetting::Mac(mac) => format!("Set the hardware address of {dev} to {mac}"),
                LinkSetting::Master(Some(bridge)) => format!("Attach {dev} to the bridge {bridge}"),
                LinkSetting::Master(None) => format!("Detach {dev} from its bridge"),
            },
            Self::Move { dev, from, to } => format!("Move {dev} from {from} to {to}"),
            Self::ReplaceRoute { to, from: None } => format!("Add the route {to}"),
            Self::ReplaceRoute { to, from: Some(from) } => format!("Replace the route {from} by {to}"),
            Self::Sysctl { key, to, .. } => format!("Set {} to {to}", printable(key, 128)),
            Self::Netfilter(edit) => edit.sentence(),
            Self::Forget { address } => format!("Forget the tracked connections of {address}"),
            Self::ForgetConnection { original: it, .. } => {
                let proto = protocol_word(it.proto).map_or_else(|| format!("protocol {}", it.proto), str::to_owned);
                let end = |address, port: Option<u16>| {
                    port.map_or_else(
                        || format!("{address}"),
                        |port| std::net::SocketAddr::new(address, port).to_string(),
                    )
                };
                let ends = format!("{} → {}", end(it.src, it.sport), end(it.dst, it.dport));
                format!("Forget the tracked connection {proto} {ends}")
            }
            Self::Probe { dev, address } => format!("Ask on {dev} whether anybody has {address}"),
            Self::Announce { dev, address, by: AnnounceBy::Repeat, .. } => {
                format!("Announce {address} on {dev}, three times")
            }
            Self::Announce { dev, address, by: AnnounceBy::Address, .. } => {
                format!("Announce {address} on {dev}, three times, with the address there for that long")
            }
        }
    }
}

impl Object {
    fn noun(&self) -> String {
        match self {
            Self::Netns(name) => format!("the namespace {name}"),
            Self::Veth(pair) => format!("the veth pair {} – {} in {}", pair.end.name, pair.peer.name, pair.peer_netns),
            Self::Bridge(name) => format!("the bridge {name}"),
            Self::Addr(addr) => format!("the address {} on {}", addr.address, addr.dev),
            Self::Rule(rule) => format!("the rule {rule}"),
            Self::Route(route) => format!("the route {route}"),
            Self::Neigh(neigh) if neigh.proxy => {
                format!("the proxy entry for {} on {}", neigh.address, neigh.dev)
            }
            Self::Neigh(neigh) => match neigh.mac {
                Some(mac) => format!("the permanent neighbour {} is {mac} on {}", neigh.address, neigh.dev),
                None => format!("the neighbour {} on {}", neigh.address, neigh.dev),
            },
            Self::OvsPort(port) => port.noun(),
            Self::FileLine { file, line, .. } => {
                let file = match file {
                    FileName::LinkLocal => "fip-linklocal-networks",
                    FileName::Priorities => "fip-priorities",
                };
                format!("the line {} of {file}", printable(line, 128))
            }
        }
    }
}

impl SwitchPort {
    fn noun(&self) -> String {
        let tag = self.tag.map_or(String::new(), |tag| format!(", tag {tag}"));
        let there = match &self.netns {
            Place::Netns(name) if self.internal => format!(", its device in {name}"),
            _ => String::new(),
        };
        format!("the port {} of the bridge {}{tag}{there}", self.name, self.bridge)
    }
}

impl TableEdit {
    fn sentence(&self) -> String {
        let count = |wanted: fn(&ChainEdit) -> bool| self.edits.iter().filter(|edit| wanted(edit)).count();
        let parts: Vec<String> = [
            ("add", count(|edit| matches!(edit, ChainEdit::NewChain(_))), "chain"),
            ("add", count(|edit| matches!(edit, ChainEdit::Add { .. })), "rule"),
            ("delete", count(|edit| matches!(edit, ChainEdit::Delete { .. })), "rule"),
            ("delete", count(|edit| matches!(edit, ChainEdit::DropChain(_))), "chain"),
        ]
        .into_iter()
        .filter(|(_, count, _)| *count > 0)
        .map(|(verb, count, noun)| format!("{verb} {count} {noun}{}", if count == 1 { "" } else { "s" }))
        .collect();
        let table = printable(&self.table, 32);
        if let [ChainEdit::Add { chain, rule, .. }] = self.edits.as_slice() {
            return format!("In the table {table}, add to {chain}: {}", printable(rule, 256));
        }
        if let [ChainEdit::Delete { chain, rule, .. }] = self.edits.as_slice() {
            return format!("In the table {table}, delete from {chain}: {}", printable(rule, 256));
        }
        format!("In the table {table}, {}", parts.join(", "))
    }
}
