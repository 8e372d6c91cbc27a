//! Open vSwitch's ports, asked of its database (RFC 7047) through its socket.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use serde_json::{Value, json};

use crate::net::{Observed, Ovs, OvsInterface, OvsPort};
use crate::netns::hint;

const SOCKETS: [&str; 2] = ["/run/openvswitch/db.sock", "/var/run/openvswitch/db.sock"];
/// A database that does not answer is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// A node with thousands of ports answers with a few megabytes.
const MOST_BYTES: u64 = 16 << 20;
/// Messages in between that are not our answer.
const MOST_MESSAGES: usize = 16;

/// The ports. Absent where there is no database socket.
pub(crate) fn read() -> Observed<Ovs> {
    for path in SOCKETS.map(Path::new) {
        let answer = match ask(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other,
        };
        return match answer.and_then(|answer| parse(&answer).map_err(io::Error::other)) {
            Ok(ovs) => Observed::Seen(ovs),
            Err(error) => {
                Observed::Unreadable(format!("cannot ask Open vSwitch at {}: {error}{}", path.display(), hint(&error)))
            }
        };
    }
    Observed::Absent
}

fn ask(path: &Path) -> io::Result<Value> {
    let select =
        |table: &str, columns: &[&str]| json!({"op": "select", "table": table, "where": [], "columns": columns});
    let question = json!({"id": 1, "method": "transact", "params": [
        "Open_vSwitch",
        select("Open_vSwitch", &["external_ids", "ovs_version"]),
        select("Bridge", &["name", "ports"]),
        select("Port", &["_uuid", "name", "tag", "interfaces"]),
        select("Interface", &["_uuid", "name", "type", "ofport", "error", "external_ids"]),
    ]});
    // Connecting waits where the database has stopped and its queue is full, unless the socket may not wait.
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    let mut stream = UnixStream::from(fd);
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(question.to_string().as_bytes())?;
    let bytes = io::BufReader::new(Patient { stream, until: Instant::now() + PATIENCE }.take(MOST_BYTES));
    for message in serde_json::Deserializer::from_reader(bytes).into_iter::<Value>().take(MOST_MESSAGES) {
        let message = message?;
        if message["id"] == 1 && message["method"].is_null() {
            return Ok(message);
        }
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no answer"))
}

/// A stream that is read until a moment, not just with a pause between bytes.
struct Patient {
    stream: UnixStream,
    until: Instant,
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it did not answer in time"));
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

/// Puts the rows of the four tables together.
fn parse(answer: &Value) -> Result<Ovs, String> {
    let rows = |place: usize| {
        let result = &answer["result"][place];
        result["rows"].as_array().ok_or_else(|| {
            let error = if result["error"].is_string() { &result["error"] } else { &answer["error"] };
            format!("the database answered {error}")
        })
    };
    let (switch, bridges, ports, interfaces) = (rows(0)?, rows(1)?, rows(2)?, rows(3)?);
    let interfaces: BTreeMap<&str, OvsInterface> =
        interfaces.iter().filter_map(|row| Some((uuid(&row["_uuid"])?, interface(row)))).collect();
    let mut bridge_of: BTreeMap<&str, &str> = BTreeMap::new();
    for bridge in bridges {
        bridge_of
            .extend(set(&bridge["ports"]).filter_map(uuid).map(|port| (port, bridge["name"].as_str().unwrap_or(""))));
    }
    let mut ovs = Ovs::default();
    for row in ports {
        let mut found: Vec<OvsInterface> =
            set(&row["interfaces"]).filter_map(|id| interfaces.get(uuid(id)?).cloned()).collect();
        found.sort();
        ovs.ports.push(OvsPort {
            name: text(&row["name"]).unwrap_or_default(),
            bridge: uuid(&row["_uuid"]).and_then(|id| bridge_of.get(id)).copied().unwrap_or("").to_owned(),
            tag: set(&row["tag"]).next().and_then(Value::as_u64).and_then(|tag| u16::try_from(tag).ok()),
            interfaces: found,
        });
    }
    ovs.ports.sort();
    if let Some(row) = switch.first() {
        ovs.external_ids = map(&row["external_ids"]).collect();
        ovs.version = text(&row["ovs_version"]);
    }
    Ok(ovs)
}

fn interface(row: &Value) -> OvsInterface {
    let ids: BTreeMap<String, String> = map(&row["external_ids"]).collect();
    OvsInterface {
        name: text(&row["name"]).unwrap_or_default(),
        kind: text(&row["type"]).unwrap_or_default(),
        ofport: set(&row["ofport"]).next().and_then(Value::as_i64),
        error: text(&row["error"]),
        attached_mac: ids.get("attached-mac").cloned(),
        iface_id: ids.get("iface-id").cloned(),
    }
}

/// An optional column is a set of one or none; a set of one may come bare
/// (RFC 7047, section 5.1).
fn set(value: &Value) -> impl Iterator<Item = &Value> {
    let many = value.as_array().filter(|pair| pair.first().is_some_and(|word| word == "set"));
    let items = many.and_then(|pair| pair.get(1)?.as_array()).map_or(&[][..], Vec::as_slice);
    items.iter().chain(many.is_none().then_some(value).filter(|value| !value.is_null()))
}

fn map(value: &Value) -> impl Iterator<Item = (String, String)> {
    let pairs = value.as_array().filter(|pair| pair.first().is_some_and(|word| word == "map"));
    let pairs = pairs.and_then(|pair| pair.get(1)?.as_array()).map_or(&[][..], Vec::as_slice);
    pairs.iter().filter_map(|pair| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned())))
}

fn uuid(value: &Value) -> Option<&str> {
    value.get(1)?.as_str().filter(|_| value[0] == "uuid")
}

fn text(value: &Value) -> Option<String> {
    set(value).next()?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_put_together() {
        let answer = json!({"id": 1, "error": null, "result": [
            {"rows": [{"external_ids": ["map", [["system-id", "compute-1"]]], "ovs_version": "3.1.0"}]},
            {"rows": [{"name": "br-int", "ports": ["set", [["uuid", "p1"], ["uuid", "p2"]]]},
                      {"name": "br-ex", "ports": ["uuid", "p3"]}]},
            {"rows": [{"_uuid": ["uuid", "p2"], "name": "qr-1", "tag": 3, "interfaces": ["uuid", "i2"]},
                      {"_uuid": ["uuid", "p1"], "name": "fg-1", "tag": ["set", []], "interfaces": ["uuid", "i1"]},
                      {"_uuid": ["uuid", "p3"], "name": "out", "tag": ["set", [4095]], "interfaces": ["set", []]}]},
            {"rows": [{"_uuid": ["uuid", "i1"], "name": "fg-1", "type": "internal", "ofport": -1,
                       "error": "could not open network device", "external_ids": ["map", []]},
                      {"_uuid": ["uuid", "i2"], "name": "qr-1", "type": "internal", "ofport": 7,
                       "error": ["set", []], "external_ids":
                       ["map", [["attached-mac", "fa:16:3e:00:00:01"], ["iface-id", "x"]]]}]},
        ]});
        let ovs = parse(&answer).unwrap();
        assert_eq!(ovs.external_ids["system-id"], "compute-1");
        let names: Vec<(&str, &str, Option<u16>)> =
            ovs.ports.iter().map(|port| (port.name.as_str(), port.bridge.as_str(), port.tag)).collect();
        assert_eq!(names, [("fg-1", "br-int", None), ("out", "br-ex", Some(4095)), ("qr-1", "br-int", Some(3))]);
        let broken = &ovs.ports[0].interfaces[0];
        assert_eq!((broken.ofport, broken.error.as_deref()), (Some(-1), Some("could not open network device")));
        assert_eq!(ovs.ports[2].interfaces[0].attached_mac.as_deref(), Some("fa:16:3e:00:00:01"));
    }

    #[test]
    fn an_error_is_not_an_empty_switch() {
        let refused = json!({"id": 1, "error": null, "result": [{"error": "not allowed"}]});
        assert!(parse(&refused).unwrap_err().contains("not allowed"));
        assert!(parse(&json!({"id": 1, "error": "unknown database", "result": null})).is_err());
        assert!(parse(&json!([1, 2])).is_err());
    }
}
