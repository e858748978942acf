//! `kinchart verify`: is the audit as it was written?

use clap::Args;

use super::{Failure, Outcome, say};
use crate::{
    app::App,
    audit::{
        seal::Head,
        verify::{self, Proven},
    },
};

/// Prove that nothing of the audit was changed, removed or added since it was sealed; a running server goes on.
///
/// Every event is sealed within about a minute, in batches, each of which covers the one before. The first batch that does not hold is named,
/// with what is wrong. Whoever can write to the database and has the key can still write all of it anew, or cut off its end: keep a head
/// elsewhere (--print-head), and compare with it (--head).
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 all is as it was written, 1 it is not, 2 misused.\n\nExample:\n  kinchart verify --print-head > audit.head"
)]
pub struct Verify {
    /// A head that was kept: the audit must still contain it.
    #[arg(long, value_name = "TEXT")]
    head: Option<Head>,
    /// After all was found right, print the newest head and nothing else.
    #[arg(long)]
    print_head: bool,
}

impl Verify {
    pub fn run(self, app: &App) -> Outcome {
        match app.db.read(|conn| verify::verify(conn, &app.key, self.head.as_ref()))? {
            Err(broken) => Err(Failure::Told(broken.to_string())),
            Ok(proven) if self.print_head => match proven.head {
                Some(head) => say(format_args!("{head}")),
                None => Err(Failure::Told("Nothing is sealed yet.".to_owned())),
            },
            Ok(proven) => tell(&proven, self.head.is_some()),
        }
    }
}

fn tell(proven: &Proven, compared: bool) -> Outcome {
    say(format_args!("{} events in {} batches are as they were sealed.", proven.events, proven.seals - pruned_seals(proven)))?;
    if let Some(pruned) = &proven.pruned {
        let day = |at: chrono::NaiveDateTime| at.format("%Y-%m-%d");
        say(format_args!(
            "{} batches with {} events from {} to {} were removed by age; their seals are there.",
            pruned.seals,
            pruned.events,
            day(pruned.first_at),
            day(pruned.last_at)
        ))?;
    }
    if compared {
        say(format_args!("The head that was kept is among them."))?;
    }
    if proven.waiting > 0 {
        say(format_args!("{} events wait to be sealed, which a running server does within a minute or two.", proven.waiting))?;
    }
    match &proven.head {
        Some(head) => say(format_args!("Head: {head}")),
        None => say(format_args!("Nothing is sealed yet.")),
    }
}

fn pruned_seals(proven: &Proven) -> i64 {
    proven.pruned.as_ref().map_or(0, |pruned| pruned.seals)
}
