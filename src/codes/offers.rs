//! Rows as they are shown to a person.

use super::packed::{self, Packed};
use super::{Icd10Entry, List, Offer};

/// So many ingredients are named one by one; the strengths of more say nothing any more.
const MOST_INGREDIENTS: usize = 3;
/// So many strengths are listed.
const MOST_STRENGTHS: usize = 12;

/// A row of a list as an offer.
pub fn offer(list: List, row: usize) -> Option<Offer> {
    let columns = list.packed().columns(row);
    match list {
        List::Icd10 => icd10_entry(list.packed(), row).map(|entry| condition(&entry)),
        List::Medicines => medicine(&columns),
        List::Allergens => allergen(&columns),
    }
}

/// A row of ICD-10-CM.
pub fn icd10_entry(packed: &Packed, row: usize) -> Option<Icd10Entry> {
    let key = packed.key(row);
    let mut columns = packed.columns(row).into_iter();
    Some(Icd10Entry { code: dotted(key), description: columns.next()?, billable: columns.next()? == "1", parent: parent(packed, key) })
}

/// `J45909` is written `J45.909`.
fn dotted(key: &str) -> String {
    match key.split_at_checked(3) {
        Some((category, rest)) if !rest.is_empty() => format!("{category}.{rest}"),
        _ => key.to_owned(),
    }
}

/// The longest beginning of the code that is itself a code (a placeholder X is not), at least the category; a category's block.
fn parent(packed: &Packed, key: &str) -> String {
    if key.len() <= 3 {
        return block(key).to_owned();
    }
    let begins = (3..key.len()).rev().filter_map(|length| key.get(..length));
    begins.clone().find(|begin| packed.row_of_key(begin).is_some()).or(key.get(..3)).map(dotted).unwrap_or_default()
}

/// The block a category belongs to. It does not follow from the code: `C4A` belongs to `C43-C44`.
fn block(category: &str) -> &'static str {
    let mut blocks = packed::ICD10_BLOCKS.lines().filter_map(|line| line.split_once(' '));
    blocks.find(|(of, _)| *of == category).map(|(_, block)| block).unwrap_or_default()
}

fn condition(entry: &Icd10Entry) -> Offer {
    let category = entry.code.split_once('.').and_then(|(category, _)| super::icd10(category));
    Offer {
        code: Some(entry.code.clone()),
        text: entry.description.clone(),
        detail: category.map(|category| category.description),
        fields: vec![
            ("diagnosis", entry.description.clone()),
            ("icd10_code", entry.code.clone()),
            ("code_description", entry.description.clone()),
        ],
    }
}

/// Columns: brand, ingredients, form, route, strengths.
fn medicine(columns: &[String]) -> Option<Offer> {
    let [brand, ingredients, form, route, strengths] = columns else {
        return None;
    };
    let strengths = if ingredients.matches("; ").count() < MOST_INGREDIENTS { listed(strengths) } else { String::new() };
    let ingredients = named(ingredients);
    let (name, other) = if brand.is_empty() { (capitalised(&ingredients), None) } else { (brand.clone(), Some(ingredients)) };
    let parts = [other.as_deref().unwrap_or_default(), form, route, &strengths];
    let detail = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
    let mut fields = vec![("medication_name", name.clone())];
    fields.extend(other.map(|other| ("alternative_name", other)));
    // Where a medicine can be given in several ways, the list does not know which is this person's.
    if !route.is_empty() && !route.contains(';') {
        fields.push(("route", route.clone()));
    }
    Some(Offer { code: None, text: name, detail: Some(detail), fields })
}

/// The ingredients with commas and, beyond the first few, their number: an extract can have fourteen pollens.
fn named(ingredients: &str) -> String {
    let all: Vec<&str> = ingredients.split("; ").collect();
    let named = all.iter().take(MOST_INGREDIENTS).copied().collect::<Vec<_>>().join(", ");
    let more = all.len().saturating_sub(MOST_INGREDIENTS);
    if more == 0 { named } else { format!("{named} +{more}") }
}

fn listed(strengths: &str) -> String {
    let all: Vec<&str> = strengths.split('|').collect();
    let listed = all.iter().take(MOST_STRENGTHS).copied().collect::<Vec<_>>().join(", ");
    if all.len() > MOST_STRENGTHS { listed + ", …" } else { listed }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Columns: name, other words for it, category.
fn allergen(columns: &[String]) -> Option<Offer> {
    let [name, _, category] = columns else {
        return None;
    };
    Some(Offer {
        code: None,
        text: name.clone(),
        detail: Some(category.clone()).filter(|category| !category.is_empty()),
        fields: vec![("allergen", name.clone())],
    })
}
