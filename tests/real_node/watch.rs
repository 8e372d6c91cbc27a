//! The node watched while the real agent works on it: what is live equals what a
//! fresh reading gives, and the changes that were told say what the agent did.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fipscope::kernel::{Handle, ReadOptions, Watcher, read_node};
use fipscope::net::{Change, Recorded, Recording, Snapshot, changes};

use crate::agent::{Agent, Home, MANY_THREADS};
use crate::inside::Node;

/// What the agent associates, beside the node's own 192.168.1.3.
const SECOND: (&str, &str) = ("192.168.1.4", "10.0.0.5");
/// As long as it may take until a slow round has seen everything.
const LONGEST: Duration = Duration::from_secs(60);

/// Watches a node of the scenario S1, and says what was not as it should be.
pub(crate) fn beside_the_agent(node: &Node, workdir: &Path, builder: &Path) -> Vec<String> {
    if node.scenario != "S1" {
        return Vec::new();
    }
    let mut agent = Agent::start(Home { workdir, builder }, "server.py", MANY_THREADS);
    agent.says("start");
    let (floating, fixed) = SECOND;
    let mut watch = Watch::start(node);
    watch.while_it("associates", || {
        agent.says(&format!("add {floating} {fixed}"));
        agent.says("update");
    });
    let mine = format!("from {fixed} lookup 16");
    let nat = format!("-d {floating}/32");
    watch.told("+", &mine);
    watch.told("+", &nat);
    watch.told("+", &format!("{floating}/32"));
    watch.told("+", &format!("{floating},"));
    watch.while_it("dissociates", || {
        agent.says(&format!("drop {floating}"));
        agent.says("update");
    });
    watch.told("-", &mine);
    watch.told("-", &nat);
    watch.told("-", &format!("{floating}/32"));
    watch.while_it("starts anew", || {
        agent.says("start");
    });
    watch.wrong.extend(watch.replayed());
    watch.wrong
}

/// A watcher, and all that it told.
struct Watch {
    options: ReadOptions,
    watcher: Watcher,
    handle: Handle,
    first: Snapshot,
    last: Snapshot,
    lines: Vec<Recorded>,
    /// Where what was told last begins.
    since: usize,
    wrong: Vec<String>,
}

impl Watch {
    fn start(node: &Node) -> Self {
        let state_path = Some(node.state_path.clone());
        let options = ReadOptions { netns_dir: "/run/netns".into(), state_path, conntrack: false };
        let mut watcher = Watcher::start(&options).unwrap();
        let first = (*watcher.next(Duration::ZERO).unwrap().expect("the first reading").snapshot).clone();
        let handle = watcher.handle();
        Self { options, watcher, handle, last: first.clone(), first, lines: Vec::new(), since: 0, wrong: Vec::new() }
    }

    /// Listens while the agent does something, and until what is live is what a
    /// fresh reading gives.
    fn while_it(&mut self, does: &str, work: impl FnOnce() + Send) {
        self.since = self.lines.len();
        thread::scope(|scope| {
            let working = scope.spawn(work);
            while !working.is_finished() {
                self.take();
            }
        });
        let begin = Instant::now();
        loop {
            self.take();
            let fresh = read_node(&self.options).unwrap();
            let differences = changes(&fresh.settled(), &self.last.settled());
            if differences.is_empty() && fresh.settled() == self.last.settled() {
                break;
            }
            if begin.elapsed() > LONGEST {
                self.wrong.extend(differences.iter().map(|change| format!("watched while it {does}: {change}")));
                self.wrong.push(format!("watched while it {does}: live is not what a fresh reading gives"));
                break;
            }
        }
        let told = self.news().count();
        println!("  watched while the agent {does}: {told} changes, equal after {:.1?}", begin.elapsed());
    }

    fn take(&mut self) {
        if self.watcher.next(Duration::from_millis(50)).unwrap().is_none_or(|update| !self.accept(update)) {
            let update = self.watcher.flush();
            self.accept(update);
        }
        assert!(!self.handle.is_stopped());
    }

    fn accept(&mut self, update: fipscope::kernel::Update) -> bool {
        self.last = (*update.snapshot).clone();
        let is_news = !update.changes.is_empty();
        self.lines.push(Recorded::new(update.snapshot.taken_at, update.changes).heard(update.at));
        is_news
    }

    fn news(&self) -> impl Iterator<Item = &Change> {
        self.lines[self.since..].iter().flat_map(|line| &line.changes).filter(|change| !change.is_flapping())
    }

    /// A change of that sign and with those words was told of what the agent did last.
    fn told(&mut self, sign: &str, words: &str) {
        if !self.news().any(|change| change.sign() == sign && change.words().contains(words)) {
            let all: Vec<String> = self.news().map(|change| format!("\n    {change}")).collect();
            self.wrong.push(format!("nothing was told of {sign} {words}:{}", all.concat()));
        }
    }

    /// A recording of it all ends where the node is.
    fn replayed(&self) -> Option<String> {
        let recording = Recording { first: self.first.clone(), lines: self.lines.clone(), remark: None };
        let is_same = recording.last().settled() == self.last.settled();
        (!is_same).then(|| "the recording does not end where the node is".to_owned())
    }
}
