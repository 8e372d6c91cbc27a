//! What breaks a node: one fault after another, each taken back before the next.
//!
//! A fault is a pair of shell scripts. They know the namespaces of the article's
//! router as `$R`, `$F` (fip) and `$S` (snat), run a program in one of them as
//! `r`, `f` and `s`, and know its devices and numbers by their names: `$RFP`,
//! `$FPR`, `$FG`, `$QR` (10.0.0.1), `$QR2` (20.0.0.1), `$SG`, `$QG`, `$EVEN`,
//! `$ODD`, `$PRIORITY` (of 10.0.0.4), `$TABLE` (where the fip namespace has its
//! default route for this router), `$IPTABLES`. The agent's chains are `$C-NAME`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use fipscope::net::netfilter::Backend;
use fipscope::net::{Family, NetnsName, Snapshot};
use fipscope::neutron::Layout;

use crate::inside::{PATH, Scene};

/// One fault.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    make: &'static str,
    /// What takes it back. Packet filters, routes and neighbours of the three
    /// namespaces are put back anyway.
    unmake: &'static str,
    /// Neighbours are forgotten: they have to be learned again.
    pub(crate) forgets: bool,
    /// ARP questions from outside may be answered otherwise.
    pub(crate) arp: bool,
}

const fn fault(name: &'static str, make: &'static str, unmake: &'static str) -> Fault {
    Fault { name, make, unmake, forgets: false, arp: false }
}

/// A fault that shows in who answers ARP.
const fn arp_fault(name: &'static str, make: &'static str, unmake: &'static str) -> Fault {
    Fault { arp: true, ..fault(name, make, unmake) }
}

/// A fault after which neighbours have to be learned again.
const fn link_fault(name: &'static str, make: &'static str, unmake: &'static str) -> Fault {
    Fault { forgets: true, ..fault(name, make, unmake) }
}

pub(crate) const FAULTS: &[Fault] = &[
    fault(
        "rule missing",
        "ip -n $R rule del from 10.0.0.4 lookup 16",
        "ip -n $R rule add from 10.0.0.4 lookup 16 pref $PRIORITY",
    ),
    fault(
        "rule of no floating IP",
        "ip -n $R rule add from 10.0.0.5 lookup 16 pref 40000",
        "ip -n $R rule del pref 40000",
    ),
    fault(
        "rule behind the redirect",
        "ip -n $R rule del from 10.0.0.4 lookup 16; ip -n $R rule add from 10.0.0.4 lookup 16 pref 400000000",
        "ip -n $R rule del pref 400000000; ip -n $R rule add from 10.0.0.4 lookup 16 pref $PRIORITY",
    ),
    fault("table 16 empty", "ip -n $R route flush table 16", ""),
    fault(
        "table 16 to the wrong device",
        "ip -n $R route replace default via 10.0.0.5 dev $QR table 16",
        "ip -n $R route flush table 16",
    ),
    fault(
        "table 16 blackhole",
        "ip -n $R route flush table 16; ip -n $R route add blackhole default table 16",
        "ip -n $R route flush table 16",
    ),
    fault(
        "table 16 throw",
        "ip -n $R route flush table 16; ip -n $R route add throw default table 16",
        "ip -n $R route flush table 16",
    ),
    fault(
        "table 16 unreachable for one",
        "ip -n $R route add unreachable 198.51.100.0/24 table 16",
        "ip -n $R route del unreachable 198.51.100.0/24 table 16",
    ),
    fault(
        "prohibit rule",
        "ip -n $R rule add to 20.0.0.0/24 from 10.0.0.5 prohibit pref 90",
        "ip -n $R rule del pref 90",
    ),
    fault(
        "rule by mark",
        "r $IPTABLES -t mangle -A PREROUTING -p udp -s 10.0.0.5 -j MARK --set-xmark 0x70/0xff; ip -n $R rule add fwmark 0x70/0xf0 lookup 16 pref 95",
        "ip -n $R rule del pref 95",
    ),
    fault(
        "rules with goto, suppress and not",
        "ip -n $R rule add from 10.0.0.4 goto 300 pref 200; ip -n $R rule add not to 20.0.0.0/24 iif $QR blackhole pref 250; ip -n $R rule add nop pref 300 2>/dev/null || ip -n $R rule add lookup main suppress_prefixlength 0 pref 300",
        "ip -n $R rule del pref 200; ip -n $R rule del pref 250; ip -n $R rule del pref 300",
    ),
    fault(
        "default route in main",
        "ip -n $R route add default via 10.0.0.3 dev $QR",
        "ip -n $R route del default table main",
    ),
    fault("DNAT missing", "keep_out r nat -d 192.168.1.3/32", ""),
    fault("SNAT missing", "keep_out r nat -s 10.0.0.4/32", ""),
    fault("guard missing", "keep_out r nat --ctstate", ""),
    fault(
        "DNAT to another",
        "r $IPTABLES -t nat -I $C-PREROUTING -d 192.168.1.3/32 -p udp -j DNAT --to-destination 20.0.0.4:7007",
        "",
    ),
    fault(
        "DNAT of the port alone",
        "r $IPTABLES -t nat -I $C-PREROUTING -d 192.168.1.3/32 -p tcp -j DNAT --to-destination 10.0.0.4:7070-7070",
        "",
    ),
    fault("MASQUERADE before all", "r $IPTABLES -t nat -I POSTROUTING -o $RFP -j MASQUERADE", ""),
    fault("jump to float-snat missing", "keep_out r nat -j $C-float-snat; keep_out s nat -j $C-float-snat", ""),
    fault("metadata redirect missing", "keep_out r nat 169.254.169.254/32", ""),
    fault("metadata not accepted", "r $IPTABLES -I INPUT -p tcp --dport 9697 -j DROP", ""),
    arp_fault("route of the floating IP missing", "ip -n $F route del 192.168.1.3", ""),
    arp_fault(
        "route of the floating IP to another router",
        "ip -n $F route replace $(ip -n $F route show 192.168.1.242 | sed 's/192.168.1.242/192.168.1.3/')",
        "",
    ),
    arp_fault("stale route", "ip -n $F route add 192.168.1.250 via $EVEN dev $FPR", "ip -n $F route del 192.168.1.250"),
    arp_fault(
        "floating IP on fg",
        "ip -n $F addr add 192.168.1.3/32 dev $FG",
        "ip -n $F addr del 192.168.1.3/32 dev $FG",
    ),
    fault("default route of the fip namespace missing", "ip -n $F route del default table $TABLE", ""),
    fault(
        "iif rule missing",
        "[ $TABLE = main ] || ip -n $F rule del iif $FPR",
        "[ $TABLE = main ] || ip -n $F rule add iif $FPR lookup $TABLE pref $TABLE",
    ),
    arp_fault(
        "forwarding off in the fip namespace",
        "f sysctl -qw net.ipv4.ip_forward=0",
        "f sysctl -qw net.ipv4.ip_forward=1",
    ),
    arp_fault(
        "forwarding off on fg",
        "f sysctl -qw net.ipv4.conf.$FG.forwarding=0",
        "f sysctl -qw net.ipv4.conf.$FG.forwarding=1",
    ),
    fault("forwarding off in the router", "r sysctl -qw net.ipv4.ip_forward=0", "r sysctl -qw net.ipv4.ip_forward=1"),
    fault(
        "forwarding off in the snat namespace",
        "s sysctl -qw net.ipv4.ip_forward=0",
        "s sysctl -qw net.ipv4.ip_forward=1",
    ),
    arp_fault(
        "proxy ARP off",
        "f sysctl -qw net.ipv4.conf.$FG.proxy_arp=0",
        "f sysctl -qw net.ipv4.conf.$FG.proxy_arp=1",
    ),
    arp_fault(
        "proxy neighbour",
        "f sysctl -qw net.ipv4.conf.$FG.proxy_arp=0; ip -n $F neigh add proxy 192.168.1.3 dev $FG",
        "f sysctl -qw net.ipv4.conf.$FG.proxy_arp=1; ip -n $F neigh del proxy 192.168.1.3 dev $FG",
    ),
    arp_fault(
        "ARP ignored",
        "f sysctl -qw net.ipv4.conf.all.arp_ignore=8; s sysctl -qw net.ipv4.conf.$QG.arp_ignore=2",
        "f sysctl -qw net.ipv4.conf.all.arp_ignore=$ARP_IGNORE; s sysctl -qw net.ipv4.conf.$QG.arp_ignore=0",
    ),
    fault(
        "strict rp_filter on rfp",
        "r sysctl -qw net.ipv4.conf.$RFP.rp_filter=1",
        "r sysctl -qw net.ipv4.conf.$RFP.rp_filter=0",
    ),
    fault(
        "strict rp_filter everywhere",
        "for n in r f s; do $n sysctl -qw net.ipv4.conf.all.rp_filter=1; done",
        "for n in r f s; do $n sysctl -qw net.ipv4.conf.all.rp_filter=0; done",
    ),
    fault(
        "loose rp_filter everywhere",
        "for n in r f s; do $n sysctl -qw net.ipv4.conf.all.rp_filter=2; done",
        "for n in r f s; do $n sysctl -qw net.ipv4.conf.all.rp_filter=0; done",
    ),
    fault(
        "strict rp_filter without rule",
        "r sysctl -qw net.ipv4.conf.all.rp_filter=1; ip -n $R rule del from 10.0.0.4 lookup 16",
        "r sysctl -qw net.ipv4.conf.all.rp_filter=0; ip -n $R rule add from 10.0.0.4 lookup 16 pref $PRIORITY",
    ),
    fault(
        "dropped by the filter",
        "r $IPTABLES -I FORWARD -d 10.0.0.4 -p icmp -j DROP; r $IPTABLES -I FORWARD -s 10.0.0.5 -p udp --dport 7007 -j DROP",
        "",
    ),
    fault(
        "rejected by the filter",
        "r $IPTABLES -I FORWARD -d 10.0.0.4 -p udp -j REJECT --reject-with icmp-admin-prohibited",
        "",
    ),
    fault(
        "policy of FORWARD",
        "r $IPTABLES -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; r $IPTABLES -A FORWARD -p tcp -j ACCEPT; r $IPTABLES -P FORWARD DROP; f $IPTABLES -A FORWARD -m conntrack --ctstate INVALID -j DROP",
        "r $IPTABLES -P FORWARD ACCEPT",
    ),
    fault(
        "scope of one subnet",
        "[ $LAYOUT = juno ] || r $IPTABLES -t mangle -A $C-scope -i $QR -j MARK --set-xmark 0x4010000/0xffff0000",
        "",
    ),
    fault(
        "scope of the floating IP",
        "[ $LAYOUT = juno ] || { r $IPTABLES -t mangle -A $C-scope -i $RFP -j MARK --set-xmark 0x4010000/0xffff0000; r $IPTABLES -t mangle -A $C-floatingip -d 192.168.1.3/32 -i $RFP -j MARK --set-xmark 0x4000000/0xffff0000; r $IPTABLES -t mangle -A $C-FORWARD -s 10.0.0.4/32 -j $C-float-snat; r $IPTABLES -t mangle -A $C-float-snat -o $RFP -j MARK --set-xmark 0x4000000/0xffff0000; }",
        "",
    ),
    fault("tracked in the fip namespace", "keep_out f raw -j CT", ""),
    fault("not tracked in the router", "r $IPTABLES -t raw -I PREROUTING -s 10.0.0.4 -p udp -j CT --notrack", ""),
    fault(
        "wrong neighbour of fpr",
        "ip -n $R neigh replace $ODD lladdr 02:00:00:00:00:99 dev $RFP nud permanent",
        "ip -n $R neigh del $ODD dev $RFP; ip -n $R neigh replace $ODD lladdr $(ip -n $F link show $FPR | sed -n 's/.*ether \\([^ ]*\\).*/\\1/p') dev $RFP nud $PAIR",
    ),
    fault(
        "wrong neighbour of sg",
        "ip -n $R neigh replace 10.0.0.3 lladdr 02:00:00:00:00:98 dev $QR nud permanent",
        "",
    ),
    fault("narrow rfp", "ip -n $R link set $RFP mtu 1400", "ip -n $R link set $RFP mtu 1500"),
    fault("narrow fpr", "ip -n $F link set $FPR mtu 1400", "ip -n $F link set $FPR mtu 1500"),
    fault(
        "narrow route",
        "ip -n $R route replace default via $ODD dev $RFP table 16 mtu lock 1200",
        "ip -n $R route flush table 16",
    ),
    fault("SNAT of the router missing", "keep_out s nat --to-source", ""),
    fault("default route of the snat namespace missing", "ip -n $S route del default", ""),
    fault("redirect missing", "ip -n $R route flush table 167772161", ""),
    link_fault("rfp down", "ip -n $R link set $RFP down", "ip -n $R link set $RFP up"),
    link_fault("fpr down", "ip -n $F link set $FPR down", "ip -n $F link set $FPR up"),
    link_fault("fg down", "ip -n $F link set $FG down", "ip -n $F link set $FG up"),
    link_fault("qr down", "ip -n $R link set $QR down", "ip -n $R link set $QR up"),
];

const PRELUDE: &str = r#"
r() { ip netns exec $R "$@"; }
f() { ip netns exec $F "$@"; }
s() { ip netns exec $S "$@"; }
# Takes rules with these words out of a table.
keep_out() {
    run=$1; table=$2; shift 2
    $run $IPTABLES-save -t $table | grep -Fv -e "$*" > /run/edited; $run $IPTABLES-restore -T $table < /run/edited
}
save() {
    for n in $R $F $S; do
        # A table that is not there could not be put back.
        for t in raw mangle nat filter; do
            ip netns exec $n $IPTABLES -t $t -N none; ip netns exec $n $IPTABLES -t $t -X none
        done
        ip netns exec $n $IPTABLES-save > /run/$n.filter
        ip -n $n -4 route show table all | grep -v -e "^local" -e "^broadcast" | sed 's/^/route replace /' > /run/$n.routes
        ip -n $n -4 neigh show nud permanent | sed 's/^/neigh replace /; s/PERMANENT/nud permanent/' > /run/$n.neighs
    done
}
restore_filters() {
    for n in $R $F $S; do ip netns exec $n $IPTABLES-restore < /run/$n.filter; done
}
restore() {
    for n in $R $F $S; do ip -n $n -batch /run/$n.routes; ip -n $n -batch /run/$n.neighs; done
}
"#;

impl Fault {
    /// Whether long packets fare otherwise than short ones.
    pub(crate) fn is_about_length(&self) -> bool {
        self.name.starts_with("narrow")
    }

    fn filters(&self) -> bool {
        self.make.contains("$IPTABLES") || self.make.contains("keep_out")
    }

    /// Whether it is worth while in this lab: what does not touch the packet
    /// filter is the same for both.
    pub(crate) fn concerns(&self, scene: &Scene) -> bool {
        self.filters() || scene.backend == Backend::Nft
    }
}

impl Scene {
    /// Keeps how things are, for [`Scene::unmake`].
    pub(crate) fn keep(&self, whole: &Snapshot) {
        self.script("save; restore_filters; restore", whole, "keeping");
    }

    /// Breaks the node.
    pub(crate) fn make(&self, fault: &Fault, whole: &Snapshot) {
        self.script(fault.make, whole, fault.name);
    }

    /// Puts it back as it was.
    pub(crate) fn unmake(&self, fault: &Fault, whole: &Snapshot) {
        let filters = if fault.filters() { "restore_filters" } else { "" };
        self.script(&format!("{}\n{filters}\nrestore", fault.unmake), whole, fault.name);
    }

    fn script(&self, script: &str, whole: &Snapshot, what: &str) {
        let (even, odd) = match self.layout {
            Layout::Juno => ("169.254.31.28", "169.254.31.29"),
            Layout::Newton => ("169.254.106.114", "169.254.106.115"),
            Layout::Pike => ("169.254.88.134", "169.254.88.135"),
        };
        let odd_number = odd.parse::<std::net::Ipv4Addr>().unwrap().to_bits();
        let router = "qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62";
        let mut command = Command::new("sh");
        command
            .arg("-e")
            .env("R", router)
            .env("F", "fip-cef4f7b4-c344-4904-a847-a9960f58fb20")
            .env("S", "snat-ef25020f-012c-41d6-a36e-f2f09cb8ea62")
            .envs([("RFP", "rfp-ef25020f-0"), ("FPR", "fpr-ef25020f-0"), ("FG", "fg-b2b77eed-1b")])
            .envs([("QR", "qr-c2e43983-5c"), ("QR2", "qr-369f59a5-2c"), ("SG", "sg-1b9c9c26-38")])
            .envs([("QG", "qg-8be609d9-e3"), ("EVEN", even), ("ODD", odd), ("C", "neutron-l3-agent")])
            .env("ARP_IGNORE", if self.layout == Layout::Pike { "1" } else { "0" })
            .env("PAIR", if self.layout == Layout::Pike { "permanent" } else { "stale" })
            .env("LAYOUT", self.layout.word())
            .env("PRIORITY", priority(whole, &NetnsName::from(router)).to_string())
            .env("TABLE", if self.layout == Layout::Pike { odd_number.to_string() } else { "main".to_owned() })
            .env("IPTABLES", if self.backend == Backend::Nft { "iptables-nft" } else { "iptables-legacy" })
            .env("PATH", PATH)
            .stdin(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(format!("{PRELUDE}\n{script}\n").as_bytes()).unwrap();
        drop(input);
        assert!(shell.wait().unwrap().success(), "{what}: {script}");
    }
}

/// The priority of the rule of 10.0.0.4.
fn priority(whole: &Snapshot, router: &NetnsName) -> u32 {
    let rules = whole.netns(router).unwrap().rules();
    let fixed = "10.0.0.4/32".parse().ok();
    let rule = rules.iter().find(|rule| rule.family == Family::V4 && rule.from == fixed);
    rule.expect("the rule of 10.0.0.4").priority.0
}
