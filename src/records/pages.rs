//! The pages of every kind: list, detail, form, history. Thin: access, one transaction, a view, a template.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use serde::Deserialize;

use super::{
    Context, Kind,
    chart::{self, Draft, Link, Loaded, RELATIONS, Tied},
    field::{Confirmed, Errors, FieldError, FieldSpec, Input, Mode, Unit},
    input::{self, Raw},
    linked, overview,
    query::ListQuery,
    version::{Snapshot, differences},
    view::{self, ChildTable, Choice, ColumnHead, Filter, FormRow, FormSection, LinkLine, ListRow, Names, Section, Typed},
};
use crate::{
    access::{self, Edit, Level, PatientAccess, Rank, View},
    app::App,
    audit::Action,
    auth::session::{Me, Signed},
    body,
    codes::{self, List},
    db::{
        Conn,
        types::{FileId, PatientId, RecordId},
    },
    error::{Error, Result},
    files::{self, inbox, pending, quota::Quota, twins, upload},
    interchange::merge,
    list_views,
    page::{self, Ui, note_read, render, render_with, see_other},
    patients, security, tags,
};

pub(super) fn kind_of(name: &str) -> Result<&'static Kind> {
    super::kind(name).ok_or(Error::NotFound)
}
pub(super) fn patient_of(text: &str) -> Result<PatientId> {
    PatientId::parse(text).ok_or(Error::NotFound)
}
pub(super) fn record_of(text: &str) -> Result<RecordId> {
    RecordId::parse(text).ok_or(Error::NotFound)
}

/// `/patients/{patient}/{kind}` and deeper.
#[derive(Deserialize, Clone)]
pub struct Place {
    pub patient: String,
    pub kind: String,
    #[serde(default)]
    pub record: String,
    #[serde(default)]
    pub version: i32,
}

#[derive(Template)]
#[template(path = "records/list.html")]
#[expect(clippy::struct_excessive_bools, reason = "what the template asks")]
struct ListPage {
    ui: Ui,
    kind: &'static Kind,
    base: String,
    heads: Vec<ColumnHead>,
    rows: Vec<ListRow>,
    total: i64,
    first: i64,
    last: i64,
    previous: Option<String>,
    next: Option<String>,
    filters: Vec<Filter>,
    query: ListQuery,
    from: String,
    to: String,
    narrowed: bool,
    /// What is wrong with the filters, a sentence each.
    wrong: Vec<String>,
    export: String,
    may_edit: bool,
    none_known: bool,
    undo: Option<String>,
    /// The row whose status is being changed, and the words it can change to.
    changing: Option<String>,
    statuses: Vec<Choice>,
    /// The day that the change may ask for: its label and what is recorded, or today.
    day: Option<(String, String)>,
    print: bool,
}

/// `GET /patients/{patient}/{kind}`.
pub async fn list(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let patient = patient_of(&place.patient)?;
    let pairs = body::query(&request);
    let here = request.path().to_owned();
    let (user, of) = (signed.me.id.clone(), patient.clone());
    let (page, news) = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let view = list_views::recall(conn, &signed.me.id, access.id(), kind, &pairs)?;
            let page = list_page(conn, app, &access, kind, &signed.me, &here, &view.asked)?;
            note_read(app, &access, if page.print { Action::Printed } else { Action::Listed }, Some(kind.name), None);
            let status = if page.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            // What cannot be asked is not remembered either.
            Ok(((status, page::text(&page)?), view.news.filter(|_| status.is_success())))
        })
        .await?;
    if let Some(query) = news {
        app.write(move |tx, _| list_views::remember(tx, &user, &of, kind, &query)).await?;
    }
    let (status, text) = page;
    Ok(page::html(status, text))
}

/// The filter's name as the page calls it: a range has its column's.
fn filter_label(ui: &Ui, kind: &Kind, name: &str) -> String {
    let (column, end) = match (name.strip_suffix("_from"), name.strip_suffix("_to")) {
        (Some(column), _) => (column, Some("list.from")),
        (_, Some(column)) => (column, Some("list.to")),
        _ => (name, None),
    };
    let label = ui.label(kind.word(), column);
    end.map_or_else(|| label.clone(), |key| format!("{label} ({})", ui.t(key).to_lowercase()))
}

/// Names of a list's address that are not part of the list asked for.
pub(super) const MARKS: &[&str] = &["undo", "change", "print", "reset"];

fn list_page(
    conn: &mut Conn,
    app: &App,
    access: &PatientAccess<View>,
    kind: &'static Kind,
    me: &Me,
    here: &str,
    pairs: &[(String, String)],
) -> Result<ListPage> {
    let chart = access.chart(kind)?;
    let mark = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let asked: Vec<(String, String)> = pairs.iter().filter(|(n, _)| !MARKS.contains(&n.as_str())).cloned().collect();
    let print = mark("print").is_some();
    let (mut query, errors) = ListQuery::read(kind, &asked, Mode::Typed(me.dates.typing(app.clock.today())));
    if print {
        (query.page, query.per_page) = (1, 5000);
    }
    // Of the whole list, the menu already knows how many there are.
    let counts = overview::counts(conn, access)?;
    let count = counts.iter().find(|(name, _)| name == kind.name).map_or(0, |(_, n)| *n);
    // A filter that means nothing shows nothing, and not everything.
    let (rows, total) = if errors.is_empty() { chart.rows(conn, &query, count)? } else { (Vec::new(), 0) };
    let names = Names::for_list(conn, kind, &rows)?;
    let tags = overview::tags_to_choose(conn, access)?;
    let ui = Ui::new(Some(me.clone()), here).with_counts(access, &counts);
    let changing = mark("change").and_then(|id| RecordId::parse(&id)).filter(|_| access.may(Rank::Edit));
    let day = changing.as_ref().map(|id| day_to_ask(conn, &chart, &ui, id, app.clock.today())).transpose()?.flatten();
    let none_known = kind.none_known && total == 0 && patients::none_known_kinds(conn, access.id())?.iter().any(|k| k == kind.name);
    let date = kind.occurred.first().copied().unwrap_or("occurred_on");
    let raw = |name: &str| asked.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let shown = i64::try_from(rows.len()).unwrap_or_default();
    let first = (query.page - 1) * query.per_page;
    Ok(ListPage {
        heads: heads(&ui, kind, &query, here, &asked),
        rows: view::join_by_code(view::list_rows(&ui, access.id().as_str(), kind, &rows, &names)),
        filters: view::filters(&ui, kind, &query, &tags),
        previous: (query.page > 1).then(|| link(here, &asked, "page", &(query.page - 1).to_string())),
        next: (first + shown < total).then(|| link(here, &asked, "page", &(query.page + 1).to_string())),
        first: if shown == 0 { 0 } else { first + 1 },
        last: first + shown,
        from: raw(&format!("{date}_from")),
        to: raw(&format!("{date}_to")),
        narrowed: query.is_narrowed() || !errors.is_empty(),
        wrong: errors.iter().map(|(name, error)| format!("{}: {}", filter_label(&ui, kind, name), ui.error(error))).collect(),
        export: link(&format!("{here}/csv"), &asked, "page", ""),
        may_edit: access.may(Rank::Edit),
        none_known,
        undo: mark("undo"),
        changing: changing.map(|id| id.to_string()),
        statuses: statuses(&ui, kind),
        day,
        base: here.to_owned(),
        ui,
        kind,
        total,
        query,
        print,
    })
}

/// The field whose day a quick change of status may ask for.
fn day_field(kind: &Kind) -> Option<&'static str> {
    kind.ended.or(kind.finished.map(|(field, _)| field))
}

/// Its label, and the day that is recorded. Today is proposed only where there is none: a day that was told once is not guessed again.
fn day_to_ask<L: Level>(
    conn: &mut Conn,
    chart: &chart::Chart<'_, L>,
    ui: &Ui,
    id: &RecordId,
    today: chrono::NaiveDate,
) -> Result<Option<(String, String)>> {
    let kind = chart.kind();
    let Some((index, spec)) = day_field(kind).and_then(|name| kind.field(name)) else { return Ok(None) };
    // A record that is gone has no row to change.
    let Some(record) = chart.some(conn, std::slice::from_ref(id))?.remove(id) else { return Ok(None) };
    Ok(Some((ui.label(kind.word(), spec.name), record.entry.get(index).unwrap_or_else(|| today.to_string()))))
}

fn statuses(ui: &Ui, kind: &Kind) -> Vec<Choice> {
    let set = kind.field("status").map(|(_, f)| f.input);
    let Some(Input::Choice { set, words }) = set else { return Vec::new() };
    words.iter().map(|word| Choice { value: (*word).to_owned(), label: ui.choice(set, word), selected: false }).collect()
}

/// The same list with one thing changed; another order or filter begins at page one.
fn link(here: &str, asked: &[(String, String)], name: &str, value: &str) -> String {
    let mut pairs: Vec<(&str, &str)> =
        asked.iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(n, v)| *n != name && *n != "page" && !v.is_empty()).collect();
    if !value.is_empty() {
        pairs.push((name, value));
    }
    match serde_urlencoded::to_string(&pairs) {
        Ok(text) if !text.is_empty() => format!("{here}?{text}"),
        _ => here.to_owned(),
    }
}

fn heads(ui: &Ui, kind: &'static Kind, query: &ListQuery, here: &str, asked: &[(String, String)]) -> Vec<ColumnHead> {
    let default = (kind.occurred.first().copied().unwrap_or("occurred_on"), true);
    let children = view::children_column(ui, kind).map(|label| ColumnHead { label, href: String::new(), sorted: "" });
    view::list_columns(kind)
        .into_iter()
        .map(|(_, spec)| {
            let now = query.sort.unwrap_or(default);
            let mine = now.0 == spec.name;
            let sorted = match (mine, now.1) {
                (true, true) => "descending",
                (true, false) => "ascending",
                _ => "",
            };
            // What is dated or measured is wanted newest or highest first, names from A.
            let first_descending = spec.is_date() || spec.is_measured();
            let descending = if mine { !now.1 } else { first_descending };
            let value = if descending { format!("-{}", spec.name) } else { spec.name.to_owned() };
            ColumnHead { label: ui.label(kind.word(), spec.shown_name()), href: link(here, asked, "sort", &value), sorted }
        })
        .chain(children)
        .collect()
}

#[derive(Template)]
#[template(path = "records/show.html")]
struct ShowPage {
    ui: Ui,
    kind: &'static Kind,
    base: String,
    id: String,
    version: i32,
    title: String,
    status: Option<(String, String)>,
    sections: Vec<Section>,
    children: Option<ChildTable>,
    notes: String,
    tags: Vec<tags::Tag>,
    links: Vec<LinkLine>,
    offers: Vec<OfferLine>,
    codes: Vec<chart::Code>,
    /// There is an original to look at.
    imported: bool,
    source: String,
    changed_by: String,
    changed_at: String,
    may_edit: bool,
    severe: bool,
    files: Vec<files::pages::Line>,
    /// Where documents are sent to.
    files_at: String,
}

/// A newer value that a source told for a field a person had changed.
struct OfferLine {
    field: String,
    label: String,
    value: String,
}

/// `GET /patients/{patient}/{kind}/{record}`.
pub async fn show(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let (patient, id) = (patient_of(&place.patient)?, record_of(&place.record)?);
    let here = request.path().to_owned();
    app.read(move |conn, app| {
        let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
        let chart = access.chart(kind)?;
        let ui = Ui::new(Some(signed.me), &here);
        let tied = match chart.get_tied(conn, &id) {
            Err(Error::NotFound) => return trashed_page(conn, app, &chart, &id, ui),
            tied => tied?,
        };
        note_read(app, &access, Action::Read, Some(kind.name), Some((&id, tied.record.head.version)));
        Ok((StatusCode::OK, page::text(&show_page(conn, &access, kind, tied, ui)?)?))
    })
    .await
    .map(|(status, text)| page::html(status, text))
}

#[derive(Template)]
#[template(path = "records/trashed.html")]
struct TrashedPage {
    ui: Ui,
    kind: &'static Kind,
    base: String,
    id: String,
    title: String,
    deleted: String,
}

/// A link to what lies in the trash tells so, and how to bring it back: to whoever may do that. To anybody else there is no such record.
fn trashed_page(conn: &mut Conn, app: &App, chart: &chart::Chart<'_, View>, id: &RecordId, ui: Ui) -> Result<(StatusCode, String)> {
    let access = chart.access();
    if !access.may(Rank::Edit) {
        return Err(Error::NotFound);
    }
    let head = chart.trashed(conn, id)?;
    note_read(app, access, Action::Read, Some(chart.kind().name), Some((id, head.version)));
    let page = TrashedPage {
        deleted: head.deleted_at.map(|at| ui.moment(&at)).unwrap_or_default(),
        base: format!("/patients/{}/{}", access.id(), chart.kind().name),
        ui: ui.with_nav(conn, access)?,
        kind: chart.kind(),
        id: id.to_string(),
        title: head.title,
    };
    Ok((StatusCode::GONE, page::text(&page)?))
}

fn show_page(conn: &mut Conn, access: &PatientAccess<View>, kind: &'static Kind, tied: Tied, ui: Ui) -> Result<ShowPage> {
    let Tied { record: row, links, heads, changed_by, imported } = tied;
    let id = row.head.id.clone();
    let names = Names::for_record(conn, access, kind, &row, heads)?;
    // Only what came from elsewhere has codes of elsewhere, and newer values offered.
    let (offers, codes) = if imported {
        let offers = super::origins::offers_of(conn, access, std::slice::from_ref(&id))?.remove(&id).unwrap_or_default();
        (offers, chart::codes(conn, &id)?)
    } else {
        (Vec::new(), Vec::new())
    };
    let papers = files::of_shown(conn, access, &id)?;
    let ui = ui.with_nav(conn, access)?;
    let mut files: Vec<files::pages::Line> = papers.iter().map(|file| files::pages::line(&ui, access.id(), file, None)).collect();
    files::previews::mark(conn, &mut files)?;
    let patient = access.id().as_str();
    let entry = row.entry.as_ref();
    let status = row.head.status.clone().and_then(|word| {
        let label = statuses(&ui, kind).into_iter().find(|c| c.value == word).map_or_else(|| word.clone(), |c| c.label);
        (!kind.status_words().is_empty()).then_some((word, label))
    });
    Ok(ShowPage {
        sections: view::sections(&ui, patient, kind, entry, &names),
        children: view::children(&ui, patient, kind, entry),
        links: view::link_lines(&ui, patient, &links),
        offers: offers
            .into_iter()
            .map(|offer| OfferLine { label: ui.label(kind.word(), &offer.field), value: offer.value, field: offer.field })
            .collect(),
        source: view::source(&ui, &row.head.source),
        changed_by,
        changed_at: ui.moment(&row.head.updated_at),
        title: if row.head.title.is_empty() { ui.t("record.untitled") } else { row.head.title.clone() },
        notes: row.head.notes.clone().unwrap_or_default(),
        codes,
        imported,
        severe: matches!(kind.field("severity").and_then(|(i, _)| entry.get(i)).as_deref(), Some("severe" | "life-threatening")),
        may_edit: access.may(Rank::Edit),
        files,
        files_at: format!("/patients/{patient}/files"),
        base: format!("/patients/{patient}/{}", kind.name),
        id: id.to_string(),
        version: row.head.version,
        tags: row.tags,
        status,
        kind,
        ui,
    })
}

#[derive(Template)]
#[template(path = "records/form.html")]
struct FormPage {
    ui: Ui,
    kind: &'static Kind,
    action: String,
    base: String,
    heading: String,
    summary: Vec<(String, String)>,
    /// Nothing is wrong, something is unusual: a box at the field asks to confirm it.
    asks: bool,
    sections: Vec<FormSection>,
    rows: Vec<FormRow>,
    tags: String,
    all_tags: Vec<String>,
    version: Option<i32>,
    conflict: Vec<ConflictLine>,
    offers: Vec<CodeOffer>,
    offers_for: String,
    is_new: bool,
    saved: bool,
    /// Documents of the inbox that are attached when it is saved.
    attached: Vec<inbox::Attached>,
    papers: PapersPart,
}

/// The form's part for documents: what it holds on to, and what was wrong with one.
#[derive(Default)]
struct PapersPart {
    sealed: String,
    lines: Vec<PaperLine>,
    error: String,
    /// There is no room for one of them.
    is_full: bool,
    /// The largest that is stored, in bytes; 0 is not known.
    most: u64,
}

/// One document that waits for its record to be saved.
struct PaperLine {
    blob: String,
    name: String,
    size: String,
}

/// What somebody else saved meanwhile, beside what this person wants.
pub struct ConflictLine {
    pub label: String,
    pub theirs: String,
    pub mine: String,
}

/// A line of a code list offered inside the form.
struct CodeOffer {
    take: String,
    text: String,
    detail: String,
    code: String,
}

/// What a form page is about.
struct FormState<'a> {
    kind: &'static Kind,
    values: Typed,
    errors: Errors,
    tags: String,
    own: Option<(&'a RecordId, i32)>,
    rows: usize,
    conflict: Vec<ConflictLine>,
    find: Option<(String, String)>,
    saved: bool,
    confirmed: Confirmed,
    attached: Vec<FileId>,
    papers: Papers,
}

/// Documents that came with the form, and the same sealed, for the form to hold on to if it is shown again.
#[derive(Clone, Default)]
struct Papers {
    files: Vec<files::NewFile>,
    sealed: String,
    errors: Errors,
    /// What came and was not taken, by name.
    refused: Vec<(String, FieldError)>,
    most: u64,
    quota: Quota,
}

const TOO_MANY: FieldError = FieldError::Rule("error.too_many_files");

impl Papers {
    fn none(app: &App) -> Self {
        Self { most: app.config.max_upload, quota: app.quota(), ..Self::default() }
    }
    fn part(&self, ui: &Ui, errors: &Errors) -> PapersPart {
        let line = |file: &files::NewFile| PaperLine {
            blob: file.blob.name.as_str().to_owned(),
            name: file.name.clone(),
            size: files::pages::size_word(ui, file.blob.arrived.size),
        };
        let wrong: Vec<(String, FieldError)> = errors.iter().filter(|(name, _)| name == "file").cloned().collect();
        // What has a name is told by it; the same is among the errors without one.
        let mut unnamed: Vec<&FieldError> = wrong.iter().map(|(_, error)| error).collect();
        for (_, error) in &self.refused {
            if let Some(at) = unnamed.iter().position(|known| *known == error) {
                unnamed.remove(at);
            }
        }
        let named = if wrong.is_empty() { &[][..] } else { self.refused.as_slice() };
        let told = named.iter().map(|(name, error)| ui.words.with("file.refused_one", &[("name", name), ("why", &ui.error(error))]));
        let told: Vec<String> = told.chain(unnamed.into_iter().map(|error| ui.error(error))).collect();
        PapersPart {
            sealed: self.sealed.clone(),
            lines: self.files.iter().map(line).collect(),
            error: told.join(" "),
            is_full: upload::is_full(&wrong),
            most: self.most,
        }
    }
}

impl Papers {
    /// What came now, and what the form held on to, without what shall not be attached after all.
    fn of(app: &App, signed: &Signed, received: &upload::Received) -> Result<Self> {
        let leave: Vec<&str> = received.fields.iter().filter(|(name, _)| name == pending::LEAVE).map(|(_, blob)| blob.as_str()).collect();
        let held = pending::open(&app.key, &signed.me.id, &received.field(pending::FIELD), &leave);
        let mut errors = received.errors();
        let again = received.fields.iter().any(|(name, _)| name == pending::AGAIN);
        if again || held.is_none() {
            errors.push(("file".to_owned(), FieldError::Rule("error.files_gone")));
        }
        let files: Vec<files::NewFile> = held.into_iter().flatten().chain(received.files.iter().cloned()).collect();
        if files.len() > upload::MOST_FILES && !errors.iter().any(|(_, error)| *error == TOO_MANY) {
            errors.push(("file".to_owned(), TOO_MANY));
        }
        let sealed = pending::seal(&app.key, &signed.me.id, &files)?;
        let mut refused = received.refused.clone();
        refused.retain(|(name, _)| !name.is_empty());
        Ok(Self { files, sealed, errors, refused, most: app.config.max_upload, quota: app.quota() })
    }
}

fn form_page<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ui: Ui, state: FormState<'_>) -> Result<FormPage> {
    let FormState { kind, values, errors, tags, own, rows, conflict, find, saved, confirmed, attached, papers } = state;
    let names = Names::for_form(conn, access, kind)?;
    let all_tags = super::overview::tags_to_choose(conn, access)?.into_iter().map(|tag| tag.name).collect();
    let ui = ui.with_nav(conn, access)?;
    let base = format!("/patients/{}/{}", access.id(), kind.name);
    let (offers_for, offers) = find.map_or_else(Default::default, |(field, q)| (field.clone(), code_offers(kind, &field, &q)));
    let heading = match own {
        Some(_) => ui.t1("form.edit", "what", ui.kind_one(kind)),
        None => ui.t(&format!("kind.{}.add", kind.word())),
    };
    Ok(FormPage {
        action: own.map_or_else(|| base.clone(), |(id, _)| format!("{base}/{id}/edit")),
        summary: view::summary(&ui, kind, &errors),
        papers: papers.part(&ui, &errors),
        asks: view::asks_only(&errors),
        sections: view::form(&ui, kind, &values, &errors, &confirmed, &names, own.map(|(id, _)| id)),
        rows: view::form_rows(&ui, kind, rows, &values, &errors, &confirmed),
        version: own.map(|(_, version)| version),
        is_new: own.is_none(),
        all_tags,
        heading,
        base,
        kind,
        tags,
        conflict,
        offers,
        offers_for,
        saved,
        attached: inbox::attached(conn, &access.actor, &attached, access.now)?,
        ui,
    })
}

fn code_offers(kind: &Kind, field: &str, q: &str) -> Vec<CodeOffer> {
    let Some(list) = kind.field(field).and_then(|(_, spec)| spec.offers) else { return Vec::new() };
    codes::search(list, q, 20)
        .into_iter()
        .enumerate()
        .map(|(i, offer)| CodeOffer {
            take: format!("{field}:{i}"),
            text: offer.text,
            detail: offer.detail.unwrap_or_default(),
            code: offer.code.unwrap_or_default(),
        })
        .collect()
}

/// Blank rows a new form begins with, and how many are added at a time.
const BLANK_ROWS: usize = 3;
const MOST_ROWS: usize = 300;

/// `GET .../new`, blank, from another record (`?from=`), or with values from a code list's page.
pub async fn new(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let patient = patient_of(&place.patient)?;
    let pairs = body::query(&request);
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Edit>(conn, &signed.actor, &patient, app.clock.now())?;
            let chart = access.chart(kind)?;
            let given = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
            let mut tags = String::new();
            let mut rows = BLANK_ROWS;
            let mut values = presets(kind, &signed.me, app.clock.today());
            if let Some(from) = given("from").and_then(|id| RecordId::parse(&id)) {
                let original = chart.get(conn, &from)?;
                note_read(app, &access, Action::Read, Some(kind.name), Some((&from, original.head.version)));
                values = view::stored_values(kind, original.entry.as_ref());
                tags = join(&original.tags);
                rows = original.entry.child_count() + 1;
            }
            values.extend(pairs.iter().filter(|(n, _)| kind.field(n).is_some()).cloned());
            // A blank form offers the patient's other records to point at; one made from another record shows that one.
            note_read(app, &access, Action::Listed, Some(kind.name), None);
            let state = FormState {
                kind,
                values,
                errors: Errors::new(),
                tags,
                own: None,
                rows,
                conflict: Vec::new(),
                find: None,
                saved: given("saved").is_some(),
                confirmed: Confirmed::Nothing,
                attached: inbox::named(&pairs, "inbox"),
                papers: Papers::none(app),
            };
            form_page(conn, &access, Ui::new(Some(signed.me), &here), state)
        })
        .await?;
    render(&page)
}

/// What a blank form proposes: the usual status, the person's units, today where something just happened.
fn presets(kind: &Kind, me: &Me, today: chrono::NaiveDate) -> Typed {
    let mut values = Typed::new();
    for spec in &kind.fields {
        if let Some(word) = spec.preset {
            values.insert(spec.name.to_owned(), word.to_owned());
        }
        if let Some(Unit::Column(column)) = spec.unit()
            && let Some(unit) = me.units().unit(column)
        {
            values.insert(column.to_owned(), unit.to_owned());
        }
    }
    if kind.name == "vitals" {
        values.insert("recorded_date".to_owned(), today.to_string());
    }
    values
}

fn join(tags: &[tags::Tag]) -> String {
    tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// `GET .../{record}/edit`.
pub async fn edit(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let (patient, id) = (patient_of(&place.patient)?, record_of(&place.record)?);
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Edit>(conn, &signed.actor, &patient, app.clock.now())?;
            let row = access.chart(kind)?.get(conn, &id)?;
            note_read(app, &access, Action::Read, Some(kind.name), Some((&id, row.head.version)));
            let state = FormState {
                kind,
                values: view::stored_values(kind, row.entry.as_ref()),
                errors: Errors::new(),
                tags: join(&row.tags),
                own: Some((&id, row.head.version)),
                rows: row.entry.child_count() + 1,
                conflict: Vec::new(),
                find: None,
                saved: false,
                confirmed: Confirmed::Nothing,
                attached: Vec::new(),
                papers: Papers::none(app),
            };
            form_page(conn, &access, Ui::new(Some(signed.me), &here), state)
        })
        .await?;
    render(&page)
}

/// A record's form as it was sent.
struct Sent {
    raw: Raw,
    values: Typed,
    rows: usize,
    tags: Vec<String>,
    version: Option<i32>,
    confirmed: Confirmed,
    /// `_then`: `new` for another one.
    then: String,
    more: bool,
    find: Option<String>,
    take: Option<String>,
    /// `_inbox`: documents that wait for this record.
    attached: Vec<FileId>,
    errors: Errors,
}

impl Sent {
    /// Sorts the pairs: the program's own names begin with `_`, children's with the array's name, the rest are fields.
    fn read(kind: &Kind, pairs: Vec<(String, String)>) -> Self {
        let own = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let mut sent = Self {
            raw: Raw::default(),
            values: HashMap::new(),
            rows: 0,
            tags: own("tags").unwrap_or_default().split(',').map(str::to_owned).collect(),
            version: own("_version").and_then(|v| v.parse().ok()),
            confirmed: confirmed(&pairs),
            then: own("_then").unwrap_or_default(),
            more: own("_more").is_some(),
            find: own("_find"),
            take: own("_take"),
            attached: inbox::named(&pairs, "_inbox"),
            errors: Errors::new(),
        };
        let mut details: Vec<(&'static str, serde_json::Map<String, serde_json::Value>)> = Vec::new();
        let mut children: Vec<Vec<(String, String)>> = Vec::new();
        for (name, text) in &pairs {
            if name.starts_with('_') || name == "tags" {
                continue;
            }
            sent.values.insert(name.clone(), text.clone());
            if let Some((field, part)) = name.split_once('.') {
                if let Some((row, column)) = child_name(kind, field, part) {
                    sent.rows = sent.rows.max(row + 1);
                    if children.len() <= row {
                        children.resize_with(row + 1, Vec::new);
                    }
                    if let Some(values) = children.get_mut(row) {
                        values.push((column.to_owned(), text.clone()));
                    }
                    continue;
                }
                if let Some((_, FieldSpec { name: known, input: Input::Details(_), .. })) = kind.field(field) {
                    if !details.iter().any(|(n, _)| n == known) {
                        details.push((known, serde_json::Map::new()));
                    }
                    if let Some((_, map)) = details.iter_mut().find(|(n, _)| n == known)
                        && !text.trim().is_empty()
                    {
                        map.insert(part.to_owned(), text.clone().into());
                    }
                    continue;
                }
            }
            sent.raw.fields.push((name.clone(), text.clone()));
        }
        for (name, map) in details {
            let text = if map.is_empty() { String::new() } else { serde_json::Value::Object(map).to_string() };
            sent.raw.fields.push((name.to_owned(), text));
        }
        if kind.children.is_some() {
            sent.take_children(kind, &children);
        }
        sent
    }

    /// Rows in which nothing is written are not rows; errors must still name the row as it stands in the form.
    fn take_children(&mut self, kind: &Kind, children: &[Vec<(String, String)>]) {
        let told = |row: &Vec<(String, String)>| row.iter().any(|(_, text)| !text.trim().is_empty());
        let kept: Vec<Vec<(String, String)>> = children.iter().filter(|row| told(row)).cloned().collect();
        if let Some(array) = &kind.children {
            // Rows move up when blank ones above them go; what is shown again moves with them.
            self.values.retain(|name, _| !name.starts_with(&format!("{}.", array.name)));
            for (row, values) in kept.iter().enumerate() {
                for (column, text) in values {
                    self.values.insert(format!("{}.{row}.{column}", array.name), text.clone());
                }
            }
        }
        self.rows = kept.len() + 1;
        self.raw.children = Some(kept);
    }
}

/// The boxes that were ticked; each stands at its field and names it.
fn confirmed(pairs: &[(String, String)]) -> Confirmed {
    Confirmed::Fields(pairs.iter().filter(|(name, _)| name == "_confirmed").map(|(_, field)| field.clone()).collect())
}

fn child_name<'a>(kind: &Kind, field: &str, part: &'a str) -> Option<(usize, &'a str)> {
    let children = kind.children.as_ref().filter(|c| c.name == field)?;
    let (row, column) = part.split_once('.')?;
    let row = row.parse::<usize>().ok().filter(|row| *row < MOST_ROWS)?;
    children.fields.iter().any(|f| f.name == column).then_some((row, column))
}

/// What came of a form.
enum Outcome {
    Page(StatusCode, Box<FormPage>),
    Saved(RecordId),
}

/// `POST /patients/{patient}/{kind}`.
pub async fn create(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    save(app, signed, place.into_inner(), payload, request).await
}

/// `POST .../{record}/edit`.
pub async fn change(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    save(app, signed, place.into_inner(), payload, request).await
}

async fn save(app: web::Data<App>, signed: Signed, place: Place, payload: web::Payload, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let patient = patient_of(&place.patient)?;
    let own = if place.record.is_empty() { None } else { Some(record_of(&place.record)?) };
    may_edit(&app, &signed, &patient, kind).await?;
    let received = upload::form(&app, &request, payload).await?;
    let pairs = received.fields.clone();
    let mut papers = Papers::of(&app, &signed, &received)?;
    let again = Sent::read(kind, pairs.clone()).then == "new";
    let id = own.clone();
    let take = |papers: Papers| {
        let (signed, patient, pairs, id) = (signed.clone(), patient.clone(), pairs.clone(), id.clone());
        app.write(move |tx, app| {
            let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
            let ui = Ui::new(Some(signed.me.clone()), &format!("/patients/{patient}/{}/new", kind.name));
            let sent = Sent::read(kind, pairs.clone());
            let waiting = sent.attached.clone();
            let outcome = take_form(tx, &access, kind, id.as_ref(), sent, ui, papers.clone())?;
            let next = match &outcome {
                Outcome::Saved(record) => {
                    let missed = inbox::attach(tx, app, &access, &waiting, record)?;
                    let on = onward(&format!("/patients/{patient}/{}", kind.name), record, &missed, again);
                    let added = pending::became(tx, &papers.files)?;
                    twins::next(tx, &signed.actor, &added, &on, access.now)?
                }
                Outcome::Page(..) => String::new(),
            };
            Ok((outcome, access, next))
        })
    };
    let outcome = match take(papers.clone()).await {
        // What is wrong with a document shows when it is to be kept: the form comes back with that.
        Err(Error::Invalid(errors)) => {
            papers.errors.extend(errors);
            take(papers.clone()).await
        }
        outcome => outcome,
    };
    let (outcome, access, next) = match outcome {
        Ok(done) => done,
        Err(Error::Busy) if !papers.sealed.is_empty() => {
            let mut pairs: Vec<_> = pairs.into_iter().filter(|(name, _)| name != pending::FIELD).collect();
            pairs.push((pending::FIELD.to_owned(), papers.sealed));
            return security::busy(&request, pairs);
        }
        Err(error) => {
            received.give_up(&app).await;
            return Err(error);
        }
    };
    match outcome {
        Outcome::Page(status, page) => {
            // It shows what the form shows, and after a conflict what somebody else wrote.
            let seen = own.as_ref().and_then(|id| page.version.map(|version| (id, version)));
            note_read(&app, &access, if seen.is_some() { Action::Read } else { Action::Listed }, Some(kind.name), seen);
            render_with(status, page.as_ref())
        }
        Outcome::Saved(_) => Ok(see_other(&next)),
    }
}

/// Where to go from a record that was saved.
fn onward(base: &str, record: &RecordId, missed: &[FileId], again: bool) -> String {
    match (missed.is_empty(), again) {
        // Somebody else filed some of them meanwhile: told, beside where the record is.
        (false, _) => inbox::missed(missed, &format!("{base}/{record}")),
        (true, true) => format!("{base}/new?saved=1"),
        (true, false) => format!("{base}/{record}"),
    }
}

/// Access first, body afterwards: a stranger learns nothing from how a body is refused.
pub(super) async fn may_edit(app: &App, signed: &Signed, patient: &PatientId, kind: &'static Kind) -> Result<()> {
    let (actor, patient) = (signed.actor.clone(), patient.clone());
    app.read(move |conn, app| access::grant::<Edit>(conn, &actor, &patient, app.clock.now())?.chart(kind).map(drop)).await
}

fn take_form(
    tx: &mut crate::db::Tx<'_>,
    access: &PatientAccess<Edit>,
    kind: &'static Kind,
    own: Option<&RecordId>,
    mut sent: Sent,
    ui: Ui,
    mut papers: Papers,
) -> Result<Outcome> {
    let chart = access.chart(kind)?;
    if !pending::are_there(tx, &papers.files)? {
        papers = Papers {
            errors: vec![("file".to_owned(), FieldError::Rule("error.files_gone"))],
            most: papers.most,
            quota: papers.quota,
            ..Papers::default()
        };
    }
    sent.errors.append(&mut papers.errors);
    let current = match own {
        Some(id) => Some(chart.get(tx, id)?),
        None => None,
    };
    let version = sent.version.or_else(|| current.as_ref().map(|c| c.head.version)).unwrap_or_default();
    let again = |sent: Sent, errors: Errors, find: Option<(String, String)>, conflict: Vec<ConflictLine>, version: i32| FormState {
        kind,
        tags: tags::names(&sent.tags).join(", "),
        rows: sent.rows.max(1) + if sent.more { BLANK_ROWS } else { 0 },
        values: sent.values,
        errors,
        own: own.map(|id| (id, version)),
        conflict,
        find,
        saved: false,
        confirmed: sent.confirmed,
        attached: sent.attached,
        papers: papers.clone(),
    };
    if let Some(take) = sent.take.clone() {
        take_offer(kind, &mut sent, &take);
        let errors = std::mem::take(&mut sent.errors);
        let state = again(sent, errors, None, Vec::new(), version);
        return Ok(Outcome::Page(StatusCode::OK, Box::new(form_page(tx, access, ui, state)?)));
    }
    if sent.more || sent.find.is_some() {
        let find = sent.find.clone().map(|field| (field.clone(), sent.values.get(&field).cloned().unwrap_or_default()));
        let errors = std::mem::take(&mut sent.errors);
        let state = again(sent, errors, find, Vec::new(), version);
        return Ok(Outcome::Page(StatusCode::OK, Box::new(form_page(tx, access, ui, state)?)));
    }
    let me = ui.me.clone();
    let mode = Mode::Typed(ui.words.dates.typing(access.now.date()));
    let mut entry = current.as_ref().map_or_else(|| (kind.blank)(), |c| c.entry.boxed_clone());
    let mut errors = std::mem::take(&mut sent.errors);
    errors.extend(input::fill(kind, entry.as_mut(), &sent.raw, mode));
    input::complete_units(kind, entry.as_mut(), me.map_or_else(Default::default, |me| me.units()));
    if current.is_none() {
        input::complete_defaults(kind, entry.as_mut(), &sent.raw);
    }
    if let Some(current) = &current {
        input::keep_unitless(kind, entry.as_mut(), current.entry.as_ref(), &sent.raw);
    }
    errors.extend(input::check_references(tx, access, kind, entry.as_ref(), own)?);
    linked::complete_name(tx, access, kind, entry.as_mut())?;
    let context = Context { today: access.now.date(), birth: access.patient.fields.birth_date.as_ref(), strict: true };
    input::settle(kind, entry.as_mut(), current.as_ref().map(|c| c.entry.as_ref()), &context, &mut errors);
    if !errors.iter().all(|(name, error)| sent.confirmed.covers(name, error)) {
        // What is answered already stands there with its tick, so that the next try has the answer too.
        let state = again(sent, errors, None, Vec::new(), version);
        return Ok(Outcome::Page(StatusCode::UNPROCESSABLE_ENTITY, Box::new(form_page(tx, access, ui, state)?)));
    }
    let draft = Draft { entry, tags: Some(tags::names(&sent.tags)), links: None, source: "person".to_owned() };
    let Some((id, current)) = own.zip(current) else {
        let id = chart.add(tx, &draft)?;
        pending::attach(tx, access, papers.quota, &id, &papers.files)?;
        return Ok(Outcome::Saved(id));
    };
    match chart.change(tx, id, version, &draft) {
        Ok(_) => {
            pending::attach(tx, access, papers.quota, id, &papers.files)?;
            Ok(Outcome::Saved(id.clone()))
        }
        Err(Error::Stale { current: newer }) => {
            let conflict = conflict(&ui, access.id().as_str(), kind, &current, &draft);
            let state = again(sent, Errors::new(), None, conflict, newer);
            Ok(Outcome::Page(StatusCode::CONFLICT, Box::new(form_page(tx, access, ui, state)?)))
        }
        Err(error) => Err(error),
    }
}

/// Puts the values of an offered line into the form's.
fn take_offer(kind: &Kind, sent: &mut Sent, take: &str) {
    let Some((field, place)) = take.split_once(':') else { return };
    let Some(list) = kind.field(field).and_then(|(_, spec)| spec.offers) else { return };
    let q = sent.values.get(field).cloned().unwrap_or_default();
    let chosen = place.parse::<usize>().ok().and_then(|i| codes::search(list, &q, 20).into_iter().nth(i));
    for (name, text) in chosen.into_iter().flat_map(|offer| offer.fields) {
        if kind.field(name).is_some() {
            sent.values.insert(name.to_owned(), text);
        }
    }
}

/// Both versions, field by field, where they differ.
fn conflict(ui: &Ui, patient: &str, kind: &Kind, current: &Loaded, mine: &Draft) -> Vec<ConflictLine> {
    let names = Names::default();
    let words =
        |spec: &FieldSpec, text: Option<String>| text.map(|t| view::show(ui, patient, spec, &t, None, &names).text).unwrap_or_default();
    let mut lines: Vec<ConflictLine> = kind
        .fields
        .iter()
        .enumerate()
        .filter(|(i, _)| current.entry.get(*i) != mine.entry.get(*i))
        .map(|(i, spec)| ConflictLine {
            label: ui.label(kind.word(), spec.name),
            theirs: words(spec, current.entry.get(i)),
            mine: words(spec, mine.entry.get(i)),
        })
        .collect();
    let tags: Vec<String> = current.tags.iter().map(|tag| tag.name.clone()).collect();
    let (old, new) = (Snapshot::of(kind, current.entry.as_ref(), &tags, &[]), Snapshot::of(kind, mine.entry.as_ref(), &tags, &[]));
    if old.children != new.children {
        let text = |snapshot: &Snapshot| {
            let rows: Vec<String> =
                snapshot.children.iter().map(|row| row.iter().map(|(_, v)| v.as_str()).collect::<Vec<_>>().join(" ")).collect();
            rows.join("; ")
        };
        let label = kind.children.as_ref().map(|c| ui.t(&format!("children.{}", c.name))).unwrap_or_default();
        lines.push(ConflictLine { label, theirs: text(&old), mine: text(&new) });
    }
    lines
}

/// A small form about one record: delete, status, link. The version it was made for comes along.
async fn small_form(
    app: &App,
    signed: &Signed,
    place: &Place,
    payload: web::Payload,
    request: &HttpRequest,
) -> Result<(&'static Kind, PatientId, RecordId, Vec<(String, String)>)> {
    let kind = kind_of(&place.kind)?;
    let (patient, id) = (patient_of(&place.patient)?, record_of(&place.record)?);
    may_edit(app, signed, &patient, kind).await?;
    let pairs = body::form(request, payload).await?;
    Ok((kind, patient, id, pairs))
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// `POST .../{record}/delete`: into the trash; the list offers to undo it.
pub async fn delete(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (kind, patient, id, pairs) = small_form(&app, &signed, &place, payload, &request).await?;
    let back = format!("/patients/{patient}/{}?undo={id}", kind.name);
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        let chart = access.chart(kind)?;
        let version = value(&pairs, "_version").and_then(|v| v.parse().ok());
        let expected = match version {
            Some(version) => version,
            None => chart.get(tx, &id)?.head.version,
        };
        chart.remove(tx, &id, expected)
    })
    .await?;
    Ok(see_other(&back))
}

/// `POST .../{record}/restore`: out of the trash.
pub async fn restore(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (kind, patient, id, _) = small_form(&app, &signed, &place, payload, &request).await?;
    let back = format!("/patients/{patient}/{}/{id}", kind.name);
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        access.chart(kind)?.restore(tx, &id)
    })
    .await?;
    Ok(see_other(&back))
}

/// Statuses that mean it is over.
const ENDING: &[&str] = &["stopped", "completed", "cancelled", "resolved", "expired", "returned"];

/// The fields of a quick change. The day stands in the form before anybody chooses: where none is recorded it only counts for a status that
/// ends something, and one that is recorded stays unless the person wrote or took away something there.
fn quick_fields(kind: &Kind, current: &Loaded, pairs: &[(String, String)]) -> Vec<(String, String)> {
    let status = value(pairs, "status").unwrap_or_default();
    let mut fields = vec![("status".to_owned(), status.to_owned())];
    let told = value(pairs, "ended_on").map(str::trim);
    if let (Some((index, spec)), Some(told)) = (day_field(kind).and_then(|name| kind.field(name)), told) {
        let ends = kind.finished.map_or_else(|| ENDING.contains(&status), |(_, word)| status == word);
        let changed = match current.entry.get(index) {
            None => ends && !told.is_empty(),
            Some(recorded) => told != recorded,
        };
        if changed {
            fields.push((spec.name.to_owned(), told.to_owned()));
        }
    }
    fields
}

/// `POST .../{record}/status`: the quick change from the list. What it cannot do alone goes on in the record's form.
pub async fn status(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (kind, patient, id, pairs) = small_form(&app, &signed, &place, payload, &request).await?;
    let back = value(&pairs, "_back")
        .filter(|b| b.starts_with("/patients/"))
        .map_or_else(|| format!("/patients/{patient}/{}", kind.name), str::to_owned);
    let record = id.clone();
    let (outcome, access) = app
        .write(move |tx, app| {
            let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
            let ui = Ui::new(Some(signed.me.clone()), &format!("/patients/{patient}/{}/{id}/edit", kind.name));
            let outcome = take_status(tx, &access, kind, &id, &pairs, ui)?;
            Ok((outcome, access))
        })
        .await?;
    match outcome {
        Outcome::Page(status, page) => {
            let seen = page.version.map(|version| (&record, version));
            note_read(&app, &access, Action::Read, Some(kind.name), seen);
            render_with(status, page.as_ref())
        }
        Outcome::Saved(_) => Ok(see_other(&back)),
    }
}

fn take_status(
    tx: &mut crate::db::Tx<'_>,
    access: &PatientAccess<Edit>,
    kind: &'static Kind,
    id: &RecordId,
    pairs: &[(String, String)],
    ui: Ui,
) -> Result<Outcome> {
    let chart = access.chart(kind)?;
    let current = chart.get(tx, id)?;
    let mut entry = current.entry.boxed_clone();
    let fields = quick_fields(kind, &current, pairs);
    let raw = Raw { fields: fields.clone(), children: None };
    let mut errors = input::fill(kind, entry.as_mut(), &raw, Mode::Typed(ui.words.dates.typing(access.now.date())));
    let context = Context { today: access.now.date(), birth: access.patient.fields.birth_date.as_ref(), strict: true };
    input::settle(kind, entry.as_mut(), Some(current.entry.as_ref()), &context, &mut errors);
    if errors.is_empty() {
        let version = value(pairs, "_version").and_then(|v| v.parse().ok()).unwrap_or(current.head.version);
        let draft = Draft { entry, tags: None, links: None, source: "person".to_owned() };
        chart.change(tx, id, version, &draft)?;
        return Ok(Outcome::Saved(id.clone()));
    }
    let mut values = view::stored_values(kind, current.entry.as_ref());
    values.extend(fields);
    let state = FormState {
        kind,
        values,
        errors,
        tags: join(&current.tags),
        own: Some((id, current.head.version)),
        rows: current.entry.child_count() + 1,
        conflict: Vec::new(),
        find: None,
        saved: false,
        confirmed: Confirmed::Nothing,
        attached: Vec::new(),
        papers: Papers::default(),
    };
    Ok(Outcome::Page(StatusCode::UNPROCESSABLE_ENTITY, Box::new(form_page(tx, access, ui, state)?)))
}

/// `POST .../{record}/links`: ties another record to this one, or takes a tie away (`_remove`).
pub async fn links(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (kind, patient, id, pairs) = small_form(&app, &signed, &place, payload, &request).await?;
    let back = format!("/patients/{patient}/{}/{id}", kind.name);
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        let chart = access.chart(kind)?;
        let current = chart.get(tx, &id)?;
        let mut links = chart.outgoing(tx, &id)?;
        let to = value(&pairs, "to").unwrap_or_default();
        let relation = value(&pairs, "relation").unwrap_or("related").to_owned();
        let other = RecordId::parse(to).ok_or_else(|| Error::Invalid(vec![("to".into(), FieldError::NoSuchRecord)]))?;
        if value(&pairs, "_remove").is_some() {
            links.retain(|link| link.to != other || link.relation != relation);
        } else {
            check_link(tx, &access, &id, &other, &relation)?;
            let note = value(&pairs, "note").map(str::trim).filter(|n| !n.is_empty()).map(|n| n.chars().take(300).collect());
            links.retain(|link| link.to != other || link.relation != relation);
            links.push(Link { relation, to: other, note });
        }
        let draft = Draft { entry: current.entry, tags: None, links: Some(links), source: "person".to_owned() };
        chart.change(tx, &id, current.head.version, &draft).map(drop)
    })
    .await?;
    Ok(see_other(&back))
}

/// May this record point there? The other end must be a living record of the same patient, within the access, and not itself.
pub fn check_link<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, from: &RecordId, to: &RecordId, relation: &str) -> Result<()> {
    let wrong = |name: &str, error: FieldError| Err(Error::Invalid(vec![(name.to_owned(), error)]));
    if !RELATIONS.contains(&relation) {
        return wrong("relation", FieldError::UnknownChoice);
    }
    if from == to || !input::record_exists(conn, access, to.as_str(), None)? {
        return wrong("to", FieldError::NoSuchRecord);
    }
    Ok(())
}

#[derive(Template)]
#[template(path = "records/link.html")]
struct LinkPage {
    ui: Ui,
    base: String,
    id: String,
    title: String,
    q: String,
    found: Vec<Found>,
    relations: Vec<Choice>,
}

struct Found {
    id: String,
    title: String,
    about: String,
}

/// `GET .../{record}/links`: find the record to tie this one to.
pub async fn link_form(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let (patient, id) = (patient_of(&place.patient)?, record_of(&place.record)?);
    let q = body::query(&request).into_iter().find(|(n, _)| n == "q").map(|(_, v)| v).unwrap_or_default();
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<Edit>(conn, &signed.actor, &patient, app.clock.now())?;
            let row = access.chart(kind)?.get(conn, &id)?;
            let heads = super::overview::linkable(conn, &access, Some(&id), &q)?;
            note_read(app, &access, Action::Read, Some(kind.name), Some((&id, row.head.version)));
            // The titles of other records of every kind.
            note_read(app, &access, Action::Listed, Some("links"), None);
            let ui = Ui::new(Some(signed.me), &here).with_nav(conn, &access)?;
            let found = heads
                .into_iter()
                .map(|head| Found {
                    about: [super::kind(&head.kind).map(|k| ui.kind_one(k)), head.occurred_on.as_deref().map(|d| ui.day(d))]
                        .into_iter()
                        .flatten()
                        .collect::<Vec<_>>()
                        .join(" · "),
                    id: head.id.to_string(),
                    title: head.title,
                })
                .collect();
            let relations = RELATIONS
                .iter()
                .map(|r| Choice { value: (*r).to_owned(), label: ui.t(&format!("relation.{r}")), selected: *r == "related" })
                .collect();
            let base = format!("/patients/{}/{}", access.id(), kind.name);
            Ok(LinkPage { ui, base, id: id.to_string(), title: row.head.title, q, found, relations })
        })
        .await?;
    render(&page)
}

#[derive(Template)]
#[template(path = "records/history.html")]
pub struct HistoryPage {
    pub ui: Ui,
    /// The address of what has the history.
    pub base: String,
    pub title: String,
    pub versions: Vec<VersionView>,
    pub may_edit: bool,
    pub current: i32,
    /// Addresses and words of what imports brought about a person.
    pub originals: Vec<(String, String)>,
}

/// A version of a record or a patient, as the page tells of it.
pub struct VersionView {
    pub version: i32,
    pub action: String,
    pub who: String,
    pub at: String,
    pub source: String,
    pub changes: Vec<ConflictLine>,
}

/// `GET .../{record}/history`.
pub async fn history(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let (patient, id) = (patient_of(&place.patient)?, record_of(&place.record)?);
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let chart = access.chart(kind)?;
            let row = chart.get(conn, &id)?;
            let versions = chart.versions(conn, &id)?;
            note_read(app, &access, Action::Read, Some(kind.name), Some((&id, row.head.version)));
            let snapshots: Vec<Snapshot> = versions.iter().map(|v| Snapshot::from_text(&v.snapshot).unwrap_or_default()).collect();
            let names = Names::for_versions(conn, &access, kind, &snapshots)?;
            let ui = Ui::new(Some(signed.me), &here).with_nav(conn, &access)?;
            let views = version_views(&ui, access.id().as_str(), kind, &versions, &snapshots, &names);
            let base = format!("/patients/{}/{}/{id}", access.id(), kind.name);
            let may_edit = access.may(Rank::Edit);
            Ok(HistoryPage { ui, base, title: row.head.title, versions: views, may_edit, current: row.head.version, originals: Vec::new() })
        })
        .await?;
    render(&page)
}

fn version_views(
    ui: &Ui,
    patient: &str,
    kind: &Kind,
    versions: &[super::version::Version],
    snapshots: &[Snapshot],
    names: &Names,
) -> Vec<VersionView> {
    let empty = Snapshot::default();
    versions
        .iter()
        .enumerate()
        .map(|(i, version)| {
            let (new, old) = (snapshots.get(i).unwrap_or(&empty), snapshots.get(i + 1).unwrap_or(&empty));
            let changes = if matches!(version.action.as_str(), "created") { Vec::new() } else { differences(old, new) };
            VersionView {
                version: version.version,
                action: ui.t(&format!("action.{}", version.action)),
                who: version.actor_name.clone(),
                at: ui.moment(&version.at),
                source: view::source(ui, &version.source),
                changes: changes.into_iter().map(|change| difference_line(ui, patient, kind, &change, names)).collect(),
            }
        })
        .collect()
}

fn difference_line(ui: &Ui, patient: &str, kind: &Kind, change: &super::version::Difference, names: &Names) -> ConflictLine {
    let (fields, word) = match (change.row, &kind.children) {
        (Some(_), Some(children)) => (&children.fields, children.table),
        _ => (&kind.fields, kind.word()),
    };
    let spec = fields.iter().find(|f| f.name == change.field);
    let words = |text: &Option<String>| match (text, spec) {
        (Some(text), Some(spec)) => {
            let shown = view::show(ui, patient, spec, text, None, names);
            if shown.pairs.is_empty() {
                shown.text
            } else {
                shown.pairs.iter().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().join(", ")
            }
        }
        (Some(text), None) => text.clone(),
        _ => String::new(),
    };
    let label = ui.label(word, &change.field);
    let label = change.row.map_or_else(|| label.clone(), |row| format!("{label} ({row})"));
    ConflictLine { label, theirs: words(&change.before), mine: words(&change.after) }
}

/// `POST .../{record}/history/{version}`: the record as it was then, as a new version.
pub async fn revert(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (kind, patient, id, pairs) = small_form(&app, &signed, &place, payload, &request).await?;
    let version = place.version;
    let back = format!("/patients/{patient}/{}/{id}", kind.name);
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        let chart = access.chart(kind)?;
        let current = chart.get(tx, &id)?;
        let expected = value(&pairs, "_version").and_then(|v| v.parse().ok()).unwrap_or(current.head.version);
        let draft = chart.as_it_was(tx, &id, version)?;
        chart.change(tx, &id, expected, &draft).map(drop)
    })
    .await?;
    Ok(see_other(&back))
}

/// `POST .../{record}/offers`: takes or dismisses a newer value that a source told.
pub async fn offer(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let (kind, patient, id, pairs) = small_form(&app, &signed, &place, payload, &request).await?;
    let back = format!("/patients/{patient}/{}/{id}", kind.name);
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        let field = value(&pairs, "field").unwrap_or_default();
        access.chart(kind)?.get(tx, &id)?;
        if value(&pairs, "answer") == Some("take") {
            merge::accept(tx, &access, &id, field).map(drop)
        } else {
            merge::dismiss(tx, &access, &id, field)
        }
    })
    .await?;
    Ok(see_other(&back))
}

/// `POST /patients/{patient}/none-known/{kind}`: says, or takes back, that there are none.
pub async fn none_known(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let patient = patient_of(&place.patient)?;
    may_edit(&app, &signed, &patient, kind).await?;
    let pairs = body::form(&request, payload).await?;
    let back = format!("/patients/{patient}/{}", kind.name);
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        let chart = access.chart(kind)?;
        if !kind.none_known {
            return Err(Error::NotFound);
        }
        let none = value(&pairs, "none") == Some("true");
        // Two windows: in one a record was added, in the other somebody says that there is none.
        if none && !chart.list(tx, &ListQuery { page: 1, per_page: 1, ..ListQuery::default() })?.0.is_empty() {
            return Err(Error::Invalid(vec![("none".to_owned(), FieldError::Rule("error.there_are_some"))]));
        }
        patients::set_none_known(tx, &access.actor, access.id(), kind.name, none, access.now)
    })
    .await?;
    Ok(see_other(&back))
}

/// The code list behind a field of this kind, for the search page.
pub fn list_of(kind: &Kind, field: &str) -> Option<List> {
    kind.field(field).and_then(|(_, spec)| spec.offers)
}
