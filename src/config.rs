//! The settings: one table says what there is, reads the environment and writes `docs/configuration.md`.

mod accounts;
mod database;
mod document;
mod mail;
mod network;
mod public_url;
mod read;
mod set;
mod table;
#[cfg(test)]
mod tests;

pub use accounts::{SecondFactor, Signup};
pub use database::Database;
pub use document::document;
pub use mail::{Smtp, SmtpSecurity};
pub use network::{Authorities, Network, PrivateNetworks};
pub use public_url::PublicUrl;

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use thiserror::Error;

use crate::{
    auth::{oidc::settings as oidc, secret::SecretKey},
    pace::PATIENCE,
};

const DATABASE_FILE: &str = "kinchart.db";
const MEGABYTE: u64 = 1_000_000;

/// Everything an installation can set; what each setting means to its users is in the table (`table.rs`) and in `docs/configuration.md`.
#[derive(Debug, Clone)]
pub struct Config {
    /// `KINCHART_LISTEN`: where the server listens.
    pub listen: SocketAddr,
    /// `KINCHART_DATA`: the folder of the database, the key and the backups.
    pub data: PathBuf,
    /// `KINCHART_UPLOADS`: the folder of the uploaded files.
    pub uploads: PathBuf,
    /// `KINCHART_DATABASE_URL`: the database.
    pub database: Database,
    /// `KINCHART_PUBLIC_URL`: the address people type.
    pub public_url: PublicUrl,
    /// `KINCHART_SECRET_KEY`: the secret key if it does not come from the data folder.
    pub secret_key: Option<SecretKey>,
    /// `KINCHART_SIGNUP`: who may make an account; unset, an administrator decides in the pages.
    pub signup: Option<Signup>,
    /// `KINCHART_SECOND_FACTOR`: who must have a second factor.
    pub second_factor: SecondFactor,
    /// `KINCHART_TRUSTED_PROXIES`: whose word about a client's address counts.
    pub trusted_proxies: Vec<Network>,
    /// `KINCHART_LOG`: the log's filter, in the form of `env_logger`.
    pub log: String,
    /// `KINCHART_WORKERS`: threads that answer requests.
    pub workers: NonZeroUsize,
    /// `KINCHART_MAX_UPLOAD`: the largest document, in bytes.
    pub max_upload: u64,
    /// `KINCHART_QUOTA`: the most bytes of a household's documents.
    pub quota: Option<u64>,
    /// `KINCHART_INBOX`: the folder from which documents are taken into inboxes.
    pub inbox: Option<PathBuf>,
    /// `KINCHART_TESSERACT`: the program that reads scans.
    pub tesseract: String,
    /// `KINCHART_OCR_LANGUAGES`: the languages it reads, as it is told them.
    pub ocr_languages: Option<String>,
    /// `KINCHART_SMTP_*`: how mail is sent.
    pub smtp: Smtp,
    /// `KINCHART_PRIVATE_NETWORKS`: whether a Paperless-ngx may stand in a private network.
    pub private_networks: PrivateNetworks,
    /// `KINCHART_CA_FILE`: authorities that are believed beside those of the machine.
    pub authorities: Authorities,
    /// `KINCHART_OIDC_*`: who else tells who somebody is.
    pub oidc: oidc::Settings,
    /// `KINCHART_AUDIT_YEARS`: how long events of the audit are kept.
    pub audit_years: u32,
    /// No setting: how long a client may send or take nothing; shorter in tests.
    pub patience: Duration,
    /// No setting but `--no-backup` of this one start: the tables are brought up to date without a copy.
    pub no_backup: bool,
}

/// What counts where nothing is set. A test holds it to the table.
impl Default for Config {
    fn default() -> Self {
        let data = PathBuf::from("./data");
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            database: Database::Sqlite { file: data.join(DATABASE_FILE), create: true },
            data,
            uploads: PathBuf::from("./uploads"),
            public_url: PublicUrl::default(),
            secret_key: None,
            signup: None,
            second_factor: SecondFactor::Optional,
            trusted_proxies: Vec::new(),
            log: "info".to_owned(),
            max_upload: 50 * MEGABYTE,
            quota: None,
            inbox: None,
            tesseract: "tesseract".to_owned(),
            ocr_languages: None,
            smtp: Smtp::default(),
            private_networks: PrivateNetworks::Allow,
            authorities: Authorities::default(),
            oidc: oidc::Settings::default(),
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            audit_years: 6,
            patience: PATIENCE,
            no_backup: false,
        }
    }
}

/// A password that no log shows.
#[derive(Clone)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// All that is wrong with the settings, a sentence each; no secret is in any.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ConfigError {
    /// The sentences.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}
