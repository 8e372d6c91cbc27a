//! The terminal is lent: taken over on entering, given back as it was whatever
//! happens, a panic and a signal included.

use std::io::{self, stdout};
use std::panic::{set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The terminal is ours: it has to be given back, once.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken over; dropping it gives it back.
pub(super) struct Guard;

impl Guard {
    /// Raw mode, the alternate screen, pasted text in one piece, the mouse.
    pub(super) fn enter(mouse: bool) -> io::Result<Self> {
        restore_on_panic();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        // From here on dropping the guard undoes what was done, also on an error.
        let guard = Self;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        if mouse {
            execute!(stdout(), EnableMouseCapture)?;
        }
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone cannot be helped; all the rest is still tried.
        let _ = execute!(stdout(), DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// A panic of the console's own thread gives the terminal back before anyone
/// prints. One of another thread is caught there and shown on the screen:
/// printing it would only spoil the screen.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let console = thread::current().id();
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !TAKEN.load(Ordering::SeqCst) || thread::current().id() == console {
                restore();
                before(panic);
            }
        }));
    });
}

/// The signals that end the console in good order.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The number of the next one.
    pub(super) async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.hangup.recv() => SignalKind::hangup().as_raw_value(),
        }
    }
}
