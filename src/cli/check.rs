//! `kinchart check`: is everything there and whole?

use clap::Args;

use super::{Failure, Outcome, say};
use crate::{
    app::App,
    auth::oidc,
    config::Config,
    files::{
        blobs::{self, Whose},
        owner::Owner,
    },
    health,
    i18n::Locale,
};

/// Look whether the database answers and holds together, the key is the right one and files can be stored.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart check || echo 'something is wrong'")]
pub struct Check {
    /// Read every document to its end, which proves that none was changed; it takes as long as reading all of them.
    #[arg(long)]
    deep: bool,
}

impl Check {
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
        let mut is_well = dangling == 0 && writable.is_ok();
        for store in app.stores() {
            let found = blobs::check(&app, store, self.deep)?;
            is_well &= found.is_well();
            if store.name() == app.storage.name() {
                tell(&found, self.deep)?;
            } else if found != blobs::Found::default() {
                say(format_args!("In {}:", store.name()))?;
                tell(&found, self.deep)?;
            }
        }
        is_well &= provider_is_well(&app)?;
        if is_well { Ok(()) } else { Err(Failure::Found) }
    }
}

/// Asks the `OpenID` provider, where one is set.
fn provider_is_well(app: &App) -> Result<bool, Failure> {
    if app.provider.is_none() {
        return Ok(true);
    }
    let words = Locale::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(oidc::test(app)) {
        Ok(tested) => {
            for line in tested.told(&words) {
                say(format_args!("{line}"))?;
            }
            Ok(true)
        }
        Err(fault) => {
            say(format_args!("The OpenID provider: {}", fault.told(&words)))?;
            Ok(false)
        }
    }
}

/// What became of the documents' bytes, by the names they have in the folder.
fn tell(found: &blobs::Found, deep: bool) -> Outcome {
    let (documents, others) = (found.documents, found.whole.saturating_sub(found.documents));
    let how = if deep { "every byte read" } else { "in their length" };
    say(format_args!("{documents} documents are there, {how}; and {others} pictures that were made of them, and photographs."))?;
    if found.waiting > 0 {
        say(format_args!("{} are on their way in or out; the server takes away what broke off.", found.waiting))?;
    }
    let bad = [
        ("is missing", &found.missing),
        ("was changed", &found.changed),
        ("cannot be read now", &found.unread),
        ("lies there and belongs to nothing", &found.unknown),
    ];
    for (what, names) in bad {
        for name in names {
            match found.whose.get(name).map(whose) {
                Some(whose) => say(format_args!("{name} {what}: {whose}."))?,
                None => say(format_args!("{name} {what}."))?,
            }
        }
    }
    for name in &found.strays {
        say(format_args!("{name} lies in the store and is none of its files; nothing explains it."))?;
    }
    Ok(())
}

/// Whose it is, by ids: names are no matter of a log.
fn whose(whose: &Whose) -> String {
    match whose {
        Whose::Document { file, owner: Some(Owner::Patient(patient, _)) } => format!("document {file} of the patient {patient}"),
        Whose::Document { file, owner: Some(Owner::Practitioner(entry)) } => format!("document {file} of the practitioner {entry}"),
        Whose::Document { file, owner: Some(Owner::Inbox(household)) } => {
            format!("document {file} in the inbox of the household {household}")
        }
        Whose::Document { file, owner: None } => format!("document {file}"),
        Whose::Preview(file) => format!("the picture of a page of document {file}, which is made anew"),
        Whose::Photo(patient) => format!("the photograph of the patient {patient}"),
    }
}
