//! The checksums of a file, made while it streams by: SHA-256, by which it is known here, and MD5, because servers of Paperless-ngx before 3.0
//! know their documents by no other.

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest, Sha256};

/// Both, in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksums {
    pub sha256: String,
    pub md5: String,
}

impl Checksums {
    /// Of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }
}

/// Makes both.
#[derive(Clone, Default)]
pub struct Hasher {
    sha256: Sha256,
    md5: Md5,
}

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.md5.update(bytes);
    }

    pub fn finish(self) -> Checksums {
        Checksums { sha256: hex(&self.sha256.finalize()), md5: hex(&self.md5.finalize()) }
    }
}

/// Two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{Checksums, Hasher};

    #[test]
    fn they_are_those_that_everybody_computes() {
        // FIPS 180-2, appendix B.1; RFC 1321, appendix A.5.
        let told = Checksums::of(b"abc");
        assert_eq!(told.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(told.md5, "900150983cd24fb0d6963f7d28e17f72");
        let mut in_pieces = Hasher::default();
        in_pieces.update(b"a");
        in_pieces.update(b"bc");
        assert_eq!(in_pieces.finish(), told);
    }
}
