//! `fipscope watch`: which changes.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::config::WatchArgs;

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo fipscope watch                              until Ctrl-C
  sudo fipscope watch --floating-ip 192.168.1.3    what concerns one floating IP
  sudo fipscope watch --record node.jsonl          keep it, for the console and for watch:
  fipscope --from node.jsonl                       the console, back and forth through the changes
  fipscope --from node.jsonl watch                 the same lines again
  sudo fipscope watch --format json | jq 'select(.kind == \"raised\") | .finding.code'

The kernel announces most changes at once. What it does not announce (legacy
iptables, proxy entries, some settings, Open vSwitch, the agent's process) is
found in a slow round that takes half a percent of a core.

Nothing is written to the node and no packet is sent.

Exit codes: 0 nobody reads any more, or the recording is over, 3 the node cannot be watched, 130 Ctrl-C.";

/// What narrows the changes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Watch {
    /// Only what concerns this floating IP (or the one of this fixed IP); it may come later
    #[arg(long, value_name = "IP")]
    floating_ip: Option<IpAddr>,
    /// The router, where the address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    router: Option<String>,
    /// The external network, where the address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    external_network: Option<String>,
    /// Write the node and all its changes to this file, for `--from`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    record: Option<PathBuf>,
}

impl Watch {
    /// It is to be kept in a file.
    pub(in crate::cli) fn is_recorded(&self) -> bool {
        self.record.is_some()
    }
}

impl From<Watch> for WatchArgs {
    fn from(Watch { floating_ip, router, external_network, record }: Watch) -> Self {
        Self { floating_ip, router, external_network, record }
    }
}
