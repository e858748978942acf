//! How a record lies in the database: the header row, the numbers beside measured texts, links that are columns.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use diesel::{
    QueryResult,
    prelude::*,
    sql_types::{Double, Integer, Nullable, Text},
};

use super::{
    AnyRecord, Kind,
    field::{FieldSpec, Unit},
    schema::{record_links, records},
};
use crate::{
    db::{
        Conn, MultiBackend, Tx,
        sql::among,
        types::{PatientId, PractitionerId, RecordId},
    },
    measured::Measured,
    units,
};

/// A row of `records`.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = records, check_for_backend(MultiBackend), treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Head {
    pub id: RecordId,
    pub patient_id: PatientId,
    pub kind: String,
    pub title: String,
    pub occurred_on: Option<String>,
    pub ended_on: Option<String>,
    pub status: Option<String>,
    pub practitioner_id: Option<PractitionerId>,
    pub sensitivity: String,
    pub notes: Option<String>,
    pub source: String,
    pub version: i32,
    pub created_by: Option<String>,
    pub created_at: NaiveDateTime,
    pub updated_by: Option<String>,
    pub updated_at: NaiveDateTime,
    pub deleted_at: Option<NaiveDateTime>,
}

impl Head {
    /// Copies what the entry says into the columns that lists, timeline and search read.
    pub fn take(&mut self, entry: &dyn AnyRecord) {
        let head = entry.head();
        self.title = entry.title();
        self.occurred_on = entry.occurred_on();
        self.ended_on = entry.ended_on();
        self.status.clone_from(&head.status);
        self.practitioner_id.clone_from(&head.practitioner_id);
        self.sensitivity.clone_from(&head.sensitivity);
        self.notes.clone_from(&head.notes);
    }
}

/// Loads the kind's own columns (and children) of these heads, without links.
pub(super) fn load_details(conn: &mut Conn, kind: &Kind, heads: &[Head]) -> QueryResult<HashMap<RecordId, Box<dyn AnyRecord>>> {
    let ids: Vec<RecordId> = heads.iter().map(|head| head.id.clone()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut entries = (kind.load)(conn, &ids)?;
    for head in heads {
        if let Some(entry) = entries.get_mut(&head.id) {
            let fields = entry.head_mut();
            fields.status.clone_from(&head.status);
            fields.practitioner_id.clone_from(&head.practitioner_id);
            fields.sensitivity.clone_from(&head.sensitivity);
            fields.notes.clone_from(&head.notes);
        }
    }
    Ok(entries)
}

/// Loads the entries of these heads, in one statement a table: detail, children, links.
pub(super) fn load(conn: &mut Conn, kind: &Kind, heads: &[Head]) -> QueryResult<HashMap<RecordId, Box<dyn AnyRecord>>> {
    let mut entries = load_details(conn, kind, heads)?;
    if entries.is_empty() {
        return Ok(entries);
    }
    let ids: Vec<&RecordId> = heads.iter().map(|head| &head.id).collect();
    if kind.has_links() {
        let rows: Vec<(RecordId, String, RecordId)> = record_links::table
            .filter(among(conn, "record_links.from_id", &ids))
            .select((record_links::from_id, record_links::relation, record_links::to_id))
            .load(conn)?;
        for (from, relation, to) in rows {
            if let (Some(entry), Some((_, spec))) = (entries.get_mut(&from), kind.field(&relation)) {
                entry.head_mut().links.insert(spec.name, to);
            }
        }
    }
    Ok(entries)
}

/// Writes the number beside each measured text, in the column's base unit.
pub(super) fn write_numbers(tx: &mut Tx<'_>, kind: &Kind, entry: &dyn AnyRecord, id: &RecordId) -> QueryResult<()> {
    let numbers: Vec<(&str, Option<f64>)> = measured(&kind.fields)
        .map(|(index, spec)| {
            let unit = convertible_unit(spec, &kind.fields, |i| entry.get(i));
            (spec.name, entry.get(index).and_then(|text| base_number(&text, unit.as_deref())))
        })
        .collect();
    update_numbers(tx, kind.table, &numbers, id, None)?;
    let Some(children) = &kind.children else { return Ok(()) };
    for row in 0..entry.child_count() {
        let numbers: Vec<(&str, Option<f64>)> = measured(&children.fields)
            .map(|(index, spec)| (spec.name, entry.child(row, index).and_then(|text| base_number(&text, None))))
            .collect();
        update_numbers(tx, children.table, &numbers, id, i32::try_from(row).ok())?;
    }
    Ok(())
}

fn measured<'a>(fields: &'a [&'static FieldSpec]) -> impl Iterator<Item = (usize, &'static FieldSpec)> + 'a {
    fields.iter().copied().enumerate().filter(|(_, spec)| spec.is_measured())
}

/// The unit a measured field is in, from its column or because it is always that one.
pub fn unit_of(spec: &FieldSpec, fields: &[&'static FieldSpec], get: impl Fn(usize) -> Option<String>) -> Option<String> {
    match spec.unit()? {
        Unit::Fixed(unit) => Some(unit.to_owned()),
        Unit::Column(name) | Unit::Free(name) => fields.iter().position(|f| f.name == name).and_then(get),
    }
}

/// As [`unit_of`], but not for free units: mg/dL of cholesterol is not mg/dL of glucose, so only the columns' own units are converted.
pub fn convertible_unit(spec: &FieldSpec, fields: &[&'static FieldSpec], get: impl Fn(usize) -> Option<String>) -> Option<String> {
    if matches!(spec.unit(), Some(Unit::Free(_))) { None } else { unit_of(spec, fields, get) }
}

/// A measured text as a number in the base unit of its quantity; units that nobody converts stay as they are.
pub fn base_number(text: &str, unit: Option<&str>) -> Option<f64> {
    let number = Measured::parse_strict(text).ok()?.number()?;
    Some(unit.and_then(units::Unit::find).map_or(number, |unit| units::to_base(number, unit)))
}

/// The columns are named by the field table, never by a request, so the text is ours; the values are bound.
fn update_numbers(tx: &mut Tx<'_>, table: &str, numbers: &[(&str, Option<f64>)], id: &RecordId, row: Option<i32>) -> QueryResult<()> {
    if numbers.is_empty() {
        return Ok(());
    }
    let assignments: Vec<String> = numbers.iter().enumerate().map(|(i, (name, _))| format!("{name}_number = ${}", i + 1)).collect();
    let place = numbers.len() + 1;
    let sibling = row.map_or_else(String::new, |_| format!(" AND display_order = ${}", place + 1));
    let text = format!("UPDATE {table} SET {} WHERE record_id = ${place}{sibling}", assignments.join(", "));
    let mut query = diesel::sql_query(text).into_boxed::<MultiBackend>();
    for (_, number) in numbers {
        query = query.bind::<Nullable<Double>, _>(*number);
    }
    query = query.bind::<Text, _>(id.clone());
    if let Some(row) = row {
        query = query.bind::<Integer, _>(row);
    }
    query.execute(&mut **tx).map(drop)
}
