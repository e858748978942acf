//! The code lists shipped in the program: diagnoses, medicines and allergens, offered while a person types.
//!
//! The lists are packed by `build.rs` and read where they lie in the binary: nothing is unpacked or built at start, and a
//! search touches only the pages it needs. Where they come from is told in `data/README.md`.

mod everyday;
mod find;
mod fold;
mod offers;
mod packed;
mod query;
#[cfg(test)]
mod tests;

use everyday::Meaning;
use packed::Packed;

/// A list that can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Icd10,
    Medicines,
    Allergens,
}

/// One line offered to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The code as it is printed, with its dot; only ICD-10-CM has codes.
    pub code: Option<String>,
    pub text: String,
    /// What tells it from its neighbours: the category of a diagnosis, form and strengths of a medicine.
    pub detail: Option<String>,
    /// The columns to fill when the person takes the offer.
    pub fields: Vec<(&'static str, String)>,
}

/// One line of ICD-10-CM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icd10Entry {
    pub code: String,
    pub description: String,
    /// Whether the code is exact enough to stand on a bill; the others are headings.
    pub billable: bool,
    /// The code above, or the block (`J40-J4A`) of a three-letter category.
    pub parent: String,
}

impl List {
    pub const ALL: [Self; 3] = [Self::Icd10, Self::Medicines, Self::Allergens];

    /// The name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Icd10 => "icd10",
            Self::Medicines => "medicines",
            Self::Allergens => "allergens",
        }
    }

    /// The list of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.name() == name)
    }

    fn packed(self) -> &'static Packed {
        match self {
            Self::Icd10 => &packed::ICD10,
            Self::Medicines => &packed::MEDICINES,
            Self::Allergens => &packed::ALLERGENS,
        }
    }
}

/// The edition of a list, as far as its source tells.
///
/// ICD-10-CM: the file names no edition; it holds the codes that came with the fiscal year 2026 (`G35.A`, `C50.A`).
/// The lists of the FDA carry no date.
pub fn version(list: List) -> &'static str {
    match list {
        List::Icd10 => "2026",
        List::Medicines | List::Allergens => "undated",
    }
}

/// How many lines a list has.
pub fn entries(list: List) -> usize {
    list.packed().len()
}

/// The entry with exactly this code, written with or without its dot, in any case.
pub fn icd10(code: &str) -> Option<Icd10Entry> {
    let packed = List::Icd10.packed();
    offers::icd10_entry(packed, packed.row_of_key(&query::key(code))?)
}

/// Nobody reads on beyond so many offers.
const MOST_OFFERS: usize = 200;

/// At most `limit` lines (and never more than 200) that fit what was typed, the best first.
pub fn search(list: List, query: &str, limit: usize) -> Vec<Offer> {
    let limit = limit.min(MOST_OFFERS);
    let mut rows = Vec::new();
    let typed = query::words(list.packed(), query);
    collect(&mut rows, by_code(list, query, limit));
    if rows.len() < limit {
        collect(&mut rows, by_words(list, &typed, limit));
    }
    if rows.len() < limit {
        let loosened = query::loosened(&typed);
        if loosened != typed {
            collect(&mut rows, by_words(list, &loosened, limit));
        }
    }
    rows.into_iter().take(limit).filter_map(|row| offers::offer(list, row)).collect()
}

/// Adds the rows that are not there yet.
fn collect(rows: &mut Vec<usize>, more: Vec<usize>) {
    for row in more {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
}

/// If all that was typed is the beginning of a code: that code and those below it, in the order of the codes.
fn by_code(list: List, query: &str, limit: usize) -> Vec<usize> {
    list.packed().rows_of_code(&query::key(query)).take(limit).collect()
}

/// Rows by words: the codes an everyday expression stands for, then what matches it or its medical meaning.
fn by_words(list: List, typed: &[String], limit: usize) -> Vec<usize> {
    let packed = list.packed();
    let meaning = everyday::meaning(list, typed);
    let mut rows = meaning.as_ref().map(|meaning| pinned(packed, meaning)).unwrap_or_default();
    let typed_found = find::best(packed, typed, limit);
    let meant = meaning.as_ref().filter(|meaning| meaning.words != typed);
    let meant_found = meant.map(|meaning| find::best(packed, &meaning.words, limit)).unwrap_or_default();
    let mut found = [meant_found, typed_found].concat();
    // Someone who typed `flu` means influenza; `flushing` comes after it however well it fits.
    if rows.is_empty() || !meaning.is_some_and(|meaning| meaning.complete) {
        found.sort_unstable();
    }
    collect(&mut rows, found.into_iter().map(|found| found.row).collect());
    rows
}

fn pinned(packed: &Packed, meaning: &Meaning) -> Vec<usize> {
    meaning.codes.iter().filter_map(|code| packed.row_of_key(&query::key(code))).collect()
}
