//! The built program on a terminal of its own: keys go in, and what it shows
//! comes out.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// A program on a terminal of a fixed size, with what it shows.
pub(crate) struct Console {
    pub(crate) screen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    pub(crate) child: Box<dyn Child + Send + Sync>,
    pub(crate) master: Box<dyn MasterPty + Send>,
}

impl Console {
    /// Starts it with these words.
    pub(crate) fn start(args: &[&str], rows: u16, cols: u16) -> Self {
        Self::start_with(args, rows, cols, None)
    }

    /// Starts it with a folder for what it remembers.
    pub(crate) fn start_with(args: &[&str], rows: u16, cols: u16, state_home: Option<&Path>) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_fipscope"));
        command.args(args);
        if let Some(folder) = state_home {
            command.env("XDG_STATE_HOME", folder);
        }
        Self::spawn(command, rows, cols)
    }

    /// Starts it in a folder, in which it also keeps what it remembers.
    pub(crate) fn start_in(folder: &Path, args: &[&str], rows: u16, cols: u16) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_fipscope"));
        command.args(args);
        command.cwd(folder);
        command.env("XDG_STATE_HOME", folder);
        Self::spawn(command, rows, cols)
    }

    fn spawn(mut command: CommandBuilder, rows: u16, cols: u16) -> Self {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(size_of(rows), size_of(cols), 0)));
        let (mut output, shown) = (pair.master.try_clone_reader().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap().process(&buffer[..count]);
            }
        });
        Self { screen, keys: pair.master.take_writer().unwrap(), child, master: pair.master }
    }

    /// What it shows.
    pub(crate) fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// Waits until the screen fulfils a condition; prints it if it never does.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if condition(self.screen.lock().unwrap().screen()) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("never saw {what}; the screen shows:\n{}", self.text());
    }

    /// Waits for some words.
    pub(crate) fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ends_with(&mut self, code: u32) {
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.exit_code(), code, "{}", self.text());
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it did not end; the screen shows:\n{}", self.text());
    }

    /// The terminal is as it was.
    pub(crate) fn terminal_is_restored(&self) {
        self.until("the terminal restored", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
                && !screen.bracketed_paste()
        });
    }
}

/// A terminal's height or width.
pub(crate) fn size_of(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).unwrap()
}
