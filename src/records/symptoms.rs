//! Symptoms: what somebody feels again and again, with each time it came.

use super::{Child, Context, Entry, Group, Record, child_column, choices::Severity, column, columns, head, link_column, statements};
use crate::{
    dates::{PartialDate, end_before_start},
    db::types::choice,
    records::field::{Errors, Field, FieldError, refuse},
};

choice!(SymptomStatus { Active = "active", Resolved = "resolved", Recurring = "recurring" });

columns! {
    Symptom in symptoms {
        symptom_name: String,
        category: String,
        first_occurrence_date: PartialDate,
        last_occurrence_date: PartialDate,
        resolved_date: PartialDate,
        typical_triggers: String,
    } flags { is_chronic }
}

columns! {
    /// One time the symptom came, told as well as it is remembered.
    child SymptomOccurrence in symptom_occurrences {
        occurrence_date: PartialDate,
        severity: Severity,
        duration: String,
        body_location: String,
        triggers: String,
        relief_methods: String,
        associated_symptoms: String,
        impact: String,
        resolved_date: PartialDate,
        notes: String,
    } integers { pain_scale }
}

impl Record for Symptom {
    const KIND: &'static str = "symptoms";
    const GROUP: Group = Group::Health;
    const OCCURRED: &'static [&'static str] = &["first_occurrence_date"];
    const ENDED: Option<&'static str> = Some("resolved_date");
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(symptom_name).required().list(),
        column!(category).list(),
        head::status::<Self, SymptomStatus>().preset("active"),
        column!(first_occurrence_date).list(),
        column!(last_occurrence_date).list(),
        column!(resolved_date),
        column!(typical_triggers).long(),
        column!(is_chronic).more(),
        head::practitioner().more(),
        link_column!("visit_id", "encounters").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = SymptomOccurrence;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.symptom_name.clone().unwrap_or_default()
    }

    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        entry.widen_to_occurrences();
        if !context.strict {
            return;
        }
        let body = &entry.body;
        if let (Some(first), Some(last)) = (&body.first_occurrence_date, &body.last_occurrence_date)
            && end_before_start(first, last)
        {
            refuse(errors, "last_occurrence_date", "error.last_before_first");
        }
        if body.resolved_date.is_some() && entry.head.status.as_deref() == Some(SymptomStatus::Active.as_str()) {
            refuse(errors, "resolved_date", "error.resolved_but_active");
        }
    }
    statements!(symptoms);
}

impl Entry<Symptom> {
    /// First and last time follow from the occurrences where nobody told them, or where an occurrence certainly lies outside.
    fn widen_to_occurrences(&mut self) {
        let dates = || self.children.iter().filter_map(|occurrence| occurrence.occurrence_date.as_ref());
        let (earliest, latest) = (dates().min().cloned(), dates().max().cloned());
        let body = &mut self.body;
        if let Some(earliest) = earliest
            && body.first_occurrence_date.as_ref().is_none_or(|first| end_before_start(first, &earliest))
        {
            body.first_occurrence_date = Some(earliest);
        }
        if let Some(latest) = latest
            && body.last_occurrence_date.as_ref().is_none_or(|last| end_before_start(&latest, last))
        {
            body.last_occurrence_date = Some(latest);
        }
    }
}

impl Child for SymptomOccurrence {
    const NAME: &'static str = "occurrences";
    const FIELDS: &'static [Field<Self>] = &[
        child_column!(occurrence_date).required().list(),
        child_column!(severity).list(),
        child_column!(pain_scale).list().range(0, 10),
        child_column!(duration).list(),
        child_column!(body_location).list(),
        child_column!(triggers).more(),
        child_column!(relief_methods).more(),
        child_column!(associated_symptoms).more(),
        child_column!(impact).more(),
        child_column!(resolved_date).more(),
        child_column!(notes).more().long(),
    ];

    fn settle(&mut self, context: &Context<'_>, errors: &mut Vec<(&'static str, FieldError)>) {
        if let (Some(start), Some(end)) = (&self.occurrence_date, &self.resolved_date)
            && context.strict
            && end_before_start(start, end)
        {
            errors.push(("resolved_date", FieldError::EndBeforeStart));
        }
    }
    statements!(child symptom_occurrences);
}

#[cfg(test)]
mod tests {
    use crate::records::testing::told;

    #[test]
    fn first_and_last_follow_from_the_occurrences() {
        let rows: [&[(&str, &str)]; 3] =
            [&[("occurrence_date", "2025-11-02")], &[("occurrence_date", "2024-07")], &[("occurrence_date", "2026-01-05T08:00")]];
        let plain = told("symptoms", &[("symptom_name", "Migraine")], &rows);
        assert_eq!(plain.value("first_occurrence_date").as_deref(), Some("2024-07"));
        assert_eq!(plain.value("last_occurrence_date").as_deref(), Some("2026-01-05T08:00"));
        let said =
            told("symptoms", &[("symptom_name", "Migraine"), ("first_occurrence_date", "2012"), ("last_occurrence_date", "2025")], &rows);
        assert_eq!(said.value("first_occurrence_date").as_deref(), Some("2012"));
        assert_eq!(said.value("last_occurrence_date").as_deref(), Some("2026-01-05T08:00"), "it came again since");
        assert_eq!((plain.wrong(), said.wrong()), (vec![], vec![]));
    }

    #[test]
    fn dates_follow_each_other() {
        let upside_down =
            [("symptom_name", "Cough"), ("first_occurrence_date", "2025"), ("last_occurrence_date", "2024"), ("resolved_date", "2026")];
        let wrong = told("symptoms", &[&upside_down[..], &[("status", "active")]].concat(), &[]);
        assert_eq!(wrong.wrong(), [("last_occurrence_date", "error.last_before_first"), ("resolved_date", "error.resolved_but_active")]);
        let attack = told(
            "symptoms",
            &[("symptom_name", "Cough")],
            &[&[("occurrence_date", "2026-02-02"), ("resolved_date", "2026-02-01"), ("pain_scale", "11")]],
        );
        assert_eq!(
            attack.wrong(),
            [("occurrences.0.pain_scale", "error.out_of_range"), ("occurrences.0.resolved_date", "error.end_before_start")]
        );
    }
}
