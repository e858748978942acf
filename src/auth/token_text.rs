//! The texts that prove something without a password: API tokens and the one-time setup code, random and kept as hashes only.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::secret::{NoRandomness, random};

/// How every API token begins, so that people and secret scanners recognise one.
const TOKEN_PREFIX: &str = "kc_";
const TOKEN_BYTES: usize = 32;

/// Crockford's alphabet: no I, L, O and U.
const CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_LENGTH: usize = 16;
const CODE_GROUP: usize = 4;
/// Longer input is no code, whatever separates its letters.
const LONGEST_TYPED_CODE: usize = 64;

/// The text of an API token; it is shown once and stored as its hash.
#[derive(Clone)]
pub struct TokenText(String);

impl TokenText {
    /// A new random token.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn generate() -> Result<Self, NoRandomness> {
        let bytes = random::<TOKEN_BYTES>()?;
        Ok(Self(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The token if the text has a token's form: nothing else needs to be looked up.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text.strip_prefix(TOKEN_PREFIX)?, &mut bytes).ok()?;
        (length == TOKEN_BYTES).then(|| Self(text.to_owned()))
    }

    /// The text to be shown once.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is stored and looked up.
    #[must_use]
    pub fn hash(&self) -> String {
        hash(&self.0)
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(hidden)")
    }
}

/// The SHA-256 of a random text as 43 letters of base64url. Passwords need more.
#[must_use]
pub fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// Compares two hashes in a time that tells nothing about where they differ.
#[must_use]
pub fn hashes_equal(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// The code that guards the first account: four groups of four letters and digits, 80 random bits.
#[derive(Clone)]
pub struct SetupCode(String);

impl SetupCode {
    /// A new random code.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn generate() -> Result<Self, NoRandomness> {
        // 32 letters divide 256 values evenly.
        let letter = |byte: u8| CODE_ALPHABET.iter().copied().cycle().nth(usize::from(byte)).map(char::from);
        Ok(Self(random::<CODE_LENGTH>()?.into_iter().filter_map(letter).collect()))
    }

    /// Whether that is what somebody typed, whatever the case, blanks and dashes, with O for 0 and I or L for 1.
    #[must_use]
    pub fn matches(&self, typed: &str) -> bool {
        typed.len() <= LONGEST_TYPED_CODE && self.0.as_bytes().ct_eq(plain(typed).as_bytes()).into()
    }
}

/// The code in its groups, for the log.
impl fmt::Display for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, letter) in self.0.chars().enumerate() {
            let starts_group = place > 0 && place % CODE_GROUP == 0;
            write!(f, "{}{letter}", if starts_group { "-" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetupCode(hidden)")
    }
}

/// The letters alone, as a code was made.
pub(super) fn plain(typed: &str) -> String {
    let letters = typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}'));
    letters
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_have_their_form() {
        let token = TokenText::generate().unwrap();
        assert!(token.as_str().starts_with("kc_") && token.as_str().len() == 46, "{}", token.as_str());
        assert_eq!(TokenText::parse(token.as_str()).unwrap().as_str(), token.as_str());
        assert_ne!(TokenText::generate().unwrap().as_str(), token.as_str());
        assert_eq!(format!("{token:?}"), "TokenText(hidden)");
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let good = "kc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(TokenText::parse(good).is_some());
        for text in [
            "",
            "kc_",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "KC_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "kc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "kc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "kc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
            "kc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "kc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/+",
            " kc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(TokenText::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_stored_hash_never_changes() {
        assert_eq!(hash("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0", "SHA-256 of abc");
        let token = TokenText::generate().unwrap();
        assert!(hashes_equal(&token.hash(), &hash(token.as_str())));
        assert!(!hashes_equal(&token.hash(), &hash("kc_")) && !hashes_equal(&token.hash(), ""));
    }

    #[test]
    fn a_code_is_four_groups_of_clear_letters() {
        let code = SetupCode::generate().unwrap();
        let groups: Vec<String> = code.to_string().split('-').map(str::to_owned).collect();
        assert_eq!(groups.iter().map(String::len).collect::<Vec<_>>(), [4, 4, 4, 4]);
        assert!(code.0.bytes().all(|b| CODE_ALPHABET.contains(&b)), "{code}");
        assert_ne!(SetupCode::generate().unwrap().0, code.0);
        assert_eq!(format!("{code:?}"), "SetupCode(hidden)");
    }

    #[test]
    fn a_code_is_recognised_however_it_is_typed() {
        let code = SetupCode("01AB2CDE3FGH4JKM".into());
        for typed in ["01AB-2CDE-3FGH-4JKM", "01ab2cde3fgh4jkm", " olAB 2cde 3FGH\u{2013}4jkm\n", "0iab-2cde-3fgh-4jkm"] {
            assert!(code.matches(typed), "{typed}");
        }
        let padded = format!("{code}{}", " ".repeat(100));
        for typed in ["", "01AB-2CDE-3FGH-4JKN", "01AB-2CDE-3FGH-4JK", "01AB-2CDE-3FGH-4JKM0", &padded] {
            assert!(!code.matches(typed), "{typed}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            prop_assert!(!SetupCode("01AB2CDE3FGH4JKM".into()).matches(&text));
            prop_assert!(TokenText::parse(&text).is_none());
        }
    }
}
