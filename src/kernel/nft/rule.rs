//! One rule: its expressions, one after the other, into iptables' words.

use super::draft::{Draft, Register, Source, Strange, VALUE};
use super::field;
use super::native;
use super::tables::counters;
use super::wire::{Malformed, attrs, be32, fields, text, until_nul};
use super::xt;
use crate::net::netfilter::{Counters, NfFamily, NfRule, RuleBody, RuleWords, Target};
use crate::net::printable;

/// Table, chain and rule.
pub(super) type Placed<'a> = (&'a [u8], &'a [u8], NfRule);

/// The most characters that we keep of what was not understood.
const SEEN: usize = 400;

/// `NFTA_RULE_*`: 1 table, 2 chain, 3 handle, 4 expressions, 7 user data.
pub(super) fn decode_rule(family: NfFamily, body: &[u8]) -> Result<Placed<'_>, Malformed> {
    let found = fields::<8>(body)?;
    let table = until_nul(found[1].ok_or(Malformed)?);
    let chain = until_nul(found[2].ok_or(Malformed)?);
    let handle = found[3].and_then(|data| data.try_into().ok()).map(u64::from_be_bytes);
    let expressions = found[4].unwrap_or_default();
    let (body, counters) = match words(family, expressions, found[7]) {
        Ok((words, counters)) => (RuleBody::Words(words), counters),
        Err(Strange(why)) => (RuleBody::NotUnderstood(describe(&why, expressions)), first_counter(expressions)),
    };
    Ok((table, chain, NfRule { handle, counters, body }))
}

type Understood = (RuleWords, Option<Counters>);

fn words(family: NfFamily, expressions: &[u8], userdata: Option<&[u8]>) -> Result<Understood, Strange> {
    let mut draft = Draft::new(family);
    for element in attrs(expressions) {
        let (name, data) = expression(element?.data)?;
        apply(&mut draft, name, data)?;
    }
    draft.finish(userdata.and_then(comment))
}

/// `NFTA_EXPR_*`: 1 name, 2 data.
fn expression(element: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let found = fields::<3>(element)?;
    Ok((until_nul(found[1].ok_or(Malformed)?), found[2].unwrap_or_default()))
}

fn apply(draft: &mut Draft, name: &[u8], data: &[u8]) -> Result<(), Strange> {
    if name == b"counter" {
        draft.counters = Some(counters(data)?);
        return Ok(());
    }
    if draft.target.is_some() {
        return Err("something after the action".into());
    }
    match name {
        b"payload" => payload(draft, data),
        b"meta" => meta(draft, data),
        b"ct" => ct(draft, data),
        b"bitwise" => bitwise(draft, data),
        b"cmp" => field::compare(draft, data),
        b"range" => field::range(draft, data),
        b"immediate" => immediate(draft, data),
        b"match" => xt::matched(draft, data),
        b"target" => xt::target(draft, data),
        b"limit" => native::limit(draft, data),
        b"log" => native::log(draft, data),
        b"nat" => native::nat(draft, data),
        b"masq" => native::masquerade(draft, data),
        b"redir" => native::redirect(draft, data),
        b"reject" => native::reject(draft, data),
        b"notrack" => draft.aim(Target::Notrack),
        b"lookup" => {
            let found = fields::<2>(data)?;
            Err(Strange(format!("a look-up in set {}", text(found[1].unwrap_or_default()))))
        }
        _ => Err("an expression that iptables does not have".into()),
    }
}

/// `NFTA_PAYLOAD_*`: 1 destination register, 2 base, 3 offset, 4 length. Without
/// the register it writes to the packet.
fn payload(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<5>(data)?;
    let [_, Some(register), Some(base), Some(offset), Some(len)] = found else {
        return Err("a change of the packet".into());
    };
    let len = be32(len)? as usize;
    if len == 0 || len > VALUE {
        return Err("a long piece of the packet".into());
    }
    let source = Source::Payload { base: be32(base)?, offset: be32(offset)? };
    draft.store(be32(register)?, Register::new(source, len))
}

/// `NFTA_META_*`: 1 destination register, 2 key, 3 source register.
fn meta(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<4>(data)?;
    let key = be32(found[2].ok_or(Malformed)?)?;
    if let Some(register) = found[3] {
        let value = draft.load(be32(register)?)?;
        return native::set_meta(draft, key, value);
    }
    let len = match key {
        field::META_IIFNAME | field::META_OIFNAME => VALUE,
        field::META_MARK => 4,
        field::META_L4PROTO | field::META_NFPROTO => 1,
        _ => return Err(Strange(format!("meta key {key}"))),
    };
    draft.store(be32(found[1].ok_or(Malformed)?)?, Register::new(Source::Meta(key), len))
}

/// `NFTA_CT_*`: 1 destination register, 2 key, 3 direction, 4 source register.
fn ct(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<5>(data)?;
    let key = be32(found[2].ok_or(Malformed)?)?;
    match (found[1], found[3], found[4], key) {
        (Some(register), None, None, field::CT_STATE | field::CT_STATUS | field::CT_MARK) => {
            draft.store(be32(register)?, Register::new(Source::Ct(key), 4))
        }
        _ => Err(Strange(format!("connection tracking key {key}"))),
    }
}

/// `NFTA_BITWISE_*`: 1 source, 2 destination, 3 length, 4 mask, 5 xor, 6 operation.
fn bitwise(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<7>(data)?;
    if found[6].map_or(Ok(0), be32)? != 0 {
        return Err("a shift of bits".into());
    }
    let [_, Some(from), Some(to), Some(len), Some(mask), Some(xor), _] = found else { return Err(Malformed.into()) };
    let mut register = draft.load(be32(from)?)?;
    let (mask, xor) = (value(mask)?, value(xor)?);
    let len = be32(len)? as usize;
    if register.masked || register.constant().is_some() || len != register.len || mask.len() != len || xor.len() != len
    {
        return Err("arithmetic that iptables does not have".into());
    }
    register.mask[..len].copy_from_slice(mask);
    register.xor[..len].copy_from_slice(xor);
    register.masked = true;
    draft.store(be32(to)?, register)
}

/// `NFTA_IMMEDIATE_*`: 1 destination register, 2 data. Register 0 is the verdict.
fn immediate(draft: &mut Draft, data: &[u8]) -> Result<(), Strange> {
    let found = fields::<3>(data)?;
    let register = be32(found[1].ok_or(Malformed)?)?;
    let data = found[2].ok_or(Malformed)?;
    if register != 0 {
        let constant = Register::immediate(value(data)?).ok_or("a long constant")?;
        return draft.store(register, constant);
    }
    let (code, chain) = verdict(data)?;
    let chain = || chain.map(|chain| text(chain).into_owned()).ok_or(Strange::from(Malformed));
    match code {
        0 => draft.aim(Target::Drop),
        1 => draft.aim(Target::Accept),
        -1 => Ok(()),
        -3 => {
            let chain = chain()?;
            draft.aim(Target::Jump(chain))
        }
        -4 => {
            let chain = chain()?;
            draft.aim(Target::Goto(chain))
        }
        -5 => draft.aim(Target::Return),
        other => Err(Strange(format!("verdict {other}"))),
    }
}

/// `NFTA_DATA_*`: 1 value.
pub(super) fn value(data: &[u8]) -> Result<&[u8], Malformed> {
    fields::<2>(data)?[1].ok_or(Malformed)
}

/// `NFTA_DATA_VERDICT` (2): `NFTA_VERDICT_CODE` (1), `NFTA_VERDICT_CHAIN` (2).
fn verdict(data: &[u8]) -> Result<(i32, Option<&[u8]>), Malformed> {
    let found = fields::<3>(fields::<3>(data)?[2].ok_or(Malformed)?)?;
    Ok((be32(found[1].ok_or(Malformed)?)?.cast_signed(), found[2]))
}

/// The comment of nft and of newer iptables: type 0 of the user data, each entry
/// a byte of type, a byte of length and that many bytes.
fn comment(userdata: &[u8]) -> Option<String> {
    let mut rest = userdata;
    while let [kind, len, after @ ..] = rest {
        let (entry, after) = after.split_at_checked(usize::from(*len))?;
        if *kind == 0 {
            return Some(text(entry).into_owned());
        }
        rest = after;
    }
    None
}

/// The counters of a rule that is not understood.
fn first_counter(expressions: &[u8]) -> Option<Counters> {
    attrs(expressions).flatten().find_map(|element| {
        let (name, data) = expression(element.data).ok()?;
        if name == b"counter" { counters(data).ok() } else { None }
    })
}

/// What we saw of a rule: why it has no words, and its expressions by name.
fn describe(why: &str, expressions: &[u8]) -> String {
    let mut out = format!("{why} (");
    for (index, element) in attrs(expressions).enumerate() {
        let Ok((name, data)) = element.and_then(|element| expression(element.data)) else { break };
        let name = text(name);
        let separator = if index == 0 { "" } else { ", " };
        let detail = match name.as_ref() {
            "immediate" => verdict_word(data),
            "match" | "target" => fields::<2>(data).ok().and_then(|found| found[1]).map(|xt| text(xt).into_owned()),
            _ => None,
        };
        match detail {
            Some(detail) => out.extend([separator, &name, " ", &detail]),
            None => out.extend([separator, &name]),
        }
        if out.len() > SEEN {
            break;
        }
    }
    out.push(')');
    printable(&out, SEEN)
}

fn verdict_word(data: &[u8]) -> Option<String> {
    let (code, chain) = verdict(fields::<3>(data).ok()?[2]?).ok()?;
    let chain = text(chain.unwrap_or_default());
    Some(match code {
        0 => "drop".to_owned(),
        1 => "accept".to_owned(),
        -3 => format!("jump {chain}"),
        -4 => format!("goto {chain}"),
        -5 => "return".to_owned(),
        other => format!("verdict {other}"),
    })
}
