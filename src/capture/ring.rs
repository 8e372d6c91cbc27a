//! A packet socket with its ring (`Documentation/networking/packet_mmap.rst`,
//! `TPACKET_V3`): memory that the kernel fills block by block, and gets back
//! block by block.

mod socket;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{DELAY, SNAP, memory};
use crate::net::{Frame, Heading};

pub(super) use socket::wait;

/// `struct tpacket_block_desc`: where its parts lie.
const STATUS: usize = 8;
const COUNT: usize = 12;
const FIRST: usize = 16;
/// `TP_STATUS_USER`: the block, or the frame, is ours.
const OURS: u32 = 1;

/// `struct tpacket3_hdr`: where its parts lie; behind it, `struct sockaddr_ll`.
const NEXT: usize = 0;
const SECONDS: usize = 4;
const NANOSECONDS: usize = 8;
const KEPT: usize = 12;
const LENGTH: usize = 16;
const STATE: usize = 20;
const MAC: usize = 24;
const DEVICE: usize = 48 + 4;
const KIND: usize = 48 + 10;
const OUTGOING: u8 = 4;
/// Bytes up to there and behind.
const HEAD: usize = KIND + 2;
/// `struct virtio_net_hdr` before the frame, and its `gso_size`.
const VNET: usize = 10;
const GSO_SIZE: usize = 4;

/// A socket that hears all devices of the namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Ring {
    socket: OwnedFd,
    map: NonNull<u8>,
    /// Bytes of a block.
    block: usize,
    blocks: usize,
    /// The block that the kernel fills next.
    next: usize,
    /// Frames that the kernel put into the ring, and those of them handed over.
    caught: u64,
    handed: u64,
    dropped: u64,
    /// Those of the frames handed over that we could not read.
    odd: u64,
}

// SAFETY: the mapping belongs to this value alone, and goes with it from thread
// to thread; nothing in it depends on the thread.
#[allow(unsafe_code, reason = "a pointer to a mapping")]
unsafe impl Send for Ring {}

impl Ring {
    /// Opens one in the calling thread's namespace, with so many bytes of memory
    /// at most. The error names the step that failed.
    pub(super) fn open(memory: usize) -> Result<Self, (&'static str, io::Error)> {
        let (block, blocks) = memory::blocks(memory, socket::page());
        let socket = socket::open(block, blocks, DELAY, SNAP)?;
        let map = socket::map(&socket, block * blocks).map_err(|source| ("map the ring", source))?;
        let ring = Self { socket, map, block, blocks, next: 0, caught: 0, handed: 0, dropped: 0, odd: 0 };
        socket::bind(&ring.socket).map_err(|source| ("bind", source))?;
        Ok(ring)
    }

    /// Hands over all frames of the blocks that are ready, once around the ring
    /// at most.
    pub(super) fn drain(&mut self, namespace: u32, each: &mut impl FnMut(&Frame<'_>)) {
        for _ in 0..self.blocks {
            if self.status().load(Ordering::Acquire) & OURS == 0 {
                return;
            }
            let block = self.block();
            let given = frames(block, namespace, each);
            (self.handed, self.odd) = (self.handed + given.ours, self.odd + given.odd);
            self.status().store(0, Ordering::Release);
            self.next = (self.next + 1) % self.blocks;
        }
    }

    /// Frames that found the ring full, or stand in it in a form that we do not
    /// know, since it was opened.
    pub(super) fn dropped(&mut self) -> u64 {
        self.count();
        self.dropped + self.odd
    }

    /// Frames that are in the ring by now and were not handed over.
    pub(super) fn unread(&mut self) -> u64 {
        self.count();
        self.caught.saturating_sub(self.handed)
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        self.block * self.blocks
    }

    fn count(&mut self) {
        let (caught, dropped) = socket::counted_since(&self.socket);
        self.caught += caught;
        self.dropped += dropped;
    }

    fn status(&self) -> &AtomicU32 {
        // SAFETY: `next` is below the number of blocks, so this lies inside the
        // mapping, is aligned (blocks begin on pages), lives as long as `self`,
        // and the kernel changes it as one word.
        #[allow(unsafe_code, reason = "a word that is shared with the kernel")]
        unsafe {
            AtomicU32::from_ptr(self.map.as_ptr().add(self.next * self.block + STATUS).cast())
        }
    }

    /// The block that is ours; called only between seeing it so and giving it back.
    fn block(&self) -> &[u8] {
        // SAFETY: the block lies inside the mapping, and the kernel does not write
        // to it while its status says that it is ours.
        #[allow(unsafe_code, reason = "memory that the kernel has finished writing")]
        unsafe {
            std::slice::from_raw_parts(self.map.as_ptr().add(self.next * self.block), self.block)
        }
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        socket::unmap(self.map, self.size());
    }
}

/// Frames that a block gave.
#[derive(Debug, Default, PartialEq, Eq)]
struct Given {
    /// As the kernel counts them.
    ours: u64,
    /// Those of them that could not be read.
    odd: u64,
}

/// The frames of a block. A slot that is not ours is one that the kernel gave up
/// when it had taken it, and counted as dropped (`tpacket_rcv` in
/// `net/packet/af_packet.c`, as where a frame's segments are of a kind that
/// `struct virtio_net_hdr` has no word for).
fn frames(block: &[u8], namespace: u32, each: &mut impl FnMut(&Frame<'_>)) -> Given {
    let (number, mut at) = (word(block, COUNT).unwrap_or(0), word(block, FIRST).unwrap_or(0) as usize);
    let mut given = Given::default();
    for left in (1..=u64::from(number)).rev() {
        let slot = block.get(at..).unwrap_or_default();
        let (Some(state), Some(next)) = (word(slot, STATE), word(slot, NEXT)) else {
            // Nothing behind it can be found either.
            return Given { ours: given.ours + left, odd: given.odd + left };
        };
        if state & OURS != 0 {
            given.ours += 1;
            match frame(slot, namespace) {
                Some(frame) => each(&frame),
                None => given.odd += 1,
            }
        }
        at += next as usize;
    }
    given
}

#[inline]
fn frame(slot: &[u8], namespace: u32) -> Option<Frame<'_>> {
    let head: &[u8; HEAD] = slot.first_chunk()?;
    let (seconds, nanoseconds) = (word(head, SECONDS)?, word(head, NANOSECONDS)?);
    let mac = usize::from(half(head, MAC)?);
    let kept = word(head, KEPT)? as usize;
    Some(Frame {
        at: u64::from(seconds) * 1_000_000_000 + u64::from(nanoseconds),
        namespace,
        device: word(head, DEVICE)?,
        heading: if head[KIND] == OUTGOING { Heading::Out } else { Heading::In },
        length: word(head, LENGTH)?,
        segment: half(slot, mac.checked_sub(VNET)? + GSO_SIZE)?,
        bytes: slot.get(mac..mac.checked_add(kept)?)?,
    })
}

#[inline]
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[inline]
fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: usize = 128;

    /// A block of slots in this state, each with a frame of its own length.
    fn block(states: &[u32]) -> Vec<u8> {
        let mut block = vec![0; 64 + SLOT * states.len()];
        let mut put = |at: usize, value: u32| block[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        put(COUNT, u32::try_from(states.len()).unwrap());
        put(FIRST, 64);
        for (number, (at, state)) in (60..).zip((64..).step_by(SLOT).zip(states)) {
            put(at + NEXT, u32::try_from(SLOT).unwrap());
            put(at + KEPT, 20);
            put(at + LENGTH, number);
            put(at + STATE, *state);
            put(at + MAC, 90);
        }
        block
    }

    fn read(block: &[u8]) -> (Vec<u32>, Given) {
        let mut lengths = Vec::new();
        let given = frames(block, 0, &mut |frame| lengths.push(frame.length));
        (lengths, given)
    }

    #[test]
    fn a_slot_that_the_kernel_gave_up_hides_none_behind_it() {
        assert_eq!(read(&block(&[1, 1, 1])), (vec![60, 61, 62], Given { ours: 3, odd: 0 }));
        let (lengths, given) = read(&block(&[1, 0, 0x10, 0x11]));
        assert_eq!((lengths, given), (vec![60, 63], Given { ours: 2, odd: 0 }));
    }

    #[test]
    fn what_cannot_be_read_is_counted_as_lost() {
        let mut odd = block(&[1, 1, 1]);
        // No room for what stands before the frame.
        odd[64 + SLOT + MAC] = 2;
        assert_eq!(read(&odd), (vec![60, 62], Given { ours: 3, odd: 1 }));
        odd[64 + SLOT..][..4].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(read(&odd), (vec![60], Given { ours: 3, odd: 2 }));
        assert_eq!(read(&[]), (vec![], Given::default()));
    }
}
