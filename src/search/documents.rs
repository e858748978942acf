//! Documents among what is found: by their name, by what was written about them, and by the words inside, page and line told.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{Piece, around, begins, marked};
use crate::{
    access::{Accesses, Actor, PatientAccess},
    db::{
        Conn,
        schema::{file_texts, files},
        search,
        sql::among,
        types::{FileId, PatientId, RecordId},
    },
    error::Result,
    files::{
        File,
        pages::{self, Line},
        shelf,
    },
    page::Ui,
    records::{Head, overview},
};

/// What is shown; more is for a narrower question.
const MOST: usize = 20;

/// A document that was found.
pub struct Found {
    pub href: String,
    pub name: Vec<Piece>,
    pub about: String,
    /// Whose it is: a patient's or practitioner's name, or the inbox.
    pub of: String,
    /// Page 3, or nothing where there is no line.
    pub page: String,
    /// The line of it.
    pub line: Vec<Piece>,
    pub(super) patient: Option<PatientId>,
}

/// One that this person may see, and how a list tells of it.
struct Seen {
    file: File,
    line: Line,
    of: String,
}

/// The documents with these words that this person may see, the newest first; of records of these kinds, or of all. A handful of statements,
/// however many there are.
pub fn find(
    conn: &mut Conn,
    ui: &Ui,
    (actor, accesses): (&Actor, &Accesses),
    q: &str,
    kinds: &[String],
    wanted: &[String],
) -> Result<Vec<Found>> {
    let mut all = of_patients(conn, ui, accesses, q, kinds)?;
    if kinds.is_empty() {
        all.extend(of_households(conn, ui, actor, q)?);
    }
    all.sort_by(|a, b| (b.file.uploaded_at, &b.file.id).cmp(&(a.file.uploaded_at, &a.file.id)));
    all.truncate(MOST);
    let mut lines = lines(conn, &all, wanted)?;
    let found = |Seen { file, line, of }: Seen| {
        // A line tells nothing where the name says it all.
        let best = lines.remove(&file.id).filter(|_| !begins(&line.name, wanted));
        let (page, text) = best.unwrap_or_default();
        let record = line.record.map(|(_, title)| title);
        Found {
            href: if page > 1 { format!("{}?page={page}#pages", line.href) } else { line.href },
            name: marked(&line.name, wanted),
            about: std::iter::once(line.about).chain(record).collect::<Vec<_>>().join(" · "),
            of,
            page: if text.is_empty() { String::new() } else { ui.t1("file.page", "page", page.to_string()) },
            line: marked(&around(&text, wanted), wanted),
            patient: file.patient_id,
        }
    };
    Ok(all.into_iter().map(found).collect())
}

/// Those of the household's inbox and of its practitioners: membership opens them, and a share does not.
fn of_households(conn: &mut Conn, ui: &Ui, actor: &Actor, q: &str) -> Result<Vec<Seen>> {
    let found = shelf::find(conn, actor, q)?;
    let told = |found: shelf::Found| Seen {
        line: pages::line_at(ui, &found.base, &found.file),
        of: found.practitioner.unwrap_or_else(|| ui.t("inbox.title")),
        file: found.file,
    };
    Ok(found.into_iter().map(told).collect())
}

fn of_patients(conn: &mut Conn, ui: &Ui, accesses: &Accesses, q: &str, kinds: &[String]) -> Result<Vec<Seen>> {
    let mut seen = seen(conn, accesses, q)?;
    if !kinds.is_empty() {
        seen.retain(|(_, head)| head.as_ref().is_some_and(|head| kinds.contains(&head.kind)));
    }
    seen.truncate(MOST);
    let told = |(file, head): (File, Option<Head>)| {
        let patient = file.patient_id.clone()?;
        let of = accesses.of(&patient).map(|access| access.patient.name()).unwrap_or_default();
        Some(Seen { line: pages::line(ui, &patient, &file, head.as_ref()), of, file })
    };
    Ok(seen.into_iter().filter_map(told).collect())
}

/// Through the same doors as the documents themselves: of a record that is seen, or the patient's own for who sees everything.
fn seen(conn: &mut Conn, accesses: &Accesses, q: &str) -> Result<Vec<(File, Option<Head>)>> {
    let patients: Vec<&PatientId> = accesses.list.iter().map(PatientAccess::id).collect();
    let ids = search::find_files(conn, &patients, q)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<File> = files::table
        .filter(among(conn, "files.id", &ids))
        .filter(files::deleted_at.is_null())
        .order((files::uploaded_at.desc(), files::id.desc()))
        .select(File::as_select())
        .load(conn)?;
    let records: Vec<RecordId> = found.iter().filter_map(|file| file.record_id.clone()).collect();
    let heads = overview::heads(conn, accesses, &records)?;
    let door = |file: File| {
        let access = accesses.of(file.patient_id.as_ref()?)?;
        match &file.record_id {
            Some(record) => heads.get(record).filter(|head| head.patient_id == *access.id()).map(|head| (file.clone(), Some(head.clone()))),
            None => access.scope().is_whole().then_some((file, None)),
        }
    };
    Ok(found.into_iter().filter_map(door).collect())
}

/// For each document the line in which most of the words begin one, and its page.
fn lines(conn: &mut Conn, seen: &[Seen], wanted: &[String]) -> Result<HashMap<FileId, (i32, String)>> {
    let ids: Vec<&FileId> = seen.iter().map(|seen| &seen.file.id).collect();
    let pages: Vec<(FileId, i32, String)> = file_texts::table
        .filter(among(conn, "file_texts.file_id", &ids))
        .order((file_texts::file_id, file_texts::page))
        .select((file_texts::file_id, file_texts::page, file_texts::content))
        .load(conn)?;
    let mut best: HashMap<FileId, (usize, i32, String)> = HashMap::new();
    for (file, page, content) in pages {
        for line in content.lines() {
            let words = crate::text::words(line);
            let count = wanted.iter().filter(|want| words.iter().any(|word| word.starts_with(want.as_str()))).count();
            if count > best.get(&file).map_or(0, |(most, ..)| *most) {
                best.insert(file.clone(), (count, page, line.to_owned()));
            }
        }
    }
    Ok(best.into_iter().map(|(file, (_, page, line))| (file, (page, line))).collect())
}
