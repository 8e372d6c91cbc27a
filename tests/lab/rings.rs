//! The rings that frames are caught in: their memory, what goes with them unread,
//! and namespaces that come again under the same name.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use fipscope::capture::Capture;
use fipscope::lab::{Lab, LabOptions, outside};
use fipscope::net::NetnsName;
use fipscope::neutron::Layout;

use crate::case::{build, text};
use crate::known_flows::{flood, meet, say, vm};

const FIXED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
/// Namespaces that come one by one.
const MORE: usize = 12;
/// What all rings take together at most, in bytes.
const BOUND: usize = 64 << 20;
/// Less than a ring holds.
const SENT: u64 = 500;

pub(crate) fn kept() {
    let lab = build(&LabOptions { layout: Layout::Pike, ..LabOptions::default() });
    memory(&lab);
    unread(&lab);
}

/// However many come, and whenever: what the kernel gives stays below the bound.
fn memory(lab: &Lab) {
    let names: Vec<NetnsName> = (0..MORE).map(|at| NetnsName::new(format!("fip-{at:08}"))).collect();
    let ip = |what: &str, name: &NetnsName| {
        assert_eq!(text(lab, "switch", "ip", &["netns", what, name.as_str()]), "", "{what} {name}");
    };
    for name in &names {
        ip("add", name);
    }
    let mut capture = Capture::open(&lab.netns_dir(), &names[..1]).unwrap();
    let mut taken = vec![mapped()];
    for number in 2..=MORE {
        capture.follow(&names[..number]);
        assert!(capture.deaf().is_empty(), "{:?}", capture.deaf());
        taken.push(mapped());
    }
    println!("rings of 1 to {MORE} namespaces: {:?} KiB", taken.iter().map(|bytes| bytes >> 10).collect::<Vec<_>>());
    assert!(taken.windows(2).all(|two| two[0] < two[1]) && taken[MORE - 1] <= BOUND, "{taken:?}");
    let before = (capture.names(), capture.numbering());
    capture.follow(&names);
    assert_eq!((capture.names(), capture.numbering()), before, "nothing is another");
    ip("del", &names[0]);
    ip("add", &names[0]);
    capture.follow(&names);
    assert_eq!(capture.names(), before.0);
    assert_ne!(capture.numbering(), before.1, "it is another namespace");
    assert!(mapped() <= BOUND);
    capture.follow(&[]);
    assert_eq!(mapped(), 0, "all is given back");
    for name in &names {
        ip("del", name);
    }
}

/// What was caught and not read when a ring is let go of is told as lost, to the frame.
fn unread(lab: &Lab) {
    let (dir, far) = (lab.netns_dir(), outside());
    meet(&dir, &far, &vm(FIXED), FLOATING);
    let fip = dir.list().unwrap().names.into_iter().find(|name| name.as_str().starts_with("fip-")).unwrap();
    // Nothing goes on from there: each packet is seen once.
    assert_eq!(say(&dir, fip.as_str(), "sysctl", &["-qw", "net.ipv4.ip_forward=0"]), "");
    for read in [false, true] {
        let mut capture = Capture::open(&dir, std::slice::from_ref(&fip)).unwrap();
        flood(&dir, &far, FLOATING, SENT);
        thread::sleep(Duration::from_millis(200));
        let mut seen = 0;
        if read {
            capture.read(Duration::ZERO, &mut |_| seen += 1).unwrap();
        }
        assert_eq!(capture.lost(), 0);
        capture.follow(&[]);
        assert_eq!((seen, capture.lost()), if read { (SENT, 0) } else { (0, SENT) });
    }
}

/// Bytes of this process's mappings that belong to sockets.
fn mapped() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let sockets = maps.lines().filter(|line| line.contains("socket:["));
    let bytes = sockets.map(|line| {
        let (from, to) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
        let [from, to] = [from, to].map(|address| usize::from_str_radix(address, 16).unwrap());
        to - from
    });
    bytes.sum()
}
