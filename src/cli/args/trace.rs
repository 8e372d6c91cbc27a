//! `fipscope trace`: which packet, where it comes in, what else is asked.

use std::net::{IpAddr, Ipv4Addr};

use clap::Args;

use crate::config::{self, TraceArgs};

/// The packet to walk.
#[derive(Debug, Args)]
pub(in crate::cli) struct Trace {
    /// The packet's source address
    #[arg(long, value_name = "ADDRESS", value_parser = v4)]
    src: Ipv4Addr,
    /// Its destination address
    #[arg(long, value_name = "ADDRESS", value_parser = v4)]
    dst: Ipv4Addr,
    /// Its protocol: tcp, udp, icmp or a number
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp", value_parser = protocol)]
    proto: u8,
    /// Source port of TCP or UDP [default: 40000]
    #[arg(long, value_name = "PORT")]
    sport: Option<u16>,
    /// Destination port [default: 443 for TCP, 53 for UDP]
    #[arg(long, value_name = "PORT")]
    dport: Option<u16>,
    /// Its length in bytes; no router may fragment it [default: 84]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(28..=65535))]
    length: Option<u32>,
    /// The device that it comes in by [default: where such a packet would come in]
    #[arg(long, value_name = "DEVICE")]
    iif: Option<String>,
    /// Walk the answer as well
    #[arg(long)]
    reply: bool,
    /// Ask the kernel's own route lookup at every hop (nothing is sent)
    #[arg(long)]
    verify: bool,
    /// The router, where it is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    router: Option<String>,
    /// The external network, where it is ambiguous (its id, or the first characters)
    #[arg(long, value_name = "ID")]
    external_network: Option<String>,
}

impl Trace {
    /// What does not go together, in a sentence.
    pub(in crate::cli) fn fault(&self) -> Option<&'static str> {
        let ports = self.sport.is_some() || self.dport.is_some();
        (ports && ![config::TCP, config::UDP].contains(&self.proto))
            .then_some("--sport and --dport go with --proto tcp and --proto udp")
    }
}

impl From<Trace> for TraceArgs {
    fn from(typed: Trace) -> Self {
        let Trace { src, dst, proto, sport, dport, length, iif, reply, verify, router, external_network } = typed;
        Self { src, dst, proto, sport, dport, length, iif, reply, verify, router, external_network }
    }
}

fn v4(text: &str) -> Result<Ipv4Addr, String> {
    match text.parse() {
        Ok(IpAddr::V4(address)) => Ok(address),
        Ok(IpAddr::V6(_)) => Err("only IPv4 packets are walked: floating IPs are IPv4".to_owned()),
        Err(_) => Err("not an IPv4 address".to_owned()),
    }
}

fn protocol(word: &str) -> Result<u8, String> {
    config::protocol(word).ok_or_else(|| "neither tcp, udp, icmp nor a number up to 255".to_owned())
}
