//! Files of records that their owner empties and writes anew, with no lock
//! (`_write` in `neutron/agent/l3/item_allocator.py`): who reads between the two
//! finds nothing, or the beginning.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// A file that was not written to for so long is as its owner wants it. The owner
/// needs half a millisecond, but may have to wait for the processor.
const STILL: Duration = Duration::from_millis(300);
/// Who never comes to an end is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(2);
/// What looks like a part and seems to be old is looked at again for so long: when a
/// file is emptied, its size is written first, and its time last (`ext4_setattr` in
/// `fs/ext4/inode.c`, `xfs_setattr_size` in `fs/xfs/xfs_iops.c`), with a wait for the
/// journal between.
const CONFIRM: Duration = Duration::from_millis(50);
/// What is written before the end is so many buffers of Python's, which are
/// whole blocks (`io.DEFAULT_BUFFER_SIZE`, `st_blksize`).
const BLOCK: usize = 4096;

/// The bytes of a file of lines from its beginning, at most `limit`, when nobody
/// seems to be amid writing them. What looks like all of it costs one reading;
/// what does not is waited for while it is new or changes, a second at the longest.
pub(crate) fn read_whole(mut file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let began = Instant::now();
    let mut last: Option<(State, Instant)> = None;
    loop {
        let state = State::of(file)?;
        let mut bytes = Vec::new();
        file.rewind()?;
        file.take(limit).read_to_end(&mut bytes)?;
        let since = last.filter(|(before, _)| *before == state).map_or_else(Instant::now, |(_, since)| since);
        let is_still = state.is_settled() && since.elapsed() >= CONFIRM;
        if !may_be_a_part(&bytes) || is_still || began.elapsed() > PATIENCE {
            return Ok(bytes);
        }
        last = Some((state, since));
        thread::sleep(LOOK);
    }
}

/// What tells whether somebody is amid writing a file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    written: SystemTime,
    size: u64,
    blocks: u64,
}

impl State {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { written: metadata.modified()?, size: metadata.len(), blocks: metadata.blocks() })
    }

    /// Nobody wrote to it lately, nor is it being emptied: then it keeps its blocks for a
    /// while. A time ahead of ours says nothing, as after the clock was set back.
    fn is_settled(&self) -> bool {
        let is_old = self.written.elapsed().map_or(true, |age| age > STILL);
        is_old && (self.size > 0 || self.blocks == 0)
    }
}

fn may_be_a_part(bytes: &[u8]) -> bool {
    bytes.len().is_multiple_of(BLOCK) || bytes.last() != Some(&b'\n')
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;

    use super::*;

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("fipscope-whole-{name}-{}", std::process::id()));
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn who_is_amid_writing_is_waited_for() {
        let parts: [&[&str]; 3] = [&["192.168.1.3,32768\n"], &["192.168.1.3,32768\n192.1", "68.1.4,32769\n"], &[]];
        for parts in parts {
            let path = file("amid", "192.168.1.3,32768\n192.168.1.9,40000\n");
            let mut writer = File::create(&path).unwrap();
            let reader = File::open(&path).unwrap();
            let writing = thread::spawn({
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                move || {
                    for part in parts {
                        thread::sleep(STILL / 10);
                        writer.write_all(part.as_bytes()).unwrap();
                    }
                }
            });
            assert_eq!(read_whole(&reader, 100).unwrap(), parts.concat().as_bytes());
            writing.join().unwrap();
            fs::remove_file(path).unwrap();
        }
    }

    /// As where the kernel waits for its journal: the size is new, the time is not.
    #[test]
    fn a_file_that_is_being_emptied_and_seems_old_is_looked_at_again() {
        let text = "192.168.1.3,32768\n";
        let attempt = || {
            let path = file("emptied", text);
            let mut writer = File::create(&path).unwrap();
            writer.set_modified(SystemTime::now() - STILL * 2).unwrap();
            let reader = File::open(&path).unwrap();
            let writing = thread::spawn(move || {
                thread::sleep(LOOK);
                writer.write_all(text.as_bytes()).unwrap();
            });
            let read = read_whole(&reader, 100).unwrap();
            writing.join().unwrap();
            fs::remove_file(path).unwrap();
            read == text.as_bytes()
        };
        // On a busy machine the other thread may come late.
        assert!((0..10).any(|_| attempt()));
    }

    #[test]
    fn what_is_old_is_taken_as_it_is_however_it_ends() {
        let blocks = "192.168.1.3,32768\n".repeat(BLOCK);
        for text in ["", "192.168.1.3", &blocks] {
            let path = file("old", text);
            let file = File::options().read(true).write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - STILL * 2).unwrap();
            assert!(may_be_a_part(text.as_bytes()));
            assert_eq!(read_whole(&file, 1 << 20).unwrap(), text.as_bytes());
            assert_eq!(read_whole(&file, 3).unwrap(), text.as_bytes()[..text.len().min(3)]);
            fs::remove_file(path).unwrap();
        }
    }
}
