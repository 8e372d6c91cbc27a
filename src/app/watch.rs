//! `fipscope watch`: a line for each change of the node and for each finding
//! that it raises or clears, until it is interrupted; or those of a recording.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::commands::acknowledged;
use super::console::ConsoleError;
use super::error::AppError;
use super::exit::Exit;
use super::live::Live;
use super::output::{note, stream, style};
use super::replay::Player;
use super::source;
use super::terminal::Signals;
use crate::check::{Finding, Turn, turns};
use crate::config::{Format, Settings, WatchArgs};
use crate::kernel::LARGEST_SNAPSHOT;
use crate::net::{Change, Recorded};
use crate::report::{self, Focus, Judged, Query, Selection, json, text};
use crate::tui::{Live as News, Msg, Node};

/// A recording that has become so large (bytes) is told, and again whenever it
/// has doubled: it grows for as long as something changes.
const LARGE: usize = 64 << 20;

/// `fipscope watch`.
pub(super) fn watch(what: &WatchArgs, settings: &Settings) -> Result<Exit, AppError> {
    if let Some(path) = &settings.from {
        return replay(path, what, settings);
    }
    let failed = |source| AppError::Console(ConsoleError::Start(source));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let result = runtime.block_on(async {
        let mut signals = Signals::new().map_err(failed)?;
        let mut live = {
            // The teller knows what is acknowledged.
            let nothing = Box::new(|_: &str| BTreeSet::new());
            Live::start(source::options(settings, false), nothing).map_err(failed)?
        };
        let mut teller = Teller::new(what, settings);
        loop {
            tokio::select! {
                biased;
                number = signals.next() => return Ok(Exit::Other(128 + number)),
                message = live.next() => match message {
                    Some(Msg::Live(news)) => if !teller.tell(*news)? {
                        return Ok(Exit::Done);
                    },
                    Some(Msg::Unwatched(why)) => return Err(AppError::Read(why.into())),
                    None => return Err(AppError::Read("the watcher is gone".into())),
                    Some(_) => {}
                },
            }
        }
    });
    runtime.shutdown_background();
    result
}

/// Tells what a recording holds, to its end.
fn replay(path: &Path, what: &WatchArgs, settings: &Settings) -> Result<Exit, AppError> {
    let recording = source::recording(path)?;
    if recording.is_still() {
        if path.is_dir() {
            return Err(AppError::Usage(
                "a sosreport does not change; give a file that `fipscope watch --record` wrote",
            ));
        }
        // A recording of a node that did not change is a snapshot, byte for byte.
        let text = "nothing changes in it: a recording is what `fipscope watch --record` wrote";
        note(&format!("fipscope: {}: {text}", path.display()));
    }
    if let Some(remark) = &recording.remark {
        note(&format!("fipscope: {}: {remark}", path.display()));
    }
    let mut teller = Teller::new(what, settings);
    teller.until = Some(recording.lines.last().map_or(recording.first.taken_at, |line| line.at));
    let mut player = Player::new(recording.first, recording.lines.into_iter());
    let first = player.first();
    let mut goes_on = teller.tell(first)?;
    while let Some(news) = player.next().filter(|_| goes_on) {
        goes_on = teller.tell(news)?;
    }
    Ok(Exit::Done)
}

/// Tells what happens, in the form that was asked for.
struct Teller<'a> {
    what: &'a WatchArgs,
    settings: &'a Settings,
    last: Option<Node>,
    focus: Option<Focus>,
    acknowledged: BTreeSet<String>,
    record: Option<Record>,
    deaf: bool,
    /// The end of the recording that it tells.
    until: Option<Timestamp>,
}

impl<'a> Teller<'a> {
    fn new(what: &'a WatchArgs, settings: &'a Settings) -> Self {
        let asked = |address| Focus::on(address).within(what.router.as_deref(), what.external_network.as_deref());
        let focus = what.floating_ip.map(asked);
        let acknowledged = BTreeSet::new();
        Self { what, settings, last: None, focus, acknowledged, record: None, deaf: false, until: None }
    }

    /// False where nobody reads any more.
    fn tell(&mut self, news: News) -> Result<bool, AppError> {
        if news.watching.deaf > 0 && !std::mem::replace(&mut self.deaf, true) {
            note(&format!("fipscope: {} namespaces announce nothing to us; they are read in turn", news.watching.deaf));
        }
        let Some(last) = self.last.take() else { return self.begin(news.node) };
        if let Some(record) = &mut self.record {
            record.add(&Recorded::new(news.node.snapshot.taken_at, news.changes.clone()).heard(news.at))?;
        }
        let turns = self.turns(&last, &news);
        let changes = news.changes.iter().filter(|change| !change.is_flapping());
        let mut lines: Vec<String> = Vec::new();
        lines.extend(changes.filter(|change| self.wants(change)).map(|change| self.change(&news, change)));
        lines.extend(turns.iter().map(|turn| self.turn(&last, &news, turn)));
        self.last = Some(news.node);
        if lines.is_empty() { Ok(true) } else { stream(&lines.concat()) }
    }

    fn begin(&mut self, node: Node) -> Result<bool, AppError> {
        self.acknowledged = acknowledged(self.settings, &node.snapshot.node);
        if let Some(path) = &self.what.record {
            self.record = Some(Record::begin(path, &node)?);
        }
        self.settle_focus(&node)?;
        let findings = self.findings(&node).len();
        note(&match self.until {
            None => text::watch::begin(&node.snapshot, findings),
            Some(until) => text::watch::begin_recording(&node.snapshot, until, findings),
        });
        self.last = Some(node);
        Ok(true)
    }

    /// Several floating IPs may have the address; one that is not here may come.
    fn settle_focus(&mut self, node: &Node) -> Result<(), AppError> {
        let (Some(address), Some(focus)) = (self.what.floating_ip, &mut self.focus) else { return Ok(()) };
        let (router, external_network) = (self.what.router.clone(), self.what.external_network.clone());
        let query = Query { address, router, external_network };
        match report::select(&node.topology, &query) {
            Selection::One(fip) => focus.follow(&node.topology, fip),
            Selection::Nothing { .. } => note(&format!("fipscope: no floating IP {address} is here yet")),
            Selection::Many(_) => {
                super::commands::find(&node.topology, &query, "watch --floating-ip ")?;
            }
        }
        Ok(())
    }

    fn wants(&self, change: &Change) -> bool {
        self.focus.as_ref().is_none_or(|focus| focus.takes(change))
    }

    fn findings(&self, node: &Node) -> Vec<Finding> {
        match &self.focus {
            None => node.judged.findings.clone(),
            Some(focus) => focus.findings(&node.topology, &node.judged.findings),
        }
    }

    fn turns(&mut self, last: &Node, news: &News) -> Vec<Turn> {
        let Some(focus) = &mut self.focus else { return news.turns.clone() };
        if let Some(fip) = focus.find(&news.node.topology) {
            focus.follow(&news.node.topology, fip);
        }
        turns(&self.findings(last), &self.findings(&news.node))
    }

    fn change(&self, news: &News, change: &Change) -> String {
        match self.settings.format {
            Format::Text => text::watch::change(news.at, change, style(self.settings)),
            Format::Json => json::watch::change(&news.node.snapshot, news.at, change),
        }
    }

    fn turn(&self, last: &Node, news: &News, turn: &Turn) -> String {
        let node = if turn.raised { &news.node } else { last };
        let judged = Judged { findings: &node.judged.findings, acknowledged: &self.acknowledged };
        match self.settings.format {
            Format::Text => text::watch::turn(news.at, turn, style(self.settings)),
            Format::Json => json::watch::turn(&node.snapshot, news.at, turn, judged),
        }
    }
}

/// A recording: what `--from` loads again. Each line is on the disk when the
/// next is told.
struct Record {
    path: PathBuf,
    file: File,
    size: usize,
    /// It is told when the file has become so large.
    told_at: usize,
}

impl Record {
    fn begin(path: &Path, node: &Node) -> Result<Self, AppError> {
        let file =
            create(path).map_err(|source| AppError::Write { operation: "create", path: path.to_owned(), source })?;
        let mut record = Self { path: path.to_owned(), file, size: 0, told_at: LARGE };
        record.write(&json::snapshot(&node.snapshot))?;
        Ok(record)
    }

    fn add(&mut self, line: &Recorded) -> Result<(), AppError> {
        let line = json::recorded(line);
        self.write(&line)
    }

    fn write(&mut self, line: &str) -> Result<(), AppError> {
        let failed = |source| AppError::Write { operation: "write", path: self.path.clone(), source };
        self.file.write_all(line.as_bytes()).map_err(failed)?;
        self.size += line.len();
        if self.size >= self.told_at {
            self.told_at = self.size * 2;
            let (path, size, most) = (self.path.display(), self.size >> 20, LARGEST_SNAPSHOT >> 20);
            note(&format!("fipscope: the recording {path} has grown to {size} MiB; --from reads {most} MiB of it"));
        }
        Ok(())
    }
}

/// A file for its owner alone: it tells all of the node. An older recording is not
/// lost to a new one; an empty file and a pipe are written to.
fn create(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.write(true).mode(0o600);
    match how.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    if fs::metadata(path)?.is_file() && fs::metadata(path)?.len() > 0 {
        let why = "it is there already: move it away first, or give another name";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    how.open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_recording_is_its_owners_alone_and_an_older_one_stays() {
        let folder = std::env::temp_dir().join(format!("fipscope-recording-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("node.jsonl");
        create(&path).unwrap().write_all(b"{}").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let refused = create(&path).unwrap_err().to_string();
        assert!(refused.contains("move it away first"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"{}");
        // What was made for it, and what keeps nothing, is written to.
        fs::write(folder.join("made"), "").unwrap();
        create(&folder.join("made")).unwrap();
        create(Path::new("/dev/null")).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }
}
