//! Why an intent becomes no plan.

use std::net::IpAddr;

use crate::net::{IfName, Mac, NetnsName, printable};
use crate::neutron::Layout;

/// An intent that is refused, with the reason and what to try.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not an IPv4 address.
    #[error("{0} is no IPv4 address: floating IPs are IPv4 only")]
    Ipv6(IpAddr),
    /// No such router here.
    #[error("no router of this node {}\n`fipscope list` shows the routers that there are", printable(.0, 128))]
    NoRouter(String),
    /// Several fit.
    #[error("{what}: {}\nSay which one with {option}", list(.candidates))]
    Ambiguous {
        /// What there are several of.
        what: String,
        /// Which.
        candidates: Vec<String>,
        /// The option that decides.
        option: &'static str,
    },
    /// Nothing here has that floating IP.
    #[error("nothing on this node has the floating IP {0}\n`fipscope list` shows those that there are")]
    NotFound(IpAddr),
    /// This floating IP cannot be done there, or in that way.
    #[error("{0}")]
    NotDistributed(String),
    /// The fixed IP is in no subnet of the router.
    #[error("{fixed_ip} is in no subnet of the router; it has {}", list(.subnets))]
    NoSubnet {
        /// The address.
        fixed_ip: IpAddr,
        /// The router's subnets.
        subnets: Vec<String>,
    },
    /// The floating IP is in no subnet of the external network.
    #[error("{floating_ip} is in no subnet of the external network; on this node it has {}", list(.subnets))]
    Outside {
        /// The address.
        floating_ip: IpAddr,
        /// The subnets.
        subnets: Vec<String>,
    },
    /// The address is somebody's on this node already, or nobody's to have.
    #[error("{address} cannot be used: it is {what}")]
    Taken {
        /// The address.
        address: IpAddr,
        /// What it is.
        what: String,
    },
    /// The floating IP is associated already.
    #[error(
        "{floating_ip} is associated with {} already, on the router {}\nRemove that first: fipscope remove {floating_ip}",
        .fixed_ip.map_or_else(|| "another address".to_owned(), |fixed| fixed.to_string()), printable(.router, 64)
    )]
    FloatingIpInUse {
        /// The floating IP.
        floating_ip: IpAddr,
        /// What it stands for.
        fixed_ip: Option<IpAddr>,
        /// On which router.
        router: String,
    },
    /// The fixed IP has a floating IP already.
    #[error("{fixed_ip} has the floating IP {floating_ip} already\nRemove that first: fipscope remove {floating_ip}")]
    FixedIpInUse {
        /// The fixed IP.
        fixed_ip: IpAddr,
        /// Its floating IP.
        floating_ip: IpAddr,
    },
    /// Somebody else answers for the floating IP.
    #[error("{floating_ip} is in use on the external network: {} answers for it", macs(.by))]
    Answered {
        /// The address.
        floating_ip: IpAddr,
        /// Who answers.
        by: Vec<Mac>,
    },
    /// Something that the plan depends on could not be read.
    #[error("{} {what} could not be read: {}\nWithout it nothing is changed", place(.namespace.as_ref()), printable(.why, 300))]
    Unreadable {
        /// Where; `None` on the host's side.
        namespace: Option<NetnsName>,
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// The router has another layout.
    #[error("the router has the layout {}, not {}", .found.word(), .wanted.word())]
    Layout {
        /// What was asked for.
        wanted: Layout,
        /// What it has.
        found: Layout,
    },
    /// The agent's chains stand in both backends.
    #[error("the agent's chains stand in nft and in legacy iptables of {0}; clear up first (`fipscope check`)")]
    TwoBackends(NetnsName),
    /// Something has to be made that only Neutron can tell of.
    #[error("{what}\nSay: {}", .options.join(" "))]
    Needs {
        /// What has to be made.
        what: String,
        /// The options that describe it.
        options: Vec<&'static str>,
    },
    /// There is no such bridge.
    #[error("there is no bridge {0} on this node")]
    NoBridge(IfName),
    /// The pool is empty.
    #[error("no {0} is left in the agent's pool")]
    NoneLeft(&'static str),
    /// The pair is not the last floating IP's alone.
    #[error("the pair of the router {} serves {}, too\nRemove those first, or leave --with-pair out", printable(.router, 64), addresses(.others))]
    PairInUse {
        /// The router.
        router: String,
        /// Its other floating IPs.
        others: Vec<IpAddr>,
    },
    /// A step would fail.
    #[error("this would fail on the node as it is: {0}\n`fipscope check` says what is in the way")]
    Conflict(String),
}

fn list(words: &[String]) -> String {
    if words.is_empty() {
        return "none".to_owned();
    }
    let words: Vec<String> = words.iter().map(|word| printable(word, 128)).collect();
    words.join(", ")
}

fn macs(macs: &[Mac]) -> String {
    macs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn addresses(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn place(namespace: Option<&NetnsName>) -> String {
    namespace.map_or_else(|| "the host's".to_owned(), |name| format!("{name}'s"))
}
