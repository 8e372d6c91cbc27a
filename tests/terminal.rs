//! The console end to end: the built program on a terminal of its own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test starts programs and fails by panicking"
)]

#[path = "common/console.rs"]
mod console;

use console::{Console, size_of};
use portable_pty::PtySize;

/// The kernel may forbid what the lab needs; that is said, and fails where CI asks for it.
fn sandbox_possible() -> bool {
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_fipscope")).args(["lab", "--", "true"]).output().unwrap();
    if !output.status.success() {
        eprintln!("SKIPPED the lab cannot be built here: {}", String::from_utf8_lossy(&output.stderr));
        assert!(std::env::var_os("REQUIRE_NETNS").is_none(), "REQUIRE_NETNS is set");
    }
    output.status.success()
}

#[test]
fn lab_console_finds_a_floating_ip_and_opens_its_chain() {
    if !sandbox_possible() {
        return;
    }
    let mut console = Console::start(&["lab"], 40, 140);
    console.shows("fg-b2b77eed-1b");
    console.shows("192.168.1.3");
    console.press("192.168.1.3\r");
    console.shows("qr-c2e43983-5c");
    console.shows("table 16");
    console.master.resize(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    console.screen.lock().unwrap().screen_mut().set_size(size_of(24), size_of(80));
    console.press("?");
    console.until("the help overlay", |screen| screen.contents().contains("quit"));
    console.press("\u{1b}");
    console.press("q");
    console.ends_with(0);
    console.terminal_is_restored();
}

#[test]
fn lab_console_walks_a_packet_and_the_kernel_agrees() {
    if !sandbox_possible() {
        return;
    }
    let mut console = Console::start(&["lab"], 40, 140);
    console.shows("192.168.1.3");
    console.press("192.168.1.3\r");
    console.shows("table 16");
    console.press("t");
    console.shows("kernel agrees 2/2");
    console.shows("Leaves the node by fg-b2b77eed-1b");
    // It goes by itself to where its source has become the floating IP.
    console.until("the packet at the gateway", |screen| {
        let mark = |line: &str| line.starts_with('▌') && line.contains("arrived");
        screen.contents().lines().any(mark)
    });
    console.press("b");
    console.shows("Delivered to 10.0.0.4");
    console.press("\u{1b}");
    console.shows("Every link holds");
    console.press("c");
    console.shows("out with the router's address");
    console.press("q");
    console.ends_with(0);
    console.terminal_is_restored();
}

#[test]
fn terminal_is_restored_when_the_console_is_told_to_end() {
    if !sandbox_possible() {
        return;
    }
    let mut console = Console::start(&["lab"], 24, 80);
    console.shows("192.168.1.3");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(console.child.process_id().unwrap()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    console.terminal_is_restored();
    console.ends_with(143);
}

/// What was recorded in the lab is played in a console: the rule that went, and
/// came back, and what that did to the findings.
#[test]
fn a_recording_is_played_on_the_console() {
    if !sandbox_possible() {
        return;
    }
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("record-{}", std::process::id()));
    let script = r#"
$F watch --record "$FILE" > "$FILE.text" 2> "$FILE.err" & W=$!
await() { n=0; until eval "$1"; do n=$((n+1)); [ $n -lt 400 ] || exit 9; sleep 0.05; done; }
await 'grep -q watching "$FILE.err"'
Q=$(ip netns list | grep -o 'qrouter-ef25[^ ]*')
P=$(ip -n $Q rule | sed -n 's/^\([0-9]*\):.*from 10.0.0.4 lookup 16.*/\1/p')
ip -n $Q rule del priority $P; await 'grep -q "raised DVR301" "$FILE.text"'
ip -n $Q rule add from 10.0.0.4 lookup 16 priority $P; await 'grep -q "cleared DVR301" "$FILE.text"'
kill $W; wait $W; true
"#;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fipscope"));
    command.args(["lab", "--", "sh", "-c", script]).env("F", env!("CARGO_BIN_EXE_fipscope")).env("FILE", &file);
    assert!(command.status().unwrap().success());
    let mut console = Console::start(&["--from", file.to_str().unwrap()], 30, 140);
    console.shows("the end of a recording of");
    console.press("e");
    console.shows("cleared DVR301");
    console.press("[");
    console.shows("before its end");
    console.press("\u{1b}\u{1b}");
    console.shows("DVR301");
    console.press("q");
    console.ends_with(0);
    console.terminal_is_restored();
    for name in ["", ".text", ".err"] {
        let _ = std::fs::remove_file(format!("{}{name}", file.display()));
    }
}
