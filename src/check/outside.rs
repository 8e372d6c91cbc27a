//! The external attachment: fg, Open vSwitch: DVR601 to DVR699.

mod asked;
mod port;
mod switch;

use super::{AgentDoes, Check, Code, DecidedBy, Severity};

macro_rules! check {
    ($number:literal, $name:literal, $title:literal, $severity:ident, $agent:ident, $decided:expr) => {
        Check {
            code: Code($number),
            name: $name,
            title: $title,
            severity: Severity::$severity,
            agent: AgentDoes::$agent,
            decided_by: $decided,
            page: include_str!(concat!("../../assets/codes/DVR", $number, ".md")),
        }
    };
}

use DecidedBy::{Both, Elsewhere, Snapshot, Wire};

/// The checks of this family, in code order.
pub(super) static CHECKS: &[Check] = &[
    check!(
        601,
        "agent-gateway-port-missing",
        "the fip namespace has no agent gateway port",
        Error,
        HealsOnUpdate,
        Snapshot(port::missing)
    ),
    check!(
        602,
        "agent-gateway-port-down",
        "the agent gateway port is down or not plugged",
        Error,
        Never,
        Snapshot(port::down)
    ),
    check!(
        603,
        "agent-gateway-port-doubled",
        "the fip namespace has more than one agent gateway port",
        Error,
        HealsOnRestart,
        Snapshot(port::doubled)
    ),
    check!(
        604,
        "port-on-dead-vlan",
        "Open vSwitch keeps the port on the dead VLAN or on none",
        Error,
        Never,
        Both(switch::dead_vlan, switch::dead_vlan_outside)
    ),
    check!(605, "external-network-not-wired", "the external network does not reach this node", Error, Never, Elsewhere),
    check!(
        606,
        "agent-gateway-address-conflict",
        "another host has fg's address",
        Error,
        Never,
        Wire(asked::address_conflict)
    ),
    check!(
        607,
        "floating-ip-answered-twice",
        "another host answers ARP for the floating IP",
        Error,
        Never,
        Wire(asked::answered_twice)
    ),
    check!(
        608,
        "announcement-ignored",
        "the outside keeps the hardware address from before a move",
        Error,
        Never,
        Elsewhere
    ),
    check!(609, "announcement-not-sent", "nobody announced the floating IP", Warning, Never, Elsewhere),
    check!(
        610,
        "external-gateway-silent",
        "the external gateway does not answer",
        Error,
        Never,
        Wire(asked::gateway_silent)
    ),
    check!(
        611,
        "agent-gateway-port-not-in-neutron",
        "Neutron has no agent gateway port for this node",
        Error,
        Never,
        Elsewhere
    ),
    check!(612, "external-pool-exhausted", "the external network has no address left", Error, NotApplicable, Elsewhere),
    check!(
        613,
        "floating-ip-off-link",
        "no prefix on fg covers the floating IP",
        Warning,
        Never,
        Snapshot(port::off_link)
    ),
    check!(614, "openflow-rules-lost", "Open vSwitch lost the flows of distributed routers", Error, Never, Elsewhere),
    check!(615, "bridge-loop", "packets circle between bridges", Error, Never, Elsewhere),
    check!(
        616,
        "agent-gateway-address-missing",
        "fg has no usable address on the external network",
        Error,
        HealsOnRestart,
        Snapshot(port::no_address)
    ),
];
