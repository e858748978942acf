//! `GET /healthz`: well only if the database answers and a file can be stored.

use std::{fs::File, io::Write, path::Path};

use actix_web::{HttpResponse, web};

use crate::{
    app::App,
    auth::accounts,
    error::{Error, Result},
};

pub async fn show(app: web::Data<App>) -> HttpResponse {
    let well = app.run(|app| app.db.read(accounts::any).and_then(|_| writable(&app.config.uploads))).await;
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
