//! `kinchart workshop`: the child process that opens papers, see [`crate::workshop`].

use clap::Args;

use super::Outcome;
use crate::workshop::child;

/// Open a paper for the server, within limits. Not for people: it reads an order and bytes, and answers with what it made of them.
#[derive(Args)]
#[command(after_help = "Example:\n  cat order paper | kinchart workshop > answer")]
pub struct Workshop {}

impl Workshop {
    #[expect(clippy::unused_self, reason = "every command is run the same way")]
    pub fn run(self) -> Outcome {
        Ok(child::work(std::io::stdin().lock(), std::io::stdout().lock())?)
    }
}
