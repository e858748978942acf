//! Emergency contacts: whom to call.

use super::{Entry, Group, NoChild, Record, column, columns, head, statements};
use crate::records::field::{Field, Input};

columns! {
    EmergencyContact in emergency_contacts {
        name: String,
        relationship: String,
        phone_number: String,
        secondary_phone: String,
        email: String,
        address: String,
    } flags { is_primary, is_active }
}

impl Record for EmergencyContact {
    const KIND: &'static str = "emergency-contacts";
    const GROUP: Group = Group::People;
    const OCCURRED: &'static [&'static str] = &[];
    const EXCLUSIVE: Option<(&'static str, Option<&'static str>)> = Some(("is_primary", None));
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(name).required().list(),
        column!(relationship).required().list(),
        column!(phone_number).required().list().input(Input::Phone),
        column!(secondary_phone).input(Input::Phone),
        column!(email).list().input(Input::Email),
        column!(is_primary).list().default("false"),
        column!(address).more().long(),
        column!(is_active).more().default("true"),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.name.clone().unwrap_or_default()
    }
    statements!(emergency_contacts);
}
