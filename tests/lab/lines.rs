//! What the article prints, and what later layouts have in its place.

use fipscope::lab::Lab;
use fipscope::net::netfilter::Backend;
use fipscope::neutron::Layout;

use crate::case::text;

const ROUTER: &str = "qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62";
const FIP: &str = "fip-cef4f7b4-c344-4904-a847-a9960f58fb20";

/// Asserts that the lines of this layout stand there.
pub(crate) fn stand(lab: &Lab, layout: Layout, backend: Backend) {
    everywhere(lab);
    match layout {
        Layout::Juno => juno(lab),
        Layout::Newton => newton(lab),
        Layout::Pike => pike(lab),
    }
    filter(lab, layout, backend);
    files(lab, layout);
}

fn lines(lab: &Lab, namespace: &str, program: &str, arguments: &[&str]) -> Vec<String> {
    text(lab, namespace, program, arguments)
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn has(lines: &[String], wanted: &str) {
    assert!(lines.iter().any(|line| line == wanted), "no line '{wanted}' in:\n{}", lines.join("\n"));
}

fn everywhere(lab: &Lab) {
    let addresses = lines(lab, ROUTER, "ip", &["-4", "-o", "addr"]);
    let some = |wanted: &str| {
        assert!(addresses.iter().any(|line| line.contains(wanted)), "{wanted} not in {addresses:?}");
    };
    some("qr-369f59a5-2c inet 20.0.0.1/24 brd 20.0.0.255 scope global qr-369f59a5-2c");
    some("qr-c2e43983-5c inet 10.0.0.1/24 brd 10.0.0.255 scope global qr-c2e43983-5c");
    let links = text(lab, ROUTER, "ip", &["link"]) + &text(lab, FIP, "ip", &["link"]);
    for mac in ["fa:16:3e:33:6d:d7", "fa:16:3e:df:74:6c", "16:91:f5:0b:34:50", "3e:d3:e7:34:f6:f3", "fa:16:3e:cc:98:c8"]
    {
        assert!(links.contains(mac), "{mac} not in {links}");
    }
    let rules = lines(lab, ROUTER, "ip", &["rule"]);
    has(&rules, "167772161: from 10.0.0.1/24 lookup 167772161");
    has(&rules, "335544321: from 20.0.0.1/24 lookup 335544321");
    assert_eq!(rules.len(), 6, "{rules:?}");
    let neighbours = lines(lab, ROUTER, "ip", &["neigh"]);
    for address in ["10.0.0.3", "10.0.0.4", "10.0.0.5", "20.0.0.3", "20.0.0.4", "20.0.0.6"] {
        let known = |line: &String| line.starts_with(&format!("{address} ")) && line.ends_with("PERMANENT");
        assert!(neighbours.iter().any(known), "{address} in {neighbours:?}");
    }
}

fn juno(lab: &Lab) {
    let addresses = lines(lab, ROUTER, "ip", &["-4", "addr", "show", "rfp-ef25020f-0"]);
    has(&addresses, "inet 169.254.31.28/31 scope global rfp-ef25020f-0");
    has(&addresses, "inet 192.168.1.3/32 brd 192.168.1.3 scope global rfp-ef25020f-0");
    has(&lines(lab, ROUTER, "ip", &["rule"]), "32768: from 10.0.0.4 lookup 16");
    let table = lines(lab, ROUTER, "ip", &["route", "show", "table", "16"]);
    assert_eq!(table, ["default via 169.254.31.29 dev rfp-ef25020f-0"]);
    let routes = lines(lab, FIP, "ip", &["route"]);
    assert_eq!(
        routes,
        [
            "default via 192.168.1.1 dev fg-b2b77eed-1b",
            "169.254.31.28/31 dev fpr-ef25020f-0 proto kernel scope link src 169.254.31.29",
            "192.168.1.0/24 dev fg-b2b77eed-1b proto kernel scope link src 192.168.1.23",
            "192.168.1.3 via 169.254.31.28 dev fpr-ef25020f-0",
        ]
    );
}

fn newton(lab: &Lab) {
    let addresses = text(lab, ROUTER, "ip", &["-4", "addr", "show", "rfp-ef25020f-0"]);
    assert!(!addresses.contains("192.168.1.3"), "{addresses}");
    has(&lines(lab, FIP, "ip", &["route"]), "default via 192.168.1.1 dev fg-b2b77eed-1b");
    assert_eq!(lines(lab, FIP, "ip", &["rule"]).len(), 3);
}

fn pike(lab: &Lab) {
    let routes = lines(lab, FIP, "ip", &["route"]);
    assert!(!routes.iter().any(|line| line.starts_with("default")), "{routes:?}");
    has(&routes, "192.168.1.3 via 169.254.88.134 dev fpr-ef25020f-0 proto static");
    has(&lines(lab, FIP, "ip", &["rule"]), "2852018311: from all iif fpr-ef25020f-0 lookup 2852018311");
    let table = lines(lab, FIP, "ip", &["route", "show", "table", "2852018311"]);
    assert_eq!(table, ["default via 192.168.1.1 dev fg-b2b77eed-1b proto static"]);
    has(&lines(lab, ROUTER, "ip", &["neigh"]), "169.254.88.135 dev rfp-ef25020f-0 lladdr 3e:d3:e7:34:f6:f3 PERMANENT");
}

fn filter(lab: &Lab, layout: Layout, backend: Backend) {
    let save = format!("iptables-{}-save", backend.word());
    let router = lines(lab, ROUTER, &save, &[]);
    let input = if layout == Layout::Juno { "" } else { "-i rfp-ef25020f-0 " };
    has(&router, &format!("-A neutron-l3-agent-PREROUTING -d 192.168.1.3/32 {input}-j DNAT --to-destination 10.0.0.4"));
    let (both, random) = match layout {
        Layout::Pike => ("", " --random-fully"),
        Layout::Juno | Layout::Newton => ("! -i rfp-ef25020f-0 ", ""),
    };
    let snat = "-A neutron-l3-agent-float-snat -s 10.0.0.4/32 -j SNAT --to-source 192.168.1.3";
    has(&router, &format!("{snat}{random}"));
    let guard = "! -o rfp-ef25020f-0 -m conntrack ! --ctstate DNAT -j ACCEPT";
    has(&router, &format!("-A neutron-l3-agent-POSTROUTING {both}{guard}"));
    has(&router, "-A neutron-l3-agent-snat -j neutron-l3-agent-float-snat");
    has(&lines(lab, FIP, &save, &[]), "-A neutron-l3-agent-PREROUTING -j CT --notrack");
    let other = if backend == Backend::Nft { "iptables-legacy-save" } else { "iptables-nft-save" };
    let other = lines(lab, ROUTER, other, &[]);
    assert!(!other.iter().any(|line| line.starts_with("-A")), "rules in both packet filters: {other:?}");
    let scopes = router.iter().any(|line| line.contains("neutron-l3-agent-scope"));
    assert_eq!(scopes, layout != Layout::Juno);
}

fn files(lab: &Lab, layout: Layout) {
    let file = |name| std::fs::read_to_string(lab.state_path().join(name)).ok();
    let pair = match layout {
        Layout::Juno => "169.254.31.28/31",
        Layout::Newton => "169.254.106.114/31",
        Layout::Pike => "169.254.88.134/31",
    };
    let line = format!("ef25020f-012c-41d6-a36e-f2f09cb8ea62,{pair}\n");
    assert_eq!(file("fip-linklocal-networks").as_deref(), Some(line.as_str()));
    assert_eq!(file("fip-priorities").is_some(), layout != Layout::Juno);
}
