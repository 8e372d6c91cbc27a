//! The kernel as a witness: what is reckoned by lookups is proved on the node that
//! has it, and stays inferred in what was read of it.

use fipscope::lab::{Lab, LabOptions};
use serde_json::Value;

use crate::case::build;
use crate::change::codes;
use crate::program::{fipscope, said};

pub(crate) fn proved() {
    let lab = build(&LabOptions { broken: codes(&[304]), ..LabOptions::default() });
    assert_eq!(known(&lab, &[]), "proved");
    let file = "/run/witness.json";
    assert!(fipscope(&lab, &["snapshot", "-o", file]).status.success());
    assert_eq!(known(&lab, &["--from", file]), "inferred");
    let text = said(&fipscope(&lab, &["check", "--from", file]));
    let asked = text.lines().find_map(|line| line.trim().strip_prefix("ask ")).unwrap_or_else(|| panic!("{text}"));
    assert!(asked.trim().starts_with("ip -n qrouter-") && asked.contains(" route get "), "{asked}");
}

/// How the only error is known.
fn known(lab: &Lab, words: &[&str]) -> String {
    let output = fipscope(lab, &[&["check", "--format", "json"], words].concat());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let all = document["findings"].as_array().unwrap();
    let errors: Vec<&Value> = all.iter().filter(|one| one["severity"] == "error").collect();
    let [error] = errors[..] else { panic!("{document:#}") };
    assert_eq!(error["code"], "DVR304", "{error:#}");
    error["confidence"].as_str().unwrap().to_owned()
}
