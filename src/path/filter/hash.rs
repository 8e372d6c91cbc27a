//! Which address of several a translation takes: the kernel's hash.

use std::net::Ipv4Addr;

/// The address between the two (`nf_nat_core.c: find_best_ips_proto`): the
/// source address, hashed together with the destination unless the rule is
/// `--persistent`, spread over the range. Both are those before the translation.
pub(super) fn best_address(range: (u32, u32), src: Ipv4Addr, dst: Ipv4Addr, persistent: bool) -> Ipv4Addr {
    // The kernel hashes the words as they lie in memory.
    let word = |address: Ipv4Addr| u32::from_ne_bytes(address.octets());
    let hash = jhash_address(word(src), if persistent { 0 } else { word(dst) });
    let count = range.1.wrapping_sub(range.0).wrapping_add(1);
    Ipv4Addr::from_bits(range.0.wrapping_add(scale(hash, count)))
}

/// `reciprocal_scale`: a hash into `0..count`.
fn scale(hash: u32, count: u32) -> u32 {
    // The product's upper half always fits.
    u32::try_from((u64::from(hash) * u64::from(count)) >> 32).unwrap_or(0)
}

/// Bob Jenkins' lookup3 (`linux/jhash.h: jhash2`) over the four words of a
/// `union nf_inet_addr`, three of which are zero for IPv4.
fn jhash_address(word: u32, initval: u32) -> u32 {
    const WORDS: u32 = 4;
    let start = 0xdead_beef_u32.wrapping_add(WORDS << 2).wrapping_add(initval);
    let (mut a, mut b, mut c) = (start.wrapping_add(word), start, start);
    for turn in [4, 6, 8, 16, 19, 4] {
        a = a.wrapping_sub(c) ^ c.rotate_left(turn);
        c = c.wrapping_add(b);
        (a, b, c) = (b, c, a);
    }
    for turn in [14, 11, 25, 16, 4, 14, 24] {
        c = (c ^ b).wrapping_sub(b.rotate_left(turn));
        (a, b, c) = (b, c, a);
    }
    // Seven turns of three registers: the last one written is now in b.
    b
}
