//! A route.

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Family, IfName, TableId};

/// Table, destination, type of service, metric, source.
pub(super) type RouteKey = (TableId, IpNet, u8, u32, Option<IpNet>);

/// One route of one table (`ip route show table all`, `struct rtmsg`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// The table that holds it.
    pub table: TableId,
    /// The destination prefix; a zero length is the default route.
    pub dst: IpNet,
    /// The type of service it is for; 0 is any.
    #[serde(default)]
    pub tos: u8,
    /// The metric (`RTA_PRIORITY`): the lower number wins. 0 where none is set.
    #[serde(default)]
    pub metric: u32,
    /// What it does with a packet.
    pub kind: RouteKind,
    /// Where it leads; empty for kinds that lead nowhere.
    #[serde(default)]
    pub next_hops: Vec<NextHop>,
    /// The source address that the node itself would use (`src`).
    #[serde(default)]
    pub pref_src: Option<IpAddr>,
    /// A source prefix that restricts it (IPv6 only, `from`).
    #[serde(default)]
    pub src: Option<IpNet>,
    /// The scope (`RT_SCOPE_*`).
    #[serde(default)]
    pub scope: u8,
    /// Who installed it (`RTPROT_*`).
    #[serde(default)]
    pub protocol: u8,
    /// The path MTU that it sets, in bytes.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// The id of a next-hop object (`nhid`).
    #[serde(default)]
    pub nexthop_id: Option<u32>,
}

/// One way onward.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct NextHop {
    /// The gateway; `None` where the destination is on the link.
    pub via: Option<IpAddr>,
    /// The device.
    pub dev: Option<IfName>,
    /// `RTNH_F_ONLINK`: the gateway counts as on the link whatever the tables say.
    pub onlink: bool,
    /// `RTNH_F_DEAD`: the kernel does not use it.
    pub dead: bool,
    /// `RTNH_F_LINKDOWN`: its device has no carrier.
    pub linkdown: bool,
    /// Its weight among several, from 1.
    pub weight: u16,
}

/// `RTN_*` of `include/uapi/linux/rtnetlink.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteKind {
    /// Forward to the next hop.
    Unicast,
    /// Deliver to the node itself.
    Local,
    /// Deliver as broadcast.
    Broadcast,
    /// Deliver as anycast.
    Anycast,
    /// A multicast route.
    Multicast,
    /// Drop silently.
    Blackhole,
    /// Answer "host unreachable".
    Unreachable,
    /// Answer "administratively prohibited".
    Prohibit,
    /// Go on with the next rule.
    Throw,
    /// A number that is new to us.
    Other(u8),
}

impl Route {
    /// A unicast route, to be refined.
    pub fn unicast(table: TableId, dst: IpNet, via: Option<IpAddr>, dev: &IfName) -> Self {
        let hop = NextHop { via, dev: Some(dev.clone()), weight: 1, ..NextHop::default() };
        Self {
            table,
            dst,
            tos: 0,
            metric: 0,
            kind: RouteKind::Unicast,
            next_hops: vec![hop],
            pref_src: None,
            src: None,
            scope: 0,
            protocol: 0,
            mtu: None,
            nexthop_id: None,
        }
    }

    /// The family, by its destination.
    pub fn family(&self) -> Family {
        if self.dst.addr().is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// What makes it the same route to the kernel (`fib_find_alias` in
    /// `net/ipv4/fib_trie.c`). Several of one key may stand beside each other.
    pub(super) fn key(&self) -> RouteKey {
        (self.table, self.dst, self.tos, self.metric, self.src)
    }

    /// Sorts routes by their keys. Of IPv4 routes of one key the one that came
    /// first is used, so these keep their order; IPv6 chooses among equals by
    /// device and reachability (`find_rr_leaf` in `net/ipv6/route.c`), so their
    /// order means nothing.
    pub(super) fn sort(routes: &mut [Self]) {
        routes.sort_by(|one, other| {
            one.key().cmp(&other.key()).then_with(|| match one.family() {
                Family::V4 => Ordering::Equal,
                Family::V6 => one.cmp(other),
            })
        });
    }

    /// True for a prefix of length zero.
    pub fn is_default(&self) -> bool {
        self.dst.prefix_len() == 0
    }

    /// The device, where there is exactly one way.
    pub fn dev(&self) -> Option<&IfName> {
        match self.next_hops.as_slice() {
            [hop] => hop.dev.as_ref(),
            _ => None,
        }
    }

    /// The gateway, where there is exactly one way.
    pub fn via(&self) -> Option<IpAddr> {
        match self.next_hops.as_slice() {
            [hop] => hop.via,
            _ => None,
        }
    }

    /// The words of `ip route` without table, protocol and scope: what
    /// identifies the route and what `ip route del` takes.
    pub fn brief(&self) -> String {
        let mut words = Vec::new();
        if self.kind != RouteKind::Unicast {
            words.push(self.kind.word());
        }
        words.push(self.dst_word());
        for hop in &self.next_hops {
            if self.next_hops.len() > 1 {
                words.push("nexthop".to_owned());
            }
            words.extend(hop.words());
        }
        words.join(" ")
    }

    fn dst_word(&self) -> String {
        if self.is_default() {
            "default".to_owned()
        } else if self.dst.prefix_len() == self.dst.max_prefix_len() {
            self.dst.addr().to_string()
        } else {
            self.dst.to_string()
        }
    }
}

impl NextHop {
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(self.via.map(|via| format!("via {via}")));
        words.extend(self.dev.as_ref().map(|dev| format!("dev {dev}")));
        for (set, word) in [(self.onlink, "onlink"), (self.dead, "dead"), (self.linkdown, "linkdown")] {
            words.extend(set.then(|| word.to_owned()));
        }
        words
    }
}

impl RouteKind {
    /// The word that `ip route` prints.
    pub fn word(self) -> String {
        match self {
            Self::Unicast => "unicast",
            Self::Local => "local",
            Self::Broadcast => "broadcast",
            Self::Anycast => "anycast",
            Self::Multicast => "multicast",
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
            Self::Throw => "throw",
            Self::Other(number) => return number.to_string(),
        }
        .to_owned()
    }
}

impl fmt::Display for Route {
    /// The words of `ip route show table all`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.brief())?;
        if self.table != TableId::MAIN {
            write!(f, " table {}", self.table)?;
        }
        if self.protocol != 0 && self.protocol != 3 {
            write!(f, " proto {}", protocol_name(self.protocol))?;
        }
        if self.scope != 0 {
            write!(f, " scope {}", scope_name(self.scope))?;
        }
        if let Some(src) = self.pref_src {
            write!(f, " src {src}")?;
        }
        if self.metric != 0 {
            write!(f, " metric {}", self.metric)?;
        }
        if let Some(mtu) = self.mtu {
            write!(f, " mtu {mtu}")?;
        }
        Ok(())
    }
}

/// The name of a scope number, as `rt_scopes` has it.
pub fn scope_name(scope: u8) -> String {
    match scope {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        other => other.to_string(),
    }
}

/// The name of a protocol number, as `rt_protos` has it.
pub fn protocol_name(protocol: u8) -> String {
    match protocol {
        0 => "unspec".to_owned(),
        1 => "redirect".to_owned(),
        2 => "kernel".to_owned(),
        3 => "boot".to_owned(),
        4 => "static".to_owned(),
        9 => "ra".to_owned(),
        16 => "dhcp".to_owned(),
        18 => "keepalived".to_owned(),
        186 => "bgp".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_ip_route() {
        let mut route = Route::unicast(
            TableId(16),
            "0.0.0.0/0".parse().unwrap(),
            Some("169.254.31.29".parse().unwrap()),
            &IfName::from("rfp-ef25020f-0"),
        );
        assert_eq!(route.to_string(), "default via 169.254.31.29 dev rfp-ef25020f-0 table 16");
        route.table = TableId::MAIN;
        route.dst = "192.168.1.3/32".parse().unwrap();
        route.protocol = 4;
        assert_eq!(route.to_string(), "192.168.1.3 via 169.254.31.29 dev rfp-ef25020f-0 proto static");
    }
}
