//! Which floating IP an address means.

use fipscope::report::{Query, Selection, select};
use fipscope::topology::Topology;

use crate::article::{ROUTER, empty, floating_ip, healthy};

const OTHER: &str = "ef25020f-012d-0000-0000-000000000000";

fn query(address: &str) -> Query {
    Query { address: address.parse().unwrap(), router: None, external_network: None }
}

/// Two routers, both with a 10.0.0.4; the second has a floating IP twice.
fn twins() -> Topology {
    let mut topology = healthy();
    topology.routers.push(crate::article::router(OTHER));
    topology.floating_ips.push(floating_ip("192.168.1.9", "10.0.0.4", OTHER).into());
    topology.floating_ips.push(floating_ip("192.168.1.9", "10.0.0.5", OTHER).into());
    topology
}

#[test]
fn either_address_finds_it() {
    let topology = healthy();
    for address in ["192.168.1.3", "10.0.0.4"] {
        assert_eq!(select(&topology, &query(address)), Selection::One(&topology.floating_ips[0]));
    }
}

#[test]
fn each_candidate_comes_with_arguments_that_mean_it() {
    let topology = twins();
    for address in ["10.0.0.4", "192.168.1.9"] {
        let Selection::Many(candidates) = select(&topology, &query(address)) else { panic!("{address}") };
        assert_eq!(candidates.len(), 2, "{address}");
        for candidate in candidates {
            let arguments = candidate.arguments.unwrap();
            let words: Vec<&str> = arguments.split(' ').collect();
            let option = |name| words.iter().position(|word| *word == name).map(|at| words[at + 1].to_owned());
            let again = Query {
                address: words[0].parse().unwrap(),
                router: option("--router"),
                external_network: option("--external-network"),
            };
            assert_eq!(select(&topology, &again), Selection::One(candidate.floating_ip), "{arguments}");
        }
    }
}

#[test]
fn prefixes_decide_and_refuse() {
    let topology = twins();
    let by = |router: &str| select(&topology, &Query { router: Some(router.to_owned()), ..query("10.0.0.4") });
    assert_eq!(by(ROUTER), Selection::One(&topology.floating_ips[0]));
    assert_eq!(by("ef25020f-012d"), Selection::One(&topology.floating_ips[1]));
    let Selection::Nothing { hint } = by("b0") else { panic!() };
    assert!(hint.contains(ROUTER), "{hint}");
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let hint = |topology: &Topology, address| match select(topology, &query(address)) {
        Selection::Nothing { hint } => hint,
        other => panic!("{other:?}"),
    };
    assert_eq!(hint(&empty(), "192.168.1.3"), "there is no floating IP on this node");
    let mut many = twins();
    many.floating_ips.push(floating_ip("203.0.113.9", "10.9.9.9", ROUTER).into());
    let hint = hint(&many, "203.0.113.8");
    assert!(hint.starts_with("the nearest of 4 are 203.0.113.9 (fixed 10.9.9.9), "), "{hint}");
}
