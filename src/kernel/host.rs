//! The host's side of a node.

use crate::net::Host;

use super::ReadOptions;

/// The host's name.
pub(crate) fn name() -> String {
    nix::unistd::gethostname().map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned())
}

/// What belongs to the host and to no namespace.
pub(crate) fn read(_options: &ReadOptions) -> Host {
    let kernel = nix::sys::utsname::uname().ok().map(|uts| uts.release().to_string_lossy().into_owned());
    Host { kernel, ..Host::default() }
}
