//! How many namespaces the limit of open files lets us listen to.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors of one namespace: two sockets.
const EACH: u64 = 2;
/// Descriptors that the rest of the program needs, besides those that it has at the start.
const REST: u64 = 128;
/// Namespaces that may come before the limit is raised once more.
const SPARE: u64 = 256;
/// Namespaces where nobody tells us the limit.
const UNKNOWN: u64 = 64;

/// Room for so many namespaces.
pub(super) struct Room {
    namespaces: u64,
    /// Descriptors that are for others.
    others: u64,
}

impl Room {
    /// Raises the limit of open files as far as this process may and so many
    /// namespaces need it.
    pub(super) fn make(names: usize) -> Self {
        let taken = std::fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64);
        let mut room = Self { namespaces: UNKNOWN, others: taken + REST };
        room.grow(names as u64);
        room
    }

    /// How many more there is room for beside those that are listened to, of so many
    /// namespaces; where there is none, the limit is looked at again.
    pub(super) fn free(&mut self, heard: usize, names: usize) -> u64 {
        let heard = heard as u64;
        if heard >= self.namespaces {
            self.grow(names as u64);
        }
        self.namespaces.saturating_sub(heard)
    }

    fn grow(&mut self, names: u64) {
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
        let raised = wanted(self.others, names).min(hard).max(soft);
        let got = if raised > soft && setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() { raised } else { soft };
        self.namespaces = got.saturating_sub(self.others) / EACH;
    }
}

/// The limit that so many namespaces, and as many again, need.
fn wanted(others: u64, names: u64) -> u64 {
    others + EACH * (2 * names + SPARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_that_is_full_is_made_again() {
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let others = soft.saturating_sub(20);
        let mut room = Room { namespaces: 4, others };
        assert_eq!(room.free(3, 3), 1, "nothing is asked while there is some");
        assert!(room.free(4, 4) >= 6, "what the limit leaves is asked for when it is full");
        assert_eq!(Room { namespaces: 0, others: u64::MAX / 2 }.free(0, 0), 0);
    }

    #[test]
    fn more_namespaces_want_a_higher_limit() {
        assert_eq!(wanted(130, 0), 130 + 512);
        assert_eq!(wanted(130, 600), 130 + 512 + 2400);
    }
}
