//! The agent's files, drift, the host: DVR901 to DVR999.

mod linklocal;
mod priorities;
mod shared;

use super::{AgentDoes, Check, Code, DecidedBy, Severity};

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[
    Check {
        code: Code(901),
        name: "fip-priorities-inconsistent",
        title: "fip-priorities does not say what the rules say",
        severity: Severity::Warning,
        agent: AgentDoes::Never,
        decided_by: DecidedBy::Both(priorities::entries, priorities::file),
        page: include_str!("../../assets/codes/DVR901.md"),
    },
    Check {
        code: Code(902),
        name: "fip-linklocal-networks-inconsistent",
        title: "fip-linklocal-networks does not say what the pairs say",
        severity: Severity::Warning,
        agent: AgentDoes::Never,
        decided_by: DecidedBy::Snapshot(linklocal::inconsistent),
        page: include_str!("../../assets/codes/DVR902.md"),
    },
    Check {
        code: Code(903),
        name: "allocation-file-overwritten",
        title: "another external network has overwritten an allocation file",
        severity: Severity::Warning,
        agent: AgentDoes::Never,
        decided_by: DecidedBy::Snapshot(shared::overwritten),
        page: include_str!("../../assets/codes/DVR903.md"),
    },
    Check {
        code: Code(904),
        name: "allocation-pool-nearly-exhausted",
        title: "an allocation pool is nearly used up by entries that nothing needs",
        severity: Severity::Warning,
        agent: AgentDoes::Never,
        decided_by: DecidedBy::Snapshot(shared::exhausted),
        page: include_str!("../../assets/codes/DVR904.md"),
    },
    elsewhere(
        905,
        "status-contradicts-node",
        "Neutron's status of a floating IP is not what stands here",
        AgentDoes::Partly,
        include_str!("../../assets/codes/DVR905.md"),
    ),
    elsewhere(
        906,
        "working-floating-ip-in-error",
        "Neutron calls a floating IP broken that works",
        AgentDoes::HealsOnRestart,
        include_str!("../../assets/codes/DVR906.md"),
    ),
    elsewhere(
        907,
        "floating-ip-of-another-host",
        "a floating IP stands here that Neutron has bound to another host",
        AgentDoes::HealsOnUpdate,
        include_str!("../../assets/codes/DVR907.md"),
    ),
    elsewhere(
        908,
        "live-migration-residue",
        "a live migration has left objects behind",
        AgentDoes::Partly,
        include_str!("../../assets/codes/DVR908.md"),
    ),
    elsewhere(
        909,
        "floating-ip-on-wrong-router",
        "another router than Neutron's serves the floating IP",
        AgentDoes::Never,
        include_str!("../../assets/codes/DVR909.md"),
    ),
    Check {
        code: Code(910),
        name: "port-forwarding-diverted",
        title: "a distributed floating IP takes the answers of a port forwarding away",
        severity: Severity::Error,
        agent: AgentDoes::NotApplicable,
        decided_by: DecidedBy::Routers(shared::port_forwarding),
        page: include_str!("../../assets/codes/DVR910.md"),
    },
    Check {
        code: Code(911),
        name: "qos-filter-stale",
        title: "more floating-IP QoS filters than floating IPs",
        severity: Severity::Warning,
        agent: AgentDoes::Partly,
        decided_by: DecidedBy::Routers(shared::qos),
        page: include_str!("../../assets/codes/DVR911.md"),
    },
    elsewhere(
        912,
        "host-lacks-feature",
        "the host lacks something that the data path needs",
        AgentDoes::NotApplicable,
        include_str!("../../assets/codes/DVR912.md"),
    ),
    elsewhere(
        913,
        "port-type-unsupported",
        "a floating IP on a port that no bridge of this node sees",
        AgentDoes::NotApplicable,
        include_str!("../../assets/codes/DVR913.md"),
    ),
];

const fn elsewhere(code: u16, name: &'static str, title: &'static str, agent: AgentDoes, page: &'static str) -> Check {
    Check { code: Code(code), name, title, severity: Severity::Warning, agent, decided_by: DecidedBy::Elsewhere, page }
}
