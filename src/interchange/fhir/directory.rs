//! Practitioners, practices, pharmacies and places. Read last: whether an organisation treats, pays or makes vaccines shows in the records.

use std::collections::HashMap;

use serde_json::Value;

use super::super::draft::{Fields, LeftoverReason, PersonDraft};
use super::book::{Entry, Fate};
use super::codes;
use super::desk::Desk;
use super::json;
use super::people;
use super::sheet::put;

pub fn read(desk: &mut Desk<'_>) {
    practitioners(desk);
    let (care, dispensers) = (desk.places_of_care.clone(), desk.dispensers.clone());
    desk.hand_out_minor(|entry, index| {
        entry.kind == "Organization" && (care.contains(&index) || dispensers.contains(&index) || treats(entry.resource))
    });
    let book = desk.book;
    for (index, entry) in book.entries.iter().enumerate() {
        if desk.is_placed(index) || entry.fate != Fate::Live {
            continue;
        }
        desk.turn_to(entry);
        match entry.kind.as_str() {
            "Organization" => organization(desk, index, entry),
            "PractitionerRole" | "Location" | "Medication" => desk.leftover(index, LeftoverReason::NoHomeYet),
            _ => {}
        }
    }
}

fn practitioners(desk: &mut Desk<'_>) {
    let book = desk.book;
    let roles = roles(desk);
    for (index, entry) in book.entries.iter().enumerate() {
        if entry.kind != "Practitioner" || entry.fate != Fate::Live {
            continue;
        }
        desk.turn_to(entry);
        let mut fields = people::practitioner_fields(entry.resource);
        if !fields.contains_key("name") {
            desk.leftover(index, LeftoverReason::NotUnderstood);
            continue;
        }
        let mut belongs_to = None;
        for role_index in roles.get(&index).into_iter().flatten() {
            if let Some(role) = book.entry(*role_index) {
                let practice = role_told(desk, role, &mut fields);
                belongs_to = belongs_to.or(practice);
                desk.roles.push((entry.key.clone(), role.key.clone()));
                desk.handled(*role_index);
            }
        }
        desk.mark_placed(index);
        let person = PersonDraft { source_key: entry.key.clone(), fields, identifiers: Vec::new(), belongs_to, original: Value::Null };
        desk.told.practitioners.push(person);
    }
}

/// Practitioner to roles, by entry.
fn roles(desk: &mut Desk<'_>) -> HashMap<usize, Vec<usize>> {
    let book = desk.book;
    let mut roles: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, role) in book.entries.iter().enumerate() {
        if role.kind != "PractitionerRole" || role.fate != Fate::Live {
            continue;
        }
        desk.turn_to(role);
        let reference = role.resource.get("practitioner");
        if let Some(who) = reference.and_then(|reference| desk.entry_of(role.resource, reference, &["Practitioner"])) {
            roles.entry(who).or_default().push(index);
        }
    }
    roles
}

/// What a role adds to its practitioner; returns the practice.
fn role_told<'a>(desk: &mut Desk<'a>, role: &Entry<'a>, fields: &mut Fields) -> Option<String> {
    let resource = role.resource;
    let specialty = codes::names(json::list(resource, "specialty"), ", ").or_else(|| codes::names(json::list(resource, "code"), ", "));
    let additions = [
        ("specialty", specialty),
        ("npi", people::npi(resource)),
        ("phone_number", people::telecom(resource, &["phone", "sms"])),
        ("email", people::telecom(resource, &["email"])),
    ];
    for (column, text) in additions {
        if !fields.contains_key(column) {
            put(fields, column, text);
        }
    }
    let reference = resource.get("organization")?;
    let Some(practice) = desk.entry_of(resource, reference, &["Organization"]) else {
        put(fields, "practice", json::text(reference, "display"));
        return None;
    };
    desk.places_of_care.insert(practice);
    desk.key(practice)
}

/// Whether the organisation itself says that it treats people.
fn treats(organization: &Value) -> bool {
    let sorts = codes::all(organization.get("type"));
    sorts.iter().any(|code| matches!(code.code.as_str(), "prov" | "dept")) || is_pharmacy(organization)
}

/// Insurers are no practices, whoever refers to them.
fn pays(organization: &Value) -> bool {
    let sorts = codes::all(organization.get("type"));
    !sorts.is_empty() && sorts.iter().all(|code| matches!(code.code.as_str(), "pay" | "ins"))
}

fn is_pharmacy(organization: &Value) -> bool {
    let words = codes::names(json::list(organization, "type"), " ").unwrap_or_default().to_lowercase();
    words.contains("pharmac") || codes::all(organization.get("type")).iter().any(|code| code.code == "PHARM")
}

fn organization(desk: &mut Desk<'_>, index: usize, entry: &Entry<'_>) {
    let resource = entry.resource;
    let Some(name) = json::text(resource, "name") else {
        return desk.leftover(index, LeftoverReason::NotUnderstood);
    };
    if pays(resource) {
        return desk.leftover(index, LeftoverReason::NoHomeYet);
    }
    let pharmacy = is_pharmacy(resource) || (desk.dispensers.contains(&index) && !desk.places_of_care.contains(&index));
    let mut fields = Fields::new();
    put(&mut fields, "name", Some(name));
    put(&mut fields, "phone_number", people::telecom(resource, &["phone", "sms"]));
    put(&mut fields, "fax_number", people::telecom(resource, &["fax"]));
    put(&mut fields, "website", people::telecom(resource, &["url"]));
    let address = json::list(resource, "address").first();
    if pharmacy {
        put(&mut fields, "email", people::telecom(resource, &["email"]));
        pharmacy_address(&mut fields, address);
    } else {
        put(&mut fields, "npi", people::npi(resource));
        put(&mut fields, "address", address.and_then(people::address_line));
    }
    desk.mark_placed(index);
    let person = PersonDraft { source_key: entry.key.clone(), fields, identifiers: Vec::new(), belongs_to: None, original: Value::Null };
    if pharmacy {
        desk.told.pharmacies.push(person);
    } else {
        desk.told.practices.push(person);
    }
}

fn pharmacy_address(fields: &mut Fields, address: Option<&Value>) {
    let Some(address) = address else { return };
    let street = json::joined(json::list(address, "line").iter().map(json::line), ", ");
    put(fields, "street_address", street.or_else(|| json::text(address, "text")));
    put(fields, "city", json::text(address, "city"));
    put(fields, "state", json::text(address, "state"));
    put(fields, "zip_code", json::text(address, "postalCode"));
    put(fields, "country", json::text(address, "country"));
}
