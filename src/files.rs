//! Documents: the papers of a patient and of their records. Who may see a record may see its files, and nobody else; a file of the patient
//! that belongs to no record is for who sees everything.

pub mod api;
pub mod blobs;
pub mod inbox;
pub mod owner;
pub mod pages;
pub mod pending;
pub mod prepared;
pub mod previews;
pub mod purging;
pub mod query;
pub mod quota;
pub mod serve;
pub mod shelf;
pub mod shelf_pages;
pub mod tesseract;
pub mod twins;
pub mod upload;
pub mod waiting;
pub mod words;

use std::collections::HashMap;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use owner::{Hand, Owner};
use quota::Quota;

use crate::{
    access::{AtLeast, Edit, Full, Level, Own, PatientAccess},
    app::App,
    audit::Action,
    dates::PartialDate,
    db::{
        Conn, MultiBackend, Tx,
        schema::files,
        sql::among,
        types::{FileId, HouseholdId, PatientId, PractitionerId, RecordId},
    },
    error::{Error, Result},
    records::{
        Head,
        chart::headings,
        field::{Errors, FieldError, Mode},
    },
    storage::kinds::{self, FileKind},
};

pub const LONGEST_NAME: usize = 255;
pub const LONGEST_DESCRIPTION: usize = 2000;
/// What a document is, for who looks for "the card" or "the report"; the words of the source document, and what families file beside.
pub const CATEGORIES: &[&str] = &["result", "report", "letter", "card", "prescription", "invoice", "image", "consent", "other"];

/// One document, without its bytes.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = files, check_for_backend(MultiBackend))]
pub struct File {
    pub id: FileId,
    pub patient_id: Option<PatientId>,
    pub record_id: Option<RecordId>,
    pub practitioner_id: Option<PractitionerId>,
    pub household_id: Option<HouseholdId>,
    pub blob: String,
    pub file_name: String,
    pub file_type: String,
    /// Bytes.
    pub file_size: i64,
    pub sha256: String,
    pub description: Option<String>,
    pub category: Option<String>,
    /// As precise as it is known: `2009`, `2009-03`, `2009-03-14`.
    pub document_date: Option<String>,
    pub uploaded_at: NaiveDateTime,
    pub deleted_at: Option<NaiveDateTime>,
    pub version: i32,
    /// Of a text: the letters its bytes stand for, once somebody has looked.
    pub charset: Option<String>,
}

impl File {
    pub fn is_text(&self) -> bool {
        self.file_type.starts_with("text/")
    }
    pub fn kind(&self) -> Option<&'static FileKind> {
        kinds::kind(&self.file_type)
    }
    pub fn size(&self) -> u64 {
        u64::try_from(self.file_size).unwrap_or_default()
    }
}

/// What a person says of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    pub record: Option<RecordId>,
    pub description: Option<String>,
    pub category: Option<String>,
    pub document_date: Option<String>,
}

impl Details {
    /// From what a form or a program sends: `record`, `description`, `category`, `document_date`; an empty text is none.
    pub fn read(value: impl Fn(&str) -> String, mode: Mode) -> Result<Self, Errors> {
        let mut errors = Errors::new();
        let mut text = |name: &str, max: usize| {
            let text = value(name).trim().to_owned();
            let is = text.chars().count();
            if is > max {
                errors.push((name.to_owned(), FieldError::TooLong { max, is }));
            } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
                errors.push((name.to_owned(), FieldError::ControlCharacters));
            }
            (!text.is_empty()).then_some(text)
        };
        let (description, category) = (text("description", LONGEST_DESCRIPTION), text("category", 100));
        let (record, date) = (text("record", 64), text("document_date", 40));
        if category.as_deref().is_some_and(|word| !CATEGORIES.contains(&word)) {
            errors.push(("category".to_owned(), FieldError::UnknownChoice));
        }
        let record = record.and_then(|id| {
            let parsed = RecordId::parse(&id);
            if parsed.is_none() {
                errors.push(("record".to_owned(), FieldError::NoSuchRecord));
            }
            parsed
        });
        let date = date.map(|text| match mode {
            Mode::Typed(typing) => PartialDate::parse_typed(&text, typing),
            Mode::Strict => PartialDate::parse_strict(&text),
        });
        let document_date = match date.transpose() {
            Ok(date) => date.map(|date| date.as_str().to_owned()),
            Err(error) => {
                errors.push(("document_date".to_owned(), error.into()));
                None
            }
        };
        if errors.is_empty() { Ok(Self { record, description, category, document_date }) } else { Err(errors) }
    }
}

/// A file's name as we keep it: the last part of a path, without what a terminal or a text's direction could be turned by, not too long, its
/// ending kept.
pub fn clean_name(raw: &str) -> String {
    let last = raw.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control() && !is_turning(*c)).collect();
    let plain = plain.trim().trim_start_matches('.');
    if plain.chars().count() <= LONGEST_NAME {
        return if plain.is_empty() { "document".to_owned() } else { plain.to_owned() };
    }
    let (stem, ending) = plain.rsplit_once('.').filter(|(_, ending)| ending.chars().count() <= 10).unwrap_or((plain, ""));
    let room = LONGEST_NAME - ending.chars().count() - 1;
    let stem: String = stem.chars().take(room).collect();
    if ending.is_empty() { stem } else { format!("{stem}.{ending}") }
}

/// Marks that turn the direction of what follows, which make `exe.txt` of `txt.exe` (Unicode 15, 23.2).
fn is_turning(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The files of a record that was just shown to this person: what it took to show it is not asked again.
pub fn of_shown<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, record: &RecordId) -> Result<Vec<File>> {
    Ok(files::table
        .filter(files::patient_id.eq(access.id()))
        .filter(files::record_id.eq(record))
        .filter(files::deleted_at.is_null())
        .order((files::uploaded_at.desc(), files::id.desc()))
        .select(File::as_select())
        .load(conn)?)
}

/// The file with its record, if this person may see it.
fn seen<L: Level>(access: &PatientAccess<L>, heads: &HashMap<RecordId, Head>, file: File) -> Option<(File, Option<Head>)> {
    match &file.record_id {
        Some(record) => heads.get(record).map(|head| (file.clone(), Some(head.clone()))),
        None => access.scope().is_whole().then_some((file, None)),
    }
}

/// One of them, in the trash or not.
pub fn find<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, id: &FileId) -> Result<(File, Option<Head>)> {
    let file: File = files::table
        .filter(files::patient_id.eq(access.id()))
        .filter(files::id.eq(id))
        .select(File::as_select())
        .first(conn)
        .optional()?
        .ok_or(Error::NotFound)?;
    let ids: Vec<RecordId> = file.record_id.iter().cloned().collect();
    let heads = headings(conn, access, &ids)?;
    seen(access, &heads, file).ok_or(Error::NotFound)
}

/// The same that is not in the trash.
pub fn living<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, id: &FileId) -> Result<(File, Option<Head>)> {
    find(conn, access, id).and_then(|found| if found.0.deleted_at.is_none() { Ok(found) } else { Err(Error::NotFound) })
}

/// May a file be put there? A record must be seen; without one it takes who sees everything.
fn check_place<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, record: Option<&RecordId>) -> Result<()> {
    match record {
        Some(record) if headings(conn, access, std::slice::from_ref(record))?.contains_key(record) => Ok(()),
        None if access.scope().is_whole() => Ok(()),
        _ => Err(Error::Invalid(vec![("record".to_owned(), FieldError::NoSuchRecord)])),
    }
}

/// What came in and waits to be somebody's.
#[derive(Clone, Debug)]
pub struct NewFile {
    pub blob: blobs::Kept,
    pub name: String,
    pub kind: &'static FileKind,
}

/// Makes it a file of the patient, or of a record of theirs, if their household still has room for it.
pub fn add<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, quota: Quota, new: &NewFile, details: &Details) -> Result<FileId> {
    check_place(tx, access, details.record.as_ref())?;
    let owner = Owner::Patient(access.id().clone(), details.record.clone());
    let id = owner::insert(tx, hand(access), &owner, (access.household(), quota), new, details)?;
    crate::paperless::sync::copies::added(tx, access, &id)?;
    Ok(id)
}

/// Says something else of it, or moves it to another record.
pub fn change<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, id: &FileId, version: i32, details: &Details) -> Result<()> {
    let (file, _) = living(tx, access, id)?;
    if file.version == version && file.record_id != details.record {
        check_place(tx, access, details.record.as_ref())?;
    }
    owner::describe(tx, hand(access), &file, version, (details.record.as_ref(), details))
}

/// Into the trash; doing it again changes nothing.
pub fn remove<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, id: &FileId) -> Result<()> {
    let (file, _) = find(tx, access, id)?;
    owner::lay(tx, hand(access), &file, true)
}

/// Back from the trash.
pub fn restore<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, id: &FileId) -> Result<()> {
    let (file, _) = find(tx, access, id)?;
    owner::lay(tx, hand(access), &file, false)
}

/// Out of the trash for good, before its time; [`purging::NOT_IN_TRASH`] if it is not there.
pub fn forget<L: AtLeast<Full>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, id: &FileId) -> Result<()> {
    let (file, _) = find(tx, access, id)?;
    owner::forget(tx, hand(access), &file)
}

fn hand<L: Level>(access: &PatientAccess<L>) -> Hand<'_> {
    Hand { actor: Some(&access.actor), now: access.now }
}

/// Notes that a person looked at a file or took it along.
pub fn note_look<L: Level>(app: &App, access: &PatientAccess<L>, action: Action, file: &File) {
    let owner = Owner::Patient(access.id().clone(), file.record_id.clone());
    app.reads.note(hand(access).event(&owner, action, &file.id, file.version));
}

/// What files are called, by the ids that the audit names them with; for who may see all of them.
pub fn names(conn: &mut Conn, access: &PatientAccess<Own>, ids: &[&str]) -> Result<HashMap<String, String>> {
    let rows: Vec<(FileId, String)> = files::table
        .filter(files::patient_id.eq(access.id()))
        .filter(among(conn, "files.id", ids))
        .select((files::id, files::file_name))
        .load(conn)?;
    Ok(rows.into_iter().map(|(id, name)| (id.to_string(), name)).collect())
}

/// What the audit calls a file.
pub const KIND: &str = "files";

/// Removes for good what has lain in the trash since before `limit`, a batch at a time; the bytes go with the next sweep, and the audit keeps
/// that it was there.
pub fn purge(tx: &mut Tx<'_>, limit: NaiveDateTime, now: NaiveDateTime) -> Result<usize> {
    let due: Vec<File> = files::table.filter(files::deleted_at.lt(limit)).limit(500).select(File::as_select()).load(&mut **tx)?;
    for file in &due {
        owner::forget(tx, Hand { actor: None, now }, file)?;
    }
    Ok(due.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_last_part_of_a_path_and_nothing_that_deceives() {
        assert_eq!(clean_name("C:\\scans\\letter.pdf"), "letter.pdf");
        assert_eq!(clean_name("../../etc/passwd"), "passwd");
        assert_eq!(clean_name("a\0b\nc.pdf"), "abc.pdf");
        assert_eq!(clean_name("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
        assert_eq!(clean_name("Größe 検査.pdf"), "Größe 検査.pdf");
        assert_eq!(clean_name("..."), "document");
        assert_eq!(clean_name(""), "document");
        let long = clean_name(&format!("{}.jpeg", "ä".repeat(300)));
        assert_eq!((long.chars().count(), long.ends_with("ä.jpeg")), (LONGEST_NAME, true));
        assert_eq!(clean_name(&"x".repeat(400)).chars().count(), LONGEST_NAME - 1);
    }

    #[test]
    fn details_are_checked_at_their_fields() {
        let read = |pairs: &[(&str, &str)]| {
            Details::read(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()).unwrap_or_default(), Mode::Strict)
        };
        let wrong = |name: &str, value: &str| read(&[(name, value)]).unwrap_err().pop().unwrap().0 == name;
        assert_eq!(read(&[("description", "  ")]).unwrap(), Details::default());
        assert_eq!(read(&[("document_date", "2009-03")]).unwrap().document_date.as_deref(), Some("2009-03"));
        assert!(wrong("document_date", "2009-13") && wrong("category", "secret") && wrong("record", "a/b"));
        assert!(wrong("description", &"x".repeat(2001)) && wrong("description", "a\u{1}b"));
    }
}
