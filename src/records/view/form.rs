//! The form of a record, a patient or a directory entry: its parts, its rows of children, and the summary of what is wrong.

use std::collections::HashMap;

use super::{
    Names,
    input::{FormField, form_fields},
};
use crate::{
    db::types::RecordId,
    page::Ui,
    records::{
        AnyRecord, Kind,
        field::{Confirmed, Errors, FieldSpec, Groups},
    },
};

#[derive(Clone, Debug)]
pub struct FormSection {
    pub heading: String,
    pub fields: Vec<FormField>,
    /// Parts a person rarely needs open only when something in them is told or wrong.
    pub folded: bool,
    pub open: bool,
    /// The field and the word of it this part belongs to, if it does; the part opens when the word is chosen.
    pub when: Option<(&'static str, &'static str)>,
}

/// The values to show: what was typed before what is stored.
pub type Typed = HashMap<String, String>;

/// The form of a kind, filled with what was typed or stored.
pub fn form(
    ui: &Ui,
    kind: &Kind,
    values: &Typed,
    errors: &Errors,
    confirmed: &Confirmed,
    names: &Names,
    own: Option<&RecordId>,
) -> Vec<FormSection> {
    let told = Told { values, errors, confirmed };
    sectioned(ui, kind.word(), &kind.fields, &told, names, own)
}

/// What a form was told, and what came of it.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub values: &'a Typed,
    pub errors: &'a Errors,
    pub confirmed: &'a Confirmed,
}

/// The form of a patient or a directory entry.
pub fn plain_form<'a>(
    ui: &Ui,
    word: &str,
    fields: impl Iterator<Item = &'a FieldSpec>,
    values: &Typed,
    errors: &Errors,
    names: &Names,
) -> Vec<FormSection> {
    let told = Told { values, errors, confirmed: &Confirmed::Nothing };
    sectioned(ui, word, &fields.collect::<Vec<_>>(), &told, names, None)
}

fn sectioned(ui: &Ui, word: &str, fields: &[&FieldSpec], told: &Told<'_>, names: &Names, own: Option<&RecordId>) -> Vec<FormSection> {
    let mut order: Vec<&str> = Vec::new();
    for spec in fields {
        if !order.contains(&spec.section) {
            order.push(spec.section);
        }
    }
    order
        .into_iter()
        .flat_map(|section| {
            let specs = fields.iter().filter(|spec| spec.section == section);
            let groups = specs.clone().find_map(|spec| spec.groups.map(|groups| (spec.name, groups)));
            let fields: Vec<FormField> = specs.flat_map(|spec| form_fields(ui, word, spec, "", told, names, own)).collect();
            let heading = ui.t(&format!("section.{section}"));
            match groups {
                Some((name, groups)) => grouped(ui, section, name, &groups, &fields, told.values),
                None => vec![FormSection { heading, open: tells(&fields), fields, folded: section == "more", when: None }],
            }
        })
        .collect()
}

/// Does anything stand in it that a person would look for, or is anything wrong?
fn tells(fields: &[FormField]) -> bool {
    fields.iter().any(|f| !f.error.is_empty() || (!f.value.is_empty() && f.name != "sensitivity" && f.name != "status"))
}

/// A part for each word of the choice, folded unless it is chosen or something stands in it.
fn grouped(ui: &Ui, section: &str, name: &str, groups: &Groups, fields: &[FormField], values: &Typed) -> Vec<FormSection> {
    let part = |(word, parts): &(&'static str, &'static [&'static str])| {
        let belongs =
            |f: &&FormField| f.name.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')).is_some_and(|p| parts.contains(&p));
        let fields: Vec<FormField> = fields.iter().filter(belongs).cloned().collect();
        let chosen = values.get(groups.by).is_some_and(|value| value == word);
        let heading = ui.t(&format!("section.{section}_{word}"));
        FormSection { heading, open: chosen || tells(&fields), fields, folded: true, when: Some((groups.by, word)) }
    };
    groups.of.iter().map(part).collect()
}

/// What a stored record puts into its form.
pub fn stored_values(kind: &Kind, entry: &dyn AnyRecord) -> Typed {
    let mut values: Typed =
        kind.fields.iter().enumerate().filter_map(|(i, f)| entry.get(i).map(|text| (f.name.to_owned(), text))).collect();
    if let Some(children) = &kind.children {
        for row in 0..entry.child_count() {
            for (i, f) in children.fields.iter().enumerate() {
                if let Some(text) = entry.child(row, i) {
                    values.insert(format!("{}.{row}.{}", children.name, f.name), text);
                }
            }
        }
    }
    values
}

/// One row of children in a form.
#[derive(Clone, Debug)]
pub struct FormRow {
    pub number: usize,
    pub main: Vec<FormField>,
    pub more: Vec<FormField>,
    pub open: bool,
}

pub fn form_rows(ui: &Ui, kind: &Kind, count: usize, values: &Typed, errors: &Errors, confirmed: &Confirmed) -> Vec<FormRow> {
    let told = Told { values, errors, confirmed };
    let Some(children) = &kind.children else { return Vec::new() };
    let names = Names::default();
    (0..count)
        .map(|row| {
            let prefix = format!("{}.{row}.", children.name);
            let make = |more: bool| -> Vec<FormField> {
                let chosen = children.fields.iter().filter(|f| (f.section == "more") == more);
                chosen.flat_map(|f| form_fields(ui, children.table, f, &prefix, &told, &names, None)).collect()
            };
            let (mut main, more) = (make(false), make(true));
            for field in &mut main {
                // A row is wanted only if something is written in it, so the browser must not insist.
                field.required = false;
                // What is said once above need not be said on every row.
                if row > 0 {
                    field.hint.clear();
                }
            }
            let open = more.iter().any(|f| !f.error.is_empty());
            FormRow { number: row + 1, main, more, open }
        })
        .collect()
}

/// The summary above a failed form: each line leads to its field.
pub fn summary(ui: &Ui, kind: &Kind, errors: &Errors) -> Vec<(String, String)> {
    errors
        .iter()
        .map(|(name, error)| {
            let last = name.rsplit('.').next().unwrap_or(name);
            let word = kind.children.as_ref().filter(|c| name.starts_with(c.name)).map_or(kind.word(), |c| c.table);
            (format!("f-{}", name.replace('.', "-")), format!("{}: {}", ui.label(word, last), ui.error(error)))
        })
        .collect()
}

/// The same for a patient or a directory entry.
pub fn plain_summary(ui: &Ui, word: &str, errors: &Errors) -> Vec<(String, String)> {
    errors.iter().map(|(name, error)| (format!("f-{name}"), format!("{}: {}", ui.label(word, name), ui.error(error)))).collect()
}

/// Does anything ask for a confirmation, and nothing else is wrong?
pub fn asks_only(errors: &Errors) -> bool {
    !errors.is_empty() && errors.iter().all(|(_, e)| e.is_question())
}
