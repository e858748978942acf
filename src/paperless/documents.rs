//! Reading: what a document says of itself, its bytes, its thumbnail, and where it is.

use std::io::Write;

use chrono::NaiveDate;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Checksum, Checksums, Client, DocumentId, Hasher, Right, Version,
    call::{Head, Sent},
    fault::{Fault, Instead},
};

/// Everything but the content, which is the whole text of the document.
pub(super) const FIELDS: &str = "id,title,created,correspondent,document_type,tags,custom_fields,original_file_name,modified";
/// Of those that are told to have a checksum, so many are looked at.
const MOST_TWINS: usize = 10;
/// Ids asked for at once.
const AT_ONCE: usize = 100;

/// A document as Paperless-ngx has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Document {
    pub id: DocumentId,
    #[serde(default)]
    pub title: String,
    #[serde(default, deserialize_with = "date")]
    pub created: Option<NaiveDate>,
    #[serde(default)]
    pub correspondent: Option<i64>,
    #[serde(default)]
    pub document_type: Option<i64>,
    #[serde(default)]
    pub tags: Vec<i64>,
    #[serde(default)]
    pub custom_fields: Vec<FieldValue>,
    #[serde(default)]
    pub original_file_name: Option<String>,
    /// When it was last changed, in the server's writing: to be compared, not read.
    #[serde(default)]
    pub modified: Option<String>,
}

/// A custom field's value, whatever its type.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct FieldValue {
    pub field: i64,
    #[serde(default)]
    pub value: Value,
}

/// What `metadata/` says of the file that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    pub checksum: Option<Checksum>,
    pub size: Option<u64>,
    pub media_type: Option<String>,
}

/// A file that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    pub size: u64,
    pub checksums: Checksums,
}

/// A small picture of the first page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// By its bytes: `image/webp`, `image/png` or `image/jpeg`.
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

fn date<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<NaiveDate>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.and_then(|text| text.get(..10)?.parse().ok()))
}

impl Client {
    /// What Paperless-ngx knows of a document; its checksum is in [`Client::original`]. If there is none, tells whether it is in the trash.
    pub fn document(&self, id: DocumentId) -> Result<Document, Fault> {
        let answer = self.get(&path(id, ""), &[("fields", FIELDS)], Right::ViewDocument)?;
        let document = self.there(id, answer.json())?;
        read(document)
    }

    /// Those of these documents that are there, in one call: to see what was changed. Others are in the trash, gone, or somebody else's.
    pub fn documents(&self, ids: &[DocumentId]) -> Result<Vec<Document>, Fault> {
        let mut found = Vec::new();
        for some in ids.chunks(AT_ONCE) {
            let list: Vec<String> = some.iter().map(ToString::to_string).collect();
            let query = [("id__in", list.join(",")), ("fields", FIELDS.to_owned())];
            let query: Vec<(&str, &str)> = query.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let mut rows = Vec::new();
            self.rows("api/documents/", &query, Right::ViewDocument, |page| {
                rows.extend(page);
                rows.len() < some.len()
            })?;
            for row in rows {
                let document = read(row)?;
                // A server that does not know the filter answers with all it has.
                if some.contains(&document.id) {
                    found.push(document);
                }
            }
        }
        Ok(found)
    }

    /// The checksum of the original file and what goes with it. Takes up to a second: the server opens the file.
    pub fn original(&self, id: DocumentId) -> Result<Original, Fault> {
        let answer = self.get(&path(id, "metadata/"), &[], Right::ViewDocument)?;
        let told = self.there(id, answer.json())?;
        let text = |key: &str| told.get(key).and_then(Value::as_str);
        Ok(Original {
            checksum: text("original_checksum").and_then(Checksum::parse),
            size: told.get("original_size").and_then(Value::as_u64),
            media_type: text("original_mime_type").map(str::to_owned),
        })
    }

    /// The documents, oldest first, whose original file is this one, as far as this account sees them; none in the trash. The server keeps
    /// SHA-256 from 3.0 on and MD5 before, and is asked for what its version has, or for both if it does not tell its version. What it finds is
    /// looked at, so that a filter that was not understood never makes a stranger's document this one.
    pub fn find_by_checksum(&self, checksums: &Checksums) -> Result<Vec<DocumentId>, Fault> {
        let (mut found, version) = self.with_checksum(&checksums.sha256)?;
        if found.is_empty() && version.as_ref().and_then(Version::major).is_none_or(|major| major < 3) {
            found = self.with_checksum(&checksums.md5)?.0;
        }
        found.sort_unstable();
        let mut sure = Vec::new();
        for id in found.into_iter().take(MOST_TWINS) {
            match self.original(id) {
                Ok(original) if original.checksum.as_ref().is_some_and(|told| checksums.agree_with(told)) => sure.push(id),
                Ok(_) | Err(Fault::NotFound | Fault::InTrash) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(sure)
    }

    fn with_checksum(&self, checksum: &str) -> Result<(Vec<DocumentId>, Option<Version>), Fault> {
        let query = [("checksum__iexact", checksum), ("fields", "id"), ("ordering", "id"), ("page_size", "25")];
        let answer = self.get("api/documents/", &query, Right::ViewDocument)?;
        let rows = answer.json()?;
        let rows = rows.get("results").and_then(Value::as_array).ok_or(Fault::NotUnderstood)?;
        let ids = rows.iter().filter_map(|row| row.get("id")?.as_i64().map(DocumentId)).collect();
        Ok((ids, answer.version))
    }

    /// Does it lie in the trash, to be restored? Paperless-ngx empties it after 30 days.
    pub fn is_in_trash(&self, id: DocumentId) -> Result<bool, Fault> {
        // The rows hold the contents of the documents; version 9 lists the ids of all of them beside one row.
        let answer = self.get("api/trash/", &[("page_size", "1")], Right::ViewDocument)?.json()?;
        if let Some(all) = answer.get("all").and_then(Value::as_array) {
            return Ok(all.iter().any(|told| told.as_i64() == Some(id.0)));
        }
        let mut is_there = false;
        self.rows("api/trash/", &[], Right::ViewDocument, |rows| {
            is_there |= rows.iter().any(|row| row.get("id").and_then(Value::as_i64) == Some(id.0));
            !is_there
        })?;
        Ok(is_there)
    }

    /// Out of the trash, with all that it had. `NotFound` if it does not lie there. Whose document it is needs no right for it.
    pub fn restore(&self, id: DocumentId) -> Result<(), Fault> {
        let answer = self.post("api/trash/", json!({"documents": [id.0], "action": "restore"}), Right::DeleteDocument)?;
        if answer.is_refusal() && answer.refusal_names("documents") {
            return Err(Fault::NotFound);
        }
        match answer.json() {
            Err(fault) if fault.is_uncertain() => {
                if self.is_in_trash(id)? {
                    Err(fault)
                } else {
                    Ok(())
                }
            }
            answer => answer.map(drop),
        }
    }

    /// Reads the original file, not the PDF that the server made of it. A document in the trash is read, too. The caller compares the checksums.
    pub fn download_original(&self, id: DocumentId, to: &mut dyn Write) -> Result<Downloaded, Fault> {
        let head = self.file(id, "download/", &[("original", "true")])?;
        let mut to = Hashing { to, hasher: Hasher::default() };
        let size = self.network.pour(head, &mut to)?;
        Ok(Downloaded { size, checksums: to.hasher.finish() })
    }

    /// The thumbnail, if it is a picture of at most so many bytes.
    pub fn thumbnail(&self, id: DocumentId, most_bytes: usize) -> Result<Thumbnail, Fault> {
        let head = self.file(id, "thumb/", &[])?;
        let bytes = self.network.read(head, most_bytes)?.file()?;
        let media_type = match bytes.as_slice() {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            _ => return Err(Fault::NotUnderstood),
        };
        Ok(Thumbnail { media_type, bytes })
    }

    fn file(&self, id: DocumentId, what: &str, query: &[(&str, &str)]) -> Result<Head, Fault> {
        let url = self.address.page(&path(id, what), query);
        let call = self.call(Method::GET, url, Sent::Nothing, Right::ViewDocument);
        let head = self.network.begin(call, self.network.patience.transfer)?;
        if head.is_file() {
            return Ok(head);
        }
        if head.is_success() {
            return Err(Fault::NotPaperless(Instead::Page));
        }
        let refused = self.network.read(head, 64 * 1024)?.check();
        self.there(id, refused.and(Err(Fault::NotUnderstood)))
    }

    /// A document that is not found may lie in the trash.
    pub(super) fn there<T>(&self, id: DocumentId, found: Result<T, Fault>) -> Result<T, Fault> {
        match found {
            Err(Fault::NotFound) => Err(if self.is_in_trash(id)? { Fault::InTrash } else { Fault::NotFound }),
            found => found,
        }
    }
}

pub(super) fn path(id: DocumentId, what: &str) -> String {
    format!("api/documents/{id}/{what}")
}

pub(super) fn read(document: Value) -> Result<Document, Fault> {
    serde_json::from_value(document).map_err(|_| Fault::NotUnderstood)
}

/// Hashes what it hands on.
struct Hashing<'a> {
    to: &'a mut dyn Write,
    hasher: Hasher,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}
