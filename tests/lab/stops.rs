//! Each link of a floating IP's chain, broken in turn under traffic: the hop
//! after which packets vanish is the right one.

use std::net::Ipv4Addr;

use fipscope::lab::{LabOptions, outside};
use fipscope::netns::NetnsDir;
use fipscope::neutron::Layout;
use fipscope::topology::Direction;

use crate::breaks::{BREAKS, Break, CENTRALIZED, PIKE, names};
use crate::case::{OUTSIDE, build, of};
use crate::known_flows::{Listening, ask, hops, meet, say, vm};

/// A distributed floating IP, in a layout with a backend.
pub(crate) fn distributed(case: &str) {
    let (layout, backend) = of(case);
    let mut all = BREAKS.to_vec();
    if layout == Layout::Pike {
        all.extend(PIKE);
    }
    let ends = (Ipv4Addr::new(192, 168, 1, 3), Ipv4Addr::new(10, 0, 0, 4));
    each(&LabOptions { layout, backend, ..LabOptions::default() }, ends, &all);
}

/// A centralized floating IP.
pub(crate) fn centralized(backend: &str) {
    let (layout, backend) = of(&format!("pike {backend}"));
    let ends = (Ipv4Addr::new(192, 168, 1, 244), Ipv4Addr::new(20, 0, 0, 4));
    each(&LabOptions { layout, backend, more: true, ..LabOptions::default() }, ends, CENTRALIZED);
}

fn each(options: &LabOptions, (floating, fixed): (Ipv4Addr, Ipv4Addr), all: &[Break]) {
    let lab = build(options);
    let mut node = Listening::open(lab.netns_dir(), lab.state_path().to_owned());
    let names = names(&node.snapshot(), options.layout, options.backend);
    let resolved = |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let (with, far) = (vm(fixed), outside());
    meet(&node.dir, &far, &with, floating);
    meet(&node.dir, &with, &far, OUTSIDE);
    // The gateway asks nobody again while a link is broken.
    let mac = say(&node.dir, "gateway", "ip", &["neigh", "show", &floating.to_string()]);
    let mac = mac.split(' ').skip_while(|word| *word != "lladdr").nth(1).unwrap().to_owned();
    sh(&node.dir, &format!("ip -n gateway neigh replace {floating} lladdr {mac} dev eth0 nud permanent"));
    let both = |dir: &NetnsDir| (ask(dir, &far, &with, floating, 5), ask(dir, &with, &far, OUTSIDE, 5));
    for (what, break_it, mend_it, out, inward) in all {
        sh(&node.dir, &resolved(break_it));
        let interval = node.counted(|dir| {
            let _ = both(dir);
        });
        for (way, expected) in [(Direction::Inbound, inward), (Direction::Outbound, out)] {
            let (counts, stop) = hops(&interval, floating, way);
            assert_eq!(stop, *expected, "{what}, {way:?}: {counts:?}");
        }
        sh(&node.dir, &resolved(mend_it));
        meet(&node.dir, &far, &with, floating);
    }
    let interval = node.counted(|dir| assert_eq!(both(dir), (5, 5)));
    for way in [Direction::Inbound, Direction::Outbound] {
        let (counts, stop) = hops(&interval, floating, way);
        assert!(stop.is_none() && counts.iter().all(|count| *count == 10), "mended, {way:?}: {counts:?}");
    }
    println!("{} links broken and mended", all.len());
}

fn sh(dir: &NetnsDir, commands: &str) {
    for command in commands.split(" ; ") {
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(say(dir, "switch", words[0], &words[1..]), "", "{command}");
    }
}
