//! The agent's files, written and replaced: each change arrives because the
//! folder was watched, with no round that would look there again.

use fipscope::kernel::{ReadOptions, Watcher};

use crate::live::Law;

/// Each has to be told before the next one comes; the folder is not there at first.
const CHANGES: [&str; 7] = [
    "mkdir /run/heard; echo 192.168.1.3,32768 > /run/heard/fip-priorities",
    "echo 192.168.1.4,32769 >> /run/heard/fip-priorities",
    "echo router-1,169.254.88.0/31 > /run/heard/.new; mv /run/heard/.new /run/heard/fip-linklocal-networks",
    "echo router-2,169.254.88.2/31 > /run/heard/.new; mv /run/heard/.new /run/heard/fip-linklocal-networks",
    "rm /run/heard/fip-priorities",
    "rm -r /run/heard",
    "mkdir /run/heard; echo router-3,169.254.88.4/31 > /run/heard/fip-linklocal-networks",
];

pub fn inside() {
    let options = ReadOptions { state_path: Some("/run/heard".into()), ..ReadOptions::default() };
    let watcher = Watcher::start(&options).unwrap().without_slow_round();
    let mut law = Law::start(options, watcher);
    for script in CHANGES {
        law.one(script);
    }
}
