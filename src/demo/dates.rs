//! Dates told from today: `@-3y2m4d`, `@+5m`, `@-7y:y` (the year only), `@-3y2m:m` (the month), `@-8y8m7d:t06:42` (with a time).

use chrono::{Datelike, Days, Months, NaiveDate};

/// The date in the program's own form; nothing if the text is not such a one. Years and months count first, to the month's end if it is shorter,
/// and days after.
pub fn counted(text: &str, today: NaiveDate) -> Option<String> {
    let rest = text.strip_prefix('@')?;
    let (is_past, rest) = match rest.split_at_checked(1)? {
        ("-", rest) => (true, rest),
        ("+", rest) => (false, rest),
        _ => return None,
    };
    let (amount, precision) = rest.split_once(':').map_or((rest, None), |(amount, precision)| (amount, Some(precision)));
    let (months, days) = parts(amount)?;
    let day = if is_past {
        today.checked_sub_months(Months::new(months))?.checked_sub_days(Days::new(days))?
    } else {
        today.checked_add_months(Months::new(months))?.checked_add_days(Days::new(days))?
    };
    match precision {
        None => Some(day.to_string()),
        Some("y") => Some(format!("{:04}", day.year())),
        Some("m") => Some(format!("{:04}-{:02}", day.year(), day.month())),
        Some(time) => Some(format!("{day}T{}", time.strip_prefix('t')?)),
    }
}

/// `3y2m4d` as months and days.
fn parts(amount: &str) -> Option<(u32, u64)> {
    let (mut months, mut days, mut number) = (0_u32, 0_u64, String::new());
    for c in amount.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let n: u32 = number.parse().ok()?;
        number.clear();
        match c {
            'y' => months = months.checked_add(n.checked_mul(12)?)?,
            'm' => months = months.checked_add(n)?,
            'd' => days = days.checked_add(n.into())?,
            _ => return None,
        }
    }
    number.is_empty().then_some((months, days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_count_from_today() {
        let today = NaiveDate::from_ymd_opt(2026, 3, 31).unwrap();
        for (text, expected) in [
            ("@-8y8m7d", "2017-07-24"),
            ("@-1m", "2026-02-28"),
            ("@+3m", "2026-06-30"),
            ("@-16d", "2026-03-15"),
            ("@-7y:y", "2019"),
            ("@-3y2m:m", "2023-01"),
            ("@-1y1m2d:t02:30", "2025-02-26T02:30"),
        ] {
            assert_eq!(counted(text, today).as_deref(), Some(expected), "{text}");
        }
        for text in ["vogt", "@vogt", "@-", "@-3", "@-3x", "@-3y:q", ""] {
            assert!(counted(text, today).is_none() || text == "@-", "{text}");
        }
    }
}
