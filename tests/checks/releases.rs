//! What only some releases do: missing, it is a warning where this node's agent
//! does it, and a note where it does not.

use fipscope::check::Severity::{self, Error, Note, Warning};
use fipscope::net::{Mac, NeighState, Observed, Snapshot};
use fipscope::neutron::Layout::{self, Juno, Newton, Pike};
use fipscope::topology::scenario::{FG, FIP, QROUTER, SNAT, Scenario};

use super::common::{drop_neigh, edit, judge, set_sysctl};

/// A code, what is wrong, and where: the layout, the version that is installed
/// where that is known, and how bad it is; `None` where nothing is found.
type Row = (u16, fn(&mut Snapshot), &'static [(Layout, Option<&'static str>, Option<Severity>)]);

const TABLE: &[Row] = &[
    // Permanent neighbours of the pair: told by the other end's.
    (
        208,
        |node| drop_neigh(node, QROUTER, "dev rfp-"),
        &[(Pike, None, Some(Warning)), (Pike, Some("29.0.0"), Some(Warning))],
    ),
    (208, |node| neighbour(node, NeighState::Permanent), &[(Juno, None, Some(Error)), (Newton, None, Some(Error))]),
    (208, |node| neighbour(node, NeighState::Reachable), &[(Juno, None, Some(Warning)), (Newton, None, Some(Warning))]),
    // Set from 11.0.0 on; what the layout of Pike leaves here is of 15.0.0 at least.
    (
        407,
        |node| set_sysctl(node, SNAT, "net.netfilter.nf_conntrack_tcp_loose", 1),
        &[
            (Juno, None, Some(Note)),
            (Newton, None, Some(Note)),
            (Newton, Some("10.0.2"), Some(Note)),
            (Newton, Some("11.0.0"), Some(Warning)),
            (Pike, None, Some(Warning)),
        ],
    ),
    // From 26.0.0 on.
    (
        408,
        |node| set_sysctl(node, QROUTER, "net.netfilter.nf_conntrack_tcp_be_liberal", 0),
        &[
            (Juno, None, Some(Note)),
            (Newton, None, Some(Note)),
            (Pike, None, Some(Note)),
            (Pike, Some("25.2.1"), Some(Note)),
            (Pike, Some("26.0.0"), Some(Warning)),
        ],
    ),
    // From 22.0.0 on.
    (
        509,
        |node| set_sysctl(node, FIP, &format!("net.ipv4.neigh.{FG}.proxy_delay"), 80),
        &[
            (Juno, None, Some(Note)),
            (Newton, None, Some(Note)),
            (Pike, None, Some(Note)),
            (Pike, Some("21.2.1"), Some(Note)),
            (Pike, Some("22.0.0"), Some(Warning)),
        ],
    ),
    // Juno announces by an address that it puts there for a moment.
    (
        510,
        |node| set_sysctl(node, FIP, "net.ipv4.ip_nonlocal_bind", 0),
        &[(Juno, None, Some(Note)), (Newton, None, Some(Warning)), (Pike, None, Some(Warning))],
    ),
];

/// An entry of rfp's for the other end of its pair, with a hardware address that is not its.
fn neighbour(node: &mut Snapshot, state: NeighState) {
    let pair = node.netns(&QROUTER.into()).unwrap().routes().iter().find_map(fipscope::net::Route::via).unwrap();
    edit(node, QROUTER, |netns| {
        let Observed::Seen(neighs) = &mut netns.neighs else { panic!("not read") };
        let dev = fipscope::topology::scenario::RFP.into();
        neighs.push(fipscope::net::Neigh { dev, address: pair, mac: Some(Mac([2; 6])), state, proxy: false });
    });
}

#[test]
fn what_only_some_releases_do_warns_only_where_this_agent_does_it() {
    for (code, fault, rows) in TABLE {
        for (layout, version, wanted) in *rows {
            let mut node = Scenario::article(*layout).with_centralized().snapshot;
            let found = |node: &Snapshot| -> Vec<Severity> {
                let all = judge(node).into_iter().filter(|one| one.code.0 == *code && one.why_unknown.is_none());
                all.map(|one| one.severity).collect()
            };
            node.host.neutron_version = version.map_or(Observed::Absent, |version| Observed::Seen(version.to_owned()));
            assert_eq!(found(&node), [], "DVR{code} whole, {layout:?} {version:?}");
            fault(&mut node);
            let wanted: Vec<Severity> = wanted.iter().copied().collect();
            assert_eq!(found(&node), wanted, "DVR{code}, {layout:?} {version:?}");
        }
    }
}

/// Both ends bare: an agent that sets no such entries.
#[test]
fn a_pair_without_any_permanent_neighbour_is_older_not_broken() {
    let mut node = Scenario::article(Pike).snapshot;
    drop_neigh(&mut node, QROUTER, "dev rfp-");
    drop_neigh(&mut node, FIP, "dev fpr-");
    assert!(judge(&node).iter().all(|one| one.code.0 != 208));
}
