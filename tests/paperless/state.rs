//! What a Paperless-ngx keeps: accounts, documents, tasks, names; and the work that makes a document of an upload, which differs by version.

use std::collections::BTreeMap;

use kinchart::paperless::Checksums;
use serde_json::{Value, json};

use super::server::{Seen, Trouble, Version};

/// Every new document gets this date, if none was sent.
pub const TODAY: &str = "2026-11-21";
const ALL_RIGHTS: [&str; 14] = [
    "view_document",
    "add_document",
    "change_document",
    "delete_document",
    "view_paperlesstask",
    "view_tag",
    "add_tag",
    "view_correspondent",
    "add_correspondent",
    "view_documenttype",
    "add_documenttype",
    "view_customfield",
    "add_customfield",
    "view_uisettings",
];

pub struct User {
    pub id: i64,
    pub name: String,
    pub password: String,
    pub token: String,
    pub rights: Vec<String>,
    pub is_superuser: bool,
    pub code: Option<String>,
}

impl User {
    pub fn may(&self, right: &str) -> bool {
        self.is_superuser || self.rights.iter().any(|held| held == right)
    }

    pub fn sees(&self, owner: Option<i64>) -> bool {
        self.is_superuser || owner.is_none_or(|owner| owner == self.id)
    }
}

/// A document as the server has it.
#[derive(Clone, Debug)]
pub struct Stored {
    pub id: i64,
    pub title: String,
    pub created: String,
    pub correspondent: Option<i64>,
    pub document_type: Option<i64>,
    pub tags: Vec<i64>,
    pub custom_fields: Vec<(i64, Value)>,
    pub file_name: String,
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
    pub content: String,
    pub has_archive: bool,
    pub owner: Option<i64>,
    pub is_trashed: bool,
    /// Counted up with each change.
    pub changes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending,
    Started,
    Success,
    Failure,
    Revoked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Nothing,
    Made(i64),
    Twin { id: i64, title: String, is_trashed: bool, is_seen: bool },
    Error(String),
}

pub struct Task {
    pub number: i64,
    pub uuid: String,
    pub upload: Stored,
    pub status: Status,
    pub outcome: Outcome,
    /// The queue has forgotten it: it stays as it is for ever.
    pub is_lost: bool,
}

/// A tag, a correspondent, a document type.
#[derive(Clone, Debug)]
pub struct Label {
    pub id: i64,
    pub name: String,
    pub owner: i64,
    pub matching_algorithm: i64,
}

#[derive(Clone, Debug)]
pub struct CustomField {
    pub id: i64,
    pub name: String,
    pub data_type: String,
}

pub struct State {
    pub version: Version,
    pub deletes_duplicates: bool,
    pub users: Vec<User>,
    pub documents: Vec<Stored>,
    pub tasks: Vec<Task>,
    /// By `tags`, `correspondents`, `document_types`.
    pub names: BTreeMap<&'static str, Vec<Label>>,
    pub custom_fields: Vec<CustomField>,
    pub token_calls: u32,
    pub trouble: Option<Trouble>,
    pub seen: Vec<Seen>,
    last_document: i64,
    last_number: i64,
}

impl State {
    pub fn new(version: Version) -> Self {
        let names = ["tags", "correspondents", "document_types"].into_iter().map(|kind| (kind, Vec::new())).collect();
        let mut state = Self {
            version,
            deletes_duplicates: false,
            users: Vec::new(),
            documents: Vec::new(),
            tasks: Vec::new(),
            names,
            custom_fields: Vec::new(),
            token_calls: 0,
            trouble: None,
            seen: Vec::new(),
            last_document: 0,
            last_number: 0,
        };
        state.add_user("admin", &ALL_RIGHTS);
        state.users[0].is_superuser = true;
        state
    }

    /// A number that nothing else of this server has.
    pub fn number(&mut self) -> i64 {
        self.last_number += 1;
        self.last_number
    }

    pub fn add_user(&mut self, name: &str, rights: &[&str]) -> String {
        let id = self.number();
        let token = format!("{id:040x}");
        self.users.push(User {
            id,
            name: name.to_owned(),
            password: format!("{name}-Pw-1"),
            token: token.clone(),
            rights: rights.iter().map(|right| (*right).to_owned()).collect(),
            is_superuser: false,
            code: None,
        });
        token
    }

    pub fn document(&self, id: i64) -> Option<&Stored> {
        self.documents.iter().find(|document| document.id == id)
    }

    pub fn document_mut(&mut self, id: i64) -> Option<&mut Stored> {
        self.documents.iter_mut().find(|document| document.id == id)
    }

    pub fn add_task(&mut self, upload: Stored) -> String {
        let number = self.number();
        let uuid = format!("{number:08x}-3a06-4fcb-bf5f-2b49f5c565d6");
        self.tasks.push(Task { number, uuid: uuid.clone(), upload, status: Status::Pending, outcome: Outcome::Nothing, is_lost: false });
        uuid
    }

    /// One step of every task: pending, started, ended. True if there was one.
    pub fn advance(&mut self) -> bool {
        let mut moved = false;
        for index in 0..self.tasks.len() {
            let task = &mut self.tasks[index];
            match task.status {
                _ if task.is_lost => {}
                Status::Pending => {
                    task.status = Status::Started;
                    moved = true;
                }
                Status::Started => {
                    let outcome = self.consume(index);
                    let task = &mut self.tasks[index];
                    task.status = if matches!(outcome, Outcome::Made(_)) { Status::Success } else { Status::Failure };
                    task.outcome = outcome;
                    moved = true;
                }
                _ => {}
            }
        }
        moved
    }

    fn consume(&mut self, task: usize) -> Outcome {
        let mut upload = self.tasks[task].upload.clone();
        let name = upload.file_name.clone();
        let keeps_twins = self.version == Version::V3 && !self.deletes_duplicates;
        if !keeps_twins && let Some(twin) = self.documents.iter().find(|document| document.bytes == upload.bytes) {
            let is_seen = upload.owner == twin.owner;
            return Outcome::Twin { id: twin.id, title: twin.title.clone(), is_trashed: twin.is_trashed, is_seen };
        }
        let is_pdf = upload.media_type == "application/pdf";
        if is_pdf && !upload.bytes.ends_with(b"%%EOF\n") {
            return Outcome::Error(format!("{name}: Error occurred while consuming document {name}: InputFileError: "));
        }
        if upload.bytes.windows(8).any(|bytes| bytes == b"/Encrypt") {
            upload.content.clear();
        } else {
            upload.has_archive = upload.media_type.starts_with("image/") || (is_pdf && self.version == Version::V2);
        }
        self.last_document += 1;
        upload.id = self.last_document;
        self.documents.push(upload);
        Outcome::Made(self.last_document)
    }

    /// What the version keeps as the checksum of a document.
    pub fn checksum(&self, bytes: &[u8]) -> String {
        let both = Checksums::of(bytes);
        if self.version == Version::V3 { both.sha256 } else { both.md5 }
    }

    pub fn twins(&self, of: &Stored) -> Vec<Value> {
        let twins = self.documents.iter().filter(|other| other.id != of.id && other.bytes == of.bytes);
        twins.map(|twin| json!({"id": twin.id, "title": twin.title, "deleted_at": deleted_at(twin)})).collect()
    }
}

pub fn deleted_at(document: &Stored) -> Option<&'static str> {
    document.is_trashed.then_some("2026-11-21T03:07:50.250177Z")
}

/// The bytes of the archive that the server made.
pub fn archive_of(document: &Stored) -> Vec<u8> {
    format!("%PDF-1.5\narchive of {}\n%%EOF\n", document.id).into_bytes()
}

/// As libmagic would say. The name counts only where the bytes say nothing.
pub fn sniff(bytes: &[u8], name: &str) -> &'static str {
    match bytes {
        [b'%', b'P', b'D', b'F', ..] => "application/pdf",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'P', b'K', 3, 4, ..] => "application/zip",
        _ if std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0')) => "text/plain",
        _ if name.to_lowercase().ends_with("pdf") => "application/pdf",
        _ => "application/octet-stream",
    }
}
