//! Embedded migrations, run at start: one source of common and database-specific steps, merged by version.

use std::path::{Path, PathBuf};

use diesel::{
    backend::Backend,
    connection::SimpleConnection,
    migration::{Migration, MigrationSource},
    r2d2::ManageConnection,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{
    connection::{Conn, Manager},
    dump,
};
use crate::disk;

const COMMON: EmbeddedMigrations = embed_migrations!("migrations/common");
const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Any number that only Kinchart takes: two servers starting at once on one `PostgreSQL` migrate one after the other.
const ADVISORY_LOCK: i64 = 0x4b49_4e43_4841_5254;

/// Text compares byte by byte, as `SQLite` does: dates are text, and a linguistic order would sort `2020-05` and `2020` by its own rules. The
/// common migrations cannot name a collation that both databases know, so it is set here, once for each column.
const COMPARE_BYTES: &str = "DO $$ DECLARE c record; BEGIN \
    FOR c IN SELECT table_name, column_name FROM information_schema.columns \
        WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' \
    LOOP EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE text COLLATE \"C\"', c.table_name, c.column_name); END LOOP; END $$";

/// Why the database could not be opened or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("there is no database at {0}; unset KINCHART_DATABASE_URL to have one made in the data folder")]
    Missing(String),
    #[error("the database cannot be opened: {0}")]
    Open(String),
    #[error("the database could not be brought up to date: {0}")]
    Migration(String),
    #[error("the database could not be brought up to date: {0} rows would point at nothing afterwards; it is as it was")]
    Dangling(usize),
    #[error("the database must be brought up to date, and no copy of it could be made first: {0}; with --no-backup it is done without one")]
    Copy(String),
}

/// Common and specific steps as one list: a second source would break reverting.
struct Merged(EmbeddedMigrations);

impl<DB: Backend> MigrationSource<DB> for Merged {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<DB>>>> {
        let mut all = MigrationSource::<DB>::migrations(&COMMON)?;
        all.extend(MigrationSource::<DB>::migrations(&self.0)?);
        all.sort_by(|a, b| a.name().version().cmp(&b.name().version()));
        Ok(all)
    }
}

/// What is kept of an existing database before it is changed.
#[derive(Clone, Debug)]
pub enum Backup {
    /// A copy: of an `SQLite` file beside it, of a `PostgreSQL` in this folder.
    Into(PathBuf),
    /// Nothing: somebody made one, or there is nothing to lose.
    Nothing,
}

/// Brings the tables up to date: under a lock, after a copy, and all of it or nothing.
pub fn run(manager: &Manager, backup: &Backup) -> Result<(), MigrateError> {
    let mut conn = manager.connect().map_err(|error| MigrateError::Open(error.to_string()))?;
    match (&mut conn, manager.postgres_url()) {
        (Conn::Pg(c), Some(url)) => run_postgres(c, url, backup),
        (Conn::Sqlite(c), _) => run_sqlite(c, manager, backup),
        (Conn::Pg(_), None) => Ok(()),
    }
}

/// The lock goes with the transaction, whatever becomes of the process. Read committed: what is seen after the wait is what the other left.
fn run_postgres(conn: &mut diesel::PgConnection, url: &str, backup: &Backup) -> Result<(), MigrateError> {
    conn.build_transaction().read_committed().run(|c| {
        c.batch_execute(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))?;
        let pending = c.pending_migrations(Merged(POSTGRES)).map_err(migration_failed)?;
        let Some(first) = pending.first() else { return Ok(()) };
        let exists = !c.applied_migrations().map_err(migration_failed)?.is_empty();
        if let (true, Backup::Into(folder)) = (exists, backup) {
            dump::make(url, &folder.join(format!("kinchart.before-{}.dump", first.name())))?;
        }
        c.run_pending_migrations(Merged(POSTGRES)).map_err(migration_failed)?;
        Ok(c.batch_execute(COMPARE_BYTES)?)
    })
}

/// Foreign keys are off while tables are rebuilt (dropping a parent would delete its children), and counted before all is made true.
fn run_sqlite(conn: &mut diesel::SqliteConnection, manager: &Manager, backup: &Backup) -> Result<(), MigrateError> {
    // Whoever comes second waits for the first, and a copy of many records takes its time.
    conn.batch_execute("PRAGMA busy_timeout=600000; PRAGMA foreign_keys=OFF")?;
    // Most starts have nothing to do: they must not wait for a long import of a running server.
    if conn.pending_migrations(Merged(SQLITE)).map_err(migration_failed)?.is_empty() {
        return Ok(());
    }
    conn.immediate_transaction(|c| {
        let pending = c.pending_migrations(Merged(SQLITE)).map_err(migration_failed)?;
        let Some(first) = pending.first() else { return Ok(()) };
        let exists = !c.applied_migrations().map_err(migration_failed)?.is_empty();
        if let (true, Backup::Into(_), Some(file)) = (exists, backup, manager.file()) {
            copy_file(manager, &file.with_extension(format!("before-{}.db", first.name())))?;
        }
        let before = dangling(c)?;
        c.run_pending_migrations(Merged(SQLITE)).map_err(migration_failed)?;
        let after = dangling(c)?;
        if after > before { Err(MigrateError::Dangling(after - before)) } else { Ok(()) }
    })
}

/// A copy as the database is while nobody else may write: `VACUUM INTO` wants a connection without a transaction.
/// It has its name only when it is whole; one of an earlier attempt is older than what was recorded since, and gives way.
fn copy_file(manager: &Manager, copy: &Path) -> Result<(), MigrateError> {
    use diesel::RunQueryDsl;
    let part = copy.with_extension("db.part");
    let told = |error: std::io::Error| MigrateError::Copy(format!("{}: {error}", part.display()));
    disk::missing_is_fine(std::fs::remove_file(&part)).map_err(told)?;
    let mut reader = manager.connect().map_err(|error| MigrateError::Open(error.to_string()))?;
    diesel::sql_query("VACUUM INTO $1")
        .bind::<diesel::sql_types::Text, _>(part.to_string_lossy().into_owned())
        .execute(&mut reader)
        .map_err(|error| MigrateError::Copy(error.to_string()))?;
    disk::keep(&part, copy).map_err(told)
}

/// Rows whose foreign key points at nothing.
pub fn dangling(conn: &mut diesel::SqliteConnection) -> diesel::QueryResult<usize> {
    use diesel::RunQueryDsl;
    let found: Vec<Violation> = diesel::sql_query("SELECT \"table\" AS name FROM pragma_foreign_key_check").load(conn)?;
    Ok(found.len())
}

#[derive(diesel::QueryableByName)]
struct Violation {
    #[diesel(sql_type = diesel::sql_types::Text)]
    #[expect(dead_code, reason = "only counted; the row's content may be medical")]
    name: String,
}

/// Takes every step back; every migration has a way down, and a test walks it.
pub fn revert_all(url: &str) -> Result<usize, MigrateError> {
    let manager = Manager::new(url, false, std::sync::Arc::default())?;
    let mut conn = manager.connect().map_err(|error| MigrateError::Open(error.to_string()))?;
    match &mut conn {
        Conn::Sqlite(c) => {
            c.batch_execute("PRAGMA foreign_keys=OFF")?;
            c.revert_all_migrations(Merged(SQLITE)).map(|v| v.len()).map_err(migration_failed)
        }
        Conn::Pg(c) => c.revert_all_migrations(Merged(POSTGRES)).map(|v| v.len()).map_err(migration_failed),
    }
}

impl From<diesel::result::Error> for MigrateError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Migration(error.to_string())
    }
}

fn migration_failed(error: Box<dyn std::error::Error + Send + Sync>) -> MigrateError {
    MigrateError::Migration(error.to_string())
}
