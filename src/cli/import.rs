//! `kinchart import`: files of other programs into somebody's records.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};

use super::{Failure, Outcome, account_named, complain, say};
use crate::{
    access::Actor,
    app::App,
    db::types::PatientId,
    error::Error,
    i18n::Locale,
    interchange::{
        self,
        draft::Told,
        merge::{self, Likeness, PatientReport, Problem, Report, Target},
    },
};

/// Import FHIR bundles. Each file is imported whole or not at all; one that was imported before changes nothing.
#[derive(Args)]
///
/// Without --patient a person is found again by the key or an identifier (system and value) that an earlier file told. Who only has the name
/// and the birth date of a patient who is here is imported by neither: say --patient ID or --new-patient.
#[command(after_help = "Exit codes: 0 all files imported, 1 a file was not (the others were), 2 misused.\n\nExample:\n  \
    kinchart import ann.json ben.json --as ann --json\n  kinchart import ann.json --as ann --new-patient")]
pub struct Import {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The account that imports: new patients belong to it.
    #[arg(long = "as", value_name = "NAME")]
    by: String,
    /// The patient the records are for; without it, the one each file names.
    #[arg(long, value_name = "ID", conflicts_with = "new_patient")]
    patient: Option<String>,
    /// Whoever is not known from an earlier import is a new patient, also with the name and birth date (or a number) of one who is here.
    #[arg(long)]
    new_patient: bool,
    /// Print the report as JSON: an array with an object for each file.
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
            match one(app, &actor, &target, self.new_patient, file) {
                Ok(report) if self.json => lines.push(as_json(file, &report)),
                Ok(report) => tell(file, &report)?,
                Err(reason) => {
                    failed = true;
                    complain(format_args!("{}: {reason}", file.display()));
                    lines.push(refused(file, &reason));
                }
            }
        }
        if self.json {
            say(format_args!("{:#}", Value::Array(lines)))?;
        }
        if failed { Err(Failure::Found) } else { Ok(()) }
    }
}

fn one(app: &App, actor: &Actor, target: &Target, new_patient: bool, file: &Path) -> Result<Report, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let told = interchange::read(&bytes).map_err(|error| error.to_string())?;
    let now = app.clock.now();
    let target = if *target == Target::Matching { &settled(app, actor, &told, new_patient)? } else { target };
    let report = merge::import(&app.db, actor, &told, target, now, &mut |done, total| progress(file, done, total));
    report.map_err(|error| reason(&error))
}

/// Who is who, where the file alone cannot say: a number names a patient, a name and a birth date do not.
fn settled(app: &App, actor: &Actor, told: &Told, new_patient: bool) -> Result<Target, String> {
    let alike = app.db.read(|conn| merge::alike(conn, actor, told, app.clock.now())).map_err(|error| reason(&error))?;
    if new_patient {
        return Ok(Target::Each(alike.into_iter().map(|one| (one.key, None)).collect()));
    }
    match alike.iter().find(|one| one.by == Likeness::Name) {
        None => Ok(Target::Matching),
        Some(one) => {
            let id = one.patient.id.as_str();
            Err(Locale::default().with("import.cli.same_name", &[("key", &one.key), ("name", &one.patient.name()), ("id", id)]))
        }
    }
}

/// How far a long import is, on one line of a terminal that is rewritten; a log or a pipe gets nothing of it.
fn progress(file: &Path, done: usize, total: usize) {
    let mut out = std::io::stderr();
    if !out.is_terminal() || !(done.is_multiple_of(25) || done == total) {
        return;
    }
    let end = if done == total { "\n" } else { "" };
    // A terminal that went away is no reason to stop.
    let _ = write!(out, "\r{}: {done} of {total}{end}", file.display()).and_then(|()| out.flush());
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
    problem.sentence(&Locale::default())
}

/// One object for each file. Counts are of all its patients; `patients` tells them apart where there are several.
fn as_json(file: &Path, report: &Report) -> Value {
    let sum = |counts: fn(&PatientReport) -> &BTreeMap<String, usize>| {
        let mut all: BTreeMap<&str, usize> = BTreeMap::new();
        for (kind, count) in report.patients.iter().flat_map(counts) {
            *all.entry(kind).or_default() += count;
        }
        all
    };
    let person = |patient: &PatientReport| {
        json!({
            "patient": patient.patient,
            "name": patient.name,
            "is_new": patient.is_new,
            "added": patient.added,
            "updated": patient.updated,
            "unchanged": patient.unchanged,
            "kept": patient.kept,
            "offers": patient.offers,
            "originals": patient.originals,
        })
    };
    json!({
        "file": file.display().to_string(),
        "patient": report.patients.first().and_then(|patient| patient.patient.clone()),
        "added": sum(|p| &p.added),
        "updated": sum(|p| &p.updated),
        "unchanged": sum(|p| &p.unchanged),
        "kept": sum(|p| &p.kept),
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
        "patients": report.patients.iter().map(person).collect::<Vec<_>>(),
    })
}

/// The same shape for a file that could not be imported: nothing of it was.
fn refused(file: &Path, reason: &str) -> Value {
    json!({
        "file": file.display().to_string(),
        "patient": null,
        "added": {},
        "updated": {},
        "unchanged": {},
        "kept": {},
        "problems": [{ "place": file.display().to_string(), "message": reason }],
        "patients": [],
    })
}

/// What became of each type.
fn table(patient: &PatientReport) -> Outcome {
    let all = [&patient.added, &patient.updated, &patient.unchanged, &patient.kept];
    let types: BTreeSet<&str> = all.iter().flat_map(|counts| counts.keys()).map(String::as_str).collect();
    let width = types.iter().map(|name| name.chars().count()).max().unwrap_or_default().max(4);
    say(format_args!("  {:width$}  {:>9}  {:>9}  {:>9}  {:>9}", "type", "added", "updated", "unchanged", "kept"))?;
    for name in types {
        let n = |counts: &BTreeMap<String, usize>| counts.get(name).copied().unwrap_or_default();
        say(format_args!(
            "  {name:width$}  {:>9}  {:>9}  {:>9}  {:>9}",
            n(&patient.added),
            n(&patient.updated),
            n(&patient.unchanged),
            n(&patient.kept)
        ))?;
    }
    Ok(())
}

fn tell(file: &Path, report: &Report) -> Outcome {
    for patient in &report.patients {
        let sum = |counts: &std::collections::BTreeMap<String, usize>| counts.values().sum::<usize>();
        let state = if patient.is_new { "new" } else { "known" };
        say(format_args!(
            "{}: {} ({state}): {} added, {} updated, {} unchanged, {} kept aside, {} newer values offered",
            file.display(),
            patient.name,
            sum(&patient.added),
            sum(&patient.updated),
            sum(&patient.unchanged),
            sum(&patient.kept),
            patient.offers
        ))?;
        table(patient)?;
    }
    for problem in &report.problems {
        say(format_args!("  {}: {}", problem.place, sentence(problem)))?;
    }
    Ok(())
}
