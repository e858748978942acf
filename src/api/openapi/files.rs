//! The paths of documents, which are sent as forms and answered as bytes, unlike everything else here.

use serde_json::{Map, Value, json};

use super::{BASE, failing, parameter, plus, response};
use crate::files::CATEGORIES;

/// Every path of a patient's files.
pub fn paths() -> Map<String, Value> {
    let base = format!("{BASE}/patients/{{patient_id}}/files");
    let one = vec![parameter("PatientId"), parameter("FileId")];
    let answers = |statuses: &[&str], good| failing(statuses, good).into_iter().collect::<std::collections::BTreeMap<_, _>>();
    let told = |description: &str| json!({"description": description, "content": {"application/json": {"schema": file()}}});
    let operation = |id: &str, summary: &str, responses: Value| json!({"operationId": id, "tags": ["files"], "summary": summary, "responses": responses});
    let gone = json!({"description": "In the trash, from where it can be restored."});
    let content = json!({
        "200": {"description": "The bytes as they came, with their type.", "content": {"*/*": {}}},
        "206": {"description": "The part that `Range` asks for.", "content": {"*/*": {}}},
        "401": response("Unauthorized"),
        "404": response("NotFound"),
        "416": {"description": "The file has no such part."},
    });
    let created = answers(&["400", "401", "403", "404", "413", "415", "422"], ("201", told("Kept.")));
    let body = json!({"required": true, "content": {"multipart/form-data": {"schema": form()}}});
    let create = plus(operation("createFiles", "A new file", json!(created)), "requestBody", body);
    let list = operation("listFiles", "A page of files, the newest first", json!(answers(&["401", "404", "422"], ("200", page()))));
    let of = json!({"name": "record", "in": "query", "description": "The files of this record only; `none`: those of no record.", "schema": {"type": "string"}});
    let list = plus(list, "parameters", json!([of, words(), category(), parameter("Page"), parameter("PerPage")]));
    let get = operation("getFiles", "A file, without its bytes", json!(answers(&["401", "404"], ("200", told("Found.")))));
    let delete = operation("deleteFiles", "Deletes a file", json!(answers(&["401", "403", "404", "412"], ("204", gone))));
    let all = [
        (base.clone(), json!({"parameters": [parameter("PatientId")], "get": list, "post": create})),
        (format!("{base}/{{file_id}}"), json!({"parameters": one, "get": get, "delete": delete})),
        (
            format!("{base}/{{file_id}}/content"),
            json!({"parameters": one, "get": operation("getFileContent", "The bytes of a file", content)}),
        ),
    ];
    all.into_iter().collect()
}

pub(super) fn words() -> Value {
    json!({"name": "q", "in": "query", "description": "Words of the name or the description.", "schema": {"type": "string"}})
}

pub(super) fn category() -> Value {
    json!({"name": "category", "in": "query", "schema": {"type": "string", "enum": CATEGORIES}})
}

fn form() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "What it is, its bytes tell; an ending that says something else is refused."},
            "record": text("The record it belongs to; the patient if there is none."),
            "description": text("What it is, in words."),
            "category": {"type": "string", "enum": CATEGORIES},
            "document_date": text("As precise as it is known: `2009`, `2009-03`, `2009-03-14`."),
        },
    })
}

pub(super) fn file() -> Value {
    let text = json!({"type": "string"});
    let maybe = json!({"type": ["string", "null"]});
    json!({
        "type": "object",
        "properties": {
            "id": text, "patient_id": maybe, "record": maybe,
            "household_id": {"type": ["string", "null"], "description": "Of a document that waits to be filed: whose inbox it is in."},
            "file_name": text, "file_type": text,
            "file_size": {"type": "integer", "description": "Bytes."},
            "sha256": text, "description": maybe, "category": maybe, "document_date": maybe,
            "uploaded_at": {"type": "string", "format": "date-time"},
            "version": {"type": "integer"},
            "content": {"type": "string", "format": "uri-reference"},
            "duplicate_of": {"type": "string", "description": "Where it was just sent: the oldest document of the same bytes among all that the token's owner sees, of whatever patient or practitioner or in an inbox. Both are kept."},
        },
    })
}

pub(super) fn page() -> Value {
    let number = json!({"type": "integer"});
    let page = json!({"type": "object", "properties": {
        "items": {"type": "array", "items": file()}, "page": number, "per_page": number, "total": number,
    }});
    json!({"description": "One page.", "content": {"application/json": {"schema": page}}})
}
