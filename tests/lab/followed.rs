//! The console on a terminal, following one flow on a real node: what it says of
//! those that do not pass every hop both ways.

use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

use fipscope::lab::{LabOptions, outside};
use fipscope::netns::{NetnsDir, spawn};
use fipscope::neutron::Layout;

use crate::case::{OUTSIDE, build};
use crate::known_flows::{meet, vm};
use crate::terminal::Console;

/// What is said of a flow that is well.
const WELL: &str = "✓ Every station passes it on, both ways";

/// An instance, and how many routers pass on what it sends beside the echoes that are answered.
const FLOWS: [(Ipv4Addr, Option<&str>); 4] = [
    // Of a centralized floating IP: answers go past the router's own port.
    (Ipv4Addr::new(20, 0, 0, 4), None),
    // What finds out a route ends on the way: of a floating IP in its router and in the fip
    // namespace, of no floating IP in the router.
    (Ipv4Addr::new(10, 0, 0, 4), Some("1")),
    (Ipv4Addr::new(10, 0, 0, 4), Some("2")),
    (Ipv4Addr::new(10, 0, 0, 5), Some("1")),
];

/// Echoes, until they are wanted no more.
struct Pings(Child);

impl Pings {
    fn start(dir: &NetnsDir, from: Ipv4Addr, words: &[&str]) -> Self {
        let mut ping = Command::new("ping");
        ping.args(["-q", "-i", "0.2", "-e", "77"]).args(words).arg(OUTSIDE.to_string());
        ping.stdout(Stdio::null()).stderr(Stdio::null());
        Self(spawn(&dir.open(&vm(from)).unwrap(), &mut ping).unwrap())
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn flows() {
    let lab = build(&LabOptions { layout: Layout::Pike, more: true, ..LabOptions::default() });
    let dir = lab.netns_dir();
    for (fixed, life) in FLOWS {
        meet(&dir, &vm(fixed), &outside(), OUTSIDE);
        let mut console = Console::start(&["--state-path", lab.state_path().to_str().unwrap()], 45, 140);
        console.shows("192.168.1.3");
        console.press("T");
        let echoes = Pings::start(&dir, fixed, &[]);
        let short = life.map(|life| Pings::start(&dir, fixed, &["-t", life]));
        console.press(&format!("/out {fixed} icmp\r"));
        console.until("its flow", |screen| screen.contents().contains(&format!("icmp {fixed}")));
        console.press("\t\r");
        console.shows("traffic › flow");
        console.shows(WELL);
        drop((echoes, short));
        console.press("q");
        console.ends_with(0);
    }
    println!("{} flows followed", FLOWS.len());
}
