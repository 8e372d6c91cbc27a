//! Where somebody flushed the packet filter: the agent's chains are laid first,
//! and where no other namespace tells in which tables, that is said to be a guess.

use fipscope::lab::{Lab, LabOptions, Need};
use fipscope::net::netfilter::Backend;
use fipscope::neutron::Layout;
use serde_json::Value;

use crate::associate::{NETWORK, changed};
use crate::case::{BACKENDS, build};
use crate::change::valid;
use crate::program::{differences, fipscope, quiet, run, said};

const WORDS: &str = "associate 192.168.1.3 10.0.0.4 --layout pike --gateway-port-id \
                     b2b77eed-1b2c-4d5e-8f90-123456789abc --gateway-port-address 192.168.1.23/24 --gateway-port-mac \
                     fa:16:3e:cc:98:c8 --gateway 192.168.1.1 --bridge br-ex --external-network";
const GUESSED: &str = "No chain of the L3 agent on this node tells";

/// First the router's own chains are gone, then those of all namespaces.
pub(crate) fn without_chains(backend: &str) {
    let backend = BACKENDS.into_iter().find(|known| known.word() == backend).unwrap();
    let needs = vec![Need::Unplugged];
    let lab = build(&LabOptions { layout: Layout::Pike, backend, needs, ..LabOptions::default() });
    let words: Vec<&str> = WORDS.split_whitespace().chain([NETWORK]).collect();
    for kind in ["qrouter-", "snat-"] {
        flushed(&lab, backend, kind);
        let before = quiet(&lab);
        let shown = fipscope(&lab, &[&words[..], &["--dry-run", "--format", "json"]].concat());
        assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
        let plan: Value = serde_json::from_slice(&shown.stdout).unwrap();
        valid("plan", &plan);
        assert_eq!(plan["warnings"].to_string().contains(GUESSED), kind == "snat-", "{plan:#}");
        let program = backend.restore_program();
        assert!(plan["steps"].to_string().contains(program), "{program}: {plan:#}");
        changed(&lab, &[&words[..], &["--yes", "--no-wait", "--format", "json"]].concat());
        let ping = ["netns", "exec", "outside", "ping", "-q", "-c", "1", "-W", "3", "192.168.1.3"];
        assert!(run(&lab, "ip", &ping).status.success(), "{kind}");
        let check = fipscope(&lab, &["check", "--floating-ip", "192.168.1.3", "--ignore", "DVR406"]);
        assert_eq!(check.status.code(), Some(0), "{}", said(&check));
        changed(&lab, &["undo", "--yes", "--format", "json"]);
        // A table of `nf_tables` stays without rules: `iptables` has no word that takes it away.
        let left = differences(&before, &quiet(&lab));
        assert!(left.iter().all(|change| change.contains(": + table ip ")), "{kind}: {left:#?}");
    }
    println!("laid twice, and taken back");
}

/// Of all namespaces whose name begins so.
fn flushed(lab: &Lab, backend: Backend, kind: &str) {
    let lines = match backend {
        Backend::Nft => "nft flush ruleset".to_owned(),
        Backend::Legacy => ["nat", "mangle", "filter", "raw"]
            .map(|table| format!("iptables-legacy -t {table} -F; iptables-legacy -t {table} -X"))
            .join("; "),
    };
    let names = lab.netns_dir().list().unwrap().names;
    for name in names.iter().filter(|name| name.as_str().starts_with(kind)) {
        let output = run(lab, "ip", &["netns", "exec", name.as_str(), "sh", "-ec", &lines]);
        assert!(output.status.success(), "{name}: {}", said(&output));
    }
}
