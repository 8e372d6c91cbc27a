//! What is said of a followed flow, while its way is broken and mended.

use fipscope::traffic::{FipId, Follow, Hop, Interval, StopsAt};

use crate::flow::{BEGUN, followed_flow, see};
use crate::timeline::{Film, rules};
use crate::traffic::{halves, heard, id};

#[test]
fn what_is_said_of_a_flow_is_of_late() {
    let (mut desk, ways, it) = followed_flow();
    let passes = ways.passes();
    let mut follow = Follow::new(it, 0);
    // Five packets a second that come through so many places, and so many lost frames.
    let mut says = |seconds: std::ops::Range<u64>, places: usize, lost: u64, said: &str| {
        for number in seconds.start * 5..seconds.end * 5 {
            see(&mut follow, BEGUN + number * 200_000_000, &passes[..places]);
        }
        let until = BEGUN + seconds.end * 1_000_000_000;
        follow.lose(lost, until);
        desk.send(ways.told(follow.trail(until)));
        assert!(desk.screen().contains(said), "{said}: {}", desk.screen());
    };
    says(0..100, 8, 0, "✓ Every station passes it on, both ways");
    // A rule is deleted, and comes back.
    says(100..101, 3, 0, "packets vanish after fpr-");
    says(101..104, 3, 0, "✗ It vanishes after fpr-");
    says(104..105, 8, 0, "packets vanish after fpr-");
    says(105..108, 8, 0, "✓ Every station passes it on, both ways");
    // Where frames were lost before they were seen, it may have passed.
    says(108..110, 3, 4, "? Whether ");
    says(110..114, 3, 0, "✗ It vanishes after fpr-");
    says(114..118, 6, 0, "✗ Its answers vanish after fpr-");
    says(118..122, 4, 0, "· It leaves the node; of late nothing came back from outside");
    says(122..126, 4, 40, "? It arrives; whether an answer came back cannot be told: 40 packets were lost before");
    says(126..134, 0, 0, "· Nothing of it was seen for 8 s. Before that: It arrives");
    assert!(desk.screen().contains("judged are the last 3 s"), "{}", desk.screen());
}

/// What flows goes through the node as it is: a picture of the past does not judge it.
#[test]
fn a_frozen_picture_has_the_traffic_of_now_and_its_reason() {
    let lost = [Some(13), Some(0), Some(0), Some(0)];
    let mut film = Film::new(120, 30);
    let fip = film.node.topology.floating_ips[0].clone();
    let id = FipId {
        floating_ip: [192, 168, 1, 3].into(),
        router: fip.router.clone(),
        external_network: fip.external_network.clone(),
        ..id([192, 168, 1, 3], [10, 0, 0, 4], "")
    };
    let stops = [Some(StopsAt::Hop(Hop::Qr)), None];
    let floating_ips = halves(&id, lost, [Some(9); 4], stops).to_vec();
    let interval = Interval { seconds: 1.0, floating_ips, ..Interval::default() };
    let rule = film.without_rule();
    film.desk = film.desk.keys("T");
    film.desk.send(heard(interval.clone()));
    let screen = film.desk.screen();
    assert!(screen.contains("out after qr: DVR301"), "{screen}");
    film.desk = film.desk.keys("L");
    film.change(|snapshot| rules(snapshot).push(rule));
    film.desk.send(heard(interval));
    let screen = film.desk.screen();
    assert!(screen.contains("frozen") && screen.contains("traffic of now"), "{screen}");
    assert!(screen.contains("out after qr: ") && !screen.contains("DVR301"), "it is mended by now: {screen}");
    // Beside a node of the past stand no rates of now.
    let desk = film.desk.keys("L<esc>");
    assert!(desk.screen().contains("out/s"), "{}", desk.screen());
    let overview = desk.keys("L").screen();
    assert!(overview.contains("frozen") && !overview.contains("out/s"), "{overview}");
}
