//! A record as pages show it: plain words and links, made from the field table. Templates know no kinds.

mod children;
mod detail;
mod filters;
mod form;
mod input;
mod list;
mod names;
mod value;

pub use children::{ChildTable, children};
pub use detail::{LinkLine, Section, link_lines, sections, source};
pub use filters::{Filter, filters};
pub use form::{FormRow, FormSection, Typed, asks_only, form, form_rows, plain_form, plain_summary, stored_values, summary};
pub use input::SENSITIVITIES;
pub use list::{ColumnHead, ListCell, ListRow, children_column, join_by_code, list_columns, list_rows};
pub use names::Names;
pub use value::{show, show_brief};

/// One choice of a select.
#[derive(Clone, Debug)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub selected: bool,
}
