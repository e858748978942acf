//! Everything the program says in its log, at every level, kept for the tests that look into it; and in every test of the suite, whatever it
//! is about, no line may hold a password, a token, a session's key, an address or a patient's name that the test knows of.

use std::sync::{Mutex, Once, PoisonError};

/// What must stand in no line.
static NEVER: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        // A file can raise the level for our own code and for actix's; both must be silent about what is in a record.
        let line = format!("{} {} {}", record.level(), record.target(), record.args());
        if let Some(secret) = NEVER.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|text| line.contains(text.as_str())) {
            // A panic would be somebody's failed request; this ends the test.
            eprintln!("{secret:?} stands in the log: {line}");
            std::process::abort();
        }
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

/// From now on no line may hold this. Short texts could stand there by chance and are left out.
pub fn never(text: &str) {
    if text.chars().count() >= 8 {
        NEVER.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    }
}

/// The lines in which this text stands.
pub fn lines_with(text: &str) -> Vec<String> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|line| line.contains(text)).cloned().collect()
}
