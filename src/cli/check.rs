//! `kinchart check`: is everything there and whole?

use clap::Args;

use super::{Failure, Outcome, say};
use crate::{config::Config, health};

/// Look whether the database answers and holds together, the key is the right one and files can be stored.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart check || echo 'something is wrong'")]
pub struct Check {}

impl Check {
    #[expect(clippy::unused_self, reason = "every command is run the same way")]
    pub fn run(self, config: Config) -> Outcome {
        let uploads = config.uploads.clone();
        // Opening brings the tables up to date and compares the key with the database's.
        let app = match super::existing(config) {
            Err(failure) => {
                say(format_args!("The database or the key: not well."))?;
                return Err(failure);
            }
            Ok(app) => app,
        };
        say(format_args!("The database answers, and the key is its own."))?;
        let dangling = app.db.dangling()?;
        if dangling == 0 {
            say(format_args!("All rows point at something that is there."))?;
        } else {
            say(format_args!("{dangling} rows point at something that is not there."))?;
        }
        let writable = health::writable(&uploads);
        match &writable {
            Ok(()) => say(format_args!("Files can be stored in {}.", uploads.display()))?,
            Err(error) => say(format_args!("Files cannot be stored in {}: {error}.", uploads.display()))?,
        }
        if dangling == 0 && writable.is_ok() { Ok(()) } else { Err(Failure::Found) }
    }
}
