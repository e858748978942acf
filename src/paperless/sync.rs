//! Documents of people here in their Paperless-ngx: sent, proved, told of, found again. A queue in the database and a thread of its own, because
//! an upload may take minutes; nothing of it happens in a browser or in a request.
//!
//! What is here is let go only after the document was read back from there and its checksum agreed.

pub mod connection;
pub mod copies;
pub mod describe;
pub mod document;
pub mod look;
pub mod reason;
pub mod settings;
pub mod take;
pub mod theirs;
pub mod trash;
pub mod wire;
pub mod worker;

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    app::App,
    auth::key_change,
    error::{Error, Result},
};

/// How often the thread looks whether something is due.
const TICK: Duration = Duration::from_secs(5);
/// Steps of one run: whatever goes wrong, the thread comes up for air.
const MOST_STEPS: usize = 10_000;

/// Does everything that is due now; the thread's work, and what tests call. Tells how many steps there were.
pub fn run_due(app: &App) -> Result<usize> {
    if !app.db.read(|conn| key_change::is_current(conn, &app.key))? {
        // No token opens any more: this server is about to end.
        return Ok(0);
    }
    let mut done = look::run(app)?;
    while done < MOST_STEPS {
        let Some(copy) = copies::take(app)? else { break };
        if let Err(error) = worker::work(app, copy) {
            tell(&error);
        }
        done += 1;
    }
    Ok(done)
}

fn tell(error: &Error) {
    if matches!(error, Error::Busy) {
        log::warn!("paperless: the database is busy; this is tried again");
    } else {
        log::error!("paperless: {error}");
    }
}

/// The thread; it ends between two steps.
pub struct Background {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Background {
    /// Tells it to end. It is not waited for longer than it takes to see that: an upload that breaks off is looked for at the next start.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.is_finished() && self.thread.join().is_err() {
            log::error!("the thread of paperless ended badly");
        }
    }
}

pub fn start(app: App) -> Background {
    let (stop, stopped) = channel::<()>();
    let thread = std::thread::spawn(move || {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = run_due(&app) {
                tell(&error);
            }
        }
    });
    Background { stop, thread }
}
