//! Observations that are neither vital signs nor laboratory tests: history, surveys, examinations.

use serde_json::Value;

use super::super::draft::LeftoverReason;
use super::book::Entry;
use super::codes;
use super::desk::Desk;
use super::json;
use super::lab;
use super::sheet::{Reading, Sheet};
use super::values;
use super::vitals;

/// Which of the three kinds of record an observation becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Vital,
    Laboratory,
    Other,
}

pub fn sort(observation: &Value) -> Sort {
    let categories = codes::all(observation.get("category"));
    let has = |word: &str| {
        categories.iter().any(|code| code.code.eq_ignore_ascii_case(word))
            || json::list(observation, "category")
                .iter()
                .any(|concept| json::text(concept, "text").is_some_and(|t| t.eq_ignore_ascii_case(word)))
    };
    if has("vital-signs") || has("vital signs") {
        return Sort::Vital;
    }
    if has("laboratory") || has("LAB") {
        return Sort::Laboratory;
    }
    if !json::list(observation, "category").is_empty() {
        return Sort::Other;
    }
    // Summaries of some nations leave the category out; a blood pressure is a vital sign all the same, and only tests have reference ranges.
    if vitals::is_plain_vital(observation) {
        return Sort::Vital;
    }
    if observation.get("referenceRange").is_some() || observation.get("specimen").is_some() {
        return Sort::Laboratory;
    }
    Sort::Other
}

pub fn read<'a>(desk: &mut Desk<'a>, index: usize, entry: &'a Entry<'a>, patient: &str, owners: &lab::Owners) {
    let observation = entry.resource;
    if codes::name(observation.get("code")).is_none() {
        return desk.leftover(index, LeftoverReason::NotUnderstood);
    }
    if is_recording(observation) {
        return desk.leftover(index, LeftoverReason::NoHomeYet);
    }
    match sort(observation) {
        Sort::Vital => vitals::read(desk, index, entry, patient),
        Sort::Laboratory => lab::observation(desk, index, entry, patient, owners),
        Sort::Other => plain(desk, index, entry, patient),
    }
}

/// Curves and attachments are no text.
fn is_recording(observation: &Value) -> bool {
    ["valueSampledData", "valueAttachment"].iter().any(|key| observation.get(*key).is_some())
}

/// One record of the kind `observations`.
pub fn plain<'a>(desk: &mut Desk<'a>, index: usize, entry: &'a Entry<'a>, patient: &str) {
    let observation = entry.resource;
    let mut sheet = Sheet::new("observations");
    let concept = observation.get("code");
    sheet.code(concept);
    sheet.put("observation_name", codes::name(concept));
    sheet.put("category", category(observation));
    sheet.put("observed_on", effective(desk, observation));
    let code = codes::of(&sheet.codes, codes::LOINC).or_else(|| sheet.codes.first()).map(|code| code.code.clone());
    sheet.put("code", code);
    answer(&mut sheet, observation);
    remarks(&mut sheet, observation);
    members(desk, &mut sheet, observation);
    sheet.practitioner = desk.practitioner(observation, [observation.get("performer")]);
    desk.visit(&mut sheet, observation);
    sheet.annotations(observation);
    let cancelled = json::text(observation, "status").as_deref() == Some("cancelled");
    let reading =
        if cancelled && !sheet.has("value") { Reading::Kept(LeftoverReason::NotUnderstood) } else { Reading::Record(Box::new(sheet)) };
    desk.put(index, entry, patient, reading);
}

/// When it was true; the moment of publishing only where nothing else is told.
pub fn effective(desk: &mut Desk<'_>, observation: &Value) -> Option<String> {
    let places: &[&[&str]] = &[&["effectiveDateTime"], &["effectivePeriod", "start"], &["effectiveInstant"], &["issued"]];
    desk.first_date(observation, places)
}

fn category(observation: &Value) -> Option<&'static str> {
    let first = codes::code(observation.get("category"))?.to_ascii_lowercase();
    Some(match first.as_str() {
        "social-history" => "social_history",
        "survey" => "survey",
        // A vital sign that has no column of its own (head circumference) is a finding of an examination.
        "exam" | "vital-signs" => "exam",
        "activity" => "activity",
        "therapy" => "therapy",
        "procedure" => "procedure",
        "imaging" => "imaging",
        _ => "other",
    })
}

/// The answer itself; several answers are written one after the other with their questions.
fn answer(sheet: &mut Sheet, observation: &Value) {
    let components = json::list(observation, "component");
    if let Some(value) = values::of(observation) {
        sheet.put("value", Some(value.text));
        sheet.put("value_unit", value.unit);
        for component in components {
            sheet.note(component_words(component));
        }
        return;
    }
    let own_reason = values::absent_reason(observation);
    if let ([only], None) = (components, &own_reason)
        && let Some(value) = values::of(only)
    {
        sheet.labelled("measured", codes::name(only.get("code")));
        sheet.put("value", Some(value.text));
        sheet.put("value_unit", value.unit);
        return;
    }
    sheet.labelled("no value", own_reason);
    sheet.put("value", json::joined(components.iter().map(component_words), "; "));
}

/// `Systolic: 120 mm[Hg]`, or why there is no answer.
pub fn component_words(component: &Value) -> Option<String> {
    let name = codes::name(component.get("code"))?;
    let words = values::of(component).map(|value| value.with_unit()).or_else(|| values::absent_reason(component))?;
    Some(format!("{name}: {words}"))
}

/// What the columns of an observation cannot hold.
fn remarks(sheet: &mut Sheet, observation: &Value) {
    sheet.labelled("interpretation", codes::names(json::list(observation, "interpretation"), ", "));
    sheet.labelled("reference range", lab::range_words(observation));
    sheet.labelled("body site", codes::name(observation.get("bodySite")));
    let settled = |status: &String| matches!(status.as_str(), "final" | "amended" | "corrected" | "appended");
    sheet.labelled("status", json::text(observation, "status").filter(|status| !settled(status)));
}

fn members<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, observation: &'a Value) {
    for reference in json::list(observation, "hasMember") {
        let member = desk.entry_of(observation, reference, &["Observation"]);
        if let Some(key) = member.and_then(|index| desk.key(index)) {
            sheet.link("related", key);
        }
    }
}
