//! Tables, chains, sets and objects, and the rules put where they belong.

use super::dump::DumpError;
use super::rule::decode_rule;
use super::wire::{self, Malformed, attrs, be32, be64, fields, text};
use crate::net::IfName;
use crate::net::netfilter::{BaseChain, Chain, Counters, Hook, NfFamily, Policy, Table};

/// The most objects that we read from one namespace.
const MAX_OBJECTS: usize = 1_000_000;

/// What has been read so far.
#[derive(Default)]
pub(super) struct Collector {
    tables: Vec<Table>,
    /// Table and chain of the latest rule: rules come chain by chain.
    latest: (usize, usize),
    objects: usize,
}

impl Collector {
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// `NFTA_TABLE_*`: 1 name, 2 flags.
    pub(super) fn table(&mut self, family: u8, body: &[u8]) -> Result<(), DumpError> {
        self.count()?;
        let found = fields::<3>(body)?;
        let Some(family) = family_of(family) else { return Ok(()) };
        self.tables.push(Table {
            family,
            name: text(found[1].ok_or(Malformed)?).into_owned(),
            dormant: found[2].map_or(Ok(0), be32)? & 1 != 0,
            chains: Vec::new(),
            others: Vec::new(),
        });
        Ok(())
    }

    /// `NFTA_CHAIN_*`: 1 table, 3 name, 4 hook, 5 policy, 7 type, 8 counters.
    pub(super) fn chain(&mut self, family: u8, body: &[u8]) -> Result<(), DumpError> {
        self.count()?;
        let found = fields::<9>(body)?;
        let Some(family) = family_of(family) else { return Ok(()) };
        let name = text(found[3].ok_or(Malformed)?).into_owned();
        let base = found[4].map(|hook| base_chain(family, hook, found[5], found[7])).transpose()?;
        let counters = found[8].map(counters).transpose()?;
        let table = self.table_of(family, found[1].ok_or(Malformed)?)?;
        table.chains.push(Chain { name, base, counters, rules: Vec::new() });
        Ok(())
    }

    /// A rule, at the end of its chain.
    pub(super) fn rule(&mut self, family: u8, body: &[u8]) -> Result<(), DumpError> {
        self.count()?;
        let Some(family) = family_of(family) else { return Ok(()) };
        let (table, chain, rule) = decode_rule(family, body)?;
        let (at, inside) = self.latest;
        let same = self.tables.get(at).filter(|t| is(t, family, table)).and_then(|t| t.chains.get(inside));
        if same.is_none_or(|c| !named(&c.name, chain)) {
            self.latest = self.find(family, table, chain).ok_or(DumpError::Interrupted)?;
        }
        let (at, inside) = self.latest;
        self.tables[at].chains[inside].rules.push(rule);
        Ok(())
    }

    /// `NFTA_SET_*`: 1 table, 2 name, 3 flags, 4 key type. Sets without a name of
    /// their own belong to the rule that looks them up.
    pub(super) fn set(&mut self, family: u8, body: &[u8]) -> Result<(), DumpError> {
        let found = fields::<5>(body)?;
        let flags = found[3].map_or(Ok(0), be32)?;
        if flags & 1 != 0 {
            return Ok(());
        }
        let kind = if flags & 8 != 0 { "map" } else { "set" };
        let key = key_type(found[4].map_or(Ok(0), be32)?);
        let what = format!("{kind} {} {{ {key} }}", text(found[2].ok_or(Malformed)?));
        self.other(family, found[1], what)
    }

    /// `NFTA_OBJ_*`: 1 table, 2 name, 3 type.
    pub(super) fn object(&mut self, family: u8, body: &[u8]) -> Result<(), DumpError> {
        let found = fields::<4>(body)?;
        let kind = match found[3].map_or(Ok(0), be32)? {
            1 => "counter",
            2 => "quota",
            3 => "ct helper",
            4 => "limit",
            5 => "ct count",
            6 => "tunnel",
            7 => "ct timeout",
            8 => "secmark",
            9 => "ct expectation",
            10 => "synproxy",
            _ => "object",
        };
        let what = format!("{kind} {}", text(found[2].ok_or(Malformed)?));
        self.other(family, found[1], what)
    }

    /// `NFTA_FLOWTABLE_*`: 1 table, 2 name.
    pub(super) fn flowtable(&mut self, family: u8, body: &[u8]) -> Result<(), DumpError> {
        let found = fields::<3>(body)?;
        let what = format!("flowtable {}", text(found[2].ok_or(Malformed)?));
        self.other(family, found[1], what)
    }

    /// The tables: in each the base chains first, by hook and priority, then the
    /// others by name, as `iptables-nft-save` has them.
    pub(super) fn finish(mut self) -> Vec<Table> {
        for table in &mut self.tables {
            table.chains.sort_by(|one, two| order(one).cmp(&order(two)));
        }
        self.tables
    }

    fn other(&mut self, family: u8, table: Option<&[u8]>, what: String) -> Result<(), DumpError> {
        self.count()?;
        let Some(family) = family_of(family) else { return Ok(()) };
        self.table_of(family, table.ok_or(Malformed)?)?.others.push(what);
        Ok(())
    }

    fn count(&mut self) -> Result<(), DumpError> {
        self.objects += 1;
        if self.objects > MAX_OBJECTS { Err(DumpError::TooMuch) } else { Ok(()) }
    }

    /// The table of that name; one that came into being since the tables were
    /// read means that we must read again.
    fn table_of(&mut self, family: NfFamily, name: &[u8]) -> Result<&mut Table, DumpError> {
        let name = wire::until_nul(name);
        self.tables.iter_mut().rev().find(|table| is(table, family, name)).ok_or(DumpError::Interrupted)
    }

    fn find(&self, family: NfFamily, table: &[u8], chain: &[u8]) -> Option<(usize, usize)> {
        let at = self.tables.iter().position(|t| is(t, family, table))?;
        let inside = self.tables[at].chains.iter().position(|c| named(&c.name, chain))?;
        Some((at, inside))
    }
}

/// `NFTA_COUNTER_*`: 1 bytes, 2 packets.
pub(super) fn counters(data: &[u8]) -> Result<Counters, Malformed> {
    let found = fields::<3>(data)?;
    Ok(Counters { packets: found[2].map_or(Ok(0), be64)?, bytes: found[1].map_or(Ok(0), be64)? })
}

fn is(table: &Table, family: NfFamily, name: &[u8]) -> bool {
    table.family == family && named(&table.name, name)
}

/// Names are bytes to the kernel; ours are text, made from them.
fn named(name: &str, bytes: &[u8]) -> bool {
    name.as_bytes() == bytes || name == String::from_utf8_lossy(bytes)
}

fn order(chain: &Chain) -> (bool, Option<(Hook, i32)>, &str) {
    let name = if chain.base.is_some() { "" } else { chain.name.as_str() };
    (chain.base.is_none(), chain.base.as_ref().map(|base| (base.hook, base.priority)), name)
}

/// `NFPROTO_*`. A family that is new to us has tables that see no IP packets that
/// the known families do not see too.
fn family_of(number: u8) -> Option<NfFamily> {
    Some(match number {
        1 => NfFamily::Inet,
        2 => NfFamily::Ip,
        3 => NfFamily::Arp,
        5 => NfFamily::Netdev,
        7 => NfFamily::Bridge,
        10 => NfFamily::Ip6,
        _ => return None,
    })
}

/// `NFTA_HOOK_*`: 1 number, 2 priority, 3 device, 4 devices.
fn base_chain(
    family: NfFamily,
    hook: &[u8],
    policy: Option<&[u8]>,
    kind: Option<&[u8]>,
) -> Result<BaseChain, Malformed> {
    let found = fields::<5>(hook)?;
    let device = match (found[3], found[4]) {
        (Some(one), _) => Some(text(one).into_owned()),
        (None, Some(list)) => Some(devices(list)?),
        (None, None) => None,
    };
    Ok(BaseChain {
        hook: hook_of(family, found[1].map_or(Err(Malformed), be32)?),
        priority: found[2].map_or(Ok(0), be32)?.cast_signed(),
        kind: kind.map_or_else(|| "filter".to_owned(), |kind| text(kind).into_owned()),
        // NF_DROP is 0; a chain whose policy is not told accepts.
        policy: if policy.map_or(Ok(1), be32)? == 0 { Policy::Drop } else { Policy::Accept },
        device: device.map(IfName::new),
    })
}

fn devices(list: &[u8]) -> Result<String, Malformed> {
    let names = attrs(list).map(|attr| attr.map(|attr| text(attr.data))).collect::<Result<Vec<_>, _>>()?;
    Ok(names.join(","))
}

fn hook_of(family: NfFamily, number: u32) -> Hook {
    match (family, number) {
        (NfFamily::Netdev, 0) | (NfFamily::Inet, 5) => Hook::Ingress,
        (NfFamily::Netdev, 1) => Hook::Egress,
        (NfFamily::Arp, 0) => Hook::Input,
        (NfFamily::Arp, 1) => Hook::Output,
        (NfFamily::Arp, 2) => Hook::Forward,
        (NfFamily::Arp | NfFamily::Netdev, other) => Hook::Other(other),
        (_, 0) => Hook::Prerouting,
        (_, 1) => Hook::Input,
        (_, 2) => Hook::Forward,
        (_, 3) => Hook::Output,
        (_, 4) => Hook::Postrouting,
        (_, other) => Hook::Other(other),
    }
}

/// The type of a set's key, as nft numbers it (`datatype.h`); several types in one
/// key are numbered six bits each.
fn key_type(number: u32) -> String {
    let name = |number: u32| match number {
        1 => "verdict",
        2 => "nf_proto",
        5 => "integer",
        7 => "ipv4_addr",
        8 => "ipv6_addr",
        9 => "ether_addr",
        12 => "inet_proto",
        13 => "inet_service",
        14 => "icmp_type",
        19 => "mark",
        20 => "iface_index",
        26 => "ct_state",
        41 => "ifname",
        _ => "?",
    };
    let mut parts: Vec<&str> =
        (0..5).rev().map(|part| (number >> (6 * part)) & 0x3f).filter(|n| *n != 0).map(name).collect();
    if parts.is_empty() {
        parts.push("?");
    }
    parts.join(" . ")
}
