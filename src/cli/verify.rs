//! `kinchart verify`: is the audit as it was written?

use chrono::{Duration, NaiveDateTime};
use clap::Args;

use super::{Failure, Outcome, say};
use crate::{
    app::App,
    audit::{
        head,
        seal::{self, Head},
        verify::{self, Broken, Proven},
    },
};

/// What waits longer than this waits for a server.
const WAITS: Duration = Duration::minutes(10);

/// Prove that nothing of the audit was changed, removed or added since it was sealed; a running server goes on.
///
/// Every event is sealed within about a minute, in batches, each of which covers the one before. The first batch that does not hold is named,
/// with what is wrong. The newest seal is told to audit.head in the data folder as well, so that a database whose end was cut off, or that was
/// emptied, or is an older copy, is named, too; and so are triggers of the audit's tables that are missing, and a server that does not seal.
///
/// Not found is what somebody did who can change the database and the data folder as well: they can put older copies of both back, or take all
/// away and have a forged audit sealed from its beginning; with the key, they can write all of it anew. Against them keep a head elsewhere
/// (--print-head), and compare with it (--head). What is not sealed yet is not proven.
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
    /// After you put back an older database: go on with it, although the data folder knows of a newer one. The audit tells of it, and what is
    /// there is sealed as it is.
    #[arg(long, conflicts_with_all = ["head", "print_head"])]
    accept_older: bool,
}

impl Verify {
    pub fn run(self, app: &App) -> Outcome {
        let found = verify::installation(app, self.head.as_ref())?;
        match found {
            Err(Broken::Folder(_)) if self.accept_older => accept(app),
            Err(broken) => Err(Failure::Told(broken.to_string())),
            Ok(_) if self.accept_older => {
                say(format_args!("The database is the one that the data folder knows: there is nothing to accept."))
            }
            Ok(proven) if self.print_head => match proven.head {
                Some(head) => say(format_args!("{head}")),
                None => Err(Failure::Told("Nothing is sealed yet.".to_owned())),
            },
            Ok(proven) => tell(&proven, self.head.is_some(), app.clock.now()),
        }
    }
}

fn accept(app: &App) -> Outcome {
    let head = seal::accept(app)?;
    say(format_args!(
        "The audit goes on with this database; an event tells of it, and {} keeps the head that was there.",
        head::FILE_NAME
    ))?;
    say(format_args!("Head: {head}"))
}

fn day(at: NaiveDateTime) -> impl std::fmt::Display {
    at.format("%Y-%m-%d")
}

fn tell(proven: &Proven, compared: bool, now: NaiveDateTime) -> Outcome {
    say(format_args!("{} events in {} batches are as they were sealed.", proven.events, proven.seals - pruned_seals(proven)))?;
    if let Some(pruned) = &proven.pruned {
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
    tell_folder(proven)?;
    tell_waiting(proven, now)?;
    match &proven.head {
        Some(head) => say(format_args!("Head: {head}")),
        None => say(format_args!("Nothing is sealed yet.")),
    }
}

/// How far the data folder's head goes, and what was accepted before.
fn tell_folder(proven: &Proven) -> Outcome {
    let Some(newest) = &proven.head else { return Ok(()) };
    let name = head::FILE_NAME;
    let Some(kept) = &proven.folder else {
        return say(format_args!(
            "There is no {name} in the data folder, which a server writes when it seals: an end that was cut off could not be seen."
        ));
    };
    for aside in &kept.aside {
        say(format_args!("On {} an older database was accepted, in the place of one with {} batches.", day(aside.at), aside.head.number))?;
    }
    if kept.head.number < newest.number {
        return say(format_args!("{name} in the data folder is {} batches behind.", newest.number - kept.head.number));
    }
    say(format_args!("{name} in the data folder agrees."))
}

fn tell_waiting(proven: &Proven, now: NaiveDateTime) -> Outcome {
    match proven.waiting_since.filter(|since| now - *since > WAITS) {
        Some(since) => say(format_args!(
            "Attention: {} events wait to be sealed, the oldest since {} UTC; of them nothing is proven. Does a server run?",
            proven.waiting,
            since.format("%Y-%m-%d %H:%M")
        )),
        None if proven.waiting > 0 => {
            say(format_args!("{} events wait to be sealed, which a running server does within a minute or two.", proven.waiting))
        }
        None => Ok(()),
    }
}

fn pruned_seals(proven: &Proven) -> i64 {
    proven.pruned.as_ref().map_or(0, |pruned| pruned.seals)
}
