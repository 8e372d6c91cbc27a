//! Settings below `/proc/sys`, read and written in the calling thread's namespace.

use std::fs;
use std::path::PathBuf;

use super::Cause;

/// The setting's value now.
pub(super) fn read(key: &str) -> Result<i64, Cause> {
    let path = path(key)?;
    let text = fs::read_to_string(&path).map_err(Cause::io(path.display()))?;
    text.trim().parse().map_err(|_| Cause::NotSupported(format!("{key}, which is not one number,")))
}

/// Writes the setting.
pub(super) fn write(key: &str, value: i64) -> Result<(), Cause> {
    let path = path(key)?;
    fs::write(&path, value.to_string()).map_err(Cause::io(path.display()))
}

/// The file of a setting. As in sysctl(8), dots and slashes change places: the
/// dot of `eth0.5` is written as a slash.
fn path(key: &str) -> Result<PathBuf, Cause> {
    let swapped: String = key
        .chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect();
    if swapped.split('/').any(|part| part.is_empty() || part.chars().all(|c| c == '.') || part.contains('\0')) {
        return Err(Cause::NotSupported(format!("the setting '{}'", crate::net::printable(key, 128))));
    }
    Ok(PathBuf::from("/proc/sys").join(swapped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_slashes_change_places() {
        let file = |key| path(key).ok().map(|path| path.display().to_string());
        assert_eq!(file("net.ipv4.ip_forward").as_deref(), Some("/proc/sys/net/ipv4/ip_forward"));
        assert_eq!(file("net.ipv4.conf.eth0/5.proxy_arp").as_deref(), Some("/proc/sys/net/ipv4/conf/eth0.5/proxy_arp"));
    }

    #[test]
    fn no_key_leads_out_of_the_folder() {
        for bad in ["", ".", "net..ipv4", "net.ipv4.//.//.//.etc", ".net", "net.", "net.//.x"] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }
}
