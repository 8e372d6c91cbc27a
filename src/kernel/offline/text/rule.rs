//! `ip rule list`.

use super::{Parsed, TableNames, Words, each_line, net, number, protocol};
use crate::net::{Family, FwMark, IfName, Rule, RuleAction, RulePriority, TableId};

/// The rules of one family.
pub fn rules(text: &str, family: Family, tables: &TableNames) -> Parsed<Vec<Rule>> {
    each_line(text, |line| rule(line, family, tables))
}

fn rule(line: &str, family: Family, tables: &TableNames) -> Option<Rule> {
    let (priority, rest) = line.split_once(':')?;
    let mut rule = Rule::lookup(family, priority.trim().parse().ok()?, TableId::MAIN);
    let mut words = Words::of(rest);
    rule.invert = words.take("not");
    let mut action = None;
    while let Some(word) = words.next() {
        match word {
            "from" | "to" if words.take("all") => {}
            "from" => rule.from = Some(selector(words.next()?, family)?),
            "to" => rule.to = Some(selector(words.next()?, family)?),
            "tos" | "dsfield" => rule.tos = u8::try_from(number(words.next()?)?).ok()?,
            "fwmark" => rule.fwmark = Some(mark(words.next()?)?),
            "iif" => {
                rule.iif = Some(IfName::from(words.next()?));
                rule.iif_detached = words.take("[detached]");
            }
            "oif" => {
                rule.oif = Some(IfName::from(words.next()?));
                rule.oif_detached = words.take("[detached]");
            }
            "lookup" if words.take("[l3mdev-table]") => {
                rule.others.push("l3mdev".to_owned());
                action = Some(RuleAction::Lookup(TableId(0)));
            }
            "lookup" => action = Some(RuleAction::Lookup(tables.table(words.next()?)?)),
            "goto" => {
                action = Some(RuleAction::Goto(RulePriority(words.value()?)));
                words.take("[unresolved]");
            }
            "nop" => action = Some(RuleAction::Nop),
            "blackhole" => action = Some(RuleAction::Blackhole),
            "unreachable" => action = Some(RuleAction::Unreachable),
            "prohibit" => action = Some(RuleAction::Prohibit),
            "suppress_prefixlength" => rule.suppress_prefixlen = Some(words.value()?),
            "suppress_ifgroup" => rule.suppress_ifgroup = Some(group(words.next()?)?),
            "proto" => rule.protocol = protocol(words.next()?)?,
            "ipproto" | "sport" | "dport" | "uidrange" | "tun_id" | "realms" => {
                rule.others.push(format!("{word} {}", words.next()?));
            }
            _ => return None,
        }
    }
    rule.action = action?;
    if is_kernels_own(&rule) {
        rule.protocol = 2;
    }
    Some(rule)
}

/// `ip` does not print the kernel's own protocol, so that these three look like
/// rules of no protocol.
fn is_kernels_own(rule: &Rule) -> bool {
    let plain = rule.from.is_none() && rule.to.is_none() && rule.iif.is_none() && rule.fwmark.is_none();
    let own = [(0, TableId::LOCAL), (32766, TableId::MAIN), (32767, TableId::DEFAULT)];
    plain && own.iter().any(|(priority, table)| rule.priority.0 == *priority && rule.table() == Some(*table))
}

fn selector(word: &str, family: Family) -> Option<ipnet::IpNet> {
    net(word).filter(|net| net.addr().is_ipv4() == (family == Family::V4))
}

fn mark(word: &str) -> Option<FwMark> {
    match word.split_once('/') {
        Some((value, mask)) => Some(FwMark { value: number(value)?, mask: number(mask)? }),
        None => Some(FwMark { value: number(word)?, mask: u32::MAX }),
    }
}

fn group(word: &str) -> Option<u32> {
    if word == "default" { Some(0) } else { number(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_print_as_they_were_read() {
        let text = "0:\tfrom all lookup local\n\
            32767:\tfrom all lookup default\n\
            37913:\tfrom 10.0.0.4 lookup 16\n\
            167772161:\tfrom 10.0.0.1/24 lookup 167772161\n\
            2852018311:\tfrom all iif fpr-ef25020f-0 lookup 2852018311\n\
            40000:\tnot from all to 10.1.0.0/16 fwmark 0x1/0xff iif gone [detached] ipproto tcp lookup main suppress_prefixlength 0\n\
            40001:\tfrom all unreachable\n";
        let rules = rules(text, Family::V4, &TableNames::default()).unwrap();
        let printed: Vec<String> = rules.iter().map(ToString::to_string).collect();
        let wanted: Vec<String> = text.lines().map(|line| line.replace('\t', " ")).collect();
        assert_eq!(printed, wanted);
        assert_eq!((rules[0].protocol, rules[2].protocol), (2, 0));
    }

    #[test]
    fn what_is_no_rule_is_named_with_its_line() {
        let names = TableNames::read("# names\n100 storage\n0x65\tbackup # hex\n");
        let error = rules("0: from all lookup local\nObject \"rule\" is unknown\n", Family::V4, &names).unwrap_err();
        assert_eq!(error.to_string(), "line 2: Object \"rule\" is unknown");
        assert!(rules("5: from all lookup nowhere", Family::V4, &names).is_err());
        assert!(rules("5: from fe80::1 lookup main", Family::V4, &names).is_err());
        let rules = rules("5: from all lookup storage\n6: from all lookup backup", Family::V4, &names).unwrap();
        assert_eq!(rules.iter().filter_map(Rule::table).collect::<Vec<_>>(), [TableId(100), TableId(101)]);
    }
}
