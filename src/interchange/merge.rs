//! Brings what a file told into charts: all of it at once, or nothing (how a large file does that without holding up others is `staging`'s).
//!
//! What holds for every format:
//!
//! * **A record is known by its source's key.** The same file again finds every record by it, sees the same fingerprint and writes nothing.
//! * **A person's word stands.** What the source last told is kept beside each record (`record_origins.told`). A newer file changes a field
//!   only where the record still says what the source last told; where a person changed it, the newer value is offered (`import_offers`)
//!   and nothing else happens until the person takes or dismisses it. The children of a record (lab components) count as one field.
//! * **Nothing is dropped silently.** A value that a field refuses goes into the notes under the field's name and is told as a problem; what
//!   has no home yet is kept whole (`imported_leftovers`) with the reason; every resource of the file is counted with exactly one fate.
//! * **The trash is a person's word too**: a record there is left alone, and continues where it was when it is restored. A record that was
//!   purged from the trash has left nothing by which it could be known, so the next import brings it back as new.
//! * **People of the directory and patients are completed, never changed**: what they say is filled in where nothing was recorded.
//! * An import writes every kind of record, so it takes an access to the whole chart: owners, and shares without a limit.
//!
//! Statements are few: what is known of a patient's imported records is loaded once, and a record whose fingerprint is known costs none.

mod directory;
mod entry;
mod leftovers;
mod offers;
mod people;
mod records;
mod report;
mod staging;
mod systems;
#[cfg(test)]
mod tests;
mod three_way;

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDateTime;
use sha2::{Digest, Sha256};

use super::{
    draft::{Draft, Leftover, PersonDraft, Told},
    originals::{self, Original},
};
use crate::{
    access::{Actor, Edit, PatientAccess},
    audit::{Action, Event},
    db::{
        Db, Tx,
        types::{HouseholdId, PatientId, RecordId},
    },
    error::{Error, Result},
    records::field::FieldError,
};
use directory::Directory;
pub use offers::{accept, dismiss};
pub use people::{Alike, Likeness, alike};
pub use report::{AlikeReport, Change, Fate, Line, PatientReport, Problem, Report};
use staging::Stage;
pub use staging::{import, sweep};
pub(crate) use three_way::rows_to_text;

/// Whose chart the file is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By the source's key among the patients this person owns, else by an identifier that an earlier file told, else a new patient.
    Matching,
    /// By the source's key of each person: this patient, or a new one. Who is not named is matched.
    Each(BTreeMap<String, Option<PatientId>>),
    /// This one. A file about several people must know this one by the key of an earlier import; the others are matched.
    Patient(PatientId),
}

/// What [`import`] would do, without doing it: the same code, which leaves out what changes something. Nobody who writes waits for it. New
/// patients and records have no id here.
pub fn preview(db: &Db, actor: &Actor, told: &Told, target: &Target, now: NaiveDateTime) -> Result<Report> {
    let told = &*systems::own_keys(db, actor, told, target, now)?;
    let mut report = db.rehearse(|tx| {
        let mut idle = |_, _| {};
        let pairs = people::pair(tx, actor, told, target, now)?;
        let mut work = Work::new(tx, actor, told, now, &mut idle)?;
        work.is_rehearsal = true;
        work.all(tx, &pairs)
    })?;
    for patient in &mut report.patients {
        if patient.is_new {
            patient.patient = None;
        }
        for line in patient.lines.iter_mut().filter(|line| line.fate == Fate::Added) {
            line.record = None;
        }
    }
    Ok(report)
}

/// Imports what a file told. `progress` hears how many of how many entries are done; it must not use the database (the transaction holds
/// its lock), and starts again from zero when the transaction is tried again.
pub fn apply(
    tx: &mut Tx<'_>,
    actor: &Actor,
    told: &Told,
    target: &Target,
    now: NaiveDateTime,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Report> {
    let pairs = people::pair(tx, actor, told, target, now)?;
    Work::new(tx, actor, told, now, progress)?.all(tx, &pairs)
}

/// One import while it runs.
struct Work<'a> {
    /// Nothing may be written: the report is all that is wanted.
    is_rehearsal: bool,
    /// What was written before, unseen, of a large file.
    stage: Option<&'a Stage>,
    actor: &'a Actor,
    told: &'a Told,
    now: NaiveDateTime,
    /// What every record says of where it comes from: `import:fhir`.
    source: String,
    /// The actor's own household.
    household: HouseholdId,
    /// The resources of the file, to tell them from what was only named or contained in one.
    entries: HashSet<(&'a str, &'a str)>,
    /// Records and leftovers by the patient they are about; under no key, what is about nobody in the file.
    records: HashMap<Option<&'a str>, Vec<&'a Draft>>,
    leftovers: HashMap<Option<&'a str>, Vec<&'a Leftover>>,
    directories: HashMap<HouseholdId, Directory>,
    /// Households whose entries stand in the report already.
    counted: HashSet<HouseholdId>,
    /// Which record of the file has the one "primary" of a patient, a kind and a type.
    claimed: HashMap<(PatientId, &'static str, Option<String>), RecordId>,
    /// Keys of originals that were not kept yet.
    fresh: HashSet<String>,
    problems: Vec<Problem>,
    progress: &'a mut dyn FnMut(usize, usize),
    done: usize,
    total: usize,
}

impl<'a> Work<'a> {
    fn new(
        tx: &mut Tx<'_>,
        actor: &'a Actor,
        told: &'a Told,
        now: NaiveDateTime,
        progress: &'a mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        let household = people::own_household(tx, actor)?;
        let patients: HashSet<&str> = told.patients.iter().map(|person| person.source_key.as_str()).collect();
        let mut records: HashMap<_, Vec<_>> = HashMap::new();
        for draft in &told.records {
            records.entry(Some(draft.patient.as_str()).filter(|key| patients.contains(key))).or_default().push(draft);
        }
        let mut leftovers: HashMap<_, Vec<_>> = HashMap::new();
        for leftover in &told.leftovers {
            leftovers.entry(leftover.patient.as_deref().filter(|key| patients.contains(key))).or_default().push(leftover);
        }
        Ok(Self {
            is_rehearsal: false,
            stage: None,
            records,
            leftovers,
            actor,
            told,
            now,
            source: format!("import:{}", told.format),
            household,
            entries: told.entries.iter().map(|(kind, key)| (kind.as_str(), key.as_str())).collect(),
            directories: HashMap::new(),
            counted: HashSet::new(),
            claimed: HashMap::new(),
            fresh: HashSet::new(),
            problems: Vec::new(),
            progress,
            done: 0,
            total: told.records.len() + told.leftovers.len(),
        })
    }

    fn all(mut self, tx: &mut Tx<'_>, pairs: &[people::Pair<'a>]) -> Result<Report> {
        let told = self.told;
        let mut report = Report::default();
        for (index, pair) in pairs.iter().enumerate() {
            report.patients.push(self.patient(tx, pair, index == 0)?);
        }
        report.problems = told.problems.iter().map(Problem::from).chain(self.problems).collect();
        let miscounted = report.miscounted(told);
        debug_assert!(miscounted.is_empty(), "resources without exactly one fate: {miscounted:?}");
        for (kind, told, counted) in miscounted {
            log::error!("import: {told} resources of type {kind} told, {counted} counted");
        }
        Ok(report)
    }

    fn step(&mut self) {
        self.done += 1;
        (self.progress)(self.done, self.total);
    }

    fn problem(&mut self, place: &str, key: &str, detail: Option<String>) {
        self.problems.push(Problem::new(place, key, detail));
    }

    fn refused(&mut self, place: &str, field: &str, error: &FieldError) {
        self.problems.push(Problem::of_field(place, refusal(error), field, error));
    }

    /// Everything of the file that is about one person. What is about nobody goes to the first.
    fn patient(&mut self, tx: &mut Tx<'_>, pair: &people::Pair<'a>, is_first: bool) -> Result<PatientReport> {
        // The household whose directory the records name: the patient's, or the actor's for a new one.
        let household = pair.patient.as_ref().map_or_else(|| self.household.clone(), |patient| patient.household_id.clone());
        let mut report = PatientReport::default();
        self.directory(tx, &household, &mut report)?;
        let access = people::settle(self, tx, pair, &household, &mut report)?;
        if !access.scope().is_whole() {
            return Err(Error::Forbidden);
        }
        report.patient = Some(access.id().clone());
        report.name = access.patient.name();
        self.keep_originals(tx, &access, pair.draft, is_first, &mut report)?;
        let homeless = records::merge(self, tx, &access, pair.draft, &household, &mut report)?;
        leftovers::keep(self, tx, &access, pair.draft, &homeless, is_first, &mut report)?;
        self.none_known(tx, &access, &pair.draft.source_key)?;
        if is_first {
            // A statement that there is nothing and a table of contents are kept as they came; what has no original of its own goes with
            // the person.
            let own: HashSet<&str> = self.told.asides.iter().map(|(_, key, _)| key.as_str()).collect();
            for (kind, key) in &self.told.handled {
                let is_new = if own.contains(key.as_str()) { self.fresh.contains(&storable(key)) } else { report.is_new };
                self.count(&mut report, kind, key, if is_new { Fate::Added } else { Fate::Unchanged });
            }
        }
        if !self.is_rehearsal {
            Event::new(self.actor, Action::Imported, self.now).patient(access.id()).write(tx)?;
        }
        Ok(report)
    }

    /// What the file says of the person themselves; with the first one what it says of nobody.
    fn keep_originals(
        &mut self,
        tx: &mut Tx<'_>,
        access: &PatientAccess<Edit>,
        person: &'a PersonDraft,
        is_first: bool,
        report: &mut PatientReport,
    ) -> Result<()> {
        let own = ("Patient", person.source_key.as_str(), &person.original);
        let asides = self.told.asides.iter().filter(|_| is_first).map(|(kind, key, original)| (kind.as_str(), key.as_str(), original));
        for (resource_type, key, original) in std::iter::once(own).chain(asides).filter(|(.., original)| !original.is_null()) {
            let (key, resource_type) = (storable(key), storable(resource_type));
            let original = self.original(&key, &resource_type, original);
            let is_news = originals::is_news(tx, access, &original)?;
            if is_news && !self.is_rehearsal {
                originals::keep_of_patient(tx, access, &original)?;
            }
            report.originals += usize::from(is_news);
            if is_news {
                self.fresh.insert(key.clone());
            }
        }
        Ok(())
    }

    fn original<'o>(&self, source_key: &'o str, resource_type: &'o str, original: &serde_json::Value) -> Original<'o> {
        let text = original.to_string();
        Original { source_key, resource_type, fingerprint: digest(&[&text]), text, at: self.now }
    }

    /// The file's practitioners, practices and pharmacies in this household; counted with the first household that meets them.
    fn directory(&mut self, tx: &mut Tx<'_>, household: &HouseholdId, report: &mut PatientReport) -> Result<()> {
        let is_first = self.counted.is_empty();
        if !self.counted.insert(household.clone()) {
            return Ok(());
        }
        let directory = match self.directories.remove(household) {
            Some(written_before) => written_before,
            None => Directory::resolve(self, tx, household)?,
        };
        report.originals += directory.originals;
        if is_first {
            for (kind, key, fate) in &directory.fates {
                self.count(report, kind, key, *fate);
            }
        }
        self.directories.insert(household.clone(), directory);
        Ok(())
    }

    fn records_of(&self, patient: Option<&str>) -> Vec<&'a Draft> {
        self.records.get(&patient).cloned().unwrap_or_default()
    }

    fn leftovers_of(&self, patient: Option<&str>) -> Vec<&'a Leftover> {
        self.leftovers.get(&patient).cloned().unwrap_or_default()
    }

    /// Counts a resource of the file; people who are only named inside another resource are none.
    fn count(&self, report: &mut PatientReport, kind: &str, key: &str, fate: Fate) {
        if self.entries.contains(&(kind, key)) {
            report.count(kind, fate);
        }
    }

    /// Counts a draft with its parts. What was no resource of its own (a contact inside a patient) is counted beside the resources.
    fn count_draft(&self, report: &mut PatientReport, draft: &Draft, fate: Fate) {
        if self.told.counts.contains_key(&draft.resource_type) {
            self.count(report, &draft.resource_type, &draft.source_key, fate);
        } else {
            report.count(&draft.resource_type, fate);
        }
        for (kind, key) in &draft.parts {
            self.count(report, kind, key, fate);
        }
    }

    /// "There are none", said by the source, is noted where the chart agrees.
    fn none_known(&self, tx: &mut Tx<'_>, access: &PatientAccess<Edit>, patient: &str) -> Result<()> {
        if self.is_rehearsal {
            return Ok(());
        }
        let said = self.told.none_known.iter().filter(|(key, _)| key == patient);
        let kinds = said.filter_map(|(_, name)| crate::records::kind(name)).filter(|kind| kind.none_known);
        for kind in kinds {
            let known = crate::patients::none_known::kinds(tx, access.id())?;
            let query = crate::records::query::ListQuery { page: 1, per_page: 1, ..Default::default() };
            if !known.iter().any(|name| name == kind.name) && access.chart(kind)?.list(tx, &query)?.0.is_empty() {
                crate::patients::none_known::set(tx, self.actor, access.id(), kind.name, true, self.now)?;
            }
        }
        Ok(())
    }
}

/// The word for what became of a refused value: one that is only too long stands there as far as it fits.
fn refusal(error: &FieldError) -> &'static str {
    if matches!(error, FieldError::TooLong { .. }) { "shortened" } else { "refused_value" }
}

/// SHA-256 as hexadecimal digits.
pub(crate) fn digest(pieces: &[&str]) -> String {
    let mut hash = Sha256::new();
    for piece in pieces {
        // The length before each piece keeps `ab, c` and `a, bc` apart.
        hash.update(piece.len().to_le_bytes());
        hash.update(piece);
    }
    crate::checksums::hex(&hash.finalize())
}

/// A key as both databases can store it: text in `PostgreSQL` has no NUL, and a file may hold anything.
fn storable(key: &str) -> String {
    key.replace('\0', "\u{fffd}")
}
