//! Medications: prescriptions and what a patient says to take. How to take it is written out in words; no word of the source is dropped.

use serde_json::Value;

use super::super::draft::LeftoverReason;
use super::book::Entry;
use super::codes::{self, Absence};
use super::desk::{self, Desk};
use super::json;
use super::sheet::{Reading, Sheet};
use super::values;

pub fn request<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let request = entry.resource;
    // "Do not give this" must never look like a medication.
    if json::flag(request, "doNotPerform") == Some(true) {
        return Reading::Kept(LeftoverReason::NotUnderstood);
    }
    let mut sheet = match start(desk, request) {
        Ok(sheet) => sheet,
        Err(reading) => return reading,
    };
    sheet.put("medication_type", Some("prescription"));
    let dosage = json::list(request, "dosageInstruction");
    let starts: &[&[&str]] = &[&["authoredOn"], &["dosageInstruction", "timing", "repeat", "boundsPeriod", "start"]];
    sheet.put("effective_period_start", desk.first_date(request, starts));
    let end = desk.date(request, &["dosageInstruction", "timing", "repeat", "boundsPeriod", "end"]);
    sheet.put("effective_period_end", end);
    sheet.practitioner = desk.practitioner(request, [request.get("requester"), request.get("recorder")]);
    dispenser(desk, &mut sheet, request);
    finish(desk, sheet, request, dosage)
}

pub fn statement<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let statement = entry.resource;
    let mut sheet = match start(desk, statement) {
        Ok(sheet) => sheet,
        Err(reading) => return reading,
    };
    let starts: &[&[&str]] = &[&["effectivePeriod", "start"], &["effectiveDateTime"]];
    sheet.put("effective_period_start", desk.first_date(statement, starts));
    sheet.put("effective_period_end", desk.date(statement, &["effectivePeriod", "end"]));
    sheet.practitioner = desk.practitioner(statement, [statement.get("informationSource")]);
    finish(desk, sheet, statement, json::list(statement, "dosage"))
}

/// Name, codes and status.
fn start<'a>(desk: &mut Desk<'a>, resource: &'a Value) -> Result<Sheet, Reading> {
    let mut sheet = Sheet::new("medications");
    let concept = concept(desk, &mut sheet, resource);
    match codes::absence(concept) {
        Some(Absence::NoneKnown) => return Err(Reading::NoneKnown("medications")),
        Some(Absence::NoInformation) => return Err(Reading::Kept(LeftoverReason::NotUnderstood)),
        None => {}
    }
    if !sheet.has("medication_name") {
        sheet.put("medication_name", codes::name(concept));
    }
    sheet.code(concept);
    let told = json::text(resource, "status");
    sheet.put("status", told.as_deref().and_then(status));
    // A draft has not been signed: on hold is the nearest, and the word itself is kept.
    sheet.labelled("status", told.filter(|word| matches!(word.as_str(), "draft" | "intended" | "not-taken" | "unknown")));
    Ok(sheet)
}

fn status(word: &str) -> Option<&'static str> {
    match word {
        "active" => Some("active"),
        "on-hold" | "draft" | "intended" => Some("on-hold"),
        "cancelled" => Some("cancelled"),
        "completed" => Some("completed"),
        "stopped" | "not-taken" => Some("stopped"),
        _ => None,
    }
}

/// The coded medication, in the resource itself or in the one it refers to.
fn concept<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, resource: &'a Value) -> Option<&'a Value> {
    if let Some(concept) = resource.get("medicationCodeableConcept") {
        return Some(concept);
    }
    let reference = resource.get("medicationReference").or_else(|| json::get(resource, &["medication", "reference"]))?;
    let Some((medication, index)) = desk.behind(resource, reference) else {
        sheet.put("medication_name", json::text(reference, "display"));
        return None;
    };
    sheet.minor.extend(index);
    let concept = medication.get("code");
    let name = codes::name(concept).or_else(|| json::text(reference, "display")).or_else(|| ingredients(medication));
    sheet.put("medication_name", name);
    sheet.labelled("form", codes::name(medication.get("form")));
    concept
}

fn ingredients(medication: &Value) -> Option<String> {
    let names = json::list(medication, "ingredient").iter().map(|ingredient| {
        let named = codes::name(ingredient.get("itemCodeableConcept"));
        named.or_else(|| json::text_at(ingredient, &["itemReference", "display"]))
    });
    json::joined(names, " + ")
}

fn dispenser<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, request: &'a Value) {
    let Some(reference) = json::get(request, &["dispenseRequest", "performer"]) else { return };
    if let Some(index) = desk.entry_of(request, reference, &["Organization"]) {
        desk.dispensers.insert(index);
        sheet.pharmacy = desk.key(index);
    }
}

fn finish<'a>(desk: &mut Desk<'a>, mut sheet: Sheet, resource: &'a Value, dosage: &[Value]) -> Reading {
    doses(&mut sheet, dosage);
    let reason = desk::reasons(desk, &mut sheet, resource, "related");
    sheet.put("indication", reason);
    sheet.labelled("stopped because", codes::names(json::list(resource, "statusReason"), ", "));
    desk.visit(&mut sheet, resource);
    sheet.annotations(resource);
    super::named(sheet, "medication_name")
}

/// The first instruction fills the columns; what they cannot hold, and every further instruction, is written into the notes.
fn doses(sheet: &mut Sheet, instructions: &[Value]) {
    let Some(first) = instructions.first() else { return };
    let text = json::paragraph(first, "text");
    let (dose, often) = (amount(first), timing(first));
    let text_is_shown = dose.is_none() || often.is_none();
    let from_text = if dose.is_some() { text.clone() } else { None };
    sheet.put("dosage", dose.or_else(|| text.clone()));
    sheet.put("frequency", often.or(from_text).or_else(|| as_needed(first)));
    sheet.put("route", codes::name(first.get("route")));
    sheet.note(text.filter(|_| !text_is_shown));
    details(sheet, first);
    for further in instructions.iter().skip(1) {
        let words = [
            json::paragraph(further, "text"),
            amount(further),
            timing(further).or_else(|| as_needed(further)),
            codes::name(further.get("route")),
        ];
        sheet.note(json::joined(words, ", "));
        details(sheet, further);
    }
}

fn details(sheet: &mut Sheet, dosage: &Value) {
    sheet.note(json::paragraph(dosage, "patientInstruction"));
    sheet.note(codes::names(json::list(dosage, "additionalInstruction"), "\n"));
    let code = json::text_at(dosage, &["timing", "code", "text"]);
    sheet.labelled("timing", code.filter(|_| json::get(dosage, &["timing", "repeat"]).and_then(times).is_some()));
    sheet.labelled("site", codes::name(dosage.get("site")));
    sheet.labelled("method", codes::name(dosage.get("method")));
    sheet.labelled("at most", values::ratio_words(dosage.get("maxDosePerPeriod")));
    sheet.labelled("at most", values::quantity_words(dosage.get("maxDosePerAdministration")));
}

/// `1 tablet`, `5 - 10 mg`, with the rate beside it.
fn amount(dosage: &Value) -> Option<String> {
    // STU3 keeps the dose outside of `doseAndRate`.
    let holders = json::list(dosage, "doseAndRate").iter().chain(std::iter::once(dosage));
    let words = holders.map(|holder| {
        let dose = values::quantity_words(holder.get("doseQuantity")).or_else(|| values::range_words(holder.get("doseRange")));
        let rate = values::ratio_words(holder.get("rateRatio"))
            .or_else(|| values::range_words(holder.get("rateRange")))
            .or_else(|| values::quantity_words(holder.get("rateQuantity")));
        json::joined([dose, rate], ", ")
    });
    json::joined(words, "; ")
}

/// How often, in words; with "as needed" where it is said.
fn timing(dosage: &Value) -> Option<String> {
    let timing = dosage.get("timing")?;
    let repeat = timing.get("repeat");
    // The code says how often where the pattern says only for how long.
    let code = codes::name(timing.get("code")).map(|code| abbreviation(&code));
    let code = code.filter(|_| repeat.and_then(times).is_none());
    let often = json::joined([code, repeat.and_then(pattern)], ", ");
    let on = json::joined(json::list(timing, "event").iter().map(json::line), ", ");
    let words = often.or(on)?;
    json::joined([Some(words), as_needed(dosage)], ", ")
}

fn as_needed(dosage: &Value) -> Option<String> {
    let reason = codes::name(dosage.get("asNeededCodeableConcept"));
    let plain = json::flag(dosage, "asNeededBoolean") == Some(true);
    reason.map(|reason| format!("as needed for {reason}")).or_else(|| plain.then(|| "as needed".to_owned()))
}

/// The abbreviations that HL7 lists; any other code is shown as it came.
fn abbreviation(code: &str) -> String {
    let words = match code {
        "QD" => "once a day",
        "BID" => "2 times a day",
        "TID" => "3 times a day",
        "QID" => "4 times a day",
        "QOD" => "every 2 days",
        "Q1H" => "every hour",
        "Q2H" => "every 2 hours",
        "Q3H" => "every 3 hours",
        "Q4H" => "every 4 hours",
        "Q6H" => "every 6 hours",
        "Q8H" => "every 8 hours",
        "AM" => "every morning",
        "PM" => "every afternoon",
        "BED" => "at bedtime",
        "WK" => "once a week",
        "MO" => "once a month",
        other => other,
    };
    words.to_owned()
}

fn pattern(repeat: &Value) -> Option<String> {
    let often = times(repeat);
    let when = json::joined(json::list(repeat, "when").iter().map(|code| json::line(code).map(|code| meal_or_hour(&code))), ", ");
    let clock = json::joined(json::list(repeat, "timeOfDay").iter().map(|time| json::line(time).map(|time| hour(&time))), ", ");
    let days = json::joined(json::list(repeat, "dayOfWeek").iter().map(|day| json::line(day).map(|day| weekday(&day).to_owned())), ", ");
    let bounds = values::quantity_words(repeat.get("boundsDuration")).or_else(|| values::range_words(repeat.get("boundsRange")));
    let count = json::whole(repeat, "count").map(|n| if n == "1" { "1 time".to_owned() } else { format!("{n} times in all") });
    let parts = [
        often,
        when,
        clock.map(|clock| format!("at {clock}")),
        days.map(|days| format!("on {days}")),
        count,
        bounds.map(|bounds| format!("for {bounds}")),
    ];
    json::joined(parts, ", ")
}

/// `3 times a day`, `every 8 hours`, `1 to 2 times every 3 days`.
fn times(repeat: &Value) -> Option<String> {
    let count_of = |key: &str| json::digits(repeat, key).map(|digits| plain_count(&digits).to_owned());
    let (frequency, most) = (count_of("frequency"), count_of("frequencyMax"));
    let (period, longest) = (count_of("period"), count_of("periodMax"));
    let unit = json::text(repeat, "periodUnit");
    let span = match (&period, &longest, unit.as_deref().map(span_name)) {
        (Some(one), None, Some((name, _))) if one == "1" => Some(format!("a {name}")),
        (Some(few), None, Some((_, names))) => Some(format!("every {few} {names}")),
        (Some(few), Some(most), Some((_, names))) => Some(format!("every {few} to {most} {names}")),
        _ => None,
    };
    let count = match (frequency, most) {
        (Some(few), Some(most)) => Some(format!("{few} to {most} times")),
        (None, Some(most)) => Some(format!("up to {most} times")),
        (Some(one), None) if one == "1" => span.as_ref().is_some_and(|span| span.starts_with("a ")).then(|| "once".to_owned()),
        (Some(few), None) => Some(format!("{few} times")),
        (None, None) => span.as_ref().is_some_and(|span| span.starts_with("a ")).then(|| "once".to_owned()),
    };
    json::joined([count, span], " ").map(|words| words.replace("a hour", "an hour"))
}

/// `1` of `1.0`: in a sentence a count is a count.
fn plain_count(digits: &str) -> &str {
    match digits.split_once('.') {
        Some((whole, rest)) if rest.bytes().all(|b| b == b'0') => whole,
        _ => digits,
    }
}

fn span_name(unit: &str) -> (&'static str, &'static str) {
    match unit {
        "s" => ("second", "seconds"),
        "min" => ("minute", "minutes"),
        "h" => ("hour", "hours"),
        "wk" => ("week", "weeks"),
        "mo" => ("month", "months"),
        "a" => ("year", "years"),
        _ => ("day", "days"),
    }
}

fn meal_or_hour(code: &str) -> String {
    let words = match code {
        "MORN" => "in the morning",
        "MORN.early" => "early in the morning",
        "MORN.late" => "late in the morning",
        "NOON" => "at noon",
        "AFT" => "in the afternoon",
        "AFT.early" => "early in the afternoon",
        "AFT.late" => "late in the afternoon",
        "EVE" => "in the evening",
        "EVE.early" => "early in the evening",
        "EVE.late" => "late in the evening",
        "NIGHT" => "at night",
        "PHS" => "after falling asleep",
        "HS" => "before sleep",
        "WAKE" => "after waking",
        "C" => "with a meal",
        "CM" => "with breakfast",
        "CD" => "with lunch",
        "CV" => "with dinner",
        "AC" => "before a meal",
        "ACM" => "before breakfast",
        "ACD" => "before lunch",
        "ACV" => "before dinner",
        "PC" => "after a meal",
        "PCM" => "after breakfast",
        "PCD" => "after lunch",
        "PCV" => "after dinner",
        other => other,
    };
    words.to_owned()
}

/// `08:00` of `08:00:00`: the seconds are only there because the type demands them.
fn hour(time: &str) -> String {
    time.strip_suffix(":00").filter(|rest| rest.len() == 5).unwrap_or(time).to_owned()
}

fn weekday(code: &str) -> &str {
    match code {
        "mon" => "Monday",
        "tue" => "Tuesday",
        "wed" => "Wednesday",
        "thu" => "Thursday",
        "fri" => "Friday",
        "sat" => "Saturday",
        "sun" => "Sunday",
        other => other,
    }
}
