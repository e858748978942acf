//! Records from and to other programs' formats.
//!
//! A reader turns a file into a `draft::Told` and knows no database; `merge` brings a `Told` into charts and knows no format. A further
//! format is a reader and one line in [`read`].

pub mod draft;
pub mod fhir;
pub mod kept;
pub mod merge;
pub mod originals;
pub mod pages;

use draft::{ReadError, Told};

/// Reads a file of any format there is a reader for; the content decides, never the name.
///
/// # Errors
/// When the file as a whole is of no use.
pub fn read(bytes: &[u8]) -> Result<Told, ReadError> {
    match first_character(bytes) {
        None => Err(ReadError::Empty),
        Some(b'{' | b'[') => fhir::read(bytes),
        Some(_) => Err(ReadError::UnknownFormat),
    }
}

fn first_character(bytes: &[u8]) -> Option<u8> {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start().first().copied()
}
