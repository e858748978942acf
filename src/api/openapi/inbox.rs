//! The paths of the inbox: documents that wait to be filed.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    BASE, failing,
    files::{category, file, page, words},
    parameter, plus, response,
};
use crate::files::CATEGORIES;

/// Every path of the inbox.
pub fn paths() -> Map<String, Value> {
    let base = format!("{BASE}/inbox/files");
    let answers = |statuses: &[&str], good| failing(statuses, good).into_iter().collect::<BTreeMap<_, _>>();
    let told = |description: &str| json!({"description": description, "content": {"application/json": {"schema": file()}}});
    let operation = |id: &str, summary: &str, responses: Value| json!({"operationId": id, "tags": ["inbox"], "summary": summary, "responses": responses});
    let of = json!({"name": "household", "in": "query", "description": "Whose inbox, for somebody of several households; the main one's without it.", "schema": {"type": "string"}});
    let list = operation(
        "listInbox",
        "Documents that wait to be filed, the newest first",
        json!(answers(&["401", "404", "422"], ("200", page()))),
    );
    let list = plus(list, "parameters", json!([of.clone(), words(), category(), parameter("Page"), parameter("PerPage")]));
    let created = answers(&["400", "401", "403", "404", "413", "415", "422"], ("201", told("Kept.")));
    let create = plus(operation("createInboxFile", "A document to be filed later", json!(created)), "requestBody", form());
    let create = plus(create, "parameters", json!([of]));
    let get = operation("getInboxFile", "A document that waits", json!(answers(&["401", "404"], ("200", told("Found.")))));
    let gone = json!({"description": "In the trash, from where it can be restored."});
    let meanwhile = |answers: BTreeMap<&'static str, Value>| {
        let conflict = json!({"description": "Somebody else filed it meanwhile. Nothing was changed."});
        json!(answers.into_iter().chain([("409", conflict)]).collect::<BTreeMap<_, _>>())
    };
    let delete = operation("deleteInboxFile", "Deletes a document", meanwhile(answers(&["401", "403", "404", "412"], ("204", gone))));
    let filed = meanwhile(answers(&["400", "401", "403", "404", "413", "415", "422"], ("200", told("Where it belongs now."))));
    let filing = plus(operation("fileInboxFile", "Files it with a patient or with a record of theirs", filed), "requestBody", target());
    let content = json!({
        "200": {"description": "The bytes as they came, with their type.", "content": {"*/*": {}}},
        "206": {"description": "The part that `Range` asks for.", "content": {"*/*": {}}},
        "401": response("Unauthorized"),
        "404": response("NotFound"),
        "416": {"description": "The file has no such part."},
    });
    let one = json!([parameter("FileId")]);
    let all = [
        (base.clone(), json!({"get": list, "post": create})),
        (format!("{base}/{{file_id}}"), json!({"parameters": one, "get": get, "delete": delete})),
        (
            format!("{base}/{{file_id}}/content"),
            json!({"parameters": one, "get": operation("getInboxFileContent", "The bytes of a document", content)}),
        ),
        (format!("{base}/{{file_id}}/file"), json!({"parameters": one, "post": filing})),
    ];
    all.into_iter().collect()
}

fn form() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({"required": true, "content": {"multipart/form-data": {"schema": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "What it is, its bytes tell; an ending that says something else is refused."},
            "household": text("Whose inbox; also in the query."),
            "description": text("What it is, in words."),
            "category": {"type": "string", "enum": CATEGORIES},
            "document_date": text("As precise as it is known: `2009`, `2009-03`, `2009-03-14`."),
        },
    }}}})
}

fn target() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({"required": true, "content": {"application/json": {"schema": {
        "type": "object",
        "required": ["patient"],
        "properties": {"patient": text("Whose it is; the token's owner may change them."), "record": text("The record it belongs to; the patient if there is none.")},
    }}}})
}
