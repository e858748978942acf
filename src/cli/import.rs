//! `kinchart import`: files of other programs into somebody's records.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Failure, Outcome, account_named};
use crate::{
    access::Actor,
    app::App,
    db::types::PatientId,
    error::Error,
    i18n::Locale,
    interchange::{
        fhir,
        merge::{self, PatientReport, Problem, Report, Target},
    },
};

/// Import FHIR bundles. Each file is imported whole or not at all; one that was imported before changes nothing.
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
    /// Print the report as JSON: an array, an object for each file and patient.
    #[arg(long)]
    json: bool,
}

impl Import {
    pub fn run(self, app: &App) -> Outcome {
        let account = account_named(app, &self.by)?;
        if account.disabled_at.is_some() {
            return Err(Failure::Told(format!("The account {} is disabled.", account.username)));
        }
        let actor = account.at_the_command_line();
        let target = match &self.patient {
            Some(text) => Target::Patient(PatientId::parse(text).ok_or_else(|| Failure::Told(format!("{text} is no patient's id.")))?),
            None => Target::Matching,
        };
        let mut lines = Vec::new();
        let mut failed = false;
        for file in &self.files {
            match one(app, &actor, &target, file) {
                Ok(report) if self.json => lines.extend(as_json(file, &report)),
                Ok(report) => tell(file, &report),
                Err(reason) => {
                    failed = true;
                    eprintln!("{}: {reason}", file.display());
                    lines.push(json!({ "file": file.display().to_string(), "error": reason }));
                }
            }
        }
        if self.json {
            println!("{:#}", Value::Array(lines));
        }
        if failed { Err(Failure::Found) } else { Ok(()) }
    }
}

fn one(app: &App, actor: &Actor, target: &Target, file: &Path) -> Result<Report, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let told = fhir::read(&bytes).map_err(|error| error.to_string())?;
    let now = app.clock.now();
    app.db.write(|tx| merge::apply(tx, actor, &told, target, now, &mut |_, _| {})).map_err(|error| reason(&error))
}

fn reason(error: &Error) -> String {
    match error {
        Error::NotFound => "there is no such patient for this account".to_owned(),
        Error::BadRequest(key) => Locale::default().t(&format!("problem.{key}")),
        other => other.to_string(),
    }
}

fn problem(problem: &Problem) -> Value {
    json!({ "place": problem.place, "message": sentence(problem), "key": problem.key, "detail": problem.detail, "reason": problem.reason })
}

fn sentence(problem: &Problem) -> String {
    let words = Locale::default();
    let reason = problem.reason.as_deref().map(|key| words.t(key)).unwrap_or_default();
    words.with(&problem.key, &[("detail", problem.detail.as_deref().unwrap_or_default()), ("reason", &reason)])
}

/// One object for each patient; what is wrong with the file as a whole stands with its first.
fn as_json(file: &Path, report: &Report) -> Vec<Value> {
    let problems: Vec<Value> = report.problems.iter().map(problem).collect();
    let object = |(index, patient): (usize, &PatientReport)| {
        json!({
            "file": file.display().to_string(),
            "patient": patient.patient,
            "name": patient.name,
            "is_new": patient.is_new,
            "added": patient.added,
            "updated": patient.updated,
            "unchanged": patient.unchanged,
            "kept": patient.kept,
            "offers": patient.offers,
            "problems": if index == 0 { problems.clone() } else { Vec::new() },
        })
    };
    report.patients.iter().enumerate().map(object).collect()
}

fn tell(file: &Path, report: &Report) {
    for patient in &report.patients {
        let sum = |counts: &std::collections::BTreeMap<String, usize>| counts.values().sum::<usize>();
        let state = if patient.is_new { "new" } else { "known" };
        println!(
            "{}: {} ({state}): {} added, {} updated, {} unchanged, {} kept aside, {} newer values offered",
            file.display(),
            patient.name,
            sum(&patient.added),
            sum(&patient.updated),
            sum(&patient.unchanged),
            sum(&patient.kept),
            patient.offers
        );
    }
    for problem in &report.problems {
        println!("  {}: {}", problem.place, sentence(problem));
    }
}
