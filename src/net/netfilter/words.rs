//! The words and numbers that printing, parsing and decoding share.

use super::{CtState, NfFamily};

/// Protocols by number, as Debian's `/etc/protocols` names them; `iptables-save`
/// prints that file's first name of a number. 0 means any and is not printed.
const PROTOCOLS: [(u8, &str); 59] = [
    (1, "icmp"),
    (2, "igmp"),
    (3, "ggp"),
    (4, "ipencap"),
    (5, "st"),
    (6, "tcp"),
    (8, "egp"),
    (9, "igp"),
    (12, "pup"),
    (17, "udp"),
    (20, "hmp"),
    (22, "xns-idp"),
    (27, "rdp"),
    (29, "iso-tp4"),
    (33, "dccp"),
    (36, "xtp"),
    (37, "ddp"),
    (38, "idpr-cmtp"),
    (41, "ipv6"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (45, "idrp"),
    (46, "rsvp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (57, "skip"),
    (58, "ipv6-icmp"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (73, "rspf"),
    (81, "vmtp"),
    (88, "eigrp"),
    (89, "ospf"),
    (93, "ax.25"),
    (94, "ipip"),
    (97, "etherip"),
    (98, "encap"),
    (103, "pim"),
    (108, "ipcomp"),
    (112, "vrrp"),
    (115, "l2tp"),
    (124, "isis"),
    (132, "sctp"),
    (133, "fc"),
    (135, "mobility-header"),
    (136, "udplite"),
    (137, "mpls-in-ip"),
    (138, "manet"),
    (139, "hip"),
    (140, "shim6"),
    (141, "wesp"),
    (142, "rohc"),
    (143, "ethernet"),
    // Other names that iptables takes; only the first of a number is printed.
    (58, "icmpv6"),
    (58, "icmp6"),
    (135, "ipv6-mh"),
    (135, "mh"),
    (0, "all"),
];

/// The name of an IP protocol, as `iptables-save` prints it.
pub fn protocol_word(number: u8) -> Option<&'static str> {
    PROTOCOLS.iter().find(|(n, _)| *n == number && *n != 0).map(|(_, word)| *word)
}

/// The number of an IP protocol that iptables names or numbers so.
pub fn protocol_number(word: &str) -> Option<u8> {
    let named = PROTOCOLS.iter().find(|(_, name)| *name == word).map(|(number, _)| *number);
    named.or_else(|| word.parse().ok())
}

/// The flags of `--tcp-flags`, in the order of their bits.
pub(super) const TCP_FLAGS: [&str; 6] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];

/// States of connection tracking, in the order that `iptables-save` prints them,
/// with their bits in `xt_conntrack` (`linux/netfilter/xt_conntrack.h`).
pub const CT_STATES: [(CtState, &str, u16); 7] = [
    (CtState::Invalid, "INVALID", 1),
    (CtState::New, "NEW", 8),
    (CtState::Related, "RELATED", 4),
    (CtState::Established, "ESTABLISHED", 2),
    (CtState::Untracked, "UNTRACKED", 256),
    (CtState::Snat, "SNAT", 64),
    (CtState::Dnat, "DNAT", 128),
];

/// Targets of iptables that are not chains. iptables refuses a chain of such a
/// name, so the word alone tells a target from a jump.
pub(super) const EXTENSIONS: [&str; 43] = [
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CLUSTERIP",
    "CONNMARK",
    "CONNSECMARK",
    "CT",
    "DNAT",
    "DNPT",
    "DSCP",
    "ECN",
    "HL",
    "HMARK",
    "IDLETIMER",
    "LED",
    "LOG",
    "MARK",
    "MASQUERADE",
    "MIRROR",
    "NETMAP",
    "NFLOG",
    "NFQUEUE",
    "NOTRACK",
    "QUEUE",
    "RATEEST",
    "REDIRECT",
    "REJECT",
    "SAME",
    "SECMARK",
    "SET",
    "SNAT",
    "SNPT",
    "SYNPROXY",
    "SYSRQ",
    "TARPIT",
    "TCPMSS",
    "TCPOPTSTRIP",
    "TEE",
    "TOS",
    "TPROXY",
    "TRACE",
    "TTL",
    "ULOG",
];

/// The match module and the option for the types of ICMP in that family.
pub(super) fn icmp_words(family: NfFamily) -> (&'static str, &'static str) {
    if family == NfFamily::Ip6 { ("icmp6", "--icmpv6-type") } else { ("icmp", "--icmp-type") }
}

/// Writes text as an option's value: bare where it needs no quotes, else quoted,
/// with quotes and backslashes escaped (`xtables_save_string`).
pub(super) fn write_value(out: &mut impl std::fmt::Write, value: &str) -> std::fmt::Result {
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return out.write_str(value);
    }
    out.write_char('"')?;
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '\'') {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    out.write_char('"')
}

/// Text as an option's value, quoted where it must be.
pub fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    // Writing into a String cannot fail.
    let _ = write_value(&mut out, value);
    out
}
