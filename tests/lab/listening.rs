//! `fipscope traffic` as it is called: JSON against its schema, the capture
//! file as others read it, an interruption.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use fipscope::lab::{Lab, LabOptions, outside};
use fipscope::netns::spawn;
use fipscope::neutron::Layout;
use nix::fcntl::{FcntlArg, fcntl};
use serde_json::Value;

use crate::case::{OUTSIDE, build};
use crate::known_flows::{meet, say, vm};

const FIXED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);

/// Three reports with a capture file, then one that is interrupted.
pub(crate) fn program() {
    let lab = build(&LabOptions { layout: Layout::Pike, traffic: true, ..LabOptions::default() });
    let file = std::env::temp_dir().join(format!("fipscope-traffic-{}.pcapng", std::process::id()));
    let words = ["--format", "json", "--duration", "1.2", "--interval", "0.4", "--write", file.to_str().unwrap()];
    let output = traffic(&lab, &words).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
    let lines: Vec<Value> = out.lines().map(valid).collect();
    // An interval that could not be told in time is one with the next.
    let seconds: f64 = lines.iter().map(|line| line["seconds"].as_f64().unwrap()).sum();
    assert!((1..=3).contains(&lines.len()) && seconds > 1.19, "{out}");
    for line in &lines {
        for class in ["east-west", "snat", "fip"] {
            assert!(line["classes"][class]["packets"].as_u64().unwrap() > 0, "{class}: {line}");
        }
        let fip = &line["floating_ips"][0];
        assert_eq!((fip["floating_ip"].as_str(), fip["direction"].as_str()), (Some("192.168.1.3"), Some("out")));
        assert!(fip["stops_at"].is_null() && fip["points"]["fg"]["packets"].as_u64().unwrap() > 0, "{fip}");
    }
    read(&fs::read(&file).unwrap());
    tcpdump(&file);
    fs::remove_file(&file).unwrap();

    let narrowed = |filter| {
        let output = traffic(&lab, &["--duration", "0.4", "--filter", filter]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().contains("nothing that flowed holds all words of the filter")
    };
    assert_eq!(["fip", "no-such-word"].map(narrowed), [false, true]);

    let mut child = traffic(&lab, &["--floating-ip", "10.0.0.4"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut out = String::new();
    while !out.contains("UTC") {
        assert!(stdout.read_line(&mut out).unwrap() > 0, "it ended by itself: {out}");
    }
    // The first report is out: what comes is of the interval that the signal ends.
    thread::sleep(Duration::from_millis(300));
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    stdout.read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{out}");
    assert!(out.matches("UTC").count() >= 2, "the interval that was open is told as well: {out}");
    assert!(out.contains("192.168.1.3  out  qr ") && !out.contains("20.0.0.4"), "{out}");
    assert!(out.contains(" tracked connection"), "{out}");
    why(&lab);
}

/// Where nobody takes the reports for longer than an interval each one is still whole: what one
/// hop saw of it, the next one did. No hop is blamed.
pub(crate) fn held_up() {
    let lab = build(&LabOptions { layout: Layout::Pike, ..LabOptions::default() });
    let dir = lab.netns_dir();
    meet(&dir, &vm(FIXED), &outside(), OUTSIDE);
    let mut pings = Command::new("ping");
    pings.args(["-q", "-i", "0.004", &OUTSIDE.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    let _pings = Running(spawn(&dir.open(&vm(FIXED)).unwrap(), &mut pings).unwrap());
    let mut child = traffic(&lab, &["--format", "json", "--interval", "0.2"]);
    let mut child = Running(child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut stdout = child.0.stdout.take().unwrap();
    // Not even one report finds room: who writes it waits for who reads.
    fcntl(&stdout, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let mut lines = BufReader::with_capacity(64, &mut stdout).lines();
    let mut counted = Vec::new();
    for _ in 0..10 {
        let line = valid(&lines.next().unwrap().unwrap());
        for fip in line["floating_ips"].as_array().unwrap() {
            assert!(fip["stops_at"].is_null() && fip["missing"].is_null(), "{line}");
            let hops = ["qr", "rfp", "fpr", "fg"].map(|hop| fip["points"][hop]["packets"].as_u64().unwrap());
            // One may be on its way when it ends, and what was lost on a busy machine is told.
            assert!(fip["health"] == "lossy" || hops.iter().all(|seen| seen.abs_diff(hops[0]) <= 1), "{line}");
            counted.push((line["seconds"].as_f64().unwrap(), hops[0]));
        }
        thread::sleep(Duration::from_millis(450));
    }
    drop(lines);
    drop(stdout);
    let longest = counted.iter().map(|(seconds, _)| *seconds).fold(0.0, f64::max);
    assert!(longest > 0.35, "nothing was held up: {counted:?}");
    assert!(counted.iter().all(|(_, packets)| *packets > 0), "{counted:?}");
    assert_eq!(child.0.wait().unwrap().code(), Some(0), "nobody reads any more");
    println!("{} reports of up to {longest} s", counted.len() / 2);
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where it stops, why, and which connections are tracked.
fn why(lab: &Lab) {
    let rule = ["rule", "del", "from", "10.0.0.4", "lookup", "16"];
    assert_eq!(say(&lab.netns_dir(), "qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62", "ip", &rule), "");
    let words = ["--floating-ip", "192.168.1.3", "--duration", "1", "--interval", "1"];
    let output = traffic(lab, &[&words[..], &["--format", "json"]].concat()).output().unwrap();
    let line = valid(std::str::from_utf8(&output.stdout).unwrap());
    let out = &line["floating_ips"][0];
    assert_eq!((out["stops_at"].as_str(), out["health"].as_str()), (Some("qr"), Some("stops")), "{line}");
    assert!(out["reason"].as_str().unwrap().starts_with("DVR301 "), "{line}");
    let entries = line["connections"]["entries"].as_array().unwrap();
    let floating = entries.iter().filter(|entry| entry.to_string().contains("192.168.1.3"));
    assert!(floating.count() > 0, "{line}");
    let output = traffic(lab, &words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("192.168.1.3 out after qr: DVR301 "), "{text}");
}

fn traffic(lab: &Lab, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fipscope"));
    command.arg("traffic").args(words).env("FIPSCOPE_STATE_PATH", lab.state_path()).env_remove("FIPSCOPE_FROM");
    command
}

fn valid(line: &str) -> Value {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/schema/fipscope.traffic.1.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
    let value: Value = serde_json::from_str(line).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}\n{line}", errors.join("\n"));
    value
}

/// Reads the file as the format's description has it, from block to block. A packet
/// that was seen at a hop lies at the device of that hop.
pub(crate) fn read(bytes: &[u8]) {
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut at, mut devices, mut packets) = (0, Vec::new(), 0);
    let mut comments: BTreeMap<String, usize> = BTreeMap::new();
    while at < bytes.len() {
        let (kind, length) = (word(at), word(at + 4) as usize);
        assert_eq!(word(at + length - 4) as usize, length, "both ends of the block at {at}");
        let body = &bytes[at + 8..at + length - 4];
        match kind {
            0x0a0d_0d0a => assert_eq!((at, word(at + 8)), (0, 0x1a2b_3c4d)),
            1 => devices.push(options(&body[8..]).remove(&2).unwrap()),
            6 => {
                packets += 1;
                let device: &String = &devices[word(at + 8) as usize];
                let kept = word(at + 20) as usize;
                assert_eq!(&body[20 + 12..20 + 14], [8, 0], "IPv4 of {kept} bytes");
                let comment = options(&body[20 + kept.next_multiple_of(4)..]).remove(&1).unwrap();
                if let Some((_, hop)) =
                    comment.rsplit_once(", ").filter(|_| comment.starts_with("class fip, floating IP"))
                {
                    assert!(device.starts_with(&format!("{hop}-")), "{device}: {comment}");
                }
                *comments.entry(comment).or_default() += 1;
            }
            other => panic!("a block of kind {other}"),
        }
        at += length;
    }
    for kind in ["qr-", "rfp-", "fpr-", "fg-", "sg-", "qg-"] {
        assert!(devices.iter().any(|device| device.starts_with(kind)), "{devices:?}");
    }
    for comment in ["class east-west", "class snat", "class fip, floating IP 192.168.1.3 in, rfp"] {
        assert!(comments.contains_key(comment), "{comments:?}");
    }
    assert!(packets > 100, "{packets}");
}

fn options(mut bytes: &[u8]) -> BTreeMap<u16, String> {
    let mut found = BTreeMap::new();
    loop {
        let [code, length] = [0, 2].map(|at| u16::from_ne_bytes(bytes[at..at + 2].try_into().unwrap()));
        if code == 0 {
            return found;
        }
        let length = usize::from(length);
        found.insert(code, String::from_utf8_lossy(&bytes[4..4 + length]).into_owned());
        bytes = &bytes[4 + length.next_multiple_of(4)..];
    }
}

/// What another program reads in the file.
pub(crate) fn tcpdump(file: &Path) {
    let Ok(output) = Command::new("tcpdump").args(["-n", "-r"]).arg(file).output() else {
        println!("SKIPPED reading the capture file with tcpdump: it is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.lines().count() > 100 && text.contains("> 192.168.1.3.50007: UDP, length 12"), "{text}");
}
