//! What a list can be asked: page, sort, words, filters by column. Parsed against the kind's field table, so no column is ever a request's text.

use chrono::{NaiveDate, NaiveTime};
use diesel::{
    BoolExpressionMethods, BoxableExpression, ExpressionMethods,
    dsl::sql,
    sql_types::{Bool, Double, Integer, Text, Timestamp},
};

use super::{
    Kind,
    field::{Errors, FieldError, FieldSpec, Input, Mode, Place},
    schema::records,
};
use crate::{
    access::{Level, PatientAccess},
    dates::PartialDate,
    db::MultiBackend,
    text::fold,
};

/// A condition on `records` that both databases understand.
pub type Condition = Box<dyn BoxableExpression<records::table, MultiBackend, SqlType = Bool>>;

pub const PER_PAGE: i64 = 50;
pub const MOST_PER_PAGE: i64 = 200;
/// More values than anybody chooses of one column; each one makes the statement deeper.
const MOST_VALUES: usize = 50;
/// Deeper than any family's chart; keeps `page * per_page` far from overflow.
const LAST_PAGE: i64 = 1_000_000;

/// One list as asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListQuery {
    pub page: i64,
    pub per_page: i64,
    /// Column and "descending?".
    pub sort: Option<(&'static str, bool)>,
    pub q: Option<String>,
    pub filters: Vec<(&'static str, Vec<String>)>,
    /// Column, from, to; both ends belong to the range.
    pub ranges: Vec<(&'static str, Option<String>, Option<String>)>,
    pub tags: Vec<String>,
}

/// Header columns that every kind can be sorted or filtered by.
pub const HEADER: &[&str] =
    &["title", "occurred_on", "ended_on", "status", "practitioner_id", "sensitivity", "source", "created_at", "updated_at"];

impl ListQuery {
    /// Reads the query's pairs; a person's dates as they are typed, a program's in ISO. Empty values are "any" (a form sends them all); names no kind knows are an error for programs and
    /// nothing for people, whose old bookmarks should go on working.
    pub fn parse(kind: &'static Kind, pairs: &[(String, String)], mode: Mode) -> Result<Self, Errors> {
        let (query, errors) = Self::read(kind, pairs, mode);
        if errors.is_empty() { Ok(query) } else { Err(errors) }
    }

    /// The same for a page, which shows what is wrong beside what is right.
    pub fn read(kind: &'static Kind, pairs: &[(String, String)], mode: Mode) -> (Self, Errors) {
        let mut query = Self { page: 1, per_page: PER_PAGE, ..Self::default() };
        let mut errors = Errors::new();
        for (name, value) in pairs {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            if let Err(error) = query.take(kind, name, value, mode)
                && (mode == Mode::Strict || error != FieldError::UnknownField)
            {
                errors.push((name.clone(), error));
            }
        }
        (query, errors)
    }

    fn take(&mut self, kind: &'static Kind, name: &str, value: &str, mode: Mode) -> Result<(), FieldError> {
        match name {
            "page" => self.page = number(value, 1, LAST_PAGE)?,
            "per_page" => self.per_page = number(value, 1, MOST_PER_PAGE)?,
            "q" => self.q = Some(value.chars().take(200).collect()),
            "tag" if self.tags.len() >= MOST_VALUES => return Err(FieldError::Rule("error.too_many")),
            "tag" => self.tags.push(fold(value)),
            "sort" => {
                let (column, descending) = value.strip_prefix('-').map_or((value, false), |column| (column, true));
                // A link's other end may be hidden from this person: its title must not show in an order.
                let known = column_name(kind, column).filter(|c| kind.field(c).is_none_or(|(_, f)| !f.points_beyond()));
                let column = known.ok_or(FieldError::UnknownChoice)?;
                self.sort = Some((column, descending));
            }
            _ => return self.take_filter(kind, name, value, mode),
        }
        Ok(())
    }

    fn take_filter(&mut self, kind: &'static Kind, name: &str, value: &str, mode: Mode) -> Result<(), FieldError> {
        if let Some(column) = column_name(kind, name) {
            check_filter(kind, column, value)?;
            match self.filters.iter_mut().find(|(c, _)| *c == column) {
                Some((_, values)) if values.iter().any(|known| known == value) => {}
                Some((_, values)) if values.len() >= MOST_VALUES => return Err(FieldError::Rule("error.too_many")),
                Some((_, values)) => values.push(value.to_owned()),
                None => self.filters.push((column, vec![value.to_owned()])),
            }
            return Ok(());
        }
        let (base, from) = match (name.strip_suffix("_from"), name.strip_suffix("_to")) {
            (Some(base), _) => (base, true),
            (_, Some(base)) => (base, false),
            _ => return Err(FieldError::UnknownField),
        };
        let column = column_name(kind, base).ok_or(FieldError::UnknownField)?;
        let bound = bound(kind, column, value, from, mode)?;
        if !self.ranges.iter().any(|(c, ..)| *c == column) {
            self.ranges.push((column, None, None));
        }
        for (_, low, high) in self.ranges.iter_mut().filter(|(c, ..)| *c == column) {
            *(if from { &mut *low } else { &mut *high }) = Some(bound.clone());
        }
        Ok(())
    }

    pub fn filter(&self, column: &str) -> Option<&str> {
        self.filters.iter().find(|(c, _)| *c == column).and_then(|(_, values)| values.first()).map(String::as_str)
    }

    pub fn is_narrowed(&self) -> bool {
        self.q.is_some() || !self.filters.is_empty() || !self.ranges.is_empty() || !self.tags.is_empty()
    }
}

fn number(value: &str, min: i64, max: i64) -> Result<i64, FieldError> {
    let out = || FieldError::OutOfRange { min: min.to_string(), max: max.to_string() };
    value.parse().ok().filter(|n| (min..=max).contains(n)).ok_or_else(out)
}

/// The column's own text, if the kind or the header has it.
fn column_name(kind: &'static Kind, name: &str) -> Option<&'static str> {
    kind.field(name).map(|(_, spec)| spec.name).or_else(|| HEADER.iter().copied().find(|h| *h == name))
}

/// The header's columns that are moments, not texts: they have ranges, and nobody asks for one by its microsecond.
const MOMENTS: &[&str] = &["created_at", "updated_at"];

/// Can the column be asked for by its value?
pub fn has_filter(column: &str) -> bool {
    !MOMENTS.contains(&column)
}

/// Does "from" and "to" mean something for the column?
pub fn has_range(kind: &Kind, column: &str) -> bool {
    match kind.field(column) {
        Some((_, spec)) => matches!(spec.input, Input::Date | Input::Integer { .. } | Input::Measured(_)),
        None => MOMENTS.contains(&column) || matches!(column, "occurred_on" | "ended_on"),
    }
}

/// Words outside a fixed choice can match nothing: said, instead of an empty list.
fn check_filter(kind: &Kind, column: &str, value: &str) -> Result<(), FieldError> {
    // Whom a record names who may be hidden from this person cannot be found out by asking for them.
    if !has_filter(column) || kind.field(column).is_some_and(|(_, spec)| matches!(spec.input, Input::Patient)) {
        return Err(FieldError::UnknownField);
    }
    match kind.field(column).map(|(_, spec)| spec.input) {
        Some(Input::Choice { words, .. }) if !words.contains(&value) => Err(FieldError::UnknownChoice),
        Some(Input::Integer { .. }) if value.parse::<i32>().is_err() => Err(FieldError::NotWhole),
        Some(Input::Flag) if !matches!(value, "true" | "false") => Err(FieldError::NotYesOrNo),
        _ => Ok(()),
    }
}

/// A bound as the text or number the column is compared with.
fn bound(kind: &Kind, column: &str, value: &str, from: bool, mode: Mode) -> Result<String, FieldError> {
    if !has_range(kind, column) {
        return Err(FieldError::UnknownField);
    }
    let spec = kind.field(column).map(|(_, spec)| spec);
    match spec.map(|s| s.input) {
        Some(Input::Integer { .. }) => value.parse::<i32>().map(|n| n.to_string()).map_err(|_| FieldError::NotWhole),
        Some(Input::Measured(_)) => {
            value.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n.to_string()).ok_or(FieldError::NotANumber)
        }
        _ => {
            let date = match mode {
                Mode::Strict => PartialDate::parse_strict(value),
                Mode::Typed(typing) => PartialDate::parse_typed(value, typing),
            }?;
            if MOMENTS.contains(&column) {
                return Ok(if from { date.earliest_day() } else { date.latest_day() }.to_string());
            }
            Ok(if from { date.range_start_text().to_owned() } else { date.range_end_text() })
        }
    }
}

/// What this access lets be seen, as a condition: the one place where scope meets SQL.
pub fn visible<L: Level>(access: &PatientAccess<L>) -> Condition {
    let mut condition: Condition = Box::new(records::patient_id.eq(access.id().clone()));
    let scope = access.scope();
    if let Some(kinds) = &scope.kinds {
        condition = Box::new(condition.and(records::kind.eq_any(kinds.clone())));
    }
    if let Some(tags) = &scope.tags {
        let mut any: Condition = Box::new(sql::<Bool>("1 = 0"));
        for tag in tags {
            any = Box::new(
                any.or(sql::<Bool>("EXISTS (SELECT 1 FROM record_tags rt WHERE rt.record_id = records.id AND rt.tag_id = ")
                    .bind::<Text, _>(tag.clone())
                    .sql(")")),
            );
        }
        condition = Box::new(condition.and(any));
    }
    if let Some(only) = &scope.only {
        condition = Box::new(condition.and(records::id.eq_any(only.clone())));
    }
    if !scope.without.is_empty() {
        condition = Box::new(condition.and(records::sensitivity.ne_all(scope.without.clone())));
    }
    condition
}

/// The list's own conditions.
pub fn narrowed(kind: &'static Kind, query: &ListQuery) -> Vec<Condition> {
    let mut all: Vec<Condition> = Vec::new();
    for (column, values) in &query.filters {
        let mut any: Condition = Box::new(sql::<Bool>("1 = 0"));
        for value in values {
            any = Box::new(any.or(equals(kind, column, value)));
        }
        all.push(any);
    }
    for (column, from, to) in &query.ranges {
        all.extend(from.iter().map(|value| compared(kind, column, ">=", value)));
        all.extend(to.iter().map(|value| compared(kind, column, "<=", value)));
    }
    for tag in &query.tags {
        all.push(Box::new(
            sql::<Bool>(
                "EXISTS (SELECT 1 FROM record_tags rt JOIN tags t ON t.id = rt.tag_id WHERE rt.record_id = records.id AND t.name_folded = ",
            )
            .bind::<Text, _>(tag.clone())
            .sql(")"),
        ));
    }
    all
}

/// How a column is reached from a row of `records`: directly, or through the kind's table.
fn reach(kind: &Kind, column: &str, suffix: &str) -> (String, &'static str) {
    match kind.field(column) {
        Some((_, FieldSpec { place: Place::Detail, name, .. })) => {
            (format!("EXISTS (SELECT 1 FROM {} d WHERE d.record_id = records.id AND d.{name}{suffix}", kind.table), ")")
        }
        Some((_, FieldSpec { place: Place::Link, name, .. })) => {
            (format!("EXISTS (SELECT 1 FROM record_links l WHERE l.from_id = records.id AND l.relation = '{name}' AND l.to_id"), ")")
        }
        _ => (format!("(records.{column}"), ")"),
    }
}

pub(super) fn equals(kind: &Kind, column: &str, value: &str) -> Condition {
    let (start, end) = reach(kind, column, "");
    let start = format!("{start} = ");
    match kind.field(column).map(|(_, spec)| spec.input) {
        Some(Input::Integer { .. }) => Box::new(sql::<Bool>(&start).bind::<Integer, _>(value.parse::<i32>().unwrap_or_default()).sql(end)),
        Some(Input::Flag) => Box::new(sql::<Bool>(&start).bind::<Bool, _>(value == "true").sql(end)),
        _ => Box::new(sql::<Bool>(&start).bind::<Text, _>(value.to_owned()).sql(end)),
    }
}

fn compared(kind: &Kind, column: &str, operator: &str, value: &str) -> Condition {
    if MOMENTS.contains(&column) {
        return moment(column, operator, value);
    }
    let input = kind.field(column).map(|(_, spec)| spec.input);
    let suffix = if matches!(input, Some(Input::Measured(_))) { "_number" } else { "" };
    let (start, end) = reach(kind, column, suffix);
    let start = format!("{start} {operator} ");
    match input {
        Some(Input::Integer { .. }) => Box::new(sql::<Bool>(&start).bind::<Integer, _>(value.parse::<i32>().unwrap_or_default()).sql(end)),
        Some(Input::Measured(_)) => Box::new(sql::<Bool>(&start).bind::<Double, _>(value.parse::<f64>().unwrap_or_default()).sql(end)),
        _ => Box::new(sql::<Bool>(&start).bind::<Text, _>(value.to_owned()).sql(end)),
    }
}

/// A moment against a day: both ends of the range belong to it whole. [`bound`] has made the text.
fn moment(column: &str, operator: &str, value: &str) -> Condition {
    let day: NaiveDate = value.parse().unwrap_or_default();
    let (operator, day) = if operator == "<=" { ("<", day.succ_opt().unwrap_or(day)) } else { (operator, day) };
    Box::new(sql::<Bool>(&format!("records.{column} {operator} ")).bind::<Timestamp, _>(day.and_time(NaiveTime::MIN)))
}

/// `ORDER BY` for a list: what is empty comes last in both directions, and equal rows keep one order.
pub fn order(kind: &Kind, query: &ListQuery) -> String {
    let (column, descending) = query.sort.unwrap_or(("occurred_on", true));
    let direction = if descending { "DESC" } else { "ASC" };
    let expression = match kind.field(column) {
        Some((_, FieldSpec { place: Place::Detail, name, input, .. })) => {
            let (suffix, fold) = match input {
                Input::Measured(_) => ("_number", false),
                Input::Line | Input::Text | Input::Email | Input::Phone => ("", true),
                _ => ("", false),
            };
            let value = if fold { format!("lower(d.{name})") } else { format!("d.{name}{suffix}") };
            format!("(SELECT {value} FROM {} d WHERE d.record_id = records.id)", kind.table)
        }
        _ => match column {
            "practitioner_id" => "(SELECT lower(p.name) FROM practitioners p WHERE p.id = records.practitioner_id)".to_owned(),
            "title" => "lower(records.title)".to_owned(),
            other => format!("records.{other}"),
        },
    };
    format!("{expression} {direction} NULLS LAST, records.id {direction}")
}
