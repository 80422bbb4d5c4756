//! A terminal of which the whole screen is used for a while, and which is left as it was found: in the end, on an error and
//! on a panic in any thread. Knows what a terminal understands; nothing of what is shown.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

/// The other screen, no cursor, no wrapping of lines that are too long; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
const LEAVE: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
/// A special character that there is none for.
const DISABLED: u8 = 0;

/// The terminal in use, with the modes it had.
static IN_USE: Mutex<Option<(File, Termios)>> = Mutex::new(None);

/// The terminal that boundby was started from.
///
/// # Errors
/// There is none.
pub(super) fn terminal() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

/// Columns and rows of a terminal; of one that does not say, the usual.
pub(super) fn size(terminal: impl AsFd) -> (usize, usize) {
    match tcgetwinsize(terminal) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

/// The whole screen of a terminal, until it is dropped. There is one at a time.
#[derive(Debug)]
pub(super) struct Screen {
    /// The size it was last drawn at, in lines: what is left over from before is cleared when it changes.
    lines: usize,
}

impl Screen {
    /// Takes the terminal over: keys come one by one and are not shown; Ctrl-C still interrupts, Ctrl-Z does not stop,
    /// nobody would put the screen back.
    ///
    /// # Errors
    /// It is no terminal.
    pub(super) fn open(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN);
        modes.input_modes.remove(InputModes::IXON);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        modes.special_codes[SpecialCodeIndex::VSUSP] = DISABLED;
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            previous(panic);
        }));
        tcsetattr(&terminal, OptionalActions::Now, &modes)?;
        let mut out = &terminal;
        let entered = out.write_all(ENTER.as_bytes());
        *in_use() = Some((terminal, before));
        let screen = Self { lines: 0 };
        entered.map(|()| screen)
    }

    /// Shows these lines, the first one on top.
    pub(super) fn show(&mut self, lines: &[String]) {
        let clear = if self.lines == lines.len() { "" } else { "\x1b[2J" };
        self.lines = lines.len();
        let picture = format!("\x1b[H{clear}{}\x1b[K\x1b[J", lines.join("\x1b[K\r\n"));
        if let Some((terminal, _)) = &*in_use() {
            // Whoever closed the terminal sees nothing more of it.
            let mut out = terminal;
            let _ = out.write_all(picture.as_bytes());
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Gives the terminal back as it was, with what was typed and not read thrown away.
fn leave() {
    if let Some((terminal, before)) = in_use().take() {
        let mut out = &terminal;
        let _ = out.write_all(LEAVE.as_bytes());
        let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
    }
}

fn in_use() -> std::sync::MutexGuard<'static, Option<(File, Termios)>> {
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}
