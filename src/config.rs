//! The settings: one table says what there is, reads the environment and writes `docs/configuration.md`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use thiserror::Error;

use crate::auth::{oidc::settings as oidc, secret::SecretKey};

const PREFIX: &str = "KINCHART_";
const FILE_SUFFIX: &str = "_FILE";
const DATABASE_FILE: &str = "kinchart.db";
const MOST_WORKERS: usize = 1024;
const MEGABYTE: u64 = 1_000_000;
/// In megabytes: more than any scan or film of an examination.
const MOST_UPLOAD: u64 = 100_000;
const MOST_AUDIT_YEARS: u32 = 1000;

/// Everything an installation can set; what each setting means to its users is in the table below and in `docs/configuration.md`.
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
    pub patience: std::time::Duration,
    /// No setting but `--no-backup` of this one start: the tables are brought up to date without a copy.
    pub no_backup: bool,
}

/// One setting of the table.
struct Setting {
    name: &'static str,
    /// As the documentation shows it.
    default: &'static str,
    description: &'static str,
    /// May come from a file and is never shown.
    secret: bool,
    /// Reads a text that is not empty; an error completes the sentence that the variable's name begins, without the text.
    set: fn(&mut Config, &str) -> Result<(), String>,
}

const SETTINGS: [Setting; 36] = [
    Setting {
        name: "KINCHART_LISTEN",
        default: "`127.0.0.1:8080`",
        description: "Address and port the server listens on; `0.0.0.0:8080` for all interfaces.",
        secret: false,
        set: |config, text| put(&mut config.listen, text, "must be an address with a port, such as 0.0.0.0:8080"),
    },
    Setting {
        name: "KINCHART_DATA",
        default: "`./data`",
        description: "Folder of the database, the secret key and the backups.",
        secret: false,
        set: |config, text| put(&mut config.data, text, "must be a folder"),
    },
    Setting {
        name: "KINCHART_UPLOADS",
        default: "`./uploads`",
        description: "Folder of the uploaded files.",
        secret: false,
        set: |config, text| put(&mut config.uploads, text, "must be a folder"),
    },
    Setting {
        name: "KINCHART_MAX_UPLOAD",
        default: "`50` (MB)",
        description: "The largest document that is taken, in millions of bytes.",
        secret: false,
        set: set_max_upload,
    },
    Setting {
        name: "KINCHART_QUOTA",
        default: "none",
        description: "How much the documents of a household may take, those in the trash and in the inbox too: `5 GB`, `1.5 TB`, or a number of millions of bytes.",
        secret: false,
        set: |config, text| {
            config.quota = Some(crate::files::quota::parse(text).ok_or("must be a size such as 5 GB")?);
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_INBOX",
        default: "none",
        description: "A folder that is watched: in it Kinchart makes a folder for each household, and what a scanner or a person puts there comes into the household's inbox. Its `README.txt` says which folder is whose.",
        secret: false,
        set: |config, text| {
            config.inbox = Some(PathBuf::from(text));
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_TESSERACT",
        default: "`tesseract`, where it is installed",
        description: "The program that reads the words of scans and photographs, so that the search finds them: its name or its path.",
        secret: false,
        set: |config, text| put(&mut config.tesseract, text, "must be a program"),
    },
    Setting {
        name: "KINCHART_OCR_LANGUAGES",
        default: "those installed of `eng+deu+fra+spa+ita+nld+por+pol`",
        description: "The languages it reads, by tesseract's names with `+`. Each takes time for every page.",
        secret: false,
        set: set_ocr_languages,
    },
    Setting {
        name: "KINCHART_DATABASE_URL",
        default: "`kinchart.db` in the data folder, made at the first start",
        description: "`sqlite:` and the path of an existing database, or `postgres://user:password@host/database`.",
        secret: true,
        set: set_database,
    },
    Setting {
        name: "KINCHART_PUBLIC_URL",
        default: "`http://localhost:8080`",
        description: "The address people type into the browser, without a path. With `https` the cookies are marked Secure.",
        secret: false,
        set: |config, text| {
            put(&mut config.public_url, text, "must be http:// or https:// and a host only, such as https://records.example.org")
        },
    },
    Setting {
        name: "KINCHART_SECRET_KEY",
        default: "`secret.key` in the data folder, made at the first start",
        description: "The secret key in base64, 32 bytes or more (`openssl rand -base64 32`). Keep a copy: the database does not open without it.",
        secret: true,
        set: set_secret_key,
    },
    Setting {
        name: "KINCHART_SIGNUP",
        default: "closed until an administrator opens it in the pages",
        description: "`closed`: accounts are made by an administrator or an invitation; `open`: anybody who reaches the server may make one. Set, it cannot be changed in the pages.",
        secret: false,
        set: |config, text| put_some(&mut config.signup, text, "must be closed or open"),
    },
    Setting {
        name: "KINCHART_SECOND_FACTOR",
        default: "`optional`",
        description: "Who must have a second factor (an app with codes, or a passkey): `optional`: nobody; `administrators`; `everyone`. Who has none sets one up right after signing in, before anything else.",
        secret: false,
        set: |config, text| put(&mut config.second_factor, text, "must be optional, administrators or everyone"),
    },
    Setting {
        name: "KINCHART_TRUSTED_PROXIES",
        default: "none",
        description: "Addresses and networks of the reverse proxies whose `X-Forwarded-For` is believed, with commas: `10.0.0.0/8, ::1`.",
        secret: false,
        set: set_trusted_proxies,
    },
    Setting {
        name: "KINCHART_LOG",
        default: "`info`",
        description: "`error`, `warn`, `info`, `debug` or `trace`, also for parts of the program: `info,kinchart::auth=debug`.",
        secret: false,
        set: set_log,
    },
    Setting {
        name: "KINCHART_WORKERS",
        default: "the number of processor cores",
        description: "Threads that answer requests.",
        secret: false,
        set: set_workers,
    },
    Setting {
        name: "KINCHART_SMTP_HOST",
        default: "none",
        description: "The mail server that sends invitations and reminders. Without one every invitation has a link to copy, and reminders show in the pages.",
        secret: false,
        set: |config, text| {
            config.smtp.host = Some(text.to_owned());
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_SMTP_PORT",
        default: "587; 465 with `tls`, 25 with `none`",
        description: "Its port.",
        secret: false,
        set: |config, text| put_some(&mut config.smtp.port, text, "must be a port"),
    },
    Setting {
        name: "KINCHART_SMTP_SECURITY",
        default: "`starttls`",
        description: "`starttls`: the connection must turn to TLS before anything is said; `tls`: it begins with it; `none`: for a server on the same machine.",
        secret: false,
        set: |config, text| put(&mut config.smtp.security, text, "must be starttls, tls or none"),
    },
    Setting {
        name: "KINCHART_SMTP_USERNAME",
        default: "none",
        description: "The account at the mail server, where it asks for one.",
        secret: false,
        set: |config, text| {
            config.smtp.username = Some(text.to_owned());
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_SMTP_PASSWORD",
        default: "none",
        description: "Its password.",
        secret: true,
        set: |config, text| {
            config.smtp.password = Some(Password(text.to_owned()));
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_SMTP_FROM",
        default: "kinchart@ and the host of the public address",
        description: "The sender of the mails.",
        secret: false,
        set: |config, text| put_some(&mut config.smtp.from, text, "must be an address such as Kinchart <kinchart@example.org>"),
    },
    Setting {
        name: "KINCHART_PRIVATE_NETWORKS",
        default: "`allow`",
        description: "`allow`: a person's Paperless-ngx may stand on this machine or in a private network; `refuse`: only on a public address, where people who do not live together share a server. Link-local addresses and the metadata services of clouds are never asked.",
        secret: false,
        set: |config, text| put(&mut config.private_networks, text, "must be allow or refuse"),
    },
    Setting {
        name: "KINCHART_CA_FILE",
        default: "none",
        description: "Certificates in PEM of an authority of your own, believed for connections to Paperless-ngx and to an OpenID provider beside those of the machine.",
        secret: false,
        set: |config, text| {
            config.authorities = Authorities::read(text)?;
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_OIDC_ISSUER",
        default: "none",
        description: "The address of an OpenID provider, as it calls itself: people sign in there. `https`, or `http` on this machine. docs/single-sign-on.md tells how to set one up.",
        secret: false,
        set: |config, text| {
            put_some(
                &mut config.oidc.issuer,
                text,
                "must be https:// (or http:// on this machine) and the provider's address, without a query",
            )
        },
    },
    Setting {
        name: "KINCHART_OIDC_CLIENT_ID",
        default: "none",
        description: "What the provider calls this installation.",
        secret: false,
        set: |config, text| {
            config.oidc.client_id = Some(text.to_owned());
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_OIDC_CLIENT_SECRET",
        default: "none: a public client",
        description: "The secret that the provider gave for it.",
        secret: true,
        set: |config, text| {
            config.oidc.client_secret = Some(Password(text.to_owned()));
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_OIDC_SCOPES",
        default: "`openid profile email`",
        description: "What the provider is asked for, with blanks between; some want `groups` among it.",
        secret: false,
        set: |config, text| {
            config.oidc.scopes = oidc::scopes(text).ok_or("must be scopes with blanks between them, without offline_access")?;
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_OIDC_NAME",
        default: "the provider's host",
        description: "What people read on the button.",
        secret: false,
        set: |config, text| {
            config.oidc.name = Some(text.to_owned());
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_OIDC_GROUPS_CLAIM",
        default: "`groups`",
        description: "The claim that lists somebody's groups; a path with points for one inside of others: `realm_access.roles`.",
        secret: false,
        set: |config, text| put(&mut config.oidc.groups_claim, text, "must be the name of a claim"),
    },
    Setting {
        name: "KINCHART_OIDC_ADMIN_GROUP",
        default: "none",
        description: "Whoever is in this group administers, and whoever is not does not: looked at with each sign-in by the provider. The last administrator with a password stays one.",
        secret: false,
        set: |config, text| {
            config.oidc.admin_group = Some(text.to_owned());
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_OIDC_ALLOWED_DOMAINS",
        default: "all",
        description: "Only who has a verified address in one of these domains is let in by the provider, with commas: `example.org, example.com`.",
        secret: false,
        set: |config, text| {
            config.oidc.allowed_domains = oidc::list(&text.to_lowercase());
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_OIDC_ALLOWED_GROUPS",
        default: "all",
        description: "Only who is in one of these groups is let in by the provider, with commas.",
        secret: false,
        set: |config, text| {
            config.oidc.allowed_groups = oidc::list(text);
            Ok(())
        },
    },
    Setting {
        name: "KINCHART_OIDC_SIGNUP",
        default: "as `KINCHART_SIGNUP`",
        description: "`open`: whom the provider lets in gets an account at the first sign-in; `closed`: only who was invited, or links an account.",
        secret: false,
        set: |config, text| put_some(&mut config.oidc.signup, text, "must be closed or open"),
    },
    Setting {
        name: "KINCHART_OIDC_ONLY",
        default: "`false`",
        description: "`true`: nobody signs in with a password. The way back is `kinchart user sign-in-link NAME`.",
        secret: false,
        set: |config, text| put(&mut config.oidc.only, text, "must be true or false"),
    },
    Setting {
        name: "KINCHART_AUDIT_YEARS",
        default: "`6`",
        description: "How many years the audit is kept: who looked, changed, signed in. What is older is removed, and a signed mark tells of it.",
        secret: false,
        set: set_audit_years,
    },
];

/// How mail is sent.
#[derive(Debug, Clone, Default)]
pub struct Smtp {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub security: SmtpSecurity,
    pub username: Option<String>,
    pub password: Option<Password>,
    pub from: Option<lettre::message::Mailbox>,
}

/// A password that no log shows.
#[derive(Clone)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SmtpSecurity {
    #[default]
    Starttls,
    Tls,
    None,
}

impl FromStr for SmtpSecurity {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "starttls" => Ok(Self::Starttls),
            "tls" => Ok(Self::Tls),
            "none" => Ok(Self::None),
            _ => Err(()),
        }
    }
}

/// Whether connections into private networks (RFC 1918, ULA, CGNAT) and to this machine are made for somebody who names such an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateNetworks {
    /// The family's Paperless-ngx stands at home.
    Allow,
    /// Strangers have accounts here, and are not to look around in the house.
    Refuse,
}

impl FromStr for PrivateNetworks {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "allow" => Ok(Self::Allow),
            "refuse" => Ok(Self::Refuse),
            _ => Err(()),
        }
    }
}

/// Certificates of authorities that the machine does not know.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Authorities(pub Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads a file in PEM; one without a certificate is a mistake.
    fn read(path: &str) -> Result<Self, String> {
        let text = fs::read(path).map_err(|error| format!("names a file that cannot be read: {error}"))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(Self(found)),
            _ => Err("must name a file with certificates in PEM".to_owned()),
        }
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
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

impl Config {
    /// Reads the settings from the process environment.
    ///
    /// # Errors
    /// Tells all problems together.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            match value.into_string() {
                Ok(value) => variables.push((name, value)),
                Err(_) if name.starts_with(PREFIX) => problems.push(format!("{} is not valid UTF-8.", shown(&name))),
                Err(_) => {}
            }
        }
        Self::read(variables, problems)
    }

    /// Reads the settings from names and values; an empty value counts as none.
    ///
    /// # Errors
    /// Tells all problems together.
    pub fn from_vars(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        Self::read(variables, Vec::new())
    }

    fn read(variables: impl IntoIterator<Item = (String, String)>, mut problems: Vec<String>) -> Result<Self, ConfigError> {
        let ours = variables.into_iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.trim().is_empty());
        let given: BTreeMap<String, String> = ours.collect();
        problems.extend(given.keys().filter_map(|name| unknown(name)));
        let mut config = Self::default();
        for setting in &SETTINGS {
            if let Err(problem) = setting.read(&given, &mut config) {
                problems.push(problem);
            }
        }
        problems.extend(config.oidc.problems());
        if let Database::Sqlite { file, create: true } = &mut config.database {
            *file = config.data.join(DATABASE_FILE);
        }
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }
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
            public_url: PublicUrl { text: "http://localhost:8080".to_owned() },
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
            patience: crate::pace::PATIENCE,
            no_backup: false,
        }
    }
}

impl Setting {
    fn file_name(&self) -> String {
        format!("{}{FILE_SUFFIX}", self.name)
    }

    /// The names of the setting's variables.
    fn names(&self) -> impl Iterator<Item = String> {
        let file = self.secret.then(|| self.file_name());
        std::iter::once(self.name.to_owned()).chain(file)
    }

    fn read(&self, given: &BTreeMap<String, String>, config: &mut Config) -> Result<(), String> {
        let file_name = self.file_name();
        let file = if self.secret { given.get(&file_name) } else { None };
        let (name, text) = match (given.get(self.name), file) {
            (None, None) => return Ok(()),
            (Some(_), Some(_)) => return Err(format!("{} and {file_name} are both set: keep one of them.", self.name)),
            (Some(text), None) => (self.name, text.clone()),
            (None, Some(path)) => (file_name.as_str(), secret_file(&file_name, path)?),
        };
        (self.set)(config, text.trim()).map_err(|problem| format!("{name} {problem}."))
    }
}

/// The path is not told either: it may be the secret, set in the wrong variable.
fn secret_file(name: &str, path: &str) -> Result<String, String> {
    let text = fs::read_to_string(path.trim()).map_err(|error| format!("{name} names a file that cannot be read: {error}."))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(format!("{name} names an empty file.")) } else { Ok(text.to_owned()) }
}

fn put<T: FromStr>(place: &mut T, text: &str, problem: &str) -> Result<(), String> {
    *place = text.parse().map_err(|_| problem.to_owned())?;
    Ok(())
}

fn put_some<T: FromStr>(place: &mut Option<T>, text: &str, problem: &str) -> Result<(), String> {
    *place = Some(text.parse().map_err(|_| problem.to_owned())?);
    Ok(())
}

fn set_database(config: &mut Config, text: &str) -> Result<(), String> {
    config.database = Database::parse(text)?;
    Ok(())
}

fn set_secret_key(config: &mut Config, text: &str) -> Result<(), String> {
    config.secret_key = Some(SecretKey::from_text(text).map_err(|problem| problem.to_string())?);
    Ok(())
}

fn set_trusted_proxies(config: &mut Config, text: &str) -> Result<(), String> {
    let networks = text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse);
    let networks: Result<_, NotANetwork> = networks.collect();
    config.trusted_proxies = networks.map_err(|error| error.to_string())?;
    Ok(())
}

fn set_log(config: &mut Config, text: &str) -> Result<(), String> {
    let is_level = |text: &str| text.trim().parse::<log::LevelFilter>().is_ok();
    let all_levels = text.split(',').all(|part| is_level(part.rsplit_once('=').map_or(part, |(_, level)| level)));
    text.clone_into(&mut config.log);
    all_levels
        .then_some(())
        .ok_or_else(|| "must be error, warn, info, debug, trace or off, or such as info,kinchart::auth=debug".to_owned())
}

fn set_workers(config: &mut Config, text: &str) -> Result<(), String> {
    put(&mut config.workers, text, "must be a number from 1 on")?;
    if config.workers.get() > MOST_WORKERS { Err(format!("must be at most {MOST_WORKERS}")) } else { Ok(()) }
}

fn set_ocr_languages(config: &mut Config, text: &str) -> Result<(), String> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !text.split('+').all(is_name) {
        return Err("must be names of languages with plus signs, such as eng+deu".to_owned());
    }
    config.ocr_languages = Some(text.to_owned());
    Ok(())
}

fn set_audit_years(config: &mut Config, text: &str) -> Result<(), String> {
    let years = text.parse().ok().filter(|years| (1..=MOST_AUDIT_YEARS).contains(years));
    config.audit_years = years.ok_or_else(|| format!("must be a number of years from 1 to {MOST_AUDIT_YEARS}"))?;
    Ok(())
}

fn set_max_upload(config: &mut Config, text: &str) -> Result<(), String> {
    let mut megabytes = 0_u64;
    put(&mut megabytes, text, "must be a number of megabytes")?;
    if !(1..=MOST_UPLOAD).contains(&megabytes) {
        return Err(format!("must be from 1 to {MOST_UPLOAD}"));
    }
    config.max_upload = megabytes * MEGABYTE;
    Ok(())
}

/// Which database, and whether it may be made.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite {
        /// Its path.
        file: PathBuf,
        /// Only the default is made on demand; a mistyped path must not become an empty record.
        create: bool,
    },
    /// A server.
    Postgres {
        /// With the password.
        url: String,
    },
}

impl Database {
    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres { url: text.to_owned() });
        }
        let path = text.strip_prefix("sqlite:").ok_or("must begin with sqlite: or postgres://")?;
        let file = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        let exists = file.is_file();
        exists.then_some(Self::Sqlite { file, create: false }).ok_or_else(|| "names a file that does not exist".to_owned())
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { file, create } => f.debug_struct("Sqlite").field("file", file).field("create", create).finish(),
            Self::Postgres { .. } => f.write_str("Postgres(hidden)"),
        }
    }
}

/// The address people type: scheme, host and perhaps a port, in the form that browsers send as Origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    text: String,
}

impl PublicUrl {
    /// The address without a slash at its end; the same as the Origin of requests from its pages.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether cookies can be Secure.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// The host with its port, as in the header Host.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, host)| host)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text is no address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not an http or https address of a host")]
pub struct NotAPublicUrl;

impl FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let lower = text.to_ascii_lowercase();
        let (scheme, rest) = lower.split_once("://").ok_or(NotAPublicUrl)?;
        let default_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return Err(NotAPublicUrl),
        };
        let host = rest.strip_suffix('/').unwrap_or(rest);
        let host = host.strip_suffix(default_port).unwrap_or(host);
        is_host(host).then(|| Self { text: format!("{scheme}://{host}") }).ok_or(NotAPublicUrl)
    }
}

/// A name, an IPv4 address or an IPv6 address in brackets, perhaps with a port.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let is_name = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    is_port && (is_name || address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()))
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signup {
    /// Administrators, and who is invited.
    Closed,
    /// Anybody.
    Open,
}

impl Signup {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

/// The text is neither `closed` nor `open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("neither closed nor open")]
pub struct NotASignup;

impl FromStr for Signup {
    type Err = NotASignup;

    fn from_str(text: &str) -> Result<Self, NotASignup> {
        match text {
            "closed" => Ok(Self::Closed),
            "open" => Ok(Self::Open),
            _ => Err(NotASignup),
        }
    }
}

/// Who must have a second factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SecondFactor {
    #[default]
    Optional,
    Administrators,
    Everyone,
}

impl FromStr for SecondFactor {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "optional" => Ok(Self::Optional),
            "administrators" => Ok(Self::Administrators),
            "everyone" => Ok(Self::Everyone),
            _ => Err(()),
        }
    }
}

/// An address, or all addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a list of addresses and networks with commas between them, such as 10.0.0.0/8, ::1")]
pub struct NotANetwork;

impl Network {
    /// Whether the address belongs to it; an IPv4 address may come in the clothes of IPv6.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let differing = ours.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let differing = ours.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().map_err(|_| NotANetwork)?,
            Some(_) => return Err(NotANetwork),
            None => most,
        };
        (bits <= most).then_some(Self { address, bits }).ok_or(NotANetwork)
    }
}

/// The sentence about a variable that is no setting of ours.
fn unknown(name: &str) -> Option<String> {
    let known = || SETTINGS.iter().flat_map(Setting::names);
    if set_by_kubernetes(name) || known().any(|known| known == name) {
        return None;
    }
    let nearest = known().min_by_key(|known| edit_distance(name, known))?;
    Some(format!("{} is not a setting: did you mean {nearest}?", shown(name)))
}

/// Kubernetes tells every container about a service called `kinchart` in variables of these names.
fn set_by_kubernetes(name: &str) -> bool {
    name == "KINCHART_PORT" || name.starts_with("KINCHART_PORT_") || name.starts_with("KINCHART_SERVICE_")
}

/// A name that is fit for a terminal.
fn shown(name: &str) -> String {
    name.chars().take(80).collect::<String>().escape_debug().to_string()
}

/// How many letters have to be added, removed or changed.
fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((b, above), corner) in right.chars().zip(row.iter().skip(1)).zip(&row) {
            let before = next.last().copied().unwrap_or(i);
            next.push((corner + usize::from(a != b)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// The text of `docs/configuration.md`.
#[must_use]
pub fn document() -> String {
    let rows = SETTINGS.iter().map(|setting| {
        let secret = if setting.secret { "yes" } else { "no" };
        format!("| `{}` | {} | {} | {secret} |\n", setting.name, setting.default, setting.description)
    });
    std::iter::once(INTRODUCTION.to_owned()).chain(rows).collect()
}

const INTRODUCTION: &str = "\
# Settings

<!-- Written by `src/config.rs`: change it there, then run `cargo test -- --ignored write_the_settings_document`. -->

Kinchart is set up by environment variables alone. All have a default that works on one machine; an empty value counts as none.

A secret can also come from a file: `KINCHART_SECRET_KEY_FILE=/run/secrets/key` instead of `KINCHART_SECRET_KEY`. A line break at the
file's end is dropped; setting both is an error.

A variable that begins with `KINCHART_` and is not in the table stops the program, which names the setting that was probably meant.
Only the ones that Kubernetes sets for a service called `kinchart` are ignored: `KINCHART_PORT`, `KINCHART_PORT_*` and
`KINCHART_SERVICE_*`.

| Variable | Default | What it does | Secret |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_vars(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn problems(variables: &[(&str, &str)]) -> Vec<String> {
        read(variables).unwrap_err().problems
    }

    #[test]
    fn nothing_set_is_the_default() {
        let config = read(&[("PATH", "/bin"), ("KINCHARTS", "x"), ("KINCHART_LOG", ""), ("KINCHART_SECRET_KEY_FILE", " ")]).unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.database, Database::Sqlite { file: "./data/kinchart.db".into(), create: true });
    }

    #[test]
    fn the_table_tells_the_true_defaults() {
        let shown: Vec<(String, String)> = SETTINGS
            .iter()
            .filter_map(|setting| {
                let text = setting.default.strip_prefix('`')?.strip_suffix('`')?;
                Some((setting.name.to_owned(), text.to_owned()))
            })
            .collect();
        assert_eq!(shown.len(), 12, "{shown:?}");
        assert_eq!(format!("{:?}", Config::from_vars(shown).unwrap()), format!("{:?}", Config::default()));
    }

    #[test]
    fn every_setting_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("old.db");
        fs::write(&file, "").unwrap();
        let config = read(&[
            ("KINCHART_LISTEN", "[::]:9000"),
            ("KINCHART_DATA", "/var/lib/kinchart"),
            ("KINCHART_UPLOADS", "/srv/files"),
            ("KINCHART_DATABASE_URL", &format!("sqlite:{}", file.display())),
            ("KINCHART_PUBLIC_URL", "HTTPS://Records.Example.org:443/"),
            ("KINCHART_SECRET_KEY", KEY),
            ("KINCHART_SIGNUP", "open"),
            ("KINCHART_TRUSTED_PROXIES", "10.0.0.0/8, ::1,"),
            ("KINCHART_LOG", "info,kinchart::auth=debug"),
            ("KINCHART_WORKERS", " 3 "),
            ("KINCHART_PRIVATE_NETWORKS", "refuse"),
            ("KINCHART_CA_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/authority.pem")),
        ])
        .unwrap();
        assert_eq!((config.private_networks, config.authorities.0.len()), (PrivateNetworks::Refuse, 1));
        assert_eq!(config.listen.port(), 9000);
        assert_eq!((config.data.to_str(), config.uploads.to_str()), (Some("/var/lib/kinchart"), Some("/srv/files")));
        assert_eq!(config.database, Database::Sqlite { file, create: false });
        assert_eq!((config.public_url.as_str(), config.public_url.is_https()), ("https://records.example.org", true));
        assert_eq!(config.secret_key.unwrap().to_text(), KEY);
        assert_eq!((config.signup, config.trusted_proxies.len()), (Some(Signup::Open), 2));
        assert_eq!((config.log.as_str(), config.workers.get()), ("info,kinchart::auth=debug", 3));
    }

    #[test]
    fn the_default_database_follows_the_data_folder() {
        let config = read(&[("KINCHART_DATA", "/srv/k")]).unwrap();
        assert_eq!(config.database, Database::Sqlite { file: "/srv/k/kinchart.db".into(), create: true });
    }

    #[test]
    fn each_wrong_value_is_one_sentence_with_the_name() {
        for (name, value) in [
            ("KINCHART_LISTEN", "8080"),
            ("KINCHART_LISTEN", "localhost"),
            ("KINCHART_DATABASE_URL", "mysql://x"),
            ("KINCHART_DATABASE_URL", "sqlite:/no/such/file.db"),
            ("KINCHART_DATABASE_URL", "sqlite::memory:"),
            ("KINCHART_PUBLIC_URL", "ftp://x"),
            ("KINCHART_PUBLIC_URL", "https://x/kinchart"),
            ("KINCHART_SECRET_KEY", "c2hvcnQ="),
            ("KINCHART_SIGNUP", "yes"),
            ("KINCHART_TRUSTED_PROXIES", "10.0.0.0/33"),
            ("KINCHART_LOG", "inof"),
            ("KINCHART_LOG", "info,kinchart=loud"),
            ("KINCHART_WORKERS", "0"),
            ("KINCHART_WORKERS", "1000000"),
            ("KINCHART_PRIVATE_NETWORKS", "maybe"),
            ("KINCHART_CA_FILE", "/no/such/file.pem"),
            ("KINCHART_CA_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")),
        ] {
            let problems = problems(&[(name, value)]);
            let is_about_it = |problem: &String| problem.starts_with(&format!("{name} ")) && problem.ends_with('.');
            assert!(problems.len() == 1 && problems.iter().all(is_about_it), "{value}: {problems:?}");
        }
    }

    #[test]
    fn all_problems_are_told_together() {
        let problems = problems(&[("KINCHART_WORKERS", "many"), ("KINCHART_SINGUP", "open"), ("KINCHART_LISTEN", "x")]);
        assert_eq!(
            problems,
            [
                "KINCHART_SINGUP is not a setting: did you mean KINCHART_SIGNUP?",
                "KINCHART_LISTEN must be an address with a port, such as 0.0.0.0:8080.",
                "KINCHART_WORKERS must be a number from 1 on.",
            ]
        );
        assert_eq!(ConfigError { problems: vec!["a".into(), "b".into()] }.to_string(), "a\nb");
    }

    #[test]
    fn unknown_variables_name_the_nearest() {
        for (typed, meant) in [
            ("KINCHART_DATABASE", "KINCHART_DATA"),
            ("KINCHART_SECRETKEY_FILE", "KINCHART_SECRET_KEY_FILE"),
            ("KINCHART_TRUSTED_PROXY", "KINCHART_TRUSTED_PROXIES"),
            ("KINCHART_PORTS", "KINCHART_DATA"),
        ] {
            let problems = problems(&[(typed, "x")]);
            assert_eq!(problems, [format!("{typed} is not a setting: did you mean {meant}?")]);
        }
        assert!(problems(&[("KINCHART_LISTEN_FILE", "x")]).concat().contains("did you mean KINCHART_LISTEN?"), "no secret, no file");
        assert!(problems(&[("KINCHART_\u{1b}[2J", "x")]).concat().contains("\\u{1b}"), "nothing for the terminal");
    }

    #[test]
    fn kubernetes_may_set_its_own() {
        let config = read(&[
            ("KINCHART_PORT", "tcp://10.0.0.1:80"),
            ("KINCHART_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("KINCHART_SERVICE_HOST", "10.0.0.1"),
        ]);
        assert!(config.is_ok());
    }

    #[test]
    fn secrets_come_from_files_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, format!("{KEY}\r\n")).unwrap();
        let path = path.to_str().unwrap();
        let config = read(&[("KINCHART_SECRET_KEY_FILE", path)]).unwrap();
        assert_eq!(config.secret_key.unwrap().to_text(), KEY);
        fs::write(path, "postgres://u:hunter22@db/k\n").unwrap();
        let config = read(&[("KINCHART_DATABASE_URL_FILE", path)]).unwrap();
        assert_eq!(config.database, Database::Postgres { url: "postgres://u:hunter22@db/k".into() });
        let both = problems(&[("KINCHART_SECRET_KEY", KEY), ("KINCHART_SECRET_KEY_FILE", path)]);
        assert_eq!(both, ["KINCHART_SECRET_KEY and KINCHART_SECRET_KEY_FILE are both set: keep one of them."]);
        fs::write(path, "\n").unwrap();
        assert_eq!(problems(&[("KINCHART_SECRET_KEY_FILE", path)]), ["KINCHART_SECRET_KEY_FILE names an empty file."]);
    }

    #[test]
    fn secrets_are_never_shown() {
        let config = read(&[("KINCHART_SECRET_KEY", KEY), ("KINCHART_DATABASE_URL", "postgres://u:hunter22@db/k")]).unwrap();
        let debug = format!("{config:?} {config:#?}");
        assert!(!debug.contains("hunter22") && !debug.contains(KEY), "{debug}");
        for name in
            ["KINCHART_SECRET_KEY", "KINCHART_SECRET_KEY_FILE", "KINCHART_DATABASE_URL", "KINCHART_DATABASE_URL_FILE", "KINCHART_SECRETKEY"]
        {
            let error = read(&[(name, "mysql://u:hunter22@db/k")]).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter22"), "{error}");
        }
    }

    #[test]
    fn public_addresses_become_origins() {
        for (typed, origin, host) in [
            ("http://localhost:8080", "http://localhost:8080", "localhost:8080"),
            ("http://192.168.1.5/", "http://192.168.1.5", "192.168.1.5"),
            ("http://x:80", "http://x", "x"),
            ("https://x:80", "https://x:80", "x:80"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]", "[2001:db8::1]"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "[2001:db8::1]:8443"),
        ] {
            let url: PublicUrl = typed.parse().unwrap();
            assert_eq!((url.as_str(), url.host()), (origin, host));
        }
        for text in [
            "",
            "localhost:8080",
            "http://",
            "http://x//",
            "http://x?y",
            "http://u@x",
            "http://x:",
            "http://x:99999",
            "http://x:+1",
            "http://[x]",
            "http://a b",
            "http://x/#",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(NotAPublicUrl), "{text}");
        }
    }

    #[test]
    fn networks_contain_their_addresses() {
        let contains = |network: &str, address: &str| network.parse::<Network>().unwrap().contains(address.parse().unwrap());
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "fe80::1", true),
        ] {
            assert_eq!(contains(network, address), inside, "{network} {address}");
        }
        for text in ["", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0/8", "::1/129", "proxy", "10.0.0.0/8/8"] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }

    #[test]
    fn edits_are_counted() {
        for (left, right, distance) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("abc", "abc", 0), ("ab", "ba", 2), ("flaw", "lawn", 2)]
        {
            assert_eq!((edit_distance(left, right), edit_distance(right, left)), (distance, distance), "{left} {right}");
        }
    }

    fn document_path() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md"))
    }

    #[test]
    fn the_settings_document_is_up_to_date() {
        let written = fs::read_to_string(document_path()).unwrap_or_default();
        assert!(written == document(), "run: cargo test -- --ignored write_the_settings_document");
    }

    #[test]
    #[ignore = "writes docs/configuration.md"]
    fn write_the_settings_document() {
        fs::write(document_path(), document()).unwrap();
    }

    proptest! {
        #[test]
        fn arbitrary_values_never_panic(value in any::<String>()) {
            let variables = SETTINGS.iter().map(|setting| (setting.name.to_owned(), value.clone()));
            let _ = Config::from_vars(variables);
        }

        #[test]
        fn arbitrary_hosts_never_panic(rest in "[a-z0-9:/\\[\\].@-]{0,20}") {
            if let Ok(url) = format!("https://{rest}").parse::<PublicUrl>() {
                prop_assert_eq!(url.as_str().parse::<PublicUrl>(), Ok(url.clone()));
            }
        }
    }
}
