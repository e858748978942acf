//! The server: opens what it needs, says so in the log, answers until it is told to stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_session::{SessionMiddleware, config::BrowserSession};
use actix_web::{
    App as WebApp, HttpServer,
    body::MessageBody,
    cookie::{Key, SameSite},
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    middleware::{Compress, from_fn},
    web,
};

use crate::{
    app::App,
    auth::{
        factors, going_on,
        oidc::provider::Provider,
        password::{COST, Passwords},
        secret::{self, SecretKey},
        session::{self, Store},
        setup::{self, Setup},
        token,
    },
    clock::Clock,
    config::{Config, Database, SmtpSecurity},
    db::{Backup, Db},
    files::tesseract::Tesseract,
    installation, jobs, pace,
    paperless::{
        Options,
        sync::{self, wire::Wire},
    },
    routes, security,
    storage::{local::Local, paperless::Paperless},
    workshop::Workshop,
};

/// Each keeps two megabytes of pages; the file has one writer at a time, and reading is work for the processor, of which small machines have few.
const SQLITE_CONNECTIONS: u32 = 6;

/// Everything that can keep the program from starting, in a sentence for the log.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the folder {0} cannot be made or written: {1}")]
    Folder(String, std::io::Error),
    #[error("there is no Kinchart in the folder {0}: is KINCHART_DATA right? `kinchart serve` makes a new one")]
    NothingThere(String),
    #[error(transparent)]
    Database(#[from] crate::db::MigrateError),
    #[error(transparent)]
    Secret(#[from] secret::SecretError),
    #[error(transparent)]
    Other(#[from] crate::error::Error),
    #[error("the server cannot listen on {0}: {1}")]
    Listen(std::net::SocketAddr, std::io::Error),
    #[error("the secret key of this installation was changed: start again")]
    KeyChanged,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Opens the folders, the database and the key, and makes what is not there yet.
pub fn open(config: Config) -> Result<App, StartError> {
    for folder in [&config.data, &config.uploads] {
        std::fs::create_dir_all(folder).map_err(|error| StartError::Folder(folder.display().to_string(), error))?;
    }
    let (url, create, size) = match &config.database {
        Database::Sqlite { file, create } => (format!("sqlite:{}", file.display()), *create, SQLITE_CONNECTIONS),
        Database::Postgres { url } => (url.clone(), false, 10),
    };
    let backup = if config.no_backup { Backup::Nothing } else { Backup::Into(config.data.clone()) };
    let db = Db::open_keeping(&url, create, size, &backup)?;
    let stored = installation::get(&db, installation::KEY_CHECK)?;
    let key = secret::load(&config.data, config.secret_key.clone(), stored.as_deref())?;
    if stored.is_none() {
        installation::set(&db, installation::KEY_CHECK, &key.check_value())?;
    }
    let (key, clock, wire) = (Arc::new(key), Clock::default(), Wire::new(Options::new(&config)));
    let paperless = Paperless::new(db.clone(), Arc::clone(&key), wire.clone(), clock.clone());
    let tesseract = Arc::new(Tesseract::new(&config.tesseract, config.ocr_languages.as_deref()));
    let provider = Provider::of(&config, &clock)?.map(Arc::new);
    Ok(App {
        provider,
        storage: Arc::new(Local::new(&config.uploads)),
        elsewhere: vec![Arc::new(paperless)],
        paperless: wire,
        config: Arc::new(config),
        workshop: Workshop::own()?,
        tesseract,
        db,
        clock,
        key,
        passwords: Arc::new(Passwords::new(COST)),
        reads: crate::audit::ReadLog::default(),
        setup: Setup::default(),
        imports: crate::interchange::pages::Progress::default(),
        trials: crate::health::Trials::default(),
    })
}

/// [`open`] for a command that is of no use without an installation: where there is none, it makes no folder, no database and no key.
pub fn open_existing(config: Config) -> Result<App, StartError> {
    let missing = match &config.database {
        // A database given by its address says itself that it is missing.
        Database::Sqlite { file, create } => *create && !file.exists(),
        // The key of a PostgreSQL database stands in the folder, unless it is given.
        Database::Postgres { .. } => config.secret_key.is_none() && !config.data.join(secret::FILE_NAME).exists(),
    };
    if missing {
        return Err(StartError::NothingThere(config.data.display().to_string()));
    }
    open(config)
}

/// The cookie's own key, so that a made-up cookie never reaches the database.
fn cookie_key(key: &SecretKey) -> Key {
    Key::from(&key.derive("session-cookie"))
}

/// The web application: every layer a request passes, outermost last.
pub fn web_app(
    app: App,
) -> WebApp<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<impl MessageBody>, Error = actix_web::Error, InitError = ()>,
> {
    let https = app.config.public_url.is_https();
    let sessions = SessionMiddleware::builder(Store::new(app.clone()), cookie_key(&app.key))
        .cookie_name(session::cookie_name(https).to_owned())
        .cookie_secure(https)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_path("/".to_owned())
        // The row in the table decides when a session ends; `session::last` lets the cookie of a remembered one outlive the browser.
        .session_lifecycle(BrowserSession::default())
        .build();
    WebApp::new()
        .app_data(web::Data::new(app))
        .configure(routes::map)
        .wrap(from_fn(token::first))
        .wrap(from_fn(factors::required::first))
        .wrap(from_fn(setup::first))
        .wrap(from_fn(security::keep_form))
        .wrap(from_fn(pace::body))
        .wrap(from_fn(security::same_site))
        .wrap(from_fn(security::present))
        .wrap(from_fn(going_on::watch))
        .wrap(from_fn(session::mark))
        .wrap(sessions)
        .wrap(from_fn(session::last))
        .wrap(from_fn(security::headers))
        .wrap(Compress::default())
}

/// Threads of each worker for what blocks: more than the connections of the pool, so that passwords being hashed hold up nobody's page,
/// and not the hundreds of the default, each of which keeps memory for itself once it has run.
const BLOCKING_THREADS: usize = 24;

/// What is spoken in the clear where others could listen is said at the start.
fn warn_of_plain_connections(config: &Config) {
    if !config.public_url.is_https() && !config.listen.ip().is_loopback() {
        log::warn!("KINCHART_PUBLIC_URL is not https: passwords and records travel in the clear, unless a proxy encrypts them");
    }
    if config.smtp.host.is_some() && config.smtp.security == SmtpSecurity::None {
        log::warn!("KINCHART_SMTP_SECURITY is none: mail travels to its server in the clear");
    }
}

/// Listens and answers until a signal ends it; what waits to be written is written.
pub async fn run(app: App) -> Result<(), StartError> {
    let listen = app.config.listen;
    let (workers, patience) = (app.config.workers.get(), app.config.patience);
    let server = {
        let app = app.clone();
        HttpServer::new(move || web_app(app.clone()))
            .workers(workers)
            .worker_max_blocking_threads(BLOCKING_THREADS)
            .tcp_nodelay(true)
            .on_connect(pace::on_connect(patience))
            .client_request_timeout(Duration::from_secs(10))
            .shutdown_timeout(10)
            .bind(listen)
            .map_err(|error| StartError::Listen(listen, error))?
    };
    log::info!("Kinchart listens on http://{listen}");
    warn_of_plain_connections(&app.config);
    setup::announce(&app)?;
    // Another program is asked, which nobody waits for.
    let tesseract = Arc::clone(&app.tesseract);
    std::thread::spawn(move || match tesseract.languages() {
        Some(languages) => log::info!("Scans are read by tesseract: {languages}"),
        None => log::info!("tesseract is not installed: the words of scans and photographs are not found"),
    });
    let server = server.run();
    let (handle, key_changed) = (server.handle(), Arc::new(AtomicBool::new(false)));
    let background = jobs::start(app.clone(), {
        let key_changed = Arc::clone(&key_changed);
        move || {
            key_changed.store(true, Ordering::Relaxed);
            // It is told to stop at once; the answer comes when it has, which `run` waits for.
            drop(handle.stop(true));
        }
    });
    let paperless = sync::start(app.clone());
    server.await?;
    background.stop();
    paperless.stop();
    app.reads.flush(&app.db)?;
    if key_changed.load(Ordering::Relaxed) { Err(StartError::KeyChanged) } else { Ok(()) }
}
