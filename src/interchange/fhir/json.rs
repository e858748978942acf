//! Looking into a resource without ever failing: what is missing or of another shape than it should be is simply not told.

use serde_json::Value;

/// Follows a path; an array on the way counts as its first element.
pub fn get<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    let mut here = value;
    for key in path {
        here = match here {
            Value::Array(items) => items.first()?.get(*key)?,
            _ => here.get(*key)?,
        };
    }
    Some(here)
}

/// The elements of a list; some writers leave the brackets away where there is only one.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    match value.get(key) {
        Some(Value::Array(items)) => items,
        Some(Value::Null) | None => &[],
        Some(one) => std::slice::from_ref(one),
    }
}

/// A text on one line.
pub fn text(value: &Value, key: &str) -> Option<String> {
    line(value.get(key)?)
}

pub fn text_at(value: &Value, path: &[&str]) -> Option<String> {
    line(get(value, path)?)
}

/// The value itself as one line, if it is a text (or a bare number: some writers forget the quotes around codes).
pub fn line(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => clean_line(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) => line(items.first()?),
        _ => None,
    }
}

/// A text that may have several lines.
pub fn paragraph(value: &Value, key: &str) -> Option<String> {
    clean_paragraph(value.get(key)?.as_str()?)
}

/// The digits of a number exactly as the file has them; a number in quotes is accepted. Only an exponent is spelled one way: `serde_json`
/// writes `1.50E5` as `1.50e+5`.
pub fn digits(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if is_decimal(text.trim()) => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// A whole number, as text.
pub fn whole(value: &Value, key: &str) -> Option<String> {
    digits(value, key).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
}

pub fn flag(value: &Value, key: &str) -> Option<bool> {
    match value.get(key)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => match text.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

pub fn is_decimal(text: &str) -> bool {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut halves = body.splitn(2, '.');
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    halves.next().is_some_and(all_digits) && halves.next().is_none_or(all_digits)
}

pub fn clean_line(text: &str) -> Option<String> {
    let spaced: String = text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c }).filter(|c| !c.is_control()).collect();
    let trimmed = spaced.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

pub fn clean_paragraph(text: &str) -> Option<String> {
    let kept: String = text
        .replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\r' { '\n' } else { c })
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .collect();
    let trimmed = kept.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// Words of the file that go into an error message: cleaned and short.
pub fn short(text: &str) -> String {
    clean_line(text).unwrap_or_default().chars().take(60).collect()
}

/// Joins what there is; `None` when there is nothing.
pub fn joined(parts: impl IntoIterator<Item = Option<String>>, between: &str) -> Option<String> {
    let told: Vec<String> = parts.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(between))
}
