//! Patients and the people around them, and what names, addresses and telephone numbers look like.

use serde_json::Value;

use super::super::draft::{Fields, PersonDraft};
use super::book::{Entry, Fate};
use super::codes;
use super::desk::Desk;
use super::family;
use super::json;
use super::sheet::{Reading, Sheet, put};

/// Every patient of the file, with the emergency contacts that the patient's own entry lists.
pub fn patients(desk: &mut Desk<'_>) {
    let book = desk.book;
    for (index, entry) in book.entries.iter().enumerate() {
        if entry.kind == "Patient" && entry.fate == Fate::Live {
            desk.turn_to(entry);
            let fields = patient_fields(desk, entry.resource);
            let physician = desk.practitioner(entry.resource, [entry.resource.get("generalPractitioner")]);
            desk.mark_placed(index);
            desk.told.patients.push(PersonDraft {
                source_key: entry.key.clone(),
                fields,
                identifiers: identifiers(entry.resource),
                belongs_to: physician,
                original: Value::Null,
            });
            contacts(desk, entry);
        }
    }
}

/// Numbers that are somebody's within their system. Former and temporary ones may be another's by now.
fn identifiers(patient: &Value) -> Vec<String> {
    let all = json::list(patient, "identifier").iter().filter(|one| !matches!(json::text(one, "use").as_deref(), Some("old" | "temp")));
    let told = all.filter_map(|one| Some(format!("{}|{}", json::text(one, "system")?, json::text(one, "value")?)));
    told.filter(|text| text.chars().count() <= 500).collect()
}

fn patient_fields(desk: &mut Desk<'_>, patient: &Value) -> Fields {
    let mut fields = Fields::new();
    if let Some(name) = best_name(patient) {
        let (first, last) = split_name(name);
        put(&mut fields, "first_name", first);
        put(&mut fields, "last_name", last);
    }
    put(&mut fields, "birth_date", desk.date(patient, &["birthDate"]));
    put(&mut fields, "gender", gender(patient.get("gender")));
    put(&mut fields, "address", best_address(patient).and_then(address_line));
    put(&mut fields, "phone_number", telecom(patient, &["phone", "sms"]));
    put(&mut fields, "email", telecom(patient, &["email"]));
    put(&mut fields, "language", language(patient));
    put(&mut fields, "record_number", record_number(patient));
    let died_on = if patient.get("deceasedDateTime").is_some() { desk.date(patient, &["deceasedDateTime"]) } else { None };
    if patient.get("deceasedDateTime").is_some() || json::flag(patient, "deceasedBoolean") == Some(true) {
        put(&mut fields, "status", Some("deceased"));
    }
    put(&mut fields, "deceased_on", died_on);
    fields
}

pub fn gender(value: Option<&Value>) -> Option<&'static str> {
    match codes::code(value)?.to_ascii_lowercase().as_str() {
        "male" | "m" => Some("male"),
        "female" | "f" => Some("female"),
        "other" => Some("other"),
        "unknown" => Some("unknown"),
        _ => None,
    }
}

fn language(patient: &Value) -> Option<String> {
    let spoken = json::list(patient, "communication");
    let preferred = spoken.iter().find(|one| json::flag(one, "preferred") == Some(true)).or_else(|| spoken.first())?;
    codes::name(preferred.get("language"))
}

/// The medical record number: by its type, never a passport or an insurance number.
fn record_number(patient: &Value) -> Option<String> {
    let identifiers = json::list(patient, "identifier");
    let numbered = |identifier: &&Value| codes::all(identifier.get("type")).iter().any(|code| code.code == "MR");
    let is_old = |identifier: &&Value| json::text(identifier, "use").as_deref() == Some("old");
    identifiers.iter().filter(numbered).find(|i| !is_old(i)).and_then(|identifier| json::text(identifier, "value"))
}

/// The name in use: official before usual before any other that is not former.
pub fn best_name(person: &Value) -> Option<&Value> {
    let names = json::list(person, "name");
    let rank = |name: &&Value| match json::text(name, "use").as_deref() {
        Some("official") => 0,
        Some("usual") => 1,
        None => 2,
        Some("nickname" | "anonymous") => 4,
        Some("old" | "maiden") => 9,
        Some(_) => 3,
    };
    names.iter().filter(|name| rank(name) < 9).min_by_key(rank).or_else(|| names.first())
}

/// First and last name; a bare text is cut before its last word.
fn split_name(name: &Value) -> (Option<String>, Option<String>) {
    let given = json::joined(json::list(name, "given").iter().map(json::line), " ");
    let family = json::text(name, "family");
    if given.is_some() || family.is_some() {
        return (given, family);
    }
    let text = name.as_str().and_then(json::clean_line).or_else(|| json::text(name, "text"));
    let Some(text) = text else { return (None, None) };
    if let Some((last, first)) = text.split_once(',') {
        return (json::clean_line(first), json::clean_line(last));
    }
    match text.rsplit_once(' ') {
        Some((first, last)) => (json::clean_line(first), json::clean_line(last)),
        None => (None, Some(text)),
    }
}

/// A name on one line, with its title.
pub fn full_name(name: &Value) -> Option<String> {
    if let Some(text) = name.as_str() {
        return json::clean_line(text);
    }
    let prefix = json::joined(json::list(name, "prefix").iter().map(json::line), " ");
    let given = json::joined(json::list(name, "given").iter().map(json::line), " ");
    let family = json::text(name, "family");
    if given.is_none() && family.is_none() {
        return json::text(name, "text");
    }
    json::joined([prefix, given, family], " ")
}

fn best_address(person: &Value) -> Option<&Value> {
    let addresses = json::list(person, "address");
    let rank = |address: &&Value| match json::text(address, "use").as_deref() {
        Some("home") => 0,
        None => 1,
        Some("old") => 9,
        Some(_) => 2,
    };
    addresses.iter().min_by_key(rank)
}

/// Street, place, postal code and country on one line.
pub fn address_line(address: &Value) -> Option<String> {
    let street = json::joined(json::list(address, "line").iter().map(json::line), ", ");
    let region = json::joined([json::text(address, "state"), json::text(address, "postalCode")], " ");
    let parts = [street, json::text(address, "city"), region, json::text(address, "country")];
    json::text(address, "text").or_else(|| json::joined(parts, ", "))
}

/// The best number or address of one of these systems: ranked first, home before the others, former ones never.
pub fn telecom(person: &Value, systems: &[&str]) -> Option<String> {
    let rank = |point: &&Value| {
        let order = json::digits(point, "rank").and_then(|text| text.parse::<u32>().ok()).unwrap_or(1000);
        let place = match json::text(point, "use").as_deref() {
            Some("home") => 0,
            Some("mobile") | None => 1,
            Some(_) => 2,
        };
        (order, place)
    };
    json::list(person, "telecom")
        .iter()
        .filter(|point| json::text(point, "system").is_some_and(|system| systems.contains(&system.as_str())))
        .filter(|point| json::text(point, "use").as_deref() != Some("old"))
        .min_by_key(rank)
        .and_then(|point| json::text(point, "value"))
        .map(|value| bare_contact(&value))
}

/// `tel:+64...` is how a link writes a number.
fn bare_contact(value: &str) -> String {
    let schemes = ["tel:", "mailto:", "fax:"];
    schemes.iter().find_map(|scheme| value.strip_prefix(scheme)).unwrap_or(value).trim().to_owned()
}

/// The columns of a practitioner that the person's own entry tells.
pub fn practitioner_fields(person: &Value) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "name", best_name(person).and_then(full_name));
    put(&mut fields, "npi", npi(person));
    put(&mut fields, "phone_number", telecom(person, &["phone", "sms"]));
    put(&mut fields, "email", telecom(person, &["email"]));
    put(&mut fields, "website", telecom(person, &["url"]));
    fields
}

pub fn npi(holder: &Value) -> Option<String> {
    let is_npi = |system: &str| system.contains("us-npi") || system.ends_with("2.16.840.1.113883.4.6");
    json::list(holder, "identifier")
        .iter()
        .find(|identifier| json::text(identifier, "system").is_some_and(|system| is_npi(&system)))
        .and_then(|identifier| json::text(identifier, "value"))
}

/// A contact listed in the patient's own entry. The key is the position: nothing else of it is sure to stay.
fn contacts(desk: &mut Desk<'_>, patient: &Entry<'_>) {
    for (position, contact) in json::list(patient.resource, "contact").iter().enumerate() {
        let mut sheet = Sheet::new("emergency-contacts");
        let name = contact.get("name").and_then(full_name);
        let name = name.or_else(|| json::text_at(contact, &["organization", "display"]));
        sheet.put("name", name);
        fill_contact(&mut sheet, contact);
        if let Some(address) = json::list(contact, "address").first() {
            sheet.put("address", address_line(address));
        }
        if sheet.has("name") || sheet.has("phone_number") {
            let key = format!("{}/contact/{}", patient.key, position + 1);
            desk.file(&key, "Patient.contact", &patient.key, sheet, Vec::new());
            if let Some(draft) = desk.told.records.last_mut() {
                draft.original = contact.clone();
            }
        }
    }
}

fn fill_contact(sheet: &mut Sheet, contact: &Value) {
    sheet.put("relationship", contact_relationship(contact));
    let phones: Vec<String> = json::list(contact, "telecom")
        .iter()
        .filter(|point| json::text(point, "system").is_some_and(|s| s == "phone" || s == "sms"))
        .filter(|point| json::text(point, "use").as_deref() != Some("old"))
        .filter_map(|point| json::text(point, "value").map(|value| bare_contact(&value)))
        .collect();
    let first = telecom(contact, &["phone", "sms"]);
    let second = phones.into_iter().find(|phone| Some(phone) != first.as_ref());
    sheet.put("phone_number", first);
    sheet.put("secondary_phone", second);
    sheet.put("email", telecom(contact, &["email"]));
}

/// HL7's one-letter codes have no display in most files.
fn contact_relationship(contact: &Value) -> Option<String> {
    json::joined(
        json::list(contact, "relationship").iter().map(|concept| {
            let named = codes::name(Some(concept))?;
            Some(match named.as_str() {
                "C" => "Emergency Contact".to_owned(),
                "N" => "Next-of-Kin".to_owned(),
                "E" => "Employer".to_owned(),
                "F" => "Federal Agency".to_owned(),
                "I" => "Insurance Company".to_owned(),
                "S" => "State Agency".to_owned(),
                "U" => "Unknown".to_owned(),
                "SPS" => "spouse".to_owned(),
                "HUSB" => "husband".to_owned(),
                "WIFE" => "wife".to_owned(),
                "FRND" => "friend".to_owned(),
                "NBOR" => "neighbor".to_owned(),
                "GUARD" => "guardian".to_owned(),
                code => family::by_code(code).map_or(named.clone(), |(word, _)| word.replace('_', " ")),
            })
        }),
        ", ",
    )
}

/// `RelatedPerson`: somebody around the patient who can be called.
pub fn related<'a>(_: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let person = entry.resource;
    let mut sheet = Sheet::new("emergency-contacts");
    sheet.put("name", best_name(person).and_then(full_name));
    fill_contact(&mut sheet, person);
    sheet.put("address", best_address(person).and_then(address_line));
    sheet.put("is_active", json::flag(person, "active").map(|active| active.to_string()));
    super::named(sheet, "name")
}
