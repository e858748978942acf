//! Sending a document: streamed as it is read, with what is known of it.

use std::io::Read;

use chrono::NaiveDate;
use reqwest::Method;
use serde_json::{Map, Value};

use super::{
    Client, Right, TaskId, TaskState,
    call::Sent,
    fault::{Fault, Field, Instead},
    multipart::Multipart,
    task,
};

/// A longer title is cut by the server without a word, and refused by it later.
const LONGEST_TITLE: usize = 128;

/// What goes with a document.
#[derive(Clone, Debug, Default)]
pub struct Upload<'a> {
    /// With an ending; a path before it is dropped.
    pub file_name: &'a str,
    /// Of the file, in bytes.
    pub size: u64,
    pub title: &'a str,
    /// Without one the server takes the first date it finds in the text.
    pub created: Option<NaiveDate>,
    pub correspondent: Option<i64>,
    pub document_type: Option<i64>,
    pub tags: &'a [i64],
    /// Ids and values.
    pub custom_fields: &'a [(i64, Value)],
}

impl Client {
    /// Sends a document; what becomes of it, [`Client::task`] tells. After a fault that `is_uncertain`, the document may be there or coming: look
    /// for its checksum before it is sent again. 3.x stores the same bytes twice without a word, so look before the first time, too.
    pub fn upload(&self, upload: &Upload<'_>, file: &mut dyn Read) -> Result<TaskId, Fault> {
        if upload.size == 0 {
            return Err(Fault::Empty);
        }
        let form = upload.form()?;
        let content_type = form.content_type();
        let (size, mut body) = form.with_file("document", upload.file_name, upload.size, file);
        let url = self.address.page("api/documents/post_document/", &[]);
        let call = self.call(Method::POST, url, Sent::Nothing, Right::AddDocument);
        let answer = self.network.send(call, &content_type, size, &mut body)?;
        if answer.is_refusal() && answer.refusal_names("document") {
            return Err(Fault::Type);
        }
        // A bare text, not an object.
        let Value::String(task) = answer.json()? else { return Err(Fault::NotPaperless(Instead::Other)) };
        let is_number = !task.is_empty() && task.len() <= 64 && task.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_number.then_some(TaskId(task)).ok_or(Fault::NotUnderstood)
    }

    /// What became of an upload.
    pub fn task(&self, task: &TaskId) -> Result<TaskState, Fault> {
        let answer = self.get("api/tasks/", &[("task_id", &task.0)], Right::ViewTask)?;
        task::state(&answer.json()?)
    }
}

impl Upload<'_> {
    fn form(&self) -> Result<Multipart, Fault> {
        let mut form = Multipart::new().ok_or(Fault::NotUnderstood)?;
        let title = cut_title(self.title);
        if !title.is_empty() {
            form.field("title", &title);
        }
        if let Some(created) = self.created {
            // Bare: a time would be moved into the server's zone, and perhaps into another day.
            form.field("created", &created.format("%Y-%m-%d").to_string());
        }
        for (name, id) in [("correspondent", self.correspondent), ("document_type", self.document_type)] {
            if let Some(id) = id {
                form.field(name, &id.to_string());
            }
        }
        for tag in self.tags {
            form.field("tags", &tag.to_string());
        }
        if !self.custom_fields.is_empty() {
            let values: Map<String, Value> = self.custom_fields.iter().map(|(id, value)| (id.to_string(), value.clone())).collect();
            form.field("custom_fields", &serde_json::to_string(&values).map_err(|_| Fault::Field(Field::CustomFields))?);
        }
        Ok(form)
    }
}

/// A title as Paperless-ngx keeps it: one line, at most 128 characters, the last one an ellipsis if it was longer.
pub fn cut_title(title: &str) -> String {
    let line = title.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST_TITLE {
        return line;
    }
    let cut: String = line.chars().take(LONGEST_TITLE - 1).collect();
    format!("{}\u{2026}", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::cut_title;

    #[test]
    fn titles_are_cut_by_us() {
        assert_eq!(cut_title("  Blood\ncount\0 2024 "), "Blood count 2024");
        assert_eq!(cut_title(&"ä".repeat(128)), "ä".repeat(128));
        let cut = cut_title(&"ä".repeat(129));
        assert_eq!((cut.chars().count(), cut.chars().last()), (128, Some('\u{2026}')));
    }
}
