//! What the database says of a lab whose own bridges forward.

use std::collections::BTreeMap;

use crate::net::IfName;
use crate::neutron::parse_device;
use crate::plan::{Action, LinkSetting, Object, Place, Plan};

use super::super::article::SWITCH;

/// What every command to the database begins with.
pub(in crate::lab) fn client() -> [&'static str; 3] {
    ["ovs-vsctl", "--db=unix:/run/openvswitch/db.sock", "--no-wait"]
}

/// The local VLAN of a bridge's network.
pub(in crate::lab) fn tag(bridge: &str) -> u16 {
    let word = bridge.trim_start_matches("br-");
    let number = word.split('.').next().and_then(|number| number.parse().ok());
    number.unwrap_or(match word {
        "ex" => 2,
        "ha" => 4,
        _ => 3,
    })
}

/// The command that fills it.
pub(super) fn words(plan: &Plan) -> Vec<String> {
    let mut words: Vec<String> = client().into_iter().chain(["add-br", "br-int"]).map(str::to_owned).collect();
    for (port, bridge) in ports(plan) {
        let tag = format!("tag={}", tag(&bridge));
        words.extend(["--".to_owned(), "add-port".to_owned(), "br-int".to_owned(), port, tag]);
    }
    words
}

/// The ports of the plan's bridges: a router's by the device's own name, as the
/// agent plugs it, an instance's by that of the far end.
fn ports(plan: &Plan) -> Vec<(String, String)> {
    let switch = Place::netns(SWITCH);
    let mut found = Vec::new();
    let mut own = BTreeMap::<&IfName, &IfName>::new();
    for step in &plan.steps {
        match &step.action {
            Action::Add(Object::Veth(veth)) if veth.peer_netns == switch => {
                own.insert(&veth.peer.name, &veth.end.name);
            }
            Action::SetLink { dev, to: LinkSetting::Master(Some(bridge)), .. } if step.netns == switch => {
                let device = own.get(dev).copied().filter(|device| parse_device(device).is_some()).unwrap_or(dev);
                found.push((device.to_string(), bridge.to_string()));
            }
            _ => {}
        }
    }
    found
}
