//! A captured frame, as the kernel handed it over.

/// A frame that passed a device, with its beginning. It borrows the capture's
/// memory: copy what is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When, in nanoseconds since 1970 (UTC).
    pub at: u64,
    /// The namespace, by its number in the capture.
    pub namespace: u32,
    /// The index of the device in that namespace.
    pub device: u32,
    /// Which way it passed the device.
    pub heading: Heading,
    /// The whole frame's length in bytes, with its Ethernet header.
    pub length: u32,
    /// Payload bytes of each segment, where the kernel merged several into this
    /// frame (`virtio_net_hdr.gso_size`); 0 for an ordinary one.
    pub segment: u16,
    /// The beginning of the frame, from its Ethernet header on.
    pub bytes: &'a [u8],
}

/// Which way a frame passes a device, as seen by the device's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Heading {
    /// Received by the device, for this namespace.
    In,
    /// Sent by the device (`PACKET_OUTGOING`).
    Out,
}
