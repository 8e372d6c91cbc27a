//! Namespaces and the agent: DVR101 to DVR199.

mod leftover;
mod missing;
mod process;

use super::{AgentDoes, Check, Code, DecidedBy, Severity};
use crate::net::{Netns, Peer};
use crate::topology::{PairEnd, Router, RouterKind};

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[
    Check {
        code: Code(101),
        name: "fip-namespace-missing",
        title: "the fip namespace is missing while floating IPs are translated here",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnUpdate,
        decided_by: DecidedBy::Routers(missing::fip_namespace),
        page: include_str!("../../assets/codes/DVR101.md"),
    },
    Check {
        code: Code(102),
        name: "router-namespace-missing",
        title: "the router namespace is missing while the node still speaks of the router",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnRestart,
        decided_by: DecidedBy::Snapshot(missing::router_namespace),
        page: include_str!("../../assets/codes/DVR102.md"),
    },
    Check {
        code: Code(103),
        name: "router-namespace-left-over",
        title: "a router namespace serves no port of this node",
        severity: Severity::Note,
        agent: AgentDoes::HealsOnRestart,
        decided_by: DecidedBy::Snapshot(leftover::router_namespace),
        page: include_str!("../../assets/codes/DVR103.md"),
    },
    Check {
        code: Code(104),
        name: "fip-namespace-left-over",
        title: "a fip namespace serves no router",
        severity: Severity::Note,
        agent: AgentDoes::HealsOnRestart,
        decided_by: DecidedBy::Snapshot(leftover::fip_namespace),
        page: include_str!("../../assets/codes/DVR104.md"),
    },
    Check {
        code: Code(105),
        name: "snat-namespace-unexpected",
        title: "a snat namespace stands on a node that is not the router's",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnUpdate,
        decided_by: DecidedBy::Elsewhere,
        page: include_str!("../../assets/codes/DVR105.md"),
    },
    Check {
        code: Code(106),
        name: "ghost-namespace",
        title: "the pair leads into a namespace that has lost its name",
        severity: Severity::Error,
        agent: AgentDoes::Never,
        decided_by: DecidedBy::Routers(missing::ghost),
        page: include_str!("../../assets/codes/DVR106.md"),
    },
    Check {
        code: Code(107),
        name: "namespace-name-dangling",
        title: "a namespace's name leads to no namespace",
        severity: Severity::Error,
        agent: AgentDoes::Never,
        decided_by: DecidedBy::Snapshot(process::dangling),
        page: include_str!("../../assets/codes/DVR107.md"),
    },
    Check {
        code: Code(108),
        name: "agent-not-running",
        title: "no L3 agent runs: what stands here is frozen",
        severity: Severity::Warning,
        agent: AgentDoes::HealsOnRestart,
        decided_by: DecidedBy::Snapshot(process::agent),
        page: include_str!("../../assets/codes/DVR108.md"),
    },
    Check {
        code: Code(109),
        name: "router-half-built",
        title: "the pair stands, and nothing that is built after it",
        severity: Severity::Error,
        agent: AgentDoes::HealsOnRestart,
        decided_by: DecidedBy::Routers(process::half_built),
        page: include_str!("../../assets/codes/DVR109.md"),
    },
];

fn is_distributed(router: &Router) -> bool {
    matches!(router.kind, RouterKind::Distributed | RouterKind::DistributedHa)
}

/// True for a veth whose other end is in a namespace without a name.
fn leads_nowhere(netns: Option<&Netns>, end: Option<&PairEnd>) -> bool {
    let link = netns.zip(end).and_then(|(netns, end)| netns.link(&end.device));
    link.is_some_and(|link| link.peer == Some(Peer::Elsewhere))
}
