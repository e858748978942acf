//! A database a test: a copy of a migrated SQLite file, or on PostgreSQL a database made from a migrated template.
//!
//! `KINCHART_TEST_DATABASE=postgres` chooses PostgreSQL, `KINCHART_TEST_PG_URL` says where (a role that may create databases).

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use diesel::{
    Connection, PgConnection, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    sql_types::{Bool, Text},
};
use kinchart::{config::Database, db::Db};
use tempfile::TempDir;

pub fn on_postgres() -> bool {
    std::env::var("KINCHART_TEST_DATABASE").is_ok_and(|name| name.starts_with("postgres"))
}

fn server() -> String {
    std::env::var("KINCHART_TEST_PG_URL").expect("KINCHART_TEST_PG_URL names a PostgreSQL server (see scripts/pg)")
}

/// The server's URL with another database.
fn url_of(database: &str) -> String {
    let server = server();
    let (before, query) = server.split_once('?').map_or((server.as_str(), String::new()), |(b, q)| (b, format!("?{q}")));
    let scheme = before.find("://").map_or(0, |at| at + 3);
    let host = before[scheme..].find('/').map_or(before.len(), |at| scheme + at);
    format!("{}/{database}{query}", &before[..host])
}

fn admin() -> PgConnection {
    PgConnection::establish(&server()).expect("the test PostgreSQL answers")
}

/// Changes with every migration, so that an old template is never used.
fn migrations() -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    for file in files {
        file.hash(&mut hasher);
        std::fs::read(file).unwrap().hash(&mut hasher);
    }
    hasher.finish()
}

#[derive(diesel::QueryableByName)]
struct Yes {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// Any number that only these tests take.
const LOCK: i64 = 0x6b63_7465_7374;

/// A database with all tables, which no test writes into. Tests run as processes of their own, so they agree by a lock of the server.
fn postgres_template() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let name = format!("kinchart_template_{:x}", migrations());
        let mut conn = admin();
        conn.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})")).unwrap();
        let known: Yes = diesel::sql_query("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1) AS yes")
            .bind::<Text, _>(&name)
            .get_result(&mut conn)
            .unwrap();
        if !known.yes {
            // Under another name until it is whole: an interrupted run must not leave half a template.
            let making = format!("{name}_making");
            conn.batch_execute(&format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)")).unwrap();
            conn.batch_execute(&format!("CREATE DATABASE {making}")).unwrap();
            drop(Db::open(&url_of(&making), false, 1).expect("the migrations run"));
            let close = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{making}'");
            conn.batch_execute(&close).unwrap();
            conn.batch_execute(&format!("ALTER DATABASE {making} RENAME TO {name}")).unwrap();
        }
        name
    })
}

/// The same for SQLite: a file beside the build.
fn sqlite_template() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = folder.join(format!("template-{:x}.db", migrations()));
        if !file.exists() {
            let making = TempDir::new_in(folder).unwrap();
            let (first, whole) = (making.path().join("a.db"), making.path().join("b.db"));
            drop(Db::open(&format!("sqlite:{}", first.display()), true, 1).expect("the migrations run"));
            let mut conn = SqliteConnection::establish(&first.to_string_lossy()).unwrap();
            conn.batch_execute(&format!("VACUUM INTO '{}'", whole.display())).unwrap();
            // Atomic: whoever comes second replaces it with the same.
            std::fs::rename(whole, &file).unwrap();
        }
        file
    })
}

/// Gone when dropped.
pub struct TestDatabase {
    folder: TempDir,
    postgres: Option<String>,
}

impl TestDatabase {
    /// With all tables.
    pub fn migrated() -> Self {
        let database = Self::make(true);
        if database.postgres.is_none() {
            std::fs::copy(sqlite_template(), database.file()).unwrap();
        }
        database
    }

    /// Without any table.
    pub fn empty() -> Self {
        Self::make(false)
    }

    fn make(from_template: bool) -> Self {
        let folder = TempDir::with_prefix("kinchart-test-").unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let postgres = on_postgres().then(|| {
            let name = format!("kinchart_test_{}", uuid::Uuid::now_v7().simple());
            let template = if from_template { format!(" TEMPLATE {}", postgres_template()) } else { String::new() };
            admin().batch_execute(&format!("CREATE DATABASE {name}{template}")).unwrap();
            name
        });
        Self { folder, postgres }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("data").join("kinchart.db")
    }

    pub fn url(&self) -> String {
        self.postgres.as_ref().map_or_else(|| format!("sqlite:{}", self.file().display()), |name| url_of(name))
    }

    pub fn setting(&self) -> Database {
        match &self.postgres {
            Some(name) => Database::Postgres { url: url_of(name) },
            None => Database::Sqlite { file: self.file(), create: true },
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(name) = &self.postgres else { return };
        // A test that failed is failing already; a leftover database harms nobody.
        if let Ok(mut conn) = PgConnection::establish(&server()) {
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}
