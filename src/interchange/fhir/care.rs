//! What was done: visits, procedures, immunizations, plans.

use chrono::DateTime;
use serde_json::Value;

use super::super::draft::LeftoverReason;
use super::book::Entry;
use super::codes::{self, Absence};
use super::desk::{self, Desk};
use super::json;
use super::sheet::{Reading, Sheet};
use super::values;

pub fn encounter<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let visit = entry.resource;
    let mut sheet = Sheet::new("encounters");
    let kind = codes::names(json::list(visit, "type"), ", ");
    let class = class_name(visit);
    // STU3 writes `reason` where R4 has `reasonCode`.
    let reason = desk::reasons(desk, &mut sheet, visit, "condition_id").or_else(|| codes::names(json::list(visit, "reason"), ", "));
    sheet.put("reason", reason.or_else(|| kind.clone()).or_else(|| class.clone()));
    sheet.put("visit_type", kind.or(class));
    sheet.put("date", desk.date(visit, &["period", "start"]));
    let end = desk.date(visit, &["period", "end"]);
    sheet.put("duration_minutes", minutes(visit.get("period")));
    if !sheet.has("duration_minutes") {
        sheet.labelled("until", end);
    }
    sheet.put("status", json::text(visit, "status").as_deref().and_then(encounter_status));
    sheet.put("priority", priority(visit));
    let place = place_of(desk, &mut sheet, visit);
    sheet.put("location", place);
    diagnoses(desk, &mut sheet, visit);
    for concept in ["type", "reasonCode"] {
        sheet.code(visit.get(concept));
    }
    let people = json::list(visit, "participant").iter().map(|one| one.get("individual").or_else(|| one.get("actor")));
    sheet.practitioner = desk.practitioner(visit, people);
    sheet.annotations(visit);
    // A visit without any word about it still happened, and its records refer to it.
    if sheet.has("reason") || sheet.has("date") { Reading::Record(Box::new(sheet)) } else { Reading::Kept(LeftoverReason::NotUnderstood) }
}

fn encounter_status(word: &str) -> Option<&'static str> {
    match word {
        "planned" | "arrived" | "triaged" | "in-progress" | "onleave" => Some("in_progress"),
        "finished" => Some("completed"),
        "cancelled" => Some("cancelled"),
        _ => None,
    }
}

/// The class in words; a coding, and in some files a concept or a plain code.
fn class_name(visit: &Value) -> Option<String> {
    let name = codes::name(visit.get("class"))?;
    Some(match name.as_str() {
        "AMB" => "ambulatory".to_owned(),
        "EMER" => "emergency".to_owned(),
        "IMP" => "inpatient encounter".to_owned(),
        "ACUTE" => "inpatient acute".to_owned(),
        "NONAC" => "inpatient non-acute".to_owned(),
        "OBSENC" => "observation encounter".to_owned(),
        "SS" => "short stay".to_owned(),
        "HH" => "home health".to_owned(),
        "VR" => "virtual".to_owned(),
        _ => name,
    })
}

fn priority(visit: &Value) -> Option<&'static str> {
    let told = codes::code(visit.get("priority"));
    match told.as_deref() {
        Some("EM" | "S" | "STAT") => return Some("emergency"),
        Some("UR" | "A" | "RR") => return Some("urgent"),
        Some("R" | "EL") => return Some("routine"),
        _ => {}
    }
    matches!(codes::code(visit.get("class"))?.as_str(), "EMER" | "emergency").then_some("emergency")
}

/// Where it was: the location, else whose house it was.
fn place_of<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, visit: &'a Value) -> Option<String> {
    let locations = json::list(visit, "location").iter();
    let named = locations.filter_map(|one| desk.facility(sheet, visit, one.get("location"))).collect::<Vec<_>>();
    let provider = desk.facility(sheet, visit, visit.get("serviceProvider"));
    named.into_iter().next().or(provider)
}

fn diagnoses<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, visit: &'a Value) {
    let mut named = Vec::new();
    for diagnosis in json::list(visit, "diagnosis") {
        let Some(reference) = diagnosis.get("condition") else { continue };
        desk.conditions(sheet, visit, std::slice::from_ref(reference), "condition_id");
        named.push(json::text(reference, "display"));
    }
    sheet.put("diagnosis", json::joined(named, ", "));
}

/// Whole minutes between two told times. Days alone have no minutes.
fn minutes(period: Option<&Value>) -> Option<String> {
    let moment = |key: &str| DateTime::parse_from_rfc3339(&json::text(period?, key)?).ok();
    let length = moment("end")?.signed_duration_since(moment("start")?);
    (length.num_minutes() > 0).then(|| length.num_minutes().to_string())
}

pub fn procedure<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let procedure = entry.resource;
    match codes::absence(procedure.get("code")) {
        Some(Absence::NoneKnown) => return Reading::NoneKnown("procedures"),
        Some(Absence::NoInformation) => return Reading::Kept(LeftoverReason::NotUnderstood),
        None => {}
    }
    let mut sheet = Sheet::new("procedures");
    let concept = procedure.get("code");
    sheet.code(concept);
    sheet.put("procedure_name", codes::name(concept));
    sheet.put("procedure_type", codes::name(procedure.get("category")));
    let code = codes::of(&sheet.codes, codes::CPT).or_else(|| sheet.codes.first());
    let described = code.and_then(|code| code.display.clone());
    sheet.put("procedure_code", code.map(|code| code.code.clone()));
    let name = sheet.fields.get("procedure_name").cloned();
    sheet.put("description", described.filter(|text| Some(text) != name.as_ref()));
    performed(desk, &mut sheet, procedure);
    sheet.put("status", json::text(procedure, "status").as_deref().and_then(procedure_status));
    let told = json::text(procedure, "status").filter(|word| matches!(word.as_str(), "not-done" | "stopped" | "on-hold"));
    sheet.labelled("status", told);
    sheet.labelled("reason of the status", codes::name(procedure.get("statusReason")));
    let place = desk.facility(&mut sheet, procedure, procedure.get("location"));
    sheet.put("facility", place);
    sheet.put("procedure_complications", codes::names(json::list(procedure, "complication"), ", "));
    circumstances(desk, &mut sheet, procedure);
    super::named(sheet, "procedure_name")
}

fn performed<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, procedure: &'a Value) {
    sheet.put("date", desk.first_date(procedure, &[&["performedDateTime"], &["performedPeriod", "start"]]));
    sheet.labelled("performed", values::vague_time(procedure, "performed"));
    sheet.put("procedure_duration", minutes(procedure.get("performedPeriod")));
    if !sheet.has("procedure_duration") {
        sheet.labelled("until", desk.date(procedure, &["performedPeriod", "end"]));
    }
}

fn circumstances<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, procedure: &'a Value) {
    let reason = desk::reasons(desk, sheet, procedure, "condition_id");
    // The tie to a condition says it already.
    let is_tied = procedure.get("reasonCode").is_none() && sheet.links.iter().any(|link| link.relation == "condition_id");
    sheet.labelled("reason", reason.filter(|_| !is_tied));
    sheet.labelled("body site", codes::names(json::list(procedure, "bodySite"), ", "));
    sheet.labelled("outcome", codes::name(procedure.get("outcome")));
    sheet.labelled("follow-up", codes::names(json::list(procedure, "followUp"), ", "));
    let performers = json::list(procedure, "performer").iter().map(|one| one.get("actor"));
    let others = [procedure.get("recorder"), procedure.get("asserter")];
    sheet.practitioner = desk.practitioner(procedure, performers.chain(others));
    desk.visit(sheet, procedure);
    sheet.annotations(procedure);
}

fn procedure_status(word: &str) -> Option<&'static str> {
    match word {
        "preparation" => Some("scheduled"),
        "in-progress" | "on-hold" => Some("in_progress"),
        "completed" => Some("completed"),
        "not-done" | "stopped" | "aborted" => Some("cancelled"),
        _ => None,
    }
}

pub fn immunization<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let shot = entry.resource;
    match codes::absence(shot.get("vaccineCode")) {
        Some(Absence::NoneKnown) => return Reading::NoneKnown("immunizations"),
        Some(Absence::NoInformation) => return Reading::Kept(LeftoverReason::NotUnderstood),
        None => {}
    }
    // A refused vaccination in the list of vaccinations would read as protection.
    let refused = ["notGiven", "wasNotGiven"].iter().any(|key| json::flag(shot, key) == Some(true));
    if refused || json::text(shot, "status").as_deref() == Some("not-done") {
        return Reading::Kept(LeftoverReason::NotUnderstood);
    }
    let mut sheet = Sheet::new("immunizations");
    sheet.put("vaccine_name", codes::name(shot.get("vaccineCode")));
    sheet.code(shot.get("vaccineCode"));
    let ndc = codes::of(&sheet.codes, &["http://hl7.org/fhir/sid/ndc"]).map(|code| code.code.clone());
    sheet.put("ndc_number", ndc);
    // STU3: `date`.
    sheet.put("date_administered", desk.first_date(shot, &[&["occurrenceDateTime"], &["date"]]));
    sheet.labelled("given", shot.get("occurrenceString").and_then(json::line));
    sheet.put("lot_number", json::text(shot, "lotNumber"));
    sheet.put("expiration_date", desk.date(shot, &["expirationDate"]));
    let maker = desk.company(&mut sheet, shot, shot.get("manufacturer"));
    sheet.put("manufacturer", maker);
    sheet.put("site", codes::name(shot.get("site")));
    sheet.put("route", codes::name(shot.get("route")));
    let place = desk.facility(&mut sheet, shot, shot.get("location"));
    sheet.put("location", place);
    doses(&mut sheet, shot);
    let actors = json::list(shot, "performer").iter().map(|one| one.get("actor"));
    sheet.practitioner = desk.practitioner(shot, actors);
    desk.visit(&mut sheet, shot);
    sheet.annotations(shot);
    super::named(sheet, "vaccine_name")
}

fn doses(sheet: &mut Sheet, shot: &Value) {
    sheet.labelled("dose", values::quantity_words(shot.get("doseQuantity")));
    for protocol in json::list(shot, "protocolApplied") {
        let number = json::whole(protocol, "doseNumberPositiveInt").or_else(|| json::whole(protocol, "doseNumberString"));
        // The column is a whole number; "booster" goes where words may stand.
        let number = number.filter(|digits| digits.len() <= 4);
        if number.is_none() {
            sheet.labelled("dose number", json::text(protocol, "doseNumberString"));
        }
        if !sheet.has("dose_number") {
            sheet.put("dose_number", number);
        }
        sheet.labelled("series", json::text(protocol, "series"));
        sheet.labelled("against", codes::names(json::list(protocol, "targetDisease"), ", "));
    }
}

pub fn plan<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let plan = entry.resource;
    let mut sheet = Sheet::new("treatments");
    let category = codes::names(json::list(plan, "category"), ", ");
    let title = json::text(plan, "title");
    let description = json::paragraph(plan, "description");
    let name = title.or_else(|| category.clone()).or_else(|| description.as_deref().and_then(json::clean_line));
    sheet.put("treatment_name", name.clone());
    sheet.put("treatment_type", Some("care plan"));
    sheet.put("treatment_category", category.filter(|category| Some(category) != name.as_ref()));
    sheet.code(plan.get("category"));
    sheet.put("start_date", desk.date(plan, &["period", "start"]));
    sheet.put("end_date", desk.date(plan, &["period", "end"]));
    let told = json::text(plan, "status");
    sheet.put("status", told.as_deref().and_then(plan_status));
    sheet.labelled("status", told.filter(|word| word == "draft"));
    let activities = json::list(plan, "activity").iter().map(|activity| activity_line(desk, plan, activity)).collect::<Vec<_>>();
    let lines = std::iter::once(description.filter(|text| Some(text) != name.as_ref())).chain(activities);
    sheet.put("description", json::joined(lines, "\n"));
    desk.conditions(&mut sheet, plan, json::list(plan, "addresses"), "condition_id");
    sheet.practitioner = desk.practitioner(plan, [plan.get("author"), plan.get("contributor")]);
    desk.visit(&mut sheet, plan);
    sheet.annotations(plan);
    super::named(sheet, "treatment_name")
}

/// A draft is a plan that nobody follows yet.
fn plan_status(word: &str) -> Option<&'static str> {
    match word {
        "active" => Some("active"),
        "completed" => Some("completed"),
        "on-hold" | "draft" => Some("on_hold"),
        "revoked" | "cancelled" => Some("cancelled"),
        _ => None,
    }
}

/// `Wound care (completed)`.
fn activity_line<'a>(desk: &mut Desk<'a>, plan: &'a Value, activity: &'a Value) -> Option<String> {
    let detail = activity.get("detail").unwrap_or(activity);
    let referred = activity.get("reference").and_then(|reference| {
        let display = json::text(reference, "display");
        display.or_else(|| desk.behind(plan, reference).and_then(|(resource, _)| codes::name(resource.get("code"))))
    });
    let name = codes::name(detail.get("code")).or_else(|| json::text(detail, "description")).or(referred)?;
    let more = json::text(detail, "description").filter(|text| *text != name);
    let refused = json::flag(detail, "doNotPerform") == Some(true);
    let status = json::text(detail, "status").map(|status| format!("({status})"));
    let parts = [refused.then(|| "not to be done:".to_owned()), Some(name), more.map(|text| format!("- {text}")), status];
    json::joined(parts, " ")
}
