//! One case, inside its own process.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use fipscope::lab::{Class, Lab, LabOptions, node, outside, run_command};
use fipscope::net::NetnsName;
use fipscope::net::netfilter::Backend;
use fipscope::netns::enter;
use fipscope::neutron::Layout;
use fipscope::plan::{Action, Object, Place};

use crate::across;
use crate::announced;
use crate::associate;
use crate::bare;
use crate::central;
use crate::change;
use crate::changing;
use crate::console;
use crate::elsewhere;
use crate::followed;
use crate::goals;
use crate::hearing;
use crate::homes;
use crate::killed;
use crate::known_flows::say;
use crate::lines;
use crate::listening;
use crate::locked;
use crate::private;
use crate::privileges;
use crate::probing;
use crate::rings;
use crate::script;
use crate::stops;
use crate::switched;
use crate::traffic;
use crate::witness;

pub(crate) const LAYOUTS: [Layout; 3] = [Layout::Juno, Layout::Newton, Layout::Pike];
pub(crate) const BACKENDS: [Backend; 2] = [Backend::Nft, Backend::Legacy];

pub(crate) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
pub(crate) const SNAT: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 21);

pub(crate) fn run(case: &str) {
    match case {
        "scale nft" => scale(20, 5, Backend::Nft),
        "scale legacy" => scale(20, 5, Backend::Legacy),
        "hundred" => scale(100, 10, Backend::Nft),
        "traffic" => all_classes(),
        "command" => command(),
        "unwind" => unwind(),
        "busy" => change::busy(),
        "refused" => change::refused(),
        "locked" => locked::one_after_another(),
        "witness" => witness::proved(),
        "console" => console::changes_the_node(),
        "console bulk" => console::mends_one_after_another(),
        "script names" => script::odd_names(),
        what if what == script::SWITCHED || script::SCRIPTS.contains(&what) => script::same_as_enter(what),
        "privileges" => privileges::kept(),
        "two homes" => homes::two(),
        "held flow" => associate::held_flow(),
        "refusals" => central::refusals(),
        of if announced::CASES.contains(&of) => announced::run_case(of),
        of if goals::GOALS.contains(&of) => goals::missed(of),
        of if central::CASES.contains(&of) => central::there_and_back(of),
        "several" => change::several(),
        what if what == killed::SWITCHED || killed::KILLED.contains(&what) => killed::killed(what),
        mended if change::MENDED.iter().any(|(name, ..)| *name == mended) => {
            let (_, layout, faults) = change::MENDED.into_iter().find(|(name, ..)| *name == mended).unwrap();
            change::mend(layout, faults);
        }
        "listening" => listening::program(),
        "held up" => listening::held_up(),
        "rings" => rings::kept(),
        "among others" => changing::among_others(),
        "changing" => changing::rule_goes(),
        "probing" => probing::program(),
        "across" => across::breaks(),
        "hearing" => hearing::console(),
        "followed" => followed::flows(),
        "elsewhere" => elsewhere::one_way(),
        "losses" => traffic::losses(),
        _ => match case.split_once(' ') {
            Some(("bare", backend)) => bare::without_chains(backend),
            Some(("wired", of)) => associate::from_nothing(of),
            Some(("switched", of)) => switched::from_nothing(of),
            Some(("count", "more")) => traffic::more(),
            Some(("count", layout)) => traffic::counts(layout),
            Some(("stops", case)) => match case.split_once(' ') {
                Some(("centralized", backend)) => stops::centralized(backend),
                _ => stops::distributed(case),
            },
            _ => every_class(case),
        },
    }
}

pub(crate) fn build(options: &LabOptions) -> Lab {
    let begin = Instant::now();
    let lab = private::lab(options);
    println!("built in {:.0?}", begin.elapsed());
    lab
}

/// Layout and backend: all classes, both directions, and the article's lines.
fn every_class(case: &str) {
    let (layout, backend) = of(case);
    let lab = build(&LabOptions { layout, backend, ..LabOptions::default() });
    let vm = |address: [u8; 4]| (format!("vm-{}", Ipv4Addr::from(address)), Ipv4Addr::from(address));
    let (with, without, other) = (vm([10, 0, 0, 4]), vm([10, 0, 0, 5]), vm([20, 0, 0, 6]));
    let far = (outside().as_str().to_owned(), OUTSIDE);

    assert_eq!(asked(&lab, &with, &far, OUTSIDE), Some(FLOATING), "a floating IP's way out");
    assert_eq!(asked(&lab, &far, &with, FLOATING), Some(OUTSIDE), "a floating IP's way in");
    assert_eq!(asked(&lab, &without, &far, OUTSIDE), Some(SNAT), "the way out without a floating IP");
    assert_eq!(asked(&lab, &other, &far, OUTSIDE), Some(SNAT), "the same from the other subnet");
    assert_eq!(asked(&lab, &with, &other, other.1), Some(with.1), "east-west is not translated");
    assert_eq!(asked(&lab, &other, &without, without.1), Some(other.1), "east-west the other way");
    assert_eq!(asked(&lab, &far, &without, without.1), None, "no private address is reached from outside");
    for (from, to) in [(&with.0, OUTSIDE), (&far.0, FLOATING), (&without.0, OUTSIDE), (&with.0, other.1)] {
        let said = text(&lab, from, "ping", &["-c", "2", "-i", "0.2", "-W", "2", &to.to_string()]);
        assert!(said.contains(" 0% packet loss"), "{from} → {to}: {said}");
    }
    lines::stand(&lab, layout, backend);
}

/// The layout and the backend that a case names.
pub(crate) fn of(case: &str) -> (Layout, Backend) {
    let (layout, backend) = case.split_once(' ').unwrap();
    let layout = LAYOUTS.into_iter().find(|known| known.word() == layout).unwrap();
    (layout, BACKENDS.into_iter().find(|known| known.word() == backend).unwrap())
}

/// Sends a question from one namespace to an address; the other namespace says
/// whom it came from, and the asker hears the answer from where it asked.
fn asked(lab: &Lab, from: &(String, Ipv4Addr), to: &(String, Ipv4Addr), address: Ipv4Addr) -> Option<Ipv4Addr> {
    let (server, client) = (udp(lab, &to.0, 4000), udp(lab, &from.0, 0));
    client.connect((address, 4000)).unwrap();
    match client.send(b"question") {
        Err(error) if error.kind() == ErrorKind::NetworkUnreachable => return None,
        sent => sent.unwrap(),
    };
    let mut buffer = [0; 16];
    let (_, source) = server.recv_from(&mut buffer).ok()?;
    server.send_to(b"answer", source).unwrap();
    assert_eq!(client.recv(&mut buffer).expect("the answer comes back"), 6);
    match source.ip() {
        std::net::IpAddr::V4(source) => Some(source),
        std::net::IpAddr::V6(source) => panic!("{source}"),
    }
}

/// A socket in a namespace.
pub(crate) fn udp(lab: &Lab, namespace: &str, port: u16) -> UdpSocket {
    let ns = lab.netns_dir().open(&NetnsName::from(namespace)).unwrap();
    let socket = enter(&ns, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))).unwrap().unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(2500))).unwrap();
    socket
}

/// The address that an instance has outside.
pub(crate) fn source(lab: &Lab, fixed: &str) -> Option<Ipv4Addr> {
    let far = (outside().as_str().to_owned(), OUTSIDE);
    asked(lab, &(format!("vm-{fixed}"), fixed.parse().unwrap()), &far, OUTSIDE)
}

/// Outside reaches the floating IP, and the instance is known by it there: a
/// way out it would have without one.
pub(crate) fn works(lab: &Lab, floating: &str, fixed: &str) {
    let said = text(lab, outside().as_str(), "ping", &["-q", "-c", "1", "-W", "3", floating]);
    assert!(said.contains(" 0% packet loss"), "outside → {floating}: {said}");
    assert_eq!(source(lab, fixed), Some(floating.parse().unwrap()), "{fixed} → outside");
}

/// What a program says inside a namespace.
pub(crate) fn text(lab: &Lab, namespace: &str, program: &str, arguments: &[&str]) -> String {
    say(&lab.netns_dir(), namespace, program, arguments)
}

/// Many routers, several floating IPs each: all of them are there.
fn scale(routers: u32, fips: u32, backend: Backend) {
    let lab = build(&LabOptions { layout: Layout::Pike, routers, fips, backend, ..LabOptions::default() });
    let names = lab.netns_dir().list().unwrap().names;
    assert_eq!(names.iter().filter(|name| name.as_str().starts_with("qrouter-")).count(), routers as usize);
    assert_eq!(names.iter().filter(|name| name.as_str().starts_with("fip-")).count(), 2);
    let rules: usize = names
        .iter()
        .filter(|name| name.as_str().starts_with("qrouter-"))
        .map(|name| text(&lab, name.as_str(), "ip", &["rule"]))
        .map(|rules| rules.lines().filter(|rule| rule.trim_end().ends_with("lookup 16")).count())
        .sum();
    assert_eq!(rules, (routers * fips) as usize);
    assert_eq!(lab.vms().iter().filter(|vm| vm.floating_ip.is_some()).count(), fips as usize);
    let file = |name| std::fs::read_to_string(lab.state_path().join(name)).unwrap();
    assert_eq!(file("fip-linklocal-networks").lines().count(), routers as usize);
    assert_eq!(file("fip-priorities").lines().count(), (routers * fips) as usize);
}

/// All three classes are answered.
fn all_classes() {
    let lab = build(&LabOptions { traffic: true, ..LabOptions::default() });
    let traffic = lab.traffic().unwrap();
    let classes = [Class::EastWest, Class::Snat, Class::FipOut, Class::FipIn];
    let deadline = Instant::now() + Duration::from_secs(10);
    while classes.iter().any(|class| traffic.counts(*class).answered < 3) {
        let counts = classes.map(|class| traffic.counts(class));
        assert!(Instant::now() < deadline, "not everything is answered: {counts:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let counts = traffic.counts(Class::FipOut);
    assert!(counts.answered <= counts.sent);
}

/// A command runs inside, its exit code comes back, what it leaves is killed.
fn command() {
    let lab = build(&LabOptions::default());
    let sh = |script: &str| run_command(&lab, &["sh", "-c", script].map(OsString::from)).unwrap();
    assert_eq!(sh("test \"$FIPSCOPE_LAB\" = 1 && test -d \"$FIPSCOPE_STATE_PATH\" && exit 7"), 7);
    assert_eq!(sh("test -e /run/netns/qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62"), 0);
    assert_eq!(sh("kill -TERM $$"), 128 + 15);
    assert_eq!(sh("kill -TERM $PPID; sleep 4321.25"), 128 + 15, "a signal to the lab is handed on");
    let begin = Instant::now();
    assert_eq!(sh("sleep 4321.25 & setsid sleep 4321.25 & exit 3"), 3);
    assert!(begin.elapsed() < Duration::from_secs(5));
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let left = processes
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
        .any(|line| line.contains("4321.25"));
    assert!(!left, "what the command left running still runs");
    assert!(run_command(&lab, &[OsString::from("/nonexistent/command")]).is_err());
}

/// A step that fails takes everything before it along, and says which it was.
fn unwind() {
    let lab = build(&LabOptions::default());
    let mut plan = node(&LabOptions::default()).unwrap().plan;
    // The lab stands; build it a second time under other names, with a fault near the end.
    for step in &mut plan.steps {
        rename(&mut step.netns);
        if let Action::Add(Object::Netns(name)) = &mut step.action {
            *name = second(name);
        }
        if let Action::Add(Object::Veth(pair)) = &mut step.action {
            rename(&mut pair.peer_netns);
        }
        step.undo = step.action.inverse();
    }
    let fault = plan.steps.iter().rposition(|step| matches!(step.action, Action::Add(Object::Route(_)))).unwrap();
    let twice = plan.steps[fault].clone();
    plan.steps.insert(fault, twice);
    let before = lab.netns_dir().list().unwrap().names;
    let error = fipscope::exec::run(&plan, &lab.netns_dir()).unwrap_err();
    assert!(error.is_rolled_back(), "{error}");
    assert!(error.to_string().contains("File exists"), "{error}");
    assert_eq!(lab.netns_dir().list().unwrap().names, before);
}

fn rename(place: &mut Place) {
    if let Place::Netns(name) = place {
        *name = second(name);
    }
}

fn second(name: &NetnsName) -> NetnsName {
    NetnsName::new(format!("second-{name}"))
}
