//! What a file is, told by its bytes and never by its name or what a browser says of it.

/// How much of a file's beginning is looked at: the mark of a DICOM file stands at 128, an Office file names its parts within the first few thousand bytes.
pub const HEAD: usize = 8 * 1024;

/// A type of file that can be kept.
#[derive(Debug, PartialEq, Eq)]
pub struct FileKind {
    pub media_type: &'static str,
    /// The endings that belong to it; the first is the one it gets where it has none.
    pub endings: &'static [&'static str],
    /// May be shown in a page; everything else is a download only, because a browser would run or guess what is in it.
    pub inline: bool,
}

const fn shown(media_type: &'static str, endings: &'static [&'static str]) -> FileKind {
    FileKind { media_type, endings, inline: true }
}
const fn download(media_type: &'static str, endings: &'static [&'static str]) -> FileKind {
    FileKind { media_type, endings, inline: false }
}

/// Everything that is taken.
pub const KINDS: &[FileKind] = &[
    shown("application/pdf", &["pdf"]),
    shown("image/jpeg", &["jpg", "jpeg", "jpe", "jfif"]),
    shown("image/png", &["png"]),
    shown("image/webp", &["webp"]),
    shown("image/gif", &["gif"]),
    download("image/heic", &["heic", "heif", "hif"]),
    download("image/tiff", &["tif", "tiff"]),
    shown("text/plain", &["txt", "text", "md", "log"]),
    download("text/csv", &["csv", "tsv"]),
    download("application/dicom", &["dcm", "dicom", "dic"]),
    download("application/vnd.openxmlformats-officedocument.wordprocessingml.document", &["docx"]),
    download("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &["xlsx"]),
    download("application/vnd.openxmlformats-officedocument.presentationml.presentation", &["pptx"]),
    download("application/vnd.oasis.opendocument.text", &["odt"]),
    download("application/vnd.oasis.opendocument.spreadsheet", &["ods"]),
    download("application/vnd.oasis.opendocument.presentation", &["odp"]),
    download("application/msword", &["doc"]),
    download("application/vnd.ms-excel", &["xls"]),
    download("application/vnd.ms-powerpoint", &["ppt"]),
    download("application/rtf", &["rtf"]),
    download("text/html", &["html", "htm", "xhtml"]),
    download("image/svg+xml", &["svg"]),
];

/// The kind of that media type.
pub fn kind(media_type: &str) -> Option<&'static FileKind> {
    KINDS.iter().find(|kind| kind.media_type == media_type)
}

/// Why a file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Empty,
    /// Nothing that this program keeps: a program, an archive, a film.
    NotSupported,
    /// Its ending says something else than its bytes.
    Contradiction,
}

/// What a file is, from its first bytes and the ending of its name.
pub fn of(head: &[u8], file_name: &str) -> Result<&'static FileKind, Refused> {
    if head.is_empty() {
        return Err(Refused::Empty);
    }
    let ending = ending(file_name);
    let named = KINDS.iter().find(|kind| ending.as_deref().is_some_and(|ending| kind.endings.contains(&ending)));
    let told = by_bytes(head, named).ok_or(Refused::NotSupported)?;
    match named {
        Some(named) if named != told => Err(Refused::Contradiction),
        None if ending.as_deref().is_some_and(|ending| OF_OTHERS.contains(&ending)) => Err(Refused::Contradiction),
        _ => Ok(told),
    }
}

/// Endings of what is not kept here: a name that has one says that it is no document.
const OF_OTHERS: [&str; 9] = ["zip", "jar", "apk", "7z", "rar", "gz", "tar", "exe", "msi"];

/// The ending of a name in small letters.
fn ending(file_name: &str) -> Option<String> {
    let (stem, ending) = file_name.rsplit_once('.')?;
    (!stem.is_empty() && !ending.is_empty()).then(|| ending.to_ascii_lowercase())
}

fn by_bytes(head: &[u8], named: Option<&'static FileKind>) -> Option<&'static FileKind> {
    let at = |place: usize, mark: &[u8]| head.get(place..).is_some_and(|rest| rest.starts_with(mark));
    let told = match () {
        () if at(0, b"%PDF-") => "application/pdf",
        () if at(0, b"\xff\xd8\xff") => "image/jpeg",
        () if at(0, b"\x89PNG\r\n\x1a\n") => "image/png",
        () if at(0, b"RIFF") && at(8, b"WEBP") => "image/webp",
        () if at(0, b"GIF87a") || at(0, b"GIF89a") => "image/gif",
        () if at(4, b"ftyp") && HEIF.iter().any(|brand| at(8, brand)) => "image/heic",
        () if at(0, b"II*\0") || at(0, b"MM\0*") => "image/tiff",
        () if at(128, b"DICM") => "application/dicom",
        () if at(0, b"{\\rtf") => "application/rtf",
        () if at(0, b"PK\x03\x04") => office(head)?,
        // One container for three kinds of file; only their inner folders tell them apart, far behind the beginning.
        () if at(0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") => named.map(|kind| kind.media_type).filter(|told| OLE.contains(told))?,
        () if begins_late(head, named) => "application/pdf",
        () => return text(head, named),
    };
    kind(told)
}

/// How far into a file a PDF may begin, as readers of PDF take it (ISO 32000-1, annex H, note 13).
const LATE: usize = 1024;
/// What begins a file of another sort: programs, archives, scripts, sound and film, PostScript.
const OTHERS: [&[u8]; 17] = [
    b"MZ",
    b"\x7fELF",
    b"PK",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"#!",
    b"BM",
    b"RIFF",
    b"ID3",
    b"OggS",
    b"%!PS",
    b"\xca\xfe\xba\xbe",
    b"\xcf\xfa\xed\xfe",
    b"\xfe\xed\xfa",
];

/// A PDF behind an empty line, a byte order mark, or what a mail program or a printer put before it. Only blanks may stand there, unless the
/// name says that it is a PDF; and nothing that makes something else of the file.
fn begins_late(head: &[u8], named: Option<&'static FileKind>) -> bool {
    const MARK: &[u8] = b"%PDF-";
    let within = head.get(..head.len().min(LATE + MARK.len())).unwrap_or_default();
    let Some(at) = within.windows(MARK.len()).position(|window| window == MARK) else { return false };
    let before = head.get(..at).unwrap_or_default();
    let before = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let first = before.iter().position(|byte| !is_blank(byte)).unwrap_or(before.len());
    let rest = before.get(first..).unwrap_or_default();
    if rest.is_empty() {
        return true;
    }
    let holds = |mark: &[u8]| before.windows(mark.len()).any(|window| window == mark);
    let is_other = OTHERS.iter().any(|mark| rest.starts_with(mark) || before.starts_with(mark));
    let is_mixed = before.contains(&b'<') || holds(b"PK\x03\x04") || before.get(4..8) == Some(b"ftyp");
    named.is_some_and(|kind| kind.media_type == "application/pdf") && !is_other && !is_mixed
}

/// Brands of HEIF with HEVC pictures (ISO/IEC 23008-12, annex B), as phones write them.
const HEIF: [&[u8]; 6] = [b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"];
const OLE: [&str; 3] = ["application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"];

/// Which Office file an archive is: its first part's name, or the folders that its parts lie in.
fn office(head: &[u8]) -> Option<&'static str> {
    let holds = |mark: &[u8]| head.windows(mark.len()).any(|window| window == mark);
    // OpenDocument, part 2, 3.3: the first part is called mimetype and is not packed.
    if head.get(30..38) == Some(b"mimetype") {
        let rest = head.get(38..).unwrap_or_default();
        return KINDS.iter().map(|kind| kind.media_type).find(|told| told.contains("opendocument") && rest.starts_with(told.as_bytes()));
    }
    let folders: [(&[u8], &str); 3] = [
        (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ];
    let is_office = holds(b"[Content_Types].xml") || holds(b"_rels/.rels") || holds(b"docProps/");
    folders.iter().find(|(folder, _)| is_office && holds(folder)).map(|(_, told)| *told)
}

/// Readable text: HTML and SVG by what they begin with, a table by its name, and plain text.
fn text(head: &[u8], named: Option<&'static FileKind>) -> Option<&'static FileKind> {
    let text = readable(head)?;
    let begin: String = text.trim_start_matches('\u{feff}').trim_start().chars().take(4096).collect::<String>().to_ascii_lowercase();
    let begins = |marks: &[&str]| marks.iter().any(|mark| begin.starts_with(mark));
    let told = match () {
        () if begins(&["<!doctype html", "<html"]) => "text/html",
        () if begins(&["<svg", "<?xml", "<!--", "<!doctype svg"]) && begin.contains("<svg") => "image/svg+xml",
        () if begins(&["<?xml", "<!--"]) && begin.contains("<html") => "text/html",
        () => named.map(|kind| kind.media_type).filter(|told| matches!(*told, "text/csv" | "text/html")).unwrap_or("text/plain"),
    };
    kind(told)
}

/// UTF-8 or UTF-16 with its mark, or Latin text without control characters; a character that the beginning cuts is no fault.
fn readable(head: &[u8]) -> Option<String> {
    if let Some(rest) = head.strip_prefix(b"\xff\xfe").or_else(|| head.strip_prefix(b"\xfe\xff")) {
        let little = head.starts_with(b"\xff\xfe");
        let units = rest.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok());
        let units: Vec<u16> = units.map(|pair| if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }).collect();
        return Some(String::from_utf16_lossy(&units)).filter(|text| is_plain(text));
    }
    let utf8 = match std::str::from_utf8(head) {
        Ok(text) => Some(text.to_owned()),
        Err(error) if error.error_len().is_none() => head.get(..error.valid_up_to()).map(|good| String::from_utf8_lossy(good).into_owned()),
        Err(_) => None,
    };
    // The letters of an older Windows: those of Latin-1, and quotes and the euro where that has control characters.
    let latin = || encoding_rs::WINDOWS_1252.decode_without_bom_handling(head).0.into_owned();
    Some(utf8.unwrap_or_else(latin)).filter(|text| is_plain(text))
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(head: &[u8], name: &str) -> Result<&'static str, Refused> {
        of(head, name).map(|kind| kind.media_type)
    }

    #[test]
    fn the_bytes_tell_and_not_the_name() {
        let mut dicom = vec![0; 128];
        dicom.extend(b"DICM\x02\0");
        let docx = b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0________________\x13\0\x08\x02[Content_Types].xml .. word/document.xml";
        let odt = b"PK\x03\x04\x14\0\0\x08\0\0________________\x08\0\0\0mimetypeapplication/vnd.oasis.opendocument.textPK";
        for (head, name, kind) in [
            (&b"%PDF-1.7\n"[..], "letter", "application/pdf"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "IMG_1.JPG", "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n", "scan.png", "image/png"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "scan.webp", "image/webp"),
            (b"GIF89a", "x.gif", "image/gif"),
            (b"\0\0\0\x18ftypheic\0\0", "IMG_2.HEIC", "image/heic"),
            (b"II*\0\x08\0", "fax.tiff", "image/tiff"),
            (&dicom, "IM0001", "application/dicom"),
            (docx, "letter.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            (odt, "letter.odt", "application/vnd.oasis.opendocument.text"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "old.doc", "application/msword"),
            (b"<!DOCTYPE html><html>", "page.html", "text/html"),
            (b"<?xml version=\"1.0\"?><svg xmlns", "x.svg", "image/svg+xml"),
            (b"name,value\nGlucose,5.4\n", "values.csv", "text/csv"),
            ("Größe 1,80 m\n".as_bytes(), "note.txt", "text/plain"),
            (b"Gr\xf6\xdfe 1,80 m\n", "old.txt", "text/plain"),
            (b"\xff\xfeA\0b\0", "notepad.txt", "text/plain"),
            (b"\r\n%PDF-1.7\n", "letter.pdf", "application/pdf"),
            (b"\xef\xbb\xbf%PDF-1.7\n", "letter", "application/pdf"),
            (b"\x1b%-12345X@PJL JOB\n%PDF-1.4\n", "printed.pdf", "application/pdf"),
            (b"Look for %PDF-1.7 in it\n", "note.txt", "text/plain"),
            (b"Look for %PDF-1.7 in it\n", "note", "text/plain"),
        ] {
            assert_eq!(told(head, name), Ok(kind), "{name}");
        }
    }

    #[test]
    fn what_is_refused() {
        assert_eq!(told(b"", "empty.pdf"), Err(Refused::Empty));
        assert_eq!(told(b"MZ\x90\0\x03", "setup.exe"), Err(Refused::NotSupported));
        assert_eq!(told(b"\x7fELF\x02\x01", "letter"), Err(Refused::NotSupported));
        assert_eq!(told(b"PK\x03\x04\x14\0\0\0\0\0 holiday.mov", "pictures.zip"), Err(Refused::NotSupported));
        assert_eq!(told(b"MZ\x90\0\x03", "letter.pdf"), Err(Refused::NotSupported));
        assert_eq!(told(b"%PDF-1.4", "photo.jpg"), Err(Refused::Contradiction));
        assert_eq!(told(b"<html><script>", "letter.pdf"), Err(Refused::Contradiction));
        assert_eq!(told(b"<html><script>", "note.txt"), Err(Refused::Contradiction));
        for (before, refused) in [
            (&b"<html><script>alert(1)</script>"[..], Refused::Contradiction),
            (b"\n<!-- -->", Refused::Contradiction),
            (b"PK\x03\x04", Refused::NotSupported),
            (b"\n\nMZ\x90\0", Refused::NotSupported),
            (b"#!/bin/sh\n", Refused::Contradiction),
            (b"\xff\xd8\xff\xe0", Refused::Contradiction),
            (b"GIF89a", Refused::Contradiction),
            (b"\0\0\0\x18ftypmp42", Refused::NotSupported),
        ] {
            assert_eq!(told(&[before, b"\n%PDF-1.4\n"].concat(), "letter.pdf"), Err(refused), "{before:?}");
        }
        let late = |blanks: usize| told(&[&b" ".repeat(blanks)[..], b"%PDF-1.4\n"].concat(), "letter.pdf");
        assert_eq!((late(1024), late(1025)), (Ok("application/pdf"), Err(Refused::Contradiction)));
        let docx = b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0________________\x13\0\x08\x02[Content_Types].xml .. word/document.xml";
        assert_eq!(told(docx, "x.zip"), Err(Refused::Contradiction));
        assert_eq!(told(b"Dear Ada", "setup.exe"), Err(Refused::Contradiction));
        assert_eq!(told(b"GIF89a/*<svg onload>*/", "x.svg"), Err(Refused::Contradiction));
        assert_eq!(told(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "setup.msi"), Err(Refused::NotSupported));
    }

    #[test]
    fn nothing_that_runs_is_shown_in_a_page() {
        for told in ["text/html", "image/svg+xml", "application/msword"] {
            assert!(!kind(told).unwrap().inline, "{told}");
        }
    }
}
