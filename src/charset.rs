//! The letters that the bytes of a text stand for, found while they pass: a browser that is told the wrong ones shows garbage.

use std::str::from_utf8;

use encoding_rs::Encoding;

/// As `Content-Type` names it.
pub const UTF_8: &str = "utf-8";
/// What is not UTF-8 and has no mark: the Latin letters of an older Windows, which hold those of Latin-1.
const WINDOWS_1252: &str = "windows-1252";

/// Looks at a text piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Finder {
    /// The first bytes, which may be a mark.
    head: Vec<u8>,
    /// The beginning of a letter whose end comes with the next piece.
    begun: Vec<u8>,
    broken: bool,
}

impl Finder {
    pub fn add(&mut self, bytes: &[u8]) {
        self.head.extend(bytes.iter().take(2_usize.saturating_sub(self.head.len())));
        if self.broken {
            return;
        }
        let mut rest = bytes;
        while !self.begun.is_empty() {
            let Some((next, after)) = rest.split_first() else { return };
            self.begun.push(*next);
            rest = after;
            match from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return self.breaks(),
            }
        }
        match from_utf8(rest) {
            Ok(_) => {}
            Err(error) if error.error_len().is_none() => self.begun.extend(rest.iter().skip(error.valid_up_to())),
            Err(_) => self.breaks(),
        }
    }

    fn breaks(&mut self) {
        self.broken = true;
        self.begun.clear();
    }

    /// Of what has come. `is_whole`: nothing more would have come, and a letter that was begun is none.
    pub fn found(&self, is_whole: bool) -> &'static str {
        match self.head.as_slice() {
            [0xff, 0xfe] => "utf-16le",
            [0xfe, 0xff] => "utf-16be",
            _ if self.broken || (is_whole && !self.begun.is_empty()) => WINDOWS_1252,
            _ => UTF_8,
        }
    }
}

/// The text that these bytes are in that charset, without its mark.
pub fn decode(bytes: &[u8], charset: &str) -> String {
    let encoding = Encoding::for_label(charset.as_bytes()).unwrap_or(encoding_rs::UTF_8);
    encoding.decode_with_bom_removal(bytes).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> &'static str {
        let mut whole = Finder::default();
        whole.add(bytes);
        // However it is cut, it is the same text.
        for size in 1..=4 {
            let mut pieces = Finder::default();
            bytes.chunks(size).for_each(|piece| pieces.add(piece));
            assert_eq!(pieces.found(true), whole.found(true), "in pieces of {size}: {bytes:x?}");
        }
        whole.found(true)
    }

    #[test]
    fn the_bytes_tell_their_letters() {
        for (bytes, charset) in [
            ("Größe 検査 🙂".as_bytes(), "utf-8"),
            (b"plain", "utf-8"),
            (b"", "utf-8"),
            (b"\xef\xbb\xbfGr\xc3\xb6", "utf-8"),
            (b"Gr\xf6\xdfe \x80 5", "windows-1252"),
            (b"caf\xe9", "windows-1252"),
            (b"caf\xc3", "windows-1252"),
            (b"\xc3\xa9 and \xe9 too", "windows-1252"),
            (b"\xed\xa0\x80", "windows-1252"),
            (b"\xff\xfeG\0r\0\xf6\0", "utf-16le"),
            (b"\xfe\xff\0G\0r\0\xf6", "utf-16be"),
            (b"\xff", "windows-1252"),
        ] {
            assert_eq!(of(bytes), charset, "{bytes:x?}");
        }
        let mut cut = Finder::default();
        cut.add(b"caf\xc3");
        assert_eq!(cut.found(false), "utf-8", "the rest of the letter was not read");
    }
}
