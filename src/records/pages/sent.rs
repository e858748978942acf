//! A record's form as it was sent: its pairs sorted into fields, rows of children, and what the buttons asked.

use std::collections::HashMap;

use crate::{
    codes,
    db::types::FileId,
    files::inbox,
    records::{
        Kind,
        field::{Confirmed, Errors, FieldSpec, Input},
        input::Raw,
        view::Typed,
    },
};

/// So many rows of children are read of a form.
const MOST_ROWS: usize = 300;

/// A record's form as it was sent.
pub(super) struct Sent {
    pub(super) raw: Raw,
    pub(super) values: Typed,
    pub(super) rows: usize,
    pub(super) tags: Vec<String>,
    pub(super) version: Option<i32>,
    pub(super) confirmed: Confirmed,
    /// `_then`: `new` for another one.
    pub(super) then: String,
    pub(super) more: bool,
    pub(super) find: Option<String>,
    pub(super) take: Option<String>,
    /// `_inbox`: documents that wait for this record.
    pub(super) attached: Vec<FileId>,
    pub(super) errors: Errors,
}

/// The texts of one row of children: column and text.
type Row = Vec<(String, String)>;

impl Sent {
    /// Sorts the pairs: the program's own names begin with `_`, children's with the array's name, the rest are fields.
    pub(super) fn read(kind: &Kind, pairs: &[(String, String)]) -> Self {
        let own = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let mut sent = Self {
            raw: Raw::default(),
            values: HashMap::new(),
            rows: 0,
            tags: own("tags").unwrap_or_default().split(',').map(str::to_owned).collect(),
            version: own("_version").and_then(|v| v.parse().ok()),
            confirmed: confirmed(pairs),
            then: own("_then").unwrap_or_default(),
            more: own("_more").is_some(),
            find: own("_find"),
            take: own("_take"),
            attached: inbox::named(pairs, "_inbox"),
            errors: Errors::new(),
        };
        let mut details = Details::default();
        let mut children: Vec<Row> = Vec::new();
        for (name, text) in pairs {
            if name.starts_with('_') || name == "tags" {
                continue;
            }
            sent.values.insert(name.clone(), text.clone());
            if let Some((field, part)) = name.split_once('.') {
                if let Some((row, column)) = child_name(kind, field, part) {
                    put_child(&mut children, row, column, text);
                    continue;
                }
                if let Some((_, FieldSpec { name: known, input: Input::Details(_), .. })) = kind.field(field) {
                    details.put(known, part, text);
                    continue;
                }
            }
            sent.raw.fields.push((name.clone(), text.clone()));
        }
        sent.raw.fields.extend(details.texts());
        if kind.children.is_some() {
            sent.take_children(kind, &children);
        }
        sent
    }

    /// Rows in which nothing is written are not rows; errors must still name the row as it stands in the form.
    fn take_children(&mut self, kind: &Kind, children: &[Row]) {
        let told = |row: &Row| row.iter().any(|(_, text)| !text.trim().is_empty());
        let kept: Vec<Row> = children.iter().filter(|row| told(row)).cloned().collect();
        if let Some(array) = &kind.children {
            // Rows move up when blank ones above them go; what is shown again moves with them.
            self.values.retain(|name, _| !name.starts_with(&format!("{}.", array.name)));
            for (row, values) in kept.iter().enumerate() {
                for (column, text) in values {
                    self.values.insert(format!("{}.{row}.{column}", array.name), text.clone());
                }
            }
        }
        self.rows = kept.len() + 1;
        self.raw.children = Some(kept);
    }

    /// Puts the values of an offered line into the form's: `field:place` in the list.
    pub(super) fn take_offer(&mut self, kind: &Kind, take: &str) {
        let Some((field, place)) = take.split_once(':') else { return };
        let Some(list) = kind.field(field).and_then(|(_, spec)| spec.offers) else { return };
        let q = self.values.get(field).cloned().unwrap_or_default();
        let chosen = place.parse::<usize>().ok().and_then(|i| codes::search(list, &q, 20).into_iter().nth(i));
        for (name, text) in chosen.into_iter().flat_map(|offer| offer.fields) {
            if kind.field(name).is_some() {
                self.values.insert(name.to_owned(), text);
            }
        }
    }
}

/// The named texts of details columns, put together.
#[derive(Default)]
struct Details(Vec<(&'static str, serde_json::Map<String, serde_json::Value>)>);

impl Details {
    /// A column is there as soon as one of its texts was sent, blank ones too: so it can be emptied.
    fn put(&mut self, column: &'static str, part: &str, text: &str) {
        if !self.0.iter().any(|(name, _)| *name == column) {
            self.0.push((column, serde_json::Map::new()));
        }
        if let Some((_, map)) = self.0.iter_mut().find(|(name, _)| *name == column)
            && !text.trim().is_empty()
        {
            map.insert(part.to_owned(), text.into());
        }
    }

    /// The columns as the record keeps them.
    fn texts(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter().map(|(name, map)| {
            let text = if map.is_empty() { String::new() } else { serde_json::Value::Object(map).to_string() };
            (name.to_owned(), text)
        })
    }
}

/// The rows before it are made where none was sent yet.
fn put_child(children: &mut Vec<Row>, row: usize, column: &str, text: &str) {
    if children.len() <= row {
        children.resize_with(row + 1, Vec::new);
    }
    if let Some(values) = children.get_mut(row) {
        values.push((column.to_owned(), text.to_owned()));
    }
}

/// The boxes that were ticked; each stands at its field and names it.
fn confirmed(pairs: &[(String, String)]) -> Confirmed {
    Confirmed::Fields(pairs.iter().filter(|(name, _)| name == "_confirmed").map(|(_, field)| field.clone()).collect())
}

fn child_name<'a>(kind: &Kind, field: &str, part: &'a str) -> Option<(usize, &'a str)> {
    let children = kind.children.as_ref().filter(|c| c.name == field)?;
    let (row, column) = part.split_once('.')?;
    let row = row.parse::<usize>().ok().filter(|row| *row < MOST_ROWS)?;
    children.fields.iter().any(|f| f.name == column).then_some((row, column))
}
