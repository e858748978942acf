//! What was measured or answered, as text: digits, signs and units the way the source printed them.

use serde_json::Value;

use super::codes;
use super::json;

/// What kind of answer it is, in the words of `lab_test_components.result_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Quantitative,
    Qualitative,
    Textual,
}

impl Sort {
    pub fn word(self) -> &'static str {
        match self {
            Sort::Quantitative => "quantitative",
            Sort::Qualitative => "qualitative",
            Sort::Textual => "textual",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub text: String,
    pub unit: Option<String>,
    /// The unit as UCUM writes it, for columns that allow only some units.
    pub unit_code: Option<String>,
    pub sort: Sort,
}

impl Answer {
    fn plain(text: String, sort: Sort) -> Self {
        Answer { text, unit: None, unit_code: None, sort }
    }

    pub fn with_unit(&self) -> String {
        self.unit.as_ref().map_or_else(|| self.text.clone(), |unit| format!("{} {unit}", self.text))
    }
}

/// The `value[x]` of an observation or of one of its components.
pub fn of(holder: &Value) -> Option<Answer> {
    let get = |key: &str| holder.get(key);
    if let Some(quantity) = get("valueQuantity") {
        return quantity_answer(quantity);
    }
    if let Some(concept) = get("valueCodeableConcept") {
        return codes::name(Some(concept)).map(|text| Answer::plain(text, Sort::Qualitative));
    }
    if let Some(text) = get("valueString").and_then(Value::as_str) {
        let text = json::clean_paragraph(text)?;
        let sort = if json::is_decimal(&text) { Sort::Quantitative } else { Sort::Textual };
        return Some(Answer::plain(text, sort));
    }
    if let Some(number) = json::digits(holder, "valueInteger").or_else(|| json::digits(holder, "valueDecimal")) {
        return Some(Answer::plain(number, Sort::Quantitative));
    }
    if let Some(flag) = json::flag(holder, "valueBoolean") {
        return Some(Answer::plain(if flag { "yes" } else { "no" }.to_owned(), Sort::Qualitative));
    }
    if let Some(moment) = ["valueDateTime", "valueDate", "valueTime", "valueInstant"].iter().find_map(|key| json::text(holder, key)) {
        return Some(Answer::plain(moment, Sort::Textual));
    }
    compound(holder)
}

fn compound(holder: &Value) -> Option<Answer> {
    if let Some(period) = holder.get("valuePeriod") {
        let ends = [json::text(period, "start"), json::text(period, "end")];
        return json::joined(ends, " - ").map(|text| Answer::plain(text, Sort::Textual));
    }
    if let Some(range) = holder.get("valueRange") {
        return range_answer(range);
    }
    let ratio = holder.get("valueRatio")?;
    let numerator = quantity_answer(ratio.get("numerator")?)?;
    let denominator = quantity_answer(ratio.get("denominator")?)?;
    let text = format!("{}:{}", numerator.with_unit(), denominator.with_unit());
    Some(Answer::plain(text, Sort::Textual))
}

fn range_answer(range: &Value) -> Option<Answer> {
    let low = range.get("low").and_then(quantity_answer);
    let high = range.get("high").and_then(quantity_answer);
    // Some writers tell the unit at one end only.
    let either = |of: fn(&Answer) -> Option<String>| low.as_ref().and_then(of).or_else(|| high.as_ref().and_then(of));
    let (unit, unit_code) = (either(|end| end.unit.clone()), either(|end| end.unit_code.clone()));
    let text = match (low, high) {
        (Some(low), Some(high)) => format!("{} - {}", low.text, high.text),
        (Some(low), None) => format!(">={}", low.text),
        (None, Some(high)) => format!("<={}", high.text),
        (None, None) => return None,
    };
    Some(Answer { text, unit, unit_code, sort: Sort::Textual })
}

/// A number with its comparator before it and its unit beside it.
pub fn quantity_answer(quantity: &Value) -> Option<Answer> {
    let digits = json::digits(quantity, "value")?;
    let comparator = json::text(quantity, "comparator").unwrap_or_default();
    let unit_code = json::text(quantity, "code");
    let unit = json::text(quantity, "unit").or_else(|| unit_code.clone());
    // UCUM's name for "counted, no unit" says nothing to people.
    let unit = unit.filter(|unit| unit != "1" && unit != "{}");
    Some(Answer { text: format!("{comparator}{digits}"), unit, unit_code, sort: Sort::Quantitative })
}

/// `1 tablet`, `1 - 2 tablet`.
pub fn quantity_words(quantity: Option<&Value>) -> Option<String> {
    quantity_answer(quantity?).map(|answer| answer.with_unit())
}

pub fn range_words(range: Option<&Value>) -> Option<String> {
    range_answer(range?).map(|answer| answer.with_unit())
}

pub fn ratio_words(ratio: Option<&Value>) -> Option<String> {
    let ratio = ratio?;
    let numerator = quantity_words(ratio.get("numerator"))?;
    let denominator = quantity_words(ratio.get("denominator"))?;
    Some(format!("{numerator} / {denominator}"))
}

/// Why there is no answer: the code of `dataAbsentReason`, in words.
pub fn absent_reason(holder: &Value) -> Option<String> {
    codes::name(holder.get("dataAbsentReason"))
}

/// An onset or an abatement that is not a date: an age, a range, a text.
pub fn vague_time(resource: &Value, stem: &str) -> Option<String> {
    let member = |suffix: &str| resource.get(format!("{stem}{suffix}"));
    let age = member("Age").and_then(quantity_answer).or_else(|| member("Range").and_then(range_answer));
    age.map(in_words).or_else(|| member("String").and_then(json::line))
}

/// `70 years`: UCUM's letters for units of time say nothing to people.
fn in_words(mut age: Answer) -> String {
    let word = match age.unit.as_deref() {
        Some("a") => "year",
        Some("mo") => "month",
        Some("wk") => "week",
        Some("d") => "day",
        Some("h") => "hour",
        Some("min") => "minute",
        _ => return age.with_unit(),
    };
    age.unit = Some(if age.text == "1" { word.to_owned() } else { format!("{word}s") });
    age.with_unit()
}
