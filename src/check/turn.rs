//! What two judgements differ by.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Finding;

/// A finding that appeared, or that is gone.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// It appeared.
    pub raised: bool,
    /// The finding, as it is or was last.
    pub finding: Finding,
}

impl Turn {
    /// What became of which code, and what that is: `raised DVR301`,
    /// ` 192.168.1.7 ⇄ 10.0.0.9: …`. Names from outside stand in it as they are.
    pub fn words(&self) -> (String, String) {
        let finding = &self.finding;
        let word = if self.raised { "raised" } else { "cleared" };
        let or_dash = |address: Option<IpAddr>| address.map_or_else(|| "–".to_owned(), |address| address.to_string());
        let subject = match (finding.floating_ip, finding.fixed_ip) {
            (None, None) => String::new(),
            (floating, fixed) => format!(" {} ⇄ {}", or_dash(floating), or_dash(fixed)),
        };
        (format!("{word} {}", finding.code), format!("{subject}: {}", finding.message))
    }
}

/// The findings that the second judgement has and the first has not, then those
/// that are gone, each in the order of its judgement. The same finding in other
/// words is no other.
pub fn turns(before: &[Finding], after: &[Finding]) -> Vec<Turn> {
    let surplus = |of: &[Finding], over: &[Finding], raised: bool| -> Vec<Turn> {
        let mut left: BTreeMap<&str, usize> = BTreeMap::new();
        for finding in over {
            *left.entry(&finding.id).or_default() += 1;
        }
        let mut is_new = |finding: &&Finding| match left.get_mut(finding.id.as_str()) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        };
        of.iter().filter(|finding| is_new(finding)).map(|finding| Turn { raised, finding: finding.clone() }).collect()
    };
    let mut all = surplus(after, before, true);
    all.extend(surplus(before, after, false));
    all
}
