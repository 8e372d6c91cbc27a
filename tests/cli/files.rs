//! What is read from files and written to them, and readers that go away.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use crate::*;

#[test]
fn a_snapshot_written_and_read_again_is_the_same() {
    let folder = folder("snapshot");
    let file = save(&broken(), &folder, "in.json");
    let out = folder.join("out.json");
    let written = run(["snapshot", "--from", &file, "-o", out.to_str().unwrap()]);
    assert_eq!(written.code, 0, "{}", written.err);
    // The name of the file is as long as the checkout's path, so the line may break anywhere.
    let words: Vec<_> = written.out.split_whitespace().collect();
    assert!(words.join(" ").contains("2 namespaces, 1 router, 1 floating IP"), "{}", written.out);
    let printed = run(["snapshot", "--from", &file]);
    assert_eq!(printed.out, fs::read_to_string(&out).unwrap());
    assert_eq!(serde_json::from_str::<Snapshot>(&printed.out).unwrap(), broken());
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o133, 0, "others may not write or run it");
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing else is left: {left:?}");
}

#[test]
fn a_file_that_is_replaced_keeps_its_mode_and_its_links() {
    let folder = folder("replace");
    let file = save(&healthy(), &folder, "in.json");
    let (target, link) = (folder.join("target.json"), folder.join("link.json"));
    fs::write(&target, "old").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("target.json", &link).unwrap();
    assert_eq!(run(["snapshot", "--from", &file, "-o", link.to_str().unwrap()]).code, 0);
    assert!(fs::read_to_string(&target).unwrap().starts_with('{'));
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn what_is_no_file_is_written_to_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let file = save(&healthy(), &folder("null"), "in.json");
    assert_eq!(run(["snapshot", "--from", &file, "-o", "/dev/null"]).code, 0);
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_with_its_name() {
    let folder = folder("refused");
    let file = save(&healthy(), &folder, "in.json");
    let out = folder.join("nowhere/out.json");
    let answer = run(["snapshot", "--from", &file, "-o", out.to_str().unwrap()]);
    assert_eq!((answer.code, answer.out.as_str()), (1, ""));
    assert!(answer.err.contains("nowhere/out.json"), "{}", answer.err);
}

#[test]
fn what_cannot_be_loaded_is_three_and_nothing_is_on_standard_output() {
    let folder = folder("damaged");
    let damaged = folder.join("damaged.json");
    fs::write(&damaged, "{\"schema\": \"fipscope.snapshot/1\", \"node\": ").unwrap();
    for path in [damaged.to_str().unwrap(), "/nowhere/node.json"] {
        for command in ["list", "snapshot"] {
            let answer = run([command, "--from", path, "--format", "json"]);
            assert_eq!((answer.code, answer.out.as_str()), (3, ""), "{path}");
            assert!(answer.err.starts_with("fipscope: ") && answer.err.contains(path), "{}", answer.err);
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let file = save(&Scenario::scale(Layout::Pike, 40, 10).snapshot, &folder("pipe"), "big.json");
    for command in ["list", "snapshot"] {
        let mut child = program()
            .args([command, "--from", &file, "--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        // The pipe closes here; what comes is more than it holds.
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{command}");
    }
}

#[test]
fn the_log_goes_to_its_file_alone() {
    let folder = folder("log");
    let file = save(&healthy(), &folder, "in.json");
    let log = folder.join("log");
    let plain = run(["list", "--from", &file]);
    let logged = run(["list", "--from", &file, "-vv", "--log-file", log.to_str().unwrap()]);
    assert_eq!((logged.out, logged.err), (plain.out, plain.err));
    let first = fs::read_to_string(&log).unwrap();
    assert!(first.contains("start") && first.contains("end"), "{first}");
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    run(["list", "--from", &file, "--log-file", log.to_str().unwrap()]);
    assert!(fs::read_to_string(&log).unwrap().starts_with(&first), "it is appended to");
    let refused = run(["list", "--from", &file, "--log-file", "/nowhere/log"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains("/nowhere/log"), "{}", refused.err);
}
