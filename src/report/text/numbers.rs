//! Numbers that mean something get their name: the agent numbers tables and
//! rules by addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::topology::Topology;

/// What the numbers of a node's tables and rules stand for.
pub(super) struct Numbers(BTreeMap<String, String>);

impl Numbers {
    /// The numbers of this node: `_get_snat_idx` of
    /// `neutron/agent/l3/dvr_local_router.py` reads an address as an integer,
    /// table 16 is `FIP_RT_TBL` of `neutron/agent/l3/dvr_fip_ns.py`.
    pub(super) fn of(topology: &Topology) -> Self {
        let mut names = BTreeMap::from([("16".to_owned(), "floating IPs".to_owned())]);
        let mut add = |address: IpAddr, name: String| {
            if let IpAddr::V4(address) = address {
                names.insert(address.to_bits().to_string(), name);
            }
        };
        for router in &topology.routers {
            let id: String = router.id.chars().take(8).collect();
            for address in router.internal.iter().flat_map(|port| &port.addresses) {
                add(address.addr(), format!("router {id}, subnet {address}"));
            }
            if let Some(address) = router.fip_2_rtr.as_ref().and_then(|end| end.address) {
                add(address.addr(), format!("router {id}, fpr {}", address.addr()));
            }
        }
        Self(names)
    }

    /// The text with names behind table numbers, each number once.
    pub(super) fn named(&self, text: &str) -> String {
        let mut out = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        let mut before = "";
        for word in text.split(' ') {
            let number = word.trim_end_matches([',', ':', ';', ')']);
            let is_table = matches!(before, "table" | "lookup");
            match self.0.get(number) {
                Some(name) if is_table && number == word && !seen.contains(&number) => {
                    seen.push(number);
                    out.push(format!("{word} ({name})"));
                }
                _ => out.push(word.to_owned()),
            }
            before = word;
        }
        out.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_are_named() {
        let numbers = Numbers(BTreeMap::from([("16".to_owned(), "floating IPs".to_owned())]));
        assert_eq!(numbers.named("16: from 10.0.0.4 lookup 16"), "16: from 10.0.0.4 lookup 16 (floating IPs)");
        assert_eq!(numbers.named("metric 16"), "metric 16");
        assert_eq!(numbers.named("lookup 161"), "lookup 161");
    }
}
