//! The kernel's classic packet filter, so that only wanted answers wake us
//! (`Documentation/networking/filter.rst`).

use std::net::Ipv4Addr;

use super::arp::ETHERTYPE;

/// `BPF_LD | BPF_H | BPF_ABS`.
const LOAD_HALF: u16 = 0x28;
/// `BPF_LD | BPF_W | BPF_ABS`.
const LOAD_WORD: u16 = 0x20;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
const JUMP_EQUAL: u16 = 0x15;
/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

/// Bytes of a frame that are handed over: a padded Ethernet frame.
const TAKEN: u32 = 64;

/// As many addresses as one filter takes (`BPF_MAXINSNS` is 4096).
pub(super) const MOST: usize = 2000;

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    pub(super) jump_true: u8,
    pub(super) jump_false: u8,
    pub(super) value: u32,
}

/// Takes ARP replies in which one of these addresses speaks, and nothing else.
pub(super) fn replies_of(addresses: &[Ipv4Addr]) -> Vec<Instruction> {
    let op = |code, value| Instruction { code, jump_true: 0, jump_false: 0, value };
    let equal = |value, jump_true, jump_false| Instruction { code: JUMP_EQUAL, jump_true, jump_false, value };
    let mut program = vec![
        op(LOAD_HALF, 12),
        equal(u32::from(ETHERTYPE), 1, 0),
        op(RETURN, 0),
        // The operation.
        op(LOAD_HALF, 20),
        equal(2, 1, 0),
        op(RETURN, 0),
        // The sender's address.
        op(LOAD_WORD, 28),
    ];
    for address in addresses.iter().take(MOST) {
        program.push(equal(address.to_bits(), 0, 1));
        program.push(op(RETURN, TAKEN));
    }
    program.push(op(RETURN, 0));
    program
}

#[cfg(test)]
mod tests {
    use super::super::arp::{Arp, Operation};
    use super::*;
    use crate::net::Mac;

    /// What the kernel would do, for these four instructions.
    fn run(program: &[Instruction], frame: &[u8]) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let bytes = |length| &frame[step.value as usize..step.value as usize + length];
            match step.code {
                LOAD_HALF => accumulator = u32::from(u16::from_be_bytes(bytes(2).try_into().unwrap())),
                LOAD_WORD => accumulator = u32::from_be_bytes(bytes(4).try_into().unwrap()),
                JUMP_EQUAL if accumulator == step.value => at += usize::from(step.jump_true),
                JUMP_EQUAL => at += usize::from(step.jump_false),
                RETURN => return step.value,
                other => panic!("{other:#x}"),
            }
        }
    }

    #[test]
    fn only_replies_of_the_wanted_pass() {
        let address = |last: u32| Ipv4Addr::from_bits(0x0a00_0000 + last);
        let wanted: Vec<_> = (1..=300).map(address).collect();
        let program = replies_of(&wanted);
        assert!(program.len() < 4096);
        let frame = |last, operation| {
            let said = (Mac([2; 6]), address(last));
            Arp { operation, sender: said, target: (Mac([4; 6]), address(77)) }.broadcast()
        };
        for last in [1, 2, 150, 299, 300] {
            assert_eq!(run(&program, &frame(last, Operation::Reply)), TAKEN, "{last}");
            assert_eq!(run(&program, &frame(last, Operation::Request)), 0, "{last}");
        }
        for last in [0, 301, 1000] {
            assert_eq!(run(&program, &frame(last, Operation::Reply)), 0, "{last}");
        }
        let mut other = frame(1, Operation::Reply);
        other[13] = 0;
        assert_eq!(run(&program, &other), 0);
        assert_eq!(run(&replies_of(&[]), &frame(1, Operation::Reply)), 0);
    }
}
