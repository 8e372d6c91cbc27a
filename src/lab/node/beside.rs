//! What stands beside the article's router where a failure needs it.

use std::net::Ipv4Addr;

use ipnet::IpNet;

use crate::net::{IfName, Route, TableId};
use crate::plan::agent::{Pair, fip_netns, snat_netns};
use crate::plan::{Action, LinkSetting, Object, Place, Veth, VethEnd};

use super::super::article;
use super::super::surroundings::{gateway_address, v4};
use super::{Builder, Error, LabOptions, Need, Vm};

/// `RT_SCOPE_LINK`.
const LINK: u8 = 253;
/// The gateway on the second subnet of the article's external network.
const SECOND_SUBNET_GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// A floating IP of that subnet, and whose it is.
const OF_SECOND_SUBNET: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(203, 0, 113, 4), Ipv4Addr::new(10, 0, 0, 5));

impl Builder {
    /// Adds what the options need; gives the instances that came with it.
    pub(super) fn needed(&mut self, options: &LabOptions) -> Result<Vec<Vm>, Error> {
        let mut vms = Vec::new();
        if options.has(Need::SecondSubnet) {
            self.second_subnet();
        }
        if options.has(Need::OpenVswitch) {
            vms.extend(self.plugged()?);
        }
        vms.extend(self.gateway_routers(options));
        Ok(vms)
    }

    /// A bridge of the host's own that leads to a segment of the switch and has
    /// its name, as a node's own bridge leads to the network outside.
    pub(super) fn uplink(&mut self, segment: &str) {
        let bridge = IfName::from(segment);
        let (near, far) = (IfName::new(format!("phy-{segment}")), IfName::new(format!("int-{segment}")));
        let end = |name: &IfName| VethEnd { name: name.clone(), mac: None, mtu: None };
        let switch = Place::netns(article::SWITCH);
        let pair = Veth { end: end(&near), peer_netns: switch.clone(), peer: end(&far) };
        self.plan.push(&Place::Host, Action::Add(Object::Bridge(bridge.clone())));
        self.plan.push(&Place::Host, Action::up(&bridge));
        self.plan.push(&Place::Host, Action::Add(Object::Veth(pair)));
        for (place, dev) in [(Place::Host, near), (switch, far)] {
            let to = LinkSetting::Master(Some(bridge.clone()));
            let attach = Action::SetLink { dev: dev.clone(), to, from: Some(LinkSetting::Master(None)) };
            self.plan.push(&place, attach);
            self.plan.push(&place, Action::up(&dev));
        }
    }

    /// A second subnet on the article's external network, with a floating IP.
    fn second_subnet(&mut self) {
        let (external, subnet) = (article::external(), v4(SECOND_SUBNET_GATEWAY, 24));
        gateway_address(&mut self.plan, "eth0", subnet);
        for (place, device) in
            [(fip_netns(article::NETWORK), &external.port.device), (snat_netns(article::ROUTER), &article::qg().device)]
        {
            self.on_link(&place, subnet.trunc(), device);
        }
        let Some(entry) = self.pairs.first() else { return };
        let router = entry.router.clone();
        let pair = Pair { router, addresses: entry.pair, macs: Some(article::PAIR_MACS), mtu: None };
        let others = !self.priorities.is_empty();
        self.associate_more(&external, &pair, [OF_SECOND_SUBNET].into_iter(), others);
    }

    fn on_link(&mut self, place: &Place, subnet: IpNet, device: &IfName) {
        let protocol = self.forms.route_protocol;
        let route = Route { scope: LINK, protocol, ..Route::unicast(TableId::MAIN, subnet, None, device) };
        self.plan.push(place, Action::Add(Object::Route(route)));
    }
}
