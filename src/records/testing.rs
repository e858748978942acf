//! Records told and settled as the API and an import do it, without a database: what the kinds' own tests begin with.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{
    AnyRecord, Context, Kind,
    field::{Errors, FieldError, FieldSpec, Input, Mode, Place, Unit},
    input::{Raw, fill, settle},
    kind, kinds,
};
use crate::dates::PartialDate;

type Row<'a> = &'a [(&'a str, &'a str)];

pub struct Told {
    pub kind: &'static Kind,
    pub entry: Box<dyn AnyRecord>,
    pub errors: Errors,
}

/// A new record from the API; it is 14 March 2026, and the patient was born in 1960.
pub fn told(name: &str, fields: Row<'_>, children: &[Row<'_>]) -> Told {
    tell(name, fields, children, true, None)
}

/// The same from another system.
pub fn imported(name: &str, fields: Row<'_>, children: &[Row<'_>]) -> Told {
    tell(name, fields, children, false, None)
}

/// The same as a change of a record.
pub fn changed(name: &str, before: &Told, fields: Row<'_>) -> Told {
    tell(name, fields, &[], true, Some(before.entry.as_ref()))
}

fn tell(name: &str, fields: Row<'_>, children: &[Row<'_>], strict: bool, before: Option<&dyn AnyRecord>) -> Told {
    let pairs = |row: Row<'_>| -> Vec<(String, String)> { row.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() };
    let kind = kind(name).unwrap();
    let mut entry = before.map_or_else(kind.blank, AnyRecord::boxed_clone);
    let raw = Raw { fields: pairs(fields), children: before.is_none().then(|| children.iter().map(|row| pairs(row)).collect()) };
    let mut errors = fill(kind, entry.as_mut(), &raw, Mode::Strict);
    let birth = PartialDate::parse_strict("1960").unwrap();
    let today = NaiveDate::from_ymd_opt(2026, 3, 14).unwrap();
    let context = Context { today, birth: Some(&birth), strict };
    settle(kind, entry.as_mut(), before, &context, &mut errors);
    Told { kind, entry, errors }
}

impl Told {
    pub fn value(&self, name: &str) -> Option<String> {
        self.kind.field(name).and_then(|(index, _)| self.entry.get(index))
    }
    pub fn child(&self, row: usize, name: &str) -> Option<String> {
        let index = self.kind.children.as_ref().unwrap().fields.iter().position(|f| f.name == name);
        self.entry.child(row, index.unwrap())
    }
    /// Field and catalogue key of everything that is wrong.
    pub fn wrong(&self) -> Vec<(&str, &'static str)> {
        self.errors.iter().map(|(name, error)| (name.as_str(), error.message().0)).collect()
    }
    pub fn error(&self, name: &str) -> Option<&FieldError> {
        self.errors.iter().find(|(n, _)| n == name).map(|(_, error)| error)
    }
}

/// The columns of a table after all migrations, but for those that every such table has.
fn columns_of(table: &str) -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/common");
    let steps = std::fs::read_dir(folder).unwrap().map(|step| std::fs::read_to_string(step.unwrap().path().join("up.sql")).unwrap());
    let sql = steps.collect::<Vec<_>>().join("\n");
    let (_, rest) = sql.split_once(&format!("CREATE TABLE {table} (\n")).unwrap_or_else(|| panic!("no table {table}"));
    let (inside, _) = rest.split_once("\n);").unwrap();
    let added = format!("ALTER TABLE {table} ADD COLUMN ");
    let later = sql.lines().filter_map(|line| line.strip_prefix(&added));
    let names = inside.lines().chain(later).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| !matches!(*name, "id" | "record_id" | "display_order")).map(str::to_owned).collect()
}

fn columns_for(fields: &[&'static FieldSpec]) -> BTreeSet<String> {
    let own = fields.iter().filter(|field| field.place == Place::Detail);
    own.flat_map(|f| [Some(f.name.to_owned()), f.is_measured().then(|| format!("{}_number", f.name))]).flatten().collect()
}

#[test]
fn every_kind_has_a_field_for_each_of_its_columns() {
    for kind in kinds() {
        assert_eq!(columns_for(&kind.fields), columns_of(kind.table), "{}", kind.name);
        if let Some(children) = &kind.children {
            assert_eq!(columns_for(&children.fields), columns_of(children.table), "{}", children.table);
        }
    }
}

#[test]
fn what_a_kind_says_of_its_fields_is_true() {
    for kind in kinds() {
        let exclusive = kind.exclusive.into_iter().flat_map(|(flag, within)| [Some(flag), within]).flatten();
        for name in kind.occurred.iter().copied().chain(kind.ended).chain(exclusive) {
            assert!(kind.field(name).is_some(), "{}: {name}", kind.name);
        }
        for field in &kind.fields {
            assert_eq!(kind.fields.iter().filter(|other| other.name == field.name).count(), 1, "{}: {}", kind.name, field.name);
            match field.input {
                Input::Record(wanted) => assert!(super::kind(wanted).is_some(), "{}: {wanted}", kind.name),
                Input::Choice { words, .. } => {
                    assert!(field.preset.is_none_or(|word| words.contains(&word)), "{}: {}", kind.name, field.name);
                }
                _ => {}
            }
            if let Some(Unit::Column(unit) | Unit::Free(unit)) = field.unit() {
                assert!(kind.field(unit).is_some(), "{}: {unit}", kind.name);
            }
        }
        let listed = kind.fields.iter().filter(|field| field.in_list).count();
        assert!(listed >= 4, "{}: a list of {listed} columns tells little", kind.name);
        assert!(kind.fields.iter().any(|field| field.required), "{}: nothing is asked for", kind.name);
    }
}

#[test]
fn an_empty_record_of_any_kind_is_refused_from_people_and_taken_from_imports() {
    for kind in kinds() {
        let empty = told(kind.name, &[], &[]);
        for field in kind.fields.iter().filter(|field| field.required) {
            assert_eq!(empty.error(field.name), Some(&FieldError::Required), "{}: {}", kind.name, field.name);
        }
        assert!(imported(kind.name, &[], &[]).errors.is_empty(), "{}", kind.name);
    }
}

#[test]
fn whatever_is_told_alone_has_a_title() {
    for kind in kinds() {
        assert!(!imported(kind.name, &[], &[]).entry.title().is_empty(), "{}", kind.name);
        for field in &kind.fields {
            let text = match field.input {
                Input::Choice { words, .. } => words[0],
                Input::Date => "2020-01",
                Input::Flag => "true",
                Input::Integer { .. } | Input::Measured(_) => "<90",
                Input::Email => "a@b",
                Input::Details(_) => "{}",
                _ => "12 words",
            };
            assert!(!imported(kind.name, &[(field.name, text)], &[]).entry.title().trim().is_empty(), "{}: {}", kind.name, field.name);
        }
    }
}

#[test]
fn every_choice_word_is_taken_and_given_back() {
    for kind in kinds() {
        for field in &kind.fields {
            if let Input::Choice { words, .. } = field.input {
                for word in words {
                    assert_eq!(imported(kind.name, &[(field.name, word)], &[]).value(field.name).as_deref(), Some(*word));
                }
            }
        }
    }
}
