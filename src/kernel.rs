//! Reads the node: netlink dumps, netfilter, sysctls, Open vSwitch, the agent's files; the same from a snapshot file or a sosreport.

pub mod netfilter;
mod nft;
