//! The blocks as commands: the article's node, and what later layouts change.

use crate::neutron::Layout;

use super::super::{Plan, Step};
use super::*;
use crate::net::netfilter::Backend;

fn port(device: &str, address: &str) -> Port {
    Port {
        device: IfName::from(device),
        mac: Mac([0xfa, 0x16, 0x3e, 0, 0, 1]),
        address: address.parse().unwrap(),
        mtu: None,
        wire: Wire { netns: Place::Host, device: IfName::from("tap"), bridge: Some(IfName::from("br-ex")) },
    }
}

fn external() -> External {
    External {
        id: "cef4f7b4-c344-4904-a847-a9960f58fb20".to_owned(),
        port: port("fg-b2b77eed-1b", "192.168.1.23/24"),
        gateway: "192.168.1.1".parse().unwrap(),
    }
}

fn article_pair(even: &str) -> Pair {
    Pair {
        router: "ef25020f-012c-41d6-a36e-f2f09cb8ea62".to_owned(),
        addresses: LinkLocalPair::of(even.parse().unwrap()),
        macs: Some((Mac([2; 6]), Mac([6; 6]))),
        mtu: None,
    }
}

fn commands(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(Step::command)
        .map(|text| {
            text.replace("-ef25020f-012c-41d6-a36e-f2f09cb8ea62", "")
                .replace("-cef4f7b4-c344-4904-a847-a9960f58fb20", "")
        })
        .map(|text| text.replace("iptables-nft-restore -n -w 5 <<'EOF'\n", "restore ").replace("\nCOMMIT\nEOF", ""))
        .collect()
}

fn association(layout: Layout, even: &str, first: bool) -> Vec<String> {
    let mut plan = Plan::new("test");
    let forms = Forms::of(layout, Backend::Nft);
    let wanted = Association {
        floating_ip: Ipv4Addr::new(192, 168, 1, 3),
        fixed_ip: Ipv4Addr::new(10, 0, 0, 4),
        priority: RulePriority(32768),
    };
    associate(&mut plan, &forms, &external(), &article_pair(even), wanted, first);
    commands(&plan)
}

#[test]
fn the_articles_association() {
    assert_eq!(
        association(Layout::Juno, "169.254.31.28", true),
        [
            "ip netns exec qrouter restore *nat\n-A neutron-l3-agent-POSTROUTING ! -i rfp-ef25020f-0 \
             ! -o rfp-ef25020f-0 -m conntrack ! --ctstate DNAT -j ACCEPT",
            "ip netns exec qrouter restore *nat\n\
             -A neutron-l3-agent-PREROUTING -d 192.168.1.3/32 -j DNAT --to-destination 10.0.0.4\n\
             -A neutron-l3-agent-OUTPUT -d 192.168.1.3/32 -j DNAT --to-destination 10.0.0.4\n\
             -A neutron-l3-agent-float-snat -s 10.0.0.4/32 -j SNAT --to-source 192.168.1.3",
            "ip -n qrouter addr add 192.168.1.3/32 brd 192.168.1.3 dev rfp-ef25020f-0",
            "ip -n qrouter rule add from 10.0.0.4 lookup 16 priority 32768",
            "ip -n fip route add 192.168.1.3 via 169.254.31.28 dev fpr-ef25020f-0",
        ]
    );
}

#[test]
fn later_layouts_match_the_device_and_leave_the_address_out() {
    let newton = association(Layout::Newton, "169.254.106.114", false).join("\n");
    assert!(newton.contains("-d 192.168.1.3/32 -i rfp-ef25020f-0 -j DNAT"), "{newton}");
    assert!(!newton.contains("addr add") && !newton.contains("OUTPUT") && !newton.contains("random"), "{newton}");
    let pike = association(Layout::Pike, "169.254.88.134", true).join("\n");
    assert!(pike.contains("POSTROUTING ! -o rfp-ef25020f-0 -m conntrack"), "{pike}");
    assert!(pike.contains("-A neutron-l3-agent-snat -j neutron-l3-agent-float-snat"), "{pike}");
    assert!(pike.contains("--to-source 192.168.1.3 --random-fully"), "{pike}");
    assert!(pike.ends_with("192.168.1.3 via 169.254.88.134 dev fpr-ef25020f-0 proto static"), "{pike}");
}

#[test]
fn pikes_pair_has_a_table_of_its_own() {
    let made = |layout, even| {
        let mut plan = Plan::new("test");
        pair(&mut plan, &Forms::of(layout, Backend::Nft), &external(), &article_pair(even));
        commands(&plan)
    };
    let pike = made(Layout::Pike, "169.254.88.134");
    assert!(
        pike.contains(&"ip -n fip rule add from all iif fpr-ef25020f-0 lookup 2852018311 priority 2852018311".into())
    );
    assert!(pike.contains(
        &"ip -n fip route add default via 192.168.1.1 dev fg-b2b77eed-1b table 2852018311 proto static".into()
    ));
    assert!(pike.iter().any(|command| command.contains("neigh replace 169.254.88.135")));
    let juno = made(Layout::Juno, "169.254.31.28");
    assert_eq!(
        juno,
        [
            "ip -n qrouter link add name rfp-ef25020f-0 address 02:02:02:02:02:02 type veth \
             peer name fpr-ef25020f-0 address 06:06:06:06:06:06 netns fip",
            "ip -n qrouter link set rfp-ef25020f-0 up",
            "ip -n fip link set fpr-ef25020f-0 up",
            "ip -n qrouter addr add 169.254.31.28/31 dev rfp-ef25020f-0",
            "ip -n fip addr add 169.254.31.29/31 dev fpr-ef25020f-0",
            "ip -n qrouter route add default via 169.254.31.29 dev rfp-ef25020f-0 table 16",
        ]
    );
}

#[test]
fn edits_of_one_table_become_one() {
    let mut plan = Plan::new("test");
    let forms = Forms::of(Layout::Pike, Backend::Nft);
    let made = article_pair("169.254.88.134");
    router_namespace(&mut plan, &forms, &made.router);
    pair(&mut plan, &forms, &external(), &made);
    let apart = plan.clone();
    let gathered = plan.gathered();
    let tables =
        |plan: &Plan| plan.steps.iter().filter(|step| matches!(step.action, crate::plan::Action::Netfilter(_))).count();
    assert_eq!((tables(&apart), tables(&gathered)), (6, 4));
    let lines = |plan: &Plan| {
        let mut lines: Vec<String> =
            commands(plan).iter().flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        lines.retain(|line| line.starts_with("-A"));
        lines.sort();
        lines
    };
    assert_eq!(lines(&apart), lines(&gathered));
    let ids: Vec<u32> = gathered.steps.iter().map(|step| step.id).collect();
    assert!(ids.iter().zip(1..).all(|(id, place)| *id == place));
    assert!(gathered.steps.iter().all(|step| step.undo == step.action.inverse()));
}

#[test]
fn a_subnets_table_is_its_address() {
    let mut plan = Plan::new("test");
    let qr = port("qr-c2e43983-5c", "10.0.0.1/24");
    let sg = ("10.0.0.3".parse().unwrap(), Mac([0xfa, 0x16, 0x3e, 0xa3, 0xef, 0xa9]));
    redirect(&mut plan, &Forms::of(Layout::Juno, Backend::Nft), "r", &qr, sg);
    assert_eq!(
        commands(&plan),
        [
            "ip -n qrouter-r neigh replace 10.0.0.3 lladdr fa:16:3e:a3:ef:a9 dev qr-c2e43983-5c nud permanent",
            "ip -n qrouter-r route add default via 10.0.0.3 dev qr-c2e43983-5c table 167772161",
            "ip -n qrouter-r rule add from 10.0.0.1/24 lookup 167772161 priority 167772161",
            "ip netns exec qrouter-r sysctl -w net.ipv4.conf.qr-c2e43983-5c.send_redirects=0",
        ]
    );
}

#[test]
fn a_step_serialises_as_promised() {
    let mut plan = Plan::new("test");
    plan.push(&Place::netns("x"), super::super::Action::sysctl("net.ipv4.ip_forward", 1));
    let json = serde_json::to_value(&plan.steps[0]).unwrap();
    assert_eq!(json["namespace"], "x");
    assert_eq!(json["command"], "ip netns exec x sysctl -w net.ipv4.ip_forward=1");
    assert!(json["undo_command"].is_null() && json["why_no_undo"].is_string());
}
