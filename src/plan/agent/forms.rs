//! What differs between releases of the agent.

use crate::net::IfName;
use crate::net::netfilter::Backend;
use crate::neutron::{AgentPrefix, Layout};

/// The forms in which an agent writes. [`Forms::of`] gives those of one release
/// of each layout; a node at hand may mix them differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forms {
    /// The layout of floating IPs.
    pub layout: Layout,
    /// The packet filter that the agent writes to.
    pub backend: Backend,
    /// What the names of its chains begin with.
    pub prefix: AgentPrefix,
    /// SNAT ends with `--random-fully` (Stein; backported).
    pub random_fully: bool,
    /// The guard says `! -i rfp ! -o rfp`, not only `! -o rfp` (to 14.0.2).
    pub guard_input: bool,
    /// Chains and marks of address scopes (from Mitaka).
    pub scopes: bool,
    /// Permanent neighbours on rfp and fpr (from Stein; backported).
    pub pair_neighbours: bool,
    /// `arp_ignore` and `arp_announce` in each namespace (from Pike).
    pub arp_settings: bool,
    /// `ip_nonlocal_bind` in the fip namespace (from Liberty).
    pub nonlocal_bind: bool,
    /// `proxy_delay` on fg (from Zed), `tcp_be_liberal` (from 26.0.0),
    /// `ip_nonlocal_bind` in the snat namespace (from Zed).
    pub recent_settings: bool,
    /// The router's SNAT rule names the gateway device, and there are marks for
    /// what came in there (from Kilo); before, one rule for each subnet.
    pub snat_by_device: bool,
    /// `RTPROT_*` of the agent's routes: boot (3) to Stein, static (4) from Train.
    pub route_protocol: u8,
}

impl Forms {
    /// The forms of Juno 2014.2, Newton 9.0 and 2026.2 (29.0.0).
    pub fn of(layout: Layout, backend: Backend) -> Self {
        let newton = layout >= Layout::Newton;
        let recent = layout == Layout::Pike;
        Self {
            layout,
            backend,
            prefix: AgentPrefix::new("neutron-l3-agent"),
            random_fully: recent,
            guard_input: !recent,
            scopes: newton,
            pair_neighbours: recent,
            arp_settings: recent,
            nonlocal_bind: newton,
            recent_settings: recent,
            snat_by_device: newton,
            route_protocol: if recent { 4 } else { 3 },
        }
    }

    /// A chain of this agent's.
    pub(super) fn chain(&self, name: &str) -> String {
        self.prefix.chain(name)
    }

    /// `-j SNAT --to-source …` in this release's form.
    pub fn snat_to(&self, address: impl std::fmt::Display) -> String {
        let random = if self.random_fully { " --random-fully" } else { "" };
        format!("-j SNAT --to-source {address}{random}")
    }

    /// The rule that keeps traffic which does not leave through `device` from
    /// being translated.
    pub fn guard(&self, device: &IfName) -> String {
        let input = if self.guard_input { format!("! -i {device} ") } else { String::new() };
        format!("{input}! -o {device} -m conntrack ! --ctstate DNAT -j ACCEPT")
    }
}
