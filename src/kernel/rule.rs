//! Policy rules (`RTM_GETRULE`; `include/uapi/linux/fib_rules.h`).

use ipnet::IpNet;

use super::Error;
use super::attr::{Attr, Malformed, attrs, family, header, unspecified};
use super::socket::Socket;
use crate::net::{FwMark, IfName, Rule, RuleAction, RulePriority, TableId};

const RTM_GETRULE: u16 = 34;
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_PROTOCOL: u16 = 21;

const INVERT: u32 = 0x02;
const IIF_DETACHED: u32 = 0x08;
const OIF_DETACHED: u32 = 0x10;

/// All rules of the socket's namespace, both families, each family's in the
/// order in which the kernel asks them.
pub(crate) fn dump_rules(socket: &mut Socket) -> Result<Vec<Rule>, Error> {
    // struct fib_rule_hdr, all zero: every family
    socket.dump("rules", RTM_GETRULE, &[0; 12], decode)
}

fn decode(message: &[u8]) -> Result<Option<Rule>, Malformed> {
    let (&[number, dst_len, src_len, tos, table, _, _, action, f0, f1, f2, f3], rest) = header::<12>(message)?;
    let Some(family) = family(number) else { return Ok(None) };
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let mut rule = Rule::lookup(family, 0, TableId(u32::from(table)));
    rule.tos = tos;
    rule.invert = flags & INVERT != 0;
    rule.iif_detached = flags & IIF_DETACHED != 0;
    rule.oif_detached = flags & OIF_DETACHED != 0;
    let (mut src, mut dst, mut fwmark, mut mask, mut target) = (None, None, None, None, 0);
    // The header has room for 8 bits of the table only, and says 252 for any larger one.
    let (mut full_table, mut others) = (u32::from(table), Vec::new());
    for attr in attrs(rest) {
        match attr.kind {
            FRA_SRC => src = Some(attr.ip()?),
            FRA_DST => dst = Some(attr.ip()?),
            FRA_IIFNAME => rule.iif = Some(IfName::new(attr.text())),
            FRA_OIFNAME => rule.oif = Some(IfName::new(attr.text())),
            FRA_GOTO => target = attr.u32()?,
            // Rule 0 comes without: that is what 0 means.
            FRA_PRIORITY => rule.priority = RulePriority(attr.u32()?),
            FRA_FWMARK => fwmark = Some(attr.u32()?),
            FRA_FWMASK => mask = Some(attr.u32()?),
            FRA_TABLE => full_table = attr.u32()?,
            // -1 is "not set".
            FRA_SUPPRESS_PREFIXLEN => rule.suppress_prefixlen = Some(attr.u32()?).filter(|set| *set != u32::MAX),
            FRA_SUPPRESS_IFGROUP => rule.suppress_ifgroup = Some(attr.u32()?).filter(|set| *set != u32::MAX),
            FRA_PROTOCOL => rule.protocol = attr.u8()?,
            _ => others.extend(other(attr)?.map(|word| (ip_order(attr.kind), word))),
        }
    }
    others.sort();
    rule.others = others.into_iter().map(|(_, word)| word).collect();
    let net = |address: Option<std::net::IpAddr>, length| match (address, length) {
        (None, 0) => Ok(None),
        (address, length) => {
            IpNet::new(address.unwrap_or(unspecified(family)), length).map(Some).map_err(|_| Malformed)
        }
    };
    rule.from = net(src, src_len)?;
    rule.to = net(dst, dst_len)?;
    if fwmark.is_some() || mask.is_some() {
        rule.fwmark = Some(FwMark { value: fwmark.unwrap_or(0), mask: mask.unwrap_or(u32::MAX) });
    }
    rule.action = match action {
        1 => RuleAction::Lookup(TableId(full_table)),
        2 => RuleAction::Goto(RulePriority(target)),
        3 => RuleAction::Nop,
        6 => RuleAction::Blackhole,
        7 => RuleAction::Unreachable,
        8 => RuleAction::Prohibit,
        other => RuleAction::Other(other),
    };
    Ok(Some(rule))
}

/// Selectors that the model has no field for: kept in `ip`'s words, so that a
/// rule never looks more general than it is.
fn other(attr: Attr<'_>) -> Result<Option<String>, Malformed> {
    let range = |value: &[u8]| match value.as_chunks::<2>().0 {
        [first, last, ..] if first == last => Ok(u16::from_ne_bytes(*first).to_string()),
        [first, last, ..] => Ok(format!("{}-{}", u16::from_ne_bytes(*first), u16::from_ne_bytes(*last))),
        _ => Err(Malformed),
    };
    Ok(match attr.kind {
        5 | 7..=9 | 18 => None, // unused numbers and padding
        11 => match attr.u32()? {
            0 => None,
            realms if realms >> 16 == 0 => Some(format!("realms {realms}")),
            realms => Some(format!("realms {}/{}", realms >> 16, realms & 0xffff)),
        },
        12 => match attr.be64()? {
            0 => None,
            id => Some(format!("tun_id {id}")),
        },
        19 => (attr.u8()? != 0).then(|| "l3mdev".to_owned()),
        20 => match attr.value.as_chunks::<4>().0 {
            [first, last, ..] => Some(format!("uidrange {}-{}", u32::from_ne_bytes(*first), u32::from_ne_bytes(*last))),
            _ => return Err(Malformed),
        },
        22 => Some(match attr.u8()? {
            1 => "ipproto icmp".to_owned(),
            6 => "ipproto tcp".to_owned(),
            17 => "ipproto udp".to_owned(),
            58 => "ipproto ipv6-icmp".to_owned(),
            number => format!("ipproto {number}"),
        }),
        23 => Some(format!("sport {}", range(attr.value)?)),
        24 => Some(format!("dport {}", range(attr.value)?)),
        25 => Some(format!("dscp {}", attr.u8()?)),
        26 => Some(format!("flowlabel {:#x}", attr.be32()?)),
        27 => Some(format!("flowlabel-mask {:#x}", attr.be32()?)),
        28 => port_mask("sport", attr)?,
        29 => port_mask("dport", attr)?,
        30 => (attr.u8()? != 0x3f).then(|| format!("dscp-mask {:#x}", attr.value[0])),
        number => Some(format!("attribute-{number}")),
    })
}

/// A mask that covers all of the port says nothing.
fn port_mask(side: &str, attr: Attr<'_>) -> Result<Option<String>, Malformed> {
    let mask = u16::from_ne_bytes(attr.array()?);
    Ok((mask != u16::MAX).then(|| format!("{side}-mask {mask:#x}")))
}

/// The place at which `ip rule` prints a selector.
fn ip_order(kind: u16) -> usize {
    let order = [19, 20, 22, 23, 28, 24, 29, 12, 25, 30, 26, 27, 11];
    order.iter().position(|known| *known == kind).unwrap_or(order.len())
}

#[cfg(test)]
mod tests {
    use super::super::attr::attribute as attr;
    use super::*;

    #[test]
    fn a_large_table_and_an_unset_suppressor() {
        let mut bytes = vec![2, 0, 32, 0, 252, 0, 0, 1, 0, 0, 0, 0];
        bytes.extend(attr(FRA_TABLE, &2_852_018_311_u32.to_ne_bytes()));
        bytes.extend(attr(FRA_SUPPRESS_PREFIXLEN, &u32::MAX.to_ne_bytes()));
        bytes.extend(attr(FRA_PRIORITY, &2_852_018_311_u32.to_ne_bytes()));
        bytes.extend(attr(FRA_SRC, &[10, 0, 0, 4]));
        assert_eq!(decode(&bytes).unwrap().unwrap().to_string(), "2852018311: from 10.0.0.4 lookup 2852018311");
    }

    #[test]
    fn what_we_do_not_model_is_kept() {
        let mut bytes = vec![2, 0, 0, 0, 254, 0, 0, 1, 2, 0, 0, 0];
        bytes.extend(attr(22, &[6]));
        bytes.extend(attr(24, &[80, 0, 90, 0]));
        bytes.extend(attr(99, &[0]));
        bytes.extend(attr(FRA_FWMASK, &0xff00_u32.to_ne_bytes()));
        let rule = decode(&bytes).unwrap().unwrap();
        assert_eq!(
            rule.to_string(),
            "0: not from all fwmark 0x0/0xff00 ipproto tcp dport 80-90 attribute-99 lookup main"
        );
        assert_eq!(decode(&[128; 12]), Ok(None));
        assert_eq!(decode(&[2; 11]), Err(Malformed));
    }
}
