//! A record: the trait a kind implements, and the registry of all kinds. Everything below the registry is written once for every kind.

pub mod api;
pub mod chart;
pub mod codings;
pub mod digest;
pub mod export;
pub mod field;
pub mod figures;
pub mod glance;
pub mod input;
pub mod linked;
pub mod origins;
pub mod overview;
pub mod pages;
pub mod people;
pub mod query;
pub mod rows;
mod schema;
pub mod several;
pub mod staged;
mod stored;
pub mod tagged;
pub(crate) use stored::base_number;
#[cfg(test)]
mod testing;
pub mod version;
pub mod view;

// Private, so that no other module can name a kind's table.
mod allergies;
mod choices;
mod conditions;
mod emergency_contacts;
mod encounters;
mod equipment;
mod family_members;
mod immunizations;
mod injuries;
mod insurance;
mod lab_results;
mod medications;
mod observations;
mod procedures;
mod symptoms;
mod treatments;
mod vitals;

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use chrono::NaiveDate;
use diesel::QueryResult;

use crate::{
    dates::PartialDate,
    db::{
        Conn, Tx,
        types::{PractitionerId, RecordId},
    },
    i18n::Locale,
};
pub use stored::Head;

use field::{Bind, Errors, Field, FieldError, FieldSpec, Input, Mode, Place};

/// One kind of record: its columns, its field table, its rules. See `docs/adding-a-record.md`.
pub trait Record: Default + Clone + Send + 'static {
    /// The name in URLs, in the API and in `records.kind`.
    const KIND: &'static str;
    const TABLE: &'static str;
    const GROUP: Group;
    const FIELDS: &'static [Field<Entry<Self>>];
    /// The fields the header's `occurred_on` is a copy of: the first one that is told.
    const OCCURRED: &'static [&'static str];
    const ENDED: Option<&'static str> = None;
    /// The day of a kind that has no end but is finished at one status: field and word. A quick change to that status asks for it.
    const FINISHED: Option<(&'static str, &'static str)> = None;
    /// A flag that only one record of the patient may carry (within the same value of the second field).
    const EXCLUSIVE: Option<(&'static str, Option<&'static str>)> = None;
    /// May a person say "none known"?
    const NONE_KNOWN: bool = false;
    /// Are records of the same code joined under one heading in the list (the prescriptions of one medicine)?
    const JOINED_BY_CODE: bool = false;
    type Child: Child;

    fn title(entry: &Entry<Self>) -> String;
    /// The kind's own rules and computed values, after every field was read.
    fn settle(_entry: &mut Entry<Self>, _context: &Context<'_>, _errors: &mut Errors) {}

    fn load(conn: &mut Conn, ids: &[RecordId]) -> QueryResult<HashMap<RecordId, Self>>;
    fn insert(&self, tx: &mut Tx<'_>, id: &RecordId) -> QueryResult<()>;
    fn update(&self, tx: &mut Tx<'_>, id: &RecordId) -> QueryResult<()>;
}

/// A row that belongs to a record and lives in its versions: a lab component, an occurrence, a relative's condition.
pub trait Child: Default + Clone + Send + 'static {
    /// The name of the array in the API and of the part of the form; empty for kinds without children.
    const NAME: &'static str;
    const TABLE: &'static str;
    const FIELDS: &'static [Field<Self>];
    /// What the list says of them.
    const BRIEF: Option<Brief> = None;
    fn settle(&mut self, _context: &Context<'_>, _errors: &mut Vec<(&'static str, FieldError)>) {}
    fn load(conn: &mut Conn, ids: &[RecordId]) -> QueryResult<Vec<(RecordId, Self)>>;
    fn insert(&self, tx: &mut Tx<'_>, record: &RecordId, id: &str, order: i32) -> QueryResult<()>;
}

/// How a list tells of a record's children: the first one's value where there is one alone, else how many there are.
#[derive(Clone, Copy, Debug)]
pub struct Brief {
    /// The columns of the value and its unit.
    pub value: &'static str,
    pub unit: Option<&'static str>,
    /// The column that says whether a value is out of its range: every word but `normal`.
    pub flag: Option<&'static str>,
}

/// For kinds without children.
#[derive(Clone, Default)]
pub struct NoChild;

impl Child for NoChild {
    const NAME: &'static str = "";
    const TABLE: &'static str = "";
    const FIELDS: &'static [Field<Self>] = &[];
    fn load(_: &mut Conn, _: &[RecordId]) -> QueryResult<Vec<(RecordId, Self)>> {
        Ok(Vec::new())
    }
    fn insert(&self, _: &mut Tx<'_>, _: &RecordId, _: &str, _: i32) -> QueryResult<()> {
        Ok(())
    }
}

/// What the header and the links of a record hold of a person's input.
#[derive(Clone, Debug)]
pub struct HeadFields {
    pub status: Option<String>,
    pub practitioner_id: Option<PractitionerId>,
    pub sensitivity: String,
    pub notes: Option<String>,
    /// Columns that are links, by field name.
    pub links: BTreeMap<&'static str, RecordId>,
}

impl Default for HeadFields {
    fn default() -> Self {
        Self { status: None, practitioner_id: None, sensitivity: "normal".to_owned(), notes: None, links: BTreeMap::new() }
    }
}

/// One record's values: header, the kind's own columns, children.
#[derive(Clone, Default)]
pub struct Entry<R: Record> {
    pub head: HeadFields,
    pub body: R,
    pub children: Vec<R::Child>,
}

/// What rules may look at besides the record.
pub struct Context<'a> {
    pub today: NaiveDate,
    pub birth: Option<&'a PartialDate>,
    /// A rule that only holds for people and API, not for what another system told.
    pub strict: bool,
}

/// Where a kind stands in the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Health,
    Results,
    Care,
    People,
}

impl Group {
    pub const ALL: [Self; 4] = [Self::Health, Self::Results, Self::Care, Self::People];
    pub fn key(self) -> &'static str {
        match self {
            Self::Health => "group.health",
            Self::Results => "group.results",
            Self::Care => "group.care",
            Self::People => "group.people",
        }
    }
}

/// A record of any kind, its type forgotten: what everything but the kinds works with.
pub trait AnyRecord: Send {
    fn get(&self, index: usize) -> Option<String>;
    fn set(&mut self, index: usize, raw: &str, mode: Mode) -> Result<(), FieldError>;
    fn head(&self) -> &HeadFields;
    fn head_mut(&mut self) -> &mut HeadFields;
    fn child_count(&self) -> usize;
    fn child(&self, row: usize, index: usize) -> Option<String>;
    /// Empties the children and makes `count` blank ones.
    fn renew_children(&mut self, count: usize);
    fn set_child(&mut self, row: usize, index: usize, raw: &str, mode: Mode) -> Result<(), FieldError>;
    fn title(&self) -> String;
    fn occurred_on(&self) -> Option<String>;
    fn ended_on(&self) -> Option<String>;
    fn settle(&mut self, context: &Context<'_>, errors: &mut Errors);
    fn insert(&self, tx: &mut Tx<'_>, id: &RecordId) -> QueryResult<()>;
    fn update(&self, tx: &mut Tx<'_>, id: &RecordId) -> QueryResult<()>;
    fn insert_children(&self, tx: &mut Tx<'_>, id: &RecordId) -> QueryResult<()>;
    fn boxed_clone(&self) -> Box<dyn AnyRecord>;
}

impl<R: Record> Entry<R> {
    fn named(&self, name: &str) -> Option<String> {
        R::FIELDS.iter().find(|f| f.spec.name == name).and_then(|f| (f.get)(self))
    }
}

impl<R: Record> AnyRecord for Entry<R> {
    fn get(&self, index: usize) -> Option<String> {
        R::FIELDS.get(index).and_then(|f| (f.get)(self))
    }
    fn set(&mut self, index: usize, raw: &str, mode: Mode) -> Result<(), FieldError> {
        R::FIELDS.get(index).map_or(Err(FieldError::UnknownField), |f| (f.set)(self, raw, mode, &f.spec))
    }
    fn head(&self) -> &HeadFields {
        &self.head
    }
    fn head_mut(&mut self) -> &mut HeadFields {
        &mut self.head
    }
    fn child_count(&self) -> usize {
        self.children.len()
    }
    fn child(&self, row: usize, index: usize) -> Option<String> {
        let field = <R::Child as Child>::FIELDS.get(index)?;
        self.children.get(row).and_then(|c| (field.get)(c))
    }
    fn renew_children(&mut self, count: usize) {
        self.children = std::iter::repeat_with(Default::default).take(count).collect();
    }
    fn set_child(&mut self, row: usize, index: usize, raw: &str, mode: Mode) -> Result<(), FieldError> {
        match (self.children.get_mut(row), <R::Child as Child>::FIELDS.get(index)) {
            (Some(child), Some(f)) => (f.set)(child, raw, mode, &f.spec),
            _ => Err(FieldError::UnknownField),
        }
    }
    /// Never empty: what the kind makes of the record, else its first words, else what it is.
    fn title(&self) -> String {
        let own = Some(R::title(self)).filter(|title| !title.trim().is_empty());
        let told = || R::FIELDS.iter().filter(|f| f.spec.is_prose()).find_map(|f| (f.get)(self));
        let line = |text: String| text.lines().next().map(str::to_owned);
        let title = own.or_else(|| told().and_then(line)).unwrap_or_else(|| name_of(R::TABLE));
        title.chars().take(300).collect()
    }
    fn occurred_on(&self) -> Option<String> {
        R::OCCURRED.iter().find_map(|name| self.named(name))
    }
    fn ended_on(&self) -> Option<String> {
        R::ENDED.and_then(|name| self.named(name))
    }
    fn settle(&mut self, context: &Context<'_>, errors: &mut Errors) {
        R::settle(self, context, errors);
        let mut found = Vec::new();
        for (row, child) in self.children.iter_mut().enumerate() {
            child.settle(context, &mut found);
            errors.extend(found.drain(..).map(|(name, error)| (format!("{}.{row}.{name}", <R::Child as Child>::NAME), error)));
        }
    }
    fn insert(&self, tx: &mut Tx<'_>, id: &RecordId) -> QueryResult<()> {
        self.body.insert(tx, id)
    }
    fn update(&self, tx: &mut Tx<'_>, id: &RecordId) -> QueryResult<()> {
        self.body.update(tx, id)
    }
    fn insert_children(&self, tx: &mut Tx<'_>, id: &RecordId) -> QueryResult<()> {
        for (order, child) in (0i32..).zip(&self.children) {
            child.insert(tx, id, RecordId::new().as_str(), order)?;
        }
        Ok(())
    }
    fn boxed_clone(&self) -> Box<dyn AnyRecord> {
        Box::new(self.clone())
    }
}

/// A kind as data: what pages, API, search and the rest know of it.
pub struct Kind {
    pub name: &'static str,
    pub table: &'static str,
    pub group: Group,
    pub fields: Vec<&'static FieldSpec>,
    pub children: Option<Children>,
    pub occurred: &'static [&'static str],
    pub ended: Option<&'static str>,
    pub finished: Option<(&'static str, &'static str)>,
    pub exclusive: Option<(&'static str, Option<&'static str>)>,
    pub none_known: bool,
    pub joined_by_code: bool,
    pub blank: fn() -> Box<dyn AnyRecord>,
    load: fn(&mut Conn, &[RecordId]) -> QueryResult<Entries>,
}

/// Records of any kind by their id.
pub type Entries = HashMap<RecordId, Box<dyn AnyRecord>>;

pub struct Children {
    pub name: &'static str,
    pub table: &'static str,
    pub brief: Option<Brief>,
    pub fields: Vec<&'static FieldSpec>,
}

impl Kind {
    fn of<R: Record>() -> Self {
        let child = (!<R::Child as Child>::NAME.is_empty()).then(|| Children {
            name: <R::Child as Child>::NAME,
            table: <R::Child as Child>::TABLE,
            brief: <R::Child as Child>::BRIEF,
            fields: <R::Child as Child>::FIELDS.iter().map(|f| &f.spec).collect(),
        });
        Self {
            name: R::KIND,
            table: R::TABLE,
            group: R::GROUP,
            fields: R::FIELDS.iter().map(|f| &f.spec).collect(),
            children: child,
            occurred: R::OCCURRED,
            ended: R::ENDED,
            finished: R::FINISHED,
            exclusive: R::EXCLUSIVE,
            none_known: R::NONE_KNOWN,
            joined_by_code: R::JOINED_BY_CODE,
            blank: || Box::new(Entry::<R>::default()),
            load: load_entries::<R>,
        }
    }
    pub fn field(&self, name: &str) -> Option<(usize, &'static FieldSpec)> {
        self.fields.iter().position(|f| f.name == name).and_then(|i| self.fields.get(i).map(|f| (i, *f)))
    }
    /// The words of the kind's status, if it has one.
    pub fn status_words(&self) -> &'static [&'static str] {
        match self.field("status").map(|(_, f)| f.input) {
            Some(Input::Choice { words, .. }) => words,
            _ => &[],
        }
    }
    pub fn has_links(&self) -> bool {
        self.fields.iter().any(|f| f.place == Place::Link)
    }
    /// The catalogue's prefix of this kind's words: `lab_results`.
    pub fn word(&self) -> &'static str {
        self.table
    }
}

/// What a record is that says nothing of itself.
fn name_of(table: &str) -> String {
    let name = Locale::default().t(&format!("kind.{table}.one"));
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn load_entries<R: Record>(conn: &mut Conn, ids: &[RecordId]) -> QueryResult<HashMap<RecordId, Box<dyn AnyRecord>>> {
    let mut children: HashMap<RecordId, Vec<R::Child>> = HashMap::new();
    if !<R::Child as Child>::NAME.is_empty() {
        for (id, child) in R::Child::load(conn, ids)? {
            children.entry(id).or_default().push(child);
        }
    }
    let bodies = R::load(conn, ids)?;
    Ok(bodies
        .into_iter()
        .map(|(id, body)| {
            let children = children.remove(&id).unwrap_or_default();
            let entry: Box<dyn AnyRecord> = Box::new(Entry::<R> { head: HeadFields::default(), body, children });
            (id, entry)
        })
        .collect())
}

/// Every kind, in the order of the menu. A new kind adds its line here.
static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    vec![
        Kind::of::<conditions::Condition>(),
        Kind::of::<medications::Medication>(),
        Kind::of::<allergies::Allergy>(),
        Kind::of::<symptoms::Symptom>(),
        Kind::of::<injuries::Injury>(),
        Kind::of::<lab_results::LabResult>(),
        Kind::of::<vitals::Vitals>(),
        Kind::of::<observations::Observation>(),
        Kind::of::<encounters::Encounter>(),
        Kind::of::<immunizations::Immunization>(),
        Kind::of::<procedures::Procedure>(),
        Kind::of::<treatments::Treatment>(),
        Kind::of::<equipment::Equipment>(),
        Kind::of::<insurance::Insurance>(),
        Kind::of::<emergency_contacts::EmergencyContact>(),
        Kind::of::<family_members::FamilyMember>(),
    ]
});

pub fn kinds() -> &'static [Kind] {
    &KINDS
}

pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Declares a kind's own columns once: the struct and, beside it, the table diesel checks it against. Every column may be empty. Text of all
/// sorts (dates, choices, measured values) stands in the first block, whole numbers and flags behind it.
macro_rules! columns {
    ($(#[$doc:meta])* $name:ident in $table:ident { $($column:ident: $type:ty),+ $(,)? }
        $(integers { $($integer:ident),+ $(,)? })? $(flags { $($flag:ident),+ $(,)? })?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, diesel::Queryable, diesel::Selectable, diesel::Insertable, diesel::AsChangeset)]
        #[diesel(table_name = $table, check_for_backend($crate::db::MultiBackend), treat_none_as_null = true, treat_none_as_default_value = false)]
        #[allow(clippy::struct_field_names, reason = "the columns keep the names that the API gives them")]
        pub struct $name { $(pub $column: Option<$type>,)+ $($(pub $integer: Option<i32>,)+)? $($(pub $flag: Option<bool>,)+)? }
        diesel::table! { $table (record_id) {
            record_id -> Text,
            $($column -> Nullable<Text>,)+
            $($($integer -> Nullable<Integer>,)+)?
            $($($flag -> Nullable<Bool>,)+)?
        } }
    };
    // A child table: its own id, the record, and its place among its siblings.
    ($(#[$doc:meta])* child $name:ident in $table:ident { $($column:ident: $type:ty),+ $(,)? } $(integers { $($integer:ident),+ $(,)? })?) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, diesel::Queryable, diesel::Selectable, diesel::Insertable)]
        #[diesel(table_name = $table, check_for_backend($crate::db::MultiBackend), treat_none_as_default_value = false)]
        #[allow(clippy::struct_field_names, reason = "the columns keep the names that the API gives them")]
        pub struct $name { $(pub $column: Option<$type>,)+ $($(pub $integer: Option<i32>,)+)? }
        diesel::table! { $table (id) {
            id -> Text,
            record_id -> Text,
            display_order -> Integer,
            $($column -> Nullable<Text>,)+
            $($($integer -> Nullable<Integer>,)+)?
        } }
    };
}
pub(crate) use columns;

/// The three statements of a kind, the same for all.
macro_rules! statements {
    ($table:ident) => {
        const TABLE: &'static str = stringify!($table);
        fn load(
            conn: &mut $crate::db::Conn,
            ids: &[$crate::db::types::RecordId],
        ) -> diesel::QueryResult<std::collections::HashMap<$crate::db::types::RecordId, Self>> {
            use diesel::prelude::*;
            let mine = $crate::db::sql::among(conn, concat!(stringify!($table), ".record_id"), ids);
            let rows = $table::table
                .filter(mine)
                .select(($table::record_id, Self::as_select()))
                .load::<($crate::db::types::RecordId, Self)>(conn)?;
            Ok(rows.into_iter().collect())
        }
        fn insert(&self, tx: &mut $crate::db::Tx<'_>, id: &$crate::db::types::RecordId) -> diesel::QueryResult<()> {
            use diesel::prelude::*;
            diesel::insert_into($table::table).values(($table::record_id.eq(id), self)).execute(&mut **tx).map(drop)
        }
        fn update(&self, tx: &mut $crate::db::Tx<'_>, id: &$crate::db::types::RecordId) -> diesel::QueryResult<()> {
            use diesel::prelude::*;
            diesel::update($table::table.find(id)).set(self).execute(&mut **tx).map(drop)
        }
    };
    (child $table:ident) => {
        const TABLE: &'static str = stringify!($table);
        fn load(
            conn: &mut $crate::db::Conn,
            ids: &[$crate::db::types::RecordId],
        ) -> diesel::QueryResult<Vec<($crate::db::types::RecordId, Self)>> {
            use diesel::prelude::*;
            let mine = $crate::db::sql::among(conn, concat!(stringify!($table), ".record_id"), ids);
            $table::table
                .filter(mine)
                .order(($table::record_id, $table::display_order))
                .select(($table::record_id, Self::as_select()))
                .load::<($crate::db::types::RecordId, Self)>(conn)
        }
        fn insert(
            &self,
            tx: &mut $crate::db::Tx<'_>,
            record: &$crate::db::types::RecordId,
            id: &str,
            order: i32,
        ) -> diesel::QueryResult<()> {
            use diesel::prelude::*;
            diesel::insert_into($table::table)
                .values(($table::id.eq(id), $table::record_id.eq(record), $table::display_order.eq(order), self))
                .execute(&mut **tx)
                .map(drop)
        }
    };
}
pub(crate) use statements;

/// A column of the kind as a field.
macro_rules! column {
    ($column:ident) => {
        $crate::records::field::Field::<$crate::records::Entry<Self>>::new(
            stringify!($column),
            $crate::records::field::input_of(|body: &Self| &body.$column),
            |entry| entry.body.$column.as_ref().map($crate::records::field::Bind::text),
            |entry, raw, mode, spec| {
                entry.body.$column = $crate::records::field::parse_optional(raw, mode, spec)?;
                Ok(())
            },
        )
    };
}
pub(crate) use column;

/// A column of a child as a field.
macro_rules! child_column {
    ($column:ident) => {
        $crate::records::field::Field::<Self>::new(
            stringify!($column),
            $crate::records::field::input_of(|row: &Self| &row.$column),
            |row| row.$column.as_ref().map($crate::records::field::Bind::text),
            |row, raw, mode, spec| {
                row.$column = $crate::records::field::parse_optional(raw, mode, spec)?;
                Ok(())
            },
        )
    };
}
pub(crate) use child_column;

/// A column that is a link to another record of the patient (`condition_id` of a procedure), kept in `record_links`.
macro_rules! link_column {
    ($name:literal, $kind:literal) => {
        $crate::records::field::Field::<$crate::records::Entry<Self>>::new(
            $name,
            $crate::records::field::Input::Record($kind),
            |entry| entry.head.links.get($name).map($crate::records::field::Bind::text),
            |entry, raw, mode, spec| {
                match $crate::records::field::parse_optional(raw, mode, spec)? {
                    Some(id) => drop(entry.head.links.insert($name, id)),
                    None => drop(entry.head.links.remove($name)),
                }
                Ok(())
            },
        )
        .at($crate::records::field::Place::Link)
    };
}
pub(crate) use link_column;

/// The header's columns as fields of any kind.
pub mod head {
    use super::{Bind, Entry, Field, FieldError, FieldSpec, Input, Mode, Place, Record};
    use crate::{db::types::PractitionerId, records::field};

    pub const fn status<R: Record, S: field::Choice>() -> Field<Entry<R>> {
        Field::new(
            "status",
            Input::Choice { set: S::SET, words: S::ALL },
            |entry: &Entry<R>| entry.head.status.clone(),
            |entry, raw, mode, spec| {
                let status: Option<S> = field::parse_optional(raw, mode, spec)?;
                entry.head.status = status.map(|s| s.word().to_owned());
                Ok(())
            },
        )
        .at(Place::Head)
        .list()
    }

    pub const fn practitioner<R: Record>() -> Field<Entry<R>> {
        Field::new(
            "practitioner_id",
            Input::Practitioner,
            |entry: &Entry<R>| entry.head.practitioner_id.as_ref().map(Bind::text),
            |entry, raw, mode, spec| {
                entry.head.practitioner_id = field::parse_optional::<PractitionerId>(raw, mode, spec)?;
                Ok(())
            },
        )
        .at(Place::Head)
    }

    pub const fn notes<R: Record>() -> Field<Entry<R>> {
        Field::new("notes", Input::Text, |entry: &Entry<R>| entry.head.notes.clone(), set_notes::<R>).at(Place::Head).more()
    }

    pub const fn sensitivity<R: Record>() -> Field<Entry<R>> {
        Field::new("sensitivity", Input::Sensitivity, |entry: &Entry<R>| Some(entry.head.sensitivity.clone()), set_sensitivity::<R>)
            .at(Place::Head)
            .more()
    }

    fn set_notes<R: Record>(entry: &mut Entry<R>, raw: &str, mode: Mode, spec: &FieldSpec) -> Result<(), FieldError> {
        entry.head.notes = field::parse_optional(raw, mode, spec)?;
        Ok(())
    }

    fn set_sensitivity<R: Record>(entry: &mut Entry<R>, raw: &str, mode: Mode, spec: &FieldSpec) -> Result<(), FieldError> {
        let word: Option<String> = field::parse_optional(raw, mode, spec)?;
        entry.head.sensitivity = word.unwrap_or_else(|| "normal".to_owned());
        Ok(())
    }
}
