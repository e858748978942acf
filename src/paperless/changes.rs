//! Changing a document without disturbing what others wrote: read, merge, write, and read back where the server failed.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::{
    Client, Document, DocumentId, FieldValue, cut_title,
    documents::{FIELDS, path, read},
    fault::Fault,
};

/// What is to be different. Nothing that is not named is touched.
#[derive(Clone, Debug, Default)]
pub struct Change<'a> {
    pub title: Option<&'a str>,
    pub created: Option<NaiveDate>,
    /// `Some(None)` takes it away.
    pub correspondent: Option<Option<i64>>,
    /// `Some(None)` takes it away.
    pub document_type: Option<Option<i64>>,
    /// Ours, beside those of others.
    pub add_tags: &'a [i64],
    pub remove_tags: &'a [i64],
    /// Ids and values; other fields keep theirs.
    pub set_fields: &'a [(i64, Value)],
}

impl Client {
    /// Reads the document, writes what differs, and tells how it is then. If the server fails, the document is read again: it may have been
    /// changed all the same.
    pub fn change(&self, id: DocumentId, change: &Change<'_>) -> Result<Document, Fault> {
        let before = self.document(id)?;
        let wanted = change.applied_to(&before);
        let body = difference(&before, &wanted);
        if body.is_empty() {
            return Ok(before);
        }
        let answer = self.patch(&path(id, ""), &[("fields", FIELDS)], Value::Object(body));
        let after = self.there(id, answer.and_then(|answer| answer.json())).and_then(read);
        match after {
            Err(fault) if fault.is_uncertain() => match self.document(id) {
                Ok(now) if difference(&now, &wanted).is_empty() => Ok(now),
                _ => Err(fault),
            },
            after => after,
        }
    }

    pub fn add_tags(&self, id: DocumentId, tags: &[i64]) -> Result<Document, Fault> {
        self.change(id, &Change { add_tags: tags, ..Change::default() })
    }

    pub fn set_title(&self, id: DocumentId, title: &str) -> Result<Document, Fault> {
        self.change(id, &Change { title: Some(title), ..Change::default() })
    }

    /// Writes a link of ours into a custom field.
    pub fn set_link(&self, id: DocumentId, field: i64, link: &str) -> Result<Document, Fault> {
        self.change(id, &Change { set_fields: &[(field, json!(link))], ..Change::default() })
    }
}

impl Change<'_> {
    fn applied_to(&self, before: &Document) -> Document {
        let mut after = before.clone();
        if let Some(title) = self.title {
            after.title = cut_title(title);
        }
        after.created = self.created.or(before.created);
        after.correspondent = self.correspondent.unwrap_or(before.correspondent);
        after.document_type = self.document_type.unwrap_or(before.document_type);
        after.tags.retain(|tag| !self.remove_tags.contains(tag));
        after.tags.extend(self.add_tags.iter().filter(|tag| !before.tags.contains(tag)));
        for (field, value) in self.set_fields {
            match after.custom_fields.iter_mut().find(|held| held.field == *field) {
                Some(held) => held.value = value.clone(),
                None => after.custom_fields.push(FieldValue { field: *field, value: value.clone() }),
            }
        }
        after
    }
}

/// What has to be written so that one becomes the other. Lists are written whole: the server replaces them.
fn difference(from: &Document, to: &Document) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |key: &str, differs: bool, value: Value| {
        if differs {
            body.insert(key.to_owned(), value);
        }
    };
    put("title", from.title != to.title, json!(to.title));
    put("created", from.created != to.created, json!(to.created.map(|date| date.format("%Y-%m-%d").to_string())));
    put("correspondent", from.correspondent != to.correspondent, json!(to.correspondent));
    put("document_type", from.document_type != to.document_type, json!(to.document_type));
    put("tags", sorted(&from.tags) != sorted(&to.tags), json!(to.tags));
    let fields: Vec<Value> = to.custom_fields.iter().map(|held| json!({"field": held.field, "value": held.value})).collect();
    put("custom_fields", !same_fields(&from.custom_fields, &to.custom_fields), json!(fields));
    body
}

fn sorted(tags: &[i64]) -> Vec<i64> {
    let mut tags = tags.to_vec();
    tags.sort_unstable();
    tags
}

fn same_fields(left: &[FieldValue], right: &[FieldValue]) -> bool {
    left.len() == right.len() && left.iter().all(|held| right.contains(held))
}
