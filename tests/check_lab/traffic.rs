//! What packets do in a lab, with a fault standing and without: the lines of
//! `standing.txt`, one for each instance that is asked about.
//!
//! A line is `CODE [LAYOUT…] | FLOATING_IP FIXED_IP | inward | outward`; `-`
//! stands for no floating IP. Inward is a question from outside to the floating
//! IP: `answered`, `unanswered` (the instance hears it, the answer is lost) or
//! `lost`; outward one from the instance to the outside, the same with the
//! source that the outside sees: `answered as 192.168.1.3`. `either` is what
//! goes now this way, now that.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use fipscope::lab::Lab;
use fipscope::net::NetnsName;
use fipscope::netns::enter;
use fipscope::neutron::Layout;

use crate::node::PATH;

const STANDING: &str = include_str!("standing.txt");
/// What goes now this way, now that.
const EITHER: &str = "either";
/// Whose node, made ready, sends answers to the outside another way: nothing flows
/// there before it is broken.
const DIVERTED: &[&str] = &["DVR312"];

const OUTSIDE: &str = "outside";
const OUTSIDE_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
/// The article's router translates to it what has no floating IP.
const ROUTER_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 21);
const PORT: u16 = 4000;

/// How long is waited for what is to come, and for what is not to.
const LONG: Duration = Duration::from_secs(4);
const SHORT: Duration = Duration::from_millis(900);
/// A question is asked again after so long: the first may wait for ARP, which an
/// older agent's proxy answers late.
const AGAIN: Duration = Duration::from_millis(300);

/// An instance, with its floating IP where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instance {
    pub(crate) floating: Option<IpAddr>,
    pub(crate) fixed: IpAddr,
}

/// A line: an instance, and what becomes of its packets.
#[derive(Clone, Copy, Debug)]
struct Line {
    instance: Instance,
    inward: &'static str,
    outward: &'static str,
}

/// Who asks or hears: an address in a namespace.
struct End {
    namespace: NetnsName,
    address: IpAddr,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// Where the hearer thinks that it came from.
    source: Option<IpAddr>,
    answered: bool,
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.source, self.answered) {
            (None, _) => "lost",
            (Some(_), false) => "unanswered",
            (Some(_), true) => "answered",
        })
    }
}

/// The instances that a fault's lines are about, and whose packets flow without it.
pub(crate) fn instances(title: &str, layout: Layout) -> BTreeSet<Instance> {
    let lines = lines(title, layout).into_iter().filter(|_| !DIVERTED.contains(&title));
    lines.map(|line| line.instance).collect()
}

/// With the fault standing packets do what its lines say.
pub(crate) fn stands(lab: &Lab, title: &str, layout: Layout) {
    let lines = lines(title, layout);
    assert!(!lines.is_empty(), "nothing is told of what packets do with {title}");
    fresh();
    let mut wrong = Vec::new();
    for line in &lines {
        let is_in = |seen: Heard| [EITHER, "-"].contains(&line.inward) || seen.to_string() == line.inward;
        let inward = line.instance.floating.map(|floating| inward(lab, line.instance, floating, line.inward));
        let outward = shown(outward(lab, line.instance, line.outward));
        if !inward.is_none_or(is_in) || ![EITHER, &outward].contains(&line.outward) {
            let inward = inward.map_or_else(|| "-".to_owned(), |inward| inward.to_string());
            wrong
                .push(format!("{:?}: {inward} | {outward}, and not {} | {}", line.instance, line.inward, line.outward));
        }
    }
    assert!(wrong.is_empty(), "with {title} standing: {wrong:#?}");
}

/// Where all is well each instance is answered, and answers; what it sends has its
/// floating IP, else its router's address. Gives how many answers.
pub(crate) fn flow(lab: &Lab, instances: &BTreeSet<Instance>) -> usize {
    fresh();
    instances.iter().map(|instance| flows(lab, *instance)).sum()
}

fn flows(lab: &Lab, instance: Instance) -> usize {
    let answered = "answered";
    let source = instance.floating.unwrap_or(IpAddr::V4(ROUTER_ADDRESS));
    if let Some(floating) = instance.floating {
        let inward = inward(lab, instance, floating, answered);
        assert!(inward.answered, "outside → {floating}: {inward}");
        assert_eq!(inward.source, Some(IpAddr::V4(OUTSIDE_ADDRESS)), "the source that {instance:?} sees");
        ping(&outside_end(), floating);
        ping(&instance_end(lab, instance), OUTSIDE_ADDRESS.into());
    }
    let outward = shown(outward(lab, instance, answered));
    assert_eq!(outward, format!("answered as {source}"), "{instance:?} → outside");
    if instance.floating.is_some() { 4 } else { 1 }
}

/// The gateway, which is not of the node, knows no address any more: it asks.
fn fresh() {
    let flush = ["-n", "gateway", "neigh", "flush", "all"];
    let _ = Command::new("ip").args(flush).env("PATH", PATH).output();
}

fn lines(title: &str, layout: Layout) -> Vec<Line> {
    let lines = STANDING.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let of = |line: &'static str| {
        let [head, instance, inward, outward] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("four parts: {line}")
        };
        let mut head = head.split(' ');
        let is_it = head.next() == Some(title);
        let layouts: Vec<&str> = head.collect();
        let (floating, fixed) = instance.split_once(' ').unwrap();
        let floating = (floating != "-").then(|| floating.parse().unwrap());
        let instance = Instance { floating, fixed: fixed.parse().unwrap() };
        let fits = is_it && (layouts.is_empty() || layouts.contains(&layout.word()));
        fits.then_some(Line { instance, inward, outward })
    };
    lines.filter_map(of).collect()
}

fn inward(lab: &Lab, instance: Instance, floating: IpAddr, wanted: &str) -> Heard {
    ask(lab, &outside_end(), &instance_end(lab, instance), floating, wanted)
}

fn outward(lab: &Lab, instance: Instance, wanted: &str) -> Heard {
    ask(lab, &instance_end(lab, instance), &outside_end(), OUTSIDE_ADDRESS.into(), wanted)
}

fn shown(heard: Heard) -> String {
    heard.source.map_or_else(|| heard.to_string(), |source| format!("{heard} as {source}"))
}

/// Where an instance is: its address may have moved to another one's namespace.
fn instance_end(lab: &Lab, instance: Instance) -> End {
    let own = NetnsName::new(format!("vm-{}", instance.fixed));
    let mut all = lab.netns_dir().list().unwrap().names;
    all.retain(|name| name.as_str().starts_with("vm-") && *name != own);
    let has_it = |name: &&NetnsName| bound(lab, name, (instance.fixed, 0).into()).is_ok();
    let namespace = [&own].into_iter().chain(&all).find(has_it);
    match namespace {
        Some(namespace) => End { namespace: namespace.clone(), address: instance.fixed },
        None => End { namespace: own, address: Ipv4Addr::UNSPECIFIED.into() },
    }
}

fn outside_end() -> End {
    End { namespace: NetnsName::from(OUTSIDE), address: OUTSIDE_ADDRESS.into() }
}

/// Asks an address from one namespace, again and again while the answer that is
/// wanted is not there; the other namespace hears it and answers.
fn ask(lab: &Lab, from: &End, to: &End, address: IpAddr, wanted: &str) -> Heard {
    let (server, client) = (socket(lab, to, PORT), socket(lab, from, 0));
    let is_wanted = |word: &str| wanted.starts_with(word);
    let (begin, mut heard) = (Instant::now(), Heard::default());
    if client.connect((address, PORT)).is_err() {
        return heard;
    }
    let mut buffer = [0; 16];
    loop {
        // What ICMP told of the last one comes as an error of this one.
        let _ = client.send(b"question");
        if let Ok((_, source)) = server.recv_from(&mut buffer) {
            heard.source = Some(source.ip());
            let _ = server.send_to(b"answer", source);
            heard.answered |= client.recv(&mut buffer).is_ok();
        }
        let waits = is_wanted("answered") || (is_wanted("unanswered") && heard.source.is_none());
        if heard.answered || begin.elapsed() > if waits { LONG } else { SHORT } {
            return heard;
        }
    }
}

/// A socket that stays in a namespace.
fn socket(lab: &Lab, end: &End, port: u16) -> UdpSocket {
    let socket = bound(lab, &end.namespace, (end.address, port).into()).unwrap();
    socket.set_read_timeout(Some(AGAIN)).unwrap();
    socket
}

fn bound(lab: &Lab, namespace: &NetnsName, address: SocketAddr) -> io::Result<UdpSocket> {
    let ns = lab.netns_dir().open(namespace).unwrap();
    enter(&ns, || UdpSocket::bind(address)).unwrap()
}

fn ping(from: &End, to: IpAddr) {
    let (namespace, source, to) = (from.namespace.as_str(), from.address.to_string(), to.to_string());
    let ping = ["netns", "exec", namespace, "ping", "-q", "-c", "1", "-W", "3", "-I", &source, &to];
    let answer = Command::new("ip").args(ping).env("PATH", PATH).output().unwrap();
    assert!(answer.status.success(), "{namespace} → {to} is dead");
}

/// Forgets what was tracked of a fault's packets: they may have met an instance
/// that they were not meant for.
pub(crate) fn forget(lab: &Lab) {
    let is_of_agent =
        |name: &&NetnsName| ["qrouter-", "fip-", "snat-"].iter().any(|kind| name.as_str().starts_with(kind));
    for name in lab.netns_dir().list().unwrap().names.iter().filter(is_of_agent) {
        // Tracked connections may be none, and a name no namespace.
        let _ = Command::new("ip").args(["netns", "exec", name.as_str(), "conntrack", "-F"]).env("PATH", PATH).output();
    }
}
