//! Ports of Open vSwitch, by `ovs-vsctl`, which waits until the switch has made
//! them.

use std::process::Stdio;

use crate::net::printable;
use crate::plan::SwitchPort;

use super::Cause;
use super::program::{command, outcome};

const PROGRAM: &str = "ovs-vsctl";
/// Seconds that the switch gets.
const WAIT: &str = "--timeout=10";

/// Adds a port; its device, where the switch makes it, stands on the host.
pub(super) fn add(port: &SwitchPort) -> Result<(), Cause> {
    let name = port.name.as_str();
    if let Some(bridge) = bridge_of(name)? {
        let output = format!("the bridge {bridge} has a port {name} already");
        return Err(Cause::Program { program: PROGRAM, output });
    }
    let added = run(&words(port));
    if added.is_err() {
        // The row stands as soon as it is written, whatever the switch then makes of it.
        let _ = run(&["--no-wait", "--if-exists", "del-port", name].map(str::to_owned));
    }
    added
}

/// The bridge that has a port of that name, whoever made it.
fn bridge_of(name: &str) -> Result<Option<String>, Cause> {
    let asked = command(PROGRAM)?.args([WAIT, "port-to-br", name]).stdout(Stdio::piped()).output();
    let output = asked.map_err(Cause::io(PROGRAM))?;
    let bridge = printable(String::from_utf8_lossy(&output.stdout).trim(), 40);
    Ok(output.status.success().then_some(bridge))
}

/// Takes a port away, and the device with it where the switch made it.
pub(super) fn delete(port: &SwitchPort) -> Result<(), Cause> {
    run(&["del-port".to_owned(), port.bridge.as_str().to_owned(), port.name.as_str().to_owned()])
}

fn words(port: &SwitchPort) -> Vec<String> {
    let mut words = vec!["add-port".to_owned(), port.bridge.as_str().to_owned(), port.name.as_str().to_owned()];
    words.extend(port.tag.map(|tag| format!("tag={tag}")));
    let mut settings: Vec<String> = port.internal.then(|| "type=internal".to_owned()).into_iter().collect();
    // In quotes of the database's own, for colons and the like.
    settings.extend(port.external_ids.iter().map(|(key, value)| format!("external_ids:{key}={value:?}")));
    if !settings.is_empty() {
        words.extend(["--", "set", "Interface", port.name.as_str()].map(str::to_owned));
        words.extend(settings);
    }
    words
}

fn run(words: &[String]) -> Result<(), Cause> {
    let output = command(PROGRAM)?.arg(WAIT).args(words).output().map_err(Cause::io(PROGRAM))?;
    outcome(PROGRAM, &output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::IfName;
    use crate::plan::Place;

    #[test]
    fn a_port_in_the_words_of_ovs_vsctl() {
        let port = SwitchPort {
            bridge: IfName::from("br-int"),
            name: IfName::from("fg-1"),
            tag: Some(3),
            internal: true,
            external_ids: [("iface-id", "b2"), ("attached-mac", "fa:16:3e:cc:98:c8")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            netns: Place::netns("fip-1"),
            mac: None,
            mtu: None,
        };
        assert_eq!(
            words(&port).join(" "),
            "add-port br-int fg-1 tag=3 -- set Interface fg-1 type=internal \
             external_ids:attached-mac=\"fa:16:3e:cc:98:c8\" external_ids:iface-id=\"b2\""
        );
        let bare = SwitchPort { tag: None, internal: false, external_ids: [].into(), ..port };
        assert_eq!(words(&bare).join(" "), "add-port br-int fg-1");
    }
}
