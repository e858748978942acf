//! What is made of a document once it is there, in the background: pictures of its pages, its words. The row of a document's reading says how
//! far that has come; what can be made again is no part of the document's own story, so none of this makes a version or an audit event.

use std::io::Read;

use chrono::NaiveDateTime;
use diesel::{prelude::*, sql_types::Bool};

use super::{File, blobs, tesseract::Tesseract, words};
use crate::{
    app::App,
    charset,
    db::{
        Conn, MultiBackend, Tx,
        schema::{file_previews, file_readings, file_texts, files},
        sql::worded,
        types::FileId,
    },
    error::{Error, Result},
    jobs::{self, NewJob},
    storage::{BlobName, Span},
    workshop::{self, End, Note, Order, Piece, Refusal},
};

/// Makes pictures and words of one document.
pub const PREPARE: &str = "prepare_file";
/// Looks for documents of which nothing was made yet.
pub const LOOK: &str = "prepare_files";
/// So many pages are drawn; who wants more opens the document.
pub const DRAWN: usize = 24;
/// Of plain text, so many bytes are read.
const MOST_TEXT: u64 = 4_000_000;
/// What one look takes up at most.
const MOST: i64 = 200;

/// How far it has come with a document.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = file_readings, check_for_backend(MultiBackend))]
pub struct Reading {
    pub file_id: FileId,
    /// `waiting`, `drawn`, `none`, `protected`, `damaged`, `too_large`, `broken`.
    pub pictures: String,
    /// `waiting`, `reading`, `read`, `none`, `empty`, `no_reader`, `failed`.
    pub words: String,
    pub pages: i32,
    pub word_count: i32,
    pub is_cut: bool,
    pub updated_at: NaiveDateTime,
}

/// A picture of a page, from 1; 0 is the small one.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = file_previews, check_for_backend(MultiBackend))]
pub struct Preview {
    pub file_id: FileId,
    pub page: i32,
    pub blob: String,
    pub width: i32,
    pub height: i32,
    /// Bytes.
    pub size: i64,
}

/// What kinds of files are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Pdf,
    Picture,
    Text,
    /// Kept, and neither drawn nor read.
    Other,
}

pub fn sort(file_type: &str) -> Sort {
    match file_type {
        "application/pdf" => Sort::Pdf,
        "image/jpeg" | "image/png" | "image/gif" | "image/webp" | "image/tiff" => Sort::Picture,
        "text/plain" | "text/csv" => Sort::Text,
        _ => Sort::Other,
    }
}

/// Says, with the document itself, that something is to be made of it; also once more, for what was lost.
pub fn expect(tx: &mut Tx<'_>, file: &FileId, now: NaiveDateTime) -> Result<()> {
    diesel::delete(file_readings::table.find(file)).execute(&mut **tx)?;
    let waiting = || "waiting".to_owned();
    let reading =
        Reading { file_id: file.clone(), pictures: waiting(), words: waiting(), pages: 0, word_count: 0, is_cut: false, updated_at: now };
    diesel::insert_into(file_readings::table).values(&reading).execute(&mut **tx)?;
    let key = format!("{PREPARE}:{file}");
    jobs::add(tx, &NewJob { task: PREPARE, payload: file.as_str(), unique_key: Some(&key), repeat: None, run_at: now }, now)
}

/// Takes up what nothing was made of: documents from before there were pictures, scans from before there was a reader, and households' own
/// documents from before those were found.
pub fn look(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let can_read = app.tesseract.is_there();
    app.db.write(|tx| {
        let never = "NOT EXISTS (SELECT 1 FROM file_readings r WHERE r.file_id = files.id)";
        let unread = "EXISTS (SELECT 1 FROM file_readings r WHERE r.file_id = files.id AND r.words = 'no_reader')";
        let wanted = worded::<Bool>(if can_read { format!("({never} OR {unread})") } else { never.to_owned() });
        let due: Vec<FileId> = files::table.filter(wanted).order(files::uploaded_at).limit(MOST).select(files::id).load(&mut **tx)?;
        for file in &due {
            words::index(tx, file)?;
            expect(tx, file, now)?;
        }
        Ok(due.len() + words::index_shelves(tx, MOST)?)
    })
}

/// The job of one document.
pub fn prepare(app: &App, id: &str) -> Result<()> {
    let Some(file) = FileId::parse(id).map(|id| app.db.read(|conn| row(conn, &id))).transpose()?.flatten() else {
        return Ok(());
    };
    let made = match make(app, &file) {
        Ok(made) => made,
        // What was changed on the disk stays so however often one looks; `check` tells of it.
        Err(Error::FileDamaged | Error::Elsewhere(blobs::DIFFERS)) => Made::nothing("broken", "failed"),
        Err(error) => return Err(error),
    };
    let kept: Vec<(Preview, blobs::Kept)> = made.keep(app, &file.id)?;
    // Asked before there is a transaction: the answer is another program's.
    let can_read = app.tesseract.is_there();
    let saved = app.db.write(|tx| save(tx, &file.id, &made, &kept, can_read, app.clock.now()));
    if !matches!(saved, Ok(true)) {
        for (_, blob) in &kept {
            blobs::give_up(app, app.storage.as_ref(), &blob.name);
        }
    }
    saved.map(drop)
}

fn row(conn: &mut Conn, id: &FileId) -> Result<Option<File>> {
    Ok(files::table.find(id).select(File::as_select()).first(conn).optional()?)
}

/// The document's bytes.
pub fn open(app: &App, file: &File) -> Result<Box<dyn Read + Send>> {
    let name = BlobName::parse(&file.blob).ok_or(Error::FileDamaged)?;
    blobs::open(app, &name, Span::whole(file.size()))
}

/// The words of a page.
struct Page {
    number: i32,
    text: String,
    /// To be read from its picture.
    scan: bool,
}

/// What came of a document.
struct Made {
    pictures: &'static str,
    words: &'static str,
    pages: i32,
    drawn: Vec<Piece>,
    texts: Vec<Page>,
}

impl Made {
    fn nothing(pictures: &'static str, words: &'static str) -> Self {
        Self { pictures, words, pages: 0, drawn: Vec::new(), texts: Vec::new() }
    }

    /// Stores the pictures, sealed; nobody's yet.
    fn keep(&self, app: &App, file: &FileId) -> Result<Vec<(Preview, blobs::Kept)>> {
        let mut kept = Vec::new();
        for (note, jpeg) in &self.drawn {
            let Note::Drawn { page, width, height } = note else { continue };
            let blob = blobs::store(app, jpeg)?;
            let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
            let preview = Preview {
                file_id: file.clone(),
                page: i32::try_from(*page).unwrap_or(i32::MAX),
                blob: blob.name.as_str().to_owned(),
                width: number(*width),
                height: number(*height),
                size: i64::try_from(jpeg.len()).unwrap_or(i64::MAX),
            };
            kept.push((preview, blob));
        }
        Ok(kept)
    }
}

fn make(app: &App, file: &File) -> Result<Made> {
    let order = match sort(&file.file_type) {
        Sort::Other => return Ok(Made::nothing("none", "none")),
        Sort::Text => return plain(app, file),
        _ if file.size() > workshop::LARGEST => return Ok(Made::nothing("too_large", "failed")),
        Sort::Pdf => Order::Pdf { draw: DRAWN },
        Sort::Picture => Order::Picture { draw: DRAWN },
    };
    let work = app.workshop.run(&order, open(app, file)?).map_err(|error| Error::Internal(format!("workshop: {}", error.kind())))?;
    let mut made = Made::nothing(
        match work.end {
            End::Refused(Refusal::Protected) => "protected",
            End::Refused(Refusal::Damaged) => "damaged",
            End::Refused(Refusal::TooLarge) => "too_large",
            End::Done | End::Broken => "broken",
        },
        "failed",
    );
    for (note, jpeg) in work.pieces {
        match note {
            Note::Pages { count } => made.pages = i32::try_from(count).unwrap_or(i32::MAX),
            Note::Text { page, text, scan } => {
                made.texts.push(Page { number: i32::try_from(page).unwrap_or(i32::MAX), text, scan });
                made.words = "read";
            }
            Note::Drawn { .. } => {
                made.pictures = "drawn";
                made.drawn.push((note, jpeg));
            }
            Note::Refused { .. } | Note::Done => {}
        }
    }
    Ok(made)
}

fn plain(app: &App, file: &File) -> Result<Made> {
    let mut bytes = Vec::new();
    open(app, file)?.take(MOST_TEXT).read_to_end(&mut bytes).map_err(|_| Error::FileDamaged)?;
    let mut letters = charset::Finder::default();
    letters.add(&bytes);
    let found = letters.found(file.size() <= MOST_TEXT);
    let text = words::decode(&bytes, file.charset.as_deref().unwrap_or(found));
    Ok(Made { pages: 1, texts: vec![Page { number: 1, text, scan: false }], ..Made::nothing("none", "read") })
}

/// Puts it all down, in place of what was there; whose bytes are nobody's then, the sweep takes. False: the document is gone.
fn save(tx: &mut Tx<'_>, file: &FileId, made: &Made, kept: &[(Preview, blobs::Kept)], can_read: bool, now: NaiveDateTime) -> Result<bool> {
    if row(tx, file)?.is_none() {
        return Ok(false);
    }
    diesel::delete(file_previews::table.filter(file_previews::file_id.eq(file))).execute(&mut **tx)?;
    diesel::delete(file_texts::table.filter(file_texts::file_id.eq(file))).execute(&mut **tx)?;
    for (preview, blob) in kept {
        blobs::keep(tx, blob)?;
        diesel::insert_into(file_previews::table).values(preview).execute(&mut **tx)?;
    }
    let (pages, is_cut) = words::cut(made.texts.iter().map(|page| (page.number, page.text.as_str())));
    for (number, text) in &pages {
        words::put_page(tx, file, *number, "document", text)?;
    }
    let scans: Vec<i32> = made.texts.iter().filter(|page| page.scan).map(|page| page.number).take(Tesseract::MOST_PAGES).collect();
    for number in scans.iter().filter(|_| can_read) {
        words::await_page(tx, file, *number, now)?;
    }
    let reading = Reading {
        file_id: file.clone(),
        pictures: made.pictures.to_owned(),
        words: made.words.to_owned(),
        pages: made.pages,
        word_count: 0,
        is_cut,
        updated_at: now,
    };
    diesel::delete(file_readings::table.find(file)).execute(&mut **tx)?;
    diesel::insert_into(file_readings::table).values(&reading).execute(&mut **tx)?;
    words::settle(tx, file, !can_read && !scans.is_empty(), now)?;
    Ok(true)
}
