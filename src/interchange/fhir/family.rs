//! What runs in the family.

use serde_json::Value;

use super::super::draft::Fields;
use super::book::Entry;
use super::codes;
use super::desk::Desk;
use super::json;
use super::people;
use super::sheet::{Reading, Sheet, put};
use super::values;

pub fn read<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let relative = entry.resource;
    let mut sheet = Sheet::new("family-members");
    let relationship = relationship(relative);
    let told = spoken(relative.get("relationship"));
    sheet.put("name", json::text(relative, "name").or_else(|| told.clone()));
    sheet.put("relationship", told.is_some().then_some(relationship.word));
    sheet.put("side", relationship.side);
    if relationship.word == "other" {
        sheet.labelled("relationship", told.clone());
    }
    sheet.code(relative.get("relationship"));
    sheet.put("gender", people::gender(relative.get("sex")));
    years(desk, &mut sheet, relative);
    let rows: Vec<Fields> = json::list(relative, "condition").iter().filter_map(condition).collect();
    sheet.children = Some(rows);
    sheet.annotations(relative);
    super::named(sheet, "name")
}

/// The relationship as people say it; a code that came without words has those of HL7's list.
fn spoken(relationship: Option<&Value>) -> Option<String> {
    let name = codes::name(relationship)?;
    if codes::code(relationship).as_ref() != Some(&name) {
        return Some(name);
    }
    let words = by_code(&name).map(|(word, _)| word.replace('_', " ")).or_else(|| role_word(&name).map(str::to_owned));
    Some(words.unwrap_or(name))
}

/// The members of `RoleCode`'s families that are no choice of the column.
fn role_word(code: &str) -> Option<&'static str> {
    Some(match code {
        "FAMMEMB" => "family member",
        "PRN" | "NPRN" => "parent",
        "ADOPTF" => "adoptive father",
        "ADOPTM" => "adoptive mother",
        "FTHFOST" => "foster father",
        "MTHFOST" => "foster mother",
        "STPPRN" => "stepparent",
        "STPFTH" => "stepfather",
        "STPMTH" => "stepmother",
        "FTHINLAW" => "father-in-law",
        "MTHINLAW" => "mother-in-law",
        "SIB" | "NSIB" => "sibling",
        "HSIB" => "half sibling",
        "STPSIB" => "step sibling",
        "STPBRO" => "stepbrother",
        "STPSIS" => "stepsister",
        "TWIN" | "FTWIN" | "ITWIN" => "twin",
        "CHILD" | "NCHILD" => "child",
        "CHLDADOPT" => "adopted child",
        "SONADOPT" => "adopted son",
        "DAUADOPT" => "adopted daughter",
        "STPCHLD" => "stepchild",
        "STPSON" => "stepson",
        "STPDAU" => "stepdaughter",
        "GRPRN" => "grandparent",
        "MGRPRN" => "maternal grandparent",
        "PGRPRN" => "paternal grandparent",
        "GRFTH" => "grandfather",
        "GRMTH" => "grandmother",
        "GGRPRN" => "great grandparent",
        "GGRFTH" => "great grandfather",
        "GGRMTH" => "great grandmother",
        "MGGRFTH" => "maternal great grandfather",
        "MGGRMTH" => "maternal great grandmother",
        "PGGRFTH" => "paternal great grandfather",
        "PGGRMTH" => "paternal great grandmother",
        "GRNDCHILD" => "grandchild",
        "NIENEPH" => "niece or nephew",
        "PCOUSN" => "paternal cousin",
        "SPS" => "spouse",
        "HUSB" => "husband",
        "WIFE" => "wife",
        "DOMPART" => "domestic partner",
        "SIGOTHR" => "significant other",
        _ => return None,
    })
}

/// Years of birth and death, from dates that are sure; ages go into the notes.
fn years<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, relative: &'a Value) {
    let year = |date: String| date.get(..4).map(str::to_owned);
    sheet.put("birth_year", desk.first_date(relative, &[&["bornDate"], &["bornPeriod", "start"]]).and_then(year));
    sheet.labelled("born", relative.get("bornString").and_then(json::line));
    sheet.labelled("age", values::vague_time(relative, "age"));
    let died = desk.date(relative, &["deceasedDate"]);
    sheet.put("death_year", died.clone().and_then(year));
    let age_at_death = values::vague_time(relative, "deceased");
    let gone = died.is_some() || age_at_death.is_some();
    let said = json::flag(relative, "deceasedBoolean");
    sheet.put("is_deceased", if gone { Some("true".to_owned()) } else { said.map(|said| said.to_string()) });
    sheet.labelled("died at", age_at_death);
}

fn condition(condition: &Value) -> Option<Fields> {
    let mut fields = Fields::new();
    put(&mut fields, "condition_name", codes::name(condition.get("code")));
    let codes = codes::all(condition.get("code"));
    put(&mut fields, "icd10_code", codes::icd10(&codes).map(|code| code.code.clone()));
    let age = condition.get("onsetAge").filter(|age| in_years(age)).and_then(|age| json::whole(age, "value"));
    let mut notes: Vec<String> = Vec::new();
    if age.is_none() {
        let told = values::vague_time(condition, "onset").or_else(|| json::text_at(condition, &["onsetPeriod", "start"]));
        notes.extend(told.map(|told| format!("onset: {told}")));
    }
    put(&mut fields, "diagnosis_age", age);
    notes.extend(codes::name(condition.get("outcome")).map(|outcome| format!("outcome: {outcome}")));
    if json::flag(condition, "contributedToDeath") == Some(true) {
        notes.push("contributed to the death".to_owned());
    }
    notes.extend(json::list(condition, "note").iter().filter_map(|note| json::paragraph(note, "text")));
    put(&mut fields, "notes", Some(notes.join("\n")));
    fields.contains_key("condition_name").then_some(fields)
}

fn in_years(age: &Value) -> bool {
    let unit = json::text(age, "code").or_else(|| json::text(age, "unit")).unwrap_or_default().to_lowercase();
    matches!(unit.as_str(), "a" | "year" | "years" | "yr" | "yrs" | "y")
}

struct Relationship {
    word: &'static str,
    side: Option<&'static str>,
}

fn relationship(relative: &Value) -> Relationship {
    let codes = codes::all(relative.get("relationship"));
    let plain = codes::code(relative.get("relationship"));
    let mut all = codes.iter().map(|code| code.code.clone()).chain(plain);
    let found = all.find_map(|code| by_code(&code));
    let word = codes::name(relative.get("relationship")).unwrap_or_default().to_lowercase();
    let (word, side) = found.or_else(|| by_word(&word)).unwrap_or(("other", None));
    Relationship { word, side }
}

/// HL7 v3 `RoleCode`, and SNOMED's most common persons.
pub fn by_code(code: &str) -> Option<(&'static str, Option<&'static str>)> {
    let (maternal, paternal) = (Some("maternal"), Some("paternal"));
    Some(match code {
        "FTH" | "NFTH" | "66839005" => ("father", paternal),
        "MTH" | "NMTH" | "GESTM" | "72705000" => ("mother", maternal),
        "BRO" | "NBRO" | "TWINBRO" | "FTWINBRO" | "ITWINBRO" | "70924004" => ("brother", None),
        "SIS" | "NSIS" | "TWINSIS" | "FTWINSIS" | "ITWINSIS" | "27733009" => ("sister", None),
        "HBRO" => ("half_brother", None),
        "HSIS" => ("half_sister", None),
        "MGRFTH" => ("maternal_grandfather", maternal),
        "MGRMTH" => ("maternal_grandmother", maternal),
        "PGRFTH" => ("paternal_grandfather", paternal),
        "PGRMTH" => ("paternal_grandmother", paternal),
        "UNCLE" => ("uncle", None),
        "MUNCLE" => ("uncle", maternal),
        "PUNCLE" => ("uncle", paternal),
        "AUNT" => ("aunt", None),
        "MAUNT" => ("aunt", maternal),
        "PAUNT" => ("aunt", paternal),
        "COUSN" => ("cousin", None),
        "MCOUSN" => ("cousin", maternal),
        "PCOUSN" => ("cousin", paternal),
        "SON" | "NSON" | "65616008" => ("son", None),
        "DAU" | "NDAU" | "DAUC" | "66089001" => ("daughter", None),
        "NIECE" => ("niece", None),
        "NEPHEW" | "NEPH" => ("nephew", None),
        "GRNDSON" => ("grandson", None),
        "GRNDDAU" => ("granddaughter", None),
        _ => return None,
    })
}

fn by_word(word: &str) -> Option<(&'static str, Option<&'static str>)> {
    let side = if word.contains("maternal") {
        Some("maternal")
    } else if word.contains("paternal") {
        Some("paternal")
    } else {
        None
    };
    let bare = word.replace("maternal", "").replace("paternal", "").replace("natural", "");
    Some(match (bare.trim(), side) {
        ("father", None) => ("father", Some("paternal")),
        ("mother", None) => ("mother", Some("maternal")),
        ("brother", None) => ("brother", None),
        ("sister", None) => ("sister", None),
        ("half brother" | "half-brother", None) => ("half_brother", None),
        ("half sister" | "half-sister", None) => ("half_sister", None),
        ("grandfather", Some("maternal")) => ("maternal_grandfather", side),
        ("grandmother", Some("maternal")) => ("maternal_grandmother", side),
        ("grandfather", Some("paternal")) => ("paternal_grandfather", side),
        ("grandmother", Some("paternal")) => ("paternal_grandmother", side),
        ("uncle", _) => ("uncle", side),
        ("aunt", _) => ("aunt", side),
        ("cousin", _) => ("cousin", side),
        ("son", None) => ("son", None),
        ("daughter", None) => ("daughter", None),
        ("niece", _) => ("niece", side),
        ("nephew", _) => ("nephew", side),
        ("grandson", None) => ("grandson", None),
        ("granddaughter", None) => ("granddaughter", None),
        _ => return None,
    })
}
