//! `kinchart key`: the secret key, to keep a copy of it.

use clap::{Args, Subcommand};

use super::{Outcome, say};
use crate::config::Config;

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
}

/// Print the key, to keep a copy of it.
///
/// A database opens only with the key it was made with: a backup without it is of no use. Keep the copy to yourself and apart from the
/// backups. It does not encrypt them; whoever has a backup can read it.
#[derive(Args)]
#[command(after_help = "Example:\n  (umask 077; kinchart key show > kinchart.key)")]
struct Show {}

impl Key {
    pub fn run(self, config: Config) -> Outcome {
        let What::Show(_) = self.what;
        say(format_args!("{}", super::existing(config)?.key.to_text()))
    }
}
