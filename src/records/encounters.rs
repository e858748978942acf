//! Encounters: visits to a doctor, a clinic, a hospital, in person or by telephone.

use super::{Entry, Group, NoChild, Record, choices::MOST_MINUTES, column, columns, head, link_column, statements};
use crate::{dates::PartialDate, db::types::choice, records::field::Field};

choice!(EncounterStatus { InProgress = "in_progress", Completed = "completed", Cancelled = "cancelled" });
choice!(EncounterPriority { Routine = "routine", Urgent = "urgent", Emergency = "emergency" });

columns! {
    Encounter in encounters {
        reason: String,
        date: PartialDate,
        visit_type: String,
        chief_complaint: String,
        history_present_illness: String,
        physical_examination: String,
        assessment: String,
        diagnosis: String,
        treatment_plan: String,
        discharge_instructions: String,
        follow_up_instructions: String,
        location: String,
        priority: EncounterPriority,
    } integers { duration_minutes }
}

impl Record for Encounter {
    const KIND: &'static str = "encounters";
    const GROUP: Group = Group::Care;
    const OCCURRED: &'static [&'static str] = &["date"];
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(reason).section("visit").required().list(),
        column!(date).section("visit").required().list(),
        column!(visit_type).section("visit").list(),
        head::practitioner().section("visit").list(),
        column!(location).section("visit").list(),
        column!(priority).section("visit"),
        head::status::<Self, EncounterStatus>().section("visit").preset("completed"),
        column!(duration_minutes).section("visit").range(0, MOST_MINUTES),
        column!(chief_complaint).section("findings").long(),
        column!(history_present_illness).section("findings").long(),
        column!(physical_examination).section("findings").long(),
        column!(assessment).section("findings").long(),
        column!(diagnosis).section("findings").long(),
        link_column!("condition_id", "conditions").section("findings"),
        column!(treatment_plan).section("plan").long(),
        column!(follow_up_instructions).section("plan").long(),
        column!(discharge_instructions).section("plan").long(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.reason.clone().unwrap_or_default()
    }
    statements!(encounters);
}
