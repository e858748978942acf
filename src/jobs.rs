//! Work in the background: a table of jobs with leases and retries, and a thread for each lane that takes what is due in it.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration as Wait,
};

use chrono::{Duration, NaiveDateTime};
use diesel::prelude::*;

use crate::{
    admin::{health, removal},
    app::App,
    audit::{prune, seal},
    auth::{address, factors, key_change, links, reset, session, steps, throttle},
    db::{Conn, MultiBackend, Tx, schema::jobs},
    error::{Error, Result},
    files::{inbox::folder, prepared, words},
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

/// The lane of what is done in a moment.
const COMMON: &str = "common";
/// What may take minutes has a lane, and with it a thread, of its own, so that it holds up nothing else. Here somebody waits: such a thread
/// looks at every tick.
const LANES: &[(&str, &[&str])] = &[("papers", &[prepared::PREPARE]), ("reading", &[words::READ])];

/// Which lane a task goes in.
fn lane(task: &str) -> &'static str {
    LANES.iter().find(|(_, tasks)| tasks.contains(&task)).map_or(COMMON, |(lane, _)| lane)
}

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
            jobs::lane.eq(lane(job.task)),
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

/// A job in the table, as administrators see it. Its payload stays where it is.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = jobs, check_for_backend(MultiBackend))]
pub struct Waiting {
    pub id: String,
    pub task: String,
    pub run_at: NaiveDateTime,
    pub leased_until: Option<NaiveDateTime>,
    pub attempts: i32,
    pub last_error: Option<String>,
}

/// Those that failed first, then by when they are due.
pub fn waiting(conn: &mut Conn, most: i64) -> Result<Vec<Waiting>> {
    Ok(jobs::table.order((jobs::last_error.is_null(), jobs::run_at, jobs::id)).limit(most).select(Waiting::as_select()).load(conn)?)
}

/// How many failed the last time.
pub fn failing(conn: &mut Conn) -> Result<i64> {
    Ok(jobs::table.filter(jobs::last_error.is_not_null()).count().get_result(conn)?)
}

/// Makes a job due now; tells its task. 404 if it is not there, 409 while it runs.
pub fn hasten(tx: &mut Tx<'_>, id: &str, now: NaiveDateTime) -> Result<String> {
    let (task, leased): (String, Option<NaiveDateTime>) =
        jobs::table.find(id).select((jobs::task, jobs::leased_until)).first(&mut **tx).optional()?.ok_or(Error::NotFound)?;
    if leased.is_some_and(|until| until > now) {
        return Err(Error::Conflict("job_running"));
    }
    diesel::update(jobs::table.find(id)).set(jobs::run_at.eq(now)).execute(&mut **tx)?;
    Ok(task)
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
            (prepared::LOOK, Duration::hours(1)),
            (seal::TASK, seal::EVERY),
            (prune::TASK, prune::EVERY),
            (removal::TASK, Duration::hours(1)),
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

/// The job of the lane that is due longest.
fn due(conn: &mut Conn, lane: &str, now: NaiveDateTime) -> Result<Option<Job>> {
    Ok(jobs::table
        .filter(jobs::lane.eq(lane))
        .filter(jobs::run_at.le(now))
        .filter(jobs::leased_until.is_null().or(jobs::leased_until.lt(now)))
        .order(jobs::run_at)
        .select(Job::as_select())
        .first(conn)
        .optional()?)
}

/// Takes it, under a lease, if there is one. Looking takes no lock: nearly always there is nothing.
fn take(app: &App, lane: &str) -> Result<Option<Job>> {
    let now = app.clock.now();
    if app.db.read(|conn| due(conn, lane, now))?.is_none() {
        return Ok(None);
    }
    app.db.write(|tx| {
        let due = due(tx, lane, now)?;
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

/// Every task there is: each has words for administrators (`admin.task.*`), and no other is run.
pub const TASKS: &[&str] = &[
    "purge_trash",
    "purge_imports",
    "purge_sessions",
    "watch_shares",
    "sweep_files",
    folder::TASK,
    reset::TASK,
    address::TASK,
    removal::TASK,
    health::CHECK,
    crate::mail::TASK,
    prepared::LOOK,
    prepared::PREPARE,
    words::READ,
    seal::TASK,
    prune::TASK,
];

fn run(app: &App, job: &Job) -> Result<()> {
    if !TASKS.contains(&job.task.as_str()) {
        return Err(Error::Internal(format!("no such task: {}", job.task)));
    }
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
        reset::TASK => reset::deliver(app, &job.payload),
        address::TASK => address::deliver(app, &job.payload),
        removal::TASK => while_some(|| app.db.write(|tx| removal::finish_next(tx, now))),
        health::CHECK => health::check(app),
        crate::mail::TASK => crate::mail::deliver(app, &job.payload, job.attempts.saturating_add(1)),
        "sweep_files" => {
            for store in app.stores() {
                while crate::files::blobs::sweep(app, store)? > 0 {}
            }
            Ok(())
        }
        prepared::LOOK => {
            while prepared::look(app)? > 0 {}
            Ok(())
        }
        prepared::PREPARE => prepared::prepare(app, &job.payload),
        seal::TASK => seal::run(app).map(drop),
        prune::TASK => prune::run(app).map(drop),
        words::READ => words::read_page(app, &job.payload),
        "purge_sessions" => app
            .db
            .write(|tx| {
                let (sessions, links) = (session::purge(tx, now)?, links::purge(tx, now)?);
                Ok((sessions, links, throttle::purge(tx, now)?, factors::purge(tx, now)?, steps::purge(tx, now)?))
            })
            .map(drop),
        other => Err(Error::Internal(format!("no such task: {other}"))),
    }
}

/// Again and again until nothing was left to do.
fn while_some(mut work: impl FnMut() -> Result<usize>) -> Result<()> {
    while work()? > 0 {}
    Ok(())
}

/// What found the database busy is tried again, and nothing is wrong.
fn tell(what: &str, error: &Error) {
    if matches!(error, Error::Busy) {
        log::warn!("{what}: the database is busy; this is tried again");
    } else {
        log::error!("{what}: {error}");
    }
}

/// Runs everything that is due now, in every lane, until nothing is left of it; what tests call.
pub fn run_due(app: &App) -> Result<usize> {
    let mut done = 0;
    loop {
        let mut now = run_lane(app, COMMON)?;
        for (lane, _) in LANES {
            now += run_lane(app, lane)?;
        }
        if now == 0 {
            return Ok(done);
        }
        done += now;
    }
}

/// Runs what is due in one lane; a thread's work.
fn run_lane(app: &App, lane: &str) -> Result<usize> {
    let mut done = 0;
    while let Some(job) = take(app, lane)? {
        let outcome = run(app, &job);
        if let Err(error) = &outcome {
            tell(&format!("job {}", job.task), error);
        }
        finish(app, &job, &outcome)?;
        done += 1;
    }
    Ok(done)
}

/// The worker threads; dropping the handle lets them go on.
pub struct Background {
    common: (Sender<()>, JoinHandle<()>),
    lanes: Vec<(Sender<()>, JoinHandle<()>)>,
}

impl Background {
    /// What takes minutes is not waited for: its lease ends, and it is done again.
    pub fn stop(self) {
        drop(self.lanes);
        let (stop, thread) = self.common;
        drop(stop);
        if thread.join().is_err() {
            log::error!("the background thread ended badly");
        }
    }
}

/// `key_changed` is called once when another process gave the installation another key: this one can open nothing any more.
pub fn start(app: App, key_changed: impl FnOnce() + Send + 'static) -> Background {
    if let Err(error) = ensure_standing(&app) {
        tell("jobs", &error);
    }
    let mut key_changed = Some(key_changed);
    let common = begin(app.clone(), move |app, ticks| {
        let flushed = app.reads.flush(&app.db).map(drop);
        // Jobs are looked for less often than reads are written.
        let due = if ticks.is_multiple_of(15) { run_lane(app, COMMON).map(drop) } else { Ok(()) };
        let current = if ticks.is_multiple_of(5) { app.db.read(|conn| key_change::is_current(conn, &app.key)) } else { Ok(true) };
        if matches!(current, Ok(false))
            && let Some(tell) = key_changed.take()
        {
            log::error!("the secret key of this installation was changed: this server ends");
            tell();
        }
        flushed.and(due)
    });
    let lanes = LANES.iter().map(|(lane, _)| begin(app.clone(), move |app, _| run_lane(app, lane).map(drop))).collect();
    Background { common, lanes }
}

/// A thread that does this at every tick, whose number it is told.
fn begin(app: App, mut work: impl FnMut(&App, u64) -> Result<()> + Send + 'static) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = channel::<()>();
    let thread = std::thread::spawn(move || {
        let mut ticks: u64 = 0;
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = work(&app, ticks) {
                tell("background", &error);
            }
            ticks = ticks.wrapping_add(1);
        }
    });
    (stop, thread)
}
