//! Connections by URL scheme, set up the way each database needs.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use diesel::{
    Connection, PgConnection, SqliteConnection,
    connection::{Instrumentation, InstrumentationEvent, SimpleConnection},
    r2d2::{Error as PoolError, ManageConnection},
};

use super::MigrateError;

/// One connection of either database; diesel builds each query for the one that runs.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    Sqlite(SqliteConnection),
    Pg(PgConnection),
}

/// Makes connections for the pool. `MultiConnection`'s own `establish` tries one database after the other and loses the true error.
#[derive(Clone, Debug)]
pub struct Manager {
    target: Target,
    statements: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
enum Target {
    File(String),
    Postgres(String),
}

/// `synchronous=FULL`: an acknowledged write survives a loss of power. The busy timeout comes first, because setting WAL can already wait.
const SQLITE_SETUP: &str = "PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON; PRAGMA journal_mode=WAL; \
     PRAGMA synchronous=FULL; PRAGMA cache_size=-2000; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;";

impl Manager {
    pub fn new(url: &str, create: bool, statements: Arc<AtomicU64>) -> Result<Self, MigrateError> {
        let target = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Target::Postgres(url.to_owned())
        } else {
            let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or(url);
            if !create && !Path::new(path).exists() {
                return Err(MigrateError::Missing(path.to_owned()));
            }
            Target::File(path.to_owned())
        };
        Ok(Self { target, statements })
    }

    pub fn is_postgres(&self) -> bool {
        self.postgres_url().is_some()
    }

    /// Where the `PostgreSQL` is, if that is what runs.
    pub fn postgres_url(&self) -> Option<&str> {
        match &self.target {
            Target::Postgres(url) => Some(url),
            Target::File(_) => None,
        }
    }

    /// The `SQLite` file, if that is what runs.
    pub fn file(&self) -> Option<&Path> {
        match &self.target {
            Target::File(path) => Some(Path::new(path)),
            Target::Postgres(_) => None,
        }
    }
}

impl ManageConnection for Manager {
    type Connection = Conn;
    type Error = PoolError;

    fn connect(&self) -> Result<Conn, PoolError> {
        let mut conn = match &self.target {
            Target::File(path) => Conn::Sqlite(SqliteConnection::establish(path).map_err(PoolError::ConnectionError)?),
            Target::Postgres(url) => Conn::Pg(PgConnection::establish(url).map_err(PoolError::ConnectionError)?),
        };
        let setup = match &conn {
            Conn::Sqlite(_) => SQLITE_SETUP,
            Conn::Pg(_) => "SET TIME ZONE 'UTC'; SET client_min_messages = warning;",
        };
        conn.batch_execute(setup).map_err(PoolError::QueryError)?;
        conn.set_instrumentation(Counter(Arc::clone(&self.statements)));
        Ok(conn)
    }

    fn is_valid(&self, conn: &mut Conn) -> Result<(), PoolError> {
        conn.batch_execute("SELECT 1").map_err(PoolError::QueryError)
    }

    /// A connection that a panic or a lost server left inside a transaction must not serve the next request.
    fn has_broken(&self, conn: &mut Conn) -> bool {
        std::thread::panicking() || in_transaction(conn)
    }
}

fn in_transaction(conn: &mut Conn) -> bool {
    use diesel::connection::{AnsiTransactionManager, TransactionManager};
    let depth = match conn {
        Conn::Sqlite(c) => AnsiTransactionManager::transaction_manager_status_mut(c).transaction_depth(),
        Conn::Pg(c) => AnsiTransactionManager::transaction_manager_status_mut(c).transaction_depth(),
    };
    !matches!(depth, Ok(None))
}

struct Counter(Arc<AtomicU64>);

impl Instrumentation for Counter {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if matches!(event, InstrumentationEvent::StartQuery { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
