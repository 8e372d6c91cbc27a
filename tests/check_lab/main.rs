//! Each code that the lab can break, in a running lab of its own: it is found
//! as the root cause with the words of `expected.txt`, what follows is folded
//! under it, nothing else fires, its repair takes it away and brings nothing new,
//! simulated first and then with the commands as they are printed, and real pings
//! pass both ways. Every code in Pike's layout and, where it can be, in an older
//! one, in both where its objects differ there; what breaks the packet filter in
//! the older one as well; a code's further places in one layout each.
//!
//! Words choose cases by name (`pike DVR2`); `--all` runs every code in every
//! layout and packet filter.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test starts programs, says what it does and fails by panicking"
)]

mod expected;
mod inside;
#[path = "../common/law.rs"]
mod law;
#[path = "../common/program.rs"]
mod node;
#[path = "../common/private.rs"]
mod private;
mod program;
mod traffic;
mod wire;

use std::env;
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::thread;

use fipscope::check::Code;
use fipscope::lab::LabOptions;
use fipscope::lab::faults::{Fault, faults};
use fipscope::net::netfilter::Backend;
use fipscope::neutron::Layout;

const LAYOUTS: [Layout; 3] = [Layout::Juno, Layout::Newton, Layout::Pike];
/// Labs at once for each processor: they wait most of the time.
const AT_ONCE: usize = 6;

/// Where the checks do not say yet what they are to say, and what they say. Told
/// on each run; one that comes right has to leave this list.
const OPEN: &[(&str, u16, &str)] = &[];

/// The codes whose repair is steps, in every layout that can have them.
const WITH_STEPS: &[u16] = &[
    109, 201, 202, 203, 204, 205, 207, 208, 209, 210, 211, 212, 301, 302, 303, 304, 305, 306, 307, 308, 309, 310, 311,
    401, 402, 403, 404, 405, 406, 407, 408, 410, 411, 413, 414, 415, 501, 502, 503, 504, 505, 506, 507, 508, 509, 510,
    511, 512, 513, 602, 702, 703, 710, 804, 805,
];

/// The codes whose objects differ from layout to layout.
const DIFFERING: &[u16] = &[
    101, 106, 201, 202, 204, 205, 206, 301, 302, 305, 310, 401, 402, 404, 412, 413, 501, 502, 503, 505, 506, 510, 512,
    601, 602, 616, 701, 803, 804, 805, 806, 901, 902,
];

/// A lab to be broken.
struct Case {
    name: String,
    layout: Layout,
    code: u16,
    words: [String; 3],
}

/// How the cases went.
#[derive(Default)]
struct Tally {
    ran: u32,
    mended: u32,
    open: u32,
    failed: u32,
    skipped: u32,
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        return ExitCode::SUCCESS;
    }
    if let [inside, layout, backend, number] = words.as_slice()
        && inside == "--inside"
    {
        return match number.as_str() {
            inside::WHOLE => inside::whole(layout),
            number => inside::run(layout, backend, number.parse().unwrap()),
        };
    }
    let filter = words.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let all = words.iter().any(|word| word == "--all");
    let cases: Vec<Case> = cases(all).into_iter().filter(|case| case.name.contains(filter)).collect();
    let (next, tally) = (Mutex::new(cases.iter()), Mutex::new(Tally::default()));
    let take = || next.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) * AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = take() {
                    case.run(&tally);
                }
            });
        }
    });
    let Tally { ran, mended, open, failed, skipped } = tally.into_inner().unwrap();
    println!("check_lab: {ran} labs broken, {mended} mended, {open} open, {failed} failed, {skipped} skipped");
    ExitCode::from(u8::from(failed > 0 || (skipped > 0 && private::is_required())))
}

fn cases(all: bool) -> Vec<Case> {
    let mut cases: Vec<Case> = LAYOUTS.into_iter().map(Case::whole).collect();
    for (number, fault) in faults().enumerate() {
        for layout in LAYOUTS.into_iter().filter(|layout| fault.since <= *layout) {
            let meets = |backend| all || chosen(fault, layout) == Some(backend) || is_again(fault, layout, backend);
            let backends = [Backend::Nft, Backend::Legacy].into_iter().filter(|backend| meets(*backend));
            cases.extend(backends.map(|backend| Case::of(layout, backend, number, fault)));
        }
    }
    cases
}

/// The packet filter in which a fault meets a layout, if it does. What is chosen
/// depends on the fault alone: others that come or go move nothing.
fn chosen(fault: &Fault, layout: Layout) -> Option<Backend> {
    let (code, place) = (usize::from(fault.code), place(fault));
    let able: Vec<Layout> = LAYOUTS.into_iter().filter(|other| fault.since <= *other).collect();
    let turn = |among: &[Layout]| among.get((code + place) % among.len().max(1)) == Some(&layout);
    let older = |is_older| if is_older { Backend::Legacy } else { Backend::Nft };
    if place > 0 {
        return turn(&able).then(|| older((code + place).is_multiple_of(2)));
    }
    if layout == Layout::Pike {
        return Some(Backend::Nft);
    }
    let is_met = DIFFERING.contains(&fault.code) || turn(&able[..able.len() - 1]);
    is_met.then(|| older(!is_filtered(fault) && code.is_multiple_of(3)))
}

/// What breaks the packet filter does it in the older one, too.
fn is_again(fault: &Fault, layout: Layout, backend: Backend) -> bool {
    layout == Layout::Pike && backend == Backend::Legacy && place(fault) == 0 && is_filtered(fault)
}

/// Whether its commands are the packet filter's.
fn is_filtered(fault: &Fault) -> bool {
    fault.commands(&LabOptions::default()).iter().any(|command| command.contains("iptables"))
}

/// Its place among the faults of its code.
fn place(fault: &Fault) -> usize {
    let same = faults().filter(|other| other.code == fault.code);
    same.take_while(|other| !std::ptr::eq(*other, fault)).count()
}

/// The fault's code, with its place where the code has several.
fn title(fault: &Fault) -> String {
    let (code, place) = (Code(fault.code), place(fault));
    if place > 0 { format!("{code}/{}", place + 1) } else { code.to_string() }
}

impl Case {
    fn of(layout: Layout, backend: Backend, number: usize, fault: &Fault) -> Self {
        let older = if backend == Backend::Legacy { " legacy" } else { "" };
        let name = format!("{}{older} {}", layout.word(), title(fault));
        let words = [layout.word().to_owned(), backend.word().to_owned(), number.to_string()];
        Self { name, layout, code: fault.code, words }
    }

    /// A lab that nobody breaks.
    fn whole(layout: Layout) -> Self {
        let words = [layout.word(), Backend::Nft.word(), inside::WHOLE].map(str::to_owned);
        Self { name: format!("{} {}", layout.word(), inside::WHOLE), layout, code: 0, words }
    }

    fn run(&self, tally: &Mutex<Tally>) {
        let is_it = |(word, code, _): &&(&str, u16, &str)| (*word, *code) == (self.layout.word(), self.code);
        let known = OPEN.iter().find(is_it).map(|(_, _, why)| *why);
        let mut command = Command::new(env::current_exe().unwrap());
        let output = command.arg("--inside").args(&self.words).env("RUST_BACKTRACE", "0").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let (case, said) = (&self.name, said.trim());
        let mut tally = tally.lock().unwrap();
        tally.ran += 1;
        match output.status.code() {
            Some(0) if known.is_some() => {
                println!("FAILED  {case} has come right: take it out of the list of what is open");
                tally.failed += 1;
            }
            Some(0) if said.contains(inside::MENDED) != WITH_STEPS.contains(&self.code) => {
                println!("FAILED  {case}: of codes with steps there is a list, and it is otherwise: {said}");
                tally.failed += 1;
            }
            Some(0) => {
                println!("ok      {case}  {said}");
                tally.mended += u32::from(WITH_STEPS.contains(&self.code));
            }
            Some(private::SKIPPED | private::LACKING) => {
                println!("SKIPPED {case}: {said}");
                tally.skipped += 1;
            }
            Some(_) if known.is_some() => {
                println!("OPEN    {case}: {}", known.unwrap_or_default());
                tally.open += 1;
            }
            _ => {
                println!("FAILED  {case}\n{said}");
                tally.failed += 1;
            }
        }
    }
}
