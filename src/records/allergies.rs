//! Allergies and intolerances: what must never be given again, and what happened.

use super::{Entry, Group, NoChild, Record, choices::Severity, column, columns, head, link_column, statements};
use crate::{codes::List, dates::PartialDate, db::types::choice, records::field::Field};

choice!(AllergyStatus { Active = "active", Inactive = "inactive", Resolved = "resolved", Unconfirmed = "unconfirmed" });

columns! {
    Allergy in allergies {
        allergen: String,
        reaction: String,
        severity: Severity,
        onset_date: PartialDate,
    }
}

impl Record for Allergy {
    const KIND: &'static str = "allergies";
    const GROUP: Group = Group::Health;
    const OCCURRED: &'static [&'static str] = &["onset_date"];
    const NONE_KNOWN: bool = true;
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(allergen).required().list().offers(List::Allergens),
        column!(severity).list(),
        column!(reaction).required().list(),
        column!(onset_date).list(),
        head::status::<Self, AllergyStatus>().preset("active"),
        link_column!("medication_id", "medications").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.allergen.clone().unwrap_or_default()
    }
    statements!(allergies);
}
