//! A date as exact as people know it, a year, a month, a day or a minute, kept as the ISO text that was given.

mod parts;
#[cfg(test)]
mod tests;
mod typed;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use parts::{Parts, check_year};
use typed::{Typed, split_time, typed_day, typed_time};

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
