//! What the neighbourhood hears of an association: both forms, three times, apart
//! from each other, however it is announced; and nothing stays behind of it.

use std::io::IoSliceMut;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Stdio;
use std::time::{Duration, Instant};

use fipscope::exec;
use fipscope::lab::{Lab, LabOptions, Need};
use fipscope::net::NetnsName;
use fipscope::netns::enter;
use fipscope::neutron::Layout;
use fipscope::plan::journal::State;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt, socket,
    sockopt,
};
use serde_json::Value;

use crate::case::{build, works};
use crate::change::site;
use crate::program::{command, fipscope, quiet, run, said, same};

pub(crate) const CASES: [&str; 3] = ["announced fg", "announced qg", "announced address"];

const FG: &str = "fg-b2b77eed-1b";
/// The rounds of one that is repeated are further apart (LP1690165).
const APART: Duration = Duration::from_secs(2);

pub(crate) fn run_case(case: &str) {
    match case {
        "announced address" => with_the_address(),
        "announced qg" => {
            let lab = build(&LabOptions { layout: Layout::Pike, needs: vec![Need::More], ..LabOptions::default() });
            let words = ["associate", "192.168.1.249", "20.0.0.6", "--centralized"];
            repeated(&lab, &words, APART);
            assert_eq!(fipscope(&lab, &["undo", "--yes"]).status.code(), Some(0));
            // There the address stands by itself, and stays.
            let words = [&words[..], &["--announce", "address"]].concat();
            repeated(&lab, &words, APART);
            println!("announced three times, and three times with the address");
        }
        _ => {
            let lab = build(&LabOptions { layout: Layout::Pike, ..LabOptions::default() });
            repeated(&lab, &["associate", "192.168.1.4", "10.0.0.5"], APART);
            println!("announced three times");
        }
    }
}

/// The article's way, on the address of a port that nobody else uses; killed in
/// the middle of it, nothing is left either way.
fn with_the_address() {
    let lab = build(&LabOptions { layout: Layout::Juno, ..LabOptions::default() });
    let before = quiet(&lab);
    let words = ["associate", "192.168.1.4", "10.0.0.5", "--announce", "address"];
    let shown = fipscope(&lab, &[&words[..], &["--dry-run"]].concat());
    assert!(said(&shown).contains("packets to it do not come to the instance"), "{}", said(&shown));
    repeated(&lab, &words, Duration::from_millis(900));
    let with = quiet(&lab);
    assert_eq!(fipscope(&lab, &["undo", "--yes"]).status.code(), Some(0));
    same(&before, &quiet(&lab), "taken back");
    for (settled, consent) in [(&["undo"][..], &["--yes"][..]), (&["journal", "--complete"], &[])] {
        killed_while_it_stands(&lab, &words);
        let id = exec::history(&site(&lab)).unwrap().last().unwrap().id.to_string();
        let output = fipscope(&lab, &[settled, &[id.as_str()], consent].concat());
        assert_eq!(output.status.code(), Some(0), "{settled:?}: {}", said(&output));
        same(if settled[0] == "undo" { &before } else { &with }, &quiet(&lab), settled[0]);
    }
    println!("announced three times with the address, killed twice");
}

fn killed_while_it_stands(lab: &Lab, words: &[&str]) {
    let words = [words, &["--yes", "--no-wait"]].concat();
    let mut child = command(lab, env!("CARGO_BIN_EXE_fipscope"), &words).stdout(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    while !stands(lab, words[1]) {
        assert!(begin.elapsed() < Duration::from_secs(20) && child.try_wait().unwrap().is_none(), "it never stands");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(stands(lab, words[1]));
    assert_eq!(exec::history(&site(lab)).unwrap().last().unwrap().state, State::Unfinished);
}

fn stands(lab: &Lab, address: &str) -> bool {
    let fip = format!("fip-{}", crate::associate::NETWORK);
    let shown = said(&run(lab, "ip", &["-n", &fip, "-o", "addr", "show", "dev", FG]));
    assert!(shown.contains("192.168.1.23/24"), "{shown}");
    shown.contains(&format!("{address}/32"))
}

/// An association to its end: six frames are heard on the gateway.
fn repeated(lab: &Lab, words: &[&str], apart: Duration) {
    let address: Ipv4Addr = words[1].parse().unwrap();
    let ear = ear(lab);
    let done = fipscope(lab, &[words, &["--yes", "--format", "json"]].concat());
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let result: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(result["verified"] == true && !said(&done).contains("announced no more"), "{}", said(&done));
    let told: Vec<Told> = heard(&ear).into_iter().filter(|told| told.about == address).collect();
    let forms: Vec<bool> = told.iter().map(|told| told.is_reply).collect();
    assert_eq!(forms, [false, true, false, true, false, true], "{told:?}");
    assert!(told.iter().all(|one| one.by == told[0].by), "{told:?}");
    let rounds: Vec<Duration> = told.iter().step_by(2).map(|told| told.at).collect();
    assert!(rounds.windows(2).all(|two| two[1] > two[0] + apart), "{told:?}");
    if !words.contains(&"--centralized") {
        assert!(!stands(lab, words[1]), "the address is left behind");
    }
    works(lab, words[1], words[2]);
}

/// One announcement: sender and target are the same address.
#[derive(Debug)]
struct Told {
    /// When it arrived, by the kernel's clock.
    at: Duration,
    is_reply: bool,
    about: Ipv4Addr,
    by: [u8; 6],
}

/// A socket that keeps what arrives at the gateway.
fn ear(lab: &Lab) -> OwnedFd {
    let ns = lab.netns_dir().open(&NetnsName::from("gateway")).unwrap();
    let open = || {
        let socket =
            socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_NONBLOCK, SockProtocol::EthAll).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
        socket
    };
    enter(&ns, open).unwrap()
}

fn heard(ear: &OwnedFd) -> Vec<Told> {
    let mut all = Vec::new();
    loop {
        let mut bytes = [0; 128];
        let mut space = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let Ok(message) = recvmsg::<()>(ear.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::empty()) else {
            return all;
        };
        let at = message.cmsgs().unwrap().find_map(|one| match one {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        });
        let (at, length) = (at.unwrap(), message.bytes);
        let frame = &bytes[..length];
        let address = |from: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&frame[from..from + 4]).unwrap());
        // Ethernet, then ARP (RFC 826).
        if length >= 42 && frame[12..14] == [8, 6] && address(28) == address(38) {
            let by = frame[22..28].try_into().unwrap();
            all.push(Told { at, is_reply: frame[21] == 2, about: address(28), by });
        }
    }
}
