//! Links of the translation: jumps, guard, DNAT, SNAT.

use std::net::IpAddr;

use super::verdict::{Verdict, seen};
use super::{View, word};
use crate::net::IfName;
use crate::neutron::Layout;
use crate::topology::index::Space;
use crate::topology::nat::{Jump, Translation};

/// What is said instead of the agent's prefix where no chain of an agent stands.
const AGENT: &str = "neutron-l3-agent";

/// Built-in PREROUTING leads to the agent's.
pub(super) fn inbound_jumps(space: &Space) -> Verdict {
    let nat = seen!(space.nat());
    jumps(&nat.inbound, nat.inbound_doubt.as_deref(), &format!("-A PREROUTING -j {AGENT}-PREROUTING"))
}

/// Built-in POSTROUTING leads to the guard and to `float-snat`.
pub(super) fn outbound_jumps(space: &Space) -> Verdict {
    let nat = seen!(space.nat());
    jumps(&nat.outbound, nat.outbound_doubt.as_deref(), &format!("-A POSTROUTING -j {AGENT}-POSTROUTING"))
}

fn jumps(jumps: &[Jump], doubt: Option<&str>, none: &str) -> Verdict {
    let gone: Vec<&str> = jumps.iter().filter(|jump| jump.found.is_none()).map(|jump| jump.wanted.as_str()).collect();
    let found: Vec<&String> = jumps.iter().filter_map(|jump| jump.found.as_ref()).collect();
    if jumps.is_empty() || !gone.is_empty() {
        let expected = if jumps.is_empty() { none.to_owned() } else { gone.join("; ") };
        return match doubt {
            Some(doubt) => Verdict::unknown(doubt).expecting(expected).shown_all(found),
            None => Verdict::missing(expected).shown_all(found),
        };
    }
    Verdict::ok(&found.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("; "))
}

/// What keeps traffic that does not leave through rfp from translation. Without
/// it, instances see each other's floating IPs.
pub(super) fn guard(view: &View) -> Verdict {
    let nat = seen!(view.qrouter.nat());
    let device = view.router.prefix.rfp();
    let chain = nat.prefix.as_ref().map_or_else(|| format!("{AGENT}-POSTROUTING"), |p| p.chain("POSTROUTING"));
    // The input device, too, up to 14.0.2.
    let input = if view.router.layout == Layout::Pike { String::new() } else { format!("! -i {device} ") };
    let expected = format!("-A {chain} {input}! -o {device} -m conntrack ! --ctstate DNAT -j ACCEPT");
    let found = nat.guard(device.as_str());
    if found.is_none() {
        // Without the devices, nobody knows whether there is a pair to guard.
        seen!(view.qrouter.link(""));
    }
    match (found, nat.other_guards(device.as_str()), &nat.outbound_doubt) {
        (Some(line), _, _) => Verdict::ok(&line),
        (None, _, Some(doubt)) => Verdict::unknown(doubt).expecting(expected),
        (None, others, None) if others.is_empty() => Verdict::missing(expected),
        (None, others, None) => Verdict::wrong(expected, others.join("; ")).shown_all(others),
    }
}

/// The fixed IP becomes the floating IP.
pub(super) fn float_snat(space: &Space, fixed_ip: Option<IpAddr>, floating_ip: Option<IpAddr>) -> Verdict {
    let Some(fixed) = fixed_ip else { return Verdict::unknown("nothing here tells the fixed IP") };
    let nat = seen!(space.nat());
    let chain = nat.prefix.as_ref().map_or_else(|| format!("{AGENT}-float-snat"), |p| p.chain("float-snat"));
    let expected = format!("-A {chain} -s {fixed}/32 -j SNAT --to-source {}", word(floating_ip));
    let hits: Vec<&Translation> = nat.snat(fixed).iter().collect();
    first_hit(&hits, expected, nat.outbound_doubt.as_deref(), |hit| floating_ip.is_none_or(|to| hit.to == to))
}

/// The floating IP becomes the fixed IP. In a router with a pair the rule asks
/// for rfp, from Mitaka 8.3; before, and without a pair, for no device.
pub(super) fn dnat(
    space: &Space,
    floating_ip: Option<IpAddr>,
    fixed_ip: Option<IpAddr>,
    rfp: Option<(&IfName, Layout)>,
) -> Verdict {
    let nat = seen!(space.nat());
    let chain = nat.prefix.as_ref().map_or_else(|| format!("{AGENT}-PREROUTING"), |p| p.chain("PREROUTING"));
    let device = rfp.filter(|(_, layout)| *layout != Layout::Juno).map(|(device, _)| device);
    let iface = device.map_or(String::new(), |device| format!(" -i {device}"));
    let expected = format!("-A {chain} -d {}/32{iface} -j DNAT --to-destination {}", word(floating_ip), word(fixed_ip));
    let Some(floating) = floating_ip else { return Verdict::missing(expected) };
    let hits = nat.dnat(floating);
    // Packets come in on rfp; what asks for another device never sees them.
    let meets = |hit: &&Translation| {
        hit.in_iface.is_none_or(|name| rfp.is_none_or(|(rfp, _)| iface_matches(name, rfp.as_str())))
    };
    let met: Vec<&Translation> = hits.iter().filter(meets).collect();
    if let ([], [hit, ..]) = (&met[..], hits) {
        return Verdict::wrong(expected, hit.line.clone()).shown_all(hits.iter().map(|hit| &hit.line));
    }
    let verdict =
        first_hit(&met, expected.clone(), nat.inbound_doubt.as_deref(), |hit| fixed_ip.is_none_or(|to| hit.to == to));
    match met[..] {
        [hit, ..] if verdict.is_ok() && hit.in_iface.is_some() != device.is_some() => {
            Verdict::wrong(expected, hit.line.clone()).shown(&hit.line).advisory()
        }
        _ => verdict,
    }
}

/// A trailing `+` in a rule's device matches any ending.
fn iface_matches(pattern: &str, device: &str) -> bool {
    pattern.strip_suffix('+').map_or(pattern == device, |start| device.starts_with(start))
}

/// Port forwardings stand in for a DNAT of the whole address.
pub(super) fn forwarded(space: &Space, floating_ip: Option<IpAddr>) -> Option<Verdict> {
    let lines = space.nat().ok()?.forwarded(floating_ip?);
    let (first, rest) = lines.split_first()?;
    Some(Verdict::ok(first).shown_all(rest))
}

/// The first rule decides; the rest never sees a packet.
fn first_hit(
    hits: &[&Translation],
    expected: String,
    doubt: Option<&str>,
    right: impl Fn(&Translation) -> bool,
) -> Verdict {
    match hits {
        [] => match doubt {
            Some(doubt) => Verdict::unknown(doubt).expecting(expected),
            None => Verdict::missing(expected),
        },
        [hit, ..] => {
            let lines = hits.iter().skip(1).map(|hit| &hit.line);
            if let Some(before) = &hit.behind {
                Verdict::unknown(&format!("a rule that was not understood comes first: {before}"))
                    .expecting(expected)
                    .shown(&hit.line)
                    .shown_all(lines)
            } else if right(hit) {
                Verdict::ok(&hit.line).shown_all(lines)
            } else {
                Verdict::wrong(expected, hit.line.clone()).shown(&hit.line).shown_all(lines)
            }
        }
    }
}
