//! A record as pages show it: plain words and links, made from the field table. Templates know no kinds.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    AnyRecord, Kind,
    chart::{LinkedRecord, Loaded},
    field::{Confirmed, Details, Errors, FieldSpec, Input, Place, Unit},
    linked, people,
    query::ListQuery,
    rows::{self, Row},
    stored::{Head, unit_of},
    version::Snapshot,
};
use crate::{
    access::{Level, PatientAccess},
    db::{Conn, types::RecordId},
    directory::{Listed, Pharmacy, Practitioner, Seen},
    error::Result,
    measured::Measured,
    page::Ui,
    tags::Tag,
    units,
};

/// A value ready to be shown.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub text: String,
    pub href: Option<String>,
    /// The value as it was recorded, where it is shown converted.
    pub recorded: Option<String>,
    /// Right-aligned with tabular figures.
    pub number: bool,
    /// Named texts of a details column.
    pub pairs: Vec<(String, String)>,
}

/// Names behind ids, loaded once a page.
#[derive(Default)]
pub struct Names {
    practitioners: Vec<(String, String)>,
    pharmacies: Vec<(String, String)>,
    practices: Vec<(String, String)>,
    /// Patients whom this person may see, or choose in a form.
    patients: Vec<(String, String)>,
    records: HashMap<RecordId, Head>,
    /// Entries of the directory whose pages are not for this person.
    closed: Vec<String>,
}

impl Names {
    /// The names that these rows of a list need.
    pub fn for_list(conn: &mut Conn, kind: &Kind, rows: &[Row]) -> Result<Self> {
        let columns = rows::columns(kind);
        let ids = |input: fn(&Input) -> bool| {
            let is_id = |index: usize| kind.fields.get(index).is_some_and(|spec| input(&spec.input));
            let places = columns.iter().enumerate().filter(|(_, index)| is_id(**index)).map(|(place, _)| place);
            let all = places.flat_map(|place| rows.iter().filter_map(move |row| row.cell(place))).map(str::to_owned);
            all.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        Self::of_ids(conn, &ids(|input| matches!(input, Input::Practitioner)), &ids(|input| matches!(input, Input::Pharmacy)))
    }

    fn of_ids(conn: &mut Conn, practitioners: &[String], pharmacies: &[String]) -> Result<Self> {
        Ok(Self {
            practitioners: Practitioner::names_of(conn, practitioners)?,
            pharmacies: Pharmacy::names_of(conn, pharmacies)?,
            ..Self::default()
        })
    }

    /// The names that one record needs; `records` are the heads of those it is tied to. Pages of another household's directory are closed.
    pub fn for_record<L: Level>(
        conn: &mut Conn,
        access: &PatientAccess<L>,
        kind: &Kind,
        row: &Loaded,
        records: HashMap<RecordId, Head>,
    ) -> Result<Self> {
        let ids = |input: fn(&Input) -> bool| {
            let columns = kind.fields.iter().enumerate().filter(|(_, spec)| input(&spec.input));
            columns.filter_map(|(index, _)| row.entry.get(index)).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let user = &access.actor.user;
        let practitioners = Practitioner::seen(conn, user, &ids(|input| matches!(input, Input::Practitioner)))?;
        let pharmacies = Pharmacy::seen(conn, user, &ids(|input| matches!(input, Input::Pharmacy)))?;
        let closed = practitioners.iter().chain(&pharmacies).filter(|entry| !entry.open).map(|entry| entry.id.clone()).collect();
        let named = |entries: Vec<Seen>| entries.into_iter().map(|entry| (entry.id, entry.name)).collect();
        let patients = linked::names(conn, access, &ids(|input| matches!(input, Input::Patient)))?;
        Ok(Self { practitioners: named(practitioners), pharmacies: named(pharmacies), patients, records, closed, ..Self::default() })
    }

    /// The names that these versions of a record need besides its form's.
    pub fn for_versions<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kind: &Kind, versions: &[Snapshot]) -> Result<Self> {
        let ids = |input: fn(&Input) -> bool| {
            let is_id = |name: &str| kind.field(name).is_some_and(|(_, spec)| input(&spec.input));
            let all = versions.iter().flat_map(|version| &version.fields).filter(|(name, _)| is_id(name)).map(|(_, id)| id.clone());
            all.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let practitioners = Practitioner::names_of(conn, &ids(|input| matches!(input, Input::Practitioner)))?;
        let pharmacies = Pharmacy::names_of(conn, &ids(|input| matches!(input, Input::Pharmacy)))?;
        let patients = linked::names(conn, access, &ids(|input| matches!(input, Input::Patient)))?;
        Ok(Self { practitioners, pharmacies, patients, records: Self::records_to_choose(conn, access, kind)?, ..Self::default() })
    }

    /// Everything a form of this kind offers to choose from.
    pub fn for_form<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kind: &Kind) -> Result<Self> {
        let has = |input: fn(&Input) -> bool| kind.fields.iter().any(|spec| input(&spec.input));
        let mut names = Self { records: Self::records_to_choose(conn, access, kind)?, ..Self::default() };
        if has(|input| matches!(input, Input::Pharmacy)) {
            (names.practitioners, names.pharmacies) = people::choices(conn, access)?;
        } else if has(|input| matches!(input, Input::Practitioner)) {
            names.practitioners = people::practitioners(conn, access)?;
        }
        if has(|input| matches!(input, Input::Patient)) {
            names.patients = linked::choices(conn, access)?;
        }
        Ok(names)
    }

    fn records_to_choose<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kind: &Kind) -> Result<HashMap<RecordId, Head>> {
        let wanted: Vec<String> =
            kind.fields.iter().filter_map(|f| if let Input::Record(kind) = f.input { Some(kind.to_owned()) } else { None }).collect();
        Ok(super::overview::choices(conn, access, &wanted)?.into_iter().map(|head| (head.id.clone(), head)).collect())
    }

    pub fn of_practitioners(practitioners: Vec<(String, String)>) -> Self {
        Self { practitioners, ..Self::default() }
    }
    pub fn of_practices(practices: Vec<(String, String)>) -> Self {
        Self { practices, ..Self::default() }
    }

    fn is_open(&self, id: &str) -> bool {
        !self.closed.iter().any(|closed| closed == id)
    }
    fn find(list: &[(String, String)], id: &str) -> Option<String> {
        list.iter().find(|(i, _)| i == id).map(|(_, name)| name.clone())
    }
}

/// One field's value, as words.
pub fn show(ui: &Ui, patient: &str, spec: &FieldSpec, text: &str, unit: Option<&str>, names: &Names) -> Shown {
    let plain = |text: String| Shown { text, ..Shown::default() };
    match spec.input {
        Input::Date => Shown { text: ui.date(text), number: true, ..Shown::default() },
        Input::Choice { set, .. } => plain(ui.choice(set, text)),
        Input::Flag => plain(ui.t(if text == "true" { "word.yes" } else { "word.no" })),
        Input::Sensitivity => plain(ui.choice("Sensitivity", text)),
        Input::Integer { .. } => Shown { text: text.to_owned(), number: true, ..Shown::default() },
        Input::Measured(measure) => measured(ui, text, unit, matches!(measure.unit, Unit::Column(_))),
        Input::Practitioner => Shown {
            text: Names::find(&names.practitioners, text).unwrap_or_default(),
            href: names.is_open(text).then(|| format!("/directory/practitioners/{text}")),
            ..Shown::default()
        },
        Input::Patient => Names::find(&names.patients, text).map_or_else(Shown::default, |name| Shown {
            text: name,
            href: Some(format!("/patients/{text}")),
            ..Shown::default()
        }),
        Input::Practice => plain(Names::find(&names.practices, text).unwrap_or_default()),
        Input::Pharmacy => Shown {
            text: Names::find(&names.pharmacies, text).unwrap_or_default(),
            href: names.is_open(text).then(|| format!("/directory/pharmacies/{text}")),
            ..Shown::default()
        },
        Input::Record(kind) => {
            let title = RecordId::parse(text).and_then(|id| names.records.get(&id).map(|head| head.title.clone()));
            match title {
                Some(text_) => Shown { text: text_, href: Some(format!("/patients/{patient}/{kind}/{text}")), ..Shown::default() },
                None => plain(ui.t("record.hidden")),
            }
        }
        Input::Details(order) => {
            let entries = Details::entries(text);
            let pairs =
                order.iter().filter_map(|name| entries.get(*name).map(|value| (ui.t(&format!("detail.{name}")), value.clone()))).collect();
            Shown { pairs, ..Shown::default() }
        }
        _ => plain(text.to_owned()),
    }
}

/// The value in the unit the person reads; what was recorded stays beside it. A laboratory's own unit is never converted: the same
/// words mean other amounts for another substance.
fn measured(ui: &Ui, text: &str, unit: Option<&str>, convertible: bool) -> Shown {
    let unit = unit.unwrap_or_default();
    let wanted = ui.me.as_ref().filter(|_| convertible).and_then(|me| crate::records::input::preferred_unit(me.units(), unit));
    let convert = || {
        let value = Measured::parse_strict(text).ok()?;
        let (from, to) = (units::Unit::find(unit)?, units::Unit::find(wanted?)?);
        units::convert(&value, from, to)
    };
    let with_unit = |value: &str, unit: &str| format!("{value} {}", ui.unit(unit)).trim_end().to_owned();
    match (convert(), wanted) {
        (Some(value), Some(wanted)) if wanted != unit => {
            Shown { text: with_unit(&value, wanted), recorded: Some(with_unit(text, unit)), number: true, ..Shown::default() }
        }
        _ => Shown { text: with_unit(text, unit), number: true, ..Shown::default() },
    }
}

/// The same, rounded where values are compared; the full digits stay beside it.
pub fn show_brief(ui: &Ui, patient: &str, spec: &FieldSpec, text: &str, unit: Option<&str>, names: &Names) -> Shown {
    let mut shown = show(ui, patient, spec, text, unit, names);
    if !spec.is_measured() {
        return shown;
    }
    let full = shown.text.clone();
    let (number, unit) = full.split_once(' ').unwrap_or((&full, ""));
    if let Some(short) = brief_pair(number) {
        shown.text = if unit.is_empty() { short } else { format!("{short} {unit}") };
        shown.recorded.get_or_insert(full);
    }
    shown
}

/// Each half of a pair rounded, if it is more digits than one compares.
fn brief_pair(number: &str) -> Option<String> {
    let Some((own, other)) = number.split_once('/') else { return crate::measured::brief(number) };
    let short = |half: &str| crate::measured::brief(half);
    match (short(own), short(other)) {
        (None, None) => None,
        (a, b) => Some(format!("{}/{}", a.unwrap_or_else(|| own.to_owned()), b.unwrap_or_else(|| other.to_owned()))),
    }
}

/// A label and its value, on the detail page and in differences.
#[derive(Clone, Debug)]
pub struct Line {
    pub label: String,
    pub shown: Shown,
}

/// A part of the detail page.
#[derive(Clone, Debug)]
pub struct Section {
    pub heading: String,
    pub lines: Vec<Line>,
}

/// The detail page's lines: what is told, in the order of the form. Title, status, notes and a unit beside its value are shown elsewhere.
pub fn sections(ui: &Ui, patient: &str, kind: &Kind, entry: &dyn AnyRecord, names: &Names) -> Vec<Section> {
    let mut all: Vec<Section> = Vec::new();
    let mut heading_of = String::new();
    for (index, spec) in kind.fields.iter().enumerate() {
        let Some(text) = told(kind, entry, index, spec) else { continue };
        let plain = matches!(spec.input, Input::Sensitivity) && text == "normal";
        // What the heading says already (title, status) is not said again.
        let said = spec.name == "status" || (index == 0 && text == entry.title());
        if plain || said || spec.name == "notes" || is_unit(kind, spec.name) {
            continue;
        }
        let unit = unit_of(spec, &kind.fields, |i| entry.get(i));
        let shown = show(ui, patient, spec, &text, unit.as_deref(), names);
        if shown.text.is_empty() && shown.pairs.is_empty() {
            continue;
        }
        if all.is_empty() || heading_of != spec.section {
            spec.section.clone_into(&mut heading_of);
            let heading = if spec.section == "main" { String::new() } else { ui.t(&format!("section.{}", spec.section)) };
            all.push(Section { heading, lines: Vec::new() });
        }
        if let Some(section) = all.last_mut() {
            section.lines.push(Line { label: ui.label(kind.word(), spec.shown_name()), shown });
        }
    }
    all
}

/// A field's text; of a pair, both texts at the first field and none at the second.
fn told(kind: &Kind, entry: &dyn AnyRecord, index: usize, spec: &FieldSpec) -> Option<String> {
    let of = |name: &str| kind.field(name).and_then(|(index, _)| entry.get(index)).unwrap_or_default();
    if kind.fields.iter().any(|other| other.pair.is_some_and(|(name, _)| name == spec.name)) {
        return None;
    }
    let own = entry.get(index).unwrap_or_default();
    let text = spec.pair.map_or_else(|| own.clone(), |(name, _)| both(&own, &of(name)).into_owned());
    Some(text).filter(|text| !text.is_empty())
}

fn is_unit(kind: &Kind, name: &str) -> bool {
    kind.fields.iter().any(|f| matches!(f.unit(), Some(Unit::Column(column) | Unit::Free(column)) if column == name))
}

/// A table of children on the detail page.
#[derive(Clone, Debug, Default)]
pub struct ChildTable {
    pub heading: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<ChildCell>>,
}

#[derive(Clone, Debug, Default)]
pub struct ChildCell {
    pub label: String,
    pub text: String,
    pub number: bool,
    /// `low`, `high`, `critical`: shown with a word and an arrow, then a colour.
    pub flag: String,
    /// Short form and code, small beside the name.
    pub about: String,
}

/// Abbreviation and code of a child: for who looks for them, not columns of their own.
fn child_codes(spec: &super::Children, entry: &dyn AnyRecord, row: usize) -> String {
    let value = |name: &str| spec.fields.iter().position(|f| f.name == name).and_then(|i| entry.child(row, i));
    ["abbreviation", "test_code", "icd10_code"].iter().filter_map(|name| value(name)).collect::<Vec<_>>().join(" · ")
}

/// Children as a table of the columns that are told at all.
pub fn children(ui: &Ui, patient: &str, kind: &Kind, entry: &dyn AnyRecord) -> Option<ChildTable> {
    let spec = kind.children.as_ref()?;
    if entry.child_count() == 0 {
        return None;
    }
    let names = Names::default();
    let rows = 0..entry.child_count();
    let merged = |name: &str| {
        matches!(
            name,
            "unit" | "ref_range_min" | "ref_range_max" | "ref_range_text" | "result_type" | "test_code" | "abbreviation" | "icd10_code"
        )
    };
    let told: Vec<(usize, &FieldSpec)> = spec
        .fields
        .iter()
        .copied()
        .enumerate()
        .filter(|(i, f)| !merged(f.name) && rows.clone().any(|row| entry.child(row, *i).is_some()))
        .collect();
    let word = spec.table;
    let mut columns: Vec<String> = told.iter().map(|(_, f)| ui.label(word, f.name)).collect();
    let ranges = rows.clone().map(|row| range(spec, entry, row)).collect::<Vec<_>>();
    let has_ranges = ranges.iter().any(|r| !r.is_empty());
    if has_ranges {
        columns.push(ui.t("field.ref_range"));
    }
    let rows = rows
        .map(|row| {
            let mut cells: Vec<ChildCell> = told
                .iter()
                .map(|(i, f)| {
                    let unit = unit_of(f, &spec.fields, |i| entry.child(row, i));
                    let text = entry.child(row, *i).unwrap_or_default();
                    let shown = if text.is_empty() { Shown::default() } else { show(ui, patient, f, &text, unit.as_deref(), &names) };
                    let flag = if f.name == "status" { text } else { String::new() };
                    let about = if *i == 0 { child_codes(spec, entry, row) } else { String::new() };
                    ChildCell { label: ui.label(word, f.name), text: shown.text, number: shown.number && f.name != "notes", flag, about }
                })
                .collect();
            if has_ranges {
                let text = ranges.get(row).cloned().unwrap_or_default();
                cells.push(ChildCell { label: ui.t("field.ref_range"), text, number: true, ..ChildCell::default() });
            }
            cells
        })
        .collect();
    Some(ChildTable { heading: ui.t(&format!("children.{}", spec.name)), columns, rows })
}

/// `3.5–5.1`, `≤ 5`, or the text the laboratory printed.
fn range(spec: &super::Children, entry: &dyn AnyRecord, row: usize) -> String {
    let value = |name: &str| spec.fields.iter().position(|f| f.name == name).and_then(|i| entry.child(row, i));
    if let Some(text) = value("ref_range_text") {
        return text;
    }
    match (value("ref_range_min"), value("ref_range_max")) {
        (Some(low), Some(high)) => format!("{low}–{high}"),
        (Some(low), None) => format!("≥ {low}"),
        (None, Some(high)) => format!("≤ {high}"),
        (None, None) => String::new(),
    }
}

/// One choice of a select.
#[derive(Clone, Debug)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub selected: bool,
}

/// One input of a form.
#[derive(Clone, Debug)]
pub struct FormField {
    pub name: String,
    pub id: String,
    pub label: String,
    pub hint: String,
    pub value: String,
    pub error: String,
    pub required: bool,
    /// `line`, `text`, `select`, `email`, `tel`, `number`.
    pub input: &'static str,
    pub choices: Vec<Choice>,
    pub max: usize,
    /// The code list behind it, by URL name.
    pub offers: &'static str,
    pub wide: bool,
    /// Words offered while typing, any other allowed.
    pub datalist: Vec<String>,
    /// What a box beside the message says that keeps the value as it is; empty where nothing is asked.
    pub keep: String,
    pub kept: bool,
}

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
pub struct Told<'a> {
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
fn grouped(ui: &Ui, section: &str, name: &str, groups: &super::field::Groups, fields: &[FormField], values: &Typed) -> Vec<FormSection> {
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

/// One field, or one for each named text of a details column.
pub fn form_fields(
    ui: &Ui,
    word: &str,
    spec: &FieldSpec,
    prefix: &str,
    told: &Told<'_>,
    names: &Names,
    own: Option<&RecordId>,
) -> Vec<FormField> {
    let Told { values, errors, confirmed } = *told;
    let name = format!("{prefix}{}", spec.name);
    let value = values.get(&name).cloned().unwrap_or_default();
    let wrong = errors.iter().find(|(n, _)| *n == name).map(|(_, e)| e);
    let error = wrong.map(|e| ui.error(e)).unwrap_or_default();
    let asked = wrong.filter(|e| e.is_question());
    if let Input::Details(parts) = spec.input {
        return details(ui, &name, parts, &value, values, error);
    }
    let mut field = FormField {
        id: format!("f-{}", name.replace('.', "-")),
        label: ui.label(word, spec.name),
        hint: ui.hint(word, spec.name).or_else(|| spec.is_date().then(|| ui.t("hint.date"))).unwrap_or_default(),
        value,
        error,
        required: spec.required && (spec.name_of.is_none() || names.patients.is_empty()),
        input: "line",
        choices: Vec::new(),
        max: spec.max,
        offers: spec.offers.map_or("", crate::codes::List::name),
        wide: false,
        datalist: Vec::new(),
        keep: asked.map(|e| ui.t2("keep", e.code())).unwrap_or_default(),
        kept: asked.is_some_and(|e| confirmed.covers(&name, e)),
        name,
    };
    shape(ui, &mut field, spec, names, own);
    vec![field]
}

fn shape(ui: &Ui, field: &mut FormField, spec: &FieldSpec, names: &Names, own: Option<&RecordId>) {
    let from = |pairs: &[(String, String)], chosen: &str| -> Vec<Choice> {
        let blank = Choice { value: String::new(), label: "–".into(), selected: chosen.is_empty() };
        let rest = pairs.iter().map(|(id, name)| Choice { value: id.clone(), label: name.clone(), selected: id == chosen });
        std::iter::once(blank).chain(rest).collect()
    };
    let value = field.value.clone();
    match spec.input {
        Input::Text => {
            field.input = "text";
            field.wide = true;
        }
        // A laboratory's words may have several lines, which a single line would lose.
        Input::Measured(_) if value.contains('\n') => field.input = "text",
        Input::Email => field.input = "email",
        Input::Phone => field.input = "tel",
        Input::Choice { set, words } => {
            field.input = "select";
            let pairs: Vec<(String, String)> = words.iter().map(|word| ((*word).to_owned(), ui.choice(set, word))).collect();
            field.choices = from(&pairs, &value);
            // A word no choice knows (typed into the address, or sent by a script) comes back as it was, with its error.
            if !value.is_empty() && !words.contains(&value.as_str()) {
                field.choices.push(Choice { value: value.clone(), label: value, selected: true });
            }
        }
        Input::Flag => {
            field.input = "select";
            field.choices = from(&[("true".into(), ui.t("word.yes")), ("false".into(), ui.t("word.no"))], &value);
        }
        Input::Sensitivity => {
            field.datalist = SENSITIVITIES.iter().map(|word| (*word).to_owned()).collect();
        }
        Input::Practitioner => {
            field.input = "select";
            field.choices = from(&names.practitioners, &value);
        }
        Input::Pharmacy => {
            field.input = "select";
            field.choices = from(&names.pharmacies, &value);
        }
        Input::Patient => {
            field.input = "select";
            let mut pairs = names.patients.clone();
            // Whom the record names already and this person sees, though only in part.
            if !value.is_empty() && !pairs.iter().any(|(id, _)| *id == value) {
                pairs.push((value.clone(), ui.t("record.as_it_is")));
            }
            field.choices = from(&pairs, &value);
        }
        Input::Practice => {
            field.input = "select";
            field.choices = from(&names.practices, &value);
        }
        Input::Record(kind) => {
            field.input = "select";
            let mut heads: Vec<&Head> = names.records.values().filter(|h| h.kind == kind && own != Some(&h.id)).collect();
            heads.sort_by(|a, b| b.occurred_on.cmp(&a.occurred_on).then_with(|| a.title.cmp(&b.title)));
            let label = |h: &Head| match &h.occurred_on {
                Some(date) => format!("{}, {}", h.title, ui.day(date)),
                None => h.title.clone(),
            };
            let mut pairs: Vec<(String, String)> = heads.iter().map(|h| (h.id.to_string(), label(h))).collect();
            // A tie to what this person may not see, or to the trash, must outlive an edit of something else.
            if !value.is_empty() && !pairs.iter().any(|(id, _)| *id == value) {
                pairs.push((value.clone(), ui.t("record.hidden")));
            }
            field.choices = from(&pairs, &value);
        }
        _ => {}
    }
}

/// The words a share can leave out; any own word is allowed too.
pub const SENSITIVITIES: &[&str] = &["normal", "mental_health", "sexual_health", "substance_use", "violence"];

fn details(ui: &Ui, name: &str, parts: &[&str], stored: &str, values: &Typed, error: String) -> Vec<FormField> {
    let entries = Details::entries(stored);
    parts
        .iter()
        .enumerate()
        .map(|(i, part)| {
            let path = format!("{name}.{part}");
            FormField {
                id: format!("f-{}", path.replace('.', "-")),
                label: ui.t(&format!("detail.{part}")),
                hint: String::new(),
                value: values.get(&path).or_else(|| entries.get(*part)).cloned().unwrap_or_default(),
                error: if i == 0 { error.clone() } else { String::new() },
                required: false,
                input: "line",
                choices: Vec::new(),
                max: 300,
                offers: "",
                wide: false,
                datalist: Vec::new(),
                keep: String::new(),
                kept: false,
                name: path,
            }
        })
        .collect()
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

/// Who says what a record says: `person`, `import:...`, `family:` and the name of who shared it.
pub fn source(ui: &Ui, source: &str) -> String {
    match source.split_once(':') {
        Some(("family", name)) => ui.t1("source.family_of", "name", name),
        Some((sort, _)) => ui.t2("source", sort),
        None => ui.t2("source", source),
    }
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
            let short = crate::measured::brief(value).unwrap_or_else(|| value.to_owned());
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

/// Two values that people say in one breath; the one that is missing is a dash.
fn both<'a>(own: &'a str, other: &str) -> Cow<'a, str> {
    match (own.is_empty(), other.is_empty()) {
        (_, true) => Cow::Borrowed(own),
        (true, false) => Cow::Owned(format!("–/{other}")),
        (false, false) => Cow::Owned(format!("{own}/{other}")),
    }
}

pub fn list_rows(ui: &Ui, patient: &str, kind: &'static Kind, rows: &[Row], names: &Names) -> Vec<ListRow> {
    let listing = Listing::new(ui, patient, kind, names);
    rows.iter().map(|row| listing.row(row)).collect()
}

/// The select of one filter above a list.
#[derive(Clone, Debug)]
pub struct Filter {
    pub name: String,
    pub label: String,
    pub any: String,
    pub choices: Vec<Choice>,
}

/// Filters for every choice and flag of the kind, and the tags of the household.
pub fn filters(ui: &Ui, kind: &Kind, query: &ListQuery, tags: &[Tag]) -> Vec<Filter> {
    let mut all: Vec<Filter> = kind
        .fields
        .iter()
        .filter(|f| !is_unit(kind, f.name))
        .filter_map(|f| {
            let pairs: Vec<(String, String)> = match f.input {
                Input::Choice { set, words } => words.iter().map(|w| ((*w).to_owned(), ui.choice(set, w))).collect(),
                Input::Flag => vec![("true".into(), ui.t("word.yes")), ("false".into(), ui.t("word.no"))],
                _ => return None,
            };
            Some(filter(ui, f.name, &ui.label(kind.word(), f.name), pairs, query.filter(f.name).unwrap_or_default()))
        })
        .collect();
    if !tags.is_empty() {
        let pairs = tags.iter().map(|tag| (crate::text::fold(&tag.name), tag.name.clone())).collect();
        all.push(filter(ui, "tag", &ui.t("field.tag"), pairs, query.tags.first().map_or("", String::as_str)));
    }
    all
}

fn filter(ui: &Ui, name: &str, label: &str, pairs: Vec<(String, String)>, chosen: &str) -> Filter {
    let choices = pairs.into_iter().map(|(value, label)| Choice { selected: value == chosen, value, label }).collect();
    Filter { name: name.to_owned(), label: label.to_owned(), any: ui.t1("list.any", "what", label), choices }
}

/// A link as the detail page lists it.
#[derive(Clone, Debug)]
pub struct LinkLine {
    pub relation: String,
    pub title: String,
    pub href: String,
    pub kind: String,
    pub date: String,
    pub note: String,
    /// Set when it can be taken away from here.
    pub remove: Option<(String, String)>,
}

pub fn link_lines(ui: &Ui, patient: &str, links: &[LinkedRecord]) -> Vec<LinkLine> {
    links
        .iter()
        .map(|link| {
            let key = if link.incoming { format!("relation.{}.in", link.relation) } else { format!("relation.{}", link.relation) };
            LinkLine {
                relation: ui.t(&key),
                title: link.title.clone(),
                href: format!("/patients/{patient}/{}/{}", link.kind, link.id),
                kind: super::kind(&link.kind).map(|k| ui.kind_one(k)).unwrap_or_default(),
                date: link.occurred_on.as_deref().map(|d| ui.day(d)).unwrap_or_default(),
                note: link.note.clone().unwrap_or_default(),
                remove: (!link.incoming).then(|| (link.relation.clone(), link.id.to_string())),
            }
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
