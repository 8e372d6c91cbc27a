//! `fipscope trace`: read, walk, have the kernel say the same, report.

use super::commands::{judged, lasting};
use super::error::AppError;
use super::exit::Exit;
use super::output::{print, style};
use super::{source, witness};
use crate::config::{self, Format, Settings, TraceArgs};
use crate::net::{IfName, RouteQuestion, Snapshot};
use crate::path::{ICMP, Kernel, Node, Outcome, Packet, Start, Walk};
use crate::report::{self, Back, Entry, EntryQuery};
use crate::topology::{Blind, Topology};

/// `fipscope trace`.
pub(super) fn trace(asked: &TraceArgs, settings: &Settings) -> Result<Exit, AppError> {
    if asked.verify && settings.from.is_some() {
        return Err(AppError::Usage("--verify asks the kernel of this node: it does not go with --from"));
    }
    let snapshot = lasting(source::snapshot(settings, false)?);
    let topology = lasting(Topology::of(snapshot));
    let node = Node::of(snapshot, topology);
    let start = start(&node, snapshot, topology, asked)?;
    let mut walk = node.walk(&start, packet(asked));
    let mut reply = if asked.reply { node.reply(&walk) } else { None };
    if asked.verify {
        verify(&mut walk, reply.as_mut(), settings);
    }
    let back = match &reply {
        _ if !asked.reply => Back::NotAsked,
        None => Back::None,
        Some(reply) => Back::Walk(reply),
    };
    let judged = judged(snapshot, topology, settings);
    print(&match settings.format {
        Format::Text => report::text::trace(snapshot, topology, &walk, back, judged, style(settings)),
        Format::Json => report::json::trace(snapshot, topology, &walk, back, judged),
    })?;
    Ok(exit(std::iter::once(&walk).chain(&reply)))
}

/// Port of a client, where none was asked for.
const CLIENT: u16 = 40_000;

/// The first packet of what was asked for: a SYN, an echo request.
fn packet(asked: &TraceArgs) -> Packet {
    let server = match asked.proto {
        config::TCP => Some(443),
        config::UDP => Some(53),
        _ => None,
    };
    let packet = Packet::first(asked.src, asked.dst, asked.proto);
    let packet = Packet { length: asked.length.unwrap_or(packet.length), ..packet };
    match server {
        Some(server) => packet.ports(asked.sport.unwrap_or(CLIENT), asked.dport.unwrap_or(server)),
        // The identifier of an echo, in both places.
        None if asked.proto == ICMP => packet.ports(1, 1),
        None => packet,
    }
}

fn start(node: &Node<'_>, snapshot: &Snapshot, topology: &Topology, asked: &TraceArgs) -> Result<Start, AppError> {
    if let (None, Some(net)) = (&asked.iif, switched(node, topology, asked)) {
        let hint = format!("both are in {net}: a switch carries it, no router sees it");
        let node = topology.node.clone();
        return Err(AppError::Nowhere { src: asked.src, dst: asked.dst, node, hint, blind: false });
    }
    let query = EntryQuery {
        iif: asked.iif.as_deref().map(IfName::from),
        router: asked.router.clone(),
        external_network: asked.external_network.clone(),
    };
    match report::entry(snapshot, topology, node.starts(asked.src, asked.dst), &query) {
        Entry::One(start) => Ok(start),
        Entry::Many(places) => {
            let line = |(start, arguments): &(Start, Option<String>)| {
                let how = match arguments {
                    Some(arguments) => format!("fipscope trace … {arguments}"),
                    None => "no argument tells it from another one".to_owned(),
                };
                format!("  {}: {how}", report::entry_words(start))
            };
            let lines: Vec<String> = places.iter().map(line).collect();
            let what = format!("where a packet from {} to {} comes in", asked.src, asked.dst);
            Err(AppError::Ambiguous { what, candidates: lines.join("\n") })
        }
        Entry::Nowhere { hint } => Err(AppError::Nowhere {
            src: asked.src,
            dst: asked.dst,
            node: topology.node.clone(),
            hint,
            blind: topology.blind.iter().any(Blind::hides_floating_ips),
        }),
    }
}

/// The subnet that both addresses are in, unless one of them is the router's own.
fn switched(node: &Node<'_>, topology: &Topology, asked: &TraceArgs) -> Option<ipnet::IpNet> {
    let ports = topology.routers.iter().flat_map(|router| &router.internal);
    let mut own = ports.flat_map(|port| &port.addresses).map(ipnet::IpNet::addr);
    let net = node.subnet_of_both(asked.src, asked.dst)?;
    (!own.any(|own| own == asked.src || own == asked.dst)).then_some(net)
}

/// Asks the kernel what the walks were asked, once each.
pub(super) fn verify(walk: &mut Walk, reply: Option<&mut Walk>, settings: &Settings) {
    let walks: Vec<&mut Walk> = std::iter::once(walk).chain(reply).collect();
    let mut questions: Vec<RouteQuestion> = walks.iter().flat_map(|walk| walk.questions()).collect();
    questions.sort();
    questions.dedup();
    let answers = witness::answers(&settings.netns_dir, questions);
    for walk in walks {
        walk.witnessed(&answers);
    }
}

/// The worst of all walks: something is dropped, or the kernel decides otherwise;
/// something cannot be told, or the kernel could not be asked.
fn exit<'a>(walks: impl Iterator<Item = &'a Walk>) -> Exit {
    let mut worst = Exit::Done;
    for walk in walks {
        let kernel = |is: fn(&Kernel) -> bool| walk.hops.iter().any(|hop| is(&hop.kernel));
        if walk.outcome == Outcome::Dropped || kernel(|kernel| matches!(kernel, Kernel::Differs(_))) {
            return Exit::Found;
        }
        if walk.outcome == Outcome::Unknown || kernel(|kernel| matches!(kernel, Kernel::Failed(_))) {
            worst = Exit::CannotTell;
        }
    }
    worst
}
