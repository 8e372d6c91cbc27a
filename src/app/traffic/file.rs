//! The capture file that is written along.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::app::error::AppError;
use crate::capture::SNAP;
use crate::net::{Frame, IfName, NetnsName, Snapshot};
use crate::traffic::{Pcapng, Sighting};

/// A capture file, open.
pub(super) struct CaptureFile {
    path: PathBuf,
    out: BufWriter<File>,
    format: Pcapng,
    /// The first write that failed.
    failed: Option<std::io::Error>,
}

impl CaptureFile {
    /// Begins a file anew. It is the owner's alone: it tells who talks to whom.
    pub(super) fn create(path: &Path) -> Result<Self, AppError> {
        let failed = |operation| move |source| AppError::Write { operation, path: path.to_owned(), source };
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let mut out = BufWriter::with_capacity(1 << 16, file.map_err(failed("create"))?);
        let format = Pcapng::new(SNAP);
        let header = format.header(concat!("fipscope ", env!("CARGO_PKG_VERSION")));
        out.write_all(&header).map_err(failed("write"))?;
        Ok(Self { path: path.to_owned(), out, format, failed: None })
    }

    /// The capture's numbers mean other namespaces from here on.
    pub(super) fn renumber(&mut self) {
        self.format.renumber();
    }

    /// Writes a frame with what it was.
    pub(super) fn frame(
        &mut self,
        frame: &Frame<'_>,
        sighting: Option<&Sighting<'_>>,
        names: &[Option<NetnsName>],
        snapshot: &Snapshot,
    ) {
        if self.failed.is_none() {
            let blocks = self.format.frame(frame, sighting, || device(frame, names, snapshot));
            self.failed = self.out.write_all(&blocks).err();
        }
    }

    /// What has been written so far reaches the file; the first error of any write.
    pub(super) fn flush(&mut self) -> Result<(), AppError> {
        let written = self.failed.take().map_or_else(|| self.out.flush(), Err);
        written.map_err(|source| AppError::Write { operation: "write", path: self.path.clone(), source })
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> Result<(), AppError> {
        self.flush()
    }
}

fn device(frame: &Frame<'_>, names: &[Option<NetnsName>], snapshot: &Snapshot) -> Option<(NetnsName, IfName)> {
    let namespace = names.get(frame.namespace as usize)?.clone()?;
    let link = snapshot.netns(&namespace)?.links().iter().find(|link| link.index == frame.device)?;
    Some((namespace, link.name.clone()))
}
