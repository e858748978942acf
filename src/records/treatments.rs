//! Treatments: therapies and care plans that go on for a while.

use super::{Context, Entry, Group, NoChild, Record, column, columns, head, link_column, statements};
use crate::{
    dates::PartialDate,
    db::types::choice,
    records::field::{Errors, Field, FieldError, ask, refuse},
};

choice!(TreatmentStatus {
    Active = "active", InProgress = "in_progress", Completed = "completed", Cancelled = "cancelled", OnHold = "on_hold",
});

columns! {
    Treatment in treatments {
        treatment_name: String,
        treatment_type: String,
        start_date: PartialDate,
        end_date: PartialDate,
        treatment_category: String,
        frequency: String,
        outcome: String,
        description: String,
        location: String,
        dosage: String,
    }
}

impl Record for Treatment {
    const KIND: &'static str = "treatments";
    const GROUP: Group = Group::Care;
    const OCCURRED: &'static [&'static str] = &["start_date"];
    const ENDED: Option<&'static str> = Some("end_date");
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(treatment_name).required().list(),
        column!(treatment_type).required().list(),
        column!(start_date).required().list(),
        head::status::<Self, TreatmentStatus>().preset("active"),
        column!(end_date).list().future(),
        column!(frequency).list(),
        head::practitioner(),
        link_column!("condition_id", "conditions"),
        column!(description).long(),
        column!(outcome).long(),
        column!(dosage).more(),
        column!(location).more(),
        column!(treatment_category).more(),
        link_column!("visit_id", "encounters").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.treatment_name.clone().unwrap_or_default()
    }

    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        let status = entry.head.status.as_deref().and_then(TreatmentStatus::parse);
        let active = matches!(status, Some(TreatmentStatus::Active | TreatmentStatus::InProgress));
        if context.strict && active && entry.body.end_date.as_ref().is_some_and(|end| end.latest_day() < context.today) {
            ask(errors, "status", "error.active_yet_ended");
        }
        let completed = entry.head.status.as_deref() == Some(TreatmentStatus::Completed.as_str());
        match &entry.body.end_date {
            _ if !context.strict || !completed => {}
            None => ask(errors, "end_date", "error.completed_needs_end"),
            Some(end) if end.is_after_today(context.today) => refuse(errors, "end_date", FieldError::InTheFuture),
            Some(_) => {}
        }
    }
    statements!(treatments);
}

#[cfg(test)]
mod tests {
    use crate::records::testing::told;

    #[test]
    fn what_is_completed_has_ended() {
        let base = [("treatment_name", "Physiotherapy"), ("treatment_type", "therapy"), ("start_date", "2026-01")];
        let with = |more: &[(&str, &str)]| told("treatments", &[&base[..], more].concat(), &[]);
        assert_eq!(with(&[("status", "completed")]).wrong(), [("end_date", "error.completed_needs_end")]);
        assert_eq!(with(&[("status", "completed"), ("end_date", "2026-05")]).wrong(), [("end_date", "error.in_the_future")]);
        assert!(with(&[("status", "active"), ("end_date", "2026-05")]).errors.is_empty());
        assert_eq!(with(&[("status", "in_progress"), ("end_date", "2026-02")]).wrong(), [("status", "error.active_yet_ended")]);
        assert_eq!(with(&[("status", "completed"), ("end_date", "2025")]).wrong(), [("end_date", "error.end_before_start")]);
    }
}
