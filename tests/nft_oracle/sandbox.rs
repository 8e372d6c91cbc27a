//! Private namespaces for the tests, and what they do inside.

use std::io::Write;
use std::process::{Command, Stdio};

use fipscope::kernel::netfilter::read_netfilter;
use fipscope::net::Observed;
use fipscope::net::netfilter::{Netfilter, Table};

const INSIDE: &str = "FIPSCOPE_NFT_ORACLE";

/// Runs the test body in a private sandbox: this binary again, under `unshare`.
pub(crate) fn sandboxed(test: &str, body: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    for tool in ["iptables-nft-restore", "iptables-nft-save", "iptables-legacy-restore", "nft", "unshare"] {
        if Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return skip(test, &format!("{tool} is not installed"));
        }
    }
    let root = nix::unistd::geteuid().is_root();
    let user: &[&str] = if root { &[] } else { &["--user", "--map-root-user"] };
    let probe = Command::new("unshare").args(user).args(["--net", "--mount", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        return skip(test, "this kernel does not let us make namespaces");
    }
    let status = Command::new("unshare")
        .args(user)
        .args(["--net", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed in the sandbox");
}

fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
    assert!(std::env::var_os("REQUIRE_NETNS").is_none_or(|v| v != "1"), "REQUIRE_NETNS=1, but {test}: {why}");
}

/// Runs it on a thread in a network namespace of its own.
pub(crate) fn in_new_namespace<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        body()
    });
    thread.join().unwrap()
}

/// Runs a program in this thread's namespace with that input; its output.
pub(crate) fn run(program: &str, args: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn read() -> Netfilter {
    match read_netfilter() {
        Observed::Seen(netfilter) => netfilter,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn nft_tables() -> Vec<Table> {
    match read().nft {
        Observed::Seen(tables) => tables,
        other => panic!("{other:?}"),
    }
}
