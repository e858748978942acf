//! One value as words: in the person's units, with names for ids.

use std::borrow::Cow;

use super::Names;
use crate::{
    db::types::RecordId,
    measured::{Measured, brief},
    page::Ui,
    records::{
        field::{Details, FieldSpec, Input, Unit},
        input::preferred_unit,
    },
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
    let wanted = ui.me.as_ref().filter(|_| convertible).and_then(|me| preferred_unit(me.units(), unit));
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
    let Some((own, other)) = number.split_once('/') else { return brief(number) };
    match (brief(own), brief(other)) {
        (None, None) => None,
        (a, b) => Some(format!("{}/{}", a.unwrap_or_else(|| own.to_owned()), b.unwrap_or_else(|| other.to_owned()))),
    }
}

/// Two values that people say in one breath; the one that is missing is a dash.
pub(super) fn both<'a>(own: &'a str, other: &str) -> Cow<'a, str> {
    match (own.is_empty(), other.is_empty()) {
        (_, true) => Cow::Borrowed(own),
        (true, false) => Cow::Owned(format!("–/{other}")),
        (false, false) => Cow::Owned(format!("{own}/{other}")),
    }
}
