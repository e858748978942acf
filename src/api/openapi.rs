//! x
pub fn text() -> &'static str { "{}" }
