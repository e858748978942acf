//! Family members: relatives and what they had, for what runs in the family.

use super::{Brief, Child, Context, Entry, Group, Record, child_column, choices::Severity, column, columns, head, link_column, statements};
use crate::{
    db::types::{PatientId, choice},
    patients::Gender,
    records::field::{Errors, Field, FieldError, refuse},
};
use chrono::Datelike;

choice!(FamilyRelationship {
    Father = "father", Mother = "mother", Brother = "brother", Sister = "sister",
    PaternalGrandfather = "paternal_grandfather", PaternalGrandmother = "paternal_grandmother",
    MaternalGrandfather = "maternal_grandfather", MaternalGrandmother = "maternal_grandmother",
    Uncle = "uncle", Aunt = "aunt", Cousin = "cousin", Other = "other",
    Son = "son", Daughter = "daughter", HalfBrother = "half_brother", HalfSister = "half_sister",
    Niece = "niece", Nephew = "nephew", Grandson = "grandson", Granddaughter = "granddaughter",
});
choice!(FamilySide { Maternal = "maternal", Paternal = "paternal", Both = "both", Unknown = "unknown" });
choice!(ConditionType {
    Cardiovascular = "cardiovascular", Diabetes = "diabetes", Cancer = "cancer", MentalHealth = "mental_health",
    Neurological = "neurological", Autoimmune = "autoimmune", Genetic = "genetic", Respiratory = "respiratory",
    Endocrine = "endocrine", Other = "other",
});
choice!(FamilyConditionStatus { Active = "active", Resolved = "resolved", Chronic = "chronic" });

columns! {
    FamilyMember in family_members {
        name: String,
        relationship: FamilyRelationship,
        side: FamilySide,
        gender: Gender,
        linked_patient_id: PatientId,
    } integers { birth_year, death_year } flags { is_deceased, is_adopted }
}

columns! {
    /// What a relative had, and how old they were when it was found.
    child FamilyCondition in family_conditions {
        condition_name: String,
        severity: Severity,
        status: FamilyConditionStatus,
        condition_type: ConditionType,
        icd10_code: String,
        notes: String,
    } integers { diagnosis_age }
}

impl Record for FamilyMember {
    const KIND: &'static str = "family-members";
    const GROUP: Group = Group::People;
    const OCCURRED: &'static [&'static str] = &[];
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(name).required().or_name_of("linked_patient_id").list(),
        column!(relationship).required().list(),
        column!(side),
        column!(gender),
        column!(birth_year).list().range(1600, 2200),
        column!(death_year).list().range(1600, 2200),
        column!(is_deceased).default("false"),
        column!(is_adopted).more(),
        link_column!("father_id", "family-members").more(),
        link_column!("mother_id", "family-members").more(),
        column!(linked_patient_id).more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = FamilyCondition;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.name.clone().unwrap_or_default()
    }

    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        let body = &mut entry.body;
        if body.death_year.is_some() {
            body.is_deceased = Some(true);
        }
        if !context.strict {
            return;
        }
        let this_year = context.today.year();
        for (name, year) in [("birth_year", body.birth_year), ("death_year", body.death_year)] {
            if year.is_some_and(|year| year > this_year) {
                refuse(errors, name, FieldError::InTheFuture);
            }
        }
        if let (Some(birth), Some(death)) = (body.birth_year, body.death_year)
            && death < birth
        {
            refuse(errors, "death_year", "error.death_before_birth");
        }
        if let (Some(father), Some(mother)) = (entry.head.links.get("father_id"), entry.head.links.get("mother_id"))
            && father == mother
        {
            refuse(errors, "mother_id", "error.one_person_both_parents");
        }
        entry.refuse_ages_beyond_life(this_year, errors);
    }
    statements!(family_members);
}

impl Entry<FamilyMember> {
    /// Nobody is diagnosed after their death, or at an age they have not reached.
    fn refuse_ages_beyond_life(&self, this_year: i32, errors: &mut Errors) {
        let Some(birth) = self.body.birth_year else { return };
        let oldest = self.body.death_year.unwrap_or(this_year).saturating_sub(birth);
        for (row, condition) in self.children.iter().enumerate() {
            if oldest >= 0 && condition.diagnosis_age.is_some_and(|age| age > oldest) {
                refuse(errors, &format!("{}.{row}.diagnosis_age", FamilyCondition::NAME), "error.age_beyond_life");
            }
        }
    }
}

impl Child for FamilyCondition {
    const NAME: &'static str = "family_conditions";
    const BRIEF: Option<Brief> = Some(Brief { value: "condition_name", unit: None, flag: None });
    const FIELDS: &'static [Field<Self>] = &[
        child_column!(condition_name).required().list(),
        child_column!(condition_type).list(),
        child_column!(diagnosis_age).list().range(0, 130),
        child_column!(severity).list(),
        child_column!(status).list(),
        child_column!(icd10_code).more(),
        child_column!(notes).more().long(),
    ];
    statements!(child family_conditions);
}

#[cfg(test)]
mod tests {
    use crate::records::testing::told;

    const MOTHER: [(&str, &str); 2] = [("name", "Ngozi"), ("relationship", "mother")];

    #[test]
    fn who_has_a_year_of_death_is_deceased() {
        let with = |more: &[(&str, &str)]| told("family-members", &[&MOTHER[..], more].concat(), &[]);
        assert_eq!(with(&[("death_year", "2011"), ("is_deceased", "false")]).value("is_deceased").as_deref(), Some("true"));
        assert_eq!(with(&[("birth_year", "1940")]).value("is_deceased"), None);
        assert_eq!(with(&[("birth_year", "1940"), ("death_year", "1939")]).wrong(), [("death_year", "error.death_before_birth")]);
        assert_eq!(with(&[("birth_year", "2027")]).wrong(), [("birth_year", "error.in_the_future")]);
    }

    #[test]
    fn nobody_is_diagnosed_after_their_death() {
        let aged = |age| {
            let life = [("birth_year", "1940"), ("death_year", "2001")];
            told("family-members", &[&MOTHER[..], &life].concat(), &[&[("condition_name", "Stroke"), ("diagnosis_age", age)]])
        };
        assert_eq!(aged("62").wrong(), [("family_conditions.0.diagnosis_age", "error.age_beyond_life")]);
        assert!(aged("61").errors.is_empty());
    }

    #[test]
    fn father_and_mother_are_two_people() {
        let parents = told("family-members", &[&MOTHER[..], &[("father_id", "r1"), ("mother_id", "r1")]].concat(), &[]);
        assert_eq!(parents.wrong(), [("mother_id", "error.one_person_both_parents")]);
    }
}
