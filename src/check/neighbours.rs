//! Neighbours and internal ports: DVR701 to DVR799.

mod asked;
mod entries;
mod ports;
mod recorded;

use super::AgentDoes::{HealsOnRestart, Never};
use super::DecidedBy::{Elsewhere, Routers, Snapshot, Wire};
use super::Severity::{Error, Warning};
use super::{Check, Code};

pub(super) use recorded::recorded;

/// The wire decides it, and in one case Open vSwitch's record, too.
pub(super) const FROZEN: Code = Code(702);

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[
    Check {
        code: Code(701),
        name: "neighbour-missing",
        title: "permanent neighbour missing on a router port",
        severity: Warning,
        agent: HealsOnRestart,
        decided_by: Routers(entries::missing),
        page: include_str!("../../assets/codes/DVR701.md"),
    },
    Check {
        code: FROZEN,
        name: "neighbour-frozen",
        title: "permanent neighbour frozen on the wrong hardware address",
        severity: Error,
        agent: Never,
        decided_by: Wire(asked::frozen),
        page: include_str!("../../assets/codes/DVR702.md"),
    },
    Check {
        code: Code(703),
        name: "neighbour-on-wrong-port",
        title: "neighbour written on a port of another subnet",
        severity: Warning,
        agent: HealsOnRestart,
        decided_by: Routers(entries::misplaced),
        page: include_str!("../../assets/codes/DVR703.md"),
    },
    Check {
        code: Code(704),
        name: "host-mac-flows-wrong",
        title: "flows that swap DVR host and gateway addresses missing or wrong",
        severity: Error,
        agent: Never,
        decided_by: Elsewhere,
        page: include_str!("../../assets/codes/DVR704.md"),
    },
    Check {
        code: Code(705),
        name: "arp-responder-off",
        title: "l2population or ARP responder off with DVR tunnels",
        severity: Error,
        agent: Never,
        decided_by: Elsewhere,
        page: include_str!("../../assets/codes/DVR705.md"),
    },
    Check {
        code: Code(706),
        name: "ofport-changed",
        title: "a router port has an invalid or changed OpenFlow port",
        severity: Error,
        agent: Never,
        decided_by: Elsewhere,
        page: include_str!("../../assets/codes/DVR706.md"),
    },
    Check {
        code: Code(707),
        name: "not-the-gateway",
        title: "the router's port has not the address of the subnet's gateway",
        severity: Warning,
        agent: Never,
        decided_by: Snapshot(ports::not_the_gateway),
        page: include_str!("../../assets/codes/DVR707.md"),
    },
    Check {
        code: Code(708),
        name: "firewall-flows-collide",
        title: "flows of the firewall and of DVR collide",
        severity: Error,
        agent: Never,
        decided_by: Elsewhere,
        page: include_str!("../../assets/codes/DVR708.md"),
    },
    Check {
        code: Code(709),
        name: "duplicate-replies",
        title: "duplicate replies on a flat network",
        severity: Warning,
        agent: Never,
        decided_by: Elsewhere,
        page: include_str!("../../assets/codes/DVR709.md"),
    },
    Check {
        code: Code(710),
        name: "router-port-down",
        title: "a router port is missing, down, or without its address",
        severity: Error,
        agent: Never,
        decided_by: Routers(ports::down),
        page: include_str!("../../assets/codes/DVR710.md"),
    },
];
