//! What a failure needs that the article's node has not.

use super::{LabOptions, faults};

/// A part of the node that stands only where it is asked for, or where what is
/// to be broken is of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A second router on the article's external network and one on another, and
    /// in Pike's layout a centralized floating IP.
    More,
    /// Nothing of the external network on the node: no fip namespace, no fg, no
    /// pair; but a bridge of the host's own that leads to it (Linux's, unless
    /// [`Need::Switch`] brings one).
    Unplugged,
    /// A legacy router with a floating IP.
    Legacy,
    /// A highly available legacy router with a floating IP, this node its primary.
    HighlyAvailable,
    /// A second subnet on the article's external network, and a floating IP of it.
    SecondSubnet,
    /// Open vSwitch itself, in user space, in place of the lab's own bridges:
    /// `br-int` with the node's ports, `br-ex` that leads outside.
    Switch,
    /// Open vSwitch's database with the node's ports, a router without gateway,
    /// and one whose port has not its subnet's first address.
    OpenVswitch,
    /// The agent's configuration where it is looked for, and no agent.
    Configuration,
}

impl LabOptions {
    /// Whether that part is to stand.
    pub(super) fn has(&self, need: Need) -> bool {
        let asked = self.needs.contains(&need) || (need == Need::More && self.more);
        asked
            || self
                .broken
                .iter()
                .any(|code| faults::find(*code, self.layout).is_ok_and(|fault| fault.needs.contains(&need)))
    }
}
