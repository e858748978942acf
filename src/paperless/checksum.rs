//! The checksums by which Paperless-ngx knows a file: MD5 up to 2.20, SHA-256 from 3.0 on, both of the original and in lower-case hexadecimal.

pub use crate::checksums::{Checksums, Hasher};

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

impl Checksums {
    /// Is what the server tells the checksum of this file?
    pub fn agree_with(&self, told: &Checksum) -> bool {
        match told {
            Checksum::Md5(told) => *told == self.md5,
            Checksum::Sha256(told) => *told == self.sha256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Checksum, Checksums};

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
