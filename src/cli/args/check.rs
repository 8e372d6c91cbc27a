//! `fipscope check` and `fipscope acknowledge`: which findings.

use std::net::IpAddr;

use clap::Args;

use crate::config::CheckArgs;

pub(super) const EXAMPLES: &str = "\
Examples:
  fipscope check                              everything
  fipscope check --floating-ip 192.168.1.3    what concerns one floating IP
  fipscope check --router ef25020f            what concerns one router
  fipscope check --select DVR3,DVR401         some codes, or families of codes
  fipscope check --ignore DVR103              all but some
  sudo fipscope check --probe                 also what only the wire decides
  fipscope check --format json | jq -r '.findings[].repair.commands[]'

Nothing is written. Packets are sent with --probe only: ARP requests, at most
three for each external gateway, address of fg and qg, floating IP and permanent
neighbour, from the namespaces that have them. They change nothing on the node.

Exit codes: 0 no error and no warning, 1 an error or a warning, 3 nothing found,
but something could not be told.";

pub(super) const ACKNOWLEDGE: &str = "\
Example:
  fipscope acknowledge 'DVR103@qrouter-b047c241/qrouter-b047c241'

The identities are those of `fipscope check --format json`. What is acknowledged
is kept per node, by root in /var/lib/fipscope/acknowledged.json, by others in
$XDG_STATE_HOME/fipscope or ~/.local/state/fipscope. It is listed apart and does
not count for the exit code of `check`; the state of floating IPs stays as it is.";

/// What narrows the checks.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// Only what concerns this floating IP (or the one of this fixed IP)
    #[arg(long, value_name = "IP")]
    floating_ip: Option<IpAddr>,
    /// Only these codes, or beginnings of codes (DVR301, DVR3)
    #[arg(long, value_name = "CODES", value_delimiter = ',', value_parser = code)]
    select: Vec<String>,
    /// Not these; where both fit, the longer one decides
    #[arg(long, value_name = "CODES", value_delimiter = ',', value_parser = code)]
    ignore: Vec<String>,
    /// Only this router, by its id or the first characters; with --floating-ip: the one of that address
    #[arg(long, value_name = "ID")]
    router: Option<String>,
    /// Only this external network, by its id or the first characters; with --floating-ip: the one of that address
    #[arg(long, value_name = "ID")]
    external_network: Option<String>,
    /// Also ask the wire (ARP), where only that decides
    #[arg(long)]
    probe: bool,
}

/// Which finding.
#[derive(Debug, Args)]
pub(in crate::cli) struct Acknowledge {
    /// The finding's identity, as `fipscope check --format json` has it
    #[arg(value_name = "FINDING_ID")]
    pub(super) finding: String,
    /// Take it back
    #[arg(long)]
    pub(super) revoke: bool,
}

impl From<Check> for CheckArgs {
    fn from(typed: Check) -> Self {
        let Check { floating_ip, select, ignore, router, external_network, probe } = typed;
        Self { floating_ip, router, external_network, select, ignore, probe }
    }
}

/// A code or the beginning of one; which codes there are is not known here.
pub(super) fn code(text: &str) -> Result<String, String> {
    let digits = text.get(..3).filter(|start| start.eq_ignore_ascii_case("dvr")).map_or(text, |_| &text[3..]);
    let fits = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits && !digits.starts_with('0') {
        Ok(text.to_owned())
    } else {
        Err("neither a code (DVR301) nor the beginning of one (DVR3)".to_owned())
    }
}
