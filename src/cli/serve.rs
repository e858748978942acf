//! `kinchart serve`.

use clap::Args;

use super::Outcome;
use crate::{config::Config, serve};

/// Serve the pages and the API until stopped.
#[derive(Args)]
#[command(after_help = "Example:\n  KINCHART_LISTEN=0.0.0.0:8080 kinchart serve")]
pub struct Serve {}

impl Serve {
    #[expect(clippy::unused_self, reason = "every command is run the same way")]
    pub fn run(self, config: Config) -> Outcome {
        let app = serve::open(config)?;
        Ok(actix_web::rt::System::new().block_on(serve::run(app))?)
    }
}
