//! The flood: as if from the gateway, to the floating IP. Whole frames go out at
//! the far end of fg's cable, so that the kernel's own work is small and what
//! hears them has the rest of the machine.

use std::io::IoSlice;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fipscope::lab::Lab;
use fipscope::net::NetnsName;
use fipscope::netns::{enter, spawn};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockType, bind, sendmmsg, socket};

/// The far end of fg's cable, and where it lies.
const SWITCH: &str = "switch";
const FAR_END: &str = "tapb2b77eed-1b";
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const GATEWAY_MAC: [u8; 6] = [0x02, 0, 0, 1, 1, 1];
const FLOATING: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 3);
/// Flows, told apart by their source ports.
const FLOWS: u16 = 64;
const FIRST_PORT: u16 = 40_000;
/// Against a kernel that takes nothing.
const MOST: Duration = Duration::from_secs(120);

/// What was sent, and how long it took.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub packets: u64,
    pub took: Duration,
}

/// A source of packets.
pub struct Flood {
    socket: OwnedFd,
    frames: Vec<Vec<u8>>,
}

impl Flood {
    /// The gateway learns whose floating IP it is; from then on nothing is
    /// forwarded any more.
    pub fn new(lab: &Lab, fip: &NetnsName) -> Self {
        let run = |namespace: &str, words: &[&str]| {
            let ns = lab.netns_dir().open(&NetnsName::from(namespace)).unwrap();
            let mut command = Command::new(words[0]);
            command.args(&words[1..]).stdout(Stdio::piped());
            let output = spawn(&ns, &mut command).unwrap().wait_with_output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        run("gateway", &["ping", "-q", "-c", "3", "-i", "0.3", "192.168.1.3"]);
        let known = run("gateway", &["ip", "neigh", "show", "192.168.1.3"]);
        let fg = known.split(' ').skip_while(|word| *word != "lladdr").nth(1).expect("the gateway knows fg").to_owned();
        run(fip.as_str(), &["sysctl", "-qw", "net.ipv4.ip_forward=0"]);
        let ns = lab.netns_dir().open(&NetnsName::from(SWITCH)).unwrap();
        let frames = (0..FLOWS).map(|flow| frame(mac(&fg), GATEWAY_MAC, FIRST_PORT + flow)).collect();
        Self { socket: enter(&ns, open).unwrap(), frames }
    }

    /// Sends so many packets, no more than so many a second where that is said.
    pub fn pour(&self, packets: u64, rate: Option<u64>) -> Sent {
        let slices: Vec<[IoSlice<'_>; 1]> = self.frames.iter().map(|frame| [IoSlice::new(frame)]).collect();
        let addresses = vec![None; slices.len()];
        let mut headers = MultiHeaders::<LinkAddr>::preallocate(slices.len(), None);
        let begin = Instant::now();
        let mut sent = 0;
        while sent < packets && begin.elapsed() < MOST {
            let due = rate.map_or(Duration::ZERO, |rate| Duration::from_micros(sent * 1_000_000 / rate));
            thread::sleep(due.saturating_sub(begin.elapsed()));
            match sendmmsg(self.socket.as_raw_fd(), &mut headers, &slices, &addresses, [], MsgFlags::empty()) {
                Ok(done) => sent += done.count() as u64,
                // The device's or the socket's room is used up for a moment.
                Err(Errno::ENOBUFS | Errno::EAGAIN) => thread::yield_now(),
                Err(errno) => panic!("the kernel takes no packets: {errno}"),
            }
        }
        Sent { packets: sent, took: begin.elapsed() }
    }
}

impl Sent {
    /// Thousands a second.
    pub fn rate(self) -> f64 {
        self.packets as f64 / self.took.as_secs_f64() / 1e3
    }
}

/// A packet socket on the far end, in the calling thread's namespace, that hears
/// nothing.
fn open() -> OwnedFd {
    let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).unwrap();
    let mut devices = getifaddrs().unwrap().filter(|device| device.interface_name == FAR_END);
    let address: LinkAddr = devices.find_map(|device| device.address?.as_link_addr().copied()).expect(FAR_END);
    bind(fd.as_raw_fd(), &address).unwrap();
    fd
}

fn mac(text: &str) -> [u8; 6] {
    let bytes: Vec<u8> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// UDP with twelve bytes (RFC 768), in IPv4 (RFC 791), in Ethernet.
fn frame(to: [u8; 6], from: [u8; 6], port: u16) -> Vec<u8> {
    let data = b"twelve bytes";
    let udp = u16::try_from(8 + data.len()).unwrap();
    let mut ip = vec![0x45, 0];
    ip.extend((20 + udp).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    ip.extend(GATEWAY.octets());
    ip.extend(FLOATING.octets());
    let sum: u32 = ip.chunks(2).map(|two| u32::from(u16::from_be_bytes([two[0], two[1]]))).sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut frame = [to, from].concat();
    frame.extend([8, 0]);
    frame.extend(ip);
    for number in [port, 7, udp, 0] {
        frame.extend(number.to_be_bytes());
    }
    frame.extend(data);
    frame
}
