//! Traffic of the three classes: small UDP datagrams and their echo, at a
//! bounded rate, for a bounded time.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;

use crate::net::NetnsName;
use crate::netns::{NetnsDir, enter};

use super::Error;
use super::article::{FIXED_IP, FLOATING_IP, OUTSIDE, OUTSIDE_ADDRESS};

/// Between two datagrams of a flow.
const INTERVAL: Duration = Duration::from_millis(100);
/// After this long it is quiet again.
const LONGEST: Duration = Duration::from_secs(3600);
/// How often a sleeping thread looks whether it is over.
const LOOK: Duration = Duration::from_millis(200);
/// The port that echoes (the echo service's, RFC 862, from the private range).
const PORT: u16 = 50_007;

/// What becomes of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Between subnets, untranslated.
    EastWest,
    /// From an instance without a floating IP to the outside.
    Snat,
    /// From an instance with a floating IP to the outside.
    FipOut,
    /// From the outside to a floating IP.
    FipIn,
}

/// How much was sent, and how much of it came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams sent.
    pub sent: u64,
    /// Echoes received.
    pub answered: u64,
}

/// From where, of what class, to where.
const FLOWS: [(&str, Class, Ipv4Addr); 6] = [
    ("vm-10.0.0.4", Class::EastWest, Ipv4Addr::new(20, 0, 0, 6)),
    ("vm-20.0.0.4", Class::EastWest, Ipv4Addr::new(10, 0, 0, 5)),
    ("vm-10.0.0.5", Class::Snat, OUTSIDE_ADDRESS),
    ("vm-20.0.0.4", Class::Snat, OUTSIDE_ADDRESS),
    ("vm-10.0.0.4", Class::FipOut, OUTSIDE_ADDRESS),
    (OUTSIDE, Class::FipIn, FLOATING_IP),
];

/// Running traffic; it stops when this is dropped.
#[derive(Debug)]
pub struct Traffic {
    over: Arc<AtomicBool>,
    tallies: Arc<[Tally; FLOWS.len()]>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    answered: AtomicU64,
}

impl Traffic {
    /// Opens the sockets inside the lab's namespaces and starts sending.
    pub(super) fn start(dir: &NetnsDir) -> Result<Self, Error> {
        let echoes = ["vm-20.0.0.6", "vm-10.0.0.5", OUTSIDE, &format!("vm-{FIXED_IP}")]
            .iter()
            .map(|name| socket(dir, name, PORT))
            .collect::<Result<Vec<_>, _>>()?;
        let mut flows = Vec::new();
        for (from, _, to) in FLOWS {
            let socket = socket(dir, from, 0)?;
            socket.connect((to, PORT)).map_err(Error::io("send to", to.to_string()))?;
            socket.set_nonblocking(true).map_err(Error::io("send to", to.to_string()))?;
            flows.push(socket);
        }
        let mut traffic = Self { over: Arc::default(), tallies: Arc::default(), threads: Vec::new() };
        for socket in echoes {
            let over = Arc::clone(&traffic.over);
            traffic.spawn(move || echo(&socket, &over))?;
        }
        let (over, tallies) = (Arc::clone(&traffic.over), Arc::clone(&traffic.tallies));
        traffic.spawn(move || send(&flows, tallies.as_slice(), &over))?;
        Ok(traffic)
    }

    /// What went through so far, of one class.
    pub fn counts(&self, class: Class) -> Counts {
        let of_class = FLOWS.iter().zip(self.tallies.iter()).filter(|((_, of, _), _)| *of == class);
        of_class.fold(Counts::default(), |sum, (_, tally)| Counts {
            sent: sum.sent + tally.sent.load(Ordering::Relaxed),
            answered: sum.answered + tally.answered.load(Ordering::Relaxed),
        })
    }

    fn spawn(&mut self, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = thread::Builder::new().name("lab traffic".to_owned()).spawn(|| {
            // Signals are for the threads that wait for them.
            let _ = SigSet::all().thread_block();
            work();
        });
        self.threads.push(thread.map_err(Error::io("start", "a thread"))?);
        Ok(())
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A socket that stays in the namespace.
fn socket(dir: &NetnsDir, namespace: &str, port: u16) -> Result<UdpSocket, Error> {
    let ns = dir.open(&NetnsName::from(namespace))?;
    enter(&ns, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)))?.map_err(Error::io("open a socket in", namespace))
}

fn echo(socket: &UdpSocket, over: &AtomicBool) {
    let mut buffer = [0; 64];
    let _ = socket.set_read_timeout(Some(LOOK));
    while !over.load(Ordering::Relaxed) {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(buffer.get(..length).unwrap_or_default(), from);
        }
    }
}

fn send(flows: &[UdpSocket], tallies: &[Tally], over: &AtomicBool) {
    let begin = Instant::now();
    let mut buffer = [0; 64];
    while !over.load(Ordering::Relaxed) && begin.elapsed() < LONGEST {
        for (socket, tally) in flows.iter().zip(tallies) {
            if socket.send(b"fipscope lab").is_ok() {
                tally.sent.fetch_add(1, Ordering::Relaxed);
            }
            while socket.recv(&mut buffer).is_ok() {
                tally.answered.fetch_add(1, Ordering::Relaxed);
            }
        }
        thread::sleep(INTERVAL);
    }
}
