//! Killed at every line of the journal, and within a step of several operations:
//! completed or taken back, by the library, by the program, by the console; and
//! killed once more while that is under way. Never half.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fipscope::check::{Finding, judge};
use fipscope::exec::{self, Order, Site};
use fipscope::lab::{Lab, LabOptions, Need, STATE_PATH};
use fipscope::net::Snapshot;
use fipscope::netns::NetnsDir;
use fipscope::neutron::Layout;
use fipscope::plan::journal::{Entry, Outcome, Past, State, StepState};
use fipscope::plan::{Action, Object};
use fipscope::topology::Topology;

use crate::case::build;
use crate::change::{codes, plan_of, read, site};
use crate::console;
use crate::program::{STATE, fipscope, quiet, run, said, same};
use crate::script::pinned;

/// What is changed while it is killed, by those who may make everything that it
/// needs.
pub(crate) const KILLED: [&str; 7] = [
    "killed from nothing, even steps",
    "killed from nothing, odd steps",
    "killed repair",
    "killed repair pair",
    "killed remove",
    "killed remove pair",
    "killed associate",
];
const FROM_NOTHING: &str = "killed from nothing";
/// Ports of a switch are devices that some systems let only root make.
pub(crate) const SWITCHED: &str = "killed switch";

/// Of a change with more steps, each line is killed at only once.
const MANY: usize = 15;

/// Killed after each line of the journal, and also before the line that says
/// that a step is done; then completed or taken back.
pub(crate) fn killed(case: &str) {
    let (what, half) = case.split_once(", ").unwrap_or((case, ""));
    let lab = lab(what);
    let (site, before) = (site(&lab), quiet(&lab));
    let (plan, _) = plan_of(what, &before);
    let is_long = plan.steps.len() > MANY;
    let mut desk = Desk { what, lab: &lab, site: &site, before: &before, times: 0, again: 0 };
    // The switch takes its time; with a bridge of the kernel's own it is each line.
    for at in (1..).step_by(if what == SWITCHED { 5 } else { 1 }) {
        // Each line is torn, and each change completed, every other time.
        let both = [false, true].map(|completed| (completed, (at + u32::from(completed)) % 2 == 0));
        let step = at / 2;
        let mut one = [(step % 2 == 1, step / 2 % 2 == 1)];
        if what == FROM_NOTHING {
            // Each step once, before or after it is done, half of them in a lab of its own: a
            // namespace that comes and goes takes its time, too.
            if at % 2 != step % 2 || (step % 2 == 1) != (half == "odd steps") {
                continue;
            }
            one = [(step / 2 % 2 == 1, step / 4 % 2 == 1)];
        }
        let ways = if is_long { &one[..] } else { &both };
        // So that the last one is, where both are tried.
        let was_killed = ways.iter().map(|(completed, torn)| desk.once(at, *completed, *torn)).last().unwrap();
        if !was_killed {
            break;
        }
    }
    if what == SWITCHED {
        desk.within_a_step();
    }
    let left: Vec<String> = names(lab.state_path()).into_iter().filter(|name| name.ends_with(".fipscope")).collect();
    assert!(left.is_empty(), "{left:?}");
    println!("{} steps, killed {} times and {} times more, never half", plan.steps.len(), desk.times, desk.again);
}

fn lab(what: &str) -> Lab {
    let broken = match what {
        "killed repair" => codes(&[301, 401]),
        "killed repair pair" => codes(&[201]),
        _ => Vec::new(),
    };
    let needs = match what {
        FROM_NOTHING => vec![Need::Unplugged],
        SWITCHED => vec![Need::Unplugged, Need::Switch],
        _ => Vec::new(),
    };
    let lab = build(&LabOptions { layout: Layout::Pike, broken, needs, ..LabOptions::default() });
    if what == FROM_NOTHING {
        pinned(&lab);
    }
    lab
}

/// Where it is killed and settled.
struct Desk<'l> {
    what: &'l str,
    lab: &'l Lab,
    site: &'l Site,
    before: &'l Snapshot,
    times: u32,
    /// How often what settles a change was killed, too.
    again: u32,
}

impl Desk<'_> {
    /// Killed at that line, then settled; false where it was over before that.
    fn once(&mut self, at: u32, completed: bool, torn: bool) -> bool {
        let how = format!("{} {at} completed {completed} torn {torn}", self.what);
        let was_killed = !child(&[self.what, &at.to_string()]).wait().unwrap().success();
        let is_over = self.last().state == State::Done;
        assert!(is_over || was_killed, "{how}");
        if torn {
            tear();
        }
        let last = self.last();
        assert!(last.state == State::Unfinished || is_over, "{how}");
        if last.state == State::Unfinished {
            left_beside(self.lab, &last);
            self.settle(&last, completed, &how);
        }
        self.times += 1;
        if last.state == State::Done || completed {
            self.is_done(&how);
            self.take_back(&how);
        }
        same(self.before, &quiet(self.lab), &how);
        was_killed
    }

    /// By the library, the program and the console in turn; and every third time
    /// whoever takes it back is killed, too.
    fn settle(&mut self, last: &Past, completed: bool, how: &str) {
        if !completed
            && self.times.is_multiple_of(3)
            && !child(&["undo", &(1 + self.times % 7).to_string()]).wait().unwrap().success()
        {
            self.again += 1;
        }
        match self.times / 2 % 3 {
            // Killed when it was over.
            _ if self.last().is_settled() => {}
            0 => by_library(self.site, last.id, completed, how),
            1 => by_program(self.lab, last.id, completed, how),
            _ => console::settles(self.site, completed),
        }
        let expected = if completed { Outcome::Done } else { Outcome::Undone };
        let last = self.last();
        assert_eq!(last.outcome, Some(expected), "{how}: {last:?}");
    }

    /// What it is for is so, and nothing is found that was not before.
    fn is_done(&self, how: &str) {
        let (left, known) = (judge_of(&read(self.site)), judge_of(self.before));
        let new: Vec<&String> = left.difference(&known).collect();
        let is_mended = !self.what.starts_with("killed repair") || left.is_empty();
        assert!(new.is_empty() && is_mended, "{how}: {left:?}");
    }

    /// Takes back what is done; every fourth time that is killed and completed.
    fn take_back(&mut self, how: &str) {
        let done = self.last();
        if self.times.is_multiple_of(4) {
            let was_killed = !child(&["undo", &(2 + self.times % 9).to_string()]).wait().unwrap().success();
            self.again += u32::from(was_killed);
            let undo = self.last();
            assert_eq!(undo.undoes, Some(done.id), "{how}");
            if undo.state == State::Unfinished {
                by_program(self.lab, undo.id, true, how);
            }
            return;
        }
        let carried = exec::undo(done.id, self.site, &mut |_| {}).unwrap();
        assert_eq!(carried.outcome(), Outcome::Done, "{how}: {carried:?}");
    }

    /// Within the step that makes the port: made on the host, moved, and given
    /// its address, each by itself; what of it a killed process got done is done
    /// here in its place.
    fn within_a_step(&mut self) {
        let (plan, _) = plan_of(self.what, self.before);
        let port = |action: &Action| matches!(action, Action::Add(Object::OvsPort(_)));
        let at = plan.steps.iter().position(|step| port(&step.action)).unwrap();
        let command = plan.steps[at].command();
        let parts: Vec<&str> = command.split(" && ").collect();
        assert_eq!(parts.len(), 3, "{command}");
        // The change's beginning, two lines for each step before, and one for it.
        let line = u32::try_from(2 * at + 2).unwrap();
        for (done, completed) in [(1, false), (1, true), (2, false), (2, true), (3, true)] {
            let how = format!("{} within the step, {done} of 3, completed {completed}", self.what);
            assert!(!child(&[self.what, &line.to_string()]).wait().unwrap().success());
            let last = self.last();
            assert_eq!((last.state, last.steps[at].state), (State::Unfinished, StepState::Doing), "{how}");
            for part in &parts[..done] {
                let output = run(self.lab, "sh", &["-c", part]);
                assert!(output.status.success(), "{how}: {}", said(&output));
            }
            by_program(self.lab, last.id, completed, &how);
            self.times += 1;
            if completed {
                self.is_done(&how);
                let ping = ["netns", "exec", "outside", "ping", "-q", "-c", "1", "-W", "3", "192.168.1.3"];
                assert!(run(self.lab, "ip", &ping).status.success(), "{how}");
                self.take_back(&how);
            }
            same(self.before, &quiet(self.lab), &how);
        }
    }

    fn last(&self) -> Past {
        exec::history(self.site).unwrap().pop().unwrap()
    }
}

fn by_library(site: &Site, id: u64, completed: bool, how: &str) {
    let settle = if completed { exec::complete } else { exec::undo };
    settle(id, site, &mut |_| {}).unwrap_or_else(|error| panic!("{how}: {error}"));
}

fn by_program(lab: &Lab, id: u64, completed: bool, how: &str) {
    let id = id.to_string();
    let words = if completed { ["journal", "--complete", &id] } else { ["undo", "--yes", &id] };
    let output = fipscope(lab, &words);
    assert_eq!(output.status.code(), Some(0), "{how}: {}", said(&output));
}

/// A process that is killed within the rewriting of a file leaves the new one
/// beside it.
fn left_beside(lab: &Lab, last: &Past) {
    let begun = last.steps.iter().filter(|step| step.state == StepState::Doing);
    for step in begun {
        if let Action::Add(Object::FileLine { path, .. }) | Action::Delete(Object::FileLine { path, .. }) =
            &step.planned.action
        {
            assert!(path.starts_with(lab.state_path()));
            let name = path.file_name().unwrap().to_str().unwrap();
            fs::write(path.with_file_name(format!(".{name}.fipscope")), "half a li").unwrap();
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The part that is killed: ends itself by a signal when so many lines are
/// written.
pub(crate) fn child_of(what: &str, at: u32) {
    let site = Site {
        netns_dir: NetnsDir::default(),
        state_path: Some(PathBuf::from(STATE_PATH)),
        folder: PathBuf::from(STATE),
        read_only: false,
    };
    let mut written = 0;
    let mut told = |_: &Entry| {
        written += 1;
        if written == at {
            match what {
                "busy" => std::thread::sleep(Duration::from_secs(30)),
                _ => nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).unwrap(),
            }
        }
    };
    if what == "undo" {
        let last = exec::history(&site).unwrap().pop().unwrap();
        exec::undo(last.id, &site, &mut told).unwrap();
        return;
    }
    let snapshot = read(&site);
    let (plan, aim) = plan_of(what, &snapshot);
    let order = Order { plan: &plan, seen: &snapshot, aim: &aim };
    let carried = exec::change(&order, &site, &mut told).unwrap();
    assert_eq!(carried.outcome(), Outcome::Done, "{carried:?}");
}

pub(crate) fn child(words: &[&str]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--child").args(words).stdout(Stdio::null());
    command.spawn().unwrap()
}

fn judge_of(snapshot: &Snapshot) -> BTreeSet<String> {
    let findings = judge(snapshot, &Topology::of(snapshot));
    findings.into_iter().filter(Finding::is_fault).map(|finding| finding.id).collect()
}

/// The last line of the journal was not written.
fn tear() {
    let path = Path::new(STATE).join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let whole = text.trim_end();
    let last = whole.rfind('\n').map_or(0, |at| at + 1);
    // Half of it was, in fact.
    let half = last + (whole.len() - last) / 2;
    // A change whose beginning was not written was not begun.
    if last > 0 && !whole[last..].contains("\"entry\":\"begin\"") {
        fs::write(path, &whole[..half]).unwrap();
    }
}
