//! `ovs-vsctl show` and `ovs-vsctl list TABLE`.

use std::collections::BTreeMap;

use super::{Parsed, not_understood, numbered};
use crate::net::{Ovs, OvsInterface, OvsPort};

/// The bridges' ports with their tags and interfaces, from `ovs-vsctl show`.
pub fn show(text: &str) -> Parsed<Ovs> {
    let mut ovs = Ovs::default();
    let mut bridge = None;
    let mut inside = Inside::Top;
    for (number, line) in numbered(text) {
        let wrong = || not_understood(number, line);
        let word = line.trim();
        if !line.starts_with(' ') {
            // The database's own id, and nothing else, stands at the margin.
            is_uuid(word).then_some(()).ok_or_else(wrong)?;
        } else if let Some(name) = word.strip_prefix("Bridge ") {
            (bridge, inside) = (Some(unquote(name)), Inside::Bridge);
        } else if let Some(name) = word.strip_prefix("Port ") {
            let bridge = bridge.clone().ok_or_else(wrong)?;
            ovs.ports.push(OvsPort { name: unquote(name), bridge, ..OvsPort::default() });
            inside = Inside::Port;
        } else if let Some(name) = word.strip_prefix("Interface ") {
            let port = ovs.ports.last_mut().ok_or_else(wrong)?;
            port.interfaces.push(OvsInterface { name: unquote(name), ..OvsInterface::default() });
            inside = Inside::Interface;
        } else if word.starts_with("Manager ") || word.starts_with("Controller ") {
            inside = Inside::Top;
        } else if let Some((key, value)) = word.split_once(": ") {
            let port = ovs.ports.last_mut();
            match (inside, key, port) {
                (_, "ovs_version", _) => ovs.version = Some(unquote(value)),
                (Inside::Port, "tag", Some(port)) => port.tag = Some(value.parse().map_err(|_| wrong())?),
                (Inside::Interface, _, Some(port)) => {
                    let Some(interface) = port.interfaces.last_mut() else { continue };
                    match key {
                        "type" => interface.kind = unquote(value),
                        "error" => interface.error = Some(unquote(value)),
                        _ => {}
                    }
                }
                _ => {}
            }
        } else {
            return Err(wrong());
        }
    }
    ovs.ports.sort();
    Ok(ovs)
}

#[derive(Clone, Copy)]
enum Inside {
    Top,
    Bridge,
    Port,
    Interface,
}

/// One row of a table: columns by name, as printed.
pub type Row = BTreeMap<String, String>;

/// The rows of `ovs-vsctl list TABLE`.
pub fn list(text: &str) -> Parsed<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in numbered(text) {
        let (name, value) = line.split_once(':').ok_or_else(|| not_understood(number, line))?;
        let name = name.trim();
        if name == "_uuid" {
            rows.push(Row::new());
        }
        let row = rows.last_mut().ok_or_else(|| not_understood(number, line))?;
        row.insert(name.to_owned(), value.trim().to_owned());
    }
    Ok(rows)
}

/// Adds what only the rows of the interfaces tell.
pub fn describe(ovs: &mut Ovs, rows: &[Row]) {
    let by_name: BTreeMap<String, &Row> =
        rows.iter().filter_map(|row| Some((unquote(row.get("name")?), row))).collect();
    for interface in ovs.ports.iter_mut().flat_map(|port| &mut port.interfaces) {
        let Some(row) = by_name.get(&interface.name) else { continue };
        let column = |name: &str| row.get(name).map(String::as_str).filter(|value| *value != "[]");
        let ids = map(row.get("external_ids").map_or("", String::as_str));
        interface.ofport = column("ofport").and_then(|value| value.parse().ok());
        interface.error = column("error").map(unquote).filter(|error| !error.is_empty());
        interface.attached_mac = ids.get("attached-mac").cloned();
        interface.iface_id = ids.get("iface-id").cloned();
    }
}

/// A column that holds a map: `{key="value", other=value}`.
pub fn map(text: &str) -> BTreeMap<String, String> {
    let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
    let mut found = BTreeMap::new();
    let mut rest = inner;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = value(after);
        found.insert(unquote(key.trim()), value);
        rest = after.trim_start_matches([',', ' ']);
    }
    found
}

/// One value, quoted or up to the comma, and what follows it.
fn value(text: &str) -> (String, &str) {
    if !text.starts_with('"') {
        let end = text.find(',').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return (unquote(&text[..=at]), &text[at + 1..]),
            _ => {}
        }
    }
    (unquote(text), "")
}

/// Takes the quotes and the backslashes away that `ovs-vsctl` puts around names
/// which are no plain words.
fn unquote(text: &str) -> String {
    let Some(inner) = text.trim().strip_prefix('"') else { return text.trim().to_owned() };
    let mut out = String::new();
    let mut chars = inner.strip_suffix('"').unwrap_or(inner).chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOW: &str = "b8a20458-9009-41a0-aa49-71bcc0080537
    Manager \"ptcp:6640:127.0.0.1\"
        is_connected: true
    Bridge br-int
        fail_mode: secure
        Port \"fg-b2b77eed-1b\"
            tag: 2
            Interface \"fg-b2b77eed-1b\"
                type: internal
        Port qr-c2e43983-5c
            tag: 4095
            Interface qr-c2e43983-5c
                error: \"could not open network device qr-c2e43983-5c (No such device)\"
    ovs_version: \"2.13.3\"
";
    const LIST: &str = "_uuid               : aa87cf22-4d5c-4c92-93e6-c4aa2875a22f
error               : []
external_ids        : {attached-mac=\"fa:16:3e:cc:98:c8\", iface-id=\"b2b77eed-1b\", iface-status=active, x=\"a\\\"b, c\"}
name                : \"fg-b2b77eed-1b\"
ofport              : 7
";

    #[test]
    fn ports_have_their_tags_and_interfaces() {
        let mut ovs = show(SHOW).unwrap();
        describe(&mut ovs, &list(LIST).unwrap());
        let fg = ovs.port("fg-b2b77eed-1b").unwrap();
        assert_eq!((fg.bridge.as_str(), fg.tag), ("br-int", Some(2)));
        assert_eq!((fg.interfaces[0].kind.as_str(), fg.interfaces[0].ofport), ("internal", Some(7)));
        assert_eq!(fg.interfaces[0].attached_mac.as_deref(), Some("fa:16:3e:cc:98:c8"));
        let qr = ovs.port("qr-c2e43983-5c").unwrap();
        assert_eq!(qr.tag, Some(4095));
        assert!(qr.interfaces[0].error.as_deref().unwrap().contains("No such device"));
        assert_eq!(ovs.version.as_deref(), Some("2.13.3"));
    }

    #[test]
    fn a_quoted_value_may_hold_commas_and_quotes() {
        let ids = map(list(LIST).unwrap()[0]["external_ids"].as_str());
        assert_eq!(ids["x"], "a\"b, c");
        assert_eq!(ids["iface-status"], "active");
    }

    #[test]
    fn a_message_is_no_database() {
        assert_eq!(show("ovs-vsctl: unix:/run/db.sock: database connection failed").unwrap_err().line, 1);
        assert_eq!(show("    Port a").unwrap_err().line, 1);
        assert_eq!(list("ovs-vsctl: no database").unwrap_err().line, 1);
    }
}
