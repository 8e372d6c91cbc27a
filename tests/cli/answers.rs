//! `list`, `show` and `diff` of snapshots.

use std::os::unix::process::CommandExt;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::*;

fn json(words: &[&str]) -> (i32, Value) {
    let answer = run(words.iter().chain(&["--format", "json"]));
    assert_eq!(answer.err, "", "{words:?}");
    (answer.code, serde_json::from_str(&answer.out).unwrap())
}

pub(crate) fn valid(name: &str, document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/schema/fipscope.{name}.1.json"));
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}\n{document:#}", errors.join("\n"));
}

#[test]
fn list_is_zero_when_it_could_read_whatever_it_found() {
    let folder = folder("list");
    for (name, snapshot, state) in
        [("healthy", healthy(), "ok"), ("broken", broken(), "broken"), ("empty", empty(), "")]
    {
        let file = save(&snapshot, &folder, name);
        let text = run(["list", "--from", &file]);
        assert_eq!((text.code, text.err.as_str()), (0, ""), "{name}");
        assert!(text.out.contains(state), "{}", text.out);
        let (code, document) = json(&["list", "--from", &file]);
        assert_eq!(code, 0);
        valid("list", &document);
        if !state.is_empty() {
            assert_eq!(document["floating_ips"][0]["state"], state);
        }
    }
}

#[test]
fn list_of_the_article_in_text() {
    let file = save(&healthy(), &folder("text"), "healthy");
    insta::assert_snapshot!(run(["list", "--from", &file]).out);
}

#[test]
fn show_of_a_broken_one_in_text() {
    let file = save(&broken(), &folder("show-text"), "broken");
    let answer = run(["show", "10.0.0.4", "--from", &file]);
    assert_eq!(answer.code, 1);
    insta::assert_snapshot!(answer.out);
}

#[test]
fn what_could_not_be_read_is_three_and_said() {
    let dark = Scenario::article(Layout::Pike).unreadable(QROUTER).snapshot;
    let file = save(&dark, &folder("dark"), "dark");
    let text = run(["list", "--from", &file]);
    assert_eq!(text.code, 3);
    assert!(text.out.contains("Could not be read"), "{}", text.out);
    let json = run(["list", "--from", &file, "--format", "json"]);
    assert_eq!(json.code, 3);
    valid("list", &serde_json::from_str(&json.out).unwrap());
    assert!(json.err.contains(QROUTER), "{}", json.err);
    // It is not here, as far as one can see.
    assert_eq!(run(["show", "203.0.113.1", "--from", &file]).code, 3);
}

#[test]
fn without_privilege_it_says_what_to_do() {
    let folder = std::env::temp_dir().join(format!("fipscope-cli-{}", std::process::id()));
    fs::create_dir_all(folder.join("netns")).unwrap();
    fs::write(folder.join("netns").join(QROUTER), "").unwrap();
    let mut program = program();
    if nix::unistd::geteuid().is_root() {
        // Somebody else may not be able to reach the program where it was built.
        let copy = folder.join("fipscope");
        // By another process: one that we start meanwhile would hold our copy open for
        // writing, and what is open for writing cannot be run.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_fipscope")).arg(&copy).status().unwrap();
        assert!(copied.success());
        program = crate::program_at(&copy);
        program.uid(65534).gid(65534);
    }
    let words = ["list", "--format", "json", "--netns-dir"];
    let denied = answer(program.args(words).arg(folder.join("netns")).current_dir("/"));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!((denied.code, denied.out.as_str()), (3, ""), "{}", denied.err);
    for way in ["sudo fipscope", "fipscope lab", "fipscope --from FILE"] {
        assert!(denied.err.contains(way), "{}", denied.err);
    }
}

#[test]
fn a_node_without_neutron_is_read_without_privilege() {
    let here = folder("here");
    let answer = run(["list", "--netns-dir", here.to_str().unwrap()]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    assert!(answer.out.contains("from kernel"), "{}", answer.out);
    let (code, document) = json(&["list", "--netns-dir", here.to_str().unwrap()]);
    assert_eq!((code, document["floating_ips"].as_array().map(Vec::len)), (0, Some(0)));
    valid("list", &document);
}

#[test]
fn show_says_by_its_code_whether_it_holds() {
    let folder = folder("show");
    let healthy = save(&healthy(), &folder, "healthy");
    let broken = save(&broken(), &folder, "broken");
    for address in ["192.168.1.3", "10.0.0.4"] {
        for (file, code, state) in [(&healthy, 0, "ok"), (&broken, 1, "broken")] {
            let (found, document) = json(&["show", address, "--from", file]);
            assert_eq!((found, document["state"].as_str()), (code, Some(state)), "{address}");
            valid("show", &document);
        }
    }
    let faulty = json(&["show", "10.0.0.4", "--from", &broken]).1;
    let missing: Vec<&Value> =
        faulty["outbound"].as_array().unwrap().iter().filter(|link| link["state"] == "missing").collect();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0]["link"], "fip_rule");
}

#[test]
fn what_is_not_here_is_one_with_what_is() {
    let file = save(&healthy(), &folder("nothing"), "healthy");
    for format in ["text", "json"] {
        let answer = run(["show", "192.168.1.4", "--from", &file, "--format", format]);
        assert_eq!((answer.code, answer.out.as_str()), (1, ""));
        assert!(answer.err.contains("192.168.1.3 (fixed 10.0.0.4)"), "{}", answer.err);
    }
}

#[test]
fn what_is_ambiguous_is_two_with_the_ways_to_say_it() {
    let twice = Scenario::article(Layout::Pike).with_second_network(Layout::Pike).snapshot;
    let file = save(&twice, &folder("twice"), "twice");
    let answer = run(["show", "192.168.1.3", "--from", &file]);
    assert_eq!((answer.code, answer.out.as_str()), (2, ""), "{}", answer.err);
    let ways: Vec<&str> = answer.err.lines().filter_map(|line| line.split("fipscope show ").nth(1)).collect();
    assert_eq!(ways.len(), 2, "{}", answer.err);
    for way in ways {
        let words = ["show"].into_iter().chain(way.split(' ')).chain(["--from", &file]);
        assert_eq!(run(words).code, 0, "{way}");
    }
    let by_network = run(["show", "192.168.1.3", "--external-network", &NETWORK[..6], "--from", &file]);
    assert!(by_network.code == 0 && by_network.out.contains(ROUTER), "{}", by_network.out);
}

#[test]
fn diff_is_one_for_a_difference_and_zero_for_none() {
    let folder = folder("diff");
    let (before, after) = (save(&healthy(), &folder, "before"), save(&broken(), &folder, "after"));
    let same = run(["diff", &before, &before]);
    assert_eq!(same.code, 0);
    assert!(same.out.contains("no difference"), "{}", same.out);
    let differs = run(["diff", &before, &after]);
    assert_eq!(differs.code, 1);
    assert!(differs.out.contains("- rule 32768: from 10.0.0.4 lookup 16"), "{}", differs.out);
    let (code, document) = json(&["diff", &before, &after]);
    assert_eq!(code, 1);
    valid("diff", &document);
    assert_eq!(document["changes"][0]["namespace"], QROUTER);
    let dark = save(&Scenario::article(Layout::Juno).unreadable(FIP).snapshot, &folder, "dark");
    assert_eq!(run(["diff", &dark, &dark]).code, 3);
}

#[test]
fn every_text_fits_the_columns_and_is_whole_without_any() {
    let folder = folder("columns");
    let scale = Scenario::scale(Layout::Pike, 3, 3).with_centralized().snapshot;
    let big = save(&scale, &folder, "big");
    let broken = save(&broken(), &folder, "broken");
    let healthy = save(&healthy(), &folder, "healthy");
    let commands = [
        vec!["list", "--from", &big],
        vec!["list", "--from", &broken],
        vec!["show", "10.0.0.4", "--from", &broken],
        vec!["show", "10.0.0.4", "--from", &healthy],
        vec!["show", "ef25020f", "--from", &healthy],
        vec!["trace", "--src", "10.0.0.4", "--dst", "198.51.100.7", "--reply", "--from", &healthy],
        vec!["trace", "--src", "198.51.100.7", "--dst", "192.168.1.3", "--from", &broken],
        vec!["diff", &healthy, &broken],
        vec!["diff", &healthy, &big],
    ];
    for command in commands {
        for columns in [None, Some("60"), Some("200")] {
            let mut program = program();
            program.args(&command).envs(columns.map(|columns| ("COLUMNS", columns)));
            let text = answer(&mut program).out;
            let long = columns.and_then(|columns| {
                let most = columns.parse().unwrap();
                text.lines().find(|line| line.width() > most)
            });
            assert_eq!(long, None, "{command:?} {columns:?}\n{text}");
            // Nobody told how wide it may be: a program reads it.
            assert!(columns.is_some() || !text.contains('…'), "{command:?}\n{text}");
            assert!(!text.is_empty());
        }
    }
}
