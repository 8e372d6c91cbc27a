//! What the kernel does not announce, changed without end and found by the slow
//! round: legacy tables, proxy entries, settings, the agent's files, Open vSwitch.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

use fipscope::kernel::{ReadOptions, Watcher};
use fipscope::net::NetnsName;

use crate::live::{Law, sh, works};
use crate::storm::{Dice, SPACES};

/// Rounds of changes.
const ROUNDS: u64 = 12;

pub fn inside(dice: &mut Dice) {
    let (legacy, ovs) = (works("iptables-legacy -V"), works("ovsdb-server -V") && works("ovs-vsctl -V"));
    for (there, what) in [(legacy, "legacy tables: no iptables-legacy here"), (ovs, "Open vSwitch: none here")] {
        if !there {
            println!("SKIPPED the slow round, {what}");
        }
    }
    fs::create_dir_all("/run/agent").unwrap();
    if ovs {
        sh(DATABASE);
    }
    let options = ReadOptions { state_path: Some("/run/agent".into()), ..ReadOptions::default() };
    // The last storms took them away.
    sh("ip -n s2 link add vc type veth peer name vd; ip -n s2 link set vc up");
    // This is not about how much it may cost.
    let watcher = Watcher::start(&options).unwrap().with_rest_at_most(Duration::from_millis(10));
    let mut law = Law::start(options, watcher);
    for round in 0..3 {
        let script: String = (0..ROUNDS).map(|at| changes(dice, round * ROUNDS + at, legacy, ovs)).collect();
        law.ride(vec![Command::new("sh").args(["-c", &script]).spawn().unwrap()]);
        law.settle(&format!("what is not announced, {round}"));
    }
    another_one_on_a_name(&mut law);
    ages(&mut law);
    if ovs {
        sh("kill $(cat /run/ovsdb.pid)");
    }
}

/// Another namespace is mounted on a name, of which nobody says anything: neither is
/// a name made, nor does anything change in the namespace that stood there.
fn another_one_on_a_name(law: &mut Law) {
    sh("ip netns add x0; ip netns add x1; ip -n x1 link set lo up; ip -n x1 addr add 10.9.9.9/32 dev lo");
    law.settle("two namespaces");
    sh("mount --bind /run/netns/x1 /run/netns/x0");
    law.settle("another namespace on a name");
    sh("ip -n x0 addr add 10.9.9.8/32 dev lo");
    law.settle("a change in it");
    sh("umount /run/netns/x0");
    law.settle("the first one again");
    sh("ip netns del x0; ip netns del x1");
    law.settle("neither");
}

/// An empty database, without a switch that would act on it.
const DATABASE: &str = r"
mkdir -p /run/openvswitch
ovsdb-tool create /run/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile=/run/ovsdb.pid --unixctl=/run/ovsdb.ctl \
    --log-file=/run/ovsdb.log --detach /run/conf.db 2>/dev/null
ovs-vsctl --no-wait --db=unix:/run/openvswitch/db.sock init
";

/// A script of some changes of every kind.
fn changes(dice: &mut Dice, at: u64, legacy: bool, ovs: bool) -> String {
    let space = SPACES[usize::try_from(dice.below(3)).unwrap()];
    let device = ["va", "vb", "vc"][SPACES.iter().position(|other| *other == space).unwrap()];
    let (n, m) = (1 + dice.below(8), dice.below(250));
    let mut text = String::new();
    let exec = format!("ip netns exec {space}");
    let _ = writeln!(
        text,
        "{exec} sysctl -qw net.ipv4.conf.{device}.arp_ignore={} net.ipv4.conf.all.arp_announce={}",
        n % 3,
        n % 2
    );
    let _ = writeln!(
        text,
        "{exec} sysctl -qw net.ipv4.ip_nonlocal_bind={} net.ipv4.conf.{device}.send_redirects={}",
        n % 2,
        m % 2
    );
    let _ = writeln!(text, "ip -n {space} neigh add proxy 10.0.0.{m} dev {device}");
    let _ = writeln!(
        text,
        "ip -n {space} neigh del proxy $(ip -n {space} neigh show proxy | cut -d' ' -f1-3 | head -n 1) 2>/dev/null"
    );
    let _ = writeln!(text, "echo 192.168.1.{m},{} >> /run/agent/fip-priorities", 32_768 + m);
    let _ = writeln!(
        text,
        "echo router-{at},169.254.88.{m}/31 > /run/agent/.new; mv /run/agent/.new /run/agent/fip-linklocal-networks"
    );
    if legacy {
        let _ = writeln!(
            text,
            "{exec} iptables-legacy -t nat -A PREROUTING -d 192.168.1.{m}/32 -j DNAT --to-destination 10.0.0.{n}"
        );
        let _ = writeln!(text, "{exec} iptables-legacy -t nat -D PREROUTING {} 2>/dev/null", n % 3 + 1);
    }
    if ovs {
        let vsctl = "ovs-vsctl --no-wait --db=unix:/run/openvswitch/db.sock";
        let _ = writeln!(
            text,
            "{vsctl} --may-exist add-br br{} -- --may-exist add-port br{} p{n} tag={}",
            n % 2,
            n % 2,
            1 + m % 9
        );
        let _ = writeln!(text, "{vsctl} --if-exists del-port p{}", 1 + m % 8);
    }
    text
}

/// Every namespace has an age, and none is older than a round or two.
fn ages(law: &mut Law) {
    let ages = law.watcher.ages();
    assert_eq!(ages.places.len(), SPACES.len() + 1);
    for space in SPACES {
        let age = ages.of(Some(&NetnsName::from(space))).unwrap();
        assert_eq!(age.deaf, None);
        assert!(age.at >= law.began, "{space} was never looked at: {age:?}");
    }
    assert!(ages.host >= law.began, "{ages:?}");
}
