//! The console with the traffic screen open, on a terminal of its own, while
//! packets pour in: from a key to the screen.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::stand;

/// Packets a second, and so many of them.
const RATE: u64 = 200_000;
const PACKETS: u64 = 10 * RATE;
const LIMIT: Duration = Duration::from_millis(50);
/// The console's clock and the keys shall not keep step.
const PAUSES: [u64; 5] = [17, 23, 31, 37, 41];
const PATIENCE: Duration = Duration::from_secs(20);
const SIZE: PtySize = PtySize { rows: 45, cols: 140, pixel_width: 0, pixel_height: 0 };

pub fn keys() {
    let (lab, _, flood) = stand();
    let mut console = Console::start(lab.state_path().to_str().unwrap());
    console.until("the node", |screen| screen.contains("192.168.1.3"));
    console.press(b"T");
    console.until("packets", |screen| screen.contains("packets/s"));
    let (mut times, mut heard) = (Vec::new(), Vec::new());
    let sent = thread::scope(|scope| {
        let sender = scope.spawn(|| flood.pour(PACKETS, Some(RATE)));
        // The flows of the flood are listed first.
        console.until("the flood", |screen| screen.contains(":7 "));
        let (before, began) = (console.cpu(), Instant::now());
        while !sender.is_finished() {
            thread::sleep(Duration::from_millis(PAUSES[times.len() % PAUSES.len()]));
            times.push(console.key());
            heard.push(console.line("packets/s"));
        }
        let share = (console.cpu() - before) / began.elapsed().as_secs_f64();
        println!("the console used {:.0} % of a core", 100.0 * share);
        sender.join().unwrap()
    });
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    let (rate, number) = (sent.rate(), times.len());
    println!("{} packets sent, {rate:.0} thousand a second; the console said", sent.packets);
    println!("  {}", heard[number / 2].trim());
    println!("from a key to the screen meanwhile, {number} keys (milliseconds)");
    println!("  p50 {:.1}  p90 {:.1}  p99 {:.1}  max {:.1}", at(50), at(90), at(99), at(100));
    assert!(number >= 100, "too few keys to say");
    let good = at(99) < LIMIT.as_secs_f64() * 1e3 && rate > 0.99 * RATE as f64 / 1e3;
    assert!(cfg!(debug_assertions) || good, "99 of 100 keys are to take less than {LIMIT:?} at {RATE} a second");
}

/// The program on a terminal, with what it shows.
struct Console {
    screen: vt100::Parser,
    output: Receiver<(Instant, Vec<u8>)>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// When the screen was as it is.
    at: Instant,
    _master: Box<dyn MasterPty + Send>,
}

impl Console {
    fn start(state_path: &str) -> Self {
        let pair = native_pty_system().openpty(SIZE).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_fipscope"));
        command.args(["--state-path", state_path]);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let child = pair.slave.spawn_command(command).unwrap();
        let (sender, output) = channel();
        let mut reader = pair.master.try_clone_reader().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 1 << 14];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
        });
        let cells = |number| NonZeroU16::new(number).unwrap();
        let screen = vt100::Parser::new(cells(SIZE.rows), cells(SIZE.cols), 0);
        let keys = pair.master.take_writer().unwrap();
        Self { screen, output, keys, child, at: Instant::now(), _master: pair.master }
    }

    fn press(&mut self, key: &[u8]) {
        self.keys.write_all(key).unwrap();
        self.keys.flush().unwrap();
    }

    /// From the key that goes to the other list to the selection's being there. (A
    /// key that goes one row down has no effect on the last row, and rows change
    /// their places.)
    fn key(&mut self) -> Duration {
        while let Ok((at, bytes)) = self.output.try_recv() {
            self.show(at, &bytes);
        }
        let before = self.is_at_flow();
        let began = Instant::now();
        self.press(b"\t");
        while self.is_at_flow() == before {
            self.wait("the selection moved");
        }
        self.at.saturating_duration_since(began)
    }

    fn until(&mut self, what: &str, condition: impl Fn(&str) -> bool) {
        while !condition(&self.screen.screen().contents()) {
            self.wait(what);
        }
    }

    fn wait(&mut self, what: &str) {
        let Ok((at, bytes)) = self.output.recv_timeout(PATIENCE) else {
            panic!("never saw {what}; the screen shows:\n{}", self.screen.screen().contents());
        };
        self.show(at, &bytes);
    }

    fn show(&mut self, at: Instant, bytes: &[u8]) {
        self.screen.process(bytes);
        self.at = at;
    }

    fn is_at_flow(&self) -> bool {
        let text = self.screen.screen().contents();
        text.lines().any(|line| line.starts_with('▌') && line.contains('→'))
    }

    fn line(&self, word: &str) -> String {
        let text = self.screen.screen().contents();
        text.lines().find(|line| line.contains(word)).unwrap_or_default().to_owned()
    }

    /// Seconds of CPU so far (`proc_pid_stat(5)`, `utime` and `stime`).
    fn cpu(&self) -> f64 {
        let id = self.child.process_id().unwrap();
        let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        let (_, fields) = text.rsplit_once(')').unwrap();
        let ticks: f64 = fields.split_whitespace().skip(11).take(2).map(|word| word.parse::<f64>().unwrap()).sum();
        ticks / 100.0
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
