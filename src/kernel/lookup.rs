//! The kernel's own route lookup (`RTM_GETROUTE` for one packet;
//! `net/ipv4/route.c: inet_rtm_getroute`, `net/ipv6/route.c:
//! inet6_rtm_getroute`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Error;
use super::attr::{AF_INET, AF_INET6, Malformed, attrs, header};
use super::link::{Devices, dump_links};
use super::route::{gateway, route_kind};
use super::socket::Socket;
use crate::net::{IfName, NetnsName, RouteAnswer, RouteFound, RouteKind, RouteQuestion, TableId};
use crate::netns::{Error as NetnsError, NetnsDir, enter_each};

const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_IIF: u16 = 3;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_TABLE: u16 = 15;
const RTA_MARK: u16 = 16;
const RTA_VIA: u16 = 18;

/// Answer with the table of the route found, not with `main` for all (Linux
/// 4.4). IPv6 does so unasked, and refuses the flag.
const RTM_F_LOOKUP_TABLE: u32 = 0x1000;

const WHAT: &str = "route for a packet";

/// Asks the kernel what it would do with each packet. The answers come in the
/// order of the questions; the namespaces are entered on short-lived threads,
/// each once, and each question is asked as if its packet came in now: nothing
/// is sent.
///
/// An answer of [`RouteAnswer::Refused`] is the lookup's; an error says why a
/// question could not be asked.
pub fn ask_routes(netns_dir: &NetnsDir, questions: &[RouteQuestion]) -> Vec<Result<RouteAnswer, Error>> {
    let mut places: BTreeMap<Option<&NetnsName>, Vec<usize>> = BTreeMap::new();
    for (place, question) in questions.iter().enumerate() {
        places.entry(question.namespace.as_ref()).or_default().push(place);
    }
    let own = places.remove(&None);
    let names: Vec<NetnsName> = places.keys().copied().flatten().cloned().collect();
    let in_place = |of: &[usize]| -> Vec<&RouteQuestion> { of.iter().map(|place| &questions[*place]).collect() };
    let asked = |name: &NetnsName| ask_here(&in_place(&places[&Some(name)]));
    let here = || own.as_deref().map(|own| ask_here(&in_place(own)));
    let (found, here) = enter_each(netns_dir, &names, asked, here);

    let mut answers: Vec<(usize, Result<RouteAnswer, Error>)> = Vec::with_capacity(questions.len());
    for (places, found) in places.values().zip(found) {
        let found = found.unwrap_or_else(|error: NetnsError| none(places.len(), &error.to_string()));
        answers.extend(places.iter().copied().zip(found));
    }
    answers.extend(own.into_iter().flatten().zip(here.into_iter().flatten()));
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Asks in the calling thread's namespace, through one socket.
fn ask_here(questions: &[&RouteQuestion]) -> Vec<Result<RouteAnswer, Error>> {
    let opened = Socket::route().and_then(|mut socket| {
        let links = dump_links(&mut socket)?;
        Ok((socket, links))
    });
    let (mut socket, links) = match opened {
        Ok(opened) => opened,
        Err(error) => return none(questions.len(), &error.to_string()),
    };
    let indexes: BTreeMap<&IfName, u32> = links.iter().map(|link| (&link.name, link.index)).collect();
    let devices = Devices::of(&links);
    let mut answers = Vec::with_capacity(questions.len());
    for question in questions {
        let index = match &question.iif {
            None => Ok(None),
            Some(name) => indexes.get(name).map(|index| Some(*index)).ok_or(Error::NoDevice { device: name.clone() }),
        };
        answers.push(index.and_then(|index| ask(&mut socket, question, index, &devices)));
    }
    answers
}

fn none(count: usize, why: &str) -> Vec<Result<RouteAnswer, Error>> {
    std::iter::repeat_with(|| Err(Error::NotAsked { why: why.to_owned() })).take(count).collect()
}

fn ask(
    socket: &mut Socket,
    question: &RouteQuestion,
    iif: Option<u32>,
    devices: &Devices,
) -> Result<RouteAnswer, Error> {
    let answer = socket.answer(WHAT, RTM_GETROUTE, &request(question, iif), |message| decode(message, devices))?;
    match answer {
        Ok(found) => Ok(refusal_of(found.kind).map_or(RouteAnswer::Found(found), RouteAnswer::Refused)),
        Err(source) => match source.raw_os_error() {
            Some(errno) => Ok(RouteAnswer::Refused(errno)),
            None => Err(Error::Refused { what: WHAT, source }),
        },
    }
}

/// `struct rtmsg` and its attributes. Prefix lengths are those of a host, and
/// what the kernel does not look at is zero: it refuses the rest.
fn request(question: &RouteQuestion, iif: Option<u32>) -> Vec<u8> {
    let (family, flags) = match question.dst {
        IpAddr::V4(_) => (AF_INET, RTM_F_LOOKUP_TABLE),
        IpAddr::V6(_) => (AF_INET6, 0),
    };
    let length = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
    let src_length = question.src.map_or(0, length);
    let mut body = vec![family, length(question.dst), src_length, question.tos, 0, 0, 0, 0];
    body.extend(flags.to_ne_bytes());
    put_address(&mut body, RTA_DST, question.dst);
    if let Some(src) = question.src {
        put_address(&mut body, RTA_SRC, src);
    }
    if let Some(iif) = iif {
        put(&mut body, RTA_IIF, &iif.to_ne_bytes());
    }
    if question.mark != 0 {
        put(&mut body, RTA_MARK, &question.mark.to_ne_bytes());
    }
    body
}

fn put_address(body: &mut Vec<u8>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => put(body, kind, &address.octets()),
        IpAddr::V6(address) => put(body, kind, &address.octets()),
    }
}

/// One attribute; every value here is a multiple of four bytes.
fn put(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
}

fn decode(message: &[u8], devices: &Devices) -> Result<RouteFound, Malformed> {
    let (&[_, _, _, _, table, _, _, kind, ..], rest) = header::<12>(message)?;
    let mut found = RouteFound { kind: route_kind(kind), table: TableId(u32::from(table)), dev: None, via: None };
    for attr in attrs(rest) {
        match attr.kind {
            RTA_OIF => found.dev = Some(devices.name(attr.u32()?)),
            RTA_GATEWAY | RTA_VIA => found.via = Some(gateway(attr)?),
            RTA_TABLE => found.table = TableId(attr.u32()?),
            _ => {}
        }
    }
    Ok(found)
}

/// IPv6 answers with the route that forbids, IPv4 with its error (`fib_props`
/// in `net/ipv4/fib_semantics.c`).
fn refusal_of(kind: RouteKind) -> Option<i32> {
    match kind {
        RouteKind::Blackhole => Some(libc::EINVAL),
        RouteKind::Unreachable => Some(libc::EHOSTUNREACH),
        RouteKind::Prohibit => Some(libc::EACCES),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(dst: &str) -> RouteQuestion {
        RouteQuestion { namespace: None, src: None, dst: dst.parse().unwrap(), iif: None, mark: 0, tos: 0 }
    }

    #[test]
    fn a_question_is_what_the_kernel_takes() {
        let mut asked = question("10.0.0.4");
        assert_eq!(request(&asked, None), [2, 32, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 8, 0, 1, 0, 10, 0, 0, 4]);
        (asked.src, asked.mark, asked.tos) = (Some("10.0.0.5".parse().unwrap()), 0x10, 0x8);
        let body = request(&asked, Some(7));
        assert_eq!(body[..4], [2, 32, 32, 8]);
        assert_eq!(body[20..], [8, 0, 2, 0, 10, 0, 0, 5, 8, 0, 3, 0, 7, 0, 0, 0, 8, 0, 16, 0, 16, 0, 0, 0]);
        assert_eq!(request(&question("fd00::1"), None)[..12], [10, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn an_answer_tells_its_table_in_full() {
        let mut bytes = vec![2, 32, 0, 0, 252, 0, 0, 1, 0, 0x12, 0, 0];
        put(&mut bytes, RTA_TABLE, &2_852_018_311_u32.to_ne_bytes());
        put(&mut bytes, RTA_GATEWAY, &[192, 168, 1, 1]);
        put(&mut bytes, RTA_OIF, &3_u32.to_ne_bytes());
        let found = decode(&bytes, &Devices::of(&[])).unwrap();
        assert_eq!(found.to_string(), "via 192.168.1.1 dev if3 table 2852018311");
        assert_eq!(decode(&bytes[..11], &Devices::of(&[])), Err(Malformed));
    }

    #[test]
    fn a_namespace_that_is_not_there_answers_for_its_questions_only() {
        let asked = RouteQuestion { namespace: Some(NetnsName::from("no-such")), ..question("127.0.0.1") };
        let absent = RouteQuestion { iif: Some(IfName::from("no-such")), ..question("127.0.0.1") };
        let answers = ask_routes(&NetnsDir::new("/nonexistent"), &[asked, question("127.0.0.1"), absent]);
        let words: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
        assert!(words[0].contains("there is no network namespace 'no-such'"), "{words:?}");
        assert!(matches!(answers[1], Ok(_) | Err(Error::NotAsked { .. })), "{words:?}");
        assert!(matches!(&answers[2], Err(Error::NoDevice { device }) if device.as_str() == "no-such"), "{words:?}");
    }
}
