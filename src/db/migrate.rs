//! Embedded migrations, run at start: one source of common and database-specific steps, merged by version.

use diesel::{
    backend::Backend,
    connection::SimpleConnection,
    migration::{Migration, MigrationSource},
    r2d2::ManageConnection,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::{Conn, Manager};

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
    #[error("after the migration {0} rows point at nothing; the copy made before is unharmed")]
    Dangling(usize),
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

/// Brings the tables up to date, under a lock, after a copy where the database is a file.
pub fn run(manager: &Manager) -> Result<(), MigrateError> {
    let mut conn = manager.connect().map_err(|error| MigrateError::Open(error.to_string()))?;
    match &mut conn {
        Conn::Sqlite(c) => run_sqlite(c, manager),
        Conn::Pg(c) => {
            c.batch_execute(&format!("SELECT pg_advisory_lock({ADVISORY_LOCK})")).map_err(failed)?;
            let migrated = c.run_pending_migrations(Merged(POSTGRES)).map(drop).map_err(migration_failed);
            let result = migrated.and_then(|()| c.batch_execute(COMPARE_BYTES).map_err(failed));
            c.batch_execute(&format!("SELECT pg_advisory_unlock({ADVISORY_LOCK})")).map_err(failed)?;
            result
        }
    }
}

/// Foreign keys are off while tables are rebuilt (dropping a parent would delete its children) and checked afterwards.
fn run_sqlite(conn: &mut diesel::SqliteConnection, manager: &Manager) -> Result<(), MigrateError> {
    use diesel::RunQueryDsl;
    let pending = conn.pending_migrations(Merged(SQLITE)).map_err(migration_failed)?;
    if pending.is_empty() {
        return Ok(());
    }
    let applied = conn.applied_migrations().map_err(migration_failed)?;
    if let Some(file) = manager.file()
        && !applied.is_empty()
    {
        let copy = file.with_extension(format!("before-{}.db", pending.first().map_or_else(String::new, |m| m.name().to_string())));
        if !copy.exists() {
            diesel::sql_query("VACUUM INTO ?")
                .bind::<diesel::sql_types::Text, _>(copy.to_string_lossy().into_owned())
                .execute(conn)
                .map_err(failed)?;
        }
    }
    conn.batch_execute("PRAGMA foreign_keys=OFF").map_err(failed)?;
    conn.run_pending_migrations(Merged(SQLITE)).map_err(migration_failed)?;
    conn.batch_execute("PRAGMA foreign_keys=ON").map_err(failed)?;
    let dangling = dangling(conn).map_err(failed)?;
    if dangling == 0 { Ok(()) } else { Err(MigrateError::Dangling(dangling)) }
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
            c.batch_execute("PRAGMA foreign_keys=OFF").map_err(failed)?;
            c.revert_all_migrations(Merged(SQLITE)).map(|v| v.len()).map_err(migration_failed)
        }
        Conn::Pg(c) => c.revert_all_migrations(Merged(POSTGRES)).map(|v| v.len()).map_err(migration_failed),
    }
}

fn failed(error: diesel::result::Error) -> MigrateError {
    MigrateError::Migration(error.to_string())
}

fn migration_failed(error: Box<dyn std::error::Error + Send + Sync>) -> MigrateError {
    MigrateError::Migration(error.to_string())
}
