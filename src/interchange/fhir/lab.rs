//! Laboratory results: a report with its observations is one record, and so is a panel, and so is a test that stands alone.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::super::draft::{Fields, LeftoverReason, ProblemKind};
use super::book::{Book, Entry, Fate, Found};
use super::codes;
use super::desk::Desk;
use super::json;
use super::observation::{self, Sort};
use super::sheet::{Reading, Sheet, put};
use super::values;

/// Which observation belongs to which report or panel. Decided before anything is read, because a report may stand after its observations.
#[derive(Debug, Default)]
pub struct Owners {
    members: HashMap<usize, Vec<usize>>,
    owned: HashSet<usize>,
}

impl Owners {
    pub fn is_owned(&self, index: usize) -> bool {
        self.owned.contains(&index)
    }

    fn of(&self, head: usize) -> &[usize] {
        self.members.get(&head).map_or(&[], Vec::as_slice)
    }
}

/// Every observation goes to the first report that lists it, so that no result counts twice.
pub fn owners(desk: &Desk<'_>) -> Owners {
    let book = desk.book;
    let mut owners = Owners::default();
    for (index, entry) in book.entries.iter().enumerate() {
        if entry.kind == "DiagnosticReport" && can_own(book, entry) && report_name(entry.resource).is_some() {
            claim(book, &mut owners, index, entry, "result");
        }
    }
    let inside = all_members(book);
    for (index, entry) in book.entries.iter().enumerate() {
        let outermost = entry.kind == "Observation" && !owners.is_owned(index) && !inside.contains(&index);
        if outermost && can_own(book, entry) && is_test(entry) && codes::name(entry.resource.get("code")).is_some() {
            claim(book, &mut owners, index, entry, "hasMember");
        }
    }
    owners
}

fn can_own(book: &Book<'_>, entry: &Entry<'_>) -> bool {
    entry.fate == Fate::Live && !super::withdrawn(entry.resource) && subject(book, entry).is_some()
}

fn is_test(entry: &Entry<'_>) -> bool {
    observation::sort(entry.resource) == Sort::Laboratory
}

fn subject(book: &Book<'_>, entry: &Entry<'_>) -> Option<usize> {
    let reference = entry.resource.get("subject").or_else(|| entry.resource.get("patient"))?;
    match book.find(entry.resource, reference) {
        Found::Entry(index) if book.entry(index).is_some_and(|e| e.kind == "Patient") => Some(index),
        _ => None,
    }
}

fn all_members(book: &Book<'_>) -> HashSet<usize> {
    let observations = book.entries.iter().filter(|entry| entry.kind == "Observation");
    observations.flat_map(|entry| targets(book, entry, "hasMember")).collect()
}

fn targets(book: &Book<'_>, entry: &Entry<'_>, list: &str) -> Vec<usize> {
    let references = json::list(entry.resource, list).iter();
    let found = references.filter_map(|reference| match book.find(entry.resource, reference) {
        Found::Entry(index) => Some(index),
        _ => None,
    });
    found.filter(|index| book.entry(*index).is_some_and(|e| e.kind == "Observation")).collect()
}

/// Takes what the list names and, panel by panel, what those name in turn; in the order of the lists.
fn claim(book: &Book<'_>, owners: &mut Owners, head: usize, entry: &Entry<'_>, list: &str) {
    let whose = subject(book, entry);
    let mut waiting: Vec<usize> = targets(book, entry, list);
    waiting.reverse();
    while let Some(index) = waiting.pop() {
        let Some(member) = book.entry(index) else { continue };
        let vital = observation::sort(member.resource) == Sort::Vital;
        if index == head || vital || !can_own(book, member) || subject(book, member) != whose || !owners.owned.insert(index) {
            continue;
        }
        owners.members.entry(head).or_default().push(index);
        waiting.extend(targets(book, member, "hasMember").into_iter().rev());
    }
}

fn report_name(report: &Value) -> Option<String> {
    codes::name(report.get("code")).or_else(|| codes::name(report.get("category")))
}

pub fn report<'a>(desk: &mut Desk<'a>, index: usize, entry: &'a Entry<'a>, patient: &str, owners: &Owners) {
    let report = entry.resource;
    let Some(name) = report_name(report) else {
        return desk.leftover(index, LeftoverReason::NotUnderstood);
    };
    for reference in json::list(report, "result") {
        desk.entry_of(report, reference, &["Observation"]);
    }
    let mut sheet = head(desk, report, name);
    let rows = member_rows(desk, owners.of(index), None);
    let parts = part_keys(desk, owners.of(index));
    sheet.put("is_panel", Some((rows.len() > 1).to_string()).filter(|_| !rows.is_empty()));
    sheet.children = Some(rows);
    let conclusion = json::paragraph(report, "conclusion");
    sheet.put("labs_result", conclusion.or_else(|| codes::names(json::list(report, "conclusionCode"), ", ")));
    attached_texts(desk, &mut sheet, report);
    desk.mark_placed(index);
    desk.file(&entry.key, &entry.kind, patient, sheet, parts);
}

/// A test that no report lists: alone, or a panel with its members.
pub fn observation<'a>(desk: &mut Desk<'a>, index: usize, entry: &'a Entry<'a>, patient: &str, owners: &Owners) {
    let test = entry.resource;
    let Some(name) = codes::name(test.get("code")) else {
        return desk.leftover(index, LeftoverReason::NotUnderstood);
    };
    let mut sheet = head(desk, test, name);
    let members = owners.of(index);
    let rows = member_rows(desk, members, Some(entry));
    let parts = part_keys(desk, members);
    if rows.is_empty() && json::text(test, "status").as_deref() == Some("cancelled") {
        return desk.put(index, entry, patient, Reading::Kept(LeftoverReason::NotUnderstood));
    }
    sheet.put("is_panel", Some((rows.len() > 1).to_string()));
    if !has_row(test) {
        // A heading has no row that could carry its remarks.
        sheet.annotations(test);
    }
    sheet.children = Some(rows);
    desk.mark_placed(index);
    desk.file(&entry.key, &entry.kind, patient, sheet, parts);
}

/// The columns that a report and a lone test have in common.
fn head<'a>(desk: &mut Desk<'a>, resource: &'a Value, name: String) -> Sheet {
    let mut sheet = Sheet::new("lab-results");
    sheet.put("test_name", Some(name));
    sheet.put("sensitivity", codes::sensitivity(resource));
    sheet.code(resource.get("code"));
    let code = codes::of(&sheet.codes, codes::LOINC).or_else(|| sheet.codes.first()).map(|code| code.code.clone());
    sheet.put("test_code", code);
    sheet.put("test_category", Some(category(resource)));
    sheet.put("completed_date", observation::effective(desk, resource));
    sheet.put("status", json::text(resource, "status").as_deref().and_then(status));
    let performers = json::list(resource, "performer");
    let facility = performers.iter().find_map(|performer| {
        let actor = performer.get("actor").unwrap_or(performer);
        desk.facility(&mut sheet, resource, Some(actor))
    });
    sheet.put("facility", facility);
    let actor = performers.iter().find_map(|performer| performer.get("actor"));
    sheet.practitioner = desk.practitioner(resource, [resource.get("performer"), actor, resource.get("resultsInterpreter")]);
    desk.visit(&mut sheet, resource);
    if resource.get("resourceType").and_then(Value::as_str) == Some("DiagnosticReport") {
        sheet.annotations(resource);
    }
    sheet
}

fn category(resource: &Value) -> String {
    let codes = codes::all(resource.get("category"));
    let laboratory = codes.is_empty() || codes.iter().any(|code| code.code == "LAB" || code.code.eq_ignore_ascii_case("laboratory"));
    let told = codes::name(resource.get("category"));
    told.filter(|_| !laboratory || codes.is_empty()).unwrap_or_else(|| "laboratory".to_owned())
}

fn status(word: &str) -> Option<&'static str> {
    match word {
        "final" | "amended" | "corrected" | "appended" => Some("completed"),
        "registered" => Some("ordered"),
        "preliminary" | "partial" => Some("in_progress"),
        "cancelled" => Some("cancelled"),
        _ => None,
    }
}

fn part_keys(desk: &mut Desk<'_>, members: &[usize]) -> Vec<(String, String)> {
    let book = desk.book;
    members
        .iter()
        .filter_map(|index| {
            desk.mark_placed(*index);
            book.entry(*index).map(|entry| (entry.kind.clone(), entry.key.clone()))
        })
        .collect()
}

fn member_rows(desk: &mut Desk<'_>, members: &[usize], own: Option<&Entry<'_>>) -> Vec<Fields> {
    let book = desk.book;
    let others = members.iter().filter_map(|index| book.entry(*index));
    let mut rows = Vec::new();
    for entry in own.into_iter().chain(others) {
        desk.turn_to(entry);
        rows_of(desk, entry.resource, &mut rows);
    }
    rows
}

/// A test's own row, and one for each of its components. A panel without a value of its own is only their heading.
fn rows_of(desk: &mut Desk<'_>, test: &Value, rows: &mut Vec<Fields>) {
    let components = json::list(test, "component");
    let own_value = values::of(test).is_some();
    if own_value || (components.is_empty() && has_row(test)) {
        rows.extend(row(test, Some(test)));
    }
    if ["valueAttachment", "valueSampledData"].iter().any(|key| test.get(*key).is_some()) {
        desk.problem(ProblemKind::Other("attachment_kept"));
    }
    for (position, component) in components.iter().enumerate() {
        let remarks = Some(test).filter(|_| !own_value && position == 0);
        rows.extend(row(component, remarks));
    }
}

/// Whether a test shows up in the table itself: a panel whose members carry the values does not.
fn has_row(test: &Value) -> bool {
    values::of(test).is_some() || !json::list(test, "component").is_empty() || json::list(test, "hasMember").is_empty()
}

/// A row without an answer is kept when its test has a name: "not done" is a result, too.
fn row(test: &Value, annotated: Option<&Value>) -> Option<Fields> {
    let mut fields = Fields::new();
    let codes = codes::all(test.get("code"));
    put(&mut fields, "test_name", codes::name(test.get("code")));
    let code = codes::of(&codes, codes::LOINC).or_else(|| codes.first());
    put(&mut fields, "test_code", code.map(|code| code.code.clone()));
    if let Some(value) = values::of(test) {
        put(&mut fields, "result_type", Some(value.sort.word()));
        put(&mut fields, "value", Some(value.text));
        put(&mut fields, "unit", value.unit);
    }
    ranges(&mut fields, test);
    put(&mut fields, "status", interpretation(test));
    let mut notes: Vec<String> = Vec::new();
    notes.extend(values::absent_reason(test).map(|reason| format!("no value: {reason}")));
    if interpretation(test).is_none() {
        notes.extend(codes::names(json::list(test, "interpretation"), ", ").map(|words| format!("interpretation: {words}")));
    }
    for note in annotated.map_or(&[][..], |test| json::list(test, "note")) {
        notes.extend(json::paragraph(note, "text"));
    }
    put(&mut fields, "notes", Some(notes.join("\n")));
    fields.contains_key("test_name").then_some(fields)
}

/// The range for healthy people fills the columns; a text, or several ranges, are written out.
fn ranges(fields: &mut Fields, test: &Value) {
    let all = json::list(test, "referenceRange");
    let normal = |range: &&Value| {
        let meaning = codes::code(range.get("type"));
        meaning.is_none_or(|code| code == "normal")
    };
    let Some(range) = all.iter().find(normal).or_else(|| all.first()) else { return };
    put(fields, "ref_range_min", range.get("low").and_then(|low| json::digits(low, "value")));
    put(fields, "ref_range_max", range.get("high").and_then(|high| json::digits(high, "value")));
    let words = if all.len() > 1 { range_words(test) } else { json::text(range, "text") };
    put(fields, "ref_range_text", words);
}

/// Every range in words, with what it applies to.
pub fn range_words(test: &Value) -> Option<String> {
    let words = json::list(test, "referenceRange").iter().map(|range| {
        let applies = codes::names(json::list(range, "appliesTo"), ", ").or_else(|| codes::name(range.get("type")));
        let words = json::text(range, "text").or_else(|| values::range_words(Some(range)))?;
        json::joined([applies, Some(words)], ": ")
    });
    json::joined(words, "; ")
}

fn interpretation(test: &Value) -> Option<&'static str> {
    let concepts = json::list(test, "interpretation");
    concepts.iter().find_map(|concept| {
        let code = codes::code(Some(concept)).or_else(|| json::text(concept, "text"))?;
        Some(match code.to_ascii_uppercase().as_str() {
            "N" | "NORMAL" => "normal",
            "L" | "LU" | "<" | "LOW" => "low",
            "H" | "HU" | ">" | "HIGH" => "high",
            "LL" | "CRITICAL LOW" => "critical_low",
            "HH" | "CRITICAL HIGH" => "critical_high",
            "A" | "ABNORMAL" => "abnormal",
            "AA" | "CRITICAL" => "critical",
            _ => return None,
        })
    })
}

/// A report's plain text goes into the notes; pictures and documents stay in the original and are told.
fn attached_texts(desk: &mut Desk<'_>, sheet: &mut Sheet, report: &Value) {
    for form in json::list(report, "presentedForm") {
        let sort = json::text(form, "contentType").unwrap_or_default().to_ascii_lowercase();
        let text = if sort.starts_with("text/plain") { decoded(form) } else { None };
        if text.is_none() {
            desk.problem(ProblemKind::Other("attachment_kept"));
        }
        sheet.note(text);
    }
}

fn decoded(form: &Value) -> Option<String> {
    use base64::Engine as _;
    use base64::engine::DecodePaddingMode;
    use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let data: String = form.get("data")?.as_str()?.split_ascii_whitespace().collect();
    let text = String::from_utf8(engine.decode(data).ok()?).ok()?;
    json::clean_paragraph(&text)
}
