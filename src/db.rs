//! The database: a pool, `read` and `write`, migrations. Only this module and its parts may ask which database runs.

mod connection;
mod dump;
mod migrate;
pub mod schema;
pub mod search;
pub mod sql;
pub mod state;
pub mod statement;
pub mod types;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use diesel::{
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    r2d2::Pool,
    result::{DatabaseErrorKind, Error as DieselError},
};

use crate::error::{Error, Result};
use connection::Manager;
pub use connection::{Conn, MultiBackend};
pub use migrate::{Backup, MigrateError, revert_all};

/// How often a transaction that lost a race (`PostgreSQL` 40001, 40P01; `SQLite` busy) is tried before the person is asked to try again.
const TRIES: u32 = 8;
/// A long transaction (an import) can lose every race against short ones; from this try on, `PostgreSQL` lets it run alone.
const TRIES_BESIDE_OTHERS: u32 = 4;
/// The advisory lock of all writers: shared by those that run beside others, held by the one that runs alone.
const WRITERS: i64 = 7_465_208;

/// The pool, and a count of all statements run through it.
#[derive(Clone)]
pub struct Db {
    pool: Pool<Manager>,
    statements: Arc<AtomicU64>,
}

/// The right to write: made only by [`Db::write`], so a change outside a transaction cannot be expressed.
pub struct Tx<'a>(&'a mut Conn);

impl std::ops::Deref for Tx<'_> {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        self.0
    }
}

impl std::ops::DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.0
    }
}

impl Db {
    /// Opens a database that is new or of this version; one that holds records of an older one goes through [`Db::open_keeping`].
    pub fn open(url: &str, create: bool, size: u32) -> Result<Self, MigrateError> {
        Self::open_keeping(url, create, size, &Backup::Nothing)
    }

    /// Opens the database and brings its tables up to date. `create` allows an `SQLite` file to be made; a given URL must exist.
    /// `backup` is what is kept of an older one.
    pub fn open_keeping(url: &str, create: bool, size: u32, backup: &Backup) -> Result<Self, MigrateError> {
        let statements = Arc::new(AtomicU64::new(0));
        let manager = Manager::new(url, create, Arc::clone(&statements))?;
        migrate::run(&manager, backup)?;
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .test_on_check_out(manager.is_postgres())
            .connection_timeout(Duration::from_secs(10))
            .build(manager)
            .map_err(|error| MigrateError::Open(error.to_string()))?;
        Ok(Self { pool, statements })
    }

    /// Statements run since the start, transaction control included; tests compare before and after.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How many rows point at something that is not there; `PostgreSQL` does not let that happen.
    pub fn dangling(&self) -> Result<usize> {
        let mut conn = self.pool.get()?;
        match &mut *conn {
            Conn::Sqlite(c) => Ok(migrate::dangling(c)?),
            Conn::Pg(_) => Ok(0),
        }
    }

    /// Runs `work` on one snapshot. It gets a plain connection: everything that changes records wants a [`Tx`].
    pub fn read<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let mut conn = self.pool.get()?;
        begin(&mut conn, Mode::Read)?;
        let result = work(&mut conn);
        // Nothing was written: ending either way only lets the snapshot go.
        finish(&mut conn, false)?;
        result
    }

    /// Runs `work` in one transaction that sees and leaves a consistent state: all of it happens, or nothing.
    /// It may run several times when another writer was faster, so it must not act outside the database.
    pub fn write<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.transact(work)
    }

    /// Runs `work` on one snapshot where it can read as for a write, and change nothing: a statement that tried would fail.
    /// Nobody who writes waits for it, however long it takes.
    pub fn rehearse<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let mut conn = self.pool.get()?;
        begin(&mut conn, Mode::Read)?;
        refuse_changes(&mut conn, true)?;
        let result = work(&mut Tx(&mut conn));
        let ended = finish(&mut conn, false);
        refuse_changes(&mut conn, false)?;
        ended.and(result)
    }

    fn transact<T>(&self, mut work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let mut conn = self.pool.get()?;
        for attempt in 1..=TRIES {
            let mode = if attempt > TRIES_BESIDE_OTHERS { Mode::WriteAlone } else { Mode::Write };
            let result = attempt_write(&mut conn, &mut work, mode);
            match result {
                Err(Error::Database(error)) if lost_a_race(&error) => {
                    std::thread::sleep(Duration::from_millis(u64::from(attempt * attempt) * 3));
                }
                other => return other,
            }
        }
        Err(Error::Busy)
    }
}

fn attempt_write<T>(conn: &mut Conn, work: &mut impl FnMut(&mut Tx<'_>) -> Result<T>, mode: Mode) -> Result<T> {
    begin(conn, mode)?;
    let result = work(&mut Tx(conn));
    let ended = finish(conn, result.is_ok());
    if let (Mode::WriteAlone, Conn::Pg(c)) = (mode, conn) {
        // Fails only with the connection, which takes the lock with it.
        let _ = c.batch_execute(&format!("SELECT pg_advisory_unlock({WRITERS})"));
    }
    ended.and(result)
}

/// `PostgreSQL` knows read-only transactions; `SQLite` is told by a setting of the connection.
fn refuse_changes(conn: &mut Conn, refuse: bool) -> Result<()> {
    if let Conn::Sqlite(c) = conn {
        c.batch_execute(if refuse { "PRAGMA query_only=ON" } else { "PRAGMA query_only=OFF" })?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Mode {
    Read,
    Write,
    WriteAlone,
}

fn begin(conn: &mut Conn, mode: Mode) -> Result<()> {
    match (conn, mode) {
        (Conn::Sqlite(c), Mode::Read) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN DEFERRED")?,
        // SQLite has one writer at a time anyway.
        (Conn::Sqlite(c), Mode::Write | Mode::WriteAlone) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE")?,
        (Conn::Pg(c), Mode::Read) => {
            AnsiTransactionManager::begin_transaction_sql(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        }
        (Conn::Pg(c), Mode::Write) => {
            let shared = format!("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT pg_advisory_xact_lock_shared({WRITERS})");
            AnsiTransactionManager::begin_transaction_sql(c, &shared)?;
        }
        (Conn::Pg(c), Mode::WriteAlone) => {
            // Before BEGIN: the snapshot must not be older than the end of those it waited for.
            c.batch_execute(&format!("SELECT pg_advisory_lock({WRITERS})"))?;
            AnsiTransactionManager::begin_transaction_sql(c, "BEGIN ISOLATION LEVEL SERIALIZABLE")?;
        }
    }
    Ok(())
}

fn finish(conn: &mut Conn, commit: bool) -> Result<()> {
    type Manager<C> = <C as diesel::Connection>::TransactionManager;
    match (conn, commit) {
        (Conn::Sqlite(c), true) => <Manager<diesel::SqliteConnection>>::commit_transaction(c)?,
        (Conn::Sqlite(c), false) => <Manager<diesel::SqliteConnection>>::rollback_transaction(c)?,
        (Conn::Pg(c), true) => <Manager<diesel::PgConnection>>::commit_transaction(c)?,
        (Conn::Pg(c), false) => <Manager<diesel::PgConnection>>::rollback_transaction(c)?,
    }
    Ok(())
}

/// `PostgreSQL` reports a lost race as a serialization failure or a deadlock, `SQLite` (after its busy timeout) as a locked database.
fn lost_a_race(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        DieselError::DatabaseError(_, info) => {
            info.message().contains("deadlock detected") || info.message().contains("database is locked")
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => lost_a_race(commit_error),
        _ => false,
    }
}
