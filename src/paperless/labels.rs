//! Names in Paperless-ngx: tags, correspondents, document types and custom fields are looked up, and made if there is none.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Client, Right, cut_title, fault::Fault};

/// Matching by the server on its own: ours are set by us, and a new tag with `any` would match by its empty pattern.
const NO_MATCHING: i64 = 0;
/// Types of custom fields that can hold a link.
const HOLDS_LINKS: [&str; 3] = ["url", "string", "longtext"];

/// The kinds of name that belong to an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Tag,
    Correspondent,
    DocumentType,
}

impl Label {
    fn list(self) -> List {
        match self {
            Self::Tag => List { path: "api/tags/", view: Right::ViewTag, add: Right::AddTag },
            Self::Correspondent => List { path: "api/correspondents/", view: Right::ViewCorrespondent, add: Right::AddCorrespondent },
            Self::DocumentType => List { path: "api/document_types/", view: Right::ViewDocumentType, add: Right::AddDocumentType },
        }
    }
}

/// A list of names and what it takes to read it and to add to it.
#[derive(Clone, Copy)]
struct List {
    path: &'static str,
    view: Right,
    add: Right,
}

const CUSTOM_FIELDS: List = List { path: "api/custom_fields/", view: Right::ViewCustomField, add: Right::AddCustomField };

impl Client {
    pub fn ensure_tag(&self, name: &str) -> Result<i64, Fault> {
        self.ensure_label(Label::Tag, name)
    }

    pub fn ensure_correspondent(&self, name: &str) -> Result<i64, Fault> {
        self.ensure_label(Label::Correspondent, name)
    }

    pub fn ensure_document_type(&self, name: &str) -> Result<i64, Fault> {
        self.ensure_label(Label::DocumentType, name)
    }

    /// The id of the name, letter by letter, made if this account sees none. What another account made and keeps for itself is not seen; one of
    /// the same name is made then, and Paperless-ngx allows that.
    pub fn ensure_label(&self, label: Label, name: &str) -> Result<i64, Fault> {
        let name = cut_title(name);
        let row = self.ensure(label.list(), &name, json!({"name": name, "matching_algorithm": NO_MATCHING}))?;
        id(&row).ok_or(Fault::NotUnderstood)
    }

    /// The id of the name, letter by letter, if this account sees one.
    pub fn find_label(&self, label: Label, name: &str) -> Result<Option<i64>, Fault> {
        Ok(self.find(label.list(), &cut_title(name))?.as_ref().and_then(id))
    }

    /// The id of the custom field that holds our links. Custom fields belong to everybody; one of the name with a type that holds no link is a
    /// fault, because its values are somebody's.
    pub fn ensure_custom_field(&self, name: &str) -> Result<i64, Fault> {
        let name = cut_title(name);
        let row = self.ensure(CUSTOM_FIELDS, &name, json!({"name": name, "data_type": "url", "extra_data": {}}))?;
        let holds_links = row.get("data_type").and_then(Value::as_str).is_some_and(|kind| HOLDS_LINKS.contains(&kind));
        if holds_links { id(&row).ok_or(Fault::NotUnderstood) } else { Err(Fault::FieldType) }
    }

    /// The names of these, of which this account may not see all.
    pub fn label_names(&self, label: Label, ids: &[i64]) -> Result<BTreeMap<i64, String>, Fault> {
        let mut names = BTreeMap::new();
        if ids.is_empty() {
            return Ok(names);
        }
        let list: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let label = label.list();
        self.rows(label.path, &[("id__in", &list.join(","))], label.view, |rows| {
            let pairs = rows.iter().filter_map(|row| Some((id(row)?, row.get("name")?.as_str()?.to_owned())));
            names.extend(pairs.filter(|(id, _)| ids.contains(id)));
            names.len() < ids.len()
        })?;
        Ok(names)
    }

    fn ensure(&self, list: List, name: &str, new: Value) -> Result<Value, Fault> {
        if let Some(found) = self.find(list, name)? {
            return Ok(found);
        }
        let made = self.post(list.path, new, list.add).and_then(|answer| answer.json());
        match made {
            // Somebody was faster, or the server failed after it had made it: then it is there now. An invalid name is not.
            Err(fault @ (Fault::NotUnderstood | Fault::Field(_))) => self.find(list, name)?.ok_or(fault),
            Err(fault) if fault.is_uncertain() => self.find(list, name)?.ok_or(fault),
            made => made,
        }
    }

    /// The filter of the server knows no difference between capitals, and lists may hold the same name of two owners: one's own goes first.
    fn find(&self, list: List, name: &str) -> Result<Option<Value>, Fault> {
        let mut found: Vec<Value> = Vec::new();
        self.rows(list.path, &[("name__iexact", name)], list.view, |rows| {
            found.extend(rows.into_iter().filter(|row| row.get("name").and_then(Value::as_str) == Some(name)));
            true
        })?;
        let is_own = |row: &Value| row.get("user_can_change").and_then(Value::as_bool).unwrap_or(false);
        Ok(found.into_iter().min_by_key(|row| (!is_own(row), id(row))))
    }
}

fn id(row: &Value) -> Option<i64> {
    row.get("id")?.as_i64()
}
