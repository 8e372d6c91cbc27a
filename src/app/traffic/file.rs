//! The capture file that is written along.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::app::error::AppError;
use crate::capture::SNAP;
use crate::net::{Frame, IfName, NetnsName};
use crate::traffic::{Pcapng, Sighting};

/// A capture file, open.
pub(super) struct CaptureFile {
    path: PathBuf,
    out: BufWriter<File>,
    format: Pcapng,
    /// The first write that failed.
    failed: Option<std::io::Error>,
    /// Packets in it, and bytes.
    written: (u64, u64),
    /// No frame is written beyond so many bytes.
    most: u64,
}

impl CaptureFile {
    /// Begins a file anew. It is the owner's alone: it tells who talks to whom.
    pub(super) fn create(path: &Path) -> Result<Self, AppError> {
        Self::open(path, OpenOptions::new().create(true).truncate(true))
    }

    /// The same where there is no such file yet.
    pub(super) fn create_new(path: &Path) -> Result<Self, AppError> {
        Self::open(path, OpenOptions::new().create_new(true))
    }

    fn open(path: &Path, how: &mut OpenOptions) -> Result<Self, AppError> {
        let failed = |operation| move |source| AppError::Write { operation, path: path.to_owned(), source };
        let file = how.write(true).mode(0o600).open(path);
        let mut out = BufWriter::with_capacity(1 << 16, file.map_err(failed("create"))?);
        let format = Pcapng::new(SNAP);
        let header = format.header(concat!("fipscope ", env!("CARGO_PKG_VERSION")));
        out.write_all(&header).map_err(failed("write"))?;
        let written = (0, u64::try_from(header.len()).unwrap_or(0));
        Ok(Self { path: path.to_owned(), out, format, failed: None, written, most: u64::MAX })
    }

    /// The same with a bound, in bytes.
    #[must_use]
    pub(super) fn at_most(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// Packets that are in it, and its bytes.
    pub(super) fn written(&self) -> (u64, u64) {
        self.written
    }

    /// It takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.written.1 >= self.most
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
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
        place: impl FnOnce() -> Option<(NetnsName, IfName)>,
    ) {
        if self.failed.is_none() && !self.is_full() {
            let blocks = self.format.frame(frame, sighting, place);
            self.failed = self.out.write_all(&blocks).err();
            self.written.0 += 1;
            self.written.1 += u64::try_from(blocks.len()).unwrap_or(0);
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
