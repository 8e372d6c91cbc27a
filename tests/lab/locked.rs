//! Legacy tables have one lock for the whole node: a change takes it before it
//! looks at the table a last time, and keeps it until the table is changed.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::exec::{self, Carried, Error, Order};
use fipscope::lab::{Lab, LabOptions};
use fipscope::net::netfilter::Backend;
use fipscope::neutron::Layout;
use fipscope::plan::journal::{Entry, Event, Outcome};
use fipscope::plan::{Action, Plan};

use crate::case::build;
use crate::change::{plan_of, site};
use crate::program::{quiet, run, said, same};

/// As many rules of somebody else come while the node is changed.
const RULES: u32 = 25;

pub(crate) fn one_after_another() {
    let lab = build(&LabOptions { layout: Layout::Pike, backend: Backend::Legacy, ..LabOptions::default() });
    let before = quiet(&lab);
    let (plan, _) = plan_of("killed remove", &before);
    let at = plan.steps.iter().find(|step| matches!(step.action, Action::Netfilter(_))).unwrap();
    let router = at.netns.name().unwrap().to_string();
    between(&lab, &plan, at.id, &router);
    let put_back = |words: &[&str]| {
        let delete = [&["netns", "exec", &router, "iptables-legacy", "-w", "5", "-t", "nat"], words].concat();
        let output = run(&lab, "ip", &delete);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    };
    put_back(&["-X", "somebody"]);
    same(&before, &quiet(&lab), "only somebody's chain came");
    let translations = saved(&lab, &router);
    let others = thread::spawn({
        let router = router.clone();
        move || {
            for number in 1..=RULES {
                let words =
                    ["-w", "5", "-t", "nat", "-A", "OUTPUT", "-d", &format!("203.0.113.{number}"), "-j", "RETURN"];
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &router, "iptables-legacy"]).args(words);
                assert!(command.status().unwrap().success(), "{number}");
            }
        }
    });
    let (mut done, mut lost) = (0, 0);
    while !others.is_finished() || done == 0 {
        match changed(&lab, &mut |_| {}) {
            Ok(carried) if carried.outcome() == Outcome::Done => done += 1,
            Ok(carried) => {
                assert_eq!(carried.outcome(), Outcome::RolledBack, "{carried:?}");
                lost += 1;
            }
            Err(Error::Changed { .. }) => lost += 1,
            Err(error) => panic!("{error}"),
        }
    }
    others.join().unwrap();
    let there = |number: &u32| {
        let rule = format!("203.0.113.{number}");
        run(
            &lab,
            "ip",
            &["netns", "exec", &router, "iptables-legacy", "-t", "nat", "-C", "OUTPUT", "-d", &rule, "-j", "RETURN"],
        )
        .status
        .success()
    };
    assert_eq!((1..=RULES).filter(there).count(), RULES as usize, "one was lost");
    (1..=RULES).for_each(|number| put_back(&["-D", "OUTPUT", "-d", &format!("203.0.113.{number}"), "-j", "RETURN"]));
    if done % 2 == 1 {
        assert_eq!(changed(&lab, &mut |_| {}).unwrap().outcome(), Outcome::Done);
    }
    assert_eq!(saved(&lab, &router), translations, "taken away and put back");
    println!("{done} changes done, {lost} given way to {RULES} of somebody else's");
}

/// The table in their words: chains, and rules in whatever order.
fn saved(lab: &Lab, router: &str) -> Vec<String> {
    let output = run(lab, "ip", &["netns", "exec", router, "iptables-legacy-save", "-t", "nat"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut lines: Vec<String> = lines.map(|line| line.split(" [").next().unwrap().to_owned()).collect();
    lines.sort();
    lines
}

/// Somebody has the lock when the table's turn comes, and changes the table.
fn between(lab: &Lab, plan: &Plan, netfilter: u32, router: &str) {
    let mut writer = None;
    let mut told = |entry: &Entry| {
        if matches!(entry, Entry::Step { step, event: Event::Doing(_), .. } if *step == netfilter && writer.is_none()) {
            writer = Some(thread::spawn(slow_writer(router)));
        }
    };
    let carried = changed(lab, &mut told).unwrap();
    assert!(writer.unwrap().join().unwrap().wait().unwrap().success());
    assert_eq!(carried.outcome(), Outcome::RolledBack, "{plan:?} {carried:?}");
    assert!(carried.failure.as_ref().unwrap().contains("changed by somebody else"), "{carried:?}");
}

/// A writer that has the lock when this is back, and goes on later.
fn slow_writer(router: &str) -> impl FnOnce() -> Child + use<> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", router, "iptables-legacy-restore", "-n", "-w", "5"]).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"*nat\n").unwrap();
    let begun = Instant::now();
    let is_free = || Command::new("flock").args(["-n", "/run/xtables.lock", "true"]).status().unwrap().success();
    while !Path::new("/run/xtables.lock").exists() || is_free() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it takes no lock");
        thread::sleep(Duration::from_millis(5));
    }
    move || {
        thread::sleep(Duration::from_millis(700));
        input.write_all(b":somebody - [0:0]\nCOMMIT\n").unwrap();
        drop(input);
        child
    }
}

/// Takes the floating IP away, or puts it back.
fn changed(lab: &Lab, told: &mut dyn FnMut(&Entry)) -> Result<Carried, Error> {
    let (site, seen) = (site(lab), quiet(lab));
    let is_there = fipscope::topology::Topology::of(&seen).fips().any(|fip| fip.floating_ip.is_some());
    let (plan, aim) = if is_there { plan_of("killed remove", &seen) } else { plan_of("associate anew", &seen) };
    exec::change(&Order { plan: &plan, seen: &seen, aim: &aim }, &site, told)
}
