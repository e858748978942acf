//! One search over everything a person may see: every kind of record, their documents, and the practitioners of their
//! household with the documents that are its own.

mod documents;

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use crate::{
    access,
    app::App,
    audit::{Action, Event},
    auth::session::Signed,
    body,
    db::{Conn, types::PatientId},
    directory::{Listed, Practitioner},
    error::Result,
    page::{self, Ui, note_read},
    records::{self, Head, overview, view::Choice},
    text,
};

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    ui: Ui,
    asked: bool,
    hits: Vec<Hit>,
    total: i64,
    /// People whose records one may see.
    people: Vec<PersonHit>,
    practitioners: Vec<PersonHit>,
    documents: Vec<documents::Found>,
    kinds: Vec<Choice>,
}

struct Hit {
    href: String,
    title: Vec<Piece>,
    about: String,
    patient: String,
    found: Vec<Piece>,
}

struct PersonHit {
    href: String,
    name: Vec<Piece>,
    about: String,
}

/// A part of a text; the matching ones are marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub text: String,
    pub hit: bool,
}

/// What is shown; more is for a narrower question.
const MOST: usize = 60;

/// `GET /search?q=`.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let pairs = body::query(&request);
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let q: String = pairs.iter().find(|(n, _)| n == "q").map(|(_, v)| v.trim().chars().take(200).collect()).unwrap_or_default();
            let kinds: Vec<String> = pairs.iter().filter(|(n, v)| n == "kind" && !v.is_empty()).map(|(_, v)| v.clone()).collect();
            let mut ui = Ui::new(Some(signed.me.clone()), &here);
            ui.q.clone_from(&q);
            let now = app.clock.now();
            let accesses = access::all(conn, &signed.actor, now)?;
            let heads = overview::search(conn, &accesses, &q, &kinds)?;
            let wanted = text::words(&q);
            let documents = documents::find(conn, &ui, (&signed.actor, &accesses), &q, &kinds, &wanted)?;
            let total = i64::try_from(heads.len() + documents.len()).unwrap_or(i64::MAX);
            let texts = overview::found_texts(conn, &heads.iter().take(MOST).cloned().collect::<Vec<_>>())?;
            let hits = heads
                .iter()
                .take(MOST)
                .map(|head| hit(&ui, &accesses, head, &wanted, texts.get(&head.id).map_or("", String::as_str)))
                .collect();
            app.reads.note(Event::new(&signed.actor, Action::Searched, now));
            // Whose records were shown is their owner's to know.
            let of_records = heads.iter().take(MOST).map(|head| &head.patient_id);
            let shown: HashSet<&PatientId> = of_records.chain(documents.iter().filter_map(|found| found.patient.as_ref())).collect();
            for access in accesses.list.iter().filter(|access| shown.contains(access.id())) {
                note_read(app, access, Action::Searched, None, None);
            }
            let choices = records::kinds()
                .iter()
                .map(|k| Choice { value: k.name.to_owned(), label: ui.kind(k), selected: kinds.iter().any(|n| n == k.name) })
                .collect();
            let practitioners = if kinds.is_empty() { practitioners(conn, &signed, &wanted)? } else { Vec::new() };
            let people = if kinds.is_empty() { people(&accesses, &wanted) } else { Vec::new() };
            page::text(&SearchPage { asked: !q.is_empty(), hits, total, people, practitioners, documents, kinds: choices, ui })
        })
        .await?;
    Ok(page::html(StatusCode::OK, page))
}

fn hit(ui: &Ui, accesses: &access::Accesses, head: &Head, wanted: &[String], found: &str) -> Hit {
    let kind = records::kind(&head.kind);
    let mut about = vec![kind.map(|k| ui.kind_one(k)).unwrap_or_default()];
    about.extend(head.occurred_on.as_deref().map(|d| ui.day(d)));
    about.extend(head.status.as_deref().and_then(|s| kind.map(|k| ui.status(k, s))));
    about.retain(|part| !part.is_empty());
    let title = marked(&head.title, wanted);
    let elsewhere = wanted.iter().all(|word| text::words(&head.title).iter().any(|t| t.starts_with(word.as_str())));
    Hit {
        href: format!("/patients/{}/{}/{}", head.patient_id, head.kind, head.id),
        about: about.join(" · "),
        patient: accesses.of(&head.patient_id).map(|a| a.patient.name()).unwrap_or_default(),
        found: if elsewhere { Vec::new() } else { marked(&around(found, wanted), wanted) },
        title,
    }
}

/// Does every wanted word begin one of the text's?
fn begins(text: &str, wanted: &[String]) -> bool {
    let words = text::words(text);
    wanted.iter().all(|want| words.iter().any(|word| word.starts_with(want.as_str())))
}

/// The patients in whose name every word begins one.
fn people(accesses: &access::Accesses, wanted: &[String]) -> Vec<PersonHit> {
    let mut found: Vec<_> = accesses.list.iter().filter(|access| !wanted.is_empty() && begins(&access.patient.name(), wanted)).collect();
    found.truncate(10);
    found
        .into_iter()
        .map(|access| PersonHit {
            href: format!("/patients/{}", access.id()),
            name: marked(&access.patient.name(), wanted),
            about: access.patient.fields.relationship.clone().unwrap_or_default(),
        })
        .collect()
}

/// The household's practitioners in whose name, specialty or practice every word begins one.
fn practitioners(conn: &mut Conn, signed: &Signed, wanted: &[String]) -> Result<Vec<PersonHit>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let household = page::household(conn, &signed.me.id)?;
    let matching = |entry: &Practitioner| {
        let all: Vec<&str> =
            [&entry.name, &entry.specialty, &entry.practice, &entry.notes].into_iter().flatten().map(String::as_str).collect();
        begins(&all.join(" "), wanted)
    };
    Ok(Practitioner::list(conn, &household)?
        .into_iter()
        .filter(|entry| matching(&entry.fields))
        .take(10)
        .map(|entry| PersonHit {
            href: format!("/directory/practitioners/{}", entry.id),
            name: marked(entry.fields.name.as_deref().unwrap_or_default(), wanted),
            about: [entry.fields.specialty, entry.fields.practice].into_iter().flatten().collect::<Vec<_>>().join(", "),
        })
        .collect())
}

/// The text cut so that words that begin with a wanted one are pieces of their own.
pub fn marked(text: &str, wanted: &[String]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut push = |part: &str, hit: bool| match pieces.last_mut() {
        Some(last) if last.hit == hit => last.text.push_str(part),
        _ => pieces.push(Piece { text: part.to_owned(), hit }),
    };
    for part in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_alphanumeric());
        let rest = part.get(word.len()..).unwrap_or_default();
        let folded = text::fold(word).replace('ß', "ss");
        let hit = !folded.is_empty()
            && wanted
                .iter()
                .any(|want| folded.starts_with(want.as_str()) || want.starts_with(folded.as_str()) && want.len() <= folded.len());
        push(word, hit);
        push(rest, false);
    }
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

/// A line of the text around its first match.
fn around(text: &str, wanted: &[String]) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_hit = |word: &&str| text::words(word).iter().any(|w| wanted.iter().any(|want| w.starts_with(want.as_str())));
    let Some(at) = words.iter().position(is_hit) else { return String::new() };
    let from = at.saturating_sub(6);
    let shown: Vec<&str> = words.iter().skip(from).take(16).copied().collect();
    let (before, after) = (if from > 0 { "… " } else { "" }, if words.len() > from + 16 { " …" } else { "" });
    format!("{before}{}{after}", shown.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching_words_are_marked_as_written() {
        let pieces = marked("Amoxicillin, Émilé's", &["amox".into(), "emil".into()]);
        let hits: Vec<&str> = pieces.iter().filter(|p| p.hit).map(|p| p.text.as_str()).collect();
        assert_eq!(hits, ["Amoxicillin", "Émilé"]);
        assert_eq!(pieces.iter().map(|p| p.text.as_str()).collect::<String>(), "Amoxicillin, Émilé's");
    }
}
