//! The app's clock, which tests can set: nothing else may ask the system for the time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};

/// Tells the time in UTC, moved by an offset that only tests change.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_seconds: Arc<AtomicI64>,
}

impl Clock {
    /// Now, cut to microseconds: `PostgreSQL` keeps no more, and a value read back must equal the one written.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> NaiveDateTime {
        let now: DateTime<Utc> = Utc::now() + Duration::seconds(self.offset_seconds.load(Ordering::Relaxed));
        let micros = now.timestamp_micros();
        DateTime::from_timestamp_micros(micros).map_or_else(|| now.naive_utc(), |cut| cut.naive_utc())
    }

    pub fn today(&self) -> NaiveDate {
        self.now().date()
    }

    /// Moves this clock and its clones; for tests.
    pub fn advance(&self, by: Duration) {
        self.offset_seconds.fetch_add(by.num_seconds(), Ordering::Relaxed);
    }
}
