//! Vital signs: what was measured at one moment of one visit is one record.

use std::collections::HashMap;

use serde_json::Value;

use super::super::draft::{LeftoverReason, ProblemKind};
use super::book::Entry;
use super::codes;
use super::desk::Desk;
use super::json;
use super::observation;
use super::sheet::Sheet;
use super::values;
use crate::records::{self, base_number, field::Input};

/// A column of `vitals` and the units that it may hold, each with the spelling of the column. A column without a unit column has one unit.
struct Slot {
    column: &'static str,
    unit_column: Option<&'static str>,
    units: &'static [(&'static str, &'static str)],
}

const PRESSURE: &[(&str, &str)] = &[("mm[Hg]", ""), ("mmHg", ""), ("mm Hg", "")];
const RATE: &[(&str, &str)] = &[
    ("/min", ""),
    ("{beats}/min", ""),
    ("{Beats}/min", ""),
    ("beats/min", ""),
    ("beats/minute", ""),
    ("bpm", ""),
    ("{breaths}/min", ""),
    ("{Breaths}/min", ""),
    ("breaths/min", ""),
    ("breaths/minute", ""),
    ("1/min", ""),
    ("per minute", ""),
    ("{counts}/min", ""),
];
const TEMPERATURE: &[(&str, &str)] = &[
    ("Cel", "C"),
    ("C", "C"),
    ("°C", "C"),
    ("degC", "C"),
    ("Celsius", "C"),
    ("[degF]", "F"),
    ("F", "F"),
    ("°F", "F"),
    ("degF", "F"),
    ("Fahrenheit", "F"),
];
const WEIGHT: &[(&str, &str)] =
    &[("kg", "kg"), ("g", "g"), ("[lb_av]", "lbs"), ("lb", "lbs"), ("lbs", "lbs"), ("pounds", "lbs"), ("[oz_av]", "oz"), ("oz", "oz")];
const LENGTH: &[(&str, &str)] = &[
    ("cm", "cm"),
    ("m", "m"),
    ("[in_i]", "in"),
    ("[in_us]", "in"),
    ("in", "in"),
    ("inch", "in"),
    ("inches", "in"),
    ("[ft_i]", "ft"),
    ("ft", "ft"),
    ("feet", "ft"),
];
const PERCENT: &[(&str, &str)] = &[("%", ""), ("percent", "")];
const MASS_INDEX: &[(&str, &str)] = &[("kg/m2", ""), ("kg/m^2", ""), ("kg/m²", "")];
const SCORE: &[(&str, &str)] = &[("{score}", ""), ("1", ""), ("score", ""), ("/10", ""), ("{0-10}", "")];
const GLUCOSE: &[(&str, &str)] = &[("mg/dL", "mg/dL"), ("mmol/L", "mmol/L")];

fn slot(code: &str) -> Option<Slot> {
    let (column, unit_column, units) = match code {
        "8480-6" | "8459-0" | "8460-8" | "8461-6" => ("systolic_bp", None, PRESSURE),
        "8462-4" | "8453-3" | "8454-1" | "8455-8" => ("diastolic_bp", None, PRESSURE),
        "8867-4" | "8889-8" | "8893-0" | "68999-2" => ("heart_rate", None, RATE),
        "9279-1" => ("respiratory_rate", None, RATE),
        "8310-5" | "8327-9" | "8328-7" | "8329-5" | "8330-3" | "8331-1" | "8332-9" | "8333-7" | "75539-7" | "76011-6" => {
            ("temperature", Some("temperature_unit"), TEMPERATURE)
        }
        "29463-7" | "3141-9" | "3142-7" | "8350-1" | "8351-9" => ("weight", Some("weight_unit"), WEIGHT),
        "8302-2" | "8306-3" | "3137-7" | "3138-5" | "8301-4" => ("height", Some("height_unit"), LENGTH),
        "39156-5" => ("bmi", None, MASS_INDEX),
        "2708-6" | "59408-5" => ("oxygen_saturation", None, PERCENT),
        "72514-3" => ("pain_scale", None, SCORE),
        "4548-4" | "17856-6" => ("a1c", None, PERCENT),
        "2339-0" | "2345-7" | "15074-8" | "14749-6" | "41653-7" | "1558-6" => ("blood_glucose", Some("blood_glucose_unit"), GLUCOSE),
        _ => return None,
    };
    Some(Slot { column, unit_column, units })
}

fn slot_of(holder: &Value) -> Option<Slot> {
    let codes = codes::all(holder.get("code"));
    codes.iter().filter(|code| codes::LOINC.contains(&code.system.as_str())).find_map(|code| slot(&code.code))
}

/// Whether an observation without a category is a vital sign by its code alone. Sugar is also measured in laboratories.
pub fn is_plain_vital(observation: &Value) -> bool {
    let measured = std::iter::once(observation).chain(json::list(observation, "component"));
    measured.filter_map(slot_of).any(|slot| !matches!(slot.column, "a1c" | "blood_glucose"))
}

/// The records in the making.
#[derive(Debug, Default)]
pub struct Groups {
    all: Vec<Group>,
    by_base: HashMap<String, Vec<usize>>,
    /// Observation to group.
    homes: HashMap<usize, usize>,
    /// Headings whose members carry all that was measured.
    headings: Vec<(usize, String)>,
}

#[derive(Debug)]
struct Group {
    key: String,
    patient: String,
    sheet: Sheet,
    parts: Vec<(String, String)>,
}

/// What one observation fills in.
struct Cells {
    cells: Vec<(&'static str, String)>,
    remarks: Vec<Option<String>>,
}

enum Unfit {
    NoColumn,
    Unit(String),
    /// Outside of what the column holds for possible.
    Impossible(String),
}

pub fn read<'a>(desk: &mut Desk<'a>, index: usize, entry: &'a Entry<'a>, patient: &str) {
    match cells(entry.resource) {
        Ok(cells) => add(desk, index, entry, patient, cells),
        Err(Unfit::Unit(unit)) => {
            desk.problem(ProblemKind::UnknownUnit(unit));
            observation::plain(desk, index, entry, patient);
        }
        Err(Unfit::Impossible(value)) => {
            desk.problem(ProblemKind::Impossible(value));
            desk.leftover(index, LeftoverReason::Impossible);
        }
        Err(Unfit::NoColumn) if !json::list(entry.resource, "hasMember").is_empty() && values::of(entry.resource).is_none() => {
            desk.vitals.headings.push((index, patient.to_owned()));
        }
        Err(Unfit::NoColumn) => observation::plain(desk, index, entry, patient),
    }
}

/// All columns that an observation fills, or why it cannot be a vital sign. A wrong unit spoils the whole: half a blood pressure misleads.
fn cells(observation: &Value) -> Result<Cells, Unfit> {
    let mut found = Cells { cells: Vec::new(), remarks: Vec::new() };
    for holder in std::iter::once(observation).chain(json::list(observation, "component")) {
        let slot = slot_of(holder).filter(|_| holder.get("valueQuantity").is_some());
        match slot {
            Some(slot) => fill(&mut found.cells, &slot, holder)?,
            None if std::ptr::eq(holder, observation) => {
                if values::of(holder).is_some() {
                    return Err(Unfit::NoColumn);
                }
            }
            None => found.remarks.push(observation::component_words(holder)),
        }
    }
    if found.cells.is_empty() { Err(Unfit::NoColumn) } else { Ok(found) }
}

fn fill(cells: &mut Vec<(&'static str, String)>, slot: &Slot, holder: &Value) -> Result<(), Unfit> {
    let value = values::of(holder).ok_or(Unfit::NoColumn)?;
    if cells.iter().any(|(column, _)| *column == slot.column) {
        return Err(Unfit::NoColumn);
    }
    let spellings = [value.unit_code.clone(), value.unit.clone()];
    let known = spellings.iter().flatten().find_map(|unit| slot.units.iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(unit)));
    let unit = match known {
        Some((_, name)) => *name,
        // A column with one unit needs none told.
        None if slot.unit_column.is_none() && spellings.iter().all(Option::is_none) => "",
        None => return Err(Unfit::Unit(spellings.into_iter().rev().flatten().next().unwrap_or_default())),
    };
    if is_impossible(slot, &value.text, unit) {
        return Err(Unfit::Impossible(value.with_unit()));
    }
    cells.push((slot.column, value.text));
    if let Some(column) = slot.unit_column {
        cells.push((column, unit.to_owned()));
    }
    Ok(())
}

/// By the bounds of the form: what a person may not write there is no value of a chart, whoever says so.
fn is_impossible(slot: &Slot, text: &str, unit: &str) -> bool {
    let spec = records::kind("vitals").and_then(|kind| kind.field(slot.column)).map(|(_, spec)| spec);
    let Some(Input::Measured(measure)) = spec.map(|spec| spec.input) else { return false };
    let unit = (!unit.is_empty()).then_some(unit);
    let (low, high) = measure.possible;
    base_number(text, unit).is_some_and(|number| number < low || number > high)
}

fn add<'a>(desk: &mut Desk<'a>, index: usize, entry: &'a Entry<'a>, patient: &str, cells: Cells) {
    let observation = entry.resource;
    let time = observation::effective(desk, observation);
    let mut fresh = Sheet::new("vitals");
    desk.visit(&mut fresh, observation);
    fresh.practitioner = desk.practitioner(observation, [observation.get("performer")]);
    let visit = fresh.links.first().map_or_else(|| patient.to_owned(), |link| link.to.clone());
    // Without a time nothing says that two measurements belong together.
    let base = time.as_ref().map_or_else(|| format!("Vitals/{}", entry.key), |time| format!("Vitals/{visit}/{time}"));
    fresh.put("recorded_date", time);
    let at = place(&mut desk.vitals, &base, patient, fresh, &cells);
    if let Some(group) = desk.vitals.all.get_mut(at) {
        fill_group(group, entry, cells);
    }
    desk.vitals.homes.insert(index, at);
    desk.mark_placed(index);
}

/// The first record of this moment that has room, or a new one.
fn place(groups: &mut Groups, base: &str, patient: &str, fresh: Sheet, cells: &Cells) -> usize {
    let here = groups.by_base.entry(base.to_owned()).or_default();
    let room = |group: &Group| group.patient == patient && cells.cells.iter().all(|(column, _)| !group.sheet.has(column));
    // Only the last few: a monitor that wrote a thousand values for one moment must not be compared with itself a million times.
    let free = here.iter().rev().take(8).rev().find(|at| groups.all.get(**at).is_some_and(room)).copied();
    free.unwrap_or_else(|| {
        let key = if here.is_empty() { base.to_owned() } else { format!("{base}/{}", here.len() + 1) };
        let at = groups.all.len();
        here.push(at);
        groups.all.push(Group { key, patient: patient.to_owned(), sheet: fresh, parts: Vec::new() });
        at
    })
}

fn fill_group(group: &mut Group, entry: &Entry<'_>, cells: Cells) {
    let observation = entry.resource;
    for (column, text) in cells.cells {
        group.sheet.put(column, Some(text));
    }
    for remark in cells.remarks {
        group.sheet.note(remark);
    }
    group.sheet.put("sensitivity", codes::sensitivity(observation));
    group.sheet.code(observation.get("code"));
    let fasting = codes::all(observation.get("code")).iter().any(|code| code.code == "1558-6");
    group.sheet.put("glucose_context", fasting.then_some("fasting"));
    group.sheet.put("device_used", json::text_at(observation, &["device", "display"]));
    group.sheet.labelled("body site", codes::name(observation.get("bodySite")));
    group.sheet.annotations(observation);
    group.parts.push((entry.kind.clone(), entry.key.clone()));
}

/// Files the groups once every observation is known.
pub fn file(desk: &mut Desk<'_>) {
    let mut groups = std::mem::take(&mut desk.vitals);
    let book = desk.book;
    for (index, patient) in std::mem::take(&mut groups.headings) {
        let Some(entry) = book.entry(index) else { continue };
        desk.turn_to(entry);
        let members = json::list(entry.resource, "hasMember").iter();
        let home =
            members.filter_map(|member| desk.entry_of(entry.resource, member, &["Observation"])).find_map(|at| groups.homes.get(&at));
        match home.and_then(|at| groups.all.get_mut(*at)).filter(|group| group.patient == patient) {
            Some(group) => {
                group.parts.push((entry.kind.clone(), entry.key.clone()));
                group.sheet.annotations(entry.resource);
                desk.mark_placed(index);
            }
            None => observation::plain(desk, index, entry, &patient),
        }
    }
    for group in groups.all {
        desk.file(&group.key, "Observation", &group.patient, group.sheet, group.parts);
    }
}
