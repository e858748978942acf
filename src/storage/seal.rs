//! Files at rest: sealed in pieces of 64 KiB, so that nothing is ever whole in memory and any part can be read by itself.
//!
//! The form is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over XChaCha20-Poly1305, as the `aead` crate has it: a header of eight bytes
//! and 19 of nonce, then pieces that each carry a tag of 16. A piece knows its place and whether it is the last, so that none can be changed,
//! moved, left out or cut off; the file's name is sealed in with each, so that no file can stand in for another. Each file has a key of its
//! own, wrapped with one that comes from the installation's: a new key of the installation wraps these again and rewrites no file.

use std::{
    fmt,
    io::{self, Read, Seek, SeekFrom, Write},
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{
        Payload,
        generic_array::GenericArray,
        stream::{NewStream, StreamBE32, StreamPrimitive},
    },
};

use super::{BlobName, Span};
use crate::auth::{
    sealed_text::{Purpose, SealError, open_text, seal_text},
    secret::{NoRandomness, SecretKey, random},
};

/// What a piece holds, unsealed.
const PIECE: usize = 64 * 1024;
const TAG: usize = 16;
const MAGIC: &[u8; 8] = b"kinfile1";
/// `XChaCha20`'s nonce without STREAM's counter and its mark of the last piece.
const NONCE: usize = 19;
const HEADER: usize = MAGIC.len() + NONCE;

type Stream = StreamBE32<XChaCha20Poly1305>;

/// What opens one file.
#[derive(Clone)]
pub struct FileKey([u8; 32]);

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey")
    }
}

impl FileKey {
    pub fn generate() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// The key as the database keeps it: it opens only under this name.
    pub fn wrap(&self, key: &SecretKey, name: &BlobName) -> Result<String, SealError> {
        seal_text(key, Purpose::FileKey, name.as_str(), &STANDARD_NO_PAD.encode(self.0))
    }

    /// Nothing if it was not wrapped with this key, for this name.
    pub fn unwrap(text: &str, key: &SecretKey, name: &BlobName) -> Option<Self> {
        let opened = open_text(key, Purpose::FileKey, name.as_str(), text).ok()?;
        STANDARD_NO_PAD.decode(opened).ok()?.try_into().ok().map(Self)
    }

    fn stream(&self, nonce: &[u8; NONCE]) -> Stream {
        Stream::from_aead(XChaCha20Poly1305::new(&self.0.into()), GenericArray::from_slice(nonce))
    }
}

/// What sealed bytes of that size weigh.
pub fn sealed_size(size: u64) -> u64 {
    let pieces = size.div_ceil(PIECE as u64).max(1);
    HEADER as u64 + size + pieces * TAG as u64
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Seals what is written through it.
pub struct Sealer<W: Write> {
    out: W,
    stream: Stream,
    name: BlobName,
    place: u32,
    /// What is not sealed yet: a piece is written when the next byte shows that it is not the last.
    waiting: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    pub fn new(mut out: W, key: &FileKey, name: &BlobName) -> io::Result<Self> {
        let nonce: [u8; NONCE] = random().map_err(io::Error::other)?;
        out.write_all(MAGIC)?;
        out.write_all(&nonce)?;
        Ok(Self { out, stream: key.stream(&nonce), name: name.clone(), place: 0, waiting: Vec::with_capacity(PIECE) })
    }

    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.waiting.len() == PIECE {
                self.piece(false)?;
            }
            let (now, rest) = bytes.split_at(bytes.len().min(PIECE - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            bytes = rest;
        }
        Ok(())
    }

    fn piece(&mut self, last: bool) -> io::Result<()> {
        let payload = Payload { msg: &self.waiting, aad: self.name.as_str().as_bytes() };
        let sealed = self.stream.encrypt(self.place, last, payload).map_err(|_| broken("a piece cannot be sealed"))?;
        self.out.write_all(&sealed)?;
        self.waiting.clear();
        self.place = self.place.checked_add(1).ok_or_else(|| broken("more pieces than a file can have"))?;
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<W> {
        self.piece(true)?;
        Ok(self.out)
    }
}

/// Opens a part of what was sealed.
pub struct Opener<R> {
    from: R,
    stream: Stream,
    name: BlobName,
    place: u32,
    last: u32,
    /// The opened piece, from what is wanted next.
    piece: Vec<u8>,
    at: usize,
    left: u64,
}

impl<R: Read + Seek> Opener<R> {
    pub fn new(mut from: R, key: &FileKey, name: &BlobName, size: u64, span: Span) -> io::Result<Self> {
        if span.from.checked_add(span.length).is_none_or(|end| end > size) {
            return Err(broken("more was asked for than there is"));
        }
        let mut header = [0; HEADER];
        from.read_exact(&mut header)?;
        let (magic, nonce) = header.split_at(MAGIC.len());
        let nonce: &[u8; NONCE] = nonce.try_into().map_err(|_| broken("no header"))?;
        if magic != MAGIC {
            return Err(broken("not one of our files"));
        }
        let piece = |at: u64| u32::try_from(at / PIECE as u64).map_err(|_| broken("more pieces than a file can have"));
        let (place, last) = (piece(span.from)?, piece(size.saturating_sub(1))?);
        from.seek(SeekFrom::Start(HEADER as u64 + u64::from(place) * (PIECE + TAG) as u64))?;
        let mut opener =
            Self { from, stream: key.stream(nonce), name: name.clone(), place, last, piece: Vec::new(), at: 0, left: span.length };
        if opener.left > 0 || size == 0 {
            opener.next()?;
            opener.at = usize::try_from(span.from % PIECE as u64).map_err(|_| broken("no such place"))?;
        }
        Ok(opener)
    }

    /// Opens the next piece. That the last one says of itself that it is proves that nothing was cut off.
    fn next(&mut self) -> io::Result<()> {
        let mut sealed = vec![0; PIECE + TAG];
        let mut filled = 0;
        while let Some(room) = sealed.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.from.read(room)? {
                0 => break,
                read => filled += read,
            }
        }
        let msg = sealed.get(..filled).unwrap_or_default();
        let payload = Payload { msg, aad: self.name.as_str().as_bytes() };
        let opened = self.stream.decrypt(self.place, self.place == self.last, payload);
        self.piece = opened.map_err(|_| broken("the file was changed, or is not the one that was stored"))?;
        self.at = 0;
        self.place = self.place.saturating_add(1);
        Ok(())
    }
}

impl<R: Read + Seek> Read for Opener<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || out.is_empty() {
            return Ok(0);
        }
        if self.at >= self.piece.len() {
            self.next()?;
        }
        let ready = self.piece.get(self.at..).unwrap_or_default();
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len()).min(ready.len());
        for (to, from) in out.iter_mut().zip(ready.iter().take(most)) {
            *to = *from;
        }
        if most == 0 {
            return Err(broken("the file ends too early"));
        }
        self.at += most;
        self.left -= most as u64;
        Ok(most)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn sealed(key: &FileKey, name: &BlobName, bytes: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::new(Vec::new(), key, name).unwrap();
        for part in bytes.chunks(7001) {
            sealer.write(part).unwrap();
        }
        sealer.finish().unwrap()
    }
    fn opened(key: &FileKey, name: &BlobName, file: &[u8], size: usize, span: Span) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Opener::new(Cursor::new(file), key, name, size as u64, span)?.read_to_end(&mut out)?;
        Ok(out)
    }
    fn bytes(size: usize) -> Vec<u8> {
        (0..size).map(|i| u8::try_from((i * 7 + i / 251) % 256).unwrap()).collect()
    }

    #[test]
    fn every_size_comes_back_and_any_part_of_it() {
        let (key, name) = (FileKey::generate().unwrap(), BlobName::new());
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 17] {
            let plain = bytes(size);
            let file = sealed(&key, &name, &plain);
            assert_eq!(file.len() as u64, sealed_size(size as u64), "{size}");
            assert!(size < 64 || !file.windows(32).any(|w| plain.windows(32).next().unwrap() == w), "it can be read on the disk");
            assert_eq!(opened(&key, &name, &file, size, Span::whole(size as u64)).unwrap(), plain, "{size}");
            for (from, to) in [(0, size.min(1)), (size / 2, size), (size.saturating_sub(1), size), (size / 3, size / 3)] {
                let span = Span { from: from as u64, length: (to - from) as u64 };
                assert_eq!(opened(&key, &name, &file, size, span).unwrap(), plain[from..to], "{size}: {span:?}");
            }
        }
    }

    #[test]
    fn nothing_changed_moved_or_cut_off_is_opened() {
        let (key, name) = (FileKey::generate().unwrap(), BlobName::new());
        let size = 3 * PIECE + 100;
        let file = sealed(&key, &name, &bytes(size));
        let whole = |file: &[u8], size: usize| opened(&key, &name, file, size, Span::whole(size as u64));
        for at in [0, 9, HEADER + 5, HEADER + PIECE + 20, file.len() - 1] {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(whole(&changed, size).is_err(), "byte {at}");
        }
        let one = PIECE + TAG;
        let mut moved = file.clone();
        let (first, second) = moved[HEADER..].split_at_mut(one);
        first.swap_with_slice(&mut second[..one]);
        assert!(whole(&moved, size).is_err(), "pieces in another order");
        // Cut at the end of a piece, and told with the size that this would have.
        assert!(whole(&file[..HEADER + 2 * one], 2 * PIECE).is_err(), "cut off");
        assert!(whole(&file[..file.len() - 1], size).is_err(), "cut off in a piece");
        assert!(opened(&key, &BlobName::new(), &file, size, Span::whole(size as u64)).is_err(), "under another name");
        assert!(opened(&FileKey::generate().unwrap(), &name, &file, size, Span::whole(size as u64)).is_err(), "another key");
        assert!(opened(&key, &name, &file, size, Span { from: size as u64, length: 1 }).is_err(), "behind the end");
    }

    #[test]
    fn a_key_is_unwrapped_by_its_installation_and_for_its_file_only() {
        let (installation, name) = (SecretKey::generate().unwrap(), BlobName::new());
        let key = FileKey::generate().unwrap();
        let text = key.wrap(&installation, &name).unwrap();
        assert_eq!(FileKey::unwrap(&text, &installation, &name).unwrap().0, key.0);
        assert!(FileKey::unwrap(&text, &installation, &BlobName::new()).is_none());
        assert!(FileKey::unwrap(&text, &SecretKey::generate().unwrap(), &name).is_none());
        assert!(FileKey::unwrap("AAAA", &installation, &name).is_none());
        assert_ne!(text, key.wrap(&installation, &name).unwrap(), "never twice the same");
        assert_eq!(format!("{key:?}"), "FileKey");
    }
}
