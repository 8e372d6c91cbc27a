//! What is measured: the moments at which each stage of the way ended, and the
//! processor's time by thread.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{read_dir, read_to_string};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The stages in their order; the program tells when each has ended.
const ORDER: [&str; 11] =
    ["heard", "read", "merged", "copied", "taken", "understood", "judged", "sorted", "received", "updated", "drawn"];

/// Hears the end of each stage.
#[derive(Clone, Default)]
pub struct Stages(Arc<Mutex<Marks>>);

#[derive(Default)]
struct Marks {
    /// Of the change under way.
    now: BTreeMap<&'static str, (Instant, Duration)>,
    /// The last stage that ended on a thread, by its name, and the thread's time then.
    threads: BTreeMap<String, Duration>,
    /// Of all changes: how long after the change it ended, and the thread's time since its stage before.
    all: BTreeMap<&'static str, Vec<(Duration, Duration)>>,
}

impl Stages {
    pub fn install() -> Self {
        let stages = Self::default();
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(stages.clone())).unwrap();
        stages
    }

    /// The change that began then is on the screen.
    pub fn end(&self, began: Instant) {
        let mut marks = self.0.lock().unwrap();
        let now = std::mem::take(&mut marks.now);
        for (stage, (at, cpu)) in now {
            let since = at.saturating_duration_since(began);
            marks.all.entry(stage).or_default().push((since, cpu));
        }
    }

    /// Each stage of the changes since the last time: when it ended after the
    /// change, and what it took of a processor.
    pub fn print(&self) {
        let all = std::mem::take(&mut self.0.lock().unwrap().all);
        println!("  stage        ends after p50    p99   processor p50    p99");
        for stage in ORDER {
            let Some(all) = all.get(stage) else { continue };
            let at = |pick: fn(&(Duration, Duration)) -> Duration, percent: usize| {
                let mut times: Vec<Duration> = all.iter().map(pick).collect();
                times.sort();
                times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3
            };
            let (half, nearly) = (at(|mark| mark.0, 50), at(|mark| mark.0, 99));
            let (cpu, most) = (at(|mark| mark.1, 50), at(|mark| mark.1, 99));
            println!("  {stage:<12} {half:>14.1} {nearly:>6.1} {cpu:>15.2} {most:>6.2}");
        }
    }
}

impl<S: tracing::Subscriber> Layer<S> for Stages {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut name = Name(None);
        event.record(&mut name);
        let Some(stage) = name.0 else { return };
        let (at, cpu) = (Instant::now(), on_thread());
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        let mut marks = self.0.lock().unwrap();
        let before = marks.threads.insert(thread, cpu).unwrap_or(cpu);
        marks.now.insert(stage, (at, cpu.saturating_sub(before)));
    }
}

struct Name(Option<&'static str>);

impl Visit for Name {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "stage" {
            self.0 = ORDER.into_iter().find(|stage| *stage == value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// The processors' time for this process and its children, and for each of its
/// threads.
pub struct Load {
    at: Instant,
    all: Duration,
    threads: BTreeMap<String, Duration>,
    wakeups: i64,
}

impl Load {
    pub fn now() -> Self {
        let mut threads = BTreeMap::new();
        for task in read_dir("/proc/self/task").unwrap().map_while(Result::ok) {
            let read = |file: &str| read_to_string(task.path().join(file)).unwrap_or_default();
            let time = read("schedstat").split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
            *threads.entry(read("comm").trim().to_owned()).or_default() += Duration::from_nanos(time);
        }
        let usage = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].map(|who| getrusage(who).unwrap());
        let times = usage.iter().flat_map(|usage| [usage.user_time(), usage.system_time()]);
        let micros = times.map(|time| time.tv_sec() * 1_000_000 + time.tv_usec()).sum::<i64>();
        let wakeups = usage[0].voluntary_context_switches();
        Self { at: Instant::now(), all: Duration::from_micros(micros.unsigned_abs()), threads, wakeups }
    }

    /// What was used since.
    pub fn until_now(&self) -> Self {
        let now = Self::now();
        let since =
            |name: &String, time: Duration| time.saturating_sub(self.threads.get(name).copied().unwrap_or_default());
        let threads = now.threads.iter().map(|(name, time)| (name.clone(), since(name, *time))).collect();
        let all = now.all.saturating_sub(self.all);
        // A length of time from here on, counted from the beginning.
        Self { at: self.at, all, threads, wakeups: now.wakeups - self.wakeups }
    }

    /// Of one core.
    pub fn share(&self) -> f64 {
        self.all.as_secs_f64() / self.at.elapsed().as_secs_f64()
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.elapsed().as_secs_f64();
        let percent = |time: Duration| time.as_secs_f64() / seconds * 100.0;
        write!(f, "{:.2}% of a core, {:.0} wake-ups a second (", percent(self.all), self.wakeups as f64 / seconds)?;
        let mut rest = self.all;
        for (name, time) in self.threads.iter().filter(|(_, time)| percent(**time) >= 0.005) {
            write!(f, "{name} {:.2}, ", percent(*time))?;
            rest = rest.saturating_sub(*time);
        }
        write!(f, "threads and programs for a moment {:.2})", percent(rest))
    }
}

/// Bytes of this process in memory.
pub fn memory() -> usize {
    let text = read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap() * 4096
}

fn on_thread() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let micros = [usage.user_time(), usage.system_time()].map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs())
}
