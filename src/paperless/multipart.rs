//! The body of an upload (RFC 7578): the fields, then the file, which is read while it is sent.

use std::io::{Cursor, Read};

use crate::auth::secret::random;

/// A body in three parts: what comes before the file, the file, what comes after.
pub(super) struct Multipart {
    boundary: String,
    before: Vec<u8>,
}

impl Multipart {
    /// Nothing without random numbers: a boundary that can be guessed could stand within a file.
    pub fn new() -> Option<Self> {
        let bytes: [u8; 16] = random().ok()?;
        Some(Self { boundary: format!("kinchart-{:032x}", u128::from_be_bytes(bytes)), before: Vec::new() })
    }

    pub fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    pub fn field(&mut self, name: &str, value: &str) {
        let head = format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n", self.boundary);
        self.before.extend_from_slice(head.as_bytes());
    }

    /// The whole, and how long it is. `size` is the file's.
    pub fn with_file<'a>(mut self, field: &str, file_name: &str, size: u64, file: &'a mut dyn Read) -> (u64, impl Read + 'a) {
        let name = escaped(file_name);
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n",
            self.boundary
        );
        self.before.extend_from_slice(head.as_bytes());
        let after = self.end();
        let whole = self.before.len() as u64 + size + after.len() as u64;
        // A file that has grown since is cut, so that the sizes agree; its checksum will tell.
        (whole, Cursor::new(self.before).chain(Exactly { file, left: size }).chain(Cursor::new(after)))
    }

    /// Without a file.
    pub fn bare(self) -> Vec<u8> {
        let after = format!("--{}--\r\n", self.boundary);
        [self.before, after.into_bytes()].concat()
    }

    fn end(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary).into_bytes()
    }
}

/// As browsers write a file's name: nothing in it ends the header. No path, and no control character, which no file there could have.
fn escaped(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    last.chars().filter(|c| !c.is_control()).collect::<String>().replace('"', "%22")
}

/// A file of a known size: shorter is an error, longer is cut.
struct Exactly<'a> {
    file: &'a mut dyn Read,
    left: u64,
}

impl Read for Exactly<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(to.len());
        let Some(to) = to.get_mut(..most).filter(|to| !to.is_empty()) else { return Ok(0) };
        let read = self.file.read(to)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{Multipart, escaped};

    #[test]
    fn the_length_is_the_length() {
        for (size, file) in [(3_u64, "abc"), (2, "abc")] {
            let mut form = Multipart::new().unwrap();
            form.field("title", "Größe");
            let mut source = file.as_bytes();
            let (length, mut body) = form.with_file("document", "a.pdf", size, &mut source);
            let mut bytes = Vec::new();
            body.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, length);
        }
    }

    #[test]
    fn a_file_that_shrank_is_an_error() {
        let mut source = b"ab".as_slice();
        let (_, mut body) = Multipart::new().unwrap().with_file("document", "a.pdf", 3, &mut source);
        assert_eq!(body.read_to_end(&mut Vec::new()).unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_name_cannot_leave_its_place() {
        assert_eq!(escaped("../a\"b\r\nX: y\0.pdf"), "a%22bX: y.pdf");
        assert_eq!(escaped("C:\\scans\\Größe.pdf"), "Größe.pdf");
    }
}
