//! Practitioners, practices and pharmacies of a file, each found again in the household's directory or added to it.
//!
//! Known by the source's key; else by the number nobody shares (NPI); else by the same name, unless something says that it is another one.
//! An entry of the household is completed where nothing was recorded and never changed otherwise; published entries of others are only named.

use std::collections::HashMap;

use super::super::{
    draft::{Fields, PersonDraft},
    originals::{self, Place},
};
use super::{Work, report::Fate, storable};
use crate::{
    db::{
        Tx,
        types::{HouseholdId, RecordId},
    },
    directory::{Entry, Listed, Pharmacy, Practice, Practitioner},
    error::Result,
    records::field::{FieldError, Mode},
    text,
};

/// Where the file's keys lead in one household.
#[derive(Clone, Default)]
pub struct Directory {
    pub practitioners: HashMap<String, String>,
    pub pharmacies: HashMap<String, String>,
    /// Ids to names, for reports.
    pub names: HashMap<String, String>,
    /// How many originals were news.
    pub originals: usize,
    /// Resource type, key and what became of it.
    pub fates: Vec<(&'static str, String, Fate)>,
    /// List and id of the entries that were made.
    pub made: Vec<(&'static str, String)>,
}

/// What tells two entries of one name apart: different values are different entries.
trait Distinct: Listed {
    const TELLING: &'static [&'static str];
    const RESOURCE_TYPE: &'static str;
}
impl Distinct for Practitioner {
    const TELLING: &'static [&'static str] = &["npi"];
    const RESOURCE_TYPE: &'static str = "Practitioner";
}
impl Distinct for Practice {
    const TELLING: &'static [&'static str] = &["npi", "address"];
    const RESOURCE_TYPE: &'static str = "Organization";
}
impl Distinct for Pharmacy {
    const TELLING: &'static [&'static str] = &["store_number", "street_address"];
    const RESOURCE_TYPE: &'static str = "Organization";
}

impl Directory {
    pub fn resolve(work: &mut Work<'_>, tx: &mut Tx<'_>, household: &HouseholdId) -> Result<Self> {
        let mut directory = Self::default();
        let told = work.told;
        let practices = directory.list::<Practice>(work, tx, household, &told.practices, &HashMap::new())?;
        directory.practitioners = directory.list::<Practitioner>(work, tx, household, &told.practitioners, &practices)?;
        directory.pharmacies = directory.list::<Pharmacy>(work, tx, household, &told.pharmacies, &HashMap::new())?;
        Ok(directory)
    }

    /// Brings the drafts of one list in; returns keys to ids.
    fn list<T: Distinct>(
        &mut self,
        work: &mut Work<'_>,
        tx: &mut Tx<'_>,
        household: &HouseholdId,
        drafts: &[PersonDraft],
        practices: &HashMap<String, String>,
    ) -> Result<HashMap<String, String>> {
        let mut ids = HashMap::new();
        let mut known = Known::<T>::default();
        for entry in T::list(tx, household)? {
            known.add(entry);
        }
        let kept = originals::known_of_list(tx, household, T::NAME)?;
        for draft in drafts {
            let practice = draft.belongs_to.as_ref().and_then(|key| practices.get(key));
            let told: T = read(work, draft, practice);
            if told.name().is_empty() {
                continue;
            }
            let (id, fate) = file(work, tx, household, &mut known, draft, &told)?;
            if fate == Fate::Added {
                self.made.push((T::NAME, id.clone()));
            }
            self.originals += usize::from(keep::<T>(work, tx, household, &id, draft, &kept)?);
            self.fates.push((T::RESOURCE_TYPE, draft.source_key.clone(), fate));
            ids.insert(draft.source_key.clone(), id);
        }
        self.names.extend(known.entries.iter().map(|entry| (entry.id.clone(), entry.fields.name().to_owned())));
        Ok(ids)
    }
}

/// The household's list, findable by everything an entry can be known by.
struct Known<T> {
    entries: Vec<Entry<T>>,
    by_id: HashMap<String, usize>,
    by_npi: HashMap<String, usize>,
    by_name: HashMap<Vec<String>, Vec<usize>>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), by_id: HashMap::new(), by_npi: HashMap::new(), by_name: HashMap::new() }
    }
}

impl<T: Distinct> Known<T> {
    fn add(&mut self, entry: Entry<T>) {
        let place = self.entries.len();
        self.by_id.insert(entry.id.clone(), place);
        if let Some(npi) = entry.fields.npi() {
            self.by_npi.entry(npi.to_owned()).or_insert(place);
        }
        let name = text::words(entry.fields.name());
        if !name.is_empty() {
            self.by_name.entry(name).or_default().push(place);
        }
        self.entries.push(entry);
    }

    fn find(&mut self, by_key: Option<&str>, told: &T) -> Option<&mut Entry<T>> {
        let fields = |place: &usize| self.entries.get(*place).map(|entry| &entry.fields);
        let place = by_key
            .and_then(|id| self.by_id.get(id))
            .filter(|place| fields(place).is_some_and(|entry| may_be(entry, told)))
            .or_else(|| self.by_npi.get(told.npi()?))
            .or_else(|| {
                let namesakes = self.by_name.get(&text::words(told.name()))?;
                namesakes.iter().find(|place| fields(place).is_some_and(|entry| !contradict(entry, told)))
            })
            .copied()?;
        self.entries.get_mut(place)
    }
}

/// The entry as told. A value that its field refuses goes into the notes.
fn read<T: Listed>(work: &mut Work<'_>, draft: &PersonDraft, practice: Option<&String>) -> T {
    let mut pairs: Vec<(String, String)> = fields(&draft.fields);
    pairs.extend(practice.map(|id| ("practice_id".to_owned(), id.clone())));
    let (mut entry, errors) = T::read(&pairs, Mode::Strict);
    for (name, error) in errors {
        let Some(text) = pairs.iter().find(|(other, _)| *other == name).map(|(_, text)| text.clone()) else { continue };
        // The beginning of a name is better than an entry without one.
        let begin = if let FieldError::TooLong { max, .. } = &error { text.chars().take(*max).collect() } else { String::new() };
        set(&mut entry, &name, &begin);
        let notes = value(&entry, "notes");
        let line = format!("{}: {text}", name.replace('_', " "));
        set(&mut entry, "notes", &notes.map_or(line.clone(), |notes| format!("{notes}\n{line}")));
        work.refused(&draft.source_key, &name, &error);
    }
    entry
}

fn fields(fields: &Fields) -> Vec<(String, String)> {
    fields.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect()
}

/// Finds the entry or makes it.
fn file<T: Distinct>(
    work: &Work<'_>,
    tx: &mut Tx<'_>,
    household: &HouseholdId,
    known: &mut Known<T>,
    draft: &PersonDraft,
    told: &T,
) -> Result<(String, Fate)> {
    let key = storable(&draft.source_key);
    let by_key = T::by_source(tx, household, &key)?;
    if let Some(entry) = known.find(by_key.as_deref(), told) {
        let fate = complete(work, tx, household, entry, told)?;
        return Ok((entry.id.clone(), fate));
    }
    // The key may belong to another one of the same number in another system; then this one goes without.
    let source = by_key.is_none().then_some((work.source.as_str(), key.as_str()));
    let id = if work.is_rehearsal { RecordId::new().to_string() } else { told.insert(tx, household, source, work.now)? };
    known.add(Entry { id: id.clone(), version: 1, own: true, fields: told.clone() });
    Ok((id, Fate::Added))
}

/// Keeps what the file says of an entry. Who is only named inside another resource has their words in that one's original.
fn keep<T: Distinct>(
    work: &Work<'_>,
    tx: &mut Tx<'_>,
    household: &HouseholdId,
    entry: &str,
    draft: &PersonDraft,
    kept: &HashMap<(String, String), String>,
) -> Result<bool> {
    if draft.original.is_null() || !work.entries.contains(&(T::RESOURCE_TYPE, draft.source_key.as_str())) {
        return Ok(false);
    }
    let key = storable(&draft.source_key);
    let original = work.original(&key, T::RESOURCE_TYPE, &draft.original);
    if kept.get(&(entry.to_owned(), key.clone())) == Some(&original.fingerprint) {
        return Ok(false);
    }
    if work.is_rehearsal {
        return Ok(true);
    }
    originals::keep_of_entry(tx, Place { household, list: T::NAME, entry }, &original)?;
    Ok(true)
}

/// Short keys (`Practitioner/1`) are used by many systems: the same key is the same one only if the number or a part of the name agrees.
fn may_be<T: Listed>(entry: &T, told: &T) -> bool {
    let words = text::words(entry.name());
    match (entry.npi(), told.npi()) {
        (Some(a), Some(b)) => a == b,
        _ => text::words(told.name()).iter().any(|word| word.chars().count() > 2 && words.contains(word)),
    }
}

fn contradict<T: Distinct>(a: &T, b: &T) -> bool {
    T::TELLING.iter().any(|name| match (value(a, name), value(b, name)) {
        (Some(a), Some(b)) => text::words(&a) != text::words(&b),
        _ => false,
    })
}

/// Fills what is empty in an entry of the actor's own household.
fn complete<T: Listed>(work: &Work<'_>, tx: &mut Tx<'_>, household: &HouseholdId, entry: &mut Entry<T>, told: &T) -> Result<Fate> {
    if !entry.own || work.household != *household {
        return Ok(Fate::Unchanged);
    }
    let mut fields = entry.fields.clone();
    let mut is_filled = false;
    for field in T::FIELDS {
        if let (None, Some(text)) = ((field.get)(&fields), (field.get)(told)) {
            is_filled |= (field.set)(&mut fields, &text, Mode::Strict, &field.spec).is_ok();
        }
    }
    if !is_filled {
        return Ok(Fate::Unchanged);
    }
    if !work.is_rehearsal {
        fields.update(tx, household, &entry.id, entry.version, work.now)?;
    }
    entry.version = entry.version.saturating_add(1);
    entry.fields = fields;
    Ok(Fate::Updated)
}

fn value<T: Listed>(entry: &T, name: &str) -> Option<String> {
    T::FIELDS.iter().find(|field| field.spec.name == name).and_then(|field| (field.get)(entry))
}

/// Sets a field if the list has it; what does not fit leaves it as it was.
fn set<T: Listed>(entry: &mut T, name: &str, text: &str) {
    if let Some(field) = T::FIELDS.iter().find(|field| field.spec.name == name) {
        let _ = (field.set)(entry, text, Mode::Strict, &field.spec);
    }
}
