//! Patients in the API: those of the token's owner, shared ones included.

use std::cmp::Ordering;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use serde_json::{Map, Value, json};

use super::{BASE, IfMatch};
use crate::{
    access::{self, Full, Level, Own, PatientAccess, View},
    app::App,
    audit::Action,
    auth::token::Bearer,
    body,
    dates::PartialDate,
    db::types::PatientId,
    error::{Error, Result},
    page::note_read,
    patients::{self, NewPatient, PatientFields},
    records::{
        field::{Errors, FieldError, FieldSpec, Mode},
        query::{MOST_PER_PAGE, PER_PAGE},
    },
    text::words,
};

/// Told of every patient and never taken from a body.
pub const READ_ONLY: &[&str] = &["id", "access", "owner", "source", "version", "created_at", "updated_at"];

/// `GET /api/v1/patients`.
pub async fn list(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let query = PatientQuery::parse(&super::query(&request)?).map_err(Error::Invalid)?;
    let text = app
        .read(move |conn, app| {
            let mut found = access::all(conn, &bearer.actor, app.clock.now())?.list;
            found.retain(|access| query.takes(&access.patient.fields));
            query.sort(&mut found);
            let shown = found.iter().skip(query.skip()).take(query.per_page);
            let items: Vec<Value> = shown
                .map(|access| {
                    note_read(app, access, Action::Listed, None, None);
                    to_json(access)
                })
                .collect();
            Ok(super::list(&items, whole(query.page), whole(query.per_page), whole(found.len())))
        })
        .await?;
    Ok(super::answer(StatusCode::OK, text))
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `GET /api/v1/patients/{patient}`.
pub async fn show(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let id = super::patient_of(&request)?;
    let (version, text) = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &bearer.actor, &id, app.clock.now())?;
            note_read(app, &access, Action::Read, None, None);
            Ok((access.patient.version, to_json(&access).to_string()))
        })
        .await?;
    Ok(if super::is_known(&request, version) { super::not_modified(version) } else { super::one(StatusCode::OK, version, text) })
}

/// `POST /api/v1/patients`.
pub async fn create(app: web::Data<App>, bearer: Bearer, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let actor = bearer.actor.clone();
    app.read(move |conn, _| patients::may_create(conn, &actor).map(drop)).await?;
    let (fields, errors) = read(&body::json(&request, payload).await?);
    let (id, text) = app
        .write(move |tx, app| {
            let now = app.clock.now();
            let new = NewPatient { fields: fields.clone(), source: bearer.actor.source().to_owned(), source_key: None, strict: true };
            let id = patients::create(tx, &bearer.actor, new, now, errors.clone())?;
            let access = access::grant::<View>(tx, &bearer.actor, &id, now)?;
            Ok((id, to_json(&access).to_string()))
        })
        .await?;
    Ok(super::created(format!("{BASE}/patients/{id}"), text))
}

/// `PUT /api/v1/patients/{patient}`: who may change everything may change what is said of the patient.
pub async fn change(app: web::Data<App>, bearer: Bearer, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse> {
    let (id, wanted) = (super::patient_of(&request)?, IfMatch::of(&request));
    check::<Full>(&app, &bearer, &id, &wanted).await?;
    let (fields, errors) = read(&body::json(&request, payload).await?);
    let (version, text) = app
        .write(move |tx, app| {
            let now = app.clock.now();
            let access = access::grant::<Full>(tx, &bearer.actor, &id, now)?;
            let expected = wanted.expect(access.patient.version)?;
            patients::change(tx, &access, expected, fields.clone(), errors.clone())?;
            let access = access::grant::<View>(tx, &bearer.actor, &id, now)?;
            Ok((access.patient.version, to_json(&access).to_string()))
        })
        .await?;
    Ok(super::one(StatusCode::OK, version, text))
}

/// `DELETE /api/v1/patients/{patient}`: into the trash with all records.
pub async fn delete(app: web::Data<App>, bearer: Bearer, request: HttpRequest) -> Result<HttpResponse> {
    let (id, wanted) = (super::patient_of(&request)?, IfMatch::of(&request));
    app.write(move |tx, app| {
        let access = access::grant::<Own>(tx, &bearer.actor, &id, app.clock.now())?;
        let expected = wanted.expect(access.patient.version)?;
        patients::remove(tx, &access, expected)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Access and precondition, before the body.
async fn check<L: Level>(app: &App, bearer: &Bearer, id: &PatientId, wanted: &IfMatch) -> Result<()> {
    let (actor, id, wanted) = (bearer.actor.clone(), id.clone(), wanted.clone());
    app.read(move |conn, app| {
        let access = access::grant::<L>(conn, &actor, &id, app.clock.now())?;
        wanted.expect(access.patient.version).map(drop)
    })
    .await
}

/// A patient as the API tells it, with how far the token's owner may go.
fn to_json<L: Level>(access: &PatientAccess<L>) -> Value {
    let patient = &access.patient;
    let mut object = Map::new();
    object.insert("id".to_owned(), json!(patient.id));
    for field in PatientFields::FIELDS {
        object.insert(field.spec.name.to_owned(), super::value_of(&field.spec, (field.get)(&patient.fields)));
    }
    object.insert("access".to_owned(), access.rank.word().into());
    object.insert("owner".to_owned(), access.owner.into());
    object.insert("source".to_owned(), patient.source.as_str().into());
    object.insert("version".to_owned(), patient.version.into());
    object.insert("created_at".to_owned(), super::moment(patient.created_at));
    object.insert("updated_at".to_owned(), super::moment(patient.updated_at));
    Value::Object(object)
}

/// The fields of a body, and what cannot be read of it.
fn read(object: &Map<String, Value>) -> (PatientFields, Errors) {
    let mut pairs = Vec::new();
    let mut errors = Errors::new();
    for (name, value) in object.iter().filter(|(name, _)| !READ_ONLY.contains(&name.as_str())) {
        let text = spec(name).ok_or(FieldError::UnknownField).and_then(|spec| super::text_of(spec, value));
        match text {
            Ok(text) => pairs.push((name.clone(), text.unwrap_or_default())),
            Err(error) => errors.push((name.clone(), error)),
        }
    }
    let mut fields = PatientFields::default();
    errors.extend(fields.fill(&pairs, Mode::Strict));
    (fields, errors)
}

fn spec(name: &str) -> Option<&'static FieldSpec> {
    PatientFields::FIELDS.iter().map(|field| &field.spec).find(|spec| spec.name == name)
}

/// What the list can be asked: as lists of records, but judged here, since a person's patients are few and loaded with their access.
#[derive(Debug, Default)]
struct PatientQuery {
    page: usize,
    per_page: usize,
    q: Vec<String>,
    sort: Option<(&'static str, bool)>,
    filters: Vec<(&'static str, Vec<String>)>,
    /// Column, bound, "from?".
    ranges: Vec<(&'static str, String, bool)>,
}

impl PatientQuery {
    fn parse(pairs: &[(String, String)]) -> Result<Self, Errors> {
        let mut query = Self { page: 1, per_page: usize::try_from(PER_PAGE).unwrap_or_default(), ..Self::default() };
        let mut errors = Errors::new();
        for (name, value) in pairs.iter().filter(|(_, value)| !value.trim().is_empty()) {
            errors.extend(query.take(name, value.trim()).err().map(|error| (name.clone(), error)));
        }
        if errors.is_empty() { Ok(query) } else { Err(errors) }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), FieldError> {
        match name {
            "page" => self.page = number(value, 1_000_000)?,
            "per_page" => self.per_page = number(value, MOST_PER_PAGE)?,
            "q" => self.q = words(value),
            "sort" => {
                let (column, descending) = value.strip_prefix('-').map_or((value, false), |column| (column, true));
                self.sort = Some((spec(column).ok_or(FieldError::UnknownChoice)?.name, descending));
            }
            _ => match spec(name) {
                Some(spec) => self.filter(spec, value),
                None => self.range(name, value)?,
            },
        }
        Ok(())
    }

    fn filter(&mut self, spec: &'static FieldSpec, value: &str) {
        match self.filters.iter_mut().find(|(column, _)| *column == spec.name) {
            Some((_, values)) => values.push(value.to_owned()),
            None => self.filters.push((spec.name, vec![value.to_owned()])),
        }
    }

    fn range(&mut self, name: &str, value: &str) -> Result<(), FieldError> {
        let (column, from) = match (name.strip_suffix("_from"), name.strip_suffix("_to")) {
            (Some(column), _) => (column, true),
            (_, Some(column)) => (column, false),
            _ => return Err(FieldError::UnknownField),
        };
        let spec = spec(column).filter(|spec| spec.is_date()).ok_or(FieldError::UnknownField)?;
        let date = PartialDate::parse_strict(value)?;
        let bound = if from { date.range_start_text().to_owned() } else { date.range_end_text() };
        self.ranges.push((spec.name, bound, from));
        Ok(())
    }

    fn takes(&self, fields: &PatientFields) -> bool {
        let names = [fields.first_name.as_deref(), fields.last_name.as_deref()].into_iter().flatten().flat_map(words).collect::<Vec<_>>();
        let fits = self.q.iter().all(|word| names.iter().any(|name| name.starts_with(word.as_str())));
        let filtered = self.filters.iter().all(|(column, values)| text(fields, column).is_some_and(|text| values.contains(&text)));
        let within = |(column, bound, from): &(&'static str, String, bool)| {
            text(fields, column).is_some_and(|text| if *from { text >= *bound } else { text <= *bound })
        };
        fits && filtered && self.ranges.iter().all(within)
    }

    /// What is empty comes last in both directions; equal ones keep the order they come in.
    fn sort(&self, found: &mut [PatientAccess<View>]) {
        let Some((column, descending)) = self.sort else { return };
        let key = |access: &PatientAccess<View>| text(&access.patient.fields, column).map(|text| crate::text::fold(&text));
        found.sort_by(|a, b| match (key(a), key(b)) {
            (Some(a), Some(b)) if descending => b.cmp(&a),
            (Some(a), Some(b)) => a.cmp(&b),
            (a, b) => match (a.is_none(), b.is_none()) {
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                _ => Ordering::Equal,
            },
        });
    }

    fn skip(&self) -> usize {
        self.page.saturating_sub(1).saturating_mul(self.per_page)
    }
}

fn text(fields: &PatientFields, column: &str) -> Option<String> {
    PatientFields::FIELDS.iter().find(|field| field.spec.name == column).and_then(|field| (field.get)(fields))
}

fn number(value: &str, max: i64) -> Result<usize, FieldError> {
    let out = || FieldError::OutOfRange { min: "1".to_owned(), max: max.to_string() };
    value.parse::<usize>().ok().filter(|n| *n >= 1 && whole(*n) <= max).ok_or_else(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: &Value) -> &Map<String, Value> {
        value.as_object().unwrap_or_else(|| unreachable!())
    }

    #[test]
    fn a_patient_comes_back_as_it_was_told() {
        let told = json!({
            "id": "x", "version": 7, "access": "own", "owner": true, "first_name": "Ngozi", "last_name": "Okafor", "birth_date": "1960-03",
            "gender": "female", "blood_type": "A+", "is_self_record": true, "email": null, "physician_id": "p1",
        });
        let (fields, errors) = read(object(&told));
        assert_eq!(errors, []);
        for (name, value) in object(&told).iter().filter(|(name, _)| !READ_ONLY.contains(&name.as_str())) {
            assert_eq!(spec(name).map(|spec| super::super::value_of(spec, text(&fields, name))).as_ref(), Some(value), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_by_name() {
        let told = json!({"first_name": 1, "is_self_record": "yes", "gender": "f", "birth_date": "1960-13", "shoe_size": 43});
        let (_, mut errors) = read(object(&told));
        errors.sort_by(|a, b| a.0.cmp(&b.0));
        let found: Vec<(&str, &str)> = errors.iter().map(|(name, error)| (name.as_str(), error.code())).collect();
        let wanted = [
            ("birth_date", "no_such_day"),
            ("first_name", "wrong_type"),
            ("gender", "unknown_choice"),
            ("is_self_record", "wrong_type"),
            ("shoe_size", "unknown_field"),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_list_is_asked_like_lists_of_records() {
        let parse = |query: &[(&str, &str)]| {
            PatientQuery::parse(&query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>())
        };
        for (name, value) in [("per_page", "201"), ("page", "0"), ("sort", "shoe_size"), ("shoe_size", "43"), ("first_name_from", "2000")] {
            assert!(parse(&[(name, value)]).is_err(), "{name}={value}");
        }
        let query = parse(&[("q", "ngo oka"), ("gender", "female"), ("gender", "other"), ("birth_date_to", "1960")]).unwrap_or_default();
        let (fields, _) = read(object(&json!({"first_name": "Ngozi", "last_name": "Okafor", "gender": "female", "birth_date": "1960-03"})));
        assert!(query.takes(&fields));
        assert!(!parse(&[("birth_date_from", "1961")]).unwrap_or_default().takes(&fields));
    }
}
