//! Floating IPs of a gateway port, in the snat namespace and on legacy routers:
//! associated, removed, taken back, in a lab; and what is refused there.

use fipscope::lab::{Lab, LabOptions, Need};
use fipscope::net::Snapshot;
use fipscope::neutron::Layout;

use crate::associate::changed;
use crate::case::{build, source};
use crate::program::{fipscope, quiet, run, said, same};

/// What is associated beside what stands, and what stands: floating IP, fixed IP.
struct Case {
    layout: Layout,
    needs: &'static [Need],
    new: (&'static str, &'static str),
    old: (&'static str, &'static str),
    options: &'static [&'static str],
}

pub(crate) const CASES: [&str; 4] = ["central pike", "legacy juno", "legacy pike", "ha newton"];

fn case(name: &str) -> Case {
    let legacy = Case {
        layout: Layout::Juno,
        needs: &[Need::Legacy],
        new: ("192.168.1.249", "80.0.0.4"),
        old: ("192.168.1.251", "80.0.0.4"),
        options: &[],
    };
    match name {
        "legacy juno" => legacy,
        "legacy pike" => Case { layout: Layout::Pike, ..legacy },
        "ha newton" => Case {
            layout: Layout::Newton,
            needs: &[Need::HighlyAvailable],
            new: ("192.168.1.249", "90.0.0.4"),
            old: ("192.168.1.253", "90.0.0.4"),
            ..legacy
        },
        _ => Case {
            layout: Layout::Pike,
            needs: &[Need::More],
            new: ("192.168.1.249", "20.0.0.6"),
            old: ("192.168.1.244", "20.0.0.4"),
            options: &["--centralized"],
        },
    }
}

/// The one that stands is removed and taken back; another one is associated,
/// answers, and is removed: nothing of it is left, and nothing else was touched.
pub(crate) fn there_and_back(name: &str) {
    let Case { layout, needs, new, old, options } = case(name);
    let lab = build(&LabOptions { layout, needs: needs.to_vec(), ..LabOptions::default() });
    let before = quiet(&lab);
    answers(&lab, old, true);

    changed(&lab, &["remove", old.0, "--yes", "--format", "json"]);
    answers(&lab, old, false);
    clean(&lab);
    let without = quiet(&lab);
    changed(&lab, &["undo", "--yes", "--format", "json"]);
    same(&before, &quiet(&lab), "taken back");
    answers(&lab, old, true);
    // One that is free, or becomes so.
    let before = if new.1 == old.1 {
        changed(&lab, &["remove", old.0, "--yes", "--format", "json"]);
        without
    } else {
        before
    };

    let wanted = [&["associate", new.0, new.1][..], options].concat();
    refused(&lab, &wanted, &before);
    changed(&lab, &[&wanted[..], &["--yes", "--no-wait", "--format", "json"]].concat());
    answers(&lab, new, true);
    clean(&lab);
    let with = quiet(&lab);
    changed(&lab, &["undo", "--yes", "--format", "json"]);
    same(&before, &quiet(&lab), "associating taken back");
    changed(&lab, &[&wanted[..], &["--yes", "--no-wait", "--format", "json"]].concat());
    same(&with, &quiet(&lab), "associated again");
    let again = fipscope(&lab, &[&wanted[..], &["--yes"]].concat());
    assert!(again.status.success() && said(&again).contains("so already"), "{}", said(&again));
    changed(&lab, &["remove", new.0, "--yes", "--format", "json"]);
    same(&before, &quiet(&lab), "removed");
    println!("removed, taken back, associated, removed");
}

/// Somebody outside has it.
fn refused(lab: &Lab, wanted: &[&str], before: &Snapshot) {
    let cidr = format!("{}/24", wanted[1]);
    let address = |what| ["netns", "exec", "gateway", "ip", "addr", what, &cidr, "dev", "eth0"];
    assert!(run(lab, "ip", &address("add")).status.success());
    let refused = fipscope(lab, &[wanted, &["--yes"]].concat());
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("in use on the external network"), "{}", said(&refused));
    assert!(run(lab, "ip", &address("del")).status.success());
    same(before, &quiet(lab), "refused");
}

fn clean(lab: &Lab) {
    let check = fipscope(lab, &["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", said(&check));
}

/// Whether outside reaches it, and knows the instance by it; a way out there is
/// in any case.
fn answers(lab: &Lab, (floating, fixed): (&str, &str), expected: bool) {
    let ping = ["netns", "exec", "outside", "ping", "-q", "-c", "1", "-W", "2", floating];
    assert_eq!(run(lab, "ip", &ping).status.success(), expected, "outside → {floating}");
    let source = source(lab, fixed).expect("there is a way out");
    assert_eq!(source.to_string() == floating, expected, "{fixed} → outside as {source}");
}

/// What stops an association in a lab, and why: each with the reason, and
/// nothing changed.
pub(crate) fn refusals() {
    let needs = vec![Need::More, Need::Legacy];
    let lab = build(&LabOptions { layout: Layout::Pike, needs, ..LabOptions::default() });
    let before = quiet(&lab);
    let whole = "ef25020f-012c-41d6-a36e-f2f09cb8ea62";
    for (words, why) in [
        ("192.168.1.3 10.0.0.5", "192.168.1.3 is associated with 10.0.0.4 already"),
        ("192.168.1.244 10.0.0.5", "192.168.1.244 is associated with 20.0.0.4 already"),
        ("192.168.1.251 10.0.0.5", "192.168.1.251 is associated with 80.0.0.4 already"),
        ("192.168.1.242 10.0.0.5", "192.168.1.242 is associated with 30.0.0.4 already"),
        ("192.168.1.99 10.0.0.4", "10.0.0.4 has the floating IP 192.168.1.3 already"),
        ("192.168.1.99 20.0.0.4", "20.0.0.4 has the floating IP 192.168.1.244 already"),
        ("192.168.2.99 10.0.0.5", "is in no subnet of the external network; on this node it has 192.168.1.0/24"),
        ("172.24.255.9 10.0.0.5", "is in no subnet of the external network; on this node it has 192.168.1.0/24"),
        ("192.168.1.99 10.9.9.9", "no router of this node has a subnet with 10.9.9.9"),
        ("192.168.1.99 30.0.0.9 --router ef25", "30.0.0.9 is in no subnet of the router"),
        ("192.168.1.99 10.0.0.1", "10.0.0.1 cannot be used: it is the router's own"),
        ("192.168.1.1 10.0.0.5", "192.168.1.1 cannot be used: it is the external gateway"),
        ("192.168.1.23 10.0.0.5", "192.168.1.23 cannot be used: it is an address of fg-b2b77eed-1b"),
        ("192.168.1.21 10.0.0.5", "192.168.1.21 cannot be used: it is the gateway address of the router"),
        ("192.168.1.255 10.0.0.5", "no address of a host"),
        ("192.168.1.99 10.0.0.5 --layout juno", "the router has the layout pike, not juno"),
        ("192.168.1.99 80.0.0.9 --router ef25", "80.0.0.9 is in no subnet of the router"),
        ("192.168.2.99 80.0.0.9", "is in no subnet of the external network"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let output = fipscope(&lab, &[&["associate"][..], &words, &["--yes"]].concat());
        // What was typed cannot be, or the node says no.
        let code = if words.contains(&"--layout") { 2 } else { 1 };
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", said(&output));
        assert!(said(&output).contains(why), "{words:?}: {}", said(&output));
    }
    let pair = fipscope(&lab, &["remove", "192.168.1.244", "--with-pair", "--yes"]);
    assert!(pair.status.code() == Some(1) && said(&pair).contains("without a pair"), "{}", said(&pair));
    same(&before, &quiet(&lab), "refused");
    assert!(before.namespaces.keys().any(|name| name.as_str().ends_with(whole)));
    println!("18 refused, nothing changed");
}
