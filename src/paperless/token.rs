//! What opens somebody's Paperless-ngx: held in memory only, shown nowhere.

use std::fmt;

use reqwest::header::HeaderValue;

/// Longer than any token; Paperless-ngx makes 40 hexadecimal digits.
const MOST_CHARACTERS: usize = 200;

/// A token of the REST interface. `Debug` shows nothing of it; the database has it sealed (`auth::sealed_text`).
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token as somebody pastes it. Nothing if it cannot be one: empty, with a space within, or with characters that no header carries.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.len() <= MOST_CHARACTERS && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// The text itself, to be sealed.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The value of the header `Authorization`, which no trace of the connection shows.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Token {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn what_cannot_be_a_token_is_none() {
        assert_eq!(Token::parse(" abc123\n").unwrap().reveal(), "abc123");
        for text in ["", "  ", "a b", "a\nb", "t\u{f6}ken", &"a".repeat(201)] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_shows_it() {
        let token = Token::parse("0123456789abcdef").unwrap();
        assert_eq!(format!("{token:?}"), "Token(hidden)");
        assert_eq!(format!("{:?}", token.header().unwrap()), "Sensitive");
    }
}
