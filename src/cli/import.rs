//! `kinchart import`: files of other programs into somebody's records.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, Outcome, account_named};
use crate::{access::Actor, app::App, db::types::PatientId};

/// Import FHIR bundles. A file that was imported before changes nothing.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart import ann.json ben.json --as ann --json")]
pub struct Import {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The account that imports: new patients belong to it.
    #[arg(long = "as", value_name = "NAME")]
    by: String,
    /// The patient the records are for; without it, the one each file names.
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

impl Import {
    pub fn run(self, app: &App) -> Outcome {
        let actor = account_named(app, &self.by)?.at_the_command_line();
        let patient = match &self.patient {
            Some(text) => Some(PatientId::parse(text).ok_or_else(|| Failure::Told(format!("{text} is no patient's id.")))?),
            None => None,
        };
        self.read(app, &actor, patient.as_ref())
    }

    /// Connected when `interchange::merge` is merged: read each file, apply it, print its report.
    fn read(&self, _: &App, _: &Actor, _: Option<&PatientId>) -> Outcome {
        let _ = (&self.files, self.json);
        Err(Failure::Told("Importing is not connected yet.".to_owned()))
    }
}
