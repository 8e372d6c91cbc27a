//! Who has an address: the gateway asks on the external links, and the answers
//! that it hears are compared with what the engine says of each port there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use fipscope::net::{Mac, NetnsName, Snapshot};
use fipscope::path::{ICMP, Node, Packet, Start};

use crate::flows::{self, GATEWAYS, STALE, is_external};
use crate::inside::Scene;

/// What the gateway heard: target and hardware address of each answer.
pub(crate) type Heard = BTreeMap<Ipv4Addr, BTreeSet<Mac>>;

/// What is compared: each floating IP, each address on the links, nobody's.
pub(crate) fn targets(scene: &Scene, snapshot: &Snapshot) -> BTreeSet<Ipv4Addr> {
    let ports = flows::addresses(snapshot).into_iter().filter(|(_, device, _)| is_external(device));
    flows::floating(&scene.place.vms).chain(ports.map(|(_, _, address)| address)).chain([STALE]).collect()
}

/// The differences, one a line, and how many targets were compared.
pub(crate) fn compare(scene: &Scene, snapshot: &Snapshot, node: &Node<'_>) -> (Vec<String>, usize) {
    let targets = targets(scene, snapshot);
    let heard = scene.ask(&targets);
    let mut wrong = Vec::new();
    for target in &targets {
        let asker = leg(*target);
        let mut said = BTreeSet::new();
        for (namespace, device, address) in flows::addresses(snapshot) {
            if is_external(&device) && leg(address) == asker {
                let at = Start { namespace, device: Some(device) };
                let answer = node.arp(&at, asker, *target);
                match answer.answers {
                    Some(true) => said.extend(answer.mac),
                    Some(false) => {}
                    None => wrong.push(format!("ARP for {target}: cannot tell: {}", answer.why)),
                }
            }
        }
        let mut heard = heard.get(target).cloned().unwrap_or_default();
        // On a busy machine an answer may come after our patience: ask again.
        for _ in 0..5 {
            if heard.is_superset(&said) {
                break;
            }
            heard.extend(scene.ask(&BTreeSet::from([*target])).remove(target).unwrap_or_default());
        }
        if said != heard {
            wrong.push(format!("ARP for {target}: answered by {heard:?}, and by {said:?} by the engine"));
        }
    }
    (wrong, targets.len())
}

/// The gateway's address towards an external address.
fn leg(target: Ipv4Addr) -> Ipv4Addr {
    GATEWAYS[usize::from(target.octets()[0] == 172)]
}

impl Scene {
    /// Has the gateway ask for each, and forget what it knew of them until then.
    fn ask(&self, targets: &BTreeSet<Ipv4Addr>) -> Heard {
        let gateway = NetnsName::from("gateway");
        let forget: Vec<String> = targets
            .iter()
            .map(|target| format!("ip neigh flush to {target} nud permanent; ip neigh flush to {target}"))
            .collect();
        self.inside(&gateway, &forget.join("\n"));
        let question = |target: &Ipv4Addr| Packet::first(leg(*target), *target, ICMP).ports(1, 1);
        let packets: Vec<_> = targets.iter().map(|target| (0, &gateway, question(target))).collect();
        let heard = self.stage.ask(&packets, self.proxy_delay);
        self.inside(&gateway, &self.pins);
        heard
    }
}
