//! `check`, `explain` and `acknowledge` of snapshots.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::answers::valid;
use crate::*;

/// The program with a state folder of its own.
fn with_state(folder: &Path, words: &[&str]) -> Answer {
    answer(program().env("XDG_STATE_HOME", folder).args(words))
}

fn checked(words: &[&str], folder: &Path) -> (i32, Value) {
    let answer = with_state(folder, &[&["check"], words, &["--format", "json"]].concat());
    assert_eq!(answer.err, "", "{words:?}");
    let document = serde_json::from_str(&answer.out).unwrap();
    valid("check", &document);
    (answer.code, document)
}

#[test]
fn healthy_is_zero_and_this_node_did_its_part() {
    let folder = folder("check-healthy");
    let file = save(&Scenario::article(Layout::Pike).snapshot, &folder, "healthy");
    let (code, document) = checked(&["--from", &file], &folder);
    assert_eq!((code, &document["summary"]["errors"]), (0, &0.into()), "{document:#}");
    let text = run(["check", "--floating-ip", "192.168.1.3", "--from", &file]);
    assert_eq!((text.code, text.err.as_str()), (0, ""));
    insta::assert_snapshot!(text.out);
    let by_fixed = run(["check", "--floating-ip", "10.0.0.4", "--from", &file]);
    assert_eq!(by_fixed.out, text.out);
}

#[test]
fn what_is_not_here_is_one_and_what_is_ambiguous_is_two() {
    let folder = folder("check-which");
    let twice = Scenario::article(Layout::Pike).with_second_network(Layout::Pike).snapshot;
    let file = save(&twice, &folder, "twice");
    let answer = run(["check", "--floating-ip", "192.168.1.99", "--from", &file]);
    assert_eq!((answer.code, answer.out.as_str()), (1, ""));
    let answer = run(["check", "--floating-ip", "192.168.1.3", "--from", &file]);
    assert_eq!(answer.code, 2);
    let ways: Vec<&str> = answer.err.lines().filter_map(|line| line.split(": fipscope ").nth(1)).collect();
    assert_eq!(ways.len(), 2, "{}", answer.err);
    for way in ways {
        let words = way.split(' ').chain(["--from", &file, "--format", "json"]);
        assert_eq!(run(words).err, "", "{way}");
    }
}

#[test]
fn a_router_or_an_external_network_alone_narrows_it() {
    let folder = folder("check-router");
    let mut node = Scenario::article(Layout::Pike).with_second_router(Layout::Pike);
    node = node.without_rule(QROUTER, "from 10.0.0.4 lookup 16");
    let file = save(&node.snapshot, &folder, "two");
    let ids = |words: &[&str]| {
        let (code, document) = checked(&[words, &["--from", &file]].concat(), &folder);
        let all = document["findings"].as_array().unwrap();
        let errors: Vec<String> =
            all.iter().filter(|one| one["severity"] == "error").map(|one| one["id"].to_string()).collect();
        (code, errors)
    };
    let all = ids(&[]);
    assert_eq!((all.0, all.1.len()), (1, 1), "{all:?}");
    let broken = QROUTER.strip_prefix("qrouter-").unwrap();
    assert_eq!(ids(&["--router", &broken[..6]]), all);
    let other = node
        .snapshot
        .namespaces
        .keys()
        .find_map(|name| name.as_str().strip_prefix("qrouter-").filter(|id| *id != broken));
    let other = other.unwrap();
    assert_eq!(ids(&["--router", other]), (0, vec![]));
    let text = run(["check", "--router", other, "--from", &file]).out;
    assert!(text.contains(&format!("in router {other}, 1 floating IP")), "{text}");
    assert_eq!(ids(&["--external-network", FIP.strip_prefix("fip-").unwrap()]), all);
    for words in [["--router", "ffff"], ["--external-network", "ffff"]] {
        let answer = run([&["check"], &words[..], &["--from", &file]].concat());
        assert_eq!((answer.code, answer.out.as_str()), (1, ""), "{}", answer.err);
        assert!(answer.err.contains("ffff") && answer.err.contains("there are"), "{}", answer.err);
    }
    // Two begin so: as with an address, the ways to say which are printed.
    assert_eq!(run(["check", "--router", "", "--from", &file]).code, 2);
}

#[test]
fn a_link_that_no_check_names_is_told_by_itself() {
    let folder = folder("check-nameless");
    let node = Scenario::legacy(None).without_route(QROUTER, fipscope::net::TableId::MAIN, "default");
    let file = save(&node.snapshot, &folder, "legacy");
    let text = run(["check", "--from", &file]);
    assert_eq!((text.code, text.err.as_str()), (1, ""));
    assert!(text.out.contains("broken chain without a code"), "{}", text.out);
    assert!(text.out.contains("no check has a code for it: ") && !text.out.contains("nothing found"), "{}", text.out);
    let json = with_state(&folder, &["check", "--from", &file, "--format", "json"]);
    assert_eq!(json.code, 1);
    assert!(json.err.contains("is broken, and no check has a code for it: "), "{}", json.err);
    // With a code that is found elsewhere it is told all the same.
    let mut both = node.snapshot;
    both.host.priority_file = fipscope::net::Observed::Unreadable("no".to_owned());
    let file = save(&both, &folder, "both");
    assert!(run(["check", "--from", &file]).out.contains("broken chain without a code"));
}

#[test]
fn what_cannot_be_read_is_never_healthy() {
    let folder = folder("check-dark");
    for namespace in [QROUTER, FIP] {
        let file = save(&Scenario::article(Layout::Pike).unreadable(namespace).snapshot, &folder, namespace);
        let (code, document) = checked(&["--from", &file], &folder);
        assert_eq!(code, 3, "{namespace} {document:#}");
        let text = run(["check", "--from", &file]).out;
        assert!(!text.contains("did its part") && text.contains("Could not be read"), "{text}");
    }
}

#[test]
fn a_broken_chain_is_one_whether_or_not_a_check_names_it() {
    let folder = folder("check-broken");
    let file = save(&broken(), &folder, "broken");
    assert_eq!(checked(&["--from", &file], &folder).0, 1);
    assert_eq!(checked(&["--floating-ip", "192.168.1.3", "--from", &file], &folder).0, 1);
    assert!(!run(["check", "--from", &file]).out.contains("did its part"));
}

#[test]
fn an_unknown_code_is_two_with_the_nearest() {
    let file = save(&healthy(), &folder("check-codes"), "healthy");
    for words in [["explain", "DVR999"], ["explain", "bananas"]] {
        let answer = run(words);
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{words:?}");
        assert!(answer.err.contains("fipscope explain"), "{}", answer.err);
    }
    let answer = run(["check", "--select", "DVR999", "--from", &file]);
    assert_eq!((answer.code, answer.out.as_str()), (2, ""));
    assert!(answer.err.contains("DVR999"), "{}", answer.err);
}

#[test]
fn every_code_has_its_page_and_its_entry() {
    let document: Value = serde_json::from_str(&run(["explain", "--format", "json"]).out).unwrap();
    valid("explain", &document);
    let list = run(["explain"]).out;
    let entries = document["codes"].as_array().unwrap();
    assert!(!entries.is_empty());
    for entry in entries {
        let code = entry["code"].as_str().unwrap();
        assert!(list.contains(code), "{code}");
        let page = run(["explain", &code[3..]]);
        assert_eq!((page.code, page.err.as_str()), (0, ""), "{code}");
        assert!(page.out.starts_with(&format!("{code} {}", entry["name"].as_str().unwrap())), "{}", page.out);
        assert_eq!(run(["explain", entry["name"].as_str().unwrap()]).out, page.out);
        let one: Value = serde_json::from_str(&run(["explain", code, "--format", "json"]).out).unwrap();
        assert_eq!(one["codes"], Value::from(vec![entry.clone()]));
    }
}

#[test]
fn a_finding_is_acknowledged_listed_apart_and_taken_back() {
    let folder = folder("acknowledge");
    let file = save(&broken(), &folder, "broken");
    let (code, before) = checked(&["--from", &file], &folder);
    let ids: Vec<&str> = before["findings"].as_array().unwrap().iter().filter_map(|one| one["id"].as_str()).collect();
    assert!(code == 1 && !ids.is_empty(), "{before:#}");
    for id in &ids {
        let answer = with_state(&folder, &["acknowledge", id, "--from", &file]);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""));
        let kept = folder.join("fipscope/acknowledged.json");
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(kept.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    }
    let (code, after) = checked(&["--from", &file], &folder);
    assert_eq!((code, after["summary"]["errors"].as_u64()), (0, Some(0)), "{after:#}");
    assert!(after["findings"].as_array().unwrap().iter().all(|one| one["acknowledged"] == true));
    let text = with_state(&folder, &["check", "--from", &file]).out;
    assert!(text.contains("Acknowledged on this node") && text.contains(ids[0]), "{text}");
    // Another node's are its own.
    let mut other = broken();
    "compute-13".clone_into(&mut other.node);
    let other = save(&other, &folder, "other");
    assert_eq!(checked(&["--from", &other], &folder).0, 1);
    for id in &ids {
        let answer = with_state(&folder, &["acknowledge", id, "--revoke", "--from", &file, "--format", "json"]);
        assert_eq!(answer.code, 0, "{}", answer.err);
        valid("acknowledge", &serde_json::from_str(&answer.out).unwrap());
    }
    assert_eq!(checked(&["--from", &file], &folder), (1, before.clone()));
}

#[test]
fn a_file_has_no_wire_to_ask() {
    let file = save(&healthy(), &folder("check-probe"), "healthy");
    for words in
        [&["check", "--probe", "--from", &file][..], &["check", "--probe", "--format", "json", "--from", &file]]
    {
        let answer = run(words.iter().copied());
        assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{words:?}");
        assert!(answer.err.contains("--probe asks on this node's links"), "{}", answer.err);
    }
    // What only the wire decides is not told healthy, and how to ask is said.
    let answer = run(["check", "--select", "DVR610", "--from", &file]);
    assert_eq!((answer.code, answer.out.as_str()), (3, ""));
    assert!(answer.err.contains("fipscope check --probe"), "{}", answer.err);
    let answer = run(["check", "--select", "DVR105", "--from", &file]);
    assert_eq!(answer.code, 3);
    assert!(!answer.err.contains("--probe"), "{}", answer.err);
}

#[test]
fn what_cannot_be_acknowledged_is_said() {
    let folder = folder("acknowledge-not");
    let file = save(&broken(), &folder, "broken");
    let unknown = with_state(&folder, &["acknowledge", "DVR301@nowhere/x", "--from", &file]);
    assert_eq!((unknown.code, unknown.out.as_str()), (1, ""));
    assert!(unknown.err.contains("DVR301@nowhere/x"), "{}", unknown.err);
    let revoked = with_state(&folder, &["acknowledge", "DVR301@nowhere/x", "--revoke", "--from", &file]);
    assert!(revoked.code == 1 && revoked.err.contains("nothing is acknowledged"), "{}", revoked.err);
    let read_only = with_state(&folder, &["acknowledge", "x", "--read-only", "--from", &file]);
    assert_eq!(read_only.code, 2, "{}", read_only.err);
    assert!(!folder.join("fipscope").exists());
}

#[test]
fn a_damaged_file_hides_nothing_and_is_not_overwritten() {
    let folder = folder("acknowledge-damaged");
    let file = save(&broken(), &folder, "broken");
    let (_, before) = checked(&["--from", &file], &folder);
    let id = before["findings"][0]["id"].as_str().unwrap();
    fs::create_dir_all(folder.join("fipscope")).unwrap();
    let kept = folder.join("fipscope/acknowledged.json");
    for damage in ["{", "{\"schema\":\"x\",\"nodes\":{}}", &" ".repeat(2 << 20)] {
        fs::write(&kept, damage).unwrap();
        let answer = with_state(&folder, &["check", "--from", &file, "--format", "json"]);
        assert_eq!(answer.code, 1);
        assert!(answer.err.contains("acknowledged.json"), "{}", answer.err);
        assert_eq!(serde_json::from_str::<Value>(&answer.out).unwrap(), before);
        let answer = with_state(&folder, &["acknowledge", id, "--from", &file]);
        assert_eq!(answer.code, 1, "{}", answer.err);
        assert_eq!(fs::read_to_string(&kept).unwrap(), damage);
    }
}

#[test]
fn a_missing_rule_in_text_with_what_mends_it() {
    let folder = folder("check-text");
    let snapshot = Scenario::article(Layout::Pike).without_rule(QROUTER, "from 10.0.0.4 ").snapshot;
    let file = save(&snapshot, &folder, "broken");
    let answer = run(["check", "--select", "DVR3", "--from", &file]);
    assert_eq!((answer.code, answer.err.as_str()), (1, ""));
    insta::assert_snapshot!(answer.out);
    let (_, document) = checked(&["--from", &file, "--select", "DVR301"], &folder);
    let repair = &document["findings"][0]["repair"];
    assert!(repair["commands"][0].as_str().is_some_and(|command| command.contains("rule add")), "{document:#}");
    assert_eq!(checked(&["--from", &file, "--select", "DVR9"], &folder).0, 0);
}
