//! What is said of a followed flow, while its way is broken and mended.

use fipscope::traffic::Follow;

use crate::flow::{BEGUN, followed_flow, see};

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
