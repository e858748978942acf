//! From bytes to one JSON value, refusing cheaply what would cost much: size and depth are looked at before anything is built.

use serde_json::Value;
use serde_json::error::Category;

use super::super::draft::ReadError;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub fn parse(bytes: &[u8], size_limit: usize, depth_limit: usize) -> Result<Value, ReadError> {
    if bytes.len() > size_limit {
        return Err(ReadError::TooLarge { limit: size_limit });
    }
    let body = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii();
    let Some(first) = body.first() else {
        return Err(ReadError::Empty);
    };
    let text = std::str::from_utf8(body).map_err(|_| ReadError::NotJson("the text is not UTF-8".to_owned()))?;
    if matches!(first, b'{' | b'[') && depth(body) > depth_limit {
        return Err(ReadError::TooDeep { limit: depth_limit });
    }
    let value: Value = serde_json::from_str(text).map_err(|error| refusal(&error))?;
    if value.is_object() { Ok(value) } else { Err(ReadError::NotFhir) }
}

fn refusal(error: &serde_json::Error) -> ReadError {
    match error.classify() {
        Category::Eof => ReadError::Truncated { line: error.line() },
        _ => ReadError::NotJson(error.to_string()),
    }
}

/// The deepest nesting of brackets outside of strings.
fn depth(body: &[u8]) -> usize {
    let (mut deepest, mut now) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in body {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
