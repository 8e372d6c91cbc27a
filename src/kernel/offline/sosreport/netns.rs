//! One namespace of a report: its files, and what they say.

use super::super::folder::{Folder, Found};
use super::super::peers::{Place, ToldNames};
use super::super::text::{TableNames, addr, conntrack, link, neigh, route, rule, sysctl};
use super::filter::{self, FilterFiles};
use super::{not_empty, parsed};
use crate::net::{ConntrackFill, Family, Gap, IfName, Link, Netns, NetnsName, Observed, Rule, Sysctls, printable};

/// What comes behind a namespace's name in the file of its addresses.
pub(super) const ADDRESSES: [&str; 3] = ["ip_-d_address_show", "ip_address_show", "ip_-d_address"];

const LINKS: [&str; 2] = ["ip_-s_-d_link", "ip_-s_-d_link_show"];
const RULES_V4: [&str; 4] = ["ip_-4_rule_list", "ip_rule_list", "ip_-4_rule", "ip_rule"];
const RULES_V6: [&str; 2] = ["ip_-6_rule_list", "ip_-6_rule"];
const ROUTES: [&str; 1] = ["ip_route_show_table_all"];
const NEIGHS: [&str; 2] = ["ip_-s_-s_neigh_show", "ip_neigh_show"];
const SYSCTLS: [&str; 1] = ["sysctl_-a"];
const CONNTRACK: [&str; 2] = ["conntrack_-L_-o_extended", "conntrack_-L"];
const FILTER_V4: [&str; 2] = ["iptables-save", "iptables-nft-save"];
const FILTER_V6: [&str; 2] = ["ip6tables-save", "ip6tables-nft-save"];
const LEGACY_V4: [&str; 1] = ["iptables-legacy-save"];
const LEGACY_V6: [&str; 1] = ["ip6tables-legacy-save"];

/// Reads namespaces of one report.
pub(super) struct Reader<'a> {
    /// The report.
    pub folder: &'a Folder,
    /// Names of its routing tables.
    pub tables: TableNames,
}

impl Reader<'_> {
    /// A named namespace; unreadable where the report has nothing of it.
    pub(super) fn namespace(&self, name: &NetnsName, told: &mut ToldNames) -> Observed<Netns> {
        let place = Some(name.clone());
        let parts = [&ADDRESSES[..], &RULES_V4, &ROUTES, &NEIGHS, &FILTER_V4];
        if parts.iter().all(|endings| self.find(&place, endings).is_err()) {
            return Observed::Unreadable(
                "not in this report: it was listed, but nothing of it was collected".to_owned(),
            );
        }
        Observed::Seen(self.place(&place, told))
    }

    /// A namespace, or the host's own.
    pub(super) fn place(&self, place: &Place, told: &mut ToldNames) -> Netns {
        let mut netns = Netns::default();
        let settings = self.find(place, &SYSCTLS).map(|found| (found.name, sysctl::settings(&found.text)));
        self.links(place, &mut netns, told);
        if let (Observed::Seen(links), Ok((_, settings))) = (&mut netns.links, &settings) {
            for link in links {
                link.ipv4 = settings.ipv4_conf(&link.name);
            }
        }
        netns.addrs = parsed(not_empty(self.find(place, &ADDRESSES)), addr::addrs);
        netns.rules = self.rules(place, &mut netns.gaps);
        netns.routes = parsed(self.find(place, &ROUTES), |text| route::routes(text, &self.tables));
        netns.neighs = parsed(self.find(place, &NEIGHS), neigh::neighs);
        netns.gaps.push(Gap::new("proxy neighbours", "sos does not collect them"));
        let files = FilterFiles {
            v4: self.find(place, &FILTER_V4),
            v6: self.find(place, &FILTER_V6),
            legacy: self.find(place, &LEGACY_V4).ok(),
            legacy_v6: self.find(place, &LEGACY_V6).ok(),
        };
        netns.netfilter = filter::read(files, &mut netns.gaps);
        netns.sysctls = sysctls(&settings, netns.links());
        let entries = parsed(self.find(place, &CONNTRACK), conntrack::entries);
        netns.conntrack_fill = fill(&settings);
        netns.conntrack = Some(entries);
        netns.sort();
        netns
    }

    fn links(&self, place: &Place, netns: &mut Netns, told: &mut ToldNames) {
        let found = self.find(place, &LINKS);
        let counted = found.is_ok();
        let found = not_empty(found.or_else(|_| self.find(place, &ADDRESSES)));
        let detailed = found.as_ref().is_ok_and(|found| found.text.contains(" promiscuity "));
        let links = parsed(found, link::links);
        netns.links = links.map(|links| {
            let named = |link: &link::TextLink| Some(((place.clone(), link.link.index), link.link_netns.clone()?));
            told.extend(links.iter().filter_map(named));
            links.into_iter().map(Link::from).collect()
        });
        for (known, part) in [(counted, "device counters"), (detailed, "device kinds")] {
            if !known {
                netns.gaps.push(Gap::new(part, "sos does not collect them for this namespace"));
            }
        }
        netns.gaps.push(Gap::new("queueing disciplines", "only those at the root of a device, without their filters"));
    }

    fn rules(&self, place: &Place, gaps: &mut Vec<Gap>) -> Observed<Vec<Rule>> {
        let read = |found, family| parsed(found, |text| rule::rules(text, family, &self.tables));
        let v4 = read(not_empty(self.find(place, &RULES_V4)), Family::V4);
        let v6 = read(self.find(place, &RULES_V6), Family::V6);
        if let Observed::Unreadable(why) = &v6 {
            gaps.push(Gap::new("IPv6 rules", why.clone()));
        }
        v4.map(|rules| rules.into_iter().chain(v6.seen().cloned().unwrap_or_default()).collect())
    }

    /// The file of a namespace with one of these endings.
    pub(super) fn find(&self, place: &Place, endings: &[&str]) -> Result<Found, String> {
        let plugins = ["networking", "kernel", "conntrack", "firewall_tables"];
        let files: Vec<String> = match place {
            None => endings
                .iter()
                .flat_map(|ending| plugins.map(|plugin| format!("sos_commands/{plugin}/{ending}")))
                .collect(),
            Some(name) => {
                let name = in_file_names(name);
                let both = |ending: &&str| {
                    let file = format!("ip_netns_exec_{name}_{ending}");
                    let flat = ["networking", "conntrack"].map(|plugin| format!("sos_commands/{plugin}/{file}"));
                    let own = ["networking", "conntrack"]
                        .map(|plugin| format!("sos_commands/{plugin}/namespaces/{name}/{file}"));
                    flat.into_iter().chain(own).collect::<Vec<_>>()
                };
                endings.iter().flat_map(both).collect()
            }
        };
        self.folder.find(&files)
    }
}

/// sos makes file names of commands by putting `_` for what is no letter,
/// digit, `_`, `-` or `.` (`sos/report/plugins`, `mangle_command`).
fn in_file_names(name: &NetnsName) -> String {
    let fine = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut out = String::new();
    for c in name.as_str().chars() {
        if fine(c) {
            out.push(c);
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out
}

type Settings = Result<(String, sysctl::Settings), String>;

/// Every wanted setting has an entry: the value, or why there is none. What the
/// kernel has no such setting for is not in `sysctl`'s output either, so that
/// the two cannot be told apart.
fn sysctls(settings: &Settings, links: &[Link]) -> Sysctls {
    let devices = links.iter().map(|link| &link.name);
    let delays = devices.filter(|name| name.as_str().starts_with("fg-") || name.as_str().starts_with("qg-"));
    let names = crate::kernel::sysctl::names().chain(delays.map(proxy_delay));
    let value = |name: &str| match settings {
        Ok((file, settings)) => match settings.get(&name_in_file(name)) {
            Some(value) => Observed::Seen(value),
            None => Observed::Unreadable(format!("not in {}", printable(file, 200))),
        },
        Err(why) => Observed::Unreadable(why.clone()),
    };
    names.map(|name| (name.clone(), value(&name))).collect()
}

fn proxy_delay(device: &IfName) -> String {
    format!("net.ipv4.neigh.{}.proxy_delay", device.as_str())
}

/// `sysctl` prints a dot of a device's name as a slash.
fn name_in_file(name: &str) -> String {
    let device = name.strip_prefix("net.ipv4.neigh.").and_then(|rest| rest.strip_suffix(".proxy_delay"));
    match device {
        Some(device) => format!("net.ipv4.neigh.{}.proxy_delay", device.replace('.', "/")),
        None => name.to_owned(),
    }
}

fn fill(settings: &Settings) -> Observed<ConntrackFill> {
    let (file, settings) = match settings {
        Ok((file, settings)) => (file, settings),
        Err(why) => return Observed::Unreadable(why.clone()),
    };
    let get = |name: &str| settings.get(&format!("net.netfilter.nf_conntrack_{name}")).map(i64::unsigned_abs);
    match (get("count"), get("max")) {
        (Some(count), Some(max)) => Observed::Seen(ConntrackFill { count, max }),
        _ => Observed::Unreadable(format!("not in {}", printable(file, 200))),
    }
}
