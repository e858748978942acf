//! A record's form is sent: saved, or shown again with what is wrong, asked or in conflict.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};

use super::{
    Place,
    conflict::conflict,
    form::{BLANK_ROWS, FormState, Outcome},
    kind_of, may_edit,
    papers::Papers,
    patient_of, record_of,
    sent::Sent,
};
use crate::{
    access::{self, Edit, PatientAccess},
    app::App,
    audit::Action,
    auth::session::{Me, Signed},
    db::{
        Tx,
        types::{FileId, PatientId, RecordId},
    },
    error::{Error, Result},
    files::{inbox, pending, twins, upload},
    page::{Ui, note_read, render_with, see_other},
    records::{
        AnyRecord, Context, Kind,
        chart::{Draft, Loaded},
        field::{Errors, Mode},
        input, linked,
    },
    security, tags,
};

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

/// A form that came, without its documents: from whom, for which record, and what stands in it.
#[derive(Clone)]
struct Posted {
    signed: Signed,
    kind: &'static Kind,
    patient: PatientId,
    own: Option<RecordId>,
    pairs: Vec<(String, String)>,
}

impl Posted {
    /// One try: what came of it, by which access, and where to go if it was saved.
    fn take(&self, tx: &mut Tx<'_>, app: &App, papers: &Papers) -> Result<(Outcome, PatientAccess<Edit>, String)> {
        let Self { signed, kind, patient, own, pairs } = self;
        let access = access::grant::<Edit>(tx, &signed.actor, patient, app.clock.now())?;
        let ui = Ui::new(Some(signed.me.clone()), &format!("/patients/{patient}/{}/new", kind.name));
        let sent = Sent::read(kind, pairs);
        let (waiting, again) = (sent.attached.clone(), sent.then == "new");
        let outcome = take_form(tx, &access, kind, own.as_ref(), sent, ui, papers.clone())?;
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
    }
}

async fn save(app: web::Data<App>, signed: Signed, place: Place, payload: web::Payload, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let patient = patient_of(&place.patient)?;
    let own = if place.record.is_empty() { None } else { Some(record_of(&place.record)?) };
    may_edit(&app, &signed, &patient, kind).await?;
    let received = upload::form(&app, &request, payload).await?;
    let mut papers = Papers::of(&app, &signed, &received)?;
    let posted = Posted { signed, kind, patient, own, pairs: received.fields.clone() };
    let take = |papers: Papers| {
        let posted = posted.clone();
        app.write(move |tx, app| posted.take(tx, app, &papers))
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
            let mut pairs: Vec<_> = posted.pairs.into_iter().filter(|(name, _)| name != pending::FIELD).collect();
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
            let seen = posted.own.as_ref().and_then(|id| page.version.map(|version| (id, version)));
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

/// What a form is about that is shown again.
struct Again<'a> {
    kind: &'static Kind,
    own: Option<&'a RecordId>,
    /// The version the form was made for, if the record is stored.
    version: i32,
    papers: Papers,
}

impl<'a> Again<'a> {
    /// The form with what was typed and its errors.
    fn state(&self, sent: Sent) -> FormState<'a> {
        FormState {
            kind: self.kind,
            tags: tags::names(&sent.tags).join(", "),
            rows: sent.rows.max(1) + if sent.more { BLANK_ROWS } else { 0 },
            values: sent.values,
            errors: sent.errors,
            own: self.own.map(|id| (id, self.version)),
            conflict: Vec::new(),
            find: None,
            saved: false,
            confirmed: sent.confirmed,
            attached: sent.attached,
            papers: self.papers.clone(),
        }
    }
}

fn take_form(
    tx: &mut Tx<'_>,
    access: &PatientAccess<Edit>,
    kind: &'static Kind,
    own: Option<&RecordId>,
    mut sent: Sent,
    ui: Ui,
    mut papers: Papers,
) -> Result<Outcome> {
    let chart = access.chart(kind)?;
    if !pending::are_there(tx, &papers.files)? {
        papers = papers.gone();
    }
    sent.errors.append(&mut papers.errors);
    let current = match own {
        Some(id) => Some(chart.get(tx, id)?),
        None => None,
    };
    let version = sent.version.or_else(|| current.as_ref().map(|c| c.head.version)).unwrap_or_default();
    let mut again = Again { kind, own, version, papers };
    if let Some(take) = sent.take.clone() {
        sent.take_offer(kind, &take);
        return Outcome::page(tx, access, ui, StatusCode::OK, again.state(sent));
    }
    if sent.more || sent.find.is_some() {
        let find = sent.find.clone().map(|field| (field.clone(), sent.values.get(&field).cloned().unwrap_or_default()));
        return Outcome::page(tx, access, ui, StatusCode::OK, FormState { find, ..again.state(sent) });
    }
    let entry = fill(tx, access, kind, current.as_ref(), &mut sent, &ui)?;
    if !sent.errors.iter().all(|(name, error)| sent.confirmed.covers(name, error)) {
        // What is answered already stands there with its tick, so that the next try has the answer too.
        return Outcome::page(tx, access, ui, StatusCode::UNPROCESSABLE_ENTITY, again.state(sent));
    }
    let draft = Draft { entry, tags: Some(tags::names(&sent.tags)), links: None, source: "person".to_owned() };
    let saved = match (own, &current) {
        (Some(id), Some(_)) => chart.change(tx, id, version, &draft).map(|_| id.clone()),
        _ => chart.add(tx, &draft),
    };
    match (saved, current) {
        (Ok(id), _) => {
            pending::attach(tx, access, again.papers.quota, &id, &again.papers.files)?;
            Ok(Outcome::Saved(id))
        }
        (Err(Error::Stale { current: newer }), Some(current)) => {
            let conflict = conflict(&ui, access.id().as_str(), kind, &current, &draft);
            again.version = newer;
            sent.errors = Errors::new();
            Outcome::page(tx, access, ui, StatusCode::CONFLICT, FormState { conflict, ..again.state(sent) })
        }
        (Err(error), _) => Err(error),
    }
}

/// The record as the form tells it, upon what is stored; what is wrong with it is put to the form's errors.
fn fill(
    tx: &mut Tx<'_>,
    access: &PatientAccess<Edit>,
    kind: &'static Kind,
    current: Option<&Loaded>,
    sent: &mut Sent,
    ui: &Ui,
) -> Result<Box<dyn AnyRecord>> {
    let mode = Mode::Typed(ui.words.dates.typing(access.now.date()));
    let mut entry = current.map_or_else(|| (kind.blank)(), |c| c.entry.boxed_clone());
    sent.errors.extend(input::fill(kind, entry.as_mut(), &sent.raw, mode));
    input::complete_units(kind, entry.as_mut(), ui.me.as_ref().map_or_else(Default::default, Me::units));
    match current {
        None => input::complete_defaults(kind, entry.as_mut(), &sent.raw),
        Some(current) => input::keep_unitless(kind, entry.as_mut(), current.entry.as_ref(), &sent.raw),
    }
    sent.errors.extend(input::check_references(tx, access, kind, entry.as_ref(), current.map(|c| &c.head.id))?);
    linked::complete_name(tx, access, kind, entry.as_mut())?;
    let context = Context { today: access.now.date(), birth: access.patient.fields.birth_date.as_ref(), strict: true };
    input::settle(kind, entry.as_mut(), current.map(|c| c.entry.as_ref()), &context, &mut sent.errors);
    Ok(entry)
}
