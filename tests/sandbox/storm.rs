//! Random changes of every kind that the kernel announces, as `ip -batch` and
//! `nft -f` take them.

use std::fmt::Write as _;

/// Namespaces that stand all the time.
pub const SPACES: [&str; 3] = ["s0", "s1", "s2"];
/// What the sandbox's own namespace is called here.
pub const HOST: &str = "host";
/// Where it storms.
pub const PLACES: [&str; 4] = ["s0", "s1", "s2", HOST];

/// Numbers that look random and are the same for the same seed (xorshift).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// What goes before a program's name to run it in a place.
pub fn within(place: &str) -> String {
    if place == HOST { String::new() } else { format!("ip netns exec {place} ") }
}

/// Two namespaces with a pair between them, a third and the host's own beside.
pub const NODE: &str = r"
for ns in s0 s1 s2; do ip netns add $ns; ip -n $ns link set lo up; done
ip -n s0 link add va type veth peer name vb netns s1
ip -n s0 link set va up; ip -n s1 link set vb up
ip -n s2 link add vc type veth peer name vd; ip -n s2 link set vc up; ip -n s2 link set vd up
ip -n s0 addr add 10.0.0.1/24 dev va; ip -n s1 addr add 10.0.0.2/24 dev vb; ip -n s2 addr add 10.0.0.3/24 dev vc
ip link set lo up; ip link add vh type veth peer name vi; ip link set vh up; ip link set vi up
ip addr add 10.0.0.4/24 dev vh
for n in 0 1 2 3; do
    for ns in s0 s1 s2; do ip -n $ns link add b$n type bridge; done
    ip link add b$n type bridge
done
ip -n s0 link add vx type veth peer name vy netns s1; ip -n s0 link set vx up; ip -n s1 link set vy up
";

/// Commands for `ip -force -batch`. What would make it stop at a refusal
/// all the same (`neigh del`, a bridge that is not there) is not among them.
pub fn commands(space: &str, count: usize, dice: &mut Dice) -> String {
    let device = device(space);
    let mut text = String::new();
    for _ in 0..count {
        let (n, m) = (dice.below(40), dice.below(200));
        let _ = match dice.below(41) {
            0..4 => writeln!(text, "route replace 10.7.{m}.0/24 dev {device} table {}", 10 + n),
            4..7 => writeln!(text, "route del 10.7.{m}.0/24 table {}", 10 + n),
            7..10 => writeln!(text, "rule add from 10.8.0.{m} lookup {} prio {}", 10 + n, 30_000 + m),
            10..13 => writeln!(text, "rule del prio {}", 30_000 + m),
            13..15 => writeln!(text, "addr add 10.9.{n}.{m}/32 dev {device}"),
            15..17 => writeln!(text, "addr del 10.9.{n}.{m}/32 dev {device}"),
            17..19 => {
                writeln!(text, "neigh replace 10.0.0.{m} lladdr 02:00:00:00:00:{n:02x} dev {device} nud permanent")
            }
            19 => writeln!(text, "neigh flush to 10.0.0.{m} dev {device} nud permanent"),
            20 => writeln!(text, "neigh replace 10.0.0.{m} lladdr 02:00:00:00:01:{n:02x} dev {device} nud stale"),
            21 => writeln!(text, "link set {device} mtu {}", 1400 + n),
            22 if m < 40 => writeln!(text, "link set {device} down"),
            22 | 23 => writeln!(text, "link set {device} up"),
            24 => writeln!(text, "link add t{n} type veth peer name u{n}"),
            25 => writeln!(text, "link del t{n}"),
            26 => writeln!(text, "link set t{n} name w{n}"),
            27 => writeln!(text, "route replace fd00:{m:x}::/64 dev {device} metric {}", 1 + n),
            28 => writeln!(text, "route append 10.0.50.0/24 via 10.0.0.{} dev {device}", 4 + m % 9),
            29 => writeln!(text, "addr add fd00:9::{m:x}/128 dev {device} nodad"),
            30 => writeln!(text, "addr del fd00:9::{m:x}/128 dev {device}"),
            31 => writeln!(text, "nexthop replace id {} via 10.0.0.{} dev {device}", 1 + n, 4 + m % 9),
            32 => writeln!(text, "nexthop del id {}", 1 + n),
            33 => writeln!(text, "route replace 10.12.{m}.0/24 nhid {}", 1 + n),
            34 => writeln!(text, "link set b{} mtu {}", n % 4, 1400 + m),
            35 => writeln!(text, "link set t{n} master b{}", m % 4),
            36 => writeln!(text, "link set {device} address 02:00:00:00:02:{n:02x}"),
            37 | 38 => writeln!(text, "rule add from fd00:8::{m:x} lookup {} prio {}", 10 + n, 30_000 + m),
            39 => writeln!(text, "rule del from fd00:8::{m:x}"),
            _ => writeln!(text, "link set t{n} up"),
        };
    }
    text
}

/// Settings that are announced (`netconf`), for `sh`.
pub fn settings(place: &str, dice: &mut Dice) -> String {
    let names = ["conf.all.rp_filter", "conf.DEV.rp_filter", "conf.DEV.proxy_arp", "conf.DEV.forwarding", "ip_forward"];
    let (device, exec) = (device(place), within(place));
    let mut text = String::new();
    for _ in 0..8 {
        let name = names[usize::try_from(dice.below(5)).unwrap()].replace("DEV", device);
        let _ = writeln!(text, "{exec}sysctl -qw net.ipv4.{name}={}", dice.below(2));
    }
    text
}

/// Queueing, for `tc -force -batch`.
pub fn queueing(space: &str, dice: &mut Dice) -> String {
    let device = device(space);
    let mut text = String::new();
    for _ in 0..40 {
        let n = 1 + dice.below(50);
        let _ = match dice.below(4) {
            0 => writeln!(text, "qdisc replace dev {device} root handle 1: pfifo limit {n}"),
            1 => writeln!(text, "qdisc replace dev {device} ingress"),
            2 => writeln!(text, "filter replace dev {device} ingress prio {n} protocol ip matchall action drop"),
            _ => writeln!(text, "qdisc del dev {device} ingress"),
        };
    }
    text
}

fn device(space: &str) -> &'static str {
    match space {
        "s0" => "va",
        "s1" => "vb",
        HOST => "vh",
        _ => "vc",
    }
}

/// A ruleset change for `nft -f`, valid whatever stands there.
pub fn ruleset(dice: &mut Dice) -> String {
    let (n, m) = (dice.below(6), dice.below(250));
    let (family, protocol, address) = match dice.below(3) {
        0 => ("ip", "ip", format!("10.0.0.{m}")),
        1 => ("ip6", "ip6", format!("fd00:7::{m:x}")),
        _ => ("inet", "ip", format!("10.0.1.{m}")),
    };
    let kind = if protocol == "ip" { "ipv4_addr" } else { "ipv6_addr" };
    let (table, set) = (format!("{family} storm"), format!("{family} storm s{}", n % 2));
    let mut text = format!("add table {table}\nadd chain {table} c{n}\nadd set {set} {{ type {kind}; }}\n");
    let _ = match dice.below(10) {
        0 => writeln!(text, "flush chain {table} c{n}"),
        1 => writeln!(text, "delete chain {table} c{n}"),
        2 => writeln!(text, "delete table {table}"),
        3 => writeln!(text, "flush set {set}"),
        4 => writeln!(text, "add element {set} {{ {address} }}\ndelete element {set} {{ {address} }}"),
        5 => writeln!(text, "add element {set} {{ {address} }}"),
        6 => writeln!(text, "add rule {table} c{n} {protocol} saddr @s{} drop", n % 2),
        _ => writeln!(text, "add rule {table} c{n} {protocol} saddr {address} counter accept"),
    };
    text
}

/// What `nft -f` has no words for, for `sh`: the last rule of a chain goes by its
/// number; and rules come and go as iptables makes them.
pub fn rules(place: &str, dice: &mut Dice) -> String {
    let (exec, n, m) = (within(place), dice.below(6), dice.below(250));
    let family = ["ip", "ip6", "inet"][usize::try_from(dice.below(3)).unwrap()];
    let last = format!("{exec}nft -a list chain {family} storm c{n} | sed -n 's/.*# handle //p' | tail -n 1");
    let iptables = |words: String| format!("{exec}iptables-nft -w 5 -t nat {words}\n");
    [
        format!("{exec}nft delete rule {family} storm c{n} handle $({last})\n"),
        iptables(format!("-A PREROUTING -d 192.168.1.{m}/32 -j DNAT --to-destination 10.0.0.{n}")),
        iptables(format!("-I PREROUTING -s 10.0.0.{m}/32 -m comment --comment storm -j ACCEPT")),
        iptables(format!("-D PREROUTING {}", 1 + n % 3)),
    ]
    .concat()
}
