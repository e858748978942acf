//! From a draft to an entry of its kind. What a field refuses is not lost: it goes into the notes under the field's name, and is told.

use std::collections::HashMap;

use super::super::draft::{Draft, Fields};
use super::report::Problem;
use crate::{
    db::types::RecordId,
    records::{
        AnyRecord, Context, Kind,
        chart::Link,
        field::{Errors, FieldError, FieldSpec, Input, Mode, Place},
        input::{self, Raw},
    },
};

/// Where a source's key leads in the chart.
pub struct Home {
    pub id: RecordId,
    pub kind: String,
}

/// What a draft's keys lead to.
pub struct Ends<'a> {
    pub practitioners: &'a HashMap<String, String>,
    pub pharmacies: &'a HashMap<String, String>,
    /// Records of the same patient, by key. Those in the trash are not among them: nothing can be tied to them.
    pub homes: &'a HashMap<String, Home>,
}

pub struct Reading {
    pub entry: Box<dyn AnyRecord>,
    pub links: Vec<Link>,
    pub problems: Vec<Problem>,
}

pub fn read(kind: &'static Kind, draft: &Draft, ends: &Ends<'_>, context: &Context<'_>) -> Reading {
    let mut entry = (kind.blank)();
    let mut raw = Raw { fields: pairs(&draft.fields), children: draft.children.as_ref().map(|rows| rows.iter().map(pairs).collect()) };
    people(kind, draft, ends, &mut raw);
    let links = ties(kind, draft, ends, &mut raw);
    let mut problems = Vec::new();
    let mut remarks = Vec::new();
    for (path, error) in input::fill(kind, entry.as_mut(), &raw, Mode::Strict) {
        let Some(remark) = rescue(kind, entry.as_mut(), draft, &path, &error) else { continue };
        // Notes that are too long are told of below, with whatever else has no room there.
        if path != "notes" {
            let word = if is_shortened(kind, &path, &error) { "shortened" } else { "refused_value" };
            problems.push(Problem::of_field(&draft.source_key, word, &path, &error));
        }
        remarks.push(remark);
    }
    if !remarks.is_empty() && !add_remarks(kind, entry.as_mut(), &remarks) {
        problems.push(Problem::new(&draft.source_key, "notes_cut", None));
    }
    let mut errors = Errors::new();
    input::settle(kind, entry.as_mut(), None, context, &mut errors);
    problems.extend(errors.iter().map(|(path, error)| Problem::of_field(&draft.source_key, "odd_value", path, error)));
    Reading { entry, links, problems }
}

fn pairs(fields: &Fields) -> Vec<(String, String)> {
    fields.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect()
}

/// Practitioner and pharmacy, where the kind has a column for them.
fn people(kind: &Kind, draft: &Draft, ends: &Ends<'_>, raw: &mut Raw) {
    let told = [
        ("practitioner_id", draft.practitioner.as_ref().and_then(|key| ends.practitioners.get(key))),
        ("pharmacy_id", draft.pharmacy.as_ref().and_then(|key| ends.pharmacies.get(key))),
    ];
    for (column, id) in told {
        if let Some(id) = id.filter(|_| kind.field(column).is_some()) {
            raw.fields.push((column.to_owned(), id.clone()));
        }
    }
}

/// Ties of a relation that is a column of the kind go into the column, if it is meant for such a record; all others are plain ties.
fn ties(kind: &Kind, draft: &Draft, ends: &Ends<'_>, raw: &mut Raw) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for tie in draft.links.iter().filter(|tie| tie.to != draft.source_key) {
        let Some(home) = ends.homes.get(&tie.to) else { continue };
        let column = kind.field(tie.relation).map(|(_, spec)| spec).filter(|spec| fits(spec, home));
        let is_taken = raw.fields.iter().any(|(name, _)| name == tie.relation);
        match column {
            Some(_) if !is_taken => raw.fields.push((tie.relation.to_owned(), home.id.to_string())),
            _ if links.iter().any(|link| link.to == home.id) => {}
            _ => links.push(Link { relation: "related".to_owned(), to: home.id.clone(), note: None }),
        }
    }
    links
}

fn fits(spec: &FieldSpec, home: &Home) -> bool {
    spec.place == Place::Link && matches!(spec.input, Input::Record(wanted) if wanted == home.kind)
}

/// Tries a refused value once more in a form that the field takes; what cannot be kept whole there is returned as a line of notes.
fn rescue(kind: &Kind, entry: &mut dyn AnyRecord, draft: &Draft, path: &str, error: &FieldError) -> Option<String> {
    let pieces: Vec<&str> = path.split('.').collect();
    match pieces.as_slice() {
        [name] => {
            let text = draft.fields.get(*name)?;
            let place = kind.field(name);
            let lost = match second_try(text, error, place.map(|(_, spec)| spec)) {
                Some((form, is_whole)) => place.is_none_or(|(index, _)| entry.set(index, &form, Mode::Strict).is_err()) || !is_whole,
                None => true,
            };
            lost.then(|| if *name == "notes" { plain(text) } else { format!("{}: {}", label(name), plain(text)) })
        }
        [children, row, name] => {
            let row: usize = row.parse().ok()?;
            let told = draft.children.as_ref()?.get(row)?;
            let text = told.get(*name)?;
            let columns = kind.children.as_ref().map_or(&[][..], |c| &c.fields);
            let place = columns.iter().position(|spec| spec.name == *name);
            let lost = match second_try(text, error, place.and_then(|at| columns.get(at)).copied()) {
                Some((form, is_whole)) => place.is_none_or(|index| entry.set_child(row, index, &form, Mode::Strict).is_err()) || !is_whole,
                None => true,
            };
            let first = columns.first().and_then(|spec| told.get(spec.name));
            let owner = first
                .filter(|_| columns.first().is_none_or(|spec| spec.name != *name))
                .map_or_else(String::new, |text| format!(" ({})", plain(text)));
            lost.then(|| format!("{} {}{owner}, {}: {}", label(children), row + 1, label(name), plain(text)))
        }
        _ => None,
    }
}

/// Does the beginning of the value stand in its field?
fn is_shortened(kind: &Kind, path: &str, error: &FieldError) -> bool {
    let columns = kind.children.as_ref().map_or(&[][..], |children| &children.fields);
    let spec = kind.field(path).map(|(_, spec)| spec);
    let spec = spec.or_else(|| columns.iter().find(|spec| path.ends_with(&format!(".{}", spec.name))).copied());
    matches!(error, FieldError::TooLong { .. }) && spec.is_some_and(|spec| matches!(spec.input, Input::Line))
}

/// Another form of a refused text, and whether it says all of it.
fn second_try(text: &str, error: &FieldError, spec: Option<&FieldSpec>) -> Option<(String, bool)> {
    let spec = spec?;
    match error {
        FieldError::ControlCharacters => {
            let several_lines = matches!(spec.input, Input::Text);
            let keep = |c: char| !c.is_control() || (several_lines && matches!(c, '\n' | '\t'));
            Some((text.chars().map(|c| if keep(c) { c } else { ' ' }).collect(), true))
        }
        // The beginning of a name is better than a record without one.
        FieldError::TooLong { max, .. } if matches!(spec.input, Input::Line) => {
            let begin: String = text.trim().chars().take(max.saturating_sub(1)).collect();
            Some((format!("{begin}…"), false))
        }
        _ => None,
    }
}

fn label(name: &str) -> String {
    name.replace('_', " ")
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { ' ' } else { c }).collect()
}

/// Puts the lines under the notes that were told; false if not all of it had room (the original is kept whole beside the record).
fn add_remarks(kind: &Kind, entry: &mut dyn AnyRecord, remarks: &[String]) -> bool {
    let Some((index, spec)) = kind.field("notes") else { return false };
    let told = entry.get(index);
    let all = told.iter().chain(remarks).map(String::as_str).collect::<Vec<_>>().join("\n");
    let cut: String = all.chars().take(spec.max).collect();
    entry.set(index, &cut, Mode::Strict).is_ok() && cut.len() == all.len()
}
