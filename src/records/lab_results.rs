//! Lab results: a test or panel as ordered and reported, with its components.

use super::{Child, Context, Entry, Group, Record, child_column, column, columns, head, link_column, statements};
use crate::{
    dates::PartialDate,
    db::types::choice,
    measured::{Comparator, Measured},
    records::field::{Errors, Field, FieldError, Input, Measure, Unit},
};

choice!(LabResultStatus { Ordered = "ordered", InProgress = "in_progress", Completed = "completed", Cancelled = "cancelled" });
choice!(ResultType { Quantitative = "quantitative", Qualitative = "qualitative", Textual = "textual" });
choice!(
    /// Against the reference range. `critical` is accepted for sources that do not say on which side.
    ComponentStatus {
        Normal = "normal", Low = "low", High = "high", CriticalLow = "critical_low", CriticalHigh = "critical_high",
        Abnormal = "abnormal", Critical = "critical",
    }
);

columns! {
    LabResult in lab_results {
        test_name: String,
        test_code: String,
        test_category: String,
        test_type: String,
        facility: String,
        labs_result: String,
        ordered_date: PartialDate,
        completed_date: PartialDate,
    } flags { is_panel }
}

columns! {
    /// One value of a result, as reported: the value keeps its digits and its comparator.
    child LabComponent in lab_test_components {
        test_name: String,
        abbreviation: String,
        test_code: String,
        result_type: ResultType,
        value: String,
        unit: String,
        ref_range_min: Measured,
        ref_range_max: Measured,
        ref_range_text: String,
        status: ComponentStatus,
        category: String,
        notes: String,
    }
}

impl Record for LabResult {
    const KIND: &'static str = "lab-results";
    const GROUP: Group = Group::Results;
    const OCCURRED: &'static [&'static str] = &["completed_date", "ordered_date"];
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(test_name).required().list(),
        column!(test_category).list(),
        column!(ordered_date),
        column!(completed_date).list(),
        head::status::<Self, LabResultStatus>().preset("completed"),
        column!(labs_result).list().long(),
        head::practitioner(),
        column!(facility).more(),
        column!(test_code).more(),
        column!(test_type).more(),
        column!(is_panel).more(),
        link_column!("visit_id", "encounters").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = LabComponent;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.test_name.clone().unwrap_or_default()
    }

    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        let done = entry.head.status.as_deref() == Some(LabResultStatus::Completed.as_str());
        if context.strict && done && entry.body.completed_date.is_none() {
            errors.push(("completed_date".to_owned(), FieldError::Rule("error.completed_needs_date")));
        }
        if entry.children.len() > 1 && entry.body.is_panel.is_none() {
            entry.body.is_panel = Some(true);
        }
    }
    statements!(lab_results);
}

const ANY: Input = Input::Measured(Measure::any(Unit::Free("unit")));

impl Child for LabComponent {
    const NAME: &'static str = "components";
    const FIELDS: &'static [Field<Self>] = &[
        child_column!(test_name).required().list(),
        child_column!(value).list().long().input(ANY),
        child_column!(unit).list(),
        child_column!(ref_range_min).input(ANY),
        child_column!(ref_range_max).input(ANY),
        child_column!(ref_range_text).more(),
        child_column!(status).list().more(),
        child_column!(result_type).more(),
        child_column!(abbreviation).more(),
        child_column!(test_code).more(),
        child_column!(category).more(),
        child_column!(notes).more().long(),
    ];

    fn settle(&mut self, _: &Context<'_>, errors: &mut Vec<(&'static str, FieldError)>) {
        if let (Some(low), Some(high)) = (number(self.ref_range_min.as_ref()), number(self.ref_range_max.as_ref()))
            && low > high
        {
            errors.push(("ref_range_max", FieldError::Rule("error.range_upside_down")));
        }
        if self.result_type.is_none()
            && let Some(value) = &self.value
        {
            self.result_type = Some(result_type(value));
        }
        if self.status.is_none() {
            self.status = self.computed_status();
        }
    }
    statements!(child lab_test_components);
}

fn number(value: Option<&Measured>) -> Option<f64> {
    value.and_then(Measured::number)
}

/// Numbers are quantitative, a few words qualitative, everything longer a text.
fn result_type(value: &str) -> ResultType {
    if Measured::parse_strict(value).is_ok() {
        ResultType::Quantitative
    } else if value.chars().count() <= 40 && !value.contains('\n') {
        ResultType::Qualitative
    } else {
        ResultType::Textual
    }
}

impl LabComponent {
    /// Status from value and range, where both are told. `<5` is low or normal only if that is certain: below a minimum of 5 or
    /// more it is low, within a range that begins below 5 nothing is said.
    fn computed_status(&self) -> Option<ComponentStatus> {
        let value = Measured::parse_strict(self.value.as_deref()?).ok()?;
        let (low, high) = (number(self.ref_range_min.as_ref()), number(self.ref_range_max.as_ref()));
        if low.is_none() && high.is_none() {
            return None;
        }
        let at = value.number()?;
        match value.comparator() {
            None => Some(match () {
                () if low.is_some_and(|low| at < low) => ComponentStatus::Low,
                () if high.is_some_and(|high| at > high) => ComponentStatus::High,
                () => ComponentStatus::Normal,
            }),
            Some(Comparator::Less | Comparator::LessOrEqual) => match (low, high) {
                (Some(low), _) if at <= low => Some(ComponentStatus::Low),
                (None, Some(high)) if at <= high => Some(ComponentStatus::Normal),
                _ => None,
            },
            Some(Comparator::Greater | Comparator::GreaterOrEqual) => match (low, high) {
                (_, Some(high)) if at >= high => Some(ComponentStatus::High),
                (Some(low), None) if at >= low => Some(ComponentStatus::Normal),
                _ => None,
            },
            Some(_) => None,
        }
    }
}
