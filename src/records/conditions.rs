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

#[cfg(test)]
mod tests {
    use crate::records::testing::{changed, imported, told};

    #[test]
    fn an_end_belongs_to_what_is_resolved() {
        let base = [("diagnosis", "Asthma"), ("onset_date", "2019"), ("end_date", "2021-06")];
        for (status, wrong) in
            [("resolved", None), ("active", Some("error.end_needs_resolved")), ("relapse", Some("error.end_needs_resolved"))]
        {
            let fields = [&base[..], &[("status", status)]].concat();
            assert_eq!(told("conditions", &fields, &[]).error("end_date").map(|e| e.message().0), wrong, "{status}");
            assert!(imported("conditions", &fields, &[]).errors.is_empty());
        }
    }

    #[test]
    fn what_was_told_so_can_still_be_edited() {
        let before = imported("conditions", &[("diagnosis", "Asthma"), ("end_date", "2021"), ("status", "inactive")], &[]);
        assert_eq!(changed("conditions", &before, &[("notes", "childhood")]).wrong(), []);
        let resolved = told("conditions", &[("diagnosis", "Asthma"), ("end_date", "2021"), ("status", "resolved")], &[]);
        assert_eq!(changed("conditions", &resolved, &[("status", "active")]).wrong(), [("end_date", "error.end_needs_resolved")]);
    }

    #[test]
    fn the_everyday_name_is_the_title() {
        let mut fields = vec![("diagnosis", "Essential (primary) hypertension"), ("status", "chronic")];
        assert_eq!(told("conditions", &fields, &[]).entry.title(), "Essential (primary) hypertension");
        fields.push(("condition_name", "High blood pressure"));
        assert_eq!(told("conditions", &fields, &[]).entry.title(), "High blood pressure");
    }
}
