//! Where the reading happens: the book open on one side, what it told so far on the other.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use serde_json::Value;

use super::super::draft::{Draft, Fields, Leftover, LeftoverReason, PersonDraft, Problem, ProblemKind, Told};
use super::book::{self, Book, Entry, Found};
use super::codes;
use super::json;
use super::people;
use super::sheet::{Reading, Sheet, put};
use super::vitals::Groups;

pub struct Desk<'a> {
    pub book: &'a Book<'a>,
    pub told: Told,
    /// Organisations that records name as a place of care: they stay in the directory even when they also pay or manufacture.
    pub places_of_care: HashSet<usize>,
    pub dispensers: HashSet<usize>,
    pub vitals: Groups,
    /// Record number in `told.records`, and an entry that may become a part of it.
    minor: Vec<(usize, usize)>,
    /// Devices that a statement of use is about: the statement is the record, the device a part of it.
    used_devices: HashSet<usize>,
    placed: HashSet<usize>,
    place: String,
    missing: HashSet<String>,
    strangers: HashSet<String>,
    /// Practitioner and role, so that the role's original is kept with its practitioner's.
    pub roles: Vec<(String, String)>,
    /// Practitioners who are only named, or contained in a record.
    named: HashSet<String>,
}

impl<'a> Desk<'a> {
    pub fn new(book: &'a Book<'a>) -> Self {
        let mut told = Told { problems: book.problems.clone(), ..Told::default() };
        for entry in &book.entries {
            *told.counts.entry(entry.kind.clone()).or_default() += 1;
            told.entries.push((entry.kind.clone(), entry.key.clone()));
        }
        Desk {
            book,
            told,
            places_of_care: HashSet::new(),
            dispensers: HashSet::new(),
            vitals: Groups::default(),
            minor: Vec::new(),
            used_devices: used_devices(book),
            placed: HashSet::new(),
            place: String::new(),
            missing: HashSet::new(),
            strangers: HashSet::new(),
            roles: Vec::new(),
            named: HashSet::new(),
        }
    }

    pub fn turn_to(&mut self, entry: &Entry<'_>) {
        self.place.clone_from(&entry.place);
    }

    pub fn problem(&mut self, what: ProblemKind) {
        self.told.problems.push(Problem { place: self.place.clone(), what });
    }

    pub fn is_placed(&self, index: usize) -> bool {
        self.placed.contains(&index)
    }

    pub fn is_used_device(&self, index: usize) -> bool {
        self.used_devices.contains(&index)
    }

    pub fn mark_placed(&mut self, index: usize) {
        self.placed.insert(index);
    }

    pub fn handled(&mut self, index: usize) {
        if let Some(entry) = self.book.entry(index) {
            self.told.handled.push((entry.kind.clone(), entry.key.clone()));
            self.placed.insert(index);
        }
    }

    pub fn leftover(&mut self, index: usize, reason: LeftoverReason) {
        let Some(entry) = self.book.entry(index) else { return };
        let patient = patient_reference(entry.resource).and_then(|reference| match self.book.find(entry.resource, reference) {
            Found::Entry(at) => self.book.entry(at).filter(|e| e.kind == "Patient").map(|e| e.key.clone()),
            _ => None,
        });
        self.told.leftovers.push(Leftover {
            source_key: entry.key.clone(),
            resource_type: entry.kind.clone(),
            patient,
            reason,
            original: Value::Null,
        });
        self.placed.insert(index);
    }

    /// The key of the patient an entry is about; a dangling reference is a problem worth telling.
    pub fn patient_of(&mut self, entry: &Entry<'a>) -> Option<String> {
        let reference = patient_reference(entry.resource)?;
        match self.book.find(entry.resource, reference) {
            Found::Entry(at) => self.book.entry(at).filter(|e| e.kind == "Patient").map(|e| e.key.clone()),
            Found::Missing(target) => {
                // Once for a stranger, however much of the file is about them.
                if self.strangers.insert(target.clone()) {
                    self.problem(ProblemKind::UnknownSubject(target));
                }
                None
            }
            Found::Contained(_) | Found::Unnamed => None,
        }
    }

    /// One problem for a target, however often it is missing.
    pub fn dangling(&mut self, target: String) {
        if self.missing.insert(target.clone()) {
            self.problem(ProblemKind::DanglingReference(target));
        }
    }

    /// Files what was read of an entry.
    pub fn put(&mut self, index: usize, entry: &Entry<'a>, patient: &str, reading: Reading) {
        match reading {
            Reading::Record(mut sheet) => {
                sheet.put("sensitivity", codes::sensitivity(entry.resource));
                self.placed.insert(index);
                self.file(&entry.key, &entry.kind, patient, *sheet, Vec::new());
            }
            Reading::NoneKnown(kind) => {
                let statement = (patient.to_owned(), kind);
                if !self.told.none_known.contains(&statement) {
                    self.told.none_known.push(statement);
                }
                self.handled(index);
            }
            Reading::Kept(reason) => self.leftover(index, reason),
        }
    }

    pub fn file(&mut self, key: &str, kind: &str, patient: &str, mut sheet: Sheet, parts: Vec<(String, String)>) {
        sheet.close();
        let record = self.told.records.len();
        self.minor.extend(sheet.minor.iter().map(|entry| (record, *entry)));
        self.told.records.push(Draft {
            kind: sheet.kind,
            source_key: key.to_owned(),
            resource_type: kind.to_owned(),
            patient: patient.to_owned(),
            fields: sheet.fields,
            children: sheet.children.filter(|rows| !rows.is_empty()),
            practitioner: sheet.practitioner,
            pharmacy: sheet.pharmacy,
            links: sheet.links,
            codes: sheet.codes,
            parts,
            original: Value::Null,
        });
    }

    /// Gives entries without a place of their own to the first record that uses them.
    pub fn hand_out_minor(&mut self, keep_apart: impl Fn(&Entry<'_>, usize) -> bool) {
        for (record, index) in std::mem::take(&mut self.minor) {
            let Some(entry) = self.book.entry(index) else { continue };
            if self.placed.contains(&index) || entry.fate != book::Fate::Live || keep_apart(entry, index) {
                continue;
            }
            if let Some(draft) = self.told.records.get_mut(record) {
                draft.parts.push((entry.kind.clone(), entry.key.clone()));
                self.placed.insert(index);
            }
        }
    }

    /// A date as the source wrote it, if it is one.
    pub fn date(&mut self, resource: &Value, path: &[&str]) -> Option<String> {
        let text = json::text_at(resource, path)?;
        if is_date(&text) {
            return Some(text);
        }
        self.problem(ProblemKind::BadDate(json::short(&text)));
        None
    }

    /// The first of several places that tells a date.
    pub fn first_date(&mut self, resource: &Value, paths: &[&[&str]]) -> Option<String> {
        paths.iter().find_map(|path| self.date(resource, path))
    }

    /// The key of an entry of one of these types; dangling references are told once.
    pub fn entry_of(&mut self, from: &'a Value, reference: &Value, kinds: &[&str]) -> Option<usize> {
        match self.book.find(from, reference) {
            Found::Entry(index) => self.book.entry(index).filter(|entry| kinds.contains(&entry.kind.as_str())).map(|_| index),
            Found::Missing(target) => {
                self.dangling(target);
                None
            }
            Found::Contained(_) | Found::Unnamed => None,
        }
    }

    pub fn key(&self, index: usize) -> Option<String> {
        self.book.entry(index).map(|entry| entry.key.clone())
    }

    /// Ties a record to its visit. STU3 calls the reference `context`.
    pub fn visit(&mut self, sheet: &mut Sheet, resource: &'a Value) {
        for key in ["encounter", "context"] {
            let Some(reference) = resource.get(key) else { continue };
            let reference = if let Value::Array(items) = reference { items.first().unwrap_or(reference) } else { reference };
            let visit = self.entry_of(resource, reference, &["Encounter"]).and_then(|index| self.key(index));
            if let Some(visit) = visit {
                return sheet.link("visit_id", visit);
            }
        }
    }

    /// Ties a record to the conditions that a list of references names.
    pub fn conditions(&mut self, sheet: &mut Sheet, resource: &'a Value, references: &[Value], relation: &'static str) {
        for reference in references {
            let found = self.entry_of(resource, reference, &["Condition"]);
            if let Some(condition) = found.and_then(|index| self.key(index)) {
                sheet.link(relation, condition);
            }
        }
    }

    /// The resource behind a reference, with its entry if it is one.
    pub fn behind(&mut self, from: &'a Value, reference: &Value) -> Option<(&'a Value, Option<usize>)> {
        match self.book.find(from, reference) {
            Found::Entry(index) => self.book.entry(index).map(|entry| (entry.resource, Some(index))),
            Found::Contained(inner) => Some((inner, None)),
            Found::Missing(target) => {
                // A name in the reference is all that most records need of it.
                if json::text(reference, "display").is_none() {
                    self.dangling(target);
                }
                None
            }
            Found::Unnamed => None,
        }
    }

    /// The name of an organisation or a location, which thereby counts as a place of care.
    pub fn facility(&mut self, sheet: &mut Sheet, from: &'a Value, reference: Option<&Value>) -> Option<String> {
        let reference = reference?;
        let Some((resource, index)) = self.behind(from, reference) else {
            let target = json::text(reference, "reference").unwrap_or_default();
            let sort = json::text(reference, "type").unwrap_or_default();
            let place = |word: &str| word.starts_with("Organization") || word.starts_with("Location");
            let unnamed = target.is_empty() && sort.is_empty();
            return json::text(reference, "display").filter(|_| unnamed || place(&target) || place(&sort));
        };
        let kind = json::text(resource, "resourceType").unwrap_or_default();
        match kind.as_str() {
            "Organization" => self.places_of_care.extend(index),
            "Location" => sheet.minor.extend(index),
            _ => return None,
        }
        json::text(resource, "name").or_else(|| json::text(reference, "display")).or_else(|| json::text(resource, "description"))
    }

    /// The name of an organisation that is only a detail of a record: who pays, who made it.
    pub fn company(&mut self, sheet: &mut Sheet, from: &'a Value, reference: Option<&Value>) -> Option<String> {
        let reference = reference?;
        let Some((resource, index)) = self.behind(from, reference) else {
            return json::text(reference, "display");
        };
        if json::text(resource, "resourceType").as_deref() != Some("Organization") {
            return json::text(reference, "display");
        }
        sheet.minor.extend(index);
        json::text(resource, "name").or_else(|| json::text(reference, "display"))
    }

    /// The first practitioner among these references.
    pub fn practitioner<'r>(&mut self, from: &'a Value, references: impl IntoIterator<Item = Option<&'r Value>>) -> Option<String> {
        references.into_iter().flatten().find_map(|reference| match reference {
            Value::Array(items) => items.iter().find_map(|item| self.one_practitioner(from, item)),
            _ => self.one_practitioner(from, reference),
        })
    }

    fn one_practitioner(&mut self, from: &'a Value, reference: &Value) -> Option<String> {
        match self.book.find(from, reference) {
            Found::Entry(index) => {
                let entry = self.book.entry(index)?;
                match entry.kind.as_str() {
                    "Practitioner" => Some(entry.key.clone()),
                    "PractitionerRole" => self.role_player(entry.resource),
                    _ => None,
                }
            }
            Found::Contained(inner) => self.contained_practitioner(from, inner),
            Found::Missing(target) => self.named_practitioner(reference, &target),
            Found::Unnamed => None,
        }
    }

    /// Who plays a role. Never looks behind a second role: two that name each other would go round for ever.
    fn role_player(&mut self, role: &'a Value) -> Option<String> {
        let reference = role.get("practitioner")?;
        match self.book.find(role, reference) {
            Found::Entry(index) => self.book.entry(index).filter(|entry| entry.kind == "Practitioner").map(|entry| entry.key.clone()),
            Found::Contained(inner) if is_practitioner(inner) => self.contained_practitioner(role, inner),
            Found::Missing(target) => self.named_practitioner(reference, &target),
            Found::Contained(_) | Found::Unnamed => None,
        }
    }

    fn contained_practitioner(&mut self, from: &'a Value, inner: &'a Value) -> Option<String> {
        match json::text(inner, "resourceType").as_deref() {
            Some("Practitioner") => {
                let key = book::digest_key("Practitioner", inner);
                let fields = people::practitioner_fields(inner);
                self.add_named(&key, fields, inner.clone())
            }
            // A role inside a record may point at its neighbour in the same record; never at itself.
            Some("PractitionerRole") => {
                let reference = inner.get("practitioner")?;
                match self.book.find(from, reference) {
                    Found::Contained(person) if is_practitioner(person) => self.contained_practitioner(from, person),
                    Found::Entry(index) => self.book.entry(index).filter(|e| e.kind == "Practitioner").map(|e| e.key.clone()),
                    _ => self.named_practitioner(reference, "Practitioner"),
                }
            }
            _ => None,
        }
    }

    /// Servers often send the record without the person, but with the name in the reference.
    fn named_practitioner(&mut self, reference: &Value, target: &str) -> Option<String> {
        let is_practitioner = json::text(reference, "type").unwrap_or_else(|| target.to_owned()).contains("Practitioner");
        let Some(name) = json::text(reference, "display").filter(|_| is_practitioner) else {
            if is_practitioner || target.starts_with("urn:") {
                self.dangling(target.to_owned());
            }
            return None;
        };
        let named_key = |key: &str| key.starts_with("Practitioner/") || key.starts_with("Practitioner?");
        let key = if named_key(target) { target.to_owned() } else { book::digest_key("Practitioner", &Value::String(name.clone())) };
        let mut fields = Fields::new();
        put(&mut fields, "name", Some(name));
        put(&mut fields, "npi", target.split_once("us-npi|").map(|(_, npi)| npi.to_owned()));
        self.add_named(&key, fields, reference.clone())
    }

    fn add_named(&mut self, key: &str, fields: Fields, original: Value) -> Option<String> {
        if !fields.contains_key("name") {
            return None;
        }
        if self.named.insert(key.to_owned()) {
            self.told.practitioners.push(PersonDraft {
                source_key: key.to_owned(),
                fields,
                identifiers: Vec::new(),
                belongs_to: None,
                original,
            });
        }
        Some(key.to_owned())
    }

    /// Closes the books: ties whose other end did not become a record are dropped and told. Returns the roles beside it.
    pub fn finish(mut self) -> (Told, Vec<(String, String)>) {
        let practitioners = super::keys_of(&self.told.practitioners);
        let pharmacies = super::keys_of(&self.told.pharmacies);
        let practices = super::keys_of(&self.told.practices);
        let homes = homes(&self.told.records);
        let mut lost = Vec::new();
        for draft in &mut self.told.records {
            draft.practitioner.take_if(|key| !practitioners.contains(key));
            draft.pharmacy.take_if(|key| !pharmacies.contains(key));
            settle_links(draft, &homes, &mut lost);
        }
        for practitioner in &mut self.told.practitioners {
            practitioner.belongs_to.take_if(|key| !practices.contains(key));
        }
        for patient in &mut self.told.patients {
            patient.belongs_to.take_if(|key| !practitioners.contains(key));
        }
        self.told.problems.extend(lost);
        (self.told, self.roles)
    }
}

fn used_devices(book: &Book<'_>) -> HashSet<usize> {
    let statements = book.entries.iter().filter(|entry| entry.kind == "DeviceUseStatement" && entry.fate == book::Fate::Live);
    let targets = statements.filter_map(|entry| match book.find(entry.resource, entry.resource.get("device")?) {
        Found::Entry(index) => Some(index),
        _ => None,
    });
    targets.filter(|index| book.entry(*index).is_some_and(|entry| entry.kind == "Device")).collect()
}

fn is_practitioner(resource: &Value) -> bool {
    json::text(resource, "resourceType").as_deref() == Some("Practitioner")
}

/// Whom a resource is about, under whatever name its type has for it.
fn patient_reference(resource: &Value) -> Option<&Value> {
    let keys = ["subject", "patient", "beneficiary", "individual"];
    let reference = keys.iter().find_map(|key| resource.get(*key))?;
    match reference {
        Value::Array(items) => items.first(),
        _ => Some(reference),
    }
}

/// Which record a resource ended in, and whose it is.
fn homes(records: &[Draft]) -> HashMap<String, (String, String)> {
    let mut homes = HashMap::new();
    for draft in records {
        let home = (draft.source_key.clone(), draft.patient.clone());
        for (_, part) in &draft.parts {
            homes.insert(part.clone(), home.clone());
        }
        homes.insert(draft.source_key.clone(), home);
    }
    homes
}

fn settle_links(draft: &mut Draft, homes: &HashMap<String, (String, String)>, lost: &mut Vec<Problem>) {
    let (own, patient) = (draft.source_key.clone(), draft.patient.clone());
    let mut seen = HashSet::new();
    draft.links.retain_mut(|link| match homes.get(&link.to) {
        Some((home, whose)) if *whose == patient => {
            link.to.clone_from(home);
            link.to != own && seen.insert((link.relation, link.to.clone()))
        }
        home => {
            // Ties are made to entries of the file only, so the target is here: as somebody else's, or kept aside.
            let what = if home.is_some() { ProblemKind::OthersRecord } else { ProblemKind::TieWithoutRecord }(link.to.clone());
            lost.push(Problem { place: own.clone(), what });
            false
        }
    });
}

/// `2009`, `2011-03`, `2011-03-14`, `2011-03-14T09:30[:05[.123]][Z|-05:00]`.
pub fn is_date(text: &str) -> bool {
    let (day, time) = text.split_once('T').map_or((text, None), |(day, time)| (day, Some(time)));
    let pieces: Vec<&str> = day.split('-').collect();
    let sizes: Vec<usize> = pieces.iter().map(|piece| piece.len()).collect();
    let digits = pieces.iter().all(|piece| piece.bytes().all(|b| b.is_ascii_digit()));
    let complete = sizes == [4, 2, 2];
    let part = |at: usize| pieces.get(at).and_then(|piece| piece.parse::<u32>().ok()).unwrap_or(1);
    let year = pieces.first().and_then(|piece| piece.parse::<i32>().ok()).unwrap_or(0);
    digits
        && (complete || (time.is_none() && (sizes == [4] || sizes == [4, 2])))
        && year > 0
        && NaiveDate::from_ymd_opt(year, part(1), part(2)).is_some()
        && time.is_none_or(is_time)
}

fn is_time(text: &str) -> bool {
    let (clock, offset) = match text.find(['Z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    is_offset(offset) && is_clock(clock)
}

fn is_clock(text: &str) -> bool {
    let (main, fraction) = text.split_once('.').map_or((text, None), |(main, fraction)| (main, Some(fraction)));
    let pieces: Vec<&str> = main.split(':').collect();
    let limits = [24_u32, 60, 61];
    let fits = |(piece, limit): (&&str, u32)| piece.len() == 2 && is_digits(piece) && piece.parse::<u32>().is_ok_and(|n| n < limit);
    (pieces.len() == 2 || pieces.len() == 3)
        && pieces.iter().zip(limits).all(fits)
        && fraction.is_none_or(|fraction| pieces.len() == 3 && !fraction.is_empty() && is_digits(fraction))
}

fn is_offset(text: &str) -> bool {
    if text.is_empty() || text == "Z" {
        return true;
    }
    let Some((hours, minutes)) = text.get(1..).and_then(|rest| rest.split_once(':')) else { return false };
    let below = |piece: &str, limit: u32| piece.len() == 2 && is_digits(piece) && piece.parse::<u32>().is_ok_and(|n| n < limit);
    below(hours, 15) && below(minutes, 60)
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// The interpretation of a reason: its text, and its conditions as ties.
pub fn reasons<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, resource: &'a Value, relation: &'static str) -> Option<String> {
    desk.conditions(sheet, resource, json::list(resource, "reasonReference"), relation);
    codes::names(json::list(resource, "reasonCode"), ", ").or_else(|| {
        let displays = json::list(resource, "reasonReference").iter().map(|reference| json::text(reference, "display"));
        json::joined(displays, ", ")
    })
}
