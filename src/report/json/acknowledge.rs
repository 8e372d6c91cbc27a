//! `fipscope.acknowledge/1`.

use serde::Serialize;

use super::{Head, document};
use crate::net::Snapshot;

#[derive(Serialize)]
struct Acknowledge<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    id: &'a str,
    acknowledged: bool,
}

/// Whether a finding is acknowledged from now on.
pub fn acknowledge(snapshot: &Snapshot, id: &str, acknowledged: bool) -> String {
    document(&Acknowledge { head: Head::new("fipscope.acknowledge/1", snapshot), id, acknowledged })
}
