//! Observations: what was asked, seen or counted and is neither a vital sign nor a laboratory test (smoking, work, a score, steps).

use super::{Entry, Group, NoChild, Record, column, columns, head, link_column, statements};
use crate::{
    dates::PartialDate,
    db::types::choice,
    records::field::{Field, Input, Measure, Unit},
};

choice!(ObservationCategory {
    SocialHistory = "social_history", Survey = "survey", Exam = "exam", Activity = "activity", Therapy = "therapy",
    Imaging = "imaging", Procedure = "procedure", Other = "other",
});

columns! {
    Observation in observations {
        observation_name: String,
        category: ObservationCategory,
        observed_on: PartialDate,
        value: String,
        value_unit: String,
        code: String,
    }
}

impl Record for Observation {
    const KIND: &'static str = "observations";
    const GROUP: Group = Group::Results;
    const OCCURRED: &'static [&'static str] = &["observed_on"];
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(observation_name).required().list(),
        column!(category).list(),
        column!(value).list().long().input(Input::Measured(Measure::any(Unit::Free("value_unit")))),
        column!(value_unit),
        column!(observed_on).list(),
        head::practitioner().more(),
        column!(code).more(),
        link_column!("visit_id", "encounters").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.observation_name.clone().unwrap_or_default()
    }
    statements!(observations);
}

#[cfg(test)]
mod tests {
    use crate::{
        i18n::DateStyle,
        records::{field::Mode, testing::told},
    };

    #[test]
    fn answers_are_words_or_numbers() {
        let mut steps = told("observations", &[("observation_name", "Steps"), ("value", "about eight\nthousand")], &[]);
        assert_eq!((steps.wrong(), steps.value("value").as_deref()), (vec![], Some("about eight\nthousand")));
        let (index, _) = steps.kind.field("value").unwrap();
        let typed = Mode::Typed(DateStyle::Locale.typing(chrono::NaiveDate::default()));
        assert!(steps.entry.set(index, "7,5", typed).is_ok());
        assert_eq!(steps.value("value").as_deref(), Some("7.5"));
        assert!(steps.entry.set(index, "8,000", typed).is_err(), "eight or eight thousand?");
    }
}
