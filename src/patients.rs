//! Patients: the people whose records are kept.

pub mod history;
pub mod home;
pub mod leaving;
pub mod none_known;
pub mod pages;
pub mod photo;
pub mod versions;

use std::collections::HashSet;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::{
    access::{Actor, AtLeast, Edit, Full, Own, PatientAccess},
    audit::{Action, Event},
    dates::PartialDate,
    db::{
        Conn, MultiBackend, Tx,
        schema::{patient_identifiers, patient_owners, patients, users},
        types::{HouseholdId, PatientId, PractitionerId, UserId, choice},
    },
    directory::{self, Practitioner},
    error::{Error, Result},
    records::{
        child_column as column,
        field::{Errors, Field, FieldError, Input, Mode, ask},
        people, staged,
    },
    text,
};

choice!(Gender { Female = "female", Male = "male", Other = "other", Unknown = "unknown" });
choice!(BloodType {
    APositive = "A+", ANegative = "A-", BPositive = "B+", BNegative = "B-",
    AbPositive = "AB+", AbNegative = "AB-", OPositive = "O+", ONegative = "O-",
});
choice!(PatientStatus { Active = "active", Archived = "archived", Deceased = "deceased" });
choice!(PrivacyLevel { Owner = "owner", Household = "household", Shared = "shared" });

/// What a person says of a patient. Everything may be unknown: real files know less than forms ask.
#[derive(Clone, Debug, Default, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = patients, check_for_backend(MultiBackend), treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct PatientFields {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub birth_date: Option<PartialDate>,
    pub gender: Option<Gender>,
    pub blood_type: Option<BloodType>,
    pub address: Option<String>,
    pub phone_number: Option<String>,
    pub email: Option<String>,
    pub language: Option<String>,
    pub record_number: Option<String>,
    pub physician_id: Option<PractitionerId>,
    pub relationship: Option<String>,
    pub is_self_record: Option<bool>,
    pub privacy_level: Option<PrivacyLevel>,
    pub is_externally_accessible: Option<bool>,
    pub status: Option<PatientStatus>,
    pub deceased_on: Option<PartialDate>,
    pub notes: Option<String>,
}

impl PatientFields {
    pub const FIELDS: &'static [Field<Self>] = &[
        column!(first_name).required(),
        column!(last_name).required(),
        column!(birth_date),
        column!(gender),
        column!(relationship),
        column!(is_self_record),
        column!(blood_type),
        column!(physician_id).more(),
        column!(address).more(),
        column!(phone_number).more().input(Input::Phone),
        column!(email).more().input(Input::Email),
        column!(language).more(),
        column!(record_number).more(),
        column!(status).more(),
        column!(deceased_on).more(),
        column!(privacy_level).more(),
        column!(is_externally_accessible).more(),
        column!(notes).more().long(),
    ];

    /// Are first name, last name and birth date all told, and the same?
    pub fn is_namesake(&self, other: &Self) -> bool {
        let same = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if text::words(a) == text::words(b));
        let born = matches!((&self.birth_date, &other.birth_date), (Some(a), Some(b)) if a.as_str() == b.as_str());
        born && same(&self.first_name, &other.first_name) && same(&self.last_name, &other.last_name)
    }

    /// Reads values by name; unknown and repeated names are errors.
    pub fn fill(&mut self, pairs: &[(String, String)], mode: Mode) -> Errors {
        crate::records::field::fill_plain(Self::FIELDS, self, pairs, mode)
    }

    /// Rules over several fields, and what follows from others.
    fn settle(&mut self, today: chrono::NaiveDate, strict: bool, before: Option<&Self>, errors: &mut Errors) {
        let mut refuse = |name: &str, error: FieldError| {
            if !errors.iter().any(|(n, _)| n == name) {
                errors.push((name.to_owned(), error));
            }
        };
        if strict {
            // A name may be one word: one of the two is enough for an edit of an imported patient, both for a new one.
            for (name, value, was) in [
                ("first_name", &self.first_name, before.map(|b| &b.first_name)),
                ("last_name", &self.last_name, before.map(|b| &b.last_name)),
            ] {
                if value.is_none() && was.is_none_or(Option::is_some) {
                    refuse(name, FieldError::Required);
                }
            }
            for (name, date) in [("birth_date", &self.birth_date), ("deceased_on", &self.deceased_on)] {
                if date.as_ref().is_some_and(|d| d.is_after_today(today)) {
                    refuse(name, FieldError::InTheFuture);
                }
            }
            if let (Some(birth), Some(death)) = (&self.birth_date, &self.deceased_on)
                && crate::dates::end_before_start(birth, death)
            {
                refuse("deceased_on", FieldError::BeforeBirth);
            }
        }
        if self.deceased_on.is_some() {
            self.status = Some(PatientStatus::Deceased);
        }
        self.status = self.status.or(Some(PatientStatus::Active));
        self.privacy_level = self.privacy_level.or(Some(PrivacyLevel::Owner));
        self.is_self_record = self.is_self_record.or(Some(false));
        self.is_externally_accessible = self.is_externally_accessible.or(Some(false));
    }
}

/// A row of `patients`.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = patients, check_for_backend(MultiBackend))]
pub struct Patient {
    pub id: PatientId,
    pub household_id: HouseholdId,
    pub owner_user_id: UserId,
    pub source: String,
    pub source_key: Option<String>,
    pub version: i32,
    pub created_at: NaiveDateTime,
    pub updated_at: NaiveDateTime,
    /// Where the bytes of the photograph and of the small one lie.
    pub photo: Option<String>,
    pub photo_small: Option<String>,
    #[diesel(embed)]
    pub fields: PatientFields,
}

impl Patient {
    /// What the person is called; a patient that a file left nameless is still somebody.
    pub fn name(&self) -> String {
        let parts = [self.fields.first_name.as_deref(), self.fields.last_name.as_deref()];
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        if name.is_empty() { "?".to_owned() } else { name }
    }
    pub fn given_name(&self) -> String {
        self.fields.first_name.clone().unwrap_or_else(|| self.name())
    }
    /// One or two letters for the round face.
    pub fn initials(&self) -> String {
        let first = |text: &Option<String>| text.as_deref().and_then(|t| t.trim().chars().next());
        [first(&self.fields.first_name), first(&self.fields.last_name)].into_iter().flatten().flat_map(char::to_uppercase).collect()
    }
    /// Where the small photograph is; empty if there is none.
    pub fn face(&self) -> String {
        self.photo_at(self.photo_small.as_deref(), "size=small&")
    }
    /// Where the large one is.
    pub fn portrait(&self) -> String {
        self.photo_at(self.photo.as_deref(), "")
    }
    /// Another photograph has another address, so that no browser shows the one before.
    fn photo_at(&self, blob: Option<&str>, size: &str) -> String {
        let end = |blob: &str| blob.get(blob.len().saturating_sub(8)..).unwrap_or_default().to_owned();
        blob.map(|blob| format!("/patients/{}/photo?{size}v={}", self.id, end(blob))).unwrap_or_default()
    }
    pub fn status(&self) -> PatientStatus {
        self.fields.status.unwrap_or(PatientStatus::Active)
    }
}

/// What is new about a patient, and who says so.
pub struct NewPatient {
    pub fields: PatientFields,
    pub source: String,
    pub source_key: Option<String>,
    /// Rules for people and API; an import may know less.
    pub strict: bool,
}

/// May this actor make patients? Asked before the body of a request is read, and again with the write.
pub fn may_create(conn: &mut Conn, actor: &Actor) -> Result<HouseholdId> {
    let (household, role): (HouseholdId, String) = users::table.find(&actor.user).select((users::household_id, users::role)).first(conn)?;
    if role == "guest" || actor.via_read_only() { Err(Error::Forbidden) } else { Ok(household) }
}

/// Makes a patient owned by the actor, in their household.
pub fn create(tx: &mut Tx<'_>, actor: &Actor, new: NewPatient, now: NaiveDateTime, errors: Errors) -> Result<PatientId> {
    let id = conceive(tx, actor, new, now, errors)?;
    reveal(tx, actor, &id, now)?;
    Ok(id)
}

/// Makes a patient whom nobody owns or sees yet, for an import that is still being written.
pub fn conceive(tx: &mut Tx<'_>, actor: &Actor, new: NewPatient, now: NaiveDateTime, mut errors: Errors) -> Result<PatientId> {
    let household = may_create(tx, actor)?;
    let mut fields = new.fields;
    fields.settle(now.date(), new.strict, None, &mut errors);
    check_physician(tx, &household, &fields, &mut errors)?;
    check(tx, &fields, &actor.user, None, &mut errors)?;
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let id = PatientId::new();
    diesel::insert_into(patients::table)
        .values((
            patients::id.eq(&id),
            patients::household_id.eq(&household),
            patients::owner_user_id.eq(&actor.user),
            patients::source.eq(&new.source),
            patients::source_key.eq(&new.source_key),
            patients::version.eq(1),
            patients::created_by.eq(actor.user.as_str()),
            patients::created_at.eq(now),
            patients::updated_by.eq(actor.user.as_str()),
            patients::updated_at.eq(now),
            patients::deleted_at.eq(staged::unseen()),
            &fields,
        ))
        .execute(&mut **tx)?;
    versions::remember(tx, actor, &id, 1, &fields, &new.source, Action::Created, now)?;
    Ok(id)
}

/// From now on the patient is there, and the actor's.
pub fn reveal(tx: &mut Tx<'_>, actor: &Actor, id: &PatientId, now: NaiveDateTime) -> Result<()> {
    let unseen = patients::table.find(id).filter(patients::owner_user_id.eq(&actor.user)).filter(patients::deleted_at.eq(staged::unseen()));
    if diesel::update(unseen).set(patients::deleted_at.eq(None::<NaiveDateTime>)).execute(&mut **tx)? == 0 {
        return Err(Error::NotFound);
    }
    diesel::insert_into(patient_owners::table)
        .values((patient_owners::patient_id.eq(id), patient_owners::user_id.eq(&actor.user), patient_owners::created_at.eq(now)))
        .execute(&mut **tx)?;
    Ok(())
}

/// A patient of this actor whom nobody sees yet.
pub fn unseen(conn: &mut Conn, actor: &Actor, id: &PatientId) -> Result<Patient> {
    let found = patients::table.find(id).filter(patients::owner_user_id.eq(&actor.user)).filter(patients::deleted_at.eq(staged::unseen()));
    found.select(Patient::as_select()).first(conn).optional()?.ok_or(Error::NotFound)
}

/// Removes a patient whom nobody has seen: the import that made them came to nothing.
pub fn take_back(tx: &mut Tx<'_>, id: &PatientId, now: NaiveDateTime) -> Result<()> {
    let unseen = patients::table.find(id).filter(patients::deleted_at.eq(staged::unseen()));
    if diesel::delete(unseen).execute(&mut **tx)? > 0 {
        Event::by_the_program(Action::Purged, now).patient(id).write(tx)?;
    }
    Ok(())
}

/// Another person who owns the patient too.
pub fn add_owner<L: AtLeast<Own>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, user: &UserId) -> Result<()> {
    diesel::insert_into(patient_owners::table)
        .values((patient_owners::patient_id.eq(access.id()), patient_owners::user_id.eq(user), patient_owners::created_at.eq(access.now)))
        .execute(&mut **tx)?;
    Ok(())
}

/// Replaces what is said of a patient.
pub fn change<L: AtLeast<Full>>(
    tx: &mut Tx<'_>,
    access: &PatientAccess<L>,
    expected: i32,
    mut fields: PatientFields,
    mut errors: Errors,
) -> Result<i32> {
    if access.patient.version != expected {
        return Err(Error::Stale { current: access.patient.version });
    }
    fields.settle(access.now.date(), true, Some(&access.patient.fields), &mut errors);
    // Whoever was the physician before needs nobody's leave to stay.
    if let Some(physician) = fields.physician_id.as_ref().filter(|id| access.patient.fields.physician_id.as_ref() != Some(id))
        && !people::may_name_practitioner(tx, access, physician.as_str())?
    {
        errors.push(("physician_id".to_owned(), FieldError::NoSuchPractitioner));
    }
    check(tx, &fields, &access.patient.owner_user_id, Some(access.id()), &mut errors)?;
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    versions::store(tx, access, &fields, access.actor.source())
}

/// Fills what is still empty from what another system tells; what is there stays as it is. `source` is who says so and the patient's key
/// there, by which the next file finds this patient. Returns the names of the fields that were filled.
pub fn complete<L: AtLeast<Full>>(
    tx: &mut Tx<'_>,
    access: &PatientAccess<L>,
    told: &PatientFields,
    (source, key): (&str, &str),
) -> Result<Vec<&'static str>> {
    let mut fields = access.patient.fields.clone();
    let mut filled = Vec::new();
    for field in PatientFields::FIELDS {
        if let (None, Some(text)) = ((field.get)(&fields), (field.get)(told))
            && (field.set)(&mut fields, &text, Mode::Strict, &field.spec).is_ok()
        {
            filled.push(field.spec.name);
        }
    }
    if access.patient.source_key.is_none() {
        diesel::update(patients::table.find(access.id())).set(patients::source_key.eq(key)).execute(&mut **tx)?;
    }
    let mut errors = Errors::new();
    fields.settle(access.now.date(), false, None, &mut errors);
    if filled.contains(&"physician_id") {
        check_physician(tx, access.household(), &fields, &mut errors)?;
    }
    check(tx, &fields, &access.patient.owner_user_id, Some(access.id()), &mut errors)?;
    if filled.is_empty() || !errors.is_empty() {
        return Ok(Vec::new());
    }
    versions::store(tx, access, &fields, source)?;
    Ok(filled)
}

/// Patients whom one of these identifiers names. Whose they are is not looked at: callers know whom the person may see.
pub fn by_identifiers(conn: &mut Conn, identifiers: &[String]) -> Result<Vec<PatientId>> {
    let named = patient_identifiers::table.filter(patient_identifiers::identifier.eq_any(identifiers.to_vec()));
    Ok(named.select(patient_identifiers::patient_id).load(conn)?)
}

/// What other systems call the patient, by which the next file finds them.
pub fn remember_identifiers<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, identifiers: &[String]) -> Result<()> {
    let mine = patient_identifiers::table.filter(patient_identifiers::patient_id.eq(access.id()));
    let known: Vec<String> = mine.select(patient_identifiers::identifier).load(&mut **tx)?;
    let mut seen = HashSet::new();
    for identifier in identifiers.iter().filter(|one| !known.contains(one) && seen.insert(*one)) {
        diesel::insert_into(patient_identifiers::table)
            .values((patient_identifiers::patient_id.eq(access.id()), patient_identifiers::identifier.eq(identifier)))
            .execute(&mut **tx)?;
    }
    Ok(())
}

/// Asks about a new patient who has the name and the birth date of one whom this person looks after already.
pub fn ask_if_known(conn: &mut Conn, actor: &Actor, fields: &PatientFields, now: NaiveDateTime, errors: &mut Errors) -> Result<()> {
    let all = crate::access::all(conn, actor, now)?.list;
    if all.iter().any(|access| access.patient.fields.is_namesake(fields)) {
        ask(errors, "birth_date", "error.same_person");
    }
    Ok(())
}

/// The patients this person owns who came from a source under one of these keys.
pub fn owned_by_source(conn: &mut Conn, user: &UserId, keys: &[&str]) -> Result<Vec<Patient>> {
    Ok(patients::table
        .inner_join(patient_owners::table.on(patient_owners::patient_id.eq(patients::id).and(patient_owners::user_id.eq(user))))
        .filter(patients::deleted_at.is_null())
        .filter(patients::source_key.eq_any(keys.to_vec()))
        .order(patients::id)
        .select(Patient::as_select())
        .load(conn)?)
}

/// Into the trash with all records; an owner's decision.
pub fn remove<L: AtLeast<Own>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, expected: i32) -> Result<()> {
    if access.patient.version != expected {
        return Err(Error::Stale { current: access.patient.version });
    }
    let version = expected.saturating_add(1);
    diesel::update(patients::table.find(access.id()))
        .set((patients::deleted_at.eq(access.now), patients::version.eq(version)))
        .execute(&mut **tx)?;
    versions::remember(tx, &access.actor, access.id(), version, &access.patient.fields, access.actor.source(), Action::Deleted, access.now)
}

/// An owner's patients in the trash.
pub fn trashed(conn: &mut Conn, user: &UserId) -> Result<Vec<Patient>> {
    Ok(patients::table
        .inner_join(patient_owners::table.on(patient_owners::patient_id.eq(patients::id).and(patient_owners::user_id.eq(user))))
        .filter(patients::deleted_at.is_not_null())
        .order(patients::deleted_at.desc())
        .select(Patient::as_select())
        .load(conn)?)
}

/// Brings an owner's patient back from the trash.
pub fn restore(tx: &mut Tx<'_>, actor: &Actor, id: &PatientId, now: NaiveDateTime) -> Result<()> {
    let patient = trashed(tx, &actor.user)?.into_iter().find(|p| p.id == *id).ok_or(Error::NotFound)?;
    let version = patient.version.saturating_add(1);
    let mut fields = patient.fields;
    let mut errors = Errors::new();
    check(tx, &fields, &patient.owner_user_id, Some(id), &mut errors)?;
    if errors.iter().any(|(name, _)| name == "is_self_record") {
        fields.is_self_record = Some(false);
    }
    diesel::update(patients::table.find(id))
        .set((patients::deleted_at.eq(None::<NaiveDateTime>), patients::version.eq(version), &fields))
        .execute(&mut **tx)?;
    versions::remember(tx, actor, id, version, &fields, actor.source(), Action::Restored, now)
}

/// Removes for good, records and all, one patient that has lain in the trash since before `limit`; the audit keeps that they were there.
pub fn purge(tx: &mut Tx<'_>, limit: NaiveDateTime, now: NaiveDateTime) -> Result<usize> {
    let due: Option<PatientId> = patients::table.filter(patients::deleted_at.lt(limit)).select(patients::id).first(&mut **tx).optional()?;
    let Some(id) = due else { return Ok(0) };
    diesel::delete(patients::table.find(&id)).execute(&mut **tx)?;
    Event::by_the_program(Action::Purged, now).patient(&id).write(tx)?;
    Ok(1)
}

/// The physician is one of the household's, or published.
fn check_physician(tx: &mut Tx<'_>, household: &HouseholdId, fields: &PatientFields, errors: &mut Errors) -> Result<()> {
    if let Some(physician) = &fields.physician_id
        && !directory::exists::<Practitioner>(tx, household, physician.as_str())?
    {
        errors.push(("physician_id".to_owned(), FieldError::NoSuchPractitioner));
    }
    Ok(())
}

/// One own record an account.
fn check(tx: &mut Tx<'_>, fields: &PatientFields, owner: &UserId, own: Option<&PatientId>, errors: &mut Errors) -> Result<()> {
    if fields.is_self_record == Some(true) {
        let other: Option<PatientId> = patients::table
            .filter(patients::owner_user_id.eq(owner))
            .filter(patients::is_self_record.eq(true))
            .filter(patients::deleted_at.is_null())
            .select(patients::id)
            .first(&mut **tx)
            .optional()?;
        if other.is_some() && other.as_ref() != own {
            errors.push(("is_self_record".to_owned(), FieldError::Rule("error.own_record_exists")));
        }
    }
    Ok(())
}
