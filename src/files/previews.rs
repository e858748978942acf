//! Pictures of a document's pages: in lists, on its page, and one by one, each to who may see the document.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};
use diesel::prelude::*;

use super::{
    File,
    pages::Line,
    prepared::{self, Preview, Reading},
    serve, waiting,
};
use crate::{
    access::{self, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    db::{
        Conn,
        schema::{file_previews, file_readings, file_texts},
        sql::among,
        types::{FileId, PatientId},
    },
    error::{Error, Result},
    page::{Ui, note_read},
};

/// Pages shown at once.
const AT_ONCE: i32 = 3;
/// Of a text, so many letters.
const EXCERPT: usize = 4000;

/// Gives lines of a list their small pictures. One statement, however many lines there are.
pub fn mark(conn: &mut Conn, lines: &mut [Line]) -> Result<()> {
    let ids: Vec<&str> = lines.iter().map(|line| line.id.as_str()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let drawn: Vec<(FileId, String)> = file_previews::table
        .filter(among(conn, "file_previews.file_id", &ids))
        .filter(file_previews::page.eq(0))
        .select((file_previews::file_id, file_previews::blob))
        .load(conn)?;
    let drawn: HashMap<String, String> = drawn.into_iter().map(|(id, blob)| (id.to_string(), blob)).collect();
    for line in lines {
        line.picture = drawn.get(&line.id).map(|_| format!("{}/pages/0", line.href)).unwrap_or_default();
    }
    Ok(())
}

/// A page's picture on the document's page.
pub struct Picture {
    pub href: String,
    pub alt: String,
    pub width: i32,
    pub height: i32,
}

/// What the document's page tells of its pictures and words.
#[derive(Default)]
pub struct Shown {
    pub pictures: Vec<Picture>,
    /// Other pages: address, words, and whether they are the ones shown.
    pub others: Vec<(String, String, bool)>,
    /// Sentences: why there is no picture, what is not drawn, what became of the words.
    pub told: Vec<String>,
    /// The beginning of a plain text.
    pub excerpt: String,
    /// Something is still being made: where to ask how far it is, and how far it was.
    pub waits: Option<(String, String)>,
}

impl Shown {
    /// For a page at `href`, from page `from` on.
    pub fn load(conn: &mut Conn, ui: &Ui, file: &File, href: &str, from: i32) -> Result<Self> {
        let reading: Option<Reading> = file_readings::table.find(&file.id).select(Reading::as_select()).first(conn).optional()?;
        let Some(reading) = reading else { return Ok(Self::default()) };
        let all = file_previews::table.filter(file_previews::file_id.eq(&file.id)).filter(file_previews::page.gt(0));
        let drawn: Vec<Preview> = all.order(file_previews::page).select(Preview::as_select()).load(conn)?;
        let from = (from.max(1) - 1) / AT_ONCE * AT_ONCE + 1;
        let alt = |page: i32| {
            if reading.pages < 2 { file.file_name.clone() } else { page_of(ui, page, reading.pages) }
        };
        let shown = drawn.iter().filter(|preview| (from..from + AT_ONCE).contains(&preview.page));
        let pictures = shown
            .map(|preview| Picture {
                href: format!("{href}/pages/{}", preview.page),
                alt: alt(preview.page),
                width: preview.width,
                height: preview.height,
            })
            .collect();
        let last = drawn.last().map_or(0, |preview| preview.page);
        let others = others(ui, href, from, last);
        let waits = waiting::waits(&reading).then(|| (format!("{href}/state"), waiting::state(&reading)));
        Ok(Self { pictures, others, told: told(ui, file, &reading, last), excerpt: excerpt(conn, file)?, waits })
    }
}

fn page_of(ui: &Ui, page: i32, of: i32) -> String {
    ui.words.with("file.page_of", &[("page", &page.to_string()), ("of", &of.to_string())])
}

fn others(ui: &Ui, href: &str, from: i32, last: i32) -> Vec<(String, String, bool)> {
    if last <= AT_ONCE {
        return Vec::new();
    }
    let step = usize::try_from(AT_ONCE).unwrap_or(1);
    let part = |first: i32| {
        let end = (first + AT_ONCE - 1).min(last);
        let words = if end == first {
            ui.t1("file.page", "page", first.to_string())
        } else {
            ui.words.with("file.pages_part", &[("from", &first.to_string()), ("to", &end.to_string())])
        };
        (format!("{href}?page={first}#pages"), words, first == from)
    };
    (1..=last).step_by(step).map(part).collect()
}

/// What became of it, in words; what went well is told by what is seen.
fn told(ui: &Ui, file: &File, reading: &Reading, drawn: i32) -> Vec<String> {
    let mut told = Vec::new();
    if prepared::sort(&file.file_type) == prepared::Sort::Other && reading.pictures == "none" {
        told.push(ui.t("file.pictures.not_of_this_type"));
    }
    if !matches!(reading.pictures.as_str(), "drawn" | "none") {
        told.push(ui.t2("file.pictures", &reading.pictures));
    } else if reading.pictures == "drawn" && drawn < reading.pages {
        told.push(ui.words.with("file.pages_more", &[("n", &drawn.to_string()), ("of", &reading.pages.to_string())]));
    }
    match reading.words.as_str() {
        "none" => {}
        // Of what could not be opened no word is expected.
        "failed" | "waiting" if !matches!(reading.pictures.as_str(), "drawn" | "none") => {}
        "read" => told.push(ui.n("file.words.read", &i64::from(reading.word_count))),
        other => told.push(ui.t2("file.words", other)),
    }
    if reading.is_cut {
        told.push(ui.t("file.words.cut"));
    }
    told
}

fn excerpt(conn: &mut Conn, file: &File) -> Result<String> {
    if prepared::sort(&file.file_type) != prepared::Sort::Text {
        return Ok(String::new());
    }
    let text: Option<String> = file_texts::table.find((&file.id, 1)).select(file_texts::content).first(conn).optional()?;
    let text = text.unwrap_or_default();
    let mut shown: String = text.chars().take(EXCERPT).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    Ok(shown)
}

/// `GET /patients/{patient}/files/{file}/pages/{page}`: the picture of a page, 0 for the small one.
pub async fn picture(
    app: web::Data<App>,
    signed: Signed,
    path: web::Path<(String, String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let patient = PatientId::parse(&path.0).ok_or(Error::NotFound)?;
    let id = FileId::parse(&path.1).ok_or(Error::NotFound)?;
    let page: i32 = path.2.parse().map_err(|_| Error::NotFound)?;
    let preview: Preview = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let (file, _) = super::living(conn, &access, &id)?;
            // The small ones are a list's.
            if page == 0 {
                note_read(app, &access, Action::Listed, Some(super::KIND), None);
            } else {
                super::note_look(app, &access, Action::Read, &file);
            }
            of_page(conn, &file, page)
        })
        .await?;
    send(&app, &request, preview).await
}

/// The picture of a page of a document that this person sees.
pub fn of_page(conn: &mut Conn, file: &File, page: i32) -> Result<Preview> {
    file_previews::table.find((&file.id, page)).select(Preview::as_select()).first(conn).optional()?.ok_or(Error::NotFound)
}

pub async fn send(app: &App, request: &HttpRequest, preview: Preview) -> Result<HttpResponse> {
    let (id, size) = (preview.file_id.clone(), u64::try_from(preview.size).unwrap_or_default());
    match serve::jpeg(app, request, &preview.blob, size).await {
        // Lost or changed: another one is made, and meanwhile there is none.
        Err(Error::FileDamaged) => {
            app.write(move |tx, app| {
                diesel::delete(file_previews::table.filter(file_previews::file_id.eq(&id))).execute(&mut **tx)?;
                prepared::expect(tx, &id, app.clock.now())
            })
            .await?;
            Err(Error::NotFound)
        }
        answer => answer,
    }
}

/// The page that is asked for, of a document's page.
pub fn wanted(request: &HttpRequest) -> i32 {
    crate::body::query(request).iter().find(|(name, _)| name == "page").and_then(|(_, value)| value.parse().ok()).unwrap_or(1)
}
