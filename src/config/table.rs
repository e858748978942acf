//! The table of the settings: their names, what the documentation says of them, and how each is read.

use std::path::PathBuf;

use super::{
    Config, Password,
    network::Authorities,
    set::{
        put, put_some, set_audit_years, set_database, set_log, set_max_upload, set_ocr_languages, set_secret_key, set_trusted_proxies,
        set_workers,
    },
};
use crate::{auth::oidc::settings as oidc, files::quota};

/// One setting of the table.
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// As the documentation shows it.
    pub(super) default: &'static str,
    pub(super) description: &'static str,
    /// May come from a file and is never shown.
    pub(super) secret: bool,
    /// Reads a text that is not empty; an error completes the sentence that the variable's name begins, without the text.
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
}

pub(super) const SETTINGS: [Setting; 36] = [
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
            config.quota = Some(quota::parse(text).ok_or("must be a size such as 5 GB")?);
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
