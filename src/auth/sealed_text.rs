//! A secret that must be read again, such as a token for another program: encrypted under the installation's key, and bound to what it is for
//! and to whom it belongs, so that a row copied to somebody else opens nothing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    Key, XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use thiserror::Error;

use super::secret::{NoRandomness, SecretKey, random};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// The form of what is stored; another form gets another number.
const FORM: &str = "1.";

/// What a sealed text is; a name is used for one purpose only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A person's token for Paperless-ngx; the id is the account's.
    PaperlessToken,
    /// What opens one stored file; the id is the file's name in its store.
    FileKey,
    /// Documents that a form holds on to until it is saved; the id is the account's.
    PendingFiles,
    /// What somebody typed who forgot their password; the id is the request's.
    Forgotten,
    /// What an app makes a person's codes from; the id is the account's.
    TotpSecret,
    /// The ID token of a session that came from a provider; the id is the identity's.
    IdToken,
    /// What a sign-in that goes by way of a provider has to remember; the id is the step's.
    SignInStep,
    /// What the audit is sealed with; the id is "audit".
    AuditKey,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::PaperlessToken => "sealed token for paperless",
            Self::FileKey => "keys of files",
            Self::PendingFiles => "files of a form",
            Self::Forgotten => "name of who forgot a password",
            Self::TotpSecret => "secret of codes",
            Self::IdToken => "sealed id token of a session",
            Self::SignInStep => "step of a sign-in",
            Self::AuditKey => "key of the audit",
        }
    }
}

/// Why a text cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// More than the cipher takes (256 GB).
    #[error("too long to be sealed")]
    TooLong,
}

/// Not sealed with this key, for this purpose and this id, or changed since. Which of them, nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a sealed text does not open")]
pub struct DoesNotOpen;

/// The text as the database keeps it: XChaCha20-Poly1305 under a sub-key of the purpose, a random nonce before it, the id as associated data.
pub fn seal_text(key: &SecretKey, purpose: Purpose, id: &str, text: &str) -> Result<String, SealError> {
    let nonce: [u8; NONCE_BYTES] = random()?;
    let payload = Payload { msg: text.as_bytes(), aad: id.as_bytes() };
    let sealed = cipher(key, purpose).encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::TooLong)?;
    Ok(format!("{FORM}{}", URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())))
}

/// The text that `seal_text` sealed.
pub fn open_text(key: &SecretKey, purpose: Purpose, id: &str, sealed: &str) -> Result<String, DoesNotOpen> {
    let bytes = sealed.strip_prefix(FORM).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or(DoesNotOpen)?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(DoesNotOpen)?;
    let payload = Payload { msg: sealed, aad: id.as_bytes() };
    let text = cipher(key, purpose).decrypt(&XNonce::from(*nonce), payload).map_err(|_| DoesNotOpen)?;
    String::from_utf8(text).map_err(|_| DoesNotOpen)
}

fn cipher(key: &SecretKey, purpose: Purpose) -> XChaCha20Poly1305 {
    let mut bytes = [0; KEY_BYTES];
    bytes.iter_mut().zip(key.derive(purpose.name())).for_each(|(to, from)| *to = from);
    XChaCha20Poly1305::new(&Key::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::{DoesNotOpen, Purpose, open_text, seal_text};
    use crate::auth::secret::SecretKey;

    const TOKEN: &str = "7f48b1043a064fcbbf5f2b49f5c565d67f48b104";

    #[test]
    fn a_text_opens_with_its_key_and_its_id_only() {
        let key = SecretKey::generate().unwrap();
        let sealed = seal_text(&key, Purpose::PaperlessToken, "ada", TOKEN).unwrap();
        assert_eq!(open_text(&key, Purpose::PaperlessToken, "ada", &sealed).as_deref(), Ok(TOKEN));
        assert_eq!(open_text(&key, Purpose::PaperlessToken, "bob", &sealed), Err(DoesNotOpen), "another id");
        let other = SecretKey::generate().unwrap();
        assert_eq!(open_text(&other, Purpose::PaperlessToken, "ada", &sealed), Err(DoesNotOpen), "another key");
    }

    #[test]
    fn what_is_stored_tells_nothing_and_differs_each_time() {
        let key = SecretKey::generate().unwrap();
        let seal = || seal_text(&key, Purpose::PaperlessToken, "ada", TOKEN).unwrap();
        assert!(!seal().contains(TOKEN));
        assert_ne!(seal(), seal());
        let empty = seal_text(&key, Purpose::PaperlessToken, "", "").unwrap();
        assert_eq!(open_text(&key, Purpose::PaperlessToken, "", &empty).as_deref(), Ok(""));
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let key = SecretKey::generate().unwrap();
        let sealed = seal_text(&key, Purpose::PaperlessToken, "ada", TOKEN).unwrap();
        for place in 0..sealed.len() {
            let swap = if sealed.as_bytes()[place] == b'A' { "B" } else { "A" };
            let mut changed = sealed.clone();
            changed.replace_range(place..=place, swap);
            assert_eq!(open_text(&key, Purpose::PaperlessToken, "ada", &changed), Err(DoesNotOpen), "character {place}");
        }
        let cut: String = sealed.chars().take(sealed.len() - 4).collect();
        for wrong in ["", "1.", "1.AAAA", "2.AAAA", &cut, TOKEN] {
            assert_eq!(open_text(&key, Purpose::PaperlessToken, "ada", wrong), Err(DoesNotOpen), "{wrong}");
        }
    }
}
