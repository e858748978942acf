//! The words inside documents: what a document says of itself page by page, what was read from its pictures, and the entry of the search
//! that both make together with its name and what people wrote about it.

use chrono::NaiveDateTime;
use diesel::{prelude::*, sql_types::Bool};

use super::{File, blobs, owner::Owner, prepared};
use crate::{
    app::App,
    charset,
    db::{
        MultiBackend, Tx,
        schema::{file_readings, file_texts, files, practitioners},
        search,
        sql::worded,
        types::{FileId, HouseholdId},
    },
    error::{Error, Result},
    jobs::{self, NewJob},
    workshop::{Note, Order},
};

/// Reads one page that is a picture.
pub const READ: &str = "read_page";
/// So much of a document's text is kept and found, in bytes: some three hundred full pages.
pub const MOST: usize = 1_000_000;

/// A page's words.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = file_texts, check_for_backend(MultiBackend))]
pub struct PageText {
    pub file_id: FileId,
    pub page: i32,
    /// document, scan, waiting, failed.
    pub source: String,
    pub content: String,
}

/// As much of the pages as is kept, and whether something was left out. Pages without words are left out too.
pub fn cut<'a>(pages: impl Iterator<Item = (i32, &'a str)>) -> (Vec<(i32, String)>, bool) {
    let (mut kept, mut room, mut is_cut) = (Vec::new(), MOST, false);
    for (number, text) in pages {
        let end = (0..=room.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        let part = text.get(..end).unwrap_or_default();
        // Behind a cut comes nothing more, however little it is.
        room = if end < text.len() { 0 } else { room - end };
        is_cut |= end < text.len();
        // A NUL is no letter, and PostgreSQL takes none.
        let part: String = part.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
        if !part.trim().is_empty() {
            kept.push((number, part));
        }
    }
    (kept, is_cut)
}

pub fn put_page(tx: &mut Tx<'_>, file: &FileId, page: i32, source: &str, content: &str) -> Result<()> {
    diesel::delete(file_texts::table.find((file, page))).execute(&mut **tx)?;
    let row = PageText { file_id: file.clone(), page, source: source.to_owned(), content: content.to_owned() };
    diesel::insert_into(file_texts::table).values(&row).execute(&mut **tx)?;
    Ok(())
}

/// A page that is a picture waits to be read. What little it says itself is not kept: it stands in the picture too.
pub fn await_page(tx: &mut Tx<'_>, file: &FileId, page: i32, now: NaiveDateTime) -> Result<()> {
    put_page(tx, file, page, "waiting", "")?;
    let (key, payload) = (format!("{READ}:{file}:{page}"), format!("{file} {page}"));
    jobs::add(tx, &NewJob { task: READ, payload: &payload, unique_key: Some(&key), repeat: None, run_at: now }, now)
}

/// Sums up what the pages say now: the reading's state and count, and the entry of the search.
pub fn settle(tx: &mut Tx<'_>, file: &FileId, no_reader: bool, now: NaiveDateTime) -> Result<()> {
    let pages = pages(tx, file)?;
    let count: usize = pages.iter().map(|page| page.content.split_whitespace().count()).sum();
    let has = |source: &str| pages.iter().any(|page| page.source == source);
    let before: Option<String> = file_readings::table.find(file).select(file_readings::words).first(&mut **tx).optional()?;
    let state = match before.as_deref() {
        None => return Ok(()),
        Some(state @ ("none" | "failed")) if pages.is_empty() => state,
        _ if has("waiting") => "reading",
        _ if no_reader => "no_reader",
        _ if count > 0 => "read",
        _ if has("failed") => "failed",
        _ => "empty",
    };
    diesel::update(file_readings::table.find(file))
        .set((
            file_readings::words.eq(state),
            file_readings::word_count.eq(i32::try_from(count).unwrap_or(i32::MAX)),
            file_readings::updated_at.eq(now),
        ))
        .execute(&mut **tx)?;
    index(tx, file)
}

fn pages(tx: &mut Tx<'_>, file: &FileId) -> Result<Vec<PageText>> {
    let all = file_texts::table.filter(file_texts::file_id.eq(file)).order(file_texts::page);
    Ok(all.select(PageText::as_select()).load(&mut **tx)?)
}

/// Writes the entry of the search anew, name, description and words: a patient's, or that of the household whose own it is.
pub fn index(tx: &mut Tx<'_>, id: &FileId) -> Result<()> {
    let file: Option<File> = files::table.find(id).select(File::as_select()).first(&mut **tx).optional()?;
    let Some(file) = file else { return Ok(()) };
    let (owner, mut text) = (file.owner(), file.file_name);
    for part in file.description.into_iter().chain(pages(tx, id)?.into_iter().map(|page| page.content)) {
        text.push('\n');
        text.push_str(&part);
    }
    match owner {
        Some(Owner::Patient(patient, _)) => search::put_file(tx, &patient, id, &text),
        Some(Owner::Inbox(household)) => search::put_shelved(tx, &household, id, &text),
        Some(Owner::Practitioner(practitioner)) => {
            let household: HouseholdId = practitioners::table.find(practitioner).select(practitioners::household_id).first(&mut **tx)?;
            search::put_shelved(tx, &household, id, &text)
        }
        None => Ok(()),
    }
}

/// Gives those documents of households their entries that have none yet, some at a time. Tells how many.
pub fn index_shelves(tx: &mut Tx<'_>, most: i64) -> Result<usize> {
    let without = files::table.filter(worded::<Bool>(search::NOT_SHELVED)).order(files::uploaded_at).limit(most);
    let due: Vec<FileId> = without.select(files::id).load(&mut **tx)?;
    due.iter().try_for_each(|file| index(tx, file))?;
    Ok(due.len())
}

/// The job of one page: drawn large by the workshop, read by tesseract.
pub fn read_page(app: &App, payload: &str) -> Result<()> {
    let parts = payload.split_once(' ').and_then(|(file, page)| Some((FileId::parse(file)?, page.parse::<i32>().ok()?)));
    let Some((id, page)) = parts else { return Err(Error::Internal("a page to read without a number".to_owned())) };
    let file: Option<File> = app.db.read(|conn| {
        let waiting = file_texts::table.find((&id, page)).filter(file_texts::source.eq("waiting")).select(file_texts::page);
        if waiting.first::<i32>(conn).optional()?.is_none() {
            return Ok(None);
        }
        Ok(files::table.find(&id).select(File::as_select()).first(conn).optional()?)
    })?;
    let Some(file) = file else { return Ok(()) };
    let text = match scan(app, &file, page) {
        Ok(text) => text,
        Err(Error::FileDamaged | Error::Elsewhere(blobs::DIFFERS)) => None,
        Err(error) => return Err(error),
    };
    let now = app.clock.now();
    app.db.write(|tx| {
        if files::table.find(&id).select(files::id).first::<FileId>(&mut **tx).optional()?.is_none() {
            return Ok(());
        }
        let room = MOST.saturating_sub(pages(tx, &id)?.iter().map(|page| page.content.len()).sum());
        let is_cut = text.as_ref().is_some_and(|text| text.len() > room);
        let (source, content) = text.as_deref().map_or(("failed", ""), |text| ("scan", text));
        let content = if is_cut { "" } else { content };
        put_page(tx, &id, page, source, content)?;
        if is_cut {
            diesel::update(file_readings::table.find(&id)).set(file_readings::is_cut.eq(true)).execute(&mut **tx)?;
        }
        settle(tx, &id, false, now)
    })
}

/// None: it cannot be drawn, or the reader gave it up.
fn scan(app: &App, file: &File, page: i32) -> Result<Option<String>> {
    let page = usize::try_from(page).unwrap_or_default();
    let order = match prepared::sort(&file.file_type) {
        prepared::Sort::Pdf => Order::PdfScan { page },
        _ => Order::PictureScan { page },
    };
    let work =
        app.workshop.run(&order, prepared::open(app, file)?).map_err(|error| Error::Internal(format!("workshop: {}", error.kind())))?;
    let drawn = work.pieces.into_iter().find(|(note, _)| matches!(note, Note::Drawn { .. }));
    Ok(drawn.and_then(|(_, jpeg)| app.tesseract.read(&jpeg)).map(|text| tidy(&text)))
}

/// Lines without the empty ones, and without control characters.
fn tidy(text: &str) -> String {
    let plain = |line: &str| line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let lines: Vec<String> = text.lines().map(|line| plain(line).trim().to_owned()).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// A text file as text.
pub fn decode(bytes: &[u8], charset: &str) -> String {
    tidy(&charset::decode(bytes, charset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_as_older_programs_wrote_it() {
        let decode = |bytes: &[u8]| {
            let mut letters = charset::Finder::default();
            letters.add(bytes);
            decode(bytes, letters.found(true))
        };
        assert_eq!(decode(b"caf\xe9"), "café");
        assert_eq!(decode("Größe\r\n\r\n1,80 m".as_bytes()), "Größe\n1,80 m");
        assert_eq!(decode(b"Gr\xf6\xdfe \x80 5"), "Größe € 5");
        assert_eq!(decode(b"\xff\xfeG\0r\0\xf6\0"), "Grö");
        assert_eq!(decode(b"\xfe\xff\0G\0r\0\xf6"), "Grö");
        assert_eq!(decode(b"\xef\xbb\xbfGr\xc3\xb6"), "Grö");
        assert_eq!(decode(b"a\0b"), "a b");
        assert_eq!(decode(b""), "");
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        let long = "ä".repeat(MOST);
        let (pages, is_cut) = cut([(1, "one"), (2, " \n"), (3, long.as_str()), (4, "gone")].into_iter());
        assert!(is_cut);
        assert_eq!(pages.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(pages.iter().map(|(_, text)| text.len()).sum::<usize>(), MOST - 3);
        assert!(!cut([(1, "one")].into_iter()).1);
    }
}
