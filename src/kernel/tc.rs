//! Traffic control (`RTM_GETQDISC`, `RTM_GETTFILTER`): queueing disciplines and
//! the filters on them, put onto their links.

use super::Error;
use super::attr::{Malformed, attrs, header};
use super::socket::Socket;
use crate::net::{Link, Qdisc, TcFilter};

const RTM_GETQDISC: u16 = 38;
const RTM_GETTFILTER: u16 = 46;
const TCA_KIND: u16 = 1;

/// `TC_H_MIN_INGRESS` and `TC_H_MIN_EGRESS`: the two hooks of a clsact.
const CLSACT_HOOKS: [u32; 2] = [0xffff_fff2, 0xffff_fff3];

/// The kernel's defaults, which carry no filter: not worth a question each.
const BARE: [&str; 5] = ["noqueue", "mq", "pfifo_fast", "fq_codel", "fq"];

/// Adds to each link what traffic control has on it.
pub(crate) fn dump_tc(socket: &mut Socket, links: &mut [Link]) -> Result<(), Error> {
    // struct tcmsg, all zero: every device
    let found = socket.dump("queueing disciplines", RTM_GETQDISC, &[0; 20], |message| {
        let (head, kind) = decode(message)?;
        Ok(Some((head.index, Qdisc { kind, handle: head.handle, parent: head.parent })))
    })?;
    for (index, qdisc) in found {
        if let Some(link) = links.iter_mut().find(|link| link.index == index) {
            link.qdiscs.push(qdisc);
        }
    }
    for link in links {
        link.qdiscs.sort();
        for qdisc in link.qdiscs.iter().filter(|qdisc| !BARE.contains(&qdisc.kind.as_str())) {
            let own = [qdisc.handle];
            let parents: &[u32] = if qdisc.kind == "clsact" { &CLSACT_HOOKS } else { &own };
            for parent in parents {
                link.filters.extend(dump_filters(socket, link.index, *parent)?);
            }
        }
        link.filters.sort();
    }
    Ok(())
}

fn dump_filters(socket: &mut Socket, index: u32, parent: u32) -> Result<Vec<TcFilter>, Error> {
    let mut body = [0; 20];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[12..16].copy_from_slice(&parent.to_ne_bytes());
    socket.dump("traffic filters", RTM_GETTFILTER, &body, |message| {
        let (head, kind) = decode(message)?;
        let preference = u16::try_from(head.info >> 16).map_err(|_| Malformed)?;
        let found = TcFilter { kind, parent: head.parent, preference, handle: head.handle };
        Ok(is_filter(&found).then_some(found))
    })
}

/// Before its filters a classifier announces itself, without a handle, and u32
/// its hash tables, whose handles have no node part (`TC_U32_NODE`).
fn is_filter(found: &TcFilter) -> bool {
    found.handle != 0 && (found.kind != "u32" || found.handle & 0xfff != 0)
}

struct Head {
    index: u32,
    handle: u32,
    parent: u32,
    info: u32,
}

fn decode(message: &[u8]) -> Result<(Head, String), Malformed> {
    let (head, rest) = header::<20>(message)?;
    let number = |place: usize| head.as_chunks::<4>().0.get(place).map_or(0, |raw| u32::from_ne_bytes(*raw));
    let kind = attrs(rest).find(|attr| attr.kind == TCA_KIND).ok_or(Malformed)?.text();
    Ok((Head { index: number(1), handle: number(2), parent: number(3), info: number(4) }, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_and_hash_tables_are_no_filters() {
        let filter = |kind: &str, handle| TcFilter { kind: kind.to_owned(), parent: 0, preference: 1, handle };
        assert!(!is_filter(&filter("u32", 0)) && !is_filter(&filter("u32", 0x8000_0000)));
        assert!(is_filter(&filter("u32", 0x8000_0800)) && is_filter(&filter("matchall", 0x1000)));
    }

    #[test]
    fn a_message_without_a_kind_is_malformed() {
        assert!(decode(&[0; 20]).is_err());
        assert!(decode(&[0; 19]).is_err());
    }
}
