//! The schemas: every one from a field table, so that a new column or kind stands in the document without anybody writing it there.

use serde_json::{Map, Value, json};

use crate::{
    access::Rank,
    api::{patients as api_patients, plus},
    i18n::Locale,
    patients::PatientFields,
    records::{
        self, Children, Kind, api as api_records,
        chart::RELATIONS,
        field::{FieldSpec, Input, Measure, Unit},
        input::UnitSystem,
    },
    tags,
};

/// The source document's dates, as precise as they are known.
const DATE: &str = r"^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$";
const ID_LENGTH: usize = 64;

/// Whether a schema is of what is told or of what is taken.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Told,
    Taken,
}

/// `LabResults` for `lab-results`.
pub fn name(kind: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    kind.split(['-', '_']).map(capital).collect()
}

pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

pub fn all() -> Map<String, Value> {
    let mut all = Map::new();
    all.insert("Problem".to_owned(), problem());
    all.insert("Link".to_owned(), link());
    all.insert("Patient".to_owned(), patient(Way::Told));
    all.insert("PatientWrite".to_owned(), patient(Way::Taken));
    all.insert("PatientList".to_owned(), list("Patient"));
    for kind in records::kinds() {
        let name = name(kind.name);
        all.insert(name.clone(), told(kind));
        all.insert(format!("{name}Write"), taken(kind));
        all.insert(format!("{name}List"), list(&name));
    }
    all
}

fn list(item: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items", "page", "per_page", "total"],
        "properties": {
            "items": {"type": "array", "items": reference(item)},
            "page": {"type": "integer", "minimum": 1},
            "per_page": {"type": "integer", "minimum": 1, "maximum": records::query::MOST_PER_PAGE},
            "total": {"type": "integer", "minimum": 0, "description": "How many there are on all pages together."},
        },
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "A problem document (RFC 9457).",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "errors": {
                "type": "array",
                "description": "Each field that is wrong (422).",
                "items": {
                    "type": "object",
                    "required": ["field", "message", "code"],
                    "properties": {
                        "field": {"type": "string", "description": "The field's name; for a child or link its path.", "examples": ["status", "components.2.value"]},
                        "message": {"type": "string", "description": "A sentence for people."},
                        "code": {"type": "string", "description": "A stable word for programs.", "examples": ["required", "unknown_field"]},
                        "confirmable": {"type": "boolean", "description": "Hardly ever so, and yet it may be: the same request with `?confirm=true` keeps it."},
                    },
                },
            },
            "current_version": {"type": "integer", "description": "The version the record is at (412)."},
        },
    })
}

fn link() -> Value {
    json!({
        "type": "object",
        "description": "A tie to another record of the same patient.",
        "required": ["relation", "id"],
        "additionalProperties": false,
        "properties": {
            "relation": {"type": "string", "description": format!("One of {}; what points here may also carry the name of the other record's column, such as `condition_id`.", RELATIONS.join(", "))},
            "kind": {"type": ["string", "null"], "description": "The other record's kind; may be left out when writing.", "enum": kinds_or_null()},
            "id": {"type": "string", "maxLength": ID_LENGTH},
            "note": {"type": ["string", "null"], "maxLength": 300},
            "direction": {"type": ["string", "null"], "enum": ["in", "out", null], "description": "`in`: the other record points here. Ignored when writing; absent for this record's own."},
        },
    })
}

fn kinds_or_null() -> Vec<Value> {
    records::kinds().iter().map(|kind| Value::from(kind.name)).chain([Value::Null]).collect()
}

fn patient(way: Way) -> Value {
    let fields: Vec<&FieldSpec> = PatientFields::FIELDS.iter().map(|field| &field.spec).collect();
    let mut properties = Map::new();
    if way == Way::Told {
        properties.insert("id".to_owned(), id());
    }
    for spec in &fields {
        properties.insert(spec.name.to_owned(), field("patients", spec, way));
    }
    if way == Way::Taken {
        let read_only = api_patients::READ_ONLY.iter().map(|name| ((*name).to_owned(), ignored()));
        properties.extend(read_only);
        return write(&properties, &fields);
    }
    let words: Vec<&str> = Rank::WORDS.to_vec();
    properties.insert(
        "access".to_owned(),
        json!({"type": "string", "enum": words, "description": "How far this token may go with the patient."}),
    );
    properties.insert(
        "owner".to_owned(),
        json!({"type": "boolean", "description": "The token's owner owns the patient; otherwise it is shared with them."}),
    );
    bookkeeping(&mut properties);
    read(&properties)
}

/// A record as it is told: every property always stands in it.
fn told(kind: &Kind) -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let date = |description: &str| json!({"type": ["string", "null"], "description": description});
    let mut properties = Map::new();
    properties.insert("id".to_owned(), id());
    properties.insert("patient_id".to_owned(), id());
    properties.insert("kind".to_owned(), json!({"type": "string", "const": kind.name}));
    properties.insert("title".to_owned(), text("What the record is called; follows from its columns."));
    properties.insert("occurred_on".to_owned(), date(&copy_of(kind.occurred)));
    properties.insert("ended_on".to_owned(), date(&copy_of(kind.ended.as_slice())));
    for name in api_records::EVERYWHERE {
        properties.insert((*name).to_owned(), json!({"type": "null", "description": "Not told of this kind."}));
    }
    for spec in &kind.fields {
        properties.insert(spec.name.to_owned(), field(kind.word(), spec, Way::Told));
    }
    if let Some(children) = &kind.children {
        properties.insert(children.name.to_owned(), array_of(children, Way::Told));
    }
    properties.insert("tags".to_owned(), json!({"type": "array", "items": {"type": "string"}}));
    properties.insert("links".to_owned(), json!({"type": "array", "items": reference("Link")}));
    bookkeeping(&mut properties);
    read(&properties)
}

fn copy_of(columns: &[&str]) -> String {
    if columns.is_empty() { "Not told of this kind.".to_owned() } else { format!("A copy of {}, for reading.", columns.join(", else ")) }
}

fn bookkeeping(properties: &mut Map<String, Value>) {
    let moment = json!({"type": "string", "format": "date-time"});
    let source = json!({"type": "string", "description": "Who said so last.", "examples": ["person", "api", "import:fhir"]});
    let version = json!({"type": "integer", "minimum": 1, "description": "Goes up with every change; also the ETag."});
    let all = [("source", source), ("version", version), ("created_at", moment.clone()), ("updated_at", moment)];
    properties.extend(all.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
}

/// A record as it is taken. What is only told may come along, so that what was read can be sent back.
fn taken(kind: &Kind) -> Value {
    let mut properties = Map::new();
    for spec in &kind.fields {
        properties.insert(spec.name.to_owned(), field(kind.word(), spec, Way::Taken));
    }
    for name in api_records::EVERYWHERE.iter().filter(|name| kind.field(name).is_none()) {
        properties.insert((*name).to_owned(), json!({"type": "null"}));
    }
    if let Some(children) = &kind.children {
        properties.insert(children.name.to_owned(), array_of(children, Way::Taken));
    }
    let tag = json!({"type": "string", "maxLength": tags::LONGEST});
    properties.insert("tags".to_owned(), json!({"type": "array", "maxItems": api_records::MOST_TAGS, "items": tag, "description": KEPT}));
    properties.insert(
        "links".to_owned(),
        json!({"type": "array", "maxItems": api_records::MOST_LINKS, "items": reference("Link"), "description": KEPT}),
    );
    properties.extend(api_records::READ_ONLY.iter().map(|name| ((*name).to_owned(), ignored())));
    write(&properties, &kind.fields)
}

const KEPT: &str = "A PUT without it leaves these as they are; `[]` takes them all away.";

fn array_of(children: &Children, way: Way) -> Value {
    let mut properties: Map<String, Value> =
        children.fields.iter().map(|spec| (spec.name.to_owned(), field(children.table, spec, way))).collect();
    let order = json!({"type": ["integer", "null"], "readOnly": true, "description": "The place in the array, which alone decides it."});
    properties.insert(api_records::ORDER.to_owned(), order);
    let item = if way == Way::Told { read(&properties) } else { write(&properties, &children.fields) };
    match way {
        Way::Told => json!({"type": "array", "items": item}),
        Way::Taken => json!({"type": "array", "maxItems": api_records::MOST_CHILDREN, "items": item, "description": KEPT}),
    }
}

fn read(properties: &Map<String, Value>) -> Value {
    let required: Vec<Value> = properties.keys().map(|name| name.as_str().into()).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn write(properties: &Map<String, Value>, fields: &[&FieldSpec]) -> Value {
    let required: Vec<&str> = fields.iter().filter(|spec| spec.required).map(|spec| spec.name).collect();
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn id() -> Value {
    json!({"type": "string", "maxLength": ID_LENGTH})
}

fn ignored() -> Value {
    json!({"readOnly": true, "description": "Told by the program; accepted and ignored."})
}

/// One field. `word` is the catalogue's prefix of the table's words.
fn field(word: &str, spec: &FieldSpec, way: Way) -> Value {
    let mut sentences = vec![label(word, spec.name)];
    sentences.extend(about(spec, way));
    plus(shape(spec, way), "description", sentences.join(" "))
}

fn label(word: &str, name: &str) -> String {
    let known = Locale::default().first(&[format!("field.{word}.{name}"), format!("field.{name}")]);
    format!("{}.", known.unwrap_or_else(|| name.replace('_', " ")))
}

fn shape(spec: &FieldSpec, way: Way) -> Value {
    match spec.input {
        Input::Line | Input::Text | Input::Phone => json!({"type": ["string", "null"], "maxLength": spec.max}),
        Input::Email => json!({"type": ["string", "null"], "format": "email", "maxLength": spec.max}),
        Input::Date => {
            json!({"type": ["string", "null"], "pattern": DATE, "maxLength": spec.max, "examples": ["2011-03-14", "2011-03", "2011", "2011-03-14T09:30-05:00"]})
        }
        Input::Integer { min, max } => json!({"type": ["integer", "null"], "minimum": min, "maximum": max}),
        Input::Measured(measure) => measured(spec, measure, way),
        Input::Choice { words, .. } => {
            json!({"type": ["string", "null"], "enum": words.iter().map(|w| Value::from(*w)).chain([Value::Null]).collect::<Vec<_>>()})
        }
        Input::Flag => json!({"type": ["boolean", "null"]}),
        Input::Sensitivity if way == Way::Told => json!({"type": "string", "maxLength": spec.max}),
        Input::Sensitivity => json!({"type": ["string", "null"], "maxLength": spec.max, "default": "normal"}),
        Input::Practitioner | Input::Practice | Input::Pharmacy | Input::Patient | Input::Record(_) => {
            json!({"type": ["string", "null"], "maxLength": ID_LENGTH})
        }
        Input::Details(names) => details(names, way),
    }
}

/// A column of any unit may hold words as well (`positive`).
fn measured(spec: &FieldSpec, measure: Measure, way: Way) -> Value {
    let free = matches!(measure.unit, Unit::Free(_));
    let examples = if free { json!(["5.10", "<0.5", "positive"]) } else { json!(["72.50", "118"]) };
    match way {
        Way::Told => json!({"type": ["string", "null"], "maxLength": spec.max, "examples": examples}),
        Way::Taken => json!({"type": ["string", "number", "null"], "maxLength": spec.max, "examples": examples}),
    }
}

fn details(names: &[&str], way: Way) -> Value {
    let value = match way {
        Way::Told => json!({"type": "string", "maxLength": 300}),
        Way::Taken => json!({"type": ["string", "number", "boolean", "null"], "maxLength": 300}),
    };
    let properties: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
    json!({"type": ["object", "null"], "properties": properties, "additionalProperties": false})
}

/// What the type alone doesn't tell.
fn about(spec: &FieldSpec, way: Way) -> Option<String> {
    match spec.input {
        Input::Date if spec.future => Some("As precise as it is known; may lie in the future.".to_owned()),
        Input::Date => Some("As precise as it is known.".to_owned()),
        Input::Measured(measure) => Some(unit(measure, way)),
        Input::Sensitivity => {
            Some("What a share can leave out: normal, mental_health, sexual_health, substance_use, violence, or an own word.".to_owned())
        }
        Input::Practitioner => Some("The id of a practitioner of the directory.".to_owned()),
        Input::Practice => Some("The id of a practice of the directory.".to_owned()),
        Input::Pharmacy => Some("The id of a pharmacy of the directory.".to_owned()),
        Input::Patient => Some("The id of a patient of the same household; told to who may see that patient.".to_owned()),
        Input::Record(kind) => Some(format!("The id of a record of the same patient, of the kind `{kind}`.")),
        _ => None,
    }
}

fn unit(measure: Measure, way: Way) -> String {
    let digits = "The text keeps its digits";
    let unit = match measure.unit {
        Unit::Fixed("") => format!("{digits}."),
        Unit::Fixed(unit) => format!("In {unit}. {digits}."),
        Unit::Free(column) => format!("In the unit of `{column}`. {digits}."),
        Unit::Column(column) => match UnitSystem::Imperial.unit(column).filter(|_| way == Way::Taken) {
            Some(unit) => format!("In the unit of `{column}`; without it in {unit}. {digits}."),
            None => format!("In the unit of `{column}`. {digits}."),
        },
    };
    match (measure.unit, measure.possible) {
        (Unit::Fixed(name), (low, high)) if low.is_finite() && high.is_finite() => format!("{unit} From {low} to {high} {name}."),
        _ => unit,
    }
}
