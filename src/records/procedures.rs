//! Procedures: operations and examinations, done or planned.

use super::{Context, Entry, Group, NoChild, Record, choices::MOST_MINUTES, column, columns, head, link_column, statements};
use crate::{
    dates::PartialDate,
    db::types::choice,
    records::field::{Errors, Field, refuse},
};

choice!(ProcedureStatus { Scheduled = "scheduled", InProgress = "in_progress", Completed = "completed", Cancelled = "cancelled" });

columns! {
    Procedure in procedures {
        procedure_name: String,
        procedure_type: String,
        procedure_code: String,
        date: PartialDate,
        description: String,
        facility: String,
        procedure_setting: String,
        procedure_complications: String,
        anesthesia_type: String,
        anesthesia_notes: String,
    } integers { procedure_duration }
}

impl Record for Procedure {
    const KIND: &'static str = "procedures";
    const GROUP: Group = Group::Care;
    const OCCURRED: &'static [&'static str] = &["date"];
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(procedure_name).required().list(),
        column!(procedure_type).list(),
        column!(date).required().list().future(),
        head::status::<Self, ProcedureStatus>().preset("completed"),
        head::practitioner().list(),
        column!(facility).list(),
        link_column!("condition_id", "conditions"),
        column!(description).long(),
        column!(procedure_complications).long(),
        column!(procedure_code).more(),
        column!(procedure_setting).more(),
        column!(procedure_duration).more().range(0, MOST_MINUTES),
        column!(anesthesia_type).more(),
        column!(anesthesia_notes).more().long(),
        link_column!("visit_id", "encounters").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.procedure_name.clone().unwrap_or_default()
    }

    /// Only what is planned lies ahead; a plan that was called off keeps its date.
    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        let status = entry.head.status.as_deref().and_then(ProcedureStatus::parse);
        let planned = matches!(status, Some(ProcedureStatus::Scheduled | ProcedureStatus::Cancelled));
        if context.strict && !planned && entry.body.date.as_ref().is_some_and(|date| date.is_after_today(context.today)) {
            refuse(errors, "date", "error.future_needs_scheduled");
        }
    }
    statements!(procedures);
}

#[cfg(test)]
mod tests {
    use crate::records::testing::told;

    #[test]
    fn only_a_plan_lies_ahead() {
        let on = |date, status| told("procedures", &[("procedure_name", "Cataract surgery"), ("date", date), ("status", status)], &[]);
        assert!(on("2026-06-02", "scheduled").errors.is_empty() && on("2026-06-02", "cancelled").errors.is_empty());
        assert_eq!(on("2026-06-02", "completed").wrong(), [("date", "error.future_needs_scheduled")]);
        assert!(on("2026", "completed").errors.is_empty(), "some time this year is not ahead for certain");
    }
}
