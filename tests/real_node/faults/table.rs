//! The faults of nodes of the real agent: what each is found as, which codes are
//! left out, and where such a node tells it otherwise than the lab.

/// One fault: its code, where it is to be found, about which floating IP, and
/// whether all of it can be put right from what the node tells.
pub(super) type Case = (u16, &'static str, Option<&'static str>, bool);

const FLOATING: Option<&str> = Some("192.168.1.3");

/// Two routers that share the fip namespace: the second one tells the gateway.
pub(super) const S3: &[Case] = &[
    (109, "qrouter-", None, true),
    (201, "qrouter-", None, true),
    (202, "fip-", None, true),
    (203, "qrouter-", None, true),
    (204, "fip-", None, true),
    (205, "fip-", None, true),
    (207, "qrouter-", None, true),
    (208, "qrouter-", None, true),
    (209, "qrouter-", None, true),
    (210, "qrouter-", None, true),
    (211, "qrouter-", FLOATING, true),
    (212, "qrouter-", None, true),
    (301, "qrouter-", FLOATING, true),
    (302, "qrouter-", FLOATING, true),
    (303, "qrouter-", None, true),
    (304, "qrouter-", FLOATING, true),
    (305, "qrouter-", FLOATING, true),
    (306, "qrouter-", FLOATING, true),
    // The snat namespace, which alone tells the next hop, is on another node.
    (307, "qrouter-", None, false),
    (308, "qrouter-", None, true),
    (310, "qrouter-", FLOATING, true),
    (311, "qrouter-", None, true),
    (401, "qrouter-", FLOATING, true),
    (402, "qrouter-", FLOATING, true),
    (403, "qrouter-", FLOATING, true),
    (404, "qrouter-", None, true),
    (405, "qrouter-", FLOATING, true),
    (408, "qrouter-", None, true),
    (410, "fip-", None, true),
    (411, "qrouter-", None, true),
    // Which of the two it is, the node does not tell.
    (412, "qrouter-", FLOATING, false),
    (413, "qrouter-", FLOATING, true),
    (414, "qrouter-", None, true),
    (415, "qrouter-", FLOATING, true),
    (501, "fip-", FLOATING, true),
    (502, "fip-", FLOATING, true),
    (503, "fip-", Some("192.168.1.250"), true),
    (504, "fip-", None, true),
    (505, "fip-", None, true),
    (508, "fip-", None, true),
    (509, "fip-", None, true),
    (510, "fip-", None, true),
    (512, "fip-", FLOATING, true),
    (513, "fip-", None, true),
    // Where all routers lost their way out, nothing here tells the gateway.
    (602, "fip-", None, false),
    // The tag is the L2 agent's to set.
    (604, "fip-", None, false),
    // The address is Neutron's to know.
    (616, "fip-", None, false),
    (703, "qrouter-", None, true),
    // What it took along, the node does not tell.
    (710, "qrouter-", None, false),
    (901, "host", FLOATING, false),
    (902, "host", None, false),
];

/// A node with a snat namespace.
pub(super) const S9: &[Case] = &[
    (307, "qrouter-", None, true),
    (407, "snat-", None, true),
    (803, "snat-", None, true),
    (804, "snat-", FLOATING, true),
    (805, "snat-", Some("192.168.1.9"), true),
];

/// Codes that a snapshot decides and that are put on no node of the real agent, and why.
pub(super) const LEFT_OUT: &[(u16, &str)] = &[
    (101, "only the agent can build the fip namespace anew"),
    (102, "only the agent can build the router namespace anew"),
    (103, "a note, of a router that serves nobody here"),
    (104, "found on S13 as the agent leaves it"),
    (106, "only the agent can build a namespace anew whose name is gone"),
    (107, "a name of nobody's: nothing of the agent's is in it"),
    (108, "the agent is stopped while these nodes are read, which is said of all of them"),
    (206, "the agent's allocator gives no pair out twice"),
    (309, "no subnet here is in the external network's address scope"),
    (312, "it takes a tenant's extra route to the host outside"),
    (313, "a note"),
    (406, "it takes another instance of the router's that answers"),
    (409, "the limit is the whole host's"),
    (506, "it takes a provider whose gateway is in no subnet"),
    (507, "it takes a second external subnet"),
    (511, "a note"),
    (601, "Open vSwitch does not make its port's device anew"),
    (603, "it takes a port that Neutron does not know, in its bridge"),
    (613, "it takes a second external subnet"),
    (701, "a note where the instance is on this node and answers; found on S2 and S6"),
    (707, "it takes a router without floating IPs beside another's gateway"),
    (806, "it takes VRRP"),
    (807, "found on S9 as it is by design"),
    (809, "it takes a port that Neutron does not know, in its bridge"),
    (903, "it takes a second external network"),
    (904, "the file's lines are not the agent's"),
    (910, "no port is forwarded here"),
    (911, "no bandwidth is limited here"),
];

/// Where a finding on these nodes says it otherwise than in the lab, and why.
pub(super) const OTHERWISE: &[(u16, &str)] = &[
    // The lab moves it to its bridge, which no node has.
    (
        202,
        "error {F} link {FPR} of - - expected {FPR} up with {ODD}/31, the peer of {RFP} actual its peer is in ext-public",
    ),
    // No instance has that address, and so nothing is lost.
    (
        303,
        "warning {R} rule 40000: from 10.0.0.5 lookup 16 of - 10.0.0.5 expected no such rule actual 40000: from 10.0.0.5 lookup 16",
    ),
    // The agent gave the snat namespace another address.
    (
        307,
        "error {R} route default table 167772161 of - - expected default via 10.0.0.200 dev {QR} table 167772161 proto static actual no default route",
    ),
    // A port of Open vSwitch is no veth.
    (
        710,
        "error {R} link {QR} of - - expected {QR} up actual {QR}: <BROADCAST,MULTICAST,PROMISC> mtu 1450 state DOWN link/ether MAC tun",
    ),
    // Switched off: a port that is taken away from Open vSwitch does not come back.
    (
        803,
        "error {S} link {SG} of - - expected {SG} up actual {SG}: <BROADCAST,MULTICAST,PROMISC> mtu 1450 state DOWN link/ether MAC tun",
    ),
    // The agent's own centralized floating IP.
    (
        805,
        "error {S} addr 192.168.1.9 on qg-… of 192.168.1.9 20.0.0.9 expected inet 192.168.1.9/32 on {QG} actual not there",
    ),
];
