//! `kinchart key`: the secret key, to keep a copy of it.

use clap::{Args, Subcommand};

use super::Outcome;
use crate::config::Config;

/// The installation's secret key.
#[derive(Args)]
pub struct Key {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Show(Show),
}

/// Print the key. Keep it apart from the backups: with it they can be read, without it the database does not open.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart key show > kinchart.key")]
struct Show {}

impl Key {
    pub fn run(self, config: Config) -> Outcome {
        let What::Show(_) = self.what;
        println!("{}", super::open(config)?.key.to_text());
        Ok(())
    }
}
