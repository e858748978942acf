//! The API described by itself: `OpenAPI` 3.1, made once from the field tables. Its own sentences are for programmers and stand here; the words
//! for fields come from the catalogue.

mod files;
mod inbox;
pub mod schema;

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::{BASE, plus};
use crate::{
    patients::PatientFields,
    records::{
        self, Kind,
        field::{FieldSpec, Input},
        query::{HEADER, MOST_PER_PAGE, PER_PAGE, has_filter, has_range},
    },
};
use schema::reference;

static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// The document as it is sent.
pub fn text() -> &'static str {
    &TEXT
}

const ABOUT: &str = "A family's medical record. A token of the settings page goes into `Authorization: Bearer`; it sees the patients of its \
owner, shared ones included, and a token that only reads may not write.\n\n\
A PUT replaces a record: columns it does not name are emptied, but for children, `tags` and `links`. What was read can be changed and sent back \
whole. Measured values are strings, because `1.10` is not `1.1`; numbers are accepted with their digits. A value whose unit is not told is in \
the unit its description names, whatever the token's owner prefers to read. Dates are as precise as they are known, and nothing is invented.\n\n\
Names that are not known, in a body or a query, are errors. Two of one name in a JSON object are refused.";

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kinchart",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "tags": tags(),
        "paths": paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schema::all(),
            "parameters": parameters(),
            "headers": headers(),
            "responses": responses(),
        },
    })
}

fn tags() -> Vec<Value> {
    let names = ["api", "patients", "files", "inbox"].into_iter().chain(records::kinds().iter().map(|kind| kind.name));
    names.map(|name| json!({"name": name})).collect()
}

fn paths() -> Map<String, Value> {
    let mut all = Map::new();
    all.insert(BASE.to_owned(), json!({"get": index()}));
    all.insert(format!("{BASE}/openapi.json"), json!({"get": description()}));
    let patients = Paths { tag: "patients", schema: "Patient".to_owned(), one: "patient", parents: &[], own: "PatientId" };
    let asked = list_parameters(&patient_columns(), &|column| column.input.is_some_and(|input| matches!(input, Input::Date)));
    all.insert(format!("{BASE}/patients"), patients.many(&asked));
    all.insert(format!("{BASE}/patients/{{patient_id}}"), patients.single());
    all.extend(files::paths());
    all.extend(inbox::paths());
    for kind in records::kinds() {
        let paths = Paths { tag: kind.name, schema: schema::name(kind.name), one: "record", parents: &["PatientId"], own: "RecordId" };
        let base = format!("{BASE}/patients/{{patient_id}}/{}", kind.name);
        let asked = list_parameters(&columns(kind), &|column| has_range(kind, column.name));
        all.insert(base.clone(), paths.many(&asked));
        all.insert(format!("{base}/{{record_id}}"), paths.single());
    }
    all
}

fn index() -> Value {
    json!({
        "operationId": "getIndex",
        "tags": ["api"],
        "summary": "Where to go from here",
        "responses": {"200": {"description": "Links.", "content": {"application/json": {"schema": {"type": "object"}}}}, "401": response("Unauthorized")},
    })
}

fn description() -> Value {
    json!({
        "operationId": "getDescription",
        "tags": ["api"],
        "summary": "This document",
        "security": [],
        "responses": {"200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}}},
    })
}

/// The operations of one collection.
struct Paths {
    tag: &'static str,
    schema: String,
    /// What one of them is called in a sentence.
    one: &'static str,
    /// Parameters of the collection's own path.
    parents: &'static [&'static str],
    /// The parameter of a single one.
    own: &'static str,
}

impl Paths {
    fn operation(&self, verb: &str, summary: &str, parameters: &[Value], answers: &[(&str, Value)]) -> Value {
        let answers: Map<String, Value> = answers.iter().map(|(status, answer)| ((*status).to_owned(), answer.clone())).collect();
        let id = format!("{verb}{}", schema::name(self.tag));
        let operation = json!({"operationId": id, "tags": [self.tag], "summary": summary, "responses": answers});
        if parameters.is_empty() { operation } else { plus(operation, "parameters", parameters) }
    }

    /// Records can be odd and true; patients are not asked about.
    fn confirmed(&self) -> Vec<Value> {
        if self.parents.is_empty() { Vec::new() } else { vec![parameter("Confirm")] }
    }

    fn body(&self) -> Value {
        json!({"required": true, "content": {"application/json": {"schema": reference(&format!("{}Write", self.schema))}}})
    }

    fn told(&self, description: &str, headers: &[&str]) -> Value {
        let headers: Map<String, Value> =
            headers.iter().map(|name| ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{name}")}))).collect();
        json!({"description": description, "headers": headers, "content": {"application/json": {"schema": reference(&self.schema)}}})
    }

    fn many(&self, asked: &[Value]) -> Value {
        let page = reference(&format!("{}List", self.schema));
        let list = json!({"description": "One page.", "content": {"application/json": {"schema": page}}});
        let get = self.operation("list", &format!("A page of {}", self.tag), asked, &failing(&["401", "404", "422"], ("200", list)));
        let made = self.told("Made.", &["Location", "ETag"]);
        let failures = ["400", "401", "403", "404", "413", "415", "422"];
        let post = self.operation("create", &format!("A new {}", self.one), &self.confirmed(), &failing(&failures, ("201", made)));
        let path = json!({"get": get, "post": plus(post, "requestBody", self.body())});
        let parents: Vec<Value> = self.parents.iter().map(|name| parameter(name)).collect();
        if parents.is_empty() { path } else { plus(path, "parameters", parents) }
    }

    fn single(&self) -> Value {
        let one = self.one;
        let mut answers = failing(&["401", "404"], ("200", self.told("Found.", &["ETag"])));
        let tag = json!({"ETag": {"$ref": "#/components/headers/ETag"}});
        answers.push(("304", json!({"description": "The version `If-None-Match` names is the current one.", "headers": tag})));
        let get = self.operation("get", &format!("A {one}"), &[parameter("IfNoneMatch")], &answers);
        let changed = self.told("Changed; without a difference the version stays.", &["ETag"]);
        let failures = ["400", "401", "403", "404", "412", "413", "415", "422", "428"];
        let asked = [vec![parameter("IfMatch")], self.confirmed()].concat();
        let put = self.operation("replace", &format!("Replaces a {one}"), &asked, &failing(&failures, ("200", changed)));
        let gone = json!({"description": "In the trash, from where it can be restored."});
        let failures = ["401", "403", "404", "412", "428"];
        let delete = self.operation("delete", &format!("Deletes a {one}"), &[parameter("IfMatch")], &failing(&failures, ("204", gone)));
        let parameters: Vec<Value> = self.parents.iter().chain([&self.own]).map(|name| parameter(name)).collect();
        json!({"parameters": parameters, "get": get, "put": plus(put, "requestBody", self.body()), "delete": delete})
    }
}

fn parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

fn response(name: &str) -> Value {
    json!({"$ref": format!("#/components/responses/{name}")})
}

/// Every failure the API answers with: status, name, sentence.
const FAILURES: &[(&str, &str, &str)] = &[
    ("400", "BadRequest", "The body is no JSON object, or names something twice."),
    ("401", "Unauthorized", "There is no valid token. Said before anything else."),
    ("403", "Forbidden", "The token only reads, or the share does not go that far."),
    ("404", "NotFound", "There is no such thing, or it is not shared with the token's owner."),
    ("412", "Stale", "`If-Match` names another version than the current one, which the answer tells."),
    ("413", "TooLarge", "The body is larger than 2 MiB."),
    ("415", "UnsupportedMedia", "The body is not `application/json`."),
    ("422", "Invalid", "Some fields or parameters are wrong; each is named."),
    ("428", "PreconditionRequired", "`If-Match` is missing."),
];

fn failing(statuses: &[&str], good: (&'static str, Value)) -> Vec<(&'static str, Value)> {
    let failures = FAILURES.iter().filter(|(status, ..)| statuses.contains(status)).map(|(status, name, _)| (*status, response(name)));
    std::iter::once(good).chain(failures).collect()
}

fn responses() -> Map<String, Value> {
    let content = json!({"application/problem+json": {"schema": reference("Problem")}});
    FAILURES.iter().map(|(_, name, sentence)| ((*name).to_owned(), json!({"description": sentence, "content": content}))).collect()
}

fn headers() -> Value {
    json!({
        "ETag": {"description": "The version, quoted.", "schema": {"type": "string"}, "example": "\"3\""},
        "Location": {"description": "Where the new one is.", "schema": {"type": "string", "format": "uri-reference"}},
    })
}

fn parameters() -> Value {
    let path = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "maxLength": 64}});
    let query =
        |name: &str, description: &str, schema: Value| json!({"name": name, "in": "query", "description": description, "schema": schema});
    let number = |max: i64, default: i64| json!({"type": "integer", "minimum": 1, "maximum": max, "default": default});
    json!({
        "PatientId": path("patient_id"),
        "RecordId": path("record_id"),
        "FileId": path("file_id"),
        "Page": query("page", "The page, from 1.", number(1_000_000, 1)),
        "PerPage": query("per_page", "How many a page.", number(MOST_PER_PAGE, PER_PAGE)),
        "Q": query("q", "Words, each of which begins one in what is looked for.", json!({"type": "string", "maxLength": 200})),
        "Tag": query("tag", "A tag's name; repeated, each must be there.", json!({"type": "array", "items": {"type": "string"}})),
        "Confirm": query("confirm", "`true` keeps what the program would ask about, such as an expired vaccine that was given: errors marked as `confirmable`. An unusual measured value is never asked about here.", json!({"type": "boolean", "default": false})),
        "IfMatch": {"name": "If-Match", "in": "header", "required": true, "description": "The ETag of the version that is changed, or `*`.", "schema": {"type": "string"}, "example": "\"3\""},
        "IfNoneMatch": {"name": "If-None-Match", "in": "header", "description": "The ETag of the version that is known already.", "schema": {"type": "string"}},
    })
}

/// A column a list can be asked by.
struct Column {
    name: &'static str,
    input: Option<Input>,
}

impl From<&FieldSpec> for Column {
    fn from(spec: &FieldSpec) -> Self {
        Self { name: spec.name, input: Some(spec.input) }
    }
}

/// The kind's own columns, and those of the header it has besides.
fn columns(kind: &Kind) -> Vec<Column> {
    let own = kind.fields.iter().map(|spec| Column::from(*spec));
    let header = HEADER.iter().filter(|name| kind.field(name).is_none()).map(|name| Column { name, input: None });
    own.chain(header).collect()
}

fn patient_columns() -> Vec<Column> {
    PatientFields::FIELDS.iter().map(|field| Column::from(&field.spec)).collect()
}

fn list_parameters(columns: &[Column], ranged: &dyn Fn(&Column) -> bool) -> Vec<Value> {
    let mut all = vec![parameter("Page"), parameter("PerPage"), parameter("Q")];
    if columns.iter().any(|column| column.input.is_none()) {
        all.push(parameter("Tag"));
    }
    let orders: Vec<String> = columns
        .iter()
        .filter(|column| !matches!(column.input, Some(Input::Patient)))
        .flat_map(|column| [column.name.to_owned(), format!("-{}", column.name)])
        .collect();
    all.push(json!({"name": "sort", "in": "query", "description": "The column; with `-` the other way round. What is empty comes last.", "schema": {"type": "string", "enum": orders}}));
    for column in
        columns.iter().filter(|column| has_filter(column.name) && !matches!(column.input, Some(Input::Details(_) | Input::Patient)))
    {
        let about = format!("Exactly this {}; repeated, any of them.", column.name);
        all.push(json!({"name": column.name, "in": "query", "description": about, "schema": {"type": "array", "items": item(column)}}));
    }
    for column in columns.iter().filter(|column| ranged(column)) {
        for (end, about) in [("from", "From here on, this included."), ("to", "Up to here, this included.")] {
            all.push(json!({"name": format!("{}_{end}", column.name), "in": "query", "description": about, "schema": bound(column)}));
        }
    }
    all
}

fn item(column: &Column) -> Value {
    match column.input {
        Some(Input::Choice { words, .. }) => json!({"type": "string", "enum": words}),
        Some(Input::Integer { .. }) => json!({"type": "integer"}),
        Some(Input::Flag) => json!({"type": "boolean"}),
        _ => json!({"type": "string"}),
    }
}

fn bound(column: &Column) -> Value {
    match column.input {
        Some(Input::Integer { .. }) => json!({"type": "integer"}),
        Some(Input::Measured(_)) => {
            json!({"type": "number", "description": "In the base unit of the column: kg, cm, degrees Celsius, mmol/L, or its only one."})
        }
        _ => json!({"type": "string", "examples": ["2011-03-14", "2011-03", "2011"]}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn walk<'a>(value: &'a Value, found: &mut Vec<(&'a str, &'a Value)>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(name, value)| {
                found.push((name, value));
                walk(value, found);
            }),
            Value::Array(all) => all.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut found = Vec::new();
        walk(&document, &mut found);
        for (_, target) in found.iter().filter(|(name, _)| *name == "$ref") {
            let pointer = target.as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let ids: Vec<&Value> = found.iter().filter(|(name, _)| *name == "operationId").map(|(_, id)| *id).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn every_kind_has_a_concrete_path_and_no_parameter_twice() {
        let document = document();
        for kind in records::kinds() {
            let base = format!("{BASE}/patients/{{patient_id}}/{}", kind.name);
            let path = &document["paths"][&base];
            assert!(path["get"].is_object() && path["post"].is_object(), "{base}");
            let names: Vec<&str> = path["get"]["parameters"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
            assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{base}");
            assert!(document["paths"][format!("{base}/{{record_id}}")]["put"].is_object(), "{base}");
        }
    }

    /// For checking by hand: `openapi-spec-validator` of PyPI reads the file.
    #[test]
    #[ignore = "writes a file"]
    fn the_document_as_a_file() {
        std::fs::write(std::env::temp_dir().join("kinchart-openapi.json"), text()).unwrap();
    }
}
