//! Everything the program says in its log, at every level, kept for the tests that look into it.

use std::sync::{Mutex, Once, PoisonError};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        // A file can raise the level for our own code and for actix's; both must be silent about what is in a record.
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
    fn flush(&self) {}
}

pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_boxed_logger(Box::new(Keeper)).expect("no other logger");
        log::set_max_level(log::LevelFilter::Trace);
    });
}

/// The lines in which this text stands.
pub fn lines_with(text: &str) -> Vec<String> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|line| line.contains(text)).cloned().collect()
}
