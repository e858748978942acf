//! Conditions: what somebody has or had.

use serde_json::Value;

use super::super::draft::{LeftoverReason, ProblemKind};
use super::book::Entry;
use super::codes::{self, Absence};
use super::desk::Desk;
use super::json;
use super::sheet::{Reading, Sheet};
use super::values;

pub fn read<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let condition = entry.resource;
    match codes::absence(condition.get("code")) {
        Some(Absence::NoneKnown) if codes::holds(condition) => return Reading::NoneKnown("conditions"),
        Some(Absence::NoneKnown) => return Reading::Kept(LeftoverReason::Withdrawn),
        Some(Absence::NoInformation) => return Reading::Kept(LeftoverReason::NotUnderstood),
        None => {}
    }
    // Refuted means that the patient was found not to have it: for a chart the same as withdrawn.
    if codes::code(condition.get("verificationStatus")).as_deref() == Some("refuted") {
        return Reading::Kept(LeftoverReason::Withdrawn);
    }
    let mut sheet = Sheet::new("conditions");
    names(&mut sheet, condition);
    dates(desk, &mut sheet, condition);
    sheet.put("severity", codes::severity(condition.get("severity")));
    if !sheet.has("severity") {
        sheet.labelled("severity", codes::name(condition.get("severity")));
    }
    sheet.labelled("body site", codes::names(json::list(condition, "bodySite"), ", "));
    sheet.practitioner = desk.practitioner(condition, [condition.get("recorder"), condition.get("asserter")]);
    desk.visit(&mut sheet, condition);
    sheet.annotations(condition);
    super::named(sheet, "diagnosis")
}

fn names(sheet: &mut Sheet, condition: &Value) {
    let concept = condition.get("code");
    let diagnosis = codes::name(concept);
    sheet.code(concept);
    let same = |display: &String| diagnosis.as_ref().is_some_and(|name| name.to_lowercase() == display.to_lowercase());
    let other = sheet.codes.iter().filter_map(|code| code.display.clone()).find(|display| !same(display));
    let icd10 = codes::icd10(&sheet.codes).cloned();
    let snomed = codes::of(&sheet.codes, codes::SNOMED).cloned();
    let described = [&icd10, &snomed].into_iter().flatten().find_map(|code| code.display.clone());
    sheet.put("diagnosis", diagnosis);
    sheet.put("condition_name", other);
    sheet.put("icd10_code", icd10.map(|code| code.code));
    sheet.put("snomed_code", snomed.map(|code| code.code));
    sheet.put("code_description", described);
}

fn dates<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, condition: &'a Value) {
    sheet.put("onset_date", desk.first_date(condition, &[&["onsetDateTime"], &["onsetPeriod", "start"]]));
    sheet.labelled("onset", values::vague_time(condition, "onset"));
    let ends: &[&[&str]] = &[&["abatementDateTime"], &["abatementPeriod", "end"], &["abatementPeriod", "start"]];
    sheet.put("end_date", desk.first_date(condition, ends));
    sheet.labelled("ended", values::vague_time(condition, "abatement"));
    let clinical = codes::code(condition.get("clinicalStatus"));
    let status = match clinical.as_deref() {
        Some("active") => Some("active"),
        Some("recurrence") => Some("recurrence"),
        Some("relapse") => Some("relapse"),
        Some("inactive" | "remission") => Some("inactive"),
        Some("resolved") => Some("resolved"),
        _ => None,
    };
    sheet.put("status", status);
    sheet.labelled("clinical status", clinical.filter(|code| status != Some(code.as_str())));
    sheet.labelled("verification", codes::code(condition.get("verificationStatus")).filter(|code| code != "confirmed"));
    if sheet.has("end_date") && status != Some("resolved") {
        desk.problem(ProblemKind::Other("end_without_resolved"));
    }
}
