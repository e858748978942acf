use proptest::prelude::*;

use super::*;

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
    let french = ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"];
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
