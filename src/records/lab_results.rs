//! Lab results: a test or panel as ordered and reported, with its components.

use super::{Brief, Child, Context, Entry, Group, Record, child_column, column, columns, head, link_column, statements};
use crate::{
    dates::{PartialDate, end_before_start},
    db::types::choice,
    measured::{Comparator, Measured},
    records::field::{Errors, Field, FieldError, Input, Measure, Unit, ask, refuse},
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
    const FINISHED: Option<(&'static str, &'static str)> = Some(("completed_date", "completed"));
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(test_name).required().list(),
        column!(test_category).list(),
        column!(ordered_date),
        column!(completed_date).list(),
        head::status::<Self, LabResultStatus>().preset("completed").default("ordered"),
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
        if context.strict && done {
            entry.refuse_unfinished(errors);
        }
        let ordered = entry.head.status.as_deref() == Some(LabResultStatus::Ordered.as_str());
        if context.strict && ordered && entry.body.completed_date.is_some() {
            ask(errors, "status", "error.ordered_yet_completed");
        }
        if let (Some(ordered), Some(completed)) = (&entry.body.ordered_date, &entry.body.completed_date)
            && context.strict
            && end_before_start(ordered, completed)
        {
            ask(errors, "completed_date", "error.completed_before_ordered");
        }
        if entry.children.len() > 1 && entry.body.is_panel.is_none() {
            entry.body.is_panel = Some(true);
        }
    }
    statements!(lab_results);
}

impl Entry<LabResult> {
    /// A completed result has its day, and its components have values or say in a note why not.
    fn refuse_unfinished(&self, errors: &mut Errors) {
        if self.body.completed_date.is_none() {
            ask(errors, "completed_date", "error.completed_needs_date");
        }
        for (row, component) in self.children.iter().enumerate() {
            if component.value.is_none() && component.notes.is_none() {
                refuse(errors, &format!("{}.{row}.value", LabComponent::NAME), "error.component_needs_value");
            }
        }
    }
}

const ANY: Input = Input::Measured(Measure::any(Unit::Free("unit")));

impl Child for LabComponent {
    const NAME: &'static str = "components";
    const BRIEF: Option<Brief> = Some(Brief { value: "value", unit: Some("unit"), flag: Some("status") });
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

    fn settle(&mut self, context: &Context<'_>, errors: &mut Vec<(&'static str, FieldError)>) {
        if let (Some(low), Some(high)) = (number(self.ref_range_min.as_ref()), number(self.ref_range_max.as_ref()))
            && low > high
        {
            errors.push(("ref_range_max", FieldError::Question("error.range_upside_down")));
        }
        if self.result_type.is_none()
            && let Some(value) = &self.value
        {
            self.result_type = Some(result_type(value));
        }
        self.status = match (self.status, self.computed_status()) {
            (None, computed) => computed.or_else(|| self.status_by_text()),
            (Some(told), Some(computed)) if context.strict && told.contradicts(computed) => Some(computed),
            (told, _) => told,
        };
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

impl ComponentStatus {
    /// Against what value and range say (normal, low or high). The laboratory may know more: how critical, or that it is abnormal in a
    /// way no range tells.
    fn contradicts(self, computed: Self) -> bool {
        match self {
            Self::Abnormal | Self::Critical => false,
            Self::CriticalLow => computed != Self::Low,
            Self::CriticalHigh => computed != Self::High,
            Self::Normal | Self::Low | Self::High => computed != self,
        }
    }
}

impl LabComponent {
    /// Status from the range as it is printed, where that is the only one and can be read in one way only. Its numbers are not made columns.
    fn status_by_text(&self) -> Option<ComponentStatus> {
        if self.ref_range_min.is_some() || self.ref_range_max.is_some() {
            return None;
        }
        let range = Printed::read(self.ref_range_text.as_deref()?, self.unit.as_deref())?;
        let probe = Self { value: self.value.clone(), ref_range_min: range.low, ref_range_max: range.high, ..Self::default() };
        let value = Measured::parse_strict(self.value.as_deref()?).ok()?;
        // `<5` leaves open on which side 5 itself is.
        let at_bound = [&probe.ref_range_min, &probe.ref_range_max].into_iter().any(|bound| number(bound.as_ref()) == value.number());
        if range.is_open && at_bound { None } else { probe.computed_status() }
    }

    /// Status from value and range, where both are told. `<5` is low or normal only if that is certain: below a minimum of 5 or
    /// more it is low, within a range that begins below 5 nothing is said; `<=5` may be the minimum itself.
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
            Some(sign @ (Comparator::Less | Comparator::LessOrEqual)) => match (low, high) {
                (Some(low), _) if at < low || (at <= low && sign == Comparator::Less) => Some(ComponentStatus::Low),
                (None, Some(high)) if at <= high => Some(ComponentStatus::Normal),
                _ => None,
            },
            Some(sign @ (Comparator::Greater | Comparator::GreaterOrEqual)) => match (low, high) {
                (_, Some(high)) if at > high || (at >= high && sign == Comparator::Greater) => Some(ComponentStatus::High),
                (Some(low), None) if at >= low => Some(ComponentStatus::Normal),
                _ => None,
            },
            Some(Comparator::About) => None,
        }
    }
}

/// A range as laboratories print it: `3.5 - 5.1`, `<5`, `up to 40`, `> 60`.
struct Printed {
    low: Option<Measured>,
    high: Option<Measured>,
    /// The bound itself may lie on either side.
    is_open: bool,
}

impl Printed {
    fn read(text: &str, unit: Option<&str>) -> Option<Self> {
        let text = text.trim();
        let text = unit.and_then(|unit| text.strip_suffix(unit.trim())).unwrap_or(text).trim().to_lowercase();
        let plain = |text: &str| Measured::parse_strict(text.trim()).ok().filter(|number| number.comparator().is_none());
        let ends = [("up to", false, false), ("<=", false, false), ("≤", false, false), ("<", false, true)];
        let begins = [("from", true, false), (">=", true, false), ("≥", true, false), (">", true, true)];
        if let Some((is_low, is_open, rest)) =
            ends.iter().chain(&begins).find_map(|(sign, is_low, is_open)| Some((*is_low, *is_open, text.strip_prefix(sign)?)))
        {
            let bound = Some(plain(rest)?);
            let (low, high) = if is_low { (bound, None) } else { (None, bound) };
            return Some(Self { low, high, is_open });
        }
        let (low, high) = ["–", " to ", " - ", "-"].iter().find_map(|sign| {
            let (low, high) = text.split_once(sign)?;
            Some((plain(low)?, plain(high)?))
        })?;
        (low.number()? <= high.number()?).then_some(Self { low: Some(low), high: Some(high), is_open: false })
    }
}

#[cfg(test)]
mod tests {
    use crate::records::testing::{imported, told};

    #[test]
    fn a_printed_range_decides_where_it_says_one_thing() {
        for (range, value, expected) in [
            ("3 - 4", "2.9", Some("low")),
            ("3-4", "3.5", Some("normal")),
            ("3.0–4.0 mmol/L", "4.1", Some("high")),
            ("3 to 4", "4", Some("normal")),
            ("-2 - 2", "-3", Some("low")),
            ("<5", "4", Some("normal")),
            ("<5", "6", Some("high")),
            ("<5", "5", None),
            ("≤5", "5", Some("normal")),
            ("up to 40", "41", Some("high")),
            ("> 60", "59", Some("low")),
            ("> 60", ">90", Some("normal")),
            ("4 - 3", "3", None),
            ("3,5 - 5,1", "4", None),
            ("negative", "1", None),
            ("3 - 4 (men), 2 - 3 (women)", "2.5", None),
            ("about 5", "4", None),
            ("3 - 4", "positive", None),
        ] {
            let row = [("test_name", "Potassium"), ("unit", "mmol/L"), ("value", value), ("ref_range_text", range)];
            let result = told("lab-results", &[("test_name", "Panel")], &[&row]);
            assert_eq!(result.child(0, "status").as_deref(), expected, "{value} in {range}");
            assert_eq!((result.child(0, "ref_range_min"), result.child(0, "ref_range_text").as_deref()), (None, Some(range)));
        }
        let row = [("test_name", "K"), ("value", "9"), ("ref_range_text", "3-4"), ("status", "normal")];
        let said = told("lab-results", &[("test_name", "Panel")], &[&row]);
        assert_eq!(said.child(0, "status").as_deref(), Some("normal"), "the laboratory's word stands against our reading of a text");
    }

    #[test]
    fn what_is_only_ordered_is_not_completed() {
        let fields = [("test_name", "Panel"), ("completed_date", "2026-03-01")];
        let with = |status| told("lab-results", &[&fields[..], &[("status", status)]].concat(), &[]);
        assert_eq!(with("ordered").wrong(), [("status", "error.ordered_yet_completed")]);
        assert!(with("completed").errors.is_empty() && with("in_progress").errors.is_empty());
    }

    const POTASSIUM: [(&str, &str); 4] =
        [("test_name", "Potassium"), ("ref_range_min", "3.5"), ("ref_range_max", "5.1"), ("unit", "mmol/L")];

    fn status(value: &str, said: Option<&str>, from_a_person: bool) -> Option<String> {
        let mut row = POTASSIUM.to_vec();
        row.push(("value", value));
        row.extend(said.map(|said| ("status", said)));
        let fields = [("test_name", "Electrolytes"), ("completed_date", "2026-03-01"), ("status", "completed")];
        let result = if from_a_person { told("lab-results", &fields, &[&row]) } else { imported("lab-results", &fields, &[&row]) };
        result.child(0, "status")
    }

    #[test]
    fn the_range_decides_and_the_laboratory_may_know_more() {
        for (value, said, expected) in [
            ("3.1", None, Some("low")),
            ("3.1", Some("normal"), Some("low")),
            ("3.1", Some("critical_high"), Some("low")),
            ("3.1", Some("critical_low"), Some("critical_low")),
            ("3.1", Some("critical"), Some("critical")),
            ("4.0", Some("high"), Some("normal")),
            ("4.0", Some("abnormal"), Some("abnormal")),
            ("5.2", Some("low"), Some("high")),
            ("haemolysed", Some("abnormal"), Some("abnormal")),
        ] {
            assert_eq!(status(value, said, true).as_deref(), expected, "{value} {said:?}");
        }
        assert_eq!(status("3.1", Some("normal"), false).as_deref(), Some("normal"), "what another system told stays");
    }

    #[test]
    fn nothing_is_said_that_a_comparator_leaves_open() {
        for (value, expected) in [
            ("<3.5", Some("low")),
            ("<=3.5", None),
            ("<=3.4", Some("low")),
            ("<4", None),
            (">5.1", Some("high")),
            (">=5.1", None),
            (">=5.2", Some("high")),
            (">4", None),
            ("~4", None),
            ("3.5", Some("normal")),
            ("5.1", Some("normal")),
        ] {
            assert_eq!(status(value, None, true).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn a_completed_result_is_complete() {
        let pending = [&POTASSIUM[..], &[("test_name", "Sodium")]];
        let done = told("lab-results", &[("test_name", "Electrolytes"), ("status", "completed")], &pending[..1]);
        assert_eq!(done.wrong(), [("completed_date", "error.completed_needs_date"), ("components.0.value", "error.component_needs_value")]);
        assert!(told("lab-results", &[("test_name", "Electrolytes"), ("status", "ordered")], &pending).errors.is_empty());
        let upside_down =
            told("lab-results", &[("test_name", "Sodium"), ("ordered_date", "2026-03-02"), ("completed_date", "2026-03-01")], &[]);
        assert_eq!(upside_down.wrong(), [("completed_date", "error.completed_before_ordered")]);
    }
}
