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

/// An instance's echoes, with what else `ping` is told, and what is said of them.
const FLOWS: [(Ipv4Addr, &[&str], &str); 1] = [
    // Of a centralized floating IP: answers go past the router's own port.
    (Ipv4Addr::new(20, 0, 0, 4), &[], "✓ Every station passes it on, both ways"),
];

/// Echoes, until they are wanted no more.
struct Pings(Child);

impl Pings {
    fn start(dir: &NetnsDir, from: Ipv4Addr, words: &[&str]) -> Self {
        let mut ping = Command::new("ping");
        ping.args(["-q", "-i", "0.2"]).args(words).arg(OUTSIDE.to_string());
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
    let mut console = Console::start(&["--state-path", lab.state_path().to_str().unwrap()], 45, 140);
    console.shows("192.168.1.3");
    console.press("T");
    for (fixed, words, said) in FLOWS {
        meet(&dir, &vm(fixed), &outside(), OUTSIDE);
        let pings = Pings::start(&dir, fixed, words);
        console.press(&format!("/fip out {fixed} icmp\r"));
        console.until("its flow", |screen| screen.contents().contains(&format!("icmp {fixed}")));
        console.press("\t\r");
        console.shows("traffic › flow");
        console.shows(said);
        console.press("\u{1b}/\r");
        drop(pings);
    }
    console.press("q");
    console.ends_with(0);
    println!("{} flows followed", FLOWS.len());
}
