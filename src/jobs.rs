//! Work in the background: a table of jobs with leases and retries, and one thread that takes what is due.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration as Wait,
};

use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use crate::{
    app::App,
    auth::{key_change, session, throttle},
    db::{MultiBackend, Tx, schema::jobs},
    error::{Error, Result},
    files::inbox::folder,
    records::chart,
    sharing::watch,
};

/// How long a job may run before another worker may take it.
const LEASE: Duration = Duration::minutes(10);
/// The trash is kept this long.
pub const TRASH: Duration = Duration::days(30);
/// How often the watched folder is looked at.
const LOOK: Duration = Duration::seconds(15);
/// How often the thread looks; also the longest a noted read waits to be written.
const TICK: Wait = Wait::from_secs(1);

#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(MultiBackend))]
pub struct Job {
    pub id: String,
    pub task: String,
    pub payload: String,
    pub repeat_seconds: Option<i32>,
    pub attempts: i32,
    pub last_error: Option<String>,
}

/// A job to be made: what, with what, when, and again how often.
pub struct NewJob<'a> {
    pub task: &'a str,
    pub payload: &'a str,
    /// Only one job of this key waits at a time.
    pub unique_key: Option<&'a str>,
    pub repeat: Option<Duration>,
    pub run_at: NaiveDateTime,
}

/// Puts a job into the table; one of the same key that waits already is left as it is.
pub fn add(tx: &mut Tx<'_>, job: &NewJob<'_>, now: NaiveDateTime) -> Result<()> {
    if let Some(key) = job.unique_key {
        let known: Option<String> = jobs::table.filter(jobs::unique_key.eq(key)).select(jobs::id).first(&mut **tx).optional()?;
        if known.is_some() {
            return Ok(());
        }
    }
    diesel::insert_into(jobs::table)
        .values((
            jobs::id.eq(uuid::Uuid::now_v7().to_string()),
            jobs::task.eq(job.task),
            jobs::payload.eq(job.payload),
            jobs::unique_key.eq(job.unique_key),
            jobs::repeat_seconds.eq(job.repeat.and_then(|d| i32::try_from(d.num_seconds()).ok())),
            jobs::run_at.eq(job.run_at),
            jobs::attempts.eq(0),
            jobs::created_at.eq(now),
        ))
        .execute(&mut **tx)?;
    Ok(())
}

/// The jobs every installation has.
pub fn ensure_standing(app: &App) -> Result<()> {
    let now = app.clock.now();
    app.db.write(|tx| {
        for (task, every) in [
            ("purge_trash", Duration::hours(6)),
            ("purge_sessions", Duration::hours(1)),
            ("purge_imports", Duration::hours(6)),
            ("watch_shares", Duration::minutes(15)),
            ("sweep_files", Duration::hours(1)),
        ] {
            add(tx, &NewJob { task, payload: "", unique_key: Some(task), repeat: Some(every), run_at: now }, now)?;
        }
        if app.config.inbox.is_some() {
            let (task, repeat) = (folder::TASK, Some(LOOK));
            add(tx, &NewJob { task, payload: "", unique_key: Some(task), repeat, run_at: now }, now)?;
        }
        Ok(())
    })
}

/// Takes the job that is due longest, under a lease, if there is one.
fn take(app: &App) -> Result<Option<Job>> {
    let now = app.clock.now();
    app.db.write(|tx| {
        let due: Option<Job> = jobs::table
            .filter(jobs::run_at.le(now))
            .filter(jobs::leased_until.is_null().or(jobs::leased_until.lt(now)))
            .order(jobs::run_at)
            .select(Job::as_select())
            .first(&mut **tx)
            .optional()?;
        if let Some(job) = &due {
            diesel::update(jobs::table.find(&job.id))
                .set((jobs::leased_until.eq(now + LEASE), jobs::attempts.eq(job.attempts.saturating_add(1))))
                .execute(&mut **tx)?;
        }
        Ok(due)
    })
}

/// Done: gone, or due again. Failed: later, with growing pauses up to a day.
fn finish(app: &App, job: &Job, outcome: &Result<()>) -> Result<()> {
    let now = app.clock.now();
    app.db.write(|tx| {
        let none = None::<NaiveDateTime>;
        match (outcome, job.repeat_seconds) {
            (Ok(()), None) => drop(diesel::delete(jobs::table.find(&job.id)).execute(&mut **tx)?),
            (Ok(()), Some(seconds)) => {
                let next = now + Duration::seconds(i64::from(seconds));
                diesel::update(jobs::table.find(&job.id))
                    .set((jobs::run_at.eq(next), jobs::leased_until.eq(none), jobs::attempts.eq(0), jobs::last_error.eq(None::<String>)))
                    .execute(&mut **tx)?;
            }
            (Err(error), _) => {
                let pause = Duration::minutes(1) * 2_i32.saturating_pow(u32::try_from(job.attempts.clamp(0, 10)).unwrap_or(10));
                diesel::update(jobs::table.find(&job.id))
                    .set((
                        jobs::run_at.eq(now + pause.min(Duration::days(1))),
                        jobs::leased_until.eq(none),
                        jobs::last_error.eq(error.to_string()),
                    ))
                    .execute(&mut **tx)?;
            }
        }
        Ok(())
    })
}

fn run(app: &App, job: &Job) -> Result<()> {
    let now = app.clock.now();
    match job.task.as_str() {
        "purge_trash" => {
            // In batches, so that no transaction holds up the people who write.
            while app.db.write(|tx| crate::files::purge(tx, now - TRASH, now))? > 0 {}
            while app.db.write(|tx| chart::purge(tx, now - TRASH, now))? > 0 {}
            while app.db.write(|tx| crate::patients::purge(tx, now - TRASH, now))? > 0 {}
            Ok(())
        }
        "purge_imports" => {
            crate::interchange::merge::sweep(&app.db, now)?;
            app.db.write(|tx| crate::interchange::pages::purge(tx, now)).map(drop)
        }
        "watch_shares" => {
            app.db.write(|tx| crate::invitations::expire(tx, now))?;
            while app.db.write(|tx| watch::warn(tx, now))? > 0 {}
            while app.db.write(|tx| watch::tell_ended(tx, now))? > 0 {}
            Ok(())
        }
        folder::TASK => folder::look(app),
        crate::mail::TASK => crate::mail::deliver(app, &job.payload, job.attempts.saturating_add(1)),
        "sweep_files" => {
            for store in app.stores() {
                while crate::files::blobs::sweep(app, store)? > 0 {}
            }
            Ok(())
        }
        "purge_sessions" => app.db.write(|tx| Ok((session::purge(tx, now)?, throttle::purge(tx, now)?))).map(drop),
        other => Err(Error::Internal(format!("no such task: {other}"))),
    }
}

/// What found the database busy is tried again, and nothing is wrong.
fn tell(what: &str, error: &Error) {
    if matches!(error, Error::Busy) {
        log::warn!("{what}: the database is busy; this is tried again");
    } else {
        log::error!("{what}: {error}");
    }
}

/// Runs everything that is due now; the thread's work, and what tests call.
pub fn run_due(app: &App) -> Result<usize> {
    let mut done = 0;
    while let Some(job) = take(app)? {
        let outcome = run(app, &job);
        if let Err(error) = &outcome {
            tell(&format!("job {}", job.task), error);
        }
        finish(app, &job, &outcome)?;
        done += 1;
    }
    Ok(done)
}

/// The worker thread; dropping the handle lets it go on.
pub struct Background {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Background {
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            log::error!("the background thread ended badly");
        }
    }
}

/// `key_changed` is called once when another process gave the installation another key: this one can open nothing any more.
pub fn start(app: App, key_changed: impl FnOnce() + Send + 'static) -> Background {
    let (stop, stopped) = channel::<()>();
    let mut key_changed = Some(key_changed);
    let thread = std::thread::spawn(move || {
        if let Err(error) = ensure_standing(&app) {
            tell("jobs", &error);
        }
        let mut ticks: u64 = 0;
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            let flushed = app.reads.flush(&app.db).map(drop);
            // Jobs are looked for less often than reads are written.
            let due = if ticks.is_multiple_of(15) { run_due(&app).map(drop) } else { Ok(()) };
            let current = if ticks.is_multiple_of(5) { app.db.read(|conn| key_change::is_current(conn, &app.key)) } else { Ok(true) };
            if matches!(current, Ok(false))
                && let Some(tell) = key_changed.take()
            {
                log::error!("the secret key of this installation was changed: this server ends");
                tell();
            }
            ticks = ticks.wrapping_add(1);
            if let Err(error) = flushed.and(due) {
                tell("background", &error);
            }
        }
    });
    Background { stop, thread }
}
