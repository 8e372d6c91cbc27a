//! The links of a floating IP's chain, by name.

use serde::Serialize;

macro_rules! link_names {
    ($($variant:ident $word:literal $title:literal: $doc:literal;)*) => {
        /// The links of a chain; the words are a promise (`fipscope.show/1`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum LinkName {
            $(#[doc = $doc] $variant,)*
        }

        impl LinkName {
            /// Every link there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in JSON.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The short label on the screen.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// One sentence on what the link does.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

link_names! {
    Vm "vm" "VM": "The fixed IP lies in a subnet of the router";
    Qr "qr" "qr": "The router's port on the subnet is up and has the gateway address";
    Neighbour "neighbour" "neighbour": "The router knows the instance's hardware address";
    FipRule "fip_rule" "rule": "A rule sends the fixed IP's packets to table 16";
    SubnetRule "subnet_rule" "subnet rule": "A rule sends the subnet's packets to the snat namespace";
    Table16 "table_16" "table 16": "Table 16 leads to the fip namespace";
    Guard "guard" "guard": "Traffic that does not leave through rfp is kept from translation";
    NatJumps "nat_jumps" "jumps": "The built-in chains lead to the agent's chains";
    FloatSnat "float_snat" "SNAT": "The fixed IP becomes the floating IP on the way out";
    Rfp "rfp" "rfp": "The router's end of the pair is up and has its link-local address";
    RfpNeighbour "rfp_neighbour" "rfp neighbour": "The router knows the hardware address of fpr";
    RfpAddress "rfp_address" "rfp address": "The floating IP is an address of rfp where the layout wants it, else not";
    Fpr "fpr" "fpr": "The fip namespace's end of the pair is up and has its link-local address";
    FprNeighbour "fpr_neighbour" "fpr neighbour": "The fip namespace knows the hardware address of rfp";
    IifRule "iif_rule" "iif rule": "Packets from fpr ask the router's own table";
    FipDefault "fip_default" "default": "A default route leads to the external gateway";
    GatewayPort "gateway_port" "fg": "The agent gateway port is up and has its address";
    Gateway "gateway" "gateway": "The external gateway is on the link and has not failed to answer";
    ProxyArp "proxy_arp" "proxy ARP": "fg answers ARP for addresses that are routed into the pair";
    FipRoute "fip_route" "route /32": "The fip namespace routes the floating IP into the pair";
    Dnat "dnat" "DNAT": "The floating IP becomes the fixed IP on the way in";
    Sg "sg" "sg": "The snat namespace's port on the subnet is up and has its address";
    Qg "qg" "qg": "The router's gateway port is up";
    QgAddress "qg_address" "qg address": "The floating IP is an address of the gateway port";
}

impl Serialize for LinkName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
