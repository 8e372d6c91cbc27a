//! A translation rule as a line of evidence.

use crate::net::netfilter::{NfFamily, NfRule};
use crate::net::printable;

/// `-A CHAIN …`, as `iptables-save` prints it, safe for a terminal.
pub(super) fn rule_line(chain: &str, rule: &NfRule) -> String {
    printable(&rule.line(chain, NfFamily::Ip).to_string(), 512)
}
