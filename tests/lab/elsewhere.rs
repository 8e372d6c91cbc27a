//! What rightly does not pass a node's routers, or one way alone: it is counted as
//! it is seen, and is no loss.

use std::net::Ipv4Addr;

use fipscope::lab::{LabOptions, outside};
use fipscope::neutron::Layout;
use fipscope::path::Class;
use fipscope::traffic::Interval;

use crate::case::{OUTSIDE, build};
use crate::known_flows::{Listening, ask, classes, flood, meet, say, vm};

const FIXED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const PLAIN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(20, 0, 0, 6);

pub(crate) fn one_way() {
    let lab = build(&LabOptions { layout: Layout::Pike, ..LabOptions::default() });
    let mut node = Listening::open(lab.netns_dir(), lab.state_path().to_owned());
    let (with, plain, other, far) = (vm(FIXED), vm(PLAIN), vm(NEIGHBOUR), outside());
    meet(&node.dir, &with, &other, NEIGHBOUR);
    meet(&node.dir, &plain, &far, OUTSIDE);
    meet(&node.dir, &with, &plain, PLAIN);
    let no_stop = |interval: &Interval| {
        assert!(interval.floating_ips.iter().all(|fip| fip.stops_at.is_none()), "{:?}", interval.floating_ips);
    };
    // Inside a subnet no router is asked.
    let interval = node.counted(|dir| assert_eq!(ask(dir, &with, &plain, PLAIN, 9), 9));
    assert_eq!((classes(&interval), interval.flows.len()), ([0; 5], 0));
    // East-west whose answers another node routes: here, nobody answers.
    let silent = ["OUTPUT", "-p", "icmp", "--icmp-type", "port-unreachable", "-j", "DROP"];
    let said = say(&node.dir, other.as_str(), "iptables-nft", &[&["-w", "5", "-A"][..], &silent].concat());
    assert_eq!(said, "");
    let interval = node.counted(|dir| flood(dir, &with, NEIGHBOUR, 9));
    assert_eq!((classes(&interval), interval.flows.len()), ([9, 0, 0, 0, 0], 1));
    no_stop(&interval);
    // SNAT whose snat namespace stands on another node: its answers never enter the router.
    node.listen_in(|name| !name.as_str().starts_with("snat-"));
    let interval = node.counted(|dir| assert_eq!(ask(dir, &plain, &far, OUTSIDE, 9), 9));
    assert_eq!(classes(&interval), [0, 9, 0, 0, 0]);
    let [flow] = interval.flows.as_slice() else { panic!("{:?}", interval.flows) };
    assert_eq!((flow.class, flow.source.address, flow.count.packets), (Class::Snat, PLAIN, 9));
    no_stop(&interval);
}
