//! One change at a time on a node, wherever the state of those who make it is:
//! under two values of `XDG_STATE_HOME` each is told of the other.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fipscope::exec;
use fipscope::lab::LabOptions;
use fipscope::neutron::Layout;

use crate::case::build;
use crate::change::{codes, site};
use crate::program::{STATE, at_home, fipscope, quiet, said, same};

pub(crate) fn two() {
    let lab = build(&LabOptions { layout: Layout::Pike, broken: codes(&[301]), ..LabOptions::default() });
    let (site, before) = (site(&lab), quiet(&lab));
    let other = Path::new("/run/other home");
    let repair = ["repair", "--all", "--yes"];
    let mut first = Command::new(std::env::current_exe().unwrap())
        .args(["--child", "busy", "2"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while exec::history(&site).unwrap().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    let busy = at_home(&lab, other, &repair);
    let pid = format!("being changed by process {} (", first.id());
    assert!(busy.status.code() == Some(1) && said(&busy).contains(&pid), "{}", said(&busy));
    first.kill().unwrap();
    first.wait().unwrap();
    // What it left unfinished is in its own journal.
    for words in [&repair[..], &["associate", "192.168.1.4", "10.0.0.5", "--yes"]] {
        let refused = at_home(&lab, other, words);
        let text = said(&refused);
        let told = text.contains("was left unfinished") && text.contains(STATE) && text.contains("fipscope undo 1");
        assert!(refused.status.code() == Some(1) && told, "{words:?}: {text}");
    }
    let undone = fipscope(&lab, &["undo", "1", "--yes"]);
    assert_eq!(undone.status.code(), Some(0), "{}", said(&undone));
    same(&before, &quiet(&lab), "taken back");
    let mended = at_home(&lab, other, &repair);
    assert_eq!(mended.status.code(), Some(0), "{}", said(&mended));
    // Each takes back its own.
    assert_eq!(fipscope(&lab, &["undo", "--yes"]).status.code(), Some(1));
    assert_eq!(at_home(&lab, other, &["undo", "--yes"]).status.code(), Some(0));
    same(&before, &quiet(&lab), "taken back there");
    println!("told of each other, under two homes");
}
