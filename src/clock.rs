//! The app's clock, which tests can set: nothing else may ask the system for the time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};

/// Tells the time in UTC, moved by an offset, or stopped; both are for tests only.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_seconds: Arc<AtomicI64>,
    /// In microseconds since 1970; 0 while it runs.
    stopped_at: Arc<AtomicI64>,
}

impl Clock {
    /// Now, cut to microseconds: `PostgreSQL` keeps no more, and a value read back must equal the one written.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> NaiveDateTime {
        let system = match self.stopped_at.load(Ordering::Relaxed) {
            0 => Utc::now(),
            stopped => DateTime::from_timestamp_micros(stopped).unwrap_or_default(),
        };
        let now: DateTime<Utc> = system + Duration::seconds(self.offset_seconds.load(Ordering::Relaxed));
        let micros = now.timestamp_micros();
        DateTime::from_timestamp_micros(micros).map_or_else(|| now.naive_utc(), |cut| cut.naive_utc())
    }

    pub fn today(&self) -> NaiveDate {
        self.now().date()
    }

    /// Stops this clock and its clones, so that "at this very moment" can be asked about; it still moves by [`Clock::advance`].
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn stop(&self) {
        self.stopped_at.store(Utc::now().timestamp_micros(), Ordering::Relaxed);
    }

    /// Moves this clock and its clones; for tests.
    pub fn advance(&self, by: Duration) {
        self.offset_seconds.fetch_add(by.num_seconds(), Ordering::Relaxed);
    }
}
