//! The filters above a list.

use super::{Choice, detail::is_unit};
use crate::{
    page::Ui,
    records::{Kind, field::Input, query::ListQuery},
    tags::Tag,
    text::fold,
};

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
        let pairs = tags.iter().map(|tag| (fold(&tag.name), tag.name.clone())).collect();
        all.push(filter(ui, "tag", &ui.t("field.tag"), pairs, query.tags.first().map_or("", String::as_str)));
    }
    all
}

fn filter(ui: &Ui, name: &str, label: &str, pairs: Vec<(String, String)>, chosen: &str) -> Filter {
    let choices = pairs.into_iter().map(|(value, label)| Choice { selected: value == chosen, value, label }).collect();
    Filter { name: name.to_owned(), label: label.to_owned(), any: ui.t1("list.any", "what", label), choices }
}
