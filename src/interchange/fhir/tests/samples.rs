//! The real bundles beside the project, where they are at hand: nothing lost, no digit changed, no date invented.

use std::path::{Path, PathBuf};

use super::super::super::draft::{Fields, Told};
use super::super::{read, unaccounted};

fn samples() -> Vec<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples"));
    let folders = ["fhir", "ips"].into_iter().filter_map(|folder| std::fs::read_dir(root.join(folder)).ok());
    let files = folders.flatten().filter_map(Result::ok).map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

fn every_sample(check: impl Fn(&Told, &str)) {
    for path in samples() {
        let text = std::fs::read_to_string(&path).unwrap();
        let told = read(text.as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        check(&told, &text);
    }
}

fn rows(told: &Told) -> Vec<&Fields> {
    let records = told.records.iter().flat_map(|draft| std::iter::once(&draft.fields).chain(draft.children.iter().flatten()));
    let people = [&told.patients, &told.practitioners, &told.practices, &told.pharmacies];
    records.chain(people.into_iter().flatten().map(|person| &person.fields)).collect()
}

#[test]
fn every_resource_ends_in_one_place() {
    every_sample(|told, _| {
        assert_eq!(unaccounted(told), Vec::new());
        assert_eq!(told.counts.values().sum::<usize>(), told.entries.len());
    });
}

#[test]
fn every_number_stands_in_the_file_as_it_is() {
    let columns = [
        "value",
        "ref_range_min",
        "ref_range_max",
        "systolic_bp",
        "diastolic_bp",
        "heart_rate",
        "respiratory_rate",
        "temperature",
        "weight",
        "height",
        "bmi",
        "oxygen_saturation",
        "pain_scale",
        "blood_glucose",
        "a1c",
        "dose_number",
    ];
    every_sample(|told, text| {
        let numbers = rows(told).into_iter().flatten().filter(|(column, _)| columns.contains(*column)).map(|(_, value)| value);
        for number in numbers.filter(|value| value.starts_with(|c: char| c.is_ascii_digit() || c == '-')) {
            assert!(text.contains(&format!(": {number}")) || text.contains(&format!(":{number}")), "{number}");
        }
    });
}

#[test]
fn every_date_stands_in_the_file_as_it_is() {
    every_sample(|told, text| {
        let dates = rows(told).into_iter().flatten().filter(|(column, _)| {
            column.ends_with("_date")
                || column.ends_with("_on")
                || column.starts_with("effective_")
                || matches!(**column, "date" | "date_administered")
        });
        for (column, date) in dates {
            assert!(text.contains(&format!("\"{date}\"")), "{column}: {date}");
        }
    });
}

#[test]
fn choices_are_the_words_of_the_chart() {
    every_sample(|told, _| {
        for draft in &told.records {
            let status = draft.fields.get("status").map_or("", String::as_str);
            let allowed: &[&str] = match draft.kind {
                "medications" => &["active", "stopped", "on-hold", "completed", "cancelled"],
                "conditions" => &["active", "inactive", "resolved", "chronic", "recurrence", "relapse"],
                "lab-results" => &["ordered", "in_progress", "completed", "cancelled"],
                "allergies" => &["active", "inactive", "resolved", "unconfirmed"],
                "procedures" => &["scheduled", "in_progress", "completed", "cancelled"],
                "treatments" => &["active", "in_progress", "completed", "cancelled", "on_hold"],
                "encounters" => &["in_progress", "completed", "cancelled"],
                _ => &[],
            };
            assert!(status.is_empty() || allowed.contains(&status), "{}: {status}", draft.kind);
            assert!(draft.fields.values().all(|text| !text.trim().is_empty()));
            assert!(!draft.original.is_null());
        }
    });
}

#[test]
fn a_second_reading_gives_the_same_keys() {
    every_sample(|told, text| {
        let keys = |told: &Told| told.records.iter().map(|draft| draft.source_key.clone()).collect::<Vec<_>>();
        let mut sorted = keys(told);
        assert_eq!(sorted, keys(&read(text.as_bytes()).unwrap()));
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), told.records.len());
    });
}
