//! Devices and insurance.

use serde_json::Value;

use super::super::draft::LeftoverReason;
use super::book::Entry;
use super::codes::{self, Absence};
use super::desk::Desk;
use super::json;
use super::people;
use super::sheet::{Reading, Sheet};

pub fn device<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    if let Some(reading) = nothing(entry.resource) {
        return reading;
    }
    let mut sheet = Sheet::new("equipment");
    describe(&mut sheet, entry.resource);
    let status = json::text(entry.resource, "status");
    sheet.put("status", status.as_deref().and_then(device_status));
    let owner = desk.company(&mut sheet, entry.resource, entry.resource.get("owner"));
    sheet.put("supplier", owner);
    sheet.annotations(entry.resource);
    super::named(sheet, "equipment_name")
}

/// Summaries say "no known devices" with a device of that type.
fn nothing(device: &Value) -> Option<Reading> {
    Some(match codes::absence(device.get("type"))? {
        Absence::NoneKnown => Reading::NoneKnown("equipment"),
        Absence::NoInformation => Reading::Kept(LeftoverReason::NotUnderstood),
    })
}

fn device_status(word: &str) -> Option<&'static str> {
    match word {
        "active" => Some("active"),
        "inactive" => Some("inactive"),
        _ => None,
    }
}

fn describe(sheet: &mut Sheet, device: &Value) {
    let names = json::list(device, "deviceName");
    let preferred = ["user-friendly-name", "patient-reported-name", "udi-label-name", "manufacturer-name"].iter().find_map(|sort| {
        let one = names.iter().find(|name| json::text(name, "type").as_deref() == Some(sort))?;
        json::text(one, "name")
    });
    let kind = codes::name(device.get("type"));
    let any = names.iter().find_map(|name| json::text(name, "name"));
    sheet.put("equipment_name", preferred.or(any).or_else(|| kind.clone()).or_else(|| json::text(device, "modelNumber")));
    sheet.put("equipment_type", kind);
    sheet.code(device.get("type"));
    sheet.put("manufacturer", json::text(device, "manufacturer"));
    sheet.put("model_number", json::text(device, "modelNumber"));
    sheet.put("serial_number", json::text(device, "serialNumber"));
    for carrier in json::list(device, "udiCarrier") {
        let printed = json::text(carrier, "carrierHRF").or_else(|| json::text(carrier, "deviceIdentifier"));
        sheet.labelled("UDI", printed);
    }
    sheet.labelled("UDI", json::text(device, "distinctIdentifier"));
    sheet.labelled("lot", json::text(device, "lotNumber"));
    sheet.labelled("made on", json::text(device, "manufactureDate"));
    sheet.labelled("expires on", json::text(device, "expirationDate"));
}

/// That somebody uses a device: the device, wherever it stands, goes into this record.
pub fn device_use<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let statement = entry.resource;
    let mut sheet = Sheet::new("equipment");
    let reference = statement.get("device");
    let target = reference.and_then(|reference| desk.behind(statement, reference));
    if let Some((device, index)) = target {
        if let Some(reading) = nothing(device) {
            return reading;
        }
        describe(&mut sheet, device);
        sheet.minor.extend(index);
    } else {
        sheet.put("equipment_name", reference.and_then(|reference| json::text(reference, "display")));
    }
    let status = json::text(statement, "status");
    sheet.put("status", status.as_deref().and_then(use_status));
    sheet.labelled("status", status.filter(|word| !matches!(word.as_str(), "active" | "completed")));
    let used: &[&[&str]] = &[&["timingPeriod", "start"], &["timingDateTime"]];
    let from = desk.first_date(statement, used);
    sheet.labelled("used from", from);
    let until = desk.date(statement, &["timingPeriod", "end"]);
    sheet.labelled("used until", until);
    sheet.labelled("body site", codes::name(statement.get("bodySite")));
    sheet.labelled("reason", codes::names(json::list(statement, "reasonCode"), ", "));
    desk.conditions(&mut sheet, statement, json::list(statement, "reasonReference"), "related");
    sheet.annotations(statement);
    super::named(sheet, "equipment_name")
}

fn use_status(word: &str) -> Option<&'static str> {
    match word {
        "active" => Some("active"),
        "completed" | "stopped" => Some("inactive"),
        _ => None,
    }
}

pub fn coverage<'a>(desk: &mut Desk<'a>, entry: &'a Entry<'a>) -> Reading {
    let coverage = entry.resource;
    let mut sheet = Sheet::new("insurance");
    payor(desk, &mut sheet, coverage);
    sheet.put("insurance_type", Some(insurance_type(coverage)));
    let identifier = json::list(coverage, "identifier").iter().find_map(|identifier| json::text(identifier, "value"));
    sheet.put("member_id", json::text(coverage, "subscriberId").or(identifier));
    sheet.put("group_number", class(coverage, "group", "value"));
    let plan = class(coverage, "plan", "name").or_else(|| class(coverage, "plan", "value"));
    sheet.put("plan_name", plan.or_else(|| codes::name(coverage.get("type"))));
    sheet.put("employer_group", class(coverage, "group", "name"));
    sheet.put("relationship_to_holder", codes::name(coverage.get("relationship")));
    sheet.put("effective_date", desk.date(coverage, &["period", "start"]));
    sheet.put("expiration_date", desk.date(coverage, &["period", "end"]));
    sheet.put("is_primary", json::whole(coverage, "order").map(|order| (order == "1").to_string()));
    sheet.put("status", json::text(coverage, "status").as_deref().and_then(coverage_status));
    holder(desk, &mut sheet, coverage);
    sheet.put("coverage_details", details(coverage));
    other_classes(&mut sheet, coverage);
    let known = ["company_name", "member_id", "plan_name"].iter().any(|column| sheet.has(column));
    if known { Reading::Record(Box::new(sheet)) } else { Reading::Kept(LeftoverReason::NotUnderstood) }
}

fn payor<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, coverage: &'a Value) {
    let payors = json::list(coverage, "payor");
    let Some(first) = payors.first() else { return };
    let company = desk.company(sheet, coverage, Some(first));
    sheet.put("company_name", company);
    let contact = desk.behind(coverage, first).map(|(payor, _)| payor).filter(|payor| is_organization(payor)).map(contact_info);
    sheet.put("contact_info", contact.flatten());
    for further in payors.iter().skip(1) {
        let name = desk.company(sheet, coverage, Some(further));
        sheet.labelled("also paid by", name);
    }
}

fn is_organization(resource: &Value) -> bool {
    json::text(resource, "resourceType").as_deref() == Some("Organization")
}

/// How to reach the insurer, as the named texts that the kind knows.
fn contact_info(organization: &Value) -> Option<String> {
    let address = json::list(organization, "address").first().and_then(people::address_line);
    object([
        ("phone", people::telecom(organization, &["phone"])),
        ("fax", people::telecom(organization, &["fax"])),
        ("website", people::telecom(organization, &["url"])),
        ("address", address),
    ])
}

/// What the insured pays, where the type of cost is one that the kind knows.
fn details(coverage: &Value) -> Option<String> {
    let costs = json::list(coverage, "costToBeneficiary").iter().filter_map(|cost| {
        let column = match codes::code(cost.get("type"))?.as_str() {
            "copay" | "gpvisit" => "copay_primary",
            "spvisit" => "copay_specialist",
            "emergency" => "copay_emergency",
            "urgentcare" => "copay_urgent_care",
            "deductible" => "deductible",
            "maxoutofpocket" => "out_of_pocket_max",
            "copaypct" => "coinsurance",
            _ => return None,
        };
        let money = cost.get("valueMoney").or_else(|| cost.get("valueQuantity"))?;
        let unit = json::text(money, "currency").or_else(|| json::text(money, "unit"));
        Some((column, json::joined([json::digits(money, "value"), unit], " ")))
    });
    let card = [("bin", "rxbin"), ("pcn", "rxpcn"), ("rx_group", "rxgroup")];
    object(costs.chain(card.into_iter().map(|(column, sort)| (column, class(coverage, sort, "value")))))
}

/// What a card says that has no column: the number at the pharmacy, and finer divisions of plan and group.
fn other_classes(sheet: &mut Sheet, coverage: &Value) {
    let rx_id = class(coverage, "rxid", "value");
    if !sheet.has("member_id") {
        sheet.put("member_id", rx_id.clone());
    }
    sheet.labelled("pharmacy member id", rx_id.filter(|id| sheet.fields.get("member_id") != Some(id)));
    let plan = class(coverage, "plan", "value");
    sheet.labelled("plan number", plan.filter(|number| sheet.fields.get("plan_name") != Some(number)));
    for (label, sort) in
        [("subgroup", "subgroup"), ("subplan", "subplan"), ("class", "class"), ("subclass", "subclass"), ("sequence", "sequence")]
    {
        sheet.labelled(label, json::joined([class(coverage, sort, "value"), class(coverage, sort, "name")], " "));
    }
}

fn object(members: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Option<String> {
    let told = members.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::String(text?))));
    let map: serde_json::Map<String, Value> = told.collect();
    (!map.is_empty()).then(|| Value::Object(map).to_string())
}

fn class(coverage: &Value, sort: &str, member: &str) -> Option<String> {
    let classes = json::list(coverage, "class");
    let class = classes.iter().find(|class| codes::code(class.get("type")).is_some_and(|code| code.eq_ignore_ascii_case(sort)))?;
    json::text(class, member)
}

fn insurance_type(coverage: &Value) -> &'static str {
    let words = codes::name(coverage.get("type")).unwrap_or_default().to_lowercase();
    let code = codes::code(coverage.get("type")).unwrap_or_default().to_uppercase();
    if words.contains("dental") || code == "DENTAL" || code == "DENTPRG" {
        "dental"
    } else if words.contains("vision") || words.contains("eye care") || code == "EYEPRG" || code == "VISPOL" {
        "vision"
    } else if words.contains("prescription") || words.contains("drug") || code == "DRUGPOL" {
        "prescription"
    } else {
        "medical"
    }
}

fn coverage_status(word: &str) -> Option<&'static str> {
    match word {
        "active" => Some("active"),
        "cancelled" => Some("inactive"),
        "draft" => Some("pending"),
        _ => None,
    }
}

fn holder<'a>(desk: &mut Desk<'a>, sheet: &mut Sheet, coverage: &'a Value) {
    for (column, key) in [("policy_holder_name", "policyHolder"), ("policy_holder_name", "subscriber"), ("member_name", "beneficiary")] {
        let Some(reference) = coverage.get(key).filter(|_| !sheet.has(column)) else { continue };
        let found = desk.behind(coverage, reference).map(|(resource, _)| resource);
        let person = found.and_then(people::best_name).and_then(people::full_name);
        let company = found.filter(|resource| is_organization(resource)).and_then(|resource| json::text(resource, "name"));
        sheet.put(column, person.or(company).or_else(|| json::text(reference, "display")));
    }
}
