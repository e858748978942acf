//! The installation's secret key: where it comes from, what is derived from it, and why it is never replaced silently.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::disk;

/// The key's file in the data folder.
pub const FILE_NAME: &str = "secret.key";
/// How the files of keys begin that are to take its place; see [`super::key_change`].
const NEXT: &str = "secret.key.new-";

const FEWEST_BYTES: usize = 32;
const MOST_BYTES: usize = 1024;
/// Separates our derivation from any other use of the same key.
const SALT: &[u8] = b"kinchart";

/// Why a text is no key; the text itself is never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyTextError {
    /// Something else than base64.
    #[error("is not base64; `openssl rand -base64 32` makes a key")]
    NotBase64,
    /// Less than 32 bytes could be guessed.
    #[error("is too short: it must hold at least {FEWEST_BYTES} bytes; `openssl rand -base64 32` makes a key")]
    TooShort,
    /// More than anybody would make as a key.
    #[error("is too long: a key has at most {MOST_BYTES} bytes")]
    TooLong,
}

/// Why there is no key to work with.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The key is not the one the database was made with.
    #[error(
        "the secret key is not the one this database was made with; give back the old one in KINCHART_SECRET_KEY or as {FILE_NAME} in the data folder"
    )]
    WrongKey,
    /// The key was changed, and the setting still gives the old one.
    #[error(
        "the secret key of this database was changed; the new one is in {}: give it in KINCHART_SECRET_KEY instead", path.display()
    )]
    Changed {
        /// The new key's file.
        path: PathBuf,
    },
    /// There is a database, and its key is gone.
    #[error(
        "this database was made with a secret key, which is missing; give it in KINCHART_SECRET_KEY or put {FILE_NAME} back into the data folder"
    )]
    MissingKeyBesideDatabase,
    /// The file does not hold a key.
    #[error("{} {problem}", path.display())]
    BadFile {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with its text.
        problem: KeyTextError,
    },
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The key's file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no random numbers.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// The system gives no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoRandomness(getrandom::Error);

/// The secret all other secrets are derived from.
#[derive(Clone)]
pub struct SecretKey(Vec<u8>);

impl SecretKey {
    /// A new random key.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn generate() -> Result<Self, NoRandomness> {
        random::<FEWEST_BYTES>().map(|bytes| Self(bytes.to_vec()))
    }

    /// Reads base64 with or without padding.
    ///
    /// # Errors
    /// Tells what is wrong without telling the text.
    pub fn from_text(text: &str) -> Result<Self, KeyTextError> {
        let unpadded = text.trim().trim_end_matches('=');
        let bytes = STANDARD_NO_PAD.decode(unpadded).map_err(|_| KeyTextError::NotBase64)?;
        match bytes.len() {
            ..FEWEST_BYTES => Err(KeyTextError::TooShort),
            FEWEST_BYTES..=MOST_BYTES => Ok(Self(bytes)),
            _ => Err(KeyTextError::TooLong),
        }
    }

    /// The text that `from_text` reads; only `key show` and the key's file may have it.
    #[must_use]
    pub fn to_text(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// The sub-key of that name (HKDF with SHA-256); a name is used for one purpose only.
    #[must_use]
    pub fn derive(&self, name: &str) -> [u8; 64] {
        hkdf(SALT, &self.0, name.as_bytes())
    }

    /// What the database keeps to recognise the key; it tells nothing about it.
    #[must_use]
    pub fn check_value(&self) -> String {
        let bytes = self.derive("check value");
        STANDARD_NO_PAD.encode(bytes.iter().take(16).copied().collect::<Vec<_>>())
    }

    /// Does the database keep this key's check value?
    #[must_use]
    pub fn is_that_of(&self, stored: &str) -> bool {
        self.check_value().as_bytes().ct_eq(stored.trim().as_bytes()).into()
    }

    /// The key in a file, if there is a file.
    ///
    /// # Errors
    /// If there is a file that cannot be read or holds no key.
    pub fn read_file(path: &Path) -> Result<Option<Self>, SecretError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SecretError::File { path: path.to_owned(), source }),
        };
        if is_open_to_others(path) {
            log::warn!("{} can be read by other users: chmod 600 it", path.display());
        }
        let key = Self::from_text(&text);
        key.map(Some).map_err(|problem| SecretError::BadFile { path: path.to_owned(), problem })
    }

    /// Writes the key's file, whole or not at all. If another process was faster, its key is the one that counts.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write_new_file(self, path: &Path) -> Result<Self, SecretError> {
        let failed = |source| SecretError::File { path: path.to_owned(), source };
        let temporary = path.with_extension(format!("key.{}.tmp", std::process::id()));
        let written = self.write_private(&temporary).and_then(|()| move_without_replacing(&temporary, path));
        // After a successful rename there is nothing left to remove.
        let _ = fs::remove_file(&temporary);
        match written {
            Ok(()) => Ok(self),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => {
                Self::read_file(path)?.ok_or_else(|| failed(error))
            }
            Err(source) => Err(failed(source)),
        }
    }

    /// Lays the key beside the one in use, under a name of its own, so that of two changes at once neither loses its key. Answers with the
    /// file.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write_next(&self, data: &Path) -> Result<PathBuf, SecretError> {
        let name: String = crate::checksums::hex(&self.derive("check value")).chars().take(12).collect();
        let path = data.join(format!("{NEXT}{name}"));
        let written = self.write_private(&path).and_then(|()| disk::sync_folder(data));
        written.map(|()| path.clone()).map_err(|source| SecretError::File { path, source })
    }

    fn write_private(&self, path: &Path) -> io::Result<()> {
        disk::write_private(path, format!("{}\n", self.to_text()).as_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// What to do at start.
#[derive(Debug)]
pub enum Decision {
    /// Work with this key, and store its check value if none is stored.
    Use(SecretKey),
    /// Nothing exists yet: make a key.
    MakeNew,
}

/// Decides from the setting, the file in the data folder and the check value in the database. The setting goes before the file.
///
/// # Errors
/// If the key is not the database's, or the database's key is missing.
pub fn decide(given: Option<SecretKey>, in_file: Option<SecretKey>, stored: Option<&str>) -> Result<Decision, SecretError> {
    match (given.or(in_file), stored) {
        (Some(key), Some(stored)) if !key.is_that_of(stored) => Err(SecretError::WrongKey),
        (Some(key), _) => Ok(Decision::Use(key)),
        (None, Some(_)) => Err(SecretError::MissingKeyBesideDatabase),
        (None, None) => Ok(Decision::MakeNew),
    }
}

/// The installation's key: given, in the data folder, or made there if nothing exists yet. The caller stores the check value.
///
/// # Errors
/// As [`decide`], and if the key's file cannot be read or written.
pub fn load(data: &Path, given: Option<SecretKey>, stored: Option<&str>) -> Result<SecretKey, SecretError> {
    let path = data.join(FILE_NAME);
    let is_given = given.is_some();
    let next = next_of(data, stored);
    let in_file = if is_given { None } else { SecretKey::read_file(&path)? };
    let is_old = given.as_ref().or(in_file.as_ref()).is_none_or(|key| stored.is_some_and(|stored| !key.is_that_of(stored)));
    match next {
        // A change that broke off after the database had it.
        Some((next, file)) if is_old && !is_given => {
            take_next(data, &file)?;
            return Ok(next);
        }
        Some((_, path)) if is_old => return Err(SecretError::Changed { path }),
        _ => {}
    }
    match decide(given, in_file, stored)? {
        Decision::Use(key) => Ok(key),
        Decision::MakeNew => SecretKey::generate()?.write_new_file(&path),
    }
}

/// The key that waits to take the old one's place, with its file, if the database belongs to one already.
fn next_of(data: &Path, stored: Option<&str>) -> Option<(SecretKey, PathBuf)> {
    let stored = stored?;
    let files = fs::read_dir(data).ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut waiting = files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NEXT)));
    // Another that cannot be read is no reason not to find the right one.
    waiting.find_map(|path| {
        let key = SecretKey::read_file(&path).ok().flatten()?;
        key.is_that_of(stored).then_some((key, path))
    })
}

/// The key that waits takes the place of the old one, which is gone then.
///
/// # Errors
/// If the folder cannot be written.
pub fn take_next(data: &Path, next: &Path) -> Result<(), SecretError> {
    let path = data.join(FILE_NAME);
    disk::rename(next, &path).map_err(|source| SecretError::File { path, source })
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

/// HMAC-SHA-256 over the parts one after the other.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0; 64];
    // HMAC itself hashes keys that are longer than a block; done here, there is no length left that could be refused.
    let hashed = (key.len() > block.len()).then(|| Sha256::digest(key));
    let short: &[u8] = hashed.as_ref().map_or(key, |hashed| hashed.as_slice());
    block.iter_mut().zip(short).for_each(|(to, from)| *to = *from);
    let mut mac = <Hmac<Sha256> as Mac>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// RFC 5869 for 64 bytes.
fn hkdf(salt: &[u8], key: &[u8], info: &[u8]) -> [u8; 64] {
    let pseudorandom = hmac_sha256(salt, &[key]);
    let first = hmac_sha256(&pseudorandom, &[info, &[1]]);
    let second = hmac_sha256(&pseudorandom, &[&first, info, &[2]]);
    let mut output = [0; 64];
    output.iter_mut().zip(first.into_iter().chain(second)).for_each(|(to, from)| *to = from);
    output
}

/// A link fails where the file exists already; where links are not known, a rename has to do.
fn move_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !to.exists() => fs::rename(from, to)?,
        other => other?,
    }
    disk::sync_folder_of(to)
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey(vec![byte; 32])
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|half| char::from_digit(half.into(), 16)).collect()
    }

    #[test]
    fn hkdf_is_that_of_rfc_5869() {
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert!(hex(&hkdf(&salt, &[0x0b; 22], &info)).starts_with(expected));
        let long: Vec<u8> = (0x60..=0xaf).collect();
        let expected = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09";
        let (key, info): (Vec<u8>, Vec<u8>) = ((0..=0x4f).collect(), (0xb0..=0xff).collect());
        assert!(hex(&hkdf(&long, &key, &info)).starts_with(expected), "a salt longer than a block");
    }

    #[test]
    fn sub_keys_differ_by_name_and_key() {
        assert_eq!(key(1).derive("a"), key(1).derive("a"));
        assert_ne!(key(1).derive("a"), key(1).derive("b"));
        assert_ne!(key(1).derive("a"), key(2).derive("a"));
        assert_ne!(key(1).check_value(), key(2).check_value());
    }

    #[test]
    fn derivation_never_changes() {
        assert_eq!(key(7).check_value(), "UpniwSttDQ6tzFK8ab3DBQ", "installations have stored this");
    }

    #[test]
    fn text_goes_there_and_back() {
        let made = SecretKey::generate().unwrap();
        assert_eq!(made.0.len(), 32);
        assert_ne!(made.0, SecretKey::generate().unwrap().0);
        assert_eq!(SecretKey::from_text(&format!(" {}\n", made.to_text())).unwrap().0, made.0);
        assert_eq!(SecretKey::from_text(made.to_text().trim_end_matches('=')).unwrap().0, made.0);
    }

    #[test]
    fn weak_texts_are_refused() {
        for (text, problem) in [
            ("", KeyTextError::TooShort),
            ("c2hvcnQ=", KeyTextError::TooShort),
            ("correct horse battery staple, correct horse", KeyTextError::NotBase64),
            (&"A".repeat(2000), KeyTextError::TooLong),
        ] {
            assert_eq!(SecretKey::from_text(text).err(), Some(problem), "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?} {:?}", key(1), Decision::Use(key(1))), "SecretKey(hidden) Use(SecretKey(hidden))");
    }

    #[test]
    fn every_situation_is_decided() {
        let (right, wrong) = (key(1).check_value(), key(2).check_value());
        let outcome = |given: Option<u8>, in_file: Option<u8>, stored: Option<&str>| match decide(given.map(key), in_file.map(key), stored)
        {
            Ok(Decision::Use(key)) => key.0.first().map_or("empty", |byte| if *byte == 1 { "use 1" } else { "use 9" }),
            Ok(Decision::MakeNew) => "new",
            Err(SecretError::WrongKey) => "wrong",
            Err(SecretError::MissingKeyBesideDatabase) => "missing",
            Err(_) => "other",
        };
        for (given, in_file, stored, expected) in [
            (None, None, None, "new"),
            (None, None, Some(&right), "missing"),
            (None, Some(1), None, "use 1"),
            (None, Some(1), Some(&right), "use 1"),
            (None, Some(1), Some(&wrong), "wrong"),
            (Some(1), None, None, "use 1"),
            (Some(1), None, Some(&right), "use 1"),
            (Some(1), None, Some(&wrong), "wrong"),
            (Some(1), Some(9), Some(&right), "use 1"),
            (Some(9), Some(1), Some(&right), "wrong"),
            (None, Some(1), Some(&String::new()), "wrong"),
        ] {
            assert_eq!(outcome(given, in_file, stored.map(String::as_str)), expected, "{given:?} {in_file:?} {stored:?}");
        }
    }

    #[test]
    fn the_first_start_makes_a_file_and_the_second_reads_it() {
        let data = tempfile::tempdir().unwrap();
        let made = load(data.path(), None, None).unwrap();
        let again = load(data.path(), None, Some(&made.check_value())).unwrap();
        assert_eq!(made.0, again.0);
        let names: Vec<_> = fs::read_dir(data.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [FILE_NAME], "no temporary file stays");
        assert!(matches!(load(data.path(), Some(key(3)), Some(&made.check_value())), Err(SecretError::WrongKey)));
    }

    #[test]
    fn a_given_key_makes_no_file() {
        let data = tempfile::tempdir().unwrap();
        load(data.path(), Some(key(3)), None).unwrap();
        assert!(!data.path().join(FILE_NAME).exists());
    }

    #[test]
    fn a_file_is_never_replaced() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join(FILE_NAME);
        let first = key(1).write_new_file(&path).unwrap();
        let second = key(2).write_new_file(&path).unwrap();
        assert_eq!((first.0, second.0), (vec![1; 32], vec![1; 32]), "the faster one counts");
        fs::write(&path, "").unwrap();
        let error = load(data.path(), None, None).unwrap_err();
        assert!(matches!(error, SecretError::BadFile { problem: KeyTextError::TooShort, .. }), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let data = tempfile::tempdir().unwrap();
        let error = load(&data.path().join("missing"), None, None).unwrap_err();
        assert!(matches!(error, SecretError::File { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        load(data.path(), None, None).unwrap();
        let path = data.path().join(FILE_NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!is_open_to_others(&path));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(is_open_to_others(&path));
        assert!(SecretKey::read_file(&path).unwrap().is_some(), "a warning, not an error");
    }
}
