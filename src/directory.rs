//! The directory: practitioners, practices and pharmacies of a household, and those published to everyone on the installation.

pub mod pages;
pub mod published;

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::{
    db::{
        Conn, MultiBackend, Tx,
        schema::{household_members, pharmacies, practices, practitioners, users},
        sql::among,
        types::{HouseholdId, PharmacyId, PracticeId, PractitionerId, UserId},
    },
    error::{Error, Result},
    interchange::originals,
    npi,
    records::{
        child_column as column,
        field::{self, Errors, Field, FieldError, Input, Mode},
    },
};

/// An entry as a record's page names it.
pub struct Seen {
    pub id: String,
    pub name: String,
    pub open: bool,
}

/// The household a person keeps their records in, as part of a statement.
macro_rules! own_household {
    ($user:expr) => {
        users::table.filter(users::id.eq($user)).select(users::household_id)
    };
}
/// Those they are a member of.
macro_rules! joined_households {
    ($user:expr) => {
        household_members::table.filter(household_members::user_id.eq($user)).select(household_members::household_id)
    };
}

/// One of the three lists. Its columns are a field table, so that pages, API and import treat the three alike.
pub trait Listed: Default + Clone + Send + 'static {
    const NAME: &'static str;
    const FIELDS: &'static [Field<Self>];
    fn name(&self) -> &str;
    /// The number checked by its check digit, where the list has one.
    fn npi(&self) -> Option<&str> {
        None
    }
    fn list(conn: &mut Conn, household: &HouseholdId) -> Result<Vec<Entry<Self>>>;
    fn get(conn: &mut Conn, household: &HouseholdId, id: &str) -> Result<Entry<Self>>;
    fn insert(&self, tx: &mut Tx<'_>, household: &HouseholdId, source: Option<(&str, &str)>, now: NaiveDateTime) -> Result<String>;
    /// Own entries only: a published one is changed by the household it belongs to.
    fn update(&self, tx: &mut Tx<'_>, household: &HouseholdId, id: &str, expected: i32, now: NaiveDateTime) -> Result<()>;
    fn delete(tx: &mut Tx<'_>, household: &HouseholdId, id: &str) -> Result<()>;
    /// Ids and names of the entries of this person's households, of the published ones, and of these ids, by name: what a form offers.
    fn choices(conn: &mut Conn, user: &UserId, ids: &[String]) -> Result<Vec<(String, String)>>;
    /// Names of these alone, and whether the person's own directory has their page.
    fn seen(conn: &mut Conn, user: &UserId, ids: &[String]) -> Result<Vec<Seen>>;
    /// Ids and names of these alone.
    fn names_of(conn: &mut Conn, ids: &[String]) -> Result<Vec<(String, String)>> {
        if ids.is_empty() { Ok(Vec::new()) } else { Self::named(conn, ids) }
    }
    fn named(conn: &mut Conn, ids: &[String]) -> Result<Vec<(String, String)>>;
    /// Is it an entry of one of this person's households, or published?
    fn is_in_reach(conn: &mut Conn, user: &UserId, id: &str) -> Result<bool>;
    fn by_source(conn: &mut Conn, household: &HouseholdId, key: &str) -> Result<Option<String>>;

    /// Reads and checks; a name is all that is asked for.
    fn read(pairs: &[(String, String)], mode: Mode) -> (Self, Errors) {
        let mut entry = Self::default();
        let mut errors = field::fill_plain(Self::FIELDS, &mut entry, pairs, mode);
        if entry.name().is_empty() && !errors.iter().any(|(name, _)| name == "name") {
            errors.push(("name".to_owned(), FieldError::Required));
        }
        if let Some(number) = entry.npi()
            && npi::check(number).is_err()
        {
            errors.push(("npi".to_owned(), FieldError::Rule("error.npi")));
        }
        (entry, errors)
    }
}

/// An entry with what the program knows of it.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    pub id: String,
    pub version: i32,
    /// Belongs to the asking household, so that it can be changed there.
    pub own: bool,
    pub fields: T,
}

macro_rules! listed {
    ($table:ident, $id:ty) => {
        fn name(&self) -> &str {
            self.name.as_deref().unwrap_or_default()
        }
        fn list(conn: &mut Conn, household: &HouseholdId) -> Result<Vec<Entry<Self>>> {
            let rows: Vec<($id, HouseholdId, i32, Self)> = $table::table
                .filter($table::household_id.eq(household).or($table::is_published.eq(true)))
                .order(($table::name, $table::id))
                .select(($table::id, $table::household_id, $table::version, Self::as_select()))
                .load(conn)?;
            let entry = |(id, owner, version, fields): ($id, HouseholdId, i32, Self)| Entry {
                id: id.to_string(),
                version,
                own: owner == *household,
                fields,
            };
            Ok(rows.into_iter().map(entry).collect())
        }
        fn get(conn: &mut Conn, household: &HouseholdId, id: &str) -> Result<Entry<Self>> {
            let id = <$id>::parse(id).ok_or(Error::NotFound)?;
            let row: Option<($id, HouseholdId, i32, Self)> = $table::table
                .filter($table::id.eq(&id))
                .filter($table::household_id.eq(household).or($table::is_published.eq(true)))
                .select(($table::id, $table::household_id, $table::version, Self::as_select()))
                .first(conn)
                .optional()?;
            let (id, owner, version, fields) = row.ok_or(Error::NotFound)?;
            Ok(Entry { id: id.to_string(), version, own: owner == *household, fields })
        }
        fn insert(&self, tx: &mut Tx<'_>, household: &HouseholdId, source: Option<(&str, &str)>, now: NaiveDateTime) -> Result<String> {
            let id = <$id>::new();
            diesel::insert_into($table::table)
                .values((
                    $table::id.eq(&id),
                    $table::household_id.eq(household),
                    $table::source.eq(source.map(|s| s.0)),
                    $table::source_key.eq(source.map(|s| s.1)),
                    $table::version.eq(1),
                    $table::created_at.eq(now),
                    $table::updated_at.eq(now),
                    self,
                ))
                .execute(&mut **tx)?;
            Ok(id.to_string())
        }
        fn update(&self, tx: &mut Tx<'_>, household: &HouseholdId, id: &str, expected: i32, now: NaiveDateTime) -> Result<()> {
            let current = Self::get(tx, household, id)?;
            if !current.own {
                return Err(Error::Forbidden);
            }
            if current.version != expected {
                return Err(Error::Stale { current: current.version });
            }
            diesel::update($table::table.filter($table::id.eq(id)))
                .set((self, $table::version.eq(expected.saturating_add(1)), $table::updated_at.eq(now)))
                .execute(&mut **tx)?;
            Ok(())
        }
        fn delete(tx: &mut Tx<'_>, household: &HouseholdId, id: &str) -> Result<()> {
            let gone =
                diesel::delete($table::table.filter($table::id.eq(id)).filter($table::household_id.eq(household))).execute(&mut **tx)?;
            if gone == 0 {
                return Err(Error::NotFound);
            }
            originals::forget_entry(tx, id)
        }
        fn choices(conn: &mut Conn, user: &UserId, ids: &[String]) -> Result<Vec<(String, String)>> {
            let named = |(id, name): (String, Option<String>)| (id, name.unwrap_or_default());
            let these = among(conn, concat!(stringify!($table), ".id"), ids);
            let rows: Vec<(String, Option<String>)> = $table::table
                .filter(
                    $table::household_id
                        .eq_any(own_household!(user))
                        .or($table::household_id.eq_any(joined_households!(user)))
                        .or($table::is_published.eq(true))
                        .or(these),
                )
                .order(($table::name, $table::id))
                .select(($table::id, $table::name))
                .load(conn)?;
            Ok(rows.into_iter().map(named).collect())
        }
        fn named(conn: &mut Conn, ids: &[String]) -> Result<Vec<(String, String)>> {
            let mut found = Vec::new();
            // SQLite and PostgreSQL both bound the number of values in one statement.
            for ids in ids.chunks(500) {
                let rows: Vec<(String, Option<String>)> =
                    $table::table.filter($table::id.eq_any(ids.to_vec())).select(($table::id, $table::name)).load(conn)?;
                found.extend(rows.into_iter().map(|(id, name)| (id, name.unwrap_or_default())));
            }
            Ok(found)
        }
        fn seen(conn: &mut Conn, user: &UserId, ids: &[String]) -> Result<Vec<Seen>> {
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            let these = among(conn, concat!(stringify!($table), ".id"), ids);
            let rows: Vec<(String, Option<String>, bool)> = $table::table
                .filter(these)
                .select(($table::id, $table::name, $table::household_id.eq_any(own_household!(user)).or($table::is_published.eq(true))))
                .load(conn)?;
            Ok(rows.into_iter().map(|(id, name, open)| Seen { id, name: name.unwrap_or_default(), open }).collect())
        }
        fn is_in_reach(conn: &mut Conn, user: &UserId, id: &str) -> Result<bool> {
            let found: Option<String> = $table::table
                .filter($table::id.eq(id))
                .filter(
                    $table::household_id
                        .eq_any(own_household!(user))
                        .or($table::household_id.eq_any(joined_households!(user)))
                        .or($table::is_published.eq(true)),
                )
                .select($table::id)
                .first(conn)
                .optional()?;
            Ok(found.is_some())
        }
        fn by_source(conn: &mut Conn, household: &HouseholdId, key: &str) -> Result<Option<String>> {
            Ok($table::table
                .filter($table::household_id.eq(household))
                .filter($table::source_key.eq(key))
                .select($table::id)
                .first::<String>(conn)
                .optional()?)
        }
    };
}

macro_rules! columns {
    ($name:ident in $table:ident { $($column:ident: $type:ty),+ $(,)? }) => {
        #[derive(Clone, Debug, Default, Queryable, Selectable, Insertable, AsChangeset)]
        #[diesel(table_name = $table, check_for_backend(MultiBackend), treat_none_as_null = true, treat_none_as_default_value = false)]
        pub struct $name { $(pub $column: Option<$type>),+ }
    };
}

columns! { Practitioner in practitioners {
    name: String, specialty: String, practice: String, practice_id: PracticeId, npi: String, phone_number: String, email: String,
    website: String, rating: String, notes: String,
} }
columns! { Practice in practices {
    name: String, npi: String, phone_number: String, fax_number: String, website: String, address: String, notes: String,
} }
columns! { Pharmacy in pharmacies {
    name: String, brand: String, street_address: String, city: String, state: String, zip_code: String, country: String,
    store_number: String, phone_number: String, fax_number: String, email: String, website: String, hours: String,
    drive_through: bool, twenty_four_hour: bool, specialty_services: String,
} }

impl Listed for Practitioner {
    const NAME: &'static str = "practitioners";
    const FIELDS: &'static [Field<Self>] = &[
        column!(name).required().list(),
        column!(specialty).list(),
        column!(practice).list(),
        column!(practice_id).input(Input::Practice),
        column!(phone_number).list().input(Input::Phone),
        column!(email).input(Input::Email),
        column!(npi),
        column!(website),
        column!(rating),
        column!(notes).long(),
    ];
    fn npi(&self) -> Option<&str> {
        self.npi.as_deref()
    }
    listed!(practitioners, PractitionerId);
}

impl Listed for Practice {
    const NAME: &'static str = "practices";
    const FIELDS: &'static [Field<Self>] = &[
        column!(name).required().list(),
        column!(address).list(),
        column!(phone_number).list().input(Input::Phone),
        column!(fax_number).input(Input::Phone),
        column!(website),
        column!(npi),
        column!(notes).long(),
    ];
    fn npi(&self) -> Option<&str> {
        self.npi.as_deref()
    }
    listed!(practices, PracticeId);
}

impl Listed for Pharmacy {
    const NAME: &'static str = "pharmacies";
    const FIELDS: &'static [Field<Self>] = &[
        column!(name).required().list(),
        column!(brand).list(),
        column!(street_address),
        column!(city).list(),
        column!(state),
        column!(zip_code),
        column!(country),
        column!(store_number),
        column!(phone_number).list().input(Input::Phone),
        column!(fax_number).input(Input::Phone),
        column!(email).input(Input::Email),
        column!(website),
        column!(hours),
        column!(drive_through),
        column!(twenty_four_hour),
        column!(specialty_services),
    ];
    listed!(pharmacies, PharmacyId);
}

/// Is it an entry that this household may name?
pub fn practitioner_exists(conn: &mut Conn, household: &HouseholdId, id: &str) -> Result<bool> {
    exists::<Practitioner>(conn, household, id)
}

pub fn exists<T: Listed>(conn: &mut Conn, household: &HouseholdId, id: &str) -> Result<bool> {
    match T::get(conn, household, id) {
        Ok(_) => Ok(true),
        Err(Error::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ids and names, for the choices of a form and the names in a list.
pub fn practitioner_names(conn: &mut Conn, household: &HouseholdId) -> Result<Vec<(PractitionerId, String)>> {
    Ok(practitioners::table
        .filter(practitioners::household_id.eq(household).or(practitioners::is_published.eq(true)))
        .order((practitioners::name, practitioners::id))
        .select((practitioners::id, practitioners::name.assume_not_null()))
        .load(conn)?)
}
