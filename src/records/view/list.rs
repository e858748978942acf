//! The list of a kind: its columns, its rows, and rows of one code under one heading.

use std::{collections::HashMap, sync::Arc};

use super::{
    Names,
    value::{Shown, both, show_brief},
};
use crate::{
    measured,
    page::Ui,
    records::{
        Kind,
        field::{FieldSpec, Place, Unit},
        rows::{self, Row},
    },
    tags::Tag,
};

/// The heads of a list's columns.
#[derive(Clone, Debug)]
pub struct ColumnHead {
    pub label: String,
    pub href: String,
    /// `ascending`, `descending` or empty, as `aria-sort` wants it.
    pub sorted: &'static str,
}

/// One row of a list.
#[derive(Clone, Debug)]
pub struct ListRow {
    pub id: String,
    pub version: i32,
    pub href: String,
    pub cells: Vec<ListCell>,
    pub tags: Vec<Tag>,
    /// Word and label, for the quick change.
    pub status: Option<(String, String)>,
    pub severe: bool,
    /// Set on the first of several records of the same code: the heading above them, and how many there are.
    pub heading: Option<(String, i64)>,
    /// One of several under a heading.
    pub joined: bool,
    /// What brings rows under one heading; in an order a person asked for there is none, and rows stand where that order puts them.
    code: Option<String>,
}

/// Brings rows of the same code together, where the first of them stands, under one heading.
pub fn join_by_code(rows: Vec<ListRow>) -> Vec<ListRow> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Vec<ListRow>> = Vec::new();
    for mut row in rows {
        let place = row.code.take().map_or(groups.len(), |code| *places.entry(code).or_insert(groups.len()));
        match groups.get_mut(place) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    for group in groups.iter_mut().filter(|group| group.len() > 1) {
        let count = i64::try_from(group.len()).unwrap_or(i64::MAX);
        for row in group.iter_mut() {
            row.joined = true;
        }
        if let Some(first) = group.first_mut() {
            let title = first.cells.iter().find(|cell| cell.is_title).map(|cell| cell.text.clone()).unwrap_or_default();
            first.heading = Some((title, count));
        }
    }
    groups.into_iter().flatten().collect()
}

#[derive(Clone, Debug, Default)]
pub struct ListCell {
    pub label: Arc<str>,
    pub text: String,
    pub number: bool,
    pub is_title: bool,
    pub is_status: bool,
    pub recorded: String,
    /// `low`, `high`, ...: a value out of its range, with the word that says so.
    pub flag: String,
    pub flag_word: String,
}

/// The columns of the kind's list, by index into its fields.
pub fn list_columns(kind: &'static Kind) -> Vec<(usize, &'static FieldSpec)> {
    kind.fields.iter().copied().enumerate().filter(|(_, f)| f.in_list).collect()
}

/// A column of the list, with where its texts stand in a [`Row`].
struct Column {
    spec: &'static FieldSpec,
    label: Arc<str>,
    text: Option<usize>,
    /// Where the text of its pair stands.
    pair: Option<usize>,
    unit: ColumnUnit,
    is_status: bool,
}

enum ColumnUnit {
    None,
    Fixed(&'static str),
    At(usize),
}

/// What is the same in every row of a list.
struct Listing<'a> {
    ui: &'a Ui,
    base: String,
    patient: &'a str,
    names: &'a Names,
    columns: Vec<Column>,
    severity: Option<usize>,
    /// The heading of what is told of the children, and the words for how many there are.
    children: Option<(Arc<str>, String)>,
}

impl<'a> Listing<'a> {
    fn new(ui: &'a Ui, patient: &'a str, kind: &'static Kind, names: &'a Names) -> Self {
        let cells = rows::columns(kind);
        let place = |index: usize| cells.iter().position(|cell| *cell == index);
        let place_of = |name: &str| kind.field(name).and_then(|(index, _)| place(index));
        let columns = list_columns(kind).into_iter().map(|(index, spec)| Column {
            spec,
            label: ui.label(kind.word(), spec.shown_name()).into(),
            text: place(index),
            pair: spec.pair.and_then(|(name, _)| place_of(name)),
            unit: match spec.unit() {
                Some(Unit::Fixed(unit)) => ColumnUnit::Fixed(unit),
                Some(Unit::Column(name) | Unit::Free(name)) => place_of(name).map_or(ColumnUnit::None, ColumnUnit::At),
                None => ColumnUnit::None,
            },
            is_status: spec.name == "status" && spec.place == Place::Head,
        });
        let columns = columns.collect();
        Self {
            ui,
            base: format!("/patients/{patient}/{}/", kind.name),
            patient,
            names,
            columns,
            severity: place_of("severity"),
            children: children_column(ui, kind)
                .zip(kind.children.as_ref())
                .map(|(label, c)| (label.into(), format!("children.{}.count", c.name))),
        }
    }

    fn row(&self, row: &Row) -> ListRow {
        let mut cells: Vec<ListCell> = self.columns.iter().enumerate().map(|(place, column)| self.cell(row, column, place == 0)).collect();
        cells.extend(self.children.as_ref().map(|(label, count)| self.in_brief(row, label, count)));
        // A row whose columns are all empty would tell nothing: its title does.
        if let Some((first, rest)) = cells.split_first_mut()
            && rest.iter().all(|cell| cell.text.is_empty())
            && !row.title.is_empty()
            && first.text != row.title
        {
            first.text = format!("{} · {}", first.text, row.title);
        }
        let status = self.columns.iter().zip(&cells).find(|(column, _)| column.is_status).map(|(column, cell)| {
            let word = column.text.and_then(|place| row.cell(place)).unwrap_or_default();
            (word.to_owned(), cell.text.clone())
        });
        let severe = self.severity.and_then(|place| row.cell(place)).is_some_and(|s| matches!(s, "severe" | "life-threatening"));
        ListRow {
            id: row.id.to_string(),
            version: row.version,
            href: format!("{}{}", self.base, row.id),
            cells,
            tags: row.tags.clone(),
            status,
            severe,
            heading: None,
            joined: false,
            code: row.code.clone(),
        }
    }

    /// The value of a single child, or how many there are and how many of them are out of range.
    fn in_brief(&self, row: &Row, label: &Arc<str>, count: &str) -> ListCell {
        let mut cell = ListCell { label: Arc::clone(label), ..ListCell::default() };
        let Some(told) = &row.children else { return cell };
        if told.count == 1 {
            let value = told.value.as_deref().unwrap_or_default();
            let unit = told.unit.as_deref().map(|unit| self.ui.unit(unit)).unwrap_or_default();
            let short = measured::brief(value).unwrap_or_else(|| value.to_owned());
            format!("{short} {unit}").trim().clone_into(&mut cell.text);
            cell.flag = told.flag.clone().filter(|flag| flag != "normal").unwrap_or_default();
            cell.flag_word = if cell.flag.is_empty() { String::new() } else { self.ui.choice("ComponentStatus", &cell.flag) };
        } else {
            cell.text = self.ui.n(count, &told.count);
            if told.flagged > 0 {
                "abnormal".clone_into(&mut cell.flag);
                cell.flag_word = self.ui.n("children.flagged", &told.flagged);
            }
        }
        cell
    }

    fn cell(&self, row: &Row, column: &Column, is_title: bool) -> ListCell {
        let own = column.text.and_then(|place| row.cell(place)).unwrap_or_default();
        let other = column.pair.and_then(|place| row.cell(place)).unwrap_or_default();
        let text = both(own, other);
        let text = text.as_ref();
        let unit = match column.unit {
            ColumnUnit::None => None,
            ColumnUnit::Fixed(unit) => Some(unit),
            ColumnUnit::At(place) => row.cell(place),
        };
        let mut shown = if text.is_empty() {
            Shown::default()
        } else if column.spec.is_date() && !is_title {
            Shown { text: self.ui.day(text), number: true, ..Shown::default() }
        } else {
            show_brief(self.ui, self.patient, column.spec, text, unit, self.names)
        };
        if is_title && shown.text.is_empty() {
            shown.text = if row.title.is_empty() { self.ui.t("record.untitled") } else { row.title.clone() };
        }
        ListCell {
            label: Arc::clone(&column.label),
            text: shown.text,
            number: shown.number,
            is_title,
            is_status: column.is_status,
            recorded: shown.recorded.unwrap_or_default(),
            ..ListCell::default()
        }
    }
}

/// The heading of the list's column about children, if it has one.
pub fn children_column(ui: &Ui, kind: &Kind) -> Option<String> {
    kind.children.as_ref().filter(|children| children.brief.is_some()).map(|children| ui.about_children(children.name, "brief"))
}

pub fn list_rows(ui: &Ui, patient: &str, kind: &'static Kind, rows: &[Row], names: &Names) -> Vec<ListRow> {
    let listing = Listing::new(ui, patient, kind, names);
    rows.iter().map(|row| listing.row(row)).collect()
}
