//! The quick change of a status from the list, with the day that an end asks for.

use actix_web::{HttpResponse, http::StatusCode, web};

use super::{
    RecordForm,
    form::{FormState, Outcome},
    papers::Papers,
    value,
};
use crate::{
    access::{Edit, Level, PatientAccess},
    app::App,
    audit::Action,
    db::{Conn, Tx, types::RecordId},
    error::Result,
    page::{Ui, note_read, render_with, see_other},
    records::{
        Context, Kind,
        chart::{self, Draft, Loaded},
        field::{Input, Mode},
        input::{self, Raw},
        view::Choice,
    },
};

/// Statuses that mean it is over.
const ENDING: &[&str] = &["stopped", "completed", "cancelled", "resolved", "expired", "returned"];

/// The field whose day a quick change of status may ask for.
fn day_field(kind: &Kind) -> Option<&'static str> {
    kind.ended.or(kind.finished.map(|(field, _)| field))
}

/// Its label, and the day that is recorded. Today is proposed only where there is none: a day that was told once is not guessed again.
pub(super) fn day_to_ask<L: Level>(
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

/// The words that a kind's status can have.
pub(super) fn statuses(ui: &Ui, kind: &Kind) -> Vec<Choice> {
    let set = kind.field("status").map(|(_, f)| f.input);
    let Some(Input::Choice { set, words }) = set else { return Vec::new() };
    words.iter().map(|word| Choice { value: (*word).to_owned(), label: ui.choice(set, word), selected: false }).collect()
}

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
pub async fn status(app: web::Data<App>, form: RecordForm) -> Result<HttpResponse> {
    let back = form.value("_back").filter(|b| b.starts_with("/patients/")).map_or_else(|| form.list(), str::to_owned);
    let (kind, record) = (form.kind, form.id.clone());
    let (outcome, access) = app
        .write(move |tx, app| {
            let access = form.access(tx, app)?;
            let outcome = take_status(tx, &access, &form)?;
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

fn take_status(tx: &mut Tx<'_>, access: &PatientAccess<Edit>, form: &RecordForm) -> Result<Outcome> {
    let kind = form.kind;
    let ui = Ui::new(Some(form.signed.me.clone()), &format!("{}/edit", form.record()));
    let chart = access.chart(kind)?;
    let current = chart.get(tx, &form.id)?;
    let mut entry = current.entry.boxed_clone();
    let fields = quick_fields(kind, &current, &form.pairs);
    let raw = Raw { fields: fields.clone(), children: None };
    let mut errors = input::fill(kind, entry.as_mut(), &raw, Mode::Typed(ui.words.dates.typing(access.now.date())));
    let context = Context { today: access.now.date(), birth: access.patient.fields.birth_date.as_ref(), strict: true };
    input::settle(kind, entry.as_mut(), Some(current.entry.as_ref()), &context, &mut errors);
    if errors.is_empty() {
        let version = form.seen().unwrap_or(current.head.version);
        let draft = Draft { entry, tags: None, links: None, source: "person".to_owned() };
        chart.change(tx, &form.id, version, &draft)?;
        return Ok(Outcome::Saved(form.id.clone()));
    }
    let mut state = FormState { errors, ..FormState::stored(kind, &current, Papers::default()) };
    state.values.extend(fields);
    Outcome::page(tx, access, ui, StatusCode::UNPROCESSABLE_ENTITY, state)
}
