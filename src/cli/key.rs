//! `kinchart key`: the secret key, to keep a copy of it, and another one in its place.

use std::io::{self, BufRead};

use clap::{Args, Subcommand};

use super::{Failure, Outcome, say};
use crate::{
    auth::{key_change, secret::SecretKey},
    config::Config,
};

/// The installation's secret key.
#[derive(Args)]
#[command(after_help = "Example:\n  (umask 077; kinchart key show > kinchart.key)")]
pub struct Key {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Show(Show),
    Change(Change),
}

/// Print the key, to keep a copy of it.
///
/// A database opens only with the key it was made with, and documents are encrypted with it: a backup without it is of no use. Keep the copy
/// to yourself and apart from the backups. It does not encrypt the database; whoever has a backup can read that.
#[derive(Args)]
#[command(after_help = "Example:\n  (umask 077; kinchart key show > kinchart.key)")]
struct Show {}

/// Put another key in the place of the installation's, such as when somebody may have seen it.
///
/// Documents are not written anew: each has a key of its own, and these are wrapped with the new one, all or none. Everybody is signed out, and
/// links to professionals and invitations that were sent no longer open. A server that runs stops within a few seconds: start it again. Backups
/// made before need the old key.
#[derive(Args)]
#[command(
    after_help = "Example:\n  kinchart key change && systemctl restart kinchart\n  openssl rand -base64 32 | kinchart key change --stdin"
)]
struct Change {
    /// Read the new key from standard input, in base64, instead of making one.
    #[arg(long)]
    stdin: bool,
}

impl Key {
    pub fn run(self, config: Config) -> Outcome {
        match self.what {
            What::Show(_) => say(format_args!("{}", super::existing(config)?.key.to_text())),
            What::Change(change) => change.run(config),
        }
    }
}

impl Change {
    fn run(self, config: Config) -> Outcome {
        let new = if self.stdin { read()? } else { SecretKey::generate().map_err(|error| Failure::Told(error.to_string()))? };
        let app = super::existing(config)?;
        let changed = key_change::change(&app, &new).map_err(|error| Failure::Told(format!("{error}.")))?;
        say(format_args!("The key was changed, and the keys of {} documents were wrapped with it.", changed.files))?;
        if let Some(file) = changed.waits_in {
            say(format_args!("It is in {}: give it in KINCHART_SECRET_KEY, and remove that file.", file.display()))?;
        }
        say(format_args!("Keep a copy of it (kinchart key show), and start a server that ran before again."))
    }
}

fn read() -> Result<SecretKey, Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    SecretKey::from_text(&line).map_err(|problem| Failure::Told(format!("What came on standard input {problem}.")))
}
