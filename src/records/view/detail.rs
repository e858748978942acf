//! The page of one record: its lines in the order of the form, and its ties.

use super::{
    Names,
    value::{Shown, both, show},
};
use crate::{
    page::Ui,
    records::{
        self, AnyRecord, Kind,
        chart::LinkedRecord,
        field::{FieldSpec, Input, Unit},
        stored::unit_of,
    },
};

/// A label and its value, on the detail page and in differences.
#[derive(Clone, Debug)]
pub struct Line {
    pub label: String,
    pub shown: Shown,
}

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

/// Does it hold the unit of another field?
pub(super) fn is_unit(kind: &Kind, name: &str) -> bool {
    kind.fields.iter().any(|f| matches!(f.unit(), Some(Unit::Column(column) | Unit::Free(column)) if column == name))
}

/// Who says what a record says: `person`, `import:...`, `family:` and the name of who shared it.
pub fn source(ui: &Ui, source: &str) -> String {
    match source.split_once(':') {
        Some(("family", name)) => ui.t1("source.family_of", "name", name),
        Some((sort, _)) => ui.t2("source", sort),
        None => ui.t2("source", source),
    }
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
                kind: records::kind(&link.kind).map(|k| ui.kind_one(k)).unwrap_or_default(),
                date: link.occurred_on.as_deref().map(|d| ui.day(d)).unwrap_or_default(),
                note: link.note.clone().unwrap_or_default(),
                remove: (!link.incoming).then(|| (link.relation.clone(), link.id.to_string())),
            }
        })
        .collect()
}
