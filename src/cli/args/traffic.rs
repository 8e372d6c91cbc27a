//! `fipscope traffic`: how long, how often, of which floating IP, into which file.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::config::TrafficArgs;

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo fipscope traffic                            a report every second
  sudo fipscope traffic --floating-ip 192.168.1.3  hop by hop, of one floating IP
  sudo fipscope traffic --duration 60 --write a.pcapng
                             a minute, with the headers in a file for Wireshark
  sudo fipscope traffic --format json | jq -c .classes

It only listens; nothing of the node is changed and no packet is sent.

Exit codes: 0 the time is over, 130 interrupted, 3 could not listen.";

/// What to watch.
#[derive(Debug, Args)]
pub(in crate::cli) struct Traffic {
    /// End after so many seconds [default: when interrupted]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    /// Report every so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
    /// Only this floating IP (or the one of this fixed IP), and its namespaces
    #[arg(long, value_name = "IP")]
    floating_ip: Option<IpAddr>,
    /// Write what is seen, headers only, to this file
    #[arg(long, value_name = "FILE.pcapng", value_hint = ValueHint::FilePath)]
    write: Option<PathBuf>,
    /// The router, where the address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    router: Option<String>,
    /// The external network, where the address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    external_network: Option<String>,
}

impl From<Traffic> for TrafficArgs {
    fn from(typed: Traffic) -> Self {
        let Traffic { duration, interval, floating_ip, write, router, external_network } = typed;
        Self { duration, interval, floating_ip, router, external_network, write }
    }
}

/// From a fifth of a second to a year.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.2..=31_536_000.0).contains(&seconds) {
        return Err("not between 0.2 and 31536000 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}
