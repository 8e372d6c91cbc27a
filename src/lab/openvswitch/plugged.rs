//! The lab's plan with everything plugged into Open vSwitch, as on a node: the
//! ports of routers as the switch's own devices, those of instances as the far
//! ends of pairs, the wire to the outside on the external bridge.

use std::collections::BTreeMap;

use crate::net::IfName;
use crate::neutron::parse_device;
use crate::plan::{Action, LinkSetting, Object, Place, Plan, SwitchPort, Veth};

use super::super::article::SWITCH;
use super::tag;

/// The bridge that everything of the node is plugged into.
pub(in crate::lab) const INTEGRATION: &str = "br-int";

/// The same node, without the namespace that stands for a switch.
pub(in crate::lab) fn plugged(plan: Plan) -> Plan {
    let switch = Place::netns(SWITCH);
    let bridges = bridges(&plan, &switch);
    let mut made = Plan { steps: Vec::new(), ..plan };
    for step in plan.steps {
        match step.action {
            Action::Add(Object::Netns(name)) if switch.name() == Some(&name) => {}
            _ if step.netns == switch => {}
            Action::Add(Object::Veth(veth)) if veth.peer_netns == switch => {
                if let Some(bridge) = bridges.get(&veth.peer.name) {
                    plug(&mut made, &step.netns, veth, bridge.as_str());
                }
            }
            action => made.push(&step.netns, action),
        }
    }
    made
}

/// The bridge that each device of the switch is on.
fn bridges(plan: &Plan, switch: &Place) -> BTreeMap<IfName, IfName> {
    let steps = plan.steps.iter().filter(|step| step.netns == *switch);
    steps
        .filter_map(|step| match &step.action {
            Action::SetLink { dev, to: LinkSetting::Master(Some(bridge)), .. } => Some((dev.clone(), bridge.clone())),
            _ => None,
        })
        .collect()
}

fn plug(plan: &mut Plan, place: &Place, veth: Veth, segment: &str) {
    let is_neutrons = parse_device(&veth.end.name).is_some();
    let is_outside = segment.starts_with("br-ex") && !is_neutrons;
    let attached = veth.end.mac.map(|mac| ("attached-mac".to_owned(), mac.to_string()));
    let port = SwitchPort {
        bridge: IfName::from(if is_outside { segment } else { INTEGRATION }),
        name: if is_neutrons { veth.end.name.clone() } else { veth.peer.name.clone() },
        tag: (!is_outside).then(|| tag(segment)),
        internal: is_neutrons,
        external_ids: attached.filter(|_| !is_outside).into_iter().collect(),
        netns: place.clone(),
        mac: veth.end.mac,
        mtu: veth.end.mtu,
    };
    if is_neutrons {
        plan.push(&Place::Host, Action::Add(Object::OvsPort(port)));
        return;
    }
    let far = veth.peer.name.clone();
    plan.push(place, Action::Add(Object::Veth(Veth { peer_netns: Place::Host, ..veth })));
    plan.push(&Place::Host, Action::Add(Object::OvsPort(port)));
    plan.push(&Place::Host, Action::up(&far));
}
