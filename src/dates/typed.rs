//! What people type for a date and a time of day, made into ISO texts; whether there is such a day is not asked here.

use chrono::{Datelike, NaiveDate};

use super::{DateError, DateOrder, MonthNames, Typing, parts::digits};

/// How many years ahead somebody may mean with two digits (a policy's end): `46` is 2046 or 1946 in 2026, `47` is 1947.
const SHORT_YEARS_AHEAD: i32 = 20;

/// Cuts a time of day off the end: `9:05`, `9:30 pm`, `9 p.m.`.
pub(super) fn split_time(text: &str) -> (&str, Option<String>) {
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
pub(super) fn typed_time(text: &str) -> Result<String, DateError> {
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
pub(super) enum Typed {
    /// As ISO text, not yet compared with the calendar.
    Day(String),
    Nothing,
    /// In two ways.
    Unclear(DateError),
}

pub(super) fn typed_day(text: &str, typing: Typing, months: &MonthNames) -> Typed {
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
