//! Conditions: what a person has or had, in their own word and as it was diagnosed.

use super::{Context, Entry, Group, NoChild, Record, choices::Severity, column, columns, head, link_column, statements};
use crate::{
    codes::List,
    dates::PartialDate,
    db::types::choice,
    records::field::{Errors, Field, refuse},
};

choice!(ConditionStatus {
    Active = "active", Inactive = "inactive", Resolved = "resolved", Chronic = "chronic", Recurrence = "recurrence", Relapse = "relapse",
});

columns! {
    Condition in conditions {
        condition_name: String,
        diagnosis: String,
        onset_date: PartialDate,
        end_date: PartialDate,
        severity: Severity,
        icd10_code: String,
        snomed_code: String,
        code_description: String,
    }
}

impl Record for Condition {
    const KIND: &'static str = "conditions";
    const GROUP: Group = Group::Health;
    const OCCURRED: &'static [&'static str] = &["onset_date"];
    const ENDED: Option<&'static str> = Some("end_date");
    const NONE_KNOWN: bool = true;
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(diagnosis).required().list().offers(List::Icd10),
        column!(condition_name),
        column!(severity).list(),
        column!(onset_date).list(),
        head::status::<Self, ConditionStatus>().required().preset("active"),
        column!(end_date).list(),
        head::practitioner(),
        column!(icd10_code).more(),
        column!(snomed_code).more(),
        column!(code_description).more(),
        link_column!("medication_id", "medications").more(),
        link_column!("visit_id", "encounters").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    /// The everyday name before the formal one.
    fn title(entry: &Entry<Self>) -> String {
        entry.body.condition_name.as_ref().or(entry.body.diagnosis.as_ref()).cloned().unwrap_or_default()
    }

    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        let resolved = entry.head.status.as_deref() == Some(ConditionStatus::Resolved.as_str());
        if context.strict && entry.body.end_date.is_some() && !resolved {
            refuse(errors, "end_date", "error.end_needs_resolved");
        }
    }
    statements!(conditions);
}
