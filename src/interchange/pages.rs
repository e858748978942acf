//! Importing in the browser: upload, a preview of everything that would happen, then the import with its progress, then what became of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use actix_multipart::Multipart;
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use diesel::prelude::*;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::{
    draft::{ReadError, Told},
    merge::{self, AlikeReport, Change, Fate, Likeness, Line, PatientReport, Report, Target},
};
use crate::{
    access::{self, Actor, Edit, PatientAccess, Rank},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    checksums::hex,
    db::{
        Conn, Db,
        schema::imports,
        types::{ImportId, PatientId, UserId},
    },
    error::{Error, Result},
    files::clean_name,
    i18n::Locale,
    page::{Ui, note_read, render, render_with, see_other},
    records,
};

/// The largest file the page takes; the readers have the same limit.
const MOST: usize = 64 * 1024 * 1024;
/// Lines shown of each sort; the counts tell of all.
const MOST_LINES: usize = 400;

/// How long a file waits for its "import now".
const PREVIEW: chrono::Duration = chrono::Duration::hours(24);
/// How long the report of an import can be read.
const REPORT: chrono::Duration = chrono::Duration::days(90);

/// How far running imports are, for the page that shows it. Not in the database: the import's own transaction holds it.
#[derive(Clone, Default)]
pub struct Progress {
    all: Arc<Mutex<HashMap<String, (usize, usize)>>>,
}

impl Progress {
    fn set(&self, id: &ImportId, done: usize, total: usize) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_string(), (done, total));
    }
    fn get(&self, id: &ImportId) -> Option<(usize, usize)> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).get(id.as_str()).copied()
    }
    fn end(&self, id: &ImportId) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(id.as_str());
    }
}

#[derive(Template)]
#[template(path = "import/upload.html")]
struct UploadPage {
    ui: Ui,
    patients: Vec<(String, String, bool)>,
    /// What is wrong with the file.
    problem: Option<String>,
    earlier: Vec<(String, String, String)>,
}

/// `GET /import?patient=`.
pub async fn upload(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let chosen = body::query(&request).into_iter().find(|(n, _)| n == "patient").map(|(_, v)| v).unwrap_or_default();
    let page = app.read(move |conn, app| upload_page(conn, app, &signed, &chosen, None)).await?;
    render(&page)
}

fn upload_page(conn: &mut Conn, app: &App, signed: &Signed, chosen: &str, problem: Option<String>) -> Result<UploadPage> {
    let accesses = access::all(conn, &signed.actor, app.clock.now())?;
    let ui = Ui::new(Some(signed.me.clone()), "/import");
    let patients = accesses
        .list
        .iter()
        .filter(|a| a.may(Rank::Edit) && a.scope().is_whole())
        .map(|a| (a.id().to_string(), a.patient.name(), a.id().as_str() == chosen))
        .collect();
    let rows: Vec<(ImportId, String, String)> = imports::table
        .filter(imports::user_id.eq(&signed.me.id))
        .order(imports::created_at.desc())
        .limit(10)
        .select((imports::id, imports::file_name, imports::state))
        .load(conn)?;
    let earlier = rows.into_iter().map(|(id, name, state)| (id.to_string(), name, ui.t2("import.state", &state))).collect();
    Ok(UploadPage { ui, patients, problem, earlier })
}

/// What was sent: the file's name and bytes, and whose chart it is for.
#[derive(Default)]
struct Upload {
    name: String,
    bytes: Vec<u8>,
    patient: String,
    /// The file is larger than is taken; the rest of it was let go.
    is_too_large: bool,
}

async fn receive(mut parts: Multipart) -> Result<Upload> {
    let mut upload = Upload::default();
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| Error::BadRequest("broken_form"))?;
        let field = part.name().unwrap_or_default().to_owned();
        if field == "file" {
            let name = part.content_disposition().and_then(|d| d.get_filename()).unwrap_or_default();
            upload.name = clean_name(name);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = part.next().await {
            let chunk = chunk.map_err(|_| Error::BadRequest("broken_form"))?;
            // Read to its end, so that the browser gets to the answer, and the fields after it are known.
            upload.is_too_large |= bytes.len() + chunk.len() > MOST;
            if !upload.is_too_large {
                bytes.extend_from_slice(&chunk);
            }
        }
        match field.as_str() {
            "file" => upload.bytes = bytes,
            "patient" => upload.patient = String::from_utf8_lossy(&bytes).into_owned(),
            _ => {}
        }
    }
    Ok(upload)
}

/// `POST /import`: reads the file and shows what it would do; nothing is changed.
pub async fn receive_file(app: web::Data<App>, signed: Signed, parts: Multipart) -> Result<HttpResponse> {
    let upload = receive(parts).await?;
    let status = if upload.is_too_large { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::UNPROCESSABLE_ENTITY };
    let outcome = app.run(move |app| read_and_preview(app, &signed, &upload)).await?;
    match outcome {
        Ok(id) => Ok(see_other(&format!("/import/{id}"))),
        Err(page) => render_with(status, page.as_ref()),
    }
}

fn read_and_preview(app: &App, signed: &Signed, upload: &Upload) -> Result<std::result::Result<ImportId, Box<UploadPage>>> {
    let refuse = |key: &str, values: &[(&str, &str)]| {
        let problem = Ui::new(Some(signed.me.clone()), "").words.with(key, values);
        app.db.read(|conn| upload_page(conn, app, signed, &upload.patient, Some(problem))).map(|page| Err(Box::new(page)))
    };
    let read = if upload.is_too_large { Err(ReadError::TooLarge { limit: MOST }) } else { super::read(&upload.bytes) };
    let told = match read {
        Ok(told) => told,
        Err(error) => {
            let (key, value) = read_error(&error);
            return refuse(key, &[("value", &value)]);
        }
    };
    let Some(target) = target_of(&upload.patient) else { return refuse("import.error.no_such_patient", &[]) };
    if let Target::Patient(patient) = &target {
        app.db.read(|conn| access::grant::<Edit>(conn, &signed.actor, patient, app.clock.now()).map(drop))?;
    }
    let now = app.clock.now();
    let report = match previewed(app, &signed.actor, &told, target.clone(), &Answers::new()) {
        Ok(report) => report,
        Err(Error::Forbidden) => return refuse("import.error.forbidden", &[]),
        Err(Error::BadRequest("import_several_patients")) => return refuse("import.error.several_patients", &[]),
        Err(error) => return Err(error),
    };
    let id = ImportId::new();
    let digest = hex(&Sha256::digest(&upload.bytes));
    let content = String::from_utf8_lossy(&upload.bytes).into_owned();
    let report = serde_json::to_string(&report).map_err(|e| Error::Internal(e.to_string()))?;
    let patient = if let Target::Patient(id) = &target { Some(id.clone()) } else { None };
    app.db.write(|tx| {
        diesel::insert_into(imports::table)
            .values((
                imports::id.eq(&id),
                imports::user_id.eq(&signed.me.id),
                imports::patient_id.eq(&patient),
                imports::file_name.eq(if upload.name.is_empty() { "?" } else { &upload.name }),
                imports::sha256.eq(&digest),
                imports::state.eq("preview"),
                imports::done.eq(0),
                imports::total.eq(0),
                imports::report.eq(&report),
                imports::content.eq(&content),
                imports::created_at.eq(now),
                imports::updated_at.eq(now),
            ))
            .execute(&mut **tx)?;
        Ok(())
    })?;
    Ok(Ok(id))
}

/// Who of the file a person said to be somebody here, or nobody yet: by the source's key.
type Answers = BTreeMap<String, Option<PatientId>>;

/// What the file would do. Who is probably here already is taken for that patient; whether they are is asked beside it.
fn previewed(app: &App, actor: &Actor, told: &Told, target: Target, answers: &Answers) -> Result<Report> {
    let now = app.clock.now();
    if target != Target::Matching {
        return merge::preview(&app.db, actor, told, &target, now);
    }
    let alike = app.db.read(|conn| merge::alike(conn, actor, told, now))?;
    let mut choices: Answers = alike.iter().map(|one| (one.key.clone(), Some(one.patient.id.clone()))).collect();
    choices.extend(answers.clone());
    let mut report = merge::preview(&app.db, actor, told, &Target::Each(choices), now)?;
    for patient in &mut report.patients {
        patient.alike = alike.iter().find(|one| one.key == patient.source_key).map(|one| AlikeReport {
            patient: one.patient.id.clone(),
            name: one.patient.name(),
            birth_date: one.patient.fields.birth_date.as_ref().map(|date| date.as_str().to_owned()),
            by: one.by,
            is_answered: answers.contains_key(&one.key),
        });
    }
    Ok(report)
}

/// What the preview showed of those who are probably here already.
fn shown(report: &Report) -> Answers {
    let asked = report.patients.iter().filter_map(|patient| Some((patient, patient.alike.as_ref()?)));
    asked.map(|(patient, alike)| (patient.source_key.clone(), (!patient.is_new).then(|| alike.patient.clone()))).collect()
}

fn stored_report(import: &Import) -> Report {
    import.report.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// `POST /import/{import}/who`: whether somebody of the file is the patient who is here; shows the preview that follows.
pub async fn who(
    app: web::Data<App>,
    signed: Signed,
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let id = ImportId::parse(&id).ok_or(Error::NotFound)?;
    let (user, wanted) = (signed.me.id.clone(), id.clone());
    let import = app.read(move |conn, _| find(conn, &user, &wanted)).await?;
    let pairs = body::form(&request, payload).await?;
    let given = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let (key, is_same) = (given("key"), given("who") == "same");
    let back = format!("/import/{id}");
    let Some(content) = import.content.clone().filter(|_| import.state == "preview") else { return Ok(see_other(&back)) };
    app.run(move |app| {
        let before = stored_report(&import);
        let known = shown(&before);
        let mut answers: Answers = known;
        answers.retain(|key, _| before.patients.iter().any(|p| p.source_key == *key && p.alike.as_ref().is_some_and(|a| a.is_answered)));
        let asked = before.patients.iter().find(|p| p.source_key == key).and_then(|p| p.alike.as_ref()).ok_or(Error::NotFound)?;
        answers.insert(key, is_same.then(|| asked.patient.clone()));
        let told = super::read(content.as_bytes()).map_err(|_| Error::Internal("a file that could be read cannot be read".into()))?;
        let report = previewed(app, &signed.actor, &told, Target::Matching, &answers)?;
        let text = serde_json::to_string(&report).map_err(|e| Error::Internal(e.to_string()))?;
        app.db.write(|tx| {
            let this = imports::table.find(&id).filter(imports::user_id.eq(&signed.me.id)).filter(imports::state.eq("preview"));
            diesel::update(this).set((imports::report.eq(&text), imports::updated_at.eq(app.clock.now()))).execute(&mut **tx)?;
            Ok(())
        })
    })
    .await?;
    Ok(see_other(&back))
}

fn target_of(text: &str) -> Option<Target> {
    if text.trim().is_empty() { Some(Target::Matching) } else { PatientId::parse(text.trim()).map(Target::Patient) }
}

/// The sentence for a file that cannot be read at all.
fn read_error(error: &ReadError) -> (&'static str, String) {
    match error {
        ReadError::Empty => ("import.error.empty", String::new()),
        ReadError::TooLarge { limit } => ("import.error.too_large", (limit / 1024 / 1024).to_string()),
        ReadError::NotJson(_) => ("import.error.not_json", String::new()),
        ReadError::Truncated { line } => ("import.error.truncated", line.to_string()),
        ReadError::TooDeep { limit } => ("import.error.too_deep", limit.to_string()),
        ReadError::NotFhir => ("import.error.not_fhir", String::new()),
        ReadError::WrongResource(name) => ("import.error.wrong_resource", name.clone()),
        ReadError::WrongBundle(name) => ("import.error.wrong_bundle", name.clone()),
        ReadError::NoEntries => ("import.error.no_entries", String::new()),
        ReadError::NoPatient => ("import.error.no_patient", String::new()),
        ReadError::UnknownFormat => ("import.error.unknown_format", String::new()),
    }
}

#[derive(Template)]
#[template(path = "import/report.html")]
struct ReportPage {
    ui: Ui,
    id: String,
    file: String,
    state: String,
    running: bool,
    progress: Option<(usize, usize)>,
    patients: Vec<PatientView>,
    problems: Vec<String>,
    changes_something: bool,
    /// Somebody has to say first who it is.
    is_in_doubt: bool,
}

struct PatientView {
    name: String,
    is_new: bool,
    href: Option<String>,
    alike: Option<AlikeView>,
    counts: Vec<CountRow>,
    offers: i64,
    originals: i64,
    changed: Vec<LineView>,
    added: Vec<LineView>,
    kept: Vec<LineView>,
    more_added: i64,
}

/// Somebody here who is probably the same person.
struct AlikeView {
    key: String,
    about: String,
    /// Why they are thought to be: a word under `import.alike`.
    why: &'static str,
    href: String,
    is_same: bool,
    is_new: bool,
}

struct CountRow {
    what: String,
    /// The source's own name of the type.
    code: String,
    added: usize,
    updated: usize,
    unchanged: usize,
    kept: usize,
}

struct LineView {
    title: String,
    about: String,
    href: Option<String>,
    changes: Vec<(String, String, String)>,
    offered: Vec<(String, String, String)>,
}

/// A stored import of this person.
#[derive(Queryable, Selectable)]
#[diesel(table_name = imports, check_for_backend(crate::db::MultiBackend))]
struct Import {
    file_name: String,
    state: String,
    report: Option<String>,
    content: Option<String>,
    patient_id: Option<PatientId>,
}

fn find(conn: &mut Conn, user: &UserId, id: &ImportId) -> Result<Import> {
    imports::table.find(id).filter(imports::user_id.eq(user)).select(Import::as_select()).first(conn).optional()?.ok_or(Error::NotFound)
}

/// `GET /import/{import}`: preview, progress or result.
pub async fn show(app: web::Data<App>, signed: Signed, id: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let id = ImportId::parse(&id).ok_or(Error::NotFound)?;
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let import = find(conn, &signed.me.id, &id)?;
            let accesses = access::all(conn, &signed.actor, app.clock.now())?;
            let ui = Ui::new(Some(signed.me), &here);
            // A report names records: whose chart is no longer open to this person is no longer told here.
            let seen = |p: &PatientReport| {
                p.patient.as_ref().is_none_or(|id| accesses.of(id).is_some_and(|a: &PatientAccess<_>| a.scope().is_whole()))
            };
            let report = stored_report(&import);
            for access in report.patients.iter().filter_map(|p| accesses.of(p.patient.as_ref()?)).filter(|a| a.scope().is_whole()) {
                note_read(app, access, Action::Read, Some("import"), None);
            }
            let patients: Vec<PatientView> = report.patients.iter().filter(|p| seen(p)).map(|p| patient_view(&ui, p)).collect();
            Ok(ReportPage {
                changes_something: report.patients.iter().any(PatientReport::changes_something),
                is_in_doubt: report.patients.iter().any(PatientReport::is_in_doubt),
                problems: report.problems.iter().map(|p| problem(&ui, p)).collect(),
                running: import.state == "running",
                progress: app.imports.get(&id),
                id: id.to_string(),
                file: import.file_name,
                state: import.state,
                patients,
                ui,
            })
        })
        .await?;
    render(&page)
}

fn problem(ui: &Ui, problem: &merge::Problem) -> String {
    format!("{}: {}", problem.place, problem.sentence(&ui.words))
}

fn patient_view(ui: &Ui, report: &PatientReport) -> PatientView {
    let mut types: Vec<&String> =
        [&report.added, &report.updated, &report.unchanged, &report.kept].into_iter().flat_map(|m| m.keys()).collect();
    types.sort();
    types.dedup();
    let n = |map: &std::collections::BTreeMap<String, usize>, key: &str| map.get(key).copied().unwrap_or_default();
    let counts = types
        .into_iter()
        .map(|key| CountRow {
            added: n(&report.added, key),
            updated: n(&report.updated, key),
            unchanged: n(&report.unchanged, key),
            kept: n(&report.kept, key),
            what: type_words(&ui.words, key),
            code: key.clone(),
        })
        .collect();
    let patient = report.patient.as_ref().map(ToString::to_string);
    let lines = |fate: Fate| report.lines.iter().filter(move |line| line.fate == fate);
    let view = |line: &Line| line_view(ui, patient.as_deref(), line);
    let changed = report.lines.iter().filter(|l| l.fate == Fate::Updated || !l.offered.is_empty()).take(MOST_LINES).map(view).collect();
    let more = lines(Fate::Added).count().saturating_sub(MOST_LINES);
    PatientView {
        name: report.name.clone(),
        is_new: report.is_new,
        alike: report.alike.as_ref().map(|alike| alike_view(ui, report, alike)),
        counts,
        offers: i64::try_from(report.offers).unwrap_or_default(),
        originals: i64::try_from(report.originals).unwrap_or_default(),
        changed,
        added: lines(Fate::Added).take(MOST_LINES).map(view).collect(),
        kept: lines(Fate::Kept).take(MOST_LINES).map(view).collect(),
        more_added: i64::try_from(more).unwrap_or_default(),
        href: patient.as_ref().map(|id| format!("/patients/{id}")),
    }
}

fn alike_view(ui: &Ui, report: &PatientReport, alike: &AlikeReport) -> AlikeView {
    let born = alike.birth_date.as_deref().map(|date| ui.t1("person.born", "date", ui.date(date)));
    let is_chosen = alike.by == Likeness::Identifier || alike.is_answered;
    AlikeView {
        key: report.source_key.clone(),
        about: std::iter::once(alike.name.clone()).chain(born).collect::<Vec<_>>().join(", "),
        why: if alike.by == Likeness::Identifier { "identifier" } else { "name" },
        href: format!("/patients/{}", alike.patient),
        is_same: is_chosen && !report.is_new,
        is_new: is_chosen && report.is_new,
    }
}

/// A type of the source in words, if there are any: `Allergies` for `AllergyIntolerance`.
pub fn type_words(words: &Locale, resource_type: &str) -> String {
    let mut key = String::from("import.type.");
    for c in resource_type.chars() {
        if c.is_ascii_uppercase() && !key.ends_with(['.', '_']) {
            key.push('_');
        }
        key.push(if c == '.' { '_' } else { c.to_ascii_lowercase() });
    }
    words.find(&key).unwrap_or_else(|| resource_type.to_owned())
}

fn line_view(ui: &Ui, patient: Option<&str>, line: &Line) -> LineView {
    let kind = records::kind(&line.kind);
    let word = kind.map_or("patients", records::Kind::word);
    let mut about = vec![kind.map_or_else(|| type_words(&ui.words, &line.resource_type), |k| ui.kind_one(k))];
    about.extend(line.date.as_deref().map(|d| ui.day(d)));
    about.extend(line.reason.as_deref().map(|r| ui.t(&format!("import.reason.{r}"))));
    let change = |change: &Change| {
        let word = if change.row.is_some() { kind.and_then(|k| k.children.as_ref()).map_or(word, |c| c.table) } else { word };
        (ui.label(word, &change.field), change.before.clone().unwrap_or_default(), change.after.clone().unwrap_or_default())
    };
    LineView {
        title: if line.title.is_empty() { line.source_key.clone() } else { line.title.clone() },
        about: about.join(" · "),
        href: patient.zip(line.record.as_ref()).map(|(p, id)| format!("/patients/{p}/{}/{id}", line.kind)),
        changes: line.changes.iter().map(change).collect(),
        offered: line.offered.iter().map(change).collect(),
    }
}

/// `POST /import/{import}`: does what the preview showed, in the background.
pub async fn apply(app: web::Data<App>, signed: Signed, id: web::Path<String>) -> Result<HttpResponse> {
    let id = ImportId::parse(&id).ok_or(Error::NotFound)?;
    let back = format!("/import/{id}");
    let (user, import) = (signed.me.id.clone(), id.clone());
    let begun = app
        .write(move |tx, app| {
            if stored_report(&find(tx, &user, &import)?).patients.iter().any(PatientReport::is_in_doubt) {
                return Ok(false);
            }
            // Only one of two clicks finds it waiting.
            let begun = diesel::update(imports::table.find(&import).filter(imports::state.eq("preview")))
                .set((imports::state.eq("running"), imports::updated_at.eq(app.clock.now())))
                .execute(&mut **tx)?;
            Ok(begun == 1)
        })
        .await?;
    if begun {
        app.imports.set(&id, 0, 0);
        let app = app.get_ref().clone();
        std::thread::spawn(move || {
            let done = run(&app, &signed.actor, &id);
            if let Err(error) = &done {
                log::error!("import: {error}");
            }
            if let Err(error) = finish(&app.db, &app, &id, done.ok()) {
                log::error!("import: {error}");
            }
            app.imports.end(&id);
        });
    }
    Ok(see_other(&back))
}

fn run(app: &App, actor: &Actor, id: &ImportId) -> Result<Report> {
    let import = app.db.read(|conn| find(conn, &actor.user, id))?;
    let choices = shown(&stored_report(&import));
    let content = import.content.ok_or_else(|| Error::Internal("an import without its file".into()))?;
    let told = super::read(content.as_bytes()).map_err(|_| Error::Internal("a file that could be read cannot be read".into()))?;
    let target = import.patient_id.map_or(Target::Each(choices), Target::Patient);
    let now = app.clock.now();
    merge::import(&app.db, actor, &told, &target, now, &mut |done, total| app.imports.set(id, done, total))
}

/// Forgets files that were looked at and never imported, and reports that have grown old; a job's work. Both hold medical text.
pub fn purge(tx: &mut crate::db::Tx<'_>, now: chrono::NaiveDateTime) -> Result<usize> {
    let previews = diesel::delete(imports::table.filter(imports::state.eq("preview")).filter(imports::created_at.lt(now - PREVIEW)))
        .execute(&mut **tx)?;
    let reports = diesel::delete(imports::table.filter(imports::created_at.lt(now - REPORT))).execute(&mut **tx)?;
    Ok(previews + reports)
}

/// Keeps the report; the file's text has done its work.
fn finish(db: &Db, app: &App, id: &ImportId, report: Option<Report>) -> Result<()> {
    let state = if report.is_some() { "done" } else { "failed" };
    let text = report.and_then(|report| serde_json::to_string(&report).ok());
    db.write(|tx| {
        let this = imports::table.find(id);
        diesel::update(this)
            .set((imports::state.eq(state), imports::content.eq(None::<String>), imports::updated_at.eq(app.clock.now())))
            .execute(&mut **tx)?;
        if let Some(text) = &text {
            diesel::update(this).set(imports::report.eq(text)).execute(&mut **tx)?;
        }
        Ok(())
    })
}
