//! A date as exact as people know it, a year, a month, a day or a minute, kept as the ISO text that was given.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The first year a date may have.
pub const FIRST_YEAR: i32 = 1800;
/// The last year a date may have.
pub const LAST_YEAR: i32 = 2200;

/// Sorts after everything that may follow a date's text. Letters, because a linguistic collation puts punctuation before digits.
const AFTER_ALL: &str = "zz";
/// Longer input is nothing anybody types for a date.
const LONGEST_INPUT: usize = 60;
/// How much of a text is its day.
const DAY_LENGTH: usize = 10;

/// Why a text is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DateError {
    /// The text has none of the accepted forms.
    #[error("this is not a date: write a year, a month (2021-06) or a day (2021-06-14)")]
    NotADate,
    /// The form is right, the calendar has no such month or day.
    #[error("the calendar has no such day")]
    NoSuchDay,
    /// The form is right, the clock has no such time.
    #[error("the clock has no such time")]
    NoSuchTime,
    /// The year is before [`FIRST_YEAR`].
    #[error("the year is before {FIRST_YEAR}")]
    TooEarly,
    /// The year is after [`LAST_YEAR`].
    #[error("the year is after {LAST_YEAR}")]
    TooLate,
    /// `3/4/2021` of somebody who has not said which number comes first.
    #[error("{day_first} or {month_first}?")]
    Ambiguous {
        /// The third of April.
        day_first: NaiveDate,
        /// The fourth of March.
        month_first: NaiveDate,
    },
    /// `14.6.21`, which may be of either century.
    #[error("{0} or {1}?")]
    ShortYear(i32, i32),
}

/// How exact a date is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `2009`
    Year,
    /// `2011-03`
    Month,
    /// `2011-03-14`
    Day,
    /// `2011-03-14T09:30`, with or without seconds and offset.
    Time,
}

/// Which number comes first when somebody types `6/7/2021` or `6-7-2021`. Dots always mean the day first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateOrder {
    /// 6 July.
    DayFirst,
    /// June 7.
    MonthFirst,
    /// Nobody has said: only what can be read in one way is read.
    Unsaid,
}

/// Who types when: what a text in a form may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Typing {
    /// Which number comes first.
    pub order: DateOrder,
    /// The day that "today" means, and from which a year of two digits is not far ahead.
    pub today: NaiveDate,
}

/// How many years ahead somebody may mean with two digits (a policy's end): `46` is 2046 or 1946 in 2026, `47` is 1947.
const SHORT_YEARS_AHEAD: i32 = 20;

/// The names of the months from January on, in lower case; three letters or more are recognised if only one name begins with them.
pub type MonthNames = [&'static str; 12];

/// English month names.
pub const ENGLISH_MONTHS: MonthNames =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];

/// A valid date of any precision; its order is that of its text, so by the written local time and the vaguer first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartialDate(String);

/// The completed years of a life; a birth date without a day leaves two possibilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// The age if born as late as the date allows.
    pub least: u32,
    /// The age if born as early as the date allows.
    pub most: u32,
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most { write!(f, "{}", self.most) } else { write!(f, "{}\u{2013}{}", self.least, self.most) }
    }
}

impl PartialDate {
    /// Accepts the ISO forms only, without blanks around them: the API and imports.
    ///
    /// # Errors
    /// Tells what is wrong with the text.
    pub fn parse_strict(text: &str) -> Result<Self, DateError> {
        let parts = Parts::read(text).ok_or(DateError::NotADate)?;
        parts.check()?;
        Ok(Self(text.to_owned()))
    }

    /// Accepts what people type in a form, with English month names.
    ///
    /// # Errors
    /// Tells what is wrong with the text.
    pub fn parse_typed(text: &str, typing: Typing) -> Result<Self, DateError> {
        Self::parse_typed_with(text, typing, &ENGLISH_MONTHS)
    }

    /// Accepts what people type in a form.
    ///
    /// # Errors
    /// Tells what is wrong with the text.
    pub fn parse_typed_with(text: &str, typing: Typing, months: &MonthNames) -> Result<Self, DateError> {
        let text = text.trim();
        if text.len() > LONGEST_INPUT {
            return Err(DateError::NotADate);
        }
        match Self::parse_strict(text) {
            Err(DateError::NotADate) => {}
            other => return other,
        }
        let (day, time) = split_time(text);
        let mut iso = match typed_day(day, typing, months) {
            Typed::Day(iso) => iso,
            Typed::Nothing => return Err(DateError::NotADate),
            Typed::Unclear(error) => return Err(error),
        };
        if let Some(time) = time {
            iso = format!("{iso}T{}", typed_time(&time)?);
        }
        Self::parse_strict(&iso)
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How exact the date is.
    #[must_use]
    pub fn precision(&self) -> Precision {
        match self.0.len() {
            0..=4 => Precision::Year,
            5..=7 => Precision::Month,
            8..=DAY_LENGTH => Precision::Day,
            _ => Precision::Time,
        }
    }

    /// The year.
    #[must_use]
    pub fn year(&self) -> i32 {
        self.earliest_day().year()
    }

    /// The first day the date can mean, by the calendar of whoever wrote it.
    #[must_use]
    pub fn earliest_day(&self) -> NaiveDate {
        self.parts().earliest_day().unwrap_or_default()
    }

    /// The last day the date can mean.
    #[must_use]
    pub fn latest_day(&self) -> NaiveDate {
        self.parts().latest_day().unwrap_or_default()
    }

    /// Whether the whole of the date lies after today.
    #[must_use]
    pub fn is_after_today(&self, today: NaiveDate) -> bool {
        self.earliest_day() > today
    }

    /// The age on a day of somebody born on this date; nothing if that was certainly later.
    #[must_use]
    pub fn age_at(&self, day: NaiveDate) -> Option<Age> {
        let most = day.years_since(self.earliest_day())?;
        let least = day.years_since(self.latest_day()).unwrap_or(0);
        Some(Age { least, most })
    }

    /// The bound for `column >= bound` that begins with this date; a vaguer date that only contains it is left out.
    #[must_use]
    pub fn range_start_text(&self) -> &str {
        &self.0
    }

    /// The bound for `column <= bound` that includes all that begins with this date: `2021` includes `2021-12-31T23:59`.
    #[must_use]
    pub fn range_end_text(&self) -> String {
        format!("{}{AFTER_ALL}", self.0)
    }

    fn parts(&self) -> Parts<'_> {
        Parts::read(&self.0).unwrap_or_default()
    }

    /// The text in UTC if an offset is given.
    fn utc_text(&self) -> Option<String> {
        let clock = self.parts().clock?;
        let offset = clock.offset?;
        let has_seconds = clock.second.is_some();
        let local = self.0.strip_suffix(offset)?;
        let full = format!("{local}{}{offset}", if has_seconds { "" } else { ":00" });
        let instant = DateTime::parse_from_rfc3339(&full).ok()?.with_timezone(&Utc);
        let form = if has_seconds { "%Y-%m-%dT%H:%M:%S%.f" } else { "%Y-%m-%dT%H:%M" };
        Some(instant.format(form).to_string())
    }
}

/// Whether an end lies before its start for certain: May 2020 does not lie before 2020.
#[must_use]
pub fn end_before_start(start: &PartialDate, end: &PartialDate) -> bool {
    if let (Some(start), Some(end)) = (start.utc_text(), end.utc_text()) {
        return certainly_less(&end, &start);
    }
    let has_offset = |date: &PartialDate| date.parts().clock.is_some_and(|clock| clock.offset.is_some());
    if has_offset(start) || has_offset(end) {
        let day = |date: &PartialDate| date.as_str().chars().take(DAY_LENGTH).collect::<String>();
        return certainly_less(&day(end), &day(start));
    }
    certainly_less(end.as_str(), start.as_str())
}

/// Compares only what both texts know.
fn certainly_less(left: &str, right: &str) -> bool {
    left.bytes().zip(right.bytes()).map(|(a, b)| a.cmp(&b)).find(|o| o.is_ne()) == Some(Ordering::Less)
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for PartialDate {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        Self::parse_strict(text)
    }
}

impl TryFrom<String> for PartialDate {
    type Error = DateError;

    fn try_from(text: String) -> Result<Self, DateError> {
        Self::parse_strict(&text)
    }
}

impl TryFrom<NaiveDate> for PartialDate {
    type Error = DateError;

    fn try_from(day: NaiveDate) -> Result<Self, DateError> {
        check_year(day.year())?;
        Ok(Self(day.format("%Y-%m-%d").to_string()))
    }
}

impl From<PartialDate> for String {
    fn from(date: PartialDate) -> Self {
        date.0
    }
}

impl AsRef<str> for PartialDate {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What a text of the right form says, not yet compared with the calendar.
#[derive(Debug, Default, Clone, Copy)]
struct Parts<'a> {
    year: u32,
    month: Option<u32>,
    day: Option<u32>,
    clock: Option<Clock<'a>>,
}

#[derive(Debug, Clone, Copy)]
struct Clock<'a> {
    hour: u32,
    minute: u32,
    second: Option<u32>,
    offset: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut cursor = Cursor(text);
        let mut parts = Parts { year: cursor.digits(4)?, ..Parts::default() };
        if cursor.take("-") {
            parts.month = Some(cursor.digits(2)?);
            if cursor.take("-") {
                parts.day = Some(cursor.digits(2)?);
                if cursor.take("T") {
                    parts.clock = Some(Clock::read(&mut cursor)?);
                }
            }
        }
        cursor.0.is_empty().then_some(parts)
    }

    fn check(&self) -> Result<(), DateError> {
        check_year(i32::try_from(self.year).map_err(|_| DateError::TooLate)?)?;
        self.earliest_day().ok_or(DateError::NoSuchDay)?;
        self.clock.is_none_or(|clock| clock.exists()).then_some(()).ok_or(DateError::NoSuchTime)
    }

    fn earliest_day(&self) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(i32::try_from(self.year).ok()?, self.month.unwrap_or(1), self.day.unwrap_or(1))
    }

    fn latest_day(&self) -> Option<NaiveDate> {
        let first = self.earliest_day()?;
        if self.day.is_some() {
            return Some(first);
        }
        let last_month = first.with_month(self.month.unwrap_or(12))?;
        last_month.with_day(u32::from(last_month.num_days_in_month()))
    }
}

impl<'a> Clock<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        let hour = cursor.digits(2)?;
        let minute = cursor.take(":").then(|| cursor.digits(2))??;
        let mut second = None;
        if cursor.take(":") {
            second = Some(cursor.digits(2)?);
            if cursor.take(".") {
                cursor.fraction()?;
            }
        }
        let offset = cursor.offset()?;
        Some(Self { hour, minute, second, offset })
    }

    /// Leap seconds exist.
    fn exists(&self) -> bool {
        self.hour < 24 && self.minute < 60 && self.second.is_none_or(|second| second <= 60) && self.offset_exists()
    }

    fn offset_exists(&self) -> bool {
        let Some(hours) = self.offset.and_then(|offset| offset.strip_prefix(['+', '-'])) else {
            return true;
        };
        let mut parts = hours.split(':').filter_map(|part| part.parse::<u32>().ok());
        let (hour, minute) = (parts.next().unwrap_or(99), parts.next().unwrap_or(99));
        minute < 60 && hour * 60 + minute <= 14 * 60
    }
}

/// The rest of a text that is being read.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (head, tail) = self.0.split_at_checked(count)?;
        let number = digits(head)?;
        self.0 = tail;
        Some(number)
    }

    fn take(&mut self, prefix: &str) -> bool {
        let tail = self.0.strip_prefix(prefix);
        self.0 = tail.unwrap_or(self.0);
        tail.is_some()
    }

    /// One to nine digits.
    fn fraction(&mut self) -> Option<()> {
        let tail = self.0.trim_start_matches(|c: char| c.is_ascii_digit());
        let length = self.0.len() - tail.len();
        self.0 = tail;
        (1..=9).contains(&length).then_some(())
    }

    /// The rest as an offset: `Z`, `+05:30` or nothing at all; any other rest is an error.
    #[expect(clippy::option_option, reason = "an offset may be absent or wrong")]
    fn offset(&mut self) -> Option<Option<&'a str>> {
        let rest = std::mem::take(&mut self.0);
        if rest.is_empty() {
            return Some(None);
        }
        if rest == "Z" {
            return Some(Some(rest));
        }
        let mut cursor = Cursor(rest);
        let signed = cursor.take("+") || cursor.take("-");
        let complete = cursor.digits(2).is_some() && cursor.take(":") && cursor.digits(2).is_some() && cursor.0.is_empty();
        (signed && complete).then_some(Some(rest))
    }
}

fn check_year(year: i32) -> Result<(), DateError> {
    match year {
        FIRST_YEAR..=LAST_YEAR => Ok(()),
        ..FIRST_YEAR => Err(DateError::TooEarly),
        _ => Err(DateError::TooLate),
    }
}

/// ASCII digits only: `u32::from_str` would take a sign.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Cuts a time of day off the end: `9:05`, `9:30 pm`, `9 p.m.`.
fn split_time(text: &str) -> (&str, Option<String>) {
    let (rest, half) = split_half(text);
    let cut = rest.rsplit_once(|c: char| c.is_whitespace() || c == 'T');
    match (cut, half) {
        (Some((day, time)), _) if time.contains(':') => (day_part(day), Some(format!("{time}{half}", half = half.unwrap_or_default()))),
        (Some((day, hour)), Some(half)) if number(hour).is_some() => (day_part(day), Some(format!("{hour}:00{half}"))),
        _ => (text, None),
    }
}

fn day_part(text: &str) -> &str {
    text.trim_end_matches([' ', ','])
}

/// Cuts `am` or `pm` off a time.
fn split_half(text: &str) -> (&str, Option<&'static str>) {
    let endings = [("a.m.", "am"), ("p.m.", "pm"), ("am", "am"), ("pm", "pm")];
    let found = endings.iter().find_map(|(ending, half)| {
        let (rest, tail) = text.split_at_checked(text.len().checked_sub(ending.len())?)?;
        let is_time = rest.trim_end().ends_with(|c: char| c.is_ascii_digit());
        (is_time && tail.eq_ignore_ascii_case(ending)).then(|| (rest.trim_end(), Some(*half)))
    });
    found.unwrap_or((text, None))
}

/// `09:05` of `9:05`, `21:30` of `9:30pm`.
fn typed_time(text: &str) -> Result<String, DateError> {
    let (time, half) = split_half(text);
    let (hour, rest) = time.split_once(':').ok_or(DateError::NotADate)?;
    let Some(half) = half else {
        return Ok(format!("{}{hour}:{rest}", if hour.len() == 1 { "0" } else { "" }));
    };
    let hour = number(hour).ok_or(DateError::NotADate)?;
    // Noon is 12 pm, and 13 pm is on no clock.
    let hour = match (hour, half) {
        (12, "am") => 0,
        (12, _) => 12,
        (1..=11, "am") => hour,
        (1..=11, _) => hour + 12,
        _ => return Err(DateError::NoSuchTime),
    };
    Ok(format!("{hour:02}:{rest}"))
}

/// What a typed day can be read as.
enum Typed {
    /// As ISO text, not yet compared with the calendar.
    Day(String),
    Nothing,
    /// In two ways.
    Unclear(DateError),
}

fn typed_day(text: &str, typing: Typing, months: &MonthNames) -> Typed {
    let lower = text.to_lowercase();
    let day = match lower.as_str() {
        "today" => Some(typing.today),
        "yesterday" => typing.today.pred_opt(),
        _ => None,
    };
    if let Some(day) = day {
        return Typed::Day(day.to_string());
    }
    let full = match full_year(text, typing.today) {
        Ok(full) => full,
        Err(error) => return Typed::Unclear(error),
    };
    let text = full.as_deref().unwrap_or(text);
    if text.chars().any(char::is_alphabetic) {
        return named_day(text, months).map_or(Typed::Nothing, Typed::Day);
    }
    let read = |order| numeric_day(text, order);
    if typing.order != DateOrder::Unsaid {
        return read(typing.order).map_or(Typed::Nothing, Typed::Day);
    }
    let (day_first, month_first) = (read(DateOrder::DayFirst), read(DateOrder::MonthFirst));
    let day = |iso: &Option<String>| iso.as_deref().and_then(|iso| NaiveDate::parse_from_str(iso, "%Y-%m-%d").ok());
    match (day(&day_first), day(&month_first)) {
        (Some(a), Some(b)) if a != b => Typed::Unclear(DateError::Ambiguous { day_first: a, month_first: b }),
        (None, Some(_)) => month_first.map_or(Typed::Nothing, Typed::Day),
        _ => day_first.map_or(Typed::Nothing, Typed::Day),
    }
}

/// The text with four digits for the year, where it has two at the end of a whole day. They are read only if one century can be meant.
fn full_year(text: &str, today: NaiveDate) -> Result<Option<String>, DateError> {
    let trimmed = text.trim_end();
    let start = trimmed.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (head, year) = trimmed.split_at_checked(start).unwrap_or((trimmed, ""));
    let Some(short) = number(year).filter(|_| year.len() == 2 && is_day_and_month(head)) else { return Ok(None) };
    let short = i32::try_from(short).unwrap_or_default();
    let (early, late) = (1900 + short, 2000 + short);
    if late <= today.year() + SHORT_YEARS_AHEAD { Err(DateError::ShortYear(early, late)) } else { Ok(Some(format!("{head}{early}"))) }
}

/// Two numbers of at most two digits, or one and a word: what stands before a year. A year in front has four digits.
fn is_day_and_month(head: &str) -> bool {
    let words: Vec<&str> = head.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let is_word = |word: &&&str| word.chars().all(char::is_alphabetic);
    let numbers = words.iter().filter(|word| number(word).is_some()).count();
    words.len() == 2 && (numbers == 2 || (numbers == 1 && words.iter().any(|word| is_word(&word))))
}

fn numeric_day(text: &str, order: DateOrder) -> Option<String> {
    let text = text.replace(". ", ".");
    let separator = ['-', '/', '.'].into_iter().find(|&c| text.contains(c))?;
    let order = if separator == '.' { DateOrder::DayFirst } else { order };
    let parts: Vec<&str> = text.split(separator).collect();
    match (parts.as_slice(), order) {
        ([y, m], _) if y.len() == 4 => iso(y, number(m)?, None),
        ([m, y], _) => iso(y, number(m)?, None),
        ([y, m, d], _) if y.len() == 4 => iso(y, number(m)?, Some(d)),
        ([m, d, y], DateOrder::MonthFirst) | ([d, m, y], _) => iso(y, number(m)?, Some(d)),
        _ => None,
    }
}

fn named_day(text: &str, months: &MonthNames) -> Option<String> {
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        [name, y] => iso(y, month_number(name, months)?, None),
        [a, b, y] => match month_number(a, months) {
            Some(month) => iso(y, month, Some(b)),
            None => iso(y, month_number(b, months)?, Some(a)),
        },
        _ => None,
    }
}

fn iso(year: &str, month: u32, day: Option<&str>) -> Option<String> {
    let year = (year.len() == 4).then(|| digits(year))??;
    match day {
        Some(day) => Some(format!("{year:04}-{month:02}-{:02}", number(day)?)),
        None => Some(format!("{year:04}-{month:02}")),
    }
}

/// A day or month of one or two digits.
fn number(text: &str) -> Option<u32> {
    matches!(text.len(), 1 | 2).then(|| digits(text))?
}

fn month_number(word: &str, months: &MonthNames) -> Option<u32> {
    let word = word.to_lowercase();
    let mut beginning = (1..).zip(months).filter(|(_, name)| name.starts_with(&word));
    let (number, _) = beginning.next()?;
    (word.chars().count() >= 3 && beginning.next().is_none()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> PartialDate {
        PartialDate::parse_strict(text).unwrap()
    }

    fn typing(order: DateOrder) -> Typing {
        Typing { order, today: day("2026-03-14") }
    }

    fn typed(text: &str, order: DateOrder) -> Result<PartialDate, DateError> {
        PartialDate::parse_typed(text, typing(order))
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn strict_keeps_the_text() {
        for (text, precision) in [
            ("2009", Precision::Year),
            ("1800", Precision::Year),
            ("2200-12-31", Precision::Day),
            ("2011-03", Precision::Month),
            ("2012-02-29", Precision::Day),
            ("2011-03-14T09:30", Precision::Time),
            ("2011-03-14T09:30Z", Precision::Time),
            ("2011-03-14T23:59:60", Precision::Time),
            ("2011-03-14T09:30:15.123456789-14:00", Precision::Time),
            ("2011-03-14T09:30+05:30", Precision::Time),
        ] {
            assert_eq!(date(text).as_str(), text);
            assert_eq!(date(text).precision(), precision, "{text}");
        }
    }

    #[test]
    fn strict_refuses_other_forms() {
        for text in [
            "",
            " 2009",
            "2009 ",
            "209",
            "20090",
            "2011-3",
            "2011-03-",
            "2011-03-1",
            "20110314",
            "2011-03-14T",
            "2011-03-14T09",
            "2011-03-14T9:30",
            "2011-03-14 09:30",
            "2011-03-14t09:30",
            "2011-03-14T09:30z",
            "2011-03-14T09:30:15.",
            "2011-03-14T09:30:15.1234567890",
            "2011-03-14T09:30+0530",
            "2011-03-14T09:30+05",
            "2011-03-14T09:30Z ",
            "+201",
            "２００９",
            "2011-03T09:30",
            "14.6.2021",
            "June 2021",
            "2011-03-14T09:30+05:30Z",
            "2011-03-14T09:30:Z",
            "-200",
            "2011-+3",
        ] {
            assert_eq!(PartialDate::parse_strict(text), Err(DateError::NotADate), "{text}");
        }
    }

    #[test]
    fn errors_are_told_apart() {
        for (text, error) in [
            ("1799", DateError::TooEarly),
            ("0021-06-14", DateError::TooEarly),
            ("2201", DateError::TooLate),
            ("2021-13", DateError::NoSuchDay),
            ("2021-00", DateError::NoSuchDay),
            ("2021-02-29", DateError::NoSuchDay),
            ("2021-02-00", DateError::NoSuchDay),
            ("2021-02-28T24:00", DateError::NoSuchTime),
            ("2021-02-28T23:60", DateError::NoSuchTime),
            ("2021-02-28T23:59:61", DateError::NoSuchTime),
            ("2021-02-28T23:59+14:01", DateError::NoSuchTime),
            ("2021-02-28T23:59+05:60", DateError::NoSuchTime),
        ] {
            assert_eq!(PartialDate::parse_strict(text), Err(error), "{text}");
            assert_eq!(typed(text, DateOrder::DayFirst), Err(error), "{text}");
        }
    }

    #[test]
    fn people_type_many_forms() {
        use DateOrder::{DayFirst, MonthFirst};
        for (text, order, expected) in [
            (" 2021\n", DayFirst, "2021"),
            ("2021-06", DayFirst, "2021-06"),
            ("6/2021", MonthFirst, "2021-06"),
            ("2021/6/4", MonthFirst, "2021-06-04"),
            ("14.6.2021", DayFirst, "2021-06-14"),
            ("4.6.2021", MonthFirst, "2021-06-04"),
            ("14. 6. 2021", DayFirst, "2021-06-14"),
            ("6/14/2021", MonthFirst, "2021-06-14"),
            ("6/7/2021", MonthFirst, "2021-06-07"),
            ("6/7/2021", DayFirst, "2021-07-06"),
            ("14/6/2021", DayFirst, "2021-06-14"),
            ("14-06-2021", DayFirst, "2021-06-14"),
            ("June 2021", DayFirst, "2021-06"),
            ("14 Jun 2021", DayFirst, "2021-06-14"),
            ("14-JUN-2021", MonthFirst, "2021-06-14"),
            ("Jun 14, 2021", DayFirst, "2021-06-14"),
            ("Sept. 4, 2021", DayFirst, "2021-09-04"),
            ("Aug 4, 2021, 9:05", DayFirst, "2021-08-04T09:05"),
            ("2021-06-14T09:30", DayFirst, "2021-06-14T09:30"),
            ("2021-06-14 09:30", DayFirst, "2021-06-14T09:30"),
            ("14.6.2021 9:30", DayFirst, "2021-06-14T09:30"),
            ("2021-06-14T09:30:15.5+02:00", DayFirst, "2021-06-14T09:30:15.5+02:00"),
            ("14.6.2021 9:30 pm", DayFirst, "2021-06-14T21:30"),
            ("Jun 14, 2021, 12:05 AM", DayFirst, "2021-06-14T00:05"),
            ("14 Jun 2021 12pm", DayFirst, "2021-06-14T12:00"),
            ("2021-06-14 9:30 p.m.", DayFirst, "2021-06-14T21:30"),
            ("today", DayFirst, "2026-03-14"),
            ("Yesterday", DayFirst, "2026-03-13"),
            ("today 9:30 pm", DayFirst, "2026-03-14T21:30"),
            ("yesterday, 7:05", DayFirst, "2026-03-13T07:05"),
            ("14.6.99", DayFirst, "1999-06-14"),
            ("6/14/47", MonthFirst, "1947-06-14"),
            ("14 June 99", DayFirst, "1999-06-14"),
        ] {
            assert_eq!(typed(text, order).as_ref().map(PartialDate::as_str), Ok(expected), "{text}");
        }
    }

    #[test]
    fn people_type_wrong_forms() {
        use DateOrder::{DayFirst, MonthFirst};
        for (text, order, error) in [
            ("14/6/2021", MonthFirst, DateError::NoSuchDay),
            ("6/14/2021", DayFirst, DateError::NoSuchDay),
            ("31 Jun 2021", DayFirst, DateError::NoSuchDay),
            ("14 Jun 1021", DayFirst, DateError::TooEarly),
            ("14 Jun 21", DayFirst, DateError::ShortYear(1921, 2021)),
            ("14.6.21", DayFirst, DateError::ShortYear(1921, 2021)),
            ("14.6.46", DayFirst, DateError::ShortYear(1946, 2046)),
            ("2021-6-99", DayFirst, DateError::NoSuchDay),
            ("99", DayFirst, DateError::NotADate),
            ("6/99", DayFirst, DateError::NotADate),
            ("June 2021 9 pm", DayFirst, DateError::NotADate),
            ("14.6.2021 13:30 pm", DayFirst, DateError::NoSuchTime),
            ("14.6.2021 0:30 am", DayFirst, DateError::NoSuchTime),
            ("tomorrow", DayFirst, DateError::NotADate),
            ("Ju 2021", DayFirst, DateError::NotADate),
            ("Junebug 2021", DayFirst, DateError::NotADate),
            ("14/6-2021", DayFirst, DateError::NotADate),
            ("6 14 2021", DayFirst, DateError::NotADate),
            ("２０２１", DayFirst, DateError::NotADate),
            ("١٤.٦.٢٠٢١", DayFirst, DateError::NotADate),
            ("June 2021 09:30", DayFirst, DateError::NotADate),
            ("14.6.2021 25:30", DayFirst, DateError::NoSuchTime),
            ("", DayFirst, DateError::NotADate),
        ] {
            assert_eq!(typed(text, order), Err(error), "{text}");
        }
    }

    #[test]
    fn two_readings_are_asked_about_where_nobody_said_which() {
        let unsaid = |text| typed(text, DateOrder::Unsaid);
        let either = DateError::Ambiguous { day_first: day("2021-04-03"), month_first: day("2021-03-04") };
        for text in ["3/4/2021", "03-04-2021", "3/4/2021 9:30 pm"] {
            assert_eq!(unsaid(text), Err(either), "{text}");
        }
        for (text, expected) in [
            ("14/6/2021", "2021-06-14"),
            ("6/14/2021", "2021-06-14"),
            ("6/6/2021", "2021-06-06"),
            ("3.4.2021", "2021-04-03"),
            ("2021/4/3", "2021-04-03"),
            ("4/2021", "2021-04"),
            ("2021", "2021"),
            ("3 Apr 2021", "2021-04-03"),
        ] {
            assert_eq!(unsaid(text), Ok(date(expected)), "{text}");
        }
        assert_eq!(unsaid("31/31/2021"), Err(DateError::NoSuchDay));
    }

    #[test]
    fn another_language_brings_its_months() {
        let french =
            ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"];
        let typed = |text| PartialDate::parse_typed_with(text, typing(DateOrder::DayFirst), &french);
        assert_eq!(typed("3 FÉVR. 2021"), Ok(date("2021-02-03")));
        assert_eq!(typed("3 juil. 2021"), Ok(date("2021-07-03")));
        assert_eq!(typed("3 jui 2021"), Err(DateError::NotADate));
        assert_eq!(typed("3 June 2021"), Err(DateError::NotADate));
    }

    #[test]
    fn days_of_a_vague_date() {
        for (text, first, last) in [
            ("2020", "2020-01-01", "2020-12-31"),
            ("2020-02", "2020-02-01", "2020-02-29"),
            ("2021-04", "2021-04-01", "2021-04-30"),
            ("2020-02-03", "2020-02-03", "2020-02-03"),
            ("2020-02-03T23:30-05:00", "2020-02-03", "2020-02-03"),
        ] {
            assert_eq!((date(text).earliest_day(), date(text).latest_day()), (day(first), day(last)), "{text}");
        }
        assert_eq!(date("2020-02").year(), 2020);
    }

    #[test]
    fn the_future_begins_with_the_earliest_day() {
        let today = day("2021-06-14");
        for text in ["2021", "2021-06", "2021-06-14", "2021-06-14T23:59", "1900"] {
            assert!(!date(text).is_after_today(today), "{text}");
        }
        for text in ["2022", "2021-07", "2021-06-15"] {
            assert!(date(text).is_after_today(today), "{text}");
        }
    }

    #[test]
    fn age_of_a_vague_birth_is_a_span() {
        let age = |birth, on| date(birth).age_at(day(on)).map(|age| age.to_string());
        assert_eq!(age("1980-06-14", "2021-06-13"), Some("40".into()));
        assert_eq!(age("1980-06-14", "2021-06-14"), Some("41".into()));
        assert_eq!(age("1980", "2021-06-14"), Some("40–41".into()));
        assert_eq!(age("1980-06", "2021-07-01"), Some("41".into()));
        assert_eq!(age("2021", "2021-06-14"), Some("0".into()));
        assert_eq!(age("2022", "2021-06-14"), None);
        assert_eq!(age("2020-02-29", "2021-02-28"), Some("0".into()));
    }

    #[test]
    fn an_end_is_before_its_start_only_for_certain() {
        for (start, end, before) in [
            ("2020", "2020-05", false),
            ("2020-05", "2020", false),
            ("2020-05", "2019", true),
            ("2020-05-14", "2020-05-13", true),
            ("2020-05-14", "2020-05-14", false),
            ("2020-05-14", "2021", false),
            ("2020-05-14T09:30", "2020-05-14T09:29", true),
            ("2020-05-14T09:30:30", "2020-05-14T09:30", false),
            ("2020-05-14T09:30", "2020-05-14", false),
            ("2020-05-15T00:30+14:00", "2020-05-14T12:00-10:00", false),
            ("2020-05-14T12:00Z", "2020-05-14T13:00+02:00", true),
            ("2020-05-14T12:00:30Z", "2020-05-14T14:00+02:00", false),
            ("2020-05-14T12:00Z", "2020-05-14T11:00", false),
            ("2020-05-14T12:00Z", "2020-05-13T11:00", true),
        ] {
            assert_eq!(end_before_start(&date(start), &date(end)), before, "{start} {end}");
        }
    }

    #[test]
    fn range_bounds_include_what_they_begin() {
        let (from, to) = (date("2020-05"), date("2021"));
        let inside = |text: &str| text >= from.range_start_text() && text <= to.range_end_text().as_str();
        for text in ["2020-05", "2020-05-01", "2020-05-01T00:00Z", "2021", "2021-12-31T23:59:59.9Z"] {
            assert!(inside(text), "{text}");
        }
        for text in ["2020-04-30", "2020", "2022", "2022-01-01"] {
            assert!(!inside(text), "{text}");
        }
        let bound = date("2021-06-14").range_end_text();
        assert!(*"2021-06-14T23:59Z" <= *bound && *"2021-06-15" > *bound);
    }

    #[test]
    fn serde_reads_and_writes_text() {
        assert_eq!(serde_json::to_string(&date("2011-03")).unwrap(), "\"2011-03\"");
        assert_eq!(serde_json::from_str::<PartialDate>("\"2011-03\"").unwrap(), date("2011-03"));
        let error = serde_json::from_str::<PartialDate>("\"1066\"").unwrap_err();
        assert!(error.to_string().contains("before 1800"), "{error}");
    }

    #[test]
    fn a_calendar_day_becomes_a_date() {
        assert_eq!(PartialDate::try_from(day("2021-06-04")), Ok(date("2021-06-04")));
        assert_eq!(PartialDate::try_from(day("1066-10-14")), Err(DateError::TooEarly));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = typed(&text, DateOrder::DayFirst);
        }

        #[test]
        fn whatever_is_accepted_stays(text in "[0-9JunTZ:/. +-]{4,25}") {
            if let Ok(parsed) = typed(&text, DateOrder::MonthFirst) {
                prop_assert_eq!(PartialDate::parse_strict(parsed.as_str()), Ok(parsed.clone()));
                prop_assert!(parsed.earliest_day() <= parsed.latest_day());
                prop_assert!(!end_before_start(&parsed, &parsed));
            }
        }

        #[test]
        fn every_day_survives_every_form(offset in 0..146_000_u64) {
            let day = day("1800-01-01") + chrono::Days::new(offset);
            let expected = day.format("%Y-%m-%d").to_string();
            for (form, order) in [
                ("%-d.%-m.%Y", DateOrder::MonthFirst),
                ("%-d/%-m/%Y", DateOrder::DayFirst),
                ("%m/%d/%Y", DateOrder::MonthFirst),
                ("%B %-d, %Y", DateOrder::DayFirst),
                ("%d %b %Y", DateOrder::DayFirst),
            ] {
                let read = typed(&day.format(form).to_string(), order);
                prop_assert_eq!(read.as_ref().map(PartialDate::as_str), Ok(expected.as_str()));
                prop_assert_eq!(read.map(|date| date.earliest_day()), Ok(day));
            }
        }

        #[test]
        fn text_order_is_day_order(a in 0..146_000_u64, b in 0..146_000_u64) {
            let first = day("1800-01-01");
            let (a, b) = (first + chrono::Days::new(a), first + chrono::Days::new(b));
            prop_assert_eq!(PartialDate::try_from(a).unwrap().cmp(&PartialDate::try_from(b).unwrap()), a.cmp(&b));
        }
    }
}
