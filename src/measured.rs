//! A measured value as it was typed or printed, with the exact number in it: `1.10` stays `1.10` and `<0.5` stays below 0.5.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// The longest text of a value.
pub const MOST_CHARS: usize = 40;
/// The most significant digits of a value: what a [`Decimal`] always holds.
pub const MOST_DIGITS: usize = 28;

/// Why a text is no measured value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MeasuredError {
    /// There is nothing but blanks.
    #[error("there is no value")]
    Empty,
    /// The text has more than [`MOST_CHARS`] characters.
    #[error("a value has at most {MOST_CHARS} characters")]
    TooLong,
    /// The text is no number.
    #[error("this is not a number")]
    NotANumber,
    /// `1,234` may mean either.
    #[error("this can be read in two ways: write 1234 or 1.234")]
    Ambiguous,
    /// `1,234.5` or `1 234`.
    #[error("write the number without thousands separators")]
    Grouped,
    /// The number has more than [`MOST_DIGITS`] significant digits.
    #[error("a value has at most {MOST_DIGITS} digits")]
    TooManyDigits,
    /// The exponent is beyond all that is measured.
    #[error("the number is too large")]
    TooLarge,
}

/// What a value says about the number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparator {
    /// `<`
    Less,
    /// `<=` or `≤`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=` or `≥`
    GreaterOrEqual,
    /// `~`
    About,
}

/// The comparators as they are written, the longer before those they begin with.
const COMPARATORS: [(&str, Comparator); 7] = [
    ("<=", Comparator::LessOrEqual),
    (">=", Comparator::GreaterOrEqual),
    ("\u{2264}", Comparator::LessOrEqual),
    ("\u{2265}", Comparator::GreaterOrEqual),
    ("<", Comparator::Less),
    (">", Comparator::Greater),
    ("~", Comparator::About),
];

impl Comparator {
    /// The ASCII sign, which but for `~` is FHIR's code.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::About => "~",
        }
    }
}

/// A valid value; equal only if written alike, so `1.1` differs from `1.10`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Measured(String);

impl Measured {
    /// Accepts a number with a decimal point, perhaps an exponent, perhaps a comparator before it: the API and imports.
    ///
    /// # Errors
    /// Tells what is wrong with the text.
    pub fn parse_strict(text: &str) -> Result<Self, MeasuredError> {
        let (sign, number) = split(text)?;
        check(number)?;
        Ok(Self(format!("{sign}{number}")))
    }

    /// Accepts what people type in a form: a decimal comma is stored as a point; no exponents.
    ///
    /// # Errors
    /// Tells what is wrong with the text.
    pub fn parse_typed(text: &str) -> Result<Self, MeasuredError> {
        let (sign, number) = split(text)?;
        let number = with_point(&number.replace('\u{2212}', "-"))?;
        if number.contains(['e', 'E']) {
            return Err(MeasuredError::NotANumber);
        }
        check(&number)?;
        Ok(Self(format!("{sign}{number}")))
    }

    /// The text with its comparator.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text of the number alone.
    #[must_use]
    pub fn number_text(&self) -> &str {
        split_comparator(&self.0).1
    }

    /// The comparator before the number.
    #[must_use]
    pub fn comparator(&self) -> Option<Comparator> {
        let (sign, _) = split_comparator(&self.0);
        COMPARATORS.iter().find(|(text, _)| *text == sign).map(|(_, comparator)| *comparator)
    }

    /// The exact number with as many decimals as are written; nothing if an exponent puts it out of a [`Decimal`]'s reach.
    #[must_use]
    pub fn decimal(&self) -> Option<Decimal> {
        Number::read(self.number_text())?.decimal()
    }

    /// The number for sorting and drawing.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        self.number_text().parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// Digits that say something where values are compared: nobody reads the fourteen digits that some machines print.
const BRIEF_DIGITS: u32 = 4;

/// A measured text rounded for lists and overviews; `None` where it is short already, or no number.
#[must_use]
pub fn brief(text: &str) -> Option<String> {
    let value = Measured::parse_strict(text).ok()?;
    let digits = value.number_text().chars().filter(char::is_ascii_digit).count();
    if digits <= 6 || !value.number_text().contains('.') {
        return None;
    }
    let decimal = value.decimal()?;
    // Whole numbers keep all their digits: only the fraction is cut.
    let whole = decimal.trunc().to_string().chars().filter(char::is_ascii_digit).count();
    let figures = BRIEF_DIGITS.max(u32::try_from(whole).unwrap_or(BRIEF_DIGITS));
    let rounded = decimal.round_sf(figures)?.normalize();
    let sign = text.find(|c: char| c.is_ascii_digit() || c == '-' || c == '.').and_then(|at| text.get(..at)).unwrap_or_default();
    Some(format!("{sign}{rounded}"))
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Measured {
    type Err = MeasuredError;

    fn from_str(text: &str) -> Result<Self, MeasuredError> {
        Self::parse_strict(text)
    }
}

impl TryFrom<String> for Measured {
    type Error = MeasuredError;

    fn try_from(text: String) -> Result<Self, MeasuredError> {
        Self::parse_strict(&text)
    }
}

impl From<Measured> for String {
    fn from(measured: Measured) -> Self {
        measured.0
    }
}

impl AsRef<str> for Measured {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Takes a text or a JSON number, whose digits `serde_json` keeps as written (an exponent becomes `e+5`).
impl<'de> Deserialize<'de> for Measured {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            _ => return Err(serde::de::Error::custom("a measured value is a text or a number")),
        };
        Self::parse_strict(&text).map_err(serde::de::Error::custom)
    }
}

/// The parts of a number's text.
struct Number<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i32,
}

impl<'a> Number<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
        (all_digits && !(whole.is_empty() && fraction.is_empty())).then_some(Self { negative, whole, fraction, exponent })
    }

    fn digits(&self) -> String {
        format!("{}{}", self.whole, self.fraction)
    }

    fn significant_digits(&self) -> usize {
        self.digits().trim_start_matches('0').len()
    }

    fn decimal(&self) -> Option<Decimal> {
        let mantissa: i128 = self.digits().parse().ok()?;
        let mantissa = if self.negative { -mantissa } else { mantissa };
        let scale = i32::try_from(self.fraction.len()).ok()?.checked_sub(self.exponent)?;
        if let Ok(scale) = u32::try_from(scale) {
            return Decimal::try_from_i128_with_scale(mantissa, scale).ok();
        }
        let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
        Decimal::try_from_i128_with_scale(mantissa.checked_mul(factor)?, 0).ok()
    }
}

/// Up to nine digits with or without a sign.
fn read_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// The comparator and the number, both without blanks around them.
fn split(text: &str) -> Result<(&str, &str), MeasuredError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(MeasuredError::Empty);
    }
    if text.chars().nth(MOST_CHARS).is_some() {
        return Err(MeasuredError::TooLong);
    }
    Ok(split_comparator(text))
}

fn split_comparator(text: &str) -> (&str, &str) {
    COMPARATORS.iter().find_map(|(sign, _)| text.strip_prefix(sign).map(|rest| (*sign, rest.trim_start()))).unwrap_or(("", text))
}

fn check(number: &str) -> Result<(), MeasuredError> {
    let parsed = Number::read(number).ok_or(MeasuredError::NotANumber)?;
    if parsed.significant_digits() > MOST_DIGITS {
        return Err(MeasuredError::TooManyDigits);
    }
    let finite = number.parse().is_ok_and(f64::is_finite);
    finite.then_some(()).ok_or(MeasuredError::TooLarge)
}

/// Turns a decimal comma into a point and tells separators of thousands apart from other mistakes.
fn with_point(number: &str) -> Result<String, MeasuredError> {
    let groups_only = number.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "-.,'\u{2019}".contains(c));
    let separators = number.chars().filter(|c| !c.is_ascii_digit() && *c != '-').count();
    if groups_only && separators > 1 || separators == 1 && number.contains([' ', '\'', '\u{2019}', '\u{a0}', '\u{202f}']) {
        return Err(MeasuredError::Grouped);
    }
    match number.split_once(',') {
        Some((whole, fraction)) if fraction.len() == 3 && whole.trim_start_matches('-') != "0" => Err(MeasuredError::Ambiguous),
        _ => Ok(number.replace(',', ".")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strict(text: &str) -> Measured {
        Measured::parse_strict(text).unwrap()
    }

    #[test]
    fn strict_keeps_the_text() {
        for (text, comparator, decimal) in [
            ("1.10", None, Some("1.10")),
            ("-2", None, Some("-2")),
            ("0.5", None, Some("0.5")),
            (".5", None, Some("0.5")),
            ("007", None, Some("7")),
            ("<5", Some(Comparator::Less), Some("5")),
            ("<=5", Some(Comparator::LessOrEqual), Some("5")),
            ("≤5.0", Some(Comparator::LessOrEqual), Some("5.0")),
            (">1", Some(Comparator::Greater), Some("1")),
            (">=1", Some(Comparator::GreaterOrEqual), Some("1")),
            ("≥-1", Some(Comparator::GreaterOrEqual), Some("-1")),
            ("~1", Some(Comparator::About), Some("1")),
            ("1e5", None, Some("100000")),
            ("1.5E3", None, Some("1500")),
            ("1.5e-3", None, Some("0.0015")),
            ("1e+2", None, Some("100")),
            ("1e30", None, None),
            ("1e-40", None, None),
            ("1234567890123456789012345678", None, Some("1234567890123456789012345678")),
        ] {
            let value = strict(text);
            assert_eq!(value.as_str(), text);
            assert_eq!(value.comparator(), comparator, "{text}");
            assert_eq!(value.decimal().map(|d| d.to_string()).as_deref(), decimal, "{text}");
        }
    }

    #[test]
    fn blanks_around_a_comparator_go() {
        assert_eq!(strict(" < 5 ").as_str(), "<5");
        assert_eq!(strict("<5").number_text(), "5");
        assert_eq!(Measured::parse_typed("≥ 7,5").unwrap().as_str(), "≥7.5");
    }

    #[test]
    fn the_sorting_number_is_there_out_of_a_decimals_reach() {
        assert_eq!(strict("<1e30").number(), Some(1e30));
        assert_eq!(strict("-0.25").number(), Some(-0.25));
    }

    #[test]
    fn strict_refuses() {
        use MeasuredError::{Empty, NotANumber, TooLarge, TooLong, TooManyDigits};
        for (text, error) in [
            ("", Empty),
            ("  ", Empty),
            ("<", NotANumber),
            ("NaN", NotANumber),
            ("inf", NotANumber),
            ("-Infinity", NotANumber),
            ("1,5", NotANumber),
            ("5.", NotANumber),
            (".", NotANumber),
            ("+5", NotANumber),
            ("--5", NotANumber),
            ("<<5", NotANumber),
            ("1e", NotANumber),
            ("e5", NotANumber),
            ("1e5.5", NotANumber),
            ("1e99999", TooLarge),
            ("0x10", NotANumber),
            ("1_000", NotANumber),
            ("５", NotANumber),
            ("1.2.3", NotANumber),
            ("12 mg", NotANumber),
            ("1e400", TooLarge),
            ("12345678901234567890123456789", TooManyDigits),
            ("1.0000000000000000000000000000", TooManyDigits),
            ("0.0000000000000000000000000000000000000001", TooLong),
        ] {
            assert_eq!(Measured::parse_strict(text), Err(error), "{text}");
        }
        assert!(Measured::parse_strict(&"1".repeat(1_000_000)).is_err());
    }

    #[test]
    fn people_type_commas() {
        for (text, expected) in [
            ("1.10", "1.10"),
            ("1,10", "1.10"),
            (" 72,5 ", "72.5"),
            ("<0,05", "<0.05"),
            ("-1,5", "-1.5"),
            ("\u{2212}1.5", "-1.5"),
            ("0,125", "0.125"),
            ("1,2345", "1.2345"),
            ("1.234", "1.234"),
            (",5", ".5"),
        ] {
            assert_eq!(Measured::parse_typed(text).as_ref().map(Measured::as_str), Ok(expected), "{text}");
        }
    }

    #[test]
    fn people_type_separators() {
        use MeasuredError::{Ambiguous, Grouped, NotANumber};
        for (text, error) in [
            ("1,234", Ambiguous),
            ("-12,345", Ambiguous),
            ("<1,234", Ambiguous),
            ("1,234.5", Grouped),
            ("1.234,5", Grouped),
            ("1,234,567", Grouped),
            ("1 234", Grouped),
            ("1'234", Grouped),
            ("1\u{202f}234", Grouped),
            ("1e5", NotANumber),
            ("12,", NotANumber),
            ("high", NotANumber),
            ("120/80", NotANumber),
            ("٥", NotANumber),
        ] {
            assert_eq!(Measured::parse_typed(text), Err(error), "{text}");
        }
    }

    #[test]
    fn serde_takes_texts_and_numbers() {
        let read = |json| serde_json::from_str::<Measured>(json).map(String::from);
        assert_eq!(read("\"<1.10\"").unwrap(), "<1.10");
        assert_eq!(read("1.10").unwrap(), "1.10");
        assert_eq!(read("7").unwrap(), "7");
        assert_eq!(read("1E5").unwrap(), "1e+5", "serde_json writes exponents its own way");
        assert!(read("true").is_err() && read("\"high\"").is_err() && read("null").is_err());
        assert_eq!(serde_json::from_value::<Option<Measured>>(serde_json::Value::Null).unwrap(), None);
        assert_eq!(serde_json::to_string(&strict("1.10")).unwrap(), "\"1.10\"");
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = Measured::parse_typed(&text);
            let _ = Measured::parse_strict(&text);
        }

        #[test]
        fn whatever_is_accepted_stays(text in "[<>~≤≥]?=?-?[0-9]{0,20}[.,]?[0-9]{0,10}([eE][+-]?[0-9]{1,5})?") {
            for value in [Measured::parse_typed(&text), Measured::parse_strict(&text)].into_iter().flatten() {
                prop_assert_eq!(Measured::parse_strict(value.as_str()), Ok(value.clone()));
                prop_assert!(value.number().is_some());
                let _ = value.decimal();
            }
        }

        #[test]
        fn decimals_are_exact(mantissa in -10_i64.pow(15)..10_i64.pow(15), scale in 0_u32..10) {
            let decimal = Decimal::new(mantissa, scale);
            let value = strict(&decimal.to_string());
            prop_assert_eq!(value.decimal().map(|d| d.to_string()), Some(decimal.to_string()));
        }
    }
}
