//! The words in braces: `{R}` the article's router namespace, `{F}` fip, `{S}`
//! snat, its devices `{RFP}`, `{FPR}`, `{FG}`, `{QR}` (10.0.0.1), `{SG}`, `{QG}`,
//! the addresses of the pair `{EVEN}` and `{ODD}`, the floating IP's
//! `{PRIORITY}`, the fip namespace's `{TABLE}` for the router, and the words of
//! rules that layouts write differently. With a 2 behind it, that of the router
//! beside it; with a 3, that of the one on the other network. `{L}` is the legacy
//! router (`{LQR}`, `{LQG}`), `{H}` the highly available one, `{X}` that without
//! gateway, `{O}` that with another address than its subnet's first.

use crate::net::netfilter::Backend;
use crate::neutron::{DeviceKind, Layout, LinkLocalPair, RouterPrefix};
use crate::plan::agent::{Forms, fip_netns, router_netns, snat_netns};

use super::super::node::{GatewayRouter, More, second_network};
use super::super::{LabOptions, STATE_PATH, article, numbers, openvswitch};

type Names = Vec<(&'static str, String)>;

/// A router's own names.
struct Router {
    id: String,
    pair: LinkLocalPair,
}

/// The names of a lab's things, each with what stands for it.
pub fn names(options: &LabOptions) -> Vec<(&'static str, String)> {
    let mut names = of_article(options);
    names.extend(of_others(options));
    names.extend(of_gateways(options));
    names.extend(of_open_vswitch());
    names.extend([
        ("{C}", "neutron-l3-agent".to_owned()),
        ("{STATE}", STATE_PATH.to_owned()),
        ("{GONE}", numbers::uuid("a router that is gone")),
    ]);
    names
}

fn of_article(options: &LabOptions) -> Names {
    let forms = Forms::of(options.layout, options.backend);
    let router = article_router(options);
    let (prefix, fip) = (RouterPrefix::of(&router.id), fip_netns(article::NETWORK).to_string());
    let [_, subnet] = article::subnets();
    let is_juno = options.layout == Layout::Juno;
    let rfp = prefix.rfp();
    let (place, snat) = (router_netns(&router.id).to_string(), snat_netns(&router.id).to_string());
    vec![
        ("{r-iptables}", iptables(options, &place)),
        ("{f-iptables}", iptables(options, &fip)),
        ("{s-iptables}", iptables(options, &snat)),
        ("{SNAT}", forms.snat_to(article::FLOATING_IP)),
        ("{GUARD}", forms.guard(&rfp)),
        ("{IN}", if is_juno { String::new() } else { format!("-i {rfp}") }),
        ("{METADATA}", if is_juno { String::new() } else { "-i qr-+".to_owned() }),
        ("{R}", place),
        ("{ID}", router.id.clone()),
        ("{F}", fip),
        ("{N}", article::NETWORK.to_owned()),
        ("{S}", snat),
        ("{RFP}", rfp.to_string()),
        ("{FPR}", prefix.fpr().to_string()),
        ("{FG}", article::external().port.device.to_string()),
        ("{QR}", subnet.qr.device.to_string()),
        ("{SG}", subnet.sg.device.to_string()),
        ("{QG}", article::qg().device.to_string()),
        ("{EVEN}", router.pair.rfp().to_string()),
        ("{ODD}", router.pair.fpr().to_string()),
        ("{PAIR}", router.pair.to_string()),
        ("{PRIORITY}", numbers::priority(options.layout, 0).to_string()),
        ("{TABLE}", table(options.layout, &router)),
    ]
}

/// The routers of `Need::More`; their pairs come after those for scale.
fn of_others(options: &LabOptions) -> Names {
    let pair = |number| pair(options.layout, options.routers as usize + number);
    let beside = Router { id: More::beside().id(), pair: pair(0) };
    let other = Router { id: More::other().id(), pair: pair(1) };
    let (prefix, far) = (RouterPrefix::of(&beside.id), RouterPrefix::of(&other.id));
    vec![
        ("{R2}", router_netns(&beside.id).to_string()),
        ("{ID2}", beside.id.clone()),
        ("{RFP2}", prefix.rfp().to_string()),
        ("{FPR2}", prefix.fpr().to_string()),
        ("{EVEN2}", beside.pair.rfp().to_string()),
        ("{ODD2}", beside.pair.fpr().to_string()),
        ("{TABLE2}", table(options.layout, &beside)),
        ("{R3}", router_netns(&other.id).to_string()),
        ("{S3}", snat_netns(&other.id).to_string()),
        ("{F3}", fip_netns(&second_network()).to_string()),
        ("{FPR3}", far.fpr().to_string()),
        ("{TABLE3}", table(options.layout, &other)),
    ]
}

fn of_gateways(options: &LabOptions) -> Names {
    let forms = Forms::of(options.layout, options.backend);
    let (legacy, available) = (GatewayRouter::legacy(), GatewayRouter::highly_available());
    let place = |router: &GatewayRouter| router_netns(&router.id()).to_string();
    let qr = |router: &GatewayRouter| router.device(DeviceKind::Internal).to_string();
    vec![
        ("{l-iptables}", iptables(options, &place(legacy))),
        ("{LSNAT}", forms.snat_to(legacy.floating_ip)),
        ("{LQR}", qr(legacy)),
        ("{HQR}", qr(available)),
        ("{HQG}", available.device(DeviceKind::RouterGateway).to_string()),
        ("{CSNAT}", forms.snat_to(More::centralized())),
        ("{h-iptables}", iptables(options, &place(available))),
        ("{HSNAT}", forms.snat_to(available.floating_ip)),
        ("{L}", place(legacy)),
        ("{LQG}", legacy.device(DeviceKind::RouterGateway).to_string()),
        ("{H}", place(available)),
    ]
}

fn of_open_vswitch() -> Names {
    let (bare, odd) = (More::bare(), More::odd());
    vec![
        ("{ovs-vsctl}", openvswitch::client().join(" ")),
        ("{X}", router_netns(&bare.id()).to_string()),
        ("{XTAP}", bare.tap(4)),
        ("{O}", router_netns(&odd.id()).to_string()),
        ("{OQR}", DeviceKind::Internal.name(&numbers::uuid(&format!("qr of {}", odd.name))).to_string()),
        ("{OBRIDGE}", odd.bridge.to_owned()),
        ("{OTAG}", openvswitch::tag(odd.bridge).to_string()),
    ]
}

fn article_router(options: &LabOptions) -> Router {
    Router { id: article::ROUTER.to_owned(), pair: pair(options.layout, 0) }
}

fn pair(layout: Layout, number: usize) -> LinkLocalPair {
    numbers::pairs(layout).nth(number).unwrap_or_else(|| LinkLocalPair::of([169, 254, 0, 0].into()))
}

fn table(layout: Layout, router: &Router) -> String {
    if layout == Layout::Pike { router.pair.table().to_string() } else { "main".to_owned() }
}

fn iptables(options: &LabOptions, place: &str) -> String {
    let program = match options.backend {
        Backend::Nft => "iptables-nft",
        Backend::Legacy => "iptables-legacy",
    };
    format!("ip netns exec {place} {program} -w 5")
}
