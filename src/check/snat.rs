//! SNAT and centralized floating IPs: DVR801 to DVR899.

mod asked;
mod floating;
mod ports;

use super::AgentDoes::{HealsOnRestart, HealsOnUpdate, Never, NotApplicable};
use super::DecidedBy::{Elsewhere, Routers, Snapshot, Wire};
use super::Severity::{Error, Note, Warning};
use super::{Check, Code};

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[
    Check {
        code: Code(801),
        name: "two-active-snat",
        title: "two active SNAT instances",
        severity: Error,
        agent: Never,
        decided_by: Wire(asked::two_active),
        page: include_str!("../../assets/codes/DVR801.md"),
    },
    Check {
        code: Code(802),
        name: "no-active-snat",
        title: "no active SNAT instance",
        severity: Error,
        agent: Never,
        decided_by: Elsewhere,
        page: include_str!("../../assets/codes/DVR802.md"),
    },
    Check {
        code: Code(803),
        name: "snat-port-missing",
        title: "snat port missing, duplicated, down or not of a tenant subnet",
        severity: Error,
        agent: HealsOnRestart,
        decided_by: Routers(ports::snat_ports),
        page: include_str!("../../assets/codes/DVR803.md"),
    },
    Check {
        code: Code(804),
        name: "centralized-left-behind",
        title: "centralized floating IP left on the gateway port beside a distributed one",
        severity: Error,
        agent: HealsOnUpdate,
        decided_by: Snapshot(floating::left_behind),
        page: include_str!("../../assets/codes/DVR804.md"),
    },
    Check {
        code: Code(805),
        name: "centralized-address-lost",
        title: "centralized floating IP lost from the gateway port",
        severity: Error,
        agent: HealsOnRestart,
        decided_by: Routers(floating::address_lost),
        page: include_str!("../../assets/codes/DVR805.md"),
    },
    Check {
        code: Code(806),
        name: "centralized-untranslated",
        title: "centralized floating IP without translation after a failover",
        severity: Error,
        agent: HealsOnUpdate,
        decided_by: Routers(floating::untranslated),
        page: include_str!("../../assets/codes/DVR806.md"),
    },
    Check {
        code: Code(807),
        name: "centralized-by-design",
        title: "floating IP is centralized by design, not missing",
        severity: Note,
        agent: NotApplicable,
        decided_by: Routers(floating::by_design),
        page: include_str!("../../assets/codes/DVR807.md"),
    },
    Check {
        code: Code(808),
        name: "snat-extra-routes-wrong",
        title: "extra routes missing or doubled in the snat namespace",
        severity: Warning,
        agent: HealsOnUpdate,
        decided_by: Elsewhere,
        page: include_str!("../../assets/codes/DVR808.md"),
    },
    Check {
        code: Code(809),
        name: "gateway-port-twice",
        title: "stale or second gateway port",
        severity: Warning,
        agent: HealsOnUpdate,
        decided_by: Routers(ports::gateway_twice),
        page: include_str!("../../assets/codes/DVR809.md"),
    },
    Check {
        code: Code(810),
        name: "gateway-port-unbound",
        title: "gateway or snat port bound to the wrong host or unbound",
        severity: Error,
        agent: Never,
        decided_by: Elsewhere,
        page: include_str!("../../assets/codes/DVR810.md"),
    },
];
