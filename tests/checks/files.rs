//! The agent's files, drift, the host.

use fipscope::check::{Applicability, Finding, Severity};
use fipscope::net::netfilter::{NfFamily, parse_save};
use fipscope::net::{AllocationFile, Observed, PathOrigin, Snapshot, TcFilter};
use fipscope::neutron::Layout;
use fipscope::topology::ObjectKind;
use fipscope::topology::scenario::{NETWORK, ROUTER, SNAT, Scenario};

use super::common::{FIXTURES, calm, edit, edit_link, fixture, healthy, judge, only, words};

fn of(snapshot: &Snapshot, code: u16) -> Vec<Finding> {
    judge(snapshot).into_iter().filter(|one| one.code.0 == code).collect()
}

fn priorities(snapshot: &mut Snapshot) -> &mut AllocationFile {
    let Observed::Seen(file) = &mut snapshot.host.priority_file else { panic!("no file") };
    file
}

fn pairs(snapshot: &mut Snapshot) -> &mut AllocationFile {
    let Observed::Seen(file) = &mut snapshot.host.link_local_file else { panic!("no file") };
    file
}

#[test]
fn healthy_nodes_are_calm() {
    for (name, snapshot) in healthy() {
        calm(name, &snapshot, 901..=999);
    }
    for name in FIXTURES {
        calm(name, &fixture(name), 901..=999);
    }
}

#[test]
fn priorities_that_disagree() {
    let mut snapshot = fixture("S1");
    priorities(&mut snapshot).lines = vec!["192.168.1.3,40000".to_owned()];
    let found = only(&snapshot, 901);
    assert_eq!(words(&found), (901, "host".to_owned(), "fip-priorities 192.168.1.3".to_owned()));
    assert_eq!(found.expected.as_deref(), Some("192.168.1.3,37325"));
    assert_eq!(found.actual.as_deref(), Some("192.168.1.3,40000"));
    assert_eq!(found.floating_ip.map(|address| address.to_string()).as_deref(), Some("192.168.1.3"));
    assert_eq!((found.severity, found.applicability), (Severity::Warning, Applicability::DisplayOnly));
    // What is said to mend it does.
    snapshot.apply(&found.mend);
    assert_eq!(of(&snapshot, 901), []);
}

#[test]
fn priorities_without_a_line_a_file_or_sense() {
    let mut snapshot = fixture("S1");
    priorities(&mut snapshot).lines.clear();
    let found = only(&snapshot, 901);
    assert_eq!(found.actual.as_deref(), Some("no line"));
    snapshot.apply(&found.mend);
    assert_eq!(of(&snapshot, 901), []);
    priorities(&mut snapshot).lines.push("garbage\u{1b}[31m".to_owned());
    let found = only(&snapshot, 901);
    assert_eq!(words(&found), (901, "host".to_owned(), "fip-priorities line 2".to_owned()));
    assert!(!found.message.contains('\u{1b}'), "{}", found.message);
    snapshot.host.priority_file = Observed::Absent;
    assert_eq!(only(&snapshot, 901).actual.as_deref(), Some("no file"));
    snapshot.host.priority_file = Observed::Unreadable("no".to_owned());
    assert!(of(&snapshot, 901)[0].why_unknown.is_some());
}

#[test]
fn files_that_are_perhaps_elsewhere() {
    let mut snapshot = fixture("S1");
    (snapshot.host.priority_file, snapshot.host.link_local_file) = (Observed::Absent, Observed::Absent);
    snapshot.host.path_origin = PathOrigin::Usual;
    assert_eq!((of(&snapshot, 901), of(&snapshot, 902)), (Vec::new(), Vec::new()));
}

#[test]
fn juno_keeps_no_priorities() {
    let mut snapshot = Scenario::article(Layout::Juno).snapshot;
    snapshot.host.priority_file = Observed::Absent;
    assert_eq!(of(&snapshot, 901), []);
}

#[test]
fn pairs_that_disagree() {
    let mut snapshot = fixture("S1");
    pairs(&mut snapshot).lines = vec![format!("{ROUTER},169.254.100.2/31")];
    let found = only(&snapshot, 902);
    assert_eq!(words(&found), (902, "host".to_owned(), format!("fip-linklocal-networks {ROUTER}")));
    assert_eq!(found.expected, Some(format!("{ROUTER},169.254.88.134/31")));
    assert_eq!(found.actual, Some(format!("{ROUTER},169.254.100.2/31")));
    snapshot.apply(&found.mend);
    assert_eq!(of(&snapshot, 902), []);
    snapshot.host.link_local_file = Observed::Absent;
    assert_eq!(only(&snapshot, 902).actual.as_deref(), Some("no file"));
}

#[test]
fn a_pair_given_out_twice() {
    let mut snapshot = fixture("S1");
    pairs(&mut snapshot).lines.push("00000000-012c-41d6-a36e-f2f09cb8ea62,169.254.88.134/31".to_owned());
    let found = only(&snapshot, 902);
    assert_eq!(words(&found), (902, "host".to_owned(), "fip-linklocal-networks 169.254.88.134/31".to_owned()));
}

#[test]
fn a_second_network_overwrites() {
    let mut snapshot = Scenario::article(Layout::Pike).with_second_network(Layout::Pike).snapshot;
    pairs(&mut snapshot).lines.retain(|line| !line.starts_with(ROUTER));
    let found = only(&snapshot, 903);
    assert_eq!(words(&found), (903, "host".to_owned(), format!("fip-linklocal-networks fip-{NETWORK}")));
    assert_eq!(found.external_network.as_deref(), Some(NETWORK));
}

#[test]
fn a_pool_of_leaks() {
    let mut snapshot = fixture("S1");
    let leak = |n: u32| format!("10.{}.{}.{},{}", n >> 16, (n >> 8) & 255, n & 255, 32768 + n);
    priorities(&mut snapshot).lines.extend((0..31000).map(leak));
    assert_eq!(of(&snapshot, 904), []);
    priorities(&mut snapshot).lines.extend((31000..33000).map(leak));
    let found = only(&snapshot, 904);
    assert_eq!(words(&found), (904, "host".to_owned(), "fip-priorities pool".to_owned()));
}

#[test]
fn port_forwarding_to_a_fixed_ip_with_a_floating_ip() {
    const TEXT: &str = "*nat\n:neutron-l3-agent-pf-1234abcd - [0:0]\n-A neutron-l3-agent-pf-1234abcd \
                        -d 192.168.1.50/32 -p tcp -m tcp --dport 2222 -j DNAT --to-destination 10.0.0.4:22\nCOMMIT\n";
    let mut snapshot = fixture("S5");
    edit(&mut snapshot, "snat-", |netns| {
        let Observed::Seen(netfilter) = &mut netns.netfilter else { panic!("not read") };
        let parsed = parse_save(TEXT, NfFamily::Ip).unwrap().remove(0);
        let tables =
            if matches!(netfilter.nft, Observed::Seen(_)) { &mut netfilter.nft } else { &mut netfilter.legacy };
        let Observed::Seen(tables) = tables else { panic!("not read") };
        tables.iter_mut().find(|table| table.name == "nat").unwrap().chains.extend(parsed.chains);
    });
    let found = of(&snapshot, 910);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].namespace.as_ref().unwrap().as_str(), found[0].object.kind), (SNAT, ObjectKind::Nat));
    assert!(found[0].object.key.contains("--to-destination 10.0.0.4:22"), "{}", found[0].object.key);
}

#[test]
fn more_filters_than_floating_ips() {
    let mut snapshot = fixture("S1");
    let filter = |handle| TcFilter { kind: "u32".to_owned(), parent: 0x10000, preference: 1, handle };
    let table = filter(0x8000_0000);
    edit_link(&mut snapshot, "qrouter-", "rfp-", |link| link.filters = vec![table.clone(), filter(0x8000_0800)]);
    assert_eq!(of(&snapshot, 911), []);
    edit_link(&mut snapshot, "qrouter-", "rfp-", |link| link.filters.push(filter(0x8000_0801)));
    let found = only(&snapshot, 911);
    assert_eq!((found.object.key.as_str(), found.actual.as_deref()), ("rfp-ef25020f-0", Some("2 filters")));
}
