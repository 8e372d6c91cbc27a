//! Going somewhere by name: what `:` understands, how it completes, and which
//! row an address typed in the overview means.

mod trace;

use std::net::IpAddr;

use super::overview::{FipId, Overview, Row};
use super::state::Node;
use super::walk::Asked;
use super::words::push_address;
use crate::check::{Code, check, checks};
use crate::net::{NetnsName, printable};
use crate::topology::{FloatingIp, Topology};

/// Matches that are offered at most.
const OFFERED: usize = 64;

/// Where a command leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A floating IP's chain.
    Chain(FipId),
    /// A namespace, raw.
    Namespace(NetnsName),
    /// A router's classes of traffic.
    Router(String),
    /// A packet's walk.
    Walk(Asked),
    /// What the checks found.
    Findings,
    /// The changes of the past.
    Journal,
    /// What flows.
    Traffic,
    /// What changed on the node.
    Events,
    /// The page of a code.
    Page(Code),
    /// The overview.
    Overview,
    /// The keys.
    Help,
    /// Another reading.
    Refresh,
    /// Out.
    Quit,
}

/// The words, with what each goes to.
pub(super) const WORDS: &[(&str, &str)] = &[
    ("fip", "a floating IP, by either address"),
    ("ns", "a namespace, raw"),
    ("router", "a router's classes of traffic"),
    ("trace", "a packet on its way: FROM TO [tcp 443]"),
    ("findings", "what is wrong, and why"),
    ("events", "what changed on the node"),
    ("explain", "a code's page: DVR301"),
    ("traffic", "what flows, and where it stops"),
    ("journal", "changes made on this node"),
    ("overview", "all floating IPs"),
    ("refresh", "read the node again"),
    ("help", "the keys"),
    ("quit", "leave"),
];

/// Understands a command; the refusal is for the user.
pub(super) fn resolve(node: Option<&Node>, input: &str) -> Result<Target, String> {
    let (word, rest) = split(input);
    match (word, rest) {
        ("overview", "") => return Ok(Target::Overview),
        ("help", "") => return Ok(Target::Help),
        ("findings", "") => return Ok(Target::Findings),
        ("traffic", "") => return Ok(Target::Traffic),
        ("journal", "") => return Ok(Target::Journal),
        ("events", "") => return Ok(Target::Events),
        ("explain", code) => return explain(code),
        ("refresh", "") => return Ok(Target::Refresh),
        ("quit" | "q", "") => return Ok(Target::Quit),
        _ => {}
    }
    let node = node.ok_or("the node was not read yet")?;
    let topology = &*node.topology;
    let shown = printable(rest, 64);
    match word {
        "fip" => fip(topology, rest).ok_or(format!("no floating IP {shown} on this node")),
        "ns" => {
            let mut names = node.snapshot.namespaces.keys();
            let exact = names.clone().find(|name| name.to_string() == rest);
            let found = exact.or_else(|| names.find(|name| !rest.is_empty() && name.to_string().starts_with(rest)));
            found.cloned().map(Target::Namespace).ok_or(format!("no namespace {shown} on this node"))
        }
        "router" => topology
            .routers
            .iter()
            .find(|router| !rest.is_empty() && router.id.starts_with(rest))
            .map(|router| Target::Router(router.id.clone()))
            .ok_or(format!("no router {shown} on this node")),
        "trace" => trace::resolve(rest).map(Target::Walk),
        _ => fip(topology, input.trim()).ok_or_else(|| {
            let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            format!("nothing is called {}: {}", printable(word, 32), words.join(", "))
        }),
    }
}

/// What the input could become, whole lines, the likeliest first.
pub(super) fn candidates(node: Option<&Node>, input: &str) -> Vec<String> {
    let start = input.trim_start();
    let Some((word, rest)) = start.split_once(' ') else {
        return WORDS.iter().filter(|(word, _)| word.starts_with(start)).map(|(word, _)| (*word).to_owned()).collect();
    };
    let rest = rest.trim_start();
    if word == "explain" {
        let wanted = rest.to_uppercase();
        let codes = checks().map(|check| check.code.to_string()).filter(|code| code.starts_with(&wanted));
        return codes.take(OFFERED).map(|code| format!("{word} {code}")).collect();
    }
    let Some(node) = node else { return Vec::new() };
    let fits = |name: &String| name.starts_with(rest);
    let names: Vec<String> = match word {
        "fip" => {
            let all = node.topology.fips();
            let addresses = all.filter_map(|fip| fip.floating_ip.or(fip.fixed_ip)).map(|address| address.to_string());
            addresses.filter(fits).take(OFFERED).collect()
        }
        "ns" => node.snapshot.namespaces.keys().map(ToString::to_string).filter(fits).take(OFFERED).collect(),
        "router" => {
            node.topology.routers.iter().map(|router| printable(&router.id, 64)).filter(fits).take(OFFERED).collect()
        }
        "trace" => trace::candidates(node, rest),
        _ => Vec::new(),
    };
    names.into_iter().map(|name| format!("{word} {name}")).collect()
}

/// What all of them begin with.
pub(super) fn common_start(candidates: &[String]) -> &str {
    let Some((first, others)) = candidates.split_first() else { return "" };
    let mut end = first.len();
    for other in others {
        let same = first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        end = end.min(same);
    }
    // Never within a character.
    while !first.is_char_boundary(end) {
        end -= 1;
    }
    &first[..end]
}

/// The rows that an address being typed could mean, in their order, and the
/// likeliest of them: the address itself, a floating IP that begins so, a fixed
/// IP that begins so, an address that holds it.
pub(super) fn find(overview: &Overview, topology: &Topology, input: &str) -> (Vec<usize>, usize) {
    let mut found = Vec::new();
    let mut best = (u8::MAX, 0);
    let mut buffer = String::new();
    for (at, row) in overview.rows.iter().enumerate() {
        let Row::Fip(index) = row else { continue };
        let Some(fip) = topology.floating_ips.get(*index) else { continue };
        if let Some(rank) = rank(fip, input, &mut buffer) {
            if rank < best.0 {
                best = (rank, found.len());
            }
            found.push(at);
        }
    }
    (found, best.1)
}

fn rank(fip: &FloatingIp, input: &str, buffer: &mut String) -> Option<u8> {
    let mut of = |address: Option<IpAddr>, begins: u8| -> Option<u8> {
        buffer.clear();
        push_address(buffer, address?);
        let at = buffer.find(input)?;
        Some(match at {
            0 if buffer.len() == input.len() => begins - 1,
            0 => begins + 1,
            _ => 5,
        })
    };
    // A floating IP: 0 exact, 2 prefix; a fixed IP: 1 exact, 3 prefix.
    [of(fip.floating_ip, 1), of(fip.fixed_ip, 2)].into_iter().flatten().min()
}

fn fip(topology: &Topology, text: &str) -> Option<Target> {
    let address: IpAddr = text.parse().ok()?;
    let floating = topology.fips().find(|fip| fip.floating_ip == Some(address));
    let found = floating.or_else(|| topology.fips().find(|fip| fip.fixed_ip == Some(address)))?;
    Some(Target::Chain(FipId::from(found)))
}

fn explain(text: &str) -> Result<Target, String> {
    let code: Code = text.parse().map_err(|_| format!("{} is no code: DVR301 is one", printable(text, 32)))?;
    check(code).map(|check| Target::Page(check.code)).ok_or_else(|| format!("no check is called {code}"))
}

fn split(input: &str) -> (&str, &str) {
    let input = input.trim();
    input.split_once(' ').map_or((input, ""), |(word, rest)| (word, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completion_never_cuts_a_character() {
        let both = ["ns aé".to_owned(), "ns aè".to_owned()];
        assert_eq!(common_start(&both), "ns a");
        assert_eq!(common_start(&[]), "");
    }

    #[test]
    fn commands_need_no_node_and_refusals_say_what_there_is() {
        assert_eq!(resolve(None, " help "), Ok(Target::Help));
        assert_eq!(resolve(None, "fip 192.168.1.3"), Err("the node was not read yet".to_owned()));
        assert_eq!(candidates(None, "re"), ["refresh"]);
    }
}
