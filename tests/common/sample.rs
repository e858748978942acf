//! A valid record of any kind, every field filled, made from the kind's field table alone: a new kind is covered without a new test.

use kinchart::{
    db::types::{PatientId, RecordId},
    records::{
        self, Kind,
        field::{FieldSpec, Input, Measure, Unit},
        input::Raw,
    },
};

use super::Person;

/// Values by name, as the API would tell them.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub fields: Vec<(String, String)>,
    pub children: Vec<Vec<(String, String)>>,
    pub child_name: &'static str,
    pub tags: Vec<String>,
}

impl Sample {
    /// Every field of the kind. `variant` makes one sample differ from another in all its words, numbers and choices.
    /// Directory entries and the records it links to are made for it, as this person, under this patient.
    pub fn full(person: &Person, patient: &PatientId, kind: &'static Kind, variant: usize) -> Self {
        Self::make(person, patient, kind, variant, true)
    }

    /// What the form insists on, and nothing more.
    pub fn least(kind: &'static Kind, variant: usize) -> Self {
        let mut sample = Self { child_name: kind.children.as_ref().map_or("", |c| c.name), ..Self::default() };
        for (index, spec) in kind.fields.iter().enumerate() {
            if let Some(text) = value(kind.name, spec, index, variant, kind)
                && (spec.required || spec.is_date() || spec.name == "status" || (kind.name == "vitals" && spec.name == "heart_rate"))
            {
                sample.fields.push((spec.name.to_owned(), text));
            }
        }
        sample
    }

    fn make(person: &Person, patient: &PatientId, kind: &'static Kind, variant: usize, links: bool) -> Self {
        let mut sample = Self { child_name: kind.children.as_ref().map_or("", |c| c.name), ..Self::default() };
        for (index, spec) in kind.fields.iter().enumerate() {
            let told = match spec.input {
                Input::Practitioner => Some(person.practitioner(&format!("Dr {}", words(kind.name, spec.name, variant)))),
                Input::Pharmacy => Some(person.pharmacy(&format!("Pharmacy {}", words(kind.name, spec.name, variant)))),
                Input::Practice => None,
                Input::Record(other) if links => linked(person, patient, other, variant).map(|id| id.to_string()),
                _ => value(kind.name, spec, index, variant, kind),
            };
            sample.fields.extend(told.map(|text| (spec.name.to_owned(), text)));
        }
        if let Some(children) = &kind.children {
            for row in 0..2 {
                let pairs = children.fields.iter().enumerate().filter_map(|(index, spec)| {
                    let text = value(children.name, spec, index, variant * 2 + row, kind)?;
                    Some((spec.name.to_owned(), text))
                });
                sample.children.push(pairs.collect());
            }
        }
        sample
    }

    pub fn raw(&self) -> Raw {
        let children = (!self.child_name.is_empty()).then(|| self.children.clone());
        Raw { fields: self.fields.clone(), children }
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn with(mut self, name: &str, text: &str) -> Self {
        match self.fields.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => text.clone_into(old),
            None => self.fields.push((name.to_owned(), text.to_owned())),
        }
        self
    }

    /// Without fields that the kind does not have.
    pub fn only(mut self, kind: &'static Kind) -> Self {
        self.fields.retain(|(name, _)| kind.field(name).is_some());
        self
    }

    pub fn tagged(mut self, tags: &[&str]) -> Self {
        self.tags = tags.iter().map(|t| (*t).to_owned()).collect();
        self
    }

    /// Its pairs as a form sends them.
    pub fn form(&self, kind: &'static Kind) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for (name, text) in &self.fields {
            match kind.field(name).map(|(_, spec)| spec.input) {
                Some(Input::Details(_)) => {
                    let parts: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap();
                    pairs.extend(parts.iter().map(|(part, v)| (format!("{name}.{part}"), v.as_str().unwrap().to_owned())));
                }
                _ => pairs.push((name.clone(), text.clone())),
            }
        }
        for (row, values) in self.children.iter().enumerate() {
            pairs.extend(values.iter().map(|(name, text)| (format!("{}.{row}.{name}", self.child_name), text.clone())));
        }
        if !self.tags.is_empty() {
            pairs.push(("tags".into(), self.tags.join(", ")));
        }
        pairs
    }
}

/// A record of that kind to point at, if the kind exists.
fn linked(person: &Person, patient: &PatientId, kind: &str, variant: usize) -> Option<RecordId> {
    let kind = records::kind(kind)?;
    let sample = Sample::make(person, patient, kind, variant + 500, false);
    Some(person.record(patient, kind, &sample))
}

/// Words that stand nowhere else: the kind, the field and the variant are in them, with capitals and accents to fold.
pub fn words(kind: &str, field: &str, variant: usize) -> String {
    format!("Größe {}É{}{variant}", letters(kind), letters(field))
}

fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphabetic).collect()
}

fn value(owner: &str, spec: &FieldSpec, index: usize, variant: usize, kind: &Kind) -> Option<String> {
    let text = match spec.input {
        Input::Line => words(owner, spec.name, variant),
        Input::Text => format!("{}\nand a second line", words(owner, spec.name, variant)),
        Input::Email => format!("{}{variant}@example.org", letters(owner)),
        Input::Phone => format!("+1 555 01{:02}", (index + variant) % 100),
        Input::Date => date(spec, index, variant, kind),
        Input::Integer { min, max } => integer(spec, min, max, index, variant),
        Input::Measured(measure) => measured(&measure, index, variant),
        Input::Choice { words, .. } => choice(spec, words, variant, kind),
        // Only one record may carry it, and the newest takes it from the others.
        Input::Flag => (variant == 0 || kind.exclusive.is_none_or(|(flag, _)| flag != spec.name)).to_string(),
        Input::Sensitivity => "normal".to_owned(),
        Input::Details(names) => {
            let parts = names.iter().map(|name| ((*name).to_owned(), words(owner, name, variant).into()));
            serde_json::Value::Object(parts.collect()).to_string()
        }
        Input::Practitioner | Input::Practice | Input::Pharmacy | Input::Patient | Input::Record(_) => return None,
    };
    Some(text)
}

/// Before today and after the patient's birth, first before last before the end, and each field and variant on a day of its own.
fn date(spec: &FieldSpec, index: usize, variant: usize, kind: &Kind) -> String {
    let named = |parts: &[&str]| parts.iter().any(|part| spec.name.starts_with(part));
    let year = match () {
        () if named(&["next"]) => 2026,
        () if kind.ended == Some(spec.name) || named(&["resolved", "expiration", "end_"]) => 2025,
        () if named(&["last", "completed"]) => 2024,
        () if kind.children.as_ref().is_some_and(|c| c.fields.iter().any(|f| f.name == spec.name)) => 2022,
        () => 2008 + variant % 12,
    };
    let month = if year == 2026 { 2 } else { index % 12 + 1 };
    format!("{year}-{month:02}-{:02}", (index + variant) % 27 + 1)
}

fn integer(spec: &FieldSpec, min: i32, max: i32, index: usize, variant: usize) -> String {
    let step = i32::try_from(index + variant % 7).unwrap();
    let value = match spec.name {
        "death_year" => 1990 + step,
        name if name.ends_with("year") => 1920 + step,
        name if name.ends_with("age") => 40 + step,
        _ if min > i32::MIN && max < i32::MAX && max - min < 1000 => min + (max - min) / 2 + step % ((max - min) / 2).max(1),
        _ => min.max(1) + step,
    };
    value.to_string()
}

/// In the base unit, or the one of the choice's metric words; a closing zero must survive.
fn measured(measure: &Measure, index: usize, variant: usize) -> String {
    let (low, high) = measure.plausible;
    if low.is_finite() && high.is_finite() {
        let middle = f64::midpoint(low, high) + f64::from(u32::try_from(variant % 5).unwrap()) * (high - low) / 50.0;
        return format!("{middle:.1}0").replace(".00", ".50");
    }
    format!("{}.50", 10 + index + variant % 90)
}

fn choice(spec: &FieldSpec, words: &[&'static str], variant: usize, kind: &Kind) -> String {
    // With an end, the status that goes with it.
    let over: Vec<&str> = words.iter().copied().filter(|w| matches!(*w, "resolved" | "completed" | "stopped" | "expired")).collect();
    if spec.name == "status" && kind.ended.is_some() && !over.is_empty() {
        return over[variant % over.len()].to_owned();
    }
    // With a day of completion, one that is not only ordered.
    if spec.name == "status" && kind.finished.is_some() {
        let others: Vec<&str> = words.iter().copied().filter(|word| *word != "ordered").collect();
        return others[variant % others.len()].to_owned();
    }
    // Units: the ones the plausible bounds are in.
    for metric in ["kg", "cm", "C", "mmol/L"] {
        if words.contains(&metric) && spec.name.ends_with("unit") {
            return metric.to_owned();
        }
    }
    words[variant % words.len()].to_owned()
}

/// Whether this column names the unit of another.
pub fn is_unit(kind: &Kind, name: &str) -> bool {
    kind.fields.iter().any(|f| matches!(f.unit(), Some(Unit::Column(column)) if column == name))
}
