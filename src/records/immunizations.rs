//! Immunizations: a dose of a vaccine, with what a recall asks for.

use super::{Context, Entry, Group, NoChild, Record, column, columns, head, link_column, statements};
use crate::{
    dates::{PartialDate, end_before_start},
    records::field::{Errors, Field, ask},
};

columns! {
    Immunization in immunizations {
        vaccine_name: String,
        vaccine_trade_name: String,
        date_administered: PartialDate,
        ndc_number: String,
        lot_number: String,
        manufacturer: String,
        site: String,
        route: String,
        expiration_date: PartialDate,
        location: String,
    } integers { dose_number }
}

impl Record for Immunization {
    const KIND: &'static str = "immunizations";
    const GROUP: Group = Group::Care;
    const OCCURRED: &'static [&'static str] = &["date_administered"];
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(vaccine_name).required().list(),
        column!(date_administered).required().list(),
        column!(dose_number).list().range(0, 9_999),
        column!(lot_number).list(),
        column!(expiration_date).future(),
        column!(location).list(),
        head::practitioner(),
        column!(vaccine_trade_name).more(),
        column!(manufacturer).more(),
        column!(ndc_number).more(),
        column!(site).more(),
        column!(route).more(),
        link_column!("visit_id", "encounters").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.vaccine_name.clone().unwrap_or_default()
    }

    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        if let (Some(given), Some(expiry)) = (&entry.body.date_administered, &entry.body.expiration_date)
            && context.strict
            && end_before_start(given, expiry)
        {
            ask(errors, "expiration_date", "error.vaccine_expired");
        }
    }
    statements!(immunizations);
}

#[cfg(test)]
mod tests {
    use crate::records::testing::told;

    #[test]
    fn a_vaccine_is_given_before_it_expires() {
        let given = |expiry| {
            told("immunizations", &[("vaccine_name", "MMR"), ("date_administered", "2026-03-02"), ("expiration_date", expiry)], &[])
        };
        assert_eq!(given("2026-02").wrong(), [("expiration_date", "error.vaccine_expired")]);
        assert!(given("2026-03").errors.is_empty() && given("2027-01-31").errors.is_empty());
    }
}
