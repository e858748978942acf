//! Records of every kind in the API: JSON from the field table and back.
//!
//! A record is flat: the header's columns, the kind's columns under their names, children, tags, links. What was read can be changed and sent
//! back whole: columns that are copies or the program's own are taken and ignored.

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Map, Value, json};

use super::{
    AnyRecord, Children, Context, Kind,
    chart::{Chart, Draft, Link, LinkedRecord, Loaded, RELATIONS, headings},
    field::{Confirmed, Errors, FieldError, FieldSpec, Input, Mode, clean},
    input::{self, Raw, UnitSystem},
    linked,
    query::ListQuery,
    stored::Head,
};
use crate::{
    access::{self, AtLeast, Edit, Level, View},
    api::{self, IfMatch},
    app::App,
    audit::Action,
    auth::token::Bearer,
    body,
    db::{
        Conn, Tx,
        types::{PatientId, RecordId},
    },
    error::{Error, Result},
    page::note_read,
    tags,
    text::fold,
};

/// Told of every record and never taken from a body: the program's own, and copies of other columns.
pub const READ_ONLY: &[&str] =
    &["id", "patient_id", "kind", "title", "occurred_on", "ended_on", "source", "version", "created_at", "updated_at"];
/// The header's columns that stand in every record; a kind that has no such field tells `null`, and takes nothing else.
pub const EVERYWHERE: &[&str] = &["status", "practitioner_id", "sensitivity", "notes"];
/// What a child tells besides its columns: its place, which the array's order decides.
pub const ORDER: &str = "display_order";
/// The query's word that answers every question with "keep it".
pub const CONFIRM: &str = "confirm";
/// More than any laboratory prints, any record is tied to, anybody tags.
pub const MOST_CHILDREN: usize = 1000;
pub const MOST_LINKS: usize = 200;
pub const MOST_TAGS: usize = 100;

/// Where a request wants to go.
struct Place {
    patient: PatientId,
    kind: &'static Kind,
}

impl Place {
    fn of(request: &HttpRequest) -> Result<Self> {
        let kind = super::kind(api::part(request, "kind")).ok_or(Error::NotFound)?;
        Ok(Self { patient: api::patient_of(request)?, kind })
    }
    fn href(&self, id: &RecordId) -> String {
        format!("{}/patients/{}/{}/{id}", api::BASE, self.patient, self.kind.name)
    }
}

fn record_of(request: &HttpRequest) -> Result<RecordId> {
    RecordId::parse(api::part(request, "record")).ok_or(Error::NotFound)
}

/// `GET /api/v1/patients/{patient}/{kind}`.
pub async fn list(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let Place { patient, kind } = Place::of(&request)?;
    let pairs = api::query(&request);
    let text = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &bearer.actor, &patient, app.clock.now())?;
            let chart = access.chart(kind)?;
            let query = ListQuery::parse(kind, &pairs?, Mode::Strict).map_err(Error::Invalid)?;
            let (rows, total) = chart.list(conn, &query)?;
            let items = told(conn, &chart, &rows)?;
            note_read(app, &access, Action::Listed, Some(kind.name), None);
            Ok(api::list(&items, query.page, query.per_page, total))
        })
        .await?;
    Ok(api::answer(StatusCode::OK, text))
}

/// `GET .../{record}`.
pub async fn show(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let Place { patient, kind } = Place::of(&request)?;
    let id = record_of(&request)?;
    let (version, text) = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &bearer.actor, &patient, app.clock.now())?;
            let found = single(conn, &access.chart(kind)?, &id)?;
            note_read(app, &access, Action::Read, Some(kind.name), Some((&id, found.0)));
            Ok(found)
        })
        .await?;
    Ok(if api::is_known(&request, version) { api::not_modified(version) } else { api::one(StatusCode::OK, version, text) })
}

/// `POST /api/v1/patients/{patient}/{kind}`.
pub async fn create(app: web::Data<App>, bearer: Bearer, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let place = Place::of(&request)?;
    let (patient, kind, actor) = (place.patient.clone(), place.kind, bearer.actor.clone());
    app.read(move |conn, app| access::grant::<Edit>(conn, &actor, &patient, app.clock.now())?.chart(kind).map(drop)).await?;
    let told = Body::read(kind, &body::json(&request, payload).await?).confirmed(&request)?;
    let patient = place.patient.clone();
    let (id, text) = app
        .write(move |tx, app| {
            let access = access::grant::<Edit>(tx, &bearer.actor, &patient, app.clock.now())?;
            let chart = access.chart(kind)?;
            let draft = told.draft(tx, &chart, None)?;
            let id = chart.add(tx, &draft)?;
            let (_, text) = single(tx, &chart, &id)?;
            Ok((id, text))
        })
        .await?;
    Ok(api::created(place.href(&id), text))
}

/// `PUT .../{record}`.
pub async fn change(app: web::Data<App>, bearer: Bearer, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let (place, id, wanted) = (Place::of(&request)?, record_of(&request)?, IfMatch::of(&request));
    let Place { patient, kind } = place;
    {
        let (actor, patient, id, wanted) = (bearer.actor.clone(), patient.clone(), id.clone(), wanted.clone());
        app.read(move |conn, app| {
            let access = access::grant::<Edit>(conn, &actor, &patient, app.clock.now())?;
            wanted.expect(access.chart(kind)?.version(conn, &id)?)
        })
        .await?;
    }
    let told = Body::read(kind, &body::json(&request, payload).await?).confirmed(&request)?;
    let (version, text) = app
        .write(move |tx, app| {
            let access = access::grant::<Edit>(tx, &bearer.actor, &patient, app.clock.now())?;
            let chart = access.chart(kind)?;
            let current = chart.get(tx, &id)?;
            let expected = wanted.expect(current.head.version)?;
            let draft = told.draft(tx, &chart, Some(&current))?;
            chart.change(tx, &id, expected, &draft)?;
            single(tx, &chart, &id)
        })
        .await?;
    Ok(api::one(StatusCode::OK, version, text))
}

/// `DELETE .../{record}`: into the trash.
pub async fn delete(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let (place, id, wanted) = (Place::of(&request)?, record_of(&request)?, IfMatch::of(&request));
    let Place { patient, kind } = place;
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &bearer.actor, &patient, app.clock.now())?;
        let chart = access.chart(kind)?;
        let expected = wanted.expect(chart.version(tx, &id)?)?;
        chart.remove(tx, &id, expected)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A record's version and its JSON.
fn single<L: Level>(conn: &mut Conn, chart: &Chart<'_, L>, id: &RecordId) -> Result<(i32, String)> {
    let row = chart.get(conn, id)?;
    let links = chart.links(conn, id)?;
    Ok((row.head.version, to_json(chart.kind(), &row, &links).to_string()))
}

/// These rows as JSON, their links loaded for all at once.
fn told<L: Level>(conn: &mut Conn, chart: &Chart<'_, L>, rows: &[Loaded]) -> Result<Vec<Value>> {
    let ids: Vec<&RecordId> = rows.iter().map(|row| &row.head.id).collect();
    let mut links = chart.links_of(conn, &ids)?;
    Ok(rows.iter().map(|row| to_json(chart.kind(), row, &links.remove(&row.head.id).unwrap_or_default())).collect())
}

/// A record as the API tells it.
pub fn to_json(kind: &Kind, row: &Loaded, links: &[LinkedRecord]) -> Value {
    let mut object = header(&row.head);
    for (index, spec) in kind.fields.iter().enumerate() {
        object.insert(spec.name.to_owned(), api::value_of(spec, row.entry.get(index)));
    }
    if let Some(children) = &kind.children {
        object.insert(children.name.to_owned(), children_json(children, row.entry.as_ref()));
    }
    object.insert("tags".to_owned(), row.tags.iter().map(|tag| Value::from(tag.name.as_str())).collect());
    object.insert("links".to_owned(), links.iter().map(link_json).collect());
    object.insert("source".to_owned(), row.head.source.as_str().into());
    object.insert("version".to_owned(), row.head.version.into());
    object.insert("created_at".to_owned(), api::moment(row.head.created_at));
    object.insert("updated_at".to_owned(), api::moment(row.head.updated_at));
    Value::Object(object)
}

fn header(head: &Head) -> Map<String, Value> {
    let columns = [
        ("id", json!(head.id)),
        ("patient_id", json!(head.patient_id)),
        ("kind", json!(head.kind)),
        ("title", json!(head.title)),
        ("occurred_on", json!(head.occurred_on)),
        ("ended_on", json!(head.ended_on)),
        ("status", json!(head.status)),
        ("practitioner_id", json!(head.practitioner_id)),
        ("sensitivity", json!(head.sensitivity)),
        ("notes", json!(head.notes)),
    ];
    columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn children_json(children: &Children, entry: &dyn AnyRecord) -> Value {
    let row = |row: usize| {
        let mut object: Map<String, Value> =
            children.fields.iter().enumerate().map(|(i, spec)| (spec.name.to_owned(), api::value_of(spec, entry.child(row, i)))).collect();
        object.insert(ORDER.to_owned(), row.into());
        Value::Object(object)
    };
    (0..entry.child_count()).map(row).collect()
}

/// A tie as this record tells it. What points here is marked: only the other record can change it.
fn link_json(link: &LinkedRecord) -> Value {
    let object = json!({"relation": link.relation, "kind": link.kind, "id": link.id, "note": link.note});
    if link.incoming { api::plus(object, "direction", "in") } else { object }
}

/// A record as a body tells it, not yet judged by its kind.
#[derive(Default)]
struct Body {
    raw: Raw,
    tags: Option<Vec<String>>,
    links: Option<Vec<ToldLink>>,
    errors: Errors,
    confirmed: Confirmed,
}

/// A link with its place in the array, which an error of it names.
struct ToldLink {
    place: usize,
    link: Link,
    kind: Option<String>,
}

impl Body {
    fn read(kind: &Kind, object: &Map<String, Value>) -> Self {
        let mut body = Self::default();
        for (name, value) in object {
            if let Err(error) = body.take(kind, name, value) {
                body.errors.push((name.clone(), error));
            }
        }
        body
    }

    /// With what the query says of questions: `confirm=true` keeps what they ask about.
    fn confirmed(mut self, request: &HttpRequest) -> Result<Self> {
        let pairs = api::query(request)?;
        self.confirmed = match pairs.iter().find(|(name, _)| name == CONFIRM).map(|(_, value)| value.as_str()) {
            None | Some("false") => Confirmed::Numbers,
            Some("true") => Confirmed::Everything,
            Some(_) => return Err(Error::Invalid(vec![(CONFIRM.to_owned(), FieldError::NotYesOrNo)])),
        };
        Ok(self)
    }

    fn take(&mut self, kind: &Kind, name: &str, value: &Value) -> Result<(), FieldError> {
        if let Some((_, spec)) = kind.field(name) {
            let text = api::text_of(spec, value)?;
            self.raw.fields.push((name.to_owned(), text.unwrap_or_default()));
        } else if let Some(children) = kind.children.as_ref().filter(|children| children.name == name) {
            self.take_children(children, value)?;
        } else if name == "tags" {
            self.take_tags(value)?;
        } else if name == "links" {
            self.take_links(value)?;
        } else {
            let ignored = READ_ONLY.contains(&name) || (EVERYWHERE.contains(&name) && is_default(name, value));
            return if ignored { Ok(()) } else { Err(FieldError::UnknownField) };
        }
        Ok(())
    }

    fn take_children(&mut self, children: &Children, value: &Value) -> Result<(), FieldError> {
        let mut rows = Vec::new();
        for (row, value) in array(value, MOST_CHILDREN)?.iter().enumerate() {
            let path = format!("{}.{row}", children.name);
            let Some(object) = value.as_object() else {
                self.errors.push((path, FieldError::WrongType));
                // Its place is kept, so that errors of later rows name theirs.
                rows.push(Vec::new());
                continue;
            };
            rows.push(self.child(children, &path, object));
        }
        self.raw.children = Some(rows);
        Ok(())
    }

    fn child(&mut self, children: &Children, path: &str, object: &Map<String, Value>) -> Vec<(String, String)> {
        let mut values = Vec::new();
        for (name, value) in object.iter().filter(|(name, _)| *name != ORDER) {
            let text = match children.fields.iter().find(|spec| spec.name == name) {
                Some(spec) => api::text_of(spec, value),
                None => Err(FieldError::UnknownField),
            };
            match text {
                Ok(text) => values.push((name.clone(), text.unwrap_or_default())),
                Err(error) => self.errors.push((format!("{path}.{name}"), error)),
            }
        }
        values
    }

    fn take_tags(&mut self, value: &Value) -> Result<(), FieldError> {
        let mut names = Vec::new();
        for (place, value) in array(value, MOST_TAGS)?.iter().enumerate() {
            let name = value.as_str().ok_or(FieldError::WrongType).and_then(|name| line(name, tags::LONGEST));
            match name {
                Ok(name) => names.push(name),
                Err(error) => self.errors.push((format!("tags.{place}"), error)),
            }
        }
        self.tags = Some(tags::names(&names));
        Ok(())
    }

    fn take_links(&mut self, value: &Value) -> Result<(), FieldError> {
        let mut links = Vec::new();
        for (place, value) in array(value, MOST_LINKS)?.iter().enumerate() {
            match told_link(place, value) {
                Ok(link) => links.extend(link),
                Err((name, error)) => self.errors.push((format!("links.{place}{name}"), error)),
            }
        }
        self.links = Some(links);
        Ok(())
    }
}

/// A column the kind does not have tells nothing, and may be told nothing.
fn is_default(name: &str, value: &Value) -> bool {
    value.is_null() || (name == "sensitivity" && value == "normal")
}

fn array(value: &Value, most: usize) -> Result<&Vec<Value>, FieldError> {
    let all = value.as_array().ok_or(FieldError::WrongType)?;
    if all.len() > most { Err(FieldError::Rule("error.too_many")) } else { Ok(all) }
}

/// One line of text, by the rules of any line.
fn line(text: &str, max: usize) -> Result<String, FieldError> {
    let field = super::field::Field::<()>::new("", Input::Line, |()| None, |(), _, _, _| Ok(()));
    clean(text, &FieldSpec { max, ..field.spec })
}

const LINK_PARTS: [&str; 5] = ["relation", "kind", "id", "note", "direction"];

/// `None` for a tie that is the other record's. An error names the part it is in, with its dot.
fn told_link(place: usize, value: &Value) -> Result<Option<ToldLink>, (String, FieldError)> {
    let object = value.as_object().ok_or((String::new(), FieldError::WrongType))?;
    let wrong = |name: &str, error: FieldError| (format!(".{name}"), error);
    let mut texts: [Option<&str>; 5] = [None; 5];
    for (name, value) in object {
        let slot = LINK_PARTS.iter().position(|part| part == name).and_then(|i| texts.get_mut(i));
        let slot = slot.ok_or_else(|| wrong(name, FieldError::UnknownField))?;
        *slot = match value {
            Value::Null => None,
            Value::String(text) => Some(text.as_str()),
            _ => return Err(wrong(name, FieldError::WrongType)),
        };
    }
    let [relation, kind, id, note, direction] = texts;
    match direction {
        Some("in") => return Ok(None),
        None | Some("out") => {}
        Some(_) => return Err(wrong("direction", FieldError::UnknownChoice)),
    }
    let relation = relation.ok_or_else(|| wrong("relation", FieldError::Required))?.to_owned();
    let id = id.ok_or_else(|| wrong("id", FieldError::Required))?;
    let to = RecordId::parse(id).ok_or_else(|| wrong("id", FieldError::NoSuchRecord))?;
    let note = note.map(|note| line(note, 300)).transpose().map_err(|error| wrong("note", error))?.filter(|note| !note.is_empty());
    Ok(Some(ToldLink { place, link: Link { relation, to, note }, kind: kind.map(str::to_owned) }))
}

impl Body {
    /// What is to be stored, if every rule holds.
    fn draft<L: AtLeast<Edit>>(&self, tx: &mut Tx<'_>, chart: &Chart<'_, L>, current: Option<&Loaded>) -> Result<Draft> {
        let (kind, access) = (chart.kind(), chart.access());
        let before = current.map(|row| row.entry.as_ref());
        let own = current.map(|row| &row.head.id);
        let (mut entry, mut errors) = self.entry(kind, before);
        let missing = input::check_references(tx, access, kind, entry.as_ref(), own)?;
        // What it pointed at before and is gone or hidden since is no fault of this change.
        errors.extend(missing.into_iter().filter(|(name, _)| !is_unchanged(kind, name, entry.as_ref(), before)));
        linked::complete_name(tx, access, kind, entry.as_mut())?;
        let context = Context { today: access.now.date(), birth: access.patient.fields.birth_date.as_ref(), strict: true };
        input::settle(kind, entry.as_mut(), before, &context, &mut errors);
        let links = self.links(tx, chart, own, &mut errors)?;
        self.confirmed.settle(&mut errors);
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        Ok(Draft { entry, tags: self.new_tags(current), links, source: access.actor.source().to_owned() })
    }

    /// The entry this body makes, of the one that is there or of nothing. Columns that are not told are emptied, children stay.
    fn entry(&self, kind: &Kind, before: Option<&dyn AnyRecord>) -> (Box<dyn AnyRecord>, Errors) {
        let mut entry = before.map_or_else(kind.blank, AnyRecord::boxed_clone);
        for index in 0..kind.fields.len() {
            // Nothing is a value of every field.
            let _ = entry.set(index, "", Mode::Strict);
        }
        let mut errors = self.errors.clone();
        errors.extend(input::fill(kind, entry.as_mut(), &self.raw, Mode::Strict));
        // The source document's units, whatever the token's owner prefers to read: a program's numbers must not change with a setting.
        input::complete_units(kind, entry.as_mut(), UnitSystem::Imperial);
        match before {
            Some(before) => input::keep_unitless(kind, entry.as_mut(), before, &self.raw),
            None => input::complete_defaults(kind, entry.as_mut(), &self.raw),
        }
        (entry, errors)
    }

    /// The same words in another order or case are the same tags.
    fn new_tags(&self, current: Option<&Loaded>) -> Option<Vec<String>> {
        let told = self.tags.as_ref()?;
        let set = |names: &mut dyn Iterator<Item = &str>| names.map(fold).collect::<HashSet<_>>();
        let same =
            current.is_some_and(|row| set(&mut row.tags.iter().map(|t| t.name.as_str())) == set(&mut told.iter().map(String::as_str)));
        (!same).then(|| told.clone())
    }

    /// The free ties as they are to be: those told, and those this person cannot see and so cannot have meant to take away.
    fn links<L: Level>(
        &self,
        conn: &mut Conn,
        chart: &Chart<'_, L>,
        own: Option<&RecordId>,
        errors: &mut Errors,
    ) -> Result<Option<Vec<Link>>> {
        let Some(told) = &self.links else { return Ok(None) };
        let current = own.map(|id| chart.outgoing(conn, id)).transpose()?.unwrap_or_default();
        let ends: Vec<RecordId> = told.iter().map(|t| t.link.to.clone()).chain(current.iter().map(|link| link.to.clone())).collect();
        let heads = headings(conn, chart.access(), &ends)?;
        let mut links: Vec<Link> = current.iter().filter(|link| !heads.contains_key(&link.to)).cloned().collect();
        for ToldLink { place, link, kind } in told {
            let same = |other: &Link| other.relation == link.relation && other.to == link.to;
            let known = RELATIONS.contains(&link.relation.as_str()) || current.iter().any(same);
            let exists =
                own != Some(&link.to) && heads.get(&link.to).is_some_and(|head| kind.as_ref().is_none_or(|kind| *kind == head.kind));
            match () {
                () if !known => errors.push((format!("links.{place}.relation"), FieldError::UnknownChoice)),
                () if !exists => errors.push((format!("links.{place}.id"), FieldError::NoSuchRecord)),
                () if links.iter().any(same) => errors.push((format!("links.{place}"), FieldError::Repeated)),
                () => links.push(link.clone()),
            }
        }
        // One order, so that the same ties in another one are no change.
        links.sort_by(|a, b| (&a.relation, a.to.as_str()).cmp(&(&b.relation, b.to.as_str())));
        Ok(Some(links))
    }
}

fn is_unchanged(kind: &Kind, name: &str, entry: &dyn AnyRecord, before: Option<&dyn AnyRecord>) -> bool {
    let index = kind.field(name).map(|(index, _)| index);
    index.zip(before).is_some_and(|(index, before)| entry.get(index) == before.get(index))
}

#[cfg(test)]
mod tests;
