//! Versions: a record as it was, and what changed between two of them.

use chrono::NaiveDateTime;
use diesel::{Insertable, Queryable, Selectable};
use serde_json::{Map, Value};

use super::{AnyRecord, Kind, schema::record_versions};
use crate::{
    db::{MultiBackend, types::RecordId},
    records::chart::Link,
};

/// A row of `record_versions`: the whole record as text, so that no later change of a table can make it unreadable.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = record_versions, check_for_backend(MultiBackend))]
pub struct Version {
    pub record_id: RecordId,
    pub version: i32,
    pub action: String,
    pub actor: String,
    pub actor_name: String,
    pub source: String,
    pub at: NaiveDateTime,
    pub snapshot: String,
}

/// The values a version holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub fields: Vec<(String, String)>,
    pub children: Vec<Vec<(String, String)>>,
    pub tags: Vec<String>,
    pub links: Vec<Link>,
}

impl Snapshot {
    pub fn of(kind: &Kind, entry: &dyn AnyRecord, tags: &[String], links: &[Link]) -> Self {
        let fields = kind.fields.iter().enumerate().filter_map(|(i, f)| entry.get(i).map(|text| (f.name.to_owned(), text))).collect();
        let columns = kind.children.as_ref().map_or(&[][..], |children| &children.fields);
        let children = (0..entry.child_count())
            .map(|row| columns.iter().enumerate().filter_map(|(i, f)| entry.child(row, i).map(|text| (f.name.to_owned(), text))).collect())
            .collect();
        Self { fields, children, tags: tags.to_vec(), links: links.to_vec() }
    }

    pub fn to_text(&self) -> String {
        let object = |pairs: &[(String, String)]| Value::Object(pairs.iter().map(|(k, v)| (k.clone(), Value::from(v.clone()))).collect());
        let mut all = Map::new();
        all.insert("fields".into(), object(&self.fields));
        all.insert("children".into(), self.children.iter().map(|row| object(row)).collect());
        all.insert("tags".into(), self.tags.clone().into());
        all.insert("links".into(), self.links.iter().map(Link::to_json).collect());
        Value::Object(all).to_string()
    }

    pub fn from_text(text: &str) -> Option<Self> {
        let all: Value = serde_json::from_str(text).ok()?;
        let pairs = |value: &Value| -> Vec<(String, String)> {
            let object = value.as_object();
            object.into_iter().flatten().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
        };
        let list = |name: &str| all.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        Some(Self {
            fields: all.get("fields").map(pairs).unwrap_or_default(),
            children: list("children").iter().map(pairs).collect(),
            tags: list("tags").iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            links: list("links").iter().filter_map(Link::from_json).collect(),
        })
    }
}

/// One difference; `row` is the child's place, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub row: Option<usize>,
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What changed from `before` to `after`, in the order of the newer one's fields.
pub fn differences(before: &Snapshot, after: &Snapshot) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(None, &before.fields, &after.fields, &mut found);
    let empty = Vec::new();
    for row in 0..before.children.len().max(after.children.len()) {
        let old = before.children.get(row).unwrap_or(&empty);
        let new = after.children.get(row).unwrap_or(&empty);
        compare(Some(row + 1), old, new, &mut found);
    }
    let joined = |tags: &[String]| (!tags.is_empty()).then(|| tags.join(", "));
    if before.tags != after.tags {
        found.push(Difference { row: None, field: "tags".into(), before: joined(&before.tags), after: joined(&after.tags) });
    }
    let targets = |links: &[Link]| {
        let all: Vec<String> = links.iter().map(|l| format!("{} {}", l.relation, l.to)).collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    if before.links != after.links {
        found.push(Difference { row: None, field: "links".into(), before: targets(&before.links), after: targets(&after.links) });
    }
    found
}

fn compare(row: Option<usize>, before: &[(String, String)], after: &[(String, String)], found: &mut Vec<Difference>) {
    let value = |pairs: &[(String, String)], name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    for (name, new) in after {
        let old = value(before, name);
        if old.as_ref() != Some(new) {
            found.push(Difference { row, field: name.clone(), before: old, after: Some(new.clone()) });
        }
    }
    for (name, old) in before {
        if value(after, name).is_none() {
            found.push(Difference { row, field: name.clone(), before: Some(old.clone()), after: None });
        }
    }
}
