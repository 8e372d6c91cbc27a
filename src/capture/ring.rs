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
/// `TP_STATUS_USER`: the block is ours.
const OURS: u32 = 1;

/// `struct tpacket3_hdr`: where its parts lie; behind it, `struct sockaddr_ll`.
const NEXT: usize = 0;
const SECONDS: usize = 4;
const NANOSECONDS: usize = 8;
const KEPT: usize = 12;
const LENGTH: usize = 16;
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
        let ring = Self { socket, map, block, blocks, next: 0, caught: 0, handed: 0, dropped: 0 };
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
            let number = word(block, COUNT).unwrap_or(0);
            frames(block, namespace, each);
            self.handed += u64::from(number);
            self.status().store(0, Ordering::Release);
            self.next = (self.next + 1) % self.blocks;
        }
    }

    /// Frames that found the ring full, since it was opened.
    pub(super) fn dropped(&mut self) -> u64 {
        self.count();
        self.dropped
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

/// The frames of a block. What does not fit into it ends it.
fn frames(block: &[u8], namespace: u32, each: &mut impl FnMut(&Frame<'_>)) {
    let (Some(count), Some(first)) = (word(block, COUNT), word(block, FIRST)) else { return };
    let mut at = first as usize;
    for _ in 0..count {
        let Some(rest) = block.get(at..) else { return };
        let Some(frame) = frame(rest, namespace) else { return };
        each(&frame);
        at += word(rest, NEXT).unwrap_or(0) as usize;
    }
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
