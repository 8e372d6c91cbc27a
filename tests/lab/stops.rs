//! Each link of a floating IP's chain, broken in turn under traffic: the hop
//! after which packets vanish is the right one.

use std::net::Ipv4Addr;

use fipscope::lab::{LabOptions, outside};
use fipscope::net::NetnsName;
use fipscope::neutron::Layout;
use fipscope::topology::Direction;

use crate::breaks::{BREAKS, Break, CENTRALIZED, PIKE, carry_out, names};
use crate::case::{OUTSIDE, build, of};
use crate::known_flows::{Listening, ask, hops, meet, say, vm};
use crate::unstopped::{CENTRALIZED_UNSTOPPED, JUNO_ADDRESS, LATER_ADDRESS, UNSTOPPED, Unstopped};

/// A distributed floating IP, in a layout with a backend.
pub(crate) fn distributed(case: &str) {
    let (layout, backend) = of(case);
    let mut all = BREAKS.to_vec();
    if layout == Layout::Pike {
        all.extend(PIKE);
    }
    let address = if layout == Layout::Juno { &JUNO_ADDRESS } else { &LATER_ADDRESS };
    let unstopped: Vec<&Unstopped> = UNSTOPPED.iter().chain([address]).collect();
    let ends = (Ipv4Addr::new(192, 168, 1, 3), Ipv4Addr::new(10, 0, 0, 4));
    each(&LabOptions { layout, backend, ..LabOptions::default() }, ends, &all, &unstopped);
}

/// A centralized floating IP.
pub(crate) fn centralized(backend: &str) {
    let (layout, backend) = of(&format!("pike {backend}"));
    let ends = (Ipv4Addr::new(192, 168, 1, 244), Ipv4Addr::new(20, 0, 0, 4));
    let unstopped: Vec<&Unstopped> = CENTRALIZED_UNSTOPPED.iter().collect();
    each(&LabOptions { layout, backend, more: true, ..LabOptions::default() }, ends, CENTRALIZED, &unstopped);
}

/// What each hop saw of one direction, and where it is said to stop.
type Passed = (Vec<u64>, Option<&'static str>);

/// A floating IP in a lab, and both of its ends.
struct Ends {
    node: Listening,
    floating: Ipv4Addr,
    with: NetnsName,
    far: NetnsName,
    names: Vec<(&'static str, String)>,
}

fn each(options: &LabOptions, (floating, fixed): (Ipv4Addr, Ipv4Addr), all: &[Break], unstopped: &[&Unstopped]) {
    let lab = build(options);
    let node = Listening::open(lab.netns_dir(), lab.state_path().to_owned());
    let names = names(&node.snapshot(), options.layout, options.backend);
    let mut ends = Ends { node, floating, with: vm(fixed), far: outside(), names };
    meet(&ends.node.dir, &ends.far, &ends.with, floating);
    meet(&ends.node.dir, &ends.with, &ends.far, OUTSIDE);
    // The gateway asks nobody again while a link is broken.
    let mac = say(&ends.node.dir, "gateway", "ip", &["neigh", "show", &floating.to_string()]);
    let mac = mac.split(' ').skip_while(|word| *word != "lladdr").nth(1).unwrap();
    ends.sh(&format!("ip -n gateway neigh replace {floating} lladdr {mac} dev eth0 nud permanent"));
    for (what, break_it, mend_it, out, inward) in all {
        ends.sh(break_it);
        let (_, found) = ends.ask([5, 5]);
        for ((counts, stop), expected) in found.into_iter().zip([inward, out]) {
            assert_eq!(stop, *expected, "{what}: {counts:?}");
        }
        ends.mend(mend_it);
    }
    for Unstopped { what, break_it, mend_it, asked, answered, seen, stop } in unstopped {
        ends.sh(break_it);
        let (heard, [inward, out]) = ends.ask(*asked);
        let every = |packets: u64, found: &[u64]| found.iter().all(|count| *count == packets);
        assert_eq!((heard, inward.1, out.1), (*answered, *stop, None), "{what}: {inward:?}, {out:?}");
        assert!(every(seen[0], &inward.0) && every(seen[1], &out.0), "{what}: {inward:?}, {out:?}");
        ends.mend(mend_it);
    }
    let (answered, found) = ends.ask([5, 5]);
    assert_eq!(answered, [5, 5]);
    for (counts, stop) in found {
        assert!(stop.is_none() && counts.iter().all(|count| *count == 10), "mended: {counts:?}");
    }
    println!("{} links broken and mended", all.len() + unstopped.len());
}

impl Ends {
    /// So many questions in and out: how many are answered, and what each hop sees
    /// of the way in and the way out, with where it is said to stop.
    fn ask(&mut self, [inward, out]: [u64; 2]) -> ([u64; 2], [Passed; 2]) {
        let (with, far, floating) = (&self.with, &self.far, self.floating);
        let mut answered = [0; 2];
        let interval = self.node.counted(|dir| {
            answered = [ask(dir, far, with, floating, inward), ask(dir, with, far, OUTSIDE, out)];
        });
        (answered, [Direction::Inbound, Direction::Outbound].map(|way| hops(&interval, floating, way)))
    }

    fn mend(&self, commands: &str) {
        self.sh(commands);
        meet(&self.node.dir, &self.far, &self.with, self.floating);
    }

    /// Commands, names in braces resolved.
    fn sh(&self, commands: &str) {
        carry_out(&self.node.dir, &self.names, commands);
    }
}
