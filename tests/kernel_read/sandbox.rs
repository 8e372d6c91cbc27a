//! Helpers of the test: a private sandbox, and programs in it.

use std::env;
use std::process::{Command, ExitStatus};

use serde_json::Value;

/// False in the outer process, after the same test ran inside a sandbox.
pub(crate) fn in_sandbox(test: &str) -> bool {
    if env::var_os("FIPSCOPE_TEST_SANDBOX").is_some() {
        return true;
    }
    let run = |script: &str, arguments: &[&str]| -> ExitStatus {
        let user: &[&str] = if nix::unistd::getuid().is_root() { &[] } else { &["--user", "--map-root-user"] };
        Command::new("unshare")
            .args(user)
            .args(["--net", "--mount", "sh", "-ec", script, "sh"])
            .args(arguments)
            .env("FIPSCOPE_TEST_SANDBOX", "1")
            .status()
            .expect("unshare (util-linux) is installed")
    };
    if !run("mount -t tmpfs tmpfs /run && ip link >/dev/null", &[]).success() {
        assert!(env::var_os("REQUIRE_NETNS").is_none(), "no namespaces here, but REQUIRE_NETNS is set");
        println!("SKIPPED {test}: this system lets us make no network namespaces");
        return false;
    }
    let program = env::current_exe().unwrap();
    let inside = "mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir /run/netns && exec \"$@\"";
    let status = run(inside, &[program.to_str().unwrap(), "--exact", test, "--nocapture"]);
    assert!(status.success(), "{test} failed inside the sandbox");
    false
}

pub(crate) fn sh(script: &str) {
    assert!(Command::new("sh").args(["-exc", script]).status().unwrap().success(), "the last line printed failed");
}

pub(crate) fn out(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn ip(name: &str, what: &str) -> Vec<Value> {
    let text = out(&format!("ip -n {name} -j {what}"));
    serde_json::from_str(if text.trim().is_empty() { "[]" } else { &text }).unwrap()
}
