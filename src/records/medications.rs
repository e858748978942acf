//! Medications: what a person takes or took, prescribed or not.

use super::{Context, Entry, Group, NoChild, Record, column, columns, head, link_column, statements};
use crate::{
    codes::List,
    dates::PartialDate,
    db::types::{PharmacyId, choice},
    records::field::{Errors, Field, FieldError, ask, refuse},
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
    const JOINED_BY_CODE: bool = true;
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(medication_name).required().list().offers(List::Medicines),
        column!(medication_type).preset("prescription"),
        column!(dosage).list(),
        column!(frequency).list(),
        column!(route),
        column!(indication).list(),
        head::practitioner(),
        column!(effective_period_start).list(),
        column!(effective_period_end).future(),
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

    /// A course may be planned to its last day, but what is over did not end tomorrow.
    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        let status = entry.head.status.as_deref().and_then(MedicationStatus::parse);
        let over = matches!(status, Some(MedicationStatus::Stopped | MedicationStatus::Completed));
        if context.strict && over && entry.body.effective_period_end.as_ref().is_some_and(|end| end.is_after_today(context.today)) {
            refuse(errors, "effective_period_end", FieldError::InTheFuture);
        }
        let active = status == Some(MedicationStatus::Active);
        if context.strict && active && entry.body.effective_period_end.as_ref().is_some_and(|end| end.latest_day() < context.today) {
            ask(errors, "status", "error.active_yet_ended");
        }
    }
    statements!(medications);
}

#[cfg(test)]
mod tests {
    use crate::records::testing::told;

    #[test]
    fn a_course_may_end_tomorrow_but_what_is_over_did_not() {
        let until = |status| {
            told("medications", &[("medication_name", "Amoxicillin"), ("effective_period_end", "2026-03-20"), ("status", status)], &[])
        };
        assert!(until("active").errors.is_empty());
        assert_eq!(until("completed").wrong(), [("effective_period_end", "error.in_the_future")]);
        let ended = |end, status| {
            told("medications", &[("medication_name", "Amoxicillin"), ("effective_period_end", end), ("status", status)], &[])
        };
        assert_eq!(ended("2026-03-13", "active").wrong(), [("status", "error.active_yet_ended")]);
        assert!(ended("2026-03-14", "active").errors.is_empty() && ended("2026", "active").errors.is_empty());
        assert!(ended("2026-03-13", "stopped").errors.is_empty());
    }
}
