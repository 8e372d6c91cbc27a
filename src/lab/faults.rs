//! What breaks the lab: for each code, the commands that bring it about.
//!
//! They are run as they stand, without a shell, with names in place of
//! `{R}` (the article's router namespace), `{F}` (fip), `{S}` (snat), its
//! devices `{RFP}`, `{FPR}`, `{FG}`, `{QR}` (10.0.0.1), `{SG}`, `{QG}`, the
//! addresses of the pair `{EVEN}` and `{ODD}`, the floating IP's `{PRIORITY}`,
//! the fip namespace's `{TABLE}` for the router, and the words of rules that
//! layouts write differently.

mod stranger;

use std::process::Command;

use crate::check::Code;
use crate::exec::find_program;
use crate::net::netfilter::Backend;
use crate::neutron::{Layout, LinkLocalPair, RouterPrefix};
use crate::plan::agent::{Forms, fip_netns, router_netns, snat_netns};

use super::{Error, LabOptions, STATE_PATH, article, numbers};

/// How one code is brought about.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The code.
    pub code: u16,
    /// The earliest layout in which it can be.
    pub since: Layout,
    commands: &'static [&'static str],
}

const fn fault(code: u16, commands: &'static [&'static str]) -> Fault {
    Fault { code, since: Layout::Juno, commands }
}

const fn since(since: Layout, code: u16, commands: &'static [&'static str]) -> Fault {
    Fault { code, since, commands }
}

/// All of them, in code order.
pub static FAULTS: &[Fault] = &[
    fault(201, &["ip -n {R} link del {RFP}"]),
    fault(202, &["ip -n {F} link set {FPR} netns switch"]),
    fault(203, &["ip -n {R} link set {RFP} down"]),
    fault(204, &["ip -n {F} addr del {ODD}/31 dev {FPR}"]),
    fault(205, &["ip -n {F} addr del {ODD}/31 dev {FPR}", "ip -n {F} addr add 169.254.64.1/31 dev {FPR}"]),
    fault(208, &["ip -n {R} neigh replace {ODD} lladdr 02:00:00:00:00:99 dev {RFP} nud permanent"]),
    fault(209, &["ip -n {R} link set {RFP} mtu 1400"]),
    since(Layout::Newton, 211, &["ip -n {R} addr add 192.168.1.3/32 dev {RFP}"]),
    // Before, a pair has no permanent neighbours: it looks like a lost route.
    since(Layout::Pike, 212, &["ip -n {R} link set {RFP} down", "ip -n {R} link set {RFP} up"]),
    fault(301, &["ip -n {R} rule del from 10.0.0.4 lookup 16"]),
    fault(
        302,
        &[
            "ip -n {R} rule del from 10.0.0.4 lookup 16",
            "ip -n {R} rule add from 10.0.0.4 lookup 17 priority {PRIORITY}",
        ],
    ),
    fault(303, &["ip -n {R} rule add from 10.0.0.5 lookup 16 priority 40000"]),
    fault(
        304,
        &[
            "ip -n {R} route add default via 10.0.0.3 dev {QR} table 4242",
            "ip -n {R} rule add from 10.0.0.0/24 lookup 4242 priority 1000",
        ],
    ),
    fault(305, &["ip -n {R} route del default table 16"]),
    fault(306, &["ip -n {R} route add default via 10.0.0.3 dev {QR}"]),
    fault(307, &["ip -n {R} route del default table 167772161"]),
    fault(
        310,
        &[
            "{r-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.4",
            "{r-iptables} -t nat -A {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.5",
        ],
    ),
    fault(311, &["ip netns exec {R} sysctl -qw net.ipv4.ip_forward=0"]),
    fault(401, &["{r-iptables} -t nat -D {C}-PREROUTING -d 192.168.1.3/32 {IN} -j DNAT --to-destination 10.0.0.4"]),
    fault(402, &["{r-iptables} -t nat -D {C}-float-snat -s 10.0.0.4/32 {SNAT}"]),
    fault(404, &["{r-iptables} -t nat -D {C}-POSTROUTING {GUARD}"]),
    since(Layout::Pike, 408, &["ip netns exec {R} sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=0"]),
    fault(410, &["{f-iptables} -t raw -D {C}-PREROUTING -j CT --notrack"]),
    fault(411, &["{r-iptables} -t nat -D PREROUTING -j {C}-PREROUTING"]),
    since(
        Layout::Newton,
        413,
        &["{r-iptables} -t mangle -A {C}-scope -i {QR} -j MARK --set-xmark 0x4010000/0xffff0000"],
    ),
    fault(
        414,
        &[
            "{r-iptables} -t nat -D {C}-PREROUTING -d 169.254.169.254/32 {METADATA} -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697",
        ],
    ),
    fault(415, &["{r-iptables} -I FORWARD -d 10.0.0.4/32 -j DROP"]),
    fault(501, &["ip -n {F} route del 192.168.1.3"]),
    fault(502, &["ip -n {F} route replace 192.168.1.3 via 192.168.1.99 dev {FG}"]),
    fault(503, &["ip -n {F} route add 192.168.1.250 via {EVEN} dev {FPR}"]),
    since(Layout::Pike, 504, &["ip -n {F} rule del iif {FPR} lookup {TABLE}"]),
    fault(505, &["ip -n {F} route del default table {TABLE}"]),
    fault(508, &["ip netns exec {F} sysctl -qw net.ipv4.conf.{FG}.proxy_arp=0"]),
    since(Layout::Pike, 509, &["ip netns exec {F} sysctl -qw net.ipv4.neigh.{FG}.proxy_delay=80"]),
    since(Layout::Newton, 510, &["ip netns exec {F} sysctl -qw net.ipv4.ip_nonlocal_bind=0"]),
    fault(512, &["ip -n {F} addr add 192.168.1.3/32 dev {FG}"]),
    fault(601, &["ip -n {F} link del {FG}"]),
    fault(602, &["ip -n {F} link set {FG} down"]),
    fault(
        603,
        &[
            "ip -n {F} link add fg-00000000-00 type veth peer name tap00000000-00 netns switch",
            "ip -n switch link set tap00000000-00 up",
            "ip -n {F} link set fg-00000000-00 up",
        ],
    ),
    fault(606, stranger::WITH_FG),
    fault(607, stranger::WITH_FLOATING_IP),
    fault(610, &["ip -n gateway link set eth0 down"]),
    fault(616, &["ip -n {F} addr del 192.168.1.23/24 dev {FG}"]),
    fault(701, &["ip -n {R} neigh del 10.0.0.4 dev {QR}"]),
    fault(702, stranger::ADDRESS_MOVES),
    fault(703, &["ip -n {R} neigh add 20.0.0.9 lladdr fa:16:3e:00:00:99 dev {QR} nud permanent"]),
    fault(710, &["ip -n {R} link set {QR} down"]),
    fault(801, stranger::WITH_QG),
    fault(803, &["ip -n {S} link del {SG}"]),
    fault(804, &["ip -n {S} addr add 192.168.1.3/32 dev {QG}"]),
    since(Layout::Newton, 901, &["sed -i 1d {STATE}/fip-priorities"]),
    fault(902, &["sed -i 1d {STATE}/fip-linklocal-networks"]),
];

/// The fault of a code, where this layout can have it.
pub(super) fn find(code: Code, layout: Layout) -> Result<&'static Fault, Error> {
    let fault = FAULTS.iter().find(|fault| fault.code == code.0);
    match fault {
        Some(fault) if fault.since <= layout => Ok(fault),
        Some(fault) => Err(Error::CannotBreak(format!(
            "{code} cannot be broken in the layout {}; it can from {} on: --layout {}",
            layout.word(),
            fault.since.word(),
            fault.since.word(),
        ))),
        None => {
            let codes: Vec<String> = FAULTS.iter().map(|fault| Code(fault.code).to_string()).collect();
            Err(Error::CannotBreak(format!(
                "the lab cannot break {code}.\nIt can break {}",
                codes.chunks(10).map(|line| line.join(" ")).collect::<Vec<_>>().join("\n  ")
            )))
        }
    }
}

impl Fault {
    /// The commands in a lab, names resolved, as a shell would take them.
    pub fn commands(&self, options: &LabOptions) -> Vec<String> {
        let names = names(options);
        let resolved = |command: &&str| {
            let text = names.iter().fold((*command).to_owned(), |text, (name, value)| text.replace(name, value));
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        self.commands.iter().map(resolved).collect()
    }

    /// Breaks the lab that this process is in.
    pub(super) fn make(&self, options: &LabOptions) -> Result<(), Error> {
        for command in self.commands(options) {
            run(&command).map_err(|why| Error::Fault { code: Code(self.code), command, why })?;
        }
        Ok(())
    }
}

fn run(command: &str) -> Result<(), String> {
    let mut words = command.split(' ');
    let name = words.next().unwrap_or_default();
    let program = find_program(name).ok_or_else(|| format!("{name} is not installed"))?;
    // `ip netns exec` looks its program up itself.
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let output = Command::new(program).args(words).env("PATH", path).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(crate::net::printable(String::from_utf8_lossy(&output.stderr).trim(), 300))
}

fn names(options: &LabOptions) -> Vec<(&'static str, String)> {
    let forms = Forms::of(options.layout, options.backend);
    let place = |name: crate::plan::Place| name.to_string();
    let (router, fip, snat) =
        (place(router_netns(article::ROUTER)), place(fip_netns(article::NETWORK)), place(snat_netns(article::ROUTER)));
    let [_, subnet] = article::subnets();
    let prefix = RouterPrefix::of(article::ROUTER);
    let pair = numbers::pairs(options.layout).next().unwrap_or_else(|| LinkLocalPair::of([169, 254, 0, 0].into()));
    let odd = pair.fpr();
    let table = match (options.layout, odd) {
        (Layout::Pike, std::net::IpAddr::V4(odd)) => odd.to_bits().to_string(),
        _ => "main".to_owned(),
    };
    let program = match options.backend {
        Backend::Nft => "iptables-nft",
        Backend::Legacy => "iptables-legacy",
    };
    let is_juno = options.layout == Layout::Juno;
    let rfp = prefix.rfp();
    vec![
        ("{r-iptables}", format!("ip netns exec {router} {program} -w 5")),
        ("{f-iptables}", format!("ip netns exec {fip} {program} -w 5")),
        ("{SNAT}", forms.snat_to(article::FLOATING_IP)),
        ("{GUARD}", forms.guard(&rfp)),
        ("{IN}", if is_juno { String::new() } else { format!("-i {rfp}") }),
        ("{METADATA}", if is_juno { String::new() } else { "-i qr-+".to_owned() }),
        ("{R}", router),
        ("{F}", fip),
        ("{S}", snat),
        ("{RFP}", rfp.to_string()),
        ("{FPR}", prefix.fpr().to_string()),
        ("{FG}", article::external().port.device.to_string()),
        ("{QR}", subnet.qr.device.to_string()),
        ("{SG}", subnet.sg.device.to_string()),
        ("{QG}", article::qg().device.to_string()),
        ("{EVEN}", pair.rfp().to_string()),
        ("{ODD}", odd.to_string()),
        ("{PRIORITY}", numbers::priority(options.layout, 0).to_string()),
        ("{TABLE}", table),
        ("{C}", "neutron-l3-agent".to_owned()),
        ("{STATE}", STATE_PATH.to_owned()),
    ]
}
