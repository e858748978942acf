//! The form of a record: what it shows, blank, of a stored record, or again with what was typed.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{
    Place,
    conflict::ConflictLine,
    kind_of,
    papers::{Papers, PapersPart},
    patient_of, record_of,
};
use crate::{
    access::{self, Edit, Level, PatientAccess},
    app::App,
    audit::Action,
    auth::session::{Me, Signed},
    body, codes,
    db::{
        Conn, Tx,
        types::{FileId, RecordId},
    },
    error::Result,
    files::inbox,
    page::{Ui, note_read, render},
    records::{
        Kind,
        chart::Loaded,
        field::{Confirmed, Errors, Unit},
        overview,
        view::{self, FormRow, FormSection, Names, Typed},
    },
    tags,
};

#[derive(Template)]
#[template(path = "records/form.html")]
pub(super) struct FormPage {
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
    pub(super) version: Option<i32>,
    conflict: Vec<ConflictLine>,
    offers: Vec<CodeOffer>,
    offers_for: String,
    is_new: bool,
    saved: bool,
    /// Documents of the inbox that are attached when it is saved.
    attached: Vec<inbox::Attached>,
    papers: PapersPart,
}

/// A line of a code list offered inside the form.
struct CodeOffer {
    take: String,
    text: String,
    detail: String,
    code: String,
}

/// What a form page is about.
pub(super) struct FormState<'a> {
    pub(super) kind: &'static Kind,
    pub(super) values: Typed,
    pub(super) errors: Errors,
    pub(super) tags: String,
    pub(super) own: Option<(&'a RecordId, i32)>,
    pub(super) rows: usize,
    pub(super) conflict: Vec<ConflictLine>,
    pub(super) find: Option<(String, String)>,
    pub(super) saved: bool,
    pub(super) confirmed: Confirmed,
    pub(super) attached: Vec<FileId>,
    pub(super) papers: Papers,
}

impl<'a> FormState<'a> {
    /// A new record with these values.
    fn blank(kind: &'static Kind, values: Typed, papers: Papers) -> Self {
        Self {
            kind,
            values,
            errors: Errors::new(),
            tags: String::new(),
            own: None,
            rows: BLANK_ROWS,
            conflict: Vec::new(),
            find: None,
            saved: false,
            confirmed: Confirmed::Nothing,
            attached: Vec::new(),
            papers,
        }
    }

    /// The record as it is stored.
    pub(super) fn stored(kind: &'static Kind, record: &'a Loaded, papers: Papers) -> Self {
        Self {
            tags: join(&record.tags),
            own: Some((&record.head.id, record.head.version)),
            rows: record.entry.child_count() + 1,
            ..Self::blank(kind, view::stored_values(kind, record.entry.as_ref()), papers)
        }
    }
}

/// What came of a form.
pub(super) enum Outcome {
    Page(StatusCode, Box<FormPage>),
    Saved(RecordId),
}

impl Outcome {
    pub(super) fn page(tx: &mut Tx<'_>, access: &PatientAccess<Edit>, ui: Ui, status: StatusCode, state: FormState<'_>) -> Result<Self> {
        Ok(Self::Page(status, Box::new(form_page(tx, access, ui, state)?)))
    }
}

fn form_page<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ui: Ui, state: FormState<'_>) -> Result<FormPage> {
    let FormState { kind, values, errors, tags, own, rows, conflict, find, saved, confirmed, attached, papers } = state;
    let names = Names::for_form(conn, access, kind)?;
    let all_tags = overview::tags_to_choose(conn, access)?.into_iter().map(|tag| tag.name).collect();
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
pub(super) const BLANK_ROWS: usize = 3;

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
            let mut state = FormState::blank(kind, presets(kind, &signed.me, app.clock.today()), Papers::none(app));
            if let Some(from) = given("from").and_then(|id| RecordId::parse(&id)) {
                let original = chart.get(conn, &from)?;
                note_read(app, &access, Action::Read, Some(kind.name), Some((&from, original.head.version)));
                state.values = view::stored_values(kind, original.entry.as_ref());
                state.tags = join(&original.tags);
                state.rows = original.entry.child_count() + 1;
            }
            state.values.extend(pairs.iter().filter(|(n, _)| kind.field(n).is_some()).cloned());
            state.saved = given("saved").is_some();
            state.attached = inbox::named(&pairs, "inbox");
            // A blank form offers the patient's other records to point at; one made from another record shows that one.
            note_read(app, &access, Action::Listed, Some(kind.name), None);
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
            let state = FormState::stored(kind, &row, Papers::none(app));
            form_page(conn, &access, Ui::new(Some(signed.me), &here), state)
        })
        .await?;
    render(&page)
}
