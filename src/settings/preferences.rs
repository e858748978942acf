//! Units, language, dates, and how long a session may rest.

use chrono::NaiveDateTime;
use diesel::prelude::*;

use crate::{
    access::Actor,
    audit::{Action, Event},
    db::{Conn, Tx, schema::user_preferences, types::UserId},
    error::Result,
    i18n::DateStyle,
    records::field::{Errors, FieldError},
};

pub const UNITS: &[&str] = &["imperial", "metric"];
pub const LANGUAGES: &[&str] = &["en"];
pub const DATES: &[&str] = DateStyle::WORDS;
/// Minutes without a click after which a session ends.
const TIMEOUT: std::ops::RangeInclusive<i32> = 5..=1440;

/// The values as a form has them.
#[derive(Clone, Debug)]
pub struct Preferences {
    pub unit_system: String,
    pub timeout: String,
    pub language: String,
    pub date_format: String,
}

impl Preferences {
    fn minutes(&self) -> Option<i32> {
        self.timeout.parse().ok().filter(|minutes| TIMEOUT.contains(minutes))
    }

    pub fn check(&self) -> Errors {
        let mut errors = Errors::new();
        for (name, value, words) in
            [("unit_system", &self.unit_system, UNITS), ("language", &self.language, LANGUAGES), ("date_format", &self.date_format, DATES)]
        {
            if !words.contains(&value.as_str()) {
                errors.push((name.to_owned(), FieldError::UnknownChoice));
            }
        }
        if self.minutes().is_none() {
            errors.push(("session_timeout_minutes".to_owned(), FieldError::Rule("error.session_minutes")));
        }
        errors
    }
}

pub fn of(conn: &mut Conn, user: &UserId) -> Result<Preferences> {
    let row: Option<(String, i32, String, String)> = user_preferences::table
        .find(user)
        .select((
            user_preferences::unit_system,
            user_preferences::session_timeout_minutes,
            user_preferences::language,
            user_preferences::date_format,
        ))
        .first(conn)
        .optional()?;
    let (unit_system, minutes, language, date_format) = row.unwrap_or_else(|| ("imperial".into(), 30, "en".into(), "locale".into()));
    Ok(Preferences { unit_system, timeout: minutes.to_string(), language, date_format })
}

/// Saves what [`Preferences::check`] found nothing wrong with.
pub fn save(tx: &mut Tx<'_>, actor: &Actor, wanted: &Preferences, now: NaiveDateTime) -> Result<()> {
    let values = (
        user_preferences::unit_system.eq(&wanted.unit_system),
        user_preferences::session_timeout_minutes.eq(wanted.minutes().unwrap_or(30)),
        user_preferences::language.eq(&wanted.language),
        user_preferences::date_format.eq(&wanted.date_format),
        user_preferences::updated_at.eq(now),
    );
    let changed = diesel::update(user_preferences::table.find(&actor.user)).set(values).execute(&mut **tx)?;
    if changed == 0 {
        diesel::insert_into(user_preferences::table)
            .values((user_preferences::user_id.eq(&actor.user), user_preferences::created_at.eq(now), values))
            .execute(&mut **tx)?;
    }
    Event::new(actor, Action::AccountChanged, now).write(tx)?;
    Ok(())
}
