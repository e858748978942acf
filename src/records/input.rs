//! From what was typed, sent or told to a checked entry: one way for forms, API, imports and restored versions.

use diesel::{OptionalExtension, prelude::*};

use super::{
    AnyRecord, Context, Kind,
    field::{Errors, FieldError, FieldSpec, Input, Mode, Place, Unit, refuse},
    people,
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
            Some((index, _)) => entry.set(index, text, mode),
            None => Err(FieldError::UnknownField),
        };
        seen.push(name);
        errors.extend(result.err().map(|error| (name.clone(), error)));
    }
    if let (Some(children), Some(rows)) = (&kind.children, &raw.children) {
        entry.renew_children(rows.len());
        for (row, values) in rows.iter().enumerate() {
            for (name, text) in values {
                let result = match children.fields.iter().position(|f| f.name == name) {
                    Some(index) => entry.set_child(row, index, text, mode),
                    None => Err(FieldError::UnknownField),
                };
                errors.extend(result.err().map(|error| (format!("{}.{row}.{name}", children.name), error)));
            }
        }
    }
    errors
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
    settle_children(kind, entry, context, errors);
    settle_kind(kind, entry, before, context, errors);
}

/// The kind's own rules. What broke one already, because another system told it so, doesn't hinder an edit.
fn settle_kind(kind: &Kind, entry: &mut dyn AnyRecord, before: Option<&dyn AnyRecord>, context: &Context<'_>, errors: &mut Errors) {
    let earlier = errors.len();
    entry.settle(context, errors);
    let mut known = Errors::new();
    if let Some(before) = before {
        before.boxed_clone().settle(context, &mut known);
    }
    let found = errors.split_off(earlier);
    errors.extend(found.into_iter().filter(|error| !known.contains(error)));
    if context.strict
        && ends_before_start(entry)
        && !before.is_some_and(ends_before_start)
        && let Some(name) = kind.ended
    {
        refuse(errors, name, FieldError::EndBeforeStart);
    }
}

fn ends_before_start(entry: &dyn AnyRecord) -> bool {
    matches!((date(entry.occurred_on()), date(entry.ended_on())), (Some(start), Some(end)) if end_before_start(&start, &end))
}

fn settle_children(kind: &Kind, entry: &dyn AnyRecord, context: &Context<'_>, errors: &mut Errors) {
    let Some(children) = &kind.children else { return };
    for row in 0..entry.child_count() {
        for (index, spec) in children.fields.iter().enumerate() {
            let path = format!("{}.{row}.{}", children.name, spec.name);
            if errors.iter().any(|(name, _)| *name == path) {
                continue;
            }
            let found = match entry.child(row, index) {
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
