//! The simulation of steps against the kernel: each kind of step is done for
//! real in a sandbox, and the node as it is read then equals the node as the
//! simulation said; so does taking the step back.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test starts programs, says what it does and fails by panicking"
)]

#[path = "../common/private.rs"]
mod private;
mod steps;

use std::env;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::exec;
use fipscope::kernel::{ReadOptions, read_node};
use fipscope::net::{Change, Object as Thing, Snapshot, changes};
use fipscope::netns::Sandbox;
use fipscope::plan::{Action, Object, Place, Plan, Undo, simulate};

/// A router and a fip namespace, without IPv6.
const NODE: &str = r"
for ns in fip-x qrouter-1; do
  ip netns add $ns
  ip netns exec $ns sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  ip -n $ns link set lo up
done
ip -n qrouter-1 link add rfp-1 type veth peer name fpr-1 netns fip-x
ip -n qrouter-1 link add qr-1 type veth peer name tap-1
ip -n qrouter-1 link set rfp-1 up; ip -n fip-x link set fpr-1 up
ip -n qrouter-1 link set qr-1 up; ip -n qrouter-1 link set tap-1 up
ip -n qrouter-1 addr add 169.254.88.134/31 dev rfp-1; ip -n fip-x addr add 169.254.88.135/31 dev fpr-1
ip -n qrouter-1 addr add 10.0.0.1/24 brd 10.0.0.255 dev qr-1
ip -n qrouter-1 addr add 10.0.0.9/24 dev qr-1
ip -n qrouter-1 route add default via 169.254.88.135 dev rfp-1 table 16
ip -n qrouter-1 rule add from 10.0.0.4 lookup 16 prio 40000
ip -n qrouter-1 neigh add 10.0.0.4 lladdr fa:16:3e:00:00:04 dev qr-1 nud permanent
ip -n qrouter-1 neigh add 169.254.88.135 lladdr fa:16:3e:00:00:05 dev rfp-1 nud permanent
ip -n qrouter-1 neigh add 10.0.0.6 lladdr fa:16:3e:00:00:06 dev qr-1 nud stale
ip -n fip-x route add 192.168.1.3 via 169.254.88.134 dev fpr-1
ip netns exec qrouter-1 iptables-nft-restore <<'RULES'
*nat
-N agent
-A PREROUTING -j agent
-A agent -d 192.168.1.3/32 -i rfp-1 -j DNAT --to-destination 10.0.0.4
-A agent -d 192.168.1.4/32 -i rfp-1 -j DNAT --to-destination 10.0.0.5
COMMIT
RULES
";

const LONGEST_WATCH: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    if env::args().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    let sandbox = match private::sandbox("simulate") {
        Ok(sandbox) => sandbox,
        Err(code) => return code,
    };
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let status = Command::new("sh").args(["-ec", NODE]).env("PATH", path).status().unwrap();
    assert!(status.success(), "the node could not be built");
    let mut failed = 0;
    let steps = steps::steps();
    for (place, action) in &steps {
        failed += compare(&sandbox, place, action);
    }
    let story = steps::story();
    for (place, action) in &story {
        failed += does(&sandbox, place, action);
    }
    println!(
        "simulate: {} steps of devices that come and go, {} kinds of steps done and taken back, {failed} differ",
        story.len(),
        steps.len()
    );
    ExitCode::from(u8::from(failed > 0))
}

/// Does a step and takes it back, and what went with it; counts what was
/// otherwise than simulated.
fn compare(sandbox: &Sandbox, place: &Place, action: &Action) -> u32 {
    let first = read();
    let mut failed = does(sandbox, place, action);
    let Undo::Action(back) = action.inverse() else { panic!("{action:?} has no inverse") };
    failed += does(sandbox, place, &back);
    // What the step took along is put back with the same means.
    let lost: Vec<Change> = changes(&read(), &first).into_iter().filter(|change| change.before.is_none()).collect();
    for change in &lost {
        if let Some(again) = again(change) {
            failed += does(sandbox, &change.netns.clone().map_or(Place::Host, Place::Netns), &again);
        }
    }
    failed
}

fn again(change: &Change) -> Option<Action> {
    match change.after.as_ref()? {
        Thing::Route(route) if route.protocol != 2 => Some(Action::Add(Object::Route((**route).clone()))),
        Thing::Addr(addr) => Some(Action::Add(Object::Addr(addr.clone()))),
        Thing::Neigh(neigh) => Some(Action::Add(Object::Neigh(neigh.clone()))),
        _ => None,
    }
}

fn does(sandbox: &Sandbox, place: &Place, action: &Action) -> u32 {
    let mut plan = Plan::new("a step");
    plan.push(place, action.clone());
    let before = read();
    let simulated = simulate(&plan, &before);
    exec::run(&plan, &sandbox.netns_dir()).unwrap_or_else(|error| panic!("{action:?}: {error}"));
    let begin = Instant::now();
    let mut after = read();
    // The kernel's link watch tells the other end of a pair once a second.
    while !simulated.same_as(&after) && begin.elapsed() < LONGEST_WATCH {
        thread::sleep(Duration::from_millis(100));
        after = read();
    }
    if before.settled() == after.settled() {
        println!("NOTHING CHANGED by {}", plan.steps[0].command());
        return 1;
    }
    if simulated.same_as(&after) {
        println!("ok {}", plan.steps[0].description);
        return 0;
    }
    println!("DIFFERS {}", plan.steps[0].command());
    for change in changes(&simulated.normalised(), &after.normalised()) {
        println!("    {change:?}");
    }
    1
}

fn read() -> Snapshot {
    read_node(&ReadOptions::default()).unwrap()
}
