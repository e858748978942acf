//! What was said of a patient before, and the way back to it.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use serde_json::{Map, Value};

use super::{PatientFields, check};
use crate::{
    access::{Actor, AtLeast, Full, Level, PatientAccess},
    audit::{Action, Event},
    db::{
        Conn, MultiBackend, Tx,
        schema::{patient_versions, patients},
        types::PatientId,
    },
    directory::{Listed, Practitioner},
    error::{Error, Result},
    records::field::{Errors, Mode},
};

/// Writes a next version, unless nothing differs.
pub(super) fn store<L: AtLeast<Full>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, fields: &PatientFields, source: &str) -> Result<i32> {
    let expected = access.patient.version;
    if snapshot(fields) == snapshot(&access.patient.fields) {
        return Ok(expected);
    }
    let version = expected.saturating_add(1);
    diesel::update(patients::table.find(access.id()))
        .set((
            fields,
            patients::version.eq(version),
            patients::updated_at.eq(access.now),
            patients::updated_by.eq(access.actor.user.as_str()),
        ))
        .execute(&mut **tx)?;
    remember(tx, &access.actor, access.id(), version, fields, source, Action::Changed, access.now)?;
    Ok(version)
}

/// A row of `patient_versions`.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = patient_versions, check_for_backend(MultiBackend))]
pub struct PatientVersion {
    pub version: i32,
    pub action: String,
    pub actor_name: String,
    pub source: String,
    pub at: NaiveDateTime,
    snapshot: String,
}

impl PatientVersion {
    /// What was said then, by name.
    pub fn values(&self) -> Vec<(String, String)> {
        let object: Map<String, Value> = serde_json::from_str(&self.snapshot).unwrap_or_default();
        object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
    }
}

/// Every version, newest first.
pub fn all<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<PatientVersion>> {
    Ok(patient_versions::table
        .filter(patient_versions::patient_id.eq(access.id()))
        .order(patient_versions::version.desc())
        .select(PatientVersion::as_select())
        .load(conn)?)
}

/// What a version said, once more, as a version of its own. What can't be so any more (a physician who is gone, a second own record) is left
/// out; rules for new input don't judge what was so already.
pub fn revert<L: AtLeast<Full>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, version: i32, expected: i32) -> Result<i32> {
    if access.patient.version != expected {
        return Err(Error::Stale { current: access.patient.version });
    }
    let row = patient_versions::table.find((access.id(), version)).select(PatientVersion::as_select()).first(&mut **tx).optional()?;
    let mut fields = PatientFields::default();
    let _ = fields.fill(&row.ok_or(Error::NotFound)?.values(), Mode::Strict);
    fields.settle(access.now.date(), false, None, &mut Errors::new());
    if let Some(id) = &fields.physician_id
        && Practitioner::names_of(tx, &[id.to_string()])?.is_empty()
    {
        fields.physician_id = None;
    }
    let mut errors = Errors::new();
    check(tx, &fields, &access.patient.owner_user_id, Some(access.id()), &mut errors)?;
    if !errors.is_empty() {
        fields.is_self_record = Some(false);
    }
    store(tx, access, &fields, access.actor.source())
}

fn snapshot(fields: &PatientFields) -> String {
    let pairs = PatientFields::FIELDS.iter().filter_map(|f| (f.get)(fields).map(|text| (f.spec.name.to_owned(), Value::from(text))));
    Value::Object(pairs.collect::<Map<_, _>>()).to_string()
}

#[expect(clippy::too_many_arguments, reason = "one row, written in one place")]
pub(super) fn remember(
    tx: &mut Tx<'_>,
    actor: &Actor,
    id: &PatientId,
    version: i32,
    fields: &PatientFields,
    source: &str,
    action: Action,
    now: NaiveDateTime,
) -> Result<()> {
    diesel::insert_into(patient_versions::table)
        .values((
            patient_versions::patient_id.eq(id),
            patient_versions::version.eq(version),
            patient_versions::action.eq(action.word()),
            patient_versions::actor.eq(actor.user.as_str()),
            patient_versions::actor_name.eq(&actor.name),
            patient_versions::source.eq(source),
            patient_versions::at.eq(now),
            patient_versions::snapshot.eq(snapshot(fields)),
        ))
        .execute(&mut **tx)?;
    let mut event = Event::new(actor, action, now).patient(id);
    event.version = Some(version);
    event.write(tx)?;
    Ok(())
}
