//! What a professional reads through a link: who the patient is, allergies first, what is going on, then the rest, ready to be printed.

use askama::Template;

use super::Met;
use crate::{
    access::{PatientAccess, View, family::KIND},
    db::Conn,
    directory::{Listed, Practitioner},
    error::Result,
    family, files,
    page::Ui,
    patients,
    records::{
        Head,
        digest::{self, Part, Told},
        field::Input,
        view::{self, ChildTable, ListCell, ListRow, Names},
    },
};

#[derive(Template)]
#[template(path = "sharing/link_summary.html")]
pub struct SummaryPage {
    ui: Ui,
    name: String,
    facts: Vec<(String, String)>,
    maker: String,
    title: String,
    now: String,
    until: String,
    /// Only a part of the record is open; what is left out is not told.
    partial: bool,
    alerts: Vec<String>,
    sections: Vec<Section>,
    /// Kinds without records, in one line at the end.
    empty: String,
    /// Documents of what is shown, if the link opens them.
    papers: Vec<Paper>,
}

struct Paper {
    href: String,
    name: String,
    about: String,
    /// The record it belongs to.
    of: String,
}

struct Section {
    heading: String,
    /// What stands where there is no record.
    none: String,
    tables: Vec<Table>,
    /// "The latest 15 of 240."
    more: String,
}

struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Line>,
}

struct Line {
    cells: Vec<ListCell>,
    severe: bool,
    parts: Option<ChildTable>,
}

impl SummaryPage {
    /// `path` is that of the link.
    pub fn load(conn: &mut Conn, access: &PatientAccess<View>, met: &Met, path: &str) -> Result<Self> {
        let ui = Ui::new(None, "");
        let papers = if met.link.documents { papers(conn, access, &ui, path)? } else { Vec::new() };
        let parts = digest::load(conn, access)?;
        let ids: Vec<String> = parts.iter().flat_map(|part| part.texts(|input| matches!(input, Input::Practitioner))).collect();
        let names = Names::of_practitioners(Practitioner::names_of(conn, &ids)?);
        let said = patients::none_known::kinds(conn, access.id())?;
        let whole = access.scope().has_all_of_its_kinds();
        let (shown, empty): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(|part| part.total > 0 || part.kind.none_known);
        Ok(Self {
            name: access.patient.name(),
            facts: facts(&ui, access),
            maker: met.maker.clone(),
            title: met.link.title.clone(),
            now: ui.moment(&access.now),
            until: ui.moment(&met.link.expires_at),
            partial: !access.scope().is_whole(),
            alerts: alerts(&ui, &shown, &names),
            sections: shown.iter().map(|part| section(&ui, access, part, &names, &said, whole)).collect(),
            empty: empty.iter().map(|part| ui.kind(part.kind).to_lowercase()).collect::<Vec<_>>().join(", "),
            papers,
            ui,
        })
    }
}

fn papers(conn: &mut Conn, access: &PatientAccess<View>, ui: &Ui, path: &str) -> Result<Vec<Paper>> {
    let found = files::query::everything(conn, access)?;
    let paper = |(file, head): &(files::File, Option<Head>)| {
        let line = files::pages::line(ui, access.id(), file, head.as_ref());
        let of = line.record.map(|(_, title)| title).unwrap_or_default();
        Paper { href: format!("{path}/files/{}", file.id), name: line.name, about: line.about, of }
    };
    Ok(found.iter().map(paper).collect())
}

/// Label and value of what identifies the patient.
fn facts(ui: &Ui, access: &PatientAccess<View>) -> Vec<(String, String)> {
    let fields = &access.patient.fields;
    let mut all = Vec::new();
    if let Some(birth) = &fields.birth_date {
        let age = fields.deceased_on.is_none().then(|| ui.words.age(birth, access.now.date())).flatten();
        let born = ui.date(birth.as_str());
        all.push((ui.label("patient", "birth_date"), age.map_or_else(|| born.clone(), |age| format!("{born} ({age})"))));
    }
    all.extend(fields.deceased_on.as_ref().map(|on| (ui.label("patient", "deceased_on"), ui.date(on.as_str()))));
    all.extend(fields.gender.map(|gender| (ui.label("patient", "gender"), ui.choice("Gender", gender.as_str()))));
    all.extend(fields.blood_type.map(|blood| (ui.label("patient", "blood_type"), blood.as_str().to_owned())));
    all
}

/// Severe allergies with their reaction: what must be seen before anything else.
fn alerts(ui: &Ui, parts: &[Part], names: &Names) -> Vec<String> {
    let Some(part) = parts.iter().find(|part| part.kind.name == "allergies") else { return Vec::new() };
    let reaction = view::list_columns(part.kind).iter().position(|(_, spec)| spec.name == "reaction");
    let severe =
        lines(ui, part, &part.told.iter().filter(|told| told.current).collect::<Vec<_>>(), names).into_iter().filter(|row| row.severe);
    severe
        .map(|row| {
            let text = |place: usize| row.cells.get(place).map(|cell| cell.text.clone()).filter(|text| !text.is_empty());
            let title = text(0).unwrap_or_else(|| ui.t("record.untitled"));
            reaction.and_then(text).map_or_else(|| title.clone(), |reaction| format!("{title} ({reaction})"))
        })
        .collect()
}

fn lines(ui: &Ui, part: &Part, told: &[&Told], names: &Names) -> Vec<ListRow> {
    let rows: Vec<_> = told.iter().map(|told| told.row.clone()).collect();
    // No address of the program is shown to a visitor, so there is no patient to make one of.
    view::list_rows(ui, "", part.kind, &rows, names)
}

fn section(ui: &Ui, access: &PatientAccess<View>, part: &Part, names: &Names, said: &[String], whole: bool) -> Section {
    let none = match (part.told.is_empty(), said.iter().any(|kind| kind == part.kind.name)) {
        (false, _) => String::new(),
        (true, true) => ui.about(part.kind, "none_known"),
        (true, false) => ui.t(if whole { "link.none" } else { "link.none_in_part" }),
    };
    let (current, over): (Vec<&Told>, Vec<&Told>) = part.told.iter().partition(|told| told.current || !part.goes_on());
    let mut tables = Vec::new();
    if !current.is_empty() {
        let caption = if part.goes_on() && !over.is_empty() { ui.t("link.current") } else { String::new() };
        tables.push(table(ui, access, part, &current, names, caption, false));
    }
    if !over.is_empty() {
        tables.push(table(ui, access, part, &over, names, ui.t("link.past"), true));
    }
    let shown = i64::try_from(part.told.len()).unwrap_or(i64::MAX);
    let more = if part.total > shown {
        ui.words.with("link.latest", &[("n", &ui.number(&shown)), ("total", &ui.number(&part.total))])
    } else {
        String::new()
    };
    Section { heading: ui.kind(part.kind), none, tables, more }
}

/// Rows under the columns in which anything is told. What is over says until when.
fn table(ui: &Ui, access: &PatientAccess<View>, part: &Part, told: &[&Told], names: &Names, caption: String, is_over: bool) -> Table {
    let mut rows = lines(ui, part, told, names);
    let until = ui.t("link.until_column");
    for (row, told) in rows.iter_mut().zip(told).filter(|_| is_over) {
        let text = told.ended_on.as_deref().map(|on| ui.day(on)).unwrap_or_default();
        // A list that shows its end has it already.
        if !text.is_empty() && row.cells.iter().any(|cell| cell.text == text) {
            continue;
        }
        row.cells.push(ListCell { label: until.as_str().into(), text, number: true, ..ListCell::default() });
    }
    let (told, rows) = if part.kind.name == KIND { relatives(ui, part, told, rows) } else { (told.to_vec(), rows) };
    let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or_default();
    let filled: Vec<bool> = (0..width)
        .map(|place| place == 0 || rows.iter().any(|row| row.cells.get(place).is_some_and(|cell| !cell.text.is_empty())))
        .collect();
    let columns = (0..width)
        .zip(&filled)
        .filter(|(_, filled)| **filled)
        .map(|(place, _)| rows.iter().find_map(|row| row.cells.get(place)).map(|cell| cell.label.to_string()).unwrap_or_default())
        .collect();
    Table { caption, columns, rows: with_parts(ui, access, part, &told, rows, &filled) }
}

fn with_parts(ui: &Ui, access: &PatientAccess<View>, part: &Part, told: &[&Told], rows: Vec<ListRow>, filled: &[bool]) -> Vec<Line> {
    let patient = access.id().as_str();
    let width = filled.iter().filter(|filled| **filled).count();
    rows.into_iter()
        .zip(told)
        .map(|(row, told)| {
            let mut cells: Vec<ListCell> = row.cells.into_iter().zip(filled).filter(|(_, filled)| **filled).map(|(cell, _)| cell).collect();
            cells.resize_with(width, ListCell::default);
            let entry = part.entries.get(&told.row.id);
            // A relative's illnesses stand in their line.
            let entry = entry.filter(|_| part.kind.name != KIND);
            let parts =
                entry.and_then(|entry| view::children(ui, patient, part.kind, entry.as_ref())).map(|table| in_brief(ui, part, table));
            Line { cells, severe: row.severe, parts }
        })
        .collect()
}

/// How each is related, with the side, and what they had, in one line; the nearest by blood first.
fn relatives<'t>(ui: &Ui, part: &Part, told: &[&'t Told], rows: Vec<ListRow>) -> (Vec<&'t Told>, Vec<ListRow>) {
    let place = view::list_columns(part.kind).iter().position(|(_, spec)| spec.name == "relationship");
    let label = ui.t2("children", "family_conditions");
    let mut all: Vec<(u8, &'t Told, ListRow)> = Vec::new();
    for (told, mut row) in told.iter().copied().zip(rows) {
        let entry = part.entries.get(&told.row.id);
        let brief = entry.map(|entry| family::in_brief(ui, part.kind, &told.row.id, &told.row.title, entry.as_ref()));
        let degree = brief.as_ref().map_or(u8::MAX, |brief| brief.degree);
        if let Some(brief) = brief {
            if let Some(cell) = place.and_then(|place| row.cells.get_mut(place)) {
                cell.text = brief.relation;
            }
            row.cells.push(ListCell { label: label.as_str().into(), text: brief.conditions, ..ListCell::default() });
        }
        all.push((degree, told, row));
    }
    all.sort_by_key(|(degree, ..)| *degree);
    all.into_iter().map(|(_, told, row)| (told, row)).unzip()
}

/// A laboratory's own heading of a value helps to file it, not to read it; and only a laboratory's status says that a value is out of range.
fn in_brief(ui: &Ui, part: &Part, mut table: ChildTable) -> ChildTable {
    if part.kind.name != "lab-results" {
        table.rows.iter_mut().flatten().for_each(|cell| cell.flag.clear());
        return table;
    }
    let label = ui.label("lab_test_components", "category");
    if let Some(place) = table.columns.iter().position(|column| *column == label) {
        table.columns.remove(place);
        for row in table.rows.iter_mut().filter(|row| place < row.len()) {
            row.remove(place);
        }
    }
    table
}
