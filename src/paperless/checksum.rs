//! The checksums by which Paperless-ngx knows a file: MD5 up to 2.20, SHA-256 from 3.0 on, both of the original and in lower-case hexadecimal.

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest, Sha256};

/// A checksum as a server tells it; which kind, its length says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    Md5(String),
    Sha256(String),
}

impl Checksum {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        match text.len() {
            _ if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) => None,
            32 => Some(Self::Md5(text)),
            64 => Some(Self::Sha256(text)),
            _ => None,
        }
    }
}

/// Both checksums of a file, because which one the server wants is known only once it has answered.
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

    /// Is what the server tells the checksum of this file?
    pub fn agree_with(&self, told: &Checksum) -> bool {
        match told {
            Checksum::Md5(told) => *told == self.md5,
            Checksum::Sha256(told) => *told == self.sha256,
        }
    }
}

/// Makes both while a file streams by.
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{Checksum, Checksums, Hasher};

    #[test]
    fn both_are_those_everybody_makes() {
        let of_abc = Checksums::of(b"abc");
        assert_eq!(of_abc.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(of_abc.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let mut in_pieces = Hasher::default();
        in_pieces.update(b"a");
        in_pieces.update(b"bc");
        assert_eq!(in_pieces.finish(), of_abc);
    }

    #[test]
    fn the_length_tells_the_kind() {
        let of_abc = Checksums::of(b"abc");
        assert!(of_abc.agree_with(&Checksum::parse(&of_abc.md5.to_uppercase()).unwrap()));
        assert!(of_abc.agree_with(&Checksum::parse(&of_abc.sha256).unwrap()));
        assert!(!of_abc.agree_with(&Checksum::parse(&Checksums::of(b"abd").sha256).unwrap()));
        for text in ["", "abc", "zz0150983cd24fb0d6963f7d28e17f72"] {
            assert_eq!(Checksum::parse(text), None, "{text}");
        }
    }
}
