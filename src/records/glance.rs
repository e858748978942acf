//! A patient at a glance: what a doctor asks first, in few statements however long the record is.

use std::collections::HashMap;

use chrono::NaiveDate;
use diesel::{
    dsl::count_star,
    prelude::*,
    sql_types::{Bool, Double, Integer, Nullable, Text},
};

use super::{
    Kind,
    query::{Condition, visible},
    schema::records,
    stored::{self, Head},
};
use crate::{
    access::{Accesses, Level, PatientAccess},
    db::{Conn, sql::worded, statement::Statement, types::RecordId},
    error::Result,
};

/// Statuses that mean "going on".
const CURRENT: &[&str] = &["active", "chronic", "recurrence", "relapse", "recurring", "unconfirmed", "in_progress"];
/// Nobody called it over, and its end is not past. A year or a month is past when the day is in another one after it.
pub(super) fn going_on(today: NaiveDate) -> Condition {
    let unended = records::ended_on.is_null();
    let later = worded::<Bool>(format!("records.ended_on >= substr('{today}', 1, length(records.ended_on))"));
    // An import may leave a status out; what nobody called over counts as going on.
    let current = records::status.is_null().or(records::status.eq_any(CURRENT.to_vec()));
    Box::new(current.assume_not_null().and(unended.or(later)))
}

/// More than fits on anybody's overview.
const MOST: i64 = 120;

/// Columns of a kind's own table that the overview shows, at most three.
pub type Columns = (&'static str, &'static [&'static str]);

/// A record that is going on, with the columns asked for.
pub struct Current {
    pub head: Head,
    pub kind: &'static Kind,
    columns: &'static [&'static str],
    told: [Option<String>; 3],
}

impl Current {
    pub fn get(&self, column: &str) -> String {
        let place = self.columns.iter().position(|name| *name == column);
        place.and_then(|place| self.told.get(place)).cloned().flatten().unwrap_or_default()
    }
}

/// The column that stands in this place, whatever the record's kind.
fn column(wanted: &[Columns], place: usize) -> String {
    // Names come from the field tables, never from a request.
    let cases: Vec<String> = wanted
        .iter()
        .filter_map(|(name, columns)| Some((super::kind(name)?, columns.get(place)?)))
        .map(|(kind, column)| format!("WHEN '{}' THEN (SELECT d.{column} FROM {} d WHERE d.record_id = records.id)", kind.name, kind.table))
        .collect();
    if cases.is_empty() { "NULL".to_owned() } else { format!("CASE records.kind {} END", cases.join(" ")) }
}

/// A head with up to three of its kind's own columns.
type Row = (Head, Option<String>, Option<String>, Option<String>);

/// What is going on, of these kinds, in the order of the menu; one statement.
pub fn current<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, columns: &[Columns]) -> Result<Vec<Current>> {
    let wanted: Vec<String> = columns.iter().map(|(kind, _)| (*kind).to_owned()).collect();
    let told = |place| worded::<Nullable<Text>>(column(columns, place));
    let rows: Vec<Row> = records::table
        .filter(visible(access))
        .filter(records::kind.eq_any(wanted))
        .filter(records::deleted_at.is_null())
        .filter(going_on(access.now.date()))
        .order((records::occurred_on.desc(), records::id.desc()))
        .limit(MOST)
        .select((Head::as_select(), told(0), told(1), told(2)))
        .load(conn)?;
    let found = rows.into_iter().filter_map(|(head, first, second, third)| {
        let kind = super::kind(&head.kind)?;
        let columns = columns.iter().find(|(name, _)| *name == kind.name)?.1;
        Some(Current { head, kind, columns, told: [first, second, third] })
    });
    Ok(found.collect())
}

/// One measured value at one time.
#[derive(Clone, Debug)]
pub struct Point {
    pub on: String,
    pub number: f64,
}

/// A measured column over time; the latest value as text with its unit.
#[derive(Clone, Debug)]
pub struct Trend {
    pub record: RecordId,
    pub kind: &'static str,
    pub name: String,
    pub text: String,
    pub unit: String,
    pub on: String,
    pub flag: String,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub points: Vec<Point>,
}

/// A component of a result, with the result's day.
#[derive(Queryable)]
struct Component {
    record_id: RecordId,
    on: Option<String>,
    display_order: i32,
    test_name: Option<String>,
    test_code: Option<String>,
    value: Option<String>,
    unit: Option<String>,
    status: Option<String>,
    value_number: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

/// How many results the overview looks back over: a dozen a year for several years.
const LOOK_BACK: u32 = 200;

type ComponentRow = (
    Text,
    Nullable<Text>,
    Integer,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Double>,
    Nullable<Double>,
    Nullable<Double>,
);

/// The components of the latest results, in no order: sorting them here is quicker than wide rows there.
fn components<L: Level>(access: &PatientAccess<L>) -> Statement<ComponentRow> {
    Statement::new(
        "SELECT r.id, r.occurred_on, c.display_order, c.test_name, c.test_code, c.value, c.unit, c.status, c.value_number, \
         c.ref_range_min_number, c.ref_range_max_number FROM (SELECT records.id AS id, records.occurred_on AS occurred_on FROM records WHERE ",
    )
    .part(visible(access))
    .words(format!(
        " AND records.kind = 'lab-results' AND records.deleted_at IS NULL ORDER BY records.occurred_on DESC NULLS LAST, records.id DESC \
         LIMIT {LOOK_BACK}) r JOIN lab_test_components c ON c.record_id = r.id"
    ))
}

/// Tests whose latest value is out of range, each with its own past. Values in another unit are left out of the line, not converted.
pub fn out_of_range<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, most: usize) -> Result<Vec<Trend>> {
    let mut rows: Vec<Component> = components(access).load(conn)?;
    rows.sort_by(|a, b| (&b.on, &b.record_id, a.display_order).cmp(&(&a.on, &a.record_id, b.display_order)));
    Ok(trends(rows, most))
}

fn trends(rows: Vec<Component>, most: usize) -> Vec<Trend> {
    let mut order: Vec<String> = Vec::new();
    let mut tests: HashMap<String, Vec<Component>> = HashMap::new();
    for row in rows {
        let key = row.test_code.clone().or_else(|| row.test_name.as_deref().map(crate::text::fold)).unwrap_or_default();
        if !tests.contains_key(&key) {
            order.push(key.clone());
        }
        tests.entry(key).or_default().push(row);
    }
    let mut found: Vec<Trend> = order.into_iter().filter_map(|key| trend(&tests.remove(&key)?)).collect();
    found.truncate(most);
    found
}

/// Newest first in, a trend out if the newest is out of range.
fn trend(rows: &[Component]) -> Option<Trend> {
    let latest = rows.first()?;
    let flag = latest.status.clone().filter(|s| s != "normal")?;
    let mut points: Vec<Point> = rows
        .iter()
        .filter(|row| row.unit == latest.unit)
        .filter_map(|row| Some(Point { on: row.on.clone()?, number: row.value_number? }))
        .take(12)
        .collect();
    points.reverse();
    Some(Trend {
        record: latest.record_id.clone(),
        kind: "lab-results",
        name: latest.test_name.clone().unwrap_or_default(),
        text: latest.value.clone().unwrap_or_default(),
        unit: latest.unit.clone().unwrap_or_default(),
        on: latest.on.clone().unwrap_or_default(),
        flag,
        low: latest.low,
        high: latest.high,
        points,
    })
}

/// The latest value of each measured column of vitals, with its past. Two statements.
pub fn vitals<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<Trend>> {
    let Some(kind) = super::kind("vitals") else { return Ok(Vec::new()) };
    let heads: Vec<Head> = records::table
        .filter(visible(access))
        .filter(records::kind.eq(kind.name))
        .filter(records::deleted_at.is_null())
        .order(worded::<Text>("records.occurred_on DESC NULLS LAST, records.id DESC"))
        .limit(60)
        .select(Head::as_select())
        .load(conn)?;
    let entries = stored::load_details(conn, kind, &heads)?;
    let mut found = Vec::new();
    let is_second = |name: &str| kind.fields.iter().any(|f| f.pair.is_some_and(|(second, _)| second == name));
    for (index, spec) in kind.fields.iter().enumerate().filter(|(_, f)| f.is_measured() && !is_second(f.name)) {
        let told: Vec<(&Head, String, Option<String>)> = heads
            .iter()
            .filter_map(|head| {
                let entry = entries.get(&head.id)?;
                let text = entry.get(index)?;
                Some((head, text, stored::unit_of(spec, &kind.fields, |i| entry.get(i))))
            })
            .collect();
        let Some((head, text, unit)) = told.first() else { continue };
        let second = spec.pair.and_then(|(name, _)| kind.field(name)).and_then(|(index, _)| entries.get(&head.id)?.get(index));
        let mut points: Vec<Point> = told
            .iter()
            .filter_map(|(head, text, unit)| {
                Some(Point { on: head.occurred_on.clone()?, number: stored::base_number(text, unit.as_deref())? })
            })
            .take(12)
            .collect();
        points.reverse();
        found.push(Trend {
            record: head.id.clone(),
            kind: "vitals",
            name: spec.name.to_owned(),
            text: second.map_or_else(|| text.clone(), |second| format!("{text}/{second}")),
            unit: unit.clone().unwrap_or_default(),
            on: head.occurred_on.clone().unwrap_or_default(),
            flag: String::new(),
            low: None,
            high: None,
            points,
        });
    }
    Ok(found)
}

/// Something that lies ahead: a policy's end, a service, a planned procedure.
#[derive(Clone, Debug, Queryable)]
pub struct Ahead {
    pub id: RecordId,
    pub kind: String,
    pub field: String,
    pub title: String,
    pub on: String,
}

/// Dates that may lie in the future, of every kind, from today on, the nearest first; one statement. What is seen is chosen before the nearest
/// are, so that nothing hidden takes a place.
pub fn ahead<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, today: &str, most: i64) -> Result<Vec<Ahead>> {
    let kinds = super::kinds().iter().filter(|kind| access.scope().allows_kind(kind.name));
    let fields = kinds.flat_map(|kind| {
        let dates = kind.fields.iter().filter(|f| f.future && f.is_date() && f.place == super::field::Place::Detail);
        dates.map(move |field| (kind, field.name))
    });
    let mut statement: Statement<(Text, Text, Text, Text, Text)> = Statement::new("SELECT a.id, a.kind, a.field, a.title, a.day FROM (");
    let mut between = "";
    for (kind, name) in fields {
        // Names come from the field tables.
        statement = statement
            .words(format!(
                "{between}SELECT records.id AS id, records.kind AS kind, '{name}' AS field, records.title AS title, d.{name} AS day FROM {} d \
                 JOIN records ON records.id = d.record_id WHERE ",
                kind.table
            ))
            .part(visible(access))
            .words(format!(" AND records.kind = '{}' AND records.deleted_at IS NULL AND d.{name} >= ", kind.name))
            .text(today);
        between = " UNION ALL ";
    }
    if between.is_empty() {
        return Ok(Vec::new());
    }
    Ok(statement.words(") a ORDER BY a.day, a.id LIMIT ").number(most).load(conn)?)
}

/// Several patients' counts and dangerous allergies, for the page of everyone one cares for.
#[derive(Default)]
pub struct Everyone {
    counts: HashMap<(String, String), i64>,
    pub alerts: HashMap<String, Vec<String>>,
}

impl Everyone {
    pub fn count(&self, patient: &str, kind: &str) -> i64 {
        self.counts.get(&(patient.to_owned(), kind.to_owned())).copied().unwrap_or_default()
    }
}

/// Two statements for any number of patients.
pub fn everyone(conn: &mut Conn, accesses: &Accesses) -> Result<Everyone> {
    let Some(today) = accesses.list.first().map(|access| access.now.date()) else { return Ok(Everyone::default()) };
    let seen = || {
        let mut any: Condition = Box::new(worded::<Bool>("1 = 0"));
        for access in &accesses.list {
            any = Box::new(any.or(visible(access)));
        }
        any
    };
    let rows: Vec<(String, String, i64)> = records::table
        .filter(seen())
        .filter(records::deleted_at.is_null())
        .filter(going_on(today))
        .group_by((records::patient_id, records::kind))
        .select((records::patient_id, records::kind, count_star()))
        .load(conn)?;
    let severe = worded::<Bool>(
        "EXISTS (SELECT 1 FROM allergies d WHERE d.record_id = records.id AND d.severity IN ('severe', 'life-threatening'))",
    );
    let alerts: Vec<(String, String)> = records::table
        .filter(seen())
        .filter(records::kind.eq("allergies"))
        .filter(records::deleted_at.is_null())
        .filter(going_on(today))
        .filter(severe)
        .order(records::title)
        .select((records::patient_id, records::title))
        .load(conn)?;
    let mut all = Everyone { counts: rows.into_iter().map(|(p, k, n)| ((p, k), n)).collect(), ..Everyone::default() };
    for (patient, title) in alerts {
        all.alerts.entry(patient).or_default().push(title);
    }
    Ok(all)
}
