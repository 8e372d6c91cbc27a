//! Traffic that stops: the hop after which it does, and what is told beside it.

use fipscope::traffic::{Hop, Missing, StopsAt};

use crate::article::{self, ROUTER};
use crate::traffic::{NONE, halves, heard, hearing, id, interval, live};

#[test]
fn the_hop_is_marked_with_the_finding_and_the_walk() {
    let screen = hearing(140, 45, "192.168.1.7<enter>T").screen();
    assert!(screen.contains("13 ✗"), "{screen}");
    assert!(screen.contains("out after qr: DVR301"), "{screen}");
    assert!(screen.contains("1 of 3 floating IPs with traffic loses packets here: 192.168.1.7 after qr"), "{screen}");
    let silent = hearing(140, 45, "192.168.1.33<enter>T").screen();
    assert!(silent.contains("the instance does not answer: DVR701"), "{silent}");
    // Where nothing is found, the walk says what it can.
    let mut desk = live(140, 45, article::healthy()).keys("192.168.1.3<enter>T");
    let stop = id([192, 168, 1, 3], [10, 0, 0, 4], ROUTER);
    let lost = [Some(5), Some(5), Some(0), Some(0)];
    let mut one = interval(0);
    one.floating_ips = halves(&stop, lost, NONE, [Some(StopsAt::Hop(Hop::Rfp)), None]).to_vec();
    desk.send(heard(one.clone()));
    assert!(desk.screen().contains("out after rfp: "), "{}", desk.screen());
    one.floating_ips = halves(&stop, NONE, [Some(5); 4], [None, Some(StopsAt::VmSilent)]).to_vec();
    desk.send(heard(one));
    let silent = desk.screen();
    assert!(silent.contains("the instance does not answer: this node did its part"), "{silent}");
    assert!(silent.contains("does not answer (192.168.1.3); this node did its part"), "{silent}");
}

#[test]
fn a_few_that_are_missing_are_no_health() {
    let mut desk = live(140, 45, article::healthy()).keys("192.168.1.3<enter>T");
    let it = id([192, 168, 1, 3], [10, 0, 0, 4], ROUTER);
    let mut one = interval(0);
    one.floating_ips = halves(&it, [Some(56); 4], [Some(60), Some(60), Some(60), Some(56)], [None; 2]).to_vec();
    let few = Missing { after: StopsAt::Hop(Hop::Rfp), packets: 4, of: 60, flows: 1 };
    one.floating_ips[1].missing = Some(few);
    one.flows[0].stops_at = Some(few.after);
    desk.send(heard(one));
    let screen = desk.screen();
    assert!(screen.contains("in 4 of 60 were not seen after rfp, 1 flow stops there: "), "{screen}");
    assert!(screen.contains("4 of 60 lost after rfp") && !screen.contains("what comes in goes on"), "{screen}");
    assert!(screen.lines().any(|line| line.contains("✗ after rfp") && line.contains('→')), "{screen}");
}

#[test]
fn a_silent_instance_is_this_nodes_where_something_is_found() {
    let screen = hearing(140, 45, "192.168.1.7<enter>T").screen();
    assert!(screen.contains("DVR301"), "{screen}");
    let mut desk = live(140, 45, crate::findings::node()).keys("192.168.1.7<enter>T");
    let it = id([192, 168, 1, 7], [10, 0, 0, 9], ROUTER);
    let mut one = interval(0);
    one.floating_ips = halves(&it, NONE, [Some(5); 4], [None, Some(StopsAt::VmSilent)]).to_vec();
    desk.send(heard(one));
    let screen = desk.screen();
    assert!(screen.contains("the instance does not answer: DVR301"), "{screen}");
    assert!(!screen.contains("this node did its part"), "{screen}");
}

#[test]
fn what_is_not_seen_here_is_said_and_is_no_loss() {
    let mut desk = live(140, 45, article::healthy()).keys("192.168.1.3<enter>T");
    let it = id([192, 168, 1, 3], [10, 0, 0, 4], ROUTER);
    let mut one = interval(0);
    one.floating_ips = halves(&it, [Some(5), Some(5), None, None], NONE, [None; 2]).to_vec();
    desk.send(heard(one.clone()));
    assert!(desk.screen().contains("not visible here: fpr, fg"), "{}", desk.screen());
    one.floating_ips = halves(&it, [Some(5); 4], NONE, [None; 2]).to_vec();
    desk.send(heard(one));
    assert!(desk.screen().contains("one-way: out"), "{}", desk.screen());
    let snat = desk.keys("/snat<enter>").screen();
    assert!(snat.contains("One direction. Where the snat namespace is on another node"), "{snat}");
}
