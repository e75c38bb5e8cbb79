//! Where lines come from: a thread of its own, since reading blocks. It reads one line each time it
//! is asked, so that there is never a line that nobody waits for. It does not know what lines mean.

mod editor;
mod hints;
mod line_state;
mod plain;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reedline::ExternalPrinter;
use tokio::sync::mpsc;

use crate::machine::{Event, Names};
use crate::render::Palette;
use editor::Editor;
use line_state::LineState;

/// Lines that may wait to be printed above the prompt; it takes all that wait twenty times a
/// second. More wait on the side of the screen.
const ABOVE_PROMPT_LINES_MAX: usize = 256;
/// The longest that the end of a console waits for the line editor to leave the terminal; it looks
/// every [`editor::POLL_INTERVAL`].
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// The names that are completed, shared with the reading thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveNames(Arc<Mutex<Names>>);

impl LiveNames {
    pub(crate) fn set(&self, names: Names) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    fn get(&self) -> Names {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// What a reader reads, once it is asked.
trait Reader {
    /// The next line, or what else the terminal said; `None` where the console is ending.
    fn read(&mut self, agent: Option<&str>) -> Option<Event>;
}

/// What the line editor needs.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) history_file: Option<PathBuf>,
    pub(crate) palette: Palette,
    pub(crate) names: LiveNames,
}

/// The way to print above the prompt.
#[derive(Debug)]
struct Above {
    printer: SyncSender<String>,
    state: Arc<LineState>,
}

/// The reading thread. Dropping it takes it off the terminal.
#[derive(Debug)]
pub(crate) struct Input {
    asks: Option<SyncSender<Option<String>>>,
    /// Where a line is edited.
    above: Option<Above>,
    stop: Arc<AtomicBool>,
    /// Ends when the thread does.
    left: Receiver<()>,
}

impl Input {
    /// Lines that a person edits.
    pub(crate) fn edited(settings: Settings, events: mpsc::Sender<Event>) -> io::Result<Self> {
        let printer = ExternalPrinter::new(ABOVE_PROMPT_LINES_MAX);
        let state = Arc::new(LineState::default());
        let above = Some(Above {
            printer: printer.sender(),
            state: Arc::clone(&state),
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Self::start(above, stop, move |asked| {
            let watched = Watched(events);
            let editor = Editor::new(settings, stopped, state, printer);
            serve(editor, asked, &watched.0);
        })
    }

    /// Lines as they come.
    pub(crate) fn plain(events: mpsc::Sender<Event>) -> io::Result<Self> {
        Self::start(None, Arc::default(), move |asked| {
            serve(plain::Lines::default(), asked, &events);
        })
    }

    fn start(
        above: Option<Above>,
        stop: Arc<AtomicBool>,
        read: impl FnOnce(&Receiver<Option<String>>) + Send + 'static,
    ) -> io::Result<Self> {
        let (asks, asked) = sync_channel(1);
        let (leaving, left) = sync_channel(0);
        std::thread::Builder::new()
            .name("console-input".to_owned())
            .spawn(move || {
                read(&asked);
                drop::<SyncSender<()>>(leaving);
            })?;
        Ok(Self {
            asks: Some(asks),
            above,
            stop,
            left,
        })
    }

    /// Asks for the next line.
    pub(crate) fn ask(&self, agent: Option<String>) {
        if let Some(above) = &self.above {
            above.state.begin(0);
        }
        if let Some(asks) = &self.asks {
            // It fails where the thread has ended, which has said why; or where a line is being
            // read already, and then that is the next line.
            let _asked = asks.try_send(agent);
        }
    }

    /// Prints a line above the prompt; gives it back where that is not possible now.
    pub(crate) fn print_above(&self, text: String) -> Result<(), String> {
        let Some(above) = self.above.as_ref().filter(|it| it.state.has_room_above()) else {
            return Err(text);
        };
        above.printer.try_send(text).map_err(|error| match error {
            TrySendError::Full(text) | TrySendError::Disconnected(text) => text,
        })
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.asks = None;
        if self.above.is_none() {
            // It may be blocked on standard input for ever, and holds nothing that must be restored.
            return;
        }
        match self.left.recv_timeout(LEAVE_TIMEOUT) {
            // The terminal is restored by its own guard in either case.
            Ok(()) | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {}
        }
    }
}

/// A line editor that panics would leave a console that nobody can type into.
struct Watched(mpsc::Sender<Event>);

impl Drop for Watched {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let broken = Event::InputBroken("the line editor has failed".to_owned());
            // The loop takes events as long as there is a console to tell.
            let _told = self.0.blocking_send(broken);
        }
    }
}

fn serve(mut reader: impl Reader, asked: &Receiver<Option<String>>, events: &mpsc::Sender<Event>) {
    while let Ok(agent) = asked.recv() {
        let Some(event) = reader.read(agent.as_deref()) else {
            return;
        };
        if events.blocking_send(event).is_err() {
            return;
        }
    }
}
