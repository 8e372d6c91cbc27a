//! A capture file (draft-ietf-opsawg-pcapng): one section, an interface block a
//! device, an enhanced packet block a frame with what it was as a comment.

use std::collections::HashMap;

use super::meter::Sighting;
use crate::net::{Frame, Heading, IfName, NetnsName};
use crate::topology::Direction;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// The byte order of whoever wrote it.
const ORDER: u32 = 0x1a2b_3c4d;
const ETHERNET: u16 = 1;

const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;
const RESOLUTION: u16 = 9;
/// Ten to the minus ninth of a second.
const NANOSECONDS: u8 = 9;
const FLAGS: u16 = 2;
const FLAG_IN: u32 = 1;
const FLAG_OUT: u32 = 2;

/// Makes a capture file, block by block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pcapng {
    /// The interface blocks written, by namespace and device number.
    interfaces: HashMap<(u32, u32), Interface>,
    /// How many were written.
    written: u32,
    /// How much of a frame is kept at most, in bytes.
    snap: u32,
}

/// An interface block that was written.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interface {
    number: u32,
    /// It has the device's name.
    named: bool,
}

impl Pcapng {
    /// A file of frames that were cut to so many bytes.
    pub fn new(snap: u32) -> Self {
        Self { snap, ..Self::default() }
    }

    /// The beginning of the file.
    pub fn header(&self, program: &str) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(ORDER.to_ne_bytes());
        body.extend(1_u16.to_ne_bytes());
        body.extend(0_u16.to_ne_bytes());
        body.extend(u64::MAX.to_ne_bytes());
        option(&mut body, APPLICATION, program.as_bytes());
        end_of_options(&mut body);
        block(SECTION, &body)
    }

    /// Forgets which devices have a block: the capture's numbers mean others now.
    pub fn renumber(&mut self) {
        self.interfaces.clear();
    }

    /// The blocks of a frame, with its device's where that had none yet, or none with
    /// a name.
    pub fn frame(
        &mut self,
        frame: &Frame<'_>,
        sighting: Option<&Sighting<'_>>,
        names: impl FnOnce() -> Option<(NetnsName, IfName)>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let place = (frame.namespace, frame.device);
        let interface = match self.interfaces.get(&place).copied() {
            Some(known) if known.named => known.number,
            known => {
                let (names, known) = (names(), known.map(|known| known.number));
                match known.filter(|_| names.is_none()) {
                    Some(nameless) => nameless,
                    None => self.interface(place, names, &mut out),
                }
            }
        };
        let mut body = Vec::new();
        body.extend(interface.to_ne_bytes());
        // The upper half of the time comes first, whatever the byte order.
        body.extend(u32::try_from(frame.at >> 32).unwrap_or(u32::MAX).to_ne_bytes());
        body.extend(u32::try_from(frame.at & 0xffff_ffff).unwrap_or(u32::MAX).to_ne_bytes());
        body.extend(number(frame.bytes.len()).to_ne_bytes());
        body.extend(frame.length.to_ne_bytes());
        padded(&mut body, frame.bytes);
        if let Some(sighting) = sighting {
            option(&mut body, COMMENT, comment(sighting).as_bytes());
        }
        let flags = if frame.heading == Heading::In { FLAG_IN } else { FLAG_OUT };
        option(&mut body, FLAGS, &flags.to_ne_bytes());
        end_of_options(&mut body);
        out.extend(block(ENHANCED_PACKET, &body));
        out
    }

    /// Writes the block of a device; its number.
    fn interface(&mut self, place: (u32, u32), names: Option<(NetnsName, IfName)>, out: &mut Vec<u8>) -> u32 {
        let number = self.written;
        self.interfaces.insert(place, Interface { number, named: names.is_some() });
        self.written += 1;
        out.extend(interface_block(names, place, self.snap));
        number
    }
}

/// `class fip, floating IP 192.168.1.3 out, qr`.
fn comment(sighting: &Sighting<'_>) -> String {
    let detail = sighting.detail.map(|detail| format!(", {}", detail.word())).unwrap_or_default();
    let passing = sighting.floating_ip.map(|(fip, direction, hop)| {
        let way = if direction == Direction::Outbound { "out" } else { "in" };
        format!(", floating IP {} {way}, {}", fip.floating_ip, hop.word())
    });
    format!("class {}{detail}{}", sighting.class.word(), passing.unwrap_or_default())
}

fn interface_block(names: Option<(NetnsName, IfName)>, place: (u32, u32), snap: u32) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(ETHERNET.to_ne_bytes());
    body.extend(0_u16.to_ne_bytes());
    body.extend(snap.to_ne_bytes());
    let (name, description) = match names {
        Some((namespace, device)) => (device.to_string(), namespace.to_string()),
        None => (format!("device {}", place.1), format!("namespace {}", place.0)),
    };
    option(&mut body, NAME, name.as_bytes());
    option(&mut body, DESCRIPTION, description.as_bytes());
    option(&mut body, RESOLUTION, &[NANOSECONDS]);
    end_of_options(&mut body);
    block(INTERFACE, &body)
}

/// A block: its length stands at both ends, so that a file can be read backwards.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = number(body.len() + 12);
    let mut block = Vec::with_capacity(body.len() + 12);
    block.extend(kind.to_ne_bytes());
    block.extend(length.to_ne_bytes());
    block.extend(body);
    block.extend(length.to_ne_bytes());
    block
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_ne_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_ne_bytes());
    padded(body, value);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

fn padded(body: &mut Vec<u8>, value: &[u8]) {
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame<'_> =
        Frame { at: 1, namespace: 2, device: 14, heading: Heading::In, length: 60, segment: 0, bytes: &[2; 60] };

    /// Names of the interface blocks, and the interfaces of the packets.
    fn read(file: &[u8]) -> (Vec<String>, Vec<u32>) {
        let word = |at: usize| u32::from_ne_bytes(file[at..at + 4].try_into().unwrap());
        let (mut at, mut names, mut packets) = (0, Vec::new(), Vec::new());
        while at < file.len() {
            match word(at) {
                INTERFACE => {
                    let length = usize::from(u16::from_ne_bytes([file[at + 18], file[at + 19]]));
                    names.push(String::from_utf8(file[at + 20..at + 20 + length].to_vec()).unwrap());
                }
                ENHANCED_PACKET => packets.push(word(at + 8)),
                _ => {}
            }
            at += word(at + 4) as usize;
        }
        (names, packets)
    }

    #[test]
    fn a_device_has_its_name_from_when_it_is_known() {
        let mut format = Pcapng::new(128);
        let mut file = format.header("fipscope");
        let of = |device: &str| Some((NetnsName::from("fip-1"), IfName::new(device)));
        for names in [None, None, of("fg-1"), of("fg-1")] {
            file.extend(format.frame(&FRAME, None, || names));
        }
        // Another device has that number from here on.
        format.renumber();
        file.extend(format.frame(&FRAME, None, || of("rfp-1")));
        let (names, packets) = read(&file);
        assert_eq!(
            (names.as_slice(), packets.as_slice()),
            (["device 14", "fg-1", "rfp-1"].map(String::from).as_slice(), [0, 0, 1, 1, 2].as_slice())
        );
    }
}
