//! What a share says: how far it goes, for which part, from when until when. The same words stand in an invitation until it is accepted.

use chrono::{Days, NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use crate::{
    access::{AtLeast, Full, PatientAccess, Permission, Scope},
    auth::form::Form,
    dates::{PartialDate, Precision, Typing},
    page::Ui,
    records::field::{Errors, FieldError},
    tags::Tag,
};

/// The longest note, in characters.
pub const LONGEST_NOTE: usize = 500;

/// A share without the two people it ties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    #[serde(with = "permission")]
    pub permission: Permission,
    pub scope: Scope,
    /// UTC; nothing is seen before.
    pub starts_at: Option<NaiveDateTime>,
    /// UTC; nothing is seen from this moment on.
    pub expires_at: Option<NaiveDateTime>,
    pub note: Option<String>,
}

mod permission {
    use super::Permission;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(permission: &Permission, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(permission.as_str())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Permission, D::Error> {
        Permission::parse(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("no such permission"))
    }
}

impl Terms {
    /// Reads a form: `permission`, the names of [`super::sets`], `starts_on`, `ends_on` (days; the last one belongs to it) and `note`.
    pub fn read(form: &Form, tags: &[Tag], own: &Scope, typing: Typing, today: NaiveDate) -> Result<Self, Errors> {
        let mut errors = Errors::new();
        let mut refuse = |name: &str, error| errors.push((name.to_owned(), error));
        let permission = Permission::parse(&form.text("permission"));
        if permission.is_none() {
            refuse("permission", FieldError::UnknownChoice);
        }
        let mut day = |name: &str| match day(&form.text(name), typing) {
            Ok(day) => day,
            Err(error) => {
                refuse(name, error);
                None
            }
        };
        let (first, last) = (day("starts_on"), day("ends_on"));
        if last.is_some_and(|last| last < today) {
            refuse("ends_on", FieldError::Rule("error.share_already_over"));
        }
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            refuse("ends_on", FieldError::EndBeforeStart);
        }
        let note = note(&form.text("note")).unwrap_or_else(|error| {
            refuse("note", error);
            None
        });
        let scope = super::sets::read(&form.0, tags, own).unwrap_or_else(|wrong| {
            errors.extend(wrong);
            Scope::default()
        });
        match permission {
            Some(permission) if errors.is_empty() => {
                let starts_at = first.filter(|first| *first > today).map(|first| first.and_time(chrono::NaiveTime::MIN));
                let expires_at = last.and_then(end_of);
                Ok(Self { permission, scope, starts_at, expires_at, note })
            }
            _ => Err(errors),
        }
    }

    /// Nobody gives on more than they have: neither a wider part nor a longer time.
    pub fn check<L: AtLeast<Full>>(&self, access: &PatientAccess<L>) -> Result<(), Errors> {
        let mut errors = Errors::new();
        if !self.scope.is_within(access.scope()) {
            errors.push(("set".to_owned(), FieldError::Rule("error.wider_than_own")));
        }
        if let Some(own) = access.until
            && self.expires_at.is_none_or(|until| until > own)
        {
            errors.push(("ends_on".to_owned(), FieldError::Rule("error.longer_than_own")));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The last day, as a form and a sentence tell it.
    pub fn last_day(&self) -> Option<NaiveDate> {
        last_day(self.expires_at)
    }

    /// "May see: emergency; from 1 May 2026 until 3 May 2026".
    pub fn words(&self, ui: &Ui, tags: &[Tag]) -> String {
        let mut parts = vec![ui.choice("Permission", self.permission.as_str()), super::sets::words(ui, &self.scope, tags)];
        if let Some(from) = self.starts_at {
            parts.push(ui.t1("share.from", "date", ui.day(&from.date().to_string())));
        }
        parts.push(match self.last_day() {
            Some(day) => ui.t1("share.until", "date", ui.day(&day.to_string())),
            None => ui.t("share.no_end"),
        });
        parts.join(" · ")
    }
}

/// The midnight after a day: the day itself belongs to what ends with it.
pub fn end_of(day: NaiveDate) -> Option<NaiveDateTime> {
    day.checked_add_days(Days::new(1)).map(|end| end.and_time(chrono::NaiveTime::MIN))
}

pub fn last_day(expires_at: Option<NaiveDateTime>) -> Option<NaiveDate> {
    expires_at.map(|end| (end - chrono::Duration::microseconds(1)).date())
}

/// One whole day; a month or a year alone is no answer to "until when".
pub fn day(text: &str, typing: Typing) -> Result<Option<NaiveDate>, FieldError> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = PartialDate::parse_typed(text, typing)?;
    if date.precision() < Precision::Day {
        return Err(FieldError::Rule("error.day_wanted"));
    }
    Ok(Some(date.earliest_day()))
}

/// A short text that a person adds, or nothing.
pub fn note(text: &str) -> Result<Option<String>, FieldError> {
    let length = text.chars().count();
    if length > LONGEST_NOTE {
        return Err(FieldError::TooLong { max: LONGEST_NOTE, is: length });
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(FieldError::ControlCharacters);
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
