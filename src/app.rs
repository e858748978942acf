//! The running program's shared parts, and how a handler reaches the database.

use std::sync::Arc;

use actix_web::web;

use crate::{
    audit::ReadLog,
    auth::{oidc::provider::Provider, password::Passwords, secret::SecretKey, setup::Setup},
    clock::Clock,
    config::Config,
    db::{Conn, Db, Tx},
    error::{Error, Result},
    files::tesseract::Tesseract,
    health::Trials,
    interchange::pages::Progress,
    paperless::sync::wire::Wire,
    storage::Storage,
    workshop::Workshop,
};

/// Handed to every handler; cheap to clone.
#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    pub db: Db,
    pub clock: Clock,
    pub key: Arc<SecretKey>,
    pub passwords: Arc<Passwords>,
    pub reads: ReadLog,
    pub setup: Setup,
    pub imports: Progress,
    pub trials: Trials,
    /// Where the bytes of documents come to.
    pub storage: Arc<dyn Storage>,
    /// Where papers are opened.
    pub workshop: Workshop,
    /// Who reads scans.
    pub tesseract: Arc<Tesseract>,
    /// Where else they can lie.
    pub elsewhere: Vec<Arc<dyn Storage>>,
    /// The way to people's Paperless-ngx.
    pub paperless: Wire,
    /// Who else tells who somebody is, if the settings name one.
    pub provider: Option<Arc<Provider>>,
}

impl App {
    /// All places where bytes of documents lie.
    pub fn stores(&self) -> impl Iterator<Item = &dyn Storage> {
        std::iter::once(&self.storage).chain(&self.elsewhere).map(AsRef::as_ref)
    }

    /// The one that the database calls so.
    pub fn store(&self, name: &str) -> Result<&dyn Storage> {
        self.stores()
            .find(|store| store.name() == name)
            .ok_or_else(|| Error::Internal("a file lies in a store that is not known".to_owned()))
    }

    /// Runs blocking work (the database, hashing, rendering) on the thread pool, so that no request holds up another.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> Result<T> + Send + 'static) -> Result<T> {
        let app = self.clone();
        web::block(move || work(&app)).await.map_err(|_| Error::Busy)?
    }

    /// One read of the database, on one snapshot.
    pub async fn read<T: Send + 'static>(&self, work: impl FnOnce(&mut Conn, &Self) -> Result<T> + Send + 'static) -> Result<T> {
        self.run(move |app| app.db.read(|conn| work(conn, app))).await
    }

    /// One transaction. It may run several times, see [`Db::write`].
    pub async fn write<T: Send + 'static>(&self, mut work: impl FnMut(&mut Tx<'_>, &Self) -> Result<T> + Send + 'static) -> Result<T> {
        self.run(move |app| app.db.write(|tx| work(tx, app))).await
    }
}
