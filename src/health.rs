//! `GET /healthz`: well only if the database answers and a file can be stored.

use std::path::Path;

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

/// Whether a file can be made in the folder.
pub fn writable(folder: &Path) -> Result<()> {
    let probe = folder.join(format!(".probe-{}", uuid::Uuid::now_v7()));
    let tried = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    tried.map_err(|error| Error::Internal(format!("the file store cannot be written: {}", error.kind())))
}
