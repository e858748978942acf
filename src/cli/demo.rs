//! `kinchart demo`: an invented family, to look around.

use clap::Args;

use super::{Failure, Outcome, say};
use crate::{app::App, demo};

/// Fill an empty installation with an invented family of five, and print the two accounts with their passwords, once.
#[derive(Args)]
#[command(after_help = "Example:\n  KINCHART_DATA=/tmp/kinchart-demo kinchart demo && KINCHART_DATA=/tmp/kinchart-demo kinchart serve")]
pub struct Demo {}

impl Demo {
    #[expect(clippy::unused_self, reason = "every command is run the same way")]
    pub fn run(self, app: &App) -> Outcome {
        let Some(filled) = demo::fill(app)? else {
            return Err(Failure::Told("There is an account already: the demo is for an empty installation only.".to_owned()));
        };
        say(format_args!("{} people with {} records. Sign in as:", filled.people, filled.records))?;
        for (name, password) in &filled.accounts {
            say(format_args!("{name}\t{password}"))?;
        }
        for (kind, count) in &filled.skipped {
            say(format_args!("Skipped: {count} of the unknown kind {kind}."))?;
        }
        Ok(())
    }
}
