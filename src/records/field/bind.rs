//! The types a column can have: how each is asked for, written and read.

use std::collections::BTreeMap;

use super::{FieldError, FieldSpec, Input, Measure, Mode, Unit};
use crate::{
    dates::PartialDate,
    db::types::{PatientId, PharmacyId, PracticeId, PractitionerId, RecordId},
    measured::{Measured, MeasuredError},
};

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
