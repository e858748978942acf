//! From what was typed, sent or told to a checked entry: one way for forms, API, imports and restored versions.

use std::collections::HashSet;

use diesel::{OptionalExtension, prelude::*};

use super::{
    AnyRecord, Context, Kind,
    field::{Errors, FieldError, FieldSpec, Input, Mode, Place, Unit, refuse},
    linked, people,
    query::visible,
    schema::{record_links, records},
    stored::{base_number, convertible_unit},
};
use crate::{
    access::{Level, PatientAccess},
    dates::{PartialDate, end_before_start},
    db::{Conn, types::RecordId},
    directory::{Listed, Pharmacy, Practitioner},
    error::Result,
    measured::Measured,
    units,
};

/// Values by name, not yet looked at.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    pub fields: Vec<(String, String)>,
    /// `None` leaves the children as they are.
    pub children: Option<Vec<Vec<(String, String)>>>,
}

/// Which units a number without one is in: the source document's, or what the person chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UnitSystem {
    #[default]
    Imperial,
    Metric,
}

impl UnitSystem {
    pub fn parse(word: &str) -> Self {
        if word == "metric" { Self::Metric } else { Self::Imperial }
    }
    /// The unit proposed for a unit column.
    pub fn unit(self, column: &str) -> Option<&'static str> {
        let (imperial, metric) = match column {
            "weight_unit" => ("lbs", "kg"),
            "height_unit" => ("in", "cm"),
            "temperature_unit" => ("F", "C"),
            "blood_glucose_unit" => ("mg/dL", "mmol/L"),
            _ => return None,
        };
        Some(if self == Self::Metric { metric } else { imperial })
    }
}

/// Puts the values into the entry, as far as each can be read. Unknown and repeated names are errors.
pub fn fill(kind: &Kind, entry: &mut dyn AnyRecord, raw: &Raw, mode: Mode) -> Errors {
    let mut errors = Errors::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, text) in &raw.fields {
        let result = match kind.field(name) {
            _ if seen.contains(&name.as_str()) => Err(FieldError::Repeated),
            // What stands there already is not typed: `1,234` of a laboratory means what it meant.
            Some((index, _)) => entry.set(index, text, if entry.get(index).as_ref() == Some(text) { Mode::Strict } else { mode }),
            None => Err(FieldError::UnknownField),
        };
        seen.push(name);
        errors.extend(result.err().map(|error| (name.clone(), error)));
    }
    if let (Some(children), Some(rows)) = (&kind.children, &raw.children) {
        let cells = (0..entry.child_count()).flat_map(|row| (0..children.fields.len()).map(move |index| (row, index)));
        let stored: HashSet<(usize, String)> = cells.filter_map(|(row, index)| Some((index, entry.child(row, index)?))).collect();
        entry.renew_children(rows.len());
        for (row, values) in rows.iter().enumerate() {
            for (name, text) in values {
                let result = match children.fields.iter().position(|f| f.name == name) {
                    Some(index) if stored.contains(&(index, text.replace("\r\n", "\n"))) => entry.set_child(row, index, text, Mode::Strict),
                    Some(index) => entry.set_child(row, index, text, mode),
                    None => Err(FieldError::UnknownField),
                };
                errors.extend(result.err().map(|error| (format!("{}.{row}.{name}", children.name), error)));
            }
        }
    }
    errors
}

/// A new record that leaves a field out gets the field's default; what was told empty stays empty. Where the day is told on which something
/// was finished, it is finished.
pub fn complete_defaults(kind: &Kind, entry: &mut dyn AnyRecord, raw: &Raw) {
    let told = |name: &str| raw.fields.iter().any(|(told, _)| told == name);
    for (index, spec) in kind.fields.iter().enumerate().filter(|(_, spec)| !told(spec.name)) {
        let Some(default) = spec.default else { continue };
        let finished =
            kind.finished.filter(|(field, _)| spec.name == "status" && kind.field(field).is_some_and(|(i, _)| entry.get(i).is_some()));
        // The words are the field's own, so this cannot fail.
        let _ = entry.set(index, finished.map_or(default, |(_, word)| word), Mode::Strict);
    }
}

/// A measured value without a unit gets the proposed one; a unit without a value goes.
pub fn complete_units(kind: &Kind, entry: &mut dyn AnyRecord, system: UnitSystem) {
    for (index, spec) in kind.fields.iter().enumerate() {
        let Some(Unit::Column(column)) = spec.unit() else { continue };
        let Some((unit_index, _)) = kind.field(column) else { continue };
        let told = match (entry.get(index), entry.get(unit_index)) {
            (Some(_), None) => system.unit(column),
            (None, Some(_)) => Some(""),
            _ => None,
        };
        if let Some(unit) = told {
            // The units are words of the column's own choice, so this cannot fail.
            let _ = entry.set(unit_index, unit, Mode::Strict);
        }
    }
}

/// A number that came without a unit stays without one when the record is saved again: nobody told one.
pub fn keep_unitless(kind: &Kind, entry: &mut dyn AnyRecord, before: &dyn AnyRecord, raw: &Raw) {
    for (index, spec) in kind.fields.iter().enumerate() {
        let Some(Unit::Column(column)) = spec.unit() else { continue };
        let Some((unit, _)) = kind.field(column) else { continue };
        let told = raw.fields.iter().any(|(name, text)| name == column && !text.is_empty());
        if !told && before.get(unit).is_none() && entry.get(index) == before.get(index) {
            let _ = entry.set(unit, "", Mode::Strict);
        }
    }
}

/// Every rule that needs more than the text of one field: required, dates against today and birth, ranges, the kind's own.
pub fn settle(kind: &Kind, entry: &mut dyn AnyRecord, before: Option<&dyn AnyRecord>, context: &Context<'_>, errors: &mut Errors) {
    for (index, spec) in kind.fields.iter().enumerate() {
        if errors.iter().any(|(name, _)| name == spec.name) {
            continue;
        }
        let value = entry.get(index);
        let was = before.and_then(|b| b.get(index));
        let found = match &value {
            // An import may have left it empty; an edit of something else doesn't force it.
            None => (context.strict && spec.required && before.is_none_or(|_| was.is_some())).then_some(FieldError::Required),
            Some(text) if was.as_ref() == Some(text) => None,
            Some(text) => {
                let unit = convertible_unit(spec, &kind.fields, |i| entry.get(i));
                check_value(spec, text, unit.as_deref(), context)
            }
        };
        errors.extend(found.map(|error| (spec.name.to_owned(), error)));
    }
    let rows = before.map(|before| pair_rows(kind, entry, before)).unwrap_or_default();
    settle_children(kind, entry, before, &rows, context, errors);
    settle_kind(kind, entry, before, &rows, context, errors);
}

/// Which row of the record as it was a row comes from, and whether nothing in it was changed.
#[derive(Clone, Copy)]
struct Was {
    row: usize,
    same: bool,
}

/// Rows have no names, and a form closes up over a row that was emptied: equal rows belong together, the others in their order, if they have
/// something in common.
fn pair_rows(kind: &Kind, entry: &dyn AnyRecord, before: &dyn AnyRecord) -> Vec<Option<Was>> {
    let Some(children) = &kind.children else { return Vec::new() };
    let values = |of: &dyn AnyRecord, row: usize| (0..children.fields.len()).map(|i| of.child(row, i)).collect::<Vec<_>>();
    let mut old: Vec<(usize, Vec<Option<String>>)> = (0..before.child_count()).map(|row| (row, values(before, row))).collect();
    let new: Vec<Vec<Option<String>>> = (0..entry.child_count()).map(|row| values(entry, row)).collect();
    let mut take = |fits: &dyn Fn(&[Option<String>]) -> bool, same: bool| {
        let place = old.iter().position(|(_, values)| fits(values))?;
        Some(Was { row: old.remove(place).0, same })
    };
    let mut pairs: Vec<Option<Was>> = new.iter().map(|values| take(&|known| known == values.as_slice(), true)).collect();
    let alike = |a: &[Option<String>], b: &[Option<String>]| a.iter().zip(b).any(|(a, b)| a.is_some() && a == b);
    for (values, pair) in new.iter().zip(&mut pairs).filter(|(_, pair)| pair.is_none()) {
        *pair = take(&|known| alike(known, values), false);
    }
    pairs
}

/// The kind's own rules. What broke one already, because another system told it so, doesn't hinder an edit; and what follows from values that
/// nobody touched stays as it was told.
fn settle_kind(
    kind: &Kind,
    entry: &mut dyn AnyRecord,
    before: Option<&dyn AnyRecord>,
    rows: &[Option<Was>],
    context: &Context<'_>,
    errors: &mut Errors,
) {
    if before.is_some_and(|before| is_untouched(kind, entry, before, rows)) {
        return;
    }
    let mut found = Errors::new();
    entry.settle(context, &mut found);
    let mut known = Errors::new();
    if let Some(before) = before {
        before.boxed_clone().settle(context, &mut known);
        restore_rows(kind, entry, before, rows);
    }
    for (name, error) in found {
        let earlier = earlier_path(kind, rows, &name);
        let follows = matches!(error, FieldError::Missing(_)) && errors.iter().any(|(_, error)| !error.is_question());
        if !follows && !known.iter().any(|(path, old)| *path == earlier && *old == error) {
            refuse(errors, &name, error);
        }
    }
    if context.strict
        && ends_before_start(entry)
        && !before.is_some_and(ends_before_start)
        && let Some(name) = kind.ended
    {
        refuse(errors, name, FieldError::EndBeforeStart);
    }
}

/// Is everything that rules look at as it was?
fn is_untouched(kind: &Kind, entry: &dyn AnyRecord, before: &dyn AnyRecord, rows: &[Option<Was>]) -> bool {
    let looked_at = kind.fields.iter().enumerate().filter(|(_, spec)| spec.place != Place::Head || spec.name == "status");
    let in_place = rows.iter().enumerate().all(|(row, was)| was.is_some_and(|was| was.same && was.row == row));
    entry.child_count() == before.child_count() && in_place && looked_at.into_iter().all(|(i, _)| entry.get(i) == before.get(i))
}

/// Rules fill in and correct what they know better; in a row that nobody touched they have no say.
fn restore_rows(kind: &Kind, entry: &mut dyn AnyRecord, before: &dyn AnyRecord, rows: &[Option<Was>]) {
    let Some(children) = &kind.children else { return };
    for (row, was) in rows.iter().enumerate().filter_map(|(row, was)| Some((row, (*was)?))).filter(|(_, was)| was.same) {
        for index in 0..children.fields.len() {
            let told = before.child(was.row, index);
            if entry.child(row, index) != told {
                // It is a value of this very column, so this cannot fail.
                let _ = entry.set_child(row, index, told.as_deref().unwrap_or_default(), Mode::Strict);
            }
        }
    }
}

/// `components.2.value` as it was called before a row above it went away.
fn earlier_path(kind: &Kind, rows: &[Option<Was>], name: &str) -> String {
    let told = kind.children.as_ref().and_then(|children| {
        let (row, column) = name.strip_prefix(children.name)?.strip_prefix('.')?.split_once('.')?;
        let was = (*rows.get(row.parse::<usize>().ok()?)?)?;
        Some(format!("{}.{}.{column}", children.name, was.row))
    });
    told.unwrap_or_else(|| name.to_owned())
}

fn ends_before_start(entry: &dyn AnyRecord) -> bool {
    matches!((date(entry.occurred_on()), date(entry.ended_on())), (Some(start), Some(end)) if end_before_start(&start, &end))
}

/// Each value of each row; what an import left out or told oddly is not held against who changes something else.
fn settle_children(
    kind: &Kind,
    entry: &dyn AnyRecord,
    before: Option<&dyn AnyRecord>,
    rows: &[Option<Was>],
    context: &Context<'_>,
    errors: &mut Errors,
) {
    let Some(children) = &kind.children else { return };
    for row in 0..entry.child_count() {
        let was = rows.get(row).copied().flatten();
        for (index, spec) in children.fields.iter().enumerate() {
            let path = format!("{}.{row}.{}", children.name, spec.name);
            if errors.iter().any(|(name, _)| *name == path) {
                continue;
            }
            let value = entry.child(row, index);
            if was.zip(before).is_some_and(|(was, before)| before.child(was.row, index) == value) {
                continue;
            }
            let found = match value {
                None => (context.strict && spec.required).then_some(FieldError::Required),
                Some(text) => check_value(spec, &text, None, context),
            };
            errors.extend(found.map(|error| (path, error)));
        }
    }
}

fn date(text: Option<String>) -> Option<PartialDate> {
    PartialDate::parse_strict(&text?).ok()
}

fn check_value(spec: &FieldSpec, text: &str, unit: Option<&str>, context: &Context<'_>) -> Option<FieldError> {
    if !context.strict {
        return None;
    }
    match spec.input {
        Input::Date => {
            let date = PartialDate::parse_strict(text).ok()?;
            if !spec.future && date.is_after_today(context.today) {
                return Some(FieldError::InTheFuture);
            }
            context.birth.is_some_and(|birth| end_before_start(birth, &date)).then_some(FieldError::Question("error.before_birth"))
        }
        Input::Measured(measure) => {
            let number = base_number(text, unit)?;
            let outside = |(low, high): (f64, f64)| number < low || number > high;
            if outside(measure.possible) {
                let (min, max) = measure.possible;
                return Some(FieldError::OutOfRange { min: in_unit(min, unit), max: in_unit(max, unit) });
            }
            let (low, high) = measure.plausible;
            outside(measure.plausible).then(|| FieldError::Implausible { low: in_unit(low, unit), high: in_unit(high, unit) })
        }
        _ => None,
    }
}

/// A bound, which is in the base unit, in the unit the person writes.
fn in_unit(bound: f64, unit: Option<&str>) -> String {
    let text = bound.to_string();
    let wanted = unit.and_then(units::Unit::find);
    wanted.and_then(|wanted| units::convert(&Measured::parse_strict(&text).ok()?, wanted.base(), wanted)).unwrap_or(text)
}

/// Do the things it points at exist where this person may point? Told as "no such", whether they are absent or hidden.
pub fn check_references<L: Level>(
    conn: &mut Conn,
    access: &PatientAccess<L>,
    kind: &Kind,
    entry: &dyn AnyRecord,
    own: Option<&RecordId>,
) -> Result<Errors> {
    references(conn, access, kind, entry, own, true)
}

/// The same for what the program itself has kept of the record (a version, an import's offer): there the names need only exist.
pub fn check_kept_references<L: Level>(
    conn: &mut Conn,
    access: &PatientAccess<L>,
    kind: &Kind,
    entry: &dyn AnyRecord,
    own: Option<&RecordId>,
) -> Result<Errors> {
    references(conn, access, kind, entry, own, false)
}

fn references<L: Level>(
    conn: &mut Conn,
    access: &PatientAccess<L>,
    kind: &Kind,
    entry: &dyn AnyRecord,
    own: Option<&RecordId>,
    chosen: bool,
) -> Result<Errors> {
    let mut errors = Errors::new();
    for (index, spec) in kind.fields.iter().enumerate() {
        let Some(text) = entry.get(index) else { continue };
        let missing = match spec.input {
            Input::Practitioner => {
                let fits = if chosen {
                    people::may_name_practitioner(conn, access, &text)?
                } else {
                    !Practitioner::names_of(conn, &[text])?.is_empty()
                };
                (!fits).then_some(FieldError::NoSuchPractitioner)
            }
            Input::Pharmacy => {
                let fits =
                    if chosen { people::may_name_pharmacy(conn, access, &text)? } else { !Pharmacy::names_of(conn, &[text])?.is_empty() };
                (!fits).then_some(FieldError::NoSuchPharmacy)
            }
            Input::Patient => {
                let fits = if chosen { linked::may_name(conn, access, kind, own, &text)? } else { linked::exists(conn, &text)? };
                (!fits).then_some(FieldError::NoSuchPatient)
            }
            Input::Record(wanted) if spec.place == Place::Link => {
                let itself = own.is_some_and(|own| own.as_str() == text);
                let fits = !itself && (record_exists(conn, access, &text, Some(wanted))? || is_tied(conn, own, spec.name, &text)?);
                (!fits).then_some(FieldError::NoSuchRecord)
            }
            _ => None,
        };
        errors.extend(missing.map(|error| (spec.name.to_owned(), error)));
    }
    Ok(errors)
}

/// Does the record point there already? Then it may go on doing so, though the other end is hidden from this person or in the trash.
fn is_tied(conn: &mut Conn, own: Option<&RecordId>, relation: &str, to: &str) -> Result<bool> {
    let Some(own) = own else { return Ok(false) };
    let tie = record_links::table.find((own, relation, to)).select(record_links::to_id);
    Ok(tie.first::<RecordId>(conn).optional()?.is_some())
}

/// Is there such a living record of this patient, within the access?
pub fn record_exists<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, id: &str, kind: Option<&str>) -> Result<bool> {
    let Some(id) = RecordId::parse(id) else { return Ok(false) };
    let mut query = records::table.filter(visible(access)).filter(records::id.eq(id)).filter(records::deleted_at.is_null()).into_boxed();
    if let Some(kind) = kind {
        query = query.filter(records::kind.eq(kind.to_owned()));
    }
    Ok(query.select(records::id).first::<RecordId>(conn).optional()?.is_some())
}

/// A text as the field would keep it, for comparing what a source told with what is there.
pub fn canonical(kind: &Kind, name: &str, raw: &str) -> Option<String> {
    let (index, _) = kind.field(name)?;
    let mut blank = (kind.blank)();
    blank.set(index, raw, Mode::Strict).ok()?;
    blank.get(index)
}

/// The unit a person of this system reads such a value in.
pub fn preferred_unit(system: UnitSystem, unit: &str) -> Option<&'static str> {
    let column = match unit {
        "kg" | "lbs" => "weight_unit",
        "cm" | "in" | "m" | "ft" => "height_unit",
        "C" | "F" => "temperature_unit",
        "mg/dL" | "mmol/L" => "blood_glucose_unit",
        _ => return None,
    };
    system.unit(column)
}
