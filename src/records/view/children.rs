//! What a record is made of, such as the values of a laboratory's result: the table on its page.

use super::{
    Names,
    value::{Shown, show},
};
use crate::{
    page::Ui,
    records::{AnyRecord, Children, Kind, field::FieldSpec, stored::unit_of},
};

/// A table of children on the detail page.
#[derive(Clone, Debug, Default)]
pub struct ChildTable {
    pub heading: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<ChildCell>>,
}

#[derive(Clone, Debug, Default)]
pub struct ChildCell {
    pub label: String,
    pub text: String,
    pub number: bool,
    /// `low`, `high`, `critical`: shown with a word and an arrow, then a colour.
    pub flag: String,
    /// Short form and code, small beside the name.
    pub about: String,
}

/// Abbreviation and code of a child: for who looks for them, not columns of their own.
fn child_codes(spec: &Children, entry: &dyn AnyRecord, row: usize) -> String {
    let value = |name: &str| spec.fields.iter().position(|f| f.name == name).and_then(|i| entry.child(row, i));
    ["abbreviation", "test_code", "icd10_code"].iter().filter_map(|name| value(name)).collect::<Vec<_>>().join(" · ")
}

/// What the name and the range tell, and so are no columns of their own.
const MERGED: &[&str] =
    &["unit", "ref_range_min", "ref_range_max", "ref_range_text", "result_type", "test_code", "abbreviation", "icd10_code"];

/// Children as a table of the columns that are told at all.
pub fn children(ui: &Ui, patient: &str, kind: &Kind, entry: &dyn AnyRecord) -> Option<ChildTable> {
    let spec = kind.children.as_ref()?;
    if entry.child_count() == 0 {
        return None;
    }
    let rows = 0..entry.child_count();
    let told: Vec<(usize, &FieldSpec)> = spec
        .fields
        .iter()
        .copied()
        .enumerate()
        .filter(|(i, f)| !MERGED.contains(&f.name) && rows.clone().any(|row| entry.child(row, *i).is_some()))
        .collect();
    let mut columns: Vec<String> = told.iter().map(|(_, f)| ui.label(spec.table, f.name)).collect();
    let ranges: Vec<String> = rows.clone().map(|row| range(spec, entry, row)).collect();
    let has_ranges = ranges.iter().any(|r| !r.is_empty());
    if has_ranges {
        columns.push(ui.t("field.ref_range"));
    }
    let names = Names::default();
    let rows = rows
        .zip(ranges)
        .map(|(row, range)| {
            let mut cells: Vec<ChildCell> = told.iter().map(|(i, f)| cell(ui, patient, spec, entry, (row, *i, f), &names)).collect();
            if has_ranges {
                cells.push(ChildCell { label: ui.t("field.ref_range"), text: range, number: true, ..ChildCell::default() });
            }
            cells
        })
        .collect();
    Some(ChildTable { heading: ui.t(&format!("children.{}", spec.name)), columns, rows })
}

fn cell(
    ui: &Ui,
    patient: &str,
    spec: &Children,
    entry: &dyn AnyRecord,
    (row, column, field): (usize, usize, &FieldSpec),
    names: &Names,
) -> ChildCell {
    let unit = unit_of(field, &spec.fields, |i| entry.child(row, i));
    let text = entry.child(row, column).unwrap_or_default();
    let shown = if text.is_empty() { Shown::default() } else { show(ui, patient, field, &text, unit.as_deref(), names) };
    ChildCell {
        label: ui.label(spec.table, field.name),
        text: shown.text,
        number: shown.number && field.name != "notes",
        flag: if field.name == "status" { text } else { String::new() },
        about: if column == 0 { child_codes(spec, entry, row) } else { String::new() },
    }
}

/// `3.5–5.1`, `≤ 5`, or the text the laboratory printed.
fn range(spec: &Children, entry: &dyn AnyRecord, row: usize) -> String {
    let value = |name: &str| spec.fields.iter().position(|f| f.name == name).and_then(|i| entry.child(row, i));
    if let Some(text) = value("ref_range_text") {
        return text;
    }
    match (value("ref_range_min"), value("ref_range_max")) {
        (Some(low), Some(high)) => format!("{low}–{high}"),
        (Some(low), None) => format!("≥ {low}"),
        (None, Some(high)) => format!("≤ {high}"),
        (None, None) => String::new(),
    }
}
