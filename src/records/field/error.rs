//! What can be wrong with a field, what is only asked about it, and what was answered.

use chrono::NaiveDate;

use crate::dates::DateError;

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
