//! Allergies and intolerances, and the statement that there are none.

use serde_json::Value;

use super::super::draft::LeftoverReason;
use super::book::Entry;
use super::codes::{self, Absence};
use super::desk::Desk;
use super::json;
use super::sheet::{Reading, Sheet};
use super::values;

pub fn read<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let allergy = entry.resource;
    let substance = json::list(allergy, "reaction").iter().find_map(|reaction| reaction.get("substance"));
    match codes::absence(allergy.get("code").or(substance)) {
        Some(Absence::NoneKnown) if codes::holds(allergy) => return Reading::NoneKnown("allergies"),
        Some(Absence::NoneKnown) => return Reading::Kept(LeftoverReason::Withdrawn),
        Some(Absence::NoInformation) => return Reading::Kept(LeftoverReason::NotUnderstood),
        None => {}
    }
    let verification = codes::code(allergy.get("verificationStatus"));
    if verification.as_deref() == Some("refuted") {
        return Reading::Kept(LeftoverReason::Withdrawn);
    }
    let mut sheet = Sheet::new("allergies");
    sheet.put("allergen", codes::name(allergy.get("code")).or_else(|| codes::name(substance)));
    sheet.code(allergy.get("code"));
    sheet.put("onset_date", desk.first_date(allergy, &[&["onsetDateTime"], &["onsetPeriod", "start"]]));
    sheet.labelled("onset", values::vague_time(allergy, "onset"));
    sheet.put("status", status(allergy, verification.as_deref()));
    reactions(&mut sheet, allergy);
    sheet.labelled("criticality", json::text(allergy, "criticality"));
    sheet.practitioner = desk.practitioner(allergy, [allergy.get("recorder"), allergy.get("asserter")]);
    desk.visit(&mut sheet, allergy);
    sheet.annotations(allergy);
    super::named(sheet, "allergen")
}

/// An allergy that is over stays over, also when nobody ever confirmed it.
fn status(allergy: &Value, verification: Option<&str>) -> Option<&'static str> {
    match codes::code(allergy.get("clinicalStatus")).as_deref() {
        Some("inactive") => Some("inactive"),
        Some("resolved") => Some("resolved"),
        _ if matches!(verification, Some("unconfirmed" | "presumed")) => Some("unconfirmed"),
        Some("active") => Some("active"),
        _ => None,
    }
}

fn reactions(sheet: &mut Sheet, allergy: &Value) {
    let reactions = json::list(allergy, "reaction");
    let mut shown: Vec<String> = Vec::new();
    for reaction in reactions {
        let manifestations: Vec<String> = json::list(reaction, "manifestation").iter().filter_map(|m| codes::name(Some(m))).collect();
        let described = json::paragraph(reaction, "description");
        if manifestations.is_empty() {
            shown.extend(described.and_then(|text| json::clean_line(&text)));
        } else {
            shown.extend(manifestations.into_iter().filter(|name| !shown.contains(name)).collect::<Vec<_>>());
            sheet.note(described);
        }
        sheet.annotations(reaction);
    }
    sheet.put("reaction", Some(shown.join(", ")));
    sheet.put("severity", worst(reactions));
}

/// The worst reaction is the one that the next doctor must know.
fn worst(reactions: &[Value]) -> Option<&'static str> {
    let told: Vec<String> = reactions.iter().filter_map(|reaction| json::text(reaction, "severity")).collect();
    ["severe", "moderate", "mild"].into_iter().find(|word| told.iter().any(|one| one == word))
}
