//! `/admin/health`: is everything there and whole? What can be asked at once is asked for the page; looking at every row and every document is a
//! job's work, whose last result stands there.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::NaiveDateTime;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Admin, figures};
use crate::{
    app::App,
    db::{Conn, schema::installation, state},
    error::{Error, Result},
    files::{blobs, quota},
    health,
    installation::CHECKED,
    jobs::{self, NewJob},
    page::{Ui, render, see_other},
};

/// The job's name in the table.
pub const CHECK: &str = "check";
/// With less room than this on a disk something has to be done.
const SHORT: u64 = 1_000_000_000;

/// What can be told at once.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    pub is_writable: bool,
    /// Bytes that are free where the database is, and where the documents are; nothing where that cannot be asked.
    pub data_free: Option<u64>,
    pub uploads_free: Option<u64>,
}

impl Probe {
    pub fn is_short(&self) -> bool {
        [self.data_free, self.uploads_free].into_iter().flatten().any(|free| free < SHORT)
    }
}

pub fn probe(app: &App) -> Probe {
    Probe {
        is_writable: health::writable(&app.config.uploads).is_ok(),
        data_free: free(&app.config.data),
        uploads_free: free(&app.config.uploads),
    }
}

/// What this program may still write on the folder's disk.
#[cfg(unix)]
fn free(folder: &std::path::Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}
#[cfg(not(unix))]
fn free(_: &std::path::Path) -> Option<u64> {
    None
}

/// What a look at everything found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    pub at: NaiveDateTime,
    pub dangling: usize,
    pub whole: usize,
    pub missing: usize,
    pub changed: usize,
    pub unread: usize,
    pub unknown: usize,
}

impl Found {
    pub fn is_well(&self) -> bool {
        self.dangling == 0 && self.missing == 0 && self.changed == 0 && self.unread == 0 && self.unknown == 0
    }
}

pub fn last(conn: &mut Conn) -> Result<Option<Found>> {
    let told: Option<String> = installation::table.find(CHECKED).select(installation::value).first(conn).optional()?;
    Ok(told.and_then(|told| serde_json::from_str(&told).ok()))
}

/// Looks at every row and every document's length; the job's work.
pub fn check(app: &App) -> Result<()> {
    let mut found = Found { at: app.clock.now(), dangling: app.db.dangling()?, whole: 0, missing: 0, changed: 0, unread: 0, unknown: 0 };
    for store in app.stores() {
        let told = blobs::check(app, store, false)?;
        found.whole += told.whole;
        found.missing += told.missing.len();
        found.changed += told.changed.len();
        found.unread += told.unread.len();
        found.unknown += told.unknown.len();
    }
    let told = serde_json::to_string(&found).map_err(|error| Error::Internal(format!("check: {error}")))?;
    crate::installation::set(&app.db, CHECKED, &told)
}

#[derive(Template)]
#[template(path = "admin/health.html")]
struct HealthPage {
    ui: Ui,
    done: String,
    engine: String,
    database_size: String,
    steps: Vec<String>,
    documents_size: String,
    probe: Probe,
    data_free: String,
    uploads_free: String,
    key_is_kept: bool,
    version: &'static str,
    checked_at: String,
    /// Words of the catalogue, and how many.
    found: Vec<(&'static str, i64)>,
    is_well: bool,
}

fn lines(found: &Found) -> Vec<(&'static str, i64)> {
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    [
        ("whole", found.whole),
        ("dangling", found.dangling),
        ("missing", found.missing),
        ("changed", found.changed),
        ("unread", found.unread),
        ("unknown", found.unknown),
    ]
    .into_iter()
    .map(|(word, n)| (word, number(n)))
    .collect()
}

/// `GET /admin/health`.
pub async fn show(app: web::Data<App>, admin: Admin, request: HttpRequest) -> Result<HttpResponse> {
    let (ui, done) = (admin.ui("/admin/health"), super::done(&request, &["asked"]));
    let page = app
        .run(move |app| {
            let probe = probe(app);
            app.db.read(|conn| {
                let (state, last) = (state::of(conn)?, last(conn)?);
                let size = |bytes: i64| quota::size(u64::try_from(bytes).unwrap_or_default());
                let room = |free: Option<u64>| free.map(quota::size).unwrap_or_default();
                Ok(HealthPage {
                    done,
                    engine: state.engine,
                    database_size: size(state.bytes),
                    steps: state.steps,
                    documents_size: size(figures::stored(conn)?),
                    data_free: room(probe.data_free),
                    uploads_free: room(probe.uploads_free),
                    probe,
                    key_is_kept: !admin.me().key_is_unkept,
                    version: env!("CARGO_PKG_VERSION"),
                    checked_at: last.as_ref().map(|found| ui.moment(&found.at)).unwrap_or_default(),
                    is_well: last.as_ref().is_some_and(Found::is_well),
                    found: last.as_ref().map(lines).unwrap_or_default(),
                    ui,
                })
            })
        })
        .await?;
    render(&page)
}

/// `POST /admin/health`: looks at everything, in the background.
pub async fn ask(app: web::Data<App>, _: Admin) -> Result<HttpResponse> {
    app.write(|tx, app| {
        let now = app.clock.now();
        jobs::add(tx, &NewJob { task: CHECK, payload: "", unique_key: Some(CHECK), repeat: None, run_at: now }, now)
    })
    .await?;
    Ok(see_other("/admin/health?done=asked"))
}
