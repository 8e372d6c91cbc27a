//! Neighbours and proxy entries (`RTM_GETNEIGH`; `include/uapi/linux/neighbour.h`).

use super::Error;
use super::attr::{Malformed, attrs, family, header};
use super::link::Devices;
use super::socket::Socket;
use crate::net::{Mac, Neigh, NeighState};

const RTM_GETNEIGH: u16 = 30;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NTF_PROXY: u8 = 0x08;

/// All neighbours of the socket's namespace and, from a dump of their own, all
/// proxy entries.
pub(crate) fn dump_neighs(socket: &mut Socket, devices: &Devices) -> Result<Vec<Neigh>, Error> {
    // struct ndmsg: every family, every device; the flag asks for the other table
    let mut found = socket.dump("neighbours", RTM_GETNEIGH, &[0; 12], |message| decode(message, devices))?;
    found.extend(dump_proxies(socket, devices)?);
    Ok(found)
}

/// The proxy entries alone, which the kernel does not announce.
pub(crate) fn dump_proxies(socket: &mut Socket, devices: &Devices) -> Result<Vec<Neigh>, Error> {
    let mut body = [0; 12];
    body[10] = NTF_PROXY;
    socket.dump("proxy neighbours", RTM_GETNEIGH, &body, |message| decode(message, devices))
}

fn decode(message: &[u8], devices: &Devices) -> Result<Option<Neigh>, Malformed> {
    let (&[number, _, _, _, i0, i1, i2, i3, s0, s1, flags, _], rest) = header::<12>(message)?;
    if family(number).is_none() {
        return Ok(None);
    }
    let (mut address, mut mac) = (None, None);
    for attr in attrs(rest) {
        match attr.kind {
            NDA_DST => address = Some(attr.ip()?),
            NDA_LLADDR => mac = <[u8; 6]>::try_from(attr.value).ok().map(Mac),
            _ => {}
        }
    }
    let address = address.ok_or(Malformed)?;
    if address.is_multicast() {
        // Made by the kernel for its own sending, computed and not learned; `ip neighbour` hides them too.
        return Ok(None);
    }
    Ok(Some(Neigh {
        dev: devices.name(u32::from_ne_bytes([i0, i1, i2, i3])),
        address,
        mac,
        state: state(u16::from_ne_bytes([s0, s1])),
        proxy: flags & NTF_PROXY != 0,
    }))
}

/// `NUD_*`: bits, of which an entry has one.
fn state(bits: u16) -> NeighState {
    match bits {
        0x01 => NeighState::Incomplete,
        0x02 => NeighState::Reachable,
        0x04 => NeighState::Stale,
        0x08 => NeighState::Delay,
        0x10 => NeighState::Probe,
        0x20 => NeighState::Failed,
        0x40 => NeighState::Noarp,
        0x80 => NeighState::Permanent,
        _ => NeighState::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multicast_is_left_out_and_no_address_is_malformed() {
        let head = [2, 0, 0, 0, 2, 0, 0, 0, 0x40, 0, 0, 0];
        let multicast = [&head[..], &[8, 0, 1, 0, 224, 0, 0, 22]].concat();
        assert_eq!(decode(&multicast, &Devices::of(&[])), Ok(None));
        assert_eq!(decode(&head, &Devices::of(&[])), Err(Malformed));
    }
}
