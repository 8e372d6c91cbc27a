//! Addresses (`RTM_GETADDR`; `include/uapi/linux/if_addr.h`).

use ipnet::IpNet;

use super::Error;
use super::attr::{Malformed, attrs, family, header};
use super::link::Devices;
use super::socket::Socket;
use crate::net::{Addr, AddrFlags};

const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;

/// All addresses of the socket's namespace, both families.
pub(crate) fn dump_addrs(socket: &mut Socket, devices: &Devices) -> Result<Vec<Addr>, Error> {
    // struct ifaddrmsg, all zero: every family, every device
    socket.dump("addresses", RTM_GETADDR, &[0; 8], |message| decode(message, devices))
}

fn decode(message: &[u8], devices: &Devices) -> Result<Option<Addr>, Malformed> {
    let (&[number, prefix_len, short_flags, scope, i0, i1, i2, i3], rest) = header::<8>(message)?;
    if family(number).is_none() {
        return Ok(None);
    }
    let (mut local, mut address, mut broadcast, mut flags) = (None, None, None, u32::from(short_flags));
    for attr in attrs(rest) {
        match attr.kind {
            IFA_ADDRESS => address = Some(attr.ip()?),
            IFA_LOCAL => local = Some(attr.ip()?),
            IFA_BROADCAST => broadcast = Some(attr.ip()?),
            IFA_FLAGS => flags = attr.u32()?,
            _ => {}
        }
    }
    // IFA_ADDRESS is the other end's where the two differ (if_addr.h); IPv6 sends it alone.
    let own = local.or(address).ok_or(Malformed)?;
    Ok(Some(Addr {
        dev: devices.name(u32::from_ne_bytes([i0, i1, i2, i3])),
        address: IpNet::new(own, prefix_len).map_err(|_| Malformed)?,
        peer: address.filter(|other| *other != own),
        broadcast,
        scope,
        flags: AddrFlags {
            secondary: own.is_ipv4() && flags & 0x01 != 0, // for IPv6 the bit means "temporary"
            tentative: flags & 0x40 != 0,
            dadfailed: flags & 0x08 != 0,
            dynamic: flags & 0x80 == 0,
            noprefixroute: flags & 0x200 != 0,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_to_point_address_has_a_peer() {
        let mut bytes = vec![2, 32, 0x80, 0, 7, 0, 0, 0];
        bytes.extend([8, 0, 1, 0, 10, 0, 0, 2, 8, 0, 2, 0, 10, 0, 0, 1]);
        let addr = decode(&bytes, &Devices::of(&[])).unwrap().unwrap();
        assert_eq!(addr.to_string(), "inet 10.0.0.1 peer 10.0.0.2/32 scope global if7");
        assert_eq!(decode(&[128, 0, 0, 0, 0, 0, 0, 0], &Devices::of(&[])), Ok(None));
        assert_eq!(decode(&bytes[..8], &Devices::of(&[])), Err(Malformed));
    }
}
