//! The rfp/fpr pair: DVR201 to DVR299.

mod address;
mod device;
mod flap;
mod mtu;
mod neighbour;
mod rebuild;
mod wanted;

pub(super) use wanted::{default_16, default_16_change};

use super::DecidedBy::{Both, Routers, Snapshot};
use super::{AgentDoes, Check, Code, Severity};

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[
    Check {
        code: Code(201),
        name: "rfp-missing",
        title: "the router's end of the pair is missing",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnUpdate,
        decided_by: Routers(device::rfp_missing),
        page: include_str!("../../assets/codes/DVR201.md"),
    },
    Check {
        code: Code(202),
        name: "fpr-missing",
        title: "the fip namespace's end of the pair is missing or elsewhere",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnUpdate,
        decided_by: Routers(device::fpr_missing),
        page: include_str!("../../assets/codes/DVR202.md"),
    },
    Check {
        code: Code(203),
        name: "pair-device-down",
        title: "an end of the pair is switched off",
        severity: Severity::Error,
        agent: AgentDoes::Never,
        decided_by: Routers(device::down),
        page: include_str!("../../assets/codes/DVR203.md"),
    },
    Check {
        code: Code(204),
        name: "pair-address-missing",
        title: "an end of the pair has no link-local address",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnRestart,
        decided_by: Routers(address::missing),
        page: include_str!("../../assets/codes/DVR204.md"),
    },
    Check {
        code: Code(205),
        name: "pair-address-mismatch",
        title: "the two ends are not of one /31",
        severity: Severity::Error,
        agent: AgentDoes::Never,
        decided_by: Routers(address::mismatch),
        page: include_str!("../../assets/codes/DVR205.md"),
    },
    Check {
        code: Code(206),
        name: "pair-address-shared",
        title: "two routers have the same link-local pair",
        severity: Severity::Error,
        agent: AgentDoes::Never,
        decided_by: Snapshot(address::shared),
        page: include_str!("../../assets/codes/DVR206.md"),
    },
    Check {
        code: Code(207),
        name: "pair-address-surplus",
        title: "an end of the pair has more than one link-local pair",
        severity: Severity::Warning,
        agent: AgentDoes::Never,
        decided_by: Routers(address::surplus),
        page: include_str!("../../assets/codes/DVR207.md"),
    },
    Check {
        code: Code(208),
        name: "pair-neighbour-wrong",
        title: "an end of the pair does not know the other's hardware address",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnRestart,
        decided_by: Routers(neighbour::wrong),
        page: include_str!("../../assets/codes/DVR208.md"),
    },
    Check {
        code: Code(209),
        name: "pair-mtu-mismatch",
        title: "the two ends of the pair have different MTUs",
        severity: Severity::Warning,
        agent: AgentDoes::HealsOnRestart,
        decided_by: Routers(mtu::mismatch),
        page: include_str!("../../assets/codes/DVR209.md"),
    },
    Check {
        code: Code(210),
        name: "path-mtu-shrinks",
        title: "the pair is narrower than the ports before and behind it",
        severity: Severity::Warning,
        agent: AgentDoes::HealsOnRestart,
        decided_by: Routers(mtu::shrinks),
        page: include_str!("../../assets/codes/DVR210.md"),
    },
    Check {
        code: Code(211),
        name: "floating-ip-on-rfp",
        title: "a floating IP is left as an address of rfp",
        severity: Severity::Warning,
        agent: AgentDoes::Never,
        decided_by: Routers(address::left_over),
        page: include_str!("../../assets/codes/DVR211.md"),
    },
    Check {
        code: Code(212),
        name: "routes-lost-with-link",
        title: "a device is up, but what the agent had put on it is gone",
        severity: Severity::Error,
        agent: AgentDoes::Partly,
        decided_by: Both(flap::flapped, flap::flapped_outside),
        page: include_str!("../../assets/codes/DVR212.md"),
    },
];
