//! Addresses that open something without an account: an invitation, a professional's link. Nothing that opens them is stored: the text is made
//! from the id, its generation and the installation's key, so it can be shown again, and a raised generation ends every text before it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use super::secret::{SecretKey, hmac_sha256};

/// What an address opens; a name is used for one purpose only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Invitation,
    ProfessionalLink,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Invitation => "address of an invitation",
            Self::ProfessionalLink => "address of a professional's link",
        }
    }
}

/// The text for an address: the id, a point, and 43 characters that nobody can make without the key.
pub fn text(key: &SecretKey, purpose: Purpose, id: &str, generation: i32) -> String {
    format!("{id}.{}", proof(key, purpose, id, generation))
}

/// The id that a text claims to open; `opens` proves it, once the generation is known.
pub fn id_of(text: &str) -> Option<&str> {
    text.split_once('.').map(|(id, _)| id)
}

/// Is it the text of that id and generation? Takes as long for a wrong one.
pub fn opens(key: &SecretKey, purpose: Purpose, id: &str, generation: i32, sent: &str) -> bool {
    text(key, purpose, id, generation).as_bytes().ct_eq(sent.as_bytes()).into()
}

fn proof(key: &SecretKey, purpose: Purpose, id: &str, generation: i32) -> String {
    let mac = hmac_sha256(&key.derive(purpose.name()), &[id.as_bytes(), &generation.to_be_bytes()]);
    URL_SAFE_NO_PAD.encode(mac)
}

#[cfg(test)]
mod tests {
    use super::{Purpose, id_of, opens, text};
    use crate::auth::secret::SecretKey;

    #[test]
    fn a_text_opens_its_id_its_generation_and_its_purpose_only() {
        let key = SecretKey::generate().unwrap();
        let made = text(&key, Purpose::Invitation, "0190-a", 1);
        assert_eq!(id_of(&made), Some("0190-a"));
        assert!(opens(&key, Purpose::Invitation, "0190-a", 1, &made));
        assert!(!opens(&key, Purpose::Invitation, "0190-a", 2, &made));
        assert!(!opens(&key, Purpose::ProfessionalLink, "0190-a", 1, &made));
        assert!(!opens(&key, Purpose::Invitation, "0190-b", 1, &made));
        assert!(!opens(&SecretKey::generate().unwrap(), Purpose::Invitation, "0190-a", 1, &made));
        let cut: String = made.chars().take(made.chars().count() - 1).collect();
        let changed = made.replacen("0190-a", "0190-b", 1);
        for wrong in [cut.as_str(), changed.as_str(), "", ".", "0190-a."] {
            assert!(!opens(&key, Purpose::Invitation, "0190-a", 1, wrong), "{wrong}");
        }
    }
}
