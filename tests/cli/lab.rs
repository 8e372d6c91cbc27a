//! What the lab says of what it cannot break, before it builds anything.

use crate::*;

#[test]
fn what_cannot_be_broken_is_told_with_what_can() {
    for (words, why) in [
        (&["lab", "--break"][..], "--break needs a code"),
        (&["lab", "--break", "--", "true"], "--break needs a code"),
        (&["lab", "--break", "bananas", "--", "true"], "--break bananas: not a code"),
        (&["lab", "--break", "DVR999", "--", "true"], "there is no such code"),
        (&["lab", "--break", "DVR105", "--", "true"], "no node knows of itself"),
        (&["lab", "--layout", "pike", "--break", "409", "--", "true"], "nf_conntrack"),
    ] {
        let answer = run(words);
        assert!(answer.code != 0 && answer.out.is_empty(), "{words:?}: {}", answer.out);
        assert!(answer.err.contains(why), "{words:?}: {}", answer.err);
        assert!(answer.err.contains("\n  DVR301  floating-ip-rule-missing\n"), "{words:?}: {}", answer.err);
    }
    let answer = run(["lab", "--break", "DVR504", "--", "true"]);
    assert!(answer.err.contains("--layout pike"), "{}", answer.err);
}
