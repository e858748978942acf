//! What an ISO text says, and whether the calendar and the clock have it.

use chrono::{Datelike, NaiveDate};

use super::{DateError, FIRST_YEAR, LAST_YEAR};

/// What a text of the right form says, not yet compared with the calendar.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Parts<'a> {
    year: u32,
    month: Option<u32>,
    day: Option<u32>,
    pub(super) clock: Option<Clock<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock<'a> {
    hour: u32,
    minute: u32,
    pub(super) second: Option<u32>,
    pub(super) offset: Option<&'a str>,
}

impl<'a> Parts<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
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

    pub(super) fn check(&self) -> Result<(), DateError> {
        check_year(i32::try_from(self.year).map_err(|_| DateError::TooLate)?)?;
        self.earliest_day().ok_or(DateError::NoSuchDay)?;
        self.clock.is_none_or(|clock| clock.exists()).then_some(()).ok_or(DateError::NoSuchTime)
    }

    pub(super) fn earliest_day(&self) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(i32::try_from(self.year).ok()?, self.month.unwrap_or(1), self.day.unwrap_or(1))
    }

    pub(super) fn latest_day(&self) -> Option<NaiveDate> {
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

pub(super) fn check_year(year: i32) -> Result<(), DateError> {
    match year {
        FIRST_YEAR..=LAST_YEAR => Ok(()),
        ..FIRST_YEAR => Err(DateError::TooEarly),
        _ => Err(DateError::TooLate),
    }
}

/// ASCII digits only: `u32::from_str` would take a sign.
pub(super) fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}
