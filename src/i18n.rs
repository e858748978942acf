//! Every word a person sees comes from here: the catalogue, plurals, dates and numbers as the person reads them.

use std::{collections::HashMap, sync::LazyLock};

use chrono::{Datelike, NaiveDate, NaiveDateTime};

use crate::dates::{DateOrder, ENGLISH_MONTHS, PartialDate, Typing};

const ENGLISH: &str = include_str!("../locales/en.json");

type Words = HashMap<String, String>;

static EN: LazyLock<Words> = LazyLock::new(|| serde_json::from_str(ENGLISH).unwrap_or_default());
/// Every word in brackets: what a page shows without them was not taken from the catalogue.
static PSEUDO: LazyLock<Words> = LazyLock::new(|| EN.iter().map(|(key, text)| (key.clone(), format!("⟦{text}⟧"))).collect());

/// How a person reads dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DateStyle {
    /// `12 Jan 2026`; which number comes first in `3/4/2021` is not said.
    #[default]
    Locale,
    /// `12 Jan 2026`, and `3/4/2021` is in April.
    DayFirst,
    /// `Jan 12, 2026`, and `3/4/2021` is in March.
    MonthFirst,
    /// `2026-01-12`
    Iso,
}

impl DateStyle {
    pub const WORDS: &'static [&'static str] = &["locale", "day_first", "month_first", "iso"];
    pub fn parse(word: &str) -> Self {
        match word {
            "day_first" => Self::DayFirst,
            "month_first" => Self::MonthFirst,
            "iso" => Self::Iso,
            _ => Self::Locale,
        }
    }
    pub fn word(self) -> &'static str {
        match self {
            Self::Locale => "locale",
            Self::DayFirst => "day_first",
            Self::MonthFirst => "month_first",
            Self::Iso => "iso",
        }
    }
    /// How somebody who chose this means what they type on this day.
    pub fn typing(self, today: NaiveDate) -> Typing {
        let order = match self {
            Self::DayFirst => DateOrder::DayFirst,
            Self::MonthFirst => DateOrder::MonthFirst,
            Self::Locale | Self::Iso => DateOrder::Unsaid,
        };
        Typing { order, today }
    }
}

/// A language and a way to write dates.
#[derive(Clone, Copy)]
pub struct Locale {
    words: &'static Words,
    pub tag: &'static str,
    pub dates: DateStyle,
}

impl std::fmt::Debug for Locale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Locale({}, {:?})", self.tag, self.dates)
    }
}

impl Default for Locale {
    fn default() -> Self {
        Self::new("en", DateStyle::default())
    }
}

impl Locale {
    pub fn new(tag: &str, dates: DateStyle) -> Self {
        if tag == "en-x-pseudo" { Self { words: &PSEUDO, tag: "en-x-pseudo", dates } } else { Self { words: &EN, tag: "en", dates } }
    }

    /// The words under a key; a missing key shows itself, and a test finds it.
    pub fn t(&self, key: &str) -> String {
        self.find(key).unwrap_or_else(|| key.to_owned())
    }
    pub fn find(&self, key: &str) -> Option<String> {
        self.words.get(key).cloned()
    }
    /// The first of these keys that has words: the particular before the general.
    pub fn first(&self, keys: &[String]) -> Option<String> {
        keys.iter().find_map(|key| self.find(key))
    }
    /// Words with `{name}` filled in.
    pub fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut text = self.t(key);
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
    /// `key.one` or `key.other` (CLDR's English rule), `{n}` filled in with the grouped number.
    pub fn n(&self, key: &str, n: i64) -> String {
        let form = if n == 1 { "one" } else { "other" };
        self.with(&format!("{key}.{form}"), &[("n", &self.number(n))])
    }
    /// `12,345`.
    pub fn number(&self, n: i64) -> String {
        let digits = n.unsigned_abs().to_string();
        let mut out = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        if n < 0 { format!("−{out}") } else { out }
    }

    /// A partial date as precisely as it is known, with its time if it has one.
    pub fn date(&self, text: &str) -> String {
        let (day, time) = text.split_once('T').map_or((text, None), |(day, time)| (day, Some(time)));
        let mut parts = day.split('-');
        let year = parts.next().unwrap_or_default();
        let month =
            parts.next().and_then(|m| m.parse::<usize>().ok()).and_then(|m| ENGLISH_MONTHS.get(m.checked_sub(1)?)).map(|m| short(m));
        let number = parts.next().and_then(|d| d.parse::<u32>().ok());
        let shown = match (self.dates, month, number) {
            (DateStyle::Iso, ..) | (_, None, _) => day.to_owned(),
            (_, Some(month), None) => format!("{month} {year}"),
            (DateStyle::MonthFirst, Some(month), Some(day)) => format!("{month} {day}, {year}"),
            (DateStyle::Locale | DateStyle::DayFirst, Some(month), Some(day)) => format!("{day} {month} {year}"),
        };
        match time {
            Some(time) => format!("{shown}, {}", clock_time(time)),
            None if year.is_empty() => text.to_owned(),
            None => shown,
        }
    }
    /// Only the day, for columns where the time would not fit.
    pub fn day(&self, text: &str) -> String {
        self.date(text.split('T').next().unwrap_or(text))
    }
    pub fn moment(&self, at: NaiveDateTime) -> String {
        self.date(&at.format("%Y-%m-%dT%H:%M").to_string())
    }

    /// `8 years`, `20 months`, `about 8 years` where the birth date is not exact.
    pub fn age(&self, birth: &PartialDate, today: NaiveDate) -> Option<String> {
        let born = birth.earliest_day();
        let months = i64::from(today.year() - born.year()) * 12 + i64::from(today.month())
            - i64::from(born.month())
            - i64::from(today.day() < born.day());
        if months < 0 {
            return None;
        }
        let text = if months < 24 { self.n("age.months", months) } else { self.n("age.years", months / 12) };
        let exact = born == birth.latest_day();
        Some(if exact { text } else { self.with("age.about", &[("age", &text)]) })
    }
}

/// `Sep` for September; what is short already stays.
fn short(month: &str) -> String {
    let mut text: String = month.chars().take(3).collect();
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// `09:30` of `09:30:15.5-05:00`, with its offset if it was told: the hour on that clock, not on ours.
fn clock_time(time: &str) -> String {
    let end = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, offset) = time.split_at_checked(end).unwrap_or((time, ""));
    let minutes: String = clock.chars().take(5).collect();
    match offset {
        "" => minutes,
        "Z" | "+00:00" => format!("{minutes} UTC"),
        other => format!("{minutes} ({other})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_as_precise_as_told() {
        let en = Locale::default();
        assert_eq!(en.date("2023"), "2023");
        assert_eq!(en.date("2024-09"), "Sep 2024");
        assert_eq!(en.date("2026-01-12"), "12 Jan 2026");
        assert_eq!(en.date("2026-01-12T09:30:00-05:00"), "12 Jan 2026, 09:30 (-05:00)");
        assert_eq!(Locale::new("en", DateStyle::MonthFirst).date("2026-01-12"), "Jan 12, 2026");
        assert_eq!(Locale::new("en", DateStyle::Iso).date("2026-01"), "2026-01");
        assert_eq!(en.number(1_234_567), "1,234,567");
    }
}
