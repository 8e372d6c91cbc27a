//! The console on a terminal, listening to a real node: what flows, a file of it,
//! one flow on its way, a screen that stands still, tracked connections.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use fipscope::lab::{Lab, LabOptions};
use fipscope::net::Snapshot;
use fipscope::neutron::Layout;

use crate::case::{build, text};
use crate::listening::{read, tcpdump};
use crate::program::{quiet, same};
use crate::terminal::Console;

/// The lab's own `/run`.
const FOLDER: &str = "/run/hearing";
/// Six conversations, both ways of each.
const FLOWS: &str = "   12 flows   ";
const NAMESPACE: &str = "fip-00000000-0000-4000-8000-000000000000";

pub(crate) fn console() {
    let lab = build(&LabOptions { layout: Layout::Pike, traffic: true, ..LabOptions::default() });
    let folder = Path::new(FOLDER);
    fs::create_dir(folder).unwrap();
    let before = Quiet::of(&lab);
    let mut console = Console::start_in(folder, &["--state-path", lab.state_path().to_str().unwrap()], 45, 140);
    console.shows("192.168.1.3");
    console.press("T");
    console.shows(FLOWS);
    console.shows("0 lost before seen");
    console.shows("3 namespaces");
    before.is_still_so(&lab);
    console.press("w");
    written(&console, 200);
    // A namespace comes, and what is listened to is numbered anew; another goes.
    assert_eq!(text(&lab, "switch", "ip", &["netns", "add", NAMESPACE]), "");
    console.shows("4 namespaces");
    written(&console, 400);
    assert_eq!(text(&lab, "switch", "ip", &["netns", "del", NAMESPACE]), "");
    console.shows("3 namespaces");
    console.press("w");
    console.shows("written: ");
    one_flow(&mut console);
    stands_still(&mut console);
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut files = files.iter().filter(|path| path.extension().is_some_and(|ending| ending == "pcapng"));
    let (file, None) = (files.next().unwrap(), files.next()) else { panic!("one file was asked for") };
    read(&fs::read(file).unwrap());
    tcpdump(file);
    console.press("s");
    console.shows("nobody listens any more");
    console.press("\r");
    console.shows("outbound ✓");
    console.press("C");
    console.shows("3 tracked connections of 192.168.1.3");
    console.shows("udp 10.0.0.4:");
    console.shows("to 10.0.0.4:50007");
    console.press("q");
    console.ends_with(0);
    println!("heard, written, followed, stood still");
}

/// The node as listening must leave it.
struct Quiet {
    snapshot: Snapshot,
    devices: Vec<String>,
}

impl Quiet {
    fn of(lab: &Lab) -> Self {
        let names = lab.netns_dir().list().unwrap().names;
        let links = names.iter().map(|name| text(lab, name.as_str(), "ip", &["-o", "-d", "link"]));
        Self {
            snapshot: quiet(lab),
            devices: links.flat_map(|links| links.lines().map(asked).collect::<Vec<_>>()).collect(),
        }
    }

    /// Nothing is another, down to how many ask a device for what is not for it.
    fn is_still_so(&self, lab: &Lab) {
        let now = Self::of(lab);
        same(&self.snapshot, &now.snapshot, "while it is listened to");
        assert!(self.devices.iter().any(|device| device.starts_with("fg-") && device.contains("promiscuity 0")));
        assert_eq!(self.devices, now.devices);
    }
}

/// A device, and how many ask it for what is not for it.
fn asked(link: &str) -> String {
    let words: Vec<&str> = link.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "promiscuity").unwrap();
    format!("{} {}", words[1], words[at..at + 4].join(" "))
}

/// So many packets are in the file.
fn written(console: &Console, least: u64) {
    console.until("packets that are written", |screen| {
        let text = screen.contents();
        let number = text.split_once("writing: ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok());
        number.is_some_and(|number| number >= least)
    });
}

/// One of the floating IP's flows, at each of its stations, with its connection.
fn one_flow(console: &mut Console) {
    console.press("/fip out :50007\r");
    console.shows("flows");
    console.press("\t");
    console.press("\r");
    console.shows("traffic › flow");
    console.shows("Every station passes it on, both ways");
    console.until("a packet at each station", |screen| {
        let text = screen.contents();
        let seen =
            |device: &str| text.lines().any(|line| line.trim_start().starts_with(device) && line.contains("forth"));
        ["qr-c2e43983-5c", "rfp-ef25020f-0", "fpr-ef25020f-0", "fg-b2b77eed-1b"].iter().all(|device| seen(device))
    });
    console.until("its tracked connection", |screen| {
        screen.contents().lines().any(|line| line.contains("connection ") && line.contains("in qrouter-ef25020f"))
    });
    console.press("\u{1b}");
    console.shows("floating IPs");
}

/// Nothing moves but the clock, until it is let go on.
fn stands_still(console: &mut Console) {
    let body = |console: &Console| console.text().lines().skip(1).collect::<Vec<_>>().join("\n");
    console.press(" ");
    console.shows("paused");
    let before = body(console);
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(body(console), before);
    console.press(" ");
    console.until("it going on", |screen| !screen.contents().contains("paused"));
}
