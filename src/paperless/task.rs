//! What a task says became of an upload. Its answer differs by version of the interface (9: a list, 10: a page of a list) and of the server;
//! everything here is read leniently, and a shape that is not known is a fault, never a success.

use serde_json::Value;

use super::{DocumentId, Fault};

/// Where an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Not begun. May stay so for ever, if the server lost its queue.
    Waiting,
    Running,
    /// Stored as this document.
    Done(DocumentId),
    /// Not stored, because it is there already. Up to 2.20 the id of a document in the trash is told in the text only. It may be a document of
    /// somebody else, which this account does not see.
    Duplicate {
        of: Option<DocumentId>,
        in_trash: bool,
    },
    /// Not stored.
    Failed(TaskFailure),
    /// The server knows no such task: an upgrade to 3.0 clears them. The document may be there all the same.
    Unknown,
}

/// Why a document was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskFailure {
    /// The file is damaged.
    Unreadable,
    /// Its type is not taken; noticed late where the name promised another one.
    Type,
    /// Somebody stopped the task.
    Revoked,
    /// Anything else, to be read in the server's log.
    Other,
}

const IN_TRASH: &str = "Note: existing document is in the trash.";

/// The state in the answer to `/api/tasks/?task_id=`.
pub(super) fn state(answer: &Value) -> Result<TaskState, Fault> {
    let tasks = answer.as_array().or_else(|| answer.get("results")?.as_array()).ok_or(Fault::NotUnderstood)?;
    let Some(task) = tasks.first() else { return Ok(TaskState::Unknown) };
    let status = text(task, "status").ok_or(Fault::NotUnderstood)?.to_lowercase();
    match status.as_str() {
        "pending" => Ok(TaskState::Waiting),
        "started" | "retry" | "received" => Ok(TaskState::Running),
        "success" => stored(task).map(TaskState::Done).ok_or(Fault::NotUnderstood),
        "failure" => Ok(failure(task)),
        "revoked" => Ok(TaskState::Failed(TaskFailure::Revoked)),
        _ => Err(Fault::NotUnderstood),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

/// A number, or a text of digits as 2.x has it.
fn id(value: &Value) -> Option<DocumentId> {
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok())?;
    (number > 0).then_some(DocumentId(number))
}

fn related(task: &Value) -> Option<DocumentId> {
    let list = task.get("related_document_ids").and_then(Value::as_array);
    list.and_then(|list| list.first()).and_then(id).or_else(|| id(task.get("related_document")?))
}

fn stored(task: &Value) -> Option<DocumentId> {
    let told = task.get("result_data").and_then(|data| id(data.get("document_id")?));
    told.or_else(|| related(task)).or_else(|| number_after(text(task, "result")?, "document id "))
}

fn failure(task: &Value) -> TaskState {
    let data = task.get("result_data").unwrap_or(&Value::Null);
    if let Some(of) = data.get("duplicate_of") {
        let in_trash = data.get("duplicate_in_trash").and_then(Value::as_bool).unwrap_or(false);
        return TaskState::Duplicate { of: id(of), in_trash };
    }
    let message = text(task, "result").or_else(|| text(data, "error_message")).unwrap_or_default().trim();
    duplicate(task, message).unwrap_or_else(|| TaskState::Failed(reason(message)))
}

/// File names and titles stand in these texts, so only their ends count: `(#2).` and the note of 2.x, `document #2` of 3.x.
fn duplicate(task: &Value, message: &str) -> Option<TaskState> {
    let (told, in_trash) = message.strip_suffix(IN_TRASH).map_or((message, false), |before| (before.trim_end(), true));
    let of_2 = told.strip_suffix(").").and_then(|text| text.rsplit_once("(#"));
    let of_3 = told.rsplit_once("document #");
    let (_, number) = of_2.or(of_3).filter(|(before, _)| before.contains("It is a duplicate of "))?;
    let of = number.parse().ok().map(DocumentId).or_else(|| related(task));
    let twins = task.get("duplicate_documents").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let twin = twins.iter().find(|twin| twin.get("id").and_then(id) == of);
    let deleted = twin.and_then(|twin| twin.get("deleted_at")).is_some_and(|at| !at.is_null());
    Some(TaskState::Duplicate { of, in_trash: in_trash || deleted })
}

fn reason(message: &str) -> TaskFailure {
    // What stands at the end is the kind of the error; before it, the name of the file.
    let end = message.rsplit_once("Error occurred while consuming document ").map_or("", |(_, end)| end);
    if end.contains("InputFileError") || end.contains("PdfError") || end.contains("PasswordError") {
        TaskFailure::Unreadable
    } else if message.ends_with("not supported") || message.contains("Unsupported mime type") {
        TaskFailure::Type
    } else {
        TaskFailure::Other
    }
}

fn number_after(message: &str, words: &str) -> Option<DocumentId> {
    let (_, rest) = message.rsplit_once(words)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|number| *number > 0).map(DocumentId)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{DocumentId, Fault, TaskFailure, TaskState, state};

    fn v9(status: &str, result: &str, related: Value) -> Value {
        json!([{"id": 3, "task_name": "consume_file", "status": status, "result": result, "related_document": related}])
    }

    fn v10(status: &str, data: Value, related: Value) -> Value {
        json!({"count": 1, "results": [{"id": 3, "status": status, "result_data": data, "related_document_ids": related}]})
    }

    #[test]
    fn every_shape_is_read() {
        let done = Ok(TaskState::Done(DocumentId(2)));
        for (answer, expected) in [
            (json!([]), Ok(TaskState::Unknown)),
            (json!({"count": 0, "results": []}), Ok(TaskState::Unknown)),
            (v9("PENDING", "", Value::Null), Ok(TaskState::Waiting)),
            (v10("pending", Value::Null, json!([])), Ok(TaskState::Waiting)),
            (v9("STARTED", "", Value::Null), Ok(TaskState::Running)),
            (v9("RETRY", "", Value::Null), Ok(TaskState::Running)),
            (v9("SUCCESS", "Success. New document id 2 created", json!("2")), done.clone()),
            (v9("SUCCESS", "Success. New document id 2 created", json!(2)), done.clone()),
            (v9("SUCCESS", "Success. New document id 2 created", Value::Null), done.clone()),
            (v10("success", json!({"document_id": 2}), json!([2])), done.clone()),
            (v10("success", json!({}), json!([2])), done),
            (v9("SUCCESS", "Success.", Value::Null), Err(Fault::NotUnderstood)),
            (v9("REVOKED", "", Value::Null), Ok(TaskState::Failed(TaskFailure::Revoked))),
            (v9("SLEEPING", "", Value::Null), Err(Fault::NotUnderstood)),
            (json!({"detail": "x"}), Err(Fault::NotUnderstood)),
            (json!("x"), Err(Fault::NotUnderstood)),
        ] {
            assert_eq!(state(&answer), expected, "{answer}");
        }
    }

    #[test]
    fn duplicates_are_told_by_each_version_in_its_way() {
        let here = TaskState::Duplicate { of: Some(DocumentId(2)), in_trash: false };
        let trashed = TaskState::Duplicate { of: Some(DocumentId(2)), in_trash: true };
        let text_2 = "lab1.pdf: Not consuming lab1.pdf: It is a duplicate of Lab report (#77) 2024-03-05 (#2).";
        let text_3 = "Not consuming: It is a duplicate of document #2";
        let twin = |at: Value| json!([{"status": "FAILURE", "result": text_3, "related_document": 2, "duplicate_documents": [{"id": 2, "title": "x", "deleted_at": at}]}]);
        for (answer, expected) in [
            (v9("FAILURE", text_2, json!("2")), here),
            (v9("FAILURE", &format!("{text_2} Note: existing document is in the trash."), Value::Null), trashed),
            (v9("FAILURE", text_3, json!(2)), here),
            (twin(Value::Null), here),
            (twin(json!("2026-11-21T03:14:03Z")), trashed),
            (v10("failure", json!({"duplicate_of": 2, "duplicate_in_trash": false}), json!([2])), here),
            (v10("failure", json!({"duplicate_of": 2, "duplicate_in_trash": true}), json!([2])), trashed),
        ] {
            assert_eq!(state(&answer), Ok(expected), "{answer}");
        }
    }

    #[test]
    fn failures_have_a_kind_and_nothing_of_their_text() {
        let named = "It is a duplicate of x (#9).pdf";
        for (message, expected) in [
            ("corrupt.pdf: Error occurred while consuming document corrupt.pdf: InputFileError: ".to_owned(), TaskFailure::Unreadable),
            (format!("{named}: Error occurred while consuming document {named}: InputFileError: "), TaskFailure::Unreadable),
            ("user.pdf: Not consuming user.pdf: Given ASN 77 already exists!".to_owned(), TaskFailure::Other),
            ("note.txt: Unexpected error while consuming document note.txt: cannot open resource".to_owned(), TaskFailure::Other),
            ("x.pdf: Unsupported mime type application/octet-stream".to_owned(), TaskFailure::Type),
            (String::new(), TaskFailure::Other),
        ] {
            assert_eq!(state(&v9("FAILURE", &message, Value::Null)), Ok(TaskState::Failed(expected)), "{message}");
            let data = json!({"error_type": "ConsumerError", "error_message": message, "traceback": "File /usr/src/x.py"});
            assert_eq!(state(&v10("failure", data, json!([]))), Ok(TaskState::Failed(expected)), "{message}");
        }
    }
}
