//! `fipscope traffic`: how long, how often, of which floating IP, into which file.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use crate::config::{ProbeBy, ProbeTo, TrafficArgs};

pub(super) const EXAMPLES: &str = "\
Examples:
  sudo fipscope traffic                            a report every second
  sudo fipscope traffic --floating-ip 192.168.1.3  hop by hop, of one floating IP
  sudo fipscope traffic --duration 60 --write a.pcapng
                             a minute, with the headers in a file for Wireshark
  sudo fipscope traffic --filter 'snat :443'       flows of that class and port
  sudo fipscope traffic --format json | jq -c .classes
  sudo fipscope traffic --floating-ip 192.168.1.3 --probe echo
                             send one echo request, and see how far it comes

It only listens; nothing of the node is changed, and no packet is sent but the
one that --probe asks for.

Exit codes: 0 the time is over, or the probe was answered; 1 the probe was not
answered; 130 interrupted; 3 could not listen, or could not send the probe.";

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
    /// Only the flows, floating IPs and written packets that hold all of these words: a class, a protocol, an
    /// address, :PORT, in, out, or a part of any
    #[arg(long, value_name = "WORDS")]
    filter: Option<String>,
    /// Send one packet to the floating IP and follow it hop by hop: echo (ICMP), or tcp:PORT (a SYN)
    #[arg(
        long,
        value_name = "PACKET",
        value_parser = packet,
        requires = "floating_ip",
        conflicts_with_all = ["duration", "interval", "write", "filter"]
    )]
    probe: Option<ProbeBy>,
    /// Where the probe goes, and what it tries: floating, the whole way in, from the fip namespace; fixed, the
    /// last leg, from the router; gateway, the first leg, to the external gateway
    #[arg(long, value_name = "WHERE", value_parser = aim, default_value = "floating", requires = "probe")]
    to: ProbeTo,
    /// The router, where the address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    router: Option<String>,
    /// The external network, where the address is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    external_network: Option<String>,
}

impl From<Traffic> for TrafficArgs {
    fn from(typed: Traffic) -> Self {
        let Traffic { duration, interval, floating_ip, write, filter, probe, to, router, external_network } = typed;
        Self { duration, interval, floating_ip, router, external_network, write, filter, probe, to }
    }
}

/// The packet that a word means.
fn packet(text: &str) -> Result<ProbeBy, String> {
    let port = |port: &str| port.parse().ok().filter(|port| *port > 0);
    match text.to_lowercase().split_once(':') {
        None if text.eq_ignore_ascii_case("echo") => Ok(ProbeBy::Echo),
        Some(("tcp", number)) => port(number).map(ProbeBy::Tcp).ok_or_else(|| "not a port of TCP".to_owned()),
        _ => Err("not echo or tcp:PORT".to_owned()),
    }
}

fn aim(text: &str) -> Result<ProbeTo, String> {
    match text {
        "floating" => Ok(ProbeTo::Floating),
        "fixed" => Ok(ProbeTo::Fixed),
        "gateway" => Ok(ProbeTo::Gateway),
        _ => Err("not floating, fixed or gateway".to_owned()),
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
