//! The command line of every action, and that undoing an undoing is doing.

use crate::net::netfilter::Backend;
use crate::net::{AddrFlags, FileName, IfName, NeighState, NetnsName, RulePriority, TableId};
use crate::plan::{AnnounceBy, SwitchPort, Undo};

use super::*;

fn place() -> Place {
    Place::netns("qrouter-ef25020f-012c-41d6-a36e-f2f09cb8ea62")
}

fn addr(text: &str) -> Addr {
    Addr {
        dev: IfName::from("rfp-ef25020f-0"),
        address: text.parse().unwrap(),
        peer: None,
        broadcast: None,
        scope: 0,
        flags: AddrFlags::default(),
    }
}

fn neigh(proxy: bool) -> Neigh {
    Neigh {
        dev: IfName::from("qr-c2e43983-5c"),
        address: "10.0.0.4".parse().unwrap(),
        mac: (!proxy).then(|| "fa:16:3e:07:48:07".parse().unwrap()),
        state: NeighState::Permanent,
        proxy,
    }
}

fn default_route() -> Route {
    let via = "169.254.31.29".parse().unwrap();
    Route::unicast(TableId(16), "0.0.0.0/0".parse().unwrap(), Some(via), &IfName::from("rfp-ef25020f-0"))
}

fn fip_rule() -> Rule {
    let mut rule = Rule::lookup(Family::V4, 32768, TableId(16));
    rule.from = Some("10.0.0.4/32".parse().unwrap());
    rule
}

fn nat() -> TableEdit {
    let mut edit = TableEdit::new(Backend::Nft, "nat");
    edit.chain("neutron-l3-agent-float-snat");
    edit.append("neutron-l3-agent-float-snat", "-s 10.0.0.4/32 -j SNAT --to-source 192.168.1.3");
    edit
}

fn pair() -> Veth {
    Veth {
        end: VethEnd::named("rfp-ef25020f-0").with_mac("16:91:f5:0b:34:50".parse().unwrap()).with_mtu(Some(1450)),
        peer_netns: Place::netns("fip-cef4f7b4-c344-4904-a847-a9960f58fb20"),
        peer: VethEnd::named("fpr-ef25020f-0"),
    }
}

/// An action, its command, and that of its undo.
type Case = (Action, &'static str, &'static str);

/// Every action that can be taken back.
fn reversible() -> Vec<Case> {
    [objects(), settings(), outside()].concat()
}

fn objects() -> Vec<Case> {
    let mut floating = addr("192.168.1.3/32");
    floating.broadcast = Some("192.168.1.3".parse().unwrap());
    let add = Action::Add;
    vec![
        (add(Object::Netns(NetnsName::from("fip-1"))), "ip netns add fip-1", "ip netns del fip-1"),
        (
            add(Object::Veth(pair())),
            "ip -n NS link add name rfp-ef25020f-0 address 16:91:f5:0b:34:50 mtu 1450 type veth \
             peer name fpr-ef25020f-0 netns fip-cef4f7b4-c344-4904-a847-a9960f58fb20",
            "ip -n NS link del rfp-ef25020f-0",
        ),
        (add(Object::Bridge(IfName::from("br-ex"))), "ip -n NS link add br-ex type bridge", "ip -n NS link del br-ex"),
        (
            add(Object::Addr(floating)),
            "ip -n NS addr add 192.168.1.3/32 brd 192.168.1.3 dev rfp-ef25020f-0",
            "ip -n NS addr del 192.168.1.3/32 brd 192.168.1.3 dev rfp-ef25020f-0",
        ),
        (
            add(Object::Rule(fip_rule())),
            "ip -n NS rule add from 10.0.0.4 lookup 16 priority 32768",
            "ip -n NS rule del from 10.0.0.4 lookup 16 priority 32768",
        ),
        (
            add(Object::Route(default_route())),
            "ip -n NS route add default via 169.254.31.29 dev rfp-ef25020f-0 table 16",
            "ip -n NS route del default via 169.254.31.29 dev rfp-ef25020f-0 table 16",
        ),
        (
            add(Object::Neigh(neigh(false))),
            "ip -n NS neigh replace 10.0.0.4 lladdr fa:16:3e:07:48:07 dev qr-c2e43983-5c nud permanent",
            "ip -n NS neigh del 10.0.0.4 dev qr-c2e43983-5c",
        ),
        (
            add(Object::Neigh(neigh(true))),
            "ip -n NS neigh add proxy 10.0.0.4 dev qr-c2e43983-5c",
            "ip -n NS neigh del proxy 10.0.0.4 dev qr-c2e43983-5c",
        ),
    ]
}

fn settings() -> Vec<Case> {
    let dev = IfName::from("qr-c2e43983-5c");
    let set = |to, from| Action::SetLink { dev: dev.clone(), to, from: Some(from) };
    let bridge = || Some(IfName::from("br-ex"));
    let mac = |text: &str| LinkSetting::Mac(text.parse().unwrap());
    let mut other = default_route();
    other.next_hops[0].via = Some("169.254.31.31".parse().unwrap());
    vec![
        (Action::up(&dev), "ip -n NS link set qr-c2e43983-5c up", "ip -n NS link set qr-c2e43983-5c down"),
        (
            set(LinkSetting::Mtu(1450), LinkSetting::Mtu(1500)),
            "ip -n NS link set qr-c2e43983-5c mtu 1450",
            "ip -n NS link set qr-c2e43983-5c mtu 1500",
        ),
        (
            set(mac("fa:16:3e:df:74:6c"), mac("fa:16:3e:df:74:6d")),
            "ip -n NS link set qr-c2e43983-5c address fa:16:3e:df:74:6c",
            "ip -n NS link set qr-c2e43983-5c address fa:16:3e:df:74:6d",
        ),
        (
            set(LinkSetting::Master(bridge()), LinkSetting::Master(None)),
            "ip -n NS link set qr-c2e43983-5c master br-ex",
            "ip -n NS link set qr-c2e43983-5c nomaster",
        ),
        (
            Action::ReplaceRoute { to: other, from: Some(default_route()) },
            "ip -n NS route replace default via 169.254.31.31 dev rfp-ef25020f-0 table 16",
            "ip -n NS route replace default via 169.254.31.29 dev rfp-ef25020f-0 table 16",
        ),
        (
            Action::Sysctl { key: "net.ipv4.ip_forward".to_owned(), to: 1, from: Some(0) },
            "ip netns exec NS sysctl -w net.ipv4.ip_forward=1",
            "ip netns exec NS sysctl -w net.ipv4.ip_forward=0",
        ),
        (
            Action::Netfilter(nat()),
            "ip netns exec NS iptables-nft-restore -n -w 5 <<'EOF'\n*nat\n-N neutron-l3-agent-float-snat\n\
             -A neutron-l3-agent-float-snat -s 10.0.0.4/32 -j SNAT --to-source 192.168.1.3\nCOMMIT\nEOF",
            "ip netns exec NS iptables-nft-restore -n -w 5 <<'EOF'\n*nat\n\
             -D neutron-l3-agent-float-snat -s 10.0.0.4/32 -j SNAT --to-source 192.168.1.3\n\
             -X neutron-l3-agent-float-snat\nCOMMIT\nEOF",
        ),
    ]
}

fn outside() -> Vec<Case> {
    let line = "ef25020f-012c-41d6-a36e-f2f09cb8ea62,169.254.88.134/31".to_owned();
    let path = "/var/lib/neutron/fip-linklocal-networks".into();
    let port = SwitchPort {
        bridge: IfName::from("br-int"),
        name: IfName::from("fg-b2b77eed-1b"),
        tag: Some(3),
        internal: true,
        external_ids: [("iface-id", "b2b77eed-1b2c"), ("attached-mac", "fa:16:3e:cc:98:c8")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        netns: Place::netns("fip-1"),
        mac: Some("fa:16:3e:cc:98:c8".parse().unwrap()),
        mtu: Some(1450),
    };
    let patched = SwitchPort { tag: None, internal: false, external_ids: [].into(), ..port.clone() };
    vec![
        (
            Action::Add(Object::FileLine { file: FileName::LinkLocal, path, at: None, line }),
            "printf '%s\\n' ef25020f-012c-41d6-a36e-f2f09cb8ea62,169.254.88.134/31 \
             >> /var/lib/neutron/fip-linklocal-networks",
            "sed -i '/^ef25020f-012c-41d6-a36e-f2f09cb8ea62,169[.]254[.]88[.]134\\/31$/d' \
             /var/lib/neutron/fip-linklocal-networks",
        ),
        (
            Action::Add(Object::OvsPort(port)),
            "ovs-vsctl add-port br-int fg-b2b77eed-1b tag=3 -- set Interface fg-b2b77eed-1b type=internal \
             external_ids:attached-mac=fa:16:3e:cc:98:c8 external_ids:iface-id=b2b77eed-1b2c \
             && ip link set fg-b2b77eed-1b netns fip-1 \
             && ip -n fip-1 link set fg-b2b77eed-1b address fa:16:3e:cc:98:c8 mtu 1450",
            "ovs-vsctl del-port br-int fg-b2b77eed-1b",
        ),
        (
            Action::Add(Object::OvsPort(patched)),
            "ovs-vsctl add-port br-int fg-b2b77eed-1b",
            "ovs-vsctl del-port br-int fg-b2b77eed-1b",
        ),
    ]
}

#[test]
fn what_has_no_way_back_says_why() {
    let (dev, address) = (IfName::from("fg-b2b77eed-1b"), "192.168.1.3".parse().unwrap());
    let announce = |by| Action::Announce { dev: dev.clone(), address, mac: None, by };
    let forget = Action::Forget { address: "10.0.0.4".parse().unwrap() };
    let cases = [
        (
            forget,
            "for side in --orig-src --orig-dst --reply-src --reply-dst; do ip netns exec NS conntrack -D $side \
             10.0.0.4; done",
        ),
        (
            announce(AnnounceBy::Repeat),
            "for round in 1 2 3; do ip netns exec NS arping -U -I fg-b2b77eed-1b -c 1 -w 2 192.168.1.3; \
             ip netns exec NS arping -A -I fg-b2b77eed-1b -c 1 -w 2 192.168.1.3; sleep 2; done",
        ),
        (
            Action::Probe { dev: dev.clone(), address },
            "ip netns exec NS arping -D -I fg-b2b77eed-1b -c 3 -w 3 192.168.1.3",
        ),
    ];
    for (action, command) in cases {
        assert_eq!(action.command(&Place::netns("NS")), command);
        assert!(matches!(action.inverse(), Undo::Nothing(why) if !why.is_empty()) && !action.sentence().is_empty());
    }
}

#[test]
fn an_address_that_stands_for_its_announcement_is_taken_away() {
    let (dev, address) = (IfName::from("fg-b2b77eed-1b"), "192.168.1.3".parse().unwrap());
    let action = Action::Announce { dev, address, mac: None, by: AnnounceBy::Address };
    let place = Place::netns("NS");
    assert_eq!(
        action.command(&place),
        "ip -n NS addr add 192.168.1.3/32 dev fg-b2b77eed-1b && ip netns exec NS arping -A -I fg-b2b77eed-1b -c 3 \
         -w 4.5 192.168.1.3; ip -n NS addr del 192.168.1.3/32 dev fg-b2b77eed-1b"
    );
    let Undo::Action(undo) = action.inverse() else { panic!("killed in the middle of it, the address stays") };
    assert_eq!(undo.command(&place), "ip -n NS addr del 192.168.1.3/32 dev fg-b2b77eed-1b");
}

#[test]
fn every_action_has_its_command_and_its_undo() {
    let name = place().name().unwrap().as_str().to_owned();
    for (action, done, undone) in reversible() {
        let Undo::Action(undo) = action.inverse() else { panic!("{action:?} cannot be undone") };
        let place = place();
        assert_eq!(action.command(&place).replace(&name, "NS"), done);
        assert_eq!(undo.command(&place).replace(&name, "NS"), undone);
        assert!(!action.sentence().is_empty() && action.sentence() != undo.sentence());
    }
}

#[test]
fn undoing_the_undoing_is_doing() {
    for (action, ..) in reversible() {
        let Undo::Action(undo) = action.inverse() else { panic!("{action:?}") };
        assert_eq!(undo.inverse(), Undo::Action(action));
    }
    let replaced = Action::ReplaceRoute { to: default_route(), from: None };
    assert_eq!(replaced.inverse(), Undo::Action(Action::Delete(Object::Route(default_route()))));
    for unknown in [
        Action::sysctl("net.ipv4.ip_forward", 1),
        Action::SetLink { dev: IfName::from("lo"), to: LinkSetting::Mtu(9000), from: None },
    ] {
        assert!(matches!(unknown.inverse(), Undo::Nothing(why) if !why.is_empty()));
    }
}

#[test]
fn a_deleted_rule_goes_back_to_its_place() {
    let delete = |at| {
        let mut edit = TableEdit::new(Backend::Legacy, "nat");
        let (chain, rule) = ("POSTROUTING".to_owned(), "-j ACCEPT".to_owned());
        edit.edits.push(crate::plan::ChainEdit::Delete { chain, at, rule });
        edit.inverse().restore_text()
    };
    assert_eq!(delete(Some(2)), "*nat\n-I POSTROUTING 2 -j ACCEPT\nCOMMIT\n");
    assert_eq!(delete(None), "*nat\n-A POSTROUTING -j ACCEPT\nCOMMIT\n");
}

#[test]
fn a_shell_reads_back_what_was_meant() {
    assert_eq!(quote("qr-c2e43983-5c"), "qr-c2e43983-5c");
    assert_eq!(quote(""), "''");
    assert_eq!(quote("a;rm -rf $HOME"), "'a;rm -rf $HOME'");
    assert_eq!(quote("it's"), r"'it'\''s'");
    // A shell without this form must not find a second command in it either.
    assert_eq!(quote("\t'; reboot; '"), r"$'\x09\x27; reboot; \x27'");
    assert_eq!(quote("\u{1b}[2J\n"), "$'\\x1b[2J\\x0a'");
    assert_eq!(quote("ü"), "$'\\xc3\\xbc'");
    let hostile = Place::netns("a b;\u{1b}c`d`");
    let command = Action::Delete(Object::Rule(fip_rule())).command(&hostile);
    assert_eq!(command, "ip -n $'a b;\\x1bc`d`' rule del from 10.0.0.4 lookup 16 priority 32768");
    let mut rule = fip_rule();
    rule.iif = Some(IfName::from("$(id)"));
    let command = Action::Add(Object::Rule(rule)).command(&Place::Host);
    assert_eq!(command, "ip rule add from 10.0.0.4 iif '$(id)' lookup 16 priority 32768");
    let mut edit = TableEdit::new(Backend::Nft, "nat");
    edit.append("X", "-j ACCEPT\nEOF\nreboot");
    assert_eq!(edit.restore_text(), "*nat\n-A X -j ACCEPT EOF reboot\nCOMMIT\n");
}

#[test]
fn what_the_kernel_adds_is_no_word_of_a_command() {
    let mut rule = fip_rule();
    (rule.iif, rule.iif_detached) = (Some(IfName::from("fpr-1")), true);
    rule.priority = RulePriority(4_000_000_000);
    rule.family = Family::V6;
    rule.from = None;
    assert_eq!(
        policy_rule(&Place::Host, "del", &rule),
        "ip -6 rule del from all iif fpr-1 lookup 16 priority 4000000000"
    );
    let mut gone = default_route();
    (gone.next_hops[0].dead, gone.next_hops[0].linkdown) = (true, true);
    assert_eq!(route(&Place::Host, "del", &gone), route(&Place::Host, "del", &default_route()));
}
