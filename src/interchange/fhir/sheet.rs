//! A record while it is being filled in.

use serde_json::Value;

use super::super::draft::{CodeDraft, Fields, LeftoverReason, LinkDraft};
use super::codes;
use super::json;

#[derive(Debug, Default)]
pub struct Sheet {
    pub kind: &'static str,
    pub fields: Fields,
    pub children: Option<Vec<Fields>>,
    pub practitioner: Option<String>,
    pub pharmacy: Option<String>,
    pub links: Vec<LinkDraft>,
    pub codes: Vec<CodeDraft>,
    /// Entries that become part of this record unless they have a place of their own (a medication, a location).
    pub minor: Vec<usize>,
    notes: Vec<String>,
}

/// What became of one resource.
#[derive(Debug)]
pub enum Reading {
    Record(Box<Sheet>),
    /// The source says that there is nothing of this kind.
    NoneKnown(&'static str),
    Kept(LeftoverReason),
}

impl Sheet {
    pub fn new(kind: &'static str) -> Self {
        Sheet { kind, ..Sheet::default() }
    }

    /// Fills a column; what is not told or is empty leaves it out.
    pub fn put(&mut self, column: &'static str, text: Option<impl Into<String>>) {
        put(&mut self.fields, column, text);
    }

    pub fn has(&self, column: &str) -> bool {
        self.fields.contains_key(column)
    }

    pub fn note(&mut self, text: Option<String>) {
        if let Some(text) = text.filter(|text| !self.notes.contains(text)) {
            self.notes.push(text);
        }
    }

    /// `criticality: high`.
    pub fn labelled(&mut self, label: &str, text: Option<String>) {
        self.note(text.map(|text| format!("{label}: {text}")));
    }

    /// The `note` elements, in order.
    pub fn annotations(&mut self, resource: &Value) {
        for note in json::list(resource, "note") {
            let text = note.as_str().and_then(json::clean_paragraph).or_else(|| json::paragraph(note, "text"));
            self.note(text);
        }
    }

    pub fn link(&mut self, relation: &'static str, to: String) {
        // A column holds one; the others of the same sort are kept as plain ties.
        let taken = relation != "related" && self.links.iter().any(|link| link.relation == relation);
        let relation = if taken { "related" } else { relation };
        if !self.links.iter().any(|link| link.to == to) {
            self.links.push(LinkDraft { relation, to });
        }
    }

    pub fn code(&mut self, concept: Option<&Value>) {
        for code in codes::all(concept) {
            if !self.codes.contains(&code) {
                self.codes.push(code);
            }
        }
    }

    /// Closes the sheet: the notes become their column.
    pub fn close(&mut self) {
        let notes = std::mem::take(&mut self.notes).join("\n");
        put(&mut self.fields, "notes", Some(notes));
    }
}

pub fn put(fields: &mut Fields, column: &'static str, text: Option<impl Into<String>>) {
    if let Some(text) = text.map(Into::into).filter(|text| !text.trim().is_empty()) {
        fields.insert(column, text);
    }
}
