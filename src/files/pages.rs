//! The pages of documents: a patient's papers, one of them, its trash; uploads come here from every page that has papers. Here stands what
//! a document is called in all of them.

mod list;
mod one;

pub use list::{list, upload};
pub(super) use one::{ShowPage, Standing};
pub use one::{change, content, delete, restore, show};

use super::{CATEGORIES, File, quota};
use crate::{
    db::types::PatientId,
    page::Ui,
    records::{Head, view::Choice},
};

/// One document in a list.
pub struct Line {
    pub href: String,
    pub name: String,
    pub about: String,
    /// The record it belongs to: address and title.
    pub record: Option<(String, String)>,
    pub id: String,
    /// `PDF`, `JPEG`: what stands there where there is no picture.
    pub kind: String,
    /// Where its small picture is; empty if there is none.
    pub picture: String,
    /// How it stands in Paperless-ngx, where a list tells that.
    pub badge: String,
    /// When it came.
    pub arrived: String,
}

pub(crate) fn line(ui: &Ui, patient: &PatientId, file: &File, head: Option<&Head>) -> Line {
    let record = head.map(|head| (format!("/patients/{patient}/{}/{}", head.kind, head.id), title(ui, head)));
    Line { record, ..line_at(ui, &format!("/patients/{patient}/files"), file) }
}

/// The same for a document whose addresses begin so.
pub(crate) fn line_at(ui: &Ui, base: &str, file: &File) -> Line {
    let mut about = vec![kind_word(ui, file), size_word(ui, file.size())];
    about.extend(file.category.as_deref().map(|word| ui.choice("FileCategory", word)));
    about.extend(file.document_date.as_deref().map(|date| ui.date(date)));
    Line {
        href: format!("{base}/{}", file.id),
        name: shown_name(file),
        about: about.join(" · "),
        record: None,
        id: file.id.to_string(),
        kind: kind_word(ui, file),
        picture: String::new(),
        badge: String::new(),
        arrived: ui.moment(&file.uploaded_at),
    }
}

/// What a person called it, if that is short enough for a line, else the file's name.
pub(super) fn shown_name(file: &File) -> String {
    file.description.clone().filter(|text| text.chars().count() <= 80).unwrap_or_else(|| file.file_name.clone())
}

pub(super) fn title(ui: &Ui, head: &Head) -> String {
    if head.title.is_empty() { ui.t("record.untitled") } else { head.title.clone() }
}

/// `PDF`, `JPEG`: what people call it, which is its ending.
fn kind_word(ui: &Ui, file: &File) -> String {
    let ending = file.kind().and_then(|kind| kind.endings.first()).map(|ending| ending.to_uppercase());
    ending.unwrap_or_else(|| ui.t("file.document"))
}

/// `340 kB`, `1.2 MB`: as file managers tell it, in thousands.
pub fn size_word(ui: &Ui, bytes: u64) -> String {
    let told = quota::size(bytes);
    let (number, unit) = told.split_once(' ').unwrap_or((&told, ""));
    ui.words.with("file.size", &[("number", number), ("unit", unit)])
}

pub(super) fn categories(ui: &Ui, chosen: &str) -> Vec<Choice> {
    let choice = |word: &&str| Choice { value: (*word).to_owned(), label: ui.choice("FileCategory", word), selected: *word == chosen };
    CATEGORIES.iter().map(choice).collect()
}

/// What a page can be told that it was done; anything else in the address is nobody's word.
pub(super) fn done(ui: &Ui, pairs: &[(String, String)]) -> String {
    let told = pairs.iter().find(|(name, _)| name == "done").map(|(_, value)| value.as_str()).unwrap_or_default();
    if ["added", "deleted", "restored", "filed", "purged"].contains(&told) { ui.t2("file.done", told) } else { String::new() }
}
