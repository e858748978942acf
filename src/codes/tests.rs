//! What people type and what they expect to be offered.

use std::collections::HashSet;

use super::*;

fn codes(query: &str, limit: usize) -> Vec<String> {
    search(List::Icd10, query, limit).into_iter().filter_map(|offer| offer.code).collect()
}

fn first(query: &str) -> String {
    codes(query, 1).into_iter().next().unwrap_or_default()
}

fn texts(list: List, query: &str, limit: usize) -> Vec<String> {
    search(list, query, limit).into_iter().map(|offer| offer.text).collect()
}

/// The ICD-10-CM source: code, description, billable, parent.
fn source() -> Vec<csv::StringRecord> {
    let file = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/data/icd10cm.csv.gz")).unwrap();
    csv::Reader::from_reader(flate2::read::GzDecoder::new(file)).records().map(Result::unwrap).collect()
}

#[test]
fn every_row_of_the_source_is_an_entry() {
    for line in source() {
        let entry = icd10(&line[0]).unwrap_or_else(|| panic!("{} is missing", &line[0]));
        assert_eq!(entry.code, line[0]);
        assert_eq!(entry.description, line[1].replace('\t', " "));
        assert_eq!(entry.billable, &line[2] == "1", "{}", &line[0]);
        assert_eq!(entry.parent, line[3], "{}", &line[0]);
    }
}

#[test]
fn a_code_is_found_by_itself() {
    for line in source().iter().step_by(97) {
        assert_eq!(first(&line[0]), line[0]);
        assert_eq!(first(&line[0].replace('.', "").to_lowercase()), line[0]);
    }
}

#[test]
fn a_row_is_found_by_its_own_words() {
    for line in source().iter().filter(|line| fold::words(&line[1]).len() <= 12).step_by(499) {
        let same: HashSet<String> = search(List::Icd10, &line[1], 50).into_iter().map(|offer| offer.text).collect();
        assert!(same.contains(&line[1].replace('\t', " ")), "{}", &line[1]);
    }
}

#[test]
fn an_entry_is_read_with_or_without_its_dot() {
    let entry = icd10("j45909").unwrap();
    assert_eq!((entry.code.as_str(), entry.billable, entry.parent.as_str()), ("J45.909", true, "J45.90"));
    assert_eq!(icd10(" J45.909 "), Some(entry));
    assert_eq!(icd10("J45").unwrap().parent, "J40-J4A");
    assert_eq!(icd10("T36.AX1A").unwrap().parent, "T36.AX1");
    for nothing in ["", "J", "J4", "J45.9099999", "penicillin", "ü"] {
        assert_eq!(icd10(nothing), None, "{nothing}");
    }
}

#[test]
fn the_beginning_of_a_code_offers_what_is_below_it() {
    assert_eq!(codes("j45", 4), ["J45", "J45.2", "J45.20", "J45.21"]);
    assert_eq!(codes("J45.3", 9), ["J45.3", "J45.30", "J45.31", "J45.32"]);
    assert_eq!(first("E119"), "E11.9");
    assert_eq!(codes("j45 exacerbation", 9), ["J45.901", "J45.21", "J45.31", "J45.41", "J45.51"]);
}

#[test]
fn the_plain_illness_comes_first() {
    for (query, code) in [
        ("asthma", "J45.909"),
        ("hypertension", "I10"),
        ("type 2 diabetes", "E11.9"),
        ("diabetes type 2", "E11.9"),
        ("type 2 diab", "E11.9"),
        ("penicillin allergy", "Z88.0"),
        ("heart failure", "I50.9"),
        ("left knee pain", "M25.562"),
        ("Menieres", "H81.0"),
        ("ménière", "H81.0"),
        ("crohns", "K50.90"),
        ("anaemia", "D64.9"),
        ("Alzheimer’s", "G30.9"),
        ("covid19", "U07.1"),
    ] {
        assert_eq!(first(query), code, "{query}");
    }
    assert!(codes("asthma", 5).iter().all(|code| code.starts_with("J45")));
}

#[test]
fn everyday_words_find_the_illness() {
    for (query, code) in [
        ("heart attack", "I21.9"),
        ("heart att", "I21.9"),
        ("high blood pressure", "I10"),
        ("sugar", "E11.9"),
        ("stroke", "I63.9"),
        ("flu", "J11.1"),
        ("ear infection", "H66.90"),
        ("hay fever", "J30.1"),
        ("chickenpox", "B01.9"),
        ("whooping cough", "A37.90"),
        ("migraines", "G43.909"),
        ("breast cancer", "C50.919"),
    ] {
        assert_eq!(first(query), code, "{query}");
    }
    assert!(codes("broken wrist left", 10).iter().all(|code| code.starts_with("S62")));
}

#[test]
fn every_everyday_expression_is_folded_and_leads_somewhere() {
    for (list, table) in [(List::Icd10, everyday::CONDITIONS), (List::Medicines, everyday::MEDICINES)] {
        for line in table.lines().skip(1) {
            let columns: Vec<&str> = line.split(',').collect();
            for words in columns.iter().take(2) {
                assert_eq!(query::words(list.packed(), words).join(" "), *words);
            }
            for code in columns.get(2).into_iter().flat_map(|codes| codes.split(' ')).filter(|code| !code.is_empty()) {
                assert!(icd10(code).is_some_and(|entry| entry.billable), "{line}");
            }
            assert!(!search(list, columns[0], 5).is_empty(), "{line}");
            assert!(!search(list, columns[1], 5).is_empty(), "{line}");
        }
    }
}

#[test]
fn a_diagnosis_fills_its_columns() {
    let offer = search(List::Icd10, "J45.909", 1).remove(0);
    assert_eq!(offer.text, "Unspecified asthma, uncomplicated");
    assert_eq!(offer.detail.as_deref(), Some("Asthma"));
    assert!(offer.fields.contains(&("icd10_code", "J45.909".to_owned())));
    assert!(offer.fields.contains(&("diagnosis", offer.text.clone())));
}

#[test]
fn a_medicine_is_found_by_ingredient_brand_form_and_name_elsewhere() {
    assert_eq!(texts(List::Medicines, "lisinopril", 1), ["Lisinopril"]);
    assert_eq!(texts(List::Medicines, "zestril", 1), ["Zestril"]);
    assert_eq!(texts(List::Medicines, "ibuprofen suspension", 1), ["Ibuprofen"]);
    assert_eq!(texts(List::Medicines, "salbutamol", 1), ["Albuterol sulfate"]);
    assert_eq!(texts(List::Medicines, "capto", 1), ["Captopril"]);
}

#[test]
fn a_medicine_tells_its_strengths_and_fills_its_columns() {
    let offer = search(List::Medicines, "zestril", 1).remove(0);
    assert_eq!(offer.detail.unwrap(), "lisinopril · tablet · oral · 2.5 mg, 5 mg, 10 mg, 20 mg, 30 mg, 40 mg");
    let fields = [("medication_name", "Zestril"), ("alternative_name", "lisinopril"), ("route", "oral")];
    assert_eq!(offer.fields, fields.map(|(column, value)| (column, value.to_owned())));
    let several_routes = search(List::Medicines, "humalog injection solution", 1).remove(0);
    assert!(several_routes.fields.iter().all(|(column, _)| *column != "route"));
}

#[test]
fn an_allergen_is_found_by_its_name_or_another() {
    for (query, name) in [
        ("peanut", "Peanut"),
        ("prawn", "Shrimp"),
        ("penicillin", "Penicillin"),
        ("latex", "Latex"),
        ("cat", "Cat"),
        ("paracetamol", "Acetaminophen"),
        ("birch", "Birch pollen"),
    ] {
        assert_eq!(texts(List::Allergens, query, 1), [name], "{query}");
    }
    let offer = search(List::Allergens, "peanut", 1).remove(0);
    assert_eq!((offer.detail.as_deref(), offer.code), (Some("food"), None));
    assert_eq!(offer.fields, [("allergen", "Peanut".to_owned())]);
}

#[test]
fn odd_queries_are_answered_calmly() {
    let long = "asthma ".repeat(1000);
    for list in List::ALL {
        for query in ["", " ", ".", "'", "ß", "of the", "ﬁ", "\u{0301}", "日本", "a b c d e f g h i j", &long] {
            assert!(search(list, query, 7).len() <= 7);
        }
        for letter in 'a'..='z' {
            assert!(!search(list, &letter.to_string(), 5).is_empty(), "{} {letter}", list.name());
        }
        assert!(search(list, "a", 0).is_empty());
        assert!(search(list, "zzzyx", 5).is_empty());
        assert_eq!(List::named(list.name()), Some(list));
    }
}

#[test]
fn nothing_is_offered_twice() {
    for query in ["asthma", "flu", "j45", "stroke", "diabetes"] {
        let offered = codes(query, 200);
        assert_eq!(offered.iter().collect::<HashSet<_>>().len(), offered.len());
    }
}
