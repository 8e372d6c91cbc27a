//! What runs inside the sandbox of one node.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::mount::{MsFlags, mount};
use serde_json::Value;

use crate::associate;
use crate::expect;
use crate::faults;
use crate::kernel;
use crate::probe;
use crate::real_findings;
use crate::traffic;
use crate::watch;

/// Printed last, so that a run that never came this far cannot pass.
pub(crate) const DONE: &str = "all comparisons done";

/// Where whoever changes a node keeps others off.
const LOCKS: &str = "/run/fipscope";

/// Everything that a comparison may look at.
pub(crate) struct Node {
    /// `S1` and so on.
    pub(crate) scenario: String,
    /// What Neutron was asked for.
    pub(crate) cloud: Value,
    /// The agent's state path.
    pub(crate) state_path: PathBuf,
}

impl Node {
    /// Runs our program on this node and reads its answer; it must be healthy.
    pub(crate) fn fipscope(&self, args: &[&str]) -> Value {
        self.run(args, &[0])
    }

    /// The same where a broken object is a fine answer.
    pub(crate) fn fipscope_any(&self, args: &[&str]) -> Value {
        self.run(args, &[0, 1])
    }

    fn run(&self, args: &[&str], codes: &[i32]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_fipscope"))
            .args(["--format", "json", "--state-path"])
            .arg(&self.state_path)
            .args(args)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code().unwrap_or(-1);
        assert!(codes.contains(&code), "fipscope {args:?}: {code} {stderr}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Compares, prints each difference, and says how it went.
pub(crate) fn run(scenario: &str, workdir: &Path) -> ExitCode {
    a_lock_of_its_own();
    let cloud = serde_json::from_slice(&fs::read(workdir.join("cloud.json")).unwrap()).unwrap();
    let node = Node { scenario: scenario.to_owned(), cloud, state_path: workdir.join("neutron") };
    let snapshot = node.fipscope(&["snapshot"]);
    let mut wrong = expect::list(&node);
    wrong.extend(expect::chains(&node));
    wrong.extend(real_findings::unexpected(scenario, &faults::read(&node)));
    wrong.extend(kernel::agrees(|| node.fipscope(&["snapshot"])));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real-node");
        fs::create_dir_all(&dir).unwrap();
        // The node's folder on this machine is nobody's business.
        let text = snapshot.to_string().replace(&workdir.display().to_string(), "/var/lib");
        fs::write(dir.join(format!("{scenario}.json")), text + "\n").unwrap();
    }
    if let Some(builder) = crate::builder() {
        wrong.extend(probe::asked(&node, workdir, &builder));
        wrong.extend(faults::found_and_mended(&node, workdir, &builder));
        wrong.extend(traffic::counted(&node, workdir, &builder));
        wrong.extend(watch::beside_the_agent(&node, workdir, &builder));
        wrong.extend(associate::by_hand(&node, workdir, &builder));
    }
    for line in &wrong {
        println!("  {line}");
    }
    println!("{DONE}");
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Other nodes stand on the same system, and who changes one of them is not in the
/// way of those who change another.
fn a_lock_of_its_own() {
    fs::create_dir_all(LOCKS).unwrap();
    mount(Some("tmpfs"), LOCKS, Some("tmpfs"), MsFlags::empty(), Some("mode=0700")).unwrap();
}
