//! The field table of a kind: what forms, lists, pages, API, CSV, search, versions and filters read instead of each knowing the kind.

mod bind;
mod error;

pub use bind::{Bind, Choice, Details, clean, input_of, looks_like_email, parse_optional};
pub use error::{Confirmed, Errors, FieldError, ask, refuse};

use crate::{codes::List, dates::Typing};

/// Where a text comes from decides how freely it may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A person's form: dates and decimals as people write them.
    Typed(Typing),
    /// API and imports: ISO dates, decimal points.
    Strict,
}

/// What kind of value a field holds, and with it how it is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    Line,
    Text,
    Email,
    Phone,
    Date,
    Integer {
        min: i32,
        max: i32,
    },
    Measured(Measure),
    Choice {
        set: &'static str,
        words: &'static [&'static str],
    },
    Flag,
    Sensitivity,
    Practitioner,
    Practice,
    Pharmacy,
    /// Another record of the same patient, of this kind; kept in `record_links` under the field's name as relation.
    Record(&'static str),
    /// Another patient, of the same household: this record tells of them. Everybody sees it through their own access to that patient.
    Patient,
    /// Named texts kept as one JSON column; the words are the names allowed.
    Details(&'static [&'static str]),
}

/// The rules of a measured column.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Where the unit is: a column beside it, or always this one (shown as is).
    pub unit: Unit,
    /// Refused outside (in the base unit): impossible, not merely unusual.
    pub possible: (f64, f64),
    /// Asked about once outside (in the base unit): implausible for a living person.
    pub plausible: (f64, f64),
}

impl Measure {
    /// Any number at all, and words too where the column is a text.
    pub const fn any(unit: Unit) -> Self {
        Self { unit, possible: (f64::NEG_INFINITY, f64::INFINITY), plausible: (f64::NEG_INFINITY, f64::INFINITY) }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Unit {
    Column(&'static str),
    Fixed(&'static str),
    /// Its own text column, any unit (laboratories invent them).
    Free(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A column of the kind's own table.
    Detail,
    /// A column of `records`.
    Head,
    /// A row of `record_links`.
    Link,
}

/// Named texts that belong to one word of a choice each: the form opens those of the chosen word and folds the others.
#[derive(Clone, Copy, Debug)]
pub struct Groups {
    /// The field with the choice.
    pub by: &'static str,
    /// Its words, and the names that belong to each; together they are all names of the details.
    pub of: &'static [(&'static str, &'static [&'static str])],
}

/// One field, without the functions that reach it.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    pub name: &'static str,
    pub input: Input,
    pub place: Place,
    /// A rule of new entries in forms and the API; an import may leave it out, and an edit doesn't force it.
    pub required: bool,
    /// Shown as a column of the list.
    pub in_list: bool,
    /// May a date lie in the future?
    pub future: bool,
    /// Most characters.
    pub max: usize,
    /// The part of the form (`form.section.` in the catalogue).
    pub section: &'static str,
    /// The code list that offers words for it.
    pub offers: Option<List>,
    /// What a new form proposes.
    pub preset: Option<&'static str>,
    /// How the form arranges named texts, if there are many.
    pub groups: Option<Groups>,
    /// The measured column that people say in one breath with this one, and the name of both: `118/74`, blood pressure.
    pub pair: Option<(&'static str, &'static str)>,
    /// What a new record says that leaves the field out, in a form or the API. Never in an import: what its source did not say stays "not
    /// recorded", and nothing treats an unsaid "active" as inactive.
    pub default: Option<&'static str>,
    /// The column that may name another patient: left empty, this one then says that patient's name.
    pub name_of: Option<&'static str>,
}

/// A field of `T` (an `Entry` of a kind, or a child row).
pub struct Field<T: 'static> {
    pub spec: FieldSpec,
    pub get: fn(&T) -> Option<String>,
    pub set: fn(&mut T, &str, Mode, &FieldSpec) -> Result<(), FieldError>,
}

impl<T> Field<T> {
    pub const fn new(
        name: &'static str,
        input: Input,
        get: fn(&T) -> Option<String>,
        set: fn(&mut T, &str, Mode, &FieldSpec) -> Result<(), FieldError>,
    ) -> Self {
        let max = match input {
            Input::Text | Input::Details(_) => 20_000,
            Input::Date | Input::Measured(_) => 40,
            _ => 300,
        };
        let spec = FieldSpec {
            name,
            input,
            place: Place::Detail,
            required: false,
            in_list: false,
            future: false,
            max,
            section: "main",
            offers: None,
            preset: None,
            groups: None,
            pair: None,
            default: None,
            name_of: None,
        };
        Self { spec, get, set }
    }
    pub const fn required(mut self) -> Self {
        self.spec.required = true;
        self
    }
    pub const fn or_name_of(mut self, patient: &'static str) -> Self {
        self.spec.name_of = Some(patient);
        self
    }
    pub const fn list(mut self) -> Self {
        self.spec.in_list = true;
        self
    }
    /// A date that may lie in the future (an expiry, an appointment).
    pub const fn future(mut self) -> Self {
        self.spec.future = true;
        self
    }
    pub const fn section(mut self, section: &'static str) -> Self {
        self.spec.section = section;
        self
    }
    pub const fn grouped(mut self, groups: Groups) -> Self {
        self.spec.groups = Some(groups);
        self
    }
    pub const fn paired(mut self, with: &'static str, name: &'static str) -> Self {
        self.spec.pair = Some((with, name));
        self
    }
    pub const fn more(self) -> Self {
        self.section("more")
    }
    pub const fn long(mut self) -> Self {
        self.spec.input = Input::Text;
        self.spec.max = 20_000;
        self
    }
    pub const fn input(mut self, input: Input) -> Self {
        self.spec.input = input;
        self
    }
    pub const fn range(self, min: i32, max: i32) -> Self {
        self.input(Input::Integer { min, max })
    }
    pub const fn offers(mut self, list: List) -> Self {
        self.spec.offers = Some(list);
        self
    }
    pub const fn preset(mut self, word: &'static str) -> Self {
        self.spec.preset = Some(word);
        self
    }
    /// Proposed by a new form, and the value of a new record that doesn't say.
    pub const fn default(mut self, word: &'static str) -> Self {
        self.spec.default = Some(word);
        if self.spec.preset.is_none() {
            self.spec.preset = Some(word);
        }
        self
    }
    pub const fn at(mut self, place: Place) -> Self {
        self.spec.place = place;
        self
    }
}

impl FieldSpec {
    /// The unit column or the fixed unit of a measured field.
    pub fn unit(&self) -> Option<Unit> {
        match self.input {
            Input::Measured(measure) => Some(measure.unit),
            _ => None,
        }
    }
    /// The name under which it is shown: that of the pair, where it has one.
    pub fn shown_name(&self) -> &'static str {
        self.pair.map_or(self.name, |(_, name)| name)
    }
    /// Words a person wrote, as opposed to a choice, a date or an id.
    pub fn is_prose(&self) -> bool {
        matches!(self.input, Input::Line | Input::Text | Input::Email | Input::Phone | Input::Measured(_))
    }
    /// Does it name something that may be hidden from who sees the record?
    pub fn points_beyond(&self) -> bool {
        self.place == Place::Link || matches!(self.input, Input::Patient)
    }
    pub fn is_measured(&self) -> bool {
        matches!(self.input, Input::Measured(_))
    }
    pub fn is_date(&self) -> bool {
        matches!(self.input, Input::Date)
    }
}

/// Reads values by name into a plain struct of columns (a patient, a directory entry).
pub fn fill_plain<T>(fields: &[Field<T>], target: &mut T, pairs: &[(String, String)], mode: Mode) -> Errors {
    let mut errors = Errors::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, text) in pairs {
        let result = match fields.iter().find(|f| f.spec.name == name) {
            _ if seen.contains(&name.as_str()) => Err(FieldError::Repeated),
            Some(field) => (field.set)(target, text, mode, &field.spec),
            None => Err(FieldError::UnknownField),
        };
        seen.push(name);
        errors.extend(result.err().map(|error| (name.clone(), error)));
    }
    errors
}
