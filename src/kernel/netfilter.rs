//! The packet filter of the current thread's network namespace, of whichever
//! backend holds it: `nf_tables` through netlink, legacy `ip_tables` through
//! `iptables-legacy-save`.

mod legacy;

use crate::kernel::nft;
use crate::net::Observed;
use crate::net::netfilter::Netfilter;

/// Reads both backends, each with its own outcome. The caller enters the
/// namespace; nothing here changes it.
pub fn read_netfilter() -> Observed<Netfilter> {
    Observed::Seen(Netfilter { nft: nft::read(), legacy: legacy::read(), words_only: false })
}

/// Reads the legacy backend alone, of whose changes the kernel says nothing.
pub(crate) fn read_legacy() -> Netfilter {
    Netfilter { nft: Observed::Absent, legacy: legacy::read(), words_only: false }
}
