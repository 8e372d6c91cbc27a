//! Faults that another host makes: one on the external network that has an
//! address of this node's, and addresses that move between instances.

/// A host on the external network, in a namespace of its own, with an address.
macro_rules! stranger {
    ($address:literal) => {
        &[
            "ip netns add stranger",
            "ip -n switch link add tapstranger type veth peer name eth0 netns stranger",
            "ip -n switch link set tapstranger master br-ex up",
            "ip -n stranger link set eth0 address 02:00:00:00:00:77 up",
            concat!("ip -n stranger addr add ", $address, "/24 dev eth0"),
        ]
    };
}

/// It has the agent gateway port's address.
pub(super) const WITH_FG: &[&str] = stranger!("192.168.1.23");
/// It has the floating IP.
pub(super) const WITH_FLOATING_IP: &[&str] = stranger!("192.168.1.3");
/// It has the address of the router's gateway port.
pub(super) const WITH_QG: &[&str] = stranger!("192.168.1.21");

/// The fixed IP goes to another instance, as with VRRP.
pub(super) const ADDRESS_MOVES: &[&str] =
    &["ip -n vm-10.0.0.4 addr del 10.0.0.4/24 dev eth0", "ip -n vm-10.0.0.5 addr add 10.0.0.4/24 dev eth0"];
