//! The law of watching: after every storm of changes the live snapshot is what
//! a fresh reading gives, field by field; and the changes that were told lead
//! from each snapshot to the next.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::kernel::{ReadOptions, Update, Watcher, read_node};
use fipscope::net::{NetnsName, Observed, Snapshot, changes};

use crate::private;
use crate::storm::{Dice, HOST, NODE, PLACES, SPACES, commands, queueing, rules, ruleset, settings, within};

/// Commands for each place in one storm. `STORMS` has more of them than one,
/// `STORM_SEED` others.
const EACH: usize = 4_800;
/// Changes of a storm that the kernel takes, at least.
const TAKEN: usize = 10_000;
/// Rulesets in a storm.
const RULESETS: usize = 32;
/// As long as a sandbox may take to grow quiet: IPv6 tries its addresses for a
/// second or two, and the kernel's link watch reports once a second.
const LONGEST: Duration = Duration::from_secs(20);

/// A watcher, and the last that it told.
pub struct Law {
    options: ReadOptions,
    pub watcher: Watcher,
    /// When it had read the node.
    pub began: jiff::Timestamp,
    /// The last that was told.
    pub last: Update,
    updates: usize,
    told: usize,
}

pub fn inside() {
    let Ok(_sandbox) = private::sandbox("live") else { std::process::exit(private::SKIPPED) };
    if !works("ip -V") || !works("nft -v") {
        println!("SKIPPED live: no ip or nft here");
        std::process::exit(77);
    }
    sh(NODE);
    let number = |name, usual| env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (seed, storms) = (number("STORM_SEED", 7), number("STORMS", 1));
    println!("live: STORM_SEED={seed} STORMS={storms}");
    let options = ReadOptions::default();
    // Without the slow round: what is right is so by what was announced.
    let watcher = Watcher::start(&options).unwrap().without_slow_round();
    let mut law = Law::start(options.clone(), watcher);
    law.settle("the start");
    crate::alone::one_by_one(&mut law);
    let mut dice = Dice::new(seed);
    for storm in 0..storms {
        let running = start_storm(&mut dice, storm);
        law.ride(running);
        let (issued, taken) = (EACH * PLACES.len(), taken(&format!("storm-{storm}"), &PLACES, EACH));
        println!("live: storm {storm}: {issued} commands, {taken} taken");
        assert!(taken >= TAKEN, "that was no storm");
        law.settle(&format!("storm {storm}"));
    }
    law.flood();
    law.look_away(&mut dice, storms);
    law.names();
    let health = law.watcher.health();
    assert_eq!((health.watched, health.deaf), (SPACES.len() + 1, 0), "{health:?}");
    drop(law);
    crate::files::inside();
    the_slow_round_finds_what_is_not_announced(&options);
    crate::polled::inside(&mut dice);
    println!("test live ... ok");
}

impl Law {
    /// A watcher that has read the node.
    pub fn start(options: ReadOptions, mut watcher: Watcher) -> Self {
        let last = watcher.next(Duration::ZERO).unwrap().expect("the first reading");
        assert!(last.changes.is_empty());
        Self { options, watcher, began: jiff::Timestamp::now(), last, updates: 0, told: 0 }
    }

    /// Takes in what comes for so long; each update has to follow from the one before.
    pub fn take(&mut self, patience: Duration) -> bool {
        let Some(update) = self.watcher.next(patience).unwrap() else { return false };
        self.accept(update);
        true
    }

    fn accept(&mut self, update: Update) {
        let mut expected = (*self.last.snapshot).clone();
        expected.apply(&update.changes);
        same(&expected, &update.snapshot, "the changes that were told");
        self.updates += 1;
        self.told += update.changes.len();
        self.last = update;
    }

    pub fn ride(&mut self, mut running: Vec<Child>) {
        while running.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
            self.take(Duration::from_millis(20));
        }
    }

    /// Until it is as a fresh reading says.
    pub fn settle(&mut self, after: &str) {
        let begin = Instant::now();
        loop {
            let is_busy = self.take(Duration::from_millis(50));
            let waiting = self.watcher.flush();
            self.accept(waiting);
            let fresh = read_node(&self.options).unwrap();
            if fresh.settled() == self.last.snapshot.settled() {
                break;
            }
            // Who still has something to read has missed nothing yet, on a machine that has other things to do.
            if begin.elapsed() > LONGEST * if is_busy { 6 } else { 1 } {
                println!("live: {after}: busy: {is_busy}, {:?}", self.watcher.health());
                same(&fresh, &self.last.snapshot, after);
            }
        }
        println!("live: {after}: equal after {:?}, {} updates, {} changes", begin.elapsed(), self.updates, self.told);
    }

    /// One change, which is told.
    pub fn one(&mut self, script: &str) {
        let before = self.told;
        sh(script);
        self.settle(script);
        assert!(self.told > before, "{script}: it changed nothing that is read");
    }

    /// A rule that comes while the socket is still full of routes. The kernel drops what is said of it, without a
    /// word, until all that lies there is taken in; and what lies there speaks of no rule.
    fn beside_a_full_socket(&mut self) {
        let line = |n: u32| format!("route add 10.{}.{}.0/24 dev vd table 97\n", 100 + n / 250, n % 250);
        while self.take(Duration::from_millis(100)) {}
        let overruns = self.watcher.health().overruns;
        let mut child = batch("s2", &(0..3000).map(line).collect::<String>(), "full");
        assert!(child.wait().unwrap().success());
        let begin = Instant::now();
        while self.watcher.health().overruns == overruns {
            self.take(Duration::from_millis(20));
            assert!(begin.elapsed() < LONGEST, "nothing was lost, so nothing was tried");
        }
        // All that is to be read by now is read, also once more after a while; who has no time does not listen.
        thread::sleep(Duration::from_millis(100));
        while self.take(Duration::ZERO) {}
        self.one("ip -n s2 rule add from 10.69.0.1 lookup 97 prio 20001");
    }

    /// Ten thousand changes as fast as they come, beside a table of thousands: each
    /// is of something else, and half of what was added stays.
    fn flood(&mut self) {
        let table = |verb: &str, count: u32| {
            let line = |n: u32| format!("route {verb} 10.{}.{}.0/24 dev vd table 99\n", 100 + n / 250, n % 250);
            (0..count).map(line).collect::<String>()
        };
        let mut child = batch("s2", &table("add", 3000), "table");
        assert!(child.wait().unwrap().success());
        self.settle("a table of 3000 routes");
        self.beside_a_full_socket();
        let object = |n: usize| {
            let (high, low) = (n / 250, n % 250);
            match n % 16 {
                0 => format!("from 10.66.{high}.{low} lookup 99 prio 20000\n"),
                1 => format!("10.67.{high}.{low}/32 dev lo\n"),
                _ => format!("10.68.{high}.{low}/32 dev lo table 98\n"),
            }
        };
        let kind = |n: usize| ["rule", "addr"].get(n % 16).copied().unwrap_or("route");
        let change = |verb: &str, n: usize| format!("{} {verb} {}", kind(n), object(n));
        // Three come, the middle one of them goes again, and so on.
        let changes = (0..TAKEN).map(|at| match at % 4 {
            3 => change("del", at / 4 * 3 + 1),
            within => change("add", at / 4 * 3 + within),
        });
        let (storm, before) = (changes.collect::<String>(), self.told);
        for place in ["s2", HOST] {
            let running = batch(place, &storm, "flood");
            self.ride(vec![running]);
            self.settle(&format!("{TAKEN} changes of {place}"));
        }
        assert_eq!(taken("flood", &["s2", HOST], TAKEN), 2 * TAKEN);
        assert!(self.told - before >= TAKEN, "half of them stay, in either place: {} were told", self.told - before);
    }

    /// Nobody listens while it storms: more is announced than a socket keeps.
    fn look_away(&mut self, dice: &mut Dice, storms: u64) {
        let before = self.watcher.health().overruns;
        for mut child in start_storm(dice, storms) {
            child.wait().unwrap();
        }
        self.settle("a storm that was not listened to");
        let lost = self.watcher.health().overruns - before;
        assert!(lost > 0, "nothing was lost, so nothing was tried");
        println!("live: {lost} overruns");
    }

    /// Namespaces that come, go, and come again under their names.
    fn names(&mut self) {
        for round in 0..20 {
            sh("ip netns add n0; ip -n n0 link set lo up");
            sh(&format!("ip -n s0 link add p{round} type veth peer name q0 netns n0; ip -n n0 link set q0 up"));
            if round % 3 == 0 {
                self.take(Duration::from_millis(30));
            }
            sh("ip netns del n0");
            if round % 4 == 0 {
                sh("ip netns add n0");
                self.take(Duration::from_millis(5));
                sh("ip netns del n0; ip netns add n0; ip -n n0 link set lo up; ip netns del n0");
            }
        }
        self.settle("namespaces that come and go");
        sh("ip netns add kept; ip -n s0 link add k0 type veth peer name k1 netns kept; ip netns add empty");
        self.settle("namespaces that stay");
        let begin = Instant::now();
        sh("ip netns del kept");
        // Nothing of ours keeps it: its end of the pair goes, and so does the other.
        while read_node(&ReadOptions::default()).unwrap().netns(&NetnsName::from("s0")).is_some_and(has_k0) {
            self.take(Duration::from_millis(10));
            assert!(begin.elapsed() < LONGEST, "the namespace lives on");
        }
        sh("ip netns del empty; ip netns del s2; ip netns add s2; ip -n s2 link set lo up");
        self.settle("another namespace under the same name");
    }
}

fn has_k0(netns: &fipscope::net::Netns) -> bool {
    netns.links().iter().any(|link| link.name.as_str() == "k0")
}

/// Every place in turn is changed by an `ip` of its own, all at a time, while
/// rulesets change too.
fn start_storm(dice: &mut Dice, storm: u64) -> Vec<Child> {
    let mut running: Vec<Child> =
        PLACES.iter().map(|place| batch(place, &commands(place, EACH, dice), &format!("storm-{storm}"))).collect();
    let mut script = String::from("cd /run; exec 2>/dev/null\n");
    for n in 0..RULESETS {
        let file = format!("/run/nft-{storm}-{n}");
        fs::write(&file, ruleset(dice)).unwrap();
        let place = PLACES[usize::try_from(dice.below(4)).unwrap()];
        let _ = writeln!(script, "{}nft -f {file}", within(place));
        if n % 4 == 0 {
            script += &rules(place, dice);
        }
    }
    for place in PLACES {
        let file = format!("/run/tc-{storm}-{place}");
        fs::write(&file, queueing(place, dice)).unwrap();
        let _ = writeln!(script, "{}tc -force -batch {file}", within(place));
        script += &settings(place, dice);
    }
    // The other end of a pair moves on to another namespace.
    script += "ip -n s1 link set vy netns s2\nip -n s2 link set vy netns s1\n";
    script += "ip netns add fleeting; ip netns del fleeting\n";
    running.push(Command::new("sh").args(["-c", &script]).spawn().unwrap());
    running
}

fn batch(place: &str, text: &str, name: &str) -> Child {
    let file = format!("/run/{name}-{place}");
    fs::write(&file, text).unwrap();
    let mut command = Command::new("ip");
    let refused = fs::File::create(format!("{file}.refused")).unwrap();
    if place != HOST {
        command.args(["-n", place]);
    }
    command.args(["-force", "-batch", &file]).stdout(Stdio::null()).stderr(refused);
    command.spawn().unwrap()
}

/// How many of a storm's commands the kernel took, of so many in each place.
fn taken(name: &str, places: &[&str], each: usize) -> usize {
    let refused = |place: &&str| fs::read_to_string(format!("/run/{name}-{place}.refused")).unwrap();
    let refused: Vec<String> = places.iter().map(refused).collect();
    assert!(refused.iter().all(|text| !text.contains("is wrong")), "ip gave up: {refused:?}");
    places.len() * each - refused.iter().map(|text| text.matches("Command failed").count()).sum::<usize>()
}

/// What is only found by looking: a setting and a proxy entry.
fn the_slow_round_finds_what_is_not_announced(options: &ReadOptions) {
    let mut watcher = Watcher::start(options).unwrap();
    watcher.next(Duration::ZERO).unwrap().expect("the first reading");
    sh("ip netns exec s0 sysctl -qw net.ipv4.conf.all.arp_ignore=1; ip -n s0 neigh add proxy 10.0.0.77 dev va");
    let begin = Instant::now();
    let mut found = Vec::new();
    while found.len() < 2 {
        if let Some(update) = watcher.next(Duration::from_millis(100)).unwrap() {
            let lines = update.changes.iter().map(ToString::to_string);
            found.extend(lines.filter(|line| line.contains("arp_ignore") || line.contains("10.0.0.77")));
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{found:?}");
    }
    assert!(found.iter().any(|line| line.ends_with("arp_ignore = 1")), "{found:?}");
}

fn same(one: &Snapshot, other: &Snapshot, what: &str) {
    let (one, other) = (one.settled(), other.settled());
    if one != other {
        for change in changes(&one, &other) {
            println!("live: {what}: {change}");
        }
        for (name, netns) in &one.namespaces {
            if let (Observed::Seen(a), Some(Observed::Seen(b))) = (netns, other.namespaces.get(name)) {
                println!("live: {name}: links {} sysctls {}", a.links == b.links, a.sysctls == b.sysctls);
            }
        }
        panic!("{what}: not the same");
    }
}

pub fn works(line: &str) -> bool {
    let (program, word) = line.split_once(' ').unwrap();
    Command::new(program).arg(word).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

pub fn sh(script: &str) {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let status = Command::new("sh").args(["-ec", script]).env("PATH", path).status().unwrap();
    assert!(status.success(), "{script}");
}
