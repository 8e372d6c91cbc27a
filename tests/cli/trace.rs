//! `trace` of snapshots of each layout, whole and broken; `show` of a router.

use fipscope::net::TableId;
use fipscope::topology::scenario::SNAT;
use serde_json::Value;

use crate::answers::valid;
use crate::*;

/// What `trace` says of a node as JSON, validated.
fn traced(name: &str, node: &Scenario, words: &str) -> (i32, Value) {
    let file = save(&node.snapshot, &folder(&format!("trace-{name}")), "node");
    let words = ["trace"].into_iter().chain(words.split(' ')).chain(["--from", &file, "--format", "json"]);
    let answer = run(words);
    assert_eq!(answer.err, "", "{name}");
    let document = serde_json::from_str(&answer.out).unwrap();
    valid("trace", &document);
    (answer.code, document)
}

/// Class, outcome, and the namespaces and devices of the way.
fn way(walk: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let hops = walk["hops"].as_array().unwrap().iter();
    let hops: Vec<String> = hops.map(|hop| format!("{}>{}", word(&hop["in"]), word(&hop["out"]))).collect();
    format!("{} {} {}", word(&walk["class"]), word(&walk["outcome"]), hops.join(" "))
}

const OUT: &str = "--src 10.0.0.4 --dst 198.51.100.7 --reply";
const IN: &str = "--src 198.51.100.7 --dst 192.168.1.3 --reply";

#[test]
fn every_class_goes_its_way_and_back() {
    let out = "fip leaves-node qr-c2e43983-5c>rfp-ef25020f-0 fpr-ef25020f-0>fg-b2b77eed-1b";
    let into = "fip delivered fg-b2b77eed-1b>fpr-ef25020f-0 rfp-ef25020f-0>qr-c2e43983-5c";
    for layout in [Layout::Juno, Layout::Newton, Layout::Pike] {
        let node = Scenario::article(layout);
        let (code, document) = traced(&format!("out-{layout:?}"), &node, OUT);
        assert_eq!((code, way(&document).as_str(), way(&document["reply"]).as_str()), (0, out, into), "{layout:?}");
        assert_eq!((&document["in"]["src"], &document["out"]["src"]), (&"10.0.0.4".into(), &"192.168.1.3".into()));
        assert_eq!(document["hops"][0]["nat"][0]["kind"], "snat");
        assert_eq!(document["reply"]["hops"][1]["nat"][0]["kind"], "undo-snat");
        assert_eq!(document["hops"][0]["kernel"], "not-asked");
        let (code, document) = traced(&format!("in-{layout:?}"), &node, IN);
        assert_eq!((code, way(&document).as_str(), way(&document["reply"]).as_str()), (0, into, out), "{layout:?}");
        let (code, document) = traced("east", &node, "--src 10.0.0.4 --dst 20.0.0.5 --proto icmp");
        let east = "east-west delivered qr-c2e43983-5c>qr-369f59a5-2c";
        assert_eq!((code, way(&document).as_str(), document["in"]["sport"].as_u64()), (0, east, Some(1)));
        assert_eq!(document["reply"], Value::Null);
    }
}

#[test]
fn snat_ends_at_the_subnet_or_goes_through_the_snat_namespace() {
    let words = "--src 10.0.0.9 --dst 198.51.100.7 --proto udp --reply";
    let node = Scenario::article(Layout::Pike);
    let (code, document) = traced("snat-away", &node, words);
    assert_eq!((code, way(&document).as_str()), (0, "snat leaves-node qr-c2e43983-5c>qr-c2e43983-5c"));
    let (code, document) = traced("snat-here", &node.with_centralized(), words);
    assert_eq!(
        (code, document["class"].as_str(), document["out"]["src"].as_str()),
        (0, Some("snat"), Some("192.168.1.22"))
    );
    assert_eq!((&document["hops"][1]["namespace"], &document["in"]["dport"]), (&SNAT.into(), &53.into()));
}

#[test]
fn a_hairpin_is_called_one() {
    let (code, document) = traced("hairpin", &Scenario::article(Layout::Juno), "--src 10.0.0.9 --dst 192.168.1.3");
    assert_eq!((code, document["detail"].as_str()), (0, Some("hairpin")), "{document:#}");
}

#[test]
fn what_is_broken_changes_the_way_or_ends_it() {
    let node = || Scenario::article(Layout::Pike);
    let (code, document) = traced("no-rule", &node().without_rule(QROUTER, "from 10.0.0.4 "), OUT);
    assert_eq!((code, document["class"].as_str()), (0, Some("snat")), "{document:#}");

    let (code, document) = traced("no-route", &node().without_route(FIP, TableId::MAIN, "192.168.1.3/32"), IN);
    assert_eq!((code, document["outcome"].as_str()), (1, Some("dropped")), "{document:#}");
    assert_eq!(document["blocked_by"], "DVR501", "{document:#}");

    let (code, document) = traced("no-dnat", &node().without_nat(QROUTER, "agent-PREROUTING", "Dnat"), IN);
    assert_eq!((code, document["outcome"].as_str()), (1, Some("dropped")), "{document:#}");
    assert!(document["blocked_by"].is_string(), "{document:#}");

    let (code, document) = traced("riddle", &node().with_riddle(QROUTER, "float-snat"), OUT);
    assert_eq!((code, document["outcome"].as_str()), (3, Some("unknown")), "{document:#}");
}

#[test]
fn text_of_a_walk_that_works_and_of_one_that_does_not() {
    let folder = folder("trace-text");
    let healthy = save(&Scenario::article(Layout::Pike).snapshot, &folder, "healthy");
    let answer = run(["trace"].into_iter().chain(OUT.split(' ')).chain(["--from", &healthy]));
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    insta::assert_snapshot!("out", answer.out);
    let broken = Scenario::article(Layout::Pike).without_nat(QROUTER, "agent-PREROUTING", "Dnat").snapshot;
    let broken = save(&broken, &folder, "broken");
    let answer = run(["trace"].into_iter().chain(IN.split(' ')).chain(["--from", &broken]));
    assert_eq!((answer.code, answer.err.as_str()), (1, ""));
    insta::assert_snapshot!("no_dnat", answer.out);
}

#[test]
fn where_it_comes_in_may_have_to_be_said() {
    let twice = Scenario::article(Layout::Pike).with_second_network(Layout::Pike).snapshot;
    let file = save(&twice, &folder("trace-twice"), "twice");
    for words in ["--src 10.0.0.4 --dst 198.51.100.7", "--src 198.51.100.7 --dst 192.168.1.3"] {
        let all = || ["trace", "--from", &file].into_iter().chain(words.split(' '));
        let answer = run(all());
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{}", answer.err);
        let ways: Vec<&str> = answer.err.lines().filter_map(|line| line.split("fipscope trace … ").nth(1)).collect();
        assert_eq!(ways.len(), 2, "{}", answer.err);
        for way in ways {
            let answer = run(all().chain(way.split(' ')));
            assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{way}");
        }
    }
}

#[test]
fn what_comes_in_nowhere_is_said_with_what_is_here() {
    let file = save(&healthy(), &folder("trace-nowhere"), "healthy");
    let dark = Scenario::article(Layout::Pike).unreadable(QROUTER).snapshot;
    let dark = save(&dark, &folder("trace-dark"), "dark");
    for (words, file, code, said) in [
        ("--src 172.16.0.1 --dst 172.16.0.2", &file, 1, "subnets here are 10.0.0.0/24, 20.0.0.0/24"),
        ("--src 172.16.0.1 --dst 172.16.0.2", &dark, 3, "comes in nowhere"),
        ("--src 10.0.0.4 --dst 10.0.0.5", &file, 1, "both are in 10.0.0.0/24"),
        ("--src 10.0.0.4 --dst 20.0.0.5 --iif qr-nobody", &file, 1, "there are qr-369f59a5-2c, qr-c2e43983-5c"),
        ("--src 10.0.0.4 --dst 20.0.0.5 --router b047", &file, 1, "but not there"),
    ] {
        let answer = run(["trace", "--from", file].into_iter().chain(words.split(' ')));
        assert_eq!((answer.code, answer.out.as_str()), (code, ""), "{words}: {}", answer.err);
        assert!(answer.err.contains(said), "{words}: {}", answer.err);
    }
    // A device that is named counts, whatever the addresses.
    let odd = run(["trace", "--from", &file, "--src", "10.0.0.4", "--dst", "198.51.100.7", "--iif", "qr-369f59a5-2c"]);
    assert!(odd.out.contains("in      qr-369f59a5-2c"), "{}{}", odd.out, odd.err);
}

#[test]
fn wrong_usage_is_two() {
    let file = save(&healthy(), &folder("trace-usage"), "healthy");
    for (words, said) in [
        ("--src 2001:db8::1 --dst 10.0.0.4", "only IPv4 packets are walked"),
        ("--src 10.0.0.4 --dst 198.51.100.7 --verify", "--from"),
        ("--src 10.0.0.4 --dst 198.51.100.7 --proto 47 --sport 1", "--sport"),
    ] {
        let answer = run(["trace", "--from", &file].into_iter().chain(words.split(' ')));
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{words}");
        assert!(answer.err.contains(said), "{words}: {}", answer.err);
    }
}

#[test]
fn show_of_a_router_is_its_classes_at_a_glance() {
    let scale = Scenario::scale(Layout::Pike, 3, 3).snapshot;
    let file = save(&scale, &folder("glance"), "scale");
    let answer = run(["show", "00000001", "--from", &file]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    for words in ["East-west", "SNAT", "Floating IP", "10 addresses and 1 MAC", "12 addresses and 3 MACs"] {
        assert!(answer.out.contains(words), "{words}: {}", answer.out);
    }
    for (prefix, more, code, said) in [
        ("0000000", "text", 2, "fipscope show 00000002-0000"),
        ("ffff", "text", 1, "there are 00000000-0000"),
        ("00000001", "json", 2, "list --format json"),
    ] {
        let answer = run(["show", prefix, "--from", &file, "--format", more]);
        assert_eq!((answer.code, answer.out.as_str()), (code, ""), "{prefix}: {}", answer.err);
        assert!(answer.err.contains(said), "{prefix}: {}", answer.err);
    }
}

#[test]
fn the_kernel_of_the_lab_agrees_with_every_hop() {
    let lab = |layout: &str| ["lab", "--layout", layout, "--"].map(str::to_owned);
    let tried = run(lab("pike").into_iter().chain(["true".to_owned()]));
    if tried.code != 0 {
        eprintln!("SKIPPED the_kernel_of_the_lab_agrees_with_every_hop: {}", tried.err);
        assert_ne!(std::env::var("REQUIRE_NETNS").as_deref(), Ok("1"), "{}", tried.err);
        return;
    }
    for layout in ["juno", "newton", "pike"] {
        for (words, hops) in [(OUT, 4), (IN, 4), ("--src 10.0.0.5 --dst 198.51.100.7 --reply", 3)] {
            let trace = [env!("CARGO_BIN_EXE_fipscope"), "trace", "--verify", "--format", "json"];
            let words = lab(layout).into_iter().chain(trace.into_iter().chain(words.split(' ')).map(str::to_owned));
            let answer = run(words);
            assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{layout}");
            let document: Value = serde_json::from_str(&answer.out).unwrap();
            valid("trace", &document);
            let asked =
                [&document, &document["reply"]].into_iter().filter_map(|walk| walk["hops"].as_array()).flatten();
            let said: Vec<&str> = asked.map(|hop| hop["kernel"].as_str().unwrap()).collect();
            assert_eq!(said, vec!["agrees"; hops], "{layout} {document:#}");
        }
    }
}
