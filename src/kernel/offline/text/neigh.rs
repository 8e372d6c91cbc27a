//! `ip -s -s neigh show`.

use super::{Parsed, Words, each_line};
use crate::net::{IfName, Neigh, NeighState};

/// The neighbours of both families.
pub fn neighs(text: &str) -> Parsed<Vec<Neigh>> {
    each_line(text, neigh)
}

fn neigh(line: &str) -> Option<Neigh> {
    let mut words = Words::of(line);
    let address = words.value()?;
    let dev = words.take("dev").then(|| words.next()).flatten()?;
    let mut neigh = Neigh { address, dev: IfName::from(dev), mac: None, state: NeighState::None, proxy: false };
    while let Some(word) = words.next() {
        match word {
            // A tunnel's neighbour has an IP address here.
            "lladdr" => neigh.mac = words.next()?.parse().ok(),
            "proxy" => neigh.proxy = true,
            "ref" | "probes" | "proto" | "protocol" | "nud" | "vlan" => drop(words.next()?),
            // Some releases leave out the blank: `used 20/20/20probes 0`.
            "used" => {
                if words.next()?.ends_with("probes") {
                    words.next()?;
                }
            }
            "router" | "extern_learn" | "offload" | "managed" | "extern_valid" => {}
            word => neigh.state = state(word)?,
        }
    }
    Some(neigh)
}

fn state(word: &str) -> Option<NeighState> {
    use NeighState::{Delay, Failed, Incomplete, Noarp, None as NoState, Permanent, Probe, Reachable, Stale};
    [Incomplete, Reachable, Stale, Delay, Probe, Failed, Noarp, Permanent, NoState]
        .into_iter()
        .find(|state| state.word() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_print_as_they_were_read() {
        let text = "169.254.88.134 dev fpr-ef25020f-0 lladdr 8e:36:be:5d:34:3b  used 20/20/20probes 0 PERMANENT \n\
            10.0.0.2 dev br-ex lladdr 52:54:00:23:38:7f ref 1 used 78/0/76 probes 1 REACHABLE\n\
            10.0.0.9 dev br-ex  used 1/2/3 probes 6 FAILED\n\
            fe80::1 dev br-ex lladdr 52:54:00:23:38:7f router extern_learn  STALE\n\
            192.168.1.3 dev fg-b2b77eed-1b proxy\n";
        let printed: Vec<String> = neighs(text).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            printed,
            [
                "169.254.88.134 dev fpr-ef25020f-0 lladdr 8e:36:be:5d:34:3b PERMANENT",
                "10.0.0.2 dev br-ex lladdr 52:54:00:23:38:7f REACHABLE",
                "10.0.0.9 dev br-ex FAILED",
                "fe80::1 dev br-ex lladdr 52:54:00:23:38:7f STALE",
                "192.168.1.3 dev fg-b2b77eed-1b proxy",
            ]
        );
    }

    #[test]
    fn what_is_no_neighbour_is_named_with_its_line() {
        for text in ["Cannot open network namespace", "10.0.0.1 dev", "10.0.0.1 dev a NEW", "10.0.0.1 dev a used"] {
            assert_eq!(neighs(text).unwrap_err().line, 1, "{text}");
        }
    }
}
