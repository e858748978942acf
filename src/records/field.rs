//! The field table of a kind: what forms, lists, pages, API, CSV, search, versions and filters read instead of each knowing the kind.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::{
    codes::List,
    dates::{DateError, PartialDate, Typing},
    db::types::{PatientId, PharmacyId, PracticeId, PractitionerId, RecordId},
    measured::{Measured, MeasuredError},
};

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

/// What is wrong with one field; the catalogue has the sentence under `error.` and the variant's name.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldError {
    Required,
    TooLong {
        max: usize,
        is: usize,
    },
    ControlCharacters,
    NotADate,
    NoSuchDay,
    TooEarly,
    TooLate,
    /// Two readings, and nobody has said which number comes first.
    AmbiguousDate {
        day_first: NaiveDate,
        month_first: NaiveDate,
    },
    /// Two digits that may be of either century.
    ShortYear(i32, i32),
    InTheFuture,
    BeforeBirth,
    EndBeforeStart,
    NotANumber,
    NotWhole,
    AmbiguousNumber,
    TooManyDigits,
    OutOfRange {
        min: String,
        max: String,
    },
    /// Possible, but unusual: asked once, accepted when confirmed.
    Implausible {
        low: String,
        high: String,
    },
    UnknownChoice,
    NotYesOrNo,
    NotAnEmail,
    NotAPhone,
    NoSuchRecord,
    NoSuchPractitioner,
    NoSuchPharmacy,
    NoSuchPractice,
    NoSuchPatient,
    UnknownName(String),
    WrongType,
    Repeated,
    UnknownField,
    ReadOnly,
    UnitWithoutValue,
    /// No room for so many bytes more: what the household's documents take, and what they may take.
    OverQuota {
        used: u64,
        limit: u64,
        more: u64,
    },
    /// A rule of the kind; the text is a key under `error.`.
    Rule(&'static str),
    /// A rule that one of several must be told. Not said where what was told is refused: that is told already.
    Missing(&'static str),
    /// Hardly ever so, and yet a real record may say it: asked once, accepted when confirmed. A key under `error.`, with one under `keep.`.
    Question(&'static str),
}

impl FieldError {
    /// The catalogue key and the values its sentence names.
    pub fn message(&self) -> (&'static str, Vec<(&'static str, String)>) {
        match self {
            Self::Required => ("error.required", vec![]),
            Self::TooLong { max, is } => ("error.too_long", vec![("max", max.to_string()), ("is", is.to_string())]),
            Self::ControlCharacters => ("error.control_characters", vec![]),
            Self::NotADate => ("error.not_a_date", vec![]),
            Self::NoSuchDay => ("error.no_such_day", vec![]),
            Self::TooEarly => ("error.too_early", vec![]),
            Self::TooLate => ("error.too_late", vec![]),
            Self::AmbiguousDate { day_first, month_first } => {
                let iso = [("day_first_iso", day_first.to_string()), ("month_first_iso", month_first.to_string())];
                let words = [("day_first", in_words(*day_first)), ("month_first", in_words(*month_first))];
                ("error.ambiguous_date", words.into_iter().chain(iso).collect())
            }
            Self::ShortYear(early, late) => ("error.short_year", vec![("early", early.to_string()), ("late", late.to_string())]),
            Self::InTheFuture => ("error.in_the_future", vec![]),
            Self::BeforeBirth => ("error.before_birth", vec![]),
            Self::EndBeforeStart => ("error.end_before_start", vec![]),
            Self::NotANumber => ("error.not_a_number", vec![]),
            Self::NotWhole => ("error.not_whole", vec![]),
            Self::AmbiguousNumber => ("error.ambiguous_number", vec![]),
            Self::TooManyDigits => ("error.too_many_digits", vec![]),
            Self::OutOfRange { min, max } => ("error.out_of_range", vec![("min", min.clone()), ("max", max.clone())]),
            Self::Implausible { low, high } => ("error.implausible", vec![("low", low.clone()), ("high", high.clone())]),
            Self::UnknownChoice => ("error.unknown_choice", vec![]),
            Self::NotYesOrNo => ("error.not_yes_or_no", vec![]),
            Self::NotAnEmail => ("error.not_an_email", vec![]),
            Self::NotAPhone => ("error.not_a_phone", vec![]),
            Self::NoSuchRecord => ("error.no_such_record", vec![]),
            Self::NoSuchPractitioner => ("error.no_such_practitioner", vec![]),
            Self::NoSuchPharmacy => ("error.no_such_pharmacy", vec![]),
            Self::NoSuchPractice => ("error.no_such_practice", vec![]),
            Self::NoSuchPatient => ("error.no_such_patient", vec![]),
            Self::UnknownName(name) => ("error.unknown_name", vec![("name", name.clone())]),
            Self::WrongType => ("error.wrong_type", vec![]),
            Self::Repeated => ("error.repeated", vec![]),
            Self::UnknownField => ("error.unknown_field", vec![]),
            Self::ReadOnly => ("error.read_only", vec![]),
            Self::UnitWithoutValue => ("error.unit_without_value", vec![]),
            Self::OverQuota { used, limit, more } => {
                let sizes = [("used", *used), ("limit", *limit), ("more", *more)];
                ("error.over_quota", sizes.map(|(name, bytes)| (name, crate::files::quota::size(bytes))).into())
            }
            Self::Rule(key) | Self::Missing(key) | Self::Question(key) => (key, vec![]),
        }
    }
    /// Does it ask, instead of refusing?
    pub fn is_question(&self) -> bool {
        matches!(self, Self::Implausible { .. } | Self::Question(_))
    }
    /// The stable word programs know it by: the last part of the catalogue key.
    pub fn code(&self) -> &'static str {
        let (key, _) = self.message();
        key.rsplit('.').next().unwrap_or(key)
    }
}

/// `3 April 2021`: as nobody can read it for another day.
fn in_words(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

/// Errors by field name; children as `components.2.value`.
pub type Errors = Vec<(String, FieldError)>;

impl From<&'static str> for FieldError {
    fn from(rule: &'static str) -> Self {
        Self::Rule(rule)
    }
}

/// Refuses a field by a rule of its kind, unless something simpler is wrong with it already.
pub fn refuse(errors: &mut Errors, name: &str, error: impl Into<FieldError>) {
    if !errors.iter().any(|(known, _)| known == name) {
        errors.push((name.to_owned(), error.into()));
    }
}

/// Asks about a field by a rule of its kind, unless something is wrong with it already. Whether the answer is known is not the rule's matter.
pub fn ask(errors: &mut Errors, name: &str, question: &'static str) {
    refuse(errors, name, FieldError::Question(question));
}

/// What was answered with "keep it".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Confirmed {
    #[default]
    Nothing,
    /// Unusual numbers: a program's were measured and not typed.
    Numbers,
    /// Questions at these fields.
    Fields(Vec<String>),
    Everything,
}

impl Confirmed {
    pub fn covers(&self, name: &str, error: &FieldError) -> bool {
        match self {
            Self::Nothing => false,
            Self::Numbers => matches!(error, FieldError::Implausible { .. }),
            Self::Fields(names) => error.is_question() && names.iter().any(|known| known == name),
            Self::Everything => error.is_question(),
        }
    }
    /// What remains wrong or unanswered.
    pub fn settle(&self, errors: &mut Errors) {
        errors.retain(|(name, error)| !self.covers(name, error));
    }
}

/// A type a column can have: how it is asked for, shown as text and read from text.
pub trait Bind: Sized {
    const INPUT: Input;
    fn text(&self) -> String;
    fn parse(raw: &str, mode: Mode, spec: &FieldSpec) -> Result<Self, FieldError>;
}

/// The input of a column, from its type alone.
pub const fn input_of<R, T: Bind>(_: fn(&R) -> &Option<T>) -> Input {
    T::INPUT
}

/// Nothing but white space means "not recorded".
pub fn parse_optional<T: Bind>(raw: &str, mode: Mode, spec: &FieldSpec) -> Result<Option<T>, FieldError> {
    if raw.trim().is_empty() { Ok(None) } else { T::parse(raw, mode, spec).map(Some) }
}

/// Trims, unifies line ends, and refuses what no keyboard types: control characters, and line breaks in a single line.
pub fn clean(raw: &str, spec: &FieldSpec) -> Result<String, FieldError> {
    let text = raw.trim().replace("\r\n", "\n");
    let free_value = matches!(spec.input, Input::Measured(Measure { unit: Unit::Free(_), .. }));
    let several_lines = free_value || matches!(spec.input, Input::Text | Input::Details(_));
    if text.chars().any(|c| c.is_control() && !(several_lines && matches!(c, '\n' | '\t'))) {
        return Err(FieldError::ControlCharacters);
    }
    let is = text.chars().count();
    if is > spec.max {
        return Err(FieldError::TooLong { max: spec.max, is });
    }
    Ok(text)
}

impl Bind for String {
    const INPUT: Input = Input::Line;
    fn text(&self) -> String {
        self.clone()
    }
    fn parse(raw: &str, mode: Mode, spec: &FieldSpec) -> Result<Self, FieldError> {
        let text = clean(raw, spec)?;
        match spec.input {
            Input::Measured(_) if mode != Mode::Strict => typed_value(text),
            Input::Email if !looks_like_email(&text) => Err(FieldError::NotAnEmail),
            Input::Phone if !text.chars().any(|c| c.is_ascii_digit()) => Err(FieldError::NotAPhone),
            _ => Ok(text),
        }
    }
}

/// A number typed into a column that takes words as well gets its decimal point; words stay as they are.
fn typed_value(text: String) -> Result<String, FieldError> {
    match Measured::parse_typed(&text) {
        Ok(number) => Ok(number.as_str().to_owned()),
        Err(MeasuredError::Ambiguous) => Err(FieldError::AmbiguousNumber),
        Err(_) => Ok(text),
    }
}

/// One `@` with something on both sides and no white space: everything stricter refuses real addresses.
pub fn looks_like_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
        && !text.contains(char::is_whitespace)
}

impl Bind for PartialDate {
    const INPUT: Input = Input::Date;
    fn text(&self) -> String {
        self.as_str().to_owned()
    }
    fn parse(raw: &str, mode: Mode, spec: &FieldSpec) -> Result<Self, FieldError> {
        let text = clean(raw, spec)?;
        let date = match mode {
            Mode::Strict => Self::parse_strict(&text),
            Mode::Typed(typing) => Self::parse_typed(&text, typing),
        };
        date.map_err(FieldError::from)
    }
}

impl From<DateError> for FieldError {
    fn from(error: DateError) -> Self {
        match error {
            DateError::NotADate => Self::NotADate,
            DateError::NoSuchDay | DateError::NoSuchTime => Self::NoSuchDay,
            DateError::TooEarly => Self::TooEarly,
            DateError::TooLate => Self::TooLate,
            DateError::Ambiguous { day_first, month_first } => Self::AmbiguousDate { day_first, month_first },
            DateError::ShortYear(early, late) => Self::ShortYear(early, late),
        }
    }
}

impl Bind for Measured {
    const INPUT: Input = Input::Measured(Measure::any(Unit::Fixed("")));
    fn text(&self) -> String {
        self.as_str().to_owned()
    }
    fn parse(raw: &str, mode: Mode, spec: &FieldSpec) -> Result<Self, FieldError> {
        let text = clean(raw, spec)?;
        let value = match mode {
            Mode::Strict => Self::parse_strict(&text),
            Mode::Typed(_) => Self::parse_typed(&text),
        };
        value.map_err(|error| match error {
            MeasuredError::Ambiguous => FieldError::AmbiguousNumber,
            MeasuredError::TooLong | MeasuredError::TooManyDigits => FieldError::TooManyDigits,
            _ => FieldError::NotANumber,
        })
    }
}

impl Bind for i32 {
    const INPUT: Input = Input::Integer { min: i32::MIN, max: i32::MAX };
    fn text(&self) -> String {
        self.to_string()
    }
    fn parse(raw: &str, _: Mode, spec: &FieldSpec) -> Result<Self, FieldError> {
        let value: i64 = clean(raw, spec)?.parse().map_err(|_| FieldError::NotWhole)?;
        let (min, max) = match spec.input {
            Input::Integer { min, max } => (min, max),
            _ => (i32::MIN, i32::MAX),
        };
        let fits = i32::try_from(value).ok().filter(|v| (min..=max).contains(v));
        fits.ok_or_else(|| FieldError::OutOfRange { min: min.to_string(), max: max.to_string() })
    }
}

impl Bind for bool {
    const INPUT: Input = Input::Flag;
    fn text(&self) -> String {
        self.to_string()
    }
    fn parse(raw: &str, _: Mode, _: &FieldSpec) -> Result<Self, FieldError> {
        match raw.trim() {
            "true" | "on" | "yes" | "1" => Ok(true),
            "false" | "off" | "no" | "0" => Ok(false),
            _ => Err(FieldError::NotYesOrNo),
        }
    }
}

/// An enum of `db::types::choice!`, bound by its words.
pub trait Choice: Sized + Copy {
    const SET: &'static str;
    const ALL: &'static [&'static str];
    fn word(self) -> &'static str;
    fn of(word: &str) -> Option<Self>;
}

impl<C: Choice> Bind for C {
    const INPUT: Input = Input::Choice { set: C::SET, words: C::ALL };
    fn text(&self) -> String {
        self.word().to_owned()
    }
    fn parse(raw: &str, _: Mode, _: &FieldSpec) -> Result<Self, FieldError> {
        C::of(raw.trim()).ok_or(FieldError::UnknownChoice)
    }
}

macro_rules! bind_id {
    ($($id:ident = $input:expr, $missing:ident);+ $(;)?) => { $(
        impl Bind for $id {
            const INPUT: Input = $input;
            fn text(&self) -> String { self.as_str().to_owned() }
            fn parse(raw: &str, _: Mode, _: &FieldSpec) -> Result<Self, FieldError> {
                Self::parse(raw.trim()).ok_or(FieldError::$missing)
            }
        }
    )+ };
}
bind_id! {
    PractitionerId = Input::Practitioner, NoSuchPractitioner;
    PharmacyId = Input::Pharmacy, NoSuchPharmacy;
    PracticeId = Input::Practice, NoSuchPractice;
    RecordId = Input::Record(""), NoSuchRecord;
    PatientId = Input::Patient, NoSuchPatient;
}

/// Named texts in one column, as a JSON object (`{"deductible":"500"}`).
#[derive(Clone, Debug, Default, PartialEq, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
#[diesel(sql_type = diesel::sql_types::Text)]
pub struct Details {
    text: String,
}

impl Details {
    pub fn as_str(&self) -> &str {
        &self.text
    }
    #[expect(clippy::unnecessary_wraps, reason = "the column types share one signature")]
    fn from_column(text: String) -> Result<Self, String> {
        Ok(Self { text })
    }
    pub fn entries(text: &str) -> BTreeMap<String, String> {
        serde_json::from_str(text).unwrap_or_default()
    }
}
crate::db::types::text_column!(Details);

impl Bind for Details {
    const INPUT: Input = Input::Details(&[]);
    fn text(&self) -> String {
        self.text.clone()
    }
    fn parse(raw: &str, _: Mode, spec: &FieldSpec) -> Result<Self, FieldError> {
        let Input::Details(names) = spec.input else { return Err(FieldError::WrongType) };
        let told: BTreeMap<String, serde_json::Value> = serde_json::from_str(raw).map_err(|_| FieldError::WrongType)?;
        let mut kept = serde_json::Map::new();
        for (name, value) in told {
            if !names.contains(&name.as_str()) {
                return Err(FieldError::UnknownName(name));
            }
            let text = match value {
                serde_json::Value::Null => continue,
                serde_json::Value::String(text) => text,
                serde_json::Value::Number(number) => number.to_string(),
                serde_json::Value::Bool(yes) => yes.to_string(),
                _ => return Err(FieldError::WrongType),
            };
            let line = FieldSpec { input: Input::Line, max: 300, ..*spec };
            let text = clean(&text, &line)?;
            if !text.is_empty() {
                kept.insert(name, text.into());
            }
        }
        Ok(Self { text: serde_json::Value::Object(kept).to_string() })
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
