//! `GET /healthz`: well only if the database answers and a file can be stored.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{HttpResponse, web};
use chrono::{Duration, NaiveDateTime};

use crate::{
    app::App,
    auth::accounts,
    error::{Error, Result},
};

/// How long a trial that went well is believed. Everybody may ask, and a trial costs the disk a sync.
const BELIEVED: Duration = Duration::seconds(10);

/// When the file store was last seen to be writable. What failed is tried again at once.
#[derive(Clone, Debug, Default)]
pub struct Trials(Arc<Mutex<Option<NaiveDateTime>>>);

impl Trials {
    /// One trial at a time: who comes meanwhile takes its result.
    fn writable(&self, app: &App) -> Result<()> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = app.clock.now();
        if last.is_some_and(|at| at <= now && now - at < BELIEVED) {
            return Ok(());
        }
        *last = None;
        writable(&app.config.uploads)?;
        *last = Some(now);
        Ok(())
    }
}

pub async fn show(app: web::Data<App>) -> HttpResponse {
    let well = app.run(|app| app.db.read(accounts::any).and_then(|_| app.trials.writable(app))).await;
    let (mut response, status) = match well {
        Ok(()) => (HttpResponse::Ok(), "ok"),
        Err(error) => {
            log::error!("health: {error}");
            (HttpResponse::ServiceUnavailable(), "unavailable")
        }
    };
    response.json(serde_json::json!({ "status": status, "version": env!("CARGO_PKG_VERSION") }))
}

/// What files for the trial are called.
pub const PROBE: &str = ".probe-";
/// On a full disk a file can still be made, but nothing put into it.
const TRIAL: [u8; 4096] = [b'k'; 4096];

/// Whether a file can be stored in the folder: made, filled, synced and taken away again.
pub fn writable(folder: &Path) -> Result<()> {
    let probe = folder.join(format!("{PROBE}{}", uuid::Uuid::now_v7()));
    let written = File::create_new(&probe).and_then(|mut file| {
        file.write_all(&TRIAL)?;
        file.sync_all()
    });
    // Whatever came of it, nothing of it stays.
    let removed = std::fs::remove_file(&probe);
    let tried = written.and(removed);
    tried.map_err(|error| Error::Internal(format!("the file store cannot be written: {}", error.kind())))
}

#[cfg(test)]
mod tests {
    use super::writable;

    #[test]
    fn a_trial_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        assert!(writable(folder.path()).is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(writable(&folder.path().join("missing")).is_err());
    }
}
