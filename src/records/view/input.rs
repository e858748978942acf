//! One input of a form: its words, its value, and what it offers to choose from.

use std::borrow::Cow;

use super::{
    Choice, Names,
    form::{Told, Typed},
};
use crate::{
    codes::List,
    db::types::RecordId,
    page::Ui,
    records::{
        Head,
        field::{Details, FieldSpec, Input},
    },
};

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

/// One field, or one for each named text of a details column.
pub(super) fn form_fields(
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
        offers: spec.offers.map_or("", List::name),
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
    match spec.input {
        Input::Text => {
            field.input = "text";
            field.wide = true;
        }
        // A laboratory's words may have several lines, which a single line would lose.
        Input::Measured(_) if field.value.contains('\n') => field.input = "text",
        Input::Email => field.input = "email",
        Input::Phone => field.input = "tel",
        Input::Sensitivity => {
            field.datalist = SENSITIVITIES.iter().map(|word| (*word).to_owned()).collect();
        }
        _ => {
            if let Some(choices) = choices(ui, spec, names, own, &field.value) {
                field.input = "select";
                field.choices = choices;
            }
        }
    }
}

/// What a select offers, a blank line first; nothing for a field that is no select.
fn choices(ui: &Ui, spec: &FieldSpec, names: &Names, own: Option<&RecordId>, value: &str) -> Option<Vec<Choice>> {
    let pairs: Cow<'_, [(String, String)]> = match spec.input {
        Input::Choice { set, words } => words_to_choose(ui, set, words, value).into(),
        Input::Flag => vec![("true".to_owned(), ui.t("word.yes")), ("false".to_owned(), ui.t("word.no"))].into(),
        Input::Practitioner => names.practitioners.as_slice().into(),
        Input::Pharmacy => names.pharmacies.as_slice().into(),
        // Whom the record names already and this person sees, though only in part.
        Input::Patient => with_its_own(names.patients.clone(), value, || ui.t("record.as_it_is")).into(),
        Input::Practice => names.practices.as_slice().into(),
        // A tie to what this person may not see, or to the trash, must outlive an edit of something else.
        Input::Record(kind) => with_its_own(records_to_choose(ui, names, kind, own), value, || ui.t("record.hidden")).into(),
        _ => return None,
    };
    let blank = Choice { value: String::new(), label: "–".into(), selected: value.is_empty() };
    let rest = pairs.iter().map(|(id, name)| Choice { value: id.clone(), label: name.clone(), selected: id == value });
    Some(std::iter::once(blank).chain(rest).collect())
}

/// A word no choice knows (typed into the address, or sent by a script) comes back as it was, with its error.
fn words_to_choose(ui: &Ui, set: &str, words: &[&str], value: &str) -> Vec<(String, String)> {
    with_its_own(words.iter().map(|word| ((*word).to_owned(), ui.choice(set, word))).collect(), value, || value.to_owned())
}

/// With the value that stands there, should it not be among them.
fn with_its_own(mut pairs: Vec<(String, String)>, value: &str, label: impl FnOnce() -> String) -> Vec<(String, String)> {
    if !value.is_empty() && !pairs.iter().any(|(id, _)| id == value) {
        pairs.push((value.to_owned(), label()));
    }
    pairs
}

/// The other records of a kind, the newest first.
fn records_to_choose(ui: &Ui, names: &Names, kind: &str, own: Option<&RecordId>) -> Vec<(String, String)> {
    let mut heads: Vec<&Head> = names.records.values().filter(|h| h.kind == kind && own != Some(&h.id)).collect();
    heads.sort_by(|a, b| b.occurred_on.cmp(&a.occurred_on).then_with(|| a.title.cmp(&b.title)));
    let label = |h: &Head| match &h.occurred_on {
        Some(date) => format!("{}, {}", h.title, ui.day(date)),
        None => h.title.clone(),
    };
    heads.iter().map(|h| (h.id.to_string(), label(h))).collect()
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
