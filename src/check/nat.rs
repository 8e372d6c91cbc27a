//! Translation, connection tracking, marks, filter: DVR401 to DVR499.

mod filter;
mod guard;
mod half;
mod intercept;
mod metadata;
mod pairs;
mod place;
mod reach;
mod today;
mod tracking;

pub(super) use filter::Suspects;
pub(super) use place::Place;
pub use today::Today;

use super::AgentDoes::{HealsOnRestart, HealsOnUpdate, Never, Partly};
use super::DecidedBy::{Both, Routers, Snapshot};
use super::Severity::{Error, Warning};
use super::{Check, Code};

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[
    Check {
        code: Code(401),
        name: "dnat-rule-missing",
        title: "DNAT rule missing or aimed at the wrong fixed IP",
        severity: Error,
        agent: HealsOnUpdate,
        decided_by: Routers(pairs::dnat),
        page: include_str!("../../assets/codes/DVR401.md"),
    },
    Check {
        code: Code(402),
        name: "float-snat-rule-missing",
        title: "float-snat rule missing or with the wrong source address",
        severity: Error,
        agent: HealsOnUpdate,
        decided_by: Routers(pairs::float_snat),
        page: include_str!("../../assets/codes/DVR402.md"),
    },
    Check {
        code: Code(403),
        name: "dnat-from-everywhere",
        title: "DNAT rule that does not ask for rfp, or stands in OUTPUT too",
        severity: Warning,
        agent: HealsOnUpdate,
        decided_by: Routers(pairs::dnat_from_everywhere),
        page: include_str!("../../assets/codes/DVR403.md"),
    },
    Check {
        code: Code(404),
        name: "internal-traffic-translated",
        title: "internal traffic is translated: its guard is missing or names another device",
        severity: Error,
        agent: HealsOnUpdate,
        decided_by: Routers(guard::internal_traffic),
        page: include_str!("../../assets/codes/DVR404.md"),
    },
    Check {
        code: Code(405),
        name: "association-half-done",
        title: "association half done: some objects exist, others do not",
        severity: Error,
        agent: Partly,
        decided_by: Routers(half::half_done),
        page: include_str!("../../assets/codes/DVR405.md"),
    },
    Check {
        code: Code(406),
        name: "stale-connection",
        title: "tracked connections of a translation that is no more",
        severity: Warning,
        agent: Never,
        decided_by: Routers(tracking::stale),
        page: include_str!("../../assets/codes/DVR406.md"),
    },
    Check {
        code: Code(407),
        name: "snat-adopts-midstream",
        title: "the snat namespace adopts connections midstream",
        severity: Warning,
        agent: HealsOnRestart,
        decided_by: Routers(tracking::loose),
        page: include_str!("../../assets/codes/DVR407.md"),
    },
    Check {
        code: Code(408),
        name: "strict-tcp-windows",
        title: "TCP windows are tracked strictly",
        severity: Warning,
        agent: HealsOnRestart,
        decided_by: Routers(tracking::strict),
        page: include_str!("../../assets/codes/DVR408.md"),
    },
    Check {
        code: Code(409),
        name: "connection-table-full",
        title: "the table of tracked connections is full or nearly so",
        severity: Error,
        agent: Never,
        decided_by: Both(tracking::full, tracking::full_outside),
        page: include_str!("../../assets/codes/DVR409.md"),
    },
    Check {
        code: Code(410),
        name: "fip-namespace-tracks",
        title: "the fip namespace tracks connections",
        severity: Warning,
        agent: HealsOnRestart,
        decided_by: Snapshot(tracking::notrack),
        page: include_str!("../../assets/codes/DVR410.md"),
    },
    Check {
        code: Code(411),
        name: "chains-not-reached",
        title: "the agent's chains are not reached, or stand in two packet filters",
        severity: Error,
        agent: HealsOnUpdate,
        decided_by: Routers(reach::chains),
        page: include_str!("../../assets/codes/DVR411.md"),
    },
    Check {
        code: Code(412),
        name: "floating-ip-twice",
        title: "one floating IP in two places",
        severity: Error,
        agent: Never,
        decided_by: Both(pairs::several, pairs::twice),
        page: include_str!("../../assets/codes/DVR412.md"),
    },
    Check {
        code: Code(413),
        name: "scope-mark-drops",
        title: "address scope marks drop a floating IP's packets",
        severity: Error,
        agent: HealsOnUpdate,
        decided_by: Routers(filter::scope),
        page: include_str!("../../assets/codes/DVR413.md"),
    },
    Check {
        code: Code(414),
        name: "metadata-redirect-missing",
        title: "metadata redirect missing",
        severity: Warning,
        agent: HealsOnRestart,
        decided_by: Routers(metadata::redirect),
        page: include_str!("../../assets/codes/DVR414.md"),
    },
    Check {
        code: Code(415),
        name: "foreign-rule-drops",
        title: "a rule that is not the agent's stops a floating IP's packets",
        severity: Error,
        agent: Never,
        decided_by: Routers(filter::foreign),
        page: include_str!("../../assets/codes/DVR415.md"),
    },
];
