//! Medications: what a person takes or took, prescribed or not.

use super::{Entry, Group, NoChild, Record, column, columns, head, link_column, statements};
use crate::{
    codes::List,
    dates::PartialDate,
    db::types::{PharmacyId, choice},
    records::field::Field,
};

choice!(MedicationStatus { Active = "active", Stopped = "stopped", OnHold = "on-hold", Completed = "completed", Cancelled = "cancelled" });
choice!(MedicationType { Prescription = "prescription", Otc = "otc", Supplement = "supplement", Herbal = "herbal" });

columns! {
    /// One medication; a changed dose is a new version, a new prescription of it a new record.
    Medication in medications {
        medication_name: String,
        medication_type: MedicationType,
        alternative_name: String,
        dosage: String,
        frequency: String,
        route: String,
        indication: String,
        side_effects: String,
        effective_period_start: PartialDate,
        effective_period_end: PartialDate,
        pharmacy_id: PharmacyId,
    }
}

impl Record for Medication {
    const KIND: &'static str = "medications";
    const GROUP: Group = Group::Health;
    const OCCURRED: &'static [&'static str] = &["effective_period_start"];
    const ENDED: Option<&'static str> = Some("effective_period_end");
    const NONE_KNOWN: bool = true;
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(medication_name).required().list().offers(List::Medicines),
        column!(medication_type).preset("prescription"),
        column!(dosage).list(),
        column!(frequency).list(),
        column!(route),
        column!(indication).list(),
        head::practitioner(),
        column!(effective_period_start).list(),
        column!(effective_period_end),
        head::status::<Self, MedicationStatus>().preset("active"),
        column!(alternative_name).more(),
        column!(side_effects).more().long(),
        column!(pharmacy_id).more(),
        link_column!("visit_id", "encounters").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.medication_name.clone().unwrap_or_default()
    }
    statements!(medications);
}
