//! The records of one patient: new ones are added, known ones compared, and what a person changed is left alone.

use std::collections::{HashMap, HashSet};

use super::super::draft::{Draft, LeftoverReason, PersonDraft};
use super::{
    Work, digest,
    entry::{self, Ends, Home, Reading},
    report::{Change, Fate, Line, PatientReport, Problem},
    storable,
    three_way::{self, Verdict},
};
use crate::{
    access::{Edit, PatientAccess},
    db::{
        Tx,
        types::{HouseholdId, RecordId},
    },
    error::Result,
    patients,
    records::{
        self, AnyRecord, Context, Kind,
        chart::{self, Link, Loaded},
        codings,
        field::{Input, Mode},
        input::{self, Raw},
        origins::{self, Offer, Origin, Telling},
        version::{Snapshot, differences},
    },
};

/// A draft with its place in the chart.
struct Planned<'a> {
    draft: &'a Draft,
    kind: &'static Kind,
    id: RecordId,
    key: String,
    fingerprint: String,
    original: String,
    /// What is known of it from an earlier import.
    origin: Option<Origin>,
}

impl Planned<'_> {
    fn is_same(&self) -> bool {
        self.origin
            .as_ref()
            .is_some_and(|origin| origin.is_trashed || origin.fingerprint == self.fingerprint || origin.kind != self.kind.name)
    }
    /// What has become another kind in a newer program stays what it is in the chart.
    fn home(&self) -> Home {
        let kind = self.origin.as_ref().map_or(self.kind.name, |origin| origin.kind.as_str());
        Home { id: self.id.clone(), kind: kind.to_owned() }
    }
    fn is_trashed(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.is_trashed)
    }
}

/// Brings the records of one person in. Returns the drafts that have no home because no such kind is kept here.
pub fn merge<'a>(
    work: &mut Work<'a>,
    tx: &mut Tx<'_>,
    access: &PatientAccess<Edit>,
    person: &PersonDraft,
    household: &HouseholdId,
    report: &mut PatientReport,
) -> Result<Vec<&'a Draft>> {
    let mut origins = origins::all(tx, access)?;
    tell_of_withdrawn(work, person, &origins);
    let mut homeless = Vec::new();
    let mut written_before = Vec::new();
    let mut plan = Vec::new();
    let mut keys = HashSet::new();
    for draft in work.records_of(Some(&person.source_key)) {
        match records::kind(draft.kind) {
            None => homeless.push(draft),
            Some(_) if !keys.insert(draft.source_key.as_str()) => {
                work.problem(&draft.source_key, "duplicate_id", None);
                work.count_draft(report, draft, Fate::Unchanged);
                work.step();
            }
            Some(_) if work.stage.is_some_and(|stage| stage.records.contains_key(&draft.source_key)) => written_before.push(draft),
            Some(kind) => plan.push(planned(draft, kind, &mut origins)),
        }
    }
    let mut homes = homes(&plan);
    homes.extend(
        written_before.iter().filter_map(|draft| Some((draft.source_key.clone(), work.stage?.records.get(&draft.source_key)?.home(draft)))),
    );
    let said = patients::none_known::kinds(tx, access.id())?;
    let mut merging = Merging::new(work, access, household, &homes, report);
    merging.show(&written_before);
    merging.all(tx, &plan)?;
    tell_of_contradicted(work, tx, access, person, &said)?;
    if !work.is_rehearsal {
        forget_leftovers(tx, access, plan.iter().map(|planned| planned.draft).chain(written_before))?;
    }
    Ok(homeless)
}

/// Where the keys of a plan lead.
fn homes(plan: &[Planned<'_>]) -> HashMap<String, Home> {
    let alive = plan.iter().filter(|planned| !planned.is_trashed());
    alive.map(|planned| (planned.draft.source_key.clone(), planned.home())).collect()
}

/// A record that a stage has written: what the report will say of it.
pub struct Staged {
    id: RecordId,
    line: Line,
    problems: Vec<Problem>,
}

impl Staged {
    fn home(&self, draft: &Draft) -> Home {
        Home { id: self.id.clone(), kind: draft.kind.to_owned() }
    }
}

/// The new records of one person, to be written unseen.
pub struct Batch<'a> {
    plan: Vec<Planned<'a>>,
    homes: HashMap<String, Home>,
}

/// What a part of a batch came to: records by the source's key, and those with ties.
pub type Written = (Vec<(String, Staged)>, Vec<Untied>);

/// A record of a batch whose ties wait for their other ends.
pub type Untied = (usize, chart::Draft);

impl<'a> Batch<'a> {
    pub fn new(work: &Work<'a>, tx: &mut Tx<'_>, access: &PatientAccess<Edit>, person: &str) -> Result<Self> {
        let mut origins = origins::all(tx, access)?;
        let mut keys = HashSet::new();
        let drafts = work.records_of(Some(person)).into_iter().filter(|draft| keys.insert(draft.source_key.as_str()));
        let all: Vec<Planned<'a>> = drafts.filter_map(|draft| Some(planned(draft, records::kind(draft.kind)?, &mut origins))).collect();
        let homes = homes(&all);
        Ok(Self { plan: all.into_iter().filter(|planned| planned.origin.is_none()).collect(), homes })
    }

    pub fn len(&self) -> usize {
        self.plan.len()
    }

    /// Writes some of them.
    pub fn write(
        &self,
        work: &mut Work<'a>,
        tx: &mut Tx<'_>,
        access: &PatientAccess<Edit>,
        (stage, places): (&str, std::ops::Range<usize>),
    ) -> Result<Written> {
        let household = access.household().clone();
        let (mut written, mut untied) = (Vec::new(), Vec::new());
        let mut report = PatientReport::default();
        for place in places {
            let Some(planned) = self.plan.get(place) else { break };
            work.problems.clear();
            let mut merging = Merging::new(work, access, &household, &self.homes, &mut report);
            merging.stage = Some(stage);
            untied.extend(merging.add(tx, planned)?.map(|(_, draft)| (place, draft)));
            let problems = std::mem::take(&mut work.problems);
            let told = report.lines.pop().map(|line| Staged { id: planned.id.clone(), line, problems });
            written.extend(told.map(|told| (planned.draft.source_key.clone(), told)));
        }
        Ok((written, untied))
    }

    pub fn tie(&self, tx: &mut Tx<'_>, access: &PatientAccess<Edit>, untied: &[Untied]) -> Result<()> {
        for (place, draft) in untied {
            let Some(planned) = self.plan.get(*place) else { continue };
            access.chart(planned.kind)?.tie(tx, &planned.id, draft)?;
        }
        Ok(())
    }
}

fn planned<'a>(draft: &'a Draft, kind: &'static Kind, origins: &mut HashMap<String, Origin>) -> Planned<'a> {
    let key = storable(&draft.source_key);
    let origin = origins.remove(&key);
    let original = draft.original.to_string();
    let id = origin.as_ref().map_or_else(RecordId::new, |origin| origin.record.clone());
    Planned { draft, kind, id, fingerprint: fingerprint(draft, &original), key, original, origin }
}

/// Of everything told: what the reader made of it, so that a better reader shows, and the original, so that it is always the newest.
fn fingerprint(draft: &Draft, original: &str) -> String {
    let row = |row: &super::super::draft::Fields| serde_json::json!(row).to_string();
    let mut pieces = vec![draft.kind.to_owned(), row(&draft.fields)];
    pieces.push(draft.children.as_ref().map_or(0, Vec::len).to_string());
    pieces.extend(draft.children.iter().flatten().map(row));
    pieces.push(draft.practitioner.clone().unwrap_or_default());
    pieces.push(draft.pharmacy.clone().unwrap_or_default());
    pieces.extend(draft.links.iter().map(|link| format!("{} {}", link.relation, link.to)));
    pieces.extend(draft.codes.iter().map(|code| format!("{}|{} {}", code.system, code.code, code.display.as_deref().unwrap_or_default())));
    pieces.push(original.to_owned());
    digest(&pieces.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A record that the source takes back stays, because taking it away is a person's decision, who is told.
fn tell_of_withdrawn(work: &mut Work<'_>, person: &PersonDraft, origins: &HashMap<String, Origin>) {
    let told = work.leftovers_of(Some(&person.source_key)).into_iter();
    for leftover in told.filter(|leftover| leftover.reason == LeftoverReason::Withdrawn) {
        if let Some(origin) = origins.get(&leftover.source_key).filter(|origin| !origin.is_trashed) {
            work.problem(&leftover.source_key, "withdrawn_since", Some(origin.title.clone()));
        }
    }
}

/// A person had said "there are none", and the file tells of one: the statement is withdrawn with the record, and the person is told.
fn tell_of_contradicted(
    work: &mut Work<'_>,
    tx: &mut Tx<'_>,
    access: &PatientAccess<Edit>,
    person: &PersonDraft,
    said: &[String],
) -> Result<()> {
    let still = patients::none_known::kinds(tx, access.id())?;
    for kind in said.iter().filter(|kind| !still.contains(kind)).filter_map(|name| records::kind(name)) {
        let shown = crate::i18n::Locale::default().t(&format!("kind.{}", kind.word()));
        work.problem(&person.source_key, "none_known_withdrawn", Some(shown));
    }
    Ok(())
}

/// What an older program could only keep is a record now.
fn forget_leftovers<'d>(tx: &mut Tx<'_>, access: &PatientAccess<Edit>, drafts: impl Iterator<Item = &'d Draft>) -> Result<()> {
    let known = origins::known_leftovers(tx, access)?;
    if known.is_empty() {
        return Ok(());
    }
    let keys =
        drafts.flat_map(|draft| std::iter::once(storable(&draft.source_key)).chain(draft.parts.iter().map(|(_, key)| storable(key))));
    for key in keys.filter(|key| known.contains_key(key)) {
        origins::discard(tx, access, &key)?;
    }
    Ok(())
}

/// Everything that adding and updating need.
struct Merging<'m, 'a> {
    work: &'m mut Work<'a>,
    access: &'m PatientAccess<Edit>,
    household: &'m HouseholdId,
    homes: &'m HashMap<String, Home>,
    /// Of the records told so far, by id.
    titles: HashMap<String, String>,
    report: &'m mut PatientReport,
    /// New records are written unseen, for this stage.
    stage: Option<&'m str>,
}

impl<'m, 'a> Merging<'m, 'a> {
    fn new(
        work: &'m mut Work<'a>,
        access: &'m PatientAccess<Edit>,
        household: &'m HouseholdId,
        homes: &'m HashMap<String, Home>,
        report: &'m mut PatientReport,
    ) -> Self {
        Self { work, access, household, homes, titles: HashMap::new(), report, stage: None }
    }

    /// Tells of what a stage has written.
    fn show(&mut self, written: &[&Draft]) {
        let Some(stage) = self.work.stage else { return };
        for draft in written {
            let Some(told) = stage.records.get(&draft.source_key) else { continue };
            self.work.count_draft(self.report, draft, Fate::Added);
            self.work.problems.extend(told.problems.iter().cloned());
            self.titles.insert(told.id.to_string(), told.line.title.clone());
            self.report.lines.push(told.line.clone());
        }
    }

    fn all(&mut self, tx: &mut Tx<'_>, plan: &[Planned<'_>]) -> Result<()> {
        let mut untied = Vec::new();
        for planned in plan.iter().filter(|planned| planned.origin.is_none()) {
            untied.extend(self.add(tx, planned)?);
        }
        // Ties come when both ends are there.
        for (planned, draft) in untied.iter().filter(|_| !self.work.is_rehearsal) {
            self.access.chart(planned.kind)?.tie(tx, &planned.id, draft)?;
        }
        for planned in plan.iter().filter(|planned| planned.is_same()) {
            self.leave(planned);
        }
        let changed: Vec<&Planned<'_>> = plan.iter().filter(|planned| planned.origin.is_some() && !planned.is_same()).collect();
        self.renew_all(tx, &changed)
    }

    fn read(&mut self, tx: &mut Tx<'_>, planned: &Planned<'_>) -> Result<Reading> {
        let empty = HashMap::new();
        let directory = self.work.directories.get(self.household);
        let ends = Ends {
            practitioners: directory.map_or(&empty, |d| &d.practitioners),
            pharmacies: directory.map_or(&empty, |d| &d.pharmacies),
            homes: self.homes,
        };
        let context = Context { today: self.work.now.date(), birth: self.access.patient.fields.birth_date.as_ref(), strict: false };
        let mut reading = entry::read(planned.kind, planned.draft, &ends, &context);
        self.work.problems.append(&mut reading.problems);
        self.yield_flag(tx, planned, reading.entry.as_mut())?;
        Ok(reading)
    }

    /// Which contact or policy is the primary one is a person's choice: a file never takes that from another record.
    fn yield_flag(&mut self, tx: &mut Tx<'_>, planned: &Planned<'_>, entry: &mut dyn AnyRecord) -> Result<()> {
        let Some((index, spec)) = planned.kind.exclusive.and_then(|(flag, _)| planned.kind.field(flag)) else { return Ok(()) };
        if entry.get(index).as_deref() != Some("true") {
            return Ok(());
        }
        let within = planned.kind.exclusive.and_then(|(_, within)| planned.kind.field(within?)).and_then(|(at, _)| entry.get(at));
        let claim = (self.access.id().clone(), planned.kind.name, within);
        // The first of a file that claims it has it, also while nothing is written.
        let is_taken = self.work.claimed.get(&claim).is_some_and(|by| *by != planned.id);
        if is_taken || !self.access.chart(planned.kind)?.rivals(tx, &planned.id, entry)?.is_empty() {
            // Emptying a field cannot be refused.
            let _ = entry.set(index, "", Mode::Strict);
            self.work.problem(&planned.key, "another_is_primary", Some(spec.name.to_owned()));
        } else {
            self.work.claimed.insert(claim, planned.id.clone());
        }
        Ok(())
    }

    /// Stores a new record but for its ties; a record that has some is returned.
    fn add<'p, 'd>(&mut self, tx: &mut Tx<'_>, planned: &'p Planned<'d>) -> Result<Option<(&'p Planned<'d>, chart::Draft)>> {
        let Reading { entry, links, .. } = self.read(tx, planned)?;
        let told = Snapshot::of(planned.kind, entry.as_ref(), &[], &links);
        let draft = chart::Draft { entry, tags: None, links: Some(links), source: self.work.source.clone() };
        if !self.work.is_rehearsal {
            self.access.chart(planned.kind)?.adopt(tx, &planned.id, &draft, self.stage)?;
            origins::add(tx, self.access, &planned.id, &self.telling(planned, &told))?;
            codings::add(tx, &planned.id, &planned.draft.codes)?;
        }
        self.tell(planned, Fate::Added, draft.entry.title(), draft.entry.occurred_on(), Vec::new(), Vec::new());
        let is_tied = !draft.entry.head().links.is_empty() || draft.links.as_ref().is_some_and(|links| !links.is_empty());
        Ok(is_tied.then_some((planned, draft)))
    }

    fn telling(&self, planned: &Planned<'_>, told: &Snapshot) -> Telling {
        Telling {
            source_key: planned.key.clone(),
            resource_type: storable(&planned.draft.resource_type),
            fingerprint: planned.fingerprint.clone(),
            told: told.to_text(),
            original: planned.original.clone(),
            imported_at: self.work.now,
        }
    }

    /// Known, and nothing new about it; or in the trash, where it stays as it is.
    fn leave(&mut self, planned: &Planned<'_>) {
        let Some(origin) = &planned.origin else { return };
        if origin.kind != planned.kind.name {
            self.work.problem(&planned.key, "kept_as_other_kind", Some(origin.kind.clone()));
        }
        self.tell(planned, Fate::Unchanged, origin.title.clone(), origin.occurred_on.clone(), Vec::new(), Vec::new());
    }

    /// The known records of which the source tells something new. What is there is loaded in a few statements a kind.
    fn renew_all(&mut self, tx: &mut Tx<'_>, changed: &[&Planned<'_>]) -> Result<()> {
        let ids: Vec<RecordId> = changed.iter().map(|planned| planned.id.clone()).collect();
        let mut told = origins::told(tx, self.access, &ids)?;
        let mut offers = origins::offers_of(tx, self.access, &ids)?;
        for kind in records::kinds() {
            let of_kind: Vec<&Planned<'_>> = changed.iter().copied().filter(|planned| planned.kind.name == kind.name).collect();
            let ids: Vec<RecordId> = of_kind.iter().map(|planned| planned.id.clone()).collect();
            let mut current = self.access.chart(kind)?.some(tx, &ids)?;
            for planned in of_kind {
                let Some(loaded) = current.remove(&planned.id) else {
                    self.leave(planned);
                    continue;
                };
                let last = told.remove(&planned.id).and_then(|text| Snapshot::from_text(&text)).unwrap_or_default();
                self.renew(tx, planned, loaded, &last, &offers.remove(&planned.id).unwrap_or_default())?;
            }
        }
        Ok(())
    }

    fn renew(&mut self, tx: &mut Tx<'_>, planned: &Planned<'_>, loaded: Loaded, last: &Snapshot, offers: &[Offer]) -> Result<()> {
        let chart = self.access.chart(planned.kind)?;
        let reading = self.read(tx, planned)?;
        let new = Snapshot::of(planned.kind, reading.entry.as_ref(), &[], &reading.links);
        let ties = if new.links == last.links { last.links.clone() } else { chart.outgoing(tx, &planned.id)? };
        let before = Snapshot::of(planned.kind, loaded.entry.as_ref(), &[], &ties);
        let verdict = three_way::compare(planned.kind, last, &before, &new);
        let (version, mut entry) = (loaded.head.version, loaded.entry);
        take(planned.kind, entry.as_mut(), &verdict);
        let after = Snapshot::of(planned.kind, entry.as_ref(), &[], verdict.links.as_deref().unwrap_or(&ties));
        let changes = self.changes(planned.kind, &before, &after);
        let draft = chart::Draft { entry, tags: None, links: verdict.links.clone(), source: self.work.source.clone() };
        let writes = !self.work.is_rehearsal;
        if writes && !changes.is_empty() {
            chart.change(tx, &planned.id, version, &draft)?;
        }
        let offered = self.offer(tx, planned, &before, &verdict, offers)?;
        if writes {
            origins::renew(tx, self.access, &planned.id, &self.telling(planned, &verdict.told))?;
            codings::replace(tx, &planned.id, &planned.draft.codes)?;
        }
        let fate = if changes.is_empty() { Fate::Unchanged } else { Fate::Updated };
        self.tell(planned, fate, draft.entry.title(), draft.entry.occurred_on(), changes, offered);
        Ok(())
    }

    /// Writes the offers that are new, and takes those back that the source no longer makes. Returns the new ones.
    fn offer(
        &mut self,
        tx: &mut Tx<'_>,
        planned: &Planned<'_>,
        before: &Snapshot,
        verdict: &Verdict,
        known: &[Offer],
    ) -> Result<Vec<Change>> {
        let writes = !self.work.is_rehearsal;
        for old in known.iter().filter(|old| writes && !verdict.offer.iter().any(|(field, _)| *field == old.field)) {
            origins::withdraw(tx, self.access, &planned.id, &old.field)?;
        }
        let mut news = Vec::new();
        for (field, value) in &verdict.offer {
            if known.iter().any(|old| old.field == *field && old.value == *value) {
                continue;
            }
            if writes {
                origins::offer(tx, self.access, &planned.id, field, value)?;
            }
            self.report.offers += 1;
            let now = before.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone());
            let now = now.or_else(|| planned.kind.field(field).is_none().then(|| three_way::rows_to_text(&before.children)));
            let change = Change { field: field.clone(), row: None, before: now, after: Some(value.clone()) };
            news.push(self.named(planned.kind, change));
        }
        Ok(news)
    }

    fn changes(&self, kind: &Kind, before: &Snapshot, after: &Snapshot) -> Vec<Change> {
        let differences = differences(before, after).into_iter().filter(|difference| difference.field != "links");
        let mut changes: Vec<Change> =
            differences.map(|d| self.named(kind, Change { field: d.field, row: d.row, before: d.before, after: d.after })).collect();
        if before.links != after.links {
            let titles = |links: &[Link]| {
                (!links.is_empty()).then(|| links.iter().map(|link| self.title(link.to.as_str())).collect::<Vec<_>>().join(", "))
            };
            changes.push(Change { field: "links".to_owned(), row: None, before: titles(&before.links), after: titles(&after.links) });
        }
        changes
    }

    /// Ids mean nothing to a person.
    fn named(&self, kind: &Kind, mut change: Change) -> Change {
        let is_id = kind.field(&change.field).is_some_and(|(_, spec)| {
            matches!(spec.input, Input::Practitioner | Input::Pharmacy | Input::Practice | Input::Patient | Input::Record(_))
        });
        if is_id {
            change.before = change.before.map(|id| self.title(&id));
            change.after = change.after.map(|id| self.title(&id));
        }
        change
    }

    fn title(&self, id: &str) -> String {
        let person = self.work.directories.get(self.household).and_then(|directory| directory.names.get(id));
        person.or_else(|| self.titles.get(id)).cloned().unwrap_or_else(|| id.to_owned())
    }

    fn tell(&mut self, planned: &Planned<'_>, fate: Fate, title: String, date: Option<String>, changes: Vec<Change>, offered: Vec<Change>) {
        self.work.count_draft(self.report, planned.draft, fate);
        self.titles.insert(planned.id.to_string(), title.clone());
        self.report.lines.push(Line {
            fate,
            kind: planned.kind.name.to_owned(),
            resource_type: planned.draft.resource_type.clone(),
            source_key: planned.key.clone(),
            record: Some(planned.id.clone()),
            title,
            date,
            changes,
            offered,
            reason: None,
        });
        self.work.step();
    }
}

/// Puts what the source newly tells into the entry.
fn take(kind: &Kind, entry: &mut dyn AnyRecord, verdict: &Verdict) {
    for (name, value) in &verdict.take {
        if let Some((index, _)) = kind.field(name) {
            // The values come out of an entry of this kind, so that its fields take them.
            let _ = entry.set(index, value.as_deref().unwrap_or_default(), Mode::Strict);
        }
    }
    if let Some(rows) = &verdict.children {
        let _ = input::fill(kind, entry, &Raw { fields: Vec::new(), children: Some(rows.clone()) }, Mode::Strict);
    }
}
