//! What `list` and `show` must say, computed from what Neutron was asked for
//! and from what `ip` shows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::inside::Node;
use crate::kernel::ip;

/// Compares `fipscope list` with the request, field by field.
pub(crate) fn list(node: &Node) -> Vec<String> {
    let got = node.fipscope(&["list"]);
    let mut wrong = Vec::new();
    compare(&mut wrong, "schema", &got["schema"], &json!("fipscope.list/1"));
    compare(&mut wrong, "external_networks", &got["external_networks"], &external_networks(node));
    compare(&mut wrong, "routers", &got["routers"], &routers(node));
    compare(&mut wrong, "floating_ips", &got["floating_ips"], &floating_ips(node));
    wrong
}

/// Every link of every floating IP is ok or does not apply, but for what is
/// known to be wrong on that node; known faults must be there.
pub(crate) fn chains(node: &Node) -> Vec<String> {
    let mut wrong = Vec::new();
    for fip in floating_ips(node).as_array().unwrap() {
        let address = fip["floating_ip"].as_str().or(fip["fixed_ip"].as_str()).unwrap();
        let shown = node.fipscope_any(&["show", address]);
        for key in ["floating_ip", "fixed_ip", "router", "external_network", "kind", "rule_priority", "state", "codes"]
        {
            compare(&mut wrong, &format!("show {address} {key}"), &shown[key], &fip[key]);
        }
        for way in ["outbound", "inbound"] {
            let links = shown[way].as_array().cloned().unwrap_or_default();
            if links.len() < 5 && fip["floating_ip"].is_string() {
                wrong.push(format!("show {address}: only {} links {way}", links.len()));
            }
            for link in links {
                let state = link["state"].as_str().unwrap_or("?");
                let fine = ["ok", "not-applicable"].contains(&state);
                if fine == known_fault(node, address, &link) {
                    wrong.push(format!("show {address} {way}: {link}"));
                }
            }
        }
    }
    wrong
}

/// Faults that are truly there, each with its reason.
fn known_fault(node: &Node, address: &str, link: &Value) -> bool {
    match node.scenario.as_str() {
        // After its initialisation the agent leaves `from 20.0.0.9 lookup 16` for the centralized
        // floating IP; the rule comes before the subnet's own and diverts the instance to rfp.
        "S9" => address == "192.168.1.9" && link["link"] == "subnet_rule",
        // `dvr_no_external`: the rule stands, and table 16 is empty: it does nothing.
        "S15" => link["link"] == "fip_rule",
        _ => false,
    }
}

fn external_networks(node: &Node) -> Value {
    let mut found = Vec::new();
    for (id, port) in node.cloud["agent_gw"].as_object().unwrap() {
        if node.cloud["mode"] == "dvr_no_external" {
            continue;
        }
        let device = device("fg-", port);
        let gateways: Vec<&Value> = node.cloud["routers"]
            .as_object()
            .unwrap()
            .values()
            .any(|r| r["gw_port"].is_object())
            .then(|| &port["subnets"][0]["gateway_ip"])
            .into_iter()
            .collect();
        found.push(json!({
            "id": id, "namespace": format!("fip-{id}"), "gateways": gateways,
            "gateway_port": {"device": device, "mac": port["mac_address"], "addresses": addresses(port), "state": "up"},
        }));
    }
    Value::Array(found)
}

fn routers(node: &Node) -> Value {
    let mut found = BTreeMap::new();
    let host = &node.cloud["host"];
    for (id, router) in node.cloud["routers"].as_object().unwrap() {
        let has_gateway = router["gw_port"].is_object();
        let snat_here = has_gateway && router["gw_port_host"] == *host && node.cloud["mode"] == "dvr_snat";
        let pair = has_gateway && node.cloud["mode"] != "dvr_no_external";
        let external = pair.then(|| router["gw_port"]["network_id"].clone());
        let fip = external.as_ref().map(|id| format!("fip-{}", id.as_str().unwrap()));
        let netns = format!("qrouter-{id}");
        let (rfp, fpr) = (format!("rfp-{}", &id[..10]), format!("fpr-{}", &id[..10]));
        let end = |device: &str, netns: &str| json!(addr_of(netns, device));
        let rtr_2_fip =
            fip.as_ref().map(|fip| json!({"device": rfp, "address": end(&rfp, &netns), "peer_namespace": fip}));
        let fip_2_rtr = fip.as_ref().map(|fip| json!({"device": fpr, "address": end(&fpr, fip)}));
        let mut internal: Vec<Value> = router["_interfaces"]
            .as_array()
            .unwrap()
            .iter()
            .map(
                |port| json!({"device": device("qr-", port), "mac": port["mac_address"], "addresses": addresses(port)}),
            )
            .collect();
        internal.sort_by_key(|port| port["device"].as_str().unwrap().to_owned());
        found.insert(
            id,
            json!({
                "id": id, "namespace": netns, "snat_namespace": snat_here.then(|| format!("snat-{id}")),
                "kind": "distributed", "external_network": external, "layout": pair.then_some("pike"),
                "rtr_2_fip": rtr_2_fip, "fip_2_rtr": fip_2_rtr, "internal": internal,
            }),
        );
    }
    Value::Array(found.into_values().collect())
}

fn floating_ips(node: &Node) -> Value {
    let mut found = Vec::new();
    for (id, router) in node.cloud["routers"].as_object().unwrap() {
        for fip in router["_floatingips"].as_array().unwrap() {
            let fixed = fip["fixed_ip_address"].as_str().unwrap();
            let priority = rule_priority(&format!("qrouter-{id}"), fixed);
            let centralized = fip["dvr_snat_bound"] == true;
            let no_external = node.cloud["mode"] == "dvr_no_external";
            // Where nothing translates, the node itself no longer tells the floating IP.
            let address = if no_external { Value::Null } else { fip["floating_ip_address"].clone() };
            let network = if no_external { Value::Null } else { fip["floating_network_id"].clone() };
            // S9: the stray rule diverts the instance to rfp, and the floating IP is centralized
            // by design. S15: the same rule leads nowhere, which is a note. S2, S6: instances that
            // came after the router, of which the agent has no permanent neighbour, are a note.
            let (state, codes) = match (no_external, centralized) {
                (true, _) => ("ok", json!(["DVR303"])),
                (false, true) => ("broken", json!(["DVR303", "DVR807"])),
                (false, false) if has_neighbour(&format!("qrouter-{id}"), fixed) => ("ok", json!([])),
                (false, false) => ("ok", json!(["DVR701"])),
            };
            found.push(json!({
                "floating_ip": address, "fixed_ip": fixed, "router": id, "external_network": network,
                "kind": if centralized { "centralized" } else { "distributed" },
                "rule_priority": priority, "state": state, "codes": codes,
            }));
        }
    }
    found.sort_by_key(|fip| fip["floating_ip"].as_str().and_then(|a| a.parse::<std::net::Ipv4Addr>().ok()));
    Value::Array(found)
}

fn device(prefix: &str, port: &Value) -> String {
    format!("{prefix}{}", &port["id"].as_str().unwrap()[..11])
}

fn addresses(port: &Value) -> Vec<String> {
    let fixed = port["fixed_ips"].as_array().unwrap();
    fixed.iter().map(|ip| format!("{}/{}", ip["ip_address"].as_str().unwrap(), ip["prefixlen"])).collect()
}

fn addr_of(netns: &str, device: &str) -> Option<String> {
    let link = ip(netns, &["-4", "addr", "show", "dev", device]).into_iter().next()?;
    let addr = link["addr_info"].as_array()?.first()?.clone();
    Some(format!("{}/{}", addr["local"].as_str()?, addr["prefixlen"]))
}

fn rule_priority(netns: &str, fixed: &str) -> Option<u64> {
    ip(netns, &["-4", "rule"]).iter().find(|rule| rule["src"] == fixed && rule["table"] == "16")?["priority"].as_u64()
}

fn has_neighbour(netns: &str, fixed: &str) -> bool {
    let mut all = ip(netns, &["-4", "neigh", "show", "nud", "permanent"]).into_iter();
    all.any(|neigh| neigh["dst"] == fixed)
}

fn compare(wrong: &mut Vec<String>, what: &str, got: &Value, want: &Value) {
    match (got, want) {
        (Value::Array(g), Value::Array(w)) if g.len() == w.len() => {
            for (i, (g, w)) in g.iter().zip(w).enumerate() {
                compare(wrong, &format!("{what}[{i}]"), g, w);
            }
        }
        (Value::Object(g), Value::Object(w)) if g.keys().eq(w.keys()) => {
            for (key, w) in w {
                compare(wrong, &format!("{what}.{key}"), &g[key], w);
            }
        }
        _ if got == want => {}
        _ => wrong.push(format!("{what}: got {got}, want {want}")),
    }
}
