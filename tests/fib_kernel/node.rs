//! A random namespace, as lines for `ip -batch` and settings to write.

use std::net::Ipv4Addr;

use crate::random::Random;

/// Tables: the article's, one numbered as Pike does, and others.
const TABLES: [u32; 5] = [254, 16, 2_852_018_311, 99, OWN_SCOPE];
/// The only one with unicast routes of scope host: a gateway that is found
/// through such a route is not used, which nobody can read later.
const OWN_SCOPE: u32 = 98;
/// Marks that rules ask for: with Neutron's masks, and bare.
const MARKS: [(u32, u32); 5] =
    [(0x400_0000, 0xffff_0000), (0x2, 0xff), (0x2, u32::MAX), (0, 0xffff_0000), (0x400_0002, 0x400_0002)];
const TOS: [u8; 6] = [0x04, 0x08, 0x10, 0x1c, 0x20, 0xb8];

/// What is to stand in a namespace.
#[derive(Clone, Default)]
pub(crate) struct Node {
    /// Lines for `ip -batch`, in order.
    pub(crate) lines: Vec<String>,
    /// Files below `/proc/sys/net/ipv4/conf`, and what is written to them.
    pub(crate) settings: Vec<(String, u8)>,
    /// Every device.
    pub(crate) devices: Vec<String>,
    /// The addresses of the namespace itself.
    pub(crate) own: Vec<Ipv4Addr>,
    /// Addresses that anything here speaks of.
    pub(crate) spoken_of: Vec<Ipv4Addr>,
}

impl Node {
    pub(crate) fn random(random: &mut Random) -> Self {
        let mut node = Self { devices: vec!["lo".to_owned()], ..Self::default() };
        node.say("link set lo up");
        node.links(random);
        node.switches(random);
        node.routes(random);
        if random.chance(85) {
            node.rules(random);
        }
        // A device that goes down takes its routes along, but not all of those of several next hops.
        if random.chance(25) {
            let device = random.pick(&node.devices).clone();
            node.say(format!("link set {device} down"));
        }
        node
    }

    fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn speak_of(&mut self, address: Ipv4Addr) -> Ipv4Addr {
        self.spoken_of.push(address);
        address
    }

    fn links(&mut self, random: &mut Random) {
        for number in 0..=random.below(3) {
            if random.chance(50) {
                // A bridge without ports: some kernels have no dummy device.
                self.say(format!("link add b{number} type bridge"));
                self.link(format!("b{number}"), random);
            } else {
                self.say(format!("link add v{number} type veth peer name w{number}"));
                self.link(format!("v{number}"), random);
                self.link(format!("w{number}"), random);
            }
        }
    }

    fn link(&mut self, device: String, random: &mut Random) {
        if random.chance(30) {
            self.say(format!("link set {device} group {}", 1 + random.below(3)));
        }
        let is_up = random.chance(92);
        if is_up {
            self.say(format!("link set {device} up"));
        }
        for _ in 0..random.below(4) {
            let (address, length) = subnet(random);
            let extra = match random.below(12) {
                0 => " noprefixroute",
                1 => " scope link",
                2 => " brd +",
                3 => " metric 100",
                _ => "",
            };
            if random.chance(8) {
                let peer = self.speak_of(near(address, random));
                self.say(format!("addr add {address} peer {peer}/{} dev {device}{extra}", random.pick(&[24, 31, 32])));
            } else {
                self.say(format!("addr add {address}/{length} dev {device}{extra}"));
            }
            self.own.push(address);
            self.speak_of(address);
        }
        self.devices.push(device);
    }

    fn switches(&mut self, random: &mut Random) {
        // `all` first: its `forwarding` overwrites that of every device.
        let every: Vec<String> = [vec!["all".to_owned()], self.devices.clone()].concat();
        for device in every {
            let is_all = device == "all";
            let mut set = |name: &str, value: u8| self.settings.push((format!("{device}/{name}"), value));
            set("forwarding", u8::from(random.chance(80)));
            // Mostly off in `all`, or it would drown the devices' own.
            let loose = if is_all { 75 } else { 34 };
            set("rp_filter", if random.chance(loose) { 0 } else { 1 + u8::try_from(random.below(2)).unwrap() });
            for name in ["accept_local", "src_valid_mark", "send_redirects"] {
                set(name, u8::from(random.chance(if is_all { 15 } else { 40 })));
            }
        }
    }

    fn routes(&mut self, random: &mut Random) {
        let several = random.chance(25);
        let first = self.lines.len();
        for _ in 0..4 + random.below(26) {
            let table = match random.below(100) {
                0..5 => 255,
                5..9 => 253,
                _ => *random.pick(&TABLES),
            };
            let (dst, kind) = (self.destination(random), random.below(100));
            let word = match kind {
                0..6 => Some("blackhole"),
                6..12 => Some("unreachable"),
                12..18 => Some("prohibit"),
                18..24 => Some("throw"),
                _ => None,
            };
            let way = match (word, kind) {
                (Some(_), _) => String::new(),
                (None, 24..30) => format!(" dev {}", random.pick(&self.devices)),
                (None, 30..36) if several => {
                    format!(" nexthop {} nexthop {}", self.way(table, random), self.way(table, random))
                }
                _ => format!(" {}", self.way(table, random)),
            };
            let word = match kind {
                24..27 => "local",
                27..29 => "broadcast",
                29 => "anycast",
                _ => word.unwrap_or("unicast"),
            };
            // `add` wants a new key, `append` goes behind its equals, `prepend` before them.
            let verb = *random.pick(&["add", "append", "prepend", "replace"]);
            let mut line = format!("route {verb} {word} {dst}{way} table {table}");
            if random.chance(25) {
                line += &format!(" metric {}", random.pick(&[1, 50, 100]));
            }
            if random.chance(12) {
                line += &format!(" tos {:#04x}", random.pick(&TOS));
            }
            self.say(line);
        }
        // Several defaults through gateways, among which the kernel looks for one that answers.
        if random.chance(15) && !self.own.is_empty() {
            let table = *random.pick(&TABLES[..3]);
            for _ in 0..2 + random.below(2) {
                let (gateway, device) = (near(*random.pick(&self.own), random), random.pick(&self.devices).clone());
                let rest = random.pick(&["", "", " metric 50", " tos 0x08"]);
                self.say(format!("route append unicast default via {gateway} dev {device} onlink table {table}{rest}"));
                if random.chance(50) {
                    let state = random.pick(&["reachable", "stale", "permanent"]);
                    self.say(format!("neigh replace {gateway} lladdr 02:00:00:00:00:01 dev {device} nud {state}"));
                }
            }
        }
        // A gateway that is found to be local when its route is added is not used, which nobody can read later.
        self.lines[first..]
            .sort_by_key(|line| ["local", "broadcast", "anycast"].contains(&line.split(' ').nth(2).unwrap()));
    }

    /// A next hop that the kernel mostly takes.
    fn way(&mut self, table: u32, random: &mut Random) -> String {
        let device = random.pick(&self.devices).clone();
        let gateway = if self.own.is_empty() { None } else { Some(near(*random.pick(&self.own), random)) };
        let gateway = gateway.filter(|gateway| !self.own.contains(gateway));
        match (gateway, random.below(10)) {
            (Some(gateway), 0..4) => format!("via {gateway} dev {device} onlink"),
            (Some(gateway), 4..5) if table != OWN_SCOPE => format!("via {gateway}"),
            _ if table == OWN_SCOPE => format!("dev {device} scope host"),
            _ => format!("dev {device}{}", random.pick(&[" scope link", ""])),
        }
    }

    fn destination(&mut self, random: &mut Random) -> String {
        if random.chance(12) {
            return "default".to_owned();
        }
        let near_own = !self.own.is_empty() && random.chance(50);
        let address = if near_own { near(*random.pick(&self.own), random) } else { subnet(random).0 };
        self.speak_of(address);
        prefix(address, *random.pick(&[32, 32, 31, 30, 25, 24, 24, 16, 8, 1]))
    }

    fn rules(&mut self, random: &mut Random) {
        for (priority, table) in [(32766, "main"), (32767, "default"), (0, "local")] {
            if random.chance(5) {
                self.say(format!("rule del prio {priority} table {table}"));
            }
            if priority == 0 && random.chance(8) {
                self.say("rule add prio 100 lookup local".to_owned());
            }
        }
        for _ in 0..random.below(9) {
            let line = self.rule(random);
            self.say(line);
        }
    }

    fn rule(&mut self, random: &mut Random) -> String {
        // Few numbers, so that rules share one and `goto` finds its target.
        let priority = *random.pick(&[50, 100, 100, 200, 300, 400, 32768, 3_232_235_777_u32]);
        let mut line = format!("rule add prio {priority}");
        if random.chance(12) {
            line = format!("rule add not prio {priority}");
        }
        if random.chance(40) {
            line += &format!(" from {}", self.selector(random));
        }
        if random.chance(25) {
            line += &format!(" to {}", self.selector(random));
        }
        if random.chance(30) {
            let device = if random.chance(15) { "gone" } else { random.pick(&self.devices).as_str() };
            line += &format!(" iif {device}");
        }
        if random.chance(4) {
            line += &format!(" oif {}", random.pick(&self.devices));
        }
        if random.chance(25) {
            let (value, mask) = random.pick(&MARKS);
            line += &format!(" fwmark {value:#x}/{mask:#x}");
        }
        if random.chance(12) {
            // `ip` refuses what does not fit into the old field of three bits.
            line += &format!(" tos {:#04x}", random.pick(&TOS[..4]));
        }
        // Rare, for every packet that such a rule may match cannot be told.
        if random.chance(1) {
            line += *random.pick(&[" ipproto udp", " ipproto tcp", " uidrange 0-0"]);
        }
        line + &action(priority, random)
    }

    fn selector(&mut self, random: &mut Random) -> String {
        let known = !self.spoken_of.is_empty() && random.chance(75);
        let address = if known { *random.pick(&self.spoken_of) } else { subnet(random).0 };
        self.speak_of(address);
        let length = *random.pick(&[32, 32, 24, 24, 16, 31, 8]);
        // Rules keep host bits.
        if random.chance(20) { format!("{address}/{length}") } else { prefix(address, length) }
    }
}

fn action(priority: u32, random: &mut Random) -> String {
    match random.below(100) {
        0..6 => " blackhole".to_owned(),
        6..12 => " unreachable".to_owned(),
        12..18 => " prohibit".to_owned(),
        18..23 => " nop".to_owned(),
        23..33 => {
            let target = *random.pick(&[100, 200, 300, 400, 32766, 40000]);
            // Backwards is refused.
            if target > priority || random.chance(10) { format!(" goto {target}") } else { " nop".to_owned() }
        }
        _ => {
            let mut lookup = format!(
                " lookup {}",
                random.pick(&[254, 16, 16, 2_852_018_311, 2_852_018_311, 99, OWN_SCOPE, 77, 255])
            );
            if random.chance(15) {
                lookup += &format!(" suppress_prefixlength {}", random.pick(&[0, 0, 8, 24, 31]));
            }
            if random.chance(8) {
                lookup += &format!(" suppress_ifgroup {}", random.below(4));
            }
            lookup
        }
    }
}

/// An address and the length of its subnet, from few networks, so that they meet.
fn subnet(random: &mut Random) -> (Ipv4Addr, u8) {
    let small = |random: &mut Random, end: usize| u8::try_from(random.below(end)).unwrap();
    match random.below(10) {
        0..4 => (Ipv4Addr::new(10, 0, small(random, 3), 1 + small(random, 8)), *random.pick(&[24, 24, 16, 28])),
        4..7 => (Ipv4Addr::new(169, 254, 88, 130 + small(random, 8)), 31),
        7..9 => (Ipv4Addr::new(192, 168, 1, 1 + small(random, 12)), *random.pick(&[24, 32, 32])),
        _ => (Ipv4Addr::new(172, 16, 0, 1 + small(random, 6)), *random.pick(&[30, 32, 12])),
    }
}

pub(crate) fn near(address: Ipv4Addr, random: &mut Random) -> Ipv4Addr {
    let step = *random.pick(&[0, 1, 1, 2, u32::MAX, 0x100, 7]);
    Ipv4Addr::from_bits(address.to_bits().wrapping_add(step))
}

fn prefix(address: Ipv4Addr, length: u8) -> String {
    ipnet::Ipv4Net::new(address, length).unwrap().trunc().to_string()
}
