//! Policy routing in the router namespace: DVR301 to DVR399.

mod forwarding;
mod redirect;
mod reverse;
mod rule;
mod shadow;
mod stray;
mod table;

pub(super) use rule::{Priorities, Rules};

use super::DecidedBy::{Both, Routers, Snapshot};
use super::{AgentDoes, Check, Code, Severity};

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[
    Check {
        code: Code(301),
        name: "floating-ip-rule-missing",
        title: "no rule sends the fixed IP to table 16",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnReassociation,
        decided_by: Routers(rule::missing),
        page: include_str!("../../assets/codes/DVR301.md"),
    },
    Check {
        code: Code(302),
        name: "floating-ip-rule-wrong-table",
        title: "the fixed IP's rule does not lead to table 16",
        severity: Severity::Error,
        agent: AgentDoes::Never,
        decided_by: Routers(rule::wrong_table),
        page: include_str!("../../assets/codes/DVR302.md"),
    },
    Check {
        code: Code(303),
        name: "floating-ip-rule-stray",
        title: "a rule to table 16 is double or nobody's",
        severity: Severity::Error,
        agent: AgentDoes::Never,
        decided_by: Routers(stray::stray),
        page: include_str!("../../assets/codes/DVR303.md"),
    },
    Check {
        code: Code(304),
        name: "floating-ip-rule-shadowed",
        title: "another rule is asked before the fixed IP's",
        severity: Severity::Error,
        agent: AgentDoes::Never,
        decided_by: Routers(shadow::by_rule),
        page: include_str!("../../assets/codes/DVR304.md"),
    },
    Check {
        code: Code(305),
        name: "table-16-default-wrong",
        title: "table 16 does not lead to the fip namespace",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnRestart,
        decided_by: Routers(table::default_wrong),
        page: include_str!("../../assets/codes/DVR305.md"),
    },
    Check {
        code: Code(306),
        name: "main-table-shadows-rules",
        title: "a route in main is found before the floating IPs' rules",
        severity: Severity::Error,
        agent: AgentDoes::Never,
        decided_by: Routers(shadow::by_main),
        page: include_str!("../../assets/codes/DVR306.md"),
    },
    Check {
        code: Code(307),
        name: "snat-redirect-missing",
        title: "a subnet's way to the snat namespace is not whole",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnRestart,
        decided_by: Routers(redirect::missing),
        page: include_str!("../../assets/codes/DVR307.md"),
    },
    Check {
        code: Code(308),
        name: "snat-redirect-stale",
        title: "a redirect is left for a subnet that is gone",
        severity: Severity::Warning,
        agent: AgentDoes::HealsOnRestart,
        decided_by: Routers(redirect::stale),
        page: include_str!("../../assets/codes/DVR308.md"),
    },
    Check {
        code: Code(309),
        name: "fast-exit-rule-wrong",
        title: "the fast exit rules are not those of the subnets",
        severity: Severity::Error,
        agent: AgentDoes::Partly,
        decided_by: Routers(redirect::fast_exit),
        page: include_str!("../../assets/codes/DVR309.md"),
    },
    Check {
        code: Code(310),
        name: "fixed-ip-disagrees",
        title: "rule and translation name different fixed IPs",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnUpdate,
        decided_by: Routers(rule::disagrees),
        page: include_str!("../../assets/codes/DVR310.md"),
    },
    Check {
        code: Code(311),
        name: "forwarding-off",
        title: "a namespace does not forward IPv4",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnRestart,
        decided_by: Both(forwarding::off, forwarding::off_outside),
        page: include_str!("../../assets/codes/DVR311.md"),
    },
    Check {
        code: Code(312),
        name: "reverse-path-refused",
        title: "rp_filter refuses a floating IP's packets",
        severity: Severity::Error,
        agent: AgentDoes::Never,
        decided_by: Snapshot(reverse::refused),
        page: include_str!("../../assets/codes/DVR312.md"),
    },
    Check {
        code: Code(313),
        name: "ipv6-not-distributed",
        title: "IPv6 of these instances goes through the network node",
        severity: Severity::Note,
        agent: AgentDoes::NotApplicable,
        decided_by: Routers(redirect::ipv6),
        page: include_str!("../../assets/codes/DVR313.md"),
    },
];
