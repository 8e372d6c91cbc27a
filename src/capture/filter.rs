//! What the kernel hands over at all: a program in its classic packet filter
//! language (`Documentation/networking/filter.rst`).

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

/// `SKF_AD_OFF` of `linux/filter.h`: loads beyond it read what the kernel knows of the frame.
const ABOUT: u32 = 0xffff_f000;
const PROTOCOL: u32 = ABOUT;
const PACKET_TYPE: u32 = ABOUT + 4;
const HARDWARE_TYPE: u32 = ABOUT + 28;

/// `ARPHRD_ETHER`; the loopback device has another.
const ETHERNET: u32 = 1;
/// `PACKET_HOST`: for us. What a switch floods to other machines is not.
const HOST: u32 = 0;
const OUTGOING: u32 = 4;
const IPV4: u32 = 0x0800;
/// A tag that no device took off.
const TAGGED: u32 = 0x8100;

/// IPv4 to or from this namespace, of Ethernet devices, cut to `snap` bytes.
pub(super) fn ipv4(snap: u32) -> [sock_filter; 10] {
    [
        load(HARDWARE_TYPE),
        unless_equal(ETHERNET, 7),
        load(PACKET_TYPE),
        if_equal(HOST, 1),
        unless_equal(OUTGOING, 4),
        load(PROTOCOL),
        if_equal(IPV4, 1),
        unless_equal(TAGGED, 1),
        give(snap),
        give(0),
    ]
}

fn load(offset: u32) -> sock_filter {
    code(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset)
}

/// Goes on so many instructions further where it is equal.
fn if_equal(value: u32, skip: u8) -> sock_filter {
    code(BPF_JMP | BPF_JEQ | BPF_K, skip, 0, value)
}

fn unless_equal(value: u32, skip: u8) -> sock_filter {
    code(BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value)
}

fn give(bytes: u32) -> sock_filter {
    code(BPF_RET | BPF_K, 0, 0, bytes)
}

fn code(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    // All of these codes are below 256.
    sock_filter { code: u16::try_from(code).unwrap_or(u16::MAX), jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program says of a frame of which the kernel knows this.
    fn run(hardware: u32, kind: u32, protocol: u32) -> u32 {
        let program = ipv4(128);
        let (mut at, mut register) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            match (u32::from(step.code), step.k) {
                (0x20, HARDWARE_TYPE) => register = hardware,
                (0x20, PACKET_TYPE) => register = kind,
                (0x20, PROTOCOL) => register = protocol,
                (0x15, value) => at += usize::from(if register == value { step.jt } else { step.jf }),
                (0x06, bytes) => return bytes,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn only_ipv4_of_this_namespace_passes() {
        for (hardware, kind, protocol, bytes) in [
            (1, 0, 0x0800, 128),
            (1, 4, 0x0800, 128),
            (1, 0, 0x8100, 128),
            (1, 0, 0x86dd, 0),
            (1, 0, 0x0806, 0),
            (1, 1, 0x0800, 0),
            (1, 3, 0x0800, 0),
            (772, 0, 0x0800, 0),
        ] {
            assert_eq!(run(hardware, kind, protocol), bytes, "{hardware} {kind} {protocol:#x}");
        }
    }
}
