//! The records of every kind in brief, for one page: what is going on first, then the latest, in one statement however many kinds there are.

use std::collections::HashMap;

use diesel::{
    RunQueryDsl,
    sql_types::{BigInt, Bool, Integer, Nullable, Text},
};

use super::{
    Entries, Kind,
    glance::going_on,
    query::visible,
    rows::{self, Row},
};
use crate::{
    access::{Level, PatientAccess},
    db::{Conn, statement::Statement, types::RecordId},
    error::Result,
};

/// In the order in which a doctor reads; kinds that are not here come after.
const ORDER: &[&str] = &[
    "allergies",
    "conditions",
    "medications",
    "immunizations",
    "vitals",
    "lab-results",
    "observations",
    "symptoms",
    "procedures",
    "treatments",
    "injuries",
    "encounters",
    "family-members",
    "equipment",
    "insurance",
    "emergency-contacts",
];

/// The kinds of which one asks first what is going on now.
const GO_ON: &[&str] = &["allergies", "conditions", "medications", "symptoms", "treatments"];
/// Those whose parts are what one reads: a panel's values, a relative's illnesses.
const IN_PARTS: &[&str] = &["family-members", "lab-results"];

/// How many records of one kind are told; the total says how many there are.
fn most(kind: &Kind) -> i64 {
    match kind.name {
        "vitals" => 6,
        "encounters" | "lab-results" | "observations" => 12,
        _ => 80,
    }
}

/// A record in brief.
pub struct Told {
    pub row: Row,
    /// It is going on, of a kind of which one asks.
    pub current: bool,
    pub ended_on: Option<String>,
}

/// One kind's part.
pub struct Part {
    pub kind: &'static Kind,
    pub told: Vec<Told>,
    /// How many there are, told or not.
    pub total: i64,
    /// Whole entries by id, for a kind whose parts are shown.
    pub entries: Entries,
}

impl Part {
    /// Does one ask what is going on?
    pub fn goes_on(&self) -> bool {
        GO_ON.contains(&self.kind.name)
    }
    /// The texts of the rows in the columns of which `wanted` says so: ids whose names are needed.
    pub fn texts(&self, wanted: impl Fn(&super::field::Input) -> bool) -> Vec<String> {
        let columns = rows::columns(self.kind);
        let places = columns.iter().enumerate().filter(|(_, index)| self.kind.fields.get(**index).is_some_and(|spec| wanted(&spec.input)));
        let cell = |place: usize| self.told.iter().filter_map(move |told| told.row.cell(place)).map(str::to_owned);
        places.flat_map(|(place, _)| cell(place)).collect()
    }
}

/// The kinds this access opens, in the order of the page.
fn kinds<L: Level>(access: &PatientAccess<L>) -> Vec<&'static Kind> {
    let mut all: Vec<&'static Kind> = super::kinds().iter().filter(|kind| access.scope().allows_kind(kind.name)).collect();
    all.sort_by_key(|kind| ORDER.iter().position(|name| *name == kind.name).unwrap_or(ORDER.len()));
    all
}

/// Every kind the access opens, with or without records. Three statements at most for each kind shown in parts, and one for all others.
pub fn load<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<Part>> {
    let kinds = kinds(access);
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Found> = statement(access, &kinds).load(conn)?;
    let mut found: HashMap<String, (Vec<Told>, i64)> = HashMap::new();
    for (kind, id, title, version, current, ended_on, total, cells) in rows {
        let (told, of) = found.entry(kind).or_default();
        *of = total;
        told.push(Told { row: Row::brief(id, title, version, cells), current, ended_on });
    }
    let mut parts = Vec::new();
    for kind in kinds {
        let (told, total) = found.remove(kind.name).unwrap_or_default();
        let ids: Vec<RecordId> = told.iter().map(|told| told.row.id.clone()).collect();
        let whole = IN_PARTS.contains(&kind.name) && !ids.is_empty();
        let entries = if whole { (kind.load)(conn, &ids)? } else { HashMap::new() };
        parts.push(Part { kind, told, total, entries });
    }
    Ok(parts)
}

/// Kind, id, title, version, going on?, end, how many there are, cells.
type Found = (String, RecordId, String, i32, bool, Option<String>, i64, rows::Cells);

type TellsRow = (Text, Text, Text, Integer, Bool, Nullable<Text>, BigInt, rows::CellTypes);

/// All kinds' rows, one after the other.
fn statement<L: Level>(access: &PatientAccess<L>, kinds: &[&'static Kind]) -> Statement<TellsRow> {
    // A compound keeps no order of its own: kind and place say it.
    let cells: String = (0..rows::MOST).map(|place| format!(", c{place}")).collect::<Vec<_>>().concat();
    let mut all = Statement::new(format!("SELECT kind, id, title, version, is_current, ended_on, total{cells} FROM ("));
    for (place, kind) in kinds.iter().enumerate() {
        all = one(all.words(if place > 0 { " UNION ALL " } else { "" }), access, kind, place);
    }
    all.words(") told ORDER BY kind, place")
}

/// One kind's. Names come from the field tables, never from a request.
fn one<L: Level>(all: Statement<TellsRow>, access: &PatientAccess<L>, kind: &Kind, place: usize) -> Statement<TellsRow> {
    const LATEST: &str = "records.occurred_on DESC NULLS LAST, records.id DESC";
    let current = || going_on(access.now.date());
    let cells: Vec<String> = rows::cells(kind).iter().enumerate().map(|(cell, text)| format!(", {text} AS c{cell}")).collect();
    all.words(format!("SELECT * FROM (SELECT CAST('{}' AS TEXT) AS kind, records.id AS id, records.title AS title, ", kind.name))
        .words(
            "records.version AS version, records.ended_on AS ended_on, COUNT(*) OVER () AS total, ROW_NUMBER() OVER (ORDER BY CASE WHEN ",
        )
        .part(current())
        .words(format!(" THEN 0 ELSE 1 END, {LATEST}) AS place, CASE WHEN "))
        .part(current())
        .words(format!(
            " THEN TRUE ELSE FALSE END AS is_current{} FROM records LEFT JOIN {} d ON d.record_id = records.id WHERE ",
            cells.concat(),
            kind.table
        ))
        .part(visible(access))
        .words(format!(
            " AND records.kind = '{}' AND records.deleted_at IS NULL AND d.record_id IS NOT NULL) part{place} WHERE place <= {}",
            kind.name,
            most(kind)
        ))
}
