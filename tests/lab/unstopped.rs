//! Links of a floating IP's chain whose break stops no packet between two hops of
//! the node, and what is seen then.

/// A link that stops no packet between two hops of this node while it is broken.
pub(crate) struct Unstopped {
    pub(crate) what: &'static str,
    pub(crate) break_it: &'static str,
    pub(crate) mend_it: &'static str,
    /// Questions in and out, and how many of them are answered.
    pub(crate) asked: [u64; 2],
    pub(crate) answered: [u64; 2],
    /// Packets that each hop sees, in and out.
    pub(crate) seen: [u64; 2],
    /// Where the way in is said to stop all the same.
    pub(crate) stop: Option<&'static str>,
}

/// A distributed floating IP's: without the guard it is east-west traffic that
/// suffers; what is lost beyond the node was seen by every hop here; and what is
/// asked for by ARP in vain is never sent.
pub(crate) const UNSTOPPED: &[Unstopped] = &[
    Unstopped {
        what: "no guard of what is not translated",
        break_it: "ip netns exec {R} {IPT} -w 5 -t nat -D {C}-POSTROUTING {GUARD}",
        mend_it: "ip netns exec {R} {IPT} -w 5 -t nat -A {C}-POSTROUTING {GUARD}",
        asked: [5, 5],
        answered: [5, 5],
        seen: [10, 10],
        stop: None,
    },
    Unstopped {
        what: "the router has another hardware address for the instance",
        break_it: "ip -n {R} neigh replace 10.0.0.4 lladdr 02:00:00:00:00:99 dev {QR} nud permanent",
        mend_it: "ip -n {R} neigh replace 10.0.0.4 lladdr {VM_MAC} dev {QR} nud permanent",
        asked: [5, 0],
        answered: [0, 0],
        seen: [5, 0],
        stop: Some("vm-silent"),
    },
    Unstopped {
        what: "the external gateway has another hardware address",
        break_it: "ip -n {F} neigh replace 192.168.1.1 lladdr 02:00:00:00:00:99 dev {FG} nud permanent",
        mend_it: "ip -n {F} neigh del 192.168.1.1 dev {FG}",
        asked: [5, 5],
        answered: [0, 0],
        seen: [5, 10],
        stop: None,
    },
    Unstopped {
        what: "no proxy ARP",
        break_it: "ip netns exec {F} sysctl -qw net.ipv4.conf.{FG}.proxy_arp=0 ; ip -n gateway neigh del 192.168.1.3 dev eth0",
        mend_it: "ip netns exec {F} sysctl -qw net.ipv4.conf.{FG}.proxy_arp=1 ; \
                  ip -n gateway neigh replace 192.168.1.3 lladdr {FG_MAC} dev eth0 nud permanent",
        asked: [5, 5],
        answered: [0, 0],
        seen: [0, 5],
        stop: None,
    },
];

/// The floating IP as an address of rfp: Juno's agent puts it there, for nobody
/// who asks for it by ARP is on that link.
pub(crate) const JUNO_ADDRESS: Unstopped = Unstopped {
    what: "the floating IP is no address of rfp",
    break_it: "ip -n {R} addr del 192.168.1.3/32 dev {RFP}",
    mend_it: "ip -n {R} addr add 192.168.1.3/32 dev {RFP}",
    asked: [5, 5],
    answered: [5, 5],
    seen: [10, 10],
    stop: None,
};

/// The same where later agents put it nowhere: it is translated before anybody
/// looks whose address it is.
pub(crate) const LATER_ADDRESS: Unstopped = Unstopped {
    what: "the floating IP is an address of rfp",
    break_it: "ip -n {R} addr add 192.168.1.3/32 dev {RFP}",
    mend_it: "ip -n {R} addr del 192.168.1.3/32 dev {RFP}",
    ..JUNO_ADDRESS
};

/// A centralized floating IP's.
pub(crate) const CENTRALIZED_UNSTOPPED: &[Unstopped] = &[
    Unstopped {
        what: "the snat namespace has another hardware address for the instance",
        break_it: "ip -n {S} neigh replace 20.0.0.4 lladdr 02:00:00:00:00:99 dev {SG20} nud permanent",
        mend_it: "ip -n {S} neigh replace 20.0.0.4 lladdr {VM20_MAC} dev {SG20} nud permanent",
        asked: [5, 0],
        answered: [0, 0],
        seen: [5, 0],
        stop: Some("vm-silent"),
    },
    Unstopped {
        what: "the external gateway has another hardware address",
        break_it: "ip -n {S} neigh replace 192.168.1.1 lladdr 02:00:00:00:00:99 dev {QG} nud permanent",
        mend_it: "ip -n {S} neigh del 192.168.1.1 dev {QG}",
        asked: [5, 5],
        answered: [0, 0],
        seen: [5, 10],
        stop: None,
    },
    Unstopped {
        what: "the floating IP is no address of the gateway port",
        break_it: "ip -n {S} addr del 192.168.1.244/32 dev {QG} ; ip -n gateway neigh del 192.168.1.244 dev eth0",
        mend_it: "ip -n {S} addr add 192.168.1.244/32 dev {QG} ; \
                  ip -n gateway neigh replace 192.168.1.244 lladdr {QG_MAC} dev eth0 nud permanent",
        asked: [5, 5],
        answered: [0, 0],
        seen: [0, 5],
        stop: None,
    },
];
