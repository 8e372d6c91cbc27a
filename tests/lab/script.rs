//! A plan as a shell script does the same as the program; and no name in it does
//! anything else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use fipscope::exec::{self, Order};
use fipscope::lab::{Lab, LabOptions, Need};
use fipscope::net::netfilter::Backend;
use fipscope::net::{FileName, IfName, NetnsName, Observed, Snapshot};
use fipscope::neutron::Layout;
use fipscope::plan::journal::{Aim, Outcome};
use fipscope::plan::{Action, Associate, GatewayPort, LinkSetting, Object, Place, Plan, TableEdit, associate};
use fipscope::topology::Topology;

use crate::associate::NETWORK;
use crate::case::build;
use crate::change::{codes, plan_of, site};
use crate::program::{quiet, run, said, same};

/// What is done by a script.
pub(crate) const SCRIPTS: [&str; 6] = [
    "script repair",
    "script remove",
    "script associate",
    "script from nothing",
    "script legacy from nothing",
    "script juno from nothing",
];
/// Ports of a switch are devices that some systems let only root make.
pub(crate) const SWITCHED: &str = "script switch from nothing";

/// Carried out by the program and taken back; then the script.
pub(crate) fn same_as_enter(what: &str) {
    let broken = if what == "script repair" { codes(&[301, 401, 203, 508]) } else { Vec::new() };
    let has = |word| what.split(' ').any(|one| one == word);
    let layout = if has("juno") { Layout::Juno } else { Layout::Pike };
    let backend = if has("legacy") { Backend::Legacy } else { Backend::Nft };
    let mut needs = if has("nothing") { vec![Need::Unplugged] } else { Vec::new() };
    needs.extend(has("switch").then_some(Need::Switch));
    let lab = build(&LabOptions { layout, backend, broken, needs, ..LabOptions::default() });
    if has("nothing") && !has("switch") {
        pinned(&lab);
    }
    let (site, before) = (site(&lab), quiet(&lab));
    let (plan, aim) = match what {
        _ if has("nothing") => from_nothing(&before, layout, if has("switch") { "br-int" } else { "br-ex" }),
        _ => plan_of(&what.replace("script", "killed"), &before),
    };
    let order = Order { plan: &plan, seen: &before, aim: &aim };
    let carried = exec::change(&order, &site, &mut |_| {}).unwrap();
    assert_eq!(carried.outcome(), Outcome::Done, "{carried:?}");
    let by_program = quiet(&lab);
    assert_eq!(exec::undo(carried.past.id, &site, &mut |_| {}).unwrap().outcome(), Outcome::Done);
    same(&before, &quiet(&lab), "taken back");

    let listens = listens(&lab);
    let path = PathBuf::from("/run/plan.sh");
    fs::write(&path, plan.script()).unwrap();
    let output = run(&lab, "sh", &[path.to_str().unwrap()]);
    assert!(output.status.success(), "{}\n{}", said(&output), plan.script());
    same(&unnumbered(by_program), &unnumbered(quiet(&lab)), "by the script");
    let announced = plan.to_do().find_map(|step| match &step.action {
        Action::Announce { address, .. } => Some(address.to_string()),
        _ => None,
    });
    if let Some(address) = announced.filter(|_| listens) {
        let heard = said(&run(&lab, "ip", &["-n", "gateway", "neigh", "show", &address]));
        assert!(heard.contains("lladdr"), "nobody heard of {address}: {heard}\n{}", said(&output));
    }
    let again = run(&lab, env!("CARGO_BIN_EXE_fipscope"), &["check"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    println!("{} steps, by the program and by the script", plan.to_do().count());
}

/// Each port that a switch makes gets a number of its own.
fn unnumbered(mut node: Snapshot) -> Snapshot {
    if let Observed::Seen(ovs) = &mut node.host.ovs {
        for interface in ovs.ports.iter_mut().flat_map(|port| &mut port.interfaces) {
            interface.ofport = interface.ofport.map(i64::signum);
        }
    }
    node
}

/// Outside, whoever is announced is written down from here on, and nobody is
/// known so far; false where nothing could announce.
fn listens(lab: &Lab) -> bool {
    let accept = ["netns", "exec", "gateway", "sysctl", "-qw", "net.ipv4.conf.eth0.arp_accept=1"];
    for words in [&accept[..], &["-n", "gateway", "neigh", "flush", "dev", "eth0"]] {
        let output = run(lab, "ip", words);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    }
    let has_arping = exec::find_program("arping").is_some();
    if !has_arping {
        println!("SKIPPED whether it is announced: arping (iputils) is not installed");
    }
    has_arping
}

/// The bridge keeps its hardware address: else it takes the lowest of its
/// ports', and theirs are drawn.
pub(crate) fn pinned(lab: &Lab) {
    let pinned = run(lab, "ip", &["link", "set", "br-ex", "address", "02:00:00:00:be:01"]);
    assert!(pinned.status.success(), "{}", said(&pinned));
}

/// A floating IP with everything that it needs, fg on that bridge.
pub(crate) fn from_nothing(snapshot: &Snapshot, layout: Layout, bridge: &str) -> (Plan, Aim) {
    let floating = "192.168.1.3".parse().unwrap();
    let wanted = Associate {
        external_network: Some(NETWORK.to_owned()),
        layout: Some(layout),
        gateway_port: Some(GatewayPort {
            port_id: "b2b77eed-1b2c-4d5e-8f90-123456789abc".to_owned(),
            address: "192.168.1.23/24".parse().unwrap(),
            mac: "fa:16:3e:cc:98:c8".parse().unwrap(),
            gateway: "192.168.1.1".parse().unwrap(),
            bridge: IfName::from(bridge),
            vlan: None,
            mtu: None,
        }),
        ..Associate::new(floating, "10.0.0.4".parse().unwrap())
    };
    let plan = associate(snapshot, &Topology::of(snapshot), &wanted).unwrap();
    (plan, Aim { gone: Vec::new(), deliver: vec![floating] })
}

/// Names that a shell could take for commands, in every place that a plan has for
/// them, read by two shells. The programs are none: they only say what they got.
pub(crate) fn odd_names() {
    let folder = std::env::temp_dir().join(format!("fipscope-script-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for program in ["ip", "iptables-nft-restore", "conntrack", "arping", "ovs-vsctl", "sysctl"] {
        let path = folder.join(program);
        fs::write(&path, "#!/bin/sh\ncat > /dev/null < /dev/null\nexit 0\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let evil = folder.join("evil");
    let touch = format!("touch {}", evil.display());
    let path = |name: &str| folder.join(name.replace('/', "_"));
    let mut ran = 0;
    for (before, after) in [
        ("; ", " #"),
        ("$(", ")"),
        ("`", "`"),
        ("'; ", "; '"),
        ("\"; ", "; \""),
        ("\n", "\n"),
        ("\nEOF\n", "\n"),
        ("\t| ", "\r\n"),
        ("\\'; ", "\\"),
    ] {
        let name = format!("a{before}{touch}{after}b");
        let script = hostile(&name, &path(&name)).script();
        let file = folder.join("plan.sh");
        fs::write(&file, &script).unwrap();
        for shell in ["sh", "bash"].into_iter().filter(|shell| Path::new("/bin").join(shell).exists()) {
            for words in [&["-n"][..], &[]] {
                let mut command = Command::new(shell);
                command
                    .args(words)
                    .arg(&file)
                    .current_dir(&folder)
                    .env_clear()
                    .env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
                let output = command.output().unwrap();
                assert!(!evil.exists(), "{shell} {name:?}\n{script}");
                assert!(words.is_empty() || output.status.success(), "{shell} {name:?}: {}\n{script}", said(&output));
                ran += 1;
            }
        }
    }
    fs::remove_dir_all(&folder).unwrap();
    println!("{ran} scripts of hostile names did nothing else");
}

fn hostile(name: &str, path: &Path) -> Plan {
    let mut plan = Plan::new(format!("Mend {name}"));
    plan.warnings.push(name.to_owned());
    let (place, dev) = (Place::netns(name), IfName::new(name));
    let up = |dev: &IfName| Action::SetLink { dev: dev.clone(), to: LinkSetting::Up(true), from: None };
    plan.push(&Place::Host, Action::Add(Object::Netns(NetnsName::from(name))));
    plan.push(&place, up(&dev));
    plan.push(&place, Action::Add(Object::Bridge(dev.clone())));
    let line = Object::FileLine { file: FileName::Priorities, path: path.to_owned(), at: None, line: name.to_owned() };
    plan.push(&Place::Host, Action::Add(line.clone()));
    plan.push(&Place::Host, Action::Delete(line));
    let mut nat = TableEdit::new(Backend::Nft, "nat");
    nat.chain(name);
    nat.append(name, format!("-m comment --comment \"{name}\" -j ACCEPT"));
    plan.push(&place, Action::Netfilter(nat));
    plan.push(&place, Action::Sysctl { key: format!("net.ipv4.conf.{name}.proxy_arp"), to: 1, from: None });
    plan.push(&place, Action::Forget { address: "10.0.0.4".parse().unwrap() });
    for step in &mut plan.steps {
        step.description.push_str(name);
    }
    plan
}
