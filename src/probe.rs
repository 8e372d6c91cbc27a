//! Questions on the wire and their answers, and announcements: bounded, and
//! without a change to the node.
//!
//! Nothing gets an address, no device becomes promiscuous, no neighbour entry is
//! made: the frames are written and read through packet sockets, which
//! short-lived threads open in the namespaces, and which are closed as soon as
//! the questions are answered or their time is over.

mod announce;
mod arp;
mod ask;
mod filter;
mod reach;
mod socket;

use std::io;

use crate::net::{IfName, NetnsName};

pub use announce::{Announcement, announce, announce_once};
pub use ask::{Manner, ask};
pub use reach::reach;

/// Why something could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The namespace could not be entered.
    #[error(transparent)]
    Netns(#[from] crate::netns::Error),
    /// The device is not there.
    #[error("there is no device {device} in {namespace}: read the node again")]
    NoDevice {
        /// The device.
        device: IfName,
        /// The namespace.
        namespace: NetnsName,
    },
    /// ARP has its meaning on Ethernet only.
    #[error("{device} in {namespace} is no Ethernet device, so nobody can be asked on it: ask on its lower device")]
    NotEthernet {
        /// The device.
        device: IfName,
        /// The namespace.
        namespace: NetnsName,
    },
    /// The system refused.
    #[error("cannot {operation} on {device} in {namespace}: {source}{}", hint(.source))]
    Socket {
        /// What was tried.
        operation: &'static str,
        /// The device.
        device: IfName,
        /// The namespace.
        namespace: NetnsName,
        /// Why not.
        source: io::Error,
    },
}

fn hint(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "; it needs CAP_NET_RAW, try: sudo",
        Some(libc::ENETDOWN) => "; try: ip link set DEVICE up",
        _ => "",
    }
}
